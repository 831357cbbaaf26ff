/* SPDX-License-Identifier: MIT */
/* cqueue_cancel_test.c - cancels and shields around polls and sends. */
#include "sync/arms.h"

/* ---- cancel ------------------------------------------------------------- */

static int cancels(void *arg)
{
    mf_scope_cancel(arg);
    return 0;
}

static int is_cancelled(mf_arm *self, void *arg)
{
    struct job *j = arg;

    (void)self;
    register_task(j);
    EXPECT_EQ(mf_sleep_until(MF_NEVER), -ECANCELED);
    mfi_add_acqrel(&j->b->cleaned, 1);
    return -ECANCELED;
}

static int cancelled_poll(void *arg)
{
    struct board b = {.n = 0};
    struct job j[2];
    mf_cevent ev;
    mf_scope s;
    mf_cqueue q;
    int rc;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    add(&b, &q, is_cancelled, &j[0], 0);
    await_arm(&b, 0);
    EXPECT_EQ(mf_go(&s, cancels, &s), 0);
    rc = mf_cqueue_poll(&q, &ev, late());
    if (rc == 1) /* the arm was told first, and has ended */
        rc = mf_cqueue_poll(&q, &ev, late());
    EXPECT_EQ(rc, -ECANCELED);
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, MF_NOW), -ECANCELED); /* on entry too */
    j[1] = (struct job){&b, 1};
    EXPECT_EQ(mf_cqueue_add(&q, 1, sends_once, &j[1], NULL), -ECANCELED);
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    EXPECT_EQ(b.cleaned, 1);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

MFI_TEST(a_cancel_ends_the_poll_and_the_arms)
{
    everywhere(cancelled_poll);
}

static int cut_short(void *arg)
{
    struct board b = {.n = 0};
    struct job j;
    mf_scope s;
    mf_cqueue q;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.deadline = soon())), 0);
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    add(&b, &q, is_cancelled, &j, 0);
    EXPECT_EQ(mf_cqueue_poll(&q, NULL, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    EXPECT_EQ(mf_scope_close(&s), -ETIMEDOUT);
    return 0;
}

MFI_TEST(a_deadline_around_a_queue_ends_the_poll)
{
    everywhere(cut_short);
}

/* Opened in a cancelled scope: no arm may be added, close has nothing to do. */
static int opened_late(void *arg)
{
    struct board b = {.n = 0};
    struct job j = {&b, 0};
    mf_scope s;
    mf_cqueue q;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    EXPECT_EQ(mf_cqueue_add(&q, 0, sends_once, &j, NULL), -ECANCELED);
    EXPECT_EQ(mf_cqueue_poll(&q, NULL, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

MFI_TEST(a_queue_opened_in_a_cancelled_scope_takes_no_arm)
{
    everywhere(opened_late);
}

static int sends_shielded(mf_arm *self, void *arg)
{
    MF_SHIELD(MF_NEVER)
    return sends_once(self, arg);
    return 0;
}

/*
 * A cancel wakes the senders, whose shields keep it out: they keep their places
 * and are taken, since the opener is in a shield too.
 */
static int shielded(void *arg)
{
    struct board b = {.n = 0};
    struct job j[4];
    mf_scope s;
    mf_cqueue q;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    for (int i = 0; i < 4; i++) {
        add(&b, &q, sends_shielded, &j[i], i);
        await_arm(&b, i);
    }
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_cqueue_poll(&q, NULL, MF_NOW), -ECANCELED);
    MF_SHIELD(MF_NEVER)
    {
        for (int i = 0; i < 4; i++)
            await_parked(b.task[i]); /* again */
        for (int i = 0; i < 4; i++)
            expect_sent(&q, i);
        for (int i = 0; i < 4; i++)
            EXPECT_EQ(mf_cqueue_poll(&q, NULL, late()), 1);
        EXPECT_EQ(mf_cqueue_poll(&q, NULL, late()), 0);
    }
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

MFI_TEST(a_cancel_kept_out_by_a_shield_changes_nothing)
{
    everywhere(shielded);
}

/* Once an event was taken the poll is no cancel point: its caller hears it. */
static int cancels_its_poller(mf_arm *self, void *arg)
{
    EXPECT_EQ(mf_arm_send(self, 3), 0);
    mf_scope_cancel(arg);
    return 4;
}

static int cancel_in_bottom_half(void *arg)
{
    mf_cevent ev = {.token = 0};
    mf_scope s;
    mf_cqueue q;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    EXPECT_EQ(mf_cqueue_add(&q, 5, cancels_its_poller, &s, NULL), 0);
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), 1);
    EXPECT(ev.token == 5 && ev.extra == 3 && ev.ended == 0);
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), -ECANCELED);
    EXPECT_EQ(mf_cqueue_close(&q), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

MFI_TEST(a_cancel_in_a_bottom_half_waits_for_the_next_poll)
{
    everywhere(cancel_in_bottom_half);
}
