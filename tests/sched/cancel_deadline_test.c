/* SPDX-License-Identifier: MIT */
/* cancel_deadline_test.c - scopes with a deadline, and mf_call_within. */
#include "sched/help.h"

static int notes_why(void *arg)
{
    int rc = mf_sleep_until(MF_NEVER);

    EXPECT_EQ(rc, -ECANCELED);
    *(int *)arg = mf_cancelled();
    return rc;
}

static int cut_short(void *arg)
{
    mf_deadline at = mf_after(MF_MSEC(10));
    int why = 0;
    MF_SCOPE(s, .deadline = at);

    (void)arg;
    EXPECT_EQ(mf_go(&s, notes_why, &why), 0);
    EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
    EXPECT_GE(mf_now(), at.at);
    EXPECT_EQ(mf_cancelled(), -ETIMEDOUT);
    EXPECT_EQ(mf_yield(), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), -ETIMEDOUT);
    EXPECT_EQ(why, -ETIMEDOUT);
    EXPECT_EQ(mf_cancelled(), 0);
    return 0;
}

MFI_TEST(a_deadline_is_canceled_inside_and_timed_out_at_the_close)
{
    EXPECT_EQ(run_on(1, cut_short, NULL), 0);
    EXPECT_EQ(run_on(4, cut_short, NULL), 0);
}

static int only_a_child_is_cut(void *arg)
{
    int why = 0;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(
        mf_scope_open(&s, MF_SCOPE_OPTIONS(.deadline = mf_after(MF_MSEC(5)))),
        0);
    EXPECT_EQ(mf_go(&s, notes_why, &why), 0);
    EXPECT_EQ(mf_scope_close(&s), -ETIMEDOUT);
    EXPECT_EQ(why, -ETIMEDOUT);
    return 0;
}

MFI_TEST(a_child_cut_while_the_opener_closes_is_timed_out_too)
{
    EXPECT_EQ(run_on(2, only_a_child_is_cut, NULL), 0);
}

static int in_time(void *arg)
{
    MF_SCOPE(s, .deadline = mf_after(MF_SEC(1000)));
    MF_SCOPE(t, .deadline = mf_after(MF_MSEC(2)));

    (void)arg;
    EXPECT_EQ(mf_go(&s, returns_arg, NUMBER(3)), 0);
    MF_SHIELD(MF_NEVER)
    EXPECT_EQ(mf_sleep(MF_MSEC(20)), 0); /* the second's passes: nobody's cut */
    EXPECT_EQ(mf_scope_close(&t), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

MFI_TEST(a_deadline_that_cut_nobody_short_is_no_error)
{
    EXPECT_EQ(run_on(2, in_time, NULL), 0);
}

static int past(void *arg)
{
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.deadline = MF_NOW)), 0);
    EXPECT_EQ(mf_go(&s, returns_arg, NULL), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), -ETIMEDOUT); /* a child less than asked */
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.deadline = MF_NOW)), 0);
    EXPECT_EQ(mf_cancelled(), -ETIMEDOUT);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

MFI_TEST(a_past_deadline_cancels_from_the_start)
{
    EXPECT_EQ(run_on(1, past, NULL), 0);
}

/* ---- nested ------------------------------------------------------------- */

static int inner_of_outer(void *arg)
{
    int why = 0;
    MF_SCOPE(outer, .deadline = mf_after(MF_MSEC(5)));
    MF_SCOPE(inner, .deadline = mf_after(MF_SEC(1000)));

    (void)arg;
    EXPECT_EQ(mf_go(&inner, notes_why, &why), 0);
    EXPECT_EQ(mf_scope_close(&inner), -ECANCELED);
    EXPECT_EQ(why, -ETIMEDOUT);
    EXPECT_EQ(mf_scope_close(&outer), -ETIMEDOUT);
    return 0;
}

MFI_TEST(an_inner_scope_cut_by_an_outer_deadline_is_canceled)
{
    EXPECT_EQ(run_on(1, inner_of_outer, NULL), 0);
    EXPECT_EQ(run_on(2, inner_of_outer, NULL), 0);
}

static int outer_of_inner(void *arg)
{
    MF_SCOPE(outer, .deadline = mf_after(MF_SEC(1000)));
    MF_SCOPE(inner, .deadline = mf_after(MF_MSEC(5)));

    (void)arg;
    EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&inner), -ETIMEDOUT);
    EXPECT_EQ(mf_yield(), 0); /* the outer goes on */
    EXPECT_EQ(mf_scope_close(&outer), 0);
    return 0;
}

MFI_TEST(an_inner_deadline_leaves_the_outer_scope_alone)
{
    EXPECT_EQ(run_on(1, outer_of_inner, NULL), 0);
}

static int cancel_came_first(void *arg)
{
    mf_scope s;

    (void)arg;
    for (int own = 0; own < 2; own++) {
        MF_SCOPE(outer);
        EXPECT_EQ(mf_scope_open(
                      &s, MF_SCOPE_OPTIONS(.deadline = mf_after(MF_MSEC(10)))),
                  0);
        mf_scope_cancel(own != 0 ? &s : &outer);
        EXPECT_EQ(mf_yield(), -ECANCELED);
        MF_SHIELD(MF_NEVER)
        EXPECT_EQ(mf_sleep(MF_MSEC(30)), 0);
        EXPECT_EQ(mf_yield(), -ECANCELED);
        EXPECT_EQ(mf_cancelled(), -ECANCELED);
        EXPECT_EQ(mf_scope_close(&s), own != 0 ? 0 : -ECANCELED);
    }
    return 0;
}

MFI_TEST(a_deadline_after_a_cancel_is_not_the_reason)
{
    EXPECT_EQ(run_on(1, cancel_came_first, NULL), 0);
}

static int grace_after_deadline(void *arg)
{
    mf_deadline at = mf_after(MF_MSEC(10));
    MF_SCOPE(s, .deadline = at, .grace = MF_MSEC(20));

    (void)arg;
    EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    EXPECT_EQ(mf_cancelled(), -ETIMEDOUT);
    EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
    EXPECT_GE(mf_now(), at.at + MF_MSEC(20));
    EXPECT_EQ(mf_scope_close(&s), -ETIMEDOUT);
    return 0;
}

MFI_TEST(a_deadline_gives_the_grace_too)
{
    EXPECT_EQ(run_on(1, grace_after_deadline, NULL), 0);
}

/* ---- mf_call_within ----------------------------------------------------- */

static int blocks_in_a_child(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    if (mf_go(&s, sleeps_for_ever, NULL) != 0) /* the deadline was very soon */
        while (mf_cancelled() == 0)
            (void)mf_yield(); /* and has not come to us yet */
    return mf_scope_close(&s);
}

static int joins_a_sibling(void *arg)
{
    return mf_join(arg, NULL, MF_NEVER);
}

static int returns_after_the_deadline(void *arg)
{
    EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
    return (int)(intptr_t)arg;
}

static int own_cancel(void *arg)
{
    (void)arg;
    return -ECANCELED;
}

static int calls_within(void *arg)
{
    mf_deadline far = mf_after(MF_SEC(1000));
    mf_task *t;
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_spawn(&s, sleeps_for_ever, NULL, NULL, &t), 0);
#define SOON mf_after(MF_MSEC(5))
    EXPECT_EQ(mf_call_within(returns_arg, NUMBER(7), far), 7);
    EXPECT_EQ(mf_call_within(returns_arg, NUMBER(-EIO), far), -EIO);
    EXPECT_EQ(mf_call_within(sleeps_for_ever, NULL, SOON), -ETIMEDOUT);
    EXPECT_EQ(mf_call_within(blocks_in_a_child, NULL, SOON), -ETIMEDOUT);
    EXPECT_EQ(mf_call_within(joins_a_sibling, t, SOON), -ETIMEDOUT);
    EXPECT_EQ(mf_call_within(sleeps_for_ever, NULL, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_call_within(returns_arg, NUMBER(7), MF_NOW), 7);
    EXPECT_EQ(mf_call_within(returns_after_the_deadline, NUMBER(7), SOON), 7);
    EXPECT_EQ(mf_call_within(returns_after_the_deadline, NUMBER(-5), SOON), -5);
    EXPECT_EQ(mf_call_within(own_cancel, NULL, far), -ECANCELED);
    EXPECT_EQ(mf_call_within(NULL, NULL, far), -EINVAL);
    EXPECT_EQ(mf_yield(), 0);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_call_within(sleeps_for_ever, NULL, far), -ECANCELED);
    return 0;
}

MFI_TEST(a_call_within_a_deadline_says_whose_end_it_was)
{
    EXPECT_EQ(run_on(1, calls_within, NULL), 0);
    EXPECT_EQ(run_on(2, calls_within, NULL), 0);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), 0);
    EXPECT_EQ(calls_within(NULL), 0); /* a plain thread */
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}
