/* SPDX-License-Identifier: MIT */
/* options.h - sized option structs: what a caller built against another
 * version does not know is zero, what we do not know must be zero. */
#ifndef MFI_SCHED_OPTIONS_H
#define MFI_SCHED_OPTIONS_H

#include <stddef.h>
#include <string.h>

#include "os/syscall.h"

/*
 * Fill own (own_len bytes, its first member a size_t size) from what the user
 * gave (NULL: nothing). 0, or -EINVAL: no size, or fields beyond ours are set.
 */
static inline int mfi_options_copy(void *own, size_t own_len, const void *user)
{
    const char *bytes = user;
    size_t len;

    if (user == NULL)
        return 0;
    memcpy(&len, user, sizeof len);
    if (len < sizeof len || len > 4096)
        return -EINVAL;
    for (size_t i = own_len; i < len; i++)
        /* NOLINTNEXTLINE(clang-analyzer-core*): it does not believe the size */
        if (bytes[i] != 0)
            return -EINVAL;
    memcpy(own, user, len < own_len ? len : own_len);
    return 0;
}

#endif
