/* SPDX-License-Identifier: MIT */
/*
 * pump.c - take in, put out, again: through a pipe with splice, or a buffer.
 *
 * The pipe is filled only when it is empty and emptied before it is filled. So
 * an EAGAIN of the filling is the input's and one of the emptying the output's,
 * and nobody waits on the pipe. While the input has nothing the pipe goes back
 * to where others find it (poll/pipes.h): idle pumps have none.
 *
 * A buffer where splice cannot: files and fds whose flags are not ours, which
 * would block; what splice refuses (EINVAL: a terminal, a datagram socket); and
 * when there is no pipe to be had (EMFILE). What is in the pipe by then is read
 * back.
 */
#include "io/pump.h"

#include <stdlib.h>

#include "poll/pipes.h"

enum { BUFFER = 65536, SPLICE = 1 << 20 };

#define SPLICE_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

static mf_ns idle_at(const struct pump *p)
{
    if (p->idle == NULL || p->idle->span == 0)
        return MFI_FAR;
    return mfi_time_add(mfi_load_rlx(&p->idle->since), p->idle->span);
}

static mf_deadline until(const struct pump *p)
{
    mf_ns at = mfi_time_of(p->deadline), idle = idle_at(p);

    return mfi_deadline_of(at < idle ? at : idle);
}

/* rc ended a wait that began with this idle_at: was it for no good reason? */
static bool not_idle(const struct pump *p, int rc, mf_ns was)
{
    return rc == -ETIMEDOUT && was <= mf_now() && idle_at(p) > mf_now() &&
           mfi_time_of(p->deadline) > mf_now();
}

static void went_out(struct pump *p, size_t n)
{
    p->held -= n;
    p->at += n;
    mfi_store_rlx(p->moved, mfi_load_rlx(p->moved) + n);
    if (p->idle != NULL && p->idle->span != 0)
        mfi_store_rlx(&p->idle->since, mf_now());
}

static void drop_pipe(struct pump *p)
{
    if (p->has_pipe)
        mfi_pipe_put(p->pipe, p->by_buffer || p->held == 0);
    p->has_pipe = false;
}

static int need_buffer(struct pump *p)
{
    p->by_buffer = true;
    p->at = 0;
    if (p->buf == NULL)
        p->buf = malloc(BUFFER); /* tidy: allow malloc, because it is rare */
    return p->buf != NULL ? 0 : -ENOMEM;
}

/* ---- in ----------------------------------------------------------------- */

static size_t ask(const struct pump *p, size_t most)
{
    return p->left < most ? (size_t)p->left : most;
}

static int fill_buffer(struct pump *p)
{
    int rc = need_buffer(p);

    return rc < 0 ? rc : mf_read(p->in, p->buf, ask(p, BUFFER), until(p));
}

static long try_fill(struct pump *p, struct op *op)
{
    long n;

    if (!mfi_op_due(op))
        return -EAGAIN;
    if (!p->has_pipe) {
        if (mfi_pipe_get(p->pipe) < 0)
            return -EINVAL; /* as if there were no splice */
        p->has_pipe = true;
    }
    n = mfi_sys6(SYS_splice, p->in, 0, p->pipe[1], 0, MFI_L(ask(p, SPLICE)),
                 SPLICE_FLAGS);
    if (n <= 0)
        drop_pipe(p);
    return n;
}

static int fill_pipe(struct pump *p)
{
    struct op op;
    int rc;

    if ((rc = mfi_op_begin(&op, p->in, FD_IN, until(p))) < 0)
        return rc;
    if (op.rec->kind == FD_SHARED || op.rec->kind == FD_FILE || p->in <= 2)
        return mfi_op_end(&op, -EINVAL);
    do
        rc = mfi_op_again(&op, try_fill(p, &op), false);
    while (rc == MFI_OP_AGAIN);
    return mfi_op_end(&op, rc);
}

/* > 0 bytes are held; 0: the end. */
static int take_in(struct pump *p)
{
    mf_ns was;
    int rc;

    do {
        was = idle_at(p);
        rc = p->by_buffer ? fill_buffer(p) : fill_pipe(p);
        if (rc == -EINVAL && !p->by_buffer)
            rc = fill_buffer(p);
    } while (not_idle(p, rc, was));
    if (rc > 0) {
        p->held = (size_t)rc;
        p->at = 0;
        if (p->left != UINT64_MAX)
            p->left -= (uint64_t)rc;
    }
    return rc;
}

/* ---- out ---------------------------------------------------------------- */

/* A worker has SIGPIPE blocked; other threads need it kept away. */
static long splice_out(struct pump *p)
{
    return mfi_worker() != NULL
               ? mfi_sys6(SYS_splice, p->pipe[0], 0, p->out, 0, MFI_L(p->held),
                          SPLICE_FLAGS)
               : mfi_os_splice_quiet(p->pipe[0], p->out, p->held, SPLICE_FLAGS);
}

static int empty_pipe(struct pump *p)
{
    struct op op;
    int rc;

    if ((rc = mfi_op_begin(&op, p->out, FD_OUT, until(p))) < 0)
        return rc;
    if (op.rec->kind == FD_SHARED || op.rec->kind == FD_FILE || p->out <= 2)
        return mfi_op_end(&op, -EINVAL);
    do {
        long n = mfi_op_due(&op) ? splice_out(p) : -EAGAIN;

        rc = mfi_op_again(&op, n, false);
    } while (rc == MFI_OP_AGAIN);
    return mfi_op_end(&op, rc);
}

/* The output takes no splice: what is in the pipe goes on by the buffer. */
static int read_back(struct pump *p)
{
    size_t len = p->held, got = 0;
    long n = 0;

    /* tidy: allow malloc, because it is rare */
    p->buf = malloc(len > BUFFER ? len : BUFFER);
    if (p->buf == NULL)
        return -ENOMEM;
    while (got < len) {
        n = mfi_os_read(p->pipe[0], p->buf + got, len - got);
        if (n <= 0 && n != -EINTR)
            return n < 0 ? (int)n : -EPIPE;
        got += n > 0 ? (size_t)n : 0;
    }
    p->at = 0;
    p->by_buffer = true;
    drop_pipe(p);
    return 0;
}

static int put_out(struct pump *p)
{
    int rc = 0;

    while (p->held > 0 && rc >= 0) {
        mf_ns was = idle_at(p);

        if (p->by_buffer)
            rc = mf_write(p->out, p->buf + p->at, p->held, until(p));
        else if ((rc = empty_pipe(p)) == -EINVAL) {
            rc = read_back(p);
            continue;
        }
        if (rc > 0)
            went_out(p, (size_t)rc);
        else if (rc == 0)
            rc = -EPIPE; /* it takes nothing, and would for ever */
        else if (not_idle(p, rc, was))
            rc = 0;
    }
    return rc < 0 ? rc : 0;
}

/* A stream that never waits has its deadline too; "try once" is until it does.
 */
static bool too_late(const struct pump *p)
{
    return p->deadline.at != 0 && !mfi_is_try(p->deadline) &&
           p->deadline.at <= mf_now();
}

int mfi_pump(struct pump *p)
{
    int rc = 0;

    while (p->left > 0) {
        if (too_late(p)) {
            rc = -ETIMEDOUT;
            break;
        }
        if ((rc = take_in(p)) <= 0 || (rc = put_out(p)) < 0)
            break;
    }
    drop_pipe(p);
    free(p->buf); /* tidy: allow malloc, because it is rare */
    p->buf = NULL;
    return rc < 0 ? rc : 0;
}
