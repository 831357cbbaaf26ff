/* SPDX-License-Identifier: MIT */
/* runq_test.c - the queues alone: order, bounds, thieves; nothing lost. */
#include "sched/runq.h"

#include <pthread.h>

#include "os/syscall.h"
#include "test.h"

enum { MANY = 1000 };

static struct runq q, other;
static struct injectq spill;
static mf_task tasks[MANY];

static long index_of(const mf_task *t)
{
    return t == NULL ? -1 : t - tasks;
}

MFI_TEST(the_ring_is_first_in_first_out)
{
    EXPECT(mfi_ring_pop(&q) == NULL);
    for (int round = 0; round < 20; round++) { /* around its end */
        for (int i = 0; i < 100; i++)
            mfi_ring_push(&q, &tasks[i], &spill);
        EXPECT_EQ(mfi_ring_size(&q), 100);
        for (int i = 0; i < 100; i++)
            EXPECT_EQ(index_of(mfi_ring_pop(&q)), i);
    }
    EXPECT(mfi_ring_pop(&q) == NULL);
    EXPECT_EQ(spill.n, 0);
}

MFI_TEST(a_full_ring_spills_its_older_half)
{
    uint32_t n;
    mf_task *t;

    for (int i = 0; i <= RING_LEN; i++)
        mfi_ring_push(&q, &tasks[i], &spill);
    EXPECT_EQ(spill.n, RING_LEN / 2 + 1);
    EXPECT_EQ(mfi_ring_size(&q), RING_LEN / 2);
    t = mfi_inject_pop(&spill, 1000, &n);
    EXPECT_EQ(n, RING_LEN / 2 + 1);
    for (int i = 0; i < RING_LEN / 2; i++, t = t->next)
        EXPECT_EQ(index_of(t), i);
    EXPECT_EQ(index_of(t), RING_LEN);
    EXPECT(t->next == NULL);
    EXPECT(mfi_inject_pop(&spill, 1, &n) == NULL);
    EXPECT_EQ(n, 0);
}

MFI_TEST(the_inject_queue_gives_as_many_as_asked)
{
    uint32_t n;
    mf_task *t;

    for (int i = 0; i < 10; i++)
        mfi_inject_push(&spill, &tasks[i], &tasks[i], 1);
    t = mfi_inject_pop(&spill, 3, &n);
    EXPECT_EQ(n, 3);
    EXPECT_EQ(index_of(t), 0);
    EXPECT_EQ(index_of(t->next->next), 2);
    EXPECT(t->next->next->next == NULL);
    EXPECT_EQ(spill.n, 7);
    EXPECT_EQ(index_of(mfi_inject_pop(&spill, 1, &n)), 3);
}

MFI_TEST(fresh_tasks_run_newest_batch_first_and_in_order_within)
{
    for (int i = 0; i < 6; i++)
        mfi_fresh_push(&q, &tasks[i], 1 + (uint32_t)i / 3);
    EXPECT_EQ(q.fresh_n, 6);
    EXPECT_EQ(index_of(mfi_fresh_pop(&q, false)), 3);
    EXPECT_EQ(index_of(mfi_fresh_pop(&q, true)), 0);
    EXPECT_EQ(index_of(mfi_fresh_pop(&q, false)), 4);
    EXPECT_EQ(index_of(mfi_fresh_pop(&q, false)), 5);
    EXPECT_EQ(index_of(mfi_fresh_pop(&q, false)), 1);
    EXPECT_EQ(index_of(mfi_fresh_pop(&q, false)), 2);
    EXPECT(mfi_fresh_pop(&q, false) == NULL);
}

MFI_TEST(more_batches_than_there_is_room_for_are_joined_and_none_is_lost)
{
    bool seen[MANY] = {false};

    for (int i = 1; i < MANY; i++)
        mfi_fresh_push(&q, &tasks[i], (uint32_t)i + 1);
    mfi_fresh_push_list(&q, &tasks[0], &tasks[0], 1); /* the oldest */
    EXPECT_EQ(q.fresh_n, MANY);
    for (int i = 0; i < MANY; i++) {
        long k = index_of(mfi_fresh_pop(&q, i % 2 == 0));

        EXPECT(i != 0 || k == 0);
        EXPECT(k >= 0 && !seen[k]);
        seen[k] = true;
    }
    EXPECT(mfi_fresh_pop(&q, false) == NULL);
}

/* Each readies itself for ever: all have their turn. */
MFI_TEST(neither_ring_nor_fresh_nor_pinned_starves)
{
    int ring = 0, fresh = 0, pinned = 0;

    mfi_ring_push(&q, &tasks[0], &spill);
    mfi_ring_push(&q, &tasks[1], &spill);
    mfi_fresh_push(&q, &tasks[2], 1);
    mfi_pinned_push(&q, &tasks[3]);
    for (uint32_t i = 0; i < 1000; i++) {
        long k = index_of(mfi_runq_pick(&q));

        if (k == 0)
            mfi_ring_push(&q, &tasks[0], &spill);
        else if (k == 1)
            ring++, mfi_ring_push(&q, &tasks[1], &spill);
        else if (k == 2)
            fresh++, mfi_fresh_push(&q, &tasks[2], i + 2);
        else if (k == 3)
            pinned++, mfi_pinned_push(&q, &tasks[3]);
        else
            EXPECT_EQ(k, -2); /* nothing, where something is */
    }
    EXPECT_GE(ring, 10);
    EXPECT_GE(fresh + pinned, 100);
    EXPECT_GE(pinned, 50);
}

MFI_TEST(a_thief_takes_half_and_leaves_the_pinned)
{
    for (int i = 0; i < 10; i++)
        mfi_ring_push(&q, &tasks[i], &spill);
    mfi_pinned_push(&q, &tasks[20]);
    EXPECT_EQ(index_of(mfi_runq_steal(&other, &q, &spill)), 4);
    EXPECT_EQ(mfi_ring_size(&other), 4);
    EXPECT_EQ(mfi_ring_size(&q), 5);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(index_of(mfi_ring_pop(&other)), i);
    while (mfi_ring_pop(&q) != NULL)
        ;
    EXPECT(mfi_runq_steal(&other, &q, &spill) == NULL);
    EXPECT_EQ(index_of(mfi_pinned_pop(&q)), 20);
}

/* ---- an owner and three thieves ----------------------------------------- */

enum { THIEVES = 3, LAPS = 150 };

static _Atomic int taken[MANY];
static _Atomic int nr_taken;
static _Atomic bool over;

static void take(mf_task *t)
{
    EXPECT_EQ(taken[index_of(t)]++, 0);
    nr_taken++;
}

static void *steals(void *arg)
{
    struct runq *mine = arg;

    while (!over) {
        mf_task *t = mfi_runq_steal(mine, &q, &spill);
        uint32_t n;

        for (; t != NULL; t = mfi_runq_pick(mine))
            take(t);
        if ((t = mfi_inject_pop(&spill, 1, &n)) != NULL)
            take(t);
    }
    return NULL;
}

MFI_TEST(with_thieves_at_work_each_task_is_taken_once)
{
    static struct runq theirs[THIEVES];
    pthread_t threads[THIEVES];
    uint32_t seq = 1;

    for (int i = 0; i < THIEVES; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, steals, &theirs[i]), 0);
    for (int lap = 0; lap < LAPS; lap++) {
        mf_task *t;

        for (int i = 0; i < MANY; i++) {
            if (i % 5 == 0)
                mfi_fresh_push(&q, &tasks[i], seq += i % 20 == 0);
            else
                mfi_ring_push(&q, &tasks[i], &spill);
            if (i % 7 == 0 && (t = mfi_runq_pick(&q)) != NULL)
                take(t);
        }
        while ((t = mfi_runq_pick(&q)) != NULL)
            take(t);
        while (nr_taken < MANY)
            mfi_sys0(SYS_sched_yield);
        for (int i = 0; i < MANY; i++)
            EXPECT_EQ(taken[i], 1);
        for (int i = 0; i < MANY; i++)
            taken[i] = 0;
        nr_taken = 0;
    }
    over = true;
    for (int i = 0; i < THIEVES; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
}
