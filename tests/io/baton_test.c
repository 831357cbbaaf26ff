/* SPDX-License-Identifier: MIT */
/*
 * baton_test.c - many wait on one fd: no byte is lost, nobody waits for ever,
 * whatever becomes of those who were woken.
 */
#include "io/kit.h"

enum { READERS = 12, ROUNDS = 150 / KIT_SLOW };

struct crowd {
    struct pair p;
    mf_ns patience; /* > 0: deadlines up to this, then again */
    _Atomic uint32_t seed;
    _Atomic uint32_t got;  /* bytes, by all */
    _Atomic uint32_t left; /* victims who went without one */
};

static mf_deadline patience(struct crowd *c, uint32_t i)
{
    if (c->patience == 0)
        return late();
    return i % 3 == 0 ? MF_NOW : mf_after(c->patience * (i % 7) / 7);
}

/* Until it has one byte or is cancelled. */
static int want_one(void *arg)
{
    struct crowd *c = arg;
    uint32_t i = mfi_add_acqrel(&c->seed, 1u);
    char byte;
    int n;

    while ((n = mf_read(c->p.r, &byte, 1, patience(c, i++))) == -ETIMEDOUT) {
        EXPECT_NE(c->patience, 0);
        if (mf_yield() == -ECANCELED) {
            n = -ECANCELED;
            break;
        }
    }
    if (n == -ECANCELED)
        mfi_add_acqrel(&c->left, 1u);
    else
        EXPECT_EQ(n, 1);
    if (n == 1)
        mfi_add_acqrel(&c->got, 1u);
    return 0;
}

static void *want_one_thread(void *arg)
{
    EXPECT_EQ(want_one(arg), 0);
    return NULL;
}

static void feed(struct crowd *c, uint32_t n)
{
    char bytes[READERS * 2] = {0};

    EXPECT_EQ(mf_write_all(c->p.w, bytes, n, late()), 0);
}

static void nothing_left(struct crowd *c)
{
    char byte;

    EXPECT_EQ(mf_read(c->p.r, &byte, 1, MF_NOW), -ETIMEDOUT);
}

/* All wait; one write makes one edge; it has to reach them all. */
static void one_edge(struct crowd *c, int threads)
{
    pthread_t thread[READERS];
    mf_scope scope;

    EXPECT_EQ(mf_scope_open(&scope, NULL), 0);
    for (int i = 0; i < READERS; i++)
        if (i < threads)
            EXPECT_EQ(pthread_create(&thread[i], NULL, want_one_thread, c), 0);
        else
            EXPECT_EQ(mf_go(&scope, want_one, c), 0);
    await_waiters(c->p.r, READERS);
    feed(c, READERS);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    for (int i = 0; i < threads; i++)
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
    nothing_left(c);
}

static int one_edge_for_all(void *arg)
{
    static const enum pair_kind kinds[] = {PAIR_TCP4, PAIR_UNIX, PAIR_PIPE};

    (void)arg;
    for (size_t k = 0; k < 3; k++) {
        struct crowd c = {.p = make_pair(kinds[k])};

        for (int i = 0; i < ROUNDS / 4; i++) {
            one_edge(&c, 0);
            one_edge(&c, i % 3 == 0 ? READERS / 2 : 0);
        }
        close_pair(&c.p);
    }
    return 0;
}

MFI_TEST(one_edge_with_many_bytes_reaches_every_reader)
{
    in_tasks(1, one_edge_for_all, NULL);
    in_tasks(4, one_edge_for_all, NULL);
}

MFI_TEST(one_edge_reaches_every_reader_when_all_are_threads)
{
    struct crowd c;

    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), 0);
    c = (struct crowd){.p = make_pair(PAIR_UNIX)};
    for (int i = 0; i < 10; i++)
        one_edge(&c, READERS);
    close_pair(&c.p);
    EXPECT_EQ(mf_stop(late()), 0);
}

/* Half are cancelled while the bytes come in; what they took is made up for. */
static void with_victims(struct crowd *c)
{
    mf_task *victims[READERS];
    mf_scope keep, lose;

    mfi_store_rlx(&c->got, 0u);
    mfi_store_rlx(&c->left, 0u);
    EXPECT_EQ(mf_scope_open(&keep, NULL), 0);
    EXPECT_EQ(mf_scope_open(&lose, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    for (int i = 0; i < READERS; i++) {
        EXPECT_EQ(mf_spawn(&lose, want_one, c, NULL, &victims[i]), 0);
        EXPECT_EQ(mf_go(&keep, want_one, c), 0);
    }
    if (c->patience == 0)
        await_waiters(c->p.r, 2 * READERS);
    for (int i = 0; i < READERS; i++) {
        if ((i & 1) != 0)
            mf_task_cancel(victims[i]);
        feed(c, 1);
        if ((i & 1) == 0)
            mf_task_cancel(victims[i]);
        if (i % 4 == 0)
            EXPECT_EQ(mf_yield(), 0);
    }
    EXPECT_EQ(mf_scope_close(&lose), 0);
    for (uint32_t i = mfi_load_acq(&c->left); i < READERS; i++)
        feed(c, 1);
    EXPECT_EQ(mf_scope_close(&keep), 0);
    EXPECT_EQ(mfi_load_acq(&c->got) + mfi_load_acq(&c->left), 2 * READERS);
    nothing_left(c);
}

static int victims_take_nothing_along(void *arg)
{
    static const enum pair_kind kinds[] = {PAIR_TCP4, PAIR_UNIX, PAIR_PIPE};

    for (size_t k = 0; k < 3; k++) {
        struct crowd c = {.p = make_pair(kinds[k]), .patience = *(mf_ns *)arg};

        for (int i = 0; i < ROUNDS; i++)
            with_victims(&c);
        close_pair(&c.p);
    }
    return 0;
}

MFI_TEST(a_cancelled_reader_passes_its_edge_on)
{
    mf_ns none = 0;

    in_tasks(1, victims_take_nothing_along, &none);
    in_tasks(4, victims_take_nothing_along, &none);
}

MFI_TEST(a_reader_whose_time_is_up_passes_its_edge_on)
{
    mf_ns some = MF_USEC(300);

    in_tasks(1, victims_take_nothing_along, &some);
    in_tasks(4, victims_take_nothing_along, &some);
}

static int write_one(void *arg)
{
    struct crowd *c = arg;
    char buf[4096] = {0};

    EXPECT_EQ(mf_write_all(c->p.w, buf, sizeof buf, late()), 0);
    return 0;
}

/* Both directions of one fd at once; the buffers are full. */
static int writers_too(void *arg)
{
    struct crowd c = {.p = make_pair(PAIR_UNIX)};
    size_t total = 0, len = READERS * 4096;
    char buf[1000] = {0};
    mf_scope scope;
    int n;

    (void)arg;
    EXPECT_EQ(mf_sockopt_set(c.p.w, MF_SO_SNDBUF, 4096), 0);
    while ((n = mf_write(c.p.w, buf, sizeof buf, MF_NOW)) > 0)
        len += (size_t)n;
    EXPECT_EQ(n, -ETIMEDOUT);
    EXPECT_EQ(mf_scope_open(&scope, NULL), 0);
    for (int i = 0; i < READERS; i++)
        EXPECT_EQ(mf_go(&scope, write_one, &c), 0);
    await_waiters(c.p.w, READERS);
    while (total < len) {
        EXPECT_GT(n = mf_read(c.p.r, buf, sizeof buf, late()), 0);
        total += (size_t)n;
    }
    EXPECT_EQ(mf_scope_close(&scope), 0);
    nothing_left(&c);
    close_pair(&c.p);
    return 0;
}

MFI_TEST(many_writers_wait_for_one_full_buffer)
{
    in_tasks(1, writers_too, NULL);
    in_tasks(4, writers_too, NULL);
}
