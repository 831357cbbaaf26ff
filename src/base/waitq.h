/* SPDX-License-Identifier: MIT */
/*
 * waitq.h - who waits on one object, first come first: one pointer.
 *
 * A ring of waiter links without a head; the object holds its first. Zeroed is
 * empty. All of it under the object's lock. A waiter that is in no queue has a
 * NULL link, whoever took it out.
 */
#ifndef MFI_BASE_WAITQ_H
#define MFI_BASE_WAITQ_H

#include "base/waiter.h"

struct waitq {
    struct list *first;
};

static inline void mfi_waitq_add(struct waitq *q, struct waiter *w)
{
    if (q->first == NULL) {
        mfi_list_init(&w->link);
        q->first = &w->link;
    } else {
        mfi_list_add_tail(q->first, &w->link);
    }
}

/* Take w out, if it is still in. */
static inline void mfi_waitq_del(struct waitq *q, struct waiter *w)
{
    if (!mfi_list_linked(&w->link))
        return;
    if (w->link.next == &w->link)
        q->first = NULL;
    else if (q->first == &w->link)
        q->first = w->link.next;
    mfi_list_del_init(&w->link);
}

/* Claim the first whose wait is not over; the rest stay. False: nobody. */
static inline bool mfi_waitq_wake_one(struct waitq *q, struct wake_list *woken)
{
    while (q->first != NULL) {
        struct waiter *w = mfi_container_of(q->first, struct waiter, link);
        struct parker *p = w->parker; /* after the claim, w may be gone */

        mfi_waitq_del(q, w);
        if (mfi_parker_wake(p, WOKEN_READY, woken))
            return true;
    }
    return false;
}

static inline void mfi_waitq_wake_all(struct waitq *q, struct wake_list *woken)
{
    while (mfi_waitq_wake_one(q, woken))
        ;
}

#endif
