/* SPDX-License-Identifier: MIT */
/*
 * history_test.c - the judge of histories is judged: it refuses what nothing
 * explains, by hand, and agrees with one that tries all orders, by chance.
 */
#include "sync/history.h"

#include "sched/help.h"
#include "sync/specs.h"

enum { JUDGED = MFI_TEST_TSAN || MFI_TEST_ASAN ? 2000 : 20000 };

/* ---- by hand ------------------------------------------------------------- */

/* Calls of a history by hand: actor, kind, from, to, arg, result, value. */
struct told {
    int actor, kind;
    uint32_t from, to;
    int arg, result, value;
};

static bool explained(const struct spec *spec, const struct told *told, int n)
{
    struct history h = {.n = 0};

    for (int i = 0; i < n; i++) {
        struct call *c = history_add(&h, told[i].actor, told[i].kind);

        c->from = told[i].from;
        c->to = told[i].to;
        c->arg = told[i].arg;
        c->result = told[i].result;
        c->value = told[i].value;
    }
    return history_explained(&h, spec);
}

#define EXPLAINED(spec, ...)                     \
 explained(                                      \
     (spec), (const struct told[]){__VA_ARGS__}, \
     (int)(sizeof((const struct told[]){__VA_ARGS__}) / sizeof(struct told)))

MFI_TEST(what_a_channel_may_do_is_explained)
{
    struct spec two = chan_spec(2), one = chan_spec(1);

    EXPECT(EXPLAINED(&two, {0, SEND, 0, 1, 7, 0, 0}, {1, RECV, 2, 3, 0, 1, 7}));
    EXPECT(EXPLAINED(&two, {0, SEND, 2, 3, 7, 0, 0}, {1, RECV, 0, 4, 0, 1, 7}));
    /* the response of the send comes last */
    EXPECT(EXPLAINED(&two, {0, SEND, 0, 5, 7, 0, 0}, {1, RECV, 1, 2, 0, 1, 7},
                     {1, RECV, 3, 4, 0, -ETIMEDOUT, 0}));
    /* two at once: either order */
    EXPECT(EXPLAINED(&two, {0, SEND, 0, 3, 7, 0, 0}, {1, SEND, 1, 2, 8, 0, 0},
                     {2, RECV, 4, 5, 0, 1, 7}, {2, RECV, 6, 7, 0, 1, 8}));
    EXPECT(EXPLAINED(&two, {0, SEND, 0, 3, 7, 0, 0}, {1, SEND, 1, 2, 8, 0, 0},
                     {2, RECV, 4, 5, 0, 1, 8}, {2, RECV, 6, 7, 0, 1, 7}));
    EXPECT(EXPLAINED(
        &one, {0, SEND, 0, 1, 7, 0, 0}, {0, SEND, 2, 3, 8, -ETIMEDOUT, 0},
        {0, CLOSE, 4, 5, 0, 0, 0}, {0, CLOSE, 6, 7, 0, -EALREADY, 0},
        {0, SEND, 8, 9, 8, -EPIPE, 0}, {0, LEN, 10, 11, 0, 1, 0},
        {0, RECV, 12, 13, 0, 1, 7}, {0, RECV, 14, 15, 0, 0, 0}));
}

MFI_TEST(what_no_channel_may_do_is_refused)
{
    struct spec two = chan_spec(2), one = chan_spec(1);

    /* lost */
    EXPECT(!EXPLAINED(&two, {0, SEND, 0, 1, 7, 0, 0},
                      {1, RECV, 2, 3, 0, -ETIMEDOUT, 0}));
    EXPECT(!EXPLAINED(&two, {0, SEND, 0, 1, 7, 0, 0}, {0, SEND, 2, 3, 8, 0, 0},
                      {1, RECV, 4, 5, 0, 1, 8}));
    /* twice */
    EXPECT(!EXPLAINED(&two, {0, SEND, 0, 1, 7, 0, 0}, {1, RECV, 2, 3, 0, 1, 7},
                      {1, RECV, 4, 5, 0, 1, 7}));
    /* made up, and before it was sent */
    EXPECT(!EXPLAINED(&two, {1, RECV, 0, 1, 0, 1, 7}));
    EXPECT(
        !EXPLAINED(&two, {1, RECV, 0, 1, 0, 1, 7}, {0, SEND, 2, 3, 7, 0, 0}));
    /* out of order */
    EXPECT(!EXPLAINED(&two, {0, SEND, 0, 1, 7, 0, 0}, {0, SEND, 2, 3, 8, 0, 0},
                      {1, RECV, 4, 5, 0, 1, 8}, {1, RECV, 6, 7, 0, 1, 7}));
    /* more than there is room for */
    EXPECT(!EXPLAINED(&one, {0, SEND, 0, 1, 7, 0, 0}, {0, SEND, 2, 3, 8, 0, 0},
                      {1, RECV, 4, 5, 0, 1, 7}, {1, RECV, 6, 7, 0, 1, 8}));
    /* no room, and yet there is */
    EXPECT(!EXPLAINED(&one, {0, SEND, 0, 1, 7, -ETIMEDOUT, 0}));
    /* closed, but not for all */
    EXPECT(
        !EXPLAINED(&one, {0, CLOSE, 0, 1, 0, 0, 0}, {1, SEND, 2, 3, 7, 0, 0}));
    EXPECT(!EXPLAINED(&one, {0, SEND, 0, 1, 7, 0, 0}, {1, CLOSE, 2, 3, 0, 0, 0},
                      {0, RECV, 4, 5, 0, 0, 0}));
    EXPECT(
        !EXPLAINED(&one, {0, CLOSE, 0, 3, 0, 0, 0}, {1, CLOSE, 1, 2, 0, 0, 0}));
    EXPECT(!EXPLAINED(&one, {0, SEND, 0, 1, 7, -EPIPE, 0},
                      {1, CLOSE, 2, 3, 0, 0, 0}));
    EXPECT(!EXPLAINED(&one, {0, SEND, 0, 1, 7, -EINVAL, 0}));
}

MFI_TEST(a_rendezvous_is_one_moment_for_both)
{
    struct spec none = chan_spec(0);

    EXPECT(
        EXPLAINED(&none, {0, SEND, 0, 2, 7, 0, 0}, {1, RECV, 1, 3, 0, 1, 7}));
    EXPECT(EXPLAINED(&none, {0, SEND, 0, 7, 7, 0, 0}, {1, RECV, 1, 6, 0, 1, 8},
                     {2, SEND, 2, 5, 8, 0, 0}, {3, RECV, 3, 4, 0, 1, 7},
                     {3, CLOSE, 8, 9, 0, 0, 0}, {3, RECV, 10, 11, 0, 0, 0}));
    EXPECT(EXPLAINED(&none, {0, SEND, 0, 1, 7, -ETIMEDOUT, 0}));
    /* one after the other, with nobody, with oneself, with two */
    EXPECT(
        !EXPLAINED(&none, {0, SEND, 0, 1, 7, 0, 0}, {1, RECV, 2, 3, 0, 1, 7}));
    EXPECT(!EXPLAINED(&none, {0, SEND, 0, 1, 7, 0, 0}));
    EXPECT(
        !EXPLAINED(&none, {0, SEND, 0, 2, 7, 0, 0}, {0, RECV, 1, 3, 0, 1, 7}));
    EXPECT(!EXPLAINED(&none, {0, SEND, 0, 5, 7, 0, 0}, {1, RECV, 1, 3, 0, 1, 7},
                      {2, RECV, 2, 4, 0, 1, 7}));
    EXPECT(
        !EXPLAINED(&none, {0, SEND, 0, 2, 7, 0, 0}, {1, RECV, 1, 3, 0, 1, 8}));
    /* a later send overtakes: it met its receiver before it was called */
    EXPECT(!EXPLAINED(&none, {0, RECV, 0, 1, 0, 1, 7}, {1, SEND, 2, 4, 7, 0, 0},
                      {2, RECV, 3, 5, 0, 1, 7}));
    EXPECT(!EXPLAINED(&none, {2, CLOSE, 0, 1, 0, 0, 0},
                      {0, SEND, 2, 4, 7, 0, 0}, {1, RECV, 3, 5, 0, 1, 7}));
    EXPECT(!EXPLAINED(&none, {2, CLOSE, 0, 1, 0, 0, 0},
                      {0, SEND, 2, 4, 7, -ETIMEDOUT, 0}));
}

MFI_TEST(what_a_mutex_may_and_may_not_do_is_told_apart)
{
    const struct spec *m = &mutex_spec;

    EXPECT(EXPLAINED(
        m, {0, LOCK, 0, 1, 0, 0, 0}, {0, LOCK, 2, 3, 0, -EDEADLK, 0},
        {1, LOCK, 4, 7, 0, 0, 0}, {0, UNLOCK, 5, 6, 0, 0, 0},
        {0, UNLOCK, 8, 9, 0, -EPERM, 0}, {1, UNLOCK, 10, 11, 0, 0, 0}));
    EXPECT(EXPLAINED(m, {0, LOCK, 0, 1, 0, 0, 0}, {0, END, 2, 9, 0, 0, 0},
                     {1, HOLD, 3, 4, 0, 0, 0}, {1, UNLOCK, 5, 6, 0, 0, 0},
                     {2, LOCK, 7, 8, 0, MF_OWNER_DIED, 0}));
    /* two owners */
    EXPECT(!EXPLAINED(m, {0, LOCK, 0, 1, 0, 0, 0}, {1, LOCK, 2, 3, 0, 0, 0}));
    EXPECT(!EXPLAINED(m, {0, LOCK, 0, 3, 0, 0, 0}, {1, LOCK, 1, 2, 0, 0, 0},
                      {0, UNLOCK, 4, 5, 0, 0, 0}));
    EXPECT(!EXPLAINED(m, {0, LOCK, 0, 2, 0, 0, 0}, {1, HOLD, 1, 3, 0, 0, 0},
                      {0, UNLOCK, 4, 5, 0, 0, 0}, {1, UNLOCK, 6, 7, 0, 0, 0}));
    /* a try that fails on a free lock; a lock that was lost */
    EXPECT(!EXPLAINED(m, {0, LOCK, 0, 1, 0, -ETIMEDOUT, 0}));
    EXPECT(!EXPLAINED(m, {0, LOCK, 0, 1, 0, 0, 0}, {0, UNLOCK, 2, 3, 0, 0, 0},
                      {1, LOCK, 4, 5, 0, -ETIMEDOUT, 0}));
    /* an unlock by another; a death told twice, to nobody, of nobody */
    EXPECT(!EXPLAINED(m, {0, LOCK, 0, 1, 0, 0, 0}, {1, UNLOCK, 2, 3, 0, 0, 0}));
    EXPECT(!EXPLAINED(m, {0, LOCK, 0, 1, 0, 0, 0}, {0, END, 2, 9, 0, 0, 0},
                      {1, LOCK, 3, 4, 0, MF_OWNER_DIED, 0},
                      {1, UNLOCK, 5, 6, 0, 0, 0},
                      {2, LOCK, 7, 8, 0, MF_OWNER_DIED, 0}));
    EXPECT(!EXPLAINED(m, {0, LOCK, 0, 1, 0, 0, 0}, {0, END, 2, 3, 0, 0, 0},
                      {1, LOCK, 4, 5, 0, 0, 0}));
    EXPECT(!EXPLAINED(m, {1, LOCK, 4, 5, 0, MF_OWNER_DIED, 0}));
}

MFI_TEST(what_a_semaphore_may_and_may_not_do_is_told_apart)
{
    struct spec none = sem_spec(0), one = sem_spec(1);

    EXPECT(EXPLAINED(&one, {0, WAIT, 0, 1, 0, 0, 0}, {1, WAIT, 2, 5, 0, 0, 0},
                     {0, POST, 3, 4, 2, 0, 0}, {0, VALUE, 6, 7, 0, 1, 0}));
    EXPECT(EXPLAINED(&none, {0, WAIT, 0, 3, 0, -ETIMEDOUT, 0},
                     {1, POST, 1, 2, 1, 0, 0}));
    EXPECT(
        !EXPLAINED(&one, {0, WAIT, 0, 2, 0, 0, 0}, {1, WAIT, 1, 3, 0, 0, 0}));
    EXPECT(!EXPLAINED(&one, {0, WAIT, 0, 1, 0, -ETIMEDOUT, 0}));
    EXPECT(
        !EXPLAINED(&none, {0, WAIT, 0, 1, 0, 0, 0}, {1, POST, 2, 3, 1, 0, 0}));
    EXPECT(
        !EXPLAINED(&none, {0, POST, 0, 1, 2, 0, 0}, {1, VALUE, 2, 3, 0, 1, 0}));
}

/* ---- the judge's judge: all orders, one by one --------------------------- */

static bool any_order(const struct history *h, const struct spec *spec,
                      int *order, int n, uint32_t used)
{
    struct state s = spec->start;

    for (int i = 0; i < h->n; i++) {
        if ((used >> i & 1) != 0)
            continue;
        order[n] = i;
        if (any_order(h, spec, order, n + 1, used | 1u << i))
            return true;
    }
    if (n < h->n)
        return false;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++)
            if (h->call[order[i]].to < h->call[order[k]].from)
                return false;
    for (int i = 0; i < n; i++)
        if (!spec->step(&s, &h->call[order[i]]))
            return false;
    return true;
}

enum { RESULTS = 8, VALUES = 6 };

static const int results[RESULTS] = {0,      1,      2,         -ETIMEDOUT,
                                     -EPERM, -EPIPE, -EALREADY, -EDEADLK};

/* c happens now: some result that can be. */
static void happen(const struct spec *spec, struct state *s, struct call *c)
{
    for (int i = 0; i < RESULTS * VALUES; i++) {
        struct state then = *s;

        c->result = results[i % RESULTS];
        c->value = i / RESULTS;
        if (spec->step(&then, c)) {
            *s = then;
            return;
        }
    }
}

/*
 * Two calls of each of three actors, each with a moment between its beginning
 * and its end at which it happens. Then half of the times one of them tells
 * something else.
 */
static void any_history(struct history *h, const struct spec *spec,
                        uint32_t *seed)
{
    struct state s = spec->start;
    struct call *liar;
    int steps[3] = {0};

    *h = (struct history){.n = 0};
    for (int i = 0; i < 6; i++)
        history_add(h, i / 2, (int)chance(seed, 3))->arg = 1 + i % 2;
    while (mfi_load_rlx(&h->clock) < 12) {
        int a = (int)chance(seed, 3);
        struct call *c = &h->call[2 * a + steps[a] / 3];

        if (steps[a] == 6)
            continue;
        if (steps[a] % 3 == 0)
            history_invoke(h, c);
        else if (steps[a] % 3 == 1)
            happen(spec, &s, c);
        else
            history_respond(h, c);
        steps[a]++;
    }
    liar = &h->call[chance(seed, 6)];
    if (chance(seed, 2) == 0) {
        liar->result = results[chance(seed, RESULTS)];
        liar->value = (int)chance(seed, VALUES);
    }
}

static void agree(const struct spec *spec, int n)
{
    uint32_t seed = 2463534242u;
    int good = 0, order[6];

    for (int i = 0; i < n; i++) {
        struct history h;
        bool ok;

        any_history(&h, spec, &seed);
        ok = any_order(&h, spec, order, 0, 0);
        EXPECT_EQ(history_explained(&h, spec), ok);
        good += ok;
    }
    EXPECT_GT(good, n / 10);
    EXPECT_LT(good, n - n / 20);
}

MFI_TEST(the_judge_agrees_with_one_that_tries_all_orders)
{
    struct spec chan = chan_spec(2), sem = sem_spec(1);

    agree(&chan, JUDGED);
    agree(&sem, JUDGED);
    agree(&mutex_spec, JUDGED);
}
