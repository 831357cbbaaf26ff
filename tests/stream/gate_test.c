/* SPDX-License-Identifier: MIT */
/* gate_test.c - one at a time, in order, and nobody waits for nothing. */
#include "stream/gate.h"

#include "io/kit.h"

static struct gate gates[2];

static int take(struct gate *g, mf_deadline deadline)
{
    return mfi_gate_take(g, mfi_agent(), mfi_time_of(deadline), "a test");
}

static int alone(void *arg)
{
    (void)arg;
    EXPECT_EQ(take(&gates[0], MF_NEVER), 0);
    EXPECT_EQ(take(&gates[1], MF_NOW), 0);
    EXPECT_EQ(take(&gates[0], MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(take(&gates[0], soon()), -ETIMEDOUT);
    EXPECT(!mfi_gate_try(&gates[0]));
    EXPECT_EQ(mfi_load_rlx(&gates[0].word), GATE_TAKEN); /* nobody waits */
    mfi_gate_pass(&gates[0]);
    mfi_gate_pass(&gates[1]);
    EXPECT(mfi_gate_try(&gates[0]));
    mfi_gate_pass(&gates[0]);
    return 0;
}

MFI_TEST(a_gate_is_taken_or_not)
{
    in_both(alone, NULL);
}

/* ---- order --------------------------------------------------------------- */

enum { QUEUE = 20 };
static int order[QUEUE], came;

static int queued(void *arg)
{
    int rc = take(&gates[0], late());

    if (rc == 0) {
        order[came++] = (int)(intptr_t)arg; /* the turn's */
        breathe();
        mfi_gate_pass(&gates[0]);
    }
    return rc;
}

/* Every third is cancelled in the queue, every fourth times out there. */
static int in_order(void *arg)
{
    mf_task *tasks[QUEUE];
    int rc, want = 0;

    (void)arg;
    EXPECT_EQ(take(&gates[0], MF_NEVER), 0);
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
    mfi_gate_pass(&gates[0]);
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

        rc = take(&gates[which],
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
        mfi_gate_pass(&gates[which]);
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
    (void)arg;
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    for (intptr_t i = 0; i < CREW; i++)
        mf_go(&s, crew, (void *)i);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(take(&gates[0], late()), 0); /* nothing is left behind */
    mfi_gate_pass(&gates[0]);
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
    int rc = take(arg, MF_NEVER);

    if (rc == 0)
        mfi_gate_pass(arg);
    else
        EXPECT_EQ(rc, -ECANCELED);
    return 0;
}

/* A cancel meets the pass: whoever wins, the turn is free in the end. */
static int meets(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        mf_task *one, *two;

        EXPECT_EQ(take(&gates[0], MF_NEVER), 0);
        MF_SCOPE(s, .mode = MF_WAIT_ALL);
        EXPECT_EQ(mf_spawn(&s, cancelled_or_not, &gates[0], NULL, &one), 0);
        EXPECT_EQ(mf_spawn(&s, cancelled_or_not, &gates[0], NULL, &two), 0);
        if (i % 2 == 0)
            breathe();
        mf_task_cancel(one);
        mfi_gate_pass(&gates[0]);
        (void)mf_scope_close(&s);
        EXPECT_EQ(take(&gates[0], MF_NOW), 0);
        mfi_gate_pass(&gates[0]);
    }
    return 0;
}

MFI_TEST(a_cancel_that_meets_the_pass_loses_no_turn)
{
    in_tasks(1, meets, NULL);
    in_tasks(2, meets, NULL);
}
