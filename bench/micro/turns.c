/* SPDX-License-Identifier: MIT */
/*
 * turns.c - tasks that take turns: by yielding, and by waking each other with
 * park and unpark, without and with a deadline that never comes.
 */
#include "micro.h"

#include <errno.h>

#include <mayfly/task.h>

struct yielder {
    long turns;
    long taken;
};

static int yield_often(void *arg)
{
    struct yielder *y = arg;

    while (y->taken < y->turns) {
        if (mf_yield() != 0)
            return -EIO;
        y->taken++;
    }
    return 0;
}

enum { YIELDERS_MAX = 1000 };

static void yield_among(int tasks, long count)
{
    static struct yielder yielders[YIELDERS_MAX];
    long each = count / tasks;
    mf_scope s;
    int64_t start;

    MICRO_CHECK(tasks <= YIELDERS_MAX && each > 0);
    MICRO_CHECK(mf_scope_open(&s, NULL) == 0);
    start = mf_now();
    for (int i = 0; i < tasks; i++) {
        yielders[i] = (struct yielder){.turns = each};
        MICRO_CHECK(mf_go(&s, yield_often, &yielders[i]) == 0);
    }
    MICRO_CHECK(mf_scope_close(&s) == 0);
    micro_report_i("yield", tasks, micro_per_op(start, each * tasks), "ns");
    for (int i = 0; i < tasks; i++)
        MICRO_CHECK(yielders[i].taken == each);
}

int micro_yield(void *arg)
{
    const struct micro_args *args = arg;

    yield_among(2, args->count);
    yield_among(YIELDERS_MAX, args->count);
    return 0;
}

struct pong {
    mf_task *ping;
    long rounds;
    long answered;
    mf_deadline deadline;
};

static int answer(void *arg)
{
    struct pong *p = arg;

    while (p->answered < p->rounds) {
        if (mf_park(p->deadline) != 0)
            return -EIO;
        p->answered++;
        mf_unpark(p->ping);
    }
    return 0;
}

/* ns per round trip: two wake-ups and two waits. */
static double ping_pong(long rounds, mf_deadline deadline)
{
    struct pong p = {.ping = mf_self(), .rounds = rounds};
    mf_task *pong;
    mf_scope s;
    int64_t start;
    double each;

    p.deadline = deadline;
    MICRO_CHECK(mf_scope_open(&s, NULL) == 0);
    MICRO_CHECK(mf_spawn(&s, answer, &p, NULL, &pong) == 0);
    start = mf_now();
    for (long i = 0; i < rounds; i++) {
        MICRO_CHECK(mf_unpark(pong) == 0);
        MICRO_CHECK(mf_park(deadline) == 0);
    }
    each = micro_per_op(start, rounds);
    MICRO_CHECK(mf_scope_close(&s) == 0);
    MICRO_CHECK(p.answered == rounds);
    return each;
}

int micro_park_unpark(void *arg)
{
    const struct micro_args *args = arg;

    micro_report("park_unpark", ping_pong(args->count, MF_NEVER), "ns");
    return 0;
}

/*
 * The same with a far deadline in every wait: what a timer costs that is armed
 * and never fires, twice per round trip. A small warm-up first, since the
 * figure is a difference.
 */
int micro_arm_cancel(void *arg)
{
    const struct micro_args *args = arg;
    mf_deadline far = mf_after(MF_SEC(3600));
    double with;
    double without;

    ping_pong(args->count / 10 + 1, far);
    without = ping_pong(args->count, MF_NEVER);
    with = ping_pong(args->count, far);
    micro_report("arm_cancel_trip", with, "ns");
    micro_report("arm_cancel_each", (with - without) / 2, "ns");
    return 0;
}
