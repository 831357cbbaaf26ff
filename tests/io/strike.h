/* SPDX-License-Identifier: MIT */
/* strike.h - what the tests of signals share: sending them, taking them. */
#ifndef MFI_TESTS_STRIKE_H
#define MFI_TESTS_STRIKE_H

#include <mayfly/signal.h>

#include "io/kit.h"

__attribute__((__unused__)) static const int usr1[] = {SIGUSR1};

/*
 * In this thread, at once: workers have it blocked. TSan puts off what comes
 * from elsewhere until the thread is in libc, which a parked one never is.
 */
KIT void strike(int signo)
{
    sigset_t set, old;

    sigemptyset(&set);
    sigaddset(&set, signo);
    EXPECT_EQ(pthread_sigmask(SIG_UNBLOCK, &set, &old), 0);
    EXPECT_EQ(raise(signo), 0);
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
}

KIT mf_signal *open_signals(const int *signos, int n)
{
    mf_signal *sig = NULL;

    EXPECT_EQ(mf_signal_open(signos, n, &sig), 0);
    EXPECT(sig != NULL);
    return sig;
}

/* The eventfd the next mf_signal_open will get: the lowest number free. */
KIT int next_fd(void)
{
    int fd;

    if (mfi_load_acq(&mfi_sched.up) != 0)
        settle();
    fd = bare_dup(2);
    EXPECT_EQ(syscall(SYS_close, fd), 0);
    return fd;
}

#endif
