/* SPDX-License-Identifier: MIT */
/* mutex.h - what the condition variable needs of a mutex. */
#ifndef MFI_SYNC_MUTEX_H
#define MFI_SYNC_MUTEX_H

#include <stdbool.h>

#include <mayfly/sync.h>

/* Has the caller got it? */
bool mfi_mutex_owned(mf_mutex *mutex);

/*
 * Lock what the caller has unlocked, whatever is due: no deadline, no cancel,
 * no failure. 0 or MF_OWNER_DIED.
 */
int mfi_mutex_relock(mf_mutex *mutex);

/*
 * The caller has it and was told MF_OWNER_DIED, but cannot say so, having an
 * error to return: the next to lock it shall hear of it.
 */
void mfi_mutex_mark_died(mf_mutex *mutex);

#endif
