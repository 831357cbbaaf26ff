/* SPDX-License-Identifier: MIT */
/*
 * gen.c - a generator of Fibonacci numbers, asked by a task.
 *
 * The generator is an ordinary loop; each fibs_yield hands out a number and
 * stops there until it is asked for the next. It has a stack of its own but
 * runs as a part of the task that asks, and may block like any function the
 * task calls: here it sleeps a little before each number.
 *
 * It would go on for ever. Freed, its yield answers -ECANCELED, so that it can
 * clean up and return.
 *
 * Run: ./gen [HOW_MANY]
 */
#include <stdio.h>
#include <stdlib.h>

#include <mayfly.h>

MF_GEN_DEFINE(fibs, uint64_t);

static int fibonacci(mf_gen *self, void *arg)
{
    int *count = arg, rc;
    uint64_t a = 0, b = 1, sum;

    for (;;) {
        if ((rc = mf_sleep(MF_MSEC(1))) < 0)
            return rc;
        if ((rc = fibs_yield(self, a)) < 0)
            break;
        ++*count;
        sum = a + b;
        a = b;
        b = sum;
    }
    printf("asked %d times and then freed\n", *count + 1);
    return rc;
}

static int asks(void *arg)
{
    int n = *(int *)arg, count = 0, rc;
    uint64_t value;
    fibs *g;

    if ((rc = fibs_make(fibonacci, &count, &g)) < 0)
        return rc;
    for (int i = 0; i < n && (rc = fibs_next(g, &value)) > 0; i++)
        printf("got %llu\n", (unsigned long long)value);
    fibs_free(g);
    return rc < 0 ? rc : 0;
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 20, rc;

    if (n < 1 || n > 94) { /* more do not fit 64 bits */
        fprintf(stderr, "usage: gen [1 to 94]\n");
        return 2;
    }
    rc = mf_run(asks, &n, NULL);
    if (rc < 0)
        fprintf(stderr, "gen: %s\n", mf_explain(rc));
    return rc < 0;
}
