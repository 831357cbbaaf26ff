/* SPDX-License-Identifier: MIT */
/*
 * waiter.h - one parked someone, and the one CAS that decides who wakes it.
 *
 * A parker belongs to a coroutine or a thread for life and is used for one wait
 * at a time. A wait is announced (armed), linked wherever it may be woken from,
 * and then parked. Whoever wants to end it, an object that became ready, a
 * timer, a cancel, claims it first:
 *
 *             arm             commit (it has left its stack)
 *    IDLE ----------> ARMED ---------> PARKED
 *     ^                 |                |
 *     |                 | claim          | claim, and the claimer
 *     |                 v                v must make it runnable
 *     +------------- CLAIMED <-----------+
 *        it looks why
 *
 * Invariants
 *   1. exactly one claim per wait succeeds; it alone may store a reason, and
 *      only a claim from PARKED obliges (and allows) the claimer to ready it
 *   2. a claim from ARMED is seen by commit, which then readies it itself: so
 *      nobody runs a coroutine that still stands on its stack
 *   3. waiters live on the waiting stack; each is unlinked under its object's
 *      lock, by the claimer or by the loser, before the wait returns. So
 *      nothing points to a wait that is over, and no generation is needed.
 *   4. a parker claimed from PARKED is on its claimer's wake list. A coroutine
 *      cannot run before it is taken off it; a thread, which may wake by itself
 *      (deadline, spurious wake-up, poll), waits for HANDED before it goes on
 *   5. who was claimed from ARMED (EARLY) may go on while its claimer is still
 *      inside the object's lock. Whoever is handed something by the claimer, or
 *      frees the object next, takes that lock once before
 * The exception to 3 is the canceller: it finds the parker through the task,
 * whose record it holds locked, and may claim a *later* wait than it meant.
 * Hence a cancel only says "look": the truth is in the task's cancel word.
 *
 * Rejected: a state word in each waiter. It would need type-stable memory or a
 * reference for the canceller, which the parker (stack top, thread) has anyway.
 */
#ifndef MFI_BASE_WAITER_H
#define MFI_BASE_WAITER_H

#include "base/atomic.h"
#include "base/list.h"

enum park_state { /* low bits of the word */
                  PARK_IDLE,
                  PARK_ARMED,
                  PARK_PARKED,
                  PARK_CLAIMED,
                  PARK_STATE = 7,
                  PARK_NO_CANCEL =
                      8, /* with ARMED, PARKED: a canceller keeps off */
                  PARK_HANDED = 16, /* with CLAIMED: off the wake list again */
                  PARK_EARLY = 32,  /* with CLAIMED: claimed from ARMED */
                  PARK_REASON_SHIFT = 8,
};

enum park_reason { WOKEN_READY, WOKEN_TIMEOUT, WOKEN_CANCEL, WOKEN_CLOSED };

struct parker {
    _Atomic uint32_t word;
    uint32_t kind;       /* for the scheduler: coroutine or thread */
    struct parker *next; /* in a wake list, between claim and ready */
};

struct waiter {
    struct list link; /* in the object, under the object's lock */
    struct parker *parker;
};

/* Those who were claimed while parked, in the order they shall run. */
struct wake_list {
    struct parker *head;
    struct parker **tail;
};

static inline void mfi_wake_list_init(struct wake_list *l)
{
    l->head = NULL;
    l->tail = &l->head;
}

static inline void mfi_wake_list_add(struct wake_list *l, struct parker *p)
{
    p->next = NULL;
    *l->tail = p;
    l->tail = &p->next;
}

static inline enum park_reason mfi_parker_reason(const struct parker *p)
{
    return (enum park_reason)(mfi_load_acq(&p->word) >> PARK_REASON_SHIFT);
}

/* After the wait: its claimer may not be through with the object. */
static inline bool mfi_parker_early(struct parker *p)
{
    return (mfi_load_rlx(&p->word) & PARK_EARLY) != 0;
}

enum claim { CLAIM_LOST, CLAIM_RUNNING, CLAIM_PARKED };

/*
 * Try to end the wait. CLAIM_PARKED: the caller owns it and must ready it.
 * Order: acq_rel; what the claimer wrote before is visible to the woken.
 */
static inline enum claim mfi_parker_claim(struct parker *p,
                                          enum park_reason reason)
{
    uint32_t seen = mfi_load_rlx(&p->word);

    for (;;) {
        uint32_t state = seen & PARK_STATE;

        if (state != PARK_ARMED && state != PARK_PARKED)
            return CLAIM_LOST;
        if (reason == WOKEN_CANCEL && (seen & PARK_NO_CANCEL) != 0)
            return CLAIM_LOST;
        if (mfi_cas_acqrel(&p->word, &seen,
                           PARK_CLAIMED |
                               (state == PARK_ARMED ? PARK_EARLY : 0u) |
                               ((uint32_t)reason << PARK_REASON_SHIFT)))
            return state == PARK_PARKED ? CLAIM_PARKED : CLAIM_RUNNING;
    }
}

/* Claim, and put it on the list if it must be made ready. True: it was won. */
static inline bool mfi_parker_wake(struct parker *p, enum park_reason reason,
                                   struct wake_list *l)
{
    enum claim got = mfi_parker_claim(p, reason);

    if (got == CLAIM_PARKED)
        mfi_wake_list_add(l, p);
    return got != CLAIM_LOST;
}

#endif
