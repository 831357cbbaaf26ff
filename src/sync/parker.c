/* SPDX-License-Identifier: MIT */
/*
 * parker.c - mf_parker: a semaphore (sem.h) that holds one permit at most.
 *
 * An unpark that finds the token there writes it again all the same: so what
 * it wrote before is visible to whoever takes the token, however many unparks
 * that one stands for.
 */
#include "sync/sem.h"

static struct sem *inside(mf_parker *p)
{
    return (struct sem *)(void *)p;
}

int mf_parker_park(mf_parker *p, mf_deadline deadline)
{
    if (p == NULL)
        return -EINVAL;
    return mfi_sem_wait(inside(p), deadline, "a parker's token");
}

int mf_parker_unpark(mf_parker *p)
{
    struct sem *s = inside(p);
    uint32_t seen;

    if (s == NULL)
        return -EINVAL;
    seen = mfi_load_rlx(&s->value);
    for (;;) {
        if ((seen & SEM_WAITERS) != 0) {
            if (mfi_sem_hand(s, 1))
                return 0;
            seen = mfi_load_rlx(&s->value);
        } else if (mfi_cas_acqrel(&s->value, &seen, 1u)) {
            return 0;
        }
    }
}
