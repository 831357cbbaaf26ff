/* SPDX-License-Identifier: MIT */
/*
 * parked.c - what a task costs that does nothing but wait: resident memory,
 * page tables among it, and the time to make and to cancel it.
 */
#include "micro.h"

#include <errno.h>
#include <stdatomic.h>

#include <mayfly/task.h>

struct crowd {
    atomic_long here;
    atomic_long cancelled;
};

static int wait_for_cancel(void *arg)
{
    struct crowd *c = arg;

    atomic_fetch_add_explicit(&c->here, 1, memory_order_relaxed);
    if (mf_park(MF_NEVER) == -ECANCELED)
        atomic_fetch_add_explicit(&c->cancelled, 1, memory_order_relaxed);
    return 0;
}

static long long resident(void)
{
    return micro_status_bytes("VmRSS:") + micro_status_bytes("VmPTE:");
}

int micro_parked(void *arg)
{
    static struct crowd c;
    const struct micro_args *args = arg;
    long n = args->count;
    long long before = resident();
    int64_t start = mf_now();
    mf_scope s;

    MICRO_CHECK(mf_scope_open(&s, NULL) == 0);
    for (long i = 0; i < n; i++)
        MICRO_CHECK(mf_go(&s, wait_for_cancel, &c) == 0);
    while (atomic_load(&c.here) < n)
        MICRO_CHECK(mf_sleep(MF_MSEC(1)) == 0);
    micro_report("parked_create", micro_per_op(start, n), "ns");
    micro_report("parked_bytes", (double)(resident() - before) / (double)n,
                 "B");
    start = mf_now();
    mf_scope_cancel(&s);
    MICRO_CHECK(mf_scope_close(&s) == 0);
    micro_report("parked_end", micro_per_op(start, n), "ns");
    MICRO_CHECK(atomic_load(&c.cancelled) == n);
    return 0;
}
