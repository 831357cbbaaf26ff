/* SPDX-License-Identifier: MIT */
/* sem.c - mf_sem: states and invariants are in sem.h. */
#include "sync/sem.h"

#include "base/time.h"

bool mfi_sem_take_locked(struct sem *s)
{
    uint32_t seen = mfi_load_rlx(&s->value);

    while ((seen & SEM_WAITERS) == 0) {
        uint32_t to = seen == 0 ? SEM_WAITERS : seen - 1;

        if (mfi_cas_acqrel(&s->value, &seen, to))
            return seen != 0;
    }
    return false;
}

int mfi_sem_wait(struct sem *s, mf_deadline deadline, const char *what)
{
    struct agent *a = mfi_agent();
    struct sync_waiter me;
    bool taken;
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
        taken = mfi_sem_take_locked(s);
        if (!taken)
            mfi_waitq_add(&s->waiters, &me.w);
        mfi_spin_unlock(&s->lock);
        if (taken) {
            mfi_park_disarm(a);
            return 0;
        }
        rc = mfi_wait(a, mfi_time_of(deadline), what);
        if (rc == 0) {
            mfi_sync_settle(a, &s->lock);
            return 0; /* handed to us */
        }
        mfi_spin_lock(&s->lock);
        mfi_waitq_del(&s->waiters, &me.w);
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
    waited = s->waiters.first != NULL;
    if (!waited && (mfi_load_rlx(&s->value) & SEM_WAITERS) != 0)
        mfi_store_rlx(&s->value, 0u);
    if (waited) {
        while (n > 0 && (w = mfi_sync_claim(&s->waiters, &woken)) != NULL) {
            w->res = 0;
            w->won = true;
            n--;
        }
        if (s->waiters.first == NULL)
            mfi_store_rel(&s->value, n);
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
