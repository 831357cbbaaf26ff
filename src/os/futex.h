/* SPDX-License-Identifier: MIT */
/*
 * futex.h - let a thread sleep on a word. See futex(2).
 *
 * Context: plain threads and workers, never inside a coroutine (it blocks the
 * thread). A futex may wake for nothing: believe the word, not the call.
 */
#ifndef MFI_OS_FUTEX_H
#define MFI_OS_FUTEX_H

#include <stdint.h>

#include <mayfly/base.h>

#include "base/atomic.h"

/*
 * Sleep while *word == expect, until `at` (CLOCK_MONOTONIC ns; MFI_FAR: no
 * limit). Returns 0, -EAGAIN (it was not equal), -EINTR, -ETIMEDOUT.
 */
int mfi_futex_wait(_Atomic uint32_t *word, uint32_t expect, mf_ns at);

/* Wake up to n sleepers. Never fails. */
void mfi_futex_wake(_Atomic uint32_t *word, int n);

#endif
