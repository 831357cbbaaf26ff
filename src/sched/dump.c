/* SPDX-License-Identifier: MIT */
/* dump.c - a walk over all scopes from the root, printing tasks. */
#include "sched/dump.h"

#include <stdio.h>

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
    if ((state & TASK_RUNNING) == 0)
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
