/* SPDX-License-Identifier: MIT */
/*
 * task.h - a task: a record of 128 bytes, and a stack only while it lives.
 *
 *   struct mf_task (slab)                 struct running (top of a stack)
 *   fn, arg or copy, scope, name   <--->  coroutine, agent, defers, last error
 *   result, ending, references            from the first run to the end
 *
 * A spawned task is the record alone: a first touch of a stack costs a hundred
 * spawns, and one that waits its turn needs none. Who can wait is an *agent*:
 * a running task or a plain thread; it owns the parker, the open scopes and the
 * shields, so every blocking call is written once for both.
 *
 * Record fields and their guards
 *   next         whoever has it queued: run queue, inject queue, scope's
 *   pending sibling      scope->lock
 *   state        LOCK is a spin lock for the rest of the word, run and joiners
 *   run          valid while RUNNING is set; cleared under LOCK before the
 *                stack
 *                goes, so a canceller that holds LOCK may use it
 *   cancel       written by cancellers, consumed by the task: atomic
 *   refs         one of the scope's (until the task has ended), one a handle
 * Rank: scope lock, then LOCK, then agent->lock, then fd and wheel locks.
 */
#ifndef MFI_SCHED_TASK_H
#define MFI_SCHED_TASK_H

#include <mayfly/task.h>

#include "base/waitq.h"
#include "coro/coro.h"
#include "coro/unwind.h"
#include "os/spin.h"

struct scope;
struct worker;

enum task_state {
    TASK_LOCK = 1,
    TASK_RUNNING = 2, /* run is valid, fn is not */
    TASK_ENDED = 4,
    TASK_TOKEN = 8,      /* an unpark came */
    TASK_PINNED = 32,    /* runs on `worker` only */
    TASK_SKIP = 64,      /* MF_TASK_SKIP_CANCELED */
    TASK_COPY = 128,     /* the argument is in the record */
    TASK_MESSAGE = 256,  /* u.message is set */
    TASK_WHEN = 1024,    /* waits as a record, for mf_go_when */
    TASK_EARLY = 2048,   /* its stack was attached at the spawn; not run yet */
    TASK_PARKING = 4096, /* in mf_park: an unpark may claim it */
    TASK_ALONE = 8192, /* cancelled by itself: its scope does not fail for it */
    TASK_WORKER_SHIFT = 16,
};

enum task_held {
    HELD_HANDLE = 1,  /* a user has it: it stays in its scope's list */
    HELD_COUNTED = 2, /* its scope has counted it out */
};

enum {
    TASK_COPY_LEN = 48,
    PINNED_NOWHERE = 0xffff,
    PINNED_FOR_LIFE = 1 << 30 /* MF_TASK_PINNED */
};

struct mf_task {
    struct mf_task *next;
    union {
        mf_fn *fn;           /* before the first run */
        struct running *run; /* RUNNING */
    };
    struct scope *scope;
    struct list sibling;
    const char *name;     /* borrowed, or NULL */
    struct waitq joiners; /* under LOCK */
    _Atomic uint32_t refs;
    _Atomic uint32_t state;
    int result;
    _Atomic uint8_t cancel; /* enum cancel_state | flags, see cancel.h */
    uint8_t ending;         /* enum mf_ending */
    uint8_t size_log2;      /* of its stack */
    uint8_t held;           /* enum task_held; under the scope's lock */
    const char *site;       /* where it was spawned; borrowed, or NULL */
    union {
        _Alignas(MF_COPY_ALIGN) char copy[TASK_COPY_LEN];
        void *arg;
        struct when *when; /* WHEN */
        char *message;     /* MESSAGE; malloc'ed */
    } u;
};
_Static_assert(sizeof(struct mf_task) == 128, "two cache lines");

struct held;
struct locals;
struct mf_gen;

enum agent_kind { AGENT_TASK, AGENT_THREAD, AGENT_WHEN, AGENT_END_WATCH };

struct agent {
    struct parker parker;     /* first: a parker is its agent */
    struct spin lock;         /* inner, while cancellers may look */
    uint32_t shields;         /* how many are open */
    struct scope *inner;      /* the innermost open scope */
    mf_ns shield_limit;       /* of the nearest shield */
    _Atomic uint8_t *base;    /* its own cancel word, outside all its scopes */
    int bell;                 /* threads: eventfd that ends a ppoll; or -1 */
    _Atomic uint32_t polling; /* threads: sleeps in ppoll, not on the futex */
    struct explain *explain;  /* the last failure in words, or NULL */
    struct held *held;        /* locks it has, the latest first */
    struct locals *locals;    /* coroutine-local values, or NULL */
    struct mf_gen *gen;       /* the innermost generator that runs in it */
};

/*
 * Locks are of the layer above, which sets these before main, if it is linked:
 * a has ended, what it holds goes to others; and, the frames in [low, high) are
 * about to go while it lives, so what it holds in there is not its to give.
 */
extern void (*mfi_held_release)(struct agent *a);
extern void (*mfi_held_forget)(struct agent *a, uintptr_t low, uintptr_t high);

/*
 * Told of a task's end, however it ended and even if it never ran, before its
 * scope is: a joiner that is no agent. Linked at the spawn (spawn.h), claimed
 * like any joiner; then `ended` is called with no lock held, must not suspend,
 * and may free the watch. The record is there until its scope has heard too.
 */
struct end_watch {
    struct parker parker; /* AGENT_END_WATCH; parked from the start */
    struct waiter waiter;
    void (*ended)(struct end_watch *self);
};

static inline void mfi_end_watch_init(struct end_watch *w,
                                      void (*ended)(struct end_watch *))
{
    w->parker.kind = AGENT_END_WATCH;
    mfi_store_rlx(&w->parker.word, (uint32_t)PARK_PARKED);
    w->waiter.parker = &w->parker;
    w->ended = ended;
}

struct defer;

/* At the top of its stack; type-stable while the stack is mapped. */
struct running {
    struct coro co;
    struct agent agent;
    mf_task *task;
    void *arg;
    mf_fn *fn;
    struct defer *defers;
    uint32_t pins;         /* mf_pin not undone, or PINNED_FOR_LIFE and more */
    int32_t budget;        /* calls that need not wait, until it yields */
    const char *waits_for; /* for the dump; NULL: runs or is ready */
    /*
     * NULL, or called once, by the task itself, when a call of its own is about
     * to give the CPU up: to wait or to yield (not when its budget is spent: it
     * has not asked for that). It runs as the task's own code with no lock held
     * and must not suspend. The wait may be over before it has left; then it
     * was told for nothing, which has to be harmless.
     */
    void (*on_leave)(struct running *me);
    uintptr_t root; /* an address above all its frames */
    struct unwind unwind;
    char *message; /* of a panic on its way to the root */
    int exit_rc;
};

static inline struct agent *mfi_agent_of(struct parker *p)
{
    return mfi_container_of(p, struct agent, parker);
}

static inline struct running *mfi_running_of(struct agent *a)
{
    mfi_assert_debug(a->parker.kind == AGENT_TASK);
    return mfi_container_of(a, struct running, agent);
}

void mfi_task_lock_slow(mf_task *t);

static inline void mfi_task_lock(mf_task *t)
{
    if (mfi_unlikely(
            (mfi_or_acqrel(&t->state, (uint32_t)TASK_LOCK) & TASK_LOCK) != 0))
        mfi_task_lock_slow(t);
}

/* All writers of the word hold the lock, so the unlock need not read it. */
static inline void mfi_task_unlock(mf_task *t, uint32_t set, uint32_t clear)
{
    uint32_t state = mfi_load_rlx(&t->state);

    mfi_assert_debug((state & TASK_LOCK) != 0);
    mfi_store_rel(&t->state, ((state | set) & ~clear) & ~(uint32_t)TASK_LOCK);
}

/* Drop a reference; the last one frees the record. w may be NULL. */
void mfi_task_put(struct worker *w, mf_task *t);

/*
 * The task has run, all of it: publish its end, wake joiners, tell its scope.
 * On the worker it ran on; t->result and t->ending are set.
 */
void mfi_task_end(struct worker *w, mf_task *t);

#endif
