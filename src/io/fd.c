/* SPDX-License-Identifier: MIT */
/* fd.c - adopt, release, close, default timeouts, waiting without moving. */
#include "io/op.h"
#include "os/event.h"

int mf_adopt(int fd)
{
    struct fdrec *rec;
    int rc = mfi_fd_get(fd, &rec);

    if (rc == 0)
        mfi_fd_put(rec, fd);
    return rc;
}

static int let_go(int fd, bool keep_open)
{
    struct wake_list woken;
    struct fdrec *rec;
    int rc;

    mfi_wake_list_init(&woken);
    if ((rc = mfi_fd_get(fd, &rec)) < 0)
        return rc;
    rc = mfi_fd_close(rec, fd, keep_open, &woken);
    mfi_wake(&woken);
    return rc;
}

int mf_close(int fd)
{
    struct fdrec *rec = mfi_fd_peek(fd);

    /* Unknown: adopting it would set flags that others may share. */
    if (rec == NULL || (mfi_load_acq(&rec->ref) & FD_REF_OPEN) == 0) {
        int rc = mfi_fd_close_unknown(fd);

        if (rc <= 0)
            return rc;
    }
    return let_go(fd, false);
}

int mf_release(int fd)
{
    struct fdrec *rec = mfi_fd_peek(fd);

    /* Unknown: there is nothing to forget, if only it is open. */
    if (rec == NULL || (mfi_load_acq(&rec->ref) & FD_REF_OPEN) == 0) {
        int rc = mfi_os_fcntl(fd, F_GETFD, 0);

        return rc < 0 ? rc : 0;
    }
    return let_go(fd, true);
}

int mf_fd_timeouts(int fd, mf_ns read, mf_ns write)
{
    struct fdrec *rec;
    int rc;

    if (read < 0 || write < 0)
        return -EINVAL;
    if ((rc = mfi_fd_get(fd, &rec)) < 0)
        return rc;
    mfi_store_rlx(&rec->read_span, read);
    mfi_store_rlx(&rec->write_span, write);
    mfi_fd_put(rec, fd);
    return 0;
}

static uint32_t flags_of(short events)
{
    return ((events & POLLIN) != 0 ? (uint32_t)FD_IN : 0) |
           ((events & POLLOUT) != 0 ? (uint32_t)FD_OUT : 0) |
           ((events & POLLPRI) != 0 ? (uint32_t)FD_PRI : 0);
}

/*
 * The record's flags may be stale ("perhaps ready"), so the kernel is asked;
 * an edge between its answer and the wait is seen by mfi_op_again.
 */
int mf_wait_fd(int fd, short poll_events, mf_deadline deadline)
{
    struct pollfd pfd = {.fd = fd, .events = poll_events};
    struct op op;
    long n;
    int rc;

    if (flags_of(poll_events) == 0 ||
        (poll_events & ~(POLLIN | POLLOUT | POLLPRI)) != 0)
        return -EINVAL;
    if ((rc = mfi_op_begin(&op, fd, flags_of(poll_events), deadline)) < 0)
        return rc;
    do {
        (void)mfi_op_due(&op);
        n = mfi_ppoll(&pfd, 1, 0);
        if (n > 0)
            n = (pfd.revents & POLLNVAL) != 0 ? -EBADF : pfd.revents;
        else if (n == 0) /* no edge ever comes from a file */
            n = op.rec->kind == FD_FILE ? -EPERM : -EAGAIN;
    } while ((rc = mfi_op_again(&op, n, false)) == MFI_OP_AGAIN);
    return mfi_op_end(&op, rc);
}
