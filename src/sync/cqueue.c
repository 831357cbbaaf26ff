/* SPDX-License-Identifier: MIT */
/*
 * cqueue.c - arms that run all at once, and bottom halves one at a time.
 *
 * A queue is a scope (WAIT_ALL) and the list of events nobody has taken yet.
 * An arm is a task of that scope and a record, a node in two lists: of all
 * arms, and of the events.
 *
 *          send              a poll takes it
 *    TOP ---------> SENT ----------------------> BOTTOM ---+
 *     ^  ^           | cancel, remove, close                | parks, yields,
 *     |  +-----------+                                      | or sends again
 *     +-----------------------------------------------------+
 *     |                                               |
 *     | the task is over                              | the same
 *     v                   a poll takes it, or         |
 *    ENDED  <-----------------------------------------+
 *     |
 *     +-------------> TOLD            (being removed: straight to TOLD)
 *
 * A send links the arm's event and waits. The poll claims the waiting arm's
 * parker under the lock; so whose wait is over for another reason (a cancel)
 * was not taken and says so itself. Then it waits, hard, until the arm is out
 * of BOTTOM. The arm clears that from running.on_leave, which the scheduler
 * calls on the arm's own stack when it is about to wait or to yield: so the
 * arm's last access to what the bottom halves share is before the unlock in
 * which the poll is woken, and the next bottom half after a lock in the poll.
 *
 * Invariants, all of it under `lock`
 *   1. events holds the arms in SENT and ENDED, in the order they came there
 *   2. busy: one arm is in BOTTOM, and the opener is inside poll until it is
 *      not; so there is one at most, and close meets none
 *   3. left counts the arms with `counted` set: whose end no poll has told and
 *      no removal has finished. 0: nothing will ever come, poll says 0
 *   4. a record is freed by the poll that tells the arm's end when nobody was
 *      given the handle, by the last remover, or by the close; its task's
 *      handle is released by the poll that tells, the last remover, or with
 *      the scope
 * A poll that finds an event it cannot claim passes it over: its arm is on its
 * way to the lock, where it takes the event back, or arms again and wakes the
 * poll (a cancel kept out by a shield).
 *
 * Who touches the queue, and why it is there: the opener; the arms, until
 * their scope has counted them out, which is later than the watch that queues
 * their end; a remover that is no arm until the unlock in which it lowers
 * `left`, so poll does not say 0 before. The close waits for the scope, and
 * frees then. Dropping any scope of the opener ends the queue the same way:
 * mfi_scope_ending.
 *
 * Rejected: running the bottom half on the poller's stack, as May does. The
 * arm's locals, defers and cancels would be another task's.
 *
 * Rank: lock is taken alone; wakes and cancels are done after the unlock.
 */
#include <mayfly/cqueue.h>

#include "base/time.h"
#include "sched/explain.h"
#include "sched/spawn.h"
#include "sync/wait.h"

enum arm_state { ARM_TOP, ARM_SENT, ARM_BOTTOM, ARM_ENDED, ARM_TOLD };

struct cqueue {
    mf_scope scope; /* first: SCOPE_PART: its end is told */
    struct spin lock;
    uint32_t left;
    bool busy;
    bool closing;          /* sends answer -ECANCELED, even in a shield */
    struct list events;    /* mf_arm.event */
    struct list arms;      /* mf_arm.all */
    struct waitq poller;   /* the opener, for an event or a bottom half */
    struct waitq removers; /* for any arm's end */
};
_Static_assert(sizeof(struct cqueue) <= sizeof(mf_cqueue), "fits");

struct mf_arm { /* a slab record */
    struct end_watch watch;
    struct cqueue *q;
    mf_task *task; /* a handle; NULL once released */
    struct list all;
    struct list event;
    uint64_t token;
    union {
        struct { /* before the arm's first step */
            mf_arm_fn *fn;
            void *arg;
        } start;
        struct { /* SENT */
            struct parker *parker;
            int64_t extra;
        } sent;
        struct mf_arm *removes; /* `removing`: the arm waits for its end */
    } u;
    uint32_t removers; /* how many wait for its end */
    uint8_t state;     /* enum arm_state */
    bool kept;         /* a user has the handle */
    bool counted;
    bool removing;
};
_Static_assert(sizeof(struct mf_arm) <= MFI_SLAB_RECORD, "a slab record");

static struct cqueue *inside(mf_cqueue *q)
{
    return (struct cqueue *)(void *)q;
}

static bool is_open(struct cqueue *q)
{
    return q != NULL && mfi_scope_is_open(mfi_scope(&q->scope));
}

static struct slab_cache *cache(void)
{
    struct worker *w = mfi_worker();

    return w != NULL ? &w->records : NULL;
}

/* In a bottom half the poll is woken by its end only. */
static void wake_poller_locked(struct cqueue *q, struct wake_list *woken)
{
    if (!q->busy)
        mfi_waitq_wake_all(&q->poller, woken);
}

static void bottom_over_locked(mf_arm *arm, struct wake_list *woken)
{
    mfi_assert(arm->q->busy);
    arm->state = ARM_TOP;
    arm->q->busy = false;
    wake_poller_locked(arm->q, woken);
}

static void uncount_locked(mf_arm *arm, struct wake_list *woken)
{
    arm->counted = false;
    if (--arm->q->left == 0)
        wake_poller_locked(arm->q, woken);
}

/* A sender whose event will not be taken: its send answers -ECANCELED. */
static void drop_sent_locked(mf_arm *arm, struct wake_list *woken)
{
    mfi_list_del_init(&arm->event);
    arm->state = ARM_TOP;
    mfi_parker_wake(arm->u.sent.parker, WOKEN_READY, woken);
}

/* ---- the life of an arm ------------------------------------------------- */

static int arm_main(void *arg)
{
    mf_arm *arm = arg;

    return arm->u.start.fn(arm, arm->u.start.arg);
}

/* The arm that this task is, or NULL. */
static mf_arm *arm_of(const struct running *me)
{
    return me->fn == arm_main ? me->arg : NULL;
}

static void on_leave(struct running *me)
{
    mf_arm *arm = arm_of(me);
    struct cqueue *q = arm->q;
    struct wake_list woken;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&q->lock);
    bottom_over_locked(arm, &woken);
    mfi_spin_unlock(&q->lock);
    mfi_wake(&woken);
}

/* The task is over; its scope, which keeps q, has not heard of it yet. */
static void ended(struct end_watch *watch)
{
    mf_arm *arm = mfi_container_of(watch, mf_arm, watch);
    struct cqueue *q = arm->q;
    struct wake_list woken;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&q->lock);
    mfi_assert(arm->state == ARM_TOP || arm->state == ARM_BOTTOM);
    if (arm->state == ARM_BOTTOM)
        bottom_over_locked(arm, &woken);
    if (arm->removers > 0) {
        arm->state = ARM_TOLD;
        mfi_waitq_wake_all(&q->removers, &woken);
    } else {
        arm->state = ARM_ENDED;
        mfi_list_add_tail(&q->events, &arm->event);
        wake_poller_locked(q, &woken);
    }
    mfi_spin_unlock(&q->lock); /* arm may be gone */
    mfi_wake(&woken);
}

static void unlink_locked(mf_arm *arm, struct wake_list *woken)
{
    mfi_list_del_init(&arm->all);
    if (arm->counted)
        uncount_locked(arm, woken);
}

int mf_cqueue_add(mf_cqueue *queue, uint64_t token, mf_arm_fn *fn, void *arg,
                  mf_arm **ret_arm)
{
    struct cqueue *q = inside(queue);
    struct spawn_args how = {
        .fn = arm_main, .name = "arm", .flags = SPAWN_WATCHED};
    struct wake_list woken;
    mf_arm *arm;
    int rc;

    if (!is_open(q) || fn == NULL)
        return -EINVAL;
    arm = mfi_slab_get(cache());
    if (arm == NULL)
        return -ENOMEM;
    *arm = (mf_arm){.q = q,
                    .token = token,
                    .u.start = {fn, arg},
                    .kept = ret_arm != NULL,
                    .counted = true};
    mfi_end_watch_init(&arm->watch, ended);
    how.arg = arm;
    how.watch = &arm->watch;
    mfi_spin_lock(&q->lock);
    mfi_list_add_tail(&q->arms, &arm->all);
    q->left++;
    mfi_spin_unlock(&q->lock);
    rc = mfi_spawn(mfi_scope(&q->scope), &how, &arm->task);
    if (rc == 0) { /* arm, and q, may be gone */
        if (ret_arm != NULL)
            *ret_arm = arm;
        return 0;
    }
    mfi_wake_list_init(&woken);
    mfi_spin_lock(&q->lock);
    unlink_locked(arm, &woken);
    mfi_spin_unlock(&q->lock);
    mfi_wake(&woken);
    mfi_slab_put(cache(), arm);
    return rc;
}

/* ---- send --------------------------------------------------------------- */

/* Under the lock: link the event, if it is not, and be ready to be taken. */
static void offer_locked(mf_arm *arm, struct agent *a, struct wake_list *woken)
{
    struct cqueue *q = arm->q;

    mfi_park_arm(a);
    if (arm->state != ARM_SENT) {
        arm->state = ARM_SENT;
        mfi_list_add_tail(&q->events, &arm->event);
    }
    wake_poller_locked(q, woken);
}

/* After a wait that ended with rc < 0 or 1. 1: it is to go on. */
static int not_taken(mf_arm *arm, struct agent *a, int rc)
{
    struct cqueue *q = arm->q;
    struct wake_list woken;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&q->lock);
    mfi_assert(arm->state != ARM_BOTTOM);
    if (arm->state != ARM_SENT) { /* dropped */
        rc = -ECANCELED;
    } else if (rc == 1) {
        offer_locked(arm, a, &woken); /* it keeps its place */
    } else {
        mfi_list_del_init(&arm->event);
        arm->state = ARM_TOP;
    }
    mfi_spin_unlock(&q->lock);
    mfi_wake(&woken);
    return rc;
}

int mf_arm_send(mf_arm *self, int64_t extra)
{
    struct worker *w = mfi_worker();
    struct wake_list woken;
    struct running *me;
    struct cqueue *q;
    struct agent *a;
    int rc;

    if (w == NULL || self == NULL || arm_of(w->current) != self)
        return -EPERM;
    me = w->current;
    a = &me->agent;
    q = self->q;
    if ((rc = mfi_cancel_point(a)) < 0)
        return rc;
    mfi_wake_list_init(&woken);
    mfi_spin_lock(&q->lock);
    if (q->closing || self->removers > 0) {
        mfi_spin_unlock(&q->lock);
        return -ECANCELED;
    }
    if (self->state == ARM_BOTTOM) {
        me->on_leave = NULL;
        bottom_over_locked(self, &woken);
    }
    self->u.sent.parker = &a->parker;
    self->u.sent.extra = extra;
    offer_locked(self, a, &woken);
    mfi_spin_unlock(&q->lock);
    mfi_wake(&woken);
    while ((rc = mfi_wait(a, MFI_FAR, "a poll of its cqueue")) != 0)
        if ((rc = not_taken(self, a, rc)) < 0)
            return rc;
    mfi_sync_settle(a, &q->lock);
    if (self->state != ARM_BOTTOM)
        return -ECANCELED; /* dropped; nobody but us changes it now */
    me->on_leave = on_leave;
    return 0;
}

/* ---- remove ------------------------------------------------------------- */

/* Is t the task `above`, or in a scope of it, however deep? */
static bool below(const mf_task *t, const mf_task *above)
{
    while (t != above) {
        struct agent *owner = t->scope->owner;

        if (owner == NULL || owner->parker.kind != AGENT_TASK)
            return false;
        t = mfi_running_of(owner)->task;
    }
    return true;
}

/*
 * Would the end of arm wait for the caller, and so for this removal? me: the
 * calling task or NULL; mine: the arm of this queue that it is, or NULL.
 */
static bool circle_locked(const mf_arm *arm, const struct running *me,
                          const mf_arm *mine)
{
    if (me != NULL && arm->task != NULL && below(me->task, arm->task))
        return true;
    while (mine != NULL && arm->removing) {
        arm = arm->u.removes;
        if (arm == mine)
            return true;
    }
    return false;
}

/* Count the caller in. True: the arm's task has to end yet. */
static bool begin_remove_locked(mf_arm *arm, mf_arm *mine,
                                struct wake_list *woken)
{
    arm->removers++;
    if (mine != NULL) {
        mine->u.removes = arm;
        mine->removing = true;
    }
    if (arm->state == ARM_SENT)
        drop_sent_locked(arm, woken);
    if (arm->state == ARM_ENDED) {
        mfi_list_del_init(&arm->event);
        arm->state = ARM_TOLD;
    }
    return arm->state != ARM_TOLD;
}

static void await_end_locked(mf_arm *arm, struct agent *a)
{
    struct cqueue *q = arm->q;
    struct waiter me = {.parker = &a->parker};

    while (arm->state != ARM_TOLD) {
        mfi_park_arm_hard(a);
        mfi_waitq_add(&q->removers, &me);
        mfi_spin_unlock(&q->lock);
        mfi_wait_hard(a, MFI_FAR, "the end of an arm it removes");
        mfi_spin_lock(&q->lock);
        mfi_waitq_del(&q->removers, &me);
    }
}

/*
 * Count the caller out; the last one ends the record. The task first, while
 * `counted` still keeps the queue: a release goes through its scope.
 */
static void end_remove(mf_arm *arm, mf_arm *mine)
{
    struct cqueue *q = arm->q;
    struct wake_list woken;
    bool last;

    mfi_wake_list_init(&woken);
    if (mine != NULL)
        mine->removing = false;
    if (arm->removers == 1) {
        mf_task *t = arm->task;

        arm->task = NULL;
        mfi_spin_unlock(&q->lock);
        mf_task_release(t);
        mfi_spin_lock(&q->lock);
    }
    last = --arm->removers == 0;
    if (last)
        unlink_locked(arm, &woken);
    mfi_spin_unlock(&q->lock); /* q may be gone */
    mfi_wake(&woken);
    if (last)
        mfi_slab_put(cache(), arm);
}

int mf_arm_remove(mf_arm *arm)
{
    struct worker *w = mfi_worker();
    struct running *me = w != NULL ? w->current : NULL;
    struct agent *a = mfi_agent();
    struct wake_list woken;
    struct cqueue *q;
    mf_arm *mine = NULL;
    bool runs;

    if (arm == NULL)
        return -EINVAL;
    if (a == NULL)
        return -ENOMEM;
    q = arm->q;
    if (me != NULL && (mine = arm_of(me)) != NULL && mine->q != q)
        mine = NULL;
    mfi_wake_list_init(&woken);
    mfi_spin_lock(&q->lock);
    if (circle_locked(arm, me, mine)) {
        mfi_spin_unlock(&q->lock);
        return -EDEADLK;
    }
    runs = begin_remove_locked(arm, mine, &woken);
    mfi_spin_unlock(&q->lock);
    mfi_wake(&woken);
    if (runs)
        mf_task_cancel(arm->task); /* ours until the last remover is out */
    mfi_spin_lock(&q->lock);
    await_end_locked(arm, a);
    end_remove(arm, mine);
    return 0;
}

/* ---- poll --------------------------------------------------------------- */

struct taken {
    mf_cevent event;
    mf_task *task; /* of an arm that ended: to be released */
    mf_arm *arm;   /* to be freed, or NULL */
};

static void take_end_locked(mf_arm *arm, struct taken *t,
                            struct wake_list *woken)
{
    t->event.ended = 1;
    t->event.result = arm->task->result;
    t->task = arm->task;
    arm->task = NULL;
    arm->state = ARM_TOLD;
    if (arm->kept) {
        uncount_locked(arm, woken);
    } else {
        unlink_locked(arm, woken);
        t->arm = arm;
    }
}

/* The first event that can be had. If it is a send: busy from now on. */
static bool take_locked(struct cqueue *q, struct taken *t,
                        struct wake_list *woken)
{
    mfi_list_for_each (link, &q->events) {
        mf_arm *arm = mfi_container_of(link, mf_arm, event);

        if (arm->state == ARM_SENT &&
            !mfi_parker_wake(arm->u.sent.parker, WOKEN_READY, woken))
            continue;
        mfi_list_del_init(link);
        *t = (struct taken){.event.token = arm->token};
        if (arm->state == ARM_SENT) {
            t->event.extra = arm->u.sent.extra;
            arm->state = ARM_BOTTOM;
            q->busy = true;
        } else {
            take_end_locked(arm, t, woken);
        }
        return true;
    }
    return false;
}

/* With the lock; returns without it. */
static void await_bottom(struct cqueue *q, struct agent *a,
                         struct wake_list *woken)
{
    struct waiter me = {.parker = &a->parker};

    while (q->busy) {
        mfi_park_arm_hard(a);
        mfi_waitq_add(&q->poller, &me);
        mfi_spin_unlock(&q->lock);
        mfi_wake(woken);
        mfi_wait_hard(a, MFI_FAR, "a bottom half");
        mfi_spin_lock(&q->lock);
        mfi_waitq_del(&q->poller, &me);
    }
    mfi_spin_unlock(&q->lock);
}

/* Give back what the arm had, and say what happened. */
static int told(struct taken *t, mf_cevent *ret_event)
{
    const char *message = NULL;
    int rc = 1;

    if (t->task != NULL) {
        if (mf_task_ending(t->task, &message) == MF_PANICKED)
            rc = mfi_explain(-ENOTRECOVERABLE, "%s",
                             message != NULL ? message : "panic");
        mf_task_release(t->task);
    }
    if (t->arm != NULL)
        mfi_slab_put(cache(), t->arm);
    if (ret_event != NULL)
        *ret_event = t->event;
    return rc;
}

int mf_cqueue_poll(mf_cqueue *queue, mf_cevent *ret_event, mf_deadline deadline)
{
    struct cqueue *q = inside(queue);
    struct wake_list woken;
    struct taken taken;
    struct agent *a;
    struct waiter me;
    int rc;

    if (!is_open(q))
        return -EINVAL;
    if ((a = mfi_agent()) == NULL || mfi_scope(&q->scope)->owner != a)
        return -EPERM;
    me.parker = &a->parker;
    mfi_wake_list_init(&woken);
    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        mfi_spin_lock(&q->lock);
        if (take_locked(q, &taken, &woken))
            break;
        if (q->left == 0 || mfi_is_try(deadline)) {
            rc = q->left == 0 ? 0 : -ETIMEDOUT;
            mfi_spin_unlock(&q->lock);
            return rc;
        }
        mfi_park_arm(a);
        mfi_waitq_add(&q->poller, &me);
        mfi_spin_unlock(&q->lock);
        rc = mfi_wait(a, mfi_time_of(deadline), "an event of its cqueue");
        if (rc == 0)
            continue; /* there may be one, but for the cancel point */
        mfi_spin_lock(&q->lock);
        mfi_waitq_del(&q->poller, &me);
        mfi_spin_unlock(&q->lock);
        if (rc < 0)
            return rc;
    }
    await_bottom(q, a, &woken);
    return told(&taken, ret_event);
}

/* ---- open and close ----------------------------------------------------- */

/* No event will be taken any more: let those go who wait for it, shielded. */
static void drop_events(struct cqueue *q)
{
    struct wake_list woken;
    struct list *link, *next;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&q->lock);
    mfi_assert(!q->busy);
    q->closing = true;
    for (link = q->events.next; link != &q->events; link = next) {
        mf_arm *arm = mfi_container_of(link, mf_arm, event);

        next = link->next;
        if (arm->state == ARM_SENT)
            drop_sent_locked(arm, &woken);
    }
    mfi_spin_unlock(&q->lock);
    mfi_wake(&woken);
}

/* Nobody else has this very name: so a scope is known for a queue's. */
static const char queue_name[] = "cqueue";

static void ending(struct scope *s, bool over)
{
    struct cqueue *q = (struct cqueue *)(void *)s;

    if (s->name != queue_name)
        return;
    if (!over) {
        drop_events(q);
        return;
    }
    mfi_spin_lock(&q->lock); /* all arms are out of it */
    while (!mfi_list_empty(&q->arms)) {
        mf_arm *arm = mfi_container_of(q->arms.next, mf_arm, all);

        mfi_list_del_init(&arm->all);
        mfi_slab_put(cache(), arm); /* its task goes with the scope */
    }
    mfi_spin_unlock(&q->lock);
}

__attribute__((__constructor__)) static void hook(void)
{
    mfi_scope_ending[SCOPE_OF_CQUEUE] = ending;
}

int mf_cqueue_open(mf_cqueue *queue)
{
    struct cqueue *q = inside(queue);
    int rc;

    if (q == NULL)
        return -EINVAL;
    rc = mf_scope_open(
        &q->scope, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL, .name = queue_name));
    if (rc < 0)
        return rc;
    mfi_or_acqrel(&mfi_scope(&q->scope)->flags, (uint8_t)SCOPE_PART);
    mfi_store_rlx(&q->lock.word, 0u);
    q->left = 0;
    q->busy = false;
    q->closing = false;
    mfi_list_init(&q->events);
    mfi_list_init(&q->arms);
    q->poller.first = NULL;
    q->removers.first = NULL;
    return 0;
}

int mf_cqueue_close(mf_cqueue *queue)
{
    struct cqueue *q = inside(queue);
    struct scope *s;
    struct agent *a;

    if (!is_open(q))
        return -EINVAL;
    s = mfi_scope(&q->scope);
    if ((a = mfi_agent()) == NULL || a->inner != s)
        return -EPERM;
    mfi_cancel_scope(s, 0);
    (void)mf_scope_close(&q->scope); /* what the arms returned was an event */
    return 0;
}

void mf_cqueue_drop(mf_cqueue *queue)
{
    if (queue != NULL)
        mf_scope_drop(&inside(queue)->scope);
}
