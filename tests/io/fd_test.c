/* SPDX-License-Identifier: MIT */
/* fd_test.c - adopt, release, close, wait; fds of every other sort. */
#include "io/kit.h"

static bool nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    EXPECT_GE(flags, 0);
    return (flags & O_NONBLOCK) != 0;
}

static int flags_come_back(void *arg)
{
    int fds[2];
    char c;

    (void)arg;
    bare_pipe(fds);
    EXPECT_EQ(mf_release(fds[0]), 0); /* unknown: nothing to forget */
    EXPECT_EQ(mf_adopt(fds[0]), 0);
    EXPECT_EQ(mf_adopt(fds[0]), 0);
    EXPECT(nonblocking(fds[0]));
    EXPECT(!nonblocking(fds[1]));
    EXPECT_EQ(mf_read(fds[0], &c, 1, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_release(fds[0]), 0);
    EXPECT(!nonblocking(fds[0]));
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_EQ(mf_read(fds[0], &c, 1, late()), 1); /* known again */
    EXPECT(nonblocking(fds[0]));
    EXPECT_EQ(mf_read(fds[0], &c, 1, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_release(fds[0]), 0);
    /* What was non-blocking before stays it. */
    EXPECT_EQ(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    EXPECT_EQ(mf_adopt(fds[0]), 0);
    EXPECT_EQ(mf_release(fds[0]), 0);
    EXPECT(nonblocking(fds[0]));
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    return 0;
}

MFI_TEST(release_gives_the_flags_back)
{
    in_both(flags_come_back, NULL);
}

/* In how many workers' sets it is. (The edge is the test's from now on.) */
static int registered(int fd)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
    int n = 0;

    for (int i = 0; i < mfi_sched.nr_workers; i++)
        n += epoll_ctl(mfi_load_acq(&mfi_sched.workers[i])->poller.epfd,
                       EPOLL_CTL_MOD, fd, &ev) == 0;
    return n;
}

static int release_leaves_the_set(void *arg)
{
    int fds[2];
    char c;

    (void)arg;
    bare_pipe(fds);
    EXPECT_EQ(mf_read(fds[0], &c, 1, soon()), -ETIMEDOUT);
    EXPECT_EQ(registered(fds[0]), 1);
    EXPECT_EQ(mf_read(fds[0], &c, 1, soon()), -ETIMEDOUT); /* armed again */
    EXPECT_EQ(mf_release(fds[0]), 0);
    EXPECT_EQ(registered(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    return 0;
}

MFI_TEST(a_released_fd_makes_no_more_wake_ups)
{
    in_tasks(2, release_leaves_the_set, NULL);
}

static int close_is_only_close(void *arg)
{
    int fds[2], copy;

    (void)arg;
    settle();
    bare_pipe(fds);
    copy = bare_dup(fds[0]);
    EXPECT_EQ(mf_close(copy), 0);
    EXPECT(!nonblocking(fds[0]));
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    EXPECT_EQ(fcntl(fds[0], F_GETFD), -1);
    EXPECT_EQ(mf_close(fds[0]), -EBADF);
    EXPECT_EQ(mf_close(-1), -EBADF);
    EXPECT_EQ(mf_close(1 << 30), -EBADF);
    EXPECT_EQ(mf_release(fds[0]), -EBADF);
    EXPECT_EQ(mf_adopt(fds[0]), -EBADF);
    EXPECT_EQ(mf_adopt(-7), -EBADF);
    EXPECT_EQ(mf_fd_timeouts(fds[0], 0, 0), -EBADF);
    EXPECT_EQ(mf_read(fds[0], &copy, 1, MF_NOW), -EBADF);
    EXPECT_EQ(mf_write(-1, "x", 1, MF_NOW), -EBADF);
    EXPECT_EQ(mf_wait_fd(fds[0], POLLIN, MF_NOW), -EBADF);
    return 0;
}

MFI_TEST(closing_an_unknown_fd_leaves_its_flags_to_who_shares_them)
{
    in_both(close_is_only_close, NULL);
}

/* ---- somebody waits ----------------------------------------------------- */

struct sitter {
    int fd;
    int (*end)(int fd);
};

static int sit(void *arg)
{
    struct sitter *s = arg;
    char c;

    EXPECT_EQ(mf_read(s->fd, &c, 1, late()), -EBADF);
    return 0;
}

static void *sit_thread(void *arg)
{
    sit(arg);
    return NULL;
}

static void end_under(enum pair_kind kind, int (*end)(int fd))
{
    enum { SITTERS = 4 };
    struct pair p = make_pair(kind);
    struct sitter s = {p.r, end};
    pthread_t thread[SITTERS];
    mf_scope scope;

    EXPECT_EQ(mf_scope_open(&scope, NULL), 0);
    for (int i = 0; i < SITTERS; i++) {
        EXPECT_EQ(mf_go(&scope, sit, &s), 0);
        EXPECT_EQ(pthread_create(&thread[i], NULL, sit_thread, &s), 0);
    }
    await_waiters(p.r, 2 * SITTERS);
    EXPECT_EQ(end(p.r), 0);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    for (int i = 0; i < SITTERS; i++)
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
    if (end == mf_release) {
        EXPECT_GE(fcntl(p.r, F_GETFD), 0);
    } else {
        EXPECT_EQ(fcntl(p.r, F_GETFD), -1);
        p.r = -1;
    }
    close_pair(&p);
}

static int ends_under_sitters(void *arg)
{
    (void)arg;
    settle();
    for (int k = 0; k < PAIRS; k++) {
        end_under((enum pair_kind)k, mf_close);
        end_under((enum pair_kind)k, mf_release);
    }
    return 0;
}

MFI_TEST(close_and_release_send_every_waiter_home)
{
    in_both(ends_under_sitters, NULL);
}

/*
 * The released number is closed and reused before the one who waited has run:
 * its way out must not take the new file along.
 */
static int released_and_reused(void *arg)
{
    struct sitter s = {-1, mf_release};
    struct pair old, p;
    struct helper h;
    char c;
    int l, fd;

    (void)arg;
    settle();
    old = make_pair(PAIR_UNIX);
    s.fd = old.r;
    help(&h, sit, &s);
    await_waiters(old.r, 1);
    EXPECT_EQ(mf_release(old.r), 0);
    EXPECT_EQ(close(old.r), 0);
    EXPECT_EQ(l = mf_tcp_listen("127.0.0.1:0", NULL), s.fd);
    EXPECT_EQ(mf_accept(l, NULL, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_GE(fcntl(l, F_GETFD), 0);
    EXPECT_EQ(mf_accept(l, NULL, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_close(l), 0);
    p = make_pair(PAIR_TCP4);
    EXPECT_EQ(mf_write(p.w, "y", 1, late()), 1);
    EXPECT_EQ(mf_read(p.r, &c, 1, late()), 1);
    close_pair(&p);
    EXPECT_EQ(mf_close(old.w), 0);
    EXPECT_LT(fd = fcntl(s.fd, F_GETFD), 0);
    return 0;
}

MFI_TEST(a_released_number_can_be_reused_at_once)
{
    in_tasks(1, released_and_reused, NULL);
}

/* Misuse, but not undefined: a new socket of that number starts afresh. */
static int closed_behind_our_back(void *arg)
{
    struct sitter s = {-1, NULL};
    struct pair old;
    struct helper h;
    int l;

    (void)arg;
    settle();
    old = make_pair(PAIR_UNIX);
    s.fd = old.r;
    help(&h, sit, &s);
    await_waiters(old.r, 1);
    EXPECT_EQ(close(old.r), 0);
    EXPECT_EQ(l = mf_tcp_listen("127.0.0.1:0", NULL), s.fd);
    EXPECT_EQ(helped(&h), 0); /* -EBADF */
    EXPECT_EQ(mf_accept(l, NULL, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_close(l), 0);
    EXPECT_EQ(mf_write(old.w, "x", 1, MF_NOW), -EPIPE);
    EXPECT_EQ(mf_close(old.w), 0);
    return 0;
}

MFI_TEST(a_number_closed_behind_our_back_ends_its_waiters_when_reused)
{
    in_tasks(1, closed_behind_our_back, NULL);
    in_tasks(4, closed_behind_our_back, NULL);
}

/* ---- waiting without moving --------------------------------------------- */

static int wait_is_true(void *arg)
{
    struct pair p = make_pair(PAIR_TCP4);
    char c;

    (void)arg;
    EXPECT_EQ(mf_wait_fd(p.r, 0, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_wait_fd(p.r, POLLHUP, MF_NOW), -EINVAL);
    for (int i = 0; i < 50; i++) {
        EXPECT_EQ(mf_wait_fd(p.r, POLLIN, MF_NOW), -ETIMEDOUT);
        EXPECT_EQ(mf_wait_fd(p.r, POLLIN | POLLOUT, MF_NOW), POLLOUT);
        EXPECT_EQ(mf_write(p.w, "a", 1, late()), 1);
        EXPECT_EQ(mf_wait_fd(p.r, POLLIN, late()), POLLIN);
        EXPECT_EQ(mf_wait_fd(p.r, POLLIN, late()), POLLIN);
        EXPECT_EQ(mf_wait_fd(p.r, POLLIN | POLLOUT, MF_NOW), POLLIN | POLLOUT);
        EXPECT_EQ(mf_read(p.r, &c, 1, MF_NOW), 1);
    }
    EXPECT_EQ(mf_wait_fd(p.r, POLLIN, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_close(p.w), 0);
    EXPECT_EQ(mf_wait_fd(p.r, POLLIN, late()), POLLIN);
    EXPECT_EQ(mf_read(p.r, &c, 1, late()), 0);
    p.w = -1;
    close_pair(&p);
    return 0;
}

MFI_TEST(wait_fd_says_what_is_true_now)
{
    in_both(wait_is_true, NULL);
}

static int wait_urgent(void *arg)
{
    struct pair *p = arg;
    int got = mf_wait_fd(p->r, POLLPRI, late());

    EXPECT_GE(got, 0);
    EXPECT((got & POLLPRI) != 0);
    return 0;
}

static int urgent(void *arg)
{
    struct pair p = make_pair(PAIR_TCP4);
    struct helper h;
    char buf[8];

    (void)arg;
    EXPECT_EQ(mf_wait_fd(p.r, POLLPRI, soon()), -ETIMEDOUT);
    help(&h, wait_urgent, &p);
    await_waiters(p.r, 1);
    EXPECT_EQ(mf_write(p.w, "abc", 3, late()), 3); /* does not end it */
    EXPECT_EQ(send(p.w, "!", 1, MSG_OOB), 1);
    EXPECT_EQ(mf_write(p.w, "def", 3, late()), 3);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(recv(p.r, buf, 1, MSG_OOB | MSG_DONTWAIT), 1);
    EXPECT_EQ(buf[0], '!');
    /* A read stops at the mark; what is behind it must not be forgotten. */
    EXPECT_EQ(mf_read(p.r, buf, sizeof buf, late()), 3);
    EXPECT_EQ(mf_read(p.r, buf, sizeof buf, late()), 3);
    EXPECT_EQ(memcmp(buf, "def", 3), 0);
    close_pair(&p);
    return 0;
}

MFI_TEST(urgent_data_ends_a_wait_for_it)
{
    in_both(urgent, NULL);
}

static int wait_hup(void *arg)
{
    struct pair *p = arg;

    EXPECT((mf_wait_fd(p->r, POLLPRI, late()) & POLLHUP) != 0);
    return 0;
}

static int hangup(void *arg)
{
    static const enum pair_kind kinds[] = {PAIR_UNIX, PAIR_PIPE};

    (void)arg;
    for (int i = 0; i < 2; i++) {
        struct pair p = make_pair(kinds[i]);
        struct helper h;

        help(&h, wait_hup, &p);
        await_waiters(p.r, 1);
        EXPECT_EQ(mf_close(p.w), 0);
        p.w = -1;
        EXPECT_EQ(helped(&h), 0);
        close_pair(&p);
    }
    return 0;
}

MFI_TEST(a_hangup_ends_every_wait_unasked)
{
    in_both(hangup, NULL);
}

/* ---- other sorts of fds ------------------------------------------------- */

static int give_eight(void *arg)
{
    uint64_t n = 5;

    EXPECT_EQ(mf_write(*(int *)arg, &n, sizeof n, late()), 8);
    return 0;
}

static int sorts(void *arg)
{
    char name[] = "/tmp/mayfly_fd_test_XXXXXX", buf[16] = {0};
    struct iovec iov[2] = {{buf, 3}, {buf + 3, 9}};
    uint64_t n = 0;
    struct helper h;
    int fd;

    (void)arg;
    EXPECT_GE(fd = eventfd(0, EFD_CLOEXEC), 0);
    EXPECT_EQ(mf_read(fd, &n, sizeof n, soon()), -ETIMEDOUT);
    help(&h, give_eight, &fd);
    EXPECT_EQ(mf_read(fd, &n, sizeof n, late()), 8);
    EXPECT_EQ(n, 5);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mf_close(fd), 0);

    EXPECT_GE(fd = open("/dev/null", O_RDWR | O_CLOEXEC), 0);
    EXPECT_EQ(mf_read(fd, buf, 8, MF_NEVER), 0);
    EXPECT_EQ(mf_write(fd, buf, 8, MF_NEVER), 8);
    EXPECT_EQ(mf_close(fd), 0);

    EXPECT_GE(fd = mkstemp(name), 0);
    EXPECT_EQ(unlink(name), 0);
    EXPECT_EQ(mf_write(fd, "hello world", 11, MF_NEVER), 11);
    EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
    EXPECT_EQ(mf_readv(fd, iov, 2, MF_NEVER), 11);
    EXPECT_STR_EQ(buf, "hello world");
    EXPECT_EQ(mf_read(fd, buf, 1, MF_NEVER), 0);
    EXPECT_EQ(mf_wait_fd(fd, POLLIN, MF_NEVER), POLLIN);
    EXPECT_EQ(mf_wait_fd(fd, POLLPRI, MF_NEVER), -EPERM);
    EXPECT(!nonblocking(fd));
    EXPECT_EQ(mf_close(fd), 0);

    EXPECT_GE(fd = open("/tmp", O_RDONLY | O_CLOEXEC), 0);
    EXPECT_EQ(mf_read(fd, buf, 1, MF_NEVER), -EISDIR);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(eventfds_devices_and_files_are_fds_too)
{
    in_both(sorts, NULL);
}
