/* SPDX-License-Identifier: MIT */
/*
 * cond.c - mf_cond: who waits for a signal, and who was passed over.
 *
 *   lock | next | waiting: first waiter | passed: first waiter
 *
 * A wait is queued before its mutex is unlocked: a signal given by who locks it
 * after that finds it. That order is also why one look at `any`, without the
 * lock, may tell a signal that nobody waits. It goes to the first whose parker
 * can be claimed. One that cannot is on its way out, its deadline or a cancel
 * having come first; or it was only woken to look (mfi_wait: 1), and will wait
 * on. Which of the two, only it can tell, so it is put into `passed`, still to
 * be found:
 *
 *              signal: claimed                    broadcast
 *   WAITING -------------------> (wait is 0)   any ----------> TOLD
 *     |   ^
 *     |   | woken to look only                 OWED: it has got a signal; if it
 *     v   |           signal, nobody waiting   has an error to tell instead, it
 *    PASSED ------------------------------> OWED    gives the signal again
 *
 * A signal is for those who waited when it was given, also when it is given
 * again: each wait has a number, and `waiting` is in their order. So no signal
 * is lost to who gave up, none to who did not, and none wakes two or one who
 * came later. A broadcast is never given again: everybody got it.
 *
 * Rejected: to leave those passed over in the queue; many who time out at once
 * would make each signal walk past them. To treat "woken to look" as a signal:
 * then a shield's limit would be a spurious wake-up.
 *
 * Each waiter knows its mutex by itself; waits with different ones are fine.
 * The unlock touches nothing of the waiter's parker, which is armed by then.
 */
#include <mayfly/sync.h>

#include "base/time.h"
#include "sync/mutex.h"
#include "sync/wait.h"

enum cond_place { WAITING, PASSED, OWED, TOLD };

struct cond {
    struct spin lock;
    _Atomic uint32_t any; /* one of the queues is not empty */
    uint64_t next;        /* number of the next wait; under lock, as these: */
    struct waitq waiting; /* of struct cond_waiter, by number */
    struct waitq passed;  /* in no order */
};
_Static_assert(sizeof(struct cond) <= sizeof(mf_cond), "fits");

struct cond_waiter {
    struct waiter w;
    uint64_t number;
    uint64_t owed_to;      /* OWED: the signal is for numbers below this */
    enum cond_place place; /* under lock, while the wait is on */
};

static struct cond *inside(mf_cond *c)
{
    return (struct cond *)(void *)c;
}

static void unlock(struct cond *c)
{
    mfi_store_rlx(&c->any, c->waiting.first != NULL || c->passed.first != NULL);
    mfi_spin_unlock(&c->lock);
}

static struct cond_waiter *waiter_of(struct list *link)
{
    return mfi_container_of(link, struct cond_waiter, w.link);
}

/* A signal for those with a number below `end`. */
static void give_locked(struct cond *c, uint64_t end, struct wake_list *woken)
{
    struct cond_waiter *w;

    while (c->waiting.first != NULL) {
        w = waiter_of(c->waiting.first);
        if (w->number >= end)
            break;
        mfi_waitq_del(&c->waiting, &w->w);
        if (mfi_parker_wake(w->w.parker, WOKEN_READY, woken))
            return;
        w->place = PASSED;
        mfi_waitq_add(&c->passed, &w->w);
    }
    if (c->passed.first == NULL)
        return;
    w = waiter_of(c->passed.first);
    while (w->number >= end) {
        w = waiter_of(w->w.link.next);
        if (&w->w.link == c->passed.first)
            return;
    }
    mfi_waitq_del(&c->passed, &w->w);
    w->place = OWED;
    w->owed_to = end;
}

static void signal_locked(struct cond *c, struct wake_list *woken)
{
    give_locked(c, c->next, woken);
}

static void broadcast_locked(struct cond *c, struct wake_list *woken)
{
    while (c->waiting.first != NULL) {
        struct cond_waiter *w = waiter_of(c->waiting.first);

        mfi_waitq_del(&c->waiting, &w->w);
        if (!mfi_parker_wake(w->w.parker, WOKEN_READY, woken))
            w->place = TOLD;
    }
    while (c->passed.first != NULL) {
        struct cond_waiter *w = waiter_of(c->passed.first);

        mfi_waitq_del(&c->passed, &w->w);
        w->place = TOLD;
    }
}

static int wake(mf_cond *cond,
                void (*how_locked)(struct cond *c, struct wake_list *woken))
{
    struct cond *c = inside(cond);
    struct wake_list woken;

    if (c == NULL)
        return -EINVAL;
    if (mfi_load_rlx(&c->any) == 0)
        return 0;
    mfi_wake_list_init(&woken);
    mfi_spin_lock(&c->lock);
    how_locked(c, &woken);
    unlock(c);
    mfi_wake(&woken);
    return 0;
}

int mf_cond_signal(mf_cond *c)
{
    return wake(c, signal_locked);
}

int mf_cond_broadcast(mf_cond *c)
{
    return wake(c, broadcast_locked);
}

/* Back to its place among the waiting: only a few can be before it. */
static void rejoin_locked(struct cond *c, struct cond_waiter *me)
{
    struct list *first = c->waiting.first, *at = first;

    me->place = WAITING;
    if (first == NULL) {
        mfi_waitq_add(&c->waiting, &me->w);
        return;
    }
    while (waiter_of(at)->number < me->number && (at = at->next) != first)
        ;
    mfi_list_add_tail(at, &me->w.link); /* before `at`, in a ring */
    if (me->number < waiter_of(first)->number)
        c->waiting.first = &me->w.link;
}

/*
 * Not by a signal, rc says: 1 or an error. 1: wait on, armed again; 0: there
 * was a signal, though; < 0: rc.
 */
static int not_signalled(struct cond *c, struct agent *a,
                         struct cond_waiter *me, int rc)
{
    struct wake_list woken;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&c->lock);
    switch (me->place) {
    case WAITING:
        if (rc < 0)
            mfi_waitq_del(&c->waiting, &me->w);
        break;
    case PASSED:
        mfi_waitq_del(&c->passed, &me->w);
        if (rc < 0)
            break;
        rejoin_locked(c, me);
        break;
    case OWED:
        if (rc < 0)
            give_locked(c, me->owed_to, &woken);
        else
            rc = 0;
        break;
    case TOLD:
        rc = rc < 0 ? rc : 0;
        break;
    }
    if (rc == 1)
        mfi_park_arm(a); /* linked, but to claim it takes the lock */
    unlock(c);
    mfi_wake(&woken);
    return rc;
}

/* The parker is armed, and me is linked. */
static int wait_linked(struct cond *c, struct agent *a, struct cond_waiter *me,
                       mf_ns at)
{
    int rc;

    do {
        rc = mfi_wait(a, at, "a signal of a condition");
        if (rc == 0)
            mfi_sync_settle(a, &c->lock);
        else
            rc = not_signalled(c, a, me, rc);
    } while (rc == 1);
    return rc;
}

int mf_cond_wait(mf_cond *cond, mf_mutex *m, mf_deadline deadline)
{
    struct cond *c = inside(cond);
    struct cond_waiter me;
    struct agent *a;
    int rc, died;

    if (c == NULL || m == NULL)
        return -EINVAL;
    if (!mfi_mutex_owned(m))
        return -EPERM;
    a = mfi_agent();
    if ((rc = mfi_cancel_point(a)) < 0)
        return rc;
    if (mfi_is_try(deadline))
        return -ETIMEDOUT;
    me.w.parker = &a->parker;
    me.place = WAITING;
    mfi_park_arm_early(a);
    mfi_spin_lock(&c->lock);
    me.number = c->next++;
    mfi_waitq_add(&c->waiting, &me.w);
    unlock(c);
    rc = mf_mutex_unlock(m);
    mfi_assert(rc == 0);
    rc = wait_linked(c, a, &me, mfi_time_of(deadline));
    died = mfi_mutex_relock(m);
    if (rc < 0 && died != 0)
        mfi_mutex_mark_died(m);
    return rc < 0 ? rc : died;
}
