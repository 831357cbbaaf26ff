/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - mf_barrier: the last of n to arrive lets the others go.
 *
 *   n, arrived | lock | first waiter
 *
 * Invariant, under the lock: arrived is the length of the queue. The last one
 * empties it, and that is the end of the generation: the next to come, even
 * one that went on from this, begins the next, so none needs a number.
 *
 * Who was in the queue then has passed, also when its deadline or a cancel had
 * claimed it already: it finds itself unlinked, and answers 0. The last one has
 * counted on it and cannot take the others' wake-ups back. So a cancel must not
 * be answered before it is known that the arrival was taken back: hence
 * mfi_wait_look, which leaves the notice for the cancel point.
 */
#include <mayfly/sync.h>

#include "base/time.h"
#include "sync/wait.h"

enum { LEADER = 1 };

struct barrier {
    uint32_t n; /* MF_BARRIER_INIT: the low half of word 0 */
    uint32_t arrived;
    struct spin lock;
    struct waitq waiters;
};
_Static_assert(sizeof(struct barrier) <= sizeof(mf_barrier), "fits");

static struct barrier *inside(mf_barrier *b)
{
    return (struct barrier *)(void *)b;
}

/* Under lock. Is the caller the last one? Then the others go. */
static bool last_locked(struct barrier *b, struct wake_list *woken)
{
    if (b->arrived + 1 != b->n)
        return false;
    b->arrived = 0;
    mfi_waitq_wake_all(&b->waiters, woken);
    return true;
}

/* The leader; or -EINPROGRESS: in the queue, the parker armed; -ETIMEDOUT. */
static int arrive(struct barrier *b, struct agent *a, struct waiter *me,
                  mf_deadline deadline)
{
    struct wake_list woken;
    int rc = -EINPROGRESS;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&b->lock);
    if (last_locked(b, &woken)) {
        rc = LEADER;
    } else if (mfi_is_try(deadline)) {
        rc = -ETIMEDOUT;
    } else {
        b->arrived++;
        mfi_park_arm(a);
        mfi_waitq_add(&b->waiters, me);
    }
    mfi_spin_unlock(&b->lock);
    mfi_wake(&woken);
    return rc;
}

/* Take the arrival back. False: too late, all have come. */
static bool withdraw(struct barrier *b, struct waiter *me)
{
    bool linked;

    mfi_spin_lock(&b->lock);
    linked = mfi_list_linked(&me->link);
    if (linked) {
        mfi_waitq_del(&b->waiters, me);
        b->arrived--;
    }
    mfi_spin_unlock(&b->lock);
    return linked;
}

int mf_barrier_wait(mf_barrier *barrier, mf_deadline deadline)
{
    struct barrier *b = inside(barrier);
    struct agent *a;
    struct waiter me;
    int rc;

    if (b == NULL || b->n == 0)
        return -EINVAL;
    if ((a = mfi_agent()) == NULL)
        return -ENOMEM;
    me.parker = &a->parker;
    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        rc = arrive(b, a, &me, deadline);
        if (rc == -ETIMEDOUT)
            mfi_budget(a); /* trying again and again */
        if (rc != -EINPROGRESS)
            return rc;
        rc = mfi_wait_look(a, mfi_time_of(deadline), "others at a barrier");
        if (rc == 0) {
            mfi_sync_settle(a, &b->lock);
            return 0;
        }
        if (!withdraw(b, &me))
            return 0;
        if (rc < 0)
            return rc;
    }
}
