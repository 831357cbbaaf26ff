/* SPDX-License-Identifier: MIT */
/* parker_test.c - one token: kept when early, never two, never lost. */
#include "sync/member.h"

enum { ROUNDS = 3000 / KIT_SLOW, PINGS = 2000 / KIT_SLOW };

static int parks(void *arg)
{
    return mf_parker_park(arg, late());
}

static int tokens(void *arg)
{
    mf_parker p = {{0}};

    (void)arg;
    EXPECT_EQ(mf_parker_park(NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_parker_unpark(NULL), -EINVAL);
    EXPECT_EQ(mf_parker_park(&p, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_parker_park(&p, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_parker_unpark(&p), 0);
    EXPECT_EQ(mf_parker_unpark(&p), 0);
    EXPECT_EQ(mf_parker_park(&p, MF_NEVER), 0);
    EXPECT_EQ(mf_parker_park(&p, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_parker_unpark(&p), 0);
    EXPECT_EQ(mf_parker_park(&p, MF_NOW), 0);
    return 0;
}

MFI_TEST(an_early_token_is_kept_and_a_second_one_is_not)
{
    in_both(tokens, NULL);
}

static int in_line(void *arg)
{
    struct member m[4];
    mf_parker p = {{0}};
    struct crew c;

    (void)arg;
    crew_open(&c);
    for (int i = 0; i < 4; i++)
        start_asleep(&c, &m[i], i % 2 == 1, parks, &p);
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(mf_parker_unpark(&p), 0);
        EXPECT_EQ(mf_parker_park(&p, MF_NOW), -ETIMEDOUT);
        EXPECT_EQ(result(&m[i]), 0);
        for (int k = i + 1; k < 4; k++)
            EXPECT_EQ(member_state(&m[k]), PARK_PARKED);
    }
    crew_close(&c);
    return 0;
}

MFI_TEST(an_unpark_lets_one_go_the_first)
{
    everywhere(in_line, NULL);
}

/* An unpark is for the next who parks, if the first was out of time. */
static int passed_over(void *arg)
{
    bool thread = *(bool *)arg;
    struct wake_list woken;
    mf_parker p = {{0}};
    struct member m;
    struct crew c;

    crew_open(&c);
    start_asleep(&c, &m, thread, parks, &p);
    pounce(&m, WOKEN_TIMEOUT, &woken);
    EXPECT_EQ(mf_parker_unpark(&p), 0);
    EXPECT_EQ(mf_parker_unpark(&p), 0);
    let_go(&woken);
    EXPECT_EQ(result(&m), -ETIMEDOUT);
    crew_close(&c);
    EXPECT_EQ(mf_parker_park(&p, MF_NOW), 0);
    EXPECT_EQ(mf_parker_park(&p, MF_NOW), -ETIMEDOUT);
    return 0;
}

MFI_TEST(who_is_out_of_time_takes_no_token)
{
    everywhere(passed_over, &(bool){false});
    everywhere(passed_over, &(bool){true});
}

static int hopeless(void *arg)
{
    EXPECT_EQ(mf_parker_park(arg, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_parker_unpark(arg), 0);
    EXPECT_EQ(mf_parker_park(arg, MF_NOW), -ECANCELED);
    return 0;
}

static int cancelled(void *arg)
{
    mf_parker p = {{0}};
    struct member m;
    struct crew c;

    (void)arg;
    crew_open(&c);
    start_asleep(&c, &m, false, hopeless, &p);
    mf_task_cancel(m.task);
    crew_close(&c);
    EXPECT_EQ(mf_parker_park(&p, MF_NOW), 0);
    return 0;
}

MFI_TEST(a_cancel_ends_the_wait)
{
    everywhere(cancelled, NULL);
}

/* ---- two that wake each other -------------------------------------------- */

struct pair_of {
    mf_parker here, there;
    int n; /* of whoever's turn it is */
};

static int answers(void *arg)
{
    struct pair_of *p = arg;

    for (int i = 0; i < PINGS; i++) {
        EXPECT_EQ(mf_parker_park(&p->there, late()), 0);
        EXPECT_EQ(p->n++, 2 * i + 1);
        EXPECT_EQ(mf_parker_unpark(&p->here), 0);
    }
    return 0;
}

static int ping_pong(void *arg)
{
    struct pair_of p = {.n = 0};
    struct crew c;

    crew_open(&c);
    crew_add(&c, *(bool *)arg, answers, &p);
    for (int i = 0; i < PINGS; i++) {
        EXPECT_EQ(p.n++, 2 * i);
        EXPECT_EQ(mf_parker_unpark(&p.there), 0);
        EXPECT_EQ(mf_parker_park(&p.here, late()), 0);
    }
    crew_close(&c);
    return 0;
}

MFI_TEST(two_take_turns)
{
    everywhere(ping_pong, &(bool){false});
    everywhere(ping_pong, &(bool){true});
}

/* What was written before any of the unparks is seen, not only the first's. */
struct board {
    mf_parker p;
    int note[2];
};

static int writes(void *arg)
{
    struct board *b = arg;

    for (int i = 0; i < 2; i++) {
        b->note[i] = i + 1;
        EXPECT_EQ(mf_parker_unpark(&b->p), 0);
    }
    return 0;
}

static int reads(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS / 4; i++) {
        struct board b = {.note = {0, 0}};
        struct crew c;

        crew_open(&c);
        crew_add(&c, i % 4 == 0, writes, &b);
        EXPECT_EQ(mf_parker_park(&b.p, late()), 0);
        EXPECT_EQ(b.note[0], 1);
        while (i % 2 == 0 && mf_parker_park(&b.p, MF_NOW) == 0)
            EXPECT_EQ(b.note[1], 2);
        crew_close(&c);
        EXPECT_EQ(b.note[1], 2);
    }
    return 0;
}

MFI_TEST(what_was_written_before_an_unpark_is_seen_after_the_park)
{
    everywhere(reads, NULL);
}

/* ---- races --------------------------------------------------------------- */

struct race {
    mf_parker p;
    uint32_t seed;
};

static int parks_in_a_hurry(void *arg)
{
    struct race *r = arg;

    return mf_parker_park(&r->p, mf_after(1 + chance(&r->seed, 16384)));
}

static int race(void *arg)
{
    struct race r = {.seed = 2463534242u};
    int got = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct member m;
        struct crew c;

        crew_open(&c);
        start(&c, &m, i % 8 == 0, parks_in_a_hurry, &r);
        breathe();
        EXPECT_EQ(mf_parker_unpark(&r.p), 0);
        crew_close(&c);
        EXPECT(m.rc == 0 || m.rc == -ETIMEDOUT);
        EXPECT_EQ(mf_parker_park(&r.p, MF_NOW), m.rc == 0 ? -ETIMEDOUT : 0);
        got += m.rc == 0;
    }
    EXPECT_BY_CHANCE(got > 0);
    return 0;
}

MFI_TEST(a_token_that_meets_a_deadline_is_neither_lost_nor_doubled)
{
    everywhere(race, NULL);
}

/* On the waiter's stack or heap: an unpark is through with it. */
static int unparks(void *arg)
{
    return mf_parker_unpark(arg);
}

static int freed_at_once(void *arg)
{
    uint32_t seed = 2463534242u;
    struct partner p;

    (void)arg;
    partner_open(&p, unparks);
    for (int i = 0; i < ROUNDS; i++) {
        mf_parker *k = calloc(1, sizeof *k);

        EXPECT(k != NULL);
        partner_go(&p, k, &seed);
        if (i % 2)
            while (mf_parker_park(k, mf_after(MF_USEC(i % 50))) < 0)
                ;
        else
            EXPECT_EQ(mf_parker_park(k, late()), 0);
        memset(k, 0xff, sizeof *k);
        free(k);
        partner_done(&p);
    }
    partner_close(&p);
    return 0;
}

MFI_TEST(who_was_let_go_may_free_it)
{
    everywhere(freed_at_once, NULL);
}
