/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - mf_mutex: a word, and a link in its owner's list.
 *
 *   word   63           3    2     1       0
 *         | owner (agent) | DIED WOKEN WAITERS |        held  see held.h
 *
 *   0 --CAS--> owner --CAS--> 0      nobody else came: all there is
 *
 *   WAITERS  somebody is queued for it in the lot (lot.h): the unlock may have
 *            to wake. Exact whenever the place's lock is free.
 *   WOKEN    one waiter was woken and has not been here yet: it will see to the
 *            rest, unlocks wake nobody. So a loop that locks and unlocks takes
 *            the slow way once, not every time.
 *   DIED     an owner ended while it had the lock and nobody was told yet.
 *
 * Who may change what
 *   owner 0 -> x     anybody, by a CAS that leaves WAITERS alone (barging). The
 *                    woken waiter clears WOKEN in that CAS, others leave it.
 *                    DIED is cleared by who returns MF_OWNER_DIED for it.
 *   owner x -> 0, y  the owner. WAITERS without WOKEN: under the place's lock,
 *                    by a plain store, since then nobody else may change
 *                    anything; else by CAS.
 *   WAITERS          set with the node, while there is an owner; cleared with
 *                    the last node. Both under the place's lock.
 *   WOKEN            set by the owner as it unlocks; cleared by the woken one,
 *                    as it takes the lock or queues again.
 *
 * Invariant: nobody owns it and WAITERS => WOKEN. So a free lock that somebody
 * waits for always has one on the way to it, and no wake-up is lost:
 *   - an unlock that finds WAITERS alone wakes one (WOKEN), or finds that all
 *     have left (no WAITERS)
 *   - a node is queued by a CAS that sees an owner, whose unlock is yet to come
 *     and fails its fast CAS
 *   - the woken one, losing to a barger, clears WOKEN by the CAS that queues it
 *     again: that too sees an owner. Only then does it look at cancel and
 *     deadline. So who leaves is never the woken one, and need pass nothing on.
 *   - who was claimed by its deadline or a cancel cannot be woken as well
 *     (waiter.h): the unlock passes it over and takes the next.
 *
 * Fairness. Newcomers take a free lock before the woken waiter gets there: that
 * makes locks held for 100 ns fast. A waiter carries the time at which it first
 * queued; queues first, if it has to again; and the unlock that finds it has
 * waited HANDOFF_AFTER makes it the owner before it even runs. No bit is needed
 * for that mode, and it ends with those who waited that long. One who is
 * woken earlier must get to run, also where a task in a loop of locks and
 * unlocks has the only worker: each lock spends from its budget (worker.h), so
 * it yields now and then; so does one that tries in a loop.
 * Source: Go's sync.Mutex, starvation mode (golang.org/issue/13086).
 *
 * Spinning. A short while, if the owner can be running: we are a thread, or not
 * the only worker. Rejected: setting WOKEN while spinning, as Go does; it saves
 * wake-ups, but spinners coming one after another would keep it set, and nobody
 * would ever look how long the first waiter has been there. Rejected, too: to
 * look whether the owner runs; its record may be unmapped at any moment.
 *
 * Orders. Taking is acquire, giving back release; that also orders the plain
 * accesses to `held`, by one owner at a time. The lock's memory is not touched
 * after the store that gives it back, so the next owner may free it. The clock
 * is read once by who queues and by each unlock that wakes.
 */
#include "sync/mutex.h"

#include <mayfly/task.h>

#include "base/time.h"
#include "sync/held.h"
#include "sync/lot.h"

enum mutex_flag {
    WAITERS = 1,
    WOKEN = 2,
    DIED = 4,
    FLAGS = 7,
};

enum {
    HANDOFF_AFTER = 1000000, /* ns */
    SPINS = 40,              /* pauses: 1 to 2 us */
};

struct mutex {
    _Atomic uintptr_t word;
    struct held held; /* the owner's */
};
_Static_assert(sizeof(struct mutex) <= sizeof(mf_mutex), "fits");
_Static_assert(_Alignof(struct agent) > FLAGS, "room for the flags");

static struct mutex *inside(mf_mutex *m)
{
    return (struct mutex *)(void *)m;
}

static uintptr_t owner_of(uintptr_t word)
{
    return word & ~(uintptr_t)FLAGS;
}

static bool owned_by(struct mutex *m, struct agent *a)
{
    return owner_of(mfi_load_rlx(&m->word)) == (uintptr_t)a;
}

/* ---- giving it back ----------------------------------------------------- */

/* WAITERS without WOKEN, seen by the owner: only who leaves may clear it. */
static void hand_on(struct mutex *m, uintptr_t died)
{
    struct lot *lot = mfi_lot(m);
    mf_ns now = mf_now();
    struct wake_list woken;
    struct lot_waiter *w;
    uintptr_t to;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&lot->lock);
    w = mfi_lot_claim(lot, m, &woken);
    to = (mfi_load_rlx(&m->word) & DIED) | died;
    if (!mfi_lot_empty(lot, m))
        to |= WAITERS;
    if (w != NULL) {
        w->s.won = now - w->since >= HANDOFF_AFTER;
        to |= w->s.won ? (uintptr_t)mfi_agent_of(w->s.w.parker) : WOKEN;
    }
    mfi_store_rel(&m->word, to);
    mfi_spin_unlock(&lot->lock);
    mfi_wake(&woken);
}

/* died: DIED or 0. The link is off the owner's list. */
static void release(struct mutex *m, uintptr_t died)
{
    uintptr_t seen = mfi_load_rlx(&m->word);

    do {
        if ((seen & (WAITERS | WOKEN)) == WAITERS) {
            hand_on(m, died);
            return;
        }
    } while (!mfi_cas_acqrel(&m->word, &seen, (seen & FLAGS) | died));
}

int mf_mutex_unlock(mf_mutex *mutex)
{
    struct mutex *m = inside(mutex);
    struct agent *a;
    uintptr_t seen;

    if (m == NULL)
        return -EINVAL;
    a = mfi_agent();
    if (a == NULL || !owned_by(m, a))
        return -EPERM;
    mfi_held_pop(a, &m->held);
    seen = (uintptr_t)a;
    if (mfi_unlikely(!mfi_cas_acqrel(&m->word, &seen, 0)))
        release(m, 0);
    return 0;
}

static bool died(struct agent *a, struct held *h)
{
    struct mutex *m = mfi_container_of(h, struct mutex, held);

    if (!owned_by(m, a))
        return false;
    release(m, DIED);
    return true;
}

__attribute__((__constructor__)) static void hook(void)
{
    mfi_held_died[HELD_MUTEX] = died;
}

/* ---- taking it ---------------------------------------------------------- */

struct locker {
    struct mutex *m;
    struct agent *a;
    bool hard;  /* no deadline, no cancel */
    bool quiet; /* leave DIED for somebody else */
    bool woken; /* WOKEN is about us */
    struct lot_waiter w;
};

static bool fast(struct mutex *m, struct agent *a)
{
    uintptr_t seen = 0;

    if (mfi_unlikely(!mfi_cas_acqrel(&m->word, &seen, (uintptr_t)a)))
        return false;
    mfi_held_push(a, &m->held, HELD_MUTEX);
    return true;
}

/* Take it if it is free: 0, MF_OWNER_DIED; -EBUSY. */
static int take(struct locker *l)
{
    uintptr_t seen = mfi_load_rlx(&l->m->word);
    uintptr_t stays = WAITERS;

    if (!l->woken)
        stays |= WOKEN;
    if (l->quiet)
        stays |= DIED;
    while (owner_of(seen) == 0) {
        if (!mfi_cas_acqrel(&l->m->word, &seen,
                            (uintptr_t)l->a | (seen & stays)))
            continue;
        mfi_held_push(l->a, &l->m->held, HELD_MUTEX);
        return (seen & ~stays & DIED) != 0 ? MF_OWNER_DIED : 0;
    }
    return -EBUSY;
}

static int take_spinning(struct locker *l)
{
    bool worth = l->a->parker.kind == AGENT_THREAD || mfi_sched.nr_workers > 1;
    int left = worth ? SPINS : 0;
    int rc;

    while ((rc = take(l)) < 0 && left-- > 0)
        mfi_cpu_relax();
    return rc;
}

/* The unlock has made us the owner. */
static int was_handed(struct locker *l)
{
    mfi_assert_debug(owned_by(l->m, l->a));
    mfi_held_push(l->a, &l->m->held, HELD_MUTEX);
    if (l->quiet || (mfi_load_rlx(&l->m->word) & DIED) == 0)
        return 0;
    mfi_and_acqrel(&l->m->word, ~(uintptr_t)DIED);
    return MF_OWNER_DIED;
}

/* Queue, unless it has become free: false. */
static bool enqueue(struct locker *l, struct lot *lot)
{
    uintptr_t gone = l->woken ? WOKEN : 0;
    bool again = l->w.since != 0;
    uintptr_t seen;

    if (!again)
        l->w.since = mf_now();
    mfi_spin_lock(&lot->lock);
    seen = mfi_load_rlx(&l->m->word);
    do {
        if (owner_of(seen) == 0) {
            mfi_spin_unlock(&lot->lock);
            return false;
        }
    } while (!mfi_cas_acqrel(&l->m->word, &seen, (seen | WAITERS) & ~gone));
    l->woken = false;
    l->w.s.won = false;
    if (l->hard)
        mfi_park_arm_hard(l->a);
    else
        mfi_park_arm(l->a);
    mfi_lot_add(lot, &l->w, again);
    mfi_spin_unlock(&lot->lock);
    return true;
}

/* The wait is over, and nobody woke us. */
static void dequeue(struct locker *l, struct lot *lot)
{
    mfi_spin_lock(&lot->lock);
    mfi_lot_del(lot, &l->w);
    if (mfi_lot_empty(lot, l->m))
        mfi_and_acqrel(&l->m->word, ~(uintptr_t)WAITERS);
    mfi_spin_unlock(&lot->lock);
}

static int lock(struct locker *l, mf_deadline deadline)
{
    struct lot *lot = mfi_lot(l->m);
    int rc;

    for (;;) {
        if ((rc = mfi_is_try(deadline) ? take(l) : take_spinning(l)) >= 0)
            return rc;
        if (mfi_is_try(deadline))
            return -ETIMEDOUT;
        if (!enqueue(l, lot))
            continue;
        rc = l->hard ? mfi_wait_hard(l->a, MFI_FAR, "a mutex")
                     : mfi_wait(l->a, mfi_time_of(deadline), "a mutex");
        if (rc == 0) {
            mfi_sync_settle(l->a, &lot->lock);
            if (l->w.s.won)
                return was_handed(l);
            l->woken = true;
            continue;
        }
        dequeue(l, lot);
        if (rc < 0)
            return rc;
    }
}

enum lock_how { PLAIN, HARD = 1, QUIET = 2 };

static MFI_NOINLINE int slow(struct mutex *m, struct agent *a,
                             mf_deadline deadline, uint32_t how)
{
    struct locker l = {
        .m = m,
        .a = a,
        .hard = (how & HARD) != 0,
        .quiet = (how & QUIET) != 0,
        .w = {.s = {.w = {.parker = &a->parker}}, .key = m},
    };

    if (owned_by(m, a))
        return -EDEADLK;
    return lock(&l, deadline);
}

int mf_mutex_lock(mf_mutex *mutex, mf_deadline deadline)
{
    struct mutex *m = inside(mutex);
    struct agent *a;
    int rc;

    if (m == NULL)
        return -EINVAL;
    if ((a = mfi_agent()) == NULL)
        return -ENOMEM;
    if ((rc = mfi_cancel_point(a)) < 0)
        return rc;
    mfi_budget(a);
    return mfi_likely(fast(m, a)) ? 0 : slow(m, a, deadline, PLAIN);
}

static int lock_hard(struct mutex *m, uint32_t how)
{
    struct agent *a = mfi_agent();

    if (a == NULL)
        mfi_die("a mutex: no memory for this thread's first call");
    mfi_budget(a);
    return mfi_likely(fast(m, a)) ? 0 : slow(m, a, MF_NEVER, HARD | how);
}

void mf_mutex_hold(mf_mutex *mutex)
{
    if (mutex == NULL)
        mf_panic("mf_mutex_hold: NULL");
    if (lock_hard(inside(mutex), QUIET) < 0)
        mf_panic("mf_mutex_hold: the caller has it already");
}

/* ---- for the condition variable ----------------------------------------- */

bool mfi_mutex_owned(mf_mutex *mutex)
{
    struct agent *a = mfi_agent();

    return a != NULL && owned_by(inside(mutex), a);
}

int mfi_mutex_relock(mf_mutex *mutex)
{
    int rc = lock_hard(inside(mutex), PLAIN);

    mfi_assert(rc >= 0);
    return rc;
}

void mfi_mutex_mark_died(mf_mutex *mutex)
{
    mfi_assert_debug(mfi_mutex_owned(mutex));
    mfi_or_acqrel(&inside(mutex)->word, (uintptr_t)DIED);
}
