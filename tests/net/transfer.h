/* SPDX-License-Identifier: MIT */
/*
 * transfer.h - a connection from A to B that carries a stream each way at once.
 *
 * A stream's bytes depend on where they stand in it: one that is lost, doubled
 * or out of place makes all that follow wrong.
 */
#ifndef MFI_TESTS_TRANSFER_H
#define MFI_TESTS_TRANSFER_H

#include "net/netns.h"

enum { TRANSFER_BUF = 16384 };

struct stream {
    int from, to;
    unsigned seed;
    _Atomic int *done;
    _Atomic int64_t sent, got;
};

struct transfer {
    const struct net *net;
    struct pair pair;
    struct stream ways[2];
    _Atomic int done;
    mf_scope scope;
};

KIT void fill(char *buf, size_t len, unsigned seed, int64_t at)
{
    for (size_t i = 0; i < len; i++, at++)
        buf[i] = (char)(((uint64_t)at * 2654435761u + seed) >> 11);
}

/* Until it is told to stop; then its end. */
KIT int send_stream(void *arg)
{
    struct stream *s = arg;
    char buf[TRANSFER_BUF];

    while (!mfi_load_acq(s->done)) {
        fill(buf, sizeof buf, s->seed, s->sent);
        EXPECT_EQ(mf_write_all(s->to, buf, sizeof buf, late()), 0);
        mfi_store_rel(&s->sent, s->sent + TRANSFER_BUF);
    }
    EXPECT_EQ(mf_shutdown(s->to, SHUT_WR), 0);
    return 0;
}

KIT int check_stream(void *arg)
{
    struct stream *s = arg;
    char buf[TRANSFER_BUF], want[TRANSFER_BUF];
    int n;

    while ((n = mf_read(s->from, buf, sizeof buf, late())) > 0) {
        fill(want, (size_t)n, s->seed, s->got);
        EXPECT_EQ(memcmp(buf, want, (size_t)n), 0);
        mfi_store_rel(&s->got, s->got + n);
    }
    EXPECT_EQ(n, 0);
    return 0;
}

KIT void transfer_begin(struct transfer *t, const struct net *net)
{
    memset(t, 0, sizeof *t);
    t->net = net;
    net_pair(net, &t->pair);
    EXPECT_EQ(mf_scope_open(&t->scope, NULL), 0);
    for (int i = 0; i < 2; i++) {
        struct stream *s = &t->ways[i];

        s->from = i ? t->pair.w : t->pair.r;
        s->to = i ? t->pair.r : t->pair.w;
        s->seed = 77u * (unsigned)i;
        s->done = &t->done;
        EXPECT_EQ(mf_go(&t->scope, send_stream, s), 0);
        EXPECT_EQ(mf_go(&t->scope, check_stream, s), 0);
    }
}

/* Until each way has moved so many more bytes. */
KIT void transfer_more(struct transfer *t, int64_t bytes)
{
    mf_deadline end = late();

    for (int i = 0; i < 2; i++) {
        int64_t want = mfi_load_acq(&t->ways[i].got) + bytes;

        while (mfi_load_acq(&t->ways[i].got) < want) {
            EXPECT_LT(mf_now(), end.at);
            EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
        }
    }
}

KIT void transfer_end(struct transfer *t)
{
    mfi_store_rel(&t->done, 1);
    EXPECT_EQ(mf_scope_close(&t->scope), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(t->ways[i].got, t->ways[i].sent);
    close_pair(&t->pair);
}

/* fn in a network of its own. */
KIT void in_net(mf_fn *fn)
{
    struct net net;

    net_up(&net);
    in_tasks(2, fn, &net);
}

#endif
