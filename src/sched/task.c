/* SPDX-License-Identifier: MIT */
/* task.c - records: the lock bit, references, the end, joining. See task.h. */
#include "sched/task.h"

#include <stdlib.h>

#include "base/time.h"
#include "sched/park.h"

void mfi_task_lock_slow(mf_task *t)
{
    int spins = 0;

    do {
        while ((mfi_load_rlx(&t->state) & TASK_LOCK) != 0) {
            if (++spins < 100)
                mfi_cpu_relax();
            else
                mfi_sys0(SYS_sched_yield);
        }
    } while ((mfi_or_acqrel(&t->state, (uint32_t)TASK_LOCK) & TASK_LOCK) != 0);
}

void mfi_task_put(struct worker *w, mf_task *t)
{
    if (mfi_likely(mfi_load_acq(&t->refs) == 1) ||
        mfi_sub_acqrel(&t->refs, 1u) == 1) {
        if (mfi_unlikely((mfi_load_rlx(&t->state) & TASK_MESSAGE) != 0))
            /* tidy: allow malloc, because vasprintf gave it */
            free(t->u.message);
        mfi_slab_put(w != NULL ? &w->records : NULL, t);
    }
}

void mfi_task_end(struct worker *w, mf_task *t)
{
    struct wake_list woken;

    mfi_wake_list_init(&woken);
    mfi_task_lock(t);
    if (mfi_unlikely(t->joiners.first != NULL))
        mfi_waitq_wake_all(&t->joiners, &woken);
    mfi_task_unlock(t, TASK_ENDED, TASK_RUNNING | TASK_TOKEN);
    mfi_wake(&woken);
    mfi_scope_ended(w, t->scope, t);
}

static bool ended(mf_task *t)
{
    return (mfi_load_acq(&t->state) & TASK_ENDED) != 0;
}

int mf_join(mf_task *t, int *ret_result, mf_deadline deadline)
{
    struct agent *a = mfi_agent();
    struct waiter me;
    int rc;

    if (t == NULL)
        return -EINVAL;
    if (a == NULL)
        return -ENOMEM;
    if (a->parker.kind == AGENT_TASK && mfi_running_of(a)->task == t)
        return -EDEADLK;
    me.parker = &a->parker;
    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        if (ended(t))
            break;
        if (mfi_is_try(deadline))
            return -ETIMEDOUT;
        mfi_park_arm_early(a);
        mfi_task_lock(t);
        if (ended(t)) {
            mfi_task_unlock(t, 0, 0);
            mfi_park_disarm(a);
            break;
        }
        mfi_waitq_add(&t->joiners, &me);
        mfi_task_unlock(t, 0, 0);
        rc = mfi_wait(a, mfi_time_of(deadline), "a task's end");
        if (rc == 0)
            continue; /* ended, but for the cancel point */
        mfi_task_lock(t);
        mfi_waitq_del(&t->joiners, &me);
        mfi_task_unlock(t, 0, 0);
        if (rc < 0)
            return rc;
    }
    if (ret_result != NULL)
        *ret_result = t->result;
    return 0;
}

enum mf_ending mf_task_ending(mf_task *t, const char **ret_message)
{
    if (t == NULL || !ended(t))
        return MF_RUNNING;
    if (ret_message != NULL)
        *ret_message =
            (mfi_load_acq(&t->state) & TASK_MESSAGE) != 0 ? t->u.message : NULL;
    return (enum mf_ending)t->ending;
}

mf_task *mf_task_ref(mf_task *t)
{
    if (t != NULL)
        mfi_add_rlx(&t->refs, 1u);
    return t;
}

void mf_task_unref(mf_task *t)
{
    if (t != NULL)
        mfi_task_put(mfi_worker(), t);
}

/*
 * Of the handle and the end, whichever comes second drops the scope's
 * reference: held is under the scope's lock.
 */
void mf_task_release(mf_task *t)
{
    struct scope *s;
    bool put;

    if (t == NULL || (s = t->scope) == NULL)
        return;
    mfi_spin_lock(&s->lock);
    put = t->held == (HELD_HANDLE | HELD_COUNTED);
    t->held &= (uint8_t)~HELD_HANDLE;
    if (put)
        mfi_list_del_init(&t->sibling);
    mfi_spin_unlock(&s->lock);
    if (put)
        mfi_task_put(mfi_worker(), t);
}

void mf_task_cancel(mf_task *t)
{
    if (t == NULL || ended(t))
        return;
    mfi_task_lock(t);
    mfi_task_unlock(t, TASK_ALONE, 0);
    mfi_cancel_task(t);
}

mf_task *mf_self(void)
{
    struct worker *w = mfi_worker();

    return w != NULL ? w->current->task : NULL;
}

uint64_t mf_task_id(const mf_task *t)
{
    return (uint64_t)(uintptr_t)t / sizeof *t;
}

const char *mf_task_name(const mf_task *t)
{
    const char *name = NULL;

    if (t != NULL)
        name = t->name != NULL ? t->name : t->site;
    return name != NULL ? name : "?";
}
