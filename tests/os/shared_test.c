/* SPDX-License-Identifier: MIT */
/* shared_test.c - calls that do not wait on descriptions that would. */
#include "os/shared.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static void blocking_pipe(int fds[2])
{
    EXPECT_EQ(mfi_sys2(SYS_pipe2, fds, O_CLOEXEC), 0);
}

static int flags_of(int fd)
{
    return mfi_os_fcntl(fd, F_GETFL, 0);
}

static int make_pty(int *ret_slave)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    EXPECT_GE(master, 0);
    EXPECT_EQ(grantpt(master), 0);
    EXPECT_EQ(unlockpt(master), 0);
    *ret_slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    EXPECT_GE(*ret_slave, 0);
    return master;
}

MFI_TEST(files_are_told_apart)
{
    int p[2], q[2], slave, copy;
    int master = make_pty(&slave);

    blocking_pipe(p);
    blocking_pipe(q);
    copy = dup(p[0]);
    EXPECT(mfi_os_same(p[0], p[1]));
    EXPECT(mfi_os_same(p[0], copy));
    EXPECT(!mfi_os_same(p[0], q[0]));
    EXPECT(!mfi_os_same(p[0], -1));
    EXPECT(!mfi_os_same(-1, -1));
    EXPECT(mfi_os_tty(slave));
    EXPECT(mfi_os_tty(master));
    EXPECT(!mfi_os_tty(p[0]));
    EXPECT(!mfi_os_tty(-1));
}

MFI_TEST(a_private_pipe_is_the_same_pipe_with_flags_of_its_own)
{
    int p[2], r, w;
    char c = 0;

    blocking_pipe(p);
    EXPECT_GE(r = mfi_os_private(p[0], mfi_os_mode(p[0])), 3);
    EXPECT_GE(w = mfi_os_private(p[1], mfi_os_mode(p[1])), 3);
    EXPECT_EQ(flags_of(p[0]) & O_NONBLOCK, 0);
    EXPECT_EQ(flags_of(p[1]) & O_NONBLOCK, 0);
    EXPECT_EQ(flags_of(r) & (O_NONBLOCK | O_ACCMODE), O_NONBLOCK | O_RDONLY);
    EXPECT_EQ(flags_of(w) & (O_NONBLOCK | O_ACCMODE), O_NONBLOCK | O_WRONLY);
    EXPECT_EQ(mfi_os_fcntl(r, F_GETFD, 0), FD_CLOEXEC);
    EXPECT_EQ(mfi_os_read(r, &c, 1), -EAGAIN);
    EXPECT_EQ(mfi_os_write(w, "x", 1), 1);
    EXPECT_EQ(mfi_os_read(p[0], &c, 1), 1);
    EXPECT_EQ(c, 'x');
}

MFI_TEST(a_private_terminal_is_the_same_terminal)
{
    int slave, own, master = make_pty(&slave);
    char buf[8];

    if (MFI_TEST_EMULATED)
        MFI_SKIP("the emulator's /proc does not open terminals");
    EXPECT_GE(own = mfi_os_private(slave, mfi_os_mode(slave)), 3);
    EXPECT_EQ(mfi_os_read(own, buf, sizeof buf), -EAGAIN);
    EXPECT_EQ(mfi_os_write(master, "hi\n", 3), 3);
    EXPECT_EQ(mfi_os_read(own, buf, sizeof buf), 3);
    EXPECT_EQ(flags_of(slave) & O_NONBLOCK, 0);
}

MFI_TEST(nothing_else_is_opened_again)
{
    int slave, master = make_pty(&slave), event = eventfd(0, EFD_CLOEXEC);
    int null = mfi_os_open("/dev/null", O_RDWR), pair[2];

    EXPECT_LT(mfi_os_private(master, mfi_os_mode(master)), 0);
    EXPECT_LT(mfi_os_private(event, mfi_os_mode(event)), 0);
    EXPECT_LT(mfi_os_private(null, mfi_os_mode(null)), 0);
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EXPECT_LT(mfi_os_private(pair[0], mfi_os_mode(pair[0])), 0);
    EXPECT_EQ(mfi_os_private(-1, S_IFIFO), -EBADF);
}

static long read_one(int how, int fd, void *buf, size_t len)
{
    struct iovec v = {buf, len};

    return how == 0 ? mfi_os_readv_nowait(fd, &v, 1)
                    : mfi_os_read_pipe(fd, buf, len);
}

static long write_one(int how, int fd, const void *buf, size_t len)
{
    struct iovec v = {(void *)(uintptr_t)buf, len};

    return how == 0 ? mfi_os_writev_nowait(fd, &v, 1)
                    : mfi_os_write_pipe(fd, buf, len);
}

static char big[300000], back[300000];

/* What a pipe of 64 KiB takes and gives; how 0: RWF_NOWAIT, 1: splice. */
static void a_blocking_pipe_never_waits(int how)
{
    size_t in = 0, out = 0;
    char c;
    int p[2];
    long n;

    blocking_pipe(p);
    n = read_one(how, p[0], &c, 1);
    if (n == -EOPNOTSUPP || (MFI_TEST_EMULATED && n == -ENOSYS))
        MFI_SKIP("pipes know no RWF_NOWAIT here");
    EXPECT_EQ(n, -EAGAIN);
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 31 >> 3);
    while (out < sizeof big) {
        while (in < sizeof big &&
               (n = write_one(how, p[1], big + in, sizeof big - in)) > 0)
            in += (size_t)n;
        EXPECT(in == sizeof big || n == -EAGAIN);
        n = read_one(how, p[0], back + out, 1 + out % 7000);
        EXPECT_GT(n, 0);
        out += (size_t)n;
        EXPECT_LE(out, in);
    }
    EXPECT(memcmp(big, back, sizeof big) == 0);
    EXPECT_EQ(read_one(how, p[0], &c, 1), -EAGAIN);
    EXPECT_EQ(close(p[1]), 0);
    EXPECT_EQ(read_one(how, p[0], &c, 1), 0);
    EXPECT_EQ(flags_of(p[0]) & O_NONBLOCK, 0);
}

MFI_TEST(nowait_never_waits)
{
    a_blocking_pipe_never_waits(0);
}

MFI_TEST(splice_never_waits)
{
    a_blocking_pipe_never_waits(1);
}

MFI_TEST(splice_takes_a_short_text_whole_or_not_at_all)
{
    enum { LEN = 1000 };
    int p[2], whole = 0;
    long n;

    blocking_pipe(p);
    while ((n = mfi_os_write_pipe(p[1], big, LEN)) == LEN)
        whole++;
    EXPECT_EQ(n, -EAGAIN);
    EXPECT_GT(whole, 0);
    while ((n = mfi_os_read_pipe(p[0], back, LEN)) == LEN)
        whole--;
    EXPECT_EQ(n, -EAGAIN);
    EXPECT_EQ(whole, 0);
}

MFI_TEST(splice_reports_what_is_wrong)
{
    struct os_quiet q;
    int p[2], null = mfi_os_open("/dev/null", O_RDWR);
    char c;
    long n;

    blocking_pipe(p);
    EXPECT_EQ(mfi_os_read_pipe(-1, &c, 1), -EBADF);
    EXPECT_EQ(mfi_os_write_pipe(-1, "x", 1), -EBADF);
    EXPECT_LT(mfi_os_read_pipe(null, &c, 1), 1);
    EXPECT_EQ(close(p[0]), 0);
    mfi_os_quiet_begin(&q);
    n = mfi_os_write_pipe(p[1], "x", 1);
    mfi_os_quiet_end(&q, n);
    EXPECT_EQ(n, -EPIPE);
}

/* A child in the background of its terminal; what it does is `how`. */
static int job(int how)
{
    struct os_job j;
    int slave, master = make_pty(&slave), status, rc;
    pid_t leader = fork(), pid;
    sigset_t all;

    (void)master;
    if (leader == 0) {
        setsid();
        if (ioctl(slave, TIOCSCTTY, 0) < 0)
            _exit(99);
        if ((pid = fork()) == 0) {
            setpgid(0, 0); /* not orphaned: its parent is of this session */
            sigfillset(&all);
            pthread_sigmask(SIG_BLOCK, &all, NULL);
            if (!mfi_os_background(slave))
                _exit(98);
            if (how == 1)
                signal(SIGTTIN, SIG_IGN);
            mfi_os_job_begin(&j);
            rc = (int)mfi_os_read(slave, &status, 1);
            mfi_os_job_end(&j);
            pthread_sigmask(SIG_BLOCK, NULL, &all);
            _exit(sigismember(&all, SIGTTIN) ? -rc : 97);
        }
        waitpid(pid, &status, WUNTRACED);
        if (WIFSTOPPED(status)) {
            kill(pid, SIGKILL);
            _exit(WSTOPSIG(status) == SIGTTIN ? 50 : 96);
        }
        _exit(WEXITSTATUS(status));
    }
    EXPECT_EQ(waitpid(leader, &status, 0), leader);
    EXPECT(WIFEXITED(status));
    return WEXITSTATUS(status);
}

MFI_TEST(a_background_job_stops_at_its_terminal)
{
    if (mfi_test_under_valgrind())
        MFI_SKIP("valgrind takes such signals itself");
    EXPECT_EQ(job(0), 50);
}

MFI_TEST(one_that_ignores_the_signal_is_told)
{
    EXPECT_EQ(job(1), EIO);
}
