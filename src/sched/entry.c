/* SPDX-License-Identifier: MIT */
/* entry.c - attaching a stack, running the body, ending. See entry.h. */
#include "sched/worker.h"

#include <string.h>

#include "sched/cancel.h"
#include "sched/entry.h"
#include "sched/when.h"

void (*mfi_held_release)(struct agent *a);
void (*mfi_held_forget)(struct agent *a, uintptr_t low, uintptr_t high);

static void task_main(void *worker);

static struct running *place(struct stack *stack)
{
    uintptr_t top = (uintptr_t)stack->low + stack->size;

    return (struct running *)((top - sizeof(struct running)) &
                              ~(uintptr_t)(MFI_CACHE_LINE - 1));
}

/* The state of a task about to run on run's stack for the first time. */
static void begin(struct running *run, mf_task *t, mf_fn *fn, void *arg)
{
    run->task = t;
    run->fn = fn;
    run->arg = arg;
    run->defers = NULL;
    run->pins = 0;
    run->message = NULL;
    run->waits_for = NULL;
    run->on_leave = NULL;
    run->agent.shields = 0;
    run->agent.shield_limit = 0;
    run->agent.inner = NULL;
    run->agent.held = NULL;
    run->agent.locals = NULL;
    run->agent.gen = NULL;
    run->agent.base = &t->cancel;
}

/* A stack just taken: everything that lasts longer than one task. */
static void furnish(struct running *run, struct stack *stack, void *top)
{
    run->agent.parker.kind = AGENT_TASK;
    mfi_store_rlx(&run->agent.parker.word, (uint32_t)PARK_IDLE);
    mfi_store_rlx(&run->agent.lock.word, 0u);
    run->agent.bell = -1;
    mfi_store_rlx(&run->agent.polling, 0u);
    run->agent.explain = NULL;
    stack->owner = run;
    mfi_coro_init(&run->co, stack, top, task_main);
}

/* The argument, and the function, which `run` is about to overwrite. */
static void claim(struct worker *w, struct running *run, mf_task *t)
{
    uint32_t state = mfi_load_rlx(&t->state);
    uint32_t set = TASK_RUNNING, clear = TASK_EARLY;
    bool copy = (state & TASK_COPY) != 0;

    if ((state & TASK_EARLY) == 0)
        begin(run, t, t->fn, copy ? t->u.copy : t->u.arg);
    if ((state & TASK_PINNED) != 0) {
        run->pins = PINNED_FOR_LIFE;
        set |= (uint32_t)w->index << TASK_WORKER_SHIFT;
        clear |= (uint32_t)~w->index << TASK_WORKER_SHIFT;
    }
    mfi_task_lock(t);
    t->run = run;
    mfi_task_unlock(t, set, clear);
}

/* A stack that was never run on. */
static void give_back(struct worker *w, struct running *run)
{
    struct stack *stack = run->co.stack;

    mfi_coro_done(&run->co);
    mfi_stack_put(w != NULL ? &w->stacks : NULL, stack);
}

static bool skipped(struct worker *w, mf_task *t)
{
    bool early = (mfi_load_rlx(&t->state) & TASK_EARLY) != 0;
    struct running *run = t->run;

    if (mfi_likely((mfi_load_rlx(&t->state) & TASK_SKIP) == 0) ||
        (mfi_load_acq(&t->cancel) & CANCEL_STATE) == CANCEL_NONE)
        return false;
    t->result = -ECANCELED;
    t->ending = MF_CANCELED;
    mfi_task_end(w, t);
    if (early)
        give_back(w, run);
    return true;
}

struct running *mfi_entry_attach(struct worker *w, mf_task *t)
{
    struct running *run;
    struct stack *stack;
    int rc;

    if (skipped(w, t))
        return NULL;
    if ((mfi_load_rlx(&t->state) & TASK_EARLY) != 0) {
        claim(w, t->run, t);
        return t->run;
    }
    rc = mfi_stack_get(&w->stacks, (size_t)1 << t->size_log2, &stack);
    if (rc < 0) {
        t->result = rc;
        t->ending = MF_RETURNED;
        mfi_task_end(w, t);
        return NULL;
    }
    run = place(stack);
    furnish(run, stack, run);
    claim(w, run, t);
    return run;
}

int mfi_entry_attach_early(struct worker *w, mf_task *t, mf_fn *fn,
                           const void *arg, size_t len)
{
    struct running *run;
    struct stack *stack;
    uintptr_t copy;
    int rc = mfi_stack_get(w != NULL ? &w->stacks : NULL,
                           (size_t)1 << t->size_log2, &stack);

    if (rc < 0)
        return rc;
    run = place(stack);
    copy = ((uintptr_t)run - len) & ~(uintptr_t)(MF_COPY_ALIGN - 1);
    memcpy((void *)copy, arg, len);
    furnish(run, stack, (void *)copy);
    begin(run, t, fn, (void *)copy);
    t->run = run;
    return 0;
}

void mfi_entry_recycle(struct worker *w, struct running *run)
{
    struct stack *stack = run->co.stack;

    mfi_coro_done(&run->co);
    mfi_stack_put(&w->stacks, stack);
    w->recycled++;
}

void mfi_entry_detach(struct worker *w, mf_task *t)
{
    give_back(w, t->run);
}

/* Scopes the task left open: nothing outlives them. */
static void close_scopes(struct running *me)
{
    struct scope *s;

    while ((s = me->agent.inner) != NULL)
        mf_scope_drop((mf_scope *)(void *)s);
}

void mfi_entry_finish(struct running *me, int result, enum mf_ending ending)
{
    mf_task *t = me->task;
    struct worker *w;

    if (mfi_unlikely(me->agent.inner != NULL))
        close_scopes(me);
    if (mfi_unlikely(me->defers != NULL))
        mfi_defers_run(me);
    if (mfi_unlikely(me->agent.held != NULL))
        mfi_held_release(&me->agent);
    if (result == -ECANCELED && ending == MF_RETURNED &&
        (mfi_load_acq(&t->cancel) & CANCEL_STATE) != CANCEL_NONE)
        ending = MF_CANCELED;
    t->result = result;
    t->ending = (uint8_t)ending;
    w = mfi_worker();
    if (mfi_unlikely(me->agent.explain != NULL)) {
        mfi_slab_put(&w->records, me->agent.explain);
        me->agent.explain = NULL;
    }
    mfi_task_end(w, t);
}

/* The next task, if it can begin on the stack of the one that has ended. */
static mf_task *next_here(struct worker *w, struct running *me, mf_task **ret_t)
{
    mf_task *t = NULL;

    if (mfi_likely(--w->tick > 0))
        t = mfi_pick(w);
    *ret_t = t;
    if (t == NULL ||
        (mfi_load_rlx(&t->state) & (TASK_RUNNING | TASK_SKIP)) != 0)
        return NULL;
    return (uint32_t)1 << t->size_log2 == me->co.stack->size ? t : NULL;
}

static void task_main(void *worker)
{
    struct worker *w = worker;
    struct running *me = w->current;
    mf_task *t;

    mfi_coro_begun(&me->co);
    mfi_arrived(w, me);
    me->root = (uintptr_t)__builtin_frame_address(0);
    for (;;) {
        mfi_entry_finish(me, me->fn(me->arg), MF_RETURNED);
        w = mfi_worker();
        if (next_here(w, me, &t) == NULL)
            break;
        mfi_store_rlx(&w->run_seq, mfi_load_rlx(&w->run_seq) + 1);
        claim(w, me, t);
        me->budget = BUDGET;
    }
    mfi_leave_for(w, me, LEAVE_END, t);
    mfi_broken("an ended task runs", __FILE__, __LINE__);
}
