/* SPDX-License-Identifier: MIT */
/* group_test.c - a wait ends when all is done, and the memory is free then. */
#include <limits.h>

#include "sync/member.h"

enum {
    ROUNDS = 3000 / KIT_SLOW,
    MEMORIES = 1000 / (KIT_SLOW > 1 ? 2 : 1), /* sanitizers are for these */
    WORKERS = 6,
};

static int waits(void *arg)
{
    return mf_wait_group_wait(arg, late());
}

/* ---- counting ------------------------------------------------------------ */

static int misuse_and_tries(void *arg)
{
    mf_wait_group g = {{0}};

    (void)arg;
    EXPECT_EQ(mf_wait_group_add(NULL, 1), -EINVAL);
    EXPECT_EQ(mf_wait_group_done(NULL), -EINVAL);
    EXPECT_EQ(mf_wait_group_wait(NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_wait_group_wait(&g, MF_NEVER), 0);
    EXPECT_EQ(mf_wait_group_wait(&g, MF_NOW), 0);
    EXPECT_EQ(mf_wait_group_done(&g), -EINVAL);
    EXPECT_EQ(mf_wait_group_add(&g, INT_MIN), -EINVAL);
    EXPECT_EQ(mf_wait_group_add(&g, 0), 0);
    EXPECT_EQ(mf_wait_group_wait(&g, MF_NOW), 0);
    EXPECT_EQ(mf_wait_group_add(&g, 2), 0);
    EXPECT_EQ(mf_wait_group_add(&g, -3), -EINVAL);
    EXPECT_EQ(mf_wait_group_add(&g, INT_MAX), -EOVERFLOW);
    EXPECT_EQ(mf_wait_group_add(&g, INT_MAX - 1), -EOVERFLOW);
    EXPECT_EQ(mf_wait_group_wait(&g, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_wait_group_wait(&g, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_wait_group_done(&g), 0);
    EXPECT_EQ(mf_wait_group_wait(&g, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_wait_group_add(&g, 0), 0);
    EXPECT_EQ(mf_wait_group_wait(&g, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_wait_group_done(&g), 0);
    EXPECT_EQ(mf_wait_group_wait(&g, MF_NOW), 0);
    EXPECT_EQ(mf_wait_group_add(&g, INT_MAX), 0);
    EXPECT_EQ(mf_wait_group_add(&g, -INT_MAX), 0);
    EXPECT_EQ(mf_wait_group_wait(&g, MF_NOW), 0);
    return 0;
}

MFI_TEST(it_counts_and_refuses_what_is_out_of_range)
{
    in_both(misuse_and_tries, NULL);
}

struct job {
    mf_wait_group g;
    int part[WORKERS];
    _Atomic int next;
};

static int works(void *arg)
{
    struct job *j = arg;

    j->part[mfi_add_rlx(&j->next, 1)] = 1;
    return mf_wait_group_done(&j->g);
}

/* Several wait, all of them twice: the group may be used again. */
static int wait_for_all(void *arg)
{
    struct job j = {.next = 0};
    struct member m[3];
    struct crew c;

    (void)arg;
    for (int round = 0; round < 20; round++) {
        crew_open(&c);
        mfi_store_rlx(&j.next, 0);
        EXPECT_EQ(mf_wait_group_add(&j.g, WORKERS), 0);
        for (int i = 0; i < 3; i++)
            start_asleep(&c, &m[i], i == 1, waits, &j.g);
        for (int i = 0; i < WORKERS - 1; i++)
            crew_add(&c, i == 2, works, &j);
        while (mfi_load_acq(&j.next) < WORKERS - 1)
            breathe();
        for (int i = 0; i < 3; i++)
            EXPECT_EQ(member_state(&m[i]), PARK_PARKED);
        EXPECT_EQ(mf_wait_group_wait(&j.g, MF_NOW), -ETIMEDOUT);
        crew_add(&c, round % 2, works, &j);
        EXPECT_EQ(mf_wait_group_wait(&j.g, late()), 0);
        for (int i = 0; i < WORKERS; i++)
            EXPECT_EQ(j.part[i]--, 1);
        crew_close(&c);
        for (int i = 0; i < 3; i++)
            EXPECT_EQ(m[i].rc, 0);
    }
    return 0;
}

MFI_TEST(everybody_waits_until_all_is_done)
{
    everywhere(wait_for_all, NULL);
}

/* ---- who gives up -------------------------------------------------------- */

static int waits_soon(void *arg)
{
    return mf_wait_group_wait(arg, soon());
}

static int some_leave(void *arg)
{
    mf_wait_group g = {{0}};
    struct member m[3];
    struct crew c;

    (void)arg;
    EXPECT_EQ(mf_wait_group_add(&g, 1), 0);
    crew_open(&c);
    start_asleep(&c, &m[0], true, waits, &g);
    start(&c, &m[1], true, waits_soon, &g);
    start_asleep(&c, &m[2], false, waits, &g);
    mf_task_cancel(m[2].task);
    EXPECT_EQ(result(&m[1]), -ETIMEDOUT);
    EXPECT_EQ(result(&m[2]), -ECANCELED);
    EXPECT_EQ(mf_wait_group_done(&g), 0);
    EXPECT_EQ(result(&m[0]), 0);
    crew_close(&c);
    return 0;
}

MFI_TEST(a_deadline_or_a_cancel_ends_one_wait)
{
    everywhere(some_leave, NULL);
}

static int hopeless(void *arg)
{
    mf_wait_group none = {{0}};

    EXPECT_EQ(mf_wait_group_wait(arg, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_wait_group_wait(&none, MF_NOW), -ECANCELED);
    return mf_wait_group_done(arg);
}

static int cancelled(void *arg)
{
    mf_wait_group g = {{0}};
    struct member m;
    struct crew c;

    (void)arg;
    EXPECT_EQ(mf_wait_group_add(&g, 1), 0);
    crew_open(&c);
    start_asleep(&c, &m, false, hopeless, &g);
    mf_task_cancel(m.task);
    EXPECT_EQ(mf_wait_group_wait(&g, late()), 0);
    crew_close(&c);
    return 0;
}

MFI_TEST(who_is_cancelled_may_still_say_it_is_done)
{
    everywhere(cancelled, NULL);
}

/*
 * All is done, and more has begun, while one was woken to look, or was out of
 * time: the first has been let through, the second says what it found.
 */
static int zero_in_between(void *arg)
{
    bool thread = *(bool *)arg;
    mf_wait_group g = {{0}};
    struct wake_list woken;
    struct member m;
    struct crew c;

    for (int zero = 0; zero < 3; zero++) {
        EXPECT_EQ(mf_wait_group_add(&g, 1), 0);
        crew_open(&c);
        start_asleep(&c, &m, thread, waits, &g);
        pounce(&m, zero == 2 ? WOKEN_TIMEOUT : WOKEN_CANCEL, &woken);
        if (zero) {
            EXPECT_EQ(mf_wait_group_done(&g), 0);
            EXPECT_EQ(mf_wait_group_add(&g, 1), 0);
        }
        let_go(&woken);
        if (zero)
            EXPECT_EQ(result(&m), zero == 2 ? -ETIMEDOUT : 0);
        else
            await_asleep(&m); /* it waits on */
        EXPECT_EQ(mf_wait_group_done(&g), 0);
        crew_close(&c);
        EXPECT_EQ(m.rc, zero == 2 ? -ETIMEDOUT : 0);
    }
    return 0;
}

MFI_TEST(who_was_woken_for_nothing_does_not_miss_the_zero)
{
    everywhere(zero_in_between, &(bool){false});
    everywhere(zero_in_between, &(bool){true});
}

/* ---- races --------------------------------------------------------------- */

static int is_done(void *arg)
{
    return mf_wait_group_done(arg);
}

/* The group goes with the wait that ends, however that found the zero. */
static int freed_at_once(void *arg)
{
    uint32_t seed = 2463534242u;
    struct partner p;

    (void)arg;
    partner_open(&p, is_done);
    for (int i = 0; i < MEMORIES; i++) {
        mf_wait_group *g = calloc(1, sizeof *g);
        struct crew c;

        EXPECT(g != NULL);
        crew_open(&c);
        EXPECT_EQ(mf_wait_group_add(g, 1 + i % 2), 0);
        if (i % 2)
            crew_add(&c, false, is_done, g);
        partner_go(&p, g, &seed);
        if (i % 8 < 2)
            while (mf_wait_group_wait(g, MF_NOW) < 0)
                ;
        else if (i % 8 < 4)
            while (mf_wait_group_wait(g, mf_after(MF_USEC(i % 50))) < 0)
                ;
        else
            EXPECT_EQ(mf_wait_group_wait(g, late()), 0);
        memset(g, 0xff, sizeof *g);
        free(g);
        partner_done(&p);
        crew_close(&c);
    }
    partner_close(&p);
    return 0;
}

MFI_TEST(the_memory_may_go_as_soon_as_the_wait_returns)
{
    everywhere(freed_at_once, NULL);
}

struct tally {
    mf_wait_group g;
    _Atomic int left;
};

/* Each adds before it is done with its own part, so zero comes once. */
static int divides(void *arg)
{
    struct tally *t = arg;

    while (mfi_sub_acqrel(&t->left, 1) > 0) {
        EXPECT_EQ(mf_wait_group_add(&t->g, 2), 0);
        EXPECT_EQ(mf_wait_group_done(&t->g), 0);
        EXPECT_EQ(mf_wait_group_wait(&t->g, MF_NOW), -ETIMEDOUT);
        EXPECT_EQ(mf_wait_group_done(&t->g), 0);
    }
    return mf_wait_group_done(&t->g);
}

static int add_and_done(void *arg)
{
    struct tally t = {.left = ROUNDS};
    struct crew c;

    (void)arg;
    crew_open(&c);
    for (int i = 0; i < WORKERS; i++) {
        EXPECT_EQ(mf_wait_group_add(&t.g, 1), 0);
        crew_add(&c, i % 3 == 0, divides, &t);
    }
    EXPECT_EQ(mf_wait_group_wait(&t.g, late()), 0);
    EXPECT_LE(mfi_load_acq(&t.left), 0);
    crew_close(&c);
    return 0;
}

MFI_TEST(who_adds_before_it_is_done_keeps_the_others_waiting)
{
    everywhere(add_and_done, NULL);
}
