/* SPDX-License-Identifier: MIT */
/*
 * mutex_nightly_test.c - everything at once, for long: locks that wait, try,
 * time out, are cancelled; owners that end; tasks and threads; a few locks.
 */
#include "sync/crew.h"

enum {
    LOCKS = 3,
    STEPS = 1000000 / KIT_SLOW,
    TASKS = 12,
    THREADS = 3,
};

struct lock {
    mf_mutex m;
    int n;    /* under m */
    int told; /* under m */
    _Atomic int entered, died;
    _Atomic uintptr_t inside;
};

struct storm {
    struct lock lock[LOCKS];
    _Atomic uint32_t seeds;
};

static uint32_t chance(uint32_t *seed, uint32_t n)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed % n;
}

static int take(struct lock *l, uint32_t how)
{
    switch (how % 8) {
    case 0:
        return mf_mutex_lock(&l->m, MF_NOW);
    case 1:
        return mf_mutex_lock(&l->m, mf_after((mf_ns)(how / 8 % 40000)));
    case 2:
        mf_mutex_hold(&l->m);
        return 0;
    default:
        return mf_mutex_lock(&l->m, late());
    }
}

/* One at a time, and whatever the last one wrote is there. */
static void work(struct lock *l, int rc, bool slowly)
{
    uintptr_t me = (uintptr_t)&rc, nobody = 0;

    EXPECT(mfi_cas_acqrel(&l->inside, &nobody, me));
    EXPECT_EQ(l->n++, mfi_load_rlx(&l->entered));
    l->told += rc;
    if (slowly)
        breathe();
    mfi_add_rlx(&l->entered, 1);
    EXPECT_EQ(mfi_xchg_acqrel(&l->inside, 0), me);
}

struct mortal {
    struct lock *lock;
    uint32_t how;
};

static int lives_and_ends(void *arg)
{
    struct mortal me = *(struct mortal *)arg;
    int rc = mf_mutex_lock(&me.lock->m, late());

    if (rc == -ECANCELED)
        return rc;
    EXPECT_GE(rc, 0);
    work(me.lock, rc, me.how % 4 == 0);
    if (me.how / 4 % 2 != 0)
        return mf_mutex_unlock(&me.lock->m);
    mfi_add_acqrel(&me.lock->died, 1);
    if (me.how / 8 % 3 == 1)
        mf_panic("mortal");
    if (me.how / 8 % 3 == 2)
        mf_exit(0);
    return 0;
}

static void send_mortal(struct lock *l, uint32_t how)
{
    struct mortal m = {l, how};
    mf_scope s;

    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    EXPECT_EQ(mf_go(&s, lives_and_ends, &m), 0);
    if (how / 64 % 2 != 0) {
        breathe();
        mf_scope_cancel(&s);
    }
    (void)mf_scope_close(&s);
}

static int acts(void *arg)
{
    struct storm *st = arg;
    uint32_t seed = 2463534242u + 77777u * mfi_add_rlx(&st->seeds, 1u);

    for (int i = 0; i < STEPS; i++) {
        struct lock *l = &st->lock[chance(&seed, LOCKS)];
        int rc;

        if (chance(&seed, 64) == 0) {
            send_mortal(l, chance(&seed, 1u << 20));
            continue;
        }
        rc = take(l, chance(&seed, 1u << 30));
        EXPECT(rc >= 0 || rc == -ETIMEDOUT);
        if (rc < 0)
            continue;
        work(l, rc, chance(&seed, 32) == 0);
        EXPECT_EQ(mf_mutex_unlock(&l->m), 0);
    }
    return 0;
}

static int storm(void *arg)
{
    const int *who = arg;
    struct storm st = {.seeds = 0};

    crew_run(who[0], who[1], acts, &st);
    for (int i = 0; i < LOCKS; i++) {
        struct lock *l = &st.lock[i];
        int rc = mf_mutex_lock(&l->m, MF_NOW);

        EXPECT_GE(rc, 0);
        EXPECT_EQ(l->told + rc, l->died);
        EXPECT_GT(l->died, 0);
        EXPECT_EQ(l->n, l->entered);
        EXPECT_EQ(mf_mutex_unlock(&l->m), 0);
        EXPECT_EQ(l->m.mfi_[0], 0);
    }
    return 0;
}

MFI_TEST_T(a_storm_of_tasks, 400)
{
    in_tasks(1, storm, (int[]){TASKS, 0});
    in_tasks(2, storm, (int[]){TASKS, 0});
    in_tasks(4, storm, (int[]){TASKS, 0});
}

MFI_TEST_T(a_storm_of_threads, 400)
{
    in_thread(storm, (int[]){0, THREADS});
}

MFI_TEST_T(a_storm_of_both, 400)
{
    in_tasks(1, storm, (int[]){TASKS, THREADS});
    in_tasks(2, storm, (int[]){TASKS, THREADS});
    in_tasks(4, storm, (int[]){TASKS, THREADS});
}
