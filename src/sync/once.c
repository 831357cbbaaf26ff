/* SPDX-License-Identifier: MIT */
/*
 * once.c - mf_once: one runs it, the others wait for what becomes of that.
 *
 *   state, lock | first waiter | who runs it
 *
 *            first to come              fn >= 0
 *      NEW ----------------> RUNNING -------------> DONE: everybody is woken
 *       ^                     |   ^ |
 *       |  fn < 0, panic,     |   | | the same, and somebody waits: the first
 *       +---- nobody waits ---+   +-+ of them runs it now
 *
 * The turn is handed over by claim, so no failure wakes more than one, and who
 * has been given it does not look for a cancel before it runs fn: it would have
 * to pass the turn on. DONE is stored with release; who sees it with acquire
 * sees what fn did.
 *
 * fn may leave by mf_panic, mf_exit, pthread_exit or a C++ exception. All of
 * them unwind through run(), which is compiled with -fexceptions and ends the
 * turn in a cleanup. (No mf_defer: plain threads have none, and it would run
 * only at the end of the task.)
 */
#include <mayfly/sync.h>

#include "base/time.h"
#include "sync/wait.h"

enum once_state { NEW, RUNNING, DONE };

struct once {
    _Atomic uint32_t state; /* enum once_state; written under lock */
    struct spin lock;
    struct waitq waiters; /* of struct sync_waiter; res 1: it is their turn */
    struct agent *runner; /* under lock */
};
_Static_assert(sizeof(struct once) <= sizeof(mf_once), "fits");

struct turn {
    struct once *o;
    bool done;
};

static struct once *inside(mf_once *o)
{
    return (struct once *)(void *)o;
}

static void pass_on_locked(struct once *o, struct wake_list *woken)
{
    struct sync_waiter *w = mfi_sync_claim(&o->waiters, woken);

    if (w != NULL) {
        o->runner = mfi_agent_of(w->w.parker);
        w->res = 1;
        w->won = true;
    } else {
        o->runner = NULL;
        mfi_store_rel(&o->state, (uint32_t)NEW);
    }
}

static void end_turn(struct turn *t)
{
    struct once *o = t->o;
    struct wake_list woken;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&o->lock);
    if (t->done) {
        o->runner = NULL;
        mfi_store_rel(&o->state, (uint32_t)DONE);
        mfi_waitq_wake_all(&o->waiters, &woken);
    } else {
        pass_on_locked(o, &woken);
    }
    mfi_spin_unlock(&o->lock);
    mfi_wake(&woken);
}

static int run(struct once *o, mf_fn *fn, void *arg)
{
    struct turn t __attribute__((__cleanup__(end_turn))) = {o, false};
    int rc = fn(arg);

    t.done = rc >= 0;
    return t.done ? 0 : rc;
}

/*
 * Under lock, which it releases. 1: the caller runs fn; 0: it is done;
 * -EINPROGRESS: the caller has joined the queue, its parker armed.
 */
static int come(struct once *o, struct agent *a, struct sync_waiter *me,
                mf_deadline deadline)
{
    int rc = -EINPROGRESS;

    switch ((enum once_state)mfi_load_rlx(&o->state)) {
    case DONE:
        rc = 0;
        break;
    case NEW:
        mfi_store_rlx(&o->state, (uint32_t)RUNNING);
        o->runner = a;
        rc = 1;
        break;
    case RUNNING:
        if (o->runner == a) {
            rc = -EDEADLK;
        } else if (mfi_is_try(deadline)) {
            rc = -ETIMEDOUT;
        } else {
            me->res = 0;
            mfi_park_arm(a);
            mfi_waitq_add(&o->waiters, &me->w);
        }
    }
    mfi_spin_unlock(&o->lock);
    return rc;
}

/* Come until there is an answer: as come(), but never -EINPROGRESS. */
static int turn(struct once *o, struct agent *a, mf_deadline deadline)
{
    struct sync_waiter me;
    int rc;

    me.w.parker = &a->parker;
    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        if (mfi_load_acq(&o->state) == DONE)
            return 0;
        mfi_spin_lock(&o->lock);
        rc = come(o, a, &me, deadline);
        if (rc == -ETIMEDOUT)
            mfi_budget(a); /* trying again and again */
        if (rc != -EINPROGRESS)
            return rc;
        rc = mfi_wait(a, mfi_time_of(deadline), "what another runs once");
        if (rc == 0) {
            mfi_sync_settle(a, &o->lock);
            return me.res;
        }
        mfi_spin_lock(&o->lock);
        mfi_waitq_del(&o->waiters, &me.w);
        mfi_spin_unlock(&o->lock);
        if (rc < 0)
            return rc;
    }
}

int mf_once_run(mf_once *once, mf_fn *fn, void *arg, mf_deadline deadline)
{
    struct once *o = inside(once);
    struct agent *a;
    int rc;

    if (o == NULL || fn == NULL)
        return -EINVAL;
    if ((a = mfi_agent()) == NULL)
        return -ENOMEM;
    rc = turn(o, a, deadline);
    return rc == 1 ? run(o, fn, arg) : rc;
}
