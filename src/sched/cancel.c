/* SPDX-License-Identifier: MIT */
/* cancel.c - the walk down, the look at the word, shields. See cancel.h. */
#include "sched/cancel.h"

#include "base/time.h"
#include "sched/park.h"
#include "sched/when.h"

/* ---- the walk ----------------------------------------------------------- */

struct walk {
    uint8_t to; /* CANCEL_NOTIFY or CANCEL_HARD */
    uint8_t by;
    struct scope *scopes; /* pinned, still to be walked, by walk_link() */
    struct wake_list woken;
};

/* Two walks may meet in s, but not two that raise its word alike. */
static struct scope **walk_link(struct scope *s, const struct walk *w)
{
    return &s->walk[w->to == CANCEL_HARD];
}

/* Raise a cancel word; it never goes back. True if it changed. */
static bool raise_word(_Atomic uint8_t *word, const struct walk *w)
{
    uint8_t seen = mfi_load_sc(word), to;

    do {
        if ((seen & CANCEL_STATE) >= w->to)
            return false;
        to = (uint8_t)(w->to | w->by | (seen & CANCEL_BY_DEADLINE));
    } while (!mfi_cas_sc(word, &seen, to));
    return true;
}

static bool on_chain(const struct agent *a, const struct scope *scope)
{
    const struct scope *s = a->inner;

    while (s != NULL && s != scope)
        s = s->outer;
    return s != NULL;
}

/*
 * The open scopes of agent a, from the innermost out to `end`: mark and list
 * them, but for those a shield keeps out of it. Then wake a to look. Where the
 * word stands so high already, whoever raised it walks what is below.
 */
static void walk_agent(struct agent *a, struct scope *end, uint32_t shields,
                       struct walk *w)
{
    mfi_spin_lock(&a->lock);
    if (end != NULL && !on_chain(a, end)) { /* a is past its close */
        mfi_spin_unlock(&a->lock);
        return;
    }
    for (struct scope *s = a->inner; s != end && s != NULL; s = s->outer) {
        if (s->shields > shields && mf_now() < a->shield_limit)
            continue;
        mfi_or_acqrel(&s->flags, (uint8_t)SCOPE_OUTER);
        if (!raise_word(&s->cancel, w))
            continue;
        mfi_scope_pin(s);
        *walk_link(s, w) = w->scopes;
        w->scopes = s;
    }
    mfi_spin_unlock(&a->lock);
    atomic_thread_fence(memory_order_seq_cst); /* words before parker: Dekker */
    mfi_parker_wake(&a->parker, WOKEN_CANCEL, &w->woken);
}

static void walk_task(mf_task *t, struct walk *w)
{
    uint32_t state;

    raise_word(&t->cancel, w);
    mfi_task_lock(t);
    atomic_thread_fence(memory_order_seq_cst); /* word before parker: Dekker */
    state = mfi_load_rlx(&t->state);
    if ((state & TASK_RUNNING) != 0)
        walk_agent(&t->run->agent, NULL, 0, w);
    else if ((state & TASK_WHEN) != 0)
        mfi_when_wake_locked(t, &w->woken);
    mfi_task_unlock(t, 0, 0);
}

static void walk_children(struct scope *s, struct walk *w)
{
    mfi_spin_lock(&s->lock);
    mfi_list_for_each (link, &s->children) {
        mf_task *t = mfi_container_of(link, mf_task, sibling);

        if ((mfi_load_acq(&t->state) & TASK_ENDED) == 0)
            walk_task(t, w);
    }
    mfi_spin_unlock(&s->lock);
}

/* The owners of these are marked already: their children are left. */
static void walk_found(struct walk *w)
{
    struct scope *s;

    while ((s = w->scopes) != NULL) {
        w->scopes = *walk_link(s, w);
        walk_children(s, w);
        mfi_scope_unpin(s);
    }
    mfi_wake(&w->woken);
}

/* Everything below s, and its owner as far as it is inside s. */
static void walk_scope(struct scope *s, struct walk *w)
{
    walk_children(s, w);
    if (s->owner != NULL)
        walk_agent(s->owner, s, s->shields, w);
    walk_found(w);
}

/* Raise s to w->to and walk; the grace begins with the first notice. */
static void cancel_to(struct scope *s, struct walk *w)
{
    mfi_wake_list_init(&w->woken);
    if (!raise_word(&s->cancel, w))
        return;
    if (w->to == CANCEL_NOTIFY && s->grace > 0)
        mfi_strike_arm(&s->clock->grace, mfi_time_add(mf_now(), s->grace));
    walk_scope(s, w);
}

void mfi_cancel_scope(struct scope *s, uint8_t by)
{
    uint8_t had = mfi_or_acqrel(&s->flags, (uint8_t)SCOPE_OWN);
    bool notice = s->grace > 0 && (had & SCOPE_OWN) == 0;
    struct walk w = {.by = by, .to = notice ? CANCEL_NOTIFY : CANCEL_HARD};

    cancel_to(s, &w);
}

void mfi_cancel_task(mf_task *t)
{
    struct walk w = {.to = CANCEL_HARD};

    mfi_wake_list_init(&w.woken);
    walk_task(t, &w);
    walk_found(&w);
}

void mfi_cancel_by_clock(struct scope *s, bool grace_over)
{
    struct walk w = {.to = CANCEL_HARD};

    if (grace_over) {
        cancel_to(s, &w);
    } else if ((mfi_load_acq(&s->flags) & SCOPE_OWN) == 0 &&
               (mfi_load_acq(&s->cancel) & CANCEL_STATE) != CANCEL_HARD) {
        /* Else somebody cancelled it first: then that is why it ends. */
        mfi_or_acqrel(&s->flags, (uint8_t)SCOPE_DEADLINE);
        mfi_cancel_scope(s, CANCEL_BY_DEADLINE);
    }
    mfi_scope_unpin(s);
}

/* ---- the look ----------------------------------------------------------- */

void mfi_cancel_note_cut(struct agent *a)
{
    for (struct scope *s = a->inner; s != NULL; s = s->outer)
        if ((mfi_load_acq(&s->flags) & SCOPE_DEADLINE) != 0)
            mfi_or_acqrel(&s->flags, (uint8_t)SCOPE_CUT);
}

static void notice_taken(_Atomic uint8_t *word)
{
    uint8_t seen = mfi_load_acq(word);

    while ((seen & CANCEL_STATE) == CANCEL_NOTIFY &&
           !mfi_cas_sc(word, &seen,
                       (uint8_t)((seen & ~CANCEL_STATE) | CANCEL_GRACE)))
        ;
}

/*
 * One notice is one notice, however many scopes it came through: but those that
 * a shield keeps out are still to come.
 */
static void take_notices(struct agent *a)
{
    bool open = mf_now() >= a->shield_limit;
    uint32_t depth = a->inner != NULL ? a->inner->shields : 0;

    for (struct scope *s = a->inner; s != NULL; s = s->outer)
        if (s->shields == depth || open)
            notice_taken(&s->cancel);
    if (depth == 0 || open)
        notice_taken(a->base);
}

static bool shielded(const struct agent *a)
{
    uint32_t outside = a->inner != NULL ? a->inner->shields : 0;

    return a->shields > outside && mf_now() < a->shield_limit;
}

int mfi_cancel_consume(struct agent *a)
{
    uint8_t state = mfi_load_acq(mfi_cancel_word(a)) & CANCEL_STATE;

    if (state == CANCEL_NONE || state == CANCEL_GRACE || shielded(a))
        return 0;
    if (state == CANCEL_NOTIFY)
        take_notices(a);
    mfi_cancel_note_cut(a);
    return -ECANCELED;
}

bool mfi_cancel_due(struct agent *a)
{
    uint8_t state = mfi_load_acq(mfi_cancel_word(a)) & CANCEL_STATE;

    return (state == CANCEL_NOTIFY || state == CANCEL_HARD) && !shielded(a);
}

int mf_cancelled(void)
{
    struct agent *a = mfi_agent();
    uint8_t word;

    if (a == NULL)
        return 0;
    word = mfi_load_acq(mfi_cancel_word(a));
    if ((word & CANCEL_STATE) == CANCEL_NONE || shielded(a))
        return 0;
    return (word & CANCEL_BY_DEADLINE) != 0 ? -ETIMEDOUT : -ECANCELED;
}

/* ---- shields ------------------------------------------------------------ */

/*
 * mf_shield: the limit outside; and, 0 ended, 1 open, 2 its MF_SHIELD block
 * ran. A thread without memory for its agent is cancelled by nobody: 3 and 4
 * are 1 and 2 with nothing to undo, so that the block runs all the same.
 */
enum { SHIELD_ENDED, SHIELD_OPEN, SHIELD_RAN, SHIELD_BARE, SHIELD_BARE_RAN };

mf_shield mf_shield_begin(mf_deadline limit)
{
    struct agent *a = mfi_agent();
    mf_shield sh = {{0, SHIELD_BARE}};

    if (a != NULL) {
        sh.mfi_[0] = (uint64_t)a->shield_limit;
        sh.mfi_[1] = SHIELD_OPEN;
        a->shields++;
        a->shield_limit = mfi_time_of(limit);
    }
    return sh;
}

void mf_shield_end(mf_shield *sh)
{
    struct agent *a;

    if (sh == NULL || sh->mfi_[1] == SHIELD_ENDED)
        return;
    if (sh->mfi_[1] >= SHIELD_BARE) {
        sh->mfi_[1] = SHIELD_ENDED;
        return;
    }
    a = mfi_agent();
    mfi_assert(a != NULL && a->shields > 0);
    a->shields--;
    a->shield_limit = (mf_ns)sh->mfi_[0];
    sh->mfi_[1] = SHIELD_ENDED;
}

int mf_shield_once_(mf_shield *sh)
{
    /* 1 the first time; mfi_[1] stays set until the end. */
    if (sh->mfi_[1] != SHIELD_OPEN && sh->mfi_[1] != SHIELD_BARE)
        return 0;
    sh->mfi_[1]++;
    return 1;
}

void mfi_shield_over(struct agent *a)
{
    struct walk w = {.to = CANCEL_NOTIFY};
    struct scope *s, *outermost = NULL;
    uint8_t word;

    if (mf_now() < a->shield_limit)
        return;
    /* A walk that saw time left has marked what is outside before we lock. */
    mfi_spin_lock(&a->lock);
    for (s = a->inner; s != NULL && s->shields == a->shields; s = s->outer)
        outermost = s;
    word = mfi_load_acq(s != NULL ? &s->cancel : a->base);
    mfi_spin_unlock(&a->lock);
    if (outermost == NULL || (word & CANCEL_STATE) == CANCEL_NONE)
        return;
    if ((word & CANCEL_STATE) == CANCEL_HARD)
        w.to = CANCEL_HARD;
    w.by = word & CANCEL_BY_DEADLINE;
    mfi_or_acqrel(&outermost->flags, (uint8_t)SCOPE_OUTER);
    cancel_to(outermost, &w);
}
