/* SPDX-License-Identifier: MIT */
/* text.h - formatting that leaves errno alone. */
#ifndef MFI_OS_TEXT_H
#define MFI_OS_TEXT_H

#include <stdarg.h>
#include <stddef.h>

#include <mayfly/base.h>

/*
 * As vsnprintf; "%m" is the caller's errno. Returns the length of all of it,
 * -EOVERFLOW (more than INT_MAX), -EILSEQ, -ENOMEM.
 */
int mfi_os_format(char *buf, size_t len, const char *fmt, va_list ap)
    MF_PRINTF(3, 0);

#endif
