/* SPDX-License-Identifier: MIT */
/*
 * hog.h - a task that computes without yielding must not hold up others.
 *
 * Each worker has a timer on its own CPU time, which is silent while the worker
 * sleeps. Its signal interrupts the worker twice per hog_time; when the same
 * task runs as at the tick before, the worker is marked a hog and an idle
 * worker is woken, who does the hog's polling and expiring and takes its
 * queues, to which the tick has added slot and young. The mark goes when
 * another task is seen, or before the worker sleeps (asleep it has no ticks);
 * while it stands, each tick wakes a helper again, and busy workers help at
 * their own polls. A helper that sees another task run than the marked one
 * leaves it alone.
 *
 * The handler reads two words and tries one lock; it never waits. With one
 * worker, or without stealing, there is nobody to help: no timer is set. Under
 * TSan signals are delivered late, so there it is off as well.
 *
 * Source: timer_create(2), CLOCK_THREAD_CPUTIME_ID with SIGEV_THREAD_ID. The
 * kernel checks these timers at its tick, so 5 ms are 4 to 8.
 */
#ifndef MFI_SCHED_HOG_H
#define MFI_SCHED_HOG_H

#include "sched/worker.h"

/* Install or remove the handler. Plain thread. 0 or -errno. */
int mfi_hog_init(void);
void mfi_hog_done(void);

/* The calling worker's timer. A failure costs only the help. */
void mfi_hog_watch(struct worker *w);
void mfi_hog_unwatch(struct worker *w);

/* It is about to sleep: whatever computed there has come to an end. */
void mfi_hog_clear(struct worker *w);

static inline void mfi_hog_rest(struct worker *w)
{
    if (mfi_unlikely(mfi_load_rlx(&w->hog) != 0))
        mfi_hog_clear(w);
}

/* Serve the hogs among the others. True: something may be queued here now. */
bool mfi_hog_serve(struct worker *w);

/* The signal workers keep unblocked for it. */
int mfi_hog_signal(void);

#endif
