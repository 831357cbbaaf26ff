/* SPDX-License-Identifier: MIT */
/*
 * wait.h - a wait that is handed something: a message, a permit, a lock.
 *
 * Such a waiter may be one of many of the same select. Whoever gives claims the
 * parker first, and only then, still under the object's lock, hands over and
 * sets `won`: so a waiter that lost has been given nothing. A plain wait knows
 * by mfi_wait's 0 that it was the one; if its claim was early (waiter.h), it
 * takes the lock once before it looks at what it was given.
 */
#ifndef MFI_SYNC_WAIT_H
#define MFI_SYNC_WAIT_H

#include "sched/park.h"

struct sync_waiter {
    struct waiter w;
    void *elem; /* channels: where the message is, or goes */
    int res;    /* what the plain call is to return; if won */
    bool won;
};

/* The first of q whose wait is not over, claimed and off the queue; or NULL. */
static inline struct sync_waiter *mfi_sync_claim(struct waitq *q,
                                                 struct wake_list *woken)
{
    while (q->first != NULL) {
        struct waiter *w = mfi_container_of(q->first, struct waiter, link);

        mfi_waitq_del(q, w);
        if (mfi_parker_wake(w->parker, WOKEN_READY, woken))
            return mfi_container_of(w, struct sync_waiter, w);
    }
    return NULL;
}

/* Its claimer may still be inside: wait until it has left. */
static inline void mfi_sync_settle(struct agent *a, struct spin *lock)
{
    if (mfi_unlikely(mfi_parker_early(&a->parker))) {
        mfi_spin_lock(lock);
        mfi_spin_unlock(lock);
    }
}

#endif
