/* SPDX-License-Identifier: MIT */
/*
 * sync.h - objects tasks and threads wait for each other with.
 *
 * All of them are plain memory without a constructor to free: zeroed (or set to
 * their MF_..._INIT) they are ready, and nothing is allocated, ever. One that
 * is waited for, or held, must not be moved or freed.
 *
 * Every wait below answers -ETIMEDOUT (this deadline passed: MF_NOW tries
 * once), -ECANCELED (on entry too), -EINVAL (NULL) or -ENOMEM (a plain thread's
 * first call found no memory), and then nothing was taken. Context: any, tasks
 * and plain threads mixed. Waits may suspend and are cancel points; the calls
 * without a deadline never suspend and are none. Whatever was written before
 * the call that let a waiter go is visible to it.
 */
#ifndef MF_SYNC_H
#define MF_SYNC_H

#include <mayfly/base.h>

MF_DECLS_BEGIN_

/* ---- mutex -------------------------------------------------------------- */

typedef struct mf_mutex {
    uint64_t mfi_[2];
} mf_mutex; /* zeroed = unlocked */

/* Held, but its last owner ended while holding it: check what it guards. */
#define MF_OWNER_DIED 1

/*
 * Returns 0 or MF_OWNER_DIED: held. < 0: not held; also -EDEADLK (the caller
 * has it already). Who has waited for 1 ms gets it next, whoever else comes.
 */
int mf_mutex_lock(mf_mutex *m, mf_deadline deadline) MF_MUST_CHECK;

/*
 * For invariants and clean-up: no cancel, no deadline, cannot fail. Relocking
 * by the owner is a panic. A death of the last owner is not reported here: the
 * next mf_mutex_lock hears of it.
 */
void mf_mutex_hold(mf_mutex *m);

/* 0; -EPERM: the caller has not got it; -EINVAL. */
int mf_mutex_unlock(mf_mutex *m);

/* ---- reader-writer lock -------------------------------------------------- */

typedef struct mf_rwlock {
    uint64_t mfi_[6];
} mf_rwlock; /* zeroed = unlocked */

/*
 * Any number of readers, or one writer. First come first served: a reader that
 * finds somebody waiting waits behind, so neither side starves. As
 * mf_mutex_lock; MF_OWNER_DIED: the last writer ended while it had the lock.
 * Every reader is told, until a writer has been. -EDEADLK: the caller is the
 * writer. A reader that ends without unlocking is not detected.
 */
int mf_rwlock_read(mf_rwlock *rw, mf_deadline deadline) MF_MUST_CHECK;
int mf_rwlock_write(mf_rwlock *rw, mf_deadline deadline) MF_MUST_CHECK;

/*
 * Ends the caller's hold, of either kind. 0; -EINVAL; -EPERM: it has none, as
 * far as that can be told: another writes, or nobody reads.
 */
int mf_rwlock_unlock(mf_rwlock *rw);

/* ---- condition variable -------------------------------------------------- */

typedef struct mf_cond {
    uint64_t mfi_[4];
} mf_cond; /* zeroed = nobody waits */

/*
 * Unlock m, wait for a signal, lock m again: *always* returns holding m (but
 * for -EPERM: the caller has not got it, and -EINVAL). The relock ignores
 * deadline and cancel. A signal is never lost to a waiter that timed out or was
 * cancelled. No spurious wake-ups, yet look at the condition in a loop: others
 * may have come first. Also MF_OWNER_DIED, when there is no error to tell.
 */
int mf_cond_wait(mf_cond *c, mf_mutex *m, mf_deadline deadline) MF_MUST_CHECK;
int mf_cond_signal(mf_cond *c);    /* one waiter: the first. 0, -EINVAL */
int mf_cond_broadcast(mf_cond *c); /* all of them. 0, -EINVAL */

/* ---- counting semaphore -------------------------------------------------- */

typedef struct mf_sem {
    uint64_t mfi_[3];
} mf_sem; /* zeroed = no permit */

#define MF_SEM_INIT(n)                                                         \
    {                                                                          \
        {                                                                      \
            (uint32_t)(n), 0, 0                                                \
        }                                                                      \
    }

/* Take one permit; first come first served. 0; < 0: none was taken. */
int mf_sem_wait(mf_sem *s, mf_deadline deadline) MF_MUST_CHECK;

/* Give n permits. 0; -EINVAL n < 0; -EOVERFLOW beyond INT32_MAX: none given. */
int mf_sem_post(mf_sem *s, int n);

/* Permits nobody has taken, at this moment. */
int mf_sem_value(mf_sem *s);

/* ---- barrier ------------------------------------------------------------- */

typedef struct mf_barrier {
    uint64_t mfi_[4];
} mf_barrier;

#define MF_BARRIER_INIT(n)                                                     \
    {                                                                          \
        {                                                                      \
            (uint32_t)(n), 0, 0, 0                                             \
        }                                                                      \
    }

/*
 * Wait until n are here; then all go on and the barrier is as new. Returns 1 to
 * one of them, the leader, 0 to the others. < 0: the arrival is taken back.
 * Also -EINVAL: n is 0.
 */
int mf_barrier_wait(mf_barrier *b, mf_deadline deadline) MF_MUST_CHECK;

/* ---- wait group ---------------------------------------------------------- */

typedef struct mf_wait_group {
    uint64_t mfi_[2];
} mf_wait_group; /* zeroed = nothing to wait for */

/* n more (n < 0: fewer) to wait for. -EINVAL below 0, -EOVERFLOW: unchanged. */
int mf_wait_group_add(mf_wait_group *g, int n);
int mf_wait_group_done(mf_wait_group *g); /* mf_wait_group_add(g, -1) */

/* Wait until none is left: 0. The memory may go as soon as it returns. */
int mf_wait_group_wait(mf_wait_group *g, mf_deadline deadline) MF_MUST_CHECK;

/* ---- once ---------------------------------------------------------------- */

typedef struct mf_once {
    uint64_t mfi_[3];
} mf_once; /* zeroed = not done */

/*
 * fn(arg), by the first to come; others wait for it. Returns 0 when it is done,
 * whoever did it; or what fn returned < 0, to who ran it: then it is not done,
 * and the next one tries, as after a panic or mf_exit in fn. The deadline is
 * for waiting, not for fn. -EDEADLK: called from inside fn.
 */
int mf_once_run(mf_once *o, mf_fn *fn, void *arg,
                mf_deadline deadline) MF_MUST_CHECK;

/* ---- event --------------------------------------------------------------- */

/* A latch: fires once, for good, and lets everybody through. */
typedef struct mf_event {
    uint64_t mfi_[2];
} mf_event; /* zeroed = not fired */

/*
 * Fire it; again is fine. Nobody touches it once the last wait has returned, so
 * who waited may free it.
 */
void mf_event_fire(mf_event *e);

/* Wait until it has fired: 0. */
int mf_event_wait(mf_event *e, mf_deadline deadline) MF_MUST_CHECK;

/* ---- parker -------------------------------------------------------------- */

/* One token: for building waits of one's own, across tasks and threads. */
typedef struct mf_parker {
    uint64_t mfi_[2];
} mf_parker; /* zeroed = no token */

/* Take the token, waiting for it: 0. One parks at a time; others queue. */
int mf_parker_park(mf_parker *p, mf_deadline deadline) MF_MUST_CHECK;

/* Put the token there, unless it is there already. 0, -EINVAL. */
int mf_parker_unpark(mf_parker *p);

MF_DECLS_END_
#endif
