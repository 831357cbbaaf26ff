/* SPDX-License-Identifier: MIT */
/* barrier_test.c - nobody passes before all are there, and one of them leads */
#include "sync/member.h"

enum { PARTY = 5, LAPS = 1000 / KIT_SLOW, ROUNDS = 3000 / KIT_SLOW };

static int arrives(void *arg)
{
    return mf_barrier_wait(arg, late());
}

static int misuse_and_tries(void *arg)
{
    mf_barrier b = MF_BARRIER_INIT(2), one = MF_BARRIER_INIT(1), none = {{0}};

    (void)arg;
    EXPECT_EQ(mf_barrier_wait(NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_barrier_wait(&none, MF_NEVER), -EINVAL);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(mf_barrier_wait(&b, MF_NOW), -ETIMEDOUT);
        EXPECT_EQ(mf_barrier_wait(&b, mf_after(MF_MSEC(1))), -ETIMEDOUT);
        EXPECT_EQ(mf_barrier_wait(&one, i == 0 ? MF_NEVER : MF_NOW), 1);
    }
    return 0;
}

MFI_TEST(alone_one_waits_in_vain_or_leads)
{
    in_both(misuse_and_tries, NULL);
}

/* ---- laps ---------------------------------------------------------------- */

struct laps {
    mf_barrier b;
    _Atomic int next; /* number of the next runner */
    _Atomic int lap[PARTY];
    _Atomic int leaders[LAPS];
    int written; /* by the leader of the last lap */
};

static int runs(void *arg)
{
    struct laps *l = arg;
    int me = mfi_add_acqrel(&l->next, 1);
    int rc;

    for (int i = 0; i < LAPS; i++) {
        mfi_store_rlx(&l->lap[me], i + 1);
        rc = mf_barrier_wait(&l->b, late());
        EXPECT(rc == 0 || rc == 1);
        mfi_add_acqrel(&l->leaders[i], rc);
        for (int k = 0; k < PARTY; k++) /* all are in this lap or the next */
            EXPECT_EQ((unsigned)(mfi_load_rlx(&l->lap[k]) - i - 1) / 2, 0);
        if (i % 16 == 0) {
            if (rc == 1)
                l->written = i;
            EXPECT_GE(mf_barrier_wait(&l->b, late()), 0);
            EXPECT_EQ(l->written, i);
        }
    }
    return 0;
}

static int race_laps(void *arg)
{
    int threads = *(int *)arg;
    struct laps l = {.b = MF_BARRIER_INIT(PARTY)};

    crew_run(PARTY - threads, threads, runs, &l);
    for (int i = 0; i < LAPS; i++)
        EXPECT_EQ(l.leaders[i], 1);
    return 0;
}

MFI_TEST(each_lap_has_one_leader_and_none_mixes_with_the_next)
{
    everywhere(race_laps, &(int){0});
    everywhere(race_laps, &(int){2});
    in_thread(race_laps, &(int){PARTY});
}

/* ---- who gives up -------------------------------------------------------- */

static int arrives_soon(void *arg)
{
    return mf_barrier_wait(arg, soon());
}

/* Party of three: one gives up, then it takes two more, not one. */
static int taken_back(void *arg)
{
    bool cancel = *(bool *)arg;
    mf_barrier b = MF_BARRIER_INIT(3);
    struct member m[3];
    struct crew c;

    for (int i = 0; i < 4; i++) {
        crew_open(&c);
        start_asleep(&c, &m[0], i % 2 == 1, arrives, &b);
        start(&c, &m[1], !cancel && i < 2, cancel ? arrives : arrives_soon, &b);
        if (cancel) {
            await_asleep(&m[1]);
            mf_task_cancel(m[1].task);
        }
        EXPECT_EQ(result(&m[1]), cancel ? -ECANCELED : -ETIMEDOUT);
        EXPECT_EQ(mf_barrier_wait(&b, MF_NOW), -ETIMEDOUT);
        start_asleep(&c, &m[2], false, arrives, &b);
        EXPECT_EQ(mf_barrier_wait(&b, MF_NOW), 1);
        EXPECT_EQ(result(&m[0]), 0);
        EXPECT_EQ(result(&m[2]), 0);
        crew_close(&c);
    }
    return 0;
}

MFI_TEST(who_is_out_of_time_takes_its_arrival_back)
{
    everywhere(taken_back, &(bool){false});
}

MFI_TEST(who_is_cancelled_takes_its_arrival_back)
{
    everywhere(taken_back, &(bool){true});
}

/* The last one comes while another is on its way out: that one has passed. */
static int just_in_time(void *arg)
{
    bool thread = *(bool *)arg;
    enum park_reason ends[] = {WOKEN_TIMEOUT, WOKEN_CANCEL};
    mf_barrier b = MF_BARRIER_INIT(3);
    struct wake_list woken;
    struct member m[2];
    struct crew c;

    for (int i = 0; i < 2; i++) {
        crew_open(&c);
        start_asleep(&c, &m[0], thread, arrives, &b);
        start_asleep(&c, &m[1], !thread, arrives, &b);
        pounce(&m[0], ends[i], &woken);
        EXPECT_EQ(mf_barrier_wait(&b, MF_NOW), 1);
        EXPECT_EQ(result(&m[1]), 0);
        EXPECT_EQ(mf_barrier_wait(&b, MF_NOW), -ETIMEDOUT);
        let_go(&woken);
        EXPECT_EQ(result(&m[0]), 0);
        crew_close(&c);
    }
    return 0;
}

MFI_TEST(who_was_there_when_the_last_came_has_passed)
{
    everywhere(just_in_time, &(bool){false});
    everywhere(just_in_time, &(bool){true});
}

/* Woken to look only: it stays counted once. */
static int only_looks(void *arg)
{
    mf_barrier b = MF_BARRIER_INIT(2);
    struct wake_list woken;
    struct member m;
    struct crew c;

    crew_open(&c);
    start_asleep(&c, &m, *(bool *)arg, arrives, &b);
    pounce(&m, WOKEN_CANCEL, &woken);
    let_go(&woken);
    await_asleep(&m);
    EXPECT_EQ(mf_barrier_wait(&b, MF_NOW), 1);
    crew_close(&c);
    EXPECT_EQ(m.rc, 0);
    EXPECT_EQ(mf_barrier_wait(&b, MF_NOW), -ETIMEDOUT);
    return 0;
}

MFI_TEST(who_is_woken_for_nothing_waits_on)
{
    everywhere(only_looks, &(bool){false});
    everywhere(only_looks, &(bool){true});
}

/* ---- races --------------------------------------------------------------- */

struct race {
    mf_barrier b;
    uint32_t seed;
    mf_scope scope;
    _Atomic int opened, cancelled;
};

static int in_a_hurry(void *arg)
{
    struct race *r = arg;

    return mf_barrier_wait(&r->b, mf_after(1 + chance(&r->seed, 16384)));
}

/* Both pass, or neither does. */
static int meets_deadline(void *arg)
{
    struct race r = {.b = MF_BARRIER_INIT(2), .seed = 2463534242u};
    int passed = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct member m;
        struct crew c;
        int rc;

        crew_open(&c);
        start(&c, &m, i % 8 == 0, in_a_hurry, &r);
        breathe();
        spin(r.seed % 4096);
        rc = mf_barrier_wait(&r.b, MF_NOW);
        crew_close(&c);
        EXPECT(rc == 1 ? m.rc == 0 : rc == -ETIMEDOUT && m.rc == rc);
        passed += rc == 1;
    }
    EXPECT_BY_CHANCE(passed > 0);
    return 0;
}

MFI_TEST(a_last_one_that_meets_a_deadline_passes_with_all_or_none)
{
    everywhere(meets_deadline, NULL);
}

/* Whoever passed although a cancel came is told so by its next call, once. */
static int is_told_once(void *arg)
{
    struct race *r = arg;
    int rc, told;

    EXPECT_EQ(mf_scope_open(&r->scope, MF_SCOPE_OPTIONS(.grace = MF_SEC(100))),
              0);
    mfi_store_rel(&r->opened, 1);
    rc = mf_barrier_wait(&r->b, MF_NEVER);
    EXPECT(rc == 0 || rc == -ECANCELED);
    told = rc < 0;
    while (mfi_load_acq(&r->cancelled) == 0)
        told += mf_yield() < 0;
    for (int i = 0; i < 3; i++)
        told += mf_yield() < 0;
    EXPECT_EQ(told, 1);
    EXPECT_EQ(mf_scope_close(&r->scope), 0);
    return rc;
}

static int cancels(void *arg)
{
    struct race *r = arg;

    while (mfi_load_acq(&r->opened) == 0)
        breathe();
    spin(r->seed % 2048);
    mf_scope_cancel(&r->scope);
    mfi_store_rel(&r->cancelled, 1);
    return 0;
}

static int meets_cancel(void *arg)
{
    uint32_t seed = 2463534242u;
    int passed = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct race r = {.b = MF_BARRIER_INIT(2), .seed = seed};
        struct member m;
        struct crew c;
        int rc;

        crew_open(&c);
        start(&c, &m, i % 8 == 0, is_told_once, &r);
        crew_add(&c, false, cancels, &r);
        while (mfi_load_acq(&r.opened) == 0)
            breathe();
        for (uint32_t k = chance(&seed, 4); k > 0; k--)
            breathe();
        spin(chance(&seed, 2048));
        rc = mf_barrier_wait(&r.b, MF_NOW);
        crew_close(&c);
        EXPECT(rc == 1 ? m.rc == 0 : m.rc == -ECANCELED);
        passed += rc == 1;
    }
    EXPECT_BY_CHANCE(passed > 0);
    return 0;
}

MFI_TEST(a_cancel_that_comes_too_late_is_told_by_the_next_call)
{
    everywhere(meets_cancel, NULL);
}
