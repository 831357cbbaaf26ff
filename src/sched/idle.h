/* SPDX-License-Identifier: MIT */
/* idle.h - workers without work: the list of them, searching, sleeping. */
#ifndef MFI_SCHED_IDLE_H
#define MFI_SCHED_IDLE_H

#include "sched/worker.h"

/* w is about to sleep; and is not any more (false: a waker took it out). */
void mfi_idle_enter(struct worker *w);
bool mfi_idle_leave(struct worker *w);

/* For a signal handler: take one out, if nobody has the lock. */
struct worker *mfi_idle_pick_try(void);

/* A share of the inject queue into w's ring; one of it is the result. */
mf_task *mfi_take_injected(struct worker *w);

/* Look around for work elsewhere. NULL: there is none. */
mf_task *mfi_search(struct worker *w);

/* w has t to run: if it searched, perhaps another one should now. */
mf_task *mfi_found(struct worker *w, mf_task *t);
void mfi_stop_searching(struct worker *w);

/* Give memory back, then sleep; what came is queued on return. */
void mfi_sleep_until_woken(struct worker *w);

#endif
