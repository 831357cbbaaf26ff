/* SPDX-License-Identifier: MIT */
/* leave.c - giving up the CPU and getting it: drawn in worker.h. */
#include "sched/entry.h"
#include "sched/worker.h"

/* Whoever left last has left its stack: finish what it wanted. */
static void after_leaving(struct worker *w)
{
    struct running *prev = w->prev;
    uint32_t armed;

    w->prev = NULL;
    if (prev == NULL)
        return;
    switch (w->why) {
    case LEAVE_PARK:
        armed = mfi_load_rlx(&prev->agent.parker.word);
        if ((armed & PARK_STATE) != PARK_ARMED ||
            !mfi_cas_acqrel(&prev->agent.parker.word, &armed, armed + 1))
            mfi_ready(w, prev->task, true); /* claimed while it was leaving */
        break;
    case LEAVE_YIELD:
        mfi_ready(w, prev->task, false);
        break;
    case LEAVE_END:
        mfi_entry_recycle(w, prev);
        break;
    }
}
_Static_assert(PARK_PARKED == PARK_ARMED + 1, "the commit adds one");

void mfi_arrived(struct worker *w, struct running *me)
{
    after_leaving(w);
    mfi_cxx_enter(&me->co, w->cxx);
    me->budget = BUDGET;
    me->waits_for = NULL;
}

/* The coroutine to switch to for task t, which has no CPU yet. */
static struct coro *enter(struct worker *w, mf_task *t)
{
    uint32_t state = mfi_load_acq(&t->state);
    struct running *run;

    mfi_store_rlx(&w->run_seq, mfi_load_rlx(&w->run_seq) + 1);
    if ((state & (TASK_RUNNING | TASK_EARLY)) == TASK_RUNNING)
        run = t->run;
    else
        run = mfi_entry_attach(w, t);
    w->current = run;
    return run != NULL ? &run->co : &w->base;
}

/*
 * Leave for t, or for the base loop (NULL). A task that cannot get a stack has
 * been ended by enter, which then says base.
 */
MFI_ARCH_SWITCHES void mfi_leave_for(struct worker *w, struct running *me,
                                     enum leave why, mf_task *t)
{
    struct coro *to;

    if (t != NULL) {
        to = enter(w, t);
    } else {
        w->current = NULL;
        to = &w->base;
    }
    w->prev = me;
    w->why = why;
    mfi_cxx_leave(&me->co, w->cxx);
    w = mfi_coro_switch(&me->co, to, w, why == LEAVE_END);
    mfi_arrived(w, me);
}

void mfi_leave(struct worker *w, struct running *me, enum leave why)
{
    mf_task *t = NULL;

    if (mfi_likely(--w->tick > 0))
        t = mfi_pick(w);
    mfi_leave_for(w, me, why, t);
}

/* From the base loop: run t until somebody comes back. */
MFI_ARCH_SWITCHES void mfi_run_from_base(struct worker *w, mf_task *t)
{
    struct coro *to = enter(w, t);

    if (to == &w->base) {
        w->current = NULL;
        return;
    }
    mfi_coro_switch(&w->base, to, w, 0);
    w->current = NULL;
    after_leaving(w);
}
