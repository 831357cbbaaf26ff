/* SPDX-License-Identifier: MIT */
/*
 * signal_test.c - a signal that was taken goes to one who waits, and to none
 * twice; those who leave take none along; close leaves nothing behind.
 */
#include <mayfly/signal.h>

#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "io/kit.h"

enum {
    ROUNDS = 300 / KIT_SLOW,
    STORMS = 1500 / KIT_SLOW,
    SIGNALS = 8,
    TASKS = 4,
    THREADS = 3,
};

static const int usr1[] = {SIGUSR1};

/*
 * In this thread, at once: workers have it blocked. TSan puts off what comes
 * from elsewhere until the thread is in libc, which a parked one never is.
 */
static void strike(int signo)
{
    sigset_t set, old;

    sigemptyset(&set);
    sigaddset(&set, signo);
    EXPECT_EQ(pthread_sigmask(SIG_UNBLOCK, &set, &old), 0);
    EXPECT_EQ(raise(signo), 0);
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
}

static mf_signal *open_signals(const int *signos, int n)
{
    mf_signal *sig = NULL;

    EXPECT_EQ(mf_signal_open(signos, n, &sig), 0);
    EXPECT(sig != NULL);
    return sig;
}

/* The eventfd the next mf_signal_open will get: the lowest number free. */
static int next_fd(void)
{
    int fd;

    if (mfi_load_acq(&mfi_sched.up) != 0)
        settle();
    fd = bare_dup(2);
    EXPECT_EQ(syscall(SYS_close, fd), 0);
    return fd;
}

/* ---- arguments ---------------------------------------------------------- */

static int misuse(void *arg)
{
    static const int refused[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE,
                                  SIGILL,  SIGTRAP, SIGSYS,  0,      -1,
                                  65,      1 << 30, 32 /* libc's */};
    static const int twice[] = {SIGUSR1, SIGUSR2, SIGUSR1};
    static const int mixed[] = {SIGUSR1, SIGUSR2, SIGKILL};
    static const int last[] = {SIGUSR1, 32};
    static const int urgent[] = {SIGUSR1, SIGURG};
    mf_signal *sig = NULL;

    (void)arg;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        EXPECT_EQ(mf_signal_open(&refused[i], 1, &sig), -EINVAL);
    EXPECT_EQ(mf_signal_open(twice, 3, &sig), -EINVAL);
    EXPECT_EQ(mf_signal_open(mixed, 3, &sig), -EINVAL);
    EXPECT_EQ(mf_signal_open(last, 2, &sig), -EINVAL);
    EXPECT_EQ(mf_signal_open(urgent, 2, &sig), -EBUSY);
    EXPECT_EQ(mf_signal_open(usr1, 0, &sig), -EINVAL);
    EXPECT_EQ(mf_signal_open(usr1, -1, &sig), -EINVAL);
    EXPECT_EQ(mf_signal_open(NULL, 1, &sig), -EINVAL);
    EXPECT_EQ(mf_signal_open(usr1, 1, NULL), -EINVAL);
    EXPECT(sig == NULL);
    EXPECT_EQ(mf_signal_wait(NULL, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_signal_close(NULL), 0);
    sig = open_signals(usr1, 1); /* none of the above has kept it */
    EXPECT_EQ(mf_signal_close(sig), 0);
    EXPECT_EQ(mf_signal_close(sig), -EBADF);
    EXPECT_EQ(mf_signal_wait(sig, MF_NOW), -EBADF);
    return 0;
}

MFI_TEST(what_cannot_be_taken_is_refused)
{
    in_both(misuse, NULL);
}

static int taken(void *arg)
{
    static const int both[] = {SIGUSR2, SIGUSR1};
    mf_signal *a = open_signals(usr1, 1), *b = NULL;

    (void)arg;
    EXPECT_EQ(mf_signal_open(both, 2, &b), -EBUSY);
    EXPECT_EQ(mf_signal_open(usr1, 1, &b), -EBUSY);
    b = open_signals(both, 1); /* USR2 was not kept by the failed call */
    EXPECT_EQ(mf_signal_close(a), 0);
    a = open_signals(usr1, 1);
    strike(SIGUSR1);
    EXPECT_EQ(mf_signal_wait(b, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_signal_wait(a, MF_NOW), SIGUSR1);
    EXPECT_EQ(mf_signal_close(b), 0);
    EXPECT_EQ(mf_signal_close(a), 0);
    return 0;
}

MFI_TEST(a_signal_has_one_owner)
{
    in_both(taken, NULL);
}

/* ---- one waits ---------------------------------------------------------- */

static int before_and_after(void *arg)
{
    mf_signal *sig = open_signals(usr1, 1);

    (void)arg;
    EXPECT_EQ(mf_signal_wait(sig, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_signal_wait(sig, soon()), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        strike(SIGUSR1);
        strike(SIGUSR1);
        strike(SIGUSR1);
        EXPECT_EQ(mf_signal_wait(sig, i == 0 ? MF_NOW : late()), SIGUSR1);
        EXPECT_EQ(mf_signal_wait(sig, MF_NOW), -ETIMEDOUT); /* counts once */
    }
    strike(SIGUSR1);
    EXPECT_EQ(mf_signal_wait(sig, MF_NEVER), SIGUSR1);
    EXPECT_EQ(mf_signal_wait(sig, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_signal_close(sig), 0);
    return 0;
}

MFI_TEST(a_signal_is_kept_until_it_is_waited_for)
{
    in_both(before_and_after, NULL);
}

static int expect_usr1(void *arg)
{
    EXPECT_EQ(mf_signal_wait(arg, late()), SIGUSR1);
    return 0;
}

static int while_it_waits(void *arg)
{
    int bell = next_fd();
    mf_signal *sig = open_signals(usr1, 1);
    struct helper h;

    (void)arg;
    for (int i = 0; i < 20; i++) {
        help(&h, expect_usr1, sig);
        await_waiters(bell, 1);
        strike(SIGUSR1);
        EXPECT_EQ(helped(&h), 0);
    }
    EXPECT_EQ(mf_signal_close(sig), 0);
    return 0;
}

MFI_TEST(a_signal_wakes_who_waits)
{
    in_both(while_it_waits, NULL);
}

static void *strike_when_waited(void *arg)
{
    await_waiters(*(int *)arg, 1);
    strike(SIGUSR1);
    return NULL;
}

static int thread_waits(void *arg)
{
    int bell = next_fd();
    mf_signal *sig = open_signals(usr1, 1);
    pthread_t thread;

    (void)arg;
    for (int i = 0; i < 20; i++) {
        EXPECT_EQ(pthread_create(&thread, NULL, strike_when_waited, &bell), 0);
        EXPECT_EQ(mf_signal_wait(sig, late()), SIGUSR1);
        EXPECT_EQ(pthread_join(thread, NULL), 0);
        await_waiters(bell, 0);
        EXPECT_EQ(mf_signal_wait(sig, MF_NOW), -ETIMEDOUT);
    }
    EXPECT_EQ(mf_signal_close(sig), 0);
    return 0;
}

MFI_TEST(a_signal_wakes_a_plain_thread)
{
    in_thread(thread_waits, NULL);
}

/* As it is in life: the main thread is in mf_run, and the kernel chooses it. */
static int from_outside(void *arg)
{
    static const int stop[] = {SIGTERM, SIGINT};
    mf_signal *sig = open_signals(stop, 2);

    (void)arg;
    EXPECT_EQ(kill(getpid(), SIGTERM), 0);
    EXPECT_EQ(mf_signal_wait(sig, late()), SIGTERM);
    EXPECT_EQ(kill(getpid(), SIGINT), 0);
    EXPECT_EQ(mf_signal_wait(sig, late()), SIGINT);
    EXPECT_EQ(mf_signal_close(sig), 0);
    return 0;
}

MFI_TEST(what_is_sent_to_the_process_comes)
{
    if (MFI_TEST_TSAN)
        MFI_SKIP("TSan puts off signals to a thread that is not in libc");
    in_tasks(1, from_outside, NULL);
    in_tasks(2, from_outside, NULL);
    in_thread(from_outside, NULL);
}

MFI_TEST(a_signal_outlives_the_runtime)
{
    mf_signal *sig = open_signals(usr1, 1); /* none is up */

    for (int i = 0; i < 2; i++) {
        strike(SIGUSR1);
        in_tasks(2, expect_usr1, sig);
        EXPECT_EQ(mf_start(NULL), 0);
        strike(SIGUSR1);
        EXPECT_EQ(mf_stop(late()), 0);
        in_thread(expect_usr1, sig);
    }
    EXPECT_EQ(mf_signal_close(sig), 0);
}

/* ---- which one ---------------------------------------------------------- */

static int in_turn(void *arg)
{
    static const int three[] = {SIGUSR1, SIGTERM, SIGUSR2}; /* 10, 15, 12 */
    static const int ends[] = {64, SIGHUP};
    mf_signal *sig = open_signals(three, 3), *far = open_signals(ends, 2);

    (void)arg;
    strike(SIGUSR2);
    strike(SIGTERM);
    for (int i = 0; i < 3; i++) { /* USR1 keeps coming */
        strike(SIGUSR1);
        strike(i == 0 ? SIGTERM : SIGUSR2);
        EXPECT_EQ(mf_signal_wait(sig, MF_NOW), SIGUSR1);
        strike(SIGUSR1);
        EXPECT_EQ(mf_signal_wait(sig, MF_NOW), SIGUSR2);
        strike(SIGUSR1);
        strike(SIGTERM);
        EXPECT_EQ(mf_signal_wait(sig, MF_NOW), SIGTERM);
    }
    EXPECT_EQ(mf_signal_wait(sig, MF_NOW), SIGUSR1);
    EXPECT_EQ(mf_signal_wait(sig, MF_NOW), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        strike(64);
        EXPECT_EQ(mf_signal_wait(far, MF_NOW), 64);
        strike(SIGHUP);
        EXPECT_EQ(mf_signal_wait(far, MF_NOW), SIGHUP);
    }
    EXPECT_EQ(mf_signal_close(sig), 0);
    EXPECT_EQ(mf_signal_close(far), 0);
    return 0;
}

MFI_TEST(those_that_are_there_are_taken_in_turn)
{
    in_both(in_turn, NULL);
}

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
        if (r % 2 == 0)
            strike_all(c.first);
        else
            for (int i = 0; i < SIGNALS; i++)
                strike(c.first + i);
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

/* ---- who leaves --------------------------------------------------------- */

static int hopeless(void *arg)
{
    EXPECT_EQ(mf_signal_wait(arg, MF_NEVER), -ECANCELED);
    return 0;
}

static int leavers(void *arg)
{
    int bell = next_fd();
    mf_signal *sig = open_signals(usr1, 1);
    mf_task *t;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    EXPECT_EQ(mf_spawn(&s, hopeless, sig, NULL, &t), 0);
    await_waiters(bell, 1);
    mf_task_cancel(t);
    EXPECT_EQ(mf_join(t, NULL, late()), 0);
    EXPECT_EQ(mf_signal_wait(sig, soon()), -ETIMEDOUT);
    strike(SIGUSR1);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_signal_wait(sig, MF_NOW), -ECANCELED); /* takes nothing */
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_signal_wait(sig, MF_NOW), SIGUSR1);
    EXPECT_EQ(mf_signal_close(sig), 0);
    return 0;
}

MFI_TEST(who_gives_up_has_taken_nothing)
{
    in_both(leavers, NULL);
}

static int impatient(void *arg)
{
    struct crowd *c = arg;
    int rc = mf_signal_wait(c->sig, mf_after(MF_USEC(30)));

    EXPECT(rc == SIGUSR1 || rc == -ETIMEDOUT || rc == -ECANCELED);
    if (rc > 0)
        mfi_add_acqrel(&c->all, 1);
    return 0;
}

/* The signal meets the deadline and the cancel: it comes out once. */
static int races(void *arg)
{
    struct crowd c = {.sig = open_signals(usr1, 1)};

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        mf_task *t[3];
        mf_scope s;

        mfi_store_rel(&c.all, 0);
        EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
        for (int k = 0; k < 3; k++)
            EXPECT_EQ(mf_spawn(&s, impatient, &c, NULL, &t[k]), 0);
        for (int k = i % 5; k > 0; k--)
            EXPECT_EQ(mf_yield(), 0);
        strike(SIGUSR1);
        mf_task_cancel(t[i % 3]);
        EXPECT_EQ(mf_scope_close(&s), 0);
        if (mfi_load_acq(&c.all) == 0)
            EXPECT_EQ(mf_signal_wait(c.sig, MF_NOW), SIGUSR1);
        EXPECT_EQ(mfi_load_acq(&c.all) <= 1, 1);
        EXPECT_EQ(mf_signal_wait(c.sig, MF_NOW), -ETIMEDOUT);
    }
    EXPECT_EQ(mf_signal_close(c.sig), 0);
    return 0;
}

MFI_TEST(a_wait_that_ends_otherwise_loses_no_signal)
{
    in_tasks(1, races, NULL);
    in_tasks(2, races, NULL);
    in_thread(races, NULL);
}

/* ---- close -------------------------------------------------------------- */

static _Atomic int older_hits, newer_hits;

static void older(int signo)
{
    (void)signo;
    mfi_add_acqrel(&older_hits, 1);
}

static void newer(int signo)
{
    (void)signo;
    mfi_add_acqrel(&newer_hits, 1);
}

static int closed(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_signal_wait(arg, late()), -EBADF);
    return 0;
}

static void *closed_thread(void *arg)
{
    EXPECT_EQ(closed(arg), 0);
    return NULL;
}

static int close_under_them(void *arg)
{
    int bell = next_fd();
    mf_signal *sig = open_signals(usr1, 1);
    pthread_t thread;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_go(&s, closed, sig), 0);
    EXPECT_EQ(pthread_create(&thread, NULL, closed_thread, sig), 0);
    await_waiters(bell, TASKS + 1);
    EXPECT_EQ(mf_signal_close(sig), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

MFI_TEST(close_sends_the_waiters_away)
{
    in_both(close_under_them, NULL);
}

static int actions_come_back(void *arg)
{
    static const int three[] = {SIGUSR1, SIGUSR2, SIGHUP};
    mf_signal *sig;
    struct sigaction now;

    (void)arg;
    mfi_store_rel(&older_hits, 0);
    signal(SIGUSR1, older);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGHUP, SIG_DFL);
    sig = open_signals(three, 3);
    EXPECT_EQ(sigaction(SIGHUP, NULL, &now), 0);
    EXPECT_EQ(now.sa_flags & (SA_RESTART | SA_ONSTACK),
              SA_RESTART | SA_ONSTACK);
    strike(SIGUSR1);
    strike(SIGUSR2);
    strike(SIGHUP);
    EXPECT_EQ(mfi_load_acq(&older_hits), 0);
    EXPECT_EQ(mf_signal_close(sig), 0); /* and three are dropped */
    EXPECT_EQ(mfi_load_acq(&older_hits), 0);
    strike(SIGUSR1);
    strike(SIGUSR2);
    EXPECT_EQ(mfi_load_acq(&older_hits), 1);
    EXPECT_EQ(sigaction(SIGHUP, NULL, &now), 0);
    EXPECT(now.sa_handler == SIG_DFL);
    sig = open_signals(three, 3);
    EXPECT_EQ(mf_signal_wait(sig, MF_NOW), -ETIMEDOUT); /* dropped for good */
    EXPECT_EQ(mf_signal_close(sig), 0);
    return 0;
}

MFI_TEST(the_old_actions_come_back)
{
    in_both(actions_come_back, NULL);
}

MFI_TEST(a_handler_installed_over_ours_stays)
{
    mf_signal *sig = open_signals(usr1, 1);

    signal(SIGUSR1, newer);
    EXPECT_EQ(mf_signal_close(sig), 0);
    strike(SIGUSR1);
    EXPECT_EQ(mfi_load_acq(&newer_hits), 1);
}

MFI_TEST(the_handler_leaves_errno_alone)
{
    mf_signal *sig = open_signals(usr1, 1);

    for (int i = 0; i < 3; i++) {
        errno = 4711;
        EXPECT_EQ(raise(SIGUSR1), 0);
        EXPECT_EQ(errno, 4711);
    }
    EXPECT_EQ(mf_signal_wait(sig, MF_NOW), SIGUSR1);
    EXPECT_EQ(mf_signal_close(sig), 0);
}

/* Woken for a signal, it comes too late: it is not to take the next owner's. */
static int too_late(void *arg)
{
    int bell = next_fd();
    mf_signal *sig = open_signals(usr1, 1), *again;
    struct fdrec *rec = mfi_fd_peek(bell);
    struct wake_list woken;
    struct helper h;

    (void)arg;
    mfi_wake_list_init(&woken);
    help(&h, closed, sig);
    await_waiters(bell, 1);
    await_parked(h.task);
    mfi_fd_edge(mfi_fd_data(bell, rec), EPOLLIN, &woken, NULL);
    EXPECT(woken.head != NULL);
    EXPECT_EQ(mf_signal_close(sig), 0);
    again = open_signals(usr1, 1);
    EXPECT(again == sig); /* or this test tests nothing */
    strike(SIGUSR1);
    mfi_wake(&woken);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mf_signal_wait(again, MF_NOW), SIGUSR1);
    EXPECT_EQ(mf_signal_close(again), 0);
    return 0;
}

MFI_TEST(a_waiter_of_the_former_owner_takes_nothing)
{
    in_both(too_late, NULL);
}

struct storm {
    _Atomic int over;
    _Atomic int struck;
    cpu_set_t cpu;
};

static void *strike_on(void *arg)
{
    struct storm *s = arg;

    EXPECT_EQ(sched_setaffinity(0, sizeof s->cpu, &s->cpu), 0);
    while (mfi_load_acq(&s->over) == 0) {
        raise(SIGUSR1);
        mfi_add_acqrel(&s->struck, 1);
    }
    return NULL;
}

/*
 * Handlers run in other threads while it is closed: afterwards none of them
 * rings a bell that is somebody else's eventfd by now. All share one CPU, and a
 * timer takes it from them anywhere, within a handler too.
 */
static void close_in_a_storm(void)
{
    struct storm storm = {.over = 0};
    pthread_t thread[2];

    signal(SIGUSR1, older);
    CPU_ZERO(&storm.cpu);
    CPU_SET((size_t)sched_getcpu(), &storm.cpu);
    EXPECT_EQ(sched_setaffinity(0, sizeof storm.cpu, &storm.cpu), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pthread_create(&thread[i], NULL, strike_on, &storm), 0);
    for (int i = 0; i < STORMS; i++) {
        int bell = next_fd(), other, struck;
        uint64_t rings;
        mf_signal *sig = open_signals(usr1, 1);

        if (i % 2 == 0)
            EXPECT_EQ(mf_signal_wait(sig, late()), SIGUSR1);
        usleep(20u + (unsigned)i % 50);
        EXPECT_EQ(mf_signal_close(sig), 0);
        other = (int)syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
        EXPECT_EQ(other, bell);
        struck = mfi_load_acq(&storm.struck);
        while (mfi_load_acq(&storm.struck) < struck + 4)
            usleep(1);
        EXPECT_EQ(syscall(SYS_read, other, &rings, sizeof rings), -1);
        EXPECT_EQ(syscall(SYS_close, other), 0);
    }
    mfi_store_rel(&storm.over, 1);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
}

MFI_TEST(close_waits_for_handlers_that_run)
{
    close_in_a_storm();
    EXPECT_GT(mfi_load_acq(&older_hits), 0);
}

static void close_and_terminate(void)
{
    static const int term[] = {SIGTERM};
    mf_signal *sig = open_signals(term, 1);

    raise(SIGTERM);
    EXPECT_EQ(mf_signal_wait(sig, MF_NOW), SIGTERM);
    fputs("still here\n", stderr);
    EXPECT_EQ(mf_signal_close(sig), 0);
    raise(SIGTERM);
}

MFI_TEST(the_default_action_is_back_after_close)
{
    EXPECT_DIES(close_and_terminate, SIGTERM, "still here");
}

static int no_fds(void *arg)
{
    struct rlimit none = {0, 0}, old;
    mf_signal *sig = NULL;

    (void)arg;
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    none.rlim_max = old.rlim_max;
    settle();
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    EXPECT_EQ(mf_signal_open(usr1, 1, &sig), -EMFILE);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
    EXPECT_EQ(mf_signal_close(open_signals(usr1, 1)), 0);
    return 0;
}

MFI_TEST(without_an_fd_nothing_is_taken)
{
    in_thread(no_fds, NULL);
}
