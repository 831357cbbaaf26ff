/* SPDX-License-Identifier: MIT */
/* turn_test.c - one at a time, in order, and nobody waits for nothing. */
#include "io/turn.h"

#include "io/kit.h"

static int object[2]; /* something to have a turn at */

static int take(struct turn *t, void *at, mf_deadline deadline)
{
    return mfi_turn_take(t, mfi_turn_at(at), mfi_agent(), mfi_time_of(deadline),
                         "a test");
}

static int names_are_apart(void *arg)
{
    struct turn a, b, c, d;

    (void)arg;
    EXPECT_EQ(take(&a, &object[0], MF_NEVER), 0);
    EXPECT_EQ(take(&b, &object[1], MF_NEVER), 0);
    EXPECT_EQ(mfi_turn_try(&c, mfi_turn_fd(1)), 0);
    EXPECT_EQ(mfi_turn_try(&d, mfi_turn_fd(1)), -EBUSY);
    EXPECT_EQ(take(&d, &object[0], MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(take(&d, &object[0], soon()), -ETIMEDOUT);
    mfi_turn_pass(&a);
    EXPECT_EQ(take(&d, &object[0], MF_NOW), 0);
    mfi_turn_pass(&b);
    mfi_turn_pass(&c);
    mfi_turn_pass(&d);
    EXPECT_EQ(mfi_turn_try(&c, mfi_turn_fd(1)), 0);
    mfi_turn_pass(&c);
    return 0;
}

MFI_TEST(who_asks_for_another_name_does_not_wait)
{
    in_both(names_are_apart, NULL);
}

/* ---- order --------------------------------------------------------------- */

enum { QUEUE = 20 };
static int order[QUEUE], came;

static int queued(void *arg)
{
    struct turn t;
    int rc = take(&t, object, late());

    if (rc == 0) {
        order[came++] = (int)(intptr_t)arg; /* the turn's */
        breathe();
        mfi_turn_pass(&t);
    }
    return rc;
}

/* Every third is cancelled in the queue, every fourth times out there. */
static int in_order(void *arg)
{
    mf_task *tasks[QUEUE];
    struct turn t;
    int rc, want = 0;

    (void)arg;
    EXPECT_EQ(take(&t, object, MF_NEVER), 0);
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    for (int i = 0; i < QUEUE; i++) {
        EXPECT_EQ(mf_spawn(&s, queued, (void *)(intptr_t)i, NULL, &tasks[i]),
                  0);
        await_parked(tasks[i]);
    }
    for (int i = 0; i < QUEUE; i += 3)
        mf_task_cancel(tasks[i]);
    for (int i = 0; i < QUEUE; i++) {
        if (i % 3 == 0) {
            EXPECT_EQ(mf_join(tasks[i], &rc, late()), 0);
            EXPECT_EQ(rc, -ECANCELED);
        }
    }
    EXPECT_EQ(came, 0);
    mfi_turn_pass(&t);
    (void)mf_scope_close(&s);
    for (int i = 0; i < QUEUE; i++)
        if (i % 3 != 0)
            EXPECT_EQ(order[want++], i);
    EXPECT_EQ(came, want);
    return 0;
}

MFI_TEST(first_come_first_served_and_a_cancel_holds_in_the_queue)
{
    in_tasks(1, in_order, NULL);
    came = 0;
    in_tasks(2, in_order, NULL);
}

/* ---- many of everything -------------------------------------------------- */

enum { ROUNDS = 1500 / KIT_SLOW + 1, CREW = 4 };
static int inside[2], done[2];

static int crew(void *arg)
{
    intptr_t me = (intptr_t)arg;
    int rc = 0;

    for (int i = 0; i < ROUNDS; i++) {
        int which = (int)((me + i) % 2);
        struct turn t;

        rc = take(&t, &object[which],
                  i % 5 == 0 ? mf_after(MF_USEC(i % 50)) : late());
        if (rc == -ETIMEDOUT)
            continue;
        if (rc < 0)
            return rc;
        EXPECT_EQ(inside[which]++, 0);
        if (i % 3 == 0)
            breathe();
        done[which]++;
        EXPECT_EQ(--inside[which], 0);
        mfi_turn_pass(&t);
    }
    return rc == -ETIMEDOUT ? 0 : rc;
}

static void *thread(void *arg)
{
    EXPECT_EQ(crew(arg), 0);
    return NULL;
}

static int crowd(void *arg)
{
    struct turn t;

    (void)arg;
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    for (intptr_t i = 0; i < CREW; i++)
        mf_go(&s, crew, (void *)i);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(take(&t, &object[0], late()), 0); /* nothing is left behind */
    mfi_turn_pass(&t);
    return 0;
}

static void with_threads(int workers, int threads)
{
    pthread_t ids[CREW];

    for (intptr_t i = 0; i < threads; i++)
        EXPECT_EQ(pthread_create(&ids[i], NULL, thread, (void *)i), 0);
    in_tasks(workers, crowd, NULL);
    for (int i = 0; i < threads; i++)
        EXPECT_EQ(pthread_join(ids[i], NULL), 0);
    EXPECT_GT(done[0], 0);
    EXPECT_GT(done[1], 0);
}

MFI_TEST(one_at_a_time_among_tasks)
{
    with_threads(1, 0);
    with_threads(2, 0);
}

MFI_TEST(one_at_a_time_among_tasks_and_threads)
{
    with_threads(2, 3);
}

static int cancelled_or_not(void *arg)
{
    struct turn t;
    int rc = take(&t, arg, MF_NEVER);

    if (rc == 0)
        mfi_turn_pass(&t);
    else
        EXPECT_EQ(rc, -ECANCELED);
    return 0;
}

/* A cancel meets the pass: whoever wins, the turn is free in the end. */
static int meets(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct turn t;
        mf_task *one, *two;

        EXPECT_EQ(take(&t, object, MF_NEVER), 0);
        MF_SCOPE(s, .mode = MF_WAIT_ALL);
        EXPECT_EQ(mf_spawn(&s, cancelled_or_not, object, NULL, &one), 0);
        EXPECT_EQ(mf_spawn(&s, cancelled_or_not, object, NULL, &two), 0);
        if (i % 2 == 0)
            breathe();
        mf_task_cancel(one);
        mfi_turn_pass(&t);
        (void)mf_scope_close(&s);
        EXPECT_EQ(take(&t, object, MF_NOW), 0);
        mfi_turn_pass(&t);
    }
    return 0;
}

MFI_TEST(a_cancel_that_meets_the_pass_loses_no_turn)
{
    in_tasks(1, meets, NULL);
    in_tasks(2, meets, NULL);
}
