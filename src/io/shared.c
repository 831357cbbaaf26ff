/* SPDX-License-Identifier: MIT */
/*
 * shared.c - reading and writing what we share with other processes.
 *
 * Standard input, output and error are open file descriptions of the shell's,
 * or of whoever started us, and so is their O_NONBLOCK: it is never set. And
 * asking poll first is not enough. What it saw may be gone when the read comes,
 * taken by another task or another process, and then the read waits, with the
 * worker in it. So, best first:
 *
 *   own       a second description of the same pipe or terminal, with
 *             O_NONBLOCK, made at adoption (os/shared.h). The usual case.
 *   nowait    RWF_NOWAIT; where it does not work that is remembered
 *   splice    pipes, on any kernel
 *   offload   what is left is a terminal of another user's which does not
 *             control us, a pty's master, a strange device. A thread of the
 *             pool asks poll and goes in, one for each fd at a time, so tasks
 *             do not take it away from each other. If another process does, the
 *             thread waits for the next input; so does a cancel. The worker
 *             does not.
 *
 * All wait for the edges of the user's own fd: they come from the pipe or the
 * terminal, whoever's the description.
 *
 * Job control. Our threads have all signals blocked; to the kernel that is as
 * if SIGTTIN and SIGTTOU were ignored: it answers a background job's read with
 * EIO, and lets it write. So a call on a terminal in whose background we are is
 * made with these two open, if they are not caught: the job stops there, and
 * the kernel makes the call again when it goes on.
 */
#include <limits.h>

#include "io/rw.h"
#include "io/turn.h"
#include "os/event.h"
#include "os/shared.h"
#include "sched/offload.h"

/* By a thread of ours, with all signals blocked. */
static long terminal_call(const struct rw *rw)
{
    struct os_job job;
    long n = -EIO;

    if (!rw->write) /* from the background it says EIO and takes nothing */
        n = mfi_rw_plain(rw);
    if (n != -EIO)
        return n;
    if (!mfi_os_background(rw->fd))
        return rw->write ? mfi_rw_plain(rw) : n;
    mfi_os_job_begin(&job);
    n = mfi_rw_plain(rw);
    mfi_os_job_end(&job);
    return n;
}

long mfi_rw_terminal(const struct rw *rw)
{
    return mfi_worker() != NULL ? terminal_call(rw) : mfi_rw_plain(rw);
}

static struct iovec first_of(const struct rw *rw)
{
    const struct iovec *v = rw->iov;

    if (rw->n == 0)
        return (struct iovec){rw->buf, rw->len};
    while (v->iov_len == 0) /* rw->len > 0: one is not empty */
        v++;
    return *v;
}

static long nowait_call(const struct rw *rw)
{
    struct iovec one = {rw->n == 0 ? rw->buf : NULL, rw->len};
    const struct iovec *v = rw->n == 0 ? &one : rw->iov;
    int n = rw->n == 0 ? 1 : rw->n;

    return rw->write ? mfi_os_writev_nowait(rw->fd, v, n)
                     : mfi_os_readv_nowait(rw->fd, v, n);
}

static long pipe_call(const struct rw *rw)
{
    struct iovec v = first_of(rw);

    return rw->write ? mfi_os_write_pipe(rw->fd, v.iov_base, v.iov_len)
                     : mfi_os_read_pipe(rw->fd, v.iov_base, v.iov_len);
}

/* fn(rw), and no SIGPIPE. */
static long quietly(long (*fn)(const struct rw *), const struct rw *rw)
{
    struct os_quiet q;
    long n;

    if (!rw->write || mfi_worker() != NULL)
        return fn(rw);
    mfi_os_quiet_begin(&q);
    n = fn(rw);
    mfi_os_quiet_end(&q, n);
    return n;
}

struct polled { /* a call that is to be made once poll allows it */
    struct rw rw;
    bool tty;
    bool ours; /* the thread */
};

/* 0, -EAGAIN, -EINTR. */
static int ask_poll(const struct rw *rw)
{
    struct pollfd pfd = {.fd = rw->fd, .events = rw->write ? POLLOUT : POLLIN};

    int rc = mfi_ppoll(&pfd, 1, 0);

    return rc < 0 ? rc : rc == 0 ? -EAGAIN : 0;
}

static int polled_call(void *arg)
{
    struct polled *p = arg;
    int rc = ask_poll(&p->rw);

    if (rc < 0)
        return rc;
    return (int)(p->tty && p->ours ? terminal_call(&p->rw)
                                   : mfi_rw_plain(&p->rw));
}

static long poll_and_call(struct op *op, const struct rw *rw)
{
    enum { LITTLE = 256 }; /* fits where a terminal says it has room */
    struct iovec v = first_of(rw);
    struct polled p = {.rw = {.fd = rw->fd,
                              .write = rw->write,
                              .buf = v.iov_base,
                              .len = v.iov_len},
                       .tty = (mfi_load_rlx(&op->rec->bits) & FD_TTY) != 0,
                       .ours = mfi_worker() != NULL};
    struct turn turn;
    int rc;

    if (rw->write && p.rw.len > LITTLE)
        p.rw.len = LITTLE;
    if ((rc = ask_poll(rw)) < 0) /* nobody is bothered */
        return rc;
    rc =
        mfi_turn_take(&turn, mfi_turn_at((char *)op->rec + (rw->write ? 2 : 0)),
                      op->agent, op->at, "its turn at an fd");
    if (rc < 0)
        return rc;
    rc = p.ours ? mfi_offload_call(polled_call, &p) : polled_call(&p);
    mfi_turn_pass(&turn);
    return rc;
}

long mfi_rw_shared(struct op *op, const struct rw *rw)
{
    uint8_t bits = mfi_load_rlx(&op->rec->bits);
    long n;

    if (op->rec->own >= 0) {
        struct rw part = *rw;

        part.fd = op->rec->own;
        return (bits & FD_TTY) != 0 ? mfi_rw_terminal(&part)
                                    : mfi_rw_plain(&part);
    }
    if ((bits & FD_NO_NOWAIT) == 0) {
        n = quietly(nowait_call, rw);
        if (n != -EOPNOTSUPP && n != -ENOSYS)
            return n;
        mfi_or_acqrel(&op->rec->bits, (uint8_t)FD_NO_NOWAIT);
    }
    if ((bits & FD_FIFO) != 0)
        return quietly(pipe_call, rw);
    return poll_and_call(op, rw);
}
