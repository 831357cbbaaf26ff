/* SPDX-License-Identifier: MIT */
/*
 * hog_test.c - a task that computes holds up nobody, and leaves no trace.
 *
 * The victim measures how much CPU time the hog had used when the victim was
 * served: on a loaded machine the hog is slowed down as well. What another
 * process does to the helper cannot be told from a slow helper, so the best of
 * a few attempts counts; without help it is the whole of HOG_NS every time.
 */
#include "sched/hog.h"

#include <mayfly/fd.h>
#include <mayfly/net.h>

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sched/help.h"

enum { ATTEMPTS = 6 };
static const mf_ns HOG_NS = 500 * 1000000, SOON_NS = 50 * 1000000;

static _Atomic mf_ns progress; /* of the hog; HOG_NS: it is done */
static _Atomic int hog_runs;   /* 1 once it has begun */
static mf_ns served_at;        /* the hog's progress then */
static mf_task *sleeper;
static int ends[2];

static mf_ns cpu_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int compute(void *arg)
{
    mf_ns from = cpu_now(), used;

    (void)arg;
    mfi_store_rel(&hog_runs, 1);
    while ((used = cpu_now() - from) < HOG_NS)
        mfi_store_rel(&progress, used);
    mfi_store_rel(&progress, HOG_NS);
    return 0;
}

static int served(void *arg)
{
    (void)arg;
    served_at = mfi_load_acq(&progress);
    return 0;
}

/* The worker that main does not run on, as mf_task_options.worker says it. */
static int other_worker(void)
{
    return 2 - mfi_worker()->index;
}

/* Run fn on the other worker, to compute sooner or later; keep this free. */
static void run_there(mf_fn *fn)
{
    MF_SCOPE(s);

    mfi_store_rel(&progress, 0);
    mfi_store_rel(&hog_runs, 0);
    served_at = HOG_NS;
    EXPECT_EQ(
        mf_spawn(&s, fn, NULL, MF_TASK_OPTIONS(.worker = other_worker()), NULL),
        0);
    EXPECT_EQ(mf_scope_close(&s), 0);
}

static int served_soon(void *fn)
{
    mf_fn *const *victim = fn;

    for (int i = 0; i < ATTEMPTS; i++) {
        run_there(*victim);
        if (served_at < SOON_NS * mfi_test_scale())
            return 0;
    }
    EXPECT_LT(served_at, SOON_NS);
    return 0;
}

static void expect_served_soon(mf_fn *victim)
{
    if (MFI_TEST_TSAN)
        MFI_SKIP("ThreadSanitizer delivers signals late");
    EXPECT_EQ(run_on(2, served_soon, &victim), 0);
}

/* ---- what waits behind it ----------------------------------------------- */

static int spawns_and_computes(void *arg)
{
    EXPECT_EQ(mf_go(mf_root(), served, NULL), 0);
    return compute(arg);
}

MFI_TEST(a_task_it_has_spawned_runs)
{
    expect_served_soon(spawns_and_computes);
}

static int parks(void *arg)
{
    EXPECT_EQ(mf_park(MF_NEVER), 0);
    return served(arg);
}

static int wakes_and_computes(void *arg)
{
    MF_SCOPE(s);

    EXPECT_EQ(mf_spawn(&s, parks, NULL, NULL, &sleeper), 0);
    EXPECT_EQ(mf_sleep(MF_MSEC(5)), 0);
    EXPECT_EQ(mf_unpark(sleeper), 0); /* into the slot */
    compute(arg);
    return mf_scope_close(&s);
}

MFI_TEST(a_task_it_has_woken_runs)
{
    expect_served_soon(wakes_and_computes);
}

static int yields_to_a_hog(void *arg)
{
    MF_SCOPE(s);

    EXPECT_EQ(mf_go(&s, compute, NULL), 0);
    EXPECT_EQ(mf_yield(), 0); /* into the ring */
    served(arg);
    return mf_scope_close(&s);
}

MFI_TEST(a_task_that_has_yielded_to_it_runs)
{
    expect_served_soon(yields_to_a_hog);
}

static int sleeps_beside_a_hog(void *arg)
{
    MF_SCOPE(s);

    EXPECT_EQ(mf_go(&s, compute, NULL), 0);
    EXPECT_EQ(mf_sleep(MF_USEC(100)), 0);
    served(arg);
    return mf_scope_close(&s);
}

MFI_TEST(a_timer_of_its_worker_fires)
{
    expect_served_soon(sleeps_beside_a_hog);
}

static int writes_when_it_computes(void *arg)
{
    (void)arg;
    WAIT_UNTIL(mfi_load_acq(&hog_runs) != 0);
    EXPECT_EQ(mf_write(ends[1], "x", 1, MF_NEVER), 1);
    return 0;
}

static int reads_beside_a_hog(void *arg)
{
    char c;
    MF_SCOPE(s);

    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    EXPECT_EQ(mf_spawn(&s, writes_when_it_computes, NULL,
                       MF_TASK_OPTIONS(.worker = other_worker()), NULL),
              0);
    EXPECT_EQ(mf_go(&s, compute, NULL), 0);
    EXPECT_EQ(mf_read(ends[0], &c, 1, MF_NEVER), 1);
    served(arg);
    mf_close(ends[0]);
    mf_close(ends[1]);
    return mf_scope_close(&s);
}

MFI_TEST(an_fd_its_worker_polls_is_read)
{
    expect_served_soon(reads_beside_a_hog);
}

static int reads_elsewhere(void *arg)
{
    char c;

    EXPECT_EQ(mf_read(ends[0], &c, 1, MF_NEVER), 1);
    return served(arg);
}

static int yields_then_computes(void *arg)
{
    EXPECT_EQ(mf_yield(), 0);
    return compute(arg);
}

static int writes_beside_a_hog(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    EXPECT_EQ(mf_spawn(&s, reads_elsewhere, NULL,
                       MF_TASK_OPTIONS(.worker = other_worker()), NULL),
              0);
    EXPECT_EQ(mf_sleep(MF_MSEC(5)), 0);
    EXPECT_EQ(mf_go(&s, yields_then_computes, NULL), 0);
    EXPECT_EQ(mf_yield(), 0);
    EXPECT_EQ(mf_write(ends[1], "x", 1, MF_NEVER), 1); /* may wait in a batch */
    EXPECT_EQ(mf_scope_close(&s), 0);
    mf_close(ends[0]);
    mf_close(ends[1]);
    return 0;
}

MFI_TEST(a_write_queued_before_it_goes_out)
{
    expect_served_soon(writes_beside_a_hog);
}

/* ---- switched off ------------------------------------------------------- */

static int served_late(void *arg)
{
    (void)arg;
    run_there(spawns_and_computes);
    EXPECT_EQ(served_at, HOG_NS);
    return 0;
}

MFI_TEST(nobody_helps_where_it_is_switched_off)
{
    EXPECT_EQ(
        mf_run(served_late, NULL, MF_OPTIONS(.workers = 2, .hog_time = -1)), 0);
    setenv("MF_HOG_MS", "0", 1);
    EXPECT_EQ(run_on(2, served_late, NULL), 0);
}

/* ---- no trace ----------------------------------------------------------- */

static int mark_goes(void *arg)
{
    (void)arg;
    run_there(compute);
    WAIT_UNTIL(mfi_load_acq(&mfi_sched.hogs) == 0);
    return 0;
}

MFI_TEST_T(the_mark_goes_when_it_is_done, 20)
{
    if (MFI_TEST_TSAN)
        MFI_SKIP("ThreadSanitizer delivers signals late");
    EXPECT_EQ(run_on(2, mark_goes, NULL), 0);
}

/* A helper polls the hog's set and must not take what wakes the hog later. */
static int wakes_the_former_hog(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++) {
        mf_ns from;

        run_there(reads_beside_a_hog); /* with an fd, so that it is polled */
        from = mf_now();
        run_there(served); /* wakes that worker by its bell */
        EXPECT_EQ(served_at, 0);
        EXPECT_LT(mf_now() - from, MF_SEC(10));
    }
    return 0;
}

MFI_TEST_T(its_worker_can_be_woken_afterwards, 60)
{
    EXPECT_EQ(run_on(2, wakes_the_former_hog, NULL), 0);
}

/* Times a thread of this process with `name` was switched to. */
static long switches_of(const char *name)
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
                wanted = strstr(line, name) != NULL;
            if (wanted && strstr(line, "ctxt_switches:") != NULL)
                sum += strtol(strchr(line, ':') + 1, NULL, 10);
        }
        fclose(f);
    }
    closedir(dir);
    return sum;
}

MFI_TEST(an_idle_process_makes_no_ticks)
{
    long before;

    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    usleep(200 * 1000);
    before = switches_of("mf-worker");
    EXPECT_GT(before, 0);
    usleep(300 * 1000);
    EXPECT_EQ(switches_of("mf-worker"), before);
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

/* ---- the program's own SIGURG ------------------------------------------- */

static _Atomic int urgent;

static void on_urgent(int signo)
{
    (void)signo;
    mfi_add_acqrel(&urgent, 1);
}

static int sends_urgent(void *arg)
{
    (void)arg;
    run_there(compute); /* with ticks that are not the program's */
    EXPECT_EQ(mfi_load_acq(&urgent), 0);
    for (int i = 1; i <= 10; i++) {
        EXPECT_EQ(kill(getpid(), SIGURG), 0);
        WAIT_UNTIL(mfi_load_acq(&urgent) == i);
    }
    return 0;
}

MFI_TEST_T(signals_of_the_program_still_reach_it, 20)
{
    struct sigaction sa = {.sa_handler = on_urgent}, after;

    EXPECT_EQ(sigaction(SIGURG, &sa, NULL), 0);
    EXPECT_EQ(run_on(2, sends_urgent, NULL), 0);
    EXPECT_EQ(sigaction(SIGURG, NULL, &after), 0);
    EXPECT(after.sa_handler == on_urgent);
}

static int blocks_in_the_kernel(void *arg)
{
    (void)arg;
    EXPECT_EQ(poll(NULL, 0, 300), 0); /* not EINTR: it uses no CPU time */
    return 0;
}

static int kernel_then_served(void *arg)
{
    (void)arg;
    run_there(blocks_in_the_kernel);
    EXPECT_EQ(mfi_load_acq(&mfi_sched.hogs), 0);
    run_there(served);
    EXPECT_EQ(served_at, 0);
    return 0;
}

MFI_TEST(a_blocking_system_call_is_not_interrupted)
{
    EXPECT_EQ(run_on(2, kernel_then_served, NULL), 0);
}
