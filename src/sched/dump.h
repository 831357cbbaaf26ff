/* SPDX-License-Identifier: MIT */
/*
 * dump.h - every task, and what it waits for, on stderr.
 *
 * For last words, so it takes no lock for long and gives up on what it cannot
 * lock: it may be called by code that holds it.
 */
#ifndef MFI_SCHED_DUMP_H
#define MFI_SCHED_DUMP_H

#include <stdbool.h>

void mfi_dump(void);

/*
 * Does every live task wait for good: parked, not claimed by a waker, not as a
 * record for an fd, and not in a sleep (where no timer is armed: one for ever)?
 * For when no task runs; false when in doubt.
 */
bool mfi_dump_all_wait(void);

#endif
