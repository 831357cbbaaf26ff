/* SPDX-License-Identifier: MIT */
/*
 * ready.c - making tasks runnable, and waking who shall run them.
 *
 * Where a task goes (runq.h draws the queues):
 *
 *   readied by a running task   slot
 *   readied by the base loop    ring, in order
 *   never run                   young if it is the only one, else fresh
 *   pinned, or meant for one    that worker's own queue, and its bell
 *   by a foreign thread         inject queue
 *
 * The rule about waking is in worker.h: a push wakes a sleeper only if there is
 * more than its own worker runs next and nobody searches.
 */
#include "sched/entry.h"
#include "sched/idle.h"
#include "sched/park.h"
#include "sched/when.h"
#include "sched/worker.h"

/* ---- waking others ------------------------------------------------------ */

void mfi_idle_enter(struct worker *w)
{
    uint32_t n;

    mfi_spin_lock(&mfi_sched.idle_lock);
    n = mfi_load_rlx(&mfi_sched.nr_idle);
    mfi_sched.idle[n] = w;
    w->idle_listed = true;
    mfi_store_rel(&mfi_sched.nr_idle, n + 1);
    mfi_spin_unlock(&mfi_sched.idle_lock);
}

/* Take w out of the list; it is in. */
static void unlist_locked(struct worker *w)
{
    uint32_t n = mfi_load_rlx(&mfi_sched.nr_idle), i = n - 1;

    while (mfi_sched.idle[i] != w)
        i--;
    mfi_sched.idle[i] = mfi_sched.idle[n - 1];
    w->idle_listed = false;
    mfi_store_rel(&mfi_sched.nr_idle, n - 1);
}

bool mfi_idle_leave(struct worker *w)
{
    bool listed;

    mfi_spin_lock(&mfi_sched.idle_lock);
    listed = w->idle_listed;
    if (listed)
        unlist_locked(w);
    mfi_spin_unlock(&mfi_sched.idle_lock);
    return listed;
}

struct worker *mfi_idle_pick_try(void)
{
    struct worker *w = NULL;
    uint32_t n;

    if (!mfi_spin_try(&mfi_sched.idle_lock))
        return NULL;
    n = mfi_load_rlx(&mfi_sched.nr_idle);
    if (n > 0) {
        w = mfi_sched.idle[n - 1];
        unlist_locked(w);
    }
    mfi_spin_unlock(&mfi_sched.idle_lock);
    return w;
}

void mfi_wake_one(void)
{
    struct worker *w = NULL;
    uint32_t n;

    mfi_spin_lock(&mfi_sched.idle_lock);
    n = mfi_load_rlx(&mfi_sched.nr_idle);
    if (n > 0 && mfi_load_rlx(&mfi_sched.nr_searching) == 0) {
        w = mfi_sched.idle[n - 1];
        unlist_locked(w);
        w->searching = true; /* counted now: no second pusher wakes another */
        mfi_add_sc(&mfi_sched.nr_searching, 1u);
    }
    mfi_spin_unlock(&mfi_sched.idle_lock);
    if (w != NULL)
        mfi_poller_ring(&w->poller);
}

/* Wake this very worker, for a task only it may run. */
static void wake_worker(struct worker *w)
{
    atomic_thread_fence(memory_order_seq_cst); /* push before nr_idle: Dekker */
    if (mfi_load_rlx(&mfi_sched.nr_idle) != 0 && mfi_idle_leave(w))
        mfi_poller_ring(&w->poller);
}

static void pushed_anywhere(void)
{
    atomic_thread_fence(memory_order_seq_cst); /* push before nr_idle: Dekker */
    if (mfi_load_rlx(&mfi_sched.nr_idle) > 0 &&
        mfi_load_rlx(&mfi_sched.nr_searching) == 0)
        mfi_wake_one();
}

void mfi_sched_pushed(struct worker *w)
{
    uint32_t n;

    if (mfi_sched.nr_workers == 1 || !mfi_sched.stealing)
        return;
    n = mfi_runq_size(&w->q) + (w->slot != NULL);
    if (n > 1)
        pushed_anywhere();
}

/* ---- making tasks runnable ---------------------------------------------- */

/*
 * A foreign thread that has queued a task still touches workers when the task
 * may have run already and all may be over: a stop waits for the guests. Until
 * the push it is the task that keeps the runtime from stopping.
 */
static void guest_comes(struct worker *self)
{
    if (self == NULL)
        mfi_add_acqrel(&mfi_sched.guests, 1u);
}

static void guest_goes(struct worker *self)
{
    if (self == NULL)
        mfi_sub_acqrel(&mfi_sched.guests, 1u);
}

static void inject(struct worker *self, mf_task *t)
{
    guest_comes(self);
    mfi_inject_push(&mfi_sched.inject, t, t, 1);
    pushed_anywhere();
    guest_goes(self);
}

static void ready_pinned(struct worker *self, mf_task *t, uint32_t state)
{
    int i = (int)(state >> TASK_WORKER_SHIFT);
    struct worker *w = mfi_load_acq(&mfi_sched.workers[i]);

    guest_comes(self);
    mfi_pinned_push(&w->q, t);
    if (w != self)
        wake_worker(w);
    guest_goes(self);
}

/* What was in the slot before goes to the ring. */
static void slot_put(struct worker *w, mf_task *t)
{
    mf_task *old;

    mfi_guard_private(w);
    old = w->slot;
    w->slot = t;
    mfi_unguard_private(w);
    if (old != NULL)
        mfi_ring_push(&w->q, old, &mfi_sched.inject);
}

void mfi_ready(struct worker *w, mf_task *t, bool hot)
{
    uint32_t state = mfi_load_acq(&t->state);

    if (mfi_unlikely((state & TASK_PINNED) != 0)) {
        ready_pinned(w, t, state);
        return;
    }
    if (mfi_unlikely(w == NULL) || mfi_sim_spread()) {
        inject(w, t);
        return;
    }
    if (hot)
        slot_put(w, t);
    else
        mfi_ring_push(&w->q, t, &mfi_sched.inject);
    mfi_sched_pushed(w);
}

static void fresh_here(struct worker *w, mf_task *t)
{
    uint32_t seq = mfi_load_rlx(&w->run_seq);

    mfi_guard_private(w);
    if (w->young == NULL && mfi_load_rlx(&w->q.fresh_n) == 0) {
        w->young = t;
        mfi_unguard_private(w);
        return;
    }
    if (w->young != NULL) {
        mfi_fresh_push(&w->q, w->young, seq);
        w->young = NULL;
    }
    mfi_unguard_private(w);
    mfi_fresh_push(&w->q, t, seq);
    mfi_sched_pushed(w);
}

static void publish(struct worker *w, mf_task **place)
{
    if (*place != NULL &&
        mfi_fresh_push_try(&w->q, *place, mfi_load_rlx(&w->run_seq)))
        *place = NULL;
}

void mfi_publish_private(struct worker *w)
{
    if (mfi_load_rlx(&w->guard) != 0)
        return;
    publish(w, &w->slot);
    publish(w, &w->young);
}

static mf_task *take_young(struct worker *w)
{
    mf_task *t;

    mfi_guard_private(w);
    t = w->young;
    w->young = NULL;
    mfi_unguard_private(w);
    return t;
}

static mf_task *take_slot(struct worker *w)
{
    mf_task *t;

    mfi_guard_private(w);
    t = w->slot;
    w->slot = NULL;
    mfi_unguard_private(w);
    return t;
}

mf_task *mfi_pick_slow(struct worker *w)
{
    mf_task *t;

    /* It ran too often in a row: the others have their turn. */
    if (w->slot != NULL && (t = take_slot(w)) != NULL)
        mfi_ring_push(&w->q, t, &mfi_sched.inject);
    w->streak = 0;
    if (w->young == NULL)
        return mfi_runq_pick(&w->q);
    /* Its turn among the fresh, also while the ring is never empty. */
    if (w->q.picks % FRESH_EVERY == 0 && (t = take_young(w)) != NULL)
        mfi_fresh_push(&w->q, t, mfi_load_rlx(&w->run_seq));
    t = mfi_runq_pick(&w->q);
    return t != NULL ? t : take_young(w);
}

void mfi_ready_fresh(struct worker *w, mf_task *t)
{
    uint32_t state = mfi_load_rlx(&t->state);

    if (mfi_unlikely((state >> TASK_WORKER_SHIFT) != PINNED_NOWHERE)) {
        ready_pinned(w, t, state);
    } else if (mfi_unlikely(w == NULL) || mfi_sim_spread()) {
        inject(w, t);
    } else {
        fresh_here(w, t);
    }
}

void mfi_wake_slow(struct wake_list *l)
{
    struct worker *w = mfi_worker();
    struct parker *p = l->head, *next;
    bool hot = w != NULL && w->current != NULL;

    for (; p != NULL; p = next) {
        struct agent *a = mfi_agent_of(p);

        next = p->next;
        switch ((enum agent_kind)p->kind) {
        case AGENT_TASK:
            mfi_ready(w, mfi_running_of(a)->task, hot);
            hot = false; /* the first of them; the others in their order */
            break;
        case AGENT_THREAD:
            mfi_agent_wake_thread(a);
            break;
        case AGENT_WHEN:
            mfi_when_start(w, p);
            break;
        case AGENT_END_WATCH: {
            struct end_watch *watch =
                mfi_container_of(p, struct end_watch, parker);

            watch->ended(watch);
            break;
        }
        }
    }
    mfi_wake_list_init(l);
}
