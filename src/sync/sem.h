/* SPDX-License-Identifier: MIT */
/*
 * sem.h - a counting semaphore; also what a parker is, and a case of a select.
 *
 *   value | lock | first waiter
 *
 *   value = n             n permits, nobody waits: take and give by one CAS
 *   value = SEM_WAITERS   no permit, somebody waits: everything by the lock
 *
 * Invariants
 *   1. a waiter in the queue => SEM_WAITERS, whenever the lock is free. So
 *      there is never a permit beside a waiter, and who comes last cannot
 *      overtake: permits are handed to waiters, in order, by claim. This is the
 *      whole argument against starvation. (Who finds a permit takes it while
 *      others may be about to queue: those have not begun to wait.)
 *   2. while the flag is set only the lock's holder writes value
 *   3. the one who gives touches nothing after its CAS, or after its unlock;
 *      and it gives under the lock only when somebody is queued, to hand to or
 *      to pass over. That one takes the lock before its wait returns. So who
 *      knows that nobody else waits may free the semaphore with the last permit
 *      taken.
 * The flag may stand without a waiter, after one that left. Who gives next
 * finds out, takes it away and gives by CAS.
 */
#ifndef MFI_SYNC_SEM_H
#define MFI_SYNC_SEM_H

#include <mayfly/sync.h>

#include "sync/wait.h"

#define SEM_WAITERS UINT32_C(0x80000000)

struct sem {
    _Atomic uint32_t value; /* MF_SEM_INIT sets it: the low half of word 0 */
    struct spin lock;
    struct waitq waiters; /* of struct sync_waiter, under lock */
};
_Static_assert(sizeof(struct sem) <= sizeof(mf_sem), "fits");
_Static_assert(sizeof(struct sem) <= sizeof(mf_parker), "fits");

static inline struct sem *mfi_sem(mf_sem *s)
{
    return (struct sem *)(void *)s;
}

/* Take a permit if one is there. With or without the lock. Order: acquire. */
static inline bool mfi_sem_try(struct sem *s)
{
    uint32_t seen = mfi_load_rlx(&s->value);

    while (seen != 0 && (seen & SEM_WAITERS) == 0)
        if (mfi_cas_acqrel(&s->value, &seen, seen - 1))
            return true;
    return false;
}

/*
 * Under s->lock. Take a permit; or see to it that none comes without the lock,
 * and then the caller may join s->waiters, with its parker armed: who gives
 * claims that, and sets won and res = 0. A waiter leaves by mfi_waitq_del.
 */
bool mfi_sem_take_locked(struct sem *s);

/* Take one, waiting for it: what mf_sem_wait and mf_parker_park are. */
int mfi_sem_wait(struct sem *s, mf_deadline deadline, const char *what);

/*
 * There was SEM_WAITERS. Hand n permits to waiters; what is left becomes the
 * value. False: nobody is queued any more, nothing was given.
 */
bool mfi_sem_hand(struct sem *s, uint32_t n);

#endif
