/* SPDX-License-Identifier: MIT */
/* hog.c - ticks on CPU time, and what helpers do. See hog.h. */
#include "sched/hog.h"

#include "os/signal.h"
#include "sched/idle.h"

static struct sigaction old_action;
static bool installed;

int mfi_hog_signal(void)
{
    return SIGURG; /* ignored by default, sent by nobody else on purpose */
}

/* In the handler: an idle worker shall look. Never waits for the lock. */
static void call_helper(void)
{
    struct worker *helper = mfi_idle_pick_try();

    if (helper != NULL)
        mfi_poller_ring(&helper->poller);
}

void mfi_hog_clear(struct worker *w)
{
    if (mfi_xchg_acqrel(&w->hog, 0u) != 0)
        mfi_sub_acqrel(&mfi_sched.hogs, 1u);
}

static void tick(int signo, siginfo_t *info, void *uctx)
{
    struct worker *w = mfi_worker();
    uint32_t seq;

    if (w == NULL || info->si_code != SI_TIMER ||
        info->si_value.sival_ptr != w) {
        mfi_signal_chain(&old_action, signo, info, uctx);
        return;
    }
    seq = mfi_load_rlx(&w->run_seq);
    if (w->current == NULL || seq != mfi_load_rlx(&w->hog_seen)) {
        mfi_hog_clear(w);
    } else {
        if (mfi_xchg_acqrel(&w->hog, 1u) == 0)
            mfi_add_acqrel(&mfi_sched.hogs, 1u);
        mfi_publish_private(w);
        call_helper();
    }
    mfi_store_rlx(&w->hog_seen, seq);
}

static bool wanted(void)
{
#ifdef MFI_TSAN
    return false;
#else
    return mfi_sched.nr_workers > 1 && mfi_sched.stealing &&
           mfi_sched.hog_time > 0;
#endif
}

int mfi_hog_init(void)
{
    int rc;

    installed = false;
    if (!wanted())
        return 0;
    rc = mfi_signal_handle(mfi_hog_signal(), tick,
                           SA_RESTART | SA_ONSTACK | SA_SIGINFO, &old_action);
    installed = rc == 0;
    return rc;
}

void mfi_hog_done(void)
{
    if (installed)
        sigaction(mfi_hog_signal(), &old_action, NULL);
    installed = false;
}

void mfi_hog_watch(struct worker *w)
{
    w->hog_timer = -1;
    if (installed &&
        mfi_cputimer_start(mfi_hog_signal(), mfi_sched.hog_time / 2, w,
                           &w->hog_timer) < 0)
        w->hog_timer = -1;
}

void mfi_hog_unwatch(struct worker *w)
{
    if (w->hog_timer >= 0)
        mfi_cputimer_stop(w->hog_timer);
    mfi_hog_clear(w);
}

bool mfi_hog_serve(struct worker *w)
{
    bool got = false;

    for (int i = 0; i < mfi_sched.nr_workers; i++) {
        struct worker *hog = mfi_load_acq(&mfi_sched.workers[i]);
        mf_task *t;

        if (hog == w || mfi_load_acq(&hog->hog) == 0 ||
            mfi_load_rlx(&hog->run_seq) != mfi_load_rlx(&hog->hog_seen))
            continue;
        if (mfi_worker_poll(w, hog))
            got = true;
        mfi_worker_flush(w, hog);
        while ((t = mfi_runq_steal(&w->q, &hog->q, &mfi_sched.inject)) !=
               NULL) {
            got = true;
            mfi_ring_push(&w->q, t, &mfi_sched.inject);
        }
    }
    /* Expired timers queue without an event: look rather than trust got. */
    return got || mfi_runq_size(&w->q) != 0;
}
