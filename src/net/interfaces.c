/* SPDX-License-Identifier: MIT */
/*
 * interfaces.c - the network interfaces and their addresses, from the kernel.
 *
 * Two dumps by netlink, the links and then the addresses, into arrays that
 * grow; then both are packed into one block, the interfaces first:
 *
 *      | mf_interface, ... | mf_interface_addr, ... |
 *        addrs ----------------^
 *
 * The kernel fills a dump while it is read, so no read of it ever waits. One
 * that was changed in between is marked, and all is asked again. An address
 * whose interface came after the links were read is left out.
 *
 * Rejected: getifaddrs(3) sets errno, allocates once per address and knows no
 * MTU; ioctl(2) knows IPv4 only; /sys takes a dozen calls per interface.
 *
 * Sources: netlink(7), rtnetlink(7).
 */
#include <linux/netlink.h>   /* tidy: allow kernel-header, because of dumps */
#include <linux/rtnetlink.h> /* tidy: allow kernel-header, because of dumps */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <mayfly/net.h>

#include "os/io.h"

enum {
    READ_LEN = 32768, /* the kernel gives no dump in larger pieces */
    TRIES = 8,
};

struct owned { /* an address and its interface */
    int index;
    mf_interface_addr a;
};

struct tables {
    mf_interface *ifs;
    struct owned *addrs;
    size_t nr_ifs, room_ifs, nr_addrs, room_addrs;
    char *buf; /* READ_LEN bytes */
};

typedef int take_fn(struct tables *t, const struct nlmsghdr *h);

/* Room for one more of `size` bytes each. */
static void *grow(void *items, size_t nr, size_t *room, size_t size)
{
    size_t more = *room == 0 ? 8 : *room * 2;

    if (nr < *room)
        return items;
    /* tidy: allow malloc, because how many there are is not known before */
    items = realloc(items, more * size);
    if (items != NULL)
        *room = more;
    return items;
}

/* The macros of netlink(3) cast qualifiers and alignment away. */
static const void *behind(const void *p, size_t len)
{
    return (const char *)p + len;
}

static const void *value_of(const struct rtattr *at)
{
    return behind(at, RTA_LENGTH(0));
}

static bool is_attr(const struct rtattr *at, size_t left)
{
    return left >= sizeof *at && at->rta_len >= sizeof *at &&
           at->rta_len <= left;
}

static const struct rtattr *next_attr(const struct rtattr *at, size_t *left)
{
    size_t len = RTA_ALIGN(at->rta_len);

    *left = len < *left ? *left - len : 0;
    return behind(at, len);
}

/* A link's message; kept in the order of the index. */
static int take_link(struct tables *t, const struct nlmsghdr *h)
{
    const struct ifinfomsg *info = behind(h, NLMSG_HDRLEN);
    const struct rtattr *at = behind(info, NLMSG_ALIGN(sizeof *info));
    size_t left, i, len;
    mf_interface one = {.index = 0}, *ifs;

    if (h->nlmsg_type != RTM_NEWLINK ||
        h->nlmsg_len < NLMSG_LENGTH(sizeof *info))
        return 0;
    one.index = info->ifi_index;
    one.flags = info->ifi_flags;
    left = h->nlmsg_len - NLMSG_SPACE(sizeof *info);
    for (; is_attr(at, left); at = next_attr(at, &left)) {
        len = RTA_PAYLOAD(at);
        if (at->rta_type == IFLA_IFNAME)
            memcpy(one.name, value_of(at),
                   len < sizeof one.name ? len : sizeof one.name - 1);
        else if (at->rta_type == IFLA_MTU && len >= sizeof one.mtu)
            memcpy(&one.mtu, value_of(at), sizeof one.mtu);
    }
    ifs = grow(t->ifs, t->nr_ifs, &t->room_ifs, sizeof *ifs);
    if (ifs == NULL)
        return -ENOMEM;
    t->ifs = ifs;
    for (i = t->nr_ifs++; i > 0 && ifs[i - 1].index > one.index; i--)
        ifs[i] = ifs[i - 1];
    ifs[i] = one;
    return 0;
}

static void set_addr(mf_addr *a, const struct ifaddrmsg *info, const void *raw)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6};

    if (info->ifa_family == AF_INET) {
        memcpy(&sin.sin_addr, raw, sizeof sin.sin_addr);
        a->len = sizeof sin;
        memcpy(&a->ss, &sin, sizeof sin);
        return;
    }
    memcpy(&sin6.sin6_addr, raw, sizeof sin6.sin6_addr);
    if (IN6_IS_ADDR_LINKLOCAL(&sin6.sin6_addr))
        sin6.sin6_scope_id = info->ifa_index;
    a->len = sizeof sin6;
    memcpy(&a->ss, &sin6, sizeof sin6);
}

/* Of a point-to-point link IFA_ADDRESS is the peer's and IFA_LOCAL ours. */
static int take_addr(struct tables *t, const struct nlmsghdr *h)
{
    const struct ifaddrmsg *info = behind(h, NLMSG_HDRLEN);
    const struct rtattr *at = behind(info, NLMSG_ALIGN(sizeof *info));
    const void *raw = NULL;
    size_t left, want;
    struct owned *addrs;

    if (h->nlmsg_type != RTM_NEWADDR ||
        h->nlmsg_len < NLMSG_LENGTH(sizeof *info))
        return 0;
    want = info->ifa_family == AF_INET    ? sizeof(struct in_addr)
           : info->ifa_family == AF_INET6 ? sizeof(struct in6_addr)
                                          : SIZE_MAX;
    left = h->nlmsg_len - NLMSG_SPACE(sizeof *info);
    for (; is_attr(at, left); at = next_attr(at, &left)) {
        if (RTA_PAYLOAD(at) < want)
            continue;
        if (at->rta_type == IFA_LOCAL ||
            (at->rta_type == IFA_ADDRESS && raw == NULL))
            raw = value_of(at);
    }
    if (raw == NULL)
        return 0;
    addrs = grow(t->addrs, t->nr_addrs, &t->room_addrs, sizeof *addrs);
    if (addrs == NULL)
        return -ENOMEM;
    t->addrs = addrs;
    addrs += t->nr_addrs++;
    *addrs = (struct owned){.index = (int)info->ifa_index,
                            .a = {.prefix = info->ifa_prefixlen}};
    set_addr(&addrs->a.addr, info, raw);
    return 0;
}

/* One message of a dump; as take_piece. */
static int take_message(struct tables *t, const struct nlmsghdr *h,
                        take_fn *take)
{
    int err = 0;

    if ((h->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
        return -EAGAIN;
    if (h->nlmsg_type != NLMSG_ERROR && h->nlmsg_type != NLMSG_DONE)
        return take(t, h);
    if (h->nlmsg_len >= NLMSG_LENGTH(sizeof err))
        memcpy(&err, behind(h, NLMSG_HDRLEN), sizeof err);
    return err < 0 ? err : 1;
}

/* One piece of a dump: 0 go on, 1 that was the end, -EAGAIN ask again. */
static int take_piece(struct tables *t, size_t len, uint32_t seq, take_fn *take)
{
    const struct nlmsghdr *h = (const void *)t->buf;
    int rc = 0;

    while (rc == 0 && len >= sizeof *h && h->nlmsg_len >= sizeof *h &&
           h->nlmsg_len <= len) {
        size_t size = NLMSG_ALIGN(h->nlmsg_len);

        if (h->nlmsg_seq == seq)
            rc = take_message(t, h, take);
        len = size < len ? len - size : 0;
        h = behind(h, size);
    }
    return rc;
}

static int dump(struct tables *t, int fd, uint16_t type, take_fn *take)
{
    struct {
        struct nlmsghdr h;
        struct rtgenmsg g;
    } ask = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof ask.g),
                   .nlmsg_type = type,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                   .nlmsg_seq = type},
             .g = {.rtgen_family = AF_UNSPEC}};
    long n = mfi_os_send(fd, &ask, ask.h.nlmsg_len, MSG_NOSIGNAL);
    int rc;

    if (n < 0)
        return (int)n;
    do {
        n = mfi_os_recv(fd, t->buf, READ_LEN, MSG_TRUNC);
        if (n == -EINTR)
            rc = 0;
        else if (n < 0 || n > READ_LEN)
            return n < 0 ? (int)n : -EMSGSIZE;
        else
            rc = take_piece(t, (size_t)n, type, take);
    } while (rc == 0);
    return rc < 0 ? rc : 0;
}

/* Both dumps by a socket of their own: a broken one leaves nothing behind. */
static int ask_kernel(struct tables *t)
{
    int fd =
        (int)mfi_sys3(SYS_socket, AF_NETLINK,
                      SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    int rc;

    if (fd < 0)
        return fd;
    t->nr_ifs = t->nr_addrs = 0;
    rc = dump(t, fd, RTM_GETLINK, take_link);
    if (rc == 0)
        rc = dump(t, fd, RTM_GETADDR, take_addr);
    mfi_os_close(fd);
    return rc;
}

static int pack(const struct tables *t, mf_interface **ret_list)
{
    size_t ifs_len = t->nr_ifs * sizeof *t->ifs;
    mf_interface_addr *to;
    mf_interface *list;

    if (t->nr_ifs == 0) {
        *ret_list = NULL;
        return 0;
    }
    /* tidy: allow malloc, because the list is the caller's */
    list = malloc(ifs_len + t->nr_addrs * sizeof *to);
    if (list == NULL)
        return -ENOMEM;
    memcpy(list, t->ifs, ifs_len);
    to = (void *)((char *)list + ifs_len);
    for (size_t i = 0; i < t->nr_ifs; i++) {
        list[i].addrs = to;
        for (size_t k = 0; k < t->nr_addrs; k++)
            if (t->addrs[k].index == list[i].index)
                *to++ = t->addrs[k].a;
        list[i].nr_addrs = (int)(to - list[i].addrs);
    }
    *ret_list = list;
    return (int)t->nr_ifs;
}

int mf_interfaces(mf_interface **ret_list)
{
    struct tables t = {.ifs = NULL};
    int rc = -EAGAIN;

    if (ret_list == NULL)
        return -EINVAL;
    t.buf = malloc(READ_LEN); /* tidy: allow malloc, because stacks are small */
    if (t.buf == NULL)
        return -ENOMEM;
    for (int i = 0; rc == -EAGAIN && i < TRIES; i++)
        rc = ask_kernel(&t);
    if (rc == 0)
        rc = pack(&t, ret_list);
    free(t.buf);   /* tidy: allow malloc, because made above */
    free(t.ifs);   /* tidy: allow malloc, because made above */
    free(t.addrs); /* tidy: allow malloc, because made above */
    return rc;
}

void mf_interfaces_free(mf_interface *list)
{
    free(list); /* tidy: allow malloc, because mf_interfaces made it */
}
