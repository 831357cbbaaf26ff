/* SPDX-License-Identifier: MIT */
/* datagrams.h - UDP sockets on the loopback, for the tests of udp.h. */
#ifndef MFI_TESTS_NET_DATAGRAMS_H
#define MFI_TESTS_NET_DATAGRAMS_H

#include <mayfly/udp.h>

#include "io/kit.h"

/* Bound to any port of where, and its address. */
KIT int bound(const char *where, mf_addr *ret_addr)
{
    int fd = mf_udp_bind(where, NULL);

    EXPECT_GE(fd, 0);
    EXPECT_EQ(mf_local_addr(fd, ret_addr), 0);
    return fd;
}

KIT uint16_t port_of(const mf_addr *a)
{
    char text[MF_ADDR_STR];

    mf_addr_str(a, text, sizeof text);
    return (uint16_t)atoi(strrchr(text, ':') + 1);
}

/* host and a port, parsed. */
KIT mf_addr addr_of(const char *host, uint16_t port)
{
    char text[MF_ADDR_STR];
    mf_addr a;

    snprintf(text, sizeof text, "%s:%u", host, (unsigned)port);
    EXPECT_EQ(mf_addr_parse(text, &a), 0);
    return a;
}

KIT void expect_same_addr(const mf_addr *a, const mf_addr *b)
{
    char one[MF_ADDR_STR], two[MF_ADDR_STR];

    mf_addr_str(a, one, sizeof one);
    mf_addr_str(b, two, sizeof two);
    EXPECT_STR_EQ(one, two);
}

/* A connected one that sends to at. */
KIT int connected_to(const mf_addr *at)
{
    char text[MF_ADDR_STR];
    int fd = mf_udp_connect(mf_addr_str(at, text, sizeof text), NULL);

    EXPECT_GE(fd, 0);
    return fd;
}

/*
 * An address where nobody hears: its socket is connected to itself, so it is
 * refused to all others, and no other process can take it.
 */
KIT int deaf(mf_addr *ret_addr)
{
    int fd = bound("127.0.0.1:0", ret_addr);

    EXPECT_EQ(connect(fd, (void *)&ret_addr->ss, ret_addr->len), 0);
    return fd;
}

KIT bool host_has_ipv6(void)
{
    int fd = mf_udp_bind("[::1]:0", NULL);

    return fd >= 0 && mf_close(fd) == 0;
}

#endif
