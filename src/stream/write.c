/* SPDX-License-Identifier: MIT */
/*
 * write.c - the writer's half: through to what is below, or held back first.
 *
 *     held  | went out | held back |      |
 *                      out         in     hold
 *
 * Nothing is held unless mf_stream_hold said so. The memory is made when there
 * is something to be held; if there is none it is written through at once, so
 * holding back never fails. What does not fit goes out behind what is held, in
 * the same vectored write: a head and its body are one system call. After an
 * error `out` stands behind the last byte that went out, and the next flush
 * goes on from there.
 *
 * Writers take turns (gate.h), whole calls. A standard stream also has its
 * fd's turn (io/turn.h), for mf_printf writes to the same fd.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "io/rw.h"
#include "io/turn.h"
#include "stream/stream.h"

/* ---- what is held -------------------------------------------------------- */

static size_t room(const mf_stream *s)
{
    return s->hold - (s->in - s->out);
}

/* There is memory for what is held. */
static bool can_hold(mf_stream *s)
{
    /* tidy: allow malloc, because its size is the user's choice */
    return s->held != NULL || (s->held = malloc(s->hold)) != NULL;
}

/* len <= room. */
static void keep(mf_stream *s, const void *buf, size_t len)
{
    if (len > s->hold - s->in) {
        memmove(s->held, s->held + s->out, s->in - s->out);
        s->in -= s->out;
        s->out = 0;
    }
    memcpy(s->held + s->in, buf, len);
    s->in += len;
}

/* n bytes went out; returns how many of them were not held. */
static size_t went(mf_stream *s, size_t n)
{
    size_t held = s->in - s->out;

    if (n < held) {
        s->out += n;
        return 0;
    }
    s->out = s->in = 0;
    return n - held;
}

int mf_stream_hold(mf_stream *s, size_t size)
{
    int rc = 0;

    if (s == NULL || size > STREAM_HOLD_MAX)
        return -EINVAL;
    if (!mfi_gate_try(&s->writing))
        return -EBUSY;
    if (s->in != s->out) {
        rc = -EBUSY;
    } else if (size != s->hold) {
        free(s->held); /* tidy: allow malloc, because it was made here */
        s->held = NULL;
        s->hold = size;
    }
    mfi_gate_pass(&s->writing);
    return rc;
}

/* ---- out ----------------------------------------------------------------- */

/* One write of what is held and of iov; n may be 0 if something is held. */
static int write_some(mf_stream *s, struct iovec *iov, int n,
                      mf_deadline deadline)
{
    enum { PARTS = 16 };
    struct iovec v[PARTS];
    int k = 1;

    if (s->in == s->out)
        return mfi_below_writev(s, iov, n < IOV_MAX ? n : IOV_MAX, deadline);
    v[0].iov_base = s->held + s->out;
    v[0].iov_len = s->in - s->out;
    for (; k < PARTS && k <= n; k++)
        v[k] = iov[k - 1];
    return mfi_below_writev(s, v, k, deadline);
}

static int push(mf_stream *s, struct iovec *iov, int n, mf_deadline deadline)
{
    for (;;) {
        int rc;

        mfi_iov_advance(&iov, &n, 0); /* past empty ones */
        if (n == 0 && s->in == s->out)
            return 0;
        rc = write_some(s, iov, n, deadline);
        if (rc <= 0) /* nothing of something: who made it is wrong */
            return rc < 0 ? rc : -EIO;
        mfi_iov_advance(&iov, &n, went(s, (size_t)rc));
    }
}

/* A standard stream's: mf_printf writes to the same fd. */
static int turn_at(mf_stream *s, struct turn *t, mf_deadline deadline)
{
    return mfi_turn_take(t, mfi_turn_fd(s->fd), mfi_agent(),
                         mfi_time_of(deadline), "its turn to write a text");
}

int mfi_stream_push(mf_stream *s, struct iovec *iov, int n,
                    mf_deadline deadline)
{
    struct turn turn;
    int rc;

    if (mfi_likely(!s->standard))
        return push(s, iov, n, deadline);
    if ((rc = turn_at(s, &turn, deadline)) < 0)
        return rc;
    rc = push(s, iov, n, deadline);
    mfi_turn_pass(&turn);
    return rc;
}

int mf_stream_flush(mf_stream *s, mf_deadline deadline)
{
    MFI_IN_HALF half = {0};
    int rc;

    if (s == NULL)
        return -EINVAL;
    if ((rc = mfi_writer_enter(&half, s, deadline)) < 0 || s->in == s->out)
        return rc;
    return mfi_stream_push(s, NULL, 0, deadline);
}

/* ---- the calls ----------------------------------------------------------- */

static int write_once(mf_stream *s, const struct iovec *iov, int n,
                      mf_deadline deadline)
{
    struct turn turn;
    int rc;

    if (mfi_likely(!s->standard))
        return mfi_below_writev(s, iov, n, deadline);
    if ((rc = turn_at(s, &turn, deadline)) < 0)
        return rc;
    rc = mfi_below_writev(s, iov, n, deadline);
    mfi_turn_pass(&turn);
    return rc;
}

/* All of iov, if it fits. */
static bool keep_all(mf_stream *s, struct iovec *iov, int n, size_t len)
{
    if (len > room(s) || !can_hold(s))
        return false;
    for (int i = 0; i < n; i++)
        if (iov[i].iov_len > 0)
            keep(s, iov[i].iov_base, iov[i].iov_len);
    mfi_iov_advance(&iov, &n, len);
    return true;
}

/* Bytes in iov; SIZE_MAX if it is no number. */
static size_t length(const struct iovec *iov, int n)
{
    size_t len = 0;

    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len > SIZE_MAX - len)
            return SIZE_MAX;
        len += iov[i].iov_len;
    }
    return len;
}

int mfi_stream_writev(mf_stream *s, const struct iovec *iov, int n,
                      mf_deadline deadline)
{
    MFI_IN_HALF half = {0};
    size_t len = length(iov, n);
    struct iovec first;
    int rc;

    if ((rc = mfi_writer_enter(&half, s, deadline)) < 0)
        return rc;
    if (len == 0)
        return 0;
    if (s->hold == 0)
        return write_once(s, iov, n, deadline);
    for (; n > 1 && iov->iov_len == 0; n--)
        iov++;
    if (room(s) == 0 && (rc = mfi_stream_push(s, NULL, 0, deadline)) < 0)
        return rc;
    first = *iov;
    if (first.iov_len > room(s) && s->in != s->out)
        first.iov_len = room(s);
    len = first.iov_len;
    if (!keep_all(s, &first, 1, len)) /* none is held; it would not fit */
        return write_once(s, iov, n, deadline);
    mfi_budget(half.agent);
    return (int)len;
}

int mf_stream_write(mf_stream *s, const void *buf, size_t len,
                    mf_deadline deadline)
{
    struct iovec v = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};

    if (s == NULL || (buf == NULL && len != 0))
        return -EINVAL;
    return mfi_stream_writev(s, &v, 1, deadline);
}

int mf_stream_write_all(mf_stream *s, const void *buf, size_t len,
                        mf_deadline deadline)
{
    struct iovec v = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
    MFI_IN_HALF half = {0};
    int rc;

    if (s == NULL || (buf == NULL && len != 0))
        return -EINVAL;
    if ((rc = mfi_writer_enter(&half, s, deadline)) < 0)
        return rc;
    if (mfi_likely(s->hold == 0) && s->ops == NULL)
        return s->standard ? mfi_piece(s->fd, buf, len, deadline)
                           : mfi_write_piece(s->fd, buf, len, deadline);
    if (s->hold != 0 && keep_all(s, &v, 1, len)) {
        mfi_budget(half.agent);
        return 0;
    }
    return mfi_stream_push(s, &v, 1, deadline);
}

int mf_stream_writev_all(mf_stream *s, struct iovec *iov, int n,
                         mf_deadline deadline)
{
    MFI_IN_HALF half = {0};
    int rc;

    if (s == NULL || n < 0 || (iov == NULL && n > 0))
        return -EINVAL;
    if ((rc = mfi_writer_enter(&half, s, deadline)) < 0)
        return rc;
    if (s->hold != 0 && keep_all(s, iov, n, length(iov, n))) {
        mfi_budget(half.agent);
        return 0;
    }
    return mfi_stream_push(s, iov, n, deadline);
}
