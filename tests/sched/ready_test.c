/* SPDX-License-Identifier: MIT */
/*
 * ready_test.c - what was made ready runs, in this order: slot,
 * ring, and nobody waits for ever behind the others.
 *
 * One worker unless said otherwise, so that the order is the same each time:
 * each task says its letter, and the test looks at the word.
 */
#include "sched/worker.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "sched/help.h"

static char said[256];
static size_t nr_said;
static mf_event go_on;
static _Atomic bool over;
static _Atomic int nr_runs;

static void say(char letter)
{
    EXPECT_LT(nr_said, sizeof said - 1);
    said[nr_said++] = letter;
}

static int says(void *arg)
{
    say((char)(intptr_t)arg);
    return 0;
}

static int run(void *fn)
{
    MF_SCOPE(s);

    EXPECT_EQ(mf_go(&s, *(mf_fn **)fn, NULL), 0);
    return mf_scope_close(&s);
}

static void alone(mf_fn *fn)
{
    EXPECT_EQ(run_on(1, run, &fn), 0);
}

/* ---- a task that ends hands over ---------------------------------------- */

static mf_task *ending;

static int joins_and_says(void *arg)
{
    EXPECT_EQ(mf_join(ending, NULL, MF_NEVER), 0);
    return says(arg);
}

static int yields_and_says(void *arg)
{
    EXPECT_EQ(mf_event_wait(&go_on, MF_NEVER), 0);
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(mf_yield(), 0);
        says(arg);
    }
    return 0;
}

static int yields_and_ends(void *arg)
{
    EXPECT_EQ(mf_event_wait(&go_on, MF_NEVER), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(mf_yield(), 0);
    return says(arg);
}

static int hands_over(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_spawn(&s, yields_and_ends, NUMBER('e'), NULL, &ending), 0);
    EXPECT_EQ(mf_go(&s, yields_and_says, NUMBER('.')), 0);
    EXPECT_EQ(mf_go(&s, joins_and_says, NUMBER('1')), 0);
    EXPECT_EQ(mf_go(&s, joins_and_says, NUMBER('2')), 0);
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    mf_event_fire(&go_on);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_STR_HAS(said, ".e1.2");
    return 0;
}

MFI_TEST(the_first_who_joins_runs_at_once_the_next_in_their_order)
{
    alone(hands_over);
}

/* A chain of slots is long, and others are to run meanwhile. */
static int counts_and_yields(void *arg)
{
    while (!mfi_load_acq(&over)) {
        mfi_add_acqrel((_Atomic int *)arg, 1);
        EXPECT_EQ(mf_yield(), 0);
    }
    return 0;
}

static int joins_and_joins(void *arg)
{
    enum { N = 2000 };
    int before;
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_go(&s, counts_and_yields, &nr_runs), 0);
    EXPECT_EQ(mf_yield(), 0);
    before = mfi_load_acq(&nr_runs);
    for (int i = 0; i < N; i++) {
        mf_task *t;

        EXPECT_EQ(mf_spawn(&s, returns_arg, NULL, NULL, &t), 0);
        EXPECT_EQ(mf_join(t, NULL, MF_NEVER), 0);
        mf_task_release(t);
    }
    EXPECT_GE(mfi_load_acq(&nr_runs) - before, N / 40);
    mfi_store_rel(&over, true);
    return mf_scope_close(&s);
}

MFI_TEST(a_chain_of_joins_lets_the_ring_run)
{
    alone(joins_and_joins);
}

/* ---- the slot ----------------------------------------------------------- */

enum { PINGS = 4000 };

static mf_task *players[2];

static int plays(void *arg)
{
    int me = (int)(intptr_t)arg;

    for (int i = 0; i < PINGS; i++) {
        EXPECT_EQ(mf_park(MF_NEVER), 0);
        (void)mf_unpark(players[1 - me]);
    }
    return 0;
}

static int plays_beside_another(void *arg)
{
    mf_task *first, *second;
    int others;
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_spawn(&s, plays, NUMBER(0), NULL, &first), 0);
    EXPECT_EQ(mf_spawn(&s, plays, NUMBER(1), NULL, &second), 0);
    players[0] = first;
    players[1] = second;
    EXPECT_EQ(mf_go(&s, counts_and_yields, &nr_runs), 0);
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    others = mfi_load_acq(&nr_runs);
    EXPECT_EQ(mf_unpark(first), 0);
    EXPECT_EQ(mf_join(second, NULL, MF_NEVER), 0);
    others = mfi_load_acq(&nr_runs) - others;
    mfi_store_rel(&over, true);
    EXPECT_EQ(mf_scope_close(&s), 0);
    /* Two switches a ping, of which one in 16 is for the ring. */
    EXPECT_GE(others, PINGS / 16);
    EXPECT_LE(others, PINGS / 2);
    return 0;
}

MFI_TEST(a_ping_pong_goes_first_but_lets_the_ring_run)
{
    alone(plays_beside_another);
}

static int parks_and_says(void *arg)
{
    EXPECT_EQ(mf_park(MF_NEVER), 0);
    return says(arg);
}

static int wakes_three(void *arg)
{
    mf_task *t[3];
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_spawn(&s, parks_and_says, NUMBER('a' + i), NULL, &t[i]),
                  0);
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_unpark(t[i]), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_STR_EQ(said, "cab"); /* the last from the slot, then the ring */
    return 0;
}

MFI_TEST(the_last_woken_runs_first_the_others_in_order)
{
    alone(wakes_three);
}

/* ---- fresh -------------------------------------------------------------- */

static int spawns_three(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_go(&s, says, NUMBER('a' + i)), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_STR_EQ(said, "abc");
    return 0;
}

MFI_TEST(siblings_start_in_the_order_of_their_spawns)
{
    alone(spawns_three);
}

static int spawns_one(void *arg)
{
    MF_SCOPE(s);

    EXPECT_EQ(mf_go(&s, says, arg), 0);
    EXPECT_STR_EQ(said, "");
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(nr_said, 1);
    return 0;
}

MFI_TEST(one_alone_starts_when_its_spawner_waits)
{
    alone(spawns_one);
}

/* Two that yield keep the ring from ever being empty. */
static int spawns_beside_yielders(void *arg)
{
    static _Atomic int yields;
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(mf_go(&s, counts_and_yields, &yields), 0);
    for (int i = 0; i < 10 * FRESH_EVERY; i++) /* until both have begun */
        EXPECT_EQ(mf_yield(), 0);
    for (int i = 0; i < 50; i++) {
        size_t before = nr_said;
        int from;

        EXPECT_EQ(mf_yield(), 0);
        from = mfi_load_acq(&yields);
        EXPECT_EQ(mf_go(&s, says, NUMBER('x')), 0);
        while (nr_said == before)
            EXPECT_EQ(mf_yield(), 0);
        EXPECT_LE(mfi_load_acq(&yields) - from, 2 * FRESH_EVERY);
    }
    mfi_store_rel(&over, true);
    return mf_scope_close(&s);
}

MFI_TEST(one_alone_has_its_turn_beside_yielders)
{
    alone(spawns_beside_yielders);
}

static int sets_over(void *arg)
{
    (void)arg;
    mfi_store_rel(&over, true);
    return 0;
}

/* Never gives up its worker: another one has to find what it has spawned. */
static int spawns_and_computes(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_go(mf_root(), sets_over, NULL), 0);
    while (!mfi_load_acq(&over))
        ;
    return 0;
}

static int awaits_the_young(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        MF_SCOPE(s);

        mfi_store_rel(&over, false);
        EXPECT_EQ(mf_spawn(&s, spawns_and_computes, NULL,
                           MF_TASK_OPTIONS(.worker = 1 + i % 2), NULL),
                  0);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    return 0;
}

MFI_TEST(one_alone_is_not_lost_when_its_spawner_computes)
{
    if (MFI_TEST_TSAN)
        MFI_SKIP("ThreadSanitizer delivers signals late");
    EXPECT_EQ(run_on(2, awaits_the_young, NULL), 0);
}

/* ---- pinned ------------------------------------------------------------- */

static _Atomic int woken_on = -1;

static int parks_where_it_is(void *arg)
{
    EXPECT_EQ(mf_park(MF_NEVER), 0);
    EXPECT_EQ(mfi_worker()->index, (int)(intptr_t)arg);
    mfi_store_rel(&woken_on, mfi_worker()->index);
    return 0;
}

/* The waker keeps its own worker, so the other has to be woken and run it. */
static void wake_there(mf_task *t, int there)
{
    uint32_t sleeping = mfi_worker() == NULL ? 2 : 1;

    mfi_store_rel(&woken_on, -1);
    while (mfi_load_acq(&mfi_sched.nr_idle) != sleeping)
        sched_yield();
    EXPECT_EQ(mf_unpark(t), 0);
    while (mfi_load_acq(&woken_on) != there)
        sched_yield();
}

static mf_task *spawn_there(mf_scope *s, int there)
{
    mf_task *t;

    EXPECT_EQ(
        mf_spawn(s, parks_where_it_is, NUMBER(there),
                 MF_TASK_OPTIONS(.worker = 1 + there, .flags = MF_TASK_PINNED),
                 &t),
        0);
    return t;
}

static int wakes_the_pinned(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        int there = 1 - mfi_worker()->index;
        mf_task *t;
        MF_SCOPE(s);

        t = spawn_there(&s, there);
        EXPECT_EQ(mf_yield(), 0);
        wake_there(t, 1 - mfi_worker()->index);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    return 0;
}

static int wakes_the_pinned_pinned(void *arg)
{
    EXPECT_EQ(mf_pin(), 0); /* so that "the other worker" stays the other */
    wakes_the_pinned(arg);
    return mf_unpin();
}

MFI_TEST(a_pinned_task_wakes_its_worker_from_a_task)
{
    EXPECT_EQ(run_on(2, wakes_the_pinned_pinned, NULL), 0);
}

MFI_TEST(a_pinned_task_wakes_its_worker_from_a_thread)
{
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    for (int i = 0; i < 200; i++)
        wake_there(spawn_there(mf_root(), i % 2), i % 2);
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

/* Pinned tasks have their turn too where the ring is never empty. */
static int pins_beside_yielders(void *arg)
{
    mf_task *t;
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(mf_go(&s, counts_and_yields, &nr_runs), 0);
    t = spawn_there(&s, 0);
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(mf_yield(), 0);
    EXPECT_EQ(mf_unpark(t), 0);
    for (int i = 0; i < 4 * FRESH_EVERY; i++)
        EXPECT_EQ(mf_yield(), 0);
    EXPECT_EQ(mfi_load_acq(&woken_on), 0);
    mfi_store_rel(&over, true);
    return mf_scope_close(&s);
}

MFI_TEST(a_pinned_task_has_its_turn_beside_yielders)
{
    alone(pins_beside_yielders);
}

/* ---- from a thread ------------------------------------------------------ */

enum { THREADS = 3, EACH = 20000 / (MFI_TEST_TSAN ? 10 : 1) };

static int counts(void *arg)
{
    mfi_add_acqrel((_Atomic int *)arg, 1);
    return 0;
}

static void *spawns_and_spawns(void *arg)
{
    for (int i = 0; i < EACH; i++)
        EXPECT_EQ(mf_go(mf_root(), counts, arg), 0);
    return NULL;
}

/* More than a ring holds, from several threads at once. */
MFI_TEST(what_threads_queue_runs_once_each)
{
    pthread_t threads[THREADS];

    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(
            pthread_create(&threads[i], NULL, spawns_and_spawns, &nr_runs), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    EXPECT_EQ(mf_stop(MF_NEVER), 0); /* cancelled, but each starts */
    EXPECT_EQ(mfi_load_acq(&nr_runs), THREADS * EACH);
}
