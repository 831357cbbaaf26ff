/* SPDX-License-Identifier: MIT */
/*
 * mcast_test.c - groups: joined, left, heard by several.
 *
 * Nothing leaves the machine: IPv4 groups are on the loopback, IPv6 ones, for
 * which that has no route, of interface-local scope on any interface.
 */
#include <net/if.h>

#include "datagrams.h"

/* Groups of the organisation (RFC 2365) and of the interface (RFC 4291). */
#define GROUP4 "239.255.77.1"
#define GROUP6 "[ff11::7701]"

static int member(const char *where, const char *group, const char *dev,
                  mf_addr *ret_group)
{
    mf_addr at;
    int fd = bound(where, &at);

    *ret_group = addr_of(group, port_of(&at));
    EXPECT_EQ(mf_udp_join(fd, ret_group, dev), 0);
    return fd;
}

static int sender(const char *where, const char *dev, int ttl)
{
    mf_addr own;
    int fd = bound(where, &own), got = -1;

    EXPECT_EQ(mf_udp_outgoing(fd, dev), 0);
    EXPECT_EQ(mf_sockopt_set(fd, MF_SO_MCAST_TTL, ttl), 0);
    EXPECT_EQ(mf_sockopt_get(fd, MF_SO_MCAST_TTL, &got), 0);
    EXPECT_EQ(got, ttl);
    EXPECT_EQ(mf_sockopt_get(fd, MF_SO_MCAST_LOOP, &got), 0);
    EXPECT_EQ(got, 1);
    return fd;
}

/* An interface on which this host hears what it sends to group; or "". */
static void find_dev(const char *any, const char *group, char dev[IF_NAMESIZE])
{
    struct if_nameindex *all = if_nameindex();
    mf_addr at, to;
    char got[4];

    EXPECT(all != NULL);
    *dev = '\0';
    for (int i = 0; all[i].if_name != NULL && *dev == '\0'; i++) {
        int s = bound(any, &at);

        to = addr_of(group, port_of(&at));
        if (mf_udp_join(s, &to, all[i].if_name) == 0 &&
            mf_udp_outgoing(s, all[i].if_name) == 0 &&
            mf_sendto(s, "x", 1, &to, late()) == 1 &&
            mf_recvfrom(s, got, 4, NULL, soon()) == 1)
            snprintf(dev, IF_NAMESIZE, "%s", all[i].if_name);
        EXPECT_EQ(mf_close(s), 0);
    }
    if_freenameindex(all);
}

static bool lo_has(const char *group)
{
    mf_addr to = addr_of(group, 9);
    int fd = mf_udp_bind("127.0.0.1:0", NULL), rc;

    EXPECT_GE(fd, 0);
    rc = mf_udp_outgoing(fd, "lo");
    if (rc == 0)
        rc = mf_sendto(fd, "x", 1, &to, late());
    EXPECT_EQ(mf_close(fd), 0);
    return rc == 1;
}

/* Left, or never joined, nothing comes; joined, all that is sent does. */
static void hears(const char *any, const char *host, const char *group,
                  const char *dev)
{
    mf_addr to, at, from;
    char got[8];
    int m = member(any, group, dev, &to), s = sender(host, dev, 1);

    EXPECT_EQ(mf_local_addr(s, &at), 0);
    EXPECT_EQ(mf_sendto(s, "one", 3, &to, late()), 3);
    EXPECT_EQ(mf_recvfrom(m, got, 8, &from, late()), 3);
    EXPECT_EQ(port_of(&from), port_of(&at));
    EXPECT_EQ(mf_udp_join(m, &to, dev), -EADDRINUSE);
    EXPECT_EQ(mf_udp_leave(m, &to, dev), 0);
    EXPECT_EQ(mf_udp_leave(m, &to, dev), -EADDRNOTAVAIL);
    EXPECT_EQ(mf_udp_join(m, &to, dev), 0);
    EXPECT_EQ(mf_sendto(s, "yes", 3, &to, late()), 3);
    EXPECT_EQ(mf_recvfrom(m, got, 8, NULL, late()), 3);
    EXPECT_EQ(memcmp(got, "yes", 3), 0);
    EXPECT_EQ(mf_close(m), 0);
    EXPECT_EQ(mf_close(s), 0);
}

static int groups(void *arg)
{
    (void)arg;
    if (!lo_has(GROUP4))
        MFI_SKIP("no multicast on the loopback");
    hears("0.0.0.0:0", "127.0.0.1:0", GROUP4, "lo");
    return 0;
}

MFI_TEST(a_group_is_heard_between_join_and_leave)
{
    in_both(groups, NULL);
}

static int groups6(void *arg)
{
    char dev[IF_NAMESIZE] = "";

    (void)arg;
    if (host_has_ipv6())
        find_dev("[::]:0", GROUP6, dev);
    if (*dev == '\0')
        MFI_SKIP("no IPv6 multicast here");
    hears("[::]:0", "[::]:0", GROUP6, dev);
    return 0;
}

MFI_TEST(an_ipv6_group_too)
{
    in_both(groups6, NULL);
}

/*
 * The group hears its own machine only if the sender lets it. (What leaves by
 * the loopback comes back by it: there it makes no difference.)
 */
static int not_to_itself(void *arg)
{
    char dev[IF_NAMESIZE] = "", got[8];
    mf_addr to;
    int m, s;

    (void)arg;
    if (host_has_ipv6())
        find_dev("[::]:0", GROUP6, dev);
    if (*dev == '\0' || strcmp(dev, "lo") == 0)
        MFI_SKIP("no IPv6 multicast here");
    m = member("[::]:0", GROUP6, dev, &to);
    s = sender("[::]:0", dev, 1);
    EXPECT_EQ(mf_sockopt_set(s, MF_SO_MCAST_LOOP, 0), 0);
    EXPECT_EQ(mf_sendto(s, "no", 2, &to, late()), 2);
    EXPECT_EQ(mf_sockopt_set(s, MF_SO_MCAST_LOOP, 1), 0);
    EXPECT_EQ(mf_sendto(s, "yes", 3, &to, late()), 3);
    EXPECT_EQ(mf_recvfrom(m, got, 8, NULL, late()), 3);
    EXPECT_EQ(memcmp(got, "yes", 3), 0);
    EXPECT_EQ(mf_close(m), 0);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(what_does_not_loop_is_not_heard_here)
{
    in_both(not_to_itself, NULL);
}

/* One socket of both families in groups of both. */
static int both(void *arg)
{
    char dev[IF_NAMESIZE] = "", got[8];
    mf_addr four, six;
    int m, s4, s6;

    (void)arg;
    if (host_has_ipv6())
        find_dev("[::]:0", GROUP6, dev);
    if (*dev == '\0' || !lo_has(GROUP4))
        MFI_SKIP("no multicast of both families here");
    m = member(":0", GROUP4, "lo", &four);
    six = addr_of(GROUP6, port_of(&four));
    EXPECT_EQ(mf_udp_join(m, &six, dev), 0);
    s4 = sender("127.0.0.1:0", "lo", 0);
    s6 = sender("[::]:0", dev, 0);
    EXPECT_EQ(mf_sendto(s4, "four", 4, &four, late()), 4);
    EXPECT_EQ(mf_recvfrom(m, got, 8, NULL, late()), 4);
    EXPECT_EQ(mf_sendto(s6, "sixsix", 6, &six, late()), 6);
    EXPECT_EQ(mf_recvfrom(m, got, 8, NULL, late()), 6);
    EXPECT_EQ(mf_udp_leave(m, &four, "lo"), 0);
    EXPECT_EQ(mf_udp_leave(m, &six, dev), 0);
    EXPECT_EQ(mf_close(m), 0);
    EXPECT_EQ(mf_close(s4), 0);
    EXPECT_EQ(mf_close(s6), 0);
    return 0;
}

MFI_TEST(a_socket_of_both_families_joins_both)
{
    in_both(both, NULL);
}

/* Several sockets on one port: each hears each message. */
static int several(void *arg)
{
    const mf_listen_options *share = MF_LISTEN_OPTIONS(.reuse_port = 1);
    char where[32], got[8];
    mf_addr at, to;
    int m[3], s;

    (void)arg;
    if (!lo_has(GROUP4))
        MFI_SKIP("no multicast on the loopback");
    EXPECT_GE(m[0] = mf_udp_bind("0.0.0.0:0", share), 0);
    EXPECT_EQ(mf_local_addr(m[0], &at), 0);
    snprintf(where, sizeof where, "0.0.0.0:%u", port_of(&at));
    EXPECT_GE(m[1] = mf_udp_bind(where, share), 0);
    EXPECT_GE(m[2] = mf_udp_bind(where, share), 0);
    to = addr_of(GROUP4, port_of(&at));
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_udp_join(m[i], &to, "lo"), 0);
    s = sender("127.0.0.1:0", "lo", 1);
    EXPECT_EQ(mf_sendto(s, "all", 3, &to, late()), 3);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(mf_recvfrom(m[i], got, 8, NULL, late()), 3);
        EXPECT_EQ(mf_close(m[i]), 0);
    }
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(all_members_on_one_port_hear_it)
{
    in_both(several, NULL);
}

static int errors(void *arg)
{
    mf_addr at, four = addr_of(GROUP4, 9), six = addr_of(GROUP6, 9);
    int s = bound("127.0.0.1:0", &at), got, fds[2];

    (void)arg;
    EXPECT_EQ(mf_udp_join(s, NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_udp_join(s, &at, "lo"), -EINVAL);
    EXPECT_EQ(mf_udp_join(s, &four, "no such"), -ENODEV);
    EXPECT_EQ(mf_udp_join(s, &four, ""), -ENODEV);
    EXPECT_EQ(mf_udp_join(s, &six, "lo"), -ENOPROTOOPT);
    EXPECT_EQ(mf_udp_leave(s, &four, "lo"), -EADDRNOTAVAIL);
    EXPECT_EQ(mf_udp_join(-1, &four, "lo"), -EBADF);
    EXPECT_EQ(mf_udp_outgoing(s, "no such"), -ENODEV);
    EXPECT_EQ(mf_udp_outgoing(-1, NULL), -EBADF);
    EXPECT_EQ(mf_udp_outgoing(s, "lo"), 0);
    EXPECT_EQ(mf_udp_outgoing(s, NULL), 0);
    bare_pipe(fds);
    EXPECT_EQ(mf_udp_join(fds[0], &four, "lo"), -ENOTSOCK);
    EXPECT_EQ(mf_udp_outgoing(fds[0], NULL), -ENOTSOCK);
    EXPECT_EQ(mf_sockopt_set(s, MF_SO_MCAST_TTL, 256), -EINVAL);
    EXPECT_EQ(mf_sockopt_set(s, MF_SO_MCAST_TTL, -1), -EINVAL);
    EXPECT_EQ(mf_sockopt_set(s, MF_SO_MCAST_LOOP, 2), -EINVAL);
    EXPECT_EQ(mf_sockopt_set(-1, MF_SO_MCAST_LOOP, 1), -EBADF);
    EXPECT_EQ(mf_sockopt_get(fds[0], MF_SO_MCAST_TTL, &got), -ENOTSOCK);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(errors_are_told_apart)
{
    in_both(errors, NULL);
}

/* A broadcast goes out only where it is meant to. */
static int broadcast(void *arg)
{
    mf_addr at, to;
    char got[8];
    int m = bound("0.0.0.0:0", &at), s, on = -1;

    (void)arg;
    to = addr_of("127.255.255.255", port_of(&at));
    s = bound("127.0.0.1:0", &at);
    EXPECT_EQ(mf_sockopt_get(s, MF_SO_BROADCAST, &on), 0);
    EXPECT_EQ(on, 0);
    EXPECT_EQ(mf_sendto(s, "x", 1, &to, late()), -EACCES);
    EXPECT_EQ(mf_sockopt_set(s, MF_SO_BROADCAST, 2), -EINVAL);
    EXPECT_EQ(mf_sockopt_set(s, MF_SO_BROADCAST, 1), 0);
    EXPECT_EQ(mf_sendto(s, "all", 3, &to, late()), 3);
    EXPECT_EQ(mf_recvfrom(m, got, 8, NULL, late()), 3);
    EXPECT_EQ(mf_close(m), 0);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(a_broadcast_needs_leave)
{
    in_both(broadcast, NULL);
}
