/* SPDX-License-Identifier: MIT */
/*
 * gen.c - generators: resume, yield, end, free. See gen.h.
 *
 *             next, send, free                    fn returns, is unwound
 *   FRESH ---------------------> RUNNING -----------------------------> DONE
 *                                 |  ^
 *                       yield     |  | next, send, free
 *                                 v  |
 *                                WAITING
 *
 * A step is two bare switches. The asker's context stands in g->back, the
 * generator's in g->co; the task's own context (running.co) is not touched, so
 * it is free for a park: a task that blocks inside a generator leaves from
 * there with mfi_leave as from any other depth, and may come back on another
 * worker. So nothing about the thread is kept over a switch; the agent is the
 * same on both sides of a step, and is.
 *
 * What a coroutine has besides its stack pointer:
 *   - its track (coro/track.h): running.co.track is always that of the stack
 *     the task stands on, as this is what a park switches from and to; a step
 *     lends the generator's and takes it back
 *   - C++ exceptions being handled: each side takes its own along, so a catch
 *     block on either side may span a step
 *   - scopes and shields are the agent's. One begun by the generator would be
 *     the asker's once it yields, and be ended out of order: hence -EPERM
 *
 * Values are not stored: `value` points into the frames of the generator, which
 * stand still while it waits; the asker copies from there, and a value sent in
 * goes straight to where mf_gen_yield_in wants it.
 *
 * state is written by the asker's side alone, on the asker's stack: whoever
 * sees WAITING or DONE may resume or free g, as nobody stands on its stack any
 * more (release, acquire). One who asks while another task's step is under way
 * sees RUNNING and gets -EDEADLK; two who begin at the same instant are the
 * caller's mistake: the CAS that would tell them apart is half a step's price.
 *
 * mf_panic and mf_exit unwind one stack at a time: the walk ends at g->root,
 * mfi_gen_landed switches to the asker for good, and the walk begins anew
 * there, in resume(). Meanwhile no generator of the chain may yield.
 *
 * Rejected: a context and track of the agent's current coroutine behind a
 * pointer: one more dependent load in every switch of every task, for those
 * that stand in a generator.
 */
#include "sched/gen.h"

#include <string.h>

#include "sched/entry.h"
#include "sched/worker.h"

#define MINE ((uintptr_t)1) /* in stack->owner: a generator's, not a task's */

/* ---- the two switches --------------------------------------------------- */

/* The calling thread's, for mfi_cxx_leave and mfi_cxx_enter. */
static inline struct cxx_globals *exceptions(const struct worker *w)
{
    return mfi_likely(w != NULL) ? w->cxx : mfi_cxx_globals();
}

/* a's track is g's for a while. Without a sanitizer there is nothing to do. */
static inline void lend_track(struct agent *a, struct mf_gen *g)
{
    if (a->parker.kind == AGENT_TASK)
        mfi_track_lend(&mfi_running_of(a)->co.track, &g->co.track,
                       &g->back.track);
    else
        mfi_track_here(&g->back.track);
}

static inline void return_track(struct agent *a, struct mf_gen *g)
{
    if (a->parker.kind == AGENT_TASK)
        mfi_track_return(&mfi_running_of(a)->co.track, &g->back.track);
}

static void release(struct mf_gen *g)
{
    struct stack *stack = g->co.stack;
    struct worker *w = mfi_worker();

    mfi_coro_done(&g->co);
    mfi_asan_poison(g, sizeof *g); /* until the stack is taken again */
    mfi_stack_put(w != NULL ? &w->stacks : NULL, stack);
    if (w != NULL)
        w->recycled++;
}

/* mf_exit or mf_panic has left g's frames; a's other frames are next. */
static _Noreturn void unwind_on(struct mf_gen *g, struct agent *a)
{
    if (g->freeing)
        release(g); /* mf_gen_free will not come to it */
    mfi_exit_unwind(mfi_running_of(a));
}

/* Run g in a, on w's thread, until it yields or ends. */
static inline __attribute__((__always_inline__)) void
resume(struct mf_gen *g, struct worker *w, struct agent *a)
{
    struct cxx_globals *cxx = exceptions(w);

    g->outer = a->gen;
    g->inner = a->inner;
    g->shields = a->shields;
    mfi_store_rlx(&g->state, (uint32_t)GEN_RUNNING);
    a->gen = g;
    lend_track(a, g);
    mfi_cxx_leave(&g->back, cxx);
    mfi_cxx_enter(&g->co, cxx);
    mfi_coro_switch(&g->back, &g->co, g, 0);
    return_track(a, g);
    a->gen = g->outer;
    mfi_store_rel(&g->state, (uint32_t)(g->ended ? GEN_DONE : GEN_WAITING));
    if (mfi_unlikely(g->unwound))
        unwind_on(g, a);
}

/* Back to who asked; g is the innermost of who runs on w's thread. */
static inline __attribute__((__always_inline__)) void
suspend(struct mf_gen *g, struct worker *w, int ends)
{
    struct cxx_globals *cxx = exceptions(w);

    mfi_cxx_leave(&g->co, cxx);
    mfi_cxx_enter(&g->back, cxx);
    mfi_track_leave(&g->co.track, &g->back.track, ends);
    mfi_arch_switch(&g->co.context, &g->back.context, NULL);
    mfi_track_enter_from(&g->co.track, &g->back.track);
}

/* ---- first and last frames ---------------------------------------------- */

MFI_ARCH_SWITCHES static _Noreturn void end(struct mf_gen *g, int result)
{
    g->result = result < 0 ? result : 0;
    g->ended = true;
    suspend(g, mfi_worker(), 1);
    mfi_broken("an ended generator runs", __FILE__, __LINE__);
}

/* Scopes it began and left open: their memory is about to be used again. */
static void close_scopes(const struct mf_gen *g, struct agent *a)
{
    struct scope *s = a->inner;

    while (s != g->inner && s != NULL)
        s = s->outer;
    if (s != g->inner)
        return; /* it closed the asker's: nothing can be told from that */
    while (a->inner != g->inner)
        mf_scope_drop((mf_scope *)(void *)a->inner);
}

static void gen_main(void *gen)
{
    struct mf_gen *g = gen;
    int result;

    mfi_track_enter_from(&g->co.track, &g->back.track);
    g->root = (uintptr_t)__builtin_frame_address(0);
    result = g->fn(g, g->arg);
    close_scopes(g, mfi_agent_known());
    end(g, result);
}

void mfi_gen_landed(void *gen)
{
    struct mf_gen *g = gen;

    g->unwound = true;
    end(g, -ENOTRECOVERABLE);
}

/* ---- make and free ------------------------------------------------------ */

static struct mf_gen *place(struct stack *stack)
{
    uintptr_t top = (uintptr_t)stack->low + stack->size;

    return (struct mf_gen *)((top - sizeof(struct mf_gen)) &
                             ~(uintptr_t)(MFI_CACHE_LINE - 1));
}

int mf_gen_make(mf_gen_fn *fn, void *arg, size_t elem_size, mf_gen **ret_gen)
{
    struct worker *w = mfi_worker();
    struct stack *stack;
    struct mf_gen *g;
    int rc;

    if (fn == NULL || ret_gen == NULL || mfi_load_acq(&mfi_sched.up) == 0)
        return -EINVAL;
    rc = mfi_stack_get(w != NULL ? &w->stacks : NULL, mfi_sched.stack_size,
                       &stack);
    if (rc < 0)
        return rc;
    g = place(stack);
    stack->owner = (void *)((uintptr_t)g | MINE);
    mfi_coro_init(&g->co, stack, g, gen_main);
    g->back.cxx = (struct cxx_globals){NULL, 0};
    mfi_store_rlx(&g->state, (uint32_t)GEN_FRESH);
    g->closing = g->freeing = g->ended = g->unwound = false;
    g->takes = g->got = false;
    g->elem_size = elem_size;
    g->fn = fn;
    g->arg = arg;
    *ret_gen = g;
    return 0;
}

MFI_ARCH_SWITCHES void mf_gen_free(mf_gen *g)
{
    struct worker *w = mfi_worker();
    struct agent *a;
    uint32_t state;

    if (g == NULL)
        return;
    state = mfi_load_acq(&g->state);
    if (state == GEN_RUNNING)
        mfi_die("mf_gen_free: the generator is running");
    /* Without memory for this thread's agent its frames are abandoned. */
    if (state == GEN_WAITING && (a = mfi_agent()) != NULL) {
        g->closing = g->freeing = true;
        resume(g, w, a);
        mfi_assert(g->ended);
    }
    release(g);
}

static bool abandon(struct stack *s)
{
    struct mf_gen *g = (void *)((uintptr_t)s->owner & ~MINE);

    if (((uintptr_t)s->owner & MINE) == 0)
        return false;
    if (mfi_load_acq(&g->state) == GEN_RUNNING)
        mfi_die("the runtime stops, and a plain thread runs a generator");
    mfi_coro_done(&g->co);
    return true;
}

void mfi_gens_abandon(void)
{
    mfi_stacks_take_back(abandon);
}

/* ---- asking -------------------------------------------------------------- */

static inline struct agent *agent_of(struct worker *w)
{
    return mfi_likely(w != NULL) ? &w->current->agent : mfi_agent_thread();
}

/* What there is to say without running it, if state is RUNNING or DONE. */
static int no_step(const struct mf_gen *g, uint32_t state)
{
    return state == GEN_DONE ? g->result : -EDEADLK;
}

static inline void hand_out(const struct mf_gen *g, void *ret_value)
{
    if (ret_value == NULL)
        return;
    switch (g->elem_size) { /* a call of memcpy is a quarter of a step */
    case 4:
        memcpy(ret_value, g->value, 4);
        break;
    case 8:
        memcpy(ret_value, g->value, 8);
        break;
    case 0:
        break;
    default:
        memcpy(ret_value, g->value, g->elem_size);
        break;
    }
}

MFI_ARCH_SWITCHES int mf_gen_next(mf_gen *g, void *ret_value)
{
    struct worker *w = mfi_worker();
    struct agent *a;
    uint32_t state;

    if (mfi_unlikely(g == NULL))
        return -EINVAL;
    state = mfi_load_acq(&g->state);
    if (mfi_unlikely(state == GEN_RUNNING || state == GEN_DONE))
        return no_step(g, state);
    if (mfi_unlikely((a = agent_of(w)) == NULL))
        return -ENOMEM;
    resume(g, w, a);
    if (mfi_unlikely(g->ended))
        return g->result;
    hand_out(g, ret_value);
    return mfi_arch_return(1);
}

int mf_gen_send(mf_gen *g, const void *in, size_t in_size, void *ret_value)
{
    uint32_t state;

    if (g == NULL)
        return -EINVAL;
    if (in == NULL)
        return mf_gen_next(g, ret_value);
    state = mfi_load_acq(&g->state);
    if (state == GEN_RUNNING || state == GEN_DONE)
        return no_step(g, state);
    if (state == GEN_FRESH || !g->takes || in_size != g->in_size)
        return -EINVAL;
    if (in_size != 0)
        memcpy(g->in, in, in_size);
    g->got = true;
    return mf_gen_next(g, ret_value);
}

int mf_gen_done(const mf_gen *g)
{
    return g == NULL || mfi_load_acq(&g->state) == GEN_DONE;
}

/* ---- yielding ----------------------------------------------------------- */

/* Is it g that runs here, and may it stop here? */
static inline int may_yield(const struct mf_gen *g, struct worker *w)
{
    struct agent *a =
        mfi_likely(w != NULL) ? &w->current->agent : mfi_agent_known();

    if (mfi_unlikely(a == NULL || a->gen != g))
        return -EPERM;
    if (mfi_unlikely(g->closing))
        return -ECANCELED;
    return mfi_likely(a->inner == g->inner && a->shields == g->shields)
               ? 0
               : -EPERM;
}

MFI_ARCH_SWITCHES int mf_gen_yield(mf_gen *g, const void *value)
{
    struct worker *w = mfi_worker();
    int rc;

    if (mfi_unlikely(g == NULL || (value == NULL && g->elem_size != 0)))
        return -EINVAL;
    if (mfi_unlikely((rc = may_yield(g, w)) < 0))
        return rc;
    g->value = value;
    suspend(g, w, 0);
    return mfi_arch_return(mfi_unlikely(g->closing) ? -ECANCELED : 0);
}

MFI_ARCH_SWITCHES int mf_gen_yield_in(mf_gen *g, const void *value,
                                      void *ret_in, size_t in_size)
{
    struct worker *w = mfi_worker();
    int rc;

    if (g == NULL || (value == NULL && g->elem_size != 0) ||
        (ret_in == NULL && in_size != 0))
        return -EINVAL;
    if ((rc = may_yield(g, w)) < 0)
        return rc;
    g->value = value;
    g->in = ret_in;
    g->in_size = in_size;
    g->got = false;
    g->takes = true;
    suspend(g, w, 0);
    g->takes = false;
    return mfi_arch_return(g->closing ? -ECANCELED : g->got);
}

int mf_gen_yield_from(mf_gen *g, mf_gen *from)
{
    int rc;

    if (g == NULL || from == NULL || g->elem_size != from->elem_size)
        return -EINVAL;
    for (;;) {
        /* First: a value once taken from it could not be put back. */
        if ((rc = may_yield(g, mfi_worker())) < 0 ||
            (rc = mf_gen_next(from, NULL)) <= 0 ||
            (rc = mf_gen_yield(g, from->value)) < 0)
            return rc;
    }
}

/* ---- what others need to know ------------------------------------------- */

struct mf_gen *mfi_gen_on(struct mf_gen *innermost, const struct stack *s)
{
    struct mf_gen *g = innermost;

    while (g != NULL && g->co.stack != s)
        g = g->outer;
    return g;
}

void mfi_gens_closing(struct agent *a)
{
    for (struct mf_gen *g = a->gen; g != NULL; g = g->outer)
        g->closing = true;
}
