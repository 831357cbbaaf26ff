/* SPDX-License-Identifier: MIT */
/*
 * io.h - bytes and descriptors. Results are >= 0 or -errno; nothing waits
 * unless the fd itself is in blocking mode.
 */
#ifndef MFI_OS_IO_H
#define MFI_OS_IO_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/high.h"
#include "os/syscall.h"

#define MFI_IO_MAX ((size_t)0x7ffff000) /* read(2): MAX_RW_COUNT */

static inline long mfi_os_read(int fd, void *buf, size_t len)
{
    return mfi_sys3(SYS_read, fd, buf, len);
}

static inline long mfi_os_write(int fd, const void *buf, size_t len)
{
    return mfi_sys3(SYS_write, fd, buf, len);
}

static inline long mfi_os_readv(int fd, const struct iovec *iov, int n)
{
    return mfi_sys3(SYS_readv, fd, iov, n);
}

static inline long mfi_os_writev(int fd, const struct iovec *iov, int n)
{
    return mfi_sys3(SYS_writev, fd, iov, n);
}

/* The same, and no SIGPIPE for the calling thread, blocked or not. */
long mfi_os_write_quiet(int fd, const void *buf, size_t len);
long mfi_os_writev_quiet(int fd, const struct iovec *iov, int n);
long mfi_os_splice_quiet(int in, int out, size_t len, unsigned flags);
long mfi_os_sendfile_quiet(int out, int in, int64_t *offset, size_t len);

/* What they do around the write; rc: what it returned. */
struct os_quiet {
    uint64_t old;
    bool pending;
};
void mfi_os_quiet_begin(struct os_quiet *q);
void mfi_os_quiet_end(struct os_quiet *q, long rc);

static inline long mfi_os_recv(int fd, void *buf, size_t len, int flags)
{
    return mfi_sys6(SYS_recvfrom, fd, MFI_L(buf), MFI_L(len), flags, 0, 0);
}

static inline long mfi_os_send(int fd, const void *buf, size_t len, int flags)
{
    return mfi_sys6(SYS_sendto, fd, MFI_L(buf), MFI_L(len), flags, 0, 0);
}

/* from: room for *len bytes, or both NULL. */
static inline long mfi_os_recvfrom(int fd, void *buf, size_t len, int flags,
                                   void *from, socklen_t *from_len)
{
    return mfi_sys6(SYS_recvfrom, fd, MFI_L(buf), MFI_L(len), flags,
                    MFI_L(from), MFI_L(from_len));
}

static inline long mfi_os_sendto(int fd, const void *buf, size_t len, int flags,
                                 const void *to, socklen_t to_len)
{
    return mfi_sys6(SYS_sendto, fd, MFI_L(buf), MFI_L(len), flags, MFI_L(to),
                    MFI_L(to_len));
}

static inline long mfi_os_recvmsg(int fd, struct msghdr *msg, int flags)
{
    return mfi_sys3(SYS_recvmsg, fd, msg, flags);
}

static inline long mfi_os_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    return mfi_sys3(SYS_sendmsg, fd, msg, flags);
}

struct mmsghdr;

/* How many of the n messages came, or went; without waiting if flags say so. */
static inline long mfi_os_recvmmsg(int fd, struct mmsghdr *msgs, unsigned n,
                                   int flags)
{
    return mfi_sys5(SYS_recvmmsg, fd, msgs, n, flags, 0);
}

static inline long mfi_os_sendmmsg(int fd, struct mmsghdr *msgs, unsigned n,
                                   int flags)
{
    return mfi_sys4(SYS_sendmmsg, fd, msgs, n, flags);
}

static inline int mfi_os_close(int fd)
{
#if MFI_OS_TSAN
    int saved = errno, rc = close(fd) < 0 ? -errno : 0;

    errno = saved;
    return rc;
#else
    return (int)mfi_sys1(SYS_close, fd);
#endif
}

/* rc as libc gives it, for a library that asks us: -1 and errno. */
long mfi_os_as_libc(long rc);

static inline int mfi_os_fcntl(int fd, int cmd, long arg)
{
    return (int)mfi_sys3(SYS_fcntl, fd, cmd, arg);
}

static inline int mfi_os_open(const char *path, int flags)
{
    return mfi_os_high(
        (int)mfi_sys4(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0));
}

/* The st_mode of fd, or -errno. */
int mfi_os_mode(int fd);

static inline int mfi_os_socket(int domain, int type)
{
    return mfi_os_high((int)mfi_sys3(SYS_socket, domain,
                                     type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static inline int mfi_os_bind(int fd, const void *sa, socklen_t len)
{
    return (int)mfi_sys3(SYS_bind, fd, sa, len);
}

static inline int mfi_os_listen(int fd, int backlog)
{
    return (int)mfi_sys2(SYS_listen, fd, backlog);
}

static inline int mfi_os_accept(int fd, void *sa, socklen_t *len)
{
    return mfi_os_high(
        (int)mfi_sys4(SYS_accept4, fd, sa, len, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

static inline int mfi_os_connect(int fd, const void *sa, socklen_t len)
{
    return (int)mfi_sys3(SYS_connect, fd, sa, len);
}

static inline int mfi_os_shutdown(int fd, int how)
{
    return (int)mfi_sys2(SYS_shutdown, fd, how);
}

static inline int mfi_os_sockname(int fd, void *sa, socklen_t *len)
{
    return (int)mfi_sys3(SYS_getsockname, fd, sa, len);
}

static inline int mfi_os_peername(int fd, void *sa, socklen_t *len)
{
    return (int)mfi_sys3(SYS_getpeername, fd, sa, len);
}

static inline int mfi_os_setsockopt(int fd, int level, int name,
                                    const void *val, socklen_t len)
{
    return (int)mfi_sys5(SYS_setsockopt, fd, level, name, val, len);
}

static inline int mfi_os_getsockopt(int fd, int level, int name, void *val,
                                    socklen_t *len)
{
    return (int)mfi_sys5(SYS_getsockopt, fd, level, name, val, len);
}

#endif
