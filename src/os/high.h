/* SPDX-License-Identifier: MIT */
/*
 * high.h - no fd of ours has a number below 3.
 *
 * Where the process was started with standard input or output closed, the next
 * fds made get these numbers, and what is meant for the user's terminal goes to
 * an epoll set or a client. So whatever makes one moves it up.
 */
#ifndef MFI_OS_HIGH_H
#define MFI_OS_HIGH_H

#include "base/atomic.h"

/* fd is 0, 1 or 2: its copy, close on exec, from 3 up; fd is closed. */
int mfi_os_high_slow(int fd);

/* fd, or a failure's -errno, passes through. */
static inline int mfi_os_high(int fd)
{
    return mfi_unlikely(fd >= 0 && fd <= 2) ? mfi_os_high_slow(fd) : fd;
}

#endif
