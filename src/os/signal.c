/* SPDX-License-Identifier: MIT */
/*
 * signal.c - signal stacks, handlers and CPU-time timers.
 *
 * A signal stack, low to high, in one mapping:
 *
 *     | guard page | stack ...................... | struct altstack |
 *
 * What remove needs is above the stack, where an overflow cannot reach it.
 *
 * Chaining: a signal that a fault raised comes again by itself once the action
 * is the default one, because the instruction is run again. One that somebody
 * sent does not, so it is sent again; it stays pending until the handler has
 * returned. Where the default is to ignore, there is nothing to do.
 *
 * Sources: sigaltstack(2), sigaction(2), timer_create(2), signal(7).
 */
#include "os/signal.h"

#include <stdbool.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#include "os/map.h"
#include "os/thread.h"

#ifndef AT_MINSIGSTKSZ
# define AT_MINSIGSTKSZ 51
#endif
enum { MIN_STACK = 16 * 1024 }; /* for the handler, above the CPU's frame */

/* signal stacks */

struct altstack {
    char *base;
    size_t len; /* of the mapping */
    stack_t old;
};

int mfi_sigaltstack_install(size_t len, void **ret_stack)
{
    size_t page = mfi_page_size();
    size_t least = (size_t)getauxval(AT_MINSIGSTKSZ) + MIN_STACK;
    struct altstack *as;
    stack_t ss = {.ss_flags = 0};
    void *base;
    int rc;

    len = (len < least ? least : len) + sizeof *as;
    len = ((len + page - 1) & ~(page - 1)) + page;
    rc = mfi_map_pages(len, &base);
    if (rc < 0)
        return rc;
    as = (struct altstack *)(void *)((char *)base + len) - 1;
    as->base = base;
    as->len = len;
    ss.ss_sp = as->base + page;
    ss.ss_size = ((size_t)((char *)as - (char *)ss.ss_sp)) & ~(size_t)15;
    rc = mfi_protect(base, page, PROT_NONE);
    if (rc == 0)
        rc = (int)mfi_sys2(SYS_sigaltstack, &ss, &as->old);
    if (rc < 0) {
        mfi_unmap(base, len);
        return rc;
    }
    *ret_stack = as;
    return 0;
}

void mfi_sigaltstack_remove(void *stack)
{
    struct altstack *as = stack;

    as->old.ss_flags &= ~SS_ONSTACK;
    mfi_sys2(SYS_sigaltstack, &as->old, 0);
    mfi_unmap(as->base, as->len);
}

/* handlers */

static int install(int signo, const struct sigaction *sa,
                   struct sigaction *ret_old)
{
    return sigaction(signo, sa, ret_old) < 0 ? -EINVAL : 0;
}

int mfi_signal_handle(int signo, mfi_signal_fn *fn, int flags,
                      struct sigaction *ret_old)
{
    struct sigaction sa = {.sa_flags = flags | SA_SIGINFO};

    sa.sa_sigaction = fn;
    sigemptyset(&sa.sa_mask);
    return install(signo, &sa, ret_old);
}

int mfi_signal_handle_alone(int signo, mfi_signal_fn *fn, int flags,
                            struct sigaction *ret_old)
{
    struct sigaction sa = {.sa_flags = flags | SA_SIGINFO};

    sa.sa_sigaction = fn;
    sigfillset(&sa.sa_mask);
    return install(signo, &sa, ret_old);
}

void mfi_signal_unhandle(int signo, mfi_signal_fn *fn,
                         const struct sigaction *old)
{
    struct sigaction now;

    if (sigaction(signo, NULL, &now) == 0 &&
        ((unsigned)now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == fn)
        sigaction(signo, old, NULL);
}

static void set_default(int signo)
{
    struct sigaction sa = {.sa_flags = 0};

    sa.sa_handler = SIG_DFL;
    sigaction(signo, &sa, NULL);
}

static bool is_fault(int signo, const siginfo_t *info)
{
    return info->si_code > 0 &&
           (signo == SIGSEGV || signo == SIGBUS || signo == SIGFPE ||
            signo == SIGILL || signo == SIGTRAP || signo == SIGSYS);
}

static bool ignored_by_default(int signo)
{
    return signo == SIGCHLD || signo == SIGURG || signo == SIGWINCH ||
           signo == SIGCONT;
}

static void call_older(const struct sigaction *old, int signo, siginfo_t *info,
                       void *uctx)
{
    sigset_t mask;

    if (((unsigned)old->sa_flags & SA_RESETHAND) != 0)
        set_default(signo);
    pthread_sigmask(SIG_BLOCK, &old->sa_mask, &mask);
    if ((old->sa_flags & SA_SIGINFO) != 0)
        old->sa_sigaction(signo, info, uctx);
    else
        old->sa_handler(signo);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

void mfi_signal_chain(const struct sigaction *old, int signo, siginfo_t *info,
                      void *uctx)
{
    if ((old->sa_flags & SA_SIGINFO) != 0 ||
        (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN)) {
        call_older(old, signo, info, uctx);
        return;
    }
    if (is_fault(signo, info)) { /* the kernel does not let it be ignored */
        set_default(signo);
        return;
    }
    if (old->sa_handler == SIG_IGN || ignored_by_default(signo))
        return;
    set_default(signo);
    mfi_sys3(SYS_tgkill, getpid(), mfi_thread_id(), signo);
}

/* CPU-time timers */

int mfi_cputimer_start(int signo, mf_ns period, void *value, int *ret_timer)
{
    struct timespec ts = {.tv_sec = period / 1000000000,
                          .tv_nsec = period % 1000000000};
    struct itimerspec its = {.it_interval = ts, .it_value = ts};
    struct sigevent ev = {.sigev_signo = signo,
                          .sigev_notify = SIGEV_THREAD_ID};
    int timer;
    long rc;

    if (period <= 0)
        return -EINVAL;
    ev.sigev_value.sival_ptr = value;
    ev._sigev_un._tid = mfi_thread_id();
    rc = mfi_sys3(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &ev, &timer);
    if (rc < 0)
        return (int)rc;
    rc = mfi_sys4(SYS_timer_settime, timer, 0, &its, 0);
    if (rc < 0) {
        mfi_cputimer_stop(timer);
        return (int)rc;
    }
    *ret_timer = timer;
    return 0;
}

void mfi_cputimer_stop(int timer)
{
    mfi_sys1(SYS_timer_delete, timer);
}
