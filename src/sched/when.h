/* SPDX-License-Identifier: MIT */
/*
 * when.h - a task that waits for an fd as a record, before it has a stack.
 *
 * A second slab record holds what otherwise stands on a waiting stack: the
 * waiter in the fd's list, the timer, and a parker of kind AGENT_WHEN. Whoever
 * claims it (edge, deadline, cancel, close) starts the task, for any reason:
 * an accepted task always runs.
 */
#ifndef MFI_SCHED_WHEN_H
#define MFI_SCHED_WHEN_H

#include "sched/worker.h"

/* t's parker was claimed while parked: start it. */
void mfi_when_start(struct worker *w, struct parker *p);

/* t waits (WHEN is set, its lock is held): claim it for a cancel. */
void mfi_when_wake_locked(mf_task *t, struct wake_list *woken);

/* t has its turn in its scope: begin to wait, or start it at once. */
void mfi_when_begin(struct worker *w, mf_task *t);

#endif
