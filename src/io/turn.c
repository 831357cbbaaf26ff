/* SPDX-License-Identifier: MIT */
/*
 * turn.c - the table drawn in turn.h.
 *
 * Invariants, under a bucket's lock
 *   1. of the entries of one name in its list, at most one has the turn, and
 *      it is the first
 *   2. if there are entries of a name, one has the turn, or its wait was
 *      claimed by another (deadline, cancel) and it is about to unlink itself;
 *      then nobody waits behind it, or somebody has the turn
 * who passes claims the first whose wait is not over, and marks it while it
 * still holds the lock: who was claimed early (waiter.h) takes the lock once
 * before it goes on. Those passed over stay linked and unlink themselves: they
 * are not before the one that has it, in the sense of 1, as they never will.
 * Rank: a bucket's lock, then nothing.
 */
#include "io/turn.h"

enum { BUCKETS_SHIFT = 6, BUCKETS = 1 << BUCKETS_SHIFT };

struct bucket {
    _Alignas(MFI_CACHE_LINE) struct spin lock;
    struct list *first; /* a ring; NULL: nobody */
};

static struct bucket buckets[BUCKETS];

static struct bucket *bucket_of(uintptr_t name)
{
    uint64_t hash = name * UINT64_C(0x9e3779b97f4a7c15);

    return &buckets[hash >> (64 - BUCKETS_SHIFT)];
}

static void add_locked(struct bucket *b, struct turn *t)
{
    if (b->first == NULL) {
        mfi_list_init(&t->link);
        b->first = &t->link;
    } else {
        mfi_list_add_tail(b->first, &t->link);
    }
}

static void del_locked(struct bucket *b, struct turn *t)
{
    if (t->link.next == &t->link)
        b->first = NULL;
    else if (b->first == &t->link)
        b->first = t->link.next;
    mfi_list_del_init(&t->link);
}

static struct turn *next_locked(struct bucket *b, struct turn *t)
{
    return t->link.next == b->first
               ? NULL
               : mfi_container_of(t->link.next, struct turn, link);
}

static struct turn *first_locked(struct bucket *b)
{
    return b->first == NULL ? NULL
                            : mfi_container_of(b->first, struct turn, link);
}

static bool taken_locked(struct bucket *b, uintptr_t name)
{
    struct turn *t = first_locked(b);

    while (t != NULL && !(t->has && t->name == name))
        t = next_locked(b, t);
    return t != NULL;
}

int mfi_turn_try(struct turn *t, uintptr_t name)
{
    struct bucket *b = bucket_of(name);
    bool taken;

    *t = (struct turn){.name = name, .has = true};
    mfi_spin_lock(&b->lock);
    taken = taken_locked(b, name);
    if (!taken)
        add_locked(b, t);
    mfi_spin_unlock(&b->lock);
    return taken ? -EBUSY : 0;
}

int mfi_turn_take(struct turn *t, uintptr_t name, struct agent *a, mf_ns at,
                  const char *what)
{
    struct bucket *b = bucket_of(name);
    bool has; /* t->has is not to be looked at unlocked while others may pass */
    int rc;

    for (;;) {
        *t = (struct turn){.name = name, .parker = &a->parker};
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        mfi_spin_lock(&b->lock);
        has = t->has = !taken_locked(b, name);
        if (!has && at <= 1) {
            mfi_spin_unlock(&b->lock);
            return -ETIMEDOUT;
        }
        if (!has)
            mfi_park_arm(a);
        add_locked(b, t);
        mfi_spin_unlock(&b->lock);
        if (has)
            return 0;
        rc = mfi_wait(a, at, what);
        if (rc == 0) {
            mfi_sync_settle(a, &b->lock);
            return 0;
        }
        mfi_spin_lock(&b->lock);
        del_locked(b, t);
        mfi_spin_unlock(&b->lock);
        if (rc < 0)
            return rc;
    }
}

void mfi_turn_pass(struct turn *t)
{
    struct bucket *b = bucket_of(t->name);
    struct wake_list woken;
    struct turn *next;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&b->lock);
    del_locked(b, t);
    next = first_locked(b);
    while (next != NULL &&
           (next->name != t->name ||
            !mfi_parker_wake(next->parker, WOKEN_READY, &woken)))
        next = next_locked(b, next);
    if (next != NULL)
        next->has = true;
    mfi_spin_unlock(&b->lock);
    mfi_wake(&woken);
}
