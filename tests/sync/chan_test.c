/* SPDX-License-Identifier: MIT */
/*
 * chan_test.c - what is sent arrives once, in order, whole; and close, drain,
 * deadlines, cancels and misuse, in tasks and threads.
 */
#include "sync/crowd.h"

MF_CHAN_DEFINE(ints, int);

static ints *make(size_t capacity)
{
    ints *c = NULL;

    EXPECT_EQ(ints_make(capacity, NULL, &c), 0);
    return c;
}

/* ---- one at a time ------------------------------------------------------- */

static int buffers(void *arg)
{
    size_t cap = *(size_t *)arg;
    ints *c = make(cap);
    int n = cap == MF_UNBOUNDED ? 10000 / KIT_SLOW : (int)cap, v;

    EXPECT_EQ(ints_recv(c, &v, MF_NOW), -ETIMEDOUT);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < n; i++)
            EXPECT_EQ(ints_send(c, i, MF_NOW), 0);
        EXPECT_EQ(mf_chan_len(ints_chan(c)), n);
        if (cap != MF_UNBOUNDED) {
            EXPECT_EQ(ints_send(c, 7, MF_NOW), -ETIMEDOUT);
            EXPECT_EQ(ints_send(c, 7, soon()), -ETIMEDOUT);
        }
        for (int i = 0; i < n; i++) {
            EXPECT_EQ(ints_recv(c, &v, MF_NOW), 1);
            EXPECT_EQ(v, i);
        }
        EXPECT_EQ(ints_recv(c, &v, MF_NOW), -ETIMEDOUT);
        EXPECT_EQ(ints_recv(c, &v, soon()), -ETIMEDOUT);
    }
    ints_unref(c);
    return 0;
}

MFI_TEST(a_buffer_holds_its_capacity_in_order)
{
    static size_t caps[] = {0, 1, 3, 128, MF_UNBOUNDED};

    for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++)
        in_both(buffers, &caps[i]);
}

static int closes(void *arg)
{
    ints *c = make(*(size_t *)arg);
    int v = 0;

    EXPECT_EQ(ints_send(c, 1, MF_NOW), 0);
    EXPECT_EQ(ints_send(c, 2, MF_NOW), 0);
    EXPECT_EQ(ints_close(c), 0);
    EXPECT_EQ(ints_close(c), -EALREADY);
    EXPECT_EQ(ints_send(c, 3, MF_NEVER), -EPIPE);
    EXPECT_EQ(ints_recv(c, &v, MF_NEVER), 1);
    EXPECT_EQ(v, 1);
    EXPECT_EQ(ints_recv(c, &v, MF_NEVER), 1);
    EXPECT_EQ(v, 2);
    EXPECT_EQ(ints_recv(c, &v, MF_NEVER), 0);
    EXPECT_EQ(ints_recv(c, &v, MF_NOW), 0);
    EXPECT_EQ(v, 2); /* nothing received: nothing written */
    ints_unref(c);
    return 0;
}

MFI_TEST(a_closed_channel_is_drained_then_at_its_end)
{
    static size_t caps[] = {2, MF_UNBOUNDED};

    in_both(closes, &caps[0]);
    in_both(closes, &caps[1]);
}

static int oneshots(void *arg)
{
    mf_chan *c;
    int v = 5, got = 0;

    (void)arg;
    EXPECT_EQ(mf_oneshot_make(sizeof v, NULL, &c), 0);
    EXPECT_EQ(mf_chan_recv(c, &got, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_chan_send(c, &v, MF_NOW), 0);
    EXPECT_EQ(mf_chan_send(c, &v, MF_NOW), -EPIPE);
    EXPECT_EQ(mf_chan_close(c), -EALREADY);
    EXPECT_EQ(mf_chan_recv(c, &got, MF_NEVER), 1);
    EXPECT_EQ(got, 5);
    EXPECT_EQ(mf_chan_recv(c, &got, MF_NEVER), 0);
    mf_chan_unref(c);
    EXPECT_EQ(mf_oneshot_make(sizeof v, NULL, &c), 0);
    EXPECT_EQ(mf_chan_close(c), 0); /* without a value */
    EXPECT_EQ(mf_chan_recv(c, &got, MF_NEVER), 0);
    EXPECT_EQ(mf_chan_send(c, &v, MF_NOW), -EPIPE);
    mf_chan_unref(c);
    return 0;
}

MFI_TEST(a_oneshot_carries_one)
{
    in_both(oneshots, NULL);
}

/* ---- elements of any size ------------------------------------------------ */

static int sizes(void *arg)
{
    static const size_t all[] = {0, 1, 2, 4, 7, 8, 16, 24, 5000, 1 << 20};
    size_t cap = *(size_t *)arg;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        size_t size = all[i];
        unsigned char *in = malloc(size + 1), *out = malloc(size + 1);
        mf_chan *c;

        EXPECT_EQ(mf_chan_make(size, cap, NULL, &c), 0);
        for (int k = 0; k < 9; k++) {
            memset(in, 'a' + k, size + 1);
            memset(out, 'z', size + 1);
            for (int turn = 0; turn < 2; turn++)
                EXPECT_EQ(mf_chan_send(c, size == 0 ? NULL : in, MF_NOW), 0);
            for (int turn = 0; turn < 2; turn++) {
                EXPECT_EQ(mf_chan_recv(c, size == 0 ? NULL : out, MF_NOW), 1);
                EXPECT_EQ(memcmp(in, out, size), 0);
                EXPECT_EQ(out[size], 'z'); /* not a byte more */
            }
        }
        mf_chan_unref(c);
        free(in);
        free(out);
    }
    return 0;
}

MFI_TEST(elements_have_any_size)
{
    static size_t caps[] = {2, MF_UNBOUNDED};

    in_both(sizes, &caps[0]);
    in_both(sizes, &caps[1]);
}

static int dropped;

static void drop_int(void *elem)
{
    dropped = dropped * 10 + *(int *)elem;
}

static int drops(void *arg)
{
    size_t cap = *(size_t *)arg;
    ints *c;
    int v;

    dropped = 0;
    EXPECT_EQ(ints_make(cap, MF_CHAN_OPTIONS(.drop = drop_int), &c), 0);
    EXPECT(ints_ref(c) == c);
    for (int i = 1; i <= 4; i++)
        EXPECT_EQ(ints_send(c, i, MF_NOW), 0);
    EXPECT_EQ(ints_recv(c, &v, MF_NOW), 1);
    ints_unref(c);
    EXPECT_EQ(dropped, 0);
    EXPECT_EQ(ints_close(c), 0);
    EXPECT_EQ(dropped, 0); /* they can still be received */
    ints_unref(c);
    EXPECT_EQ(dropped, 234);
    return 0;
}

MFI_TEST(the_last_reference_drops_what_nobody_received)
{
    static size_t caps[] = {4, MF_UNBOUNDED};

    in_both(drops, &caps[0]);
    in_both(drops, &caps[1]);
}

static int many(void *arg)
{
    ints *c = make(*(size_t *)arg);
    int v[300];

    EXPECT_EQ(ints_recv_many(c, v, 0, MF_NOW), -EINVAL);
    EXPECT_EQ(ints_recv_many(c, v, 300, MF_NOW), -ETIMEDOUT);
    for (int i = 0; i < 200; i++)
        EXPECT_EQ(ints_send(c, i, MF_NOW), 0);
    EXPECT_EQ(ints_recv_many(c, v, 150, MF_NEVER), 150);
    EXPECT_EQ(ints_recv_many(c, v + 150, 150, MF_NEVER), 50);
    for (int i = 0; i < 200; i++)
        EXPECT_EQ(v[i], i);
    EXPECT_EQ(ints_close(c), 0);
    EXPECT_EQ(ints_recv_many(c, v, 300, MF_NEVER), 0);
    ints_unref(c);
    return 0;
}

MFI_TEST(a_batch_is_what_is_there)
{
    static size_t caps[] = {200, MF_UNBOUNDED};

    in_both(many, &caps[0]);
    in_both(many, &caps[1]);
}

static int misuse(void *arg)
{
    mf_chan *c = NULL;
    ints *good = make(1);
    int v = 0;

    (void)arg;
    EXPECT_EQ(mf_chan_make(4, 1, NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_chan_make((1 << 20) + 1, 1, NULL, &c), -EINVAL);
    EXPECT_EQ(mf_chan_make(16, SIZE_MAX / 16, NULL, &c), -EINVAL);
    if (!MFI_TEST_TSAN && !MFI_TEST_ASAN) /* there it is the end */
        EXPECT_EQ(mf_chan_make(16, (size_t)1 << 40, NULL, &c), -ENOMEM);
    EXPECT_EQ(mf_chan_make(4, 1, MF_CHAN_OPTIONS(.hint = 3), &c), -EINVAL);
    EXPECT(c == NULL);
    EXPECT_EQ(mf_chan_send(NULL, &v, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_chan_recv(NULL, &v, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_chan_recv_many(NULL, &v, 1, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_chan_send(ints_chan(good), NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_chan_recv(ints_chan(good), NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_chan_close(NULL), -EINVAL);
    EXPECT_EQ(mf_chan_len(NULL), -EINVAL);
    EXPECT(mf_chan_ref(NULL) == NULL);
    mf_chan_unref(NULL);
    ints_unref(good);
    return 0;
}

MFI_TEST(misuse_is_told)
{
    in_both(misuse, NULL);
}

/* As std's no_runtime: a channel needs none. */
MFI_TEST(threads_need_no_runtime)
{
    ints *c = make(1);
    int v;

    EXPECT_EQ(ints_send(c, 3, MF_NEVER), 0);
    EXPECT_EQ(ints_send(c, 4, soon()), -ETIMEDOUT);
    EXPECT_EQ(ints_recv(c, &v, MF_NEVER), 1);
    EXPECT_EQ(v, 3);
    ints_unref(c);
}

/* ---- waiting ------------------------------------------------------------- */

struct wait {
    ints *c;
    int rc; /* what is to come of it */
    int v;
};

static int sends(void *arg)
{
    struct wait *w = arg;

    EXPECT_EQ(ints_send(w->c, w->v, late()), w->rc);
    return 0;
}

static int receives(void *arg)
{
    struct wait *w = arg;
    int v = w->v;

    EXPECT_EQ(ints_recv(w->c, &v, late()), w->rc);
    EXPECT_EQ(v, w->v);
    return 0;
}

/* One waits for another: whoever comes first. */
static int meets(void *arg)
{
    ints *c = make(0);
    struct wait w = {c, 0, 11};
    mf_task *t;
    int v = 0;
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_spawn(&s, sends, &w, NULL, &t), 0);
    await_parked(t);
    EXPECT_EQ(ints_recv(c, &v, MF_NOW), 1); /* a sender waits: no need to */
    EXPECT_EQ(v, 11);
    EXPECT_EQ(mf_join(t, NULL, late()), 0);
    w = (struct wait){c, 1, 12};
    EXPECT_EQ(mf_spawn(&s, receives, &w, NULL, &t), 0);
    await_parked(t);
    EXPECT_EQ(ints_send(c, 12, MF_NOW), 0);
    EXPECT_EQ(mf_join(t, NULL, late()), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    ints_unref(c);
    return 0;
}

MFI_TEST(a_rendezvous_waits_for_the_other)
{
    in_both(meets, NULL);
}

/* A full buffer and two senders behind it: first in, first out. */
static int queues(void *arg)
{
    ints *c = make(1);
    struct wait w[2] = {{c, 0, 2}, {c, 0, 3}};
    int v;
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(ints_send(c, 1, MF_NOW), 0);
    for (int i = 0; i < 2; i++) {
        mf_task *t;

        EXPECT_EQ(mf_spawn(&s, sends, &w[i], NULL, &t), 0);
        await_parked(t);
    }
    for (int i = 1; i <= 3; i++) {
        EXPECT_EQ(ints_recv(c, &v, MF_NOW), 1);
        EXPECT_EQ(v, i);
    }
    EXPECT_EQ(ints_recv(c, &v, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_scope_close(&s), 0);
    ints_unref(c);
    return 0;
}

MFI_TEST(waiting_senders_are_next_in_line)
{
    in_both(queues, NULL);
}

static int closed_on(void *arg)
{
    ints *full = make(1), *empty = make(1);
    struct wait w[4] = {
        {full, -EPIPE, 2}, {full, -EPIPE, 3}, {empty, 0, 4}, {empty, 0, 5}};
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(ints_send(full, 1, MF_NOW), 0);
    for (int i = 0; i < 4; i++) {
        mf_task *t;

        EXPECT_EQ(mf_spawn(&s, i < 2 ? sends : receives, &w[i], NULL, &t), 0);
        await_parked(t);
    }
    EXPECT_EQ(ints_close(full), 0);
    EXPECT_EQ(ints_close(empty), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_chan_len(ints_chan(full)), 1);
    ints_unref(full);
    ints_unref(empty);
    return 0;
}

MFI_TEST(close_tells_all_who_wait)
{
    in_both(closed_on, NULL);
}

static int cancelled(void *arg)
{
    ints *full = make(1), *empty = make(0);
    struct wait w[2] = {{full, -ECANCELED, 2}, {empty, -ECANCELED, 4}};
    mf_task *t;
    int v;

    (void)arg;
    EXPECT_EQ(ints_send(full, 1, MF_NOW), 0);
    {
        MF_SCOPE(s, .mode = MF_WAIT_ALL);

        for (int i = 0; i < 2; i++) {
            EXPECT_EQ(mf_spawn(&s, i < 1 ? sends : receives, &w[i], NULL, &t),
                      0);
            await_parked(t);
        }
        mf_scope_cancel(&s);
        /* On entry, too: also where nothing had to be waited for. */
        EXPECT_EQ(ints_recv(full, &v, MF_NEVER), -ECANCELED);
        EXPECT_EQ(ints_send(full, 9, MF_NOW), -ECANCELED);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    EXPECT_EQ(ints_recv(full, &v, MF_NOW), 1);
    EXPECT_EQ(v, 1);
    EXPECT_EQ(ints_recv(full, &v, MF_NOW), -ETIMEDOUT); /* 2 did not go in */
    EXPECT_EQ(ints_send(empty, 1, MF_NOW), -ETIMEDOUT); /* nobody waits */
    ints_unref(full);
    ints_unref(empty);
    return 0;
}

MFI_TEST(a_cancelled_wait_has_moved_nothing)
{
    in_both(cancelled, NULL);
}

static int batches_from_waiters(void *arg)
{
    ints *c = make(0);
    struct wait w[5];
    int v[8];
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 5; i++) {
        mf_task *t;

        w[i] = (struct wait){c, 0, i};
        EXPECT_EQ(mf_spawn(&s, sends, &w[i], NULL, &t), 0);
        await_parked(t);
    }
    EXPECT_EQ(ints_recv_many(c, v, 8, MF_NEVER), 5);
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(v[i], i);
    EXPECT_EQ(mf_scope_close(&s), 0);
    ints_unref(c);
    return 0;
}

MFI_TEST(a_batch_takes_from_those_who_wait)
{
    in_both(batches_from_waiters, NULL);
}
