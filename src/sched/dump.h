/* SPDX-License-Identifier: MIT */
/*
 * dump.h - every task, and what it waits for, on stderr.
 *
 * For last words, so it takes no lock for long and gives up on what it cannot
 * lock: it may be called by code that holds it.
 */
#ifndef MFI_SCHED_DUMP_H
#define MFI_SCHED_DUMP_H

void mfi_dump(void);

#endif
