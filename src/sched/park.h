/* SPDX-License-Identifier: MIT */
/*
 * park.h - the one way to wait, for tasks and threads, on anything.
 *
 *     for (;;) {
 *         if ((rc = mfi_cancel_point(a)) < 0)
 *             return rc;
 *         lock; done? unlock, return; deadline is "try"? unlock, -ETIMEDOUT;
 *         mfi_park_arm(a); link the waiter; unlock;
 *         rc = mfi_wait(a, at, "what");
 *         if (rc != 0) { lock; unlink if still linked; unlock; }
 *         if (rc <= 0)
 *             return rc;
 *     }
 *
 * mfi_wait answers 1, "look again", when it was woken for a cancel that turned
 * out not to concern it: the wait is over all the same, since a waker may have
 * met the claimed parker and passed it over. So the caller starts afresh.
 */
#ifndef MFI_SCHED_PARK_H
#define MFI_SCHED_PARK_H

#include "sched/cancel.h"
#include "sched/worker.h"

/* Announce a wait. Order: sc, before the look at the cancel word (Dekker). */
static inline void mfi_park_arm(struct agent *a)
{
    mfi_store_sc(&a->parker.word, (uint32_t)PARK_ARMED);
}

/*
 * The same, before the object's lock is taken and not under it: on x86 the
 * lock's exchange is the fence, so none more is needed.
 */
static inline void mfi_park_arm_early(struct agent *a)
{
#if defined(__x86_64__)
    mfi_store_rel(&a->parker.word, (uint32_t)PARK_ARMED);
#else
    mfi_park_arm(a);
#endif
}

static inline void mfi_park_arm_hard(struct agent *a)
{
    mfi_store_sc(&a->parker.word, (uint32_t)(PARK_ARMED | PARK_NO_CANCEL));
}

/* It will not be waited after all, and no waiter is linked. */
static inline void mfi_park_disarm(struct agent *a)
{
    mfi_store_rel(&a->parker.word, (uint32_t)PARK_IDLE);
}

/*
 * Sleep until claimed, `at`, or a cancel. what: for the dump. Returns 0 woken,
 * 1 look again, -ETIMEDOUT, -ECANCELED, -EBADF (WOKEN_CLOSED).
 */
int mfi_wait(struct agent *a, mf_ns at, const char *what);

/*
 * The same but for a cancel, which is 1 too: its notice is left to the caller's
 * next cancel point. For waits that may turn out to have been won after all.
 */
int mfi_wait_look(struct agent *a, mf_ns at, const char *what);

/* The same, armed hard: 0, -ETIMEDOUT, -EBADF. */
int mfi_wait_hard(struct agent *a, mf_ns at, const char *what);

/* Sleep once. The reason it was claimed for. */
enum park_reason mfi_park(struct agent *a, mf_ns at, const char *what);

/* Make a timer that ends a's wait; and take it back. */
struct wait_timer {
    struct timer timer;
    struct parker *parker;
};
void mfi_wait_timer_arm(struct worker *w, struct wait_timer *t,
                        struct parker *p, mf_ns at);

/*
 * The two points at which a scope is cancelled by itself, each on some worker's
 * wheel. A record of its own: few scopes have one.
 */
struct strike {
    struct timer timer;
    struct scope *scope;
    struct strike *next; /* those that fired, between fire and cancel */
};
struct scope_clock {
    struct strike deadline;
    struct strike grace;
};
_Static_assert(sizeof(struct scope_clock) <= 128, "a slab record");
void mfi_strike_arm(struct strike *k, mf_ns at);

/* Fire what is due on of's wheel. */
void mfi_expire(struct worker *of, struct wake_list *woken);

/* A thread whose parker was claimed while parked. Off the wake list by now. */
void mfi_agent_wake_thread(struct agent *a);

/*
 * This thread committed its wait and then lost it to a claimer: wait until that
 * has taken the parker off its wake list. The reason it was claimed for.
 */
enum park_reason mfi_park_lost_thread(struct agent *a);

/* The thread's own eventfd, made or emptied for a wait in ppoll; or -EMFILE. */
int mfi_agent_bell(struct agent *a);

/* From now on a claimer wakes this thread. False: it is claimed already. */
static inline bool mfi_park_commit_thread(struct agent *a)
{
    uint32_t seen = mfi_load_rlx(&a->parker.word);

    return (seen & PARK_STATE) == PARK_ARMED &&
           mfi_cas_acqrel(&a->parker.word, &seen, seen + 1);
}

#endif
