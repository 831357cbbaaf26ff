/* SPDX-License-Identifier: MIT */
/*
 * entry.h - the first and the last frames of a task.
 *
 *   top of the stack
 *     struct running          one cache line up to the top
 *     argument copy           only when it does not fit the record
 *     first frame, task_main, the user's function ...
 *
 * When a task has ended and the next one to run is a record without a stack, it
 * starts right there, on the same stack and in the same loop: no switch, no
 * stack taken or given. That is what makes a batch of a million spawns cheap.
 */
#ifndef MFI_SCHED_ENTRY_H
#define MFI_SCHED_ENTRY_H

#include "sched/worker.h"

/*
 * Give t a stack for its first run. NULL: it has none, or is not to run at all;
 * it has been ended (-ENOMEM, or skipped).
 */
struct running *mfi_entry_attach(struct worker *w, mf_task *t);

/*
 * At the spawn already, with a copy of len bytes of arg. Returns 0, -ENOMEM,
 * -EINVAL (a stack size beyond the largest).
 */
int mfi_entry_attach_early(struct worker *w, mf_task *t, mf_fn *fn,
                           const void *arg, size_t len);

/* It has left its stack for good: recycle it. */
void mfi_entry_recycle(struct worker *w, struct running *run);

/* Give the stack of a task that was never started back. */
void mfi_entry_detach(struct worker *w, mf_task *t);

/* What w runs next of its own; NULL: nothing. See ready.c. */
mf_task *mfi_pick_slow(struct worker *w);

static inline mf_task *mfi_pick(struct worker *w)
{
    mf_task *t;

    if (w->slot != NULL && mfi_likely(++w->streak < SLOT_STREAK)) {
        mfi_guard_private(w);
        t = w->slot;
        w->slot = NULL;
        mfi_unguard_private(w);
        if (mfi_likely(t != NULL)) /* no tick has published it */
            return t;
    }
    return mfi_pick_slow(w);
}

/* The switch path; see leave.c. */
void mfi_arrived(struct worker *w, struct running *me);
void mfi_run_from_base(struct worker *w, mf_task *t);
void mfi_leave_for(struct worker *w, struct running *me, enum leave why,
                   mf_task *t);

/* The body is over, with this result: defers, scopes, then the end. */
void mfi_entry_finish(struct running *me, int result, enum mf_ending ending);

/*
 * Leave all frames of me, or, inside a generator, all frames of that, and then
 * those of who asked it.
 */
_Noreturn void mfi_exit_unwind(struct running *me);

/* Run what was deferred, last first. */
void mfi_defers_run(struct running *me);

#endif
