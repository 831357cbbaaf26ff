/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - mf_rwlock: one state word, and a queue of readers and writers.
 *
 *   state   63      3    2     1      0
 *          | readers | DIED QUEUED WRITER |   lock | queue | writer | held
 *
 *   no one  --CAS--> one reader --CAS--> two readers ...
 *   no one  --CAS--> WRITER
 *
 *   QUEUED  the queue is not empty: nobody gets in but from its head
 *   DIED    the last writer ended while it had the lock. Every reader is told;
 *           the next writer is told too, and with it the bit goes.
 *
 * Invariants, whenever `lock` is free
 *   1. QUEUED if and only if the queue is not empty
 *   2. the head of the queue cannot be let in: there is a writer, or it is a
 *      writer and there are readers. So QUEUED means that somebody has the
 *      lock and will come by to give it back.
 *
 * Fairness. The queue is first come first served and nobody gets past it, so
 * neither side starves; readers that stand together at the head are let in
 * together. Who has the lock hands it over: it claims waiters (sync/wait.h) and
 * changes the state for them. Where the head leaves, out of time or cancelled,
 * it looks itself whether those behind it can go now.
 *
 * Who may change the state
 *   without QUEUED       anybody, by CAS
 *   QUEUED, not the last to give back     its holder, by CAS
 *   QUEUED, the last                      its holder, under `lock`
 *   QUEUED set, cleared; letting in       under `lock`
 * The last holder takes the spin lock *before* it gives back, and only where
 * there was a queue: those who are let in, or were passed over, take that lock
 * once before they return. So whoever knows that nobody else waits may free the
 * rwlock after its unlock.
 *
 * Orders: taking is acquire, giving back release. The locked paths load the
 * state with acquire, since they replace it by a store, which ends the release
 * sequence of the readers that have left.
 *
 * Rejected: barging, as the mutex does. With it a queue of readers is let in
 * one by one as they are scheduled, or all waiting readers overtake a writer.
 */
#include <mayfly/sync.h>

#include "base/time.h"
#include "sync/held.h"
#include "sync/wait.h"

#define WRITER UINT64_C(1)
#define QUEUED UINT64_C(2)
#define DIED   UINT64_C(4)
#define READER UINT64_C(8) /* one of them */

struct rwlock {
    _Atomic uint64_t state;
    struct spin lock;
    struct waitq queue;             /* of struct rw_waiter, under lock */
    _Atomic(struct agent *) writer; /* by itself; others compare only */
    struct held held;               /* the writer's */
};
_Static_assert(sizeof(struct rwlock) <= sizeof(mf_rwlock), "fits");

struct rw_waiter {
    struct sync_waiter s;
    bool writes;
};

static struct rwlock *inside(mf_rwlock *l)
{
    return (struct rwlock *)(void *)l;
}

/* ---- letting in ---------------------------------------------------------- */

/* Under lock: restore the invariants. */
static void admit_locked(struct rwlock *l, struct wake_list *woken)
{
    while (l->queue.first != NULL) {
        struct rw_waiter *w =
            mfi_container_of(l->queue.first, struct rw_waiter, s.w.link);
        uint64_t seen = mfi_load_acq(&l->state);

        if ((seen & WRITER) != 0 || (w->writes && seen >= READER))
            return;
        mfi_waitq_del(&l->queue, &w->s.w);
        if (!mfi_parker_wake(w->s.w.parker, WOKEN_READY, woken))
            continue;
        w->s.res = (seen & DIED) != 0 ? MF_OWNER_DIED : 0;
        w->s.won = true;
        if (w->writes)
            mfi_store_rel(&l->state, QUEUED | WRITER);
        else
            mfi_add_acqrel(&l->state, READER);
    }
    mfi_and_acqrel(&l->state, ~QUEUED);
}

/* ---- giving back --------------------------------------------------------- */

static bool is_last(uint64_t state, uint64_t what)
{
    return (state & QUEUED) != 0 && state >= what && state - what < READER;
}

/* Give back the last hold, of a lock that others wait for; false: it is not. */
static bool release_last(struct rwlock *l, uint64_t what, uint64_t died)
{
    struct wake_list woken;
    uint64_t seen;
    bool last;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&l->lock);
    seen = mfi_load_acq(&l->state);
    last = is_last(seen, what);
    if (last) {
        mfi_store_rel(&l->state, (seen - what) | died);
        admit_locked(l, &woken);
    }
    mfi_spin_unlock(&l->lock);
    mfi_wake(&woken);
    return last;
}

/* what: WRITER or READER. died: DIED or 0. -EPERM: there is no reader. */
static int release(struct rwlock *l, uint64_t what, uint64_t died)
{
    uint64_t seen = mfi_load_rlx(&l->state);

    for (;;) {
        if (what == READER && seen < READER)
            return -EPERM;
        if (is_last(seen, what)) {
            if (release_last(l, what, died))
                return 0;
            seen = mfi_load_rlx(&l->state);
        } else if (mfi_cas_acqrel(&l->state, &seen, (seen - what) | died)) {
            return 0;
        }
    }
}

static bool is_writer(struct rwlock *l, struct agent *a)
{
    return mfi_load_rlx(&l->writer) == a;
}

int mf_rwlock_unlock(mf_rwlock *rw)
{
    struct rwlock *l = inside(rw);
    struct agent *a;

    if (l == NULL)
        return -EINVAL;
    if ((a = mfi_agent()) == NULL)
        return -EPERM;
    if (!is_writer(l, a))
        return release(l, READER, 0);
    mfi_held_pop(a, &l->held);
    mfi_store_rlx(&l->writer, NULL);
    return release(l, WRITER, 0);
}

static bool died(struct agent *a, struct held *h)
{
    struct rwlock *l = mfi_container_of(h, struct rwlock, held);

    if (!is_writer(l, a))
        return false;
    mfi_store_rlx(&l->writer, NULL);
    release(l, WRITER, DIED);
    return true;
}

__attribute__((__constructor__)) static void hook(void)
{
    mfi_held_died[HELD_RWLOCK] = died;
}

/* ---- taking -------------------------------------------------------------- */

/* Can it be had as it is, past nobody? */
static bool is_free(uint64_t state, bool writes)
{
    return writes ? (state & ~DIED) == 0 : (state & (WRITER | QUEUED)) == 0;
}

/* Take it if it is free: 0, MF_OWNER_DIED; -EBUSY. */
static int take(struct rwlock *l, bool writes)
{
    uint64_t seen = mfi_load_rlx(&l->state);

    while (is_free(seen, writes))
        if (mfi_cas_acqrel(&l->state, &seen, writes ? WRITER : seen + READER))
            return (seen & DIED) != 0 ? MF_OWNER_DIED : 0;
    return -EBUSY;
}

/* It is ours; rc says what we were told. */
static int taken(struct rwlock *l, struct agent *a, bool writes, int rc)
{
    if (writes) {
        mfi_store_rlx(&l->writer, a);
        mfi_held_push(a, &l->held, HELD_RWLOCK);
    }
    return rc;
}

/* Queue, a's parker being armed; false: it has become free. */
static bool enqueue(struct rwlock *l, struct rw_waiter *w)
{
    uint64_t seen;
    bool queued;

    mfi_spin_lock(&l->lock);
    seen = mfi_load_rlx(&l->state);
    do {
        queued = !is_free(seen, w->writes);
    } while (queued && (seen & QUEUED) == 0 &&
             !mfi_cas_acqrel(&l->state, &seen, seen | QUEUED));
    if (queued)
        mfi_waitq_add(&l->queue, &w->s.w);
    mfi_spin_unlock(&l->lock);
    return queued;
}

/* The wait is over, and nobody let us in. */
static void dequeue(struct rwlock *l, struct rw_waiter *w)
{
    struct wake_list woken;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&l->lock);
    mfi_waitq_del(&l->queue, &w->s.w);
    admit_locked(l, &woken);
    mfi_spin_unlock(&l->lock);
    mfi_wake(&woken);
}

static int lock(struct rwlock *l, struct agent *a, bool writes,
                mf_deadline deadline)
{
    struct rw_waiter me;
    int rc;

    if (is_writer(l, a))
        return -EDEADLK;
    me.s.w.parker = &a->parker;
    me.writes = writes;
    for (;;) {
        if ((rc = take(l, writes)) >= 0)
            return taken(l, a, writes, rc);
        if (mfi_is_try(deadline)) {
            mfi_budget(a);
            return -ETIMEDOUT;
        }
        mfi_park_arm_early(a);
        if (!enqueue(l, &me)) {
            mfi_park_disarm(a);
            continue;
        }
        rc = mfi_wait(a, mfi_time_of(deadline),
                      writes ? "a rwlock, to write" : "a rwlock, to read");
        if (rc == 0) {
            mfi_sync_settle(a, &l->lock);
            /* NOLINTNEXTLINE(clang-analyzer-core*): who claimed us set it */
            return taken(l, a, writes, me.s.res);
        }
        dequeue(l, &me);
        if (rc < 0)
            return rc;
    }
}

int mf_rwlock_read(mf_rwlock *rw, mf_deadline deadline)
{
    struct rwlock *l = inside(rw);
    struct agent *a;
    int rc;

    if (l == NULL)
        return -EINVAL;
    if ((a = mfi_agent()) == NULL)
        return -ENOMEM;
    if ((rc = mfi_cancel_point(a)) < 0)
        return rc;
    rc = take(l, false);
    return mfi_likely(rc >= 0) ? rc : lock(l, a, false, deadline);
}

int mf_rwlock_write(mf_rwlock *rw, mf_deadline deadline)
{
    struct rwlock *l = inside(rw);
    struct agent *a;
    int rc;

    if (l == NULL)
        return -EINVAL;
    if ((a = mfi_agent()) == NULL)
        return -ENOMEM;
    if ((rc = mfi_cancel_point(a)) < 0)
        return rc;
    rc = take(l, true);
    return mfi_likely(rc >= 0) ? taken(l, a, true, rc)
                               : lock(l, a, true, deadline);
}
