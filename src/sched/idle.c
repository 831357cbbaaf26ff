/* SPDX-License-Identifier: MIT */
/*
 * idle.c - a worker without work: it searches, then sleeps.
 *
 * The order of a sleep is what makes it safe (worker.h): stop searching, enter
 * the idle list, fence, look everywhere once more, sleep in the poller. The
 * list is left before anything is readied, so a pusher never wakes who is
 * awake.
 */
#include "sched/idle.h"
#include "sched/deadlock.h"
#include "sched/entry.h"
#include "sched/hog.h"
#include "sched/park.h"
#include "sched/worker.h"

/*
 * Take a share of the inject queue into the ring; one of it is the result. At
 * most half of the ring's room: a ring that overflows sends those back who have
 * waited longest, and the poller wants room too. One even where there is none:
 * a ring that is always full must not keep the others out. On its way a task is
 * in no queue, so who goes to sleep now may have missed it: hence the push is
 * announced like any other, unless we search (then mfi_found does it).
 */
mf_task *mfi_take_injected(struct worker *w)
{
    uint32_t n = mfi_load_rlx(&mfi_sched.inject.n);
    uint32_t share = n == 0 ? 1 : (n - 1) / (uint32_t)mfi_sched.nr_workers + 1;
    uint32_t room = RING_LEN - mfi_ring_size(&w->q);
    uint32_t most = room > 2 ? room / 2 : 1;
    mf_task *t, *next, *first;

    if (share > most)
        share = most;
    if (mfi_sim_spread())
        share = 1;
    first = mfi_inject_pop(&mfi_sched.inject, share, &n);
    if (first == NULL)
        return NULL;
    for (t = first->next; t != NULL; t = next) {
        next = t->next;
        mfi_ring_push(&w->q, t, &mfi_sched.inject);
    }
    if (n > 1)
        mfi_sched_pushed(w);
    return first;
}

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
        t = mfi_runq_steal(&w->q, &from->q, &mfi_sched.inject);
        if (t != NULL)
            return t;
    }
    return NULL;
}

static void start_searching(struct worker *w)
{
    if (!w->searching) {
        w->searching = true;
        mfi_add_sc(&mfi_sched.nr_searching, 1u);
    }
}

static bool work_anywhere(struct worker *w)
{
    if (w->young != NULL || /* a timer that trim let expire has started it */
        mfi_load_acq(&mfi_sched.inject.n) != 0 ||
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

void mfi_stop_searching(struct worker *w)
{
    if (w->searching) {
        w->searching = false;
        mfi_sub_sc(&mfi_sched.nr_searching, 1u);
    }
}

/* Is there something left that a searcher could take, anywhere? */
static bool more_to_find(void)
{
    if (mfi_load_acq(&mfi_sched.inject.n) != 0)
        return true;
    for (int i = 0; mfi_sched.stealing && i < mfi_sched.nr_workers; i++) {
        struct worker *from = mfi_load_acq(&mfi_sched.workers[i]);

        if (mfi_runq_size(&from->q) > 1)
            return true;
    }
    return false;
}

/*
 * Found something: whoever searches last calls the next searcher. Everybody's
 * queues count, not only the finder's: a pusher that saw it search has woken
 * nobody, and may compute from now on. Order: the count falls, a full fence,
 * the look; a pusher queues, a full fence, and reads the count (Dekker). The
 * subtraction is no such fence on aarch64.
 */
mf_task *mfi_found(struct worker *w, mf_task *t)
{
    if (w->searching) {
        w->searching = false;
        if (mfi_sub_sc(&mfi_sched.nr_searching, 1u) == 1) {
            atomic_thread_fence(memory_order_seq_cst); /* count before look */
            if (mfi_load_rlx(&mfi_sched.nr_idle) != 0 && more_to_find())
                mfi_wake_one();
        }
    }
    return t;
}

/* Simulated, a pause is asking for others to run, and there is a choice. */
enum { ROUNDS = MFI_SIM ? 1 : 4, ROUND_PAUSES = MFI_SIM ? 0 : 40 };

/* A few looks around with pauses between; then it is time to sleep. */
mf_task *mfi_search(struct worker *w)
{
    mf_task *t;

    if ((t = mfi_take_injected(w)) != NULL)
        return mfi_found(w, t);
    if (mfi_sched.nr_workers == 1)
        return NULL;
    if (mfi_load_acq(&mfi_sched.hogs) != 0 && mfi_hog_serve(w) &&
        (t = mfi_runq_pick(&w->q)) != NULL)
        return mfi_found(w, t);
    if (!mfi_sched.stealing)
        return NULL;
    if (!w->searching) {
        /* Half of the workers searching is enough; a guess will do. */
        if (2 * mfi_load_rlx(&mfi_sched.nr_searching) >=
            (uint32_t)mfi_sched.nr_workers)
            return NULL;
        start_searching(w);
    }
    for (int round = 0; round < ROUNDS; round++) {
        if ((t = steal(w)) != NULL || (t = mfi_take_injected(w)) != NULL)
            return mfi_found(w, t);
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

void mfi_sleep_until_woken(struct worker *w)
{
    struct wake_list woken;
    struct batch batch;

    trim(w);
    mfi_stop_searching(w);
    mfi_hog_rest(w);
    mfi_deadlock_sleeps(w);
    mfi_idle_enter(w);
    atomic_thread_fence(memory_order_seq_cst); /* nr_idle before the look */
    if (work_anywhere(w)) {
        (void)mfi_idle_leave(w);
        /* Pushed while we still searched, so nobody was woken: our duty. */
        start_searching(w);
        return;
    }
    mfi_deadlock_check();
    mfi_poller_alarm(&w->poller, mfi_load_acq(&w->wheel.earliest) == MFI_FAR
                                     ? MFI_FAR
                                     : mfi_wheel_next(&w->wheel));
    mfi_wake_list_init(&woken);
    mfi_batch_init(&batch);
    mfi_poller_poll(&w->poller, w->poller.events, POLL_BATCH, -1, &woken,
                    &batch);
    (void)mfi_idle_leave(
        w); /* before readying: a pusher must not wake who is awake */
    if (batch.n != 0)
        mfi_batch_run(&batch, w->ring, &woken);
    if (mfi_load_acq(&w->wheel.earliest) != MFI_FAR)
        mfi_expire(w, &woken);
    mfi_wake(&woken);
}
