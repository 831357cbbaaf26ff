/* SPDX-License-Identifier: MIT */
/*
 * mcast.c - multicast groups: joining, leaving, which way out.
 *
 * The protocol-independent options (RFC 3678) are used, at the level of the
 * group's family: an IPv6 socket that takes IPv4 too can be in groups of both.
 */
#include <netinet/in.h>
#include <string.h>

#include <mayfly/udp.h>

#include "net/addr.h"
#include "os/io.h"

/* The interface's number; 0: the system's choice; -ENODEV. */
static int64_t interface_number(const char *interface)
{
    uint32_t i;

    if (interface == NULL)
        return 0;
    i = mfi_net_interface(interface);
    return i == 0 ? -ENODEV : (int64_t)i;
}

static bool is_group(const mf_addr *a)
{
    struct sockaddr_in sin;
    struct sockaddr_in6 sin6;

    if (a->len >= sizeof sin && a->ss.ss_family == AF_INET) {
        memcpy(&sin, &a->ss, sizeof sin);
        return IN_MULTICAST(ntohl(sin.sin_addr.s_addr));
    }
    if (a->len >= sizeof sin6 && a->ss.ss_family == AF_INET6) {
        memcpy(&sin6, &a->ss, sizeof sin6);
        return IN6_IS_ADDR_MULTICAST(&sin6.sin6_addr);
    }
    return false;
}

static int64_t zone_of(const mf_addr *a)
{
    struct sockaddr_in6 sin6;

    if (a->ss.ss_family != AF_INET6)
        return 0;
    memcpy(&sin6, &a->ss, sizeof sin6);
    return sin6.sin6_scope_id;
}

static int member(int fd, const mf_addr *group, const char *interface, int what)
{
    struct group_req req = {.gr_interface = 0};
    int64_t number;
    int level, rc;

    if (group == NULL || !is_group(group))
        return -EINVAL;
    number = interface != NULL ? interface_number(interface) : zone_of(group);
    if (number < 0)
        return (int)number;
    req.gr_interface = (uint32_t)number;
    memcpy(&req.gr_group, &group->ss, group->len);
    level = group->ss.ss_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    rc = mfi_os_setsockopt(fd, level, what, &req, sizeof req);
    return rc == -EOPNOTSUPP ? -ENOPROTOOPT : rc;
}

int mf_udp_join(int fd, const mf_addr *group, const char *interface)
{
    return member(fd, group, interface, MCAST_JOIN_GROUP);
}

int mf_udp_leave(int fd, const mf_addr *group, const char *interface)
{
    return member(fd, group, interface, MCAST_LEAVE_GROUP);
}

int mf_udp_outgoing(int fd, const char *interface)
{
    int64_t number = interface_number(interface);
    struct ip_mreqn mreq = {.imr_ifindex = (int)number};
    int domain = 0, rc;
    socklen_t len = sizeof domain;

    if (number < 0)
        return (int)number;
    rc = mfi_os_getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
    if (rc < 0)
        return rc;
    rc = mfi_os_setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &mreq, sizeof mreq);
    /* An IPv6 socket of both families goes both ways; that is the first. */
    if (domain == AF_INET6) {
        int index = (int)number;

        rc = mfi_os_setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index,
                               sizeof index);
    }
    return rc == -EOPNOTSUPP ? -ENOPROTOOPT : rc;
}
