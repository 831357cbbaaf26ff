/* SPDX-License-Identifier: MIT */
/*
 * coro.h - a coroutine: a stack that can be switched to, and nothing else.
 *
 * Whoever runs coroutines keeps its own state beside this one at the stack top,
 * so that a parked coroutine touches one page:
 *
 *   low ........................................ top
 *   guard | free | frames of the coroutine <- sp | caller's struct (coro in it)
 *
 * A thread's own stack is a coroutine too (mfi_coro_thread), so a switch knows
 * no special case. C++ keeps the exceptions being handled in a per-thread list;
 * a coroutine that suspends inside a catch block takes its list along.
 *
 * Source for the latter: Itanium C++ ABI, Exception Handling, 2.2.2.
 */
#ifndef MFI_CORO_CORO_H
#define MFI_CORO_CORO_H

#include "arch/arch.h"
#include "base/assert.h"
#include "coro/track.h"
#include "mem/stack.h"

struct cxx_globals { /* __cxa_eh_globals: what the ABI fixes of it */
    void *caught;
    unsigned uncaught;
};

struct coro {
    struct arch_context context; /* while it does not run */
    struct stack *stack;         /* NULL: a thread's own */
    struct cxx_globals cxx;      /* while it does not run */
    struct track track;
};

/*
 * Make a coroutine on `stack` below `top` (aligned to 16) that calls
 * entry(arg of the first switch). entry calls mfi_coro_begun first.
 */
void mfi_coro_init(struct coro *co, struct stack *stack, void *top,
                   void (*entry)(void *arg));

/* Describe the calling thread's own stack. */
void mfi_coro_thread(struct coro *co);

/* Its last switch is done and something else runs: the stack may be reused. */
void mfi_coro_done(struct coro *co);

/*
 * This thread's C++ exception state, or NULL without a C++ runtime. Constant
 * for a thread: asked once, kept by the worker.
 */
struct cxx_globals *mfi_cxx_globals(void);

/* First thing in entry. */
static inline void mfi_coro_begun(struct coro *self)
{
    mfi_track_enter(&self->track);
}

/*
 * Leave `from`, the running one, for `to`. Returns, when somebody switches back
 * to `from`, the arg they gave: maybe on another thread, so whatever the caller
 * knew about its thread is stale. `ends`: from is never switched to again.
 */
static inline __attribute__((__always_inline__)) void *
mfi_coro_switch(struct coro *from, struct coro *to, void *arg, int ends)
{
    void *got;

    mfi_track_leave(&from->track, &to->track, ends);
    got = mfi_arch_switch(&from->context, &to->context, arg);
    mfi_track_enter(&from->track);
    return got;
}

/* Around a switch: take this thread's exceptions along, bring them back. */
static inline void mfi_cxx_leave(struct coro *from, struct cxx_globals *cxx)
{
    if (mfi_unlikely(cxx != NULL && (cxx->caught != NULL || cxx->uncaught))) {
        from->cxx = *cxx;
        *cxx = (struct cxx_globals){NULL, 0};
    }
}

static inline void mfi_cxx_enter(struct coro *self, struct cxx_globals *cxx)
{
    if (mfi_unlikely(self->cxx.caught != NULL || self->cxx.uncaught)) {
        *cxx = self->cxx;
        self->cxx = (struct cxx_globals){NULL, 0};
    }
}

#endif
