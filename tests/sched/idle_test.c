/* SPDX-License-Identifier: MIT */
/*
 * idle_test.c - no wake-up is lost, and who has nothing to do does nothing.
 *
 * The races: each round somebody makes a task ready just when its worker goes
 * to sleep, a little earlier or later each time. A wake-up that is lost ends
 * the round for good, and the test by its timeout.
 */
#include "sched/idle.h"

#include <mayfly/fd.h>

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sched/help.h"

enum {
    SLOW = MFI_TEST_TSAN || MFI_TEST_ASAN ? 10 : 1,
    RACES = 100000 / SLOW,
    RACE_SECONDS = 120,
};

static _Atomic int rounds_done;
static _Atomic bool over;

static void await_round(int round)
{
    for (int i = 0; mfi_load_acq(&rounds_done) != round; i++)
        if (i > 1000) /* it has to get a CPU */
            sched_yield();
}

static int counts(void *arg)
{
    (void)arg;
    mfi_add_acqrel(&rounds_done, 1);
    return 0;
}

static int parks_and_counts(void *arg)
{
    (void)arg;
    while (!mfi_load_acq(&over)) {
        EXPECT_EQ(mf_park(MF_NEVER), 0);
        counts(NULL);
    }
    return 0;
}

/* ---- a plain thread makes ready ----------------------------------------- */

static void unpark_from_thread(int workers, int worker)
{
    uint32_t seed = 88172645u;
    mf_task *t;

    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = workers)), 0);
    EXPECT_EQ(
        mf_spawn(mf_root(), parks_and_counts, NULL,
                 MF_TASK_OPTIONS(.worker = worker,
                                 .flags = worker != 0 ? MF_TASK_PINNED : 0),
                 &t),
        0);
    for (int i = 1; i <= RACES; i++) {
        spin(chance(&seed, 2000));
        mfi_store_rel(&over, i == RACES);
        EXPECT_EQ(mf_unpark(t), 0);
        await_round(i);
    }
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

MFI_TEST_T(a_thread_wakes_the_only_worker, RACE_SECONDS)
{
    unpark_from_thread(1, 0);
}

MFI_TEST_T(a_thread_wakes_any_worker, RACE_SECONDS)
{
    unpark_from_thread(2, 0);
}

MFI_TEST_T(a_thread_wakes_the_worker_of_a_pinned_task, RACE_SECONDS)
{
    unpark_from_thread(2, 2);
}

static void go_from_thread(int workers)
{
    uint32_t seed = 123456789u;

    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = workers)), 0);
    for (int i = 1; i <= RACES; i++) {
        spin(chance(&seed, 2000));
        EXPECT_EQ(mf_go(mf_root(), counts, NULL), 0);
        await_round(i);
    }
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

MFI_TEST_T(a_task_from_a_thread_starts_on_the_only_worker, RACE_SECONDS)
{
    go_from_thread(1);
}

MFI_TEST_T(a_task_from_a_thread_starts_on_any_worker, RACE_SECONDS)
{
    go_from_thread(2);
}

/* ---- another worker makes ready ----------------------------------------- */

static mf_task *players[2];

/* Two, each on its worker: mine goes to sleep while the other's wakes it. */
static int plays(void *arg)
{
    int me = (int)(intptr_t)arg;
    uint32_t seed = 521288629u + (uint32_t)me;

    for (int i = 0; i < RACES; i++) {
        EXPECT_EQ(mf_park(MF_NEVER), 0);
        EXPECT_EQ(mfi_worker()->index, me);
        spin(chance(&seed, 2000));
        /* The last wake of the first may find the second gone already. */
        (void)mf_unpark(players[1 - me]);
    }
    return 0;
}

static int two_play(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(
            mf_spawn(&s, plays, NUMBER(i),
                     MF_TASK_OPTIONS(.worker = 1 + i, .flags = MF_TASK_PINNED),
                     &players[i]),
            0);
    EXPECT_EQ(mf_unpark(players[0]), 0);
    return mf_scope_close(&s);
}

MFI_TEST_T(a_task_wakes_the_worker_of_a_pinned_task, RACE_SECONDS)
{
    EXPECT_EQ(run_on(2, two_play, NULL), 0);
}

/* Two at once, so that one of them is another worker's to take. */
static int pushes_two(void *arg)
{
    uint32_t seed = 362436069u;

    (void)arg;
    for (int i = 1; i <= RACES / 2; i++) {
        MF_SCOPE(s);

        spin(chance(&seed, 2000));
        EXPECT_EQ(mf_go(&s, counts, NULL), 0);
        EXPECT_EQ(mf_go(&s, counts, NULL), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_EQ(mfi_load_acq(&rounds_done), 2 * i);
    }
    return 0;
}

MFI_TEST_T(what_a_task_pushes_is_not_lost, RACE_SECONDS)
{
    EXPECT_EQ(run_on(2, pushes_two, NULL), 0);
}

/* ---- spreading ---------------------------------------------------------- */

enum { WORKERS = 4, PUSHED = 64 };

static _Atomic int nr_here;

/* Computes until as many are running at the same time as there are workers. */
static int waits_for_all_to_run(void *arg)
{
    (void)arg;
    mfi_add_acqrel(&nr_here, 1);
    while (mfi_load_acq(&nr_here) < WORKERS)
        sched_yield(); /* the thread's CPU; the worker stays with this task */
    return 0;
}

/* One wakes a searcher, who finds something and wakes the next. */
static int spreads(void *arg)
{
    for (int i = 0; i < 20; i++) {
        MF_SCOPE(s);

        WAIT_UNTIL(mfi_load_acq(&mfi_sched.nr_idle) == WORKERS - 1);
        mfi_store_rel(&nr_here, 0);
        for (int k = 0; k < PUSHED; k++)
            EXPECT_EQ(mf_go(&s, waits_for_all_to_run, NULL), 0);
        waits_for_all_to_run(arg);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    return 0;
}

MFI_TEST(what_one_task_pushes_gets_all_workers_going)
{
    EXPECT_EQ(
        mf_run(spreads, NULL, MF_OPTIONS(.workers = WORKERS, .hog_time = -1)),
        0);
}

/* ---- doing nothing ------------------------------------------------------ */

/* Times the workers of this process were switched to. */
static long switches(void)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *e;
    long sum = 0;

    EXPECT(dir != NULL);
    while ((e = readdir(dir)) != NULL) {
        char path[300], line[128];
        bool wanted = false;
        FILE *f;

        snprintf(path, sizeof path, "/proc/self/task/%s/status", e->d_name);
        if (e->d_name[0] == '.' || (f = fopen(path, "r")) == NULL)
            continue;
        while (fgets(line, sizeof line, f) != NULL) {
            if (strncmp(line, "Name:", 5) == 0)
                wanted = strstr(line, "mf-worker") != NULL;
            if (wanted && strstr(line, "ctxt_switches:") != NULL)
                sum += strtol(strchr(line, ':') + 1, NULL, 10);
        }
        fclose(f);
    }
    closedir(dir);
    return sum;
}

static int waits_for_data(void *arg)
{
    char c;

    EXPECT_EQ(mf_read(*(int *)arg, &c, 1, mf_after(MF_SEC(3600))), -ECANCELED);
    return 0;
}

MFI_TEST(with_waiters_but_no_events_nobody_is_switched_to)
{
    int ends[2];
    long before;

    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 3)), 0);
    EXPECT_EQ(mf_go(mf_root(), sleeps_for_ever, NULL), 0);
    EXPECT_EQ(mf_go(mf_root(), waits_for_data, &ends[0]), 0);
    while (mfi_load_acq(&mfi_sched.nr_idle) != 3)
        poll(NULL, 0, 10);
    poll(NULL, 0, 100); /* from the list into the sleep itself */
    before = switches();
    EXPECT_GT(before, 0);
    poll(NULL, 0, 300);
    EXPECT_EQ(switches(), before);
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

/* ---- giving memory back ------------------------------------------------- */

enum { STACKS = 1000, TOUCHED = 64 * 1024 };

static _Atomic int nr_touching;
static mf_event go_on;

static int touches_its_stack(void *arg)
{
    char frame[TOUCHED];
    char *volatile p = frame; /* or clang takes the bytes apart */

    (void)arg;
    for (int i = 0; i < TOUCHED; i += 4096)
        p[i] = 1;
    mfi_add_acqrel(&nr_touching, 1);
    return mf_event_wait(&go_on, MF_NEVER) + p[0] - 1;
}

static long resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    char line[128];
    char *second = line;

    EXPECT(f != NULL && fgets(line, sizeof line, f) != NULL);
    fclose(f);
    (void)strtol(line, &second, 10);
    return strtol(second, NULL, 10) * sysconf(_SC_PAGESIZE);
}

MFI_TEST(stacks_nobody_needs_are_given_back)
{
    const long all = (long)STACKS * TOUCHED;
    long before;

    if (MFI_TEST_ASAN || MFI_TEST_TSAN)
        MFI_SKIP("shadow memory counts too");
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    before = resident();
    for (int i = 0; i < STACKS; i++)
        EXPECT_EQ(mf_go(mf_root(), touches_its_stack, NULL), 0);
    while (mfi_load_acq(&nr_touching) != STACKS)
        poll(NULL, 0, 1);
    EXPECT_GE(resident() - before, all);
    mf_event_fire(&go_on);
    while (resident() - before > all / 2) /* what is hot may stay */
        poll(NULL, 0, 1);
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

/* ---- what comes while memory is given back ------------------------------ */

static mf_ns when_at;
static _Atomic int nr_ending;

static int ends_with_the_others(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_event_wait(&go_on, MF_NEVER), 0);
    if (mfi_add_acqrel(&nr_ending, 1) == STACKS - 1)
        while (mf_now() <=
               when_at + MF_MSEC(20)) /* the last one: well past the time */
            ;
    return 0;
}

/* The worker's look at its clock before it sleeps is the one that starts it. */
static int starts_by_deadline(void *arg)
{
    const int *ends = arg;
    MF_SCOPE(s);

    for (int i = 0; i < STACKS; i++)
        EXPECT_EQ(mf_go(&s, ends_with_the_others, NULL), 0);
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    when_at = mf_now() + MF_MSEC(200);
    EXPECT_EQ(mf_go_when(&s, ends[0], POLLIN, mf_at(when_at), counts, NULL), 0);
    mf_event_fire(&go_on);
    return mf_scope_close(&s);
}

MFI_TEST_T(a_task_that_starts_meanwhile_is_not_left_behind, 10)
{
    int ends[2];

    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), 0);
    EXPECT_EQ(mf_go(mf_root(), starts_by_deadline, ends), 0);
    await_round(1);
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}
