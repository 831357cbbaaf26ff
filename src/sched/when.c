/* SPDX-License-Identifier: MIT */
/* when.c - mf_go_when: arming, claiming, starting. See when.h. */
#include "sched/when.h"

#include "base/time.h"
#include "sched/park.h"
#include "sched/spawn.h"

struct when {
    struct fd_waiter fw; /* fw.fd: what it waits on */
    struct parker parker;
    struct wait_timer timer;
    mf_task *task;
    void *arg;
};
_Static_assert(sizeof(struct when) <= MFI_SLAB_RECORD, "a slab record");

void mfi_when_wake_locked(mf_task *t, struct wake_list *woken)
{
    mfi_parker_wake(&t->u.when->parker, WOKEN_CANCEL, woken);
}

/* Referenced from the spawn to the start, so it is there. */
static struct fdrec *record_of(const struct when *wh)
{
    return mfi_fd_peek(wh->fw.fd);
}

/*
 * Nobody else has it any more: the parker is claimed. An edge that it may leave
 * unused goes on to the next who waits.
 */
static void start_one(struct worker *w, struct when *wh,
                      struct wake_list *woken)
{
    mf_task *t = wh->task;
    struct fdrec *rec = record_of(wh);
    int fd = wh->fw.fd;

    mfi_timer_disarm(&wh->timer.timer);
    mfi_fd_unwait(rec, &wh->fw);
    if (mfi_fd_baton_due(rec, wh->fw.flags))
        mfi_fd_baton_slow(rec, wh->fw.flags, woken);
    mfi_task_lock(t);
    t->u.arg = wh->arg;
    mfi_task_unlock(t, 0, TASK_WHEN);
    mfi_slab_put(w != NULL ? &w->records : NULL, wh);
    mfi_fd_put(rec, fd);
    mfi_ready_fresh(w, t);
}

/* And those who get the baton from it: a loop, as they may be thousands. */
static void start(struct worker *w, struct when *wh)
{
    struct wake_list woken, others;
    struct parker *p = &wh->parker;

    mfi_wake_list_init(&woken);
    mfi_wake_list_init(&others);
    for (;;) {
        if (p->kind == AGENT_WHEN)
            start_one(w, mfi_container_of(p, struct when, parker), &woken);
        else
            mfi_wake_list_add(&others, p);
        if ((p = woken.head) == NULL)
            break;
        woken.head = p->next;
        if (woken.head == NULL)
            mfi_wake_list_init(&woken);
    }
    mfi_wake(&others);
}

void mfi_when_start(struct worker *w, struct parker *p)
{
    start(w, mfi_container_of(p, struct when, parker));
}

/* True: an edge will come, or has come. False: no need or no way to wait. */
static bool link_fd(struct when *wh)
{
    struct worker *w = mfi_worker();
    struct poller *p =
        w != NULL ? &w->poller : &mfi_load_acq(&mfi_sched.workers[0])->poller;
    struct pollfd pfd = {.fd = wh->fw.fd, .events = 0};
    struct fdrec *rec = record_of(wh);
    uint32_t seen;

    if ((wh->fw.flags & FD_IN) != 0)
        pfd.events |= POLLIN;
    if ((wh->fw.flags & FD_OUT) != 0)
        pfd.events |= POLLOUT;
    if ((wh->fw.flags & FD_PRI) != 0)
        pfd.events |= POLLPRI;
    if (mfi_poller_watch(p, wh->fw.fd, rec) < 0)
        return false;
    for (;;) {
        seen = mfi_fd_ready(rec);
        if (mfi_ppoll(&pfd, 1, 0) != 0 || mfi_fd_closing(rec))
            return false;
        mfi_fd_drained(rec, seen, wh->fw.flags);
        if (mfi_fd_wait(rec, &wh->fw))
            return true;
    }
}

void mfi_when_begin(struct worker *w, mf_task *t)
{
    struct when *wh = t->u.when;
    mf_ns at = wh->timer.timer.at;
    uint32_t seen;

    mfi_store_sc(&wh->parker.word, (uint32_t)PARK_ARMED);
    /* Armed before the look at the cancel word: Dekker with the canceller. */
    if ((mfi_load_sc(&t->cancel) & CANCEL_STATE) != CANCEL_NONE ||
        !link_fd(wh)) {
        mfi_parker_claim(&wh->parker, WOKEN_READY);
        start(w, wh);
        return;
    }
    if (at != MFI_FAR) {
        struct worker *of = w != NULL ? w : mfi_load_acq(&mfi_sched.workers[0]);

        mfi_wait_timer_arm(of, &wh->timer, &wh->parker, at);
        if (w == NULL)
            mfi_poller_ring(&of->poller);
    }
    seen = PARK_ARMED;
    if (!mfi_cas_acqrel(&wh->parker.word, &seen, (uint32_t)PARK_PARKED))
        start(w, wh); /* claimed in between */
}

int mf_go_when_at(mf_scope *s, int fd, short poll_events, mf_deadline deadline,
                  mf_fn *fn, void *arg, const char *site)
{
    struct spawn_args how = {.fn = fn, .arg = arg, .site = site};
    struct worker *w = mfi_worker();
    struct when *wh = NULL;
    struct fdrec *rec;
    uint32_t flags = 0;
    int rc;

    if ((poll_events & POLLIN) != 0)
        flags |= FD_IN;
    if ((poll_events & POLLOUT) != 0)
        flags |= FD_OUT;
    if ((poll_events & POLLPRI) != 0)
        flags |= FD_PRI;
    if (!mfi_scope_is_open(mfi_scope(s)))
        return -EINVAL;
    if (flags == 0) {
        rc = -EINVAL;
        goto refused;
    }
    if ((rc = mfi_fd_get(fd, &rec)) < 0)
        goto refused;
    rc = rec->kind == FD_FILE ? -EPERM : 0;
    if (rc == 0 && (wh = mfi_slab_get(w != NULL ? &w->records : NULL)) == NULL)
        rc = -ENOMEM;
    if (rc < 0)
        goto put;
    *wh = (struct when){.fw = {.flags = flags, .fd = fd},
                        .parker = {.kind = AGENT_WHEN},
                        .arg = arg};
    wh->fw.w.parker = &wh->parker;
    wh->timer.timer.at = mfi_time_of(deadline);
    how.when = wh;
    how.when_task = &wh->task;
    rc = mfi_spawn(mfi_scope(s), &how, NULL);
    if (rc == 0)
        return 0; /* rec's reference is the waiter's now */
    mfi_slab_put(w != NULL ? &w->records : NULL, wh);
    mfi_fd_put(rec, fd);
    return rc;
put:
    mfi_fd_put(rec, fd);
refused:
    mfi_scope_refused(mfi_scope(s), rc);
    return rc;
}

#undef mf_go_when

int mf_go_when(mf_scope *s, int fd, short poll_events, mf_deadline deadline,
               mf_fn *fn, void *arg)
{
    return mf_go_when_at(s, fd, poll_events, deadline, fn, arg, NULL);
}
