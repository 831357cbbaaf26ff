/* SPDX-License-Identifier: MIT */
/* cancel_test.c - what a cancel does to calls: states, grace, shields. */
#include "sched/help.h"

#include <pthread.h>

/* ---- on entry ----------------------------------------------------------- */

static int forty_two(void *arg)
{
    (void)arg;
    return 42;
}

/* Each would succeed at once, or fail for its own reason. */
static void all_calls_answer_canceled(mf_scope *s)
{
    mf_event fired = {{0}};

    mf_event_fire(&fired);
    EXPECT_EQ(mf_yield(), -ECANCELED);
    EXPECT_EQ(mf_sleep(0), -ECANCELED);
    EXPECT_EQ(mf_sleep_until(MF_NOW), -ECANCELED);
    EXPECT_EQ(mf_unpark(mf_self()), 0);
    EXPECT_EQ(mf_park(MF_NOW), -ECANCELED);
    EXPECT_EQ(mf_event_wait(&fired, MF_NOW), -ECANCELED);
    EXPECT_EQ(mf_scope_wait(s, MF_NOW), -ECANCELED);
    EXPECT_EQ(mf_scope_wait_slot(s, MF_NOW), -ECANCELED);
}

static int after_a_cancel(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_cancelled(), 0);
    EXPECT_EQ(mf_yield(), 0);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_cancelled(), -ECANCELED);
    all_calls_answer_canceled(&s);
    all_calls_answer_canceled(&s); /* for good */
    EXPECT_EQ(mf_go(&s, forty_two, NULL), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_cancelled(), 0); /* outside of it nothing has happened */
    EXPECT_EQ(mf_yield(), 0);
    return 0;
}

MFI_TEST(every_cancel_point_answers_on_entry_inside_the_cancelled_scope)
{
    EXPECT_EQ(run_on(1, after_a_cancel, NULL), 0);
}

static int joins_canceled(void *arg)
{
    mf_task *t;
    MF_SCOPE(outer);
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_spawn(&outer, forty_two, NULL, NULL, &t), 0);
    EXPECT_EQ(mf_join(t, NULL, MF_NEVER), 0);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_join(t, NULL, MF_NEVER), -ECANCELED);
    return 0;
}

MFI_TEST(a_join_of_an_ended_task_is_a_cancel_point_too)
{
    EXPECT_EQ(run_on(1, joins_canceled, NULL), 0);
}

/* ---- while waiting ------------------------------------------------------ */

struct sleeper {
    _Atomic int started, first, second;
};

static int sleeps_twice(void *arg)
{
    struct sleeper *z = arg;

    z->started = 1;
    z->first = mf_sleep_until(MF_NEVER);
    z->second = mf_sleep(0);
    return z->first;
}

static void *cancels_scope(void *arg)
{
    mf_scope_cancel(arg);
    return NULL;
}

static int a_thread_cancels(void *arg)
{
    struct sleeper z[8] = {{0}};
    pthread_t thread;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < 8; i++)
        EXPECT_EQ(mf_go(&s, sleeps_twice, &z[i]), 0);
    for (int i = 0; i < 8; i++)
        WAIT_UNTIL(z[i].started != 0);
    EXPECT_EQ(pthread_create(&thread, NULL, cancels_scope, &s), 0);
    EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED); /* the opener too */
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(z[i].first, -ECANCELED);
        EXPECT_EQ(z[i].second, -ECANCELED);
    }
    return 0;
}

MFI_TEST(a_plain_thread_cancels_the_opener_and_the_children)
{
    EXPECT_EQ(run_on(1, a_thread_cancels, NULL), 0);
    EXPECT_EQ(run_on(2, a_thread_cancels, NULL), 0);
}

/* ---- one task ----------------------------------------------------------- */

static int has_a_child(void *arg)
{
    int rc;
    MF_SCOPE(s);

    EXPECT_EQ(mf_go(&s, sleeps_twice, arg), 0);
    rc = mf_scope_close(&s);
    EXPECT_EQ(rc, -ECANCELED);
    return rc;
}

static int cancels_one(void *arg)
{
    struct sleeper z[2] = {{0}};
    int rc[2];
    mf_task *t[2];
    MF_SCOPE(s); /* fail fast */

    (void)arg;
    EXPECT_EQ(mf_spawn(&s, has_a_child, &z[0], NULL, &t[0]), 0);
    EXPECT_EQ(mf_spawn(&s, sleeps_twice, &z[1], NULL, &t[1]), 0);
    WAIT_UNTIL(z[0].started && z[1].started);
    mf_task_cancel(t[0]);
    EXPECT_EQ(mf_join(t[0], &rc[0], MF_NEVER), 0);
    EXPECT_EQ(rc[0], -ECANCELED);
    EXPECT_EQ(z[0].first, -ECANCELED); /* all that is below it */
    EXPECT_EQ(z[0].second, -ECANCELED);
    EXPECT_EQ(mf_task_ending(t[0], NULL), MF_CANCELED);
    EXPECT_EQ(mf_cancelled(), 0); /* the scope has not failed */
    EXPECT_EQ(mf_task_ending(t[1], NULL), MF_RUNNING);
    mf_task_cancel(t[1]);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(z[1].first, -ECANCELED);
    return 0;
}

MFI_TEST(one_task_and_what_is_below_it_is_cancelled_and_its_scope_goes_on)
{
    EXPECT_EQ(run_on(1, cancels_one, NULL), 0);
    EXPECT_EQ(run_on(4, cancels_one, NULL), 0);
}

static int cancels_before_the_start(void *arg)
{
    int rc = 0;
    mf_task *t;
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_spawn(&s, sleeps_for_ever, NULL, NULL, &t), 0);
    mf_task_cancel(t); /* one worker: it has not run yet */
    EXPECT_EQ(mf_join(t, &rc, MF_NEVER), 0);
    EXPECT_EQ(rc, -ECANCELED);
    mf_task_cancel(t); /* nothing happens */
    mf_task_cancel(NULL);
    return mf_scope_close(&s);
}

MFI_TEST(a_task_cancelled_before_its_start_runs_and_finds_out)
{
    EXPECT_EQ(run_on(1, cancels_before_the_start, NULL), 0);
}

/* ---- grace -------------------------------------------------------------- */

struct grace {
    mf_ns until; /* before this calls work */
    bool second; /* and then somebody cancels again */
    _Atomic int started, in_grace, ended;
};

static int meets_grace(void *arg)
{
    struct grace *g = arg;
    int rc;

    g->started++;
    EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_cancelled(), -ECANCELED);
    EXPECT_EQ(mf_yield(), 0); /* it was said once */
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    g->in_grace++;
    rc = mf_sleep_until(MF_NEVER);
    EXPECT_EQ(rc, -ECANCELED);
    EXPECT_EQ(mf_yield(), -ECANCELED); /* now for good */
    EXPECT_EQ(mf_sleep(0), -ECANCELED);
    if (!g->second)
        EXPECT_GE(mf_now(), g->until);
    g->ended++;
    return rc;
}

static int grace_for_three(void *arg)
{
    struct grace *g = arg;
    mf_ns grace = g->second ? MF_SEC(1000) : MF_MSEC(30);
    mf_scope s;

    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.grace = grace)), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_go(&s, meets_grace, g), 0);
    WAIT_UNTIL(g->started == 3);
    g->until = mf_now() + grace;
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_sleep(0), -ECANCELED); /* the opener's own notice */
    EXPECT_EQ(mf_sleep(0), 0);
    EXPECT_EQ(mf_go(&s, forty_two, NULL), -ECANCELED);
    if (g->second) {
        WAIT_UNTIL(g->in_grace == 3);
        mf_scope_cancel(&s);
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(g->ended, 3);
    return 0;
}

MFI_TEST(in_grace_each_is_told_once_and_then_has_time)
{
    struct grace g[2] = {{.second = false}, {.second = false}};

    EXPECT_EQ(run_on(1, grace_for_three, &g[0]), 0);
    EXPECT_EQ(run_on(4, grace_for_three, &g[1]), 0);
}

MFI_TEST(a_second_cancel_ends_the_grace)
{
    struct grace g[2] = {{.second = true}, {.second = true}};

    EXPECT_EQ(run_on(1, grace_for_three, &g[0]), 0);
    EXPECT_EQ(run_on(4, grace_for_three, &g[1]), 0);
}

static int opens_in_grace(void *arg)
{
    MF_SCOPE(s, .grace = MF_SEC(1000));

    (void)arg;
    mf_scope_cancel(&s);
    {
        MF_SCOPE(told); /* opened before the notice was taken: refuses */
        EXPECT_EQ(mf_go(&told, forty_two, NULL), -ECANCELED);
        EXPECT_EQ(mf_yield(), -ECANCELED);
        EXPECT_EQ(mf_yield(), 0);
        EXPECT_EQ(mf_scope_close(&told), -ECANCELED);
    }
    {
        mf_task *t;
        int rc = 0;
        MF_SCOPE(cleanup, .mode = MF_WAIT_ALL);
        EXPECT_EQ(mf_spawn(&cleanup, forty_two, NULL, NULL, &t), 0);
        EXPECT_EQ(mf_join(t, &rc, MF_NEVER), 0);
        EXPECT_EQ(rc, 42);
        EXPECT_EQ(mf_scope_close(&cleanup), 0);
    }
    return mf_scope_close(&s);
}

MFI_TEST(cleanup_in_grace_may_open_scopes_and_start_tasks)
{
    EXPECT_EQ(run_on(2, opens_in_grace, NULL), 0);
}

/*
 * A notice must not be lost to a wake-up that came at the same moment: the call
 * that was woken says so, and the next one says -ECANCELED.
 */
static int takes_both(void *arg)
{
    int canceled = 0, woken = 0, rc;

    for (int i = 0; i < 3 && (canceled == 0 || woken == 0); i++) {
        rc = mf_park(mf_after(MF_SEC(20)));
        EXPECT(rc == 0 || rc == -ECANCELED);
        canceled += rc == -ECANCELED;
        woken += rc == 0;
    }
    EXPECT_EQ(canceled, 1);
    EXPECT_EQ(woken, 1);
    ++*(int *)arg;
    return 0;
}

static int unparks_it(void *arg)
{
    return mf_unpark(arg);
}

enum { NOTICES = MFI_ROUNDS(5000) };

static int notices_against_tokens(void *arg)
{
    int done = 0;

    (void)arg;
    for (int i = 0; i < NOTICES; i++) {
        mf_scope s, other;
        mf_task *t;

        EXPECT_EQ(mf_scope_open(&other, NULL), 0);
        EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.grace = MF_SEC(99))), 0);
        EXPECT_EQ(mf_spawn(&s, takes_both, &done, NULL, &t), 0);
        if (i % 2 == 0)
            EXPECT_EQ(mf_yield(), 0);
        EXPECT_EQ(mf_go(&other, unparks_it, t), 0);
        if (i % 3 == 0)
            EXPECT_EQ(mf_yield(), 0);
        mf_scope_cancel(&s);
        MF_SHIELD(MF_NEVER)
        EXPECT_EQ(mf_scope_wait(&other, MF_NEVER), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_EQ(mf_scope_close(&other), 0);
    }
    return done;
}

MFI_TEST(a_notice_is_not_lost_to_a_wake_up)
{
    EXPECT_EQ(run_on(1, notices_against_tokens, NULL), NOTICES);
    EXPECT_EQ(run_on(4, notices_against_tokens, NULL), NOTICES);
}
