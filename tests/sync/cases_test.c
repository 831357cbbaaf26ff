/* SPDX-License-Identifier: MIT */
/* cases_test.c - each kind of case: ready at once, later, never, failing. */
#include "sync/crowd.h"

MF_CHAN_DEFINE(ints, int);

/* One case by itself. Its result, or select's. */
static int only(mf_case c, mf_deadline deadline)
{
    int rc = mf_select(&c, 1, deadline);

    return rc < 0 ? rc : c.res;
}

/* Something to be done a little later, by a task. */
static int later(void *arg)
{
    struct one *o = arg;
    int rc = mf_sleep(MF_MSEC(3));

    return rc < 0 ? rc : o->fn(o->arg);
}

static int go_later(mf_scope *s, mf_fn *fn, void *arg)
{
    struct one o = {fn, arg};

    return mf_go_copy(s, later, &o, sizeof o);
}

static int closes(void *arg)
{
    return ints_close(arg);
}

static int sends_9(void *arg)
{
    return ints_send(arg, 9, late());
}

static int receives_9(void *arg)
{
    int v = 0, rc = ints_recv(arg, &v, late());

    EXPECT_EQ(v, 9);
    return rc == 1 ? 0 : rc;
}

static int fires(void *arg)
{
    mf_event_fire(arg);
    return 0;
}

static int channel_cases(void *arg)
{
    int v = 0, nine = 9;
    ints *c = NULL;
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(ints_make(0, NULL, &c), 0);
    EXPECT_EQ(only(ints_on_recv(c, &v), MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(only(ints_on_send(c, &nine), MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(only(ints_on_recv(c, &v), soon()), -ETIMEDOUT);
    EXPECT_EQ(go_later(&s, sends_9, c), 0);
    EXPECT_EQ(only(ints_on_recv(c, &v), late()), 1);
    EXPECT_EQ(v, 9);
    EXPECT_EQ(mf_scope_wait(&s, late()), 0);
    EXPECT_EQ(go_later(&s, receives_9, c), 0);
    EXPECT_EQ(only(ints_on_send(c, &nine), late()), 0);
    EXPECT_EQ(mf_scope_wait(&s, late()), 0);
    EXPECT_EQ(go_later(&s, closes, c), 0);
    EXPECT_EQ(only(ints_on_recv(c, &v), late()), 0);
    EXPECT_EQ(only(ints_on_recv(c, &v), MF_NOW), 0);
    EXPECT_EQ(only(ints_on_send(c, &nine), late()), -EPIPE);
    EXPECT_EQ(mf_scope_close(&s), 0);
    ints_unref(c);
    return 0;
}

MFI_TEST(channels)
{
    in_both(channel_cases, NULL);
}

/* A send to an unbounded channel has to make room first, at any number. */
static int unbounded_cases(void *arg)
{
    ints *c = NULL;
    int v;

    (void)arg;
    EXPECT_EQ(ints_make(MF_UNBOUNDED, NULL, &c), 0);
    for (int i = 0; i < 5000; i++)
        EXPECT_EQ(only(ints_on_send(c, &i), MF_NOW), 0);
    for (int i = 0; i < 5000; i++) {
        EXPECT_EQ(only(ints_on_recv(c, &v), MF_NOW), 1);
        EXPECT_EQ(v, i);
    }
    EXPECT_EQ(only(ints_on_recv(c, &v), MF_NOW), -ETIMEDOUT);
    ints_unref(c);
    return 0;
}

MFI_TEST(unbounded_channels)
{
    in_both(unbounded_cases, NULL);
}

static int event_cases(void *arg)
{
    mf_event e = {{0, 0}};
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(only(mf_on_event(&e), MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(only(mf_on_event(&e), soon()), -ETIMEDOUT);
    EXPECT_EQ(go_later(&s, fires, &e), 0);
    EXPECT_EQ(only(mf_on_event(&e), late()), 0);
    EXPECT_EQ(only(mf_on_event(&e), MF_NOW), 0);
    return mf_scope_close(&s);
}

MFI_TEST(events)
{
    in_both(event_cases, NULL);
}

static int time_cases(void *arg)
{
    mf_ns begun = mf_now();

    (void)arg;
    EXPECT_EQ(only(mf_on_time(MF_NOW), MF_NEVER), 0);
    EXPECT_EQ(only(mf_on_time(mf_at(begun)), MF_NOW), 0);
    EXPECT_EQ(only(mf_on_time(mf_after(MF_SEC(100))), MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(only(mf_on_time(mf_after(MF_SEC(100))), soon()), -ETIMEDOUT);
    EXPECT_EQ(only(mf_on_time(MF_NEVER), soon()), -ETIMEDOUT);
    begun = mf_now();
    EXPECT_EQ(only(mf_on_time(mf_after(MF_MSEC(5))), MF_NEVER), 0);
    EXPECT_GE(mf_now() - begun, MF_MSEC(5));
    return 0;
}

MFI_TEST(points_in_time)
{
    in_both(time_cases, NULL);
}

static int returns_7(void *arg)
{
    int rc = mf_sleep(*(mf_ns *)arg);

    return rc < 0 ? rc : 7;
}

static int join_cases(void *arg)
{
    mf_ns ms = MF_MSEC(3), far = MF_SEC(100);
    mf_task *t;
    int result = 0;

    (void)arg;
    {
        MF_SCOPE(s);

        EXPECT_EQ(mf_spawn(&s, returns_7, &ms, NULL, &t), 0);
        EXPECT_EQ(only(mf_on_join(t, &result), late()), 0);
        EXPECT_EQ(result, 7);
        EXPECT_EQ(only(mf_on_join(t, NULL), MF_NOW), 0);
        EXPECT_EQ(only(mf_on_scope(&s), late()), 0);
        EXPECT_EQ(only(mf_on_scope(&s), MF_NOW), 0);
        EXPECT_EQ(mf_go(&s, returns_7, &ms), 0);
        EXPECT_EQ(only(mf_on_scope(&s), late()), 0);
        EXPECT_EQ(mf_spawn(&s, returns_7, &far, NULL, &t), 0);
        EXPECT_EQ(only(mf_on_join(t, NULL), MF_NOW), -ETIMEDOUT);
        EXPECT_EQ(only(mf_on_join(t, NULL), soon()), -ETIMEDOUT);
        EXPECT_EQ(only(mf_on_scope(&s), soon()), -ETIMEDOUT);
        mf_task_cancel(t);
        EXPECT_EQ(only(mf_on_join(t, &result), late()), 0);
        EXPECT_EQ(result, -ECANCELED);
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_EQ(only(mf_on_scope(&s), MF_NOW), -EINVAL);
    }
    return 0;
}

MFI_TEST(joins_and_scopes)
{
    in_both(join_cases, NULL);
}

static int posts(void *arg)
{
    return mf_sem_post(arg, 1);
}

static int sem_cases(void *arg)
{
    mf_sem sem = MF_SEM_INIT(2), other = MF_SEM_INIT(0);
    mf_case c[3];
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(only(mf_on_sem(&sem), MF_NOW), 0);
    EXPECT_EQ(only(mf_on_sem(&sem), late()), 0);
    EXPECT_EQ(only(mf_on_sem(&sem), MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(only(mf_on_sem(&sem), soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_sem_value(&sem), 0);
    for (int i = 0; i < 20; i++) {
        c[0] = mf_on_sem(&sem);
        c[1] = mf_on_sem(&other);
        c[2] = mf_on_sem(&sem);
        EXPECT_EQ(go_later(&s, posts, &sem), 0);
        EXPECT_EQ(mf_select(c, 3, late()) % 2, 0);
        EXPECT_EQ(mf_scope_wait(&s, late()), 0);
        EXPECT_EQ(mf_sem_value(&sem), 0); /* one permit, taken once */
    }
    EXPECT_EQ(mf_sem_post(&other, 3), 0);
    EXPECT_EQ(mf_select(c, 3, MF_NOW), 1);
    EXPECT_EQ(mf_sem_value(&other), 2);
    return mf_scope_close(&s);
}

MFI_TEST(semaphores)
{
    in_both(sem_cases, NULL);
}

/* Permits given by posts and taken by selects, which have deadlines, too. */
struct permits {
    mf_sem sem[2];
    _Atomic int taken;
};

enum { PERMITS = 6000 / KIT_SLOW, TAKERS = 4 };

struct taker {
    struct permits *p;
    uint32_t seed;
    bool gives;
};

static int gives_or_takes(void *arg)
{
    struct taker *t = arg;
    struct permits *p = t->p;

    for (int i = 0; t->gives && i < PERMITS; i++)
        EXPECT_EQ(mf_sem_post(&p->sem[dice(&t->seed, 2)], 1), 0);
    while (!t->gives && mfi_load_acq(&p->taken) < 2 * PERMITS) {
        mf_case c[2] = {mf_on_sem(&p->sem[0]), mf_on_sem(&p->sem[1])};
        mf_deadline d = mf_after(MF_USEC(dice(&t->seed, 60)));

        if (mf_select(c, 2, d) >= 0)
            mfi_add_acqrel(&p->taken, 1);
        if (dice(&t->seed, 4) == 0 && mf_sem_wait(&p->sem[1], d) == 0)
            mfi_add_acqrel(&p->taken, 1);
    }
    return 0;
}

MFI_TEST(no_permit_is_lost_or_taken_twice)
{
    FOR_ALL_CROWDS(mix, workers)
    {
        struct permits p = {.taken = 0};
        struct taker t[2 + TAKERS];

        for (int i = 0; i < 2 + TAKERS; i++)
            t[i] = (struct taker){&p, 5u + (uint32_t)i * 77u, i < 2};
        crowd((enum mix)mix, workers, gives_or_takes, t, sizeof t[0],
              2 + TAKERS);
        EXPECT_EQ(p.taken, 2 * PERMITS);
        EXPECT_EQ(mf_sem_value(&p.sem[0]) + mf_sem_value(&p.sem[1]), 0);
    }
}

/* ---- calls --------------------------------------------------------------- */

static _Atomic int ended;

static int runs_long(void *arg)
{
    int rc = mf_sleep(MF_SEC(100));

    (void)arg;
    mfi_add_acqrel(&ended, 1);
    return rc;
}

static int panics(void *arg)
{
    (void)arg;
    mf_panic("on purpose");
}

static int call_cases(void *arg)
{
    mf_ns ms = MF_MSEC(2);
    mf_case c[3];

    (void)arg;
    mfi_store_rel(&ended, 0);
    EXPECT_EQ(only(mf_on_call(returns_7, &ms), late()), 7);
    EXPECT_EQ(only(mf_on_call(panics, NULL), late()), -ENOTRECOVERABLE);
    EXPECT_EQ(only(mf_on_call(returns_7, &ms), MF_NOW), -ETIMEDOUT);
    /* The losers are cancelled, and have ended when select returns. */
    c[0] = mf_on_call(runs_long, NULL);
    c[1] = mf_on_call(returns_7, &ms);
    c[2] = mf_on_call(runs_long, NULL);
    EXPECT_EQ(mf_select(c, 3, late()), 1);
    EXPECT_EQ(c[1].res, 7);
    EXPECT_EQ(mfi_load_acq(&ended), 2);
    EXPECT_EQ(mf_select(c, 1, soon()), -ETIMEDOUT);
    EXPECT_EQ(mfi_load_acq(&ended), 3);
    /* Something is ready: it is not even started. */
    c[1] = mf_on_time(MF_NOW);
    EXPECT_EQ(mf_select(c, 3, late()), 1);
    EXPECT_EQ(mfi_load_acq(&ended), 3);
    return 0;
}

MFI_TEST(calls)
{
    in_both(call_cases, NULL);
}

/* ---- never, and misuse --------------------------------------------------- */

static int never_cases(void *arg)
{
    mf_case c[6];
    int v;

    (void)arg;
    c[0] = mf_on_recv(NULL, &v);
    c[1] = mf_on_send(NULL, &v);
    c[2] = mf_on_fd(-1, POLLIN);
    c[3] = mf_on_time(MF_NEVER);
    c[4] = mf_on_join(NULL, NULL);
    c[5] = mf_on_event(NULL);
    EXPECT_EQ(mf_select(c, 6, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_select(c, 6, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_select(NULL, 0, soon()), -ETIMEDOUT);
    c[3] = mf_on_time(MF_NOW);
    EXPECT_EQ(mf_select(c, 6, MF_NEVER), 3);
    return 0;
}

MFI_TEST(null_objects_never_fire)
{
    in_both(never_cases, NULL);
}

static int misuse(void *arg)
{
    mf_case c = mf_on_time(MF_NOW);
    ints *ch = NULL;

    (void)arg;
    EXPECT_EQ(mf_select(NULL, 1, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_select(&c, -1, MF_NOW), -EINVAL);
    c.op = 99;
    EXPECT_EQ(only(c, MF_NOW), -EINVAL);
    c.op = -1;
    EXPECT_EQ(only(c, MF_NOW), -EINVAL);
    EXPECT_EQ(only(mf_on_fd(1, 0), MF_NOW), -EINVAL);
    EXPECT_EQ(only(mf_on_fd(1, POLLHUP), MF_NOW), -EINVAL);
    EXPECT_EQ(ints_make(1, NULL, &ch), 0);
    EXPECT_EQ(only(ints_on_recv(ch, NULL), MF_NOW), -EINVAL);
    EXPECT_EQ(only(ints_on_send(ch, NULL), MF_NOW), -EINVAL);
    ints_unref(ch);
    return 0;
}

MFI_TEST(misuse_is_told)
{
    in_both(misuse, NULL);
}
