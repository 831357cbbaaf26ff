/* SPDX-License-Identifier: MIT */
/* fileio.h - reading and writing files, at a given or at their own position. */
#ifndef MFI_IO_FILEIO_H
#define MFI_IO_FILEIO_H

#include "io/op.h"

/*
 * Pieces. NOW: what a worker copies at once, some 100 us. LATER: what goes to
 * the pool through a buffer of the library's.
 */
enum { FILEIO_NOW = 1 << 20, FILEIO_LATER = 1 << 20 };

struct fileio {
    int fd;
    bool write;
    const struct iovec *iov; /* n of them, len > 0 bytes in all */
    int n;
    size_t len;
    int64_t offset; /* -1: the file's own position */
};

/*
 * op holds the fd. At a given position: all of it, but for the end of the file,
 * a deadline, a full device. At its own: one piece. Returns the count, 0 (the
 * end) or -errno. Suspends.
 */
long mfi_fileio(struct op *op, const struct fileio *io);

#endif
