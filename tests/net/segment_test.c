/* SPDX-License-Identifier: MIT */
/* segment_test.c - messages of many datagrams, cut by the kernel or by us. */
#include "net/segment.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include "datagrams.h"

enum { ROOM = 1 << 16, BIG = 200000 };

static char out[BIG], in[ROOM];

static void fill(void)
{
    for (int i = 0; i < BIG; i++)
        out[i] = (char)(((unsigned)i * 2654435761u) >> 9);
}

/* The kernel's way, whatever the probe says of it. */
static bool kernel_cuts(int fd)
{
    return mfi_segment_can(fd, mfi_fd_peek(fd));
}

/*
 * Send len bytes in segments; each comes as a datagram of its own, in order,
 * and nothing else does. The queue is short, so they are taken as they come.
 */
struct arrival {
    int fd;
    uint32_t len, segment;
};

static int take_all(void *arg)
{
    struct arrival *a = arg;

    for (uint32_t at = 0; at < a->len; at += a->segment) {
        uint32_t left = a->len - at;
        uint32_t want = left < a->segment ? left : a->segment;

        EXPECT_EQ(mf_recvfrom(a->fd, in, sizeof in, NULL, late()), (int)want);
        EXPECT_EQ(memcmp(in, out + at, want), 0);
    }
    EXPECT_EQ(mf_recvfrom(a->fd, in, sizeof in, NULL, MF_NOW), -ETIMEDOUT);
    return 0;
}

static void goes(int from, int to, uint32_t len, uint32_t segment)
{
    struct arrival a = {to, len, segment};
    mf_dgram m = {.buf = out, .len = len, .segment = segment};

    EXPECT_EQ(mf_sendmsgs(from, &m, 1, late()), 1);
    EXPECT_EQ(take_all(&a), 0);
}

static void all_lengths(const char *where)
{
    mf_addr at;
    int s = bound(where, &at), c = connected_to(&at);

    EXPECT_EQ(mf_sockopt_set(s, MF_SO_RCVBUF, 1 << 22), 0);
    goes(c, s, 1, 1);
    goes(c, s, 2, 1);
    goes(c, s, 100, 100);
    goes(c, s, 101, 100);
    goes(c, s, 99, 100);
    goes(c, s, 64 * 50, 50);
    goes(c, s, 65 * 50, 50); /* one more than a kernel takes at once */
    goes(c, s, 64 * 1000 + 1, 1000);
    goes(c, s, 65487, 1400);
    goes(c, s, 100000, 1472); /* longer than any datagram */
    goes(c, s, BIG, 40000);   /* segments larger than half of one */
    goes(c, s, 70000, 65507);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(s), 0);
}

static int lengths(void *arg)
{
    (void)arg;
    fill();
    all_lengths("127.0.0.1:0");
    if (host_has_ipv6())
        all_lengths("[::1]:0");
    return 0;
}

MFI_TEST(each_segment_arrives_as_a_datagram)
{
    in_both(lengths, NULL);
}

MFI_TEST(the_same_where_the_kernel_cannot)
{
    mfi_segment_pretend(0);
    in_both(lengths, NULL);
}

/* Does the kernel refuse to cut this for this socket? */
static bool refuses(int fd, int len, int segment)
{
    int none = 0;
    ssize_t rc;

    EXPECT_EQ(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(int)),
              0);
    rc = send(fd, out, (size_t)len, MSG_DONTWAIT);
    EXPECT_EQ(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &none, sizeof(int)), 0);
    return rc < 0;
}

/* Without checksums the kernel cuts nothing: the segments go singly. */
static int refused(void *arg)
{
    mf_addr at;
    int s = bound("127.0.0.1:0", &at), c = connected_to(&at), on = 1;

    (void)arg;
    fill();
    if (!kernel_cuts(s))
        MFI_SKIP("this kernel has no UDP_SEGMENT");
    EXPECT_EQ(setsockopt(c, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
    if (!refuses(c, 300, 100))
        MFI_SKIP("this kernel cuts up anything");
    goes(c, s, 5000, 100);
    goes(c, s, 3, 2);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(what_the_kernel_does_not_cut_goes_singly)
{
    in_both(refused, NULL);
}

#ifndef IPV6_MTU
# define IPV6_MTU 24
#endif

/* A segment larger than the way out takes: singly, in fragments. */
static int beyond_the_mtu(void *arg)
{
    mf_addr at;
    int s, c, mtu = 1280;

    (void)arg;
    fill();
    if (!host_has_ipv6())
        MFI_SKIP("no IPv6 here");
    s = bound("[::1]:0", &at);
    c = connected_to(&at);
    if (!kernel_cuts(s))
        MFI_SKIP("this kernel has no UDP_SEGMENT");
    EXPECT_EQ(setsockopt(c, IPPROTO_IPV6, IPV6_MTU, &mtu, sizeof mtu), 0);
    EXPECT(refuses(c, 6000, 3000));
    goes(c, s, 50000, 3000);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(segments_beyond_the_mtu_go_singly)
{
    in_both(beyond_the_mtu, NULL);
}

/* No UDP: the control message would be ignored, so it is not relied on. */
static int unix_socket(void *arg)
{
    mf_dgram m = {.buf = out, .len = 10, .segment = 4};
    int fds[2];

    (void)arg;
    fill();
    bare_pair(SOCK_DGRAM, fds);
    EXPECT_EQ(mf_sendmsgs(fds[0], &m, 1, late()), 1);
    EXPECT_EQ(mf_recvfrom(fds[1], in, sizeof in, NULL, MF_NOW), 4);
    EXPECT_EQ(mf_recvfrom(fds[1], in, sizeof in, NULL, MF_NOW), 4);
    EXPECT_EQ(mf_recvfrom(fds[1], in, sizeof in, NULL, MF_NOW), 2);
    EXPECT_EQ(mf_udp_gro(fds[0], 1), -EOPNOTSUPP);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    return 0;
}

MFI_TEST(another_kind_of_socket_gets_its_segments_too)
{
    in_both(unix_socket, NULL);
}

/* An adopted socket, made elsewhere, is as good as ours. */
static int adopted(void *arg)
{
    mf_addr at;
    int s = bound("127.0.0.1:0", &at), c, fd = connected_to(&at);

    (void)arg;
    fill();
    c = bare_dup(fd);
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_EQ(mf_adopt(c), 0);
    goes(c, s, 5000, 1000);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(an_adopted_socket_sends_segments)
{
    in_both(adopted, NULL);
}

/* Plain and segmented ones in one batch. */
static int mixed(void *arg)
{
    mf_addr at;
    int s = bound("127.0.0.1:0", &at), n = 0;
    mf_dgram m[24];

    (void)arg;
    fill();
    for (int i = 0; i < 24; i++)
        m[i] = (mf_dgram){.buf = out + i,
                          .addr = &at,
                          .len = (uint32_t)(i % 3 == 0 ? 3 * i + 1 : i),
                          .segment = (uint32_t)(i % 3 == 0 ? i : 0)};
    while (n < 24) {
        int rc = mf_sendmsgs(s, m + n, 24 - n, late());

        EXPECT_GT(rc, 0);
        n += rc;
    }
    for (int i = 0; i < 24; i++) {
        int left = i % 3 == 0 ? 3 * i + 1 : i, at_byte = i;

        do {
            int want = i % 3 == 0 && i > 0 && left > i ? i : left;

            EXPECT_EQ(mf_recvfrom(s, in, sizeof in, NULL, late()), want);
            EXPECT_EQ(memcmp(in, out + at_byte, (size_t)want), 0);
            left -= want;
            at_byte += want;
        } while (left > 0);
    }
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(plain_and_segmented_ones_keep_their_order)
{
    in_both(mixed, NULL);
    mfi_segment_pretend(0);
    in_both(mixed, NULL);
}

/* ---- joined ------------------------------------------------------------- */

static int joined(void *arg)
{
    mf_addr at, from;
    mf_dgram m = {.buf = out, .len = 10 * 500 + 7, .segment = 500};
    mf_dgram got = {.buf = in, .addr = &from, .size = sizeof in};
    int s = bound("127.0.0.1:0", &at), c = connected_to(&at);
    uint32_t sum = 0;

    (void)arg;
    fill();
    if (mf_udp_gro(s, 1) == 0)
        MFI_SKIP("this kernel has no UDP_GRO");
    EXPECT_EQ(mf_sendmsgs(c, &m, 1, late()), 1);
    while (sum < m.len) {
        EXPECT_EQ(mf_recvmsgs(s, &got, 1, late()), 1);
        EXPECT_EQ(got.rc, 0);
        EXPECT_EQ(memcmp(in, out + sum, got.len), 0);
        if (got.len > 500)
            EXPECT_EQ(got.segment, 500);
        sum += got.len;
    }
    EXPECT_EQ(sum, m.len);
    /* What came cut goes back cut. */
    EXPECT_EQ(mf_sendmsgs(c, &m, 1, late()), 1);
    EXPECT_EQ(mf_recvmsgs(s, &got, 1, late()), 1);
    EXPECT_EQ(mf_sendmsgs(s, &got, 1, late()), 1);
    for (sum = 0; sum < got.len;) {
        int n = mf_recvfrom(c, in + sum, sizeof in - sum, NULL, late());

        EXPECT_GT(n, 0);
        EXPECT_LE(n, 500);
        sum += (uint32_t)n;
    }
    EXPECT_EQ(memcmp(in, out, sum), 0);
    EXPECT_EQ(mf_udp_gro(s, 0), 0);
    EXPECT_EQ(mf_sendmsgs(c, &m, 1, late()), 1);
    EXPECT_EQ(mf_recvmsgs(s, &got, 1, late()), 1);
    EXPECT_EQ(got.len, 500);
    EXPECT_EQ(got.segment, 0);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(joined_ones_say_how_they_were_cut)
{
    in_both(joined, NULL);
}

static int gro_errors(void *arg)
{
    int fds[2], l = mf_tcp_listen("127.0.0.1:0", NULL);

    (void)arg;
    bare_pipe(fds);
    EXPECT_EQ(mf_udp_gro(-1, 1), -EBADF);
    EXPECT_EQ(mf_udp_gro(fds[0], 1), -ENOTSOCK);
    EXPECT_EQ(mf_udp_gro(l, 1), -EOPNOTSUPP);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    EXPECT_EQ(mf_close(l), 0);
    return 0;
}

MFI_TEST(joining_is_for_udp_only)
{
    in_both(gro_errors, NULL);
}

/* The probe leaves nothing behind, and says the same each time. */
MFI_TEST(the_probe_is_repeatable)
{
    struct fdrec rec = {.kind = FD_UDP};
    bool first = mfi_segment_can(-1, &rec);

    for (int i = 0; i < 100; i++) {
        mfi_segment_pretend(-1);
        EXPECT_EQ(mfi_segment_can(-1, &rec), first);
    }
    EXPECT_LT(bare_dup(0), 16);
}
