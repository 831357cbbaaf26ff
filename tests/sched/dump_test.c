/* SPDX-License-Identifier: MIT */
/* dump_test.c - the dump names every task and what it waits for. */
#include "sched/dump.h"

#include <mayfly/fd.h>
#include <mayfly/proc.h>
#include <mayfly/signal.h>

#include <poll.h>
#include <unistd.h>

#include "sched/help.h"

static char out[65536];

static int deeper(void *arg)
{
    MF_SCOPE(s);

    EXPECT_EQ(mf_spawn(&s, sleeps_for_ever, arg,
                       MF_TASK_OPTIONS(.name = "grandchild"), NULL),
              0);
    return mf_scope_close(&s);
}

static int parks(void *arg)
{
    (void)arg;
    return mf_park(MF_NEVER);
}

static int waits_for_usr1(void *arg)
{
    return mf_signal_wait(arg, MF_NEVER);
}

static int waits_for_a_child(void *arg)
{
    return mf_proc_wait(arg, NULL, MF_NEVER);
}

static void spawn_outer_waits(mf_scope *s)
{
    static const char *const argv[] = {"sleep", "1000", NULL};
    const int usr1 = SIGUSR1;
    mf_signal *sig;
    mf_proc *p;

    EXPECT_EQ(mf_signal_open(&usr1, 1, &sig), 0);
    EXPECT_EQ(mf_proc_start(argv, MF_PROC_OPTIONS(.out = MF_STDIO_NULL), &p),
              0);
    EXPECT_EQ(mf_go(s, waits_for_usr1, sig), 0);
    EXPECT_EQ(mf_go(s, waits_for_a_child, p), 0);
    EXPECT_EQ(mf_sleep(MF_MSEC(2)), 0);
    mfi_dump();
    EXPECT_EQ(mf_proc_kill(p, SIGKILL), 0);
}

static int dumps_outer_waits(void *arg)
{
    (void)arg;
    {
        MF_SCOPE(s);
        spawn_outer_waits(&s);
    }
    _exit(0);
}

static void runs_outer_waits(void)
{
    (void)run_on(1, dumps_outer_waits, NULL);
}

MFI_TEST(signals_and_children_are_named)
{
    EXPECT_EQ(mfi_test_dies(runs_outer_waits, out, sizeof out), 0);
    EXPECT_STR_HAS(out, "waits for a signal");
    EXPECT_STR_HAS(out, "waits for a child process");
}

static int dumps(void *arg)
{
    int ends[2];
    mf_task *ended;
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(
        mf_spawn(&s, deeper, NULL, MF_TASK_OPTIONS(.name = "child"), NULL), 0);
    EXPECT_EQ(
        mf_spawn(&s, parks, NULL, MF_TASK_OPTIONS(.name = "parker"), NULL), 0);
    EXPECT_EQ(mf_spawn(&s, returns_arg, NULL, MF_TASK_OPTIONS(.name = "gone"),
                       &ended),
              0);
    EXPECT_EQ(mf_go_when(&s, ends[0], POLLIN, MF_NEVER, returns_arg, NULL), 0);
    EXPECT_EQ(mf_sleep(MF_MSEC(2)), 0);
    EXPECT_EQ(
        mf_spawn(&s, returns_arg, NULL, MF_TASK_OPTIONS(.name = "new"), NULL),
        0);
    mfi_dump();
    _exit(0);
}

static void runs_and_dumps(void)
{
    mfi_dump(); /* nothing runs: nothing is said */
    (void)run_on(1, dumps, NULL);
}

MFI_TEST(the_dump_names_every_task_and_what_it_waits_for)
{
    EXPECT_EQ(mfi_test_dies(runs_and_dumps, out, sizeof out), 0);
    EXPECT_STR_HAS(out, "all tasks");
    EXPECT_STR_HAS(out, "task 'main'");
    EXPECT_STR_HAS(out, "task 'child'");
    EXPECT_STR_HAS(out, "waits for a scope's children");
    EXPECT_STR_HAS(out, "task 'grandchild'");
    EXPECT_STR_HAS(out, "waits for a point in time");
    EXPECT_STR_HAS(out, "task 'parker'");
    EXPECT_STR_HAS(out, "waits for an unpark");
    EXPECT_STR_HAS(out, "task 'gone'");
    EXPECT_STR_HAS(out, "has ended");
    EXPECT_STR_HAS(out, "waits for an fd, as a record");
    EXPECT_STR_HAS(out, "task 'new'");
    EXPECT_STR_HAS(out, "has not run yet");
    EXPECT_STR_HAS(out, "dump_test.c:");
}
