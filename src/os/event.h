/* SPDX-License-Identifier: MIT */
/* event.h - epoll, eventfd, timerfd, ppoll. Results are >= 0 or -errno. */
#ifndef MFI_OS_EVENT_H
#define MFI_OS_EVENT_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/time.h"
#include "os/high.h"
#include "os/syscall.h"

static inline int mfi_epoll_create(void)
{
    return mfi_os_high((int)mfi_sys1(SYS_epoll_create1, EPOLL_CLOEXEC));
}

static inline int mfi_epoll_ctl(int epfd, int op, int fd, uint32_t events,
                                uint64_t data)
{
    struct epoll_event ev = {.events = events, .data.u64 = data};

    return (int)mfi_sys4(SYS_epoll_ctl, epfd, op, fd, &ev);
}

/* timeout_ms: 0 looks, -1 waits for ever. */
static inline int mfi_epoll_wait(int epfd, struct epoll_event *evs, int n,
                                 int timeout_ms)
{
    return (int)mfi_sys6(SYS_epoll_pwait, epfd, MFI_L(evs), n, timeout_ms, 0,
                         8);
}

static inline int mfi_eventfd(void)
{
    return mfi_os_high(
        (int)mfi_sys2(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK));
}

static inline int mfi_timerfd(void)
{
    return mfi_os_high((int)mfi_sys2(SYS_timerfd_create, CLOCK_MONOTONIC,
                                     TFD_CLOEXEC | TFD_NONBLOCK));
}

/* Arm at an absolute point; MFI_FAR disarms. */
static inline int mfi_timerfd_set(int fd, mf_ns at)
{
    struct itimerspec its = {{0, 0}, {0, 0}};

    if (at != MFI_FAR) {
        its.it_value.tv_sec = at / 1000000000;
        its.it_value.tv_nsec = at % 1000000000;
    }
    return (int)mfi_sys4(SYS_timerfd_settime, fd, TFD_TIMER_ABSTIME, &its, 0);
}

/* Wait for any of n fds until `span` ns from now; MFI_FAR: no limit. */
static inline int mfi_ppoll(struct pollfd *fds, unsigned n, mf_ns span)
{
    struct timespec ts = {.tv_sec = span / 1000000000,
                          .tv_nsec = span % 1000000000};

    return (int)mfi_sys5(SYS_ppoll, fds, n, span == MFI_FAR ? 0 : MFI_L(&ts), 0,
                         8);
}

#endif
