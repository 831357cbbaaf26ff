/* SPDX-License-Identifier: MIT */
/* dump.c - a walk over all scopes from the root, printing tasks. */
#include "sched/dump.h"

#include <stdio.h>
#include <string.h>

#include "sched/worker.h"

enum { DEPTH_MAX = 32, TASKS_MAX = 1000 };

static int left;

static void dump_scope(struct scope *s, int depth);

static const char *doing(uint32_t state, const struct running *run)
{
    if ((state & TASK_ENDED) != 0)
        return "has ended";
    if ((state & TASK_WHEN) != 0)
        return "waits for an fd, as a record";
    if ((state & TASK_RUNNING) == 0 || (state & TASK_EARLY) != 0)
        return "has not run yet";
    return run->waits_for != NULL ? run->waits_for : "runs, or is ready to";
}

static void dump_task(mf_task *t, int depth)
{
    uint32_t state = mfi_load_acq(&t->state);
    struct running *run = (state & TASK_RUNNING) != 0 ? t->run : NULL;
    const char *what = doing(state, run);
    bool both = t->name != NULL && t->site != NULL;

    if (--left < 0)
        return;
    fprintf(stderr, "  %*stask '%s' #%llu%s%s: %s%s\n", 2 * depth, "",
            mf_task_name(t), (unsigned long long)mf_task_id(t),
            both ? ", spawned at " : "", both ? t->site : "",
            run != NULL && run->waits_for != NULL ? "waits for " : "", what);
    if (run == NULL)
        return;
    for (struct scope *s = run->agent.inner; s != NULL; s = s->outer)
        dump_scope(s, depth + 1);
}

static void dump_scope(struct scope *s, int depth)
{
    if (depth > DEPTH_MAX || !mfi_spin_try(&s->lock))
        return;
    mfi_list_for_each (link, &s->children) {
        if (left < 0)
            break;
        dump_task(mfi_container_of(link, mf_task, sibling), depth);
    }
    mfi_spin_unlock(&s->lock);
}

/* ---- does everybody wait? ----------------------------------------------- */

static bool scope_waits(struct scope *s, int depth);

static bool task_waits(mf_task *t, int depth)
{
    uint32_t state = mfi_load_acq(&t->state);
    const struct running *run = t->run;

    if ((state & TASK_ENDED) != 0)
        return true;
    if ((state & TASK_WHEN) != 0)
        return false;
    if ((state & TASK_RUNNING) == 0 || (state & TASK_EARLY) != 0)
        return true; /* no queue has it: it waits for a place in its scope */
    if ((mfi_load_acq(&run->agent.parker.word) & PARK_STATE) != PARK_PARKED ||
        run->waits_for == NULL ||
        strcmp(run->waits_for, "a point in time") == 0)
        return false;
    for (struct scope *s = run->agent.inner; s != NULL; s = s->outer)
        if (!scope_waits(s, depth + 1))
            return false;
    return true;
}

static bool scope_waits(struct scope *s, int depth)
{
    bool all = true;

    if (depth > DEPTH_MAX || !mfi_spin_try(&s->lock))
        return false;
    mfi_list_for_each (link, &s->children) {
        if (!all)
            break;
        all = task_waits(mfi_container_of(link, mf_task, sibling), depth);
    }
    mfi_spin_unlock(&s->lock);
    return all;
}

bool mfi_dump_all_wait(void)
{
    return scope_waits(mfi_scope(&mfi_sched.root), 0);
}

/* ---- the dump ----------------------------------------------------------- */

void mfi_dump(void)
{
    if (mfi_load_acq(&mfi_sched.up) == 0)
        return;
    left = TASKS_MAX;
    fprintf(stderr, "mayfly: all tasks, from the root scope:\n");
    dump_scope((struct scope *)(void *)&mfi_sched.root, 0);
    if (left < 0)
        fprintf(stderr, "  ... and more\n");
}
