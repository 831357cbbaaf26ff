/* SPDX-License-Identifier: MIT */
/*
 * held.h - the locks an agent has, so that none outlives its owner.
 *
 *   agent->held --> lock C --> lock B --> lock A      the latest first
 *
 * One word in each lock: where the next older one's word is, and in its low
 * bits what kind of lock this one is. Only the owner looks at it or writes it,
 * between its taking of the lock and its release, so the lock's own acquire and
 * release order it and plain accesses will do. Locks are mostly given back in
 * the reverse order: then both ends are two plain stores. Else the owner walks
 * its own list.
 *
 * When an agent ends (a task after its defers, a thread in its destructor), the
 * list says what to give to others as "owner died". It may be damaged then: a
 * lock in a frame that is gone was freed while it was held, which is misuse,
 * but not worth a crash. So each kind first looks whether the lock says that it
 * is the agent's, and the walk ends at the first that does not. One case is no
 * misuse: a panic or mf_exit takes frames away with locks in them. Before it
 * does, those are taken off the list (mfi_held_forget); they stay locked, and
 * clean-ups on the way may still unlock them. All of the task's scopes have
 * been closed by then, so nobody waits for them.
 */
#ifndef MFI_SYNC_HELD_H
#define MFI_SYNC_HELD_H

#include "sched/task.h"

enum held_kind {
    HELD_MUTEX,
    HELD_RWLOCK, /* its writer */
    HELD_KINDS,
    HELD_KIND = 7, /* the bits */
};

struct held {
    uintptr_t next; /* address of the next older, | kind of this one */
};
_Static_assert(_Alignof(struct held) > HELD_KIND, "room for the kind");

/*
 * a has ended and h is on its list: release the lock, its owner having died.
 * False: it is not a's, nothing was done. h->next has been read.
 */
typedef bool mfi_held_died_fn(struct agent *a, struct held *h);

/* Each kind's, set before main by a constructor. */
extern mfi_held_died_fn *mfi_held_died[HELD_KINDS];

static inline struct held *mfi_held_next(const struct held *h)
{
    return (struct held *)(h->next & ~(uintptr_t)HELD_KIND);
}

/* a has just taken the lock that h is in. */
static inline void mfi_held_push(struct agent *a, struct held *h,
                                 enum held_kind kind)
{
    h->next = (uintptr_t)a->held | kind;
    a->held = h;
}

void mfi_held_pop_slow(struct agent *a, struct held *h);

/* a is about to release it. It may be off the list: see mfi_held_forget. */
static inline void mfi_held_pop(struct agent *a, struct held *h)
{
    if (mfi_likely(a->held == h))
        a->held = mfi_held_next(h);
    else
        mfi_held_pop_slow(a, h);
}

#endif
