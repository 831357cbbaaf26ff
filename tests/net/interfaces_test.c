/* SPDX-License-Identifier: MIT */
/* interfaces_test.c - the list of interfaces is what others see of them. */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include "io/kit.h"

static const mf_interface *find(const mf_interface *list, int n, int index)
{
    for (int i = 0; i < n; i++)
        if (list[i].index == index)
            return &list[i];
    return NULL;
}

static int has_addr(const mf_interface *one, const char *text, int prefix)
{
    char buf[MF_ADDR_STR];

    for (int i = 0; i < one->nr_addrs; i++)
        if (strcmp(mf_addr_str(&one->addrs[i].addr, buf, sizeof buf), text) ==
                0 &&
            one->addrs[i].prefix == prefix)
            return 1;
    return 0;
}

static int loopback(void *arg)
{
    mf_interface *list = NULL;
    int n = mf_interfaces(&list);
    const mf_interface *lo = find(list, n, (int)if_nametoindex("lo"));

    (void)arg;
    EXPECT_GT(n, 0);
    EXPECT(lo != NULL);
    EXPECT_STR_EQ(lo->name, "lo");
    EXPECT_EQ(lo->flags & (IFF_UP | IFF_LOOPBACK), IFF_UP | IFF_LOOPBACK);
    EXPECT_GE(lo->mtu, 1280);
    EXPECT(has_addr(lo, "127.0.0.1:0", 8));
    for (int i = 1; i < n; i++) /* in order, and each once */
        EXPECT_LT(list[i - 1].index, list[i].index);
    mf_interfaces_free(list);
    mf_interfaces_free(NULL);
    EXPECT_EQ(mf_interfaces(NULL), -EINVAL);
    return 0;
}

MFI_TEST(loopback_is_there_with_its_address)
{
    in_both(loopback, NULL);
}

static int bits_of(const struct sockaddr *mask)
{
    const unsigned char *b =
        (const void *)&((const struct sockaddr_in *)(const void *)mask)
            ->sin_addr;
    int len = 4, n = 0;

    if (mask->sa_family == AF_INET6) {
        b = ((const struct sockaddr_in6 *)(const void *)mask)
                ->sin6_addr.s6_addr;
        len = 16;
    }
    for (int i = 0; i < len; i++)
        n += __builtin_popcount(b[i]);
    return n;
}

/* How many of the addresses libc knows are in the list; all must be. */
static int compare(const struct ifaddrs *all, const mf_interface *list, int n)
{
    int nr = 0;

    for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
        const mf_interface *one =
            find(list, n, (int)if_nametoindex(i->ifa_name));
        char buf[MF_ADDR_STR];
        mf_addr a = {.len = 0};

        if (i->ifa_addr == NULL || (i->ifa_addr->sa_family != AF_INET &&
                                    i->ifa_addr->sa_family != AF_INET6))
            continue;
        a.len = i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                                  : sizeof(struct sockaddr_in6);
        memcpy(&a.ss, i->ifa_addr, a.len);
        EXPECT(one != NULL);
        EXPECT(has_addr(one, mf_addr_str(&a, buf, sizeof buf),
                        bits_of(i->ifa_netmask)));
        nr++;
    }
    return nr;
}

MFI_TEST(libc_sees_the_same)
{
    mf_interface *list = NULL;
    struct ifaddrs *all = NULL;
    int n = mf_interfaces(&list), nr = 0;
    struct if_nameindex *names = if_nameindex();

    EXPECT(names != NULL);
    EXPECT_EQ(getifaddrs(&all), 0);
    for (int i = 0; i < n; i++) {
        nr += list[i].nr_addrs;
        EXPECT_EQ(if_nametoindex(list[i].name), (unsigned)list[i].index);
    }
    EXPECT_EQ(compare(all, list, n), nr);
    for (nr = 0; names[nr].if_index != 0; nr++)
        EXPECT(find(list, n, (int)names[nr].if_index) != NULL);
    EXPECT_EQ(n, nr);
    if_freenameindex(names);
    freeifaddrs(all);
    mf_interfaces_free(list);
}

MFI_TEST(errno_and_fds_are_left_alone)
{
    int before = dup(0), after;

    EXPECT_GE(before, 0);
    close(before);
    errno = 12345;
    for (int i = 0; i < 50; i++) {
        mf_interface *list = NULL;

        EXPECT_GT(mf_interfaces(&list), 0);
        mf_interfaces_free(list);
    }
    EXPECT_EQ(errno, 12345);
    after = dup(0);
    EXPECT_EQ(after, before);
    close(after);
}

static void set_lo(int fd, unsigned long what, const char *addr, int number)
{
    struct ifreq ifr = {.ifr_mtu = 0};
    mf_addr a;

    if (what == SIOCSIFFLAGS)
        ifr.ifr_flags = (short)number;
    else
        ifr.ifr_mtu = number;
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "lo");
    if (addr != NULL) {
        EXPECT_EQ(mf_addr_parse(addr, &a), 0);
        memcpy(&ifr.ifr_addr, &a.ss, sizeof ifr.ifr_addr);
    }
    EXPECT_EQ(ioctl(fd, what, &ifr), 0);
}

/* In a network of its own, where the test says what there is. */
MFI_TEST(an_interface_is_told_as_it_was_set_up)
{
    mf_interface *list = NULL;
    int fd;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        MFI_SKIP("no namespaces here");
    EXPECT_EQ(mf_interfaces(&list), 1);
    EXPECT_STR_EQ(list[0].name, "lo");
    EXPECT_EQ(list[0].nr_addrs, 0); /* down, and nothing on it */
    EXPECT_EQ(list[0].flags & IFF_UP, 0);
    mf_interfaces_free(list);

    EXPECT_GE(fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), 0);
    set_lo(fd, SIOCSIFADDR, "10.1.2.3:0", 0);
    set_lo(fd, SIOCSIFNETMASK, "255.255.254.0:0", 0);
    set_lo(fd, SIOCSIFMTU, NULL, 1432);
    set_lo(fd, SIOCSIFFLAGS, NULL, IFF_UP);
    EXPECT_EQ(mf_interfaces(&list), 1);
    EXPECT_EQ(list[0].mtu, 1432);
    EXPECT_EQ(list[0].flags & IFF_UP, IFF_UP);
    EXPECT(has_addr(&list[0], "10.1.2.3:0", 23));
    mf_interfaces_free(list);
    EXPECT_EQ(close(fd), 0);
}
