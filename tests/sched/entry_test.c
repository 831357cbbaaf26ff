/* SPDX-License-Identifier: MIT */
/* entry_test.c - first runs, last frames, and stacks that cannot be had. */
#include "sched/help.h"

#include <mayfly/fd.h>

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static _Atomic int started, gate, serving;

/* ---- exhaustion --------------------------------------------------------- */

static void limit_memory(rlim_t above)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;
    struct rlimit r;

    EXPECT(f != NULL);
    EXPECT_EQ(fscanf(f, "%lu", &pages), 1);
    fclose(f);
    EXPECT_EQ(getrlimit(RLIMIT_AS, &r), 0);
    r.rlim_cur = above == RLIM_INFINITY ? RLIM_INFINITY : pages * 4096 + above;
    EXPECT_EQ(setrlimit(RLIMIT_AS, &r), 0);
}

static int waits_for_the_gate(void *arg)
{
    (void)arg;
    started++;
    while (gate == 0) {
        int rc = mf_sleep(MF_USEC(200));

        if (rc < 0)
            return rc;
    }
    return 0;
}

/* A server: it has its stack and must live on whatever happens around it. */
static int serves(void *arg)
{
    int fd = *(int *)arg, n = 0;
    char c;

    serving = 1;
    while (mf_read(fd, &c, 1, MF_NEVER) == 1)
        n++;
    return n;
}

static int accepted;

static int fill_with_early(mf_scope *s)
{
    char big[200] = {0};

    for (int i = 0; i < 1000000; i++) {
        int rc = mf_go_copy(s, waits_for_the_gate, big, sizeof big);

        if (rc < 0)
            return rc;
        accepted++;
    }
    return 0;
}

/*
 * False if a stack is missing: another worker may still have given back those
 * of the tasks that have just ended to its own cache only.
 */
static bool fifty_run(void)
{
    mf_scope s;
    int rc = 0;

    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    for (int i = 0; i < 50; i++)
        EXPECT_EQ(mf_go(&s, waits_for_the_gate, NULL), 0);
    rc = mf_scope_close(&s);
    EXPECT(rc == 0 || rc == -ENOMEM);
    return rc == 0;
}

static int runs_out_of_stacks(void *arg)
{
    int ends[2], rc = 0;
    mf_task *late, *server;
    MF_SCOPE(all, .mode = MF_WAIT_ALL);
    mf_scope s;

    (void)arg;
    started = gate = serving = accepted = 0;
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(mf_spawn(&all, serves, &ends[0], NULL, &server), 0);
    WAIT_UNTIL(serving);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    limit_memory(64 << 20);
    EXPECT_EQ(fill_with_early(&s), -ENOMEM);
    /* A record can be had, but no stack when its turn comes. */
    EXPECT_EQ(mf_spawn(&s, returns_arg, NULL, NULL, &late), 0);
    EXPECT_EQ(mf_join(late, &rc, MF_NEVER), 0);
    EXPECT_EQ(rc, -ENOMEM);
    EXPECT_EQ(mf_task_ending(late, NULL), MF_RETURNED);
    {
        mf_scope fast; /* fail fast fails with it */
        EXPECT_EQ(mf_scope_open(&fast, NULL), 0);
        EXPECT_EQ(mf_go(&fast, returns_arg, NULL), 0);
        EXPECT_EQ(mf_sleep(MF_SEC(60)), -ECANCELED);
        EXPECT_EQ(mf_scope_close(&fast), -ENOMEM);
    }
    EXPECT_EQ(write(ends[1], "abc", 3), 3); /* the server goes on */
    gate = 1;
    EXPECT_EQ(mf_scope_close(&s), -ENOMEM); /* late's */
    EXPECT_EQ(started, accepted);
    /* Stacks were given back: it works again, still with little memory. */
    WAIT_UNTIL(fifty_run());
    limit_memory(RLIM_INFINITY);
    EXPECT_EQ(mf_close(ends[1]), 0);
    EXPECT_EQ(mf_join(server, &rc, MF_NEVER), 0);
    EXPECT_EQ(rc, 3);
    EXPECT_EQ(mf_close(ends[0]), 0);
    return 0;
}

MFI_TEST(without_stacks_spawns_and_tasks_fail_and_the_rest_lives_on)
{
    if (MFI_TEST_ASAN || MFI_TEST_TSAN)
        MFI_SKIP("a sanitizer has its own idea of address space");
    EXPECT_EQ(run_on(1, runs_out_of_stacks, NULL), 0);
    EXPECT_EQ(run_on(2, runs_out_of_stacks, NULL), 0);
}

static int bad_stack_sizes(void *arg)
{
    MF_SCOPE(s, .mode = MF_WAIT_ALL);

    (void)arg;
    EXPECT_EQ(mf_spawn(&s, returns_arg, NULL,
                       MF_TASK_OPTIONS(.stack_size = SIZE_MAX), NULL),
              -EINVAL);
    EXPECT_EQ(
        mf_spawn(&s, returns_arg, NULL, MF_TASK_OPTIONS(.stack_size = 1), NULL),
        0);
    return mf_scope_close(&s);
}

MFI_TEST(a_stack_size_beyond_the_largest_is_refused)
{
    EXPECT_EQ(run_on(1, bad_stack_sizes, NULL), 0);
}

/* ---- stacks of every size ----------------------------------------------- */

/* Down to `size` bytes below `from`, a frame of 512 at a time. */
static __attribute__((__noinline__)) void deepest(const char *from, size_t size)
{
    volatile char frame[512];

    frame[0] = (char)size;
    if ((uintptr_t)from - (uintptr_t)frame < size)
        deepest(from, size);
    else
        EXPECT_EQ(mf_yield(), 0);
    EXPECT_EQ(frame[0], (char)size);
}

static int uses_its_stack(void *arg)
{
    size_t size = (size_t)(uintptr_t)arg - 6144;
    char here = 0;

    deepest(&here, size);
    started++;
    return 0;
}

static int mixed_sizes(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    started = 0;
    for (int i = 0; i < 400; i++) {
        size_t size = (size_t)16384 << (i % 7);

        EXPECT_EQ(mf_spawn(&s, uses_its_stack, NUMBER(size),
                           MF_TASK_OPTIONS(.stack_size = size), NULL),
                  0);
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    return started;
}

MFI_TEST(each_task_has_the_stack_it_asked_for)
{
    if (MFI_TEST_ASAN || MFI_TEST_TSAN)
        MFI_SKIP("a sanitizer's frames are larger");
    EXPECT_EQ(run_on(1, mixed_sizes, NULL), 400);
    EXPECT_EQ(run_on(4, mixed_sizes, NULL), 400);
}
