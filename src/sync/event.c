/* SPDX-License-Identifier: MIT */
/*
 * event.c - mf_event: a latch in two words.
 *
 *   lock, fired | first waiter
 *
 * fired is stored with release under the lock and looked at with acquire, so a
 * wait after the event costs two loads: the second is of the lock, which who
 * fired it may still hold. The waiters are woken from a list of claimed
 * parkers. So once a wait has returned nobody touches the event, and it may be
 * freed.
 */
#include "sync/event.h"

#include "base/time.h"

void mf_event_fire(mf_event *event)
{
    struct event *e = mfi_event(event);
    struct wake_list woken;

    if (e == NULL)
        return;
    mfi_wake_list_init(&woken);
    mfi_spin_lock(&e->lock);
    mfi_store_rel(&e->fired, 1u);
    mfi_waitq_wake_all(&e->waiters, &woken);
    mfi_spin_unlock(&e->lock);
    mfi_wake(&woken);
}

/* It has fired. Who fired it may still be inside: then until it has left. */
static int passed(struct event *e)
{
    if (mfi_unlikely(mfi_spin_held(&e->lock))) {
        mfi_spin_lock(&e->lock);
        mfi_spin_unlock(&e->lock);
    }
    return 0;
}

int mf_event_wait(mf_event *event, mf_deadline deadline)
{
    struct event *e = mfi_event(event);
    struct agent *a;
    struct waiter me;
    int rc;

    if (e == NULL)
        return -EINVAL;
    if ((a = mfi_agent()) == NULL)
        return -ENOMEM;
    me.parker = &a->parker;
    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        if (mfi_load_acq(&e->fired) != 0)
            return passed(e);
        if (mfi_is_try(deadline))
            return -ETIMEDOUT;
        mfi_spin_lock(&e->lock);
        if (mfi_load_rlx(&e->fired) != 0) {
            mfi_spin_unlock(&e->lock);
            return 0;
        }
        mfi_park_arm(a);
        mfi_waitq_add(&e->waiters, &me);
        mfi_spin_unlock(&e->lock);
        rc = mfi_wait(a, mfi_time_of(deadline), "an event");
        if (rc == 0)
            continue; /* fired, but for the cancel point */
        mfi_spin_lock(&e->lock);
        mfi_waitq_del(&e->waiters, &me);
        mfi_spin_unlock(&e->lock);
        if (rc < 0)
            return rc;
    }
}
