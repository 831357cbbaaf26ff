/* SPDX-License-Identifier: MIT */
/*
 * select.c - wait for the first of many things, and take only that.
 *
 *   1 try     each case by itself, in random order; the first ready one wins
 *   2 link    arm the parker; lock all locked kinds, look once more at each,
 *             link a waiter to each, unlock; then link the others one by one
 *   3 wait    one parker, so one claim: a giver (channel, semaphore) that won
 *             it has marked its case; anybody else only said "look again"
 *   4 unlink  every waiter, under its object's lock; a marked case has won
 *
 * and from the top, until something has won or the wait has.
 *
 * Exactly one: what is given to us is given after the claim of our one parker.
 * What we take, we take while nobody can claim us: in step 1 and under all the
 * locks of step 2 no waiter of ours is linked anywhere, so a sender that meets
 * nobody does not yet know of us, and we claim a peer outright, without having
 * to claim ourselves with it. That is why step 2 holds all locks: with one at a
 * time, two selects meeting on two channels would have to claim each other and
 * themselves, and take it back when they fail. After the unlock we are linked:
 * if one of the other kinds turns out to be ready, we first end our own wait,
 * by a claim like any other; if somebody was faster, their claim counts.
 *
 * Early claims (waiter.h, 5): step 4 takes every lock before it looks at marks.
 *
 * Order of locks: by address, as in Go's select (its selectgo has the same two
 * passes). Fairness: the order of step 1 and of the second look is a random
 * permutation, drawn as far as it is needed (Fisher and Yates 1938; Durstenfeld
 * 1964).
 */
#include <stdlib.h>

#include "base/time.h"
#include "sync/chan.h"
#include "sync/select.h"

struct select {
    mf_case *cases;
    int n;
    bool ordered;
    bool once;    /* the deadline says: do not wait */
    bool tried;   /* once through step 1 */
    bool started; /* call cases run, if there are any; locks are in order */
    bool calls;   /* `scope` is open */
    struct agent *a;
    mf_ns at;    /* the deadline, or a case's earlier point in time */
    mf_ns limit; /* the deadline */
    int nlocks;
    int nfds;
    struct case_link *links; /* n of each */
    struct spin **locks;
    int *order;
    mf_scope scope;
};

/* ---- random order ------------------------------------------------------- */

static uint32_t draw(void)
{
    static _Atomic uint32_t seed; /* of plain threads */
    struct worker *w = mfi_worker();
    uint32_t x;

    if (w != NULL) {
        w->rng ^= w->rng << 13; /* Marsaglia 2003, "Xorshift RNGs" */
        w->rng ^= w->rng >> 17;
        w->rng ^= w->rng << 5;
        return w->rng;
    }
    x = mfi_add_rlx(&seed, 0x9e3779b9u);
    x = (x ^ (x >> 16)) * 0x85ebca6bu; /* Appleby, MurmurHash3's finaliser */
    x = (x ^ (x >> 13)) * 0xc2b2ae35u;
    return x ^ (x >> 16);
}

/* The i-th case to look at; 0 .. i - 1 have been asked for before. */
static int next_of(struct select *s, int i)
{
    int left = s->n - i, k, at;

    if (!s->ordered && left > 1) {
        k = i + (int)(((uint64_t)draw() * (uint32_t)left) >> 32);
        at = s->order[k];
        s->order[k] = s->order[i];
        s->order[i] = at;
    }
    return s->order[i];
}

/* ---- step 1: try -------------------------------------------------------- */

static int attempt(struct select *s, mf_case *c, const struct case_kind *kind)
{
    if (mfi_case_is_fd(c))
        return mfi_case_fd_attempt(c, s->tried);
    return kind->attempt(c);
}

/* The winner's index, or -EAGAIN. */
static int try_all(struct select *s)
{
    for (int i = 0; i < s->n; i++) {
        int k = next_of(s, i), rc;
        const struct case_kind *kind = mfi_case_kind(&s->cases[k]);

        if (kind == NULL || (rc = attempt(s, &s->cases[k], kind)) == -EAGAIN)
            continue;
        s->cases[k].res = rc;
        return k;
    }
    s->tried = true;
    return -EAGAIN;
}

/* ---- call cases --------------------------------------------------------- */

static int start_calls(struct select *s)
{
    int rc = 0;

    for (int i = 0; i < s->n; i++) {
        mf_case *c = &s->cases[i];

        if (c->op != MF_OP_CALL || mfi_case_kind(c) == NULL)
            continue;
        if (!s->calls &&
            (rc = mf_scope_open(&s->scope,
                                MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL))) < 0)
            return rc;
        s->calls = true;
        if ((rc = mfi_case_call_start(c, &s->scope)) < 0)
            return rc;
    }
    return 0;
}

static void end_calls(struct select *s)
{
    if (s->calls)
        mf_scope_drop(&s->scope);
    s->calls = false;
}

/* ---- step 2: link ------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (struct spin *const *)a;
    uintptr_t y = (uintptr_t) * (struct spin *const *)b;

    return (x > y) - (x < y);
}

/* Each lock once, by address. */
static void gather_locks(struct select *s)
{
    int n = 0, unique = 0;

    for (int i = 0; i < s->n; i++) {
        const struct case_kind *kind = mfi_case_kind(&s->cases[i]);
        struct spin *lock;
        int k;

        if (kind == NULL || kind->lock == NULL)
            continue;
        lock = kind->lock(&s->cases[i]);
        if (s->n > MF_SELECT_MAX) {
            s->locks[n++] = lock;
            continue;
        }
        for (k = n++; k > 0 && by_address(&s->locks[k - 1], &lock) > 0; k--)
            s->locks[k] = s->locks[k - 1];
        s->locks[k] = lock;
    }
    if (s->n > MF_SELECT_MAX)
        qsort(s->locks, (size_t)n, sizeof(struct spin **), by_address);
    for (int i = 0; i < n; i++)
        if (unique == 0 || s->locks[unique - 1] != s->locks[i])
            s->locks[unique++] = s->locks[i];
    s->nlocks = unique;
}

static void lock_all(struct select *s)
{
    for (int i = 0; i < s->nlocks; i++)
        mfi_spin_lock(s->locks[i]);
}

static void unlock_all(struct select *s)
{
    for (int i = s->nlocks; i-- > 0;)
        mfi_spin_unlock(s->locks[i]);
}

/* Under all locks. The winner's index; -EAGAIN; CHAN_GROW with *ret_k. */
static int look_locked(struct select *s, struct chan_after *after, int *ret_k)
{
    for (int i = 0; i < s->n; i++) {
        int k = next_of(s, i), rc;
        mf_case *c = &s->cases[k];
        const struct case_kind *kind = mfi_case_kind(c);

        if (kind == NULL || kind->lock == NULL)
            continue;
        rc = kind->attempt_locked(c, after);
        *ret_k = k;
        if (rc == CHAN_GROW)
            return rc;
        if (rc == -EAGAIN)
            continue;
        c->res = rc;
        return k;
    }
    return -EAGAIN;
}

/* Under all locks. */
static void link_locked(struct select *s)
{
    for (int i = 0; i < s->n; i++) {
        const struct case_kind *kind = mfi_case_kind(&s->cases[i]);
        struct case_link *l = &s->links[i];

        if (kind == NULL || kind->lock == NULL)
            continue;
        l->s = (struct sync_waiter){.w.parker = &s->a->parker,
                                    .elem = s->cases[i].val};
        mfi_waitq_add(kind->queue(&s->cases[i]), &l->s.w);
        l->linked = true;
    }
}

/* Those without a lock of ours. 1 all linked; 0 look again; < 0 case *ret_k
 * cannot be waited for. */
static int link_others(struct select *s, int *ret_k)
{
    for (int i = 0; i < s->n; i++) {
        mf_case *c = &s->cases[i];
        const struct case_kind *kind = mfi_case_kind(c);
        struct case_link *l = &s->links[i];
        int rc;

        if (kind == NULL || kind->lock != NULL)
            continue;
        *ret_k = i;
        if (mfi_case_is_fd(c)) {
            if ((rc = mfi_case_fd_link(c, l, s->a)) <= 0)
                return rc;
        } else if (kind->link != NULL) {
            l->s = (struct sync_waiter){.w.parker = &s->a->parker};
            if (!(l->linked = kind->link(c, l)))
                return 0;
        }
    }
    return 1;
}

/* ---- step 3: wait ------------------------------------------------------- */

static int wait_one(struct select *s)
{
    int rc;

    if (s->nfds > 0 && s->a->parker.kind == AGENT_THREAD)
        return mfi_case_fds_wait(s->a, s->cases, s->links, s->n, s->nfds,
                                 s->at);
    rc = mfi_wait(s->a, s->at, "a select");
    return rc == -EBADF ? 1 : rc; /* unlinking finds which */
}

/* ---- step 4: unlink ----------------------------------------------------- */

/* The index of the case that was given something or closed; or -EAGAIN. */
static int unlink_all(struct select *s)
{
    int won = -EAGAIN;

    for (int i = 0; i < s->n; i++) {
        mf_case *c = &s->cases[i];
        const struct case_kind *kind = mfi_case_kind(c);
        struct case_link *l = &s->links[i];

        if (!l->linked)
            continue;
        l->linked = false;
        if (mfi_case_is_fd(c)) {
            if (mfi_case_fd_unlink(c, l) && won < 0) {
                c->res = -EBADF;
                won = i;
            }
        } else if (kind->lock != NULL) {
            mfi_spin_lock(kind->lock(c));
            mfi_waitq_del(kind->queue(c), &l->s.w);
            mfi_spin_unlock(kind->lock(c));
            if (l->s.won) {
                c->res = l->s.res;
                won = i; /* over a closed fd, which will say so again */
            }
        } else {
            kind->unlink(c, l);
        }
    }
    return won;
}

/* ---- all of it ---------------------------------------------------------- */

/*
 * Steps 2 to 4, once. The winner's index; -EAGAIN from the top; -ETIMEDOUT (of
 * s->at), -ECANCELED, -ENOMEM.
 */
static int wait_round(struct select *s)
{
    struct chan_after after;
    bool again = false;
    int rc, k = 0, won;

    mfi_chan_after_init(&after);
    if (s->nlocks > 0)
        mfi_park_arm_early(s->a);
    else
        mfi_park_arm(s->a);
    lock_all(s);
    rc = look_locked(s, &after, &k);
    if (rc == -EAGAIN)
        link_locked(s);
    unlock_all(s);
    if (rc != -EAGAIN) {
        mfi_park_disarm(s->a);
        mfi_chan_after(&after);
        if (rc != CHAN_GROW)
            return rc;
        rc = mfi_chan_grow(s->cases[k].obj);
        return rc < 0 ? rc : -EAGAIN;
    }
    rc = link_others(s, &k);
    if (rc == 1) {
        rc = wait_one(s);
    } else if (mfi_parker_claim(&s->a->parker, WOKEN_READY) != CLAIM_LOST &&
               rc < 0) {
        s->cases[k].res = rc; /* as its plain call would have failed */
        (void)unlink_all(s);
        return k;
    } else {
        rc = 1;
        again = true;
    }
    won = unlink_all(s);
    if (won >= 0)
        return won;
    if (again) { /* should that not end, others and the clock have their say */
        mfi_budget(s->a);
        rc = s->at != MFI_FAR && s->at <= mf_now() ? -ETIMEDOUT : 1;
    }
    return rc < 0 ? rc : -EAGAIN;
}

static int run(struct select *s)
{
    int rc;

    for (;;) {
        if ((rc = mfi_cancel_point(s->a)) < 0)
            return rc;
        if ((rc = try_all(s)) != -EAGAIN)
            return rc;
        if (s->once)
            return -ETIMEDOUT;
        if (!s->started) {
            if ((rc = start_calls(s)) < 0)
                return rc;
            gather_locks(s);
            s->started = true;
        }
        rc = wait_round(s);
        if (rc == -ETIMEDOUT) {
            s->tried = false; /* a last look, at fds too */
            if ((rc = try_all(s)) != -EAGAIN)
                return rc;
            if (s->limit <= mf_now())
                return -ETIMEDOUT;
        }
        if (rc != -EAGAIN)
            return rc;
    }
}

/* Check them, and find the earliest point in time. */
static int prepare(struct select *s)
{
    for (int i = 0; i < s->n; i++) {
        mf_case *c = &s->cases[i];

        if (!mfi_case_valid(c))
            return -EINVAL;
        s->order[i] = i;
        s->links[i].linked = false;
        if (mfi_case_kind(c) == NULL)
            continue;
        if (c->op == MF_OP_TIME && mfi_time_of(c->at) < s->at)
            s->at = mfi_time_of(c->at);
        if (c->op == MF_OP_CALL)
            mfi_case_call_reset(c);
        s->nfds += mfi_case_is_fd(c);
    }
    return 0;
}

static int select_few(struct select *s)
{
    struct case_link links[MF_SELECT_MAX];
    struct spin *locks[MF_SELECT_MAX];
    int order[MF_SELECT_MAX], rc;

    s->links = links;
    s->locks = locks;
    s->order = order;
    if ((rc = prepare(s)) == 0)
        rc = run(s);
    end_calls(s);
    s->links = NULL; /* they end here */
    s->locks = NULL;
    s->order = NULL;
    return rc;
}

static int select_many(struct select *s)
{
    size_t n = (size_t)s->n, each;
    int rc;

    each = sizeof *s->links + sizeof(struct spin **) + sizeof *s->order;
    /* tidy: allow malloc, because it is more than a stack is for */
    s->links = malloc(n * each);
    if (s->links == NULL)
        return -ENOMEM;
    s->locks = (struct spin **)(void *)(s->links + n);
    s->order = (int *)(void *)(s->locks + n);
    if ((rc = prepare(s)) == 0)
        rc = run(s);
    end_calls(s);
    /* tidy: allow malloc, because it was made above */
    free(s->links);
    return rc;
}

static int select_by(mf_case *cases, int n, mf_deadline deadline, bool ordered)
{
    struct select s;
    int rc;

    if (n < 0 || (cases == NULL && n > 0))
        return -EINVAL;
    s.cases = cases;
    s.n = n;
    s.ordered = ordered;
    s.once = mfi_is_try(deadline);
    s.tried = s.started = s.calls = false;
    s.nfds = s.nlocks = 0;
    s.limit = s.at = mfi_time_of(deadline);
    s.a = mfi_agent();
    if (s.a == NULL)
        return -ENOMEM;
    rc = n <= MF_SELECT_MAX ? select_few(&s) : select_many(&s);
    mfi_budget(s.a);
    return rc;
}

int mf_select(mf_case *cases, int n, mf_deadline deadline)
{
    return select_by(cases, n, deadline, false);
}

int mf_select_ordered(mf_case *cases, int n, mf_deadline deadline)
{
    return select_by(cases, n, deadline, true);
}
