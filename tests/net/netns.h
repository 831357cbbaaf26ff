/* SPDX-License-Identifier: MIT */
/*
 * netns.h - a network of three hosts in one process: A - R - B, R routes.
 *
 *   A  10.77.1.2          what the process makes by itself is here
 *   R  10.77.1.1, 10.77.2.1   faults are made here, between the hosts
 *   B  10.77.2.2          net_listen() makes its listener here; what it accepts
 *                         is here too
 *
 * A socket stays in the namespace it was made in, so both ends of a connection
 * may be in one runtime. The namespaces have no names: the kernel takes them
 * down with the process, however it ends. Where they are denied, the test is
 * skipped.
 */
#ifndef MFI_TESTS_NETNS_H
#define MFI_TESTS_NETNS_H

#include "io/kit.h"

#include <arpa/inet.h>
#include <mayfly/block.h>
#include <netinet/in.h>
#include <sys/wait.h>

enum net_host { NET_A, NET_R, NET_B, NET_HOSTS };

struct net {
    int ns[NET_HOSTS];
    int listener; /* in B */
    char where[MF_ADDR_STR];
};

/* Run a shell command on a host; it holds no single quotes. Its status. */
KIT int net_try(const struct net *n, enum net_host host, const char *command)
{
    char line[600];
    int len =
        snprintf(line, sizeof line, "nsenter --net=/proc/%d/fd/%d sh -c '%s'",
                 (int)getpid(), n->ns[host], command);

    EXPECT_LT(len, (int)sizeof line);
    return system(line);
}

KIT void net_do(const struct net *n, enum net_host host, const char *command)
{
    int status = net_try(n, host, command);

    if (status != 0)
        mfi_test_fail(__FILE__, __LINE__, "status %d: %s", status, command);
}

struct net_command {
    const struct net *net;
    const char *command;
};

KIT int net_command_run(void *arg)
{
    const struct net_command *c = arg;

    net_do(c->net, NET_R, c->command);
    return 0;
}

/* The same on R, while the runtime runs: no worker waits for it. */
KIT void net_fault(const struct net *n, const char *command)
{
    struct net_command c = {n, command};

    EXPECT_EQ(mf_block(net_command_run, &c, sizeof c, NULL, MF_NEVER), 0);
}

KIT void net_part(const struct net *n)
{
    net_fault(n, "nft add rule ip bad f drop");
}

KIT void net_heal(const struct net *n)
{
    net_fault(n, "nft flush chain ip bad f");
}

KIT void net_write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        MFI_SKIP("network namespaces are denied here");
    close(fd);
}

/* A namespace of its own for this thread; root of a user namespace if need be.
 */
KIT int net_unshare(void)
{
    char map[64];
    int fd;

    if (unshare(CLONE_NEWNET) != 0) {
        snprintf(map, sizeof map, "0 %d 1", (int)getuid());
        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
            MFI_SKIP("network namespaces are denied here");
        net_write_file("/proc/self/uid_map", map);
    }
    fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    EXPECT_GE(fd, 0);
    return fd;
}

KIT void net_enter(const struct net *n, enum net_host host)
{
    EXPECT_EQ(setns(n->ns[host], CLONE_NEWNET), 0);
}

/* A bare socket on a host, bound to addr there. Context: plain thread. */
KIT int net_socket(const struct net *n, enum net_host host, int type,
                   const char *addr)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    int fd;

    EXPECT_EQ(inet_pton(AF_INET, addr, &in.sin_addr), 1);
    net_enter(n, host);
    fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    net_enter(n, NET_A);
    EXPECT_GE(fd, 0);
    EXPECT_EQ(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

/* Make it all. Context: the test's only thread, before a runtime. */
KIT void net_up(struct net *n)
{
    char text[300];

    MFI_SIM_SKIP("a kernel's network");
    if (system("nft --version > /dev/null 2>&1 && nsenter --version"
               " > /dev/null && command -v ip > /dev/null") != 0)
        MFI_SKIP("nft, ip or nsenter is missing (scripts/deps)");
    n->ns[NET_R] = net_unshare();
    net_write_file("/proc/sys/net/ipv4/ip_forward", "1");
    n->ns[NET_B] = net_unshare();
    n->ns[NET_A] = net_unshare();
    snprintf(text, sizeof text,
             "ip link set lo up &&"
             "ip link add a0 type veth peer name r0 netns /proc/%d/fd/%d &&"
             "ip address add 10.77.1.2/24 dev a0 && ip link set a0 up &&"
             "ip route add default via 10.77.1.1",
             (int)getpid(), n->ns[NET_R]);
    net_do(n, NET_A, text);
    snprintf(text, sizeof text,
             "ip link add r1 type veth peer name b0 netns /proc/%d/fd/%d &&"
             "ip address add 10.77.1.1/24 dev r0 && ip link set r0 up &&"
             "ip address add 10.77.2.1/24 dev r1 && ip link set r1 up",
             (int)getpid(), n->ns[NET_B]);
    net_do(n, NET_R, text);
    net_do(n, NET_B,
           "ip address add 10.77.2.2/24 dev b0 && ip link set b0 up &&"
           "ip route add default via 10.77.2.1");
    if (net_try(n, NET_R,
                "nft \"add table ip bad; add chain ip bad f {"
                " type filter hook forward priority 0; }\"") != 0)
        MFI_SKIP("nftables cannot be had here");
    n->listener = net_socket(n, NET_B, SOCK_STREAM, "10.77.2.2");
    EXPECT_EQ(listen(n->listener, 64), 0);
    local_name(n->listener, n->where, sizeof n->where);
}

/* A connection from A (p->w) to B (p->r). */
KIT void net_pair(const struct net *n, struct pair *p)
{
    EXPECT_GE(p->w = mf_tcp_connect(n->where, NULL, late()), 0);
    EXPECT_GE(p->r = mf_accept(n->listener, NULL, late()), 0);
}

#endif
