/* SPDX-License-Identifier: MIT */
/* gen.c - generators: the price of a value, and of a generator's life. */
#include "micro.h"

#include <mayfly/gen.h>

MF_GEN_DEFINE(longs, long);

static int counts(mf_gen *self, void *arg)
{
    const long *end = arg;
    int rc = 0;

    for (long i = 0; i < *end && rc == 0; i++)
        rc = longs_yield(self, i);
    return rc;
}

static double count_to(long n)
{
    longs *g;
    long sum = 0, value;
    int64_t start;
    double each;

    MICRO_CHECK(longs_make(counts, &n, &g) == 0);
    start = mf_now();
    while (longs_next(g, &value) == 1)
        sum += value;
    each = micro_per_op(start, n);
    longs_free(g);
    MICRO_CHECK(sum == n * (n - 1) / 2);
    return each;
}

int micro_gen(void *arg)
{
    const struct micro_args *args = arg;
    long lives = args->count / 20 + 1, one = 1;
    int64_t start;

    micro_report("gen", count_to(args->count), "ns");
    start = mf_now();
    for (long i = 0; i < lives; i++) {
        longs *g;
        long value = -1;

        MICRO_CHECK(longs_make(counts, &one, &g) == 0);
        MICRO_CHECK(longs_next(g, &value) == 1 && value == 0);
        MICRO_CHECK(longs_next(g, &value) == 0);
        longs_free(g);
    }
    micro_report("gen_life", micro_per_op(start, lives), "ns");
    return 0;
}
