/* SPDX-License-Identifier: MIT */
/* socket_test.c - options, names, shutdown, peek. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include "io/kit.h"

static void round_trip(int fd, enum mf_sockopt opt, int value)
{
    int got = -77;

    EXPECT_EQ(mf_sockopt_set(fd, opt, value), 0);
    EXPECT_EQ(mf_sockopt_get(fd, opt, &got), 0);
    if (got != value)
        mfi_test_fail(__FILE__, __LINE__, "option %d to be %d, not %d", opt,
                      value, got);
}

static void refuse(int fd, enum mf_sockopt opt, int value, int rc)
{
    int before = -77, after = -77;

    (void)mf_sockopt_get(fd, opt, &before);
    if (mf_sockopt_set(fd, opt, value) != rc)
        mfi_test_fail(__FILE__, __LINE__, "option %d = %d to be refused", opt,
                      value);
    (void)mf_sockopt_get(fd, opt, &after);
    EXPECT_EQ(before, after);
}

static int tcp_options(void *arg)
{
    struct pair p = make_pair(*(enum pair_kind *)arg);
    int got = -77;

    for (int on = 1; on >= 0; on--) {
        round_trip(p.r, MF_SO_NODELAY, on);
        round_trip(p.r, MF_SO_REUSEADDR, on);
        round_trip(p.r, MF_SO_REUSEPORT, on);
    }
    round_trip(p.r, MF_SO_KEEPALIVE, 30);
    round_trip(p.r, MF_SO_KEEPALIVE, 1);
    round_trip(p.r, MF_SO_KEEPALIVE, 0);
    round_trip(p.r, MF_SO_LINGER, 5);
    round_trip(p.r, MF_SO_LINGER, 0);
    round_trip(p.r, MF_SO_LINGER, -1);
    round_trip(p.r, MF_SO_KEEPINTVL, 1);
    round_trip(p.r, MF_SO_KEEPINTVL, 75);
    round_trip(p.r, MF_SO_KEEPCNT, 1);
    round_trip(p.r, MF_SO_KEEPCNT, 127);
    round_trip(p.r, MF_SO_TTL, 1);
    round_trip(p.r, MF_SO_TTL, 255);
    EXPECT_EQ(mf_sockopt_set(p.r, MF_SO_SNDBUF, 65536), 0);
    EXPECT_EQ(mf_sockopt_get(p.r, MF_SO_SNDBUF, &got), 0);
    EXPECT_GE(got, 65536);
    EXPECT_EQ(mf_sockopt_set(p.r, MF_SO_RCVBUF, 65536), 0);
    EXPECT_EQ(mf_sockopt_get(p.r, MF_SO_RCVBUF, &got), 0);
    EXPECT_GE(got, 65536);
    EXPECT_EQ(mf_sockopt_get(p.r, MF_SO_ERROR, &got), 0);
    EXPECT_EQ(got, 0);

    refuse(p.r, MF_SO_NODELAY, 2, -EINVAL);
    refuse(p.r, MF_SO_REUSEADDR, -1, -EINVAL);
    refuse(p.r, MF_SO_KEEPALIVE, -1, -EINVAL);
    refuse(p.r, MF_SO_KEEPINTVL, 0, -EINVAL);
    refuse(p.r, MF_SO_KEEPINTVL, -1, -EINVAL);
    refuse(p.r, MF_SO_KEEPCNT, 0, -EINVAL);
    refuse(p.r, MF_SO_KEEPCNT, 128, -EINVAL);
    refuse(p.r, MF_SO_BROADCAST, 2, -EINVAL);
    refuse(p.r, MF_SO_FASTOPEN, -1, -EINVAL);
    refuse(p.r, MF_SO_LINGER, -2, -EINVAL);
    refuse(p.r, MF_SO_TTL, 0, -EINVAL);
    refuse(p.r, MF_SO_TTL, 256, -EINVAL);
    refuse(p.r, MF_SO_SNDBUF, -1, -EINVAL);
    refuse(p.r, MF_SO_ERROR, 0, -EINVAL);
    refuse(p.r, (enum mf_sockopt)0, 0, -EINVAL);
    refuse(p.r, (enum mf_sockopt)99, 0, -EINVAL);
    refuse(p.r, (enum mf_sockopt) - 1, 0, -EINVAL);
    EXPECT_EQ(mf_sockopt_get(p.r, MF_SO_TTL, NULL), -EINVAL);
    close_pair(&p);
    return 0;
}

MFI_TEST(options_of_tcp_are_read_back_as_set)
{
    enum pair_kind v4 = PAIR_TCP4, v6 = PAIR_TCP6;

    in_both(tcp_options, &v4);
    in_tasks(1, tcp_options, &v6);
}

/* What is set by one number is set in the kernel, not only remembered. */
static int reaches_the_kernel(void *arg)
{
    int l = mf_tcp_listen("127.0.0.1:0", NULL), got = -77;
    int u = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct pair p = make_pair(PAIR_TCP6);
    socklen_t len = sizeof got;

    (void)arg;
    EXPECT_GE(l, 0);
    EXPECT_GE(u, 0);
    round_trip(u, MF_SO_BROADCAST, 1);
    EXPECT_EQ(getsockopt(u, SOL_SOCKET, SO_BROADCAST, &got, &len), 0);
    EXPECT_EQ(got, 1);
    round_trip(u, MF_SO_BROADCAST, 0);
    EXPECT_EQ(mf_sockopt_set(u, MF_SO_KEEPCNT, 3), -ENOPROTOOPT);
    EXPECT_EQ(mf_sockopt_set(u, MF_SO_FASTOPEN, 3), -ENOPROTOOPT);
    round_trip(l, MF_SO_FASTOPEN, 16);
    EXPECT_EQ(getsockopt(l, IPPROTO_TCP, TCP_FASTOPEN, &got, &len), 0);
    EXPECT_EQ(got, 16);
    round_trip(l, MF_SO_FASTOPEN, 0);
    round_trip(p.r, MF_SO_TTL, 9); /* to IPv4 peers too */
    EXPECT_EQ(getsockopt(p.r, IPPROTO_IP, IP_TTL, &got, &len), 0);
    EXPECT_EQ(got, 9);
    round_trip(p.r, MF_SO_KEEPALIVE, 7);
    EXPECT_EQ(getsockopt(p.r, IPPROTO_TCP, TCP_KEEPIDLE, &got, &len), 0);
    EXPECT_EQ(got, 7);
    close_pair(&p);
    EXPECT_EQ(mf_close(l), 0);
    EXPECT_EQ(mf_close(u), 0);
    return 0;
}

MFI_TEST(options_reach_the_kernel)
{
    in_both(reaches_the_kernel, NULL);
}

static int not_for_it(void *arg)
{
    struct pair p = make_pair(PAIR_UNIX), q = make_pair(PAIR_PIPE);
    int got = -77;
    mf_addr a = {.len = 77};

    (void)arg;
    for (int opt = MF_SO_NODELAY; opt <= MF_SO_FASTOPEN; opt++) {
        if (opt == MF_SO_ERROR)
            continue;
        EXPECT_EQ(mf_sockopt_set(q.r, (enum mf_sockopt)opt, 1), -ENOTSOCK);
        EXPECT_EQ(mf_sockopt_set(-1, (enum mf_sockopt)opt, 1), -EBADF);
        EXPECT_EQ(mf_sockopt_get(q.r, (enum mf_sockopt)opt, &got), -ENOTSOCK);
        EXPECT_EQ(mf_sockopt_get(-1, (enum mf_sockopt)opt, &got), -EBADF);
    }
    EXPECT_EQ(mf_sockopt_set(p.r, MF_SO_NODELAY, 1), -ENOPROTOOPT);
    EXPECT_EQ(mf_sockopt_get(p.r, MF_SO_NODELAY, &got), -ENOPROTOOPT);
    EXPECT_EQ(mf_sockopt_set(p.r, MF_SO_V6ONLY, 1), -ENOPROTOOPT);
    EXPECT_EQ(mf_sockopt_set(p.r, MF_SO_TTL, 9), -ENOPROTOOPT);
    EXPECT_EQ(got, -77);
    EXPECT_EQ(mf_local_addr(q.r, &a), -ENOTSOCK);
    EXPECT_EQ(mf_peer_addr(q.r, &a), -ENOTSOCK);
    EXPECT_EQ(mf_local_addr(-1, &a), -EBADF);
    EXPECT_EQ(mf_local_addr(p.r, NULL), -EINVAL);
    EXPECT_EQ(a.len, 77);
    EXPECT_EQ(mf_shutdown(q.r, SHUT_WR), -ENOTSOCK);
    EXPECT_EQ(mf_shutdown(-1, SHUT_WR), -EBADF);
    EXPECT_EQ(mf_shutdown(p.r, 7), -EINVAL);
    EXPECT_EQ(mf_peek(q.r, &got, 1, MF_NOW), -ENOTSOCK);
    EXPECT_EQ(mf_peek(-1, &got, 1, MF_NOW), -EBADF);
    close_pair(&p);
    close_pair(&q);
    return 0;
}

MFI_TEST(what_is_not_for_this_fd_is_refused)
{
    in_both(not_for_it, NULL);
}

static int not_connected(void *arg)
{
    int l = mf_tcp_listen("[::]:0", NULL), got = -1;
    mf_addr a;

    (void)arg;
    EXPECT_GE(l, 0);
    EXPECT_EQ(mf_peer_addr(l, &a), -ENOTCONN);
    EXPECT_EQ(mf_sockopt_get(l, MF_SO_REUSEADDR, &got), 0);
    EXPECT_EQ(got, 1);
    EXPECT_EQ(mf_sockopt_get(l, MF_SO_V6ONLY, &got), 0);
    EXPECT_EQ(got, 0);
    EXPECT_EQ(mf_close(l), 0);
    EXPECT_GE(l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 0);
    EXPECT_EQ(mf_shutdown(l, SHUT_WR), -ENOTCONN);
    EXPECT_EQ(mf_close(l), 0);
    return 0;
}

MFI_TEST(what_needs_a_peer_says_there_is_none)
{
    in_both(not_connected, NULL);
}

static int write_two(void *arg)
{
    EXPECT_EQ(mf_write(*(int *)arg, "ab", 2, late()), 2);
    return 0;
}

static int peeks(void *arg)
{
    static const enum pair_kind kinds[] = {PAIR_TCP4, PAIR_TCP6, PAIR_UNIX};

    (void)arg;
    for (int k = 0; k < 3; k++) {
        struct pair p = make_pair(kinds[k]);
        char buf[8] = {0};
        struct helper h;

        EXPECT_EQ(mf_peek(p.r, buf, sizeof buf, MF_NOW), -ETIMEDOUT);
        EXPECT_EQ(mf_peek(p.r, buf, sizeof buf, soon()), -ETIMEDOUT);
        EXPECT_EQ(mf_peek(p.r, buf, 0, MF_NEVER), 0);
        help(&h, write_two, &p.w);
        EXPECT_EQ(mf_peek(p.r, buf, 1, late()), 1);
        EXPECT_EQ(helped(&h), 0);
        EXPECT_EQ(mf_peek(p.r, buf, sizeof buf, late()), 2);
        EXPECT_EQ(mf_peek(p.r, buf, sizeof buf, MF_NOW), 2);
        EXPECT_STR_EQ(buf, "ab");
        EXPECT_EQ(mf_read(p.r, buf, 1, late()), 1);
        EXPECT_EQ(mf_peek(p.r, buf, sizeof buf, late()), 1);
        EXPECT_EQ(buf[0], 'b');
        EXPECT_EQ(mf_read(p.r, buf, sizeof buf, late()), 1);
        EXPECT_EQ(mf_close(p.w), 0);
        p.w = -1;
        EXPECT_EQ(mf_peek(p.r, buf, sizeof buf, late()), 0);
        EXPECT_EQ(mf_peek(p.r, buf, sizeof buf, late()), 0);
        close_pair(&p);
    }
    return 0;
}

MFI_TEST(what_was_peeked_at_is_still_there)
{
    in_both(peeks, NULL);
}
