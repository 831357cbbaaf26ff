/* SPDX-License-Identifier: MIT */
/* signal_test.c - stacks for handlers, chains of them, and CPU-time ticks. */
#include "os/signal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/atomic.h"
#include "os/map.h"
#include "os/thread.h"
#include "test.h"

static struct sigaction old;
static _Atomic int hits, older_hits;
static char *_Atomic handler_frame;
static void *_Atomic tick_value;

static void older(int signo)
{
    EXPECT_EQ(signo, SIGUSR1);
    mfi_add_rlx(&older_hits, 1);
}

static void older_info(int signo, siginfo_t *info, void *uctx)
{
    sigset_t mask;

    EXPECT_EQ(info->si_signo, signo);
    EXPECT(uctx != NULL);
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    EXPECT_EQ(sigismember(&mask, SIGUSR2), 1); /* it asked for that */
    mfi_add_rlx(&older_hits, 1);
}

static void count_and_chain(int signo, siginfo_t *info, void *uctx)
{
    mfi_add_rlx(&hits, 1);
    mfi_store_rlx(&handler_frame, (char *)__builtin_frame_address(0));
    mfi_signal_chain(&old, signo, info, uctx);
}

MFI_TEST(a_handler_runs_on_the_signal_stack)
{
    stack_t ss, before;
    void *stack;

    EXPECT_EQ(sigaltstack(NULL, &before), 0);
    EXPECT_EQ(mfi_sigaltstack_install(32768, &stack), 0);
    EXPECT_EQ(sigaltstack(NULL, &ss), 0);
    EXPECT_GE(ss.ss_size, 32768);
    signal(SIGUSR1, SIG_IGN);
    EXPECT_EQ(mfi_signal_handle(SIGUSR1, count_and_chain, SA_ONSTACK, &old), 0);
    raise(SIGUSR1);
    EXPECT_EQ(mfi_load_rlx(&hits), 1);
    EXPECT(mfi_load_rlx(&handler_frame) > (char *)ss.ss_sp);
    EXPECT(mfi_load_rlx(&handler_frame) < (char *)ss.ss_sp + ss.ss_size);
    /* Below it is a guard. */
    EXPECT_EQ(mfi_sys2(SYS_clock_gettime, 1, (char *)ss.ss_sp - 64), -EFAULT);
    EXPECT_EQ(mfi_sys2(SYS_clock_gettime, 1, ss.ss_sp), 0);
    mfi_sigaltstack_remove(stack);
    EXPECT_EQ(mfi_sys2(SYS_clock_gettime, 1, ss.ss_sp), -EFAULT);
    EXPECT_EQ(sigaltstack(NULL, &ss), 0);
    EXPECT(ss.ss_sp == before.ss_sp || (ss.ss_flags & SS_DISABLE) != 0);
}

MFI_TEST(an_older_handler_is_called)
{
    signal(SIGUSR1, older);
    EXPECT_EQ(mfi_signal_handle(SIGUSR1, count_and_chain, 0, &old), 0);
    raise(SIGUSR1);
    raise(SIGUSR1);
    EXPECT_EQ(mfi_load_rlx(&hits), 2);
    EXPECT_EQ(mfi_load_rlx(&older_hits), 2);
}

MFI_TEST(an_older_handler_gets_its_info_and_its_mask)
{
    struct sigaction sa = {.sa_flags = SA_SIGINFO};
    sigset_t mask;

    sa.sa_sigaction = older_info;
    sigaddset(&sa.sa_mask, SIGUSR2);
    EXPECT_EQ(sigaction(SIGUSR1, &sa, NULL), 0);
    EXPECT_EQ(mfi_signal_handle(SIGUSR1, count_and_chain, 0, &old), 0);
    raise(SIGUSR1);
    EXPECT_EQ(mfi_load_rlx(&older_hits), 1);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    EXPECT_EQ(sigismember(&mask, SIGUSR2), 0);
}

MFI_TEST(an_ignored_signal_stays_ignored)
{
    signal(SIGUSR1, SIG_IGN);
    EXPECT_EQ(mfi_signal_handle(SIGUSR1, count_and_chain, 0, &old), 0);
    raise(SIGUSR1);
    raise(SIGUSR1);
    EXPECT_EQ(mfi_load_rlx(&hits), 2);
    signal(SIGCHLD, SIG_DFL); /* ignored by default */
    EXPECT_EQ(mfi_signal_handle(SIGCHLD, count_and_chain, 0, &old), 0);
    raise(SIGCHLD);
    raise(SIGCHLD);
    EXPECT_EQ(mfi_load_rlx(&hits), 4);
}

static void expect_all_blocked(int signo, siginfo_t *info, void *uctx)
{
    sigset_t mask;

    (void)info;
    (void)uctx;
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    EXPECT_EQ(sigismember(&mask, SIGUSR2), 1);
    EXPECT_EQ(sigismember(&mask, SIGTERM), 1);
    raise(SIGUSR2);
    EXPECT_EQ(mfi_load_rlx(&older_hits), 0);
    EXPECT_EQ(signo, SIGUSR1);
    mfi_add_rlx(&hits, 1);
}

static void count_usr2(int signo)
{
    EXPECT_EQ(signo, SIGUSR2);
    mfi_add_rlx(&older_hits, 1);
}

MFI_TEST(a_handler_alone_is_not_interrupted)
{
    signal(SIGUSR2, count_usr2);
    EXPECT_EQ(
        mfi_signal_handle_alone(SIGUSR1, expect_all_blocked, SA_RESTART, &old),
        0);
    raise(SIGUSR1);
    EXPECT_EQ(mfi_load_rlx(&hits), 1);
    EXPECT_EQ(mfi_load_rlx(&older_hits), 1); /* afterwards */
    EXPECT_EQ(mfi_signal_handle_alone(SIGKILL, expect_all_blocked, 0, NULL),
              -EINVAL);
}

MFI_TEST(the_older_handler_is_put_back_unless_there_is_a_newer_one)
{
    struct sigaction first, now;

    signal(SIGUSR1, older);
    EXPECT_EQ(mfi_signal_handle(SIGUSR1, count_and_chain, 0, &first), 0);
    mfi_signal_unhandle(SIGUSR1, count_and_chain, &first);
    raise(SIGUSR1);
    EXPECT_EQ(mfi_load_rlx(&hits), 0);
    EXPECT_EQ(mfi_load_rlx(&older_hits), 1);
    EXPECT_EQ(mfi_signal_handle(SIGUSR1, count_and_chain, 0, &first), 0);
    signal(SIGUSR1, SIG_IGN);
    mfi_signal_unhandle(SIGUSR1, count_and_chain, &first);
    EXPECT_EQ(sigaction(SIGUSR1, NULL, &now), 0);
    EXPECT(now.sa_handler == SIG_IGN);
    mfi_signal_unhandle(SIGKILL, count_and_chain, &first); /* does nothing */
}

static void say_and_chain(int signo, siginfo_t *info, void *uctx)
{
    static const char text[] = "reported\n";

    EXPECT_EQ(write(STDERR_FILENO, text, sizeof text - 1),
              (int)sizeof text - 1);
    mfi_signal_chain(&old, signo, info, uctx);
}

static void be_terminated(void)
{
    signal(SIGTERM, SIG_DFL);
    mfi_signal_handle(SIGTERM, say_and_chain, 0, &old);
    raise(SIGTERM);
    pause();
}

static void fault(void)
{
    void *page;

    signal(SIGSEGV, SIG_DFL);
    mfi_signal_handle(SIGSEGV, say_and_chain, 0, &old);
    EXPECT_EQ(mfi_map_pages(4096, &page), 0);
    mfi_protect(page, 4096, PROT_NONE);
    *(char *)page = 1;
}

static void fault_ignored(void)
{
    void *page;

    signal(SIGSEGV, SIG_IGN); /* which the kernel does not accept of a fault */
    mfi_signal_handle(SIGSEGV, say_and_chain, 0, &old);
    EXPECT_EQ(mfi_map_pages(4096, &page), 0);
    mfi_protect(page, 4096, PROT_NONE);
    *(char *)page = 1;
}

MFI_TEST(the_default_action_follows_the_report)
{
    EXPECT_DIES(be_terminated, SIGTERM, "reported");
    EXPECT_DIES(fault, SIGSEGV, "reported");
    EXPECT_DIES(fault_ignored, SIGSEGV, "reported");
}

static void tick(int signo, siginfo_t *info, void *uctx)
{
    (void)signo;
    (void)uctx;
    mfi_store_rlx(&tick_value, info->si_value.sival_ptr);
    mfi_store_rlx(&handler_frame, (char *)__builtin_frame_address(0));
    mfi_add_rlx(&hits, 1);
}

static void compute_until(int n)
{
    mf_ns end = mf_now() + MF_SEC(20);

    while (mfi_load_rlx(&hits) < n && mf_now() < end)
        ;
}

static void compute_with_timer(void *arg)
{
    char here;
    int timer;

    EXPECT_EQ(mfi_cputimer_start(SIGURG, MF_MSEC(5), arg, &timer), 0);
    compute_until(5);
    EXPECT_GE(mfi_load_rlx(&hits), 5);
    EXPECT(mfi_load_rlx(&tick_value) == arg);
    /* It came to this thread: the frame is on this stack. */
    EXPECT(llabs(mfi_load_rlx(&handler_frame) - &here) < 1 << 20);
    mfi_cputimer_stop(timer);
}

MFI_TEST(a_computing_thread_gets_ticks_itself)
{
    struct os_thread t;
    int value, after;

    EXPECT_EQ(mfi_signal_handle(SIGURG, tick, SA_RESTART, NULL), 0);
    EXPECT_EQ(
        mfi_thread_start(&t, "compute", compute_with_timer, &value, SIGURG), 0);
    mfi_thread_join(&t);
    after = mfi_load_rlx(&hits);
    usleep(30000);
    EXPECT_EQ(mfi_load_rlx(&hits), after);
}

MFI_TEST(a_stopped_timer_is_silent)
{
    mf_ns end;
    int timer;

    EXPECT_EQ(mfi_signal_handle(SIGURG, tick, SA_RESTART, NULL), 0);
    EXPECT_EQ(mfi_cputimer_start(SIGURG, MF_MSEC(50), NULL, &timer), 0);
    mfi_cputimer_stop(timer);
    for (end = mf_now() + MF_MSEC(200); mf_now() < end;)
        ;
    EXPECT_EQ(mfi_load_rlx(&hits), 0);
}

MFI_TEST(a_sleeping_thread_gets_none)
{
    int timer;

    EXPECT_EQ(mfi_signal_handle(SIGURG, tick, SA_RESTART, NULL), 0);
    EXPECT_EQ(mfi_cputimer_start(SIGURG, MF_MSEC(5), NULL, &timer), 0);
    EXPECT_EQ(usleep(200000), 0); /* a signal would cut it short */
    EXPECT_LE(mfi_load_rlx(&hits), 1);
    mfi_cputimer_stop(timer);
}

MFI_TEST(bad_arguments_are_refused)
{
    int timer;

    EXPECT_EQ(mfi_signal_handle(SIGKILL, tick, 0, NULL), -EINVAL);
    EXPECT_EQ(mfi_cputimer_start(SIGURG, 0, NULL, &timer), -EINVAL);
    EXPECT_EQ(mfi_cputimer_start(12345, MF_MSEC(1), NULL, &timer), -EINVAL);
}
