/* SPDX-License-Identifier: MIT */
/*
 * signal_test.c - a signal that was taken goes to who waits; those who leave
 * take none along; close leaves nothing behind.
 */
#include <sys/epoll.h>
#include <sys/resource.h>

#include "io/strike.h"

enum {
    ROUNDS = 300 / KIT_SLOW,
    STORMS = 1500 / KIT_SLOW,
    TASKS = 4,
};

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

struct few {
    mf_signal *sig;
    _Atomic int got;
};

static int impatient(void *arg)
{
    struct few *c = arg;
    int rc = mf_signal_wait(c->sig, mf_after(MF_USEC(30)));

    EXPECT(rc == SIGUSR1 || rc == -ETIMEDOUT || rc == -ECANCELED);
    if (rc > 0)
        mfi_add_acqrel(&c->got, 1);
    return 0;
}

/* The signal meets the deadline and the cancel: it comes out once. */
static int races(void *arg)
{
    struct few c = {.sig = open_signals(usr1, 1)};

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        mf_task *t[3];
        mf_scope s;

        mfi_store_rel(&c.got, 0);
        EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
        for (int k = 0; k < 3; k++)
            EXPECT_EQ(mf_spawn(&s, impatient, &c, NULL, &t[k]), 0);
        for (int k = i % 5; k > 0; k--)
            EXPECT_EQ(mf_yield(), 0);
        strike(SIGUSR1);
        mf_task_cancel(t[i % 3]);
        EXPECT_EQ(mf_scope_close(&s), 0);
        if (mfi_load_acq(&c.got) == 0)
            EXPECT_EQ(mf_signal_wait(c.sig, MF_NOW), SIGUSR1);
        EXPECT_EQ(mfi_load_acq(&c.got) <= 1, 1);
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
