/* SPDX-License-Identifier: MIT */
/*
 * tcp.c - connections: each has four tasks, two for each way.
 *
 *   take   reads, stamps what it got with the time it is due, puts it into the
 *          way's channel; a full channel stops the sender by TCP's own means
 *   pass   takes it out, waits for the time, keeps to the rate, writes
 *
 * So a delay costs no throughput: what is on its way is in the channel. An end
 * goes through the channel too, and comes out as a FIN behind the last byte;
 * the other way goes on. An error of any of the four ends all of them, and both
 * sockets are reset: a reset on one side is one on the other.
 */
#include "badnet.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNK = 16384,
    CHUNKS = 256, /* on their way at once */
    SLICES = 100, /* per second, of what the rate allows */
};

struct chunk {
    mf_ns due;
    size_t len;
    char data[];
};

struct conn {
    struct badnet *net;
    int client, target;
    _Atomic int64_t passed; /* bytes, both ways; of --half-close: one way */
};

struct way {
    struct conn *conn;
    struct pace pace;
    mf_chan *chunks;
    int from, to;
    int ends; /* 1: the way --half-close is for */
};

static void drop_chunk(void *elem)
{
    free(*(struct chunk **)elem);
}

static int put_chunk(struct way *w, const char *data, size_t len)
{
    struct chunk *c = malloc(sizeof *c + len);
    mf_ns due = pace_due(&w->pace);
    int rc;

    if (c == NULL)
        return -ENOMEM;
    if (due < w->pace.last) /* in order, whatever the jitter */
        due = w->pace.last;
    c->due = w->pace.last = due;
    c->len = len;
    memcpy(c->data, data, len);
    if ((rc = mf_chan_send(w->chunks, &c, MF_NEVER)) < 0)
        free(c);
    return rc;
}

static int take(void *arg)
{
    struct way *w = arg;
    char buf[CHUNK];
    int n, rc;

    while ((n = mf_read(w->from, buf, sizeof buf, MF_NEVER)) > 0) {
        rc = put_chunk(w, buf, (size_t)n);
        if (rc < 0 && rc != -EPIPE) /* its end is closed: read and drop */
            return rc;
    }
    mf_chan_close(w->chunks);
    return n;
}

/* How much of len may pass before the connection's end; it is counted. */
static size_t allowed(struct way *w, size_t len)
{
    int64_t limit = w->conn->net->reset_after;
    int64_t before;

    if (limit == 0 || (w->conn->net->half_close && !w->ends))
        return len;
    before = atomic_fetch_add(&w->conn->passed, (int64_t)len);
    if (before >= limit)
        return 0;
    return before + (int64_t)len > limit ? (size_t)(limit - before) : len;
}

/* The bytes of a chunk, as many in one write as the network is to carry. */
static int pass_bytes(struct way *w, const char *data, size_t len)
{
    const struct badnet *net = w->conn->net;
    size_t most = net->single ? 1 : CHUNK;
    mf_ns at;
    int rc;

    if (net->rate > 0 && (size_t)net->rate / SLICES < most)
        most = (size_t)net->rate / SLICES + 1;
    for (size_t n; len > 0; data += n, len -= n) {
        n = len < most ? len : most;
        at = pace_line(&w->pace, mf_now(), n);
        if (net->rate > 0 && (rc = mf_sleep_until(mf_at(at))) < 0)
            return rc;
        if ((rc = mf_write_all(w->to, data, n, MF_NEVER)) < 0)
            return rc;
    }
    return 0;
}

/* 1: the way has come to its end by --reset-after. */
static int pass_chunk(struct way *w, const struct chunk *c)
{
    size_t len;
    int rc;

    if ((rc = mf_sleep_until(mf_at(c->due))) < 0)
        return rc;
    len = allowed(w, c->len);
    if ((rc = pass_bytes(w, c->data, len)) < 0)
        return rc;
    return len < c->len;
}

static int pass(void *arg)
{
    struct way *w = arg;
    struct chunk *c;
    int rc;

    while ((rc = mf_chan_recv(w->chunks, &c, MF_NEVER)) == 1) {
        rc = pass_chunk(w, c);
        free(c);
        if (rc < 0)
            return rc;
        if (rc > 0) {
            if (!w->conn->net->half_close)
                return -ECONNRESET;
            mf_chan_close(w->chunks); /* take() drops the rest */
            break;
        }
    }
    if (rc < 0)
        return rc;
    rc = mf_shutdown(w->to, SHUT_WR);
    return rc == -ENOTCONN ? -ECONNRESET : rc; /* a reset came first */
}

static int relay_ways(struct way *ways)
{
    mf_scope scope;
    int rc;

    if ((rc = mf_scope_open(&scope, NULL)) < 0)
        return rc;
    for (int i = 0; i < 2; i++) {
        mf_go(&scope, take, &ways[i]); /* what fails fails the scope */
        mf_go(&scope, pass, &ways[i]);
    }
    return mf_scope_close(&scope);
}

static int relay_conn(struct conn *c)
{
    static _Atomic uint64_t nr_ways;
    struct way ways[2] = {
        {.conn = c, .from = c->client, .to = c->target, .ends = 1},
        {.conn = c, .from = c->target, .to = c->client},
    };
    int rc = 0;

    for (int i = 0; i < 2 && rc == 0; i++) {
        pace_init(&ways[i].pace, c->net, atomic_fetch_add(&nr_ways, 1));
        rc = mf_chan_make(sizeof(struct chunk *), CHUNKS,
                          MF_CHAN_OPTIONS(.drop = drop_chunk), &ways[i].chunks);
        /* Else the last byte of a write waits for an acknowledgement. */
        mf_sockopt_set(ways[i].to, MF_SO_NODELAY, 1);
    }
    if (rc == 0)
        rc = relay_ways(ways);
    for (int i = 0; i < 2; i++)
        if (ways[i].chunks != NULL)
            mf_chan_unref(ways[i].chunks);
    return rc;
}

static int conn(int fd, void *arg)
{
    struct conn c = {.net = arg, .client = fd};
    int rc;

    c.target = mf_tcp_connect(c.net->target, NULL, mf_after(MF_SEC(10)));
    if (c.target < 0) {
        rc = c.target;
        if (rc != -ECANCELED)
            fprintf(stderr, "badnet: %s\n", mf_explain(rc));
    } else {
        rc = relay_conn(&c);
    }
    if (rc < 0) { /* what comes now is a reset, not an end */
        mf_sockopt_set(fd, MF_SO_LINGER, 0);
        if (c.target >= 0)
            mf_sockopt_set(c.target, MF_SO_LINGER, 0);
    }
    if (c.target >= 0)
        mf_close(c.target);
    mf_close(fd);
    return rc;
}

int relay_tcp(struct badnet *net, int listener)
{
    int rc = mf_serve(listener, conn, net,
                      MF_SERVE_OPTIONS(.stop = &net->stop, .drain = 1));

    return rc == -ETIMEDOUT ? 0 : rc; /* those under way were cut off */
}
