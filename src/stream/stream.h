/* SPDX-License-Identifier: MIT */
/*
 * stream.h - what a stream is made of, and how its halves reach what is below.
 *
 * Both halves have a gate (gate.h); the reader's fields belong to who has the
 * one, the writer's to who has the other. head and end are atomic because
 * mf_stream_buffered looks at them from outside, with no order.
 */
#ifndef MFI_STREAM_STREAM_H
#define MFI_STREAM_STREAM_H

#include <mayfly/stream.h>

#include "io/op.h"
#include "stream/gate.h"

enum { STREAM_LIMIT = 1 << 20, STREAM_BUF = 4096, STREAM_HOLD_MAX = 16 << 20 };

struct mf_stream {
    const mf_stream_ops *ops; /* NULL: over fd */
    void *self;
    int fd;
    bool standard;        /* static, stays open */
    _Atomic size_t limit; /* longest line, its end included */

    struct gate reading;
    bool ended;          /* the end was seen behind a line: to be told yet */
    size_t cap;          /* one byte behind end is always there */
    char *buf;           /* [head, end) was read and not handed out */
    _Atomic size_t head; /* changed by the reader alone */
    _Atomic size_t end;
    size_t looked; /* bytes behind head that hold no newline */

    struct gate writing;
    size_t hold;    /* how much may be held; 0: nothing */
    char *held;     /* [out, in) was written and is held; NULL: nothing ever */
    size_t out, in; /* both 0 if nothing is */
};

static inline size_t mfi_stream_have(mf_stream *s)
{
    return mfi_load_rlx(&s->end) - mfi_load_rlx(&s->head);
}

/* ---- what is below ------------------------------------------------------- */

static inline int mfi_below_read(mf_stream *s, void *buf, size_t len,
                                 mf_deadline deadline)
{
    if (mfi_likely(s->ops == NULL))
        return mf_read(s->fd, buf, len, deadline);
    return s->ops->read(s->self, buf, len < MFI_IO_MAX ? len : MFI_IO_MAX,
                        deadline);
}

/* n > 0, and there is a byte in them. */
static inline int mfi_below_writev(mf_stream *s, const struct iovec *iov, int n,
                                   mf_deadline deadline)
{
    if (mfi_likely(s->ops == NULL)) {
        if (n == 1) /* which a ring may batch */
            return mf_write(s->fd, iov->iov_base, iov->iov_len, deadline);
        return mf_writev(s->fd, iov, n, deadline);
    }
    if (s->ops->writev == NULL)
        return -EBADF;
    return s->ops->writev(s->self, iov, n, deadline);
}

/* ---- a half in use ------------------------------------------------------- */

/*
 * A gate that is passed on when the call is left, in whatever way: what is
 * below may be a user's, and panic.
 */
struct in_half {
    struct gate *gate;
    struct agent *agent;
};

static inline int mfi_half_enter(struct in_half *h, struct gate *g,
                                 mf_deadline deadline, const char *what)
{
    struct agent *a = mfi_agent();
    int rc;

    h->gate = NULL;
    if (mfi_unlikely(a == NULL))
        return -ENOMEM;
    h->agent = a;
    if ((rc = mfi_gate_take(g, a, mfi_time_of(deadline), what)) == 0)
        h->gate = g;
    return rc;
}

static inline void mfi_half_leave(struct in_half *h)
{
    if (h->gate != NULL)
        mfi_gate_pass(h->gate);
}

#define MFI_IN_HALF __attribute__((__cleanup__(mfi_half_leave))) struct in_half

static inline int mfi_reader_enter(struct in_half *h, mf_stream *s,
                                   mf_deadline deadline)
{
    return mfi_half_enter(h, &s->reading, deadline,
                          "its turn to read a stream");
}

static inline int mfi_writer_enter(struct in_half *h, mf_stream *s,
                                   mf_deadline deadline)
{
    return mfi_half_enter(h, &s->writing, deadline,
                          "its turn to write to a stream");
}

/* ---- between the files --------------------------------------------------- */

/*
 * In the writer's half: what is held, and then all of iov, which is advanced;
 * 0, or why not. And one write of it: > 0.
 */
int mfi_stream_push(mf_stream *s, struct iovec *iov, int n,
                    mf_deadline deadline);
int mfi_stream_writev(mf_stream *s, const struct iovec *iov, int n,
                      mf_deadline deadline);

/* In the reader's half: put len bytes before what is buffered. 0, -ENOMEM. */
int mfi_stream_unread(mf_stream *s, const void *data, size_t len);

/* As mf_write_all, but that it is not mixed with another piece to the fd. */
int mfi_piece(int fd, const void *buf, size_t len, mf_deadline deadline);

/* At the library's end: write out and free what a standard stream has. */
void mfi_stream_forget(mf_stream *s);

#endif
