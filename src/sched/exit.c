/* SPDX-License-Identifier: MIT */
/*
 * exit.c - leaving a task early: mf_exit, mf_panic, and what was deferred.
 *
 * Both unwind to the frame above the user's function (coro/unwind.h), through
 * the generators it is in, one stack at a time (gen.c); there the task ends as
 * if it had returned, and leaves its stack for good: the frames of the unwinder
 * still lie below, so no other task may begin on it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "sched/entry.h"
#include "sched/gen.h"
#include "sched/worker.h"

struct defer { /* in a slab record of its own */
    struct defer *next;
    void (*fn)(void *arg);
    void *arg;
};

int mf_defer(void (*fn)(void *arg), void *arg)
{
    struct worker *w = mfi_worker();
    struct defer *d;

    if (fn == NULL)
        return -EINVAL;
    if (w == NULL)
        return -EPERM;
    d = mfi_slab_get(&w->records);
    if (d == NULL)
        return -ENOMEM;
    *d = (struct defer){w->current->defers, fn, arg};
    w->current->defers = d;
    return 0;
}

void mfi_defers_run(struct running *me)
{
    struct defer *d;

    me->agent.shields++;
    me->agent.shield_limit = MFI_FAR;
    while ((d = me->defers) != NULL) {
        struct defer now = *d;

        me->defers = now.next;
        mfi_slab_put(&mfi_worker()->records, d);
        now.fn(now.arg); /* may suspend, may even exit or panic again */
    }
    me->agent.shields--;
}

static void drop_scopes(struct running *me)
{
    while (me->agent.inner != NULL)
        mf_scope_drop((mf_scope *)(void *)me->agent.inner);
}

static void landed(void *arg)
{
    struct running *me = arg;
    mf_task *t = me->task;
    struct worker *w;

    me->agent.shields = 0;
    if (me->message != NULL) {
        /*
         * Defers first: the copy the text replaces is theirs. One of them may
         * panic too, and land here again, or exit; it stays a panic.
         */
        drop_scopes(me);
        mfi_defers_run(me);
        mfi_task_lock(t);
        t->u.message = me->message;
        me->message = NULL;
        mfi_task_unlock(t, TASK_MESSAGE, 0);
        mfi_entry_finish(me, -ENOTRECOVERABLE, MF_PANICKED);
    } else {
        mfi_entry_finish(me, me->exit_rc, MF_EXITED);
    }
    w = mfi_worker();
    mfi_leave(w, me, LEAVE_END);
    mfi_broken("an ended task runs", __FILE__, __LINE__);
}

void mfi_exit_unwind(struct running *me)
{
    struct mf_gen *g = me->agent.gen;

    me->unwind.root = g != NULL ? g->root : me->root;
    me->unwind.landed = g != NULL ? mfi_gen_landed : landed;
    me->unwind.arg = g != NULL ? (void *)g : me;
    mfi_unwind(&me->unwind);
}

/* Locks that lie in the frames about to go: on all the stacks it stands on. */
static void forget_held(struct running *me)
{
    struct agent *a = &me->agent;

    mfi_held_forget(a, (uintptr_t)me->co.stack->low, (uintptr_t)me);
    for (struct mf_gen *g = a->gen; g != NULL; g = g->outer)
        mfi_held_forget(a, (uintptr_t)g->co.stack->low, (uintptr_t)g);
}

static _Noreturn void leave(struct running *me)
{
    /* While their memory is: a cleanup runs on the stack below its frame. */
    drop_scopes(me);
    if (mfi_unlikely(me->agent.held != NULL))
        forget_held(me);
    mfi_gens_closing(&me->agent);
    mfi_exit_unwind(me);
}

void mf_exit(int rc)
{
    struct worker *w = mfi_worker();

    if (w == NULL)
        mfi_die("mf_exit(%d) outside a task", rc);
    w->current->exit_rc = rc;
    leave(w->current);
}

void mf_panic(const char *fmt, ...)
{
    struct worker *w = mfi_worker();
    char *message = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&message, fmt, args) < 0)
        message = NULL;
    va_end(args);
    if (w == NULL)
        mfi_die("panic outside a task: %s", message != NULL ? message : fmt);
    if (message == NULL)
        mfi_die("panic without memory for its text: %s", fmt);
    /* tidy: allow malloc, because vasprintf gave it */
    free(w->current->message);
    w->current->message = message;
    leave(w->current);
}
