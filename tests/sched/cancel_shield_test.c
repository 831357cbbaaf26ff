/* SPDX-License-Identifier: MIT */
/* cancel_shield_test.c - what a shield keeps out, and for how long. */
#include "sched/help.h"

#include <time.h>

static int shielded(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    mf_scope_cancel(&s);
    MF_SHIELD(MF_NEVER)
    {
        EXPECT_EQ(mf_cancelled(), 0);
        EXPECT_EQ(mf_yield(), 0);
        EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
        MF_SHIELD(MF_NEVER)
        EXPECT_EQ(mf_sleep(1), 0);
        EXPECT_EQ(mf_sleep(1), 0);
    }
    EXPECT_EQ(mf_cancelled(), -ECANCELED);
    EXPECT_EQ(mf_sleep(1), -ECANCELED);
    return 0;
}

MFI_TEST(inside_a_shield_calls_work)
{
    EXPECT_EQ(run_on(1, shielded, NULL), 0);
}

static int leaves_a_shield(int way)
{
    for (int i = 0; i < 2; i++) {
        MF_SHIELD(MF_NEVER)
        {
            EXPECT_EQ(mf_yield(), 0);
            if (way == 0)
                break;
            if (way == 1)
                continue;
            if (way == 2)
                return 5;
        }
        EXPECT_EQ(mf_yield(), -ECANCELED);
    }
    return 0;
}

static int leaves_shields(void *arg)
{
    mf_shield sh;
    MF_SCOPE(s);

    (void)arg;
    mf_scope_cancel(&s);
    EXPECT_EQ(leaves_a_shield(0), 0);
    EXPECT_EQ(leaves_a_shield(1), 0);
    EXPECT_EQ(leaves_a_shield(2), 5);
    EXPECT_EQ(mf_yield(), -ECANCELED);
    sh = mf_shield_begin(MF_NEVER);
    EXPECT_EQ(mf_yield(), 0);
    mf_shield_end(&sh);
    mf_shield_end(&sh); /* nothing happens */
    EXPECT_EQ(mf_yield(), -ECANCELED);
    return 0;
}

MFI_TEST(every_way_out_of_a_shield_ends_it)
{
    EXPECT_EQ(run_on(1, leaves_shields, NULL), 0);
}

static int limited(void *arg)
{
    mf_deadline at;
    MF_SCOPE(s);

    (void)arg;
    mf_scope_cancel(&s);
    at = mf_after(MF_MSEC(20));
    MF_SHIELD(at)
    {
        EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
        EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
        EXPECT_GE(mf_now(), at.at);
        EXPECT_EQ(mf_cancelled(), -ECANCELED);
        EXPECT_EQ(mf_yield(), -ECANCELED);
        MF_SHIELD(MF_NEVER) /* the nearest one counts */
        EXPECT_EQ(mf_yield(), 0);
        EXPECT_EQ(mf_yield(), -ECANCELED);
    }
    MF_SHIELD(MF_NEVER)
    {
        at = mf_after(MF_MSEC(5));
        MF_SHIELD(at)
        {
            EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
            EXPECT_GE(mf_now(), at.at);
        }
        EXPECT_EQ(mf_yield(), 0);
    }
    return 0;
}

MFI_TEST(a_shield_keeps_a_cancel_out_until_its_limit)
{
    EXPECT_EQ(run_on(1, limited, NULL), 0);
}

static mf_ns cpu_now(void)
{
    struct timespec ts;

    EXPECT_EQ(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts), 0);
    return ts.tv_sec * MF_SEC(1) + ts.tv_nsec;
}

/* No cancel at all: the limit must not turn the wait into a busy loop. */
static int waits_beyond_a_limit(void *arg)
{
    mf_ns cpu = cpu_now();
    MF_SCOPE(s);

    (void)arg;
    MF_SHIELD(mf_after(MF_MSEC(1)))
    {
        EXPECT_EQ(mf_sleep(MF_MSEC(400)), 0);
        EXPECT_EQ(mf_park(mf_after(MF_MSEC(100))), -ETIMEDOUT);
    }
    EXPECT_LT(cpu_now() - cpu, MF_MSEC(150) * mfi_test_scale());
    return 0;
}

MFI_TEST(a_wait_beyond_a_shields_limit_costs_nothing)
{
    EXPECT_EQ(run_on(1, waits_beyond_a_limit, NULL), 0);
}

/* ---- scopes inside a shield --------------------------------------------- */

struct told {
    _Atomic int started, rc;
};

static int sleeps(void *arg)
{
    struct told *told = arg;

    told->started = 1;
    told->rc = mf_sleep_until(MF_NEVER);
    return told->rc;
}

static int counts_then_sleeps(void *arg)
{
    struct told *told = arg;

    told->started = 1;
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(mf_sleep(MF_USEC(100)), 0);
    told->rc = 7;
    return 0;
}

static int scope_inside(void *arg)
{
    struct told told = {0};
    MF_SCOPE(s);

    (void)arg;
    MF_SHIELD(MF_NEVER)
    {
        MF_SCOPE(inner);
        EXPECT_EQ(mf_go(&inner, counts_then_sleeps, &told), 0);
        WAIT_UNTIL(told.started != 0);
        mf_scope_cancel(&s);
        EXPECT_EQ(mf_yield(), 0);
        EXPECT_EQ(mf_scope_close(&inner), 0);
        EXPECT_EQ(told.rc, 7);
        {
            MF_SCOPE(later);
            told.rc = 0;
            EXPECT_EQ(mf_go(&later, counts_then_sleeps, &told), 0);
            EXPECT_EQ(mf_scope_close(&later), 0);
            EXPECT_EQ(told.rc, 7);
        }
    }
    EXPECT_EQ(mf_yield(), -ECANCELED);
    return 0;
}

MFI_TEST(a_scope_inside_a_shield_is_not_cancelled_from_outside)
{
    EXPECT_EQ(run_on(1, scope_inside, NULL), 0);
    EXPECT_EQ(run_on(2, scope_inside, NULL), 0);
}

static int cancels_inside(void *arg)
{
    struct told told = {0};

    (void)arg;
    MF_SHIELD(MF_NEVER)
    {
        MF_SCOPE(inner);
        EXPECT_EQ(mf_go(&inner, sleeps, &told), 0);
        WAIT_UNTIL(told.started != 0);
        mf_scope_cancel(&inner);
        EXPECT_EQ(mf_cancelled(), -ECANCELED); /* its own cancel does count */
        EXPECT_EQ(mf_scope_close(&inner), 0);
        EXPECT_EQ(told.rc, -ECANCELED);
    }
    return 0;
}

MFI_TEST(a_scope_inside_a_shield_can_be_cancelled_itself)
{
    EXPECT_EQ(run_on(2, cancels_inside, NULL), 0);
}

/* How the opener of the inner scope waits when the limit passes. */
enum waits { CLOSES, SCOPE_WAITS, SLEEPS, DROPS };

static int limit_for_children(void *arg)
{
    enum waits how = (enum waits)(intptr_t)arg;
    struct told told = {0};
    mf_deadline at;
    MF_SCOPE(s);

    mf_scope_cancel(&s);
    at = mf_after(MF_MSEC(20));
    MF_SHIELD(at)
    {
        MF_SCOPE(inner);
        EXPECT_EQ(mf_go(&inner, sleeps, &told), 0);
        EXPECT_EQ(mf_yield(), 0);
        if (how == SCOPE_WAITS)
            EXPECT_EQ(mf_scope_wait(&inner, MF_NEVER), -ECANCELED);
        if (how == SLEEPS)
            EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
        if (how == DROPS)
            continue; /* which ends the loop of the shield */
        EXPECT_EQ(mf_scope_close(&inner), -ECANCELED);
        EXPECT_GE(mf_now(), at.at);
    }
    EXPECT_EQ(told.rc, -ECANCELED);
    return 0;
}

MFI_TEST(the_limit_lets_a_cancel_into_the_scopes_inside)
{
    for (int workers = 1; workers <= 2; workers++) {
        EXPECT_EQ(run_on(workers, limit_for_children, NUMBER(CLOSES)), 0);
        EXPECT_EQ(run_on(workers, limit_for_children, NUMBER(SCOPE_WAITS)), 0);
        EXPECT_EQ(run_on(workers, limit_for_children, NUMBER(SLEEPS)), 0);
        EXPECT_EQ(run_on(workers, limit_for_children, NUMBER(DROPS)), 0);
    }
}

/* The cancel comes when the limit does: it must not be lost in between. */
static int cancels_soon(void *arg)
{
    mf_scope_cancel(arg);
    return 0;
}

static int limit_against_cancel(void *arg)
{
    (void)arg;
    for (int i = 0; i < MFI_ROUNDS(3000); i++) {
        struct told told = {0};
        mf_scope s, around;

        EXPECT_EQ(mf_scope_open(&around, NULL), 0);
        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        MF_SHIELD(mf_after(MF_USEC(i % 30)))
        {
            mf_scope inner;

            EXPECT_EQ(mf_scope_open(&inner, NULL), 0);
            EXPECT_EQ(mf_go(&inner, sleeps, &told), 0);
            EXPECT_EQ(mf_go(&around, cancels_soon, &s), 0);
            EXPECT_EQ(mf_scope_close(&inner), -ECANCELED);
        }
        EXPECT_EQ(told.rc, -ECANCELED);
        MF_SHIELD(MF_NEVER)
        EXPECT_EQ(mf_scope_wait(&around, MF_NEVER), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_EQ(mf_scope_close(&around), 0);
    }
    return 0;
}

MFI_TEST(a_cancel_at_the_moment_of_the_limit_is_not_lost)
{
    EXPECT_EQ(run_on(1, limit_against_cancel, NULL), 0);
    EXPECT_EQ(run_on(2, limit_against_cancel, NULL), 0);
    EXPECT_EQ(run_on(4, limit_against_cancel, NULL), 0);
}

/* ---- and grace ---------------------------------------------------------- */

static int notice_outside(void *arg)
{
    MF_SCOPE(s, .grace = MF_SEC(1000));

    (void)arg;
    mf_scope_cancel(&s);
    MF_SHIELD(MF_NEVER)
    {
        MF_SCOPE(inner, .grace = MF_SEC(1000));
        EXPECT_EQ(mf_yield(), 0);
        mf_scope_cancel(&inner);
        EXPECT_EQ(mf_yield(), -ECANCELED);
        EXPECT_EQ(mf_yield(), 0);
    }
    EXPECT_EQ(mf_yield(), -ECANCELED); /* what the shield kept out comes now */
    EXPECT_EQ(mf_yield(), 0);
    return 0;
}

MFI_TEST(a_notice_taken_inside_a_shield_is_not_the_one_outside)
{
    EXPECT_EQ(run_on(1, notice_outside, NULL), 0);
}

static int takes_notice(void *arg)
{
    struct told *told = arg;

    told->started = 1;
    EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_yield(), 0);
    told->rc = 3;
    return 0;
}

static int grace_comes_in(void *arg)
{
    struct told told = {0};
    MF_SCOPE(s, .grace = MF_SEC(1000));

    (void)arg;
    mf_scope_cancel(&s);
    MF_SHIELD(mf_after(MF_MSEC(10)))
    {
        MF_SCOPE(inner);
        EXPECT_EQ(mf_go(&inner, takes_notice, &told), 0);
        EXPECT_EQ(mf_scope_close(&inner), -ECANCELED);
    }
    EXPECT_EQ(told.rc, 3);
    EXPECT_EQ(mf_yield(), -ECANCELED);
    EXPECT_EQ(mf_yield(), 0);
    return 0;
}

MFI_TEST(what_comes_in_at_the_limit_is_a_notice_where_it_was_one_outside)
{
    EXPECT_EQ(run_on(2, grace_comes_in, NULL), 0);
}
