/* SPDX-License-Identifier: MIT */
/* high.c - the slow half of high.h. */
#include "os/high.h"

#include "os/io.h"

int mfi_os_high_slow(int fd)
{
    int copy = mfi_os_fcntl(fd, F_DUPFD_CLOEXEC, 3);

    mfi_os_close(fd);
    return copy;
}
