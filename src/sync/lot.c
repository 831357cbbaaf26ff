/* SPDX-License-Identifier: MIT */
/* lot.c - the table, and the queues within a place. See lot.h. */
#include "sync/lot.h"

enum { PLACES_LOG2 = 9 }; /* 32 KiB; pages nobody needs are not there */

static struct lot places[1 << PLACES_LOG2];

/* Knuth, TAOCP 6.4: multiply by 2^64 / phi, take the upper bits. */
struct lot *mfi_lot(const void *key)
{
    uint64_t hash = (uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15);

    return &places[hash >> (64 - PLACES_LOG2)];
}

/* What points to the first waiter of key, or to the NULL after all of them. */
static struct lot_waiter **find(struct lot *l, const void *key)
{
    struct lot_waiter **at = &l->first;

    while (*at != NULL && (*at)->key != key)
        at = &(*at)->next_key;
    return at;
}

static struct lot_waiter *waiter_of(struct list *link)
{
    return mfi_container_of(mfi_container_of(link, struct waiter, link),
                            struct lot_waiter, s.w);
}

/* q, which *at carried until now, has changed: its first shall carry it. */
static void carry(struct lot_waiter **at, struct waitq q)
{
    struct lot_waiter *next_key = (*at)->next_key;

    if (q.first == NULL) {
        *at = next_key;
        return;
    }
    *at = waiter_of(q.first);
    (*at)->q = q;
    (*at)->next_key = next_key;
}

void mfi_lot_add(struct lot *l, struct lot_waiter *w, bool front)
{
    struct lot_waiter **at = find(l, w->key);
    struct waitq q = {NULL};

    mfi_assert_debug(mfi_spin_held(&l->lock));
    if (*at == NULL) {
        *at = w;
        w->next_key = NULL;
    } else {
        q = (*at)->q;
    }
    mfi_waitq_add(&q, &w->s.w);
    if (front)
        q.first = &w->s.w.link; /* a ring: before the first is after the last */
    carry(at, q);
}

void mfi_lot_del(struct lot *l, struct lot_waiter *w)
{
    struct lot_waiter **at;
    struct waitq q;

    mfi_assert_debug(mfi_spin_held(&l->lock));
    if (!mfi_list_linked(&w->s.w.link))
        return;
    at = find(l, w->key);
    q = (*at)->q;
    mfi_waitq_del(&q, &w->s.w);
    carry(at, q);
}

bool mfi_lot_empty(struct lot *l, const void *key)
{
    return *find(l, key) == NULL;
}

struct lot_waiter *mfi_lot_claim(struct lot *l, const void *key,
                                 struct wake_list *woken)
{
    struct lot_waiter **at = find(l, key);
    struct sync_waiter *s;
    struct waitq q;

    mfi_assert_debug(mfi_spin_held(&l->lock));
    if (*at == NULL)
        return NULL;
    q = (*at)->q;
    s = mfi_sync_claim(&q, woken);
    carry(at, q); /* those who left lie still: they need our lock to go on */
    return s == NULL ? NULL : mfi_container_of(s, struct lot_waiter, s);
}
