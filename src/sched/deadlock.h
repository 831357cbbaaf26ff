/* SPDX-License-Identifier: MIT */
/*
 * deadlock.h - when nothing can ever happen again, say so and abort.
 *
 * Under mf_run alone, and only when it is certain: every worker sleeps, nothing
 * is queued, no timer is armed, no fd is waited for, no function is offloaded,
 * no task sleeps for ever on purpose, and the process has no thread but the
 * workers, idle pool threads and the one that waits in mf_run: so there is
 * nobody left to wake anyone. What looks so to the last worker that goes to
 * sleep may still be on its way in another's hands (an event it has taken, a
 * task it is about to ready). Therefore:
 *
 *   suspect: note how often each worker has begun to sleep and how many tasks
 *            have been run; ring every bell
 *   certain: all look the same again, no task has been run since, and each
 *            worker has begun to sleep once more; it had nothing in its hands
 *            then, and nothing new can have come
 *
 * A thread of the program's own that ends is not noticed: then the report fails
 * to come, as it does where the C library has a thread of its own.
 *
 * Costs a worker that sleeps one load and one store; the last one to sleep also
 * a look at the wheels and at one fd that somebody waits for.
 */
#ifndef MFI_SCHED_DEADLOCK_H
#define MFI_SCHED_DEADLOCK_H

#include "sched/worker.h"

/* The first task of mf_run; NULL: do not look. */
extern _Atomic(mf_task *) mfi_deadlock_first;

/* From the mf_run thread: before its join of the first task, and after. */
void mfi_deadlock_watch(mf_task *first);

/*
 * What was hope is gone (the last offloaded function has ended), perhaps after
 * the last worker has looked: have one look again. Any thread.
 */
void mfi_deadlock_again(void);

void mfi_deadlock_look(void);

/* w begins to sleep with nothing in its hands. */
static inline void mfi_deadlock_sleeps(struct worker *w)
{
    mfi_store_rel(&w->sleeps, mfi_load_rlx(&w->sleeps) + 1);
}

/* w is listed as idle and has found no work. */
static inline void mfi_deadlock_check(void)
{
    if (mfi_load_acq(&mfi_sched.nr_idle) == (uint32_t)mfi_sched.nr_workers &&
        mfi_load_acq(&mfi_deadlock_first) != NULL)
        mfi_deadlock_look();
}

#endif
