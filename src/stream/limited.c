/* SPDX-License-Identifier: MIT */
/*
 * limited.c - the next len bytes of another stream, and what lines read ahead
 * of them given back.
 *
 * It never asks the lower stream for more than is left of its bytes. What its
 * own buffer has read and nobody took goes back to the front of the lower one's
 * at the close: so the lower one goes on where the reading stopped.
 */
#include <stdlib.h>

#include "stream/stream.h"

struct limited {
    mf_stream *upper;
    mf_stream *lower; /* borrowed */
    uint64_t left;    /* the reader's */
};

static int limited_read(void *self, void *buf, size_t len, mf_deadline deadline)
{
    struct limited *l = self;
    int n;

    if (len > l->left)
        len = (size_t)l->left;
    if (len == 0)
        return 0;
    n = mf_stream_read(l->lower, buf, len, deadline);
    if (n > 0)
        l->left -= (uint64_t)n;
    return n == 0 ? -EPIPE : n;
}

static int limited_wait(void *self, short events, mf_deadline deadline)
{
    struct limited *l = self;

    if ((events & POLLOUT) != 0)
        return -EBADF;
    return l->left == 0 ? POLLIN : mf_stream_wait(l->lower, events, deadline);
}

static int limited_fd(void *self)
{
    struct limited *l = self;

    return mf_stream_get_fd(l->lower);
}

/* Its reader is gone, so the upper buffer is ours. */
static int limited_close(void *self, int orderly, mf_deadline deadline)
{
    struct limited *l = self;
    mf_stream *s = l->upper;
    size_t have = mfi_stream_have(s);
    int rc = 0;

    (void)orderly;
    if (have > 0) {
        MFI_IN_HALF half = {0};

        rc = mfi_reader_enter(&half, l->lower, deadline);
        if (rc == 0)
            rc = mfi_stream_unread(l->lower, s->buf + mfi_load_rlx(&s->head),
                                   have);
    }
    free(l); /* tidy: allow malloc, because it was made here */
    return rc;
}

static const mf_stream_ops limited_ops = {
    .size = sizeof limited_ops,
    .name = "limited",
    .read = limited_read,
    .wait = limited_wait,
    .fd = limited_fd,
    .close = limited_close,
};

int mf_stream_limited(mf_stream *lower, uint64_t len, mf_stream **ret_stream)
{
    struct limited *l;
    int rc;

    if (lower == NULL || ret_stream == NULL)
        return -EINVAL;
    /* tidy: allow malloc, because it lives as long as its user wants */
    if ((l = malloc(sizeof *l)) == NULL)
        return -ENOMEM;
    *l = (struct limited){.lower = lower, .left = len};
    if ((rc = mf_stream_make(&limited_ops, l, &l->upper)) < 0)
        free(l); /* tidy: allow malloc, because it was made here */
    else
        *ret_stream = l->upper;
    return rc;
}
