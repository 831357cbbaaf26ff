/* SPDX-License-Identifier: MIT */
/*
 * stream.c - the life of a stream, and what is asked of both its halves.
 *
 * A stream is over an fd, which is called directly, or over what somebody made:
 * a table of functions and a self. The rest (a buffer, lines, holding back,
 * turns) is the same for all, so what is made has only to read and to write.
 *
 * A close that could not flush ends what is below as an abort does: a peer must
 * not take what is cut off for all there was. An fd is just closed.
 */
#include <stdlib.h>

#include <mayfly/scope.h>

#include "io/turn.h"
#include "os/event.h"
#include "stream/stream.h"

static mf_stream *make(const mf_stream_ops *ops, void *self, int fd)
{
    /* tidy: allow malloc, because a stream lives as long as its user wants */
    mf_stream *s = calloc(1, sizeof *s);

    if (s != NULL) {
        s->ops = ops;
        s->self = self;
        s->fd = fd;
        mfi_store_rlx(&s->limit, (size_t)STREAM_LIMIT);
    }
    return s;
}

int mf_stream_fd(int fd, mf_stream **ret_stream)
{
    mf_stream *s = NULL;
    int rc = ret_stream == NULL ? -EINVAL : mf_adopt(fd);

    if (rc == 0 && (s = make(NULL, NULL, fd)) == NULL)
        rc = -ENOMEM;
    if (rc < 0) {
        mf_close(fd);
        return rc;
    }
    *ret_stream = s;
    return 0;
}

int mf_stream_make(const mf_stream_ops *ops, void *self, mf_stream **ret_stream)
{
    mf_stream *s;

    if (ops == NULL || ops->size < sizeof *ops || ops->read == NULL ||
        ops->close == NULL || ret_stream == NULL)
        return -EINVAL;
    if ((s = make(ops, self, -1)) == NULL)
        return -ENOMEM;
    *ret_stream = s;
    return 0;
}

void *mf_stream_self(mf_stream *s, const mf_stream_ops *ops)
{
    return s != NULL && ops != NULL && s->ops == ops ? s->self : NULL;
}

int mf_stream_get_fd(mf_stream *s)
{
    if (s == NULL)
        return -EINVAL;
    if (s->ops == NULL)
        return s->fd;
    return s->ops->fd != NULL ? s->ops->fd(s->self) : -ENOTSUP;
}

/* ---- memory -------------------------------------------------------------- */

static void free_read(mf_stream *s)
{
    free(s->buf); /* tidy: allow malloc, because read.c made it */
    s->buf = NULL;
    s->cap = s->looked = 0;
    mfi_store_rlx(&s->head, (size_t)0);
    mfi_store_rlx(&s->end, (size_t)0);
}

static void free_held(mf_stream *s)
{
    free(s->held); /* tidy: allow malloc, because write.c made it */
    s->held = NULL;
    s->out = s->in = 0;
}

static void free_all(mf_stream *s)
{
    free_read(s);
    free_held(s);
    free(s); /* tidy: allow malloc, because it was made here */
}

int mf_stream_trim(mf_stream *s)
{
    int rc = -EBUSY;

    if (s == NULL)
        return -EINVAL;
    if (mfi_gate_try(&s->reading)) {
        if (mfi_stream_have(s) == 0) {
            free_read(s);
            rc = 0;
        }
        mfi_gate_pass(&s->reading);
    }
    if (!mfi_gate_try(&s->writing))
        return -EBUSY;
    if (s->in == s->out)
        free_held(s);
    else
        rc = -EBUSY;
    mfi_gate_pass(&s->writing);
    return rc;
}

/* Nobody reads or writes from now on: the gates are not passed on. */
void mfi_stream_forget(mf_stream *s)
{
    if (mfi_gate_try(&s->reading))
        free_read(s);
    if (mfi_gate_try(&s->writing)) {
        if (s->in != s->out)
            (void)mfi_stream_push(s, NULL, 0, mf_after(MF_SEC(1)));
        free_held(s);
    }
}

/* ---- both halves --------------------------------------------------------- */

/* The kernel's word for a file: it never waits. */
static int below_wait(mf_stream *s, short events, mf_deadline deadline)
{
    int rc;

    if (s->ops != NULL)
        return s->ops->wait != NULL ? s->ops->wait(s->self, events, deadline)
                                    : -ENOTSUP;
    rc = mf_wait_fd(s->fd, events, deadline);
    return rc == -EPERM ? events : rc;
}

int mf_stream_wait(mf_stream *s, short poll_events, mf_deadline deadline)
{
    MFI_IN_HALF reader = {0};
    MFI_IN_HALF writer = {0};
    short now = 0;
    int rc = 0;

    if (s == NULL || (poll_events & (POLLIN | POLLOUT)) == 0 ||
        (poll_events & ~(POLLIN | POLLOUT)) != 0)
        return -EINVAL;
    if ((poll_events & POLLIN) != 0) {
        rc = mfi_reader_enter(&reader, s, deadline);
        if (rc == 0 && (mfi_stream_have(s) > 0 || s->ended))
            now |= POLLIN;
    }
    if (rc == 0 && (poll_events & POLLOUT) != 0) {
        rc = mfi_writer_enter(&writer, s, deadline);
        if (rc == 0 && s->hold > s->in - s->out)
            now |= POLLOUT;
    }
    if (rc < 0)
        return rc;
    return now != 0 ? now : below_wait(s, poll_events, deadline);
}

int mf_stream_shutdown(mf_stream *s, mf_deadline deadline)
{
    MFI_IN_HALF half = {0};
    int rc;

    if (s == NULL)
        return -EINVAL;
    if ((rc = mfi_writer_enter(&half, s, deadline)) < 0 ||
        (rc = mfi_stream_push(s, NULL, 0, deadline)) < 0)
        return rc;
    if (s->ops != NULL)
        return s->ops->shutdown != NULL ? s->ops->shutdown(s->self, deadline)
                                        : -ENOTSUP;
    rc = mfi_os_shutdown(s->fd, SHUT_WR);
    return rc == -ENOTSOCK ? -ENOTSUP : rc;
}

/* ---- the end ------------------------------------------------------------- */

static int close_below(mf_stream *s, bool orderly, mf_deadline deadline)
{
    const struct linger reset = {.l_onoff = 1};

    if (s->ops != NULL)
        return s->ops->close(s->self, orderly, deadline);
    if (!orderly)
        (void)mfi_os_setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset,
                                sizeof reset);
    return mf_close(s->fd);
}

int mf_stream_close(mf_stream *s, mf_deadline deadline)
{
    int rc = 0, closed = 0;

    if (s == NULL)
        return 0;
    if (s->standard)
        return -EINVAL;
    if (s->ops == NULL && s->in == s->out) {
        rc = mf_close(s->fd);
        free_all(s);
        return rc;
    }
    MF_SHIELD(MF_NEVER)
    {
        if (s->in != s->out)
            rc = mf_stream_flush(s, deadline);
        closed = close_below(s, rc == 0 || s->ops == NULL, deadline);
    }
    free_all(s);
    return rc < 0 ? rc : closed;
}

void mf_stream_abort(mf_stream *s)
{
    if (s == NULL || s->standard)
        return;
    MF_SHIELD(MF_NEVER)
    (void)close_below(s, false, MF_NOW);
    free_all(s);
}

int mf_stream_detach(mf_stream *s)
{
    int fd;

    if (s == NULL)
        return -EINVAL;
    if (s->ops != NULL || s->standard)
        return -ENOTSUP;
    if (mfi_stream_have(s) > 0 || s->in != s->out)
        return -EBUSY;
    fd = s->fd;
    free_all(s);
    return fd;
}
