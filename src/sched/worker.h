/* SPDX-License-Identifier: MIT */
/*
 * worker.h - one OS thread that runs tasks, and the scheduler they form.
 *
 * A task that gives up its CPU picks the next one itself and switches straight
 * to it; only when there is none, or every TICKS switches, does it switch to
 * the thread's own stack, whose loop polls, steals and sleeps.
 *
 *      task A --leave--> task B --leave--> ... --leave--> base loop
 *                                            ^               |
 *                                            +----- run -----+
 *
 * What has to happen to A after it has left its stack (commit its park, queue
 * it again, recycle the stack) is done by whoever runs next on this thread,
 * first thing (mfi_arrived): nothing can run A, or reuse its stack, before.
 * The worker is handed over in the switch itself; nobody keeps it in a variable
 * across one.
 *
 * slot and young are the worker's own: the task readied last by a running one,
 * which runs next, so that a ping-pong stays in cache (SLOT_STREAK in a row at
 * most), and the only task that has not run yet. Nobody else looks at them, so
 * they cost no locked instruction; if the worker then computes instead of
 * running them, the tick of hog.h makes them findable.
 *
 * Sleeping. idle is a stack of workers asleep or about to be. A worker puts
 * itself there, *then* looks once more at every queue, then sleeps in its
 * poller; a pusher queues, *then* looks at nr_idle. Both with a full fence in
 * between (Dekker), so work pushed at any time is seen by one of the two. A
 * pusher wakes one worker, and only if none searches; a searcher that finds
 * something and was the last to search wakes the next. Waking costs 10 us, so
 * what a worker is about to run itself (one task in slot or queue) wakes
 * nobody.
 */
#ifndef MFI_SCHED_WORKER_H
#define MFI_SCHED_WORKER_H

#include <mayfly/run.h>

#include "mem/slab.h"
#include "os/thread.h"
#include "poll/poller.h"
#include "poll/uring.h"
#include "poll/wheel.h"
#include "sched/runq.h"
#include "sched/scope.h"
#include "sched/task.h"

enum {
    SLOT_STREAK = 16, /* runs from the slot in a row, before others */
    TICKS = 61,       /* switches between two looks at I/O, timers and inject */
    BUDGET = 128,     /* calls that need not wait, before they yield */
};

enum leave { LEAVE_PARK, LEAVE_YIELD, LEAVE_END };

struct worker {
    /* owner only, hot */
    struct running *current; /* NULL: the base loop */
    struct running *prev;    /* who left last, for mfi_arrived */
    enum leave why;
    int32_t tick;
    struct cxx_globals *cxx;
    _Atomic uint32_t run_seq; /* one up per task run; the hog handler reads */
    uint32_t recycled;        /* stacks put back since the last trim */
    mf_task *slot;            /* readied last by a running task: runs next */
    uint32_t streak;          /* runs from the slot in a row */
    mf_task *young;         /* the only fresh task here; see mfi_ready_fresh */
    _Atomic uint32_t guard; /* these two are being handled: no tick now */
    struct runq q;
    struct slab_cache records;
    struct stack_cache stacks;
    struct coro base;
    struct poller poller;
    struct wheel wheel;
    struct uring *ring; /* the owner's, or NULL: plain system calls */
    struct uring ring_itself;
    struct spin later_lock; /* later; a hog's helper takes it */
    struct batch later;     /* queued by tasks that parked for it */
    _Atomic uint32_t nr_later;
    /* the owner's, seen by others */
    _Alignas(MFI_CACHE_LINE) int index;
    bool searching;
    bool idle_listed;        /* under sched.idle_lock */
    _Atomic uint32_t sleeps; /* begun; see deadlock.h */
    uint32_t sleeps_seen;    /* deadlock.c's */
    uint32_t rng;
    struct os_thread thread;
    /* hog.h */
    _Atomic uint32_t hog_seen; /* run_seq at the last tick; the handler's */
    _Atomic uint32_t hog;      /* its task computes without yielding */
    int hog_timer;
    void *sigstack;
    int cpu; /* >= 0: keep to it */
};

struct sched {
    struct worker *_Atomic *workers;
    int nr_workers;
    bool stealing;
    size_t stack_size;
    mf_ns hog_time;
    int offload_max;
    bool uring;
    struct injectq inject;
    _Alignas(MFI_CACHE_LINE) _Atomic uint32_t nr_idle;
    _Atomic uint32_t nr_searching;
    struct spin idle_lock;
    struct worker **idle; /* a stack of nr_idle, under idle_lock */
    _Atomic uint32_t stopping;
    _Atomic uint32_t hogs;   /* workers whose hog is set */
    _Atomic uint32_t guests; /* foreign threads that ready a task just now */
    mf_scope root;
    _Atomic uint32_t up; /* 0 while nothing runs */
};

extern struct sched mfi_sched;

/* The calling thread's worker, or NULL. Never cache it over a suspension. */
static inline struct worker *mfi_worker(void)
{
    uintptr_t word = (uintptr_t)mfi_arch_self();

    return (word & 1) == 0 ? (struct worker *)word : NULL;
}

/* The running task or the plain thread; NULL: no memory for the latter's. */
struct agent *mfi_agent_thread(void);

static inline struct agent *mfi_agent(void)
{
    struct worker *w = mfi_worker();

    return mfi_likely(w != NULL) ? &w->current->agent : mfi_agent_thread();
}

/* The same if there is one already: makes none, may be asked in a handler. */
static inline struct agent *mfi_agent_known(void)
{
    uintptr_t word = (uintptr_t)mfi_arch_self();
    struct worker *w = (struct worker *)word;

    if ((word & 1) != 0)
        return (struct agent *)(word & ~(uintptr_t)1);
    return w != NULL && w->current != NULL ? &w->current->agent : NULL;
}

/* Give up the CPU; me is the running task. Returns when it runs again. */
void mfi_leave(struct worker *w, struct running *me, enum leave why);

/* A call of me's own is about to suspend it; see running.on_leave. */
static inline void mfi_tell_leave(struct running *me)
{
    if (mfi_unlikely(me->on_leave != NULL)) {
        void (*tell)(struct running *) = me->on_leave;

        me->on_leave = NULL;
        tell(me);
    }
}

/* Make everybody on the list runnable, in its order. Context: any. */
void mfi_wake_slow(struct wake_list *l);

static inline void mfi_wake(struct wake_list *l)
{
    if (l->head != NULL)
        mfi_wake_slow(l);
}

/*
 * Queue a task that has left its stack. hot: it was readied by a running task
 * and goes next. w NULL: foreign thread.
 */
void mfi_ready(struct worker *w, mf_task *t, bool hot);

/*
 * Queue a record that has not run yet. One alone costs no locked instruction:
 * it is kept as `young`, where only its worker finds it, until a second one
 * comes, or until the tick of hog.h finds that this worker computes.
 */
void mfi_ready_fresh(struct worker *w, mf_task *t);

/* In the tick: let others find slot and young, if nobody is at them. */
void mfi_publish_private(struct worker *w);

/*
 * The tick interrupts this thread only, so between these two plain accesses to
 * slot and young will do; the fences keep the compiler from moving them out.
 */
static inline void mfi_guard_private(struct worker *w)
{
    mfi_store_rlx(&w->guard, 1u);
    atomic_signal_fence(memory_order_acquire);
}

static inline void mfi_unguard_private(struct worker *w)
{
    atomic_signal_fence(memory_order_release);
    mfi_store_rlx(&w->guard, 0u);
}

/* w has queued something: wake a sleeper if there is more than it runs next. */
void mfi_sched_pushed(struct worker *w);

/* A thread's main function, of a worker; returns when the scheduler stops. */
void mfi_worker_main(void *arg);

/* Look at of's poller and wheel as its owner would. True: there were events. */
bool mfi_worker_poll(struct worker *self, struct worker *of);

/*
 * Queue what the running task, whose parker is armed hard, wants done together
 * with others' before `of` polls next.
 */
void mfi_batch_later(struct worker *w, struct batch_op *op);

/* Do what of has queued, on self's ring. True: there was something. */
bool mfi_worker_flush(struct worker *self, struct worker *of);

/* Others are about to run here, and may have something to do as well. */
static inline bool mfi_batch_can_wait(struct worker *w)
{
    return w->ring != NULL &&
           (mfi_load_rlx(&w->nr_later) != 0 || mfi_ring_size(&w->q) != 0);
}

/* Try to wake one sleeper, whoever it is. Context: any but signal handlers. */
void mfi_wake_one(void);

/* Let a running task that met no reason to wait give way now and then. */
void mfi_budget_spent(struct running *me);

static inline void mfi_budget(struct agent *a)
{
    if (a->parker.kind == AGENT_TASK) {
        struct running *me = mfi_running_of(a);

        if (mfi_unlikely(--me->budget <= 0))
            mfi_budget_spent(me);
    }
}

#endif
