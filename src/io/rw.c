/* SPDX-License-Identifier: MIT */
/*
 * rw.c - read and write, plain and vectored, once and until done.
 *
 * How an fd is read without ever blocking the worker depends on its kind:
 *
 *   FD_TCP, FD_UDP,  recv, send with MSG_DONTWAIT: its flags do not matter
 *   FD_SOCK
 *   FD_PIPE          read, write; O_NONBLOCK was set when it was adopted
 *   FD_SHARED        several ways: shared.c
 *   FD_FILE          as fileio.c says
 *
 * A plain thread that writes to a broken pipe must not get SIGPIPE (on workers
 * it is blocked): os/io.c keeps it away.
 */
#include <limits.h>

#include "io/fileio.h"
#include "io/rw.h"

/* A worker has SIGPIPE blocked; other threads need it kept away. */
long mfi_rw_plain(const struct rw *rw)
{
    bool quiet = rw->write && mfi_worker() == NULL;

    if (quiet)
        return rw->n > 0 ? mfi_os_writev_quiet(rw->fd, rw->iov, rw->n)
                         : mfi_os_write_quiet(rw->fd, rw->buf, rw->len);
    if (rw->n > 0)
        return rw->write ? mfi_os_writev(rw->fd, rw->iov, rw->n)
                         : mfi_os_readv(rw->fd, rw->iov, rw->n);
    return rw->write ? mfi_os_write(rw->fd, rw->buf, rw->len)
                     : mfi_os_read(rw->fd, rw->buf, rw->len);
}

static long socket_call(const struct rw *rw)
{
    struct msghdr msg = {0};

    if (rw->n == 0)
        return rw->write ? mfi_os_send(rw->fd, rw->buf, rw->len,
                                       MSG_DONTWAIT | MSG_NOSIGNAL)
                         : mfi_os_recv(rw->fd, rw->buf, rw->len, MSG_DONTWAIT);
    msg.msg_iov = (struct iovec *)(uintptr_t)rw->iov;
    msg.msg_iovlen = (size_t)rw->n;
    return rw->write ? mfi_os_sendmsg(rw->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL)
                     : mfi_os_recvmsg(rw->fd, &msg, MSG_DONTWAIT);
}

static long call(struct op *op, struct rw *rw)
{
    switch ((enum fd_kind)op->rec->kind) {
    case FD_TCP:
    case FD_SOCK:
    case FD_UDP:
        return socket_call(rw);
    case FD_PIPE:
        return (mfi_load_rlx(&op->rec->bits) & FD_TTY) != 0
                   ? mfi_rw_terminal(rw)
                   : mfi_rw_plain(rw);
    case FD_SHARED:
        return mfi_rw_shared(op, rw);
    case FD_FILE:
        break;
    }
    return -EINVAL;
}

/* With a ring: what the poller may do instead of us. See poll/batch.h. */
static bool batchable(const struct op *op, const struct rw *rw)
{
    struct worker *w = mfi_worker();

    return w != NULL && w->ring != NULL && rw->n == 0 &&
           op->rec->kind <= FD_UDP;
}

/* Others are ready to run: let it be done together with theirs. */
static long do_later(struct op *op, struct worker *w, struct batch_op *b)
{
    mfi_park_arm_hard(op->agent);
    b->parker = &op->agent->parker;
    b->ready = &op->rec->ready;
    b->queued = true;
    mfi_batch_later(w, b);
    op->waited = true;
    (void)mfi_park(op->agent, MFI_FAR, "its turn in a batch");
    b->done = false;
    b->queued = false;
    op->seen = b->seen;
    return b->result;
}

static long once(struct op *op, struct rw *rw)
{
    struct batch_op *b = op->batch;

    if (b != NULL && b->done) { /* the poller received for us */
        b->done = false;
        op->seen = b->seen;
        return b->result;
    }
    if (!mfi_op_due(op))
        return -EAGAIN;
    if (b != NULL && mfi_batch_can_wait(mfi_worker()))
        return do_later(op, mfi_worker(), b);
    return call(op, rw);
}

static int file_call(struct op *op, const struct rw *rw)
{
    struct iovec whole = {.iov_base = rw->buf, .iov_len = rw->len};
    struct fileio io = {.fd = rw->fd,
                        .write = rw->write,
                        .iov = rw->n > 0 ? rw->iov : &whole,
                        .n = rw->n > 0 ? rw->n : 1,
                        .len = rw->len,
                        .offset = -1};

    return (int)mfi_fileio(op, &io);
}

static int transfer(struct rw *rw, mf_deadline deadline)
{
    struct batch_op b;
    struct op op;
    int rc;

    if (rw->len > MFI_IO_MAX)
        rw->len = MFI_IO_MAX;
    rc = mfi_op_begin(&op, rw->fd, rw->write ? FD_OUT : FD_IN, deadline);
    if (rc < 0)
        return rc;
    if (rw->len == 0)
        return mfi_op_end(&op, 0);
    if (op.rec->kind == FD_FILE)
        return mfi_op_end(&op, file_call(&op, rw));
    if (batchable(&op, rw)) {
        b = (struct batch_op){
            .buf = rw->buf, .len = rw->len, .fd = rw->fd, .write = rw->write};
        op.batch = &b;
    }
    do {
        long n = once(&op, rw);
        bool drained = !rw->write && n > 0 && (size_t)n < rw->len;

        rc = mfi_op_again(&op, n, drained);
    } while (rc == MFI_OP_AGAIN);
    return mfi_op_end(&op, rc);
}

int mfi_write_piece(int fd, const void *buf, size_t len, mf_deadline deadline)
{
    struct rw rw = {.fd = fd, .write = true, .buf = (void *)(uintptr_t)buf};
    size_t done = 0;
    struct op op;
    int rc = mfi_op_begin(&op, fd, FD_OUT, deadline);

    if (rc < 0)
        return rc;
    while (done < len) {
        rw.buf = (char *)(uintptr_t)buf + done;
        rw.len = len - done < MFI_IO_MAX ? len - done : MFI_IO_MAX;
        rc = op.rec->kind == FD_FILE ? file_call(&op, &rw)
                                     : mfi_op_again(&op, once(&op, &rw), false);
        if (rc < 0 && rc != MFI_OP_AGAIN)
            return mfi_op_end(&op, rc);
        done += rc > 0 ? (size_t)rc : 0;
    }
    return mfi_op_end(&op, 0);
}

int mf_read(int fd, void *buf, size_t len, mf_deadline deadline)
{
    struct rw rw = {.fd = fd, .buf = buf, .len = len};

    return transfer(&rw, deadline);
}

int mf_write(int fd, const void *buf, size_t len, mf_deadline deadline)
{
    struct rw rw = {
        .fd = fd, .write = true, .buf = (void *)(uintptr_t)buf, .len = len};

    return transfer(&rw, deadline);
}

long mfi_iov_len(const struct iovec *iov, int n)
{
    size_t len = 0;

    if (n < 0 || n > IOV_MAX || (iov == NULL && n > 0))
        return -1;
    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len > MFI_IO_MAX - len)
            return (long)MFI_IO_MAX;
        len += iov[i].iov_len;
    }
    return (long)len;
}

static int transferv(int fd, bool write, const struct iovec *iov, int n,
                     mf_deadline deadline)
{
    long len = mfi_iov_len(iov, n);
    struct rw rw = {.fd = fd, .write = write, .n = n, .iov = iov};

    if (len < 0)
        return -EINVAL;
    rw.len = (size_t)len;
    return transfer(&rw, deadline);
}

int mf_readv(int fd, const struct iovec *iov, int n, mf_deadline deadline)
{
    return transferv(fd, false, iov, n, deadline);
}

int mf_writev(int fd, const struct iovec *iov, int n, mf_deadline deadline)
{
    return transferv(fd, true, iov, n, deadline);
}

int mf_read_full(int fd, void *buf, size_t len, mf_deadline deadline)
{
    char *to = buf;
    size_t got = 0;

    while (got < len) {
        int n = mf_read(fd, to + got, len - got, deadline);

        if (n < 0)
            return n;
        if (n == 0)
            return got == 0 ? 0 : -EPIPE;
        got += (size_t)n;
    }
    return 1;
}

int mf_write_all(int fd, const void *buf, size_t len, mf_deadline deadline)
{
    const char *from = buf;

    while (len > 0) {
        int n = mf_write(fd, from, len, deadline);

        if (n < 0)
            return n;
        from += n;
        len -= (size_t)n;
    }
    return 0;
}

void mfi_iov_advance(struct iovec **iov, int *n, size_t done)
{
    while (*n > 0 && done >= (*iov)->iov_len) {
        done -= (*iov)->iov_len;
        (*iov)->iov_base = (char *)(*iov)->iov_base + (*iov)->iov_len;
        (*iov)->iov_len = 0;
        ++*iov;
        --*n;
    }
    if (done > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + done;
        (*iov)->iov_len -= done;
    }
}

int mf_writev_all(int fd, struct iovec *iov, int n, mf_deadline deadline)
{
    if (n < 0 || (iov == NULL && n > 0))
        return -EINVAL;
    for (;;) {
        int done;

        mfi_iov_advance(&iov, &n, 0); /* past empty ones */
        if (n == 0)
            return 0;
        done = mf_writev(fd, iov, n < IOV_MAX ? n : IOV_MAX, deadline);
        if (done < 0)
            return done;
        mfi_iov_advance(&iov, &n, (size_t)done);
    }
}
