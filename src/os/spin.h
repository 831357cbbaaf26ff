/* SPDX-License-Identifier: MIT */
/*
 * spin.h - a lock for a few dozen instructions, never held over a suspension.
 *
 * One word: 0 free, 1 taken. The holder may be descheduled, so a waiter spins
 * a little and then gives its CPU away. Source: test-and-test-and-set, Anderson
 * 1990, "The Performance of Spin Lock Alternatives".
 */
#ifndef MFI_OS_SPIN_H
#define MFI_OS_SPIN_H

#include "base/assert.h"
#include "base/atomic.h"

struct spin {
    _Atomic uint32_t word; /* zeroed is free */
};

void mfi_spin_lock_slow(struct spin *s);

static inline bool mfi_spin_try(struct spin *s)
{
    return mfi_load_rlx(&s->word) == 0 && mfi_xchg_acq(&s->word, 1u) == 0;
}

static inline void mfi_spin_lock(struct spin *s)
{
    if (mfi_unlikely(mfi_xchg_acq(&s->word, 1u) != 0))
        mfi_spin_lock_slow(s);
}

static inline void mfi_spin_unlock(struct spin *s)
{
    mfi_assert_debug(mfi_load_rlx(&s->word) == 1);
    mfi_store_rel(&s->word, 0u);
}

static inline bool mfi_spin_held(struct spin *s)
{
    return mfi_load_rlx(&s->word) != 0;
}

#endif
