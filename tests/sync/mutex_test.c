/* SPDX-License-Identifier: MIT */
/* mutex_test.c - one at a time, in the end everybody, and no lock is lost. */
#include "io/kit.h"
#include "sync/mutex.h"

#include <mayfly/sync.h>

enum {
    ROUNDS = 20000 / KIT_SLOW,
    TASKS = 8,
    THREADS = 2,
};

static mf_mutex *zeroed(mf_mutex *m)
{
    *m = (mf_mutex){{0, 0}};
    return m;
}

/* ---- alone --------------------------------------------------------------- */

static int smoke(void *arg)
{
    mf_mutex m;

    (void)arg;
    zeroed(&m);
    EXPECT_EQ(mf_mutex_lock(NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_mutex_unlock(NULL), -EINVAL);
    EXPECT_EQ(mf_mutex_unlock(&m), -EPERM);
    for (int i = 0; i < 3; i++) {
        EXPECT(!mfi_mutex_owned(&m));
        EXPECT_EQ(mf_mutex_lock(&m, i == 0 ? MF_NEVER : MF_NOW), 0);
        EXPECT(mfi_mutex_owned(&m));
        EXPECT_EQ(mf_mutex_lock(&m, MF_NEVER), -EDEADLK);
        EXPECT_EQ(mf_mutex_lock(&m, MF_NOW), -EDEADLK);
        EXPECT_EQ(mf_mutex_unlock(&m), 0);
        EXPECT_EQ(mf_mutex_unlock(&m), -EPERM);
        mf_mutex_hold(&m);
        EXPECT(mfi_mutex_owned(&m));
        EXPECT_EQ(mf_mutex_unlock(&m), 0);
    }
    EXPECT_EQ(m.mfi_[0], 0);
    return 0;
}

MFI_TEST(alone_it_locks_and_unlocks_and_knows_its_owner)
{
    in_both(smoke, NULL);
}

/* ---- a counter ----------------------------------------------------------- */

struct counter {
    mf_mutex m;
    int n; /* under m */
    int rounds;
};

static int counts(void *arg)
{
    struct counter *c = arg;

    for (int i = 0; i < c->rounds; i++) {
        int was;

        EXPECT_EQ(mf_mutex_lock(&c->m, late()), 0);
        was = c->n;
        if (i % 64 == 0)
            breathe(); /* keep it while others run */
        c->n = was + 1;
        EXPECT_EQ(mf_mutex_unlock(&c->m), 0);
    }
    return 0;
}

static void *counts_thread(void *arg)
{
    EXPECT_EQ(counts(arg), 0);
    return NULL;
}

static int count_up(void *arg)
{
    struct counter *c = arg;
    pthread_t thread[THREADS];
    mf_scope s;

    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_go(&s, counts, c), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_create(&thread[i], NULL, counts_thread, c), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

MFI_TEST(what_it_guards_is_changed_by_one_at_a_time)
{
    struct counter c = {.rounds = ROUNDS};

    in_tasks(1, count_up, &c);
    in_tasks(2, count_up, &c);
    in_thread(count_up, &c);
}
