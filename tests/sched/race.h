/* SPDX-License-Identifier: MIT */
/*
 * race.h - unpark, deadline and cancel race for one wait.
 *
 * Lanes of rounds run side by side, so that workers are busy and meet. In each
 * round a fresh task starts its opponents and parks. Afterwards tokens taken
 * must equal tokens given, and the outcome must be one that somebody caused.
 */
#ifndef MFI_TESTS_SCHED_RACE_H
#define MFI_TESTS_SCHED_RACE_H

#include "sched/help.h"

enum race { UNPARK = 1, DEADLINE = 2, CANCEL = 4, RACE_LANES = 8 };

struct round {
    mf_scope scope;
    mf_task *parker;
    uint32_t kinds; /* enum race */
    uint32_t seed;
};

struct lanes {
    uint32_t kinds;
    int rounds; /* of each lane */
    _Atomic uint32_t seed;
    _Atomic int ready, timed_out, canceled;
};

static int unparks(void *arg)
{
    struct round *r = arg;

    spin(r->seed % 512);
    EXPECT_EQ(mf_unpark(r->parker), 0);
    return 0;
}

static int cancels(void *arg)
{
    struct round *r = arg;

    spin(r->seed / 512 % 512);
    if ((r->seed & 1) != 0)
        mf_scope_cancel(&r->scope);
    else
        mf_task_cancel(r->parker);
    return 0;
}

/* Start the opponents; the unparker's handle, or NULL if there is none. */
static mf_task *opponents(struct round *r)
{
    bool late = (r->seed & 2) != 0;
    mf_task *u = NULL;

    if ((r->kinds & CANCEL) != 0 && !late)
        EXPECT_EQ(mf_go(&r->scope, cancels, r), 0);
    if ((r->kinds & UNPARK) != 0 &&
        mf_spawn(&r->scope, unparks, r, NULL, &u) != 0)
        while (mf_cancelled() == 0)
            (void)mf_yield(); /* who cancels has not come to us yet */
    if ((r->kinds & CANCEL) != 0 && late)
        EXPECT_EQ(mf_go(&r->scope, cancels, r), 0);
    return u;
}

static int parks_once(void *arg)
{
    struct round *r = arg;
    mf_deadline at = MF_NEVER;
    int rc, taken = 0;
    mf_task *u;

    r->parker = mf_self();
    u = opponents(r);
    if ((r->kinds & DEADLINE) != 0)
        at = mf_after((mf_ns)(r->seed / 7 % 16384));
    rc = mf_park(at);
    if (rc == -ETIMEDOUT)
        EXPECT((r->kinds & DEADLINE) != 0);
    else if (rc == -ECANCELED)
        EXPECT((r->kinds & CANCEL) != 0 && mf_cancelled() == -ECANCELED);
    else
        EXPECT(rc == 0 && u != NULL);
    MF_SHIELD(MF_NEVER)
    {
        if (u != NULL)
            EXPECT_EQ(mf_join(u, NULL, MF_NEVER), 0);
        taken = (rc == 0) + (mf_park(MF_NOW) == 0);
        EXPECT_EQ(mf_park(MF_NOW), -ETIMEDOUT);
    }
    EXPECT_EQ(taken, u != NULL);
    return rc == 0 ? 0 : rc == -ETIMEDOUT ? 1 : 2;
}

static int lane(void *arg)
{
    struct lanes *l = arg;
    uint32_t seed = 2463534242u + 77777u * atomic_fetch_add(&l->seed, 1u);

    for (int i = 0; i < l->rounds; i++) {
        struct round r = {.kinds = l->kinds};
        mf_task *t;
        int rc = -1;

        chance(&seed, 2);
        r.seed = seed;
        EXPECT_EQ(
            mf_scope_open(&r.scope, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
        EXPECT_EQ(mf_spawn(&r.scope, parks_once, &r, NULL, &t), 0);
        MF_SHIELD(MF_NEVER)
        EXPECT_EQ(mf_join(t, &rc, MF_NEVER), 0);
        EXPECT(rc >= 0 && rc <= 2);
        atomic_fetch_add(rc == 0   ? &l->ready
                         : rc == 1 ? &l->timed_out
                                   : &l->canceled,
                         1);
        EXPECT_EQ(mf_scope_close(&r.scope), 0);
    }
    return 0;
}

static int all_lanes(void *arg)
{
    MF_SCOPE(s);

    for (int i = 0; i < RACE_LANES; i++)
        EXPECT_EQ(mf_go(&s, lane, arg), 0);
    return mf_scope_close(&s);
}

static void expect_outcome(int n, bool possible)
{
    if (possible)
        EXPECT_BY_CHANCE(n > 0);
    else
        EXPECT_EQ(n, 0);
}

/* All of it, and every outcome that can be must have been. */
static void race(int workers, uint32_t kinds, int rounds)
{
    struct lanes l = {.kinds = kinds, .rounds = rounds / RACE_LANES};

    EXPECT_EQ(run_on(workers, all_lanes, &l), 0);
    expect_outcome(l.ready, (kinds & UNPARK) != 0);
    expect_outcome(l.timed_out, (kinds & DEADLINE) != 0);
    expect_outcome(l.canceled, (kinds & CANCEL) != 0);
}

/* One test for each number of workers. */
#define RACES(name, seconds, kinds, rounds) \
 MFI_TEST_T(name##_on_1_worker, seconds)    \
 {                                          \
  race(1, (kinds), (rounds));               \
 }                                          \
 MFI_TEST_T(name##_on_2_workers, seconds)   \
 {                                          \
  race(2, (kinds), (rounds));               \
 }                                          \
 MFI_TEST_T(name##_on_4_workers, seconds)   \
 {                                          \
  race(4, (kinds), (rounds));               \
 }                                          \
 _Static_assert(1, "a semicolon follows")

#endif
