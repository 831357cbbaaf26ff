/* SPDX-License-Identifier: MIT */
/*
 * chan_storm_test.c - many send and receive at once, with deadlines, cancels
 * and closes at random: what was sent arrived exactly once, and in the order of
 * each sender; what was not sent did not.
 */
#include "sync/crowd.h"

enum { SENDERS = 4, RECEIVERS = 3, EACH = 3000 / KIT_SLOW, WAYS = 4 };

struct msg {
    int from;
    int seq;
    uint64_t check; /* a torn copy would show */
};
MF_CHAN_DEFINE(msgs, struct msg);

struct storm {
    msgs *c;
    _Atomic int senders; /* still at it */
    _Atomic int sent;
    _Atomic int received;
    _Atomic uint8_t seen[SENDERS][EACH];
    uint8_t went[SENDERS][EACH]; /* each sender's own */
};

struct actor {
    struct storm *storm;
    int index;
    uint32_t seed;
};

static uint64_t check_of(int from, int seq)
{
    return ((uint64_t)(unsigned)from << 32 | (unsigned)seq) *
           UINT64_C(0x9e3779b97f4a7c15);
}

static mf_deadline any_deadline(uint32_t *seed)
{
    switch (dice(seed, WAYS)) {
    case 0:
        return MF_NOW;
    case 1:
        return mf_after(MF_USEC(dice(seed, 30)));
    default:
        return late();
    }
}

/* As a select of one, or as the plain call. */
static int send_one(struct actor *a, struct msg m)
{
    mf_deadline d = any_deadline(&a->seed);
    mf_case c;
    int rc;

    if (dice(&a->seed, 3) != 0)
        return msgs_send(a->storm->c, m, d);
    c = msgs_on_send(a->storm->c, &m);
    rc = mf_select(&c, 1, d);
    return rc < 0 ? rc : c.res;
}

static int receive_one(struct actor *a, struct msg *m)
{
    mf_deadline d = any_deadline(&a->seed);
    mf_case c;
    int rc;

    if (dice(&a->seed, 3) != 0)
        return msgs_recv(a->storm->c, m, d);
    c = msgs_on_recv(a->storm->c, m);
    rc = mf_select(&c, 1, d);
    return rc < 0 ? rc : c.res;
}

static int send_all(struct actor *a)
{
    struct storm *s = a->storm;

    for (int i = 0; i < EACH; i++) {
        struct msg m = {a->index, i, check_of(a->index, i)};
        int rc = send_one(a, m);

        EXPECT(rc == 0 || rc == -ETIMEDOUT);
        if (rc == 0) {
            s->went[a->index][i] = 1;
            mfi_add_acqrel(&s->sent, 1);
        }
        if (dice(&a->seed, 8) == 0)
            EXPECT_EQ(mf_yield(), 0);
    }
    if (mfi_sub_acqrel(&s->senders, 1) == 1)
        EXPECT_EQ(msgs_close(s->c), 0);
    return 0;
}

static int receive_all(struct actor *a)
{
    struct storm *s = a->storm;
    int last[SENDERS], rc;
    struct msg m = {0, 0, 0};

    for (int i = 0; i < SENDERS; i++)
        last[i] = -1;
    while ((rc = receive_one(a, &m)) != 0) {
        if (rc == -ETIMEDOUT)
            continue;
        EXPECT_EQ(rc, 1);
        EXPECT(m.from >= 0 && m.from < SENDERS && m.seq >= 0 && m.seq < EACH);
        EXPECT(m.check == check_of(m.from, m.seq));
        EXPECT_GT(m.seq, last[m.from]);
        last[m.from] = m.seq;
        EXPECT_EQ(mfi_add_acqrel(&s->seen[m.from][m.seq], (uint8_t)1), 0);
        mfi_add_acqrel(&s->received, 1);
        m = (struct msg){-1, -1, 0};
    }
    return 0;
}

static int act(void *arg)
{
    struct actor *a = arg;

    return a->index < SENDERS ? send_all(a) : receive_all(a);
}

static void storm(enum mix mix, int workers, size_t capacity)
{
    struct storm *s = calloc(1, sizeof *s);
    struct actor actors[SENDERS + RECEIVERS];

    EXPECT(s != NULL);
    s->senders = SENDERS;
    EXPECT_EQ(msgs_make(capacity, NULL, &s->c), 0);
    for (int i = 0; i < SENDERS + RECEIVERS; i++)
        actors[i] = (struct actor){s, i, 77u + (uint32_t)i * 7919u};
    crowd(mix, workers, act, actors, sizeof actors[0], SENDERS + RECEIVERS);
    EXPECT_EQ(s->sent, s->received);
    EXPECT_BY_CHANCE(s->sent > 0);
    for (int i = 0; i < SENDERS; i++)
        for (int k = 0; k < EACH; k++)
            EXPECT_EQ(s->seen[i][k], s->went[i][k]);
    msgs_unref(s->c);
    free(s);
}

MFI_TEST(rendezvous_loses_and_doubles_nothing)
{
    FOR_ALL_CROWDS(mix, workers)
    storm((enum mix)mix, workers, 0);
}

MFI_TEST(a_small_buffer_loses_and_doubles_nothing)
{
    FOR_ALL_CROWDS(mix, workers)
    storm((enum mix)mix, workers, 3);
}

MFI_TEST(an_unbounded_buffer_loses_and_doubles_nothing)
{
    FOR_ALL_CROWDS(mix, workers)
    storm((enum mix)mix, workers, MF_UNBOUNDED);
}

/* ---- cancels ------------------------------------------------------------- */

struct race {
    msgs *c;
    _Atomic int sent;
    _Atomic int received;
};

static int sends_until_cancelled(void *arg)
{
    struct race *r = arg;
    int rc;

    while ((rc = msgs_send(r->c, (struct msg){0, 0, 0}, MF_NEVER)) == 0)
        mfi_add_acqrel(&r->sent, 1);
    EXPECT_EQ(rc, -ECANCELED);
    return rc;
}

static int receives_until_cancelled(void *arg)
{
    struct race *r = arg;
    struct msg m;
    int rc;

    while ((rc = msgs_recv(r->c, &m, MF_NEVER)) == 1)
        mfi_add_acqrel(&r->received, 1);
    EXPECT_EQ(rc, -ECANCELED);
    return rc;
}

/* Each round both ends are cancelled in the middle of it. */
static int cancel_rounds(void *arg)
{
    enum { ROUNDS = 600 / KIT_SLOW };
    size_t cap = *(size_t *)arg;

    for (int i = 0; i < ROUNDS; i++) {
        struct race r = {.sent = 0};
        int left = 0, rc;
        struct msg m;
        mf_scope s;

        EXPECT_EQ(msgs_make(cap, NULL, &r.c), 0);
        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        for (int k = 0; k < 2; k++) {
            EXPECT_EQ(mf_go(&s, sends_until_cancelled, &r), 0);
            EXPECT_EQ(mf_go(&s, receives_until_cancelled, &r), 0);
        }
        for (int k = 0; k < i % 7; k++)
            EXPECT_EQ(mf_yield(), 0);
        mf_scope_cancel(&s);
        EXPECT_EQ(mf_scope_close(&s), 0);
        while ((rc = msgs_recv(r.c, &m, MF_NOW)) == 1)
            left++;
        EXPECT_EQ(rc, -ETIMEDOUT);
        EXPECT_EQ(r.sent, r.received + left);
        msgs_unref(r.c);
    }
    return 0;
}

MFI_TEST(a_cancel_in_the_middle_loses_and_doubles_nothing)
{
    static size_t caps[] = {0, 2, MF_UNBOUNDED};

    for (int i = 0; i < 3; i++) {
        in_tasks(1, cancel_rounds, &caps[i]);
        in_tasks(2, cancel_rounds, &caps[i]);
    }
}

/* ---- close against everybody --------------------------------------------- */

struct closing {
    msgs *c;
    _Atomic int sent;
    _Atomic int received;
};

static int sends_until_closed(void *arg)
{
    struct closing *r = arg;
    int rc;

    while ((rc = msgs_send(r->c, (struct msg){0, 0, 0}, MF_NEVER)) == 0)
        mfi_add_acqrel(&r->sent, 1);
    EXPECT_EQ(rc, -EPIPE);
    return 0;
}

static int receives_until_closed(void *arg)
{
    struct closing *r = arg;
    struct msg m;
    int rc;

    while ((rc = msgs_recv(r->c, &m, MF_NEVER)) == 1)
        mfi_add_acqrel(&r->received, 1);
    EXPECT_EQ(rc, 0);
    return 0;
}

static int close_rounds(void *arg)
{
    enum { ROUNDS = 600 / KIT_SLOW };
    size_t cap = *(size_t *)arg;

    for (int i = 0; i < ROUNDS; i++) {
        struct closing r = {.sent = 0};
        mf_scope s;

        EXPECT_EQ(msgs_make(cap, NULL, &r.c), 0);
        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        for (int k = 0; k < 2; k++) {
            EXPECT_EQ(mf_go(&s, sends_until_closed, &r), 0);
            EXPECT_EQ(mf_go(&s, receives_until_closed, &r), 0);
        }
        for (int k = 0; k < i % 7; k++)
            EXPECT_EQ(mf_yield(), 0);
        EXPECT_EQ(msgs_close(r.c), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_EQ(r.sent, r.received);
        msgs_unref(r.c);
    }
    return 0;
}

MFI_TEST(a_close_in_the_middle_loses_nothing)
{
    static size_t caps[] = {0, 2, MF_UNBOUNDED};

    for (int i = 0; i < 3; i++) {
        in_tasks(1, close_rounds, &caps[i]);
        in_tasks(2, close_rounds, &caps[i]);
    }
}
