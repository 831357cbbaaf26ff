/* SPDX-License-Identifier: MIT */
/* streams.h - what the tests of streams share: pairs of every kind. */
#ifndef MFI_TESTS_STREAMS_H
#define MFI_TESTS_STREAMS_H

#include "io/kit.h"
#include "stream/stream.h"

enum stream_kind { OVER_TCP, OVER_UNIX, IN_MEMORY, THROUGH_TEE, STREAM_KINDS };

struct two {
    mf_stream *a;
    mf_stream *b;
    mf_stream *copy[2]; /* of what a reads; NULL but for THROUGH_TEE */
};

/* What one end writes the other reads. */
KIT struct two make_two(enum stream_kind kind)
{
    struct two t = {0};
    mf_stream *ends[2];
    struct pair p;

    if (kind == OVER_TCP || kind == OVER_UNIX) {
        p = make_pair(kind == OVER_TCP ? PAIR_TCP4 : PAIR_UNIX);
        EXPECT_EQ(mf_stream_fd(p.r, &t.a), 0);
        EXPECT_EQ(mf_stream_fd(p.w, &t.b), 0);
        return t;
    }
    EXPECT_EQ(mf_stream_pair(1000, ends), 0);
    t.a = ends[0];
    t.b = ends[1];
    if (kind == THROUGH_TEE) {
        EXPECT_EQ(mf_stream_pair(1 << 20, t.copy), 0);
        EXPECT_EQ(mf_stream_tee(ends[0], t.copy[0], &t.a), 0);
    }
    return t;
}

KIT void end_two(struct two *t)
{
    EXPECT_EQ(mf_stream_close(t->a, late()), 0);
    EXPECT_EQ(mf_stream_close(t->b, late()), 0);
    EXPECT_EQ(mf_stream_close(t->copy[0], late()), 0);
    EXPECT_EQ(mf_stream_close(t->copy[1], late()), 0);
}

KIT void say(mf_stream *s, const char *text)
{
    EXPECT_EQ(mf_stream_write_all(s, text, strlen(text), late()), 0);
}

/* Exactly that is read next, in however many pieces. */
KIT void hear(mf_stream *s, const char *text)
{
    size_t len = strlen(text), done = 0;
    char buf[256];

    EXPECT_LE(len, sizeof buf);
    while (done < len) {
        int n = mf_stream_read(s, buf + done, len - done, late());

        EXPECT_GT(n, 0);
        done += (size_t)n;
    }
    EXPECT_EQ(memcmp(buf, text, len), 0);
}

KIT void hear_end(mf_stream *s)
{
    char c;

    EXPECT_EQ(mf_stream_read(s, &c, 1, late()), 0);
}

KIT void hear_nothing(mf_stream *s)
{
    char c;

    EXPECT_EQ(mf_stream_read(s, &c, 1, MF_NOW), -ETIMEDOUT);
}

/* fn for each kind of pair, in tasks and in a thread. */
struct of_kind {
    void (*fn)(struct two *t, enum stream_kind kind);
};

KIT int of_each_kind(void *arg)
{
    struct of_kind *o = arg;

    for (int k = 0; k < STREAM_KINDS; k++) {
        struct two t = make_two((enum stream_kind)k);

        o->fn(&t, (enum stream_kind)k);
        end_two(&t);
    }
    return 0;
}

KIT void with_each_kind(void (*fn)(struct two *t, enum stream_kind kind))
{
    struct of_kind o = {fn};

    in_both(of_each_kind, &o);
}

#endif
