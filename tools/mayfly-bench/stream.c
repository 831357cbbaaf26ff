/* SPDX-License-Identifier: MIT */
/*
 * stream.c - request and answer over a stream, or packets in order: all bytes
 * out, as many back, and they must be the same.
 */
#include <errno.h>
#include <string.h>

#include "load.h"
#include "pattern.h"

void stream_prepare(struct conn *c, uint64_t n)
{
    const struct load_options *o = &c->load->opts;

    pattern_fill(pattern_start((uint64_t)o->seed, c->rank, n), c->out,
                 (size_t)o->len);
}

int stream_ask(struct conn *c, uint64_t n, mf_ns sent)
{
    const struct load_options *o = &c->load->opts;
    mf_deadline deadline = o->timeout > 0 ? mf_at(sent + o->timeout) : MF_NEVER;
    int rc = mf_write_all(c->fd, c->out, (size_t)o->len, deadline);

    (void)n;
    if (rc < 0)
        return rc;
    rc = mf_read_full(c->fd, c->in, (size_t)o->len, deadline);
    if (rc <= 0)
        return rc < 0 ? rc : -EPIPE; /* -EPIPE: the server hung up */
    c->last = mf_now();
    return memcmp(c->in, c->out, (size_t)o->len) == 0 ? ASK_RIGHT : ASK_WRONG;
}
