/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - the life of a task: one at a time, a million at once, as a tree,
 * and what of their memory stays behind.
 */
#include "micro.h"

#include <stdlib.h>

#include <mayfly/task.h>

static int return_seven(void *arg)
{
    (void)arg;
    return 7;
}

int micro_spawn_join(void *arg)
{
    const struct micro_args *args = arg;
    mf_scope s;
    int64_t start;

    MICRO_CHECK(mf_scope_open(&s, NULL) == 0);
    start = mf_now();
    for (long i = 0; i < args->count; i++) {
        mf_task *t;
        int result = 0;

        MICRO_CHECK(mf_spawn(&s, return_seven, NULL, NULL, &t) == 0);
        MICRO_CHECK(mf_join(t, &result, MF_NEVER) == 0);
        MICRO_CHECK(result == 7);
        mf_task_release(t);
    }
    micro_report("spawn_join", micro_per_op(start, args->count), "ns");
    return mf_scope_close(&s);
}

static int set_one(void *arg)
{
    *(char *)arg = 1;
    return 0;
}

/* n tasks of one scope, each setting a byte of its own. ns per task. */
static double batch(long n)
{
    char *ran = calloc((size_t)n, 1);
    mf_scope s;
    int64_t start;
    double each;

    MICRO_CHECK(ran);
    MICRO_CHECK(mf_scope_open(&s, NULL) == 0);
    start = mf_now();
    for (long i = 0; i < n; i++)
        MICRO_CHECK(mf_go(&s, set_one, &ran[i]) == 0);
    MICRO_CHECK(mf_scope_close(&s) == 0);
    each = micro_per_op(start, n);
    for (long i = 0; i < n; i++)
        MICRO_CHECK(ran[i] == 1);
    free(ran);
    return each;
}

int micro_spawn_batch(void *arg)
{
    const struct micro_args *args = arg;

    for (int round = 1; round <= 3; round++)
        micro_report_i("spawn_batch", round, batch(args->count), "ns");
    return 0;
}

/*
 * A first round pays for every page; from the second on nothing may be added.
 * The slack is for what the C library and the page tables do on their own.
 */
int micro_growth(void *arg)
{
    enum { ROUNDS = 5, SLACK = 4 << 20 };
    const struct micro_args *args = arg;
    long long rss[ROUNDS + 1];

    for (int round = 1; round <= ROUNDS; round++) {
        batch(args->count);
        rss[round] = micro_status_bytes("VmRSS:");
        micro_report_i("growth_rss", round, (double)rss[round] / 1024, "KiB");
    }
    MICRO_CHECK(rss[ROUNDS] <= rss[2] + rss[2] / 10 + SLACK);
    return 0;
}

enum { ARITY = 10 };

struct node {
    long num;
    long size; /* leaves below, a power of ARITY */
    long sum;  /* out */
};

static int skynet_node(void *arg)
{
    struct node *n = arg;
    struct node children[ARITY];
    mf_scope s;
    int rc;

    if (n->size == 1) {
        n->sum = n->num;
        return 0;
    }
    rc = mf_scope_open(&s, NULL);
    if (rc < 0)
        return rc;
    for (int i = 0; i < ARITY; i++) {
        children[i].size = n->size / ARITY;
        children[i].num = n->num + i * children[i].size;
        mf_go(&s, skynet_node, &children[i]); /* close says if one failed */
    }
    rc = mf_scope_close(&s);
    n->sum = 0;
    for (int i = 0; i < ARITY && rc == 0; i++)
        n->sum += children[i].sum;
    return rc;
}

int micro_skynet(void *arg)
{
    const struct micro_args *args = arg;
    long size = 1;

    while (size * ARITY <= args->count)
        size *= ARITY;
    for (int round = 1; round <= 3; round++) {
        struct node top = {.num = 0, .size = size};
        int64_t start = mf_now();

        MICRO_CHECK(skynet_node(&top) == 0);
        micro_report_i("skynet", round, micro_per_op(start, 1000000), "ms");
        MICRO_CHECK(top.sum == size * (size - 1) / 2);
    }
    return 0;
}
