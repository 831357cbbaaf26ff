/* SPDX-License-Identifier: MIT */
/* deadlock.c - suspecting and being certain: the argument is in deadlock.h. */
#include "sched/deadlock.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/thread.h"
#include "sched/dump.h"
#include "sched/offload.h"

_Atomic(mf_task *) mfi_deadlock_first;

enum phase { CALM, SUSPECTED, ACQUITTED };

static struct {
    struct spin lock;
    enum phase phase;
    uint32_t runs; /* of tasks, by all workers, when it was suspected */
    uint32_t fd;   /* somebody waited for it when we looked last */
} seen;

static struct worker *worker(int i)
{
    return mfi_load_acq(&mfi_sched.workers[i]);
}

void mfi_deadlock_watch(mf_task *first)
{
    mfi_spin_lock(&seen.lock); /* who looks at the one before has left it */
    if (first != NULL)
        seen.phase = CALM;
    mfi_store_rel(&mfi_deadlock_first, first);
    mfi_spin_unlock(&seen.lock);
    mfi_deadlock_again(); /* it may wait already */
}

void mfi_deadlock_again(void)
{
    /* The hope, then nr_idle; the last worker: nr_idle, then hope (Dekker). */
    atomic_thread_fence(memory_order_seq_cst);
    if (mfi_load_acq(&mfi_deadlock_first) != NULL &&
        mfi_load_acq(&mfi_sched.nr_idle) == (uint32_t)mfi_sched.nr_workers)
        mfi_poller_ring(&worker(0)->poller);
}

static bool timer_armed(void)
{
    for (int i = 0; i < mfi_sched.nr_workers; i++)
        if (mfi_wheel_earliest(&worker(i)->wheel) != MFI_FAR)
            return true;
    return false;
}

static bool waited_for(uint32_t fd)
{
    struct fdrec *rec = mfi_fd_peek((int)fd);

    return rec != NULL && mfi_load_acq(&rec->nwait) != 0;
}

/* The fd of last time will do; the whole table is looked at for a change. */
static bool fd_waited_for(void)
{
    const uint32_t chunk_len = 1u << FD_CHUNK_BITS;

    if (waited_for(seen.fd))
        return true;
    for (uint32_t i = 0; i < FD_CHUNKS; i++) {
        if (mfi_load_acq(&mfi_fd_chunks[i]) == NULL)
            continue;
        for (uint32_t fd = i * chunk_len; fd < (i + 1) * chunk_len; fd++) {
            if (waited_for(fd)) {
                seen.fd = fd;
                return true;
            }
        }
    }
    return false;
}

/* Anybody or anything that could wake a task, now or later. */
static bool hope(void)
{
    mf_task *first = mfi_load_acq(&mfi_deadlock_first);
    int pool_threads;

    if (first == NULL || (mfi_load_acq(&first->state) & TASK_ENDED) != 0 ||
        timer_armed() || fd_waited_for() || mfi_offload_busy(&pool_threads))
        return true;
    for (int i = 0; i < mfi_sched.nr_workers; i++)
        if (mfi_load_acq(&worker(i)->nr_later) != 0)
            return true;
    return mfi_thread_count() != 1 + mfi_sched.nr_workers + pool_threads;
}

static uint32_t runs(void)
{
    uint32_t sum = 0;

    for (int i = 0; i < mfi_sched.nr_workers; i++)
        sum += mfi_load_acq(&worker(i)->run_seq);
    return sum;
}

static void suspect_locked(uint32_t now)
{
    seen.phase = SUSPECTED;
    seen.runs = now;
    for (int i = 0; i < mfi_sched.nr_workers; i++)
        worker(i)->sleeps_seen = mfi_load_acq(&worker(i)->sleeps);
    for (int i = 0; i < mfi_sched.nr_workers; i++)
        mfi_poller_ring(&worker(i)->poller);
}

static bool all_have_slept_locked(void)
{
    for (int i = 0; i < mfi_sched.nr_workers; i++)
        if (mfi_load_acq(&worker(i)->sleeps) == worker(i)->sleeps_seen)
            return false;
    return true;
}

static _Noreturn void report(void)
{
    fprintf(stderr, "mayfly: deadlock: every task waits, and nothing is left "
                    "that could wake one\n");
    mfi_dump();
    fflush(stderr);
    abort();
}

void mfi_deadlock_look(void)
{
    uint32_t now;

    mfi_spin_lock(&seen.lock); /* sleeping or not, all others are idle */
    if (hope()) {
        seen.phase = CALM;
        mfi_spin_unlock(&seen.lock);
        return;
    }
    now = runs();
    if (seen.phase == CALM || now != seen.runs) {
        suspect_locked(now);
    } else if (seen.phase == SUSPECTED && all_have_slept_locked()) {
        if (mfi_dump_all_wait())
            report();
        seen.phase = ACQUITTED; /* until another task runs: no more bells */
    }
    mfi_spin_unlock(&seen.lock);
}
