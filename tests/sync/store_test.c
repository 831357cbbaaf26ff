/* SPDX-License-Identifier: MIT */
/* store_test.c - blocks come and go, the ring goes round, nothing is kept. */
#include "sync/chan.h"

#include "io/kit.h"

static struct chan_after after;

static mf_chan *make(size_t size, size_t capacity)
{
    mf_chan *c = NULL;

    EXPECT_EQ(mf_chan_make(size, capacity, NULL, &c), 0);
    mfi_chan_after_init(&after);
    return c;
}

/* Nobody else has it: the lock is left alone. */
static void push(mf_chan *c, uint64_t v)
{
    int rc;

    while ((rc = mfi_store_room(c)) == CHAN_GROW)
        EXPECT_EQ(mfi_chan_grow(c), 0);
    EXPECT_EQ(rc, 0);
    mfi_store_push(c, &v);
}

static void pop(mf_chan *c, uint64_t v)
{
    uint64_t got = ~v;

    mfi_store_pop(c, &got, &after);
    EXPECT_EQ(got, v);
}

static size_t blocks_of(const mf_chan *c)
{
    size_t n = c->spare != NULL;

    for (const struct chan_block *b = c->first; b != NULL; b = b->next)
        n++;
    return n;
}

MFI_TEST(an_idle_channel_is_small)
{
    mf_chan *c = make(8, MF_UNBOUNDED);

    EXPECT_LE(sizeof *c, 128);
    EXPECT_EQ(blocks_of(c), 0); /* no block before it is needed */
    mf_chan_unref(c);
}

MFI_TEST(the_ring_goes_round)
{
    mf_chan *c = make(8, 5);
    uint64_t in = 0, out = 0;

    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < round % 6; i++)
            push(c, in++);
        EXPECT_EQ(mfi_store_room(c), c->count == 5 ? -EAGAIN : 0);
        while (c->count > 0)
            pop(c, out++);
    }
    EXPECT_EQ(in, out);
    mf_chan_unref(c);
}

MFI_TEST(blocks_are_used_again_and_given_back)
{
    mf_chan *c = make(8, MF_UNBOUNDED);
    uint64_t in = 0, out = 0;
    size_t most;

    for (int i = 0; i < 10000; i++)
        push(c, in++);
    most = blocks_of(c);
    EXPECT_GE(most, 10000 / c->block_len);
    while (c->count > 0)
        pop(c, out++);
    EXPECT_EQ(in, out);
    EXPECT_LE(blocks_of(c), 2); /* the one at work, a spare for the next */
    EXPECT(after.dead != NULL); /* the others, after the unlock */
    mfi_chan_after(&after);
    mfi_chan_after_init(&after);
    /* A steady stream needs no more, and no allocation. */
    for (int i = 0; i < 10000; i++) {
        push(c, in++);
        pop(c, out++);
        EXPECT_LE(blocks_of(c), 2);
        EXPECT(after.dead == NULL);
    }
    mf_chan_unref(c);
}

MFI_TEST(a_block_of_big_elements_holds_one)
{
    mf_chan *c = make(1 << 20, MF_UNBOUNDED), *d = make(0, MF_UNBOUNDED);

    EXPECT_EQ(c->block_len, 1);
    EXPECT_GE(d->block_len, 1000);
    mf_chan_unref(c);
    mf_chan_unref(d);
}
