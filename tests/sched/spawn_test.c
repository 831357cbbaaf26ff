/* SPDX-License-Identifier: MIT */
/* spawn_test.c - arguments, options and the order of starting tasks. */
#include "sched/help.h"

#include <pthread.h>
#include <string.h>

static _Atomic int ran;

/* ---- copies ------------------------------------------------------------- */

static const size_t lens[] = {1, 15, 16, 47, 48, 49, 64, 100, 511, 512};

struct payload {
    unsigned char bytes[MF_COPY_MAX];
};

static void still_mine(void *arg)
{
    const unsigned char *p = arg;

    EXPECT_EQ(mf_sleep(MF_USEC(20)), 0);
    EXPECT_EQ(p[0], 0xee);
    ran++;
}

static int checks_its_copy(void *arg)
{
    unsigned char *p = arg;
    size_t len = p[0] == 0 ? 1 : lens[p[0] - 1];

    EXPECT_EQ((uintptr_t)p % MF_COPY_ALIGN, 0);
    for (size_t i = 1; i < len; i++)
        EXPECT_EQ(p[i], (unsigned char)(i * 7));
    EXPECT_EQ(mf_yield(), 0);
    for (size_t i = 1; i < len; i++)
        EXPECT_EQ(p[i], (unsigned char)(i * 7));
    memset(p, 0xee, len);                  /* it is writable, */
    EXPECT_EQ(mf_defer(still_mine, p), 0); /* and alive until the last defer */
    EXPECT_EQ(mf_sleep(MF_USEC(20)), 0);
    return 0;
}

static int copies(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    ran = 0;
    for (int round = 0; round < 10; round++) {
        for (size_t k = 0; k < sizeof lens / sizeof *lens; k++) {
            struct payload a;

            for (size_t i = 1; i < sizeof a.bytes; i++)
                a.bytes[i] = (unsigned char)(i * 7);
            a.bytes[0] = (unsigned char)(k + 1);
            if (round % 2 == 0)
                EXPECT_EQ(mf_go_copy(&s, checks_its_copy, &a, lens[k]), 0);
            else
                EXPECT_EQ(mf_spawn(&s, checks_its_copy, &a,
                                   MF_TASK_OPTIONS(.copy_len = lens[k]), NULL),
                          0);
            memset(&a, 0x11, sizeof a);
        }
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(ran, 10 * (int)(sizeof lens / sizeof *lens));
    return 0;
}

MFI_TEST(a_copy_is_the_tasks_own_at_every_length)
{
    EXPECT_EQ(run_on(1, copies, NULL), 0);
    EXPECT_EQ(run_on(4, copies, NULL), 0);
}

static int counts(void *arg)
{
    (void)arg;
    ran++;
    return 0;
}

static int odd_copies(void *arg)
{
    struct payload a[2];
    mf_scope s;

    (void)arg;
    memset(a, 0, sizeof a);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    ran = 0;
    EXPECT_EQ(mf_go_copy(&s, counts, a, 0), 0);
    EXPECT_EQ(mf_go_copy(&s, counts, NULL, 0), 0);
    EXPECT_EQ(mf_go_copy(&s, counts, NULL, 8), -EINVAL);
    EXPECT_EQ(mf_go_copy(&s, counts, a, 513), -E2BIG);
    EXPECT_EQ(mf_spawn(&s, counts, a, MF_TASK_OPTIONS(.copy_len = 600), NULL),
              -E2BIG);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(ran, 2);
    return 0;
}

MFI_TEST(a_copy_of_nothing_runs_and_one_too_long_is_refused)
{
    EXPECT_EQ(run_on(1, odd_copies, NULL), 0);
}

struct pair {
    int a, b;
};
MF_TASK_DEFINE(adds, struct pair);

static int adds(struct pair *p)
{
    EXPECT_STR_EQ(mf_task_name(mf_self()), "adds");
    ran += p->a + p->b;
    return 0;
}

static int starts_typed(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    ran = 0;
    EXPECT_EQ(adds_go(&s, (struct pair){3, 4}), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return ran;
}

MFI_TEST(a_typed_task_gets_its_value_and_its_name)
{
    EXPECT_EQ(run_on(1, starts_typed, NULL), 7);
}

/* ---- order -------------------------------------------------------------- */

static int in_order(void *arg)
{
    EXPECT_EQ(ran++, (int)(intptr_t)arg);
    return 0;
}

static int spawns_in_order(void *arg)
{
    int n = (int)(intptr_t)arg;
    MF_SCOPE(s);

    ran = 0;
    for (int i = 0; i < n; i++)
        EXPECT_EQ(mf_go(&s, in_order, NUMBER(i)), 0);
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(ran, n);
    return 0;
}

MFI_TEST(siblings_start_in_the_order_they_were_spawned)
{
    EXPECT_EQ(run_on(1, spawns_in_order, NUMBER(2)), 0);
    EXPECT_EQ(run_on(1, spawns_in_order, NUMBER(5000)), 0);
}

static int a_million(void *arg)
{
    int n = MFI_TEST_TSAN || MFI_TEST_ASAN ? 100000 : 1000000;
    MF_SCOPE(s);

    (void)arg;
    ran = 0;
    for (int i = 0; i < n; i++)
        if (mf_go(&s, counts, NULL) < 0)
            return -1;
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(ran, n);
    return 0;
}

MFI_TEST(a_million_tasks_at_once_all_run)
{
    EXPECT_EQ(run_on(1, a_million, NULL), 0);
    EXPECT_EQ(run_on(2, a_million, NULL), 0);
}

/* ---- flags -------------------------------------------------------------- */

static int inline_order(void *arg)
{
    mf_task *t = NULL;
    int rc = 0;
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 200; i++) {
        ran = 0;
        EXPECT_EQ(mf_go(&s, counts, NULL), 0); /* behind */
        EXPECT_EQ(mf_spawn(&s, in_order, NUMBER(0),
                           MF_TASK_OPTIONS(.flags = MF_TASK_INLINE), &t),
                  0);
        EXPECT_GE(ran, 1); /* it has run when the spawn returns */
        EXPECT_EQ(mf_scope_wait(&s, MF_NEVER), 0);
        EXPECT_EQ(mf_join(t, &rc, MF_NOW), 0);
        mf_task_release(t);
    }
    return mf_scope_close(&s);
}

MFI_TEST(an_inline_child_runs_before_its_spawn_returns)
{
    EXPECT_EQ(run_on(1, inline_order, NULL), 0);
}

static int skips(void *arg)
{
    static const size_t copy[] = {0, 8, 48, 49, 512};
    struct payload a;

    (void)arg;
    memset(&a, 0, sizeof a);
    for (int i = 0; i < 2 * 5; i++) {
        uint32_t flags = i % 2 != 0 ? MF_TASK_SKIP_CANCELED : 0;
        int rc = 0;
        mf_task *t;
        mf_scope s;

        ran = 0;
        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        EXPECT_EQ(
            mf_spawn(&s, counts, &a,
                     MF_TASK_OPTIONS(.copy_len = copy[i / 2], .flags = flags),
                     &t),
            0);
        mf_scope_cancel(&s);
        MF_SHIELD(MF_NEVER)
        EXPECT_EQ(mf_join(t, &rc, MF_NEVER), 0);
        EXPECT_EQ(ran, flags == 0);
        EXPECT_EQ(rc, flags == 0 ? 0 : -ECANCELED);
        EXPECT_EQ(mf_task_ending(t, NULL),
                  flags == 0 ? MF_RETURNED : MF_CANCELED);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    return 0;
}

MFI_TEST(skip_cancelled_tasks_never_run_and_others_always_do)
{
    EXPECT_EQ(run_on(1, skips, NULL), 0);
}

static int not_cancelled(void *arg)
{
    struct payload a;
    MF_SCOPE(s);

    (void)arg;
    memset(&a, 0, sizeof a);
    ran = 0;
    for (size_t len = 0; len <= 512; len += 64)
        EXPECT_EQ(mf_spawn(&s, counts, &a,
                           MF_TASK_OPTIONS(.copy_len = len,
                                           .flags = MF_TASK_SKIP_CANCELED),
                           NULL),
                  0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return ran;
}

MFI_TEST(skip_cancelled_means_nothing_without_a_cancel)
{
    EXPECT_EQ(run_on(2, not_cancelled, NULL), 9);
}

/* ---- where -------------------------------------------------------------- */

static _Atomic(void *) threads_of[4];
static _Atomic int busy;

static int makes_pressure(void *arg)
{
    (void)arg;
    while (busy > 0)
        EXPECT_EQ(mf_yield(), 0);
    return 0;
}

static int stays(void *arg)
{
    uint32_t seed = *(uint32_t *)arg;
    pthread_t here = pthread_self();

    EXPECT_EQ(mf_unpin(), -EPERM); /* it did not pin itself */
    for (int i = 0; i < 200; i++) {
        if (chance(&seed, 4) == 0)
            EXPECT_EQ(mf_sleep(chance(&seed, 20000)), 0);
        else
            EXPECT_EQ(mf_yield(), 0);
        EXPECT(pthread_equal(here, pthread_self()));
        EXPECT_EQ(mf_pin(), 0);
        EXPECT_EQ(mf_unpin(), 0);
    }
    busy--;
    return 0;
}

static int pinned(void *arg)
{
    struct payload a;
    MF_SCOPE(s);

    (void)arg;
    memset(&a, 1, sizeof a);
    busy = 16;
    for (int i = 0; i < 16; i++) {
        a.bytes[0] = (unsigned char)(i + 1);
        EXPECT_EQ(mf_spawn(&s, stays, &a,
                           MF_TASK_OPTIONS(.copy_len = i % 2 != 0 ? 8 : 300,
                                           .worker = i % 3 == 0 ? 1 + i % 4 : 0,
                                           .flags = MF_TASK_PINNED),
                           NULL),
                  0);
        EXPECT_EQ(mf_go(&s, makes_pressure, NULL), 0);
    }
    return mf_scope_close(&s);
}

MFI_TEST(a_pinned_task_stays_on_its_thread_under_pressure)
{
    EXPECT_EQ(run_on(4, pinned, NULL), 0);
}

static int notes_its_thread(void *arg)
{
    int i = (int)(intptr_t)arg;
    void *none = NULL, *me = NUMBER(pthread_self());

    if (!atomic_compare_exchange_strong(&threads_of[i], &none, me))
        EXPECT(none == me); /* always the same one */
    ran++;
    return 0;
}

static int by_worker(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    ran = 0;
    for (int i = 0; i < 400; i++)
        EXPECT_EQ(mf_spawn(&s, notes_its_thread, NUMBER(i % 4),
                           MF_TASK_OPTIONS(.worker = 1 + i % 4), NULL),
                  0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < i; k++)
            EXPECT(threads_of[i] != threads_of[k]);
    return ran;
}

MFI_TEST(a_task_starts_on_the_worker_asked_for)
{
    EXPECT_EQ(run_on(4, by_worker, NULL), 400);
}

/* ---- from plain threads ------------------------------------------------- */

static void *spawns(void *arg)
{
    struct payload a;

    memset(&a, 0, sizeof a);
    for (int i = 0; i < 1000; i++) {
        if (i % 3 == 0)
            EXPECT_EQ(mf_go_copy(arg, counts, &a, (size_t)i % 512), 0);
        else
            EXPECT_EQ(mf_spawn(arg, counts, NULL,
                               MF_TASK_OPTIONS(.flags = MF_TASK_INLINE,
                                               .worker = i % 2),
                               NULL),
                      0);
    }
    return NULL;
}

static int threads_spawn(void *arg)
{
    pthread_t threads[4];
    MF_SCOPE(s, .limit = (uint32_t)(uintptr_t)arg);

    ran = 0;
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, spawns, &s), 0);
    while (ran < 4000)
        EXPECT_EQ(mf_sleep(MF_USEC(50)), 0);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return ran;
}

MFI_TEST(plain_threads_spawn_into_a_tasks_scope)
{
    EXPECT_EQ(run_on(1, threads_spawn, NUMBER(0)), 4000);
    EXPECT_EQ(run_on(3, threads_spawn, NUMBER(0)), 4000);
    EXPECT_EQ(run_on(3, threads_spawn, NUMBER(5)), 4000);
}
