/* SPDX-License-Identifier: MIT */
/*
 * cqueue_race_test.c - sends, polls, removals, cancels and closes that meet.
 *
 * In each test every bottom half counts itself, without a lock, and every poll
 * that says 1 is counted: the two agree, whoever was cut off and when. An event
 * lost, run twice, or run beside another one shows there, or in TSan.
 */
#include <mayfly/cqueue.h>
#include <mayfly/sync.h>

#include "io/kit.h"
#include "mem/slab.h"

enum {
    ARMS = 8,
    CHURN = 3000 / KIT_SLOW,
    ROUNDS = 400 / KIT_SLOW,
    ADDS = 2000 / KIT_SLOW,
};

/* Marsaglia 2003, "Xorshift RNGs". */
static uint32_t chance(uint32_t *seed, uint32_t n)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed % n;
}

static void idle_for(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        mfi_cpu_relax();
}

struct tally {
    uint32_t inside; /* bottom halves only, as the next two */
    uint64_t ran;
    uint64_t sum;
    _Atomic bool over;
};

struct job {
    struct tally *tally;
    mf_arm *arm;
    uint32_t seed;
    bool shield;
    _Atomic bool removed; /* and the removal has returned */
};

/* Some way or other to come to a send. */
static int top_half(struct job *j)
{
    switch (chance(&j->seed, 4)) {
    case 0:
        return mf_yield();
    case 1:
        return mf_sleep(chance(&j->seed, 20000));
    case 2:
        idle_for(chance(&j->seed, 200));
        return 0;
    default:
        return 0;
    }
}

/* Some of it before it suspends; then it is the next one's turn. */
static int bottom_half(struct job *j)
{
    struct tally *t = j->tally;

    EXPECT_EQ(t->inside++, 0);
    EXPECT(!mfi_load_acq(&j->removed));
    t->ran++;
    t->sum += j->seed;
    if (chance(&j->seed, 4) == 0)
        idle_for(chance(&j->seed, 100));
    EXPECT_EQ(--t->inside, 0);
    return chance(&j->seed, 4) == 0 ? mf_yield() : 0;
}

static int sends_on(mf_arm *self, struct job *j)
{
    int rc = 0;

    while (rc == 0 && !mfi_load_acq(&j->tally->over))
        if ((rc = top_half(j)) == 0 && (rc = mf_arm_send(self, 0)) == 0)
            rc = bottom_half(j);
    return rc;
}

static int sender(mf_arm *self, void *arg)
{
    struct job *j = arg;

    if (j->shield) {
        MF_SHIELD(MF_NEVER)
        return sends_on(self, j);
    }
    return sends_on(self, j);
}

static void add_sender(mf_cqueue *q, struct tally *t, struct job *j, int i)
{
    *j = (struct job){.tally = t,
                      .seed = 0x9e3779b9u * (uint32_t)(i + 1),
                      .shield = i % 4 == 3};
    EXPECT_EQ(mf_cqueue_add(q, (uint64_t)i, sender, j, &j->arm), 0);
}

/* ---- removals ----------------------------------------------------------- */

struct churn {
    mf_cqueue *q;
    struct tally *tally;
    struct job *jobs; /* ARMS + CHURN */
    mf_event done;
};

/* Keeps poll from saying 0 between a removal and the next add. */
static int keeper(mf_arm *self, void *arg)
{
    struct churn *c = arg;

    (void)self;
    return mf_event_wait(&c->done, MF_NEVER);
}

static int removes_and_adds(void *arg)
{
    struct churn *c = arg;
    int slot[ARMS], next = ARMS;
    uint32_t seed = 4711;

    for (int i = 0; i < ARMS; i++)
        slot[i] = i;
    for (int i = 0; i < CHURN; i++) {
        uint32_t k = chance(&seed, ARMS);
        struct job *j = &c->jobs[slot[k]];

        EXPECT_EQ(mf_arm_remove(j->arm), 0);
        mfi_store_rel(&j->removed, true);
        slot[k] = next++;
        add_sender(c->q, c->tally, &c->jobs[slot[k]], slot[k]);
        if (i % 16 == 0)
            breathe();
    }
    mfi_store_rel(&c->tally->over, true);
    mf_event_fire(&c->done);
    return 0;
}

static void *removing_thread(void *arg)
{
    EXPECT_EQ(removes_and_adds(arg), 0);
    return NULL;
}

static int removing_arm(mf_arm *self, void *arg)
{
    (void)self;
    return removes_and_adds(arg);
}

enum by { BY_TASK, BY_THREAD, BY_ARM };

static int churn(enum by by)
{
    struct tally tally = {.ran = 0};
    struct job *jobs = calloc(ARMS + CHURN, sizeof *jobs);
    struct churn c = {.tally = &tally, .jobs = jobs};
    pthread_t thread;
    uint64_t polled = 0;
    mf_cevent ev;
    mf_cqueue q;
    mf_scope s;
    int rc;

    EXPECT(jobs != NULL);
    c.q = &q;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    EXPECT_EQ(mf_cqueue_add(&q, 0, keeper, &c, NULL), 0);
    for (int i = 0; i < ARMS; i++)
        add_sender(&q, &tally, &jobs[i], i);
    if (by == BY_TASK)
        EXPECT_EQ(mf_go(&s, removes_and_adds, &c), 0);
    else if (by == BY_THREAD)
        EXPECT_EQ(pthread_create(&thread, NULL, removing_thread, &c), 0);
    else
        EXPECT_EQ(mf_cqueue_add(&q, 0, removing_arm, &c, NULL), 0);
    while ((rc = mf_cqueue_poll(&q, &ev, late())) == 1)
        polled += !ev.ended;
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(polled, tally.ran);
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    if (by == BY_THREAD)
        EXPECT_EQ(pthread_join(thread, NULL), 0);
    free(jobs);
    return 0;
}

static int churn_by(void *arg)
{
    return churn((enum by)(intptr_t)arg);
}

MFI_TEST(removals_meet_sends_and_polls)
{
    for (intptr_t by = BY_TASK; by <= BY_ARM; by++) {
        in_tasks(1, churn_by, (void *)by);
        in_tasks(2, churn_by, (void *)by);
        EXPECT_EQ(mfi_slabs_live(), 0);
        in_thread(churn_by, (void *)by);
    }
}

/* ---- cancels ------------------------------------------------------------ */

struct strike_at {
    mf_scope *s;
    uint32_t spins;
    _Atomic bool begin;
};

static int cancels_soon(void *arg)
{
    struct strike_at *c = arg;

    for (uint32_t i = 0; i < c->spins; i++)
        mf_yield();
    mf_scope_cancel(c->s);
    return 0;
}

static void *cancels_from_thread(void *arg)
{
    struct strike_at *c = arg;

    while (!mfi_load_acq(&c->begin))
        sched_yield();
    idle_for(c->spins * 100);
    mf_scope_cancel(c->s);
    return NULL;
}

/* Events after the first -ECANCELED count too: a grace lets some through. */
static uint64_t poll_until_cancelled(mf_cqueue *q, mf_ns grace)
{
    mf_deadline end = mf_after(grace);
    uint64_t n = 0;
    mf_cevent ev;
    int rc, refused = 0;

    while (refused < 2 && (rc = mf_cqueue_poll(q, &ev, end)) != -ETIMEDOUT) {
        EXPECT(rc == 1 || rc == -ECANCELED || rc == 0);
        n += rc == 1 && !ev.ended;
        refused += rc != 1;
    }
    return n;
}

static int cancelled_rounds(void *arg)
{
    bool in_task = mf_self() != NULL;
    uint32_t seed = 815;

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        mf_ns grace = i % 4 == 0 ? MF_USEC(200) : 0;
        struct tally tally = {.ran = 0};
        struct strike_at c = {.spins = chance(&seed, 40)};
        struct job jobs[ARMS];
        pthread_t thread;
        uint64_t polled;
        mf_cqueue q;
        mf_scope s;

        c.s = &s;
        EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.grace = grace)), 0);
        EXPECT_EQ(mf_cqueue_open(&q), 0);
        for (int k = 0; k < ARMS; k++)
            add_sender(&q, &tally, &jobs[k], k);
        if (in_task)
            EXPECT_EQ(mf_go(&s, cancels_soon, &c), 0);
        else
            EXPECT_EQ(pthread_create(&thread, NULL, cancels_from_thread, &c),
                      0);
        mfi_store_rel(&c.begin, true);
        polled =
            poll_until_cancelled(&q, grace > 0 ? MF_USEC(300) : MF_SEC(20));
        mfi_store_rel(&tally.over, true);
        EXPECT_EQ(mf_cqueue_close(&q), 0);
        EXPECT_EQ(polled, tally.ran);
        if (!in_task)
            EXPECT_EQ(pthread_join(thread, NULL), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    return 0;
}

MFI_TEST(cancels_meet_sends_and_polls)
{
    in_tasks(1, cancelled_rounds, NULL);
    in_tasks(2, cancelled_rounds, NULL);
    EXPECT_EQ(mfi_slabs_live(), 0);
    in_thread(cancelled_rounds, NULL);
}

/* ---- closes and deadlines ----------------------------------------------- */

static int short_rounds(void *arg)
{
    uint32_t seed = 42;

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t polls = chance(&seed, 30);
        struct tally tally = {.ran = 0};
        struct job jobs[ARMS];
        uint64_t polled = 0;
        mf_cevent ev;
        mf_cqueue q;
        int rc;

        EXPECT_EQ(mf_cqueue_open(&q), 0);
        for (int k = 0; k < ARMS; k++)
            add_sender(&q, &tally, &jobs[k], k);
        for (uint32_t k = 0; k < polls; k++) {
            rc = mf_cqueue_poll(&q, &ev, mf_after(chance(&seed, 10000)));
            EXPECT(rc == 1 || rc == -ETIMEDOUT);
            polled += rc == 1 && !ev.ended;
        }
        if (i % 2 == 0)
            EXPECT_EQ(mf_cqueue_close(&q), 0);
        else
            mf_cqueue_drop(&q);
        EXPECT_EQ(polled, tally.ran);
    }
    return 0;
}

MFI_TEST(closes_and_deadlines_meet_sends)
{
    in_tasks(1, short_rounds, NULL);
    in_tasks(2, short_rounds, NULL);
    EXPECT_EQ(mfi_slabs_live(), 0);
    in_thread(short_rounds, NULL);
}

/* ---- adds --------------------------------------------------------------- */

static int ends_now(mf_arm *self, void *arg)
{
    (void)self;
    return (int)(intptr_t)arg;
}

struct adder {
    mf_cqueue *q;
    intptr_t base;
};

static int adds(void *arg)
{
    const struct adder *a = arg;
    mf_arm *arm;

    for (int i = 0; i < ADDS; i++) {
        bool kept = i % 4 == 0;

        EXPECT_EQ(mf_cqueue_add(a->q, 0, ends_now, (void *)(a->base + i),
                                kept ? &arm : NULL),
                  0);
        if (i % 8 == 0)
            EXPECT_EQ(mf_arm_remove(arm), 0);
        if (i % 32 == 0)
            breathe();
    }
    return 0;
}

static int adding_arm(mf_arm *self, void *arg)
{
    (void)self;
    return adds(arg);
}

/* A kept one that was removed may have been told or not; never twice. */
static int many_adders(void *arg)
{
    int rc, ends = 0, removed = (ADDS + 7) / 8;
    struct adder a[3];
    static char told[3 * ADDS];
    mf_cevent ev;
    MF_CQUEUE(q);

    (void)arg;
    memset(told, 0, sizeof told);
    for (int i = 0; i < 3; i++) {
        a[i] = (struct adder){&q, 1 + i * ADDS};
        EXPECT_EQ(mf_cqueue_add(&q, 1, adding_arm, &a[i], NULL), 0);
    }
    while ((rc = mf_cqueue_poll(&q, &ev, late())) == 1) {
        EXPECT_EQ(ev.ended, 1);
        if (ev.token == 1)
            continue;
        EXPECT(ev.result >= 1 && ev.result <= 3 * ADDS);
        EXPECT_EQ(told[ev.result - 1]++, 0);
        ends++;
    }
    EXPECT_EQ(rc, 0);
    EXPECT(ends <= 3 * ADDS && ends >= 3 * (ADDS - removed));
    return 0;
}

MFI_TEST(arms_that_end_at_once_are_told_once)
{
    in_tasks(1, many_adders, NULL);
    in_tasks(2, many_adders, NULL);
    EXPECT_EQ(mfi_slabs_live(), 0);
    in_thread(many_adders, NULL);
}
