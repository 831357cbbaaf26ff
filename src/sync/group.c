/* SPDX-License-Identifier: MIT */
/*
 * group.c - mf_wait_group: a count, and who waits for it to be zero.
 *
 *   lock | count | first waiter
 *
 * The count changes by CAS, and that is then the last touch; only to zero it
 * goes under the lock, since there may be somebody to wake. So whoever sees it
 * at zero and the lock free knows that nobody is inside any more: the lock was
 * taken before the zero was stored, and a look that saw the zero (acquire)
 * cannot see the lock as it was before. A waiter that was woken early takes the
 * lock once (mfi_sync_settle); one whose claim was lost takes it to leave.
 *
 * Who is out of the queue was there when the count was zero, whoever claimed
 * its parker: a wait that was woken to look again has been let through, even if
 * the count has gone up again since.
 */
#include <mayfly/sync.h>

#include "base/time.h"
#include "sync/wait.h"

struct group {
    struct spin lock;
    _Atomic uint32_t count;
    struct waitq waiters;
};
_Static_assert(sizeof(struct group) <= sizeof(mf_wait_group), "fits");

static struct group *inside(mf_wait_group *g)
{
    return (struct group *)(void *)g;
}

/* Add n. 1: that makes zero, and was done only if `zero` says so; or < 0. */
static int change(struct group *g, int n, bool zero)
{
    uint32_t seen = mfi_load_rlx(&g->count);
    int64_t to;

    do {
        to = (int64_t)seen + n;
        if (to < 0)
            return -EINVAL;
        if (to > INT32_MAX)
            return -EOVERFLOW;
        if (to == 0 && !zero)
            return 1;
    } while (!mfi_cas_acqrel(&g->count, &seen, (uint32_t)to));
    return to == 0;
}

/* Add n, which looked as if it made zero. */
static int change_locked(struct group *g, int n, struct wake_list *woken)
{
    int rc = change(g, n, true);

    if (rc == 1)
        mfi_waitq_wake_all(&g->waiters, woken);
    return rc < 0 ? rc : 0;
}

int mf_wait_group_add(mf_wait_group *group, int n)
{
    struct group *g = inside(group);
    struct wake_list woken;
    int rc;

    if (g == NULL)
        return -EINVAL;
    if (n == 0 || (rc = change(g, n, false)) == 0)
        return 0;
    if (rc < 0)
        return rc;
    mfi_wake_list_init(&woken);
    mfi_spin_lock(&g->lock);
    rc = change_locked(g, n, &woken);
    mfi_spin_unlock(&g->lock);
    mfi_wake(&woken);
    return rc;
}

int mf_wait_group_done(mf_wait_group *g)
{
    return mf_wait_group_add(g, -1);
}

/* Is the count zero, and nobody inside who made it so? */
static bool zero(struct group *g)
{
    if (mfi_load_acq(&g->count) != 0)
        return false;
    if (mfi_unlikely(mfi_load_acq(&g->lock.word) != 0)) {
        mfi_spin_lock(&g->lock);
        mfi_spin_unlock(&g->lock);
    }
    return true;
}

/* Wait for zero, or take back what was linked. 1: look again. */
static int wait_linked(struct group *g, struct agent *a, struct waiter *me,
                       mf_ns at)
{
    int rc = mfi_wait(a, at, "a wait group");
    bool linked;

    if (rc == 0) {
        mfi_sync_settle(a, &g->lock);
        return 0;
    }
    mfi_spin_lock(&g->lock);
    linked = mfi_list_linked(&me->link);
    mfi_waitq_del(&g->waiters, me);
    mfi_spin_unlock(&g->lock);
    return rc == 1 && !linked ? 0 : rc;
}

int mf_wait_group_wait(mf_wait_group *group, mf_deadline deadline)
{
    struct group *g = inside(group);
    struct agent *a;
    struct waiter me;
    int rc;

    if (g == NULL)
        return -EINVAL;
    if ((a = mfi_agent()) == NULL)
        return -ENOMEM;
    me.parker = &a->parker;
    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        if (zero(g))
            return 0;
        if (mfi_is_try(deadline)) {
            mfi_budget(a);
            return -ETIMEDOUT;
        }
        mfi_park_arm_early(a);
        mfi_spin_lock(&g->lock);
        if (mfi_load_acq(&g->count) == 0) {
            mfi_spin_unlock(&g->lock);
            mfi_park_disarm(a);
            return 0;
        }
        mfi_waitq_add(&g->waiters, &me);
        mfi_spin_unlock(&g->lock);
        if ((rc = wait_linked(g, a, &me, mfi_time_of(deadline))) != 1)
            return rc;
    }
}
