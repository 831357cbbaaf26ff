/* SPDX-License-Identifier: MIT */
/*
 * gen.h - a generator: a coroutine that runs as a part of whoever asks it.
 *
 *   top of the stack
 *     struct mf_gen           one cache line up to the top
 *     first frame, gen_main, the user's function ...
 *
 * It is no task: the scheduler knows nothing of it. What waits in it is the
 * task (or thread) that asked, wherever its stack pointer stands just then.
 * Those that run in one agent are a chain, agent->gen innermost.
 */
#ifndef MFI_SCHED_GEN_H
#define MFI_SCHED_GEN_H

#include <mayfly/gen.h>

#include "sched/task.h"

enum gen_state {
    GEN_FRESH,
    GEN_RUNNING,
    GEN_WAITING, /* in a yield */
    GEN_DONE
};

struct mf_gen {
    struct coro co;   /* it, while it does not run */
    struct coro back; /* who asked, while it does */
    _Atomic uint32_t state;
    bool closing; /* yields no more: it is being freed, or unwound */
    bool freeing;
    bool ended;   /* fn is over: it will not be switched to again */
    bool unwound; /* ... by mf_exit or mf_panic */
    bool takes;   /* it waits for a value: in, in_size, got */
    bool got;
    const void *value; /* what it yields; in its frames, so valid meanwhile */
    void *in;
    size_t in_size;
    size_t elem_size;
    struct scope *inner; /* the agent's at the resume; and its shields */
    uint32_t shields;
    struct mf_gen *outer; /* who asked runs inside this one, or NULL */
    int result;
    uintptr_t root; /* an address above all its frames */
    mf_gen_fn *fn;
    void *arg;
    void *arg2;
};

/* The generator of the chain that runs on stack s, or NULL. */
struct mf_gen *mfi_gen_on(struct mf_gen *innermost, const struct stack *s);

/* The frames of all that run in a are about to be unwound. */
void mfi_gens_closing(struct agent *a);

/* The unwinding has reached g's root: it goes on in who asked. */
void mfi_gen_landed(void *g);

/* The runtime stops: take the stacks of those that were never freed. */
void mfi_gens_abandon(void);

#endif
