/* SPDX-License-Identifier: MIT */
/* worker.c - polling, batches, and the loop of a thread: see worker.h. */
#include "sched/worker.h"

#include "sched/entry.h"
#include "sched/hog.h"
#include "sched/idle.h"
#include "sched/park.h"

struct sched mfi_sched;

/* ---- polling ------------------------------------------------------------ */

/*
 * One look at of's poller, and the receives its edges allow. No more events
 * than the ring has room for: what spills to the inject queue would run after
 * all that comes later, and the kernel's list is fair.
 */
static int poll_io(struct worker *self, struct worker *of,
                   struct wake_list *woken)
{
    uint32_t used = mfi_ring_size(&self->q);
    int room = used < RING_LEN ? (int)(RING_LEN - used) : 0, got;
    struct batch batch;

    if (room == 0)
        return 0;
    if (room > POLL_BATCH)
        room = POLL_BATCH;
    mfi_batch_init(&batch);
    got = mfi_poller_poll(&of->poller, self->poller.events, room, 0, woken,
                          &batch);
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
        got = poll_io(self, of, &woken);
    if (mfi_load_acq(&of->wheel.earliest) != MFI_FAR)
        mfi_expire(of, &woken);
    mfi_wake(&woken);
    return got > 0;
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
            if ((t = mfi_take_injected(w)) != NULL) {
                mfi_ring_push(&w->q, t, &mfi_sched.inject);
                mfi_sched_pushed(w);
            }
            mfi_worker_poll(w, w); /* fills what room is left */
            if (mfi_load_rlx(&mfi_sched.hogs) != 0)
                mfi_hog_serve(w);
        }
        t = mfi_pick(w);
        if (t == NULL && mfi_worker_flush(w, w))
            continue;
        if (t == NULL)
            t = mfi_search(w);
        if (t != NULL) {
            mfi_run_from_base(w, mfi_found(w, t));
        } else if (mfi_load_acq(&mfi_sched.stopping) != 0) {
            break;
        } else {
            mfi_sleep_until_woken(w);
            w->tick = TICKS;
        }
    }
    mfi_stop_searching(w);
    mfi_hog_unwatch(w);
    if (w->ring != NULL)
        mfi_uring_done(w->ring);
    mfi_stack_cache_flush(&w->stacks);
    mfi_slab_cache_flush(&w->records);
    mfi_arch_self_set(NULL);
}
