/* SPDX-License-Identifier: MIT */
/*
 * quicksort.c - fork and join: each half is sorted by a task of its own, on
 * whatever CPU is free, down to a size where a task is not worth it.
 *
 * Source: Hoare 1961, Algorithm 64; the partition is his.
 *
 * Run: ./quicksort [HOW_MANY]    (default 1000000)
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <mayfly.h>

enum { SMALL = 4096 };

struct part {
    uint32_t *from;
    size_t n;
};
MF_TASK_DEFINE(sort, struct part);

static size_t partition(uint32_t *v, size_t n)
{
    uint32_t pivot = v[(n - 1) / 2]; /* not the last: no part is empty */
    size_t i = 0, j = n - 1;

    for (;;) {
        while (v[i] < pivot)
            i++;
        while (v[j] > pivot)
            j--;
        if (i >= j)
            return j + 1;
        uint32_t t = v[i];
        v[i++] = v[j];
        v[j--] = t;
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static int sort(struct part *p)
{
    uint32_t *v = p->from;
    size_t n = p->n;

    MF_SCOPE(s);
    while (n > SMALL) { /* the left part for another task, the right for us */
        size_t left = partition(v, n);

        sort_go(&s, (struct part){v, left});
        v += left;
        n -= left;
    }
    qsort(v, n, sizeof *v, compare);
    return mf_scope_close(&s);
}

static int run(void *arg)
{
    size_t n = *(size_t *)arg, wrong = 0;
    uint32_t x = 1, *v = malloc((n + 1) * sizeof *v);
    int rc;

    if (v == NULL)
        return -1;
    for (size_t i = 0; i < n; i++)
        v[i] = x = x * 1664525u + 1013904223u; /* Knuth, TAOCP 2, 3.3.4 */
    rc = sort(&(struct part){v, n});
    for (size_t i = 1; i < n; i++)
        wrong += v[i - 1] > v[i];
    printf("%zu numbers, %zu out of order\n", n, wrong);
    free(v);
    return rc < 0 ? rc : -(wrong != 0);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;

    return mf_run(run, &n, NULL) < 0;
}
