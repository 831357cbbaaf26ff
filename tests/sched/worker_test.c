/* SPDX-License-Identifier: MIT */
/* worker_test.c - work spreads, nothing is run twice, nobody sleeps on it. */
#include "sched/help.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- fork and join ------------------------------------------------------ */

struct node {
    uint32_t seed;
    int depth;
    long sum; /* out: of all below */
};

static int sums(void *arg)
{
    struct node *me = arg, below[3];
    MF_SCOPE(s);

    me->sum = 1;
    if (me->depth == 0)
        return 0;
    for (int i = 0; i < 3; i++) {
        below[i] =
            (struct node){me->seed + 17 * (uint32_t)i + 1, me->depth - 1, 0};
        EXPECT_EQ(mf_go(&s, sums, &below[i]), 0);
        switch (chance(&me->seed, 8)) {
        case 0:
            EXPECT_EQ(mf_yield(), 0);
            break;
        case 1:
            spin(chance(&me->seed, 2000));
            break;
        default:
            break;
        }
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < 3; i++)
        me->sum += below[i].sum;
    return 0;
}

static int fork_join(void *arg)
{
    for (uint32_t i = 0; i < 20; i++) {
        struct node root = {i + 1, 7, 0};

        EXPECT_EQ(sums(&root), 0);
        EXPECT_EQ(root.sum, (2187 * 3 - 1) / 2);
    }
    (void)arg;
    return 0;
}

MFI_TEST(a_tree_of_tasks_sums_up_on_any_number_of_workers)
{
    EXPECT_EQ(run_on(1, fork_join, NULL), 0);
    EXPECT_EQ(run_on(2, fork_join, NULL), 0);
    EXPECT_EQ(run_on(4, fork_join, NULL), 0);
    EXPECT_EQ(
        mf_run(fork_join, NULL, MF_OPTIONS(.workers = 4, .no_stealing = 1)), 0);
}

/* ---- every queue at once ------------------------------------------------ */

enum { BODIES = 300, STEPS = 200 };

static _Atomic int steps, running_now[BODIES];

static int steps_at_random(void *arg)
{
    int me = (int)(intptr_t)arg;
    uint32_t seed = (uint32_t)me + 1;

    for (int i = 0; i < STEPS; i++) {
        EXPECT_EQ(running_now[me]++, 0); /* on one worker at a time */
        spin(chance(&seed, 300));
        running_now[me]--;
        steps++;
        switch (chance(&seed, 16)) {
        case 0:
            EXPECT_EQ(mf_sleep(chance(&seed, 20000)), 0);
            break;
        case 1:
            EXPECT_EQ(mf_pin(), 0);
            EXPECT_EQ(mf_yield(), 0);
            EXPECT_EQ(mf_unpin(), 0);
            break;
        default:
            EXPECT_EQ(mf_yield(), 0);
            break;
        }
    }
    return 0;
}

static int bodies(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    steps = 0;
    for (int i = 0; i < BODIES; i++)
        EXPECT_EQ(mf_go(&s, steps_at_random, NUMBER(i)), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(steps, BODIES * STEPS);
    return 0;
}

MFI_TEST(no_task_is_lost_or_run_on_two_workers)
{
    EXPECT_EQ(run_on(1, bodies, NULL), 0);
    EXPECT_EQ(run_on(2, bodies, NULL), 0);
    EXPECT_EQ(run_on(4, bodies, NULL), 0);
}

/* ---- waking sleepers ---------------------------------------------------- */

/*
 * Tasks that compute until all of them run at once: each needs a worker of its
 * own, so each must be found by one that sleeps.
 */
static _Atomic int at_once;

static int needs_the_others(void *arg)
{
    int n = (int)(intptr_t)arg;
    mf_ns until = mf_now() + MF_SEC(20);

    at_once++;
    while (at_once < n)
        EXPECT_LT(mf_now(), until);
    return 0;
}

static int spreads(void *arg)
{
    (void)arg;
    for (int i = 0; i < 30; i++) {
        MF_SCOPE(s);
        at_once = 0;
        for (int k = 0; k < 4; k++)
            EXPECT_EQ(mf_go(&s, needs_the_others, NUMBER(4)), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
        if (i % 2 == 0)
            EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0); /* let the others sleep */
    }
    return 0;
}

MFI_TEST(tasks_that_compute_spread_over_the_workers)
{
    if (MFI_TEST_TSAN)
        MFI_SKIP("one task alone is found by the hog signal, which is off");
    EXPECT_EQ(run_on(4, spreads, NULL), 0);
}

MFI_TEST(tasks_from_a_plain_thread_spread_over_the_workers)
{
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 4, .hog_time = -1)), 0);
    for (int i = 0; i < 250; i++) {
        MF_SCOPE(s);
        at_once = 0;
        for (int k = 0; k < 4; k++)
            EXPECT_EQ(mf_go(&s, needs_the_others, NUMBER(4)), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
        if (i % 8 == 0)
            usleep(300);
    }
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

/* A thread wakes one task again and again, as its worker falls asleep. */
static _Atomic(mf_task *) sleeper;
static _Atomic int woken;

static int sleeps_between(void *arg)
{
    sleeper = mf_self();
    for (int i = 0; i < 3000; i++) {
        EXPECT_EQ(mf_park(mf_after(MF_SEC(20))), 0);
        woken++;
    }
    return (int)(intptr_t)arg;
}

MFI_TEST(no_wake_up_from_a_thread_is_lost_to_a_worker_falling_asleep)
{
    for (int workers = 1; workers <= 2; workers++) {
        uint32_t seed = 1;

        woken = 0;
        sleeper = NULL;
        EXPECT_EQ(mf_start(MF_OPTIONS(.workers = workers)), 0);
        EXPECT_EQ(mf_go(mf_root(), sleeps_between, NULL), 0);
        while (sleeper == NULL)
            sched_yield();
        for (int i = 0; i < 3000; i++) {
            EXPECT_EQ(mf_unpark(sleeper), 0);
            while (woken == i)
                sched_yield();
            spin(chance(&seed, 30000));
        }
        EXPECT_EQ(mf_stop(MF_NEVER), 0);
    }
}
