/* SPDX-License-Identifier: MIT */
/* text.c - formatting that leaves errno alone. */
#include "os/text.h"

#include <errno.h>
#include <stdio.h>

int mfi_os_format(char *buf, size_t len, const char *fmt, va_list ap)
{
    int saved = errno, n = vsnprintf(buf, len, fmt, ap);

    if (n < 0)
        n = -errno;
    errno = saved;
    return n;
}
