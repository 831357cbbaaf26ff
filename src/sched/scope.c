/* SPDX-License-Identifier: MIT */
/* scope.c - open, count children in and out, wait, close. See scope.h. */
#include "sched/scope.h"

#include "base/time.h"
#include "sched/check.h"
#include "sched/local.h"
#include "sched/options.h"
#include "sched/park.h"
#include "sched/spawn.h"

void (*mfi_scope_ending[SCOPE_PARTS])(struct scope *s, bool over);

/* ---- children ----------------------------------------------------------- */

static void pending_add(struct scope *s, mf_task *t)
{
    if (s->pending == NULL) {
        t->next = t;
    } else {
        t->next = s->pending->next;
        s->pending->next = t;
    }
    s->pending = t;
}

static mf_task *pending_take(struct scope *s)
{
    mf_task *first = s->pending->next;

    if (first == s->pending)
        s->pending = NULL;
    else
        s->pending->next = first->next;
    return first;
}

static bool full(const struct scope *s)
{
    return s->limit != 0 && s->running >= s->limit;
}

int mfi_scope_admit(struct scope *s, mf_task *t)
{
    uint8_t flags;
    int rc = 0;

    mfi_spin_lock(&s->lock);
    flags = mfi_load_acq(&s->flags);
    if (mfi_unlikely((flags & (SCOPE_OWN | SCOPE_OUTER)) != 0)) {
        if ((flags & SCOPE_DEADLINE) != 0)
            mfi_or_acqrel(&s->flags, (uint8_t)SCOPE_CUT);
        mfi_spin_unlock(&s->lock);
        return -ECANCELED;
    }
    t->scope = s;
    mfi_store_rlx(&t->cancel, mfi_load_acq(&s->cancel));
    mfi_list_add_tail(&s->children, &t->sibling);
    s->live++;
    if (mfi_unlikely(full(s))) {
        pending_add(s, t);
        rc = 1;
    } else {
        s->running++;
    }
    MFI_CHECK_SCOPE_LOCKED(s);
    mfi_spin_unlock(&s->lock);
    return rc;
}

/* By mode: what one result means. True: the scope is to be cancelled for it. */
static bool judge_locked(struct scope *s, int result)
{
    uint8_t flags = mfi_load_acq(&s->flags);

    if (result == -ECANCELED && (flags & (SCOPE_OWN | SCOPE_OUTER)) != 0) {
        if ((flags & SCOPE_DEADLINE) != 0)
            mfi_or_acqrel(&s->flags, (uint8_t)SCOPE_CUT);
        return false;
    }
    if (s->mode == MF_RACE) {
        if ((flags & SCOPE_WON) != 0)
            return false;
        s->result = result;
        mfi_or_acqrel(
            &s->flags,
            (uint8_t)(result >= 0 ? SCOPE_RESULT | SCOPE_WON : SCOPE_RESULT));
        return result >= 0;
    }
    if (result >= 0 || (flags & SCOPE_RESULT) != 0)
        return false;
    s->result = result;
    mfi_or_acqrel(&s->flags, (uint8_t)SCOPE_RESULT);
    return s->mode == MF_FAIL_FAST;
}

void mfi_scope_refused(struct scope *s, int rc)
{
    bool cancel;

    mfi_spin_lock(&s->lock);
    cancel = s->mode == MF_FAIL_FAST && judge_locked(s, rc);
    if (cancel)
        mfi_scope_pin(s);
    mfi_spin_unlock(&s->lock);
    if (cancel) {
        mfi_cancel_scope(s, 0);
        mfi_scope_unpin(s);
    }
}

/* Start what waited for a place. Under s->lock: t cannot end before we do. */
static mf_task *next_locked(struct scope *s)
{
    if (s->pending == NULL || full(s))
        return NULL;
    s->running++;
    return pending_take(s);
}

void mfi_scope_ended(struct worker *w, struct scope *s, mf_task *t)
{
    struct wake_list woken;
    mf_task *next;
    bool cancel, keep;
    bool alone = (mfi_load_rlx(&t->state) & TASK_ALONE) != 0;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&s->lock);
    mfi_assert_debug(s->live > 0 && s->running > 0);
    cancel = !(alone && t->result == -ECANCELED) && judge_locked(s, t->result);
    keep = (t->held & HELD_HANDLE) != 0;
    t->held |= HELD_COUNTED;
    if (!keep)
        mfi_list_del_init(&t->sibling);
    s->live--;
    s->running--;
    next = next_locked(s);
    MFI_CHECK_SCOPE_LOCKED(s);
    if (cancel) /* the last child's failure too: the opener is still inside */
        mfi_scope_pin(s);
    if (mfi_unlikely(s->waiters.first != NULL) &&
        (s->live == 0 || s->limit != 0))
        mfi_waitq_wake_all(&s->waiters, &woken);
    mfi_spin_unlock(&s->lock); /* s may be gone, unless pinned or next lives */
    if (next != NULL)
        mfi_start(w, next);
    if (cancel) {
        mfi_cancel_scope(s, 0);
        mfi_scope_unpin(s);
    }
    mfi_wake(&woken); /* now: who waited for s finds it cancelled */
    if (!keep)
        mfi_task_put(w, t);
}

/* ---- open --------------------------------------------------------------- */

void mfi_scope_init(struct scope *s, struct agent *owner,
                    const mf_scope_options *o)
{
    *s = (struct scope){.magic = SCOPE_MAGIC,
                        .mode = (uint8_t)o->mode,
                        .owner = owner,
                        .limit = o->limit,
                        .grace = o->grace,
                        .name = o->name};
    mfi_list_init(&s->children);
}

/* Chain s into its opener, with what the opener has been told already. */
static void chain(struct agent *a, struct scope *s)
{
    uint8_t word;

    mfi_spin_lock(&a->lock);
    s->outer = a->inner;
    s->shields = (uint8_t)a->shields;
    word = mfi_load_acq(mfi_cancel_word(a));
    /* A shield around the open keeps out what came before, too. */
    if (a->shields > (a->inner != NULL ? a->inner->shields : 0u) &&
        mf_now() < a->shield_limit)
        word = CANCEL_NONE;
    mfi_store_rlx(&s->cancel, word);
    if ((word & CANCEL_STATE) == CANCEL_NOTIFY ||
        (word & CANCEL_STATE) == CANCEL_HARD)
        mfi_or_acqrel(&s->flags, (uint8_t)SCOPE_OUTER);
    a->inner = s;
    mfi_spin_unlock(&a->lock);
}

int mf_scope_open(mf_scope *scope, const mf_scope_options *opts)
{
    mf_scope_options o = {.size = sizeof o};
    struct scope *s = mfi_scope(scope);
    struct agent *a;
    struct worker *w = mfi_worker();

    if (s == NULL)
        return -EINVAL;
    s->magic = 0; /* so that a failed open leaves something close can tell */
    if (mfi_load_acq(&mfi_sched.up) == 0 ||
        mfi_options_copy(&o, sizeof o, opts) < 0 || o.mode < MF_FAIL_FAST ||
        o.mode > MF_RACE || o.grace < 0)
        return -EINVAL;
    a = mfi_agent();
    if (a == NULL)
        return -ENOMEM;
    mfi_scope_init(s, a, &o);
    if (mfi_unlikely(o.deadline.at != 0 || o.grace > 0)) {
        s->clock = mfi_slab_get(w != NULL ? &w->records : NULL);
        if (s->clock == NULL) {
            s->magic = 0;
            return -ENOMEM;
        }
        *s->clock = (struct scope_clock){.deadline.scope = s, .grace.scope = s};
    }
    chain(a, s);
    if (mfi_unlikely(o.deadline.at != 0)) {
        if (o.deadline.at <= mf_now()) {
            mfi_scope_pin(s);
            mfi_cancel_by_clock(s, false);
        } else {
            mfi_strike_arm(&s->clock->deadline, o.deadline.at);
        }
    }
    return 0;
}

/* ---- wait --------------------------------------------------------------- */

/* Wait, as a cancel point, until live is 0 or (slot) a child may start. */
static int wait_for(mf_scope *scope, mf_deadline deadline, bool slot)
{
    struct scope *s = mfi_scope(scope);
    struct agent *a;
    struct waiter me;
    int rc;

    if (!mfi_scope_is_open(s))
        return -EINVAL;
    if ((a = mfi_agent()) == NULL)
        return -ENOMEM;
    me.parker = &a->parker;
    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        mfi_spin_lock(&s->lock);
        if (slot ? !full(s) : s->live == 0) {
            mfi_spin_unlock(&s->lock);
            return 0;
        }
        if (mfi_is_try(deadline)) {
            mfi_spin_unlock(&s->lock);
            return -ETIMEDOUT;
        }
        mfi_park_arm(a);
        mfi_waitq_add(&s->waiters, &me);
        mfi_spin_unlock(&s->lock);
        rc = mfi_wait(a, mfi_time_of(deadline),
                      slot ? "a place in a scope" : "a scope's children");
        mfi_spin_lock(&s->lock);
        mfi_waitq_del(&s->waiters, &me);
        mfi_spin_unlock(&s->lock);
        if (rc < 0)
            return rc;
    }
}

int mf_scope_wait(mf_scope *s, mf_deadline deadline)
{
    return wait_for(s, deadline, false);
}

int mf_scope_wait_slot(mf_scope *s, mf_deadline deadline)
{
    return wait_for(s, deadline, true);
}

/* Wait for live to be 0, whatever happens; a cancel has been passed on. */
static void wait_children(struct scope *s, struct agent *a)
{
    struct waiter me = {.parker = &a->parker};
    mf_ns limit = MFI_FAR;

    /* Inside a shield: what it kept from s comes when its limit passes. */
    if (mfi_unlikely(a->shields != 0) && s->shields == a->shields)
        limit = a->shield_limit;
    for (;;) {
        mfi_spin_lock(&s->lock);
        if (s->live == 0)
            break;
        mfi_park_arm_hard(a);
        mfi_waitq_add(&s->waiters, &me);
        mfi_spin_unlock(&s->lock);
        if (mfi_wait_hard(a, limit, "a scope's children, to close it") ==
            -ETIMEDOUT) {
            limit = MFI_FAR;
            mfi_shield_over(a);
        }
        mfi_spin_lock(&s->lock);
        mfi_waitq_del(&s->waiters, &me);
        mfi_spin_unlock(&s->lock);
    }
    mfi_spin_unlock(&s->lock);
}

/* ---- close -------------------------------------------------------------- */

static void wait_pins(struct scope *s)
{
    while (mfi_load_acq(&s->pins) != 0)
        mfi_sys0(SYS_sched_yield); /* a canceller is on its way through s */
}

/* Records whose handles the user had: theirs no longer. */
static void release_handles(struct scope *s)
{
    struct worker *w = mfi_worker();

    while (mfi_unlikely(!mfi_list_empty(&s->children))) {
        mf_task *t = mfi_container_of(s->children.next, mf_task, sibling);

        mfi_list_del_init(&t->sibling);
        mfi_task_lock(t);
        t->scope = NULL;
        mfi_task_unlock(t, 0, 0);
        mfi_task_put(w, t);
    }
}

int mfi_scope_join(struct scope *s)
{
    int rc = 0;

    mfi_spin_lock(&s->lock);
    if ((mfi_load_acq(&s->flags) & (SCOPE_OWN | SCOPE_OUTER)) != 0)
        rc = -ECANCELED;
    else
        mfi_or_acqrel(&s->flags, (uint8_t)SCOPE_PART);
    mfi_spin_unlock(&s->lock);
    return rc;
}

static void tell_parts(struct scope *s, bool over)
{
    if (mfi_likely((mfi_load_acq(&s->flags) & SCOPE_PART) == 0))
        return;
    for (int i = 0; i < SCOPE_PARTS; i++)
        if (mfi_scope_ending[i] != NULL)
            mfi_scope_ending[i](s, over);
}

void mfi_scope_root_done(struct scope *s)
{
    mfi_spin_lock(&s->lock); /* the last child is out of it */
    mfi_assert(s->live == 0);
    mfi_spin_unlock(&s->lock);
    mfi_locals_discard_orphans(s);
    wait_pins(s);
    tell_parts(s, true);
    release_handles(s);
    s->magic = 0;
}

static int result_of(const struct scope *s)
{
    uint8_t flags = mfi_load_acq(&s->flags);

    if ((flags & SCOPE_RESULT) != 0)
        return s->result;
    if ((flags & SCOPE_CUT) != 0)
        return -ETIMEDOUT;
    return (flags & SCOPE_OUTER) != 0 ? -ECANCELED : 0;
}

static int finish(struct scope *s, struct agent *a)
{
    int rc;

    tell_parts(s, false);
    wait_children(s, a);
    while (mfi_unlikely(s->orphans != NULL)) {
        mfi_locals_discard_orphans(s);
        wait_children(s, a); /* a drop may have begun one */
    }
    mfi_spin_lock(&a->lock);
    a->inner = s->outer;
    mfi_spin_unlock(&a->lock);
    wait_pins(s);
    if (mfi_unlikely(s->clock != NULL)) {
        struct worker *w = mfi_worker();

        mfi_timer_disarm(&s->clock->deadline.timer);
        mfi_timer_disarm(&s->clock->grace.timer);
        wait_pins(s); /* what fired before that */
        mfi_slab_put(w != NULL ? &w->records : NULL, s->clock);
    }
    tell_parts(s, true);
    release_handles(s);
    s->magic = 0;
    rc = result_of(s);
    if (rc == -ECANCELED && (mfi_load_acq(&s->flags) & SCOPE_OUTER) != 0)
        mfi_cancel_note_cut(a);
    return rc;
}

int mf_scope_close(mf_scope *scope)
{
    struct scope *s = mfi_scope(scope);
    struct agent *a;

    if (!mfi_scope_is_open(s) || s->owner == NULL)
        return -EINVAL;
    a = mfi_agent();
    if (a == NULL || a->inner != s)
        return -EPERM;
    return finish(s, a);
}

void mf_scope_drop(mf_scope *scope)
{
    struct scope *s = mfi_scope(scope);
    struct agent *a;

    if (!mfi_scope_is_open(s) || s->owner == NULL)
        return;
    a = mfi_agent();
    if (a != s->owner)
        return;
    mfi_cancel_scope(s, 0);
    while (a->inner != s) {
        mfi_cancel_scope(a->inner, 0); /* a shield may have kept ours out */
        finish(a->inner, a);
    }
    finish(s, a);
}

void mf_scope_cancel(mf_scope *scope)
{
    struct scope *s = mfi_scope(scope);

    if (mfi_scope_is_open(s))
        mfi_cancel_scope(s, 0);
}

mf_scope *mf_root(void)
{
    return mfi_load_acq(&mfi_sched.up) != 0 ? &mfi_sched.root : NULL;
}

int mf_call_within(mf_fn *fn, void *arg, mf_deadline deadline)
{
    mf_scope s;
    int rc, why;

    if (fn == NULL)
        return -EINVAL;
    rc = mf_scope_open(&s, MF_SCOPE_OPTIONS(.deadline = deadline));
    if (rc < 0)
        return rc;
    rc = fn(arg);
    why = mf_scope_close(&s);
    return rc == -ECANCELED && why == -ETIMEDOUT ? -ETIMEDOUT : rc;
}
