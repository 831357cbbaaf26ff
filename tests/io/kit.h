/* SPDX-License-Identifier: MIT */
/*
 * kit.h - what the tests of poll, io, net and sync share: runs in tasks and in
 * plain threads, pairs of connected fds, waiting for somebody to wait.
 *
 * Nobody sleeps to let another get somewhere: await_waiters and await_parked
 * look into the records until it is there.
 */
#ifndef MFI_TESTS_KIT_H
#define MFI_TESTS_KIT_H

#include <mayfly/net.h>
#include <mayfly/run.h>
#include <mayfly/task.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "poll/fdtab.h"
#include "sched/task.h"
#include "sched/worker.h"
#include "test.h"

#define KIT __attribute__((__unused__)) static inline

/*
 * Sanitizers are ten times slower, and simulated tests run under hundreds of
 * seeds: rounds / KIT_SLOW.
 */
enum { KIT_SLOW = MFI_SIM ? 200 : MFI_TEST_TSAN || MFI_TEST_ASAN ? 5 : 1 };

KIT mf_deadline soon(void)
{
    return mf_after(MF_MSEC(20));
}

/* No test waits this long but for a bug. */
KIT mf_deadline late(void)
{
    return mf_after(MF_SEC(20) * mfi_test_scale());
}

KIT void in_tasks(int workers, mf_fn *fn, void *arg)
{
    EXPECT_EQ(mf_run(fn, arg, MF_OPTIONS(.workers = workers)), 0);
}

KIT void in_thread(mf_fn *fn, void *arg)
{
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    EXPECT_EQ(fn(arg), 0);
    EXPECT_EQ(mf_stop(late()), 0);
}

/* The same once as a task and once as a plain thread. */
KIT void in_both(mf_fn *fn, void *arg)
{
    in_tasks(2, fn, arg);
    in_thread(fn, arg);
}

/* Let others go on; keeps going in a cancelled task too. */
KIT void breathe(void)
{
    int rc = mf_yield();

    if (rc < 0)
        sched_yield();
}

/* Until n wait for fd. */
KIT void await_waiters(int fd, uint32_t n)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();

    for (;;) {
        struct fdrec *rec = mfi_fd_peek(fd);

        if (rec != NULL && mfi_load_acq(&rec->nwait) == n)
            return;
        EXPECT_LT(mf_now(), end);
        breathe();
    }
}

/* Until task t is off its stack, waiting for something. */
KIT void await_parked(mf_task *t)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();

    for (;;) {
        uint32_t state = 0;

        mfi_task_lock(t);
        if ((mfi_load_rlx(&t->state) & TASK_RUNNING) != 0)
            state = mfi_load_acq(&t->run->agent.parker.word) & PARK_STATE;
        mfi_task_unlock(t, 0, 0);
        if (state == PARK_PARKED)
            return;
        EXPECT_LT(mf_now(), end);
        breathe();
    }
}

/*
 * Until all other workers sleep: then they have what fds they need, and the
 * numbers that are free are this test's.
 */
KIT void settle(void)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();
    uint32_t others = (uint32_t)mfi_sched.nr_workers - (mfi_worker() != NULL);

    while (mfi_load_acq(&mfi_sched.nr_idle) < others) {
        EXPECT_LT(mf_now(), end);
        sched_yield();
    }
}

/* What this process has used of the CPUs. */
KIT mf_ns cpu_time(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return MF_SEC(ts.tv_sec) + ts.tv_nsec;
}

/* ---- pairs of fds ------------------------------------------------------- */

/*
 * Made by bare system calls: TSan's idea of who made a number would not hear
 * of mf_close, and take its next life for a race.
 */
KIT void bare_pair(int type, int fds[2])
{
    EXPECT_EQ(syscall(SYS_socketpair, AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
}

KIT void bare_pipe(int fds[2])
{
    EXPECT_EQ(syscall(SYS_pipe2, fds, O_CLOEXEC), 0);
}

KIT int bare_dup(int fd)
{
    int copy = (int)syscall(SYS_dup, fd);

    EXPECT_GE(copy, 0);
    return copy;
}

enum pair_kind { PAIR_TCP4, PAIR_TCP6, PAIR_UNIX, PAIR_PIPE, PAIR_PTY, PAIRS };

struct pair {
    enum pair_kind kind;
    int r; /* what is written to w is read from r */
    int w;
};

KIT void local_name(int listener, char *buf, size_t len)
{
    mf_addr a;

    EXPECT_EQ(mf_local_addr(listener, &a), 0);
    mf_addr_str(&a, buf, len);
}

/* Both ends by the library; context: any. */
KIT struct pair tcp_pair(const char *where)
{
    struct pair p = {PAIR_TCP4, -1, -1};
    char name[MF_ADDR_STR];
    int l = mf_tcp_listen(where, NULL);

    EXPECT_GE(l, 0);
    local_name(l, name, sizeof name);
    EXPECT_GE(p.w = mf_tcp_connect(name, NULL, late()), 0);
    EXPECT_GE(p.r = mf_accept(l, NULL, late()), 0);
    EXPECT_EQ(mf_close(l), 0);
    return p;
}

KIT struct pair pty_pair(void)
{
    struct pair p = {PAIR_PTY, -1, -1};

    EXPECT_GE(p.r = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), 0);
    EXPECT_EQ(grantpt(p.r), 0);
    EXPECT_EQ(unlockpt(p.r), 0);
    EXPECT_GE(p.w = open(ptsname(p.r), O_RDWR | O_NOCTTY | O_CLOEXEC), 0);
    return p;
}

KIT struct pair make_pair(enum pair_kind kind)
{
    struct pair p = {kind, -1, -1};
    int ends[2];

    switch (kind) {
    case PAIR_TCP4:
        p = tcp_pair("127.0.0.1:0");
        break;
    case PAIR_TCP6:
        p = tcp_pair("[::1]:0");
        break;
    case PAIR_UNIX:
        bare_pair(SOCK_STREAM, ends);
        p.r = ends[0];
        p.w = ends[1];
        break;
    case PAIR_PIPE:
        bare_pipe(ends);
        p.r = ends[0];
        p.w = ends[1];
        break;
    case PAIR_PTY:
        p = pty_pair();
        break;
    case PAIRS:
        break;
    }
    p.kind = kind;
    return p;
}

KIT void close_pair(struct pair *p)
{
    if (p->r >= 0)
        EXPECT_EQ(mf_close(p->r), 0);
    if (p->w >= 0)
        EXPECT_EQ(mf_close(p->w), 0);
    p->r = p->w = -1;
}

/* ---- a helper beside the one that waits --------------------------------- */

struct helper {
    mf_scope scope;
    mf_task *task;
};

/* fn(arg) as a task of its own. Ended by helped(). */
KIT void help(struct helper *h, mf_fn *fn, void *arg)
{
    EXPECT_EQ(mf_scope_open(&h->scope, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)),
              0);
    EXPECT_EQ(mf_spawn(&h->scope, fn, arg, NULL, &h->task), 0);
}

/* Wait for it; its result. */
KIT int helped(struct helper *h)
{
    return mf_scope_close(&h->scope);
}

#endif
