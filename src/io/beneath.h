/* SPDX-License-Identifier: MIT */
/* beneath.h - opening a name without leaving a directory. */
#ifndef MFI_IO_BENEATH_H
#define MFI_IO_BENEATH_H

/*
 * Without openat2: name by name, following no symbolic link and nothing that
 * goes up. May block. An fd, -EXDEV (it would leave dir), -ELOOP (a link), or
 * as open(2).
 */
long mfi_beneath_walk(int dir, const char *path, int flags);

#endif
