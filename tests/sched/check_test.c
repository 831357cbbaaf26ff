/* SPDX-License-Identifier: MIT */
/* check_test.c - the walkers pass what is sound and die of what is not. */
#include "sched/check.h"

#include <string.h>

#include "sched/help.h"

static struct runq q;
static struct injectq spill;
static mf_task tasks[10];

static void fill(void)
{
    memset(&q, 0, sizeof q);
    for (int i = 0; i < 3; i++)
        mfi_ring_push(&q, &tasks[i], &spill);
    for (int i = 3; i < 6; i++)
        mfi_fresh_push(&q, &tasks[i], 1);
    mfi_fresh_push(&q, &tasks[6], 2);
    for (int i = 7; i < 10; i++)
        mfi_pinned_push(&q, &tasks[i]);
}

MFI_TEST(sound_queues_pass)
{
    mfi_check_runq(&q);
    fill();
    mfi_check_runq(&q);
    EXPECT(mfi_fresh_pop(&q, true) != NULL);
    EXPECT(mfi_ring_pop(&q) != NULL);
    EXPECT(mfi_pinned_pop(&q) != NULL);
    mfi_check_runq(&q);
}

static void loses_a_fresh_task(void)
{
    fill();
    tasks[3].next = &tasks[5];
    mfi_check_runq(&q);
}

static void miscounts_fresh_tasks(void)
{
    fill();
    mfi_store_rel(&q.fresh_n, 5u);
    mfi_check_runq(&q);
}

static void loses_a_pinned_task(void)
{
    fill();
    q.pinned_head = q.pinned_head->next;
    mfi_check_runq(&q);
}

static void overfills_the_ring(void)
{
    fill();
    mfi_store_rel(&q.tail, 300u);
    mfi_check_runq(&q);
}

MFI_TEST(broken_queues_do_not)
{
    EXPECT_DIES(loses_a_fresh_task, SIGABRT, "broken invariant");
    EXPECT_DIES(miscounts_fresh_tasks, SIGABRT, "fresh_n");
    EXPECT_DIES(loses_a_pinned_task, SIGABRT, "broken invariant");
    EXPECT_DIES(overfills_the_ring, SIGABRT, "RING_LEN");
}

static int check(struct scope *s)
{
    mfi_spin_lock(&s->lock);
    mfi_check_scope_locked(s);
    mfi_spin_unlock(&s->lock);
    return 0;
}

static int has_children(void *arg)
{
    void (*spoil)(struct scope * s) = *(void (**)(struct scope *))arg;
    mf_task *t;
    MF_SCOPE(s, .limit = 3);

    check(mfi_scope(&s));
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(mf_go(&s, sleeps_for_ever, NULL), 0);
    check(mfi_scope(&s));
    EXPECT_EQ(mf_spawn(&s, returns_arg, NULL, NULL, &t), 0);
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    check(mfi_scope(&s));
    if (spoil != NULL) {
        spoil(mfi_scope(&s));
        check(mfi_scope(&s));
    }
    mf_scope_cancel(&s);
    return mf_scope_close(&s);
}

static void (*spoil)(struct scope *s);

static void run_spoiled(void)
{
    run_on(1, has_children, &spoil);
}

static void one_more(struct scope *s)
{
    s->live++;
}

static void one_running(struct scope *s)
{
    s->running--;
}

static void over_limit(struct scope *s)
{
    s->limit = 2;
}

MFI_TEST(sound_scopes_pass_and_broken_ones_do_not)
{
    run_spoiled();
    spoil = one_more;
    EXPECT_DIES(run_spoiled, SIGABRT, "broken invariant");
    spoil = one_running;
    EXPECT_DIES(run_spoiled, SIGABRT, "broken invariant");
    spoil = over_limit;
    EXPECT_DIES(run_spoiled, SIGABRT, "limit");
}
