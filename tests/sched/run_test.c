/* SPDX-License-Identifier: MIT */
/* run_test.c - start, run, stop, again; failing to start leaves nothing. */
#include "sched/help.h"

#include <mayfly/block.h>
#include <mayfly/fd.h>

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- what is left behind ------------------------------------------------ */

struct left {
    long fds, threads, maps, rss_kib;
};

static long entries(const char *path)
{
    DIR *d = opendir(path);
    long n = 0;

    EXPECT(d != NULL);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static struct left look(void)
{
    struct left l = {.fds = entries("/proc/self/fd"),
                     .threads = entries("/proc/self/task")};
    FILE *f = fopen("/proc/self/maps", "re");
    char line[512];

    EXPECT(f != NULL);
    while (fgets(line, sizeof line, f) != NULL)
        l.maps++;
    fclose(f);
    f = fopen("/proc/self/status", "re");
    EXPECT(f != NULL);
    while (fgets(line, sizeof line, f) != NULL)
        (void)sscanf(line, "VmRSS: %ld", &l.rss_kib);
    fclose(f);
    return l;
}

static void nothing_left(const struct left *before)
{
    struct left now = look();

    /* A thread that was joined is in /proc for a moment longer. */
    for (int i = 0; i < 2000 && now.threads > before->threads; i++) {
        usleep(1000);
        now = look();
    }
    EXPECT_EQ(now.fds, before->fds);
    EXPECT_LE(now.threads, before->threads);
    if (!MFI_TEST_ASAN && !MFI_TEST_TSAN) {
        EXPECT_LE(now.maps, before->maps + 32); /* malloc's arenas */
        EXPECT_LT(now.rss_kib, before->rss_kib + 1000);
    }
}

/* ---- life --------------------------------------------------------------- */

static int starts_again_inside(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_run(returns_arg, NULL, NULL), -EDEADLK);
    EXPECT_EQ(mf_stop(MF_NOW), -EDEADLK);
    EXPECT_EQ(mf_start(NULL), -EBUSY);
    return 0;
}

MFI_TEST(there_is_one_runtime)
{
    EXPECT_EQ(mf_stop(MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_run(NULL, NULL, NULL), -EINVAL);
    EXPECT_EQ(run_on(2, starts_again_inside, NULL), 0);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), 0);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), -EBUSY);
    EXPECT_EQ(run_on(1, returns_arg, NULL), -EBUSY);
    EXPECT(mf_root() != NULL);
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
    EXPECT(mf_root() == NULL);
    EXPECT_EQ(mf_stop(MF_NEVER), -EINVAL);
}

static int leaves_tasks_under_root(void *arg)
{
    mf_event never = {{0}};
    int ends[2];

    (void)never;
    EXPECT_EQ(pipe(ends), 0);
    for (int i = 0; i < 50; i++)
        EXPECT_EQ(mf_go(mf_root(), sleeps_for_ever, NULL), 0);
    EXPECT_EQ(mf_yield(), 0);
    EXPECT_EQ(mf_close(ends[0]), 0);
    EXPECT_EQ(mf_close(ends[1]), 0);
    return (int)(intptr_t)arg;
}

MFI_TEST(mf_run_cancels_and_awaits_what_is_left)
{
    struct left before;

    EXPECT_EQ(run_on(2, leaves_tasks_under_root, NUMBER(5)), 5);
    before = look();
    EXPECT_EQ(run_on(2, leaves_tasks_under_root, NUMBER(-7)), -7);
    nothing_left(&before);
}

static int fills_a_life(void *arg)
{
    MF_SCOPE(s);

    for (int i = 0; i < 5; i++)
        EXPECT_EQ(mf_go(&s, returns_arg, NULL), 0);
    EXPECT_EQ(mf_sleep(1000), 0);
    if ((intptr_t)arg % 50 == 0)
        EXPECT_EQ(mf_block(returns_arg, NULL, 0, NULL, MF_NEVER), 0);
    return mf_scope_close(&s);
}

MFI_TEST(a_thousand_lives_leave_nothing_behind)
{
    int lives = MFI_TEST_TSAN || MFI_TEST_ASAN ? 100 : 1000;
    struct left before = {0};

    for (int i = 0; i < lives; i++) {
        if (i == 20)
            before = look();
        EXPECT_EQ(run_on(1 + i % 3, fills_a_life, NUMBER(i)), 0);
    }
    nothing_left(&before);
}

/* ---- stopping ----------------------------------------------------------- */

static _Atomic int gate, inside;

static int ignores_its_cancel(void *arg)
{
    inside++;
    WAIT_UNTIL(gate != 0);
    return (int)(intptr_t)arg;
}

static int waits_at_the_gate(void *arg)
{
    inside++;
    while (gate == 0)
        usleep(100);
    return (int)(intptr_t)arg;
}

static int blocks(void *arg)
{
    return mf_block(waits_at_the_gate, arg, 0, NULL, MF_NEVER);
}

static void stop_late(mf_fn *fn)
{
    gate = inside = 0;
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    EXPECT_EQ(mf_go(mf_root(), fn, NULL), 0);
    while (inside == 0)
        usleep(100);
    EXPECT_EQ(mf_stop(MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_stop(mf_after(MF_MSEC(5))), -ETIMEDOUT);
    EXPECT_EQ(mf_go(mf_root(), returns_arg, NULL), -ECANCELED);
    EXPECT_EQ(mf_start(NULL), -EBUSY); /* it still runs */
    gate = 1;
    EXPECT_EQ(mf_stop(mf_after(MF_SEC(30))), 0);
    EXPECT_EQ(run_on(2, returns_arg, NUMBER(3)), 3);
}

MFI_TEST(a_stop_waits_for_a_task_that_ignores_its_cancel)
{
    stop_late(ignores_its_cancel);
}

MFI_TEST(a_stop_waits_for_an_offloaded_function)
{
    stop_late(blocks);
}

MFI_TEST(the_runtime_says_what_it_chose)
{
    mf_runtime_info info = {.size = sizeof info}, brief = {.size = 12};

    EXPECT_EQ(mf_runtime_get_info(&info), -EINVAL);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 3, .stack_size = 65536)), 0);
    EXPECT_EQ(mf_runtime_get_info(&info), 0);
    EXPECT_EQ(info.workers, 3);
    EXPECT_EQ(info.stack_size, 65536);
    EXPECT(info.backend != NULL && info.guard != NULL);
    EXPECT_EQ(mf_runtime_get_info(&brief), 0);
    EXPECT_EQ(brief.workers, 3);
    EXPECT(brief.guard == NULL);
    EXPECT_EQ(mf_runtime_get_info(NULL), -EINVAL);
    EXPECT_EQ(mf_runtime_get_info(&(mf_runtime_info){.size = 0}), -EINVAL);
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

static int on_every_worker(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(mf_spawn(&s, returns_arg, NULL,
                           MF_TASK_OPTIONS(.worker = 1 + i % 2), NULL),
                  0);
    return mf_scope_close(&s);
}

MFI_TEST(every_option_runs)
{
    EXPECT_EQ(mf_run(on_every_worker, NULL,
                     MF_OPTIONS(.workers = 2, .no_stealing = 1)),
              0);
    EXPECT_EQ(mf_run(on_every_worker, NULL,
                     MF_OPTIONS(.workers = 2, .pin_workers = 1)),
              0);
    EXPECT_EQ(
        mf_run(on_every_worker, NULL, MF_OPTIONS(.workers = 2, .hog_time = -1)),
        0);
    EXPECT_EQ(mf_run(on_every_worker, NULL,
                     MF_OPTIONS(.workers = 2, .guard = "mprotect")),
              0);
    EXPECT_EQ(mf_run(on_every_worker, NULL,
                     MF_OPTIONS(.workers = 2, .backend = "epoll")),
              0);
    EXPECT_EQ(mf_run(on_every_worker, NULL,
                     MF_OPTIONS(.workers = 2, .stack_size = 1)),
              0);
}

/* ---- failing to start --------------------------------------------------- */

static void limit(int which, rlim_t n)
{
    struct rlimit r = {n, n};

    EXPECT_EQ(getrlimit((__rlimit_resource_t)which, &r), 0);
    r.rlim_cur = n;
    EXPECT_EQ(setrlimit((__rlimit_resource_t)which, &r), 0);
}

MFI_TEST(a_start_without_fds_fails_and_leaves_nothing)
{
    struct left before;
    int failed = 0;

    EXPECT_EQ(run_on(4, returns_arg, NULL), 0);
    before = look();
    for (rlim_t n = (rlim_t)before.fds - 3; n < (rlim_t)before.fds + 30; n++) {
        int rc;

        limit(RLIMIT_NOFILE, n);
        rc = mf_run(returns_arg, NUMBER(6), MF_OPTIONS(.workers = 4));
        EXPECT(rc == 6 || rc == -EMFILE);
        failed += rc == -EMFILE;
        limit(RLIMIT_NOFILE, 1024);
        nothing_left(&before);
    }
    EXPECT_GE(failed, 5);
    EXPECT_EQ(run_on(4, returns_arg, NUMBER(6)), 6);
}

static rlim_t address_space(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    EXPECT(f != NULL);
    EXPECT_EQ(fscanf(f, "%lu", &pages), 1);
    fclose(f);
    return (rlim_t)pages * 4096;
}

MFI_TEST(a_start_without_memory_fails_and_leaves_nothing)
{
    struct left before;
    int failed = 0, ran = 0;
    rlim_t base;

    if (MFI_TEST_ASAN || MFI_TEST_TSAN)
        MFI_SKIP("a sanitizer has its own idea of address space");
    EXPECT_EQ(run_on(2, returns_arg, NULL), 0);
    before = look();
    base = address_space();
    for (rlim_t kib = 0; kib < 600000; kib += kib < 2000 ? 64 : 20000) {
        int rc;

        limit(RLIMIT_AS, base + kib * 1024);
        rc = mf_run(returns_arg, NUMBER(6), MF_OPTIONS(.workers = 2));
        if (rc != 6 && rc != -EAGAIN)
            EXPECT_EQ(rc, -ENOMEM);
        failed += rc < 0;
        ran += rc == 6;
        limit(RLIMIT_AS, RLIM_INFINITY);
        nothing_left(&before);
    }
    EXPECT_GE(failed, 3);
    EXPECT_GE(ran, 1);
    EXPECT_EQ(run_on(2, returns_arg, NUMBER(6)), 6);
}

static void *nothing(void *arg)
{
    return arg;
}

MFI_TEST(a_start_without_threads_fails_and_leaves_nothing)
{
    uid_t uid = (1 << 20) + (uid_t)getpid();
    struct left before;
    pthread_t thread;

    if (MFI_TEST_ASAN)
        MFI_SKIP("the leak checker needs a thread of its own");
    EXPECT_EQ(run_on(2, returns_arg, NULL), 0);
    before = look();
    if (getuid() == 0) /* a user that no other process is */
        EXPECT_EQ(setresuid(uid, uid, uid), 0);
    limit(RLIMIT_NPROC, 1);
    if (pthread_create(&thread, NULL, nothing, NULL) == 0)
        MFI_SKIP("this user's threads cannot be limited");
    EXPECT_EQ(mf_run(returns_arg, NUMBER(6), MF_OPTIONS(.workers = 2)),
              -EAGAIN);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), -EAGAIN);
    nothing_left(&before);
}

/* ---- stopping while foreign threads still ready tasks -------------------- */

enum { GUESTS = 3, GUEST_ROUNDS = MFI_TEST_TSAN || MFI_TEST_ASAN ? 60 : 400 };

static mf_event calls[GUESTS];

static int waits_to_be_called(void *arg)
{
    return mf_event_wait(arg, MF_NEVER);
}

static void *fires_as_it_stops(void *arg)
{
    mf_event_fire(arg);
    return NULL;
}

/*
 * What a thread readies may run, end, and be the last thing mf_stop waits for,
 * while the thread is still on its way out of the scheduler.
 */
MFI_TEST_T(a_stop_waits_for_foreign_threads_in_the_scheduler, 60)
{
    for (int i = 0; i < GUEST_ROUNDS; i++) {
        pthread_t threads[GUESTS];
        mf_scope s;

        EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1 + i % 2)), 0);
        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        for (int k = 0; k < GUESTS; k++) {
            calls[k] = (mf_event){{0, 0}};
            EXPECT_EQ(mf_go(&s, waits_to_be_called, &calls[k]), 0);
        }
        for (int k = 0; k < GUESTS; k++)
            EXPECT_EQ(
                pthread_create(&threads[k], NULL, fires_as_it_stops, &calls[k]),
                0);
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_EQ(mf_stop(mf_after(MF_SEC(60))), 0);
        for (int k = 0; k < GUESTS; k++)
            pthread_join(threads[k], NULL);
    }
}
