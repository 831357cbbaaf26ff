/* SPDX-License-Identifier: MIT */
/*
 * signal_many_test.c - many who wait for signals, by calls and by selects: each
 * signal goes to one, and none is left lying.
 */
#include "io/strike.h"

enum {
    ROUNDS = 300 / KIT_SLOW,
    SIGNALS = 8,
    TASKS = 4,
    THREADS = 3,
};

/* ---- several wait ------------------------------------------------------- */

struct crowd {
    mf_signal *sig;
    int first;
    _Atomic int got[SIGNALS]; /* how often each was received */
    _Atomic int all;
};

static int receive(void *arg)
{
    struct crowd *c = arg;
    int rc;

    while ((rc = mf_signal_wait(c->sig, late())) > 0) {
        EXPECT(rc >= c->first && rc < c->first + SIGNALS);
        mfi_add_acqrel(&c->got[rc - c->first], 1);
        mfi_add_acqrel(&c->all, 1);
    }
    EXPECT_EQ(rc, -EBADF);
    return 0;
}

/* It comes and goes: what it is woken for and does not take, others get. */
static int receive_in_haste(void *arg)
{
    struct crowd *c = arg;

    for (int i = 0;; i++) {
        int rc = mf_signal_wait(c->sig, mf_after(MF_USEC(1 + i % 50)));

        if (rc == -EBADF)
            return 0;
        if (rc == -ETIMEDOUT) {
            EXPECT_EQ(mf_yield(), 0);
            continue;
        }
        EXPECT(rc >= c->first && rc < c->first + SIGNALS);
        mfi_add_acqrel(&c->got[rc - c->first], 1);
        mfi_add_acqrel(&c->all, 1);
    }
}

/* By select, beside a channel that says nothing. */
static int receive_by_select(void *arg)
{
    struct crowd *c = arg;
    mf_chan *quiet;
    char none;
    int rc;

    EXPECT_EQ(mf_chan_make(1, 1, NULL, &quiet), 0);
    MF_LOOP_SELECT(rc, late())
    {
        MF_CASE(mf_on_recv(quiet, &none))
        {
            EXPECT(false);
        }
        MF_CASE(mf_on_signal(c->sig))
        {
            if (rc == -EBADF)
                break;
            EXPECT(rc >= c->first && rc < c->first + SIGNALS);
            mfi_add_acqrel(&c->got[rc - c->first], 1);
            mfi_add_acqrel(&c->all, 1);
        }
    }
    EXPECT_EQ(rc, -EBADF);
    mf_chan_unref(quiet);
    return 0;
}

static void *receive_thread(void *arg)
{
    EXPECT_EQ(receive(arg), 0);
    return NULL;
}

static void *select_thread(void *arg)
{
    EXPECT_EQ(receive_by_select(arg), 0);
    return NULL;
}

/* All at once, so that they find several bits and one bell. */
static void strike_all(int base)
{
    sigset_t set, old;

    sigfillset(&set);
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
    for (int i = 0; i < SIGNALS; i++)
        EXPECT_EQ(raise(base + i), 0);
    sigemptyset(&set);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(&set, base + i);
    EXPECT_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
}

static void await_all(struct crowd *c, int n)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();

    while (mfi_load_acq(&c->all) != n) {
        EXPECT_LT(mfi_load_acq(&c->all), n + 1);
        EXPECT_LT(mf_now(), end);
        breathe();
    }
}

static int each_to_one(void *arg)
{
    struct crowd c = {.first = SIGRTMIN};
    pthread_t thread[THREADS];
    int signos[SIGNALS], threads = *(int *)arg;
    mf_scope s;

    for (int i = 0; i < SIGNALS; i++)
        signos[i] = c.first + i;
    c.sig = open_signals(signos, SIGNALS);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_go(&s,
                        i == 0   ? receive_in_haste
                        : i == 1 ? receive_by_select
                                 : receive,
                        &c),
                  0);
    for (int i = 0; i < threads; i++)
        EXPECT_EQ(pthread_create(&thread[i], NULL,
                                 i == 0 ? select_thread : receive_thread, &c),
                  0);
    for (int r = 0; r < ROUNDS; r++) {
        if (r % 2 == 0) {
            strike_all(c.first);
        } else {
            for (int i = 0; i < SIGNALS; i++)
                strike(c.first + i);
        }
        await_all(&c, (r + 1) * SIGNALS);
        for (int i = 0; i < SIGNALS; i++)
            EXPECT_EQ(mfi_load_acq(&c.got[i]), r + 1);
    }
    EXPECT_EQ(mf_signal_close(c.sig), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < threads; i++)
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
    return 0;
}

MFI_TEST(each_signal_goes_to_one_of_many)
{
    int none = 0, some = THREADS;

    in_tasks(1, each_to_one, &none);
    in_tasks(2, each_to_one, &none);
    in_tasks(2, each_to_one, &some);
    in_thread(each_to_one, &some);
}

/* ---- select ------------------------------------------------------------- */

static int select_usr1(void *arg)
{
    int rc;

    MF_SELECT(rc, late())
    {
        MF_CASE(mf_on_signal(arg))
        {
            EXPECT_EQ(rc, SIGUSR1);
            return 0;
        }
    }
    return -1;
}

static int selects(void *arg)
{
    int bell = next_fd(), rc, v = 0;
    mf_signal *sig = open_signals(usr1, 1);
    mf_case two[2];
    mf_chan *c;
    struct helper h;

    (void)arg;
    EXPECT_EQ(mf_chan_make(sizeof v, 1, NULL, &c), 0);
    two[0] = mf_on_signal(NULL);
    EXPECT_EQ(mf_select(two, 1, soon()), -ETIMEDOUT); /* never fires */
    two[0] = mf_on_signal(sig);
    two[1] = mf_on_recv(c, &v);
    EXPECT_EQ(mf_select(two, 2, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_select(two, 2, soon()), -ETIMEDOUT);
    strike(SIGUSR1);
    EXPECT_EQ(mf_select(two, 2, MF_NOW), 0);
    EXPECT_EQ(two[0].res, SIGUSR1);
    EXPECT_EQ(mf_select(two, 2, MF_NOW), -ETIMEDOUT);
    /* The other one wins: the signal is still there. */
    strike(SIGUSR1);
    EXPECT_EQ(mf_chan_send(c, &v, MF_NOW), 0);
    two[0] = two[1];
    two[1] = mf_on_signal(sig);
    EXPECT_EQ(mf_select_ordered(two, 2, late()), 0);
    EXPECT_EQ(mf_signal_wait(sig, MF_NOW), SIGUSR1);
    for (int i = 0; i < 20; i++) {
        help(&h, select_usr1, sig);
        await_waiters(bell, 1);
        strike(SIGUSR1);
        EXPECT_EQ(helped(&h), 0);
        await_waiters(bell, 0);
    }
    EXPECT_EQ(mf_signal_close(sig), 0);
    rc = mf_select(&two[1], 1, MF_NEVER);
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(two[1].res, -EBADF);
    two[1] = mf_on_signal(sig);
    EXPECT_EQ(mf_select(&two[1], 1, MF_NEVER), 0);
    EXPECT_EQ(two[1].res, -EBADF);
    mf_chan_unref(c);
    return 0;
}

MFI_TEST(a_signal_is_one_of_many_things_to_wait_for)
{
    in_both(selects, NULL);
}

static int select_closed(void *arg)
{
    mf_case c = mf_on_signal(arg);

    EXPECT_EQ(mf_select(&c, 1, late()), 0);
    EXPECT_EQ(c.res, -EBADF);
    return 0;
}

static int close_under_select(void *arg)
{
    int bell = next_fd();
    mf_signal *sig = open_signals(usr1, 1);
    struct helper h;

    (void)arg;
    help(&h, select_closed, sig);
    await_waiters(bell, 1);
    EXPECT_EQ(mf_signal_close(sig), 0);
    EXPECT_EQ(helped(&h), 0);
    return 0;
}

MFI_TEST(a_select_hears_of_the_close)
{
    in_both(close_under_select, NULL);
}
