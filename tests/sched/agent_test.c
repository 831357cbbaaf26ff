/* SPDX-License-Identifier: MIT */
/* agent_test.c - plain threads wait, own scopes, race and come and go. */
#include "sched/help.h"

#include <mayfly/fd.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { THREADS = 6 };

static void start(int workers)
{
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = workers)), 0);
}

static void stop(void)
{
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

/* ---- a thread as an opener ---------------------------------------------- */

static int doubles(void *arg)
{
    int *n = arg;

    EXPECT_EQ(mf_sleep(MF_USEC(10)), 0);
    *n *= 2;
    return 0;
}

static void *opens_scopes(void *arg)
{
    for (int i = 0; i < MFI_ROUNDS(100); i++) {
        int n[5] = {1, 2, 3, 4, 5};
        MF_SCOPE(s);
        MF_SCOPE(inner);

        for (int k = 0; k < 5; k++)
            EXPECT_EQ(mf_go(k % 2 != 0 ? &s : &inner, doubles, &n[k]), 0);
        EXPECT_EQ(mf_scope_close(&s), -EPERM);
        EXPECT_EQ(mf_scope_close(&inner), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
        for (int k = 0; k < 5; k++)
            EXPECT_EQ(n[k], 2 * (k + 1));
    }
    return arg;
}

MFI_TEST(threads_open_scopes_of_their_own)
{
    pthread_t threads[THREADS];

    start(2);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, opens_scopes, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    stop();
}

static int fails(void *arg)
{
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    return (int)(intptr_t)arg;
}

MFI_TEST(a_threads_own_calls_are_cancelled_inside_its_scope)
{
    mf_deadline at;
    mf_event e = {{0}};
    mf_scope s;

    start(1);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_go(&s, fails, NUMBER(-EIO)), 0);
    EXPECT_EQ(mf_event_wait(&e, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_cancelled(), -ECANCELED);
    EXPECT_EQ(mf_yield(), -ECANCELED);
    MF_SHIELD(MF_NEVER)
    {
        EXPECT_EQ(mf_yield(), 0);
        EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    }
    EXPECT_EQ(mf_scope_close(&s), -EIO);
    EXPECT_EQ(mf_cancelled(), 0);

    at = mf_after(MF_MSEC(5));
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.deadline = at)), 0);
    EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
    EXPECT_GE(mf_now(), at.at);
    EXPECT_EQ(mf_scope_close(&s), -ETIMEDOUT);
    EXPECT_EQ(mf_yield(), 0);
    stop();
}

MFI_TEST(a_thread_waits_for_an_fd_inside_its_scope)
{
    mf_scope s;
    int ends[2];
    char c;

    start(1);
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(mf_read(ends[0], &c, 1, mf_after(MF_MSEC(2))), -ETIMEDOUT);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_go(&s, fails, NUMBER(-EIO)), 0);
    EXPECT_EQ(mf_read(ends[0], &c, 1, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), -EIO);
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(mf_read(ends[0], &c, 1, MF_NEVER), 1);
    EXPECT_EQ(mf_close(ends[0]), 0);
    EXPECT_EQ(mf_close(ends[1]), 0);
    stop();
}

static _Atomic int nr_tried;

static int joined(void *arg)
{
    WAIT_UNTIL(nr_tried == THREADS);
    return (int)(intptr_t)arg;
}

static void *joins(void *arg)
{
    int rc = 0;

    EXPECT_EQ(mf_join(arg, &rc, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_join(arg, &rc, mf_after(MF_USEC(50))), -ETIMEDOUT);
    nr_tried++;
    EXPECT_EQ(mf_join(arg, &rc, MF_NEVER), 0);
    EXPECT_EQ(rc, 17);
    return NULL;
}

MFI_TEST(several_threads_join_one_task)
{
    pthread_t threads[THREADS];
    mf_task *t;

    start(2);
    EXPECT_EQ(mf_spawn(mf_root(), joined, NUMBER(17), NULL, &t), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, joins, t), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    stop();
}

/* ---- races -------------------------------------------------------------- */

/*
 * Threads and tasks wait for a row of events, with deadlines so short that they
 * often come when the wake-up does. A thread that finds itself woken goes on to
 * the next event, which somebody else fires, while whoever woke it still has it
 * on a list. A waker that loses its way leaves somebody asleep.
 */
enum { TASKS = 4, EVENTS = 3000 };

static mf_event events[EVENTS];
static _Atomic int arrived[EVENTS];
static int nr_events;

static void walk_the_row(uint32_t seed)
{
    for (int i = 0; i < nr_events; i++) {
        int rc;

        arrived[i]++;
        do
            rc = mf_event_wait(&events[i], mf_after(chance(&seed, 60000)));
        while (rc == -ETIMEDOUT);
        EXPECT_EQ(rc, 0);
    }
}

static int task_walks(void *arg)
{
    walk_the_row((uint32_t)(uintptr_t)arg);
    return 0;
}

static void *thread_walks(void *arg)
{
    walk_the_row((uint32_t)(uintptr_t)arg);
    return NULL;
}

static void fire_every_other(int first)
{
    for (int i = first; i < nr_events; i += 2) {
        while (arrived[i] < 1 + i % (THREADS + TASKS))
            sched_yield();
        mf_event_fire(&events[i]);
    }
}

static void *fires_even(void *arg)
{
    fire_every_other(0);
    return arg;
}

static void *fires_odd(void *arg)
{
    fire_every_other(1);
    return arg;
}

MFI_TEST(threads_and_tasks_woken_by_one_call_all_wake)
{
    pthread_t threads[THREADS], fire[2];

    nr_events = MFI_TEST_TSAN ? 300 : MFI_ROUNDS(EVENTS);
    start(2);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_go(mf_root(), task_walks, NUMBER(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(
            pthread_create(&threads[i], NULL, thread_walks, NUMBER(i + 101)),
            0);
    EXPECT_EQ(pthread_create(&fire[0], NULL, fires_even, NULL), 0);
    EXPECT_EQ(pthread_create(&fire[1], NULL, fires_odd, NULL), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pthread_join(fire[i], NULL), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    EXPECT_EQ(mf_scope_wait(mf_root(), MF_NEVER), 0);
    stop();
}

struct contest {
    mf_event event;
    mf_scope *scope;
};

static int fires_it(void *arg)
{
    struct contest *c = arg;

    mf_event_fire(&c->event);
    return 0;
}

static int cancels_it(void *arg)
{
    struct contest *c = arg;

    mf_scope_cancel(c->scope);
    return 0;
}

/* One of three ends the wait; nothing of it is left for the next. */
MFI_TEST(ready_deadline_and_cancel_race_for_a_thread)
{
    int outcomes[3] = {0};
    uint32_t seed = 5;

    start(2);
    for (int i = 0; i < MFI_ROUNDS(5000); i++) {
        struct contest c = {.event = {{0}}};
        mf_scope s;
        int rc;

        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        c.scope = &s;
        if (i % 8 == 0 || i % 2 != 0) /* the even ones are no contest: */
            EXPECT_EQ(mf_go(&s, fires_it, &c), 0);
        if (i % 8 == 2 || i % 2 != 0)
            (void)mf_go(&s, cancels_it, &c);
        spin(chance(&seed, 20000));
        rc = mf_event_wait(&c.event, i % 8 <= 2 && i % 2 == 0
                                         ? MF_NEVER
                                         : mf_after(chance(&seed, 90000)));
        EXPECT(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED);
        outcomes[rc == 0 ? 0 : rc == -ETIMEDOUT ? 1 : 2]++;
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_EQ(mf_yield(), 0);
    }
    for (int i = 0; i < 3; i++)
        EXPECT_BY_CHANCE(outcomes[i] > 0);
    stop();
}

/* ---- coming and going --------------------------------------------------- */

static void *fails_in_words(void *arg)
{
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = -1)),
              arg != NULL ? -EBUSY : -EINVAL);
    if (arg == NULL)
        EXPECT_STR_HAS(mf_explain(-EINVAL), "workers");
    EXPECT_EQ(mf_sleep(1), 0);
    return NULL;
}

static long resident_kib(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    long kib = -1;

    EXPECT(f != NULL);
    while (fgets(line, sizeof line, f) != NULL)
        (void)sscanf(line, "VmRSS: %ld", &kib);
    fclose(f);
    return kib;
}

MFI_TEST(threads_that_come_and_go_leave_nothing_behind)
{
    long before = 0;

    for (int i = 0; i < MFI_ROUNDS(6000); i++) {
        pthread_t thread;

        EXPECT_EQ(pthread_create(&thread, NULL, fails_in_words, NULL), 0);
        EXPECT_EQ(pthread_join(thread, NULL), 0);
        if (i == 1000)
            before = resident_kib();
    }
    if (!MFI_TEST_ASAN && !MFI_TEST_TSAN && !MFI_TEST_SIM)
        EXPECT_LT(resident_kib() - before, 300);
}

/* ---- no memory for an agent --------------------------------------------- */

static _Atomic bool sleeper_runs;

static int runs_and_sleeps(void *arg)
{
    sleeper_runs = true;
    return sleeps_for_ever(arg);
}

static void limit_memory(rlim_t n)
{
    struct rlimit l;

    EXPECT_EQ(getrlimit(RLIMIT_AS, &l), 0);
    l.rlim_cur = n < l.rlim_max ? n : l.rlim_max;
    EXPECT_EQ(setrlimit(RLIMIT_AS, &l), 0);
}

/* The first thing this thread waits for is the stop. */
MFI_TEST(without_memory_for_its_agent_a_thread_waits_for_nothing)
{
    int in_block = 0;

    if (MFI_TEST_ASAN || MFI_TEST_TSAN || mfi_test_under_valgrind())
        MFI_SKIP("sanitizers need address space of their own");
    start(2);
    EXPECT_EQ(mf_go(mf_root(), runs_and_sleeps, NULL), 0);
    while (!sleeper_runs)
        sched_yield();
    limit_memory(4096);
    EXPECT_EQ(mf_scope_wait(mf_root(), MF_NEVER), -ENOMEM);
    MF_SHIELD(MF_NEVER)
    in_block++;
    EXPECT_EQ(in_block, 1); /* once, as ever */
    EXPECT_EQ(mf_stop(MF_NEVER), -ENOMEM);
    limit_memory(RLIM_INFINITY);
    stop();
}
