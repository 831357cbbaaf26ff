/* SPDX-License-Identifier: MIT */
/* deadlock_test.c - reported when it is certain, and only then. */
#include "sched/deadlock.h"

#include <mayfly/block.h>
#include <mayfly/net.h>

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sched/help.h"

static char out[65536];
static mf_fn *stuck;
static int workers;
static mf_event event;

static void run_it(void)
{
    run_on(workers, stuck, NULL);
}

/* On one worker and on several: death by SIGABRT, with what each waits for. */
static void expect_report(mf_fn *fn, const char *text)
{
    if (MFI_TEST_TSAN)
        MFI_SKIP("ThreadSanitizer has a thread of its own");
    stuck = fn;
    for (workers = 1; workers <= 4; workers += 3) {
        int status = mfi_test_dies(run_it, out, sizeof out);

        EXPECT(WIFSIGNALED(status) || MFI_TEST_ASAN);
        EXPECT(MFI_TEST_ASAN || WTERMSIG(status) == SIGABRT);
        EXPECT_STR_HAS(out, "mayfly: deadlock: every task waits");
        EXPECT_STR_HAS(out, text);
        EXPECT_STR_HAS(out, "task 'main' #");
    }
}

/* ---- deadlocks ---------------------------------------------------------- */

static _Atomic(mf_task *) both[2];

static int joins_the_other(void *arg)
{
    mf_task *other;

    while ((other = mfi_load_acq(&both[(intptr_t)arg])) == NULL)
        EXPECT_EQ(mf_yield(), 0);
    return mf_join(other, NULL, MF_NEVER);
}

static int joined_in_a_circle(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 2; i++) {
        mf_task *t;

        EXPECT_EQ(mf_spawn(&s, joins_the_other, NUMBER(1 - i),
                           MF_TASK_OPTIONS(.name = "joiner"), &t),
                  0);
        mfi_store_rel(&both[i], t);
    }
    return mf_scope_close(&s);
}

MFI_TEST(two_tasks_that_join_each_other_are_reported)
{
    expect_report(joined_in_a_circle, ": waits for a task's end");
    EXPECT_STR_HAS(out, "task 'joiner' #");
}

static int parks(void *arg)
{
    (void)arg;
    return mf_park(MF_NEVER);
}

MFI_TEST(a_park_that_nobody_ends_is_reported)
{
    expect_report(parks, ": waits for an unpark");
}

static int waits_for_the_event(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_sleep(MF_MSEC(20)), 0);
    return mf_event_wait(&event, MF_NEVER);
}

static int has_many_waiters(void *arg)
{
    MF_SCOPE(s, .limit = 50);

    (void)arg;
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(mf_go(&s, waits_for_the_event, NULL), 0);
    return mf_scope_close(&s);
}

MFI_TEST(an_event_that_nobody_fires_is_reported)
{
    expect_report(has_many_waiters, ": waits for an event");
    EXPECT_STR_HAS(out, "has not run yet");
}

static int blocks_then_parks(void *arg)
{
    EXPECT_EQ(mf_block(returns_arg, NULL, 0, NULL, MF_NEVER), 0);
    return parks(arg);
}

MFI_TEST(idle_threads_of_the_offload_pool_are_no_hope)
{
    expect_report(blocks_then_parks, ": waits for an unpark");
}

/* ---- none --------------------------------------------------------------- */

static mf_fn *slow_wake;

/* The first task waits while something outside of all tasks is under way. */
static int is_woken_in_the_end(void *arg)
{
    int rc;
    MF_SCOPE(s);

    (void)arg;
    event = (mf_event){{0}};
    if (slow_wake != NULL)
        EXPECT_EQ(mf_go(&s, slow_wake, NULL), 0);
    rc = mf_event_wait(&event, MF_NEVER);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return rc;
}

static void expect_no_report(mf_fn *waker)
{
    slow_wake = waker;
    for (workers = 1; workers <= 4; workers += 3)
        EXPECT_EQ(run_on(workers, is_woken_in_the_end, NULL), 0);
}

static int fires_after_a_sleep(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_sleep(MF_MSEC(100)), 0);
    mf_event_fire(&event);
    return 0;
}

MFI_TEST(a_sleeper_is_hope)
{
    expect_no_report(fires_after_a_sleep);
}

static int sleeps_in_the_kernel(void *arg)
{
    (void)arg;
    usleep(100 * 1000);
    return 0;
}

static int fires_after_a_job(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_block(sleeps_in_the_kernel, NULL, 0, NULL, MF_NEVER), 0);
    mf_event_fire(&event);
    return 0;
}

MFI_TEST(an_offloaded_function_is_hope)
{
    expect_no_report(fires_after_a_job);
}

static void *fires_from_a_thread(void *arg)
{
    usleep(100 * 1000);
    mf_event_fire(&event);
    return arg;
}

static int makes_a_thread(void *arg)
{
    pthread_t thread;

    (void)arg;
    EXPECT_EQ(pthread_create(&thread, NULL, fires_from_a_thread, NULL), 0);
    EXPECT_EQ(pthread_detach(thread), 0);
    return 0;
}

MFI_TEST(a_thread_that_has_not_called_in_yet_is_hope)
{
    expect_no_report(makes_a_thread);
}

static int fires_after_a_byte(void *arg)
{
    int ends[2];
    pid_t pid;
    char c;

    (void)arg;
    EXPECT_EQ(pipe(ends), 0);
    if ((pid = fork()) == 0) {
        usleep(100 * 1000);
        _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    EXPECT_EQ(mf_read(ends[0], &c, 1, MF_NEVER), 1);
    mf_event_fire(&event);
    mf_close(ends[0]);
    mf_close(ends[1]);
    return 0;
}

MFI_TEST(an_fd_that_is_waited_for_is_hope)
{
    expect_no_report(fires_after_a_byte);
}

static int fires(void *arg)
{
    (void)arg;
    mf_event_fire(&event);
    return 0;
}

static int fires_when_a_byte_comes(void *arg)
{
    static int ends[2];

    (void)arg;
    EXPECT_EQ(pipe(ends), 0);
    if (fork() == 0) {
        usleep(100 * 1000);
        _exit(write(ends[1], "x", 1) == 1 ? 0 : 1);
    }
    EXPECT_EQ(mf_go_when(mf_root(), ends[0], POLLIN, MF_NEVER, fires, NULL), 0);
    return 0;
}

MFI_TEST(a_record_that_waits_for_an_fd_is_hope)
{
    expect_no_report(fires_when_a_byte_comes);
}

static void end_it(int signo)
{
    (void)signo;
    _exit(3);
}

static void sleeps_for_good(void)
{
    signal(SIGALRM, end_it);
    alarm(1);
    run_on(2, sleeps_for_ever, NULL);
}

MFI_TEST(a_sleep_for_ever_is_meant)
{
    int status = mfi_test_dies(sleeps_for_good, out, sizeof out);

    EXPECT(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 3);
    EXPECT_STR_EQ(out, "");
}

MFI_TEST(a_started_runtime_waits_for_its_threads)
{
    mf_task *t;

    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    EXPECT_EQ(mf_spawn(mf_root(), parks, NULL, NULL, &t), 0);
    usleep(200 * 1000);
    EXPECT_EQ(mf_unpark(t), 0);
    EXPECT_EQ(mf_join(t, NULL, MF_NEVER), 0);
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

/* All waits are short and cross workers: always nearly a deadlock. */
static mf_task *partner[2];

static int unparks_the_other(void *arg)
{
    int me = (int)(intptr_t)arg;

    while (mfi_load_acq(&both[0]) == NULL || mfi_load_acq(&both[1]) == NULL)
        EXPECT_EQ(mf_yield(), 0);
    for (int i = 0; i < 20000; i++) {
        EXPECT_EQ(mf_unpark(partner[1 - me]), 0);
        EXPECT_EQ(mf_park(MF_NEVER), 0);
    }
    mf_unpark(partner[1 - me]);
    return 0;
}

static int ping_pong(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(
            mf_spawn(&s, unparks_the_other, NUMBER(i),
                     MF_TASK_OPTIONS(.worker = 1 + i, .flags = MF_TASK_PINNED),
                     &partner[i]),
            0);
        mfi_store_rel(&both[i], partner[i]);
    }
    return mf_scope_close(&s);
}

MFI_TEST(tasks_that_wake_each_other_are_left_alone)
{
    EXPECT_EQ(run_on(2, ping_pong, NULL), 0);
}
