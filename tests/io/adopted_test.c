/* SPDX-License-Identifier: MIT */
/* adopted_test.c - fds of every other sort: what other code opens. */
#include "io/kit.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <termios.h>

struct act {
    int fd;
    int (*fn)(int fd);
};

static int act(void *arg)
{
    struct act *a = arg;

    await_waiters(a->fd, 1);
    return a->fn(a->fd);
}

static void *act_thread(void *arg)
{
    EXPECT_EQ(act(arg), 0);
    return NULL;
}

/* fd has nothing yet; fn, called once somebody waits, gives it n bytes. */
static void read_waits(int fd, int n, int (*fn)(int fd), char *buf, size_t len)
{
    struct act a = {fd, fn};
    pthread_t thread;

    EXPECT_EQ(mf_read(fd, buf, len, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_read(fd, buf, len, soon()), -ETIMEDOUT);
    EXPECT_EQ(pthread_create(&thread, NULL, act_thread, &a), 0);
    EXPECT_EQ(mf_read(fd, buf, len, late()), n);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(mf_read(fd, buf, len, soon()), -ETIMEDOUT);
}

/* ---- inotify ------------------------------------------------------------ */

static char dir[] = "/tmp/mayfly-adopted-XXXXXX", file[64];

static int create(int fd)
{
    int made = open(file, O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    (void)fd;
    return made < 0 ? -errno : close(made);
}

static int inotify(void *arg)
{
    _Alignas(struct inotify_event) char buf[512];
    struct inotify_event *ev = (struct inotify_event *)(void *)buf;
    int fd = inotify_init1(IN_CLOEXEC);

    (void)arg;
    EXPECT_GE(fd, 0);
    EXPECT_GE(inotify_add_watch(fd, dir, IN_CREATE), 0);
    read_waits(fd, (int)sizeof *ev + 16, create, buf, sizeof buf);
    EXPECT_EQ(ev->mask, IN_CREATE);
    EXPECT_EQ(strcmp(ev->name, "new"), 0);
    EXPECT_EQ(unlink(file), 0);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(an_inotify_is_read)
{
    EXPECT(mkdtemp(dir) != NULL);
    snprintf(file, sizeof file, "%s/new", dir);
    in_both(inotify, NULL);
    EXPECT_EQ(rmdir(dir), 0);
}

/* ---- timers and signals ------------------------------------------------- */

static int set(int fd)
{
    struct itimerspec in = {.it_value.tv_nsec = 1000 * 1000};

    return timerfd_settime(fd, 0, &in, NULL);
}

static int timer(void *arg)
{
    uint64_t times = 0;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    (void)arg;
    EXPECT_GE(fd, 0);
    read_waits(fd, 8, set, (char *)&times, sizeof times);
    EXPECT_EQ(times, 1);
    EXPECT_EQ(set(fd), 0);
    EXPECT_EQ(mf_wait_fd(fd, POLLIN, late()), POLLIN);
    EXPECT_EQ(mf_read(fd, &times, sizeof times, MF_NOW), 8);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(a_timerfd_is_read)
{
    in_both(timer, NULL);
}

static int send_signal(int fd)
{
    (void)fd;
    return kill(getpid(), SIGUSR2);
}

static int signals(void *arg)
{
    struct signalfd_siginfo si = {.ssi_signo = 0};
    sigset_t set;
    int fd;

    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    EXPECT_GE(fd = signalfd(-1, &set, SFD_CLOEXEC), 0);
    read_waits(fd, (int)sizeof si, send_signal, (char *)&si, sizeof si);
    EXPECT_EQ(si.ssi_signo, SIGUSR2);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

/*
 * In a plain thread: a signalfd belongs to who registers it with epoll, and
 * says that there is a signal if that thread may take it.
 */
MFI_TEST(a_signalfd_is_read)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    in_both(signals, NULL);
}

/* ---- a serial line ------------------------------------------------------ */

static int master;

static int send_frame(int fd)
{
    (void)fd;
    return write(master, "\x02\x03\r\xff", 4) == 4 ? 0 : -EIO;
}

/* A terminal in raw mode, as modems and meters are spoken with. */
static int serial(void *arg)
{
    struct termios mode;
    char buf[16];
    int fd;

    (void)arg;
    EXPECT_GE(master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), 0);
    EXPECT_EQ(grantpt(master), 0);
    EXPECT_EQ(unlockpt(master), 0);
    EXPECT_GE(fd = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC), 0);
    EXPECT_EQ(tcgetattr(fd, &mode), 0);
    cfmakeraw(&mode);
    EXPECT_EQ(cfsetspeed(&mode, B115200), 0);
    EXPECT_EQ(tcsetattr(fd, TCSANOW, &mode), 0);
    read_waits(fd, 4, send_frame, buf, sizeof buf);
    EXPECT_EQ(memcmp(buf, "\x02\x03\r\xff", 4), 0);
    EXPECT_EQ(mf_write(fd, "\n\x11\x13", 3, late()), 3);
    EXPECT_EQ(read(master, buf, sizeof buf), 3);
    EXPECT_EQ(memcmp(buf, "\n\x11\x13", 3), 0);
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_EQ(close(master), 0);
    return 0;
}

MFI_TEST(a_serial_line_is_read_and_written)
{
    in_both(serial, NULL);
}

/* ---- what waits differently, or never ----------------------------------- */

/* A set of another loop: readable when one of its own is. */
static int nested_set(void *arg)
{
    struct epoll_event ev = {.events = EPOLLIN};
    int set_fd = epoll_create1(EPOLL_CLOEXEC), fds[2];

    (void)arg;
    EXPECT_GE(set_fd, 0);
    bare_pipe(fds);
    EXPECT_EQ(epoll_ctl(set_fd, EPOLL_CTL_ADD, fds[0], &ev), 0);
    EXPECT_EQ(mf_wait_fd(set_fd, POLLIN, soon()), -ETIMEDOUT);
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(mf_wait_fd(set_fd, POLLIN, late()), POLLIN);
    EXPECT_EQ(mf_close(set_fd), 0);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    return 0;
}

MFI_TEST(the_set_of_another_loop_is_waited_for)
{
    in_both(nested_set, NULL);
}

static int never_wait(void *arg)
{
    static const char *const names[] = {"/dev/zero", "/dev/null", "/dev/full"};
    char buf[64] = {0};
    int fd = memfd_create("mayfly", MFD_CLOEXEC);

    (void)arg;
    EXPECT_GE(fd, 0);
    EXPECT_EQ(mf_write(fd, "0123456789", 10, MF_NEVER), 10);
    EXPECT_EQ(lseek(fd, 4, SEEK_SET), 4);
    EXPECT_EQ(mf_read(fd, buf, sizeof buf, MF_NEVER), 6);
    EXPECT_EQ(mf_read(fd, buf, sizeof buf, MF_NEVER), 0);
    EXPECT_EQ(mf_close(fd), 0);
    for (int i = 0; i < 3; i++) {
        EXPECT_GE(fd = open(names[i], O_RDWR | O_CLOEXEC), 0);
        EXPECT_EQ(mf_read(fd, buf, sizeof buf, MF_NEVER), i == 1 ? 0 : 64);
        EXPECT_EQ(mf_write(fd, buf, 1, MF_NEVER), i == 2 ? -ENOSPC : 1);
        EXPECT_EQ(mf_close(fd), 0);
    }
    return 0;
}

MFI_TEST(devices_and_memory_do_not_wait)
{
    in_both(never_wait, NULL);
}

/* Blocking, with a timeout of its own: the other code's ways are not ours. */
static int others_socket(void *arg)
{
    struct timeval tv = {.tv_usec = 1000};
    int s[2];
    char c;

    (void)arg;
    bare_pair(SOCK_STREAM, s);
    EXPECT_EQ(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), 0);
    EXPECT_EQ(mf_read(s[0], &c, 1, mf_after(MF_MSEC(50))), -ETIMEDOUT);
    EXPECT_EQ(write(s[1], "y", 1), 1);
    EXPECT_EQ(mf_read(s[0], &c, 1, late()), 1);
    EXPECT_EQ(c, 'y');
    EXPECT_EQ(mf_release(s[0]), 0);
    EXPECT_EQ(fcntl(s[0], F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(close(s[0]), 0);
    EXPECT_EQ(close(s[1]), 0);
    return 0;
}

MFI_TEST(a_socket_other_code_opened_goes_back_as_it_came)
{
    in_both(others_socket, NULL);
}
