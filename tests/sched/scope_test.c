/* SPDX-License-Identifier: MIT */
/* scope_test.c - modes, limits, waiting, closing in and out of order. */
#include "sched/help.h"

#include <pthread.h>

static _Atomic int seen, running, most, target;

/* ---- modes -------------------------------------------------------------- */

struct outcome {
    int mode;
    int rc[4]; /* of four children, in order; 1000: until cancelled */
    int closed, canceled; /* what close says; how many were cancelled */
};

static int child(void *arg)
{
    int rc = (int)(intptr_t)arg;

    if (rc == 1000) {
        rc = mf_sleep_until(MF_NEVER);
        EXPECT_EQ(rc, -ECANCELED);
        seen++;
    }
    return rc;
}

static const struct outcome outcomes[] = {
    {MF_FAIL_FAST, {0, 1, 2, 3}, 0, 0},
    {MF_FAIL_FAST, {0, -EIO, 1000, 1000}, -EIO, 2},
    {MF_FAIL_FAST, {-EIO, -EPIPE, 1000, 1000}, -EIO, 2},
    {MF_FAIL_FAST, {1000, 1000, 1000, -EPIPE}, -EPIPE, 3},
    {MF_FAIL_FAST, {1, 1000, 1000, -ECANCELED}, -ECANCELED, 2},
    {MF_FAIL_FAST, {1000, 1000, 1000, -ETIMEDOUT}, -ETIMEDOUT, 3},
    {MF_WAIT_ALL, {0, 1, 2, 3}, 0, 0},
    {MF_WAIT_ALL, {0, -EIO, -EPIPE, 3}, -EIO, 0},
    {MF_WAIT_ALL, {-ECANCELED, -EIO, 1, 2}, -ECANCELED, 0},
    {MF_RACE, {5, 1000, 1000, 1000}, 5, 3},
    {MF_RACE, {0, 1000, 1000, 1000}, 0, 3},
    {MF_RACE, {-EIO, -EPIPE, 1000, 7}, 7, 1},
    {MF_RACE, {1000, -EIO, 1000, 9}, 9, 2},
    {MF_RACE, {-EIO, -EPIPE, -ENOENT, -EBADF}, -EBADF, 0},
    {MF_RACE, {-EIO, 0, -ENOENT, -EBADF}, 0, 0},
    {MF_RACE, {-ECANCELED, -EIO, 4, 1000}, 4, 1},
};

static int one_outcome(void *arg)
{
    const struct outcome *o = arg;
    mf_scope s;

    seen = 0;
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = o->mode)), 0);
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(mf_spawn(&s, child, NUMBER(o->rc[i]),
                           MF_TASK_OPTIONS(.worker = 1), NULL),
                  0);
    }
    EXPECT_EQ(mf_scope_close(&s), o->closed);
    EXPECT_EQ(seen, o->canceled);
    return mf_yield(); /* nothing of it reaches beyond the scope */
}

/* Opener and children on one worker: they end in the order given. */
static int pinned_outcome(void *arg)
{
    int rc = -1;
    mf_task *t;
    MF_SCOPE(s);

    EXPECT_EQ(mf_spawn(&s, one_outcome, arg,
                       MF_TASK_OPTIONS(.worker = 1, .flags = MF_TASK_PINNED),
                       &t),
              0);
    EXPECT_EQ(mf_join(t, &rc, MF_NEVER), 0);
    return rc;
}

MFI_TEST(each_mode_closes_with_the_result_it_promises)
{
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        EXPECT_EQ(run_on(1, pinned_outcome, CONST(&outcomes[i])), 0);
        EXPECT_EQ(run_on(2, pinned_outcome, CONST(&outcomes[i])), 0);
    }
}

/* The opener is inside: it is told even when no sibling is left. */
static int opener_is_told(void *arg)
{
    int mode = (int)(intptr_t)arg, rc = mode == MF_RACE ? 6 : -EIO;
    mf_scope s;

    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = mode)), 0);
    EXPECT_EQ(mf_go(&s, returns_arg, NUMBER(rc)), 0);
    EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_go(&s, returns_arg, NULL), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), rc);
    return 0;
}

MFI_TEST(the_opener_too_is_cancelled_by_its_only_childs_result)
{
    EXPECT_EQ(run_on(1, opener_is_told, NUMBER(MF_FAIL_FAST)), 0);
    EXPECT_EQ(run_on(2, opener_is_told, NUMBER(MF_FAIL_FAST)), 0);
    EXPECT_EQ(run_on(1, opener_is_told, NUMBER(MF_RACE)), 0);
    EXPECT_EQ(run_on(2, opener_is_told, NUMBER(MF_RACE)), 0);
}

static int a_spawn_fails(void *arg)
{
    static char big[MF_COPY_MAX + 1];
    mf_task *t;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    seen = 0;
    EXPECT_EQ(mf_go(&s, child, NUMBER(1000)), 0);
    EXPECT_EQ(mf_go_copy(&s, child, big, sizeof big), -E2BIG);
    EXPECT_EQ(mf_yield(), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), -E2BIG);
    EXPECT_EQ(seen, 1);

    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    EXPECT_EQ(mf_go_copy(&s, child, big, sizeof big), -E2BIG);
    EXPECT_EQ(mf_go(&s, NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_spawn(&s, child, NULL, MF_TASK_OPTIONS(.flags = 64), &t),
              -EINVAL);
    EXPECT_EQ(mf_spawn(&s, child, NULL, MF_TASK_OPTIONS(.worker = 9), &t),
              -EINVAL);
    EXPECT_EQ(mf_go(&s, returns_arg, NULL), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_go(&s, child, NULL), -EINVAL); /* closed */
    EXPECT_EQ(mf_go(NULL, child, NULL), -EINVAL);
    return 0;
}

MFI_TEST(a_spawn_that_fails_fails_a_fail_fast_scope_and_no_other)
{
    EXPECT_EQ(run_on(1, a_spawn_fails, NULL), 0);
}

static int own_cancel_is_no_error(void *arg)
{
    (void)arg;
    for (int mode = MF_FAIL_FAST; mode <= MF_RACE; mode++) {
        mf_scope s;

        EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = mode)), 0);
        EXPECT_EQ(mf_go(&s, sleeps_for_ever, NULL), 0);
        EXPECT_EQ(mf_yield(), 0);
        mf_scope_cancel(&s);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    return 0;
}

MFI_TEST(closing_a_scope_one_has_cancelled_is_no_error)
{
    EXPECT_EQ(run_on(1, own_cancel_is_no_error, NULL), 0);
    EXPECT_EQ(run_on(2, own_cancel_is_no_error, NULL), 0);
}

/* ---- limit -------------------------------------------------------------- */

static int counts_itself(void *arg)
{
    int n = ++running, old = most;

    while (n > old && !atomic_compare_exchange_weak(&most, &old, n))
        ;
    do
        EXPECT_EQ(mf_yield(), 0);
    while (most < target);
    running--;
    seen++;
    return (int)(intptr_t)arg;
}

enum { CHILDREN = MFI_TEST_SIM ? 20 : 500 };

static int limited(void *arg)
{
    uint32_t limit = (uint32_t)(uintptr_t)arg;
    mf_scope s;

    seen = running = most = 0;
    target = (int)limit;
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.limit = limit)), 0);
    for (int i = 0; i < CHILDREN; i++)
        EXPECT_EQ(mf_go(&s, counts_itself, NULL), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(seen, CHILDREN);
    EXPECT_EQ(most, (int)limit);
    return 0;
}

MFI_TEST(beyond_the_limit_children_wait_their_turn)
{
    EXPECT_EQ(run_on(1, limited, NUMBER(1)), 0);
    EXPECT_EQ(run_on(1, limited, NUMBER(7)), 0);
    EXPECT_EQ(run_on(4, limited, NUMBER(1)), 0);
    EXPECT_EQ(run_on(4, limited, NUMBER(3)), 0);
}

static int waits_for_slots(void *arg)
{
    mf_scope s;

    (void)arg;
    seen = running = most = 0;
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.limit = 4)), 0);
    for (int i = 0; i < CHILDREN; i++) {
        EXPECT_EQ(mf_scope_wait_slot(&s, MF_NEVER), 0);
        EXPECT_LT(i - seen, 4 + 1);
        EXPECT_EQ(mf_go(&s, counts_itself, NULL), 0);
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(seen, CHILDREN);

    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.limit = 1)), 0);
    EXPECT_EQ(mf_go(&s, sleeps_for_ever, NULL), 0);
    EXPECT_EQ(mf_scope_wait_slot(&s, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_scope_wait_slot(&s, mf_after(MF_MSEC(2))), -ETIMEDOUT);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_scope_wait_slot(&s, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_scope_wait_slot(&s, MF_NOW), -EINVAL);
    return 0;
}

MFI_TEST(wait_slot_waits_for_a_free_place)
{
    EXPECT_EQ(run_on(1, waits_for_slots, NULL), 0);
    EXPECT_EQ(run_on(4, waits_for_slots, NULL), 0);
}

static int pending_are_cancelled_too(void *arg)
{
    mf_scope s;

    (void)arg;
    seen = 0;
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.limit = 2)), 0);
    for (int i = 0; i < 50; i++)
        EXPECT_EQ(mf_go(&s, child, NUMBER(1000)), 0);
    EXPECT_EQ(mf_yield(), 0);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(seen, 50); /* accepted tasks always run */
    return 0;
}

MFI_TEST(a_cancel_reaches_children_that_wait_for_their_turn)
{
    EXPECT_EQ(run_on(1, pending_are_cancelled_too, NULL), 0);
    EXPECT_EQ(run_on(2, pending_are_cancelled_too, NULL), 0);
}

/* ---- wait --------------------------------------------------------------- */

static int waits_and_reuses(void *arg)
{
    mf_task *t;
    mf_scope s;

    (void)arg;
    seen = 0;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_scope_wait(&s, MF_NOW), 0); /* none: at once */
    for (int round = 1; round <= 20; round++) {
        for (int i = 0; i < 10; i++)
            EXPECT_EQ(mf_go(&s, counts_itself, NULL), 0);
        EXPECT_EQ(mf_scope_wait(&s, MF_NEVER), 0);
        EXPECT_EQ(seen, 10 * round);
    }
    EXPECT_EQ(mf_spawn(&s, sleeps_for_ever, NULL, NULL, &t), 0);
    EXPECT_EQ(mf_scope_wait(&s, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_scope_wait(&s, mf_after(MF_MSEC(3))), -ETIMEDOUT);
    mf_task_cancel(t);
    EXPECT_EQ(mf_scope_wait(&s, MF_NEVER), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_scope_wait(&s, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_scope_wait(NULL, MF_NOW), -EINVAL);
    return 0;
}

MFI_TEST(a_scope_waited_for_can_be_used_again)
{
    EXPECT_EQ(run_on(1, waits_and_reuses, NULL), 0);
    EXPECT_EQ(run_on(4, waits_and_reuses, NULL), 0);
}

/* ---- open and close ----------------------------------------------------- */

/*
 * Its last child fails, or its deadline strikes, while it closes: the scopes
 * around it have nothing to do with that.
 */
static int fails_at_the_end(void *arg)
{
    uint32_t seed = 23;
    MF_SCOPE(around);

    (void)arg;
    for (int i = 0; i < MFI_ROUNDS(10000); i++) {
        mf_deadline at = mf_after(1 + (mf_ns)chance(&seed, 8000));
        mf_scope s;
        int rc;

        if (i % 2 == 0) {
            EXPECT_EQ(mf_scope_open(&s, NULL), 0);
            EXPECT_EQ(mf_go(&s, returns_arg, NUMBER(-EIO)), 0);
            spin(chance(&seed, 3000));
            EXPECT_EQ(mf_scope_close(&s), -EIO);
        } else {
            EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.deadline = at)), 0);
            spin(chance(&seed, 3000));
            rc = mf_scope_close(&s);
            EXPECT_EQ(rc, 0); /* nobody's work was cut */
        }
        EXPECT_EQ(mf_cancelled(), 0);
        EXPECT_EQ(mf_yield(), 0);
    }
    return mf_scope_close(&around);
}

MFI_TEST(a_cancel_at_the_end_of_a_scope_leaves_those_around_it_alone)
{
    EXPECT_EQ(run_on(1, fails_at_the_end, NULL), 0);
    EXPECT_EQ(run_on(2, fails_at_the_end, NULL), 0);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    EXPECT_EQ(fails_at_the_end(NULL), 0); /* a plain thread */
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

static int out_of_order(void *arg)
{
    mf_scope a, b;

    (void)arg;
    EXPECT_EQ(mf_scope_open(NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_scope_open(&a, MF_SCOPE_OPTIONS(.mode = 3)), -EINVAL);
    EXPECT_EQ(mf_scope_open(&a, MF_SCOPE_OPTIONS(.mode = -1)), -EINVAL);
    EXPECT_EQ(mf_scope_open(&a, MF_SCOPE_OPTIONS(.grace = -1)), -EINVAL);
    EXPECT_EQ(mf_scope_open(&a, &(mf_scope_options){.size = 1}), -EINVAL);
    EXPECT_EQ(mf_scope_close(&a), -EINVAL);
    mf_scope_cancel(&a); /* nothing happens */
    mf_scope_drop(&a);
    EXPECT_EQ(mf_scope_open(&a, NULL), 0);
    EXPECT_EQ(mf_scope_open(&b, NULL), 0);
    EXPECT_EQ(mf_go(&a, returns_arg, NUMBER(-EIO)), 0);
    EXPECT_EQ(mf_scope_close(&a), -EPERM);
    EXPECT_EQ(mf_scope_close(mf_root()), -EINVAL);
    EXPECT_EQ(mf_scope_close(&b), 0);
    EXPECT_EQ(mf_scope_close(&a), -EIO);
    EXPECT_EQ(mf_scope_close(&a), -EINVAL);
    return 0;
}

MFI_TEST(scopes_close_innermost_first_and_once)
{
    mf_scope s;

    EXPECT_EQ(mf_scope_open(&s, NULL), -EINVAL); /* nothing runs */
    EXPECT(mf_root() == NULL);
    EXPECT_EQ(run_on(1, out_of_order, NULL), 0);
}

static int closes_anothers(void *arg)
{
    EXPECT_EQ(mf_scope_close(arg), -EPERM);
    mf_scope_drop(arg); /* not the opener: nothing happens */
    return 0;
}

static int only_the_opener(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_go(&s, closes_anothers, &s), 0);
    EXPECT_EQ(mf_scope_wait(&s, MF_NEVER), 0);
    EXPECT_EQ(mf_go(&s, returns_arg, NULL), 0);
    return mf_scope_close(&s);
}

MFI_TEST(only_the_opener_closes_a_scope)
{
    EXPECT_EQ(run_on(1, only_the_opener, NULL), 0);
    EXPECT_EQ(run_on(2, only_the_opener, NULL), 0);
}

static int drops_a_nest(void *arg)
{
    mf_scope a, b, c;

    (void)arg;
    seen = 0;
    EXPECT_EQ(mf_scope_open(&a, NULL), 0);
    EXPECT_EQ(mf_scope_open(&b, NULL), 0);
    EXPECT_EQ(mf_scope_open(&c, NULL), 0);
    EXPECT_EQ(mf_go(&a, child, NUMBER(1000)), 0);
    EXPECT_EQ(mf_go(&b, child, NUMBER(1000)), 0);
    EXPECT_EQ(mf_go(&c, child, NUMBER(1000)), 0);
    mf_scope_drop(&a);
    EXPECT_EQ(seen, 3);
    EXPECT_EQ(mf_scope_close(&c), -EINVAL);
    EXPECT_EQ(mf_scope_close(&b), -EINVAL);
    mf_scope_drop(&a); /* again is fine */
    return mf_yield();
}

MFI_TEST(dropping_a_scope_drops_what_was_opened_inside_it)
{
    EXPECT_EQ(run_on(1, drops_a_nest, NULL), 0);
    EXPECT_EQ(run_on(2, drops_a_nest, NULL), 0);
}

static int returns_early(void)
{
    MF_SCOPE(s);

    EXPECT_EQ(mf_go(&s, child, NUMBER(1000)), 0);
    EXPECT_EQ(mf_go(&s, child, NUMBER(1000)), 0);
    return 5;
}

static int leaves_early(void *arg)
{
    (void)arg;
    seen = 0;
    EXPECT_EQ(returns_early(), 5);
    EXPECT_EQ(seen, 2);
    for (int i = 0; i < 3; i++) {
        MF_SCOPE(s, .mode = MF_WAIT_ALL, .name = "round");
        EXPECT_EQ(mf_go(&s, child, NUMBER(1000)), 0);
        if (i == 1)
            break;
    }
    EXPECT_EQ(seen, 4);
    return mf_yield();
}

MFI_TEST(leaving_the_block_of_a_scope_cancels_and_awaits_its_children)
{
    EXPECT_EQ(run_on(1, leaves_early, NULL), 0);
    EXPECT_EQ(run_on(2, leaves_early, NULL), 0);
}
