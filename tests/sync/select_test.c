/* SPDX-License-Identifier: MIT */
/*
 * select_test.c - one wins, the others have consumed nothing; fairness, order,
 * many cases, the same object twice, deadline and cancel.
 */
#include "sync/crowd.h"

MF_CHAN_DEFINE(ints, int);

static ints *make(size_t capacity)
{
    ints *c = NULL;

    EXPECT_EQ(ints_make(capacity, NULL, &c), 0);
    return c;
}

/* ---- one wins ------------------------------------------------------------ */

enum { N = 8 };

static int losers(void *arg)
{
    mf_case cases[N];
    ints *c[N];
    int v[N], sum = 0;

    (void)arg;
    for (int i = 0; i < N; i++) {
        c[i] = make(1);
        EXPECT_EQ(ints_send(c[i], i, MF_NOW), 0);
        cases[i] = ints_on_recv(c[i], &v[i]);
    }
    for (int round = 0; round < N; round++) {
        int left = 0, won;

        memset(v, 0xff, sizeof v);
        won = mf_select(cases, N, MF_NEVER);
        EXPECT(won >= 0 && cases[won].res == 1 && v[won] == won);
        sum += won;
        for (int i = 0; i < N; i++) {
            left += mf_chan_len(ints_chan(c[i]));
            EXPECT(i == won || v[i] == -1);
        }
        EXPECT_EQ(left, N - 1 - round);
    }
    EXPECT_EQ(sum, N * (N - 1) / 2);
    EXPECT_EQ(mf_select(cases, N, MF_NOW), -ETIMEDOUT);
    for (int i = 0; i < N; i++)
        ints_unref(c[i]);
    return 0;
}

MFI_TEST(a_loser_has_consumed_nothing)
{
    in_both(losers, NULL);
}

static int first_of(void *arg)
{
    ints *c[3] = {make(1), make(1), make(1)};
    mf_case cases[3];
    int v;

    (void)arg;
    for (int i = 0; i < 3; i++)
        cases[i] = ints_on_recv(c[i], &v);
    for (int i = 2; i >= 0; i--) {
        EXPECT_EQ(ints_send(c[i], i, MF_NOW), 0);
        if (i < 2)
            EXPECT_EQ(mf_chan_len(ints_chan(c[2])), 1);
    }
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_select_ordered(cases, 3, MF_NEVER), i);
    for (int i = 0; i < 3; i++)
        ints_unref(c[i]);
    return 0;
}

MFI_TEST(ordered_takes_the_first)
{
    in_both(first_of, NULL);
}

/*
 * Of those that are ready each is as likely. Chi-square with 2 degrees of
 * freedom, 0.001 level: 13.8 (NIST/SEMATECH handbook, 1.3.6.7.4); the seed of a
 * worker is fixed, that of threads too.
 */
static int fair(void *arg)
{
    enum { ROUNDS = 1000000 / KIT_SLOW };
    ints *c[5];
    mf_case cases[5];
    long count[5] = {0};
    double chi = 0;
    int v;

    (void)arg;
    for (int i = 0; i < 5; i++) {
        c[i] = make(1);
        cases[i] = ints_on_recv(c[i], &v);
        if (i != 1 && i != 2) /* two of them are not ready */
            EXPECT_EQ(ints_send(c[i], i, MF_NOW), 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        int won = mf_select(cases, 5, MF_NEVER);

        EXPECT(won >= 0);
        count[won]++;
        EXPECT_EQ(ints_send(c[won], i, MF_NOW), 0);
    }
    EXPECT_EQ(count[1] + count[2], 0);
    for (int i = 0; i < 5; i++) {
        double expected = ROUNDS / 3.0, off = (double)count[i] - expected;

        if (i != 1 && i != 2)
            chi += off * off / expected;
        ints_unref(c[i]);
    }
    EXPECT_LT(chi, 13.8);
    return 0;
}

MFI_TEST_T(ready_ones_are_chosen_evenly, 60)
{
    in_both(fair, NULL);
}

/* ---- the same channel more than once ------------------------------------- */

struct meeting {
    ints *c;
    ints *d;
    _Atomic int given;
    _Atomic int taken;
};

/* Both ways on one channel: it must not meet itself. */
static int both_ways(void *arg)
{
    ints *c = make(0);
    int in = 0, out = 5;
    mf_case cases[3];

    (void)arg;
    cases[0] = ints_on_send(c, &out);
    cases[1] = ints_on_recv(c, &in);
    cases[2] = ints_on_recv(c, &in);
    EXPECT_EQ(mf_select(cases, 3, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_select(cases, 3, soon()), -ETIMEDOUT);
    EXPECT_EQ(in, 0);
    EXPECT_EQ(ints_close(c), 0);
    EXPECT_GE(mf_select(cases, 3, late()), 0);
    ints_unref(c);
    return 0;
}

MFI_TEST(a_select_does_not_meet_itself)
{
    in_both(both_ways, NULL);
}

enum { SWAPS = 20000 / KIT_SLOW };

/* Sends or receives, whichever comes, until it has done both SWAPS times. */
static int swaps(void *arg)
{
    struct meeting *m = arg;
    int sent = 0, got = 0, in;

    while (sent < SWAPS || got < SWAPS) {
        mf_case cases[3];
        int won, flip = (sent + got) % 2;

        cases[flip] = ints_on_send(sent < SWAPS ? m->c : NULL, &sent);
        cases[1 - flip] = ints_on_recv(got < SWAPS ? m->c : NULL, &in);
        cases[2] = ints_on_recv(got < SWAPS ? m->c : NULL, &in);
        won = mf_select(cases, 3, late());
        EXPECT_GE(won, 0);
        if (won == flip) {
            EXPECT_EQ(cases[won].res, 0);
            sent++;
        } else {
            EXPECT_EQ(cases[won].res, 1);
            EXPECT_EQ(in, got); /* there are only two of us: in order */
            got++;
        }
    }
    mfi_add_acqrel(&m->given, sent);
    mfi_add_acqrel(&m->taken, got);
    return 0;
}

MFI_TEST_T(two_selects_meet_on_one_channel_both_ways, 60)
{
    FOR_ALL_CROWDS(mix, workers)
    {
        struct meeting m = {.c = make(0)};

        crowd((enum mix)mix, workers, swaps, &m, 0, 2);
        EXPECT_EQ(m.given, 2 * SWAPS);
        EXPECT_EQ(m.taken, 2 * SWAPS);
        ints_unref(m.c);
    }
}

struct crosser {
    struct meeting *m;
    int index;
};

/*
 * One sends on c or receives on d, the other receives on c or sends on d, and
 * they name them in different orders: what one did the other did.
 */
static int crosses(void *arg)
{
    struct crosser *x = arg;
    struct meeting *m = x->m;
    ints *out = x->index == 0 ? m->c : m->d;
    ints *in = x->index == 0 ? m->d : m->c;
    int v = 0;

    for (int i = 0; i < SWAPS; i++) {
        mf_case cases[2];
        int flip = x->index, won;

        cases[flip] = ints_on_send(out, &i);
        cases[1 - flip] = ints_on_recv(in, &v);
        won = mf_select(cases, 2, late());
        EXPECT_GE(won, 0);
        if (won == flip) {
            mfi_add_acqrel(&m->given, 1);
        } else {
            EXPECT_EQ(v, i); /* both count the meetings */
            mfi_add_acqrel(&m->taken, 1);
        }
    }
    return 0;
}

MFI_TEST_T(two_selects_meet_on_two_channels_in_both_orders, 60)
{
    FOR_ALL_CROWDS(mix, workers)
    {
        struct meeting m = {.c = make(0), .d = make(0)};
        struct crosser x[2] = {{&m, 0}, {&m, 1}};

        crowd((enum mix)mix, workers, crosses, x, sizeof x[0], 2);
        EXPECT_EQ(m.given, SWAPS);
        EXPECT_EQ(m.taken, SWAPS);
        ints_unref(m.c);
        ints_unref(m.d);
    }
}

/* ---- many cases ---------------------------------------------------------- */

static int many_cases(void *arg)
{
    enum { MANY = 300 };
    mf_case *cases = calloc(MANY, sizeof *cases);
    ints **c = calloc(MANY, sizeof *c);
    int fds[2], v = -1, won;

    (void)arg;
    bare_pair(SOCK_STREAM, fds);
    for (int i = 0; i < MANY; i++) {
        c[i] = make(i % 2 != 0 ? 1 : MF_UNBOUNDED);
        cases[i] = ints_on_recv(c[i], &v);
    }
    for (int i = 0; i < 40; i++)
        cases[i * 7] = mf_on_fd(fds[0], POLLIN);
    EXPECT_EQ(mf_select(cases, MANY, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_select(cases, MANY, soon()), -ETIMEDOUT);
    EXPECT_EQ(ints_send(c[201], 5, MF_NOW), 0);
    EXPECT_EQ(mf_select(cases, MANY, MF_NEVER), 201);
    EXPECT_EQ(v, 5);
    EXPECT_EQ(mf_write(fds[1], "x", 1, late()), 1);
    won = mf_select(cases, MANY, late());
    EXPECT(won >= 0 && won % 7 == 0 && won < 280);
    for (int i = 0; i < MANY; i++)
        ints_unref(c[i]);
    EXPECT_EQ(mf_close(fds[0]) + mf_close(fds[1]), 0);
    free(c);
    free(cases);
    return 0;
}

MFI_TEST(there_is_no_limit_to_the_cases)
{
    in_both(many_cases, NULL);
}

/* ---- deadline and cancel ------------------------------------------------- */

static int selects_for_ever(void *arg)
{
    ints **c = arg;
    int in, out = 1, fds[2];
    mf_event e = {{0, 0}};
    mf_case cases[6];

    bare_pair(SOCK_STREAM, fds);
    cases[0] = ints_on_recv(c[0], &in);
    cases[1] = ints_on_send(c[1], &out);
    cases[2] = mf_on_fd(fds[0], POLLIN);
    cases[3] = mf_on_event(&e);
    cases[4] = mf_on_time(mf_after(MF_SEC(1000)));
    cases[5] = mf_on_join(NULL, NULL);
    EXPECT_EQ(mf_select(cases, 6, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_select(cases, 6, MF_NOW), -ECANCELED);
    EXPECT_EQ(mf_close(fds[0]) + mf_close(fds[1]), 0);
    return 0;
}

static int cancels_selects(void *arg)
{
    ints *c[2] = {make(0), make(0)};
    mf_task *t;
    int v;

    (void)arg;
    for (int i = 0; i < 50; i++) {
        MF_SCOPE(s);

        EXPECT_EQ(mf_spawn(&s, selects_for_ever, c, NULL, &t), 0);
        if (i % 2 == 0)
            await_parked(t);
        mf_scope_cancel(&s);
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_EQ(ints_send(c[0], 1, MF_NOW), -ETIMEDOUT);
        EXPECT_EQ(ints_recv(c[1], &v, MF_NOW), -ETIMEDOUT);
    }
    ints_unref(c[0]);
    ints_unref(c[1]);
    return 0;
}

MFI_TEST(a_cancel_ends_a_select_and_leaves_nothing_behind)
{
    in_both(cancels_selects, NULL);
}

/*
 * A point in time and the deadline: whichever is first. Far apart, as a thread
 * that gets no CPU finds both passed.
 */
static int times(void *arg)
{
    mf_deadline far = mf_after(MF_SEC(1000));
    mf_case cases[2] = {mf_on_time(far), mf_on_time(far)};

    (void)arg;
    EXPECT_EQ(mf_select(cases, 2, mf_after(MF_MSEC(1))), -ETIMEDOUT);
    cases[1] = mf_on_time(mf_after(MF_MSEC(2)));
    EXPECT_EQ(mf_select(cases, 2, late()), 1);
    cases[0] = mf_on_time(mf_after(MF_MSEC(2)));
    cases[1] = mf_on_time(MF_NEVER);
    EXPECT_EQ(mf_select(cases, 2, MF_NEVER), 0);
    return 0;
}

MFI_TEST(the_earliest_point_in_time_counts)
{
    in_both(times, NULL);
}
