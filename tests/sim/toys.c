/* SPDX-License-Identifier: MIT */
/*
 * toys.c - small objects with a well-known mistake each, for explorer_test.sh:
 * the simulator must find it, and must find nothing in the same without it.
 *
 * A cell holds at most one number; put hands it to who waits, take waits for
 * it. What is right is in CORRECT's path, and follows sync/wait.h; the others
 * are what one writes on a bad day.
 */
#include "io/kit.h"

#include "base/time.h"
#include "sync/wait.h"

enum bug {
    CORRECT,
    LOOKS_TOO_EARLY, /* take: not again under the lock: a put in between */
    ARMS_TOO_LATE,   /* take: after it was linked */
    HANDS_TOO_EARLY, /* put: hands over, then sees that the wait is over */
    NO_SETTLE,       /* take: woken while put still writes */
    STAYS_LINKED,    /* take: a timeout leaves the waiter in the queue */
    LOOKS_AWAY,      /* take: "look again" taken for "woken" */
    TOUCHES_AFTER,   /* put: uses the cell after the unlock */
    LOCKS_CROSSWISE, /* two cells as locks, in two orders */
};

enum { ALIVE = 0x11, GONE = 0x22 };

struct cell {
    struct spin lock;
    struct waitq takers;
    _Atomic bool full;
    int number;
    int puts;
    int life;
};

static enum bug bug;

static void store(struct cell *c, int number)
{
    c->number = number;
    mfi_store_rel(&c->full, true);
}

/* Under the lock. True: handed to somebody. */
static bool hand_over(struct cell *c, int number, struct wake_list *woken)
{
    struct sync_waiter *to;

    if (bug == HANDS_TOO_EARLY && c->takers.first != NULL) {
        struct waiter *w =
            mfi_container_of(c->takers.first, struct waiter, link);

        mfi_waitq_del(&c->takers, w);
        mfi_container_of(w, struct sync_waiter, w)->res = number;
        (void)mfi_parker_wake(w->parker, WOKEN_READY, woken);
        return true;
    }
    to = mfi_sync_claim(&c->takers, woken);
    if (to == NULL)
        return false;
    to->res = number;
    to->won = true;
    return true;
}

static void put(struct cell *c, int number)
{
    struct wake_list woken;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&c->lock);
    if (!hand_over(c, number, &woken))
        store(c, number);
    c->puts++;
    mfi_spin_unlock(&c->lock);
    if (bug == TOUCHES_AFTER)
        EXPECT_EQ(c->life, ALIVE);
    mfi_wake(&woken);
}

/* What is in the cell, or 0. */
static int try_take(struct cell *c)
{
    if (!mfi_load_acq(&c->full))
        return 0;
    mfi_store_rlx(&c->full, false);
    return c->number;
}

/* Linked and armed, or the number that came in between. */
static int begin(struct cell *c, struct agent *a, struct sync_waiter *me)
{
    int got;

    me->w.parker = &a->parker;
    me->res = 0;
    me->won = false;
    mfi_spin_lock(&c->lock);
    got = bug == LOOKS_TOO_EARLY ? 0 : try_take(c);
    if (got == 0) {
        if (bug != ARMS_TOO_LATE)
            mfi_park_arm(a);
        mfi_waitq_add(&c->takers, &me->w);
    }
    mfi_spin_unlock(&c->lock);
    if (got == 0 && bug == ARMS_TOO_LATE)
        mfi_park_arm(a);
    return got;
}

static void leave(struct cell *c, struct sync_waiter *me)
{
    if (bug == STAYS_LINKED)
        return;
    mfi_spin_lock(&c->lock);
    mfi_waitq_del(&c->takers, &me->w);
    mfi_spin_unlock(&c->lock);
}

/* The number, or -ETIMEDOUT, -ECANCELED. */
static int take(struct cell *c, mf_deadline deadline)
{
    struct agent *a = mfi_agent();
    struct sync_waiter me;
    int rc;

    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        if (bug == LOOKS_TOO_EARLY && (rc = try_take(c)) != 0)
            return rc;
        if ((rc = begin(c, a, &me)) != 0)
            return rc;
        rc = mfi_wait(a, mfi_time_of(deadline), "a toy");
        if (rc == 0 || (rc == 1 && bug == LOOKS_AWAY)) {
            if (bug != NO_SETTLE)
                mfi_sync_settle(a, &c->lock);
            return me.res;
        }
        leave(c, &me);
        if (rc < 0)
            return rc;
    }
}

/* ---- what is played with them ------------------------------------------- */

struct game {
    struct cell cell, other;
};

static int puts_one(void *arg)
{
    put(&((struct game *)arg)->cell, 7);
    return 0;
}

static void *puts_one_thread(void *arg)
{
    puts_one(arg);
    return NULL;
}

/* One puts while another takes; then the cell is no more. */
static int one_each(void *arg)
{
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    {
        struct game g = {.cell = {.life = ALIVE}};

        EXPECT_EQ(mf_go(&s, puts_one, &g), 0);
        EXPECT_EQ(take(&g.cell, late()), 7);
        mfi_spin_lock(&g.cell.lock); /* put is through with it */
        g.cell.life = GONE;
        mfi_spin_unlock(&g.cell.lock);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    return 0;
}

/* The same with a thread that puts, and one that takes. */
static int thread_each(void *arg)
{
    struct game g = {.cell = {.life = ALIVE}};
    pthread_t thread;

    (void)arg;
    EXPECT_EQ(pthread_create(&thread, NULL, puts_one_thread, &g), 0);
    EXPECT_EQ(take(&g.cell, late()), 7);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

/* A take that has little time: the number is taken or still there. */
static int in_haste(void *arg)
{
    struct game g = {.cell = {.life = ALIVE}};
    mf_scope s;
    int got;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_go(&s, puts_one, &g), 0);
    got = take(&g.cell, mf_after(MF_USEC(5)));
    EXPECT(got == 7 || got == -ETIMEDOUT);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ((got == 7) + (try_take(&g.cell) == 7), 1);
    return 0;
}

/* Told to end, with grace: it is said once, then there is time for a take. */
static int takes_in_grace(void *arg)
{
    struct game *g = arg;
    int rc = take(&g->cell, MF_NEVER);

    if (rc == -ECANCELED)
        rc = take(&g->cell, late());
    EXPECT_EQ(rc, 7);
    return 0;
}

static int told_to_look(void *arg)
{
    struct game g = {.cell = {.life = ALIVE}};
    mf_scope s, around;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&around, NULL), 0);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.grace = MF_SEC(99))), 0);
    EXPECT_EQ(mf_go(&s, takes_in_grace, &g), 0);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_go(&around, puts_one, &g), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_scope_close(&around), 0);
    return 0;
}

static void crosswise(struct cell *a, struct cell *b)
{
    EXPECT_EQ(take(a, MF_NEVER), 7);
    EXPECT_EQ(take(b, MF_NEVER), 7);
    put(b, 7);
    put(a, 7);
}

static int locks_one_way(void *arg)
{
    struct game *g = arg;

    crosswise(&g->cell, &g->other);
    return 0;
}

static int locks_the_other(void *arg)
{
    struct game *g = arg;

    if (bug == LOCKS_CROSSWISE)
        crosswise(&g->other, &g->cell);
    else
        crosswise(&g->cell, &g->other);
    return 0;
}

static int two_locks(void *arg)
{
    struct game g = {.cell = {.life = ALIVE}, .other = {.life = ALIVE}};
    mf_scope s;

    (void)arg;
    put(&g.cell, 7);
    put(&g.other, 7);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_go(&s, locks_one_way, &g), 0);
    EXPECT_EQ(mf_go(&s, locks_the_other, &g), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

enum { ROUNDS = 10 };

static int rounds(void *arg)
{
    for (int i = 0; i < ROUNDS; i++)
        EXPECT_EQ((*(mf_fn **)arg)(NULL), 0);
    return 0;
}

static void play(enum bug b, mf_fn *fn)
{
    bug = b;
    in_tasks(3, rounds, &fn);
}

#define TOY(name, bug, fn) \
 MFI_TEST(broken_##name)   \
 {                         \
  play(bug, fn);           \
 }                         \
 MFI_TEST(sound_##name)    \
 {                         \
  play(CORRECT, fn);       \
 }                         \
 _Static_assert(1, "a semicolon follows")

TOY(looks_too_early, LOOKS_TOO_EARLY, one_each);
TOY(looks_too_early_in_threads, LOOKS_TOO_EARLY, thread_each);
TOY(arms_too_late, ARMS_TOO_LATE, one_each);
TOY(hands_too_early, HANDS_TOO_EARLY, in_haste);
TOY(no_settle, NO_SETTLE, one_each);
TOY(no_settle_in_threads, NO_SETTLE, thread_each);
TOY(stays_linked, STAYS_LINKED, in_haste);
TOY(looks_away, LOOKS_AWAY, told_to_look);
TOY(touches_after, TOUCHES_AFTER, one_each);
TOY(locks_crosswise, LOCKS_CROSSWISE, two_locks);
