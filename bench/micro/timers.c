/* SPDX-License-Identifier: MIT */
/*
 * timers.c - many sleepers: how late the latest of them wakes.
 *
 * The deadlines are spread evenly over ten seconds. The first one is far
 * enough away for all tasks to be asleep before it, so that lateness is the
 * runtime's and not that of the loop that creates them.
 */
#include "micro.h"

#include <stdatomic.h>
#include <stdlib.h>

#include <mayfly/task.h>

#define SPREAD        MF_SEC(10)
#define LEAD_PER_TASK MF_USEC(12)
#define LATE          MF_MSEC(50)

struct sleeper {
    mf_ns wake_at;
    mf_ns late;
};

static atomic_long asleep;

static int sleep_once(void *arg)
{
    struct sleeper *me = arg;

    atomic_fetch_add_explicit(&asleep, 1, memory_order_relaxed);
    if (mf_sleep_until(mf_at(me->wake_at)) == 0)
        me->late = mf_now() - me->wake_at;
    return 0;
}

static int by_lateness(const void *a, const void *b)
{
    mf_ns x = ((const struct sleeper *)a)->late;
    mf_ns y = ((const struct sleeper *)b)->late;

    return (x > y) - (x < y);
}

static void report_lateness(struct sleeper *sleepers, long n)
{
    long late = 0, middle = n / 2;

    qsort(sleepers, (size_t)n, sizeof(*sleepers), by_lateness);
    for (long i = 0; i < n; i++)
        late += sleepers[i].late > LATE;
    MICRO_CHECK(sleepers[0].late >= 0);
    micro_report("timers_median_late", (double)sleepers[middle].late / 1e6,
                 "ms");
    micro_report("timers_worst_late", (double)sleepers[n - 1].late / 1e6, "ms");
    micro_report("timers_over_50ms", (double)late, "tasks");
}

int micro_timers(void *arg)
{
    const struct micro_args *args = arg;
    long n = args->count;
    struct sleeper *sleepers = calloc((size_t)n, sizeof(*sleepers));
    mf_ns start = mf_now();
    mf_ns first = start + n * LEAD_PER_TASK + MF_MSEC(200);
    mf_scope s;

    MICRO_CHECK(sleepers);
    MICRO_CHECK(mf_scope_open(&s, NULL) == 0);
    for (long i = 0; i < n; i++) {
        sleepers[i].wake_at =
            first + (mf_ns)((double)SPREAD * (double)i / (double)n);
        sleepers[i].late = -1;
        MICRO_CHECK(mf_go(&s, sleep_once, &sleepers[i]) == 0);
    }
    while (atomic_load(&asleep) < n)
        MICRO_CHECK(mf_sleep(MF_MSEC(1)) == 0);
    micro_report("timers_create", micro_per_op(start, n), "ns");
    if (mf_now() >= first)
        micro_fail("the first deadline came before all tasks slept");
    MICRO_CHECK(mf_scope_close(&s) == 0);
    report_lateness(sleepers, n);
    free(sleepers);
    return 0;
}
