/* SPDX-License-Identifier: MIT */
/* spin.c - the contended half of the spin lock. */
#include "os/spin.h"

#include "os/syscall.h"

enum { SPINS = 100 }; /* about 4 us of pauses; then the holder needs a CPU */

void mfi_spin_lock_slow(struct spin *s)
{
    int spins = 0;

    while (!mfi_spin_try(s)) {
        if (++spins < SPINS)
            mfi_cpu_relax();
        else
            mfi_sys0(SYS_sched_yield);
    }
}
