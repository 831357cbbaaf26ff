/* SPDX-License-Identifier: MIT */
/* sem.c - mf_sem: states and invariants are in sem.h. */
#include "sync/sem.h"

#include "base/time.h"

bool mfi_sem_queue_locked(struct sem *s, struct sync_waiter *w)
{
    uint32_t seen = mfi_load_rlx(&s->value);

    do {
        if ((seen & SEM_WAITERS) != 0)
            break;
        if (seen != 0)
            return false;
    } while (!mfi_cas_acqrel(&s->value, &seen, SEM_WAITERS));
    mfi_waitq_add(&s->waiters, &w->w);
    return true;
}

/* Invariant 1, after somebody has left: n is what is left of a give. */
static void flag_locked(struct sem *s, uint32_t n)
{
    if (s->waiters.first == NULL)
        mfi_store_rel(&s->value, n);
}

void mfi_sem_leave_locked(struct sem *s, struct sync_waiter *w)
{
    if (!mfi_list_linked(&w->w.link))
        return; /* passed over, and by the flag it is not ours to look at */
    mfi_waitq_del(&s->waiters, &w->w);
    flag_locked(s, 0);
}

int mfi_sem_wait(struct sem *s, mf_deadline deadline, const char *what)
{
    struct agent *a = mfi_agent();
    struct sync_waiter me;
    bool queued;
    int rc;

    if (a == NULL)
        return -ENOMEM;
    me.w.parker = &a->parker;
    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        if (mfi_sem_try(s))
            return 0;
        if (mfi_is_try(deadline)) {
            mfi_budget(a);
            return -ETIMEDOUT;
        }
        mfi_park_arm_early(a);
        mfi_spin_lock(&s->lock);
        queued = mfi_sem_queue_locked(s, &me);
        mfi_spin_unlock(&s->lock);
        if (!queued) {
            mfi_park_disarm(a);
            continue;
        }
        rc = mfi_wait(a, mfi_time_of(deadline), what);
        if (rc == 0) {
            mfi_sync_settle(a, &s->lock);
            return 0; /* handed to us */
        }
        mfi_spin_lock(&s->lock);
        mfi_sem_leave_locked(s, &me);
        mfi_spin_unlock(&s->lock);
        if (rc < 0)
            return rc;
    }
}

bool mfi_sem_hand(struct sem *s, uint32_t n)
{
    struct sync_waiter *w;
    struct wake_list woken;
    bool waited;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&s->lock);
    waited = (mfi_load_rlx(&s->value) & SEM_WAITERS) != 0;
    if (waited) {
        while (n > 0 && (w = mfi_sync_claim(&s->waiters, &woken)) != NULL) {
            w->res = 0;
            w->won = true;
            n--;
        }
        flag_locked(s, n);
    }
    mfi_spin_unlock(&s->lock);
    mfi_wake(&woken);
    return waited;
}

/* ---- the public calls ---------------------------------------------------- */

int mf_sem_wait(mf_sem *sem, mf_deadline deadline)
{
    if (sem == NULL)
        return -EINVAL;
    return mfi_sem_wait(mfi_sem(sem), deadline, "a semaphore");
}

int mf_sem_post(mf_sem *sem, int n)
{
    struct sem *s = mfi_sem(sem);
    uint32_t seen;

    if (s == NULL || n < 0)
        return -EINVAL;
    if (n == 0)
        return 0;
    seen = mfi_load_rlx(&s->value);
    for (;;) {
        if ((seen & SEM_WAITERS) != 0) {
            if (mfi_sem_hand(s, (uint32_t)n))
                return 0;
            seen = mfi_load_rlx(&s->value);
        } else if ((uint32_t)n > INT32_MAX - seen) {
            return -EOVERFLOW;
        } else if (mfi_cas_acqrel(&s->value, &seen, seen + (uint32_t)n)) {
            return 0;
        }
    }
}

int mf_sem_value(mf_sem *sem)
{
    uint32_t seen;

    if (sem == NULL)
        return -EINVAL;
    seen = mfi_load_acq(&mfi_sem(sem)->value);
    return (seen & SEM_WAITERS) != 0 ? 0 : (int)seen;
}
