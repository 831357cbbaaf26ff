/* SPDX-License-Identifier: MIT */
/*
 * check.h - walkers over queues and scopes: do counts and lists agree?
 *
 * Called by the code itself with MF_DEBUG >= 2, by tests in any build. Long
 * lists are walked now and then only: a million spawns must stay a million, not
 * their square.
 */
#ifndef MFI_SCHED_CHECK_H
#define MFI_SCHED_CHECK_H

#include "sched/runq.h"
#include "sched/scope.h"

/* Owner. Takes the queue's locks. */
void mfi_check_runq(struct runq *q);

/* Under s->lock. */
void mfi_check_scope_locked(struct scope *s);

#if MF_DEBUG >= 2
# define MFI_CHECK_RUNQ(q)         mfi_check_runq(q)
# define MFI_CHECK_SCOPE_LOCKED(s) mfi_check_scope_locked(s)
#else
# define MFI_CHECK_RUNQ(q)         ((void)0)
# define MFI_CHECK_SCOPE_LOCKED(s) ((void)0)
#endif

#endif
