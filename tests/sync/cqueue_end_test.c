/* SPDX-License-Identifier: MIT */
/* cqueue_end_test.c - queues that are closed, arms that are removed. */
#include "sync/arms.h"

enum { ROUNDS = 200 / KIT_SLOW };

/* ---- close -------------------------------------------------------------- */

static int is_refused_in_a_shield(mf_arm *self, void *arg)
{
    MF_SHIELD(MF_NEVER)
    return is_refused(self, arg);
    return 0;
}

static void sends_last(void *arg)
{
    struct job *j = arg;

    EXPECT_EQ(mf_arm_send(j->b->arm[j->id], 0), -ECANCELED);
    mfi_add_acqrel(&j->b->cleaned, 1);
}

static int sends_in_a_defer(mf_arm *self, void *arg)
{
    struct job *j = arg;

    (void)self;
    EXPECT_EQ(mf_defer(sends_last, j), 0);
    register_task(j);
    return mf_sleep_until(MF_NEVER);
}

static int close_with_events(void *arg)
{
    static mf_arm_fn *const fns[] = {is_refused, is_refused_in_a_shield,
                                     sends_in_a_defer};

    for (int drop = 0; drop < 2; drop++) {
        struct board b = {.n = 0};
        struct job j[4];
        mf_cqueue q;

        EXPECT_EQ(mf_cqueue_open(&q), 0);
        for (int i = 0; i < 3; i++) {
            add(&b, &q, fns[i], &j[i], i);
            await_arm(&b, i);
        }
        add(&b, &q, is_refused, &j[3], 3); /* may not have begun */
        if (drop)
            mf_cqueue_drop(&q);
        else
            EXPECT_EQ(mf_cqueue_close(&q), 0);
        EXPECT_EQ(mfi_load_acq(&b.cleaned), 4);
        EXPECT_EQ(mf_cqueue_close(&q), -EINVAL);
        mf_cqueue_drop(&q);
    }
    (void)arg;
    return 0;
}

MFI_TEST(a_close_runs_no_pending_bottom_half)
{
    everywhere(close_with_events);
}

static int exits_while_polling(void *arg)
{
    struct board *b = arg;
    struct job j[2];
    MF_CQUEUE(q);

    add(b, &q, is_refused, &j[0], 0);
    await_arm(b, 0);
    add(b, &q, waits_to_go, &j[1], 1);
    mf_exit(5);
}

static int opener_exits(void *arg)
{
    struct board b = {.n = 0};
    int result = 0;
    mf_scope s;
    mf_task *t;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_spawn(&s, exits_while_polling, &b, NULL, &t), 0);
    EXPECT_EQ(mf_join(t, &result, late()), 0);
    EXPECT_EQ(result, 5);
    EXPECT_EQ(b.cleaned, 1);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

MFI_TEST(a_queue_ends_with_the_task_that_opened_it)
{
    everywhere(opener_exits);
}

/* Some arms have ended, told or not; handles are kept or not. */
static int close_with_ends(void *arg)
{
    struct board b = {.n = 0};
    struct job j[8];
    mf_cevent ev;

    (void)arg;
    for (int told = 0; told < 16; told++) {
        MF_CQUEUE(q);

        for (int i = 0; i < 8; i++) {
            j[i] = (struct job){&b, i};
            EXPECT_EQ(mf_cqueue_add(&q, 0, sends_once, &j[i],
                                    i % 2 != 0 ? &b.arm[i] : NULL),
                      0);
        }
        for (int i = 0; i < told; i++)
            EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), 1);
    }
    return 0;
}

MFI_TEST(a_queue_may_be_left_at_any_point)
{
    everywhere(close_with_ends);
}

/* ---- remove ------------------------------------------------------------- */

static int fails_at_once(mf_arm *self, void *arg)
{
    struct job *j = arg;

    (void)self;
    register_task(j);
    if (j->id == 4)
        mf_panic("removed");
    return -1;
}

/* One in each state that the opener can remove it in; others stay. */
static int each_state(void *arg)
{
    static mf_arm_fn *const fns[] = {sends_once, waits_to_go, sends_once,
                                     fails_at_once, fails_at_once};

    (void)arg;
    for (int i = 0; i < 7; i++) {
        struct board b = {.n = 0};
        struct job j[8];
        mf_cevent ev;
        mf_cqueue q;

        EXPECT_EQ(mf_cqueue_open(&q), 0);
        add(&b, &q, waits_to_go, &j[7], 7);
        if (i < 5) {
            add(&b, &q, fns[i], &j[i], i);
            if (i == 1 || i == 2)
                await_arm(&b, i);
            while (i > 2 && mf_task_ending(b.task[i], NULL) == MF_RUNNING)
                breathe();
        } else { /* its event was taken; its end, too */
            add(&b, &q, sends_once, &j[i], i);
            EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), 1);
            if (i == 6)
                EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), 1);
        }
        EXPECT_EQ(mf_arm_remove(b.arm[i]), 0);
        EXPECT_EQ(b.n, i == 5 || i == 6);
        EXPECT_EQ(mf_cqueue_poll(&q, &ev, MF_NOW), -ETIMEDOUT);
        mf_event_fire(&b.go);
        expect_sent(&q, 7);
        expect_end(&q, 7, 7);
        EXPECT_EQ(mf_cqueue_poll(&q, &ev, MF_NEVER), 0);
        EXPECT_EQ(mf_cqueue_close(&q), 0);
    }
    return 0;
}

MFI_TEST(an_arm_is_removed_in_any_state)
{
    everywhere(each_state);
}

static int removes_above(void *arg)
{
    EXPECT_EQ(mf_arm_remove(arg), -EDEADLK);
    return 0;
}

static int removes_itself(mf_arm *self, void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_arm_remove(self), -EDEADLK);
    EXPECT_EQ(mf_arm_send(self, 0), 0);
    EXPECT_EQ(mf_arm_remove(self), -EDEADLK);
    {
        MF_SCOPE(s);

        EXPECT_EQ(mf_go(&s, removes_above, self), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    return 8;
}

static int itself(void *arg)
{
    MF_CQUEUE(q);

    (void)arg;
    EXPECT_EQ(mf_cqueue_add(&q, 5, removes_itself, NULL, NULL), 0);
    EXPECT_EQ(mf_cqueue_poll(&q, NULL, late()), 1);
    expect_end(&q, 5, 8);
    return 0;
}

MFI_TEST(an_arm_cannot_remove_itself_nor_a_task_below_it)
{
    everywhere(itself);
}

/* Each of two removes the other: one does, and one is told that it cannot. */
static int removes_the_other(mf_arm *self, void *arg)
{
    struct job *j = arg;
    int rc;

    (void)self;
    MF_SHIELD(MF_NEVER)
    EXPECT_EQ(mf_event_wait(&j->b->go, late()), 0);
    rc = mf_arm_remove(j->b->arm[!j->id]);
    EXPECT(rc == 0 || rc == -EDEADLK);
    mfi_add_acqrel(&j->b->cleaned, rc == 0 ? 1 : 100);
    return 0;
}

static int each_other(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct board b = {.n = 0};
        struct job j[2];
        mf_cevent ev;
        MF_CQUEUE(q);

        add(&b, &q, removes_the_other, &j[0], 0);
        add(&b, &q, removes_the_other, &j[1], 1);
        mf_event_fire(&b.go);
        EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), 1);
        EXPECT_EQ(ev.ended, 1);
        EXPECT_EQ(ev.result, 0);
        EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), 0);
        EXPECT_EQ(mfi_load_acq(&b.cleaned), 101);
    }
    return 0;
}

MFI_TEST(two_that_remove_each_other_do_not_wait_for_ever)
{
    everywhere(each_other);
}

static int computes_until_removed(mf_arm *self, void *arg)
{
    struct job *j = arg;

    EXPECT_EQ(mf_arm_send(self, 0), 0);
    EXPECT_EQ(j->b->inside++, 0);
    mf_event_fire(&j->b->go);
    while (mf_cancelled() == 0)
        mfi_cpu_relax();
    j->b->inside--;
    EXPECT_EQ(mf_arm_send(self, 0), -ECANCELED);
    mfi_store_rel(&j->b->cleaned, 1);
    return 0;
}

static void *removes_when_told(void *arg)
{
    struct job *j = arg;

    EXPECT_EQ(mf_event_wait(&j->b->go, late()), 0);
    EXPECT_EQ(mf_arm_remove(j->b->arm[j->id]), 0);
    EXPECT_EQ(mfi_load_acq(&j->b->cleaned), 1); /* it has ended */
    return NULL;
}

/* In the middle of a bottom half. */
static int in_bottom_half(void *arg)
{
    struct board b = {.n = 0};
    pthread_t thread;
    struct job j;
    mf_cevent ev;
    MF_CQUEUE(q);

    (void)arg;
    add(&b, &q, computes_until_removed, &j, 0);
    EXPECT_EQ(pthread_create(&thread, NULL, removes_when_told, &j), 0);
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), 1);
    EXPECT_EQ(ev.ended, 0);
    EXPECT_EQ(b.inside, 0);
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), 0); /* its end is no event */
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

MFI_TEST(an_arm_is_removed_in_its_bottom_half)
{
    in_tasks(2, in_bottom_half, NULL);
    in_thread(in_bottom_half, NULL);
}

/* It keeps its removers waiting until it is let go. */
static int stays_for_all(mf_arm *self, void *arg)
{
    struct job *j = arg;

    (void)self;
    register_task(j);
    MF_SHIELD(MF_NEVER)
    return mf_event_wait(&j->b->go, MF_NEVER);
    return 0;
}

static int removes(void *arg)
{
    EXPECT_EQ(mf_arm_remove(arg), 0);
    return 0;
}

static int many_removers(void *arg)
{
    struct board b = {.n = 0};
    mf_task *remover[3];
    struct job j;
    mf_cevent ev;
    mf_cqueue q;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_cqueue_open(&q), 0);
    add(&b, &q, stays_for_all, &j, 0);
    await_arm(&b, 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_spawn(&s, removes, b.arm[0], NULL, &remover[i]), 0);
    for (int i = 0; i < 3; i++)
        await_parked(remover[i]);
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, soon()), -ETIMEDOUT);
    mf_task_cancel(remover[1]); /* no cancel point: it waits on */
    mf_event_fire(&b.go);
    EXPECT_EQ(mf_cqueue_poll(&q, &ev, late()), 0);
    EXPECT_EQ(mf_cqueue_close(&q), 0); /* poll said 0: they are out of it */
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

MFI_TEST(many_remove_an_arm_that_takes_its_time)
{
    everywhere(many_removers);
}

/* The event of one that is removed is not taken; the next in line is. */
static int removes_a_rival(mf_arm *self, void *arg)
{
    struct job *j = arg;

    register_task(j);
    EXPECT_EQ(mf_arm_send(self, 10 * j->id), 0);
    bottom(j->b, j->id);
    EXPECT_EQ(mf_arm_remove(j->b->arm[1]), 0);
    return j->id;
}

static int rivals(void *arg)
{
    struct board b = {.n = 0};
    struct job j[3];
    MF_CQUEUE(q);

    (void)arg;
    add(&b, &q, removes_a_rival, &j[0], 0);
    await_arm(&b, 0);
    add(&b, &q, is_refused, &j[1], 1);
    await_arm(&b, 1);
    add(&b, &q, sends_once, &j[2], 2);
    await_arm(&b, 2);
    expect_sent(&q, 0);
    expect_sent(&q, 2);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(mf_cqueue_poll(&q, NULL, late()), 1);
    EXPECT_EQ(mf_cqueue_poll(&q, NULL, MF_NOW), 0);
    EXPECT_EQ(b.n, 2);
    EXPECT_EQ(b.cleaned, 1);
    return 0;
}

MFI_TEST(a_bottom_half_removes_a_rival)
{
    everywhere(rivals);
}
