/* SPDX-License-Identifier: MIT */
/* rw.h - one read or write, on the kinds of fds that rw.c tells apart. */
#ifndef MFI_IO_RW_H
#define MFI_IO_RW_H

#include "io/op.h"

struct rw { /* one read or write; either buf or iov */
    int fd;
    bool write;
    int n; /* > 0: iov has so many */
    union {
        void *buf;
        const struct iovec *iov;
    };
    size_t len;
};

/* read, write and their kin, and no SIGPIPE. The fd may make it wait. */
long mfi_rw_plain(const struct rw *rw);

/* The same; a background job is stopped as any other that touches a terminal.
 */
long mfi_rw_terminal(const struct rw *rw);

/* Of an FD_SHARED: waits for no other but who stands before us. */
long mfi_rw_shared(struct op *op, const struct rw *rw);

/*
 * Write all of it, holding fd until it is out. A cancel and the deadline count
 * on entry and where it would have to wait, not while there is room. As
 * mf_write_all.
 */
int mfi_write_piece(int fd, const void *buf, size_t len, mf_deadline deadline);

/* Past `done` bytes and what is empty behind them. *n: how many are left. */
void mfi_iov_advance(struct iovec **iov, int *n, size_t done);

#endif
