/* SPDX-License-Identifier: MIT */
/*
 * tee.c - what is read of a stream is written to another first.
 *
 * The bytes stay in the lower stream's buffer until the copy has them: a reader
 * whose deadline strikes while the copy is full has consumed nothing, and the
 * next one goes on with the byte after the last that was copied. So no byte is
 * lost, none is copied twice, and none reaches the reader uncopied.
 */
#include <stdlib.h>
#include <string.h>

#include "stream/stream.h"

struct tee {
    mf_stream *lower;
    mf_stream *copy; /* borrowed */
    size_t copied;   /* of what the lower one has buffered; the reader's */
};

/* Bring up to n bytes at data to the copy. How many have been by now, or why
 * none. */
static int copy_some(struct tee *t, const char *data, size_t n,
                     mf_deadline deadline)
{
    struct iovec v = {.iov_base = (void *)(uintptr_t)(data + t->copied),
                      .iov_len = n - t->copied};
    int rc = mf_stream_writev_all(t->copy, &v, 1, deadline);

    t->copied = n - v.iov_len;
    return rc < 0 && t->copied == 0 ? rc : (int)t->copied;
}

static int tee_read(void *self, void *buf, size_t len, mf_deadline deadline)
{
    struct tee *t = self;
    char *data;
    int n = mf_stream_peek(t->lower, &data, 1, deadline);

    if (n <= 0)
        return n;
    if ((size_t)n > len)
        n = (int)len;
    if ((size_t)n > t->copied)
        n = copy_some(t, data, (size_t)n, deadline);
    if (n <= 0)
        return n;
    memcpy(buf, data, (size_t)n);
    t->copied -= (size_t)n;
    (void)mf_stream_skip(t->lower, (size_t)n);
    return n;
}

static int tee_writev(void *self, const struct iovec *iov, int n,
                      mf_deadline deadline)
{
    struct tee *t = self;

    return mfi_stream_writev(t->lower, iov, n, deadline);
}

static int tee_shutdown(void *self, mf_deadline deadline)
{
    struct tee *t = self;

    return mf_stream_shutdown(t->lower, deadline);
}

static int tee_wait(void *self, short events, mf_deadline deadline)
{
    struct tee *t = self;

    return mf_stream_wait(t->lower, events, deadline);
}

static int tee_fd(void *self)
{
    struct tee *t = self;

    return mf_stream_get_fd(t->lower);
}

static int tee_close(void *self, int orderly, mf_deadline deadline)
{
    struct tee *t = self;
    int rc = 0;

    if (orderly)
        rc = mf_stream_close(t->lower, deadline);
    else
        mf_stream_abort(t->lower);
    free(t); /* tidy: allow malloc, because it was made here */
    return rc;
}

static const mf_stream_ops tee_ops = {
    .size = sizeof tee_ops,
    .name = "tee",
    .read = tee_read,
    .writev = tee_writev,
    .shutdown = tee_shutdown,
    .wait = tee_wait,
    .fd = tee_fd,
    .close = tee_close,
};

int mf_stream_tee(mf_stream *lower, mf_stream *copy, mf_stream **ret_stream)
{
    struct tee *t;
    int rc;

    if (lower == NULL || copy == NULL || lower == copy || ret_stream == NULL)
        return -EINVAL;
    /* tidy: allow malloc, because it lives as long as its user wants */
    if ((t = malloc(sizeof *t)) == NULL)
        return -ENOMEM;
    *t = (struct tee){.lower = lower, .copy = copy};
    if ((rc = mf_stream_make(&tee_ops, t, ret_stream)) < 0)
        free(t); /* tidy: allow malloc, because it was made here */
    return rc;
}
