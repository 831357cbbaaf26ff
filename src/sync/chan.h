/* SPDX-License-Identifier: MIT */
/*
 * chan.h - the inside of a channel, for chan.c, its store and select.
 *
 *   lock    everything but refs and what is constant
 *   store   a ring of `capacity` elements behind the struct, or, unbounded, a
 *           list of blocks; `count` elements are in it
 *
 * Invariants, at every unlock
 *   1. a receiver whose wait is not over is queued only if count is 0 and no
 *      such sender is queued; a sender only if count == capacity
 *   2. closed: nobody whose wait is not over is queued
 * So a send that meets a receiver hands over to it, past an empty store; and a
 * receive from a full store moves the first waiting sender's element in, behind
 * the others: first in, first out.
 */
#ifndef MFI_SYNC_CHAN_H
#define MFI_SYNC_CHAN_H

#include <mayfly/chan.h>

#include "sync/wait.h"

enum chan_flags { CHAN_CLOSED = 1, CHAN_UNBOUNDED = 2, CHAN_ONESHOT = 4 };

struct chan_block { /* of an unbounded store */
    struct chan_block *next;
    _Alignas(16) char elems[];
};

struct mf_chan {
    struct spin lock;
    uint32_t flags;
    uint32_t elem_size;
    uint32_t block_len; /* elements of a block */
    size_t capacity;
    size_t count;
    size_t head; /* where the oldest is, in the ring or in the first block */
    size_t tail; /* where the next goes, in the ring or in the last block */
    struct waitq receivers;
    struct waitq senders;
    union {
        char *ring;
        struct chan_block *first; /* the one `head` is in */
    };
    struct chan_block *last;  /* the one `tail` is in */
    struct chan_block *spare; /* an empty one, kept */
    void (*drop)(void *elem);
    const char *name;
    _Atomic uint32_t refs;
};
_Static_assert(sizeof(struct mf_chan) <= 128, "promised: an idle channel");
_Static_assert(sizeof(struct mf_chan) % 16 == 0, "the ring is aligned");

/* What one operation leaves to be done after the unlock. */
struct chan_after {
    struct wake_list woken;
    struct chan_block *dead; /* drained blocks, to be freed */
};

static inline void mfi_chan_after_init(struct chan_after *a)
{
    mfi_wake_list_init(&a->woken);
    a->dead = NULL;
}

void mfi_chan_free_blocks(struct chan_block *b);

/* After the unlock. */
static inline void mfi_chan_after(struct chan_after *a)
{
    mfi_wake(&a->woken);
    if (mfi_unlikely(a->dead != NULL))
        mfi_chan_free_blocks(a->dead);
}

enum { CHAN_GROW = INT32_MIN }; /* not an errno */

/*
 * One try, under the lock. 0; -EPIPE; -EAGAIN no room; CHAN_GROW: unbounded,
 * and a block is missing: unlock, mfi_chan_grow, try again.
 */
int mfi_chan_send_locked(struct mf_chan *c, const void *elem,
                         struct chan_after *after);

/* One try, under the lock. 1; 0 closed and drained; -EAGAIN. */
int mfi_chan_recv_locked(struct mf_chan *c, void *elem,
                         struct chan_after *after);

/* Not under the lock: put a block aside. 0, -ENOMEM. */
int mfi_chan_grow(struct mf_chan *c);

/* ---- the store (store.c), under the lock -------------------------------- */

void mfi_store_init(struct mf_chan *c); /* elem_size, capacity, flags are set */
/* Room for one? 0; -EAGAIN full; CHAN_GROW. */
int mfi_store_room(struct mf_chan *c);
void mfi_store_push(struct mf_chan *c, const void *elem); /* there is room */
void mfi_store_pop(struct mf_chan *c, void *elem, struct chan_after *after);
/* Drop all that is left and free the blocks. Nobody else has c. */
void mfi_store_done(struct mf_chan *c);

/* NOLINTBEGIN(clang-analyzer-unix.cstring.NullArg): checked by the callers */

/* Copy one element; the usual sizes without a call. */
static inline void mfi_chan_copy(const struct mf_chan *c, void *to,
                                 const void *from)
{
    switch (c->elem_size) {
    case 0:
        break;
    case 4:
        __builtin_memcpy(to, from, 4);
        break;
    case 8:
        __builtin_memcpy(to, from, 8);
        break;
    case 16:
        __builtin_memcpy(to, from, 16);
        break;
    default:
        __builtin_memcpy(to, from, c->elem_size);
        break;
    }
}

/* NOLINTEND(clang-analyzer-unix.cstring.NullArg) */

/* Under the lock; bounded, and there is room. */
static inline void mfi_store_put(struct mf_chan *c, const void *elem)
{
    size_t at = c->tail;

    c->tail = at + 1 == c->capacity ? 0 : at + 1;
    mfi_chan_copy(c, c->ring + at * c->elem_size, elem);
    c->count++;
}

/* Under the lock; bounded, and there is one. */
static inline void mfi_store_take(struct mf_chan *c, void *elem)
{
    size_t at = c->head;

    c->head = at + 1 == c->capacity ? 0 : at + 1;
    mfi_chan_copy(c, elem, c->ring + at * c->elem_size);
    c->count--;
}

/* Element i of an array of the user's, which may be NULL if they are empty. */
static inline void *mfi_chan_at(const struct mf_chan *c, void *elems, int i)
{
    return c->elem_size == 0 ? elems : (char *)elems + (size_t)i * c->elem_size;
}

#endif
