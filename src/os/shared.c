/* SPDX-License-Identifier: MIT */
/*
 * shared.c - files whose flags are not ours.
 *
 * O_NONBLOCK belongs to the open file description, and the shell, our parent
 * and our siblings use the one of our standard input too. What does not wait
 * all the same, best first:
 *
 *   a description of our own. /proc/self/fd/N opened again is the same pipe or
 *   terminal. Denied where it belongs to another user (su, sudo): the terminal
 *   that controls us can be had as /dev/tty by anybody. Not for others: a pty's
 *   master opened again is a new pty, a tunnel a new tunnel; sockets and
 *   anonymous inodes cannot be opened.
 *
 *   RWF_NOWAIT. Pipes have it since 6.4, named ones and terminals have not.
 *
 *   splice, for pipes: to or from a pipe of our own, whose O_NONBLOCK counts
 *   for both. Bytes that do not fit are still ours. Whole pages move, so a
 *   write of PIPE_BUF or less goes out whole or not at all.
 *
 * Sources: proc(5), readv(2), splice(2), tty(4), fs/splice.c.
 */
#include "os/shared.h"

#include <linux/stat.h>
#include <sys/ioctl.h>

#include "os/high.h"

enum { TERMIOS_ROOM = 256, NOWAIT = 8, SPLICE_DONT_WAIT = 2, PIPE_LEN = 65536 };

bool mfi_os_tty(int fd)
{
    char termios[TERMIOS_ROOM];

    return mfi_sys3(SYS_ioctl, fd, TCGETS, termios) >= 0;
}

static int identity(int fd, struct statx *ret_sx)
{
    return (int)mfi_sys5(SYS_statx, fd, "", 0x1000 /* AT_EMPTY_PATH */,
                         STATX_TYPE | STATX_INO, ret_sx);
}

bool mfi_os_same(int a, int b)
{
    struct statx x, y;

    return identity(a, &x) >= 0 && identity(b, &y) >= 0 &&
           x.stx_ino == y.stx_ino && x.stx_dev_major == y.stx_dev_major &&
           x.stx_dev_minor == y.stx_dev_minor;
}

/* "/proc/self/fd/N" */
static void path_of(int fd, char *path)
{
    static const char folder[] = "/proc/self/fd/";
    char digits[16];
    int n = 0, at = 0;

    while (folder[at] != '\0') {
        path[at] = folder[at];
        at++;
    }
    do
        digits[n++] = (char)('0' + fd % 10);
    while ((fd /= 10) > 0);
    while (n > 0)
        path[at++] = digits[--n];
    path[at] = '\0';
}

static bool same_tty(int a, int b)
{
    unsigned x = 0, y = 0;

    return mfi_sys3(SYS_ioctl, a, TIOCGDEV, &x) >= 0 &&
           mfi_sys3(SYS_ioctl, b, TIOCGDEV, &y) >= 0 && x == y;
}

/* fd if it is what was looked for, else closed. */
static int checked(int fd, bool right)
{
    if (fd >= 0 && !right) {
        mfi_os_close(fd);
        return -ENXIO;
    }
    return fd;
}

static int private_tty(int fd, const char *path, int flags)
{
    unsigned number;
    int copy;

    if (mfi_sys3(SYS_ioctl, fd, TIOCGPTN, &number) >= 0)
        return -ENXIO; /* a master */
    copy = mfi_os_open(path, flags);
    copy = checked(copy, copy >= 0 && same_tty(fd, copy));
    if (copy >= 0)
        return copy;
    copy = mfi_os_open("/dev/tty", flags);
    return checked(copy, copy >= 0 && same_tty(fd, copy));
}

int mfi_os_private(int fd, int mode)
{
    int flags = mfi_os_fcntl(fd, F_GETFL, 0), copy;
    char path[32];

    if (flags < 0)
        return flags;
    if ((flags & O_PATH) != 0)
        return -EBADF;
    flags = (flags & (O_ACCMODE | O_APPEND | O_DIRECT)) | O_NONBLOCK | O_NOCTTY;
    path_of(fd, path);
    if (S_ISCHR(mode) && mfi_os_tty(fd))
        return private_tty(fd, path, flags);
    if (!S_ISFIFO(mode))
        return -ENXIO;
    copy = mfi_os_open(path, flags);
    return checked(copy, copy >= 0 && mfi_os_same(fd, copy));
}

long mfi_os_readv_nowait(int fd, const struct iovec *iov, int n)
{
    return mfi_sys6(SYS_preadv2, fd, MFI_L(iov), n, -1, -1, NOWAIT);
}

long mfi_os_writev_nowait(int fd, const struct iovec *iov, int n)
{
    return mfi_sys6(SYS_pwritev2, fd, MFI_L(iov), n, -1, -1, NOWAIT);
}

/* ---- splice -------------------------------------------------------------- */

static int make_pipe(int fds[2])
{
    int rc = (int)mfi_sys2(SYS_pipe2, fds, O_CLOEXEC | O_NONBLOCK);

    if (rc < 0)
        return rc;
    fds[0] = mfi_os_high(fds[0]);
    fds[1] = mfi_os_high(fds[1]);
    if (fds[0] >= 0 && fds[1] >= 0)
        return 0;
    rc = fds[0] < 0 ? fds[0] : fds[1];
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            mfi_os_close(fds[i]);
    return rc;
}

static void close_pipe(const int fds[2])
{
    mfi_os_close(fds[0]);
    mfi_os_close(fds[1]);
}

static long splice_now(int from, int to, size_t len)
{
    return mfi_sys6(SYS_splice, from, 0, to, 0, MFI_L(len), SPLICE_DONT_WAIT);
}

long mfi_os_read_pipe(int fd, void *buf, size_t len)
{
    int own[2], rc = make_pipe(own);
    long n, got = 0;

    if (rc < 0)
        return rc;
    n = splice_now(fd, own[1], len < PIPE_LEN ? len : PIPE_LEN);
    while (got < n) { /* it is all there: nobody else has this pipe */
        long part = mfi_os_read(own[0], (char *)buf + got, (size_t)(n - got));

        if (part <= 0 && part != -EINTR) {
            n = got > 0 ? got : part; /* buf is not the caller's: -EFAULT */
            break;
        }
        got += part > 0 ? part : 0;
    }
    close_pipe(own);
    return n;
}

long mfi_os_write_pipe(int fd, const void *buf, size_t len)
{
    int own[2], rc = make_pipe(own);
    long n;

    if (rc < 0)
        return rc;
    n = mfi_os_write(own[1], buf, len < PIPE_LEN ? len : PIPE_LEN);
    if (n > 0)
        n = splice_now(own[0], fd, (size_t)n);
    close_pipe(own);
    return n;
}

/* ---- job control --------------------------------------------------------- */

enum { TTIN = 21, TTOU = 22, MASK_UNBLOCK = 1, MASK_SET = 2, MASK_LEN = 8 };

bool mfi_os_background(int fd)
{
    int group = 0;

    return mfi_sys3(SYS_ioctl, fd, TIOCGPGRP, &group) >= 0 &&
           group != (int)mfi_sys1(SYS_getpgid, 0);
}

/* The signal's bit if its action is the default one. */
static uint64_t default_bit(int signo)
{
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } now = {0};

    /* aarch64 has no restorer: then all behind it is earlier by a word. */
    if (mfi_sys4(SYS_rt_sigaction, signo, 0, &now, MASK_LEN) < 0 ||
        now.handler != NULL)
        return 0;
    return UINT64_C(1) << (signo - 1);
}

void mfi_os_job_begin(struct os_job *j)
{
    uint64_t set = default_bit(TTIN) | default_bit(TTOU);

    mfi_sys4(SYS_rt_sigprocmask, MASK_UNBLOCK, &set, &j->old, MASK_LEN);
}

void mfi_os_job_end(const struct os_job *j)
{
    mfi_sys4(SYS_rt_sigprocmask, MASK_SET, &j->old, 0, MASK_LEN);
}
