/* SPDX-License-Identifier: MIT */
/* io.c - file types, and writing without SIGPIPE. */
#include "os/io.h"

#include <linux/stat.h>

int mfi_os_mode(int fd)
{
    struct statx sx;
    int rc = (int)mfi_sys5(SYS_statx, fd, "", 0x1000 /* AT_EMPTY_PATH */,
                           STATX_TYPE | STATX_MODE, &sx);

    return rc < 0 ? rc : sx.stx_mode;
}

long mfi_os_as_libc(long rc)
{
    if (rc >= 0)
        return rc;
    errno = (int)-rc;
    return -1;
}

/*
 * A write to a broken pipe sends SIGPIPE to the writing thread. It is blocked
 * for the time of the write; if the write failed with -EPIPE and none was
 * pending before, the one it made is taken away. Workers have it blocked for
 * good, where a pending one does nothing.
 */
enum { SIGNAL_PIPE = 13, MASK_BLOCK = 0, MASK_SET = 2, MASK_LEN = 8 };
static const uint64_t pipe_bit = UINT64_C(1) << (SIGNAL_PIPE - 1);

void mfi_os_quiet_begin(struct os_quiet *q)
{
    uint64_t set = pipe_bit, pending = 0;

    mfi_sys4(SYS_rt_sigprocmask, MASK_BLOCK, &set, &q->old, MASK_LEN);
    mfi_sys2(SYS_rt_sigpending, &pending, MASK_LEN);
    q->pending = (pending & pipe_bit) != 0;
}

void mfi_os_quiet_end(struct os_quiet *q, long rc)
{
    uint64_t set = pipe_bit;
    long now[2] = {0, 0};

    if (rc == -EPIPE && !q->pending)
        mfi_sys4(SYS_rt_sigtimedwait, &set, 0, now, MASK_LEN);
    mfi_sys4(SYS_rt_sigprocmask, MASK_SET, &q->old, 0, MASK_LEN);
}

long mfi_os_write_quiet(int fd, const void *buf, size_t len)
{
    struct os_quiet q;
    long rc;

    mfi_os_quiet_begin(&q);
    rc = mfi_os_write(fd, buf, len);
    mfi_os_quiet_end(&q, rc);
    return rc;
}

long mfi_os_writev_quiet(int fd, const struct iovec *iov, int n)
{
    struct os_quiet q;
    long rc;

    mfi_os_quiet_begin(&q);
    rc = mfi_os_writev(fd, iov, n);
    mfi_os_quiet_end(&q, rc);
    return rc;
}

long mfi_os_splice_quiet(int in, int out, size_t len, unsigned flags)
{
    struct os_quiet q;
    long rc;

    mfi_os_quiet_begin(&q);
    rc = mfi_sys6(SYS_splice, in, 0, out, 0, MFI_L(len), flags);
    mfi_os_quiet_end(&q, rc);
    return rc;
}

long mfi_os_sendfile_quiet(int out, int in, int64_t *offset, size_t len)
{
    struct os_quiet q;
    long rc;

    mfi_os_quiet_begin(&q);
    rc = mfi_sys4(SYS_sendfile, out, in, offset, len);
    mfi_os_quiet_end(&q, rc);
    return rc;
}
