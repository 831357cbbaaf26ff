/* SPDX-License-Identifier: MIT */
/* spawn.c - records in the making: mf_go, mf_go_copy, mf_spawn. */
#include "sched/spawn.h"

#include <string.h>

#include "sched/entry.h"
#include "sched/options.h"
#include "sched/when.h"

#undef mf_go
#undef mf_go_copy

static uint8_t log2_of(size_t size)
{
    return (uint8_t)(MFI_STACK_MIN_LOG2 + mfi_stack_class(size));
}

/* Everything but the links: t is nobody's yet. */
static int fill(struct worker *w, mf_task *t, const struct spawn_args *how)
{
    size_t size = how->stack_size != 0 ? how->stack_size : mfi_sched.stack_size;
    uint32_t where =
        how->worker != 0 ? (uint32_t)how->worker - 1 : (uint32_t)PINNED_NOWHERE;
    uint32_t state = where << TASK_WORKER_SHIFT;

    t->fn = how->fn;
    t->name = how->name;
    t->site = how->site;
    t->joiners.first = NULL;
    mfi_store_rlx(&t->refs, 1u);
    t->result = 0;
    t->ending = MF_RUNNING;
    t->size_log2 = log2_of(size);
    t->u.arg = (void *)(uintptr_t)how->arg;
    if (mfi_unlikely(how->flags != 0)) {
        if ((how->flags & MF_TASK_PINNED) != 0)
            state |= TASK_PINNED;
        if ((how->flags & MF_TASK_SKIP_CANCELED) != 0)
            state |= TASK_SKIP;
        if ((how->flags & SPAWN_WATCHED) != 0)
            mfi_waitq_add(&t->joiners, &how->watch->waiter);
    }
    if (how->when != NULL) {
        state |= TASK_WHEN;
        t->u.when = how->when;
        *how->when_task = t;
    }
    mfi_store_rlx(&t->state, state);
    if (how->copy_len == 0)
        return 0;
    if (how->copy_len <= TASK_COPY_LEN) {
        memcpy(t->u.copy, how->arg, how->copy_len);
        mfi_store_rlx(&t->state, state | TASK_COPY);
        return 0;
    }
    mfi_store_rlx(&t->state, state | TASK_RUNNING | TASK_EARLY);
    return mfi_entry_attach_early(w, t, how->fn, how->arg, how->copy_len);
}

void mfi_start(struct worker *w, mf_task *t)
{
    if (mfi_unlikely((mfi_load_acq(&t->state) & TASK_WHEN) != 0))
        mfi_when_begin(w, t);
    else
        mfi_ready_fresh(w, t);
}

static int check(const struct scope *s, const struct spawn_args *how)
{
    if (how->copy_len > MF_COPY_MAX)
        return -E2BIG;
    if (how->fn == NULL || !mfi_scope_is_open(s) ||
        how->stack_size > MFI_STACK_MAX || how->worker < 0 ||
        how->worker > mfi_sched.nr_workers ||
        (how->copy_len != 0 && how->arg == NULL))
        return -EINVAL;
    return 0;
}

/* MF_TASK_INLINE: the child runs now, the caller is queued behind. */
static void run_inline(struct worker *w, mf_task *t)
{
    if (w != NULL &&
        (mfi_load_rlx(&t->state) >> TASK_WORKER_SHIFT) == PINNED_NOWHERE) {
        mfi_tell_leave(w->current);
        mfi_leave_for(w, w->current, LEAVE_YIELD, t);
    } else {
        mfi_start(w, t);
    }
}

static int refuse(struct scope *s, int rc)
{
    if (mfi_scope_is_open(s))
        mfi_scope_refused(s, rc);
    return rc;
}

int mfi_spawn(struct scope *s, const struct spawn_args *how, mf_task **ret_task)
{
    struct worker *w = mfi_worker();
    mf_task *t;
    int rc = check(s, how);

    if (mfi_unlikely(rc < 0))
        return refuse(s, rc);
    t = mfi_slab_get(w != NULL ? &w->records : NULL);
    if (mfi_unlikely(t == NULL))
        return refuse(s, -ENOMEM);
    if (mfi_unlikely((rc = fill(w, t, how)) < 0)) {
        mfi_slab_put(w != NULL ? &w->records : NULL, t);
        return refuse(s, rc);
    }
    t->held = ret_task != NULL ? HELD_HANDLE : 0;
    rc = mfi_scope_admit(s, t);
    if (mfi_unlikely(rc < 0)) {
        if ((mfi_load_rlx(&t->state) & TASK_EARLY) != 0)
            mfi_entry_detach(w, t);
        mfi_slab_put(w != NULL ? &w->records : NULL, t);
        return rc; /* it is cancelled: it has failed already, or need not */
    }
    if (ret_task != NULL)
        *ret_task = t; /* before it runs: an inline child may use it */
    if (rc == 0) {
        if (mfi_unlikely((how->flags & MF_TASK_INLINE) != 0))
            run_inline(w, t);
        else
            mfi_start(w, t);
    }
    return 0;
}

int mf_go_at(mf_scope *s, mf_fn *fn, void *arg, const char *site)
{
    struct spawn_args how = {.fn = fn, .arg = arg, .site = site};

    return mfi_spawn(mfi_scope(s), &how, NULL);
}

int mf_go_copy_at(mf_scope *s, mf_fn *fn, const void *arg, size_t len,
                  const char *site)
{
    struct spawn_args how = {
        .fn = fn, .arg = arg, .copy_len = len, .site = site};

    return mfi_spawn(mfi_scope(s), &how, NULL);
}

int mf_go(mf_scope *s, mf_fn *fn, void *arg)
{
    return mf_go_at(s, fn, arg, NULL);
}

int mf_go_copy(mf_scope *s, mf_fn *fn, const void *arg, size_t len)
{
    return mf_go_copy_at(s, fn, arg, len, NULL);
}

int mf_spawn(mf_scope *s, mf_fn *fn, void *arg, const mf_task_options *opts,
             mf_task **ret_task)
{
    struct spawn_args how = {.fn = fn, .arg = arg};
    mf_task_options o = {.size = sizeof o};
    const uint32_t known =
        MF_TASK_PINNED | MF_TASK_INLINE | MF_TASK_SKIP_CANCELED;

    if (opts != NULL) {
        if (mfi_options_copy(&o, sizeof o, opts) < 0 || (o.flags & ~known) != 0)
            return refuse(mfi_scope(s), -EINVAL);
        how.copy_len = o.copy_len;
        how.name = o.name;
        how.site = o.site;
        how.stack_size = o.stack_size;
        how.worker = o.worker;
        how.flags = o.flags;
    }
    return mfi_spawn(mfi_scope(s), &how, ret_task);
}
