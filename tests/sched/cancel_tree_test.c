/* SPDX-License-Identifier: MIT */
/* cancel_tree_test.c - cancels of whole trees, and several at once. */
#include "sched/help.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

/* ---- three deep, wide --------------------------------------------------- */

enum { WIDE = MFI_TEST_SIM ? 4 : 12 };
static _Atomic int leaves, ended;

static int leaf(void *arg)
{
    int rc;

    (void)arg;
    leaves++;
    rc = mf_sleep_until(MF_NEVER);
    EXPECT_EQ(rc, -ECANCELED);
    ended++;
    return rc;
}

static int branch(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    int rc;
    MF_SCOPE(s);
    MF_SCOPE(also); /* two open scopes in one task */

    for (int i = 0; i < WIDE; i++)
        EXPECT_EQ(mf_go(i % 2 != 0 ? &s : &also, depth == 1 ? leaf : branch,
                        NUMBER(depth - 1)),
                  0);
    rc = mf_scope_close(&also);
    EXPECT_EQ(rc, -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), -ECANCELED);
    return rc;
}

static int tree(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    leaves = ended = 0;
    EXPECT_EQ(mf_go(&s, branch, NUMBER(3)), 0);
    WAIT_UNTIL(leaves == WIDE * WIDE * WIDE);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(ended, WIDE * WIDE * WIDE);
    return 0;
}

MFI_TEST(a_cancel_reaches_a_tree_three_deep)
{
    EXPECT_EQ(run_on(1, tree, NULL), 0);
    EXPECT_EQ(run_on(4, tree, NULL), 0);
}

/* Cancelled while it grows: no child is forgotten, whenever it came. */
static int grows(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    int rc = 0;
    MF_SCOPE(s);

    if (depth == 0)
        return mf_sleep_until(MF_NEVER);
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = mf_go(&s, grows, NUMBER(depth - 1));
    EXPECT(rc == 0 || rc == -ECANCELED);
    rc = mf_scope_close(&s);
    EXPECT_EQ(rc, -ECANCELED);
    return rc;
}

static int cancels_growing_trees(void *arg)
{
    uint32_t seed = 99;

    (void)arg;
    for (int i = 0; i < MFI_ROUNDS(300); i++) {
        MF_SCOPE(s);
        EXPECT_EQ(mf_go(&s, grows, NUMBER(4)), 0);
        for (uint32_t n = chance(&seed, 30); n > 0; n--)
            EXPECT_EQ(mf_yield(), 0);
        spin(chance(&seed, 20000));
        mf_scope_cancel(&s);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    return 0;
}

MFI_TEST(a_tree_that_grows_is_cancelled_whole)
{
    EXPECT_EQ(run_on(1, cancels_growing_trees, NULL), 0);
    EXPECT_EQ(run_on(2, cancels_growing_trees, NULL), 0);
    EXPECT_EQ(run_on(4, cancels_growing_trees, NULL), 0);
}

/* ---- deep --------------------------------------------------------------- */

static _Atomic int deep;

static int next_deeper(void *arg)
{
    intptr_t left = (intptr_t)arg;
    int rc;
    MF_SCOPE(s);

    deep++;
    if (left == 0)
        return mf_sleep_until(MF_NEVER);
    rc = mf_spawn(&s, next_deeper, NUMBER(left - 1),
                  MF_TASK_OPTIONS(.stack_size = 16384), NULL);
    EXPECT_EQ(rc, 0);
    rc = mf_scope_close(&s);
    EXPECT_EQ(rc, -ECANCELED);
    deep--;
    return rc;
}

static int chain(void *arg)
{
    int len = (int)(intptr_t)arg;
    MF_SCOPE(s);

    deep = 0;
    EXPECT_EQ(mf_go(&s, next_deeper, NUMBER(len)), 0);
    WAIT_UNTIL(deep == len + 1);
    mf_scope_cancel(&s); /* on a stack of 256 KiB: a walk that recursed ... */
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(deep, 1);
    return 0;
}

MFI_TEST(a_chain_of_scopes_is_cancelled_without_recursion)
{
    int len = MFI_TEST_SIM    ? 50
              : MFI_TEST_TSAN ? 2000
              : MFI_TEST_ASAN ? 10000
                              : 100000;

    EXPECT_EQ(run_on(1, chain, NUMBER(len)), 0);
    EXPECT_EQ(run_on(2, chain, NUMBER(len / 5)), 0);
}

/* ---- several at once ---------------------------------------------------- */

/*
 * Each level of a stack of scopes is cancelled by somebody else at the same
 * moment, by scope and by task. Nothing may outlive its scope: what a child
 * writes to is poisoned once it is closed.
 */
enum { LEVELS = 5, POISON = 0x5a };

struct level {
    mf_scope scope;
    unsigned char alive[64];
    struct level *up;
};

static int writes_to_its_opener(void *arg)
{
    struct level *l = arg;
    int rc;

    do {
        for (size_t i = 0; i < sizeof l->alive; i++)
            EXPECT_EQ(l->alive[i], 0);
        rc = mf_yield();
    } while (rc == 0);
    for (size_t i = 0; i < sizeof l->alive; i++)
        EXPECT_EQ(l->alive[i], 0);
    return rc;
}

struct storm {
    mf_scope *scopes[LEVELS];
    mf_task *tasks[LEVELS];
    _Atomic int nr_open;
    uint32_t seed;
};
static struct storm storm;

static int level(void *arg)
{
    int depth = (int)(intptr_t)arg, rc;
    struct level l;

    memset(l.alive, 0, sizeof l.alive);
    EXPECT_EQ(mf_scope_open(&l.scope,
                            MF_SCOPE_OPTIONS(.grace = depth % 2 * MF_USEC(50))),
              0);
    storm.scopes[depth] = &l.scope;
    storm.tasks[depth] = mf_self();
    for (int i = 0; i < 3; i++)
        (void)mf_go(&l.scope, writes_to_its_opener, &l);
    storm.nr_open++;
    if (depth + 1 < LEVELS && mf_go(&l.scope, level, NUMBER(depth + 1)) != 0)
        storm.nr_open += LEVELS - 1 - depth; /* they will not come */
    /* None may close before all cancellers are done with the pointers. */
    MF_SHIELD(MF_NEVER)
    while (storm.nr_open < 2 * LEVELS)
        EXPECT_EQ(mf_yield(), 0);
    rc = mf_scope_close(&l.scope);
    memset(l.alive, POISON, sizeof l.alive);
    return rc;
}

static int strikes(void *arg)
{
    int depth = (int)(intptr_t)arg;

    while (storm.nr_open < LEVELS)
        EXPECT_EQ(mf_yield(), 0);
    if (storm.scopes[depth] != NULL) {
        if (depth % 2 == 0)
            mf_scope_cancel(storm.scopes[depth]);
        else
            mf_task_cancel(storm.tasks[depth]);
        mf_scope_cancel(storm.scopes[depth]); /* and the grace's end */
    }
    storm.nr_open++;
    return 0;
}

static int storms(void *arg)
{
    int rounds = (int)(intptr_t)arg;

    for (int i = 0; i < rounds; i++) {
        MF_SCOPE(strikers);
        MF_SCOPE(s, .mode = MF_WAIT_ALL);
        memset(&storm, 0, sizeof storm);
        EXPECT_EQ(mf_go(&s, level, NUMBER(0)), 0);
        for (int k = 0; k < LEVELS; k++)
            EXPECT_EQ(mf_go(&strikers, strikes, NUMBER((k + i) % LEVELS)), 0);
        (void)mf_scope_close(&s);
        EXPECT_EQ(mf_scope_close(&strikers), 0);
    }
    return 0;
}

MFI_TEST(cancels_of_every_level_at_once_lose_nobody)
{
    EXPECT_EQ(run_on(1, storms, NUMBER(MFI_ROUNDS(500))), 0);
    EXPECT_EQ(run_on(2, storms, NUMBER(MFI_ROUNDS(1200))), 0);
    EXPECT_EQ(run_on(4, storms, NUMBER(MFI_ROUNDS(1200))), 0);
}

/* ---- two walks over the same scopes ------------------------------------- */

enum { NEST = MFI_TEST_SIM ? 4 : 40 };

struct meeting {
    mf_scope *_Atomic scope;
    mf_task *_Atomic task;
    _Atomic int ready, round, met, done, last;
};

static int opens_a_nest(void *arg)
{
    struct meeting *m = arg;
    mf_scope nest[NEST];

    for (int i = 0; i < NEST; i++) {
        EXPECT_EQ(mf_scope_open(&nest[i], NULL), 0);
        for (int k = 0; k < 2; k++)
            EXPECT_EQ(mf_go(&nest[i], sleeps_for_ever, NULL), 0);
    }
    for (int i = 0; i < MFI_ROUNDS(200) * 5; i++)
        EXPECT_EQ(mf_yield(), 0); /* let them sleep */
    m->task = mf_self();          /* of the second, who comes later */
    m->met = 0;
    if (++m->ready % 2 == 0)
        m->round++;
    for (int i = NEST - 1; i >= 0; i--)
        EXPECT_EQ(mf_scope_close(&nest[i]), -ECANCELED);
    WAIT_UNTIL(m->done == m->ready);
    return -ECANCELED;
}

/* Two threads come at the same moment, one from above and one from the task. */
static void comes(struct meeting *m, bool by_task)
{
    for (int round = 1; round <= m->last; round++) {
        while (m->round < round)
            sched_yield();
        m->met++;
        for (int i = 0; i < MFI_ROUNDS(2000) && m->met < 2; i++)
            spin(1);
        if (by_task)
            mf_task_cancel(m->task);
        else
            mf_scope_cancel(m->scope);
        m->done++;
    }
}

static void *comes_by_scope(void *arg)
{
    comes(arg, false);
    return NULL;
}

static void *comes_by_task(void *arg)
{
    comes(arg, true);
    return NULL;
}

static int two_walks(void *arg)
{
    struct meeting m = {.last = MFI_TEST_TSAN ? 200 : MFI_ROUNDS(800)};
    pthread_t thread[2];

    (void)arg;
    EXPECT_EQ(pthread_create(&thread[0], NULL, comes_by_scope, &m), 0);
    EXPECT_EQ(pthread_create(&thread[1], NULL, comes_by_task, &m), 0);
    for (int i = 0; i < m.last; i++) {
        mf_scope s;

        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        m.scope = &s;
        EXPECT_EQ(mf_go(&s, opens_a_nest, &m), 0);
        WAIT_UNTIL(m.ready == 2 * i + 1);
        EXPECT_EQ(mf_go(&s, opens_a_nest, &m), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    EXPECT_EQ(pthread_join(thread[0], NULL), 0);
    EXPECT_EQ(pthread_join(thread[1], NULL), 0);
    return 0;
}

MFI_TEST(two_walks_that_meet_in_the_same_scopes_end_both)
{
    EXPECT_EQ(run_on(1, two_walks, NULL), 0);
}

/* ---- close against the parent's cancel ---------------------------------- */

static int waits_for_the_end(void *arg)
{
    unsigned char *alive = arg;
    int rc;

    EXPECT_EQ(*alive, 1);
    rc = mf_yield();
    EXPECT_EQ(*alive, 1);
    return rc;
}

static int opens_and_closes(void *arg)
{
    int rc = 0;

    (void)arg;
    while (rc == 0) {
        unsigned char alive = 1;
        mf_scope s;

        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        for (int i = 0; i < 2 && rc == 0; i++)
            rc = mf_go(&s, waits_for_the_end, &alive);
        rc = mf_scope_close(&s);
        alive = 0;
        EXPECT(rc == 0 || rc == -ECANCELED);
    }
    return rc;
}

static int closes_against_cancels(void *arg)
{
    uint32_t seed = 7;

    (void)arg;
    for (int i = 0; i < MFI_ROUNDS(2000); i++) {
        mf_scope s;

        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        for (int k = 0; k < 3; k++)
            EXPECT_EQ(mf_go(&s, opens_and_closes, NULL), 0);
        for (uint32_t n = chance(&seed, 4); n > 0; n--)
            EXPECT_EQ(mf_yield(), 0);
        spin(chance(&seed, 5000));
        mf_scope_cancel(&s);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    return 0;
}

MFI_TEST(children_never_outlive_a_scope_that_closes_while_cancelled)
{
    EXPECT_EQ(run_on(1, closes_against_cancels, NULL), 0);
    EXPECT_EQ(run_on(2, closes_against_cancels, NULL), 0);
    EXPECT_EQ(run_on(4, closes_against_cancels, NULL), 0);
}
