/* SPDX-License-Identifier: MIT */
/*
 * cqueue.h - many event sources, one place where they are handled.
 *
 * Each source is an *arm*, a task of its own. Up to mf_arm_send it runs its
 * *top half*, all arms at once; what follows, up to its next call that suspends
 * or its end, is the *bottom half* and runs inside mf_cqueue_poll, one at a
 * time and in the order of the sends. So bottom halves share data without a
 * lock.
 */
#ifndef MF_CQUEUE_H
#define MF_CQUEUE_H

#include <mayfly/scope.h>
#include <mayfly/task.h>

MF_DECLS_BEGIN_

typedef struct mf_cqueue {
    uint64_t mfi_[24];
} mf_cqueue;
typedef struct mf_arm mf_arm;
typedef int mf_arm_fn(mf_arm *self, void *arg);
typedef struct mf_cevent {
    uint64_t token;
    int64_t extra;
    int result; /* of an arm that ended; then `ended` is 1 */
    int ended;
} mf_cevent;

/*
 * Open a queue. Until its close the caller is inside its scope (scope.h): who
 * opened it polls and closes it, and closes it before scopes opened earlier.
 * Returns 0, -EINVAL (NULL, nothing runs), -ENOMEM. Context: any.
 */
int mf_cqueue_open(mf_cqueue *q);

/*
 * Start fn(arm, arg) as an arm. *ret_arm is borrowed from q, valid until the
 * arm is removed or q closed; ret_arm NULL: until a poll has told its end.
 * Returns 0, -ENOMEM, -ECANCELED, -EINVAL. Context: any, bottom halves too.
 * Suspends: no.
 */
int mf_cqueue_add(mf_cqueue *q, uint64_t token, mf_arm_fn *fn, void *arg,
                  mf_arm **ret_arm);

/*
 * End of the top half: waits until a poll takes the event, then returns 0
 * *inside that poll*; what follows up to the next call that suspends, or the
 * end, is the bottom half; no other one runs meanwhile. -ECANCELED: the
 * queue closes, or the arm is removed (in a shield too), or a cancel;
 * -EPERM: not called by the arm itself. Suspends: yes. Cancel point: yes.
 */
int mf_arm_send(mf_arm *self, int64_t extra) MF_MUST_CHECK;

/*
 * Cancel an arm and wait for it; it has no more events, also none of those it
 * sent already. Not from inside the arm, a task below it, or an arm whose end
 * it waits for in this call itself (-EDEADLK). Afterwards arm is gone.
 * 0, -EINVAL. Context: any. Suspends: maybe. Cancel point: no.
 */
int mf_arm_remove(mf_arm *arm);

/*
 * Wait for the next event, run its bottom half. Returns 1: *ret_event (may be
 * NULL) tells; the end of an arm is an event too. 0: no arm left. < 0: no event
 * taken: -ETIMEDOUT, -ECANCELED, -EPERM (not the opener), -EINVAL; but
 * -ENOTRECOVERABLE: an arm panicked, *ret_event says which, mf_explain why.
 * Suspends: maybe. Cancel point: yes, until an event was taken.
 */
int mf_cqueue_poll(mf_cqueue *q, mf_cevent *ret_event,
                   mf_deadline deadline) MF_MUST_CHECK;

/*
 * Cancel the arms and wait for them; runs no pending bottom half. Returns 0,
 * -EPERM (not the opener, or a later scope is still open), -EINVAL (not open).
 * Suspends: maybe. Cancel point: no.
 */
int mf_cqueue_close(mf_cqueue *q);

void mf_cqueue_drop(mf_cqueue *q); /* close, if still open */

/* Declare and open; leaving the block early cancels the arms and waits. */
#define MF_CQUEUE(name)                                                        \
    mf_cqueue name __attribute__((__cleanup__(mf_cqueue_drop)));               \
    mf_cqueue_open(&name)

MF_DECLS_END_
#endif
