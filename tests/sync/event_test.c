/* SPDX-License-Identifier: MIT */
/* event_test.c - a latch lets everybody through once it has fired, and only. */
#include "io/kit.h"

enum { MANY = 300, ROUNDS = 2000 / KIT_SLOW, THREADS = 3 };

struct gate {
    mf_event event;
    int written; /* before the fire; read after the wait */
    _Atomic int through;
};

static int pass(void *arg)
{
    struct gate *g = arg;

    EXPECT_EQ(mf_event_wait(&g->event, late()), 0);
    EXPECT_EQ(g->written, 7);
    mfi_add_acqrel(&g->through, 1);
    return 0;
}

static void *pass_thread(void *arg)
{
    EXPECT_EQ(pass(arg), 0);
    return NULL;
}

static int misuse_and_tries(void *arg)
{
    mf_event e = {{0, 0}};

    (void)arg;
    EXPECT_EQ(mf_event_wait(NULL, MF_NEVER), -EINVAL);
    mf_event_fire(NULL);
    EXPECT_EQ(mf_event_wait(&e, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_event_wait(&e, soon()), -ETIMEDOUT);
    mf_event_fire(&e);
    EXPECT_EQ(mf_event_wait(&e, MF_NOW), 0);
    mf_event_fire(&e);
    EXPECT_EQ(mf_event_wait(&e, MF_NEVER), 0);
    EXPECT_EQ(mf_event_wait(&e, soon()), 0);
    return 0;
}

MFI_TEST(a_fired_event_stays_fired)
{
    in_both(misuse_and_tries, NULL);
}

static int many_wait(void *arg)
{
    struct gate g = {.written = 0};
    pthread_t thread[THREADS];
    mf_task *last;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < MANY; i++)
        EXPECT_EQ(mf_spawn(&s, pass, &g, NULL, &last), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_create(&thread[i], NULL, pass_thread, &g), 0);
    await_parked(last);
    EXPECT_EQ(mfi_load_acq(&g.through), 0);
    g.written = 7;
    mf_event_fire(&g.event);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
    EXPECT_EQ(mfi_load_acq(&g.through), MANY + THREADS);
    return 0;
}

MFI_TEST(everybody_is_let_through_at_once)
{
    in_tasks(1, many_wait, NULL);
    in_tasks(4, many_wait, NULL);
    in_thread(many_wait, NULL);
}

static int fire(void *arg)
{
    struct gate *g = arg;

    g->written = 7;
    mf_event_fire(&g->event);
    return 0;
}

/* One fires while others are just coming: nobody is left behind. */
static int races(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct gate g = {.written = 0};
        mf_scope s;

        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        EXPECT_EQ(mf_go(&s, pass, &g), 0);
        EXPECT_EQ(mf_go(&s, fire, &g), 0);
        EXPECT_EQ(mf_go(&s, pass, &g), 0);
        EXPECT_EQ(pass(&g), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_EQ(mfi_load_acq(&g.through), 3);
    }
    return 0;
}

MFI_TEST(a_fire_that_meets_the_wait_is_not_lost)
{
    in_tasks(4, races, NULL);
    in_thread(races, NULL);
}

/* Waits that ended otherwise leave nothing behind in the event. */
static int impatient(void *arg)
{
    struct gate *g = arg;
    int rc = mf_event_wait(&g->event, mf_after(MF_USEC(50)));

    EXPECT(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED);
    return 0;
}

static int some_leave(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS / 20; i++) {
        struct gate g = {.written = 0};
        mf_task *victim[8];
        mf_scope s;

        EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
        for (int k = 0; k < 8; k++) {
            EXPECT_EQ(mf_spawn(&s, impatient, &g, NULL, &victim[k]), 0);
            EXPECT_EQ(mf_go(&s, pass, &g), 0);
        }
        for (int k = 0; k < 8; k += 2) {
            EXPECT_EQ(mf_yield(), 0);
            mf_task_cancel(victim[k]);
        }
        fire(&g);
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_EQ(mfi_load_acq(&g.through), 8);
    }
    return 0;
}

MFI_TEST(who_gives_up_takes_nobody_along)
{
    in_tasks(1, some_leave, NULL);
    in_tasks(4, some_leave, NULL);
}

static int hopeless(void *arg)
{
    EXPECT_EQ(mf_event_wait(arg, MF_NEVER), -ECANCELED);
    return 0;
}

static int cancelled(void *arg)
{
    mf_event e = {{0, 0}};
    mf_task *t;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_spawn(&s, hopeless, &e, NULL, &t), 0);
    await_parked(t);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_event_wait(&e, MF_NEVER), -ECANCELED); /* we are inside too */
    mf_event_fire(&e);
    EXPECT_EQ(mf_event_wait(&e, MF_NEVER), -ECANCELED); /* fired or not */
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_event_wait(&e, MF_NEVER), 0);
    return 0;
}

MFI_TEST(a_cancel_ends_the_wait)
{
    in_both(cancelled, NULL);
}
