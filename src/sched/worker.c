/* SPDX-License-Identifier: MIT */
/* worker.c - leaving, arriving, the base loop, waking: drawn in worker.h. */
#include "sched/worker.h"

#include "sched/entry.h"
#include "sched/hog.h"
#include "sched/park.h"
#include "sched/when.h"

struct sched mfi_sched;

/* ---- waking others ------------------------------------------------------ */

static void ring_listed_locked(struct worker *w)
{
    w->idle_listed = false;
    mfi_store_rel(&mfi_sched.nr_idle, mfi_load_rlx(&mfi_sched.nr_idle) - 1);
}

void mfi_wake_one(void)
{
    struct worker *w = NULL;
    uint32_t n;

    mfi_spin_lock(&mfi_sched.idle_lock);
    n = mfi_load_rlx(&mfi_sched.nr_idle);
    if (n > 0 && mfi_load_rlx(&mfi_sched.nr_searching) == 0) {
        w = mfi_sched.idle[n - 1];
        ring_listed_locked(w);
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
    bool asleep = false;

    atomic_thread_fence(memory_order_seq_cst); /* push before nr_idle: Dekker */
    if (mfi_load_rlx(&mfi_sched.nr_idle) == 0)
        return;
    mfi_spin_lock(&mfi_sched.idle_lock);
    if (w->idle_listed) {
        uint32_t n = mfi_load_rlx(&mfi_sched.nr_idle), i = 0;

        while (mfi_sched.idle[i] != w)
            i++;
        mfi_sched.idle[i] = mfi_sched.idle[n - 1];
        ring_listed_locked(w);
        asleep = true;
    }
    mfi_spin_unlock(&mfi_sched.idle_lock);
    if (asleep)
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
    n = mfi_runq_size(&w->q) + (mfi_load_rlx(&w->q.slot) != NULL);
    if (n > 1)
        pushed_anywhere();
}

/* ---- making tasks runnable ---------------------------------------------- */

static void ready_pinned(struct worker *self, mf_task *t, uint32_t state)
{
    int i = (int)(state >> TASK_WORKER_SHIFT);
    struct worker *w = mfi_load_acq(&mfi_sched.workers[i]);

    mfi_pinned_push(&w->q, t);
    if (w != self)
        wake_worker(w);
}

void mfi_ready(struct worker *w, mf_task *t, bool hot)
{
    uint32_t state = mfi_load_acq(&t->state);

    if (mfi_unlikely((state & TASK_PINNED) != 0)) {
        ready_pinned(w, t, state);
        return;
    }
    if (mfi_unlikely(w == NULL)) {
        mfi_inject_push(&mfi_sched.inject, t, t, 1);
        pushed_anywhere();
        return;
    }
    if (hot && w->ending && w->handoff == NULL) {
        w->handoff = t; /* the caller is about to pick */
        return;
    }
    if (hot)
        mfi_slot_put(&w->q, t, &mfi_sched.inject);
    else
        mfi_ring_push(&w->q, t, &mfi_sched.inject);
    mfi_sched_pushed(w);
}

/*
 * The tick interrupts this thread only, so between guard_young and its end
 * plain accesses will do; the fences keep the compiler from moving them out.
 */
static void guard_young(struct worker *w, uint32_t on)
{
    if (on == 0)
        atomic_signal_fence(memory_order_release);
    mfi_store_rlx(&w->guard, on);
    if (on != 0)
        atomic_signal_fence(memory_order_acquire);
}

static void fresh_here(struct worker *w, mf_task *t)
{
    uint32_t seq = mfi_load_rlx(&w->run_seq);

    guard_young(w, 1);
    if (w->young == NULL && mfi_load_rlx(&w->q.fresh_n) == 0) {
        w->young = t;
        guard_young(w, 0);
        return;
    }
    if (w->young != NULL) {
        mfi_fresh_push(&w->q, w->young, seq);
        w->young = NULL;
    }
    guard_young(w, 0);
    mfi_fresh_push(&w->q, t, seq);
    mfi_sched_pushed(w);
}

void mfi_publish_young(struct worker *w)
{
    if (mfi_load_rlx(&w->guard) == 0 && w->young != NULL &&
        mfi_fresh_push_try(&w->q, w->young, mfi_load_rlx(&w->run_seq)))
        w->young = NULL;
}

static mf_task *take_young(struct worker *w)
{
    mf_task *t;

    guard_young(w, 1);
    t = w->young;
    w->young = NULL;
    guard_young(w, 0);
    return t;
}

/* What this worker runs next of its own. */
mf_task *mfi_pick(struct worker *w)
{
    mf_task *t = w->handoff;

    if (t != NULL) {
        w->handoff = NULL;
        if (mfi_likely(++w->q.streak < SLOT_STREAK))
            return t;
        w->q.streak = 0;
        mfi_ring_push(&w->q, t, &mfi_sched.inject);
    }
    /* Its turn among the fresh, also while the ring is never empty. */
    if (mfi_unlikely(w->q.picks % FRESH_EVERY == 0) &&
        (t = take_young(w)) != NULL)
        mfi_fresh_push(&w->q, t, mfi_load_rlx(&w->run_seq));
    t = mfi_runq_pick(&w->q, &mfi_sched.inject);
    return t != NULL ? t : take_young(w);
}

void mfi_ready_fresh(struct worker *w, mf_task *t)
{
    uint32_t state = mfi_load_rlx(&t->state);

    if (mfi_unlikely((state >> TASK_WORKER_SHIFT) != PINNED_NOWHERE)) {
        ready_pinned(w, t, state);
    } else if (mfi_unlikely(w == NULL)) {
        mfi_inject_push(&mfi_sched.inject, t, t, 1);
        pushed_anywhere();
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
            break;
        case AGENT_THREAD:
            mfi_agent_wake_thread(a);
            break;
        case AGENT_WHEN:
            mfi_when_start(w, p);
            break;
        }
    }
    mfi_wake_list_init(l);
}

/* ---- switching ---------------------------------------------------------- */

/* Whoever left last has left its stack: finish what it wanted. */
static void after_leaving(struct worker *w)
{
    struct running *prev = w->prev;
    uint32_t armed;

    w->prev = NULL;
    if (prev == NULL)
        return;
    switch (w->why) {
    case LEAVE_PARK:
        armed = mfi_load_rlx(&prev->agent.parker.word);
        if ((armed & PARK_STATE) != PARK_ARMED ||
            !mfi_cas_acqrel(&prev->agent.parker.word, &armed, armed + 1))
            mfi_ready(w, prev->task, true); /* claimed while it was leaving */
        break;
    case LEAVE_YIELD:
        mfi_ready(w, prev->task, false);
        break;
    case LEAVE_END:
        mfi_entry_recycle(w, prev);
        break;
    }
}
_Static_assert(PARK_PARKED == PARK_ARMED + 1, "the commit adds one");

void mfi_arrived(struct worker *w, struct running *me)
{
    after_leaving(w);
    mfi_cxx_enter(&me->co, w->cxx);
    me->budget = BUDGET;
    me->waits_for = NULL;
}

/* The coroutine to switch to for task t, which has no CPU yet. */
static struct coro *enter(struct worker *w, mf_task *t)
{
    struct running *run;

    mfi_store_rlx(&w->run_seq, mfi_load_rlx(&w->run_seq) + 1);
    if ((mfi_load_acq(&t->state) & TASK_RUNNING) != 0)
        run = t->run;
    else
        run = mfi_entry_attach(w, t);
    w->current = run;
    return run != NULL ? &run->co : &w->base;
}

/*
 * Leave for t, or for the base loop (NULL). A task that cannot get a stack has
 * been ended by enter, which then says base.
 */
void mfi_leave_for(struct worker *w, struct running *me, enum leave why,
                   mf_task *t)
{
    struct coro *to;

    if (t != NULL) {
        to = enter(w, t);
    } else {
        w->current = NULL;
        to = &w->base;
    }
    w->prev = me;
    w->why = why;
    mfi_cxx_leave(&me->co, w->cxx);
    w = mfi_coro_switch(&me->co, to, w, why == LEAVE_END);
    mfi_arrived(w, me);
}

void mfi_leave(struct worker *w, struct running *me, enum leave why)
{
    mf_task *t = NULL;

    if (mfi_likely(--w->tick > 0))
        t = mfi_pick(w);
    mfi_leave_for(w, me, why, t);
}

/* From the base loop: run t until somebody comes back. */
static void run(struct worker *w, mf_task *t)
{
    struct coro *to = enter(w, t);

    if (to == &w->base) {
        w->current = NULL;
        return;
    }
    mfi_coro_switch(&w->base, to, w, 0);
    w->current = NULL;
    after_leaving(w);
}

/* ---- polling ------------------------------------------------------------ */

/* One epoll_wait, and the receives its edges allow. */
static int poll_io(struct worker *self, struct worker *of, int timeout_ms,
                   struct wake_list *woken)
{
    struct batch batch;
    int got;

    mfi_batch_init(&batch);
    got = mfi_poller_poll(&of->poller, self->poller.events, POLL_BATCH,
                          timeout_ms, woken, &batch);
    if (batch.n != 0)
        mfi_batch_run(&batch, self->ring, woken);
    return got;
}

void mfi_batch_later(struct worker *w, struct batch_op *op)
{
    mfi_spin_lock(&w->later_lock);
    if (w->later.n == 0)
        mfi_batch_init(&w->later);
    mfi_batch_add(&w->later, op);
    mfi_store_rel(&w->nr_later, w->later.n);
    mfi_spin_unlock(&w->later_lock);
}

bool mfi_worker_flush(struct worker *self, struct worker *of)
{
    struct wake_list woken;
    struct batch batch;

    if (mfi_load_acq(&of->nr_later) == 0)
        return false;
    mfi_batch_init(&batch);
    mfi_spin_lock(&of->later_lock);
    if (of->later.n != 0) {
        batch = of->later;
        of->later.n = 0;
        mfi_store_rel(&of->nr_later, 0u);
    }
    mfi_spin_unlock(&of->later_lock);
    if (batch.n == 0)
        return false;
    mfi_wake_list_init(&woken);
    mfi_batch_run(&batch, self->ring, &woken);
    mfi_wake(&woken);
    return true;
}

bool mfi_worker_poll(struct worker *self, struct worker *of)
{
    struct wake_list woken;
    int got = 0;

    mfi_wake_list_init(&woken);
    if (mfi_load_rlx(&of->poller.nfds) != 0)
        got = poll_io(self, of, 0, &woken);
    if (mfi_load_acq(&of->wheel.earliest) != MFI_FAR)
        mfi_expire(of, &woken);
    mfi_wake(&woken);
    return got > 0;
}

/* Take a share of the inject queue into the ring; one of it is the result. */
static mf_task *take_injected(struct worker *w)
{
    uint32_t n, share = mfi_load_rlx(&mfi_sched.inject.n) /
                            (uint32_t)mfi_sched.nr_workers +
                        1;
    mf_task *t, *next, *first;

    if (share > RING_LEN / 2)
        share = RING_LEN / 2;
    first = mfi_inject_pop(&mfi_sched.inject, share, &n);
    if (first == NULL)
        return NULL;
    for (t = first->next; t != NULL; t = next) {
        next = t->next;
        mfi_ring_push(&w->q, t, &mfi_sched.inject);
    }
    return first;
}

/* ---- searching and sleeping --------------------------------------------- */

static uint32_t rng_next(struct worker *w)
{
    w->rng ^= w->rng << 13; /* Marsaglia 2003, "Xorshift RNGs" */
    w->rng ^= w->rng >> 17;
    w->rng ^= w->rng << 5;
    return w->rng;
}

static mf_task *steal(struct worker *w)
{
    uint32_t n = (uint32_t)mfi_sched.nr_workers, start = rng_next(w) % n;

    for (uint32_t i = 0; i < n; i++) {
        struct worker *from = mfi_load_acq(&mfi_sched.workers[(start + i) % n]);
        mf_task *t;
        bool hog;

        if (from == w)
            continue;
        /* One task alone: its worker is about to run it, unless it computes. */
        hog = mfi_load_rlx(&from->hog) != 0;
        if (mfi_runq_size(&from->q) < 2 && !hog)
            continue;
        t = mfi_runq_steal(&w->q, &from->q, hog, &mfi_sched.inject);
        if (t != NULL)
            return t;
    }
    return NULL;
}

static bool work_anywhere(struct worker *w)
{
    if (mfi_load_acq(&mfi_sched.inject.n) != 0 ||
        mfi_load_acq(&w->q.pinned_n) != 0 || mfi_runq_size(&w->q) != 0 ||
        mfi_load_acq(&mfi_sched.stopping) != 0)
        return true;
    if (!mfi_sched.stealing)
        return false;
    for (int i = 0; i < mfi_sched.nr_workers; i++) {
        struct worker *from = mfi_load_acq(&mfi_sched.workers[i]);

        if (from != w && mfi_runq_size(&from->q) > 1)
            return true;
    }
    return false;
}

static void stop_searching(struct worker *w)
{
    if (w->searching) {
        w->searching = false;
        mfi_sub_sc(&mfi_sched.nr_searching, 1u);
    }
}

/* Found something: whoever searches last calls the next searcher. */
static mf_task *found(struct worker *w, mf_task *t)
{
    if (w->searching) {
        w->searching = false;
        if (mfi_sub_sc(&mfi_sched.nr_searching, 1u) == 1)
            mfi_sched_pushed(w);
    }
    return t;
}

enum { ROUNDS = 4, ROUND_PAUSES = 40 };

/* A few looks around with pauses between; then it is time to sleep. */
static mf_task *search(struct worker *w)
{
    mf_task *t;

    if ((t = take_injected(w)) != NULL)
        return found(w, t);
    if (mfi_sched.nr_workers == 1)
        return NULL;
    if (mfi_load_acq(&mfi_sched.hogs) != 0 && mfi_hog_serve(w) &&
        (t = mfi_runq_pick(&w->q, &mfi_sched.inject)) != NULL)
        return found(w, t);
    if (!mfi_sched.stealing)
        return NULL;
    if (!w->searching) {
        /* Half of the workers searching is enough; a guess will do. */
        if (2 * mfi_load_rlx(&mfi_sched.nr_searching) >=
            (uint32_t)mfi_sched.nr_workers)
            return NULL;
        w->searching = true;
        mfi_add_sc(&mfi_sched.nr_searching, 1u);
    }
    for (int round = 0; round < ROUNDS; round++) {
        if ((t = steal(w)) != NULL || (t = take_injected(w)) != NULL)
            return found(w, t);
        for (int i = 0; i < ROUND_PAUSES; i++)
            mfi_cpu_relax();
    }
    return NULL;
}

/* Memory of stacks nobody needs goes back, while nothing else is to be done. */
static void trim(struct worker *w)
{
    while (w->recycled > MFI_STACKS_HOT) {
        if (mfi_worker_poll(w, w) || work_anywhere(w))
            return;
        if (!mfi_stack_trim(&w->stacks))
            w->recycled = 0;
    }
}

static void list_idle(struct worker *w)
{
    uint32_t n;

    mfi_spin_lock(&mfi_sched.idle_lock);
    n = mfi_load_rlx(&mfi_sched.nr_idle);
    mfi_sched.idle[n] = w;
    w->idle_listed = true;
    mfi_store_rel(&mfi_sched.nr_idle, n + 1);
    mfi_spin_unlock(&mfi_sched.idle_lock);
}

static void unlist_idle(struct worker *w)
{
    mfi_spin_lock(&mfi_sched.idle_lock);
    if (w->idle_listed) {
        uint32_t n = mfi_load_rlx(&mfi_sched.nr_idle), i = 0;

        while (mfi_sched.idle[i] != w)
            i++;
        mfi_sched.idle[i] = mfi_sched.idle[n - 1];
        ring_listed_locked(w);
    }
    mfi_spin_unlock(&mfi_sched.idle_lock);
}

static void sleep_until_woken(struct worker *w)
{
    struct wake_list woken;
    struct batch batch;

    trim(w);
    stop_searching(w);
    mfi_hog_rest(w);
    list_idle(w);
    atomic_thread_fence(memory_order_seq_cst); /* nr_idle before the look */
    if (work_anywhere(w)) {
        unlist_idle(w);
        return;
    }
    mfi_poller_alarm(&w->poller, mfi_load_acq(&w->wheel.earliest) == MFI_FAR
                                     ? MFI_FAR
                                     : mfi_wheel_next(&w->wheel));
    mfi_wake_list_init(&woken);
    mfi_batch_init(&batch);
    mfi_poller_poll(&w->poller, w->poller.events, POLL_BATCH, -1, &woken,
                    &batch);
    unlist_idle(w); /* before readying: a pusher must not wake who is awake */
    if (batch.n != 0)
        mfi_batch_run(&batch, w->ring, &woken);
    if (mfi_load_acq(&w->wheel.earliest) != MFI_FAR)
        mfi_expire(w, &woken);
    mfi_wake(&woken);
}

/* ---- the loop ----------------------------------------------------------- */

void mfi_worker_main(void *arg)
{
    struct worker *w = arg;
    mf_task *t;

    mfi_arch_self_set(w);
    mfi_coro_thread(&w->base);
    w->cxx = mfi_cxx_globals();
    if (w->cpu >= 0)
        mfi_thread_pin_cpu(w->cpu);
    mfi_hog_watch(w);
    w->ring = NULL;
    if (mfi_sched.uring && mfi_uring_init(&w->ring_itself) == 0)
        w->ring = &w->ring_itself; /* else plain system calls do the same */
    for (;;) {
        if (w->tick <= 0) {
            w->tick = TICKS;
            mfi_worker_flush(w, w);
            mfi_worker_poll(w, w);
            if (mfi_load_rlx(&mfi_sched.hogs) != 0)
                mfi_hog_serve(w);
            if ((t = take_injected(w)) != NULL)
                mfi_ring_push(&w->q, t, &mfi_sched.inject);
        }
        t = mfi_pick(w);
        if (t == NULL && mfi_worker_flush(w, w))
            continue;
        if (t == NULL)
            t = search(w);
        if (t != NULL) {
            run(w, found(w, t));
        } else if (mfi_load_acq(&mfi_sched.stopping) != 0) {
            break;
        } else {
            sleep_until_woken(w);
            w->tick = TICKS;
        }
    }
    stop_searching(w);
    mfi_hog_unwatch(w);
    if (w->ring != NULL)
        mfi_uring_done(w->ring);
    mfi_stack_cache_flush(&w->stacks);
    mfi_slab_cache_flush(&w->records);
    mfi_arch_self_set(NULL);
}
