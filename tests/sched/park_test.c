/* SPDX-License-Identifier: MIT */
/* park_test.c - park, unpark, sleep, yield, pin; and the races for one wait. */
#include "sched/race.h"

#include <mayfly/fd.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = MFI_ROUNDS(50000) };

RACES(unpark_and_deadline_race, 60, UNPARK | DEADLINE, ROUNDS);
RACES(unpark_and_cancel_race, 60, UNPARK | CANCEL, ROUNDS);
RACES(deadline_and_cancel_race, 60, DEADLINE | CANCEL, ROUNDS);
RACES(all_three_race, 60, UNPARK | DEADLINE | CANCEL, ROUNDS);

/* ---- the token ---------------------------------------------------------- */

static int early_unparks_are_one_token(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_unpark(mf_self()), 0);
    EXPECT_EQ(mf_unpark(mf_self()), 0);
    EXPECT_EQ(mf_park(MF_NEVER), 0);
    EXPECT_EQ(mf_park(MF_NOW), -ETIMEDOUT);
    return 0;
}

MFI_TEST(an_unpark_that_came_first_is_kept_once)
{
    EXPECT_EQ(run_on(1, early_unparks_are_one_token, NULL), 0);
}

static int parks_10_ms(void *arg)
{
    mf_ns from = mf_now();

    (void)arg;
    EXPECT_EQ(mf_park(mf_after(MF_MSEC(10))), -ETIMEDOUT);
    EXPECT_GE(mf_now() - from, MF_MSEC(10));
    return 0;
}

MFI_TEST(a_park_ends_at_its_deadline_and_not_before)
{
    EXPECT_EQ(run_on(1, parks_10_ms, NULL), 0);
}

static int a_sleep_keeps_the_token(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_unpark(mf_self()), 0);
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    EXPECT_EQ(mf_yield(), 0);
    EXPECT_EQ(mf_park(MF_NOW), 0);
    return 0;
}

MFI_TEST(other_waits_leave_the_token_alone)
{
    EXPECT_EQ(run_on(1, a_sleep_keeps_the_token, NULL), 0);
}

MFI_TEST(park_and_pin_are_refused_in_a_plain_thread)
{
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), 0);
    EXPECT_EQ(mf_park(MF_NOW), -EPERM);
    EXPECT_EQ(mf_pin(), -EPERM);
    EXPECT_EQ(mf_unpin(), -EPERM);
    EXPECT_EQ(mf_unpark(NULL), -EINVAL);
    EXPECT(mf_self() == NULL);
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

static int unparks_the_dead(void *arg)
{
    mf_task *t;
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_spawn(&s, returns_arg, NULL, NULL, &t), 0);
    EXPECT_EQ(mf_join(t, NULL, MF_NEVER), 0);
    EXPECT_EQ(mf_unpark(t), -ESRCH);
    return mf_scope_close(&s);
}

MFI_TEST(a_task_that_has_ended_cannot_be_unparked)
{
    EXPECT_EQ(run_on(2, unparks_the_dead, NULL), 0);
}

/* ---- ping-pong ---------------------------------------------------------- */

enum { PINGS = MFI_ROUNDS(20000) };

struct pair {
    mf_task *_Atomic a, *_Atomic b;
    int n; /* whose turn it is: what is written before an unpark is seen */
};

static int ping(void *arg)
{
    struct pair *p = arg;

    p->a = mf_self();
    WAIT_UNTIL(p->b != NULL);
    for (int i = 0; i < PINGS; i++) {
        EXPECT_EQ(p->n++, 2 * i);
        EXPECT_EQ(mf_unpark(p->b), 0);
        EXPECT_EQ(mf_park(MF_NEVER), 0);
    }
    return 0;
}

static int pong(void *arg)
{
    struct pair *p = arg;

    p->b = mf_self();
    WAIT_UNTIL(p->a != NULL);
    for (int i = 0; i < PINGS; i++) {
        EXPECT_EQ(mf_park(MF_NEVER), 0);
        EXPECT_EQ(p->n++, 2 * i + 1);
        EXPECT_EQ(mf_unpark(p->a), 0);
    }
    return 0;
}

static int two_take_turns(void *arg)
{
    struct pair p = {.n = 0};
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_spawn(&s, ping, &p, MF_TASK_OPTIONS(.worker = 1), NULL), 0);
    EXPECT_EQ(mf_spawn(&s, pong, &p, MF_TASK_OPTIONS(.worker = 2), NULL), 0);
    return mf_scope_close(&s);
}

MFI_TEST(what_was_written_before_an_unpark_is_seen_after_the_park)
{
    EXPECT_EQ(run_on(2, two_take_turns, NULL), 0);
}

/* ---- sleep -------------------------------------------------------------- */

static int sleeps_at_random(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg;

    for (int i = 0; i < MFI_ROUNDS(30); i++) {
        mf_ns span = chance(&seed, 3000000);
        mf_deadline at = mf_after(span);

        EXPECT_EQ(mf_sleep_until(at), 0);
        EXPECT_GE(mf_now(), at.at);
    }
    return 0;
}

static int hundred_sleep(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    for (int i = 1; i <= MFI_ROUNDS(100) * 10; i++)
        EXPECT_EQ(mf_go(&s, sleeps_at_random, NUMBER(i * 7919)), 0);
    return mf_scope_close(&s);
}

MFI_TEST(no_sleep_ends_early)
{
    EXPECT_EQ(run_on(1, hundred_sleep, NULL), 0);
    EXPECT_EQ(run_on(4, hundred_sleep, NULL), 0);
}

static int past_sleeps(void *arg)
{
    mf_ns from = mf_now();

    (void)arg;
    EXPECT_EQ(mf_sleep(0), 0);
    EXPECT_EQ(mf_sleep(-5), 0);
    EXPECT_EQ(mf_sleep_until(MF_NOW), 0);
    EXPECT_EQ(mf_sleep_until(mf_at(from - MF_SEC(1))), 0);
    EXPECT_EQ(mf_sleep_until(mf_at(-1)), 0);
    EXPECT_LT(mf_now() - from, MF_SEC(5));
    return 0;
}

MFI_TEST(a_point_long_past_is_not_waited_for)
{
    EXPECT_EQ(run_on(1, past_sleeps, NULL), 0);
}

/* ---- yield -------------------------------------------------------------- */

struct turns {
    _Atomic int done, started;
    int n[4];
};
static struct turns turns;

static int takes_turns(void *arg)
{
    int me = (int)(intptr_t)arg, others[4];

    turns.started++;
    while (turns.started < 4)
        EXPECT_EQ(mf_yield(), 0);
    for (int i = 0; i < 1000; i++) {
        memcpy(others, turns.n, sizeof others);
        EXPECT_EQ(mf_yield(), 0);
        turns.n[me]++;
        for (int k = 0; k < 4 && i > 0 && i < 998; k++)
            EXPECT(k == me || turns.n[k] - others[k] <= 2);
    }
    return turns.n[me];
}

static int counts_one(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int yields_to_a_fresh_one(void *arg)
{
    int n = 0, *seen = &n;
    MF_SCOPE(s);

    (void)arg;
    for (int i = 1; i <= 100; i++) {
        EXPECT_EQ(mf_go(&s, counts_one, &n), 0);
        for (int yields = 0; yields < 10 && *seen < i; yields++)
            EXPECT_EQ(mf_yield(), 0); /* one in eight is its turn */
        EXPECT_EQ(*seen, i);
    }
    return mf_scope_close(&s);
}

MFI_TEST(a_yield_lets_a_task_just_started_run)
{
    MFI_SIM_SKIP("any task that is ready may run next");
    EXPECT_EQ(run_on(1, yields_to_a_fresh_one, NULL), 0);
}

static int four_take_turns(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(mf_go(&s, takes_turns, NUMBER(i)), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(turns.n[0] + turns.n[1] + turns.n[2] + turns.n[3], 4000);
    return 0;
}

MFI_TEST(tasks_that_yield_take_turns)
{
    MFI_SIM_SKIP("any task that is ready may run next");
    EXPECT_EQ(run_on(1, four_take_turns, NULL), 0);
}

static int yields_until_done(void *arg)
{
    while (turns.done < 2)
        EXPECT_EQ(mf_yield(), 0);
    return (int)(intptr_t)arg;
}

static int reads_a_pipe(void *arg)
{
    int *ends = arg;
    char c;

    for (int i = 0; i < 20; i++)
        EXPECT_EQ(mf_read(ends[0], &c, 1, MF_NEVER), 1);
    turns.done++;
    return 0;
}

static int naps(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(mf_sleep(MF_USEC(200)), 0);
    turns.done++;
    return 0;
}

static void *writes_a_pipe(void *arg)
{
    int *ends = arg;

    for (int i = 0; i < 20; i++) {
        EXPECT_EQ(write(ends[1], "x", 1), 1);
        sched_yield();
    }
    return NULL;
}

static int yields_beside_a_pipe_and_a_sleeper(void *arg)
{
    int n = (int)(intptr_t)arg, ends[2];
    pthread_t writer;
    MF_SCOPE(s);

    turns.done = 0;
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(mf_go(&s, reads_a_pipe, ends), 0);
    EXPECT_EQ(mf_go(&s, naps, NULL), 0);
    for (int i = 0; i < n; i++)
        EXPECT_EQ(mf_go(&s, yields_until_done, NULL), 0);
    EXPECT_EQ(pthread_create(&writer, NULL, writes_a_pipe, ends), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(pthread_join(writer, NULL), 0);
    EXPECT_EQ(mf_close(ends[0]), 0);
    EXPECT_EQ(close(ends[1]), 0);
    return 0;
}

MFI_TEST(tasks_that_yield_starve_neither_fds_nor_timers)
{
    EXPECT_EQ(run_on(1, yields_beside_a_pipe_and_a_sleeper, NUMBER(1)), 0);
    EXPECT_EQ(run_on(1, yields_beside_a_pipe_and_a_sleeper, NUMBER(3)), 0);
    EXPECT_EQ(run_on(2, yields_beside_a_pipe_and_a_sleeper, NUMBER(3)), 0);
}

/* ---- pin ---------------------------------------------------------------- */

static _Atomic int busy;

static int makes_pressure(void *arg)
{
    (void)arg;
    while (busy > 0)
        EXPECT_EQ(mf_yield(), 0);
    return 0;
}

static int stays(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg;

    EXPECT_EQ(mf_pin(), 0);
    EXPECT_EQ(mf_pin(), 0);
    for (int i = 0; i < MFI_ROUNDS(300) * 10; i++) {
        pthread_t here = pthread_self();

        if (i == MFI_ROUNDS(300) * 5)
            EXPECT_EQ(mf_unpin(), 0); /* one is left */
        if (chance(&seed, 4) == 0)
            EXPECT_EQ(mf_sleep(chance(&seed, 20000)), 0);
        else
            EXPECT_EQ(mf_yield(), 0);
        EXPECT(pthread_equal(here, pthread_self()));
    }
    EXPECT_EQ(mf_unpin(), 0);
    EXPECT_EQ(mf_unpin(), -EPERM);
    busy--;
    return 0;
}

static int pins_under_pressure(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    busy = 16;
    for (int i = 0; i < 16; i++) {
        EXPECT_EQ(mf_go(&s, stays, NUMBER(i + 1)), 0);
        EXPECT_EQ(mf_go(&s, makes_pressure, NULL), 0);
    }
    return mf_scope_close(&s);
}

MFI_TEST(between_pin_and_unpin_a_task_stays_on_its_thread)
{
    EXPECT_EQ(run_on(4, pins_under_pressure, NULL), 0);
}
