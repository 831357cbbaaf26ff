/* SPDX-License-Identifier: MIT */
/* park.c - sleeping until claimed; sleep, yield, park, unpark. See park.h. */
#include "sched/park.h"

#include "base/time.h"
#include "os/event.h"
#include "os/futex.h"
#include "os/io.h"

/* ---- timers ------------------------------------------------------------- */

struct expiry { /* what a fire function adds to, under the wheel's lock */
    struct wake_list *woken;
    struct strike *strikes;
};

static void wait_fire(struct timer *t, void *ctx)
{
    struct wait_timer *wt = mfi_container_of(t, struct wait_timer, timer);
    struct expiry *e = ctx;

    mfi_parker_wake(wt->parker, WOKEN_TIMEOUT, e->woken);
}

void mfi_wait_timer_arm(struct worker *w, struct wait_timer *t,
                        struct parker *p, mf_ns at)
{
    t->parker = p;
    t->timer.link.next = NULL; /* stack memory: in no list */
    mfi_timer_arm(&w->wheel, &t->timer, at, wait_fire);
}

static void strike_fire(struct timer *t, void *ctx)
{
    struct strike *k = mfi_container_of(t, struct strike, timer);
    struct expiry *e = ctx;

    /* The scope cannot close before we unlock: close disarms us first. */
    mfi_scope_pin(k->scope);
    k->next = e->strikes;
    e->strikes = k;
}

void mfi_strike_arm(struct strike *k, mf_ns at)
{
    struct worker *w = mfi_worker();

    if (w != NULL) {
        mfi_timer_arm(&w->wheel, &k->timer, at, strike_fire);
        return;
    }
    w = mfi_load_acq(&mfi_sched.workers[0]);
    if (mfi_timer_arm(&w->wheel, &k->timer, at, strike_fire))
        mfi_poller_ring(&w->poller); /* its alarm is set for later */
}

void mfi_expire(struct worker *of, struct wake_list *woken)
{
    struct expiry e = {.woken = woken, .strikes = NULL};
    struct strike *k;

    mfi_wheel_expire(&of->wheel, mf_now(), &e);
    while ((k = e.strikes) != NULL) {
        e.strikes = k->next;
        mfi_cancel_by_clock(k->scope, k == &k->scope->clock->grace);
    }
}

/* ---- sleeping ----------------------------------------------------------- */

static enum park_reason park_task(struct agent *a, mf_ns at, const char *what)
{
    struct running *me = mfi_running_of(a);
    struct wait_timer t;
    struct worker *w = mfi_worker();

    me->waits_for = what;
    if (at != MFI_FAR)
        mfi_wait_timer_arm(w, &t, &a->parker, at);
    if ((mfi_load_acq(&a->parker.word) & PARK_STATE) != PARK_CLAIMED) {
        mfi_tell_leave(me);
        mfi_leave(w, me, LEAVE_PARK);
    }
    if (at != MFI_FAR)
        mfi_timer_disarm(&t.timer);
    return mfi_parker_reason(&a->parker);
}

static enum park_reason park_thread(struct agent *a, mf_ns at)
{
    if (!mfi_park_commit_thread(a))
        return mfi_parker_reason(&a->parker);
    for (;;) {
        uint32_t seen = mfi_load_acq(&a->parker.word);

        if ((seen & PARK_STATE) == PARK_CLAIMED)
            return mfi_park_lost_thread(a);
        if (mfi_futex_wait(&a->parker.word, seen, at) == -ETIMEDOUT &&
            mfi_parker_claim(&a->parker, WOKEN_TIMEOUT) != CLAIM_LOST)
            return WOKEN_TIMEOUT;
    }
}

enum park_reason mfi_park_lost_thread(struct agent *a)
{
    uint32_t seen;

    while (((seen = mfi_load_acq(&a->parker.word)) & PARK_HANDED) == 0)
        mfi_futex_wait(&a->parker.word, seen, MFI_FAR);
    return mfi_parker_reason(&a->parker);
}

enum park_reason mfi_park(struct agent *a, mf_ns at, const char *what)
{
    return a->parker.kind == AGENT_TASK ? park_task(a, at, what)
                                        : park_thread(a, at);
}

void mfi_agent_wake_thread(struct agent *a)
{
    uint64_t one = 1;

    mfi_or_sc(&a->parker.word, (uint32_t)PARK_HANDED); /* before polling */
    /* It may be gone. Agents are never freed: a late look does no harm. */
    if (mfi_load_acq(&a->polling) != 0)
        mfi_os_write(a->bell, &one, sizeof one);
    else
        mfi_futex_wake(&a->parker.word, 1);
}

int mfi_wait_look(struct agent *a, mf_ns at, const char *what)
{
    mf_ns until = at;

    if (mfi_unlikely(a->shields != 0) && a->shield_limit < until) {
        if (mf_now() < a->shield_limit)
            until = a->shield_limit; /* a masked cancel begins to count then */
        else
            mfi_shield_over(a);
    }
    /*
     * After arming: whoever cancels from now on sees the parker. Somebody may
     * have woken us meanwhile: then that is what happened, and a notice waits
     * for the next call.
     */
    if (mfi_unlikely(mfi_load_sc(mfi_cancel_word(a)) != CANCEL_NONE) &&
        mfi_cancel_due(a))
        mfi_parker_claim(&a->parker, WOKEN_CANCEL);
    switch (mfi_park(a, until, what)) {
    case WOKEN_READY:
        return 0;
    case WOKEN_CLOSED:
        return -EBADF;
    case WOKEN_TIMEOUT:
        if (until == at)
            return -ETIMEDOUT;
        mfi_shield_over(a);
        break;
    case WOKEN_CANCEL:
        break;
    }
    return 1;
}

int mfi_wait(struct agent *a, mf_ns at, const char *what)
{
    int rc = mfi_wait_look(a, at, what);

    if (rc == 1 && mfi_cancel_point(a) < 0)
        rc = -ECANCELED;
    return rc;
}

int mfi_wait_hard(struct agent *a, mf_ns at, const char *what)
{
    switch (mfi_park(a, at, what)) {
    case WOKEN_CLOSED:
        return -EBADF;
    case WOKEN_TIMEOUT:
        return -ETIMEDOUT;
    case WOKEN_READY:
    case WOKEN_CANCEL:
        break;
    }
    return 0;
}

/* ---- the public waits of this layer ------------------------------------- */

int mf_sleep_until(mf_deadline at)
{
    struct agent *a = mfi_agent();
    int rc;

    if (a == NULL)
        return -ENOMEM;
    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0 || mfi_is_try(at))
            return rc;
        mfi_park_arm(a);
        rc = mfi_wait(a, mfi_time_of(at), "a point in time");
        if (rc != 1)
            return rc == -ETIMEDOUT ? 0 : rc;
    }
}

int mf_sleep(mf_ns span)
{
    return mf_sleep_until(mf_after(span));
}

/* Nobody else here wants the CPU, and it is not time to poll. */
static bool alone(struct worker *w)
{
    return !mfi_sim_spread() && w->tick > 1 && w->slot == NULL &&
           w->young == NULL && mfi_load_acq(&w->q.pinned_n) == 0 &&
           mfi_runq_size(&w->q) == 0;
}

int mf_yield(void)
{
    struct worker *w = mfi_worker();
    struct agent *a;
    int rc;

    if (w == NULL) {
        a = mfi_agent();
        mfi_sys0(SYS_sched_yield);
        return a == NULL ? 0 : mfi_cancel_point(a);
    }
    a = &w->current->agent;
    if ((rc = mfi_cancel_point(a)) < 0)
        return rc;
    mfi_sim_relax();
    mfi_tell_leave(w->current); /* before the look: it may ready somebody */
    if (alone(w))
        w->tick--;
    else
        mfi_leave(w, w->current, LEAVE_YIELD);
    return 0;
}

void mfi_budget_spent(struct running *me)
{
    struct worker *w = mfi_worker();

    me->budget = BUDGET;
    if (!alone(w))
        mfi_leave(w, me, LEAVE_YIELD);
}

int mf_park(mf_deadline deadline)
{
    struct worker *w = mfi_worker();
    struct agent *a;
    mf_task *t;
    int rc;

    if (w == NULL)
        return -EPERM;
    a = &w->current->agent;
    t = w->current->task;
    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        mfi_task_lock(t);
        if ((mfi_load_rlx(&t->state) & TASK_TOKEN) != 0) {
            mfi_task_unlock(t, 0, TASK_TOKEN);
            return 0;
        }
        if (mfi_is_try(deadline)) {
            mfi_task_unlock(t, 0, 0);
            return -ETIMEDOUT;
        }
        mfi_park_arm(a);
        mfi_task_unlock(t, TASK_PARKING, 0);
        rc = mfi_wait(a, mfi_time_of(deadline), "an unpark");
        mfi_task_lock(t);
        mfi_task_unlock(t, 0, TASK_PARKING);
        if (rc <= 0 && rc != 0)
            return rc;
    }
}

int mf_unpark(mf_task *t)
{
    struct wake_list woken;
    uint32_t state;
    int rc = 0;

    if (t == NULL)
        return -EINVAL;
    mfi_wake_list_init(&woken);
    mfi_task_lock(t);
    state = mfi_load_rlx(&t->state);
    if ((state & TASK_ENDED) != 0)
        rc = -ESRCH;
    else if ((state & TASK_PARKING) != 0)
        mfi_parker_wake(&t->run->agent.parker, WOKEN_READY, &woken);
    mfi_task_unlock(t, rc == 0 ? TASK_TOKEN : 0, 0);
    mfi_wake(&woken);
    return rc;
}

int mf_pin(void)
{
    struct worker *w = mfi_worker();
    mf_task *t;

    if (w == NULL)
        return -EPERM;
    t = w->current->task;
    if (w->current->pins++ == 0) {
        mfi_task_lock(t);
        mfi_task_unlock(t,
                        TASK_PINNED | (uint32_t)w->index << TASK_WORKER_SHIFT,
                        (uint32_t)~w->index << TASK_WORKER_SHIFT);
    }
    return 0;
}

int mf_unpin(void)
{
    struct worker *w = mfi_worker();
    mf_task *t;

    if (w == NULL || w->current->pins == 0 ||
        w->current->pins == PINNED_FOR_LIFE)
        return -EPERM;
    t = w->current->task;
    if (--w->current->pins == 0) {
        mfi_task_lock(t);
        mfi_task_unlock(t, 0, TASK_PINNED);
    }
    return 0;
}
