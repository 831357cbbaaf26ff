/* SPDX-License-Identifier: MIT */
/*
 * op.h - one operation on an fd: hold it, try, wait, try again, let go.
 *
 *     if ((rc = mfi_op_begin(&op, fd, FD_IN, deadline)) < 0)
 *         return rc;
 *     do
 *         n = mfi_op_due(&op) ? the system call : -EAGAIN;
 *     while ((n = mfi_op_again(&op, n, short_read)) == MFI_OP_AGAIN);
 *     return mfi_op_end(&op, n);
 *
 * The system call is skipped while the fd is known not to be ready: after a
 * short read on TCP, or an EAGAIN, only an edge makes it due again. That saves
 * the read that would say EAGAIN (0.4 us) on every request of a server.
 */
#ifndef MFI_IO_OP_H
#define MFI_IO_OP_H

#include <mayfly/fd.h>

#include "base/time.h"
#include "os/io.h"
#include "poll/fdtab.h"
#include "sched/park.h"

struct op {
    int fd;
    uint32_t flag; /* FD_IN, FD_OUT */
    uint32_t seen; /* readiness before the system call */
    bool waited;
    uint8_t interrupts;
    struct fdrec *rec;
    struct agent *agent;
    struct batch_op *batch; /* what a poller may do for it, or NULL */
    const char *what;       /* it waits for, in the dump; NULL: the fd */
    mf_ns at;
};

enum { MFI_OP_AGAIN = INT32_MIN };

/* Returns 0, or -ECANCELED, -EBADF, -ENOMEM, -EMFILE: nothing is held then. */
int mfi_op_begin(struct op *op, int fd, uint32_t flag, mf_deadline deadline);

static inline bool mfi_op_due(struct op *op)
{
    op->seen = mfi_fd_ready(op->rec);
    return (op->seen & op->flag) != 0;
}

/* Wait for an edge: MFI_OP_AGAIN, or why not. */
int mfi_op_wait(struct op *op);

/* The system call moved nothing: MFI_OP_AGAIN, or why not. */
int mfi_op_interrupted(struct op *op);

/*
 * What n, the system call's result, means. drained: it moved something, but
 * less than there was room for. MFI_OP_AGAIN: do it again; else n.
 */
static inline int mfi_op_again(struct op *op, long n, bool drained)
{
    if (mfi_likely(n >= 0)) {
        if (drained && op->rec->kind == FD_TCP && (op->seen & FD_HUP) == 0)
            mfi_fd_drained(op->rec, op->seen, op->flag);
        return (int)n;
    }
    if (n == -EINTR)
        return mfi_op_interrupted(op);
    if (n != -EAGAIN)
        return (int)n;
    if ((op->seen & op->flag) != 0)
        mfi_fd_drained(op->rec, op->seen, op->flag);
    return mfi_op_wait(op);
}

/* Let go of the fd. Returns n. */
int mfi_op_end(struct op *op, int n);

/* The bytes of iov, cut at the kernel's limit; -1: not a vector. (rw.c) */
long mfi_iov_len(const struct iovec *iov, int n);

#endif
