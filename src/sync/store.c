/* SPDX-License-Identifier: MIT */
/*
 * store.c - what a channel has buffered: a ring, or a list of blocks.
 *
 * The ring is part of the channel's own allocation. An unbounded store grows by
 * blocks of about 4 KiB, so no element is ever moved and no send takes longer
 * than an allocation; the allocation itself happens outside the lock: a sender
 * that misses a block lets go, puts one aside as `spare`, and tries again. A
 * drained block becomes the spare; a second one is freed after the unlock.
 */
#include <stdlib.h>

#include "sync/chan.h"

enum { BLOCK_BYTES = 4096 - sizeof(struct chan_block) };

void mfi_store_init(struct mf_chan *c)
{
    uint32_t size = c->elem_size;

    if ((c->flags & CHAN_UNBOUNDED) == 0) {
        c->ring = (char *)(c + 1);
        return;
    }
    c->block_len = size <= 1             ? BLOCK_BYTES
                   : size >= BLOCK_BYTES ? 1
                                         : BLOCK_BYTES / size;
    c->tail = c->block_len; /* no block yet: as if the last were full */
}

int mfi_chan_grow(struct mf_chan *c)
{
    size_t len =
        sizeof(struct chan_block) + (size_t)c->block_len * c->elem_size;
    /* tidy: allow malloc, because an unbounded channel has no other bound */
    struct chan_block *b = malloc(len);

    if (b == NULL)
        return -ENOMEM;
    mfi_spin_lock(&c->lock);
    b->next = c->spare;
    c->spare = b;
    mfi_spin_unlock(&c->lock);
    return 0;
}

void mfi_chan_free_blocks(struct chan_block *b)
{
    while (b != NULL) {
        struct chan_block *next = b->next;

        /* tidy: allow malloc, because mfi_chan_grow made it */
        free(b);
        b = next;
    }
}

int mfi_store_room(struct mf_chan *c)
{
    if (mfi_likely((c->flags & CHAN_UNBOUNDED) == 0))
        return c->count < c->capacity ? 0 : -EAGAIN;
    return c->tail < c->block_len || c->spare != NULL ? 0 : CHAN_GROW;
}

/* The last block is full (or there is none): the spare is next. */
static void next_last(struct mf_chan *c)
{
    struct chan_block *b = c->spare;

    c->spare = b->next;
    b->next = NULL;
    if (c->first == NULL) {
        c->first = b;
        c->head = 0;
    } else {
        c->last->next = b;
    }
    c->last = b;
    c->tail = 0;
}

void mfi_store_push(struct mf_chan *c, const void *elem)
{
    size_t at;

    if (mfi_likely((c->flags & CHAN_UNBOUNDED) == 0)) {
        mfi_store_put(c, elem);
        return;
    }
    if (c->tail == c->block_len)
        next_last(c);
    at = c->tail++;
    mfi_chan_copy(c, c->last->elems + at * c->elem_size, elem);
    c->count++;
}

/* The first block is drained. */
static void next_first(struct mf_chan *c, struct chan_after *after)
{
    struct chan_block *b = c->first;

    c->head = 0;
    if (b == c->last) {
        c->tail = 0; /* and used again at once */
        return;
    }
    c->first = b->next;
    if (c->spare == NULL) {
        b->next = NULL;
        c->spare = b;
    } else {
        b->next = after->dead;
        after->dead = b;
    }
}

void mfi_store_pop(struct mf_chan *c, void *elem, struct chan_after *after)
{
    size_t at;

    if (mfi_likely((c->flags & CHAN_UNBOUNDED) == 0)) {
        mfi_store_take(c, elem);
        return;
    }
    at = c->head++;
    mfi_chan_copy(c, elem, c->first->elems + at * c->elem_size);
    c->count--;
    if (c->head == c->block_len)
        next_first(c, after);
}

/* The oldest, in place. */
static void *oldest(struct mf_chan *c)
{
    char *base = (c->flags & CHAN_UNBOUNDED) != 0 ? c->first->elems : c->ring;

    return base + c->head * c->elem_size;
}

void mfi_store_done(struct mf_chan *c)
{
    bool unbounded = (c->flags & CHAN_UNBOUNDED) != 0;

    for (; c->count > 0; c->count--) {
        if (c->drop != NULL)
            c->drop(oldest(c));
        c->head++;
        if (!unbounded && c->head == c->capacity) {
            c->head = 0;
        } else if (unbounded && c->head == c->block_len) {
            struct chan_block *b = c->first;

            c->first = b->next;
            b->next = NULL;
            mfi_chan_free_blocks(b);
            c->head = 0;
        }
    }
    if (unbounded)
        mfi_chan_free_blocks(c->first);
    mfi_chan_free_blocks(c->spare);
}
