/* SPDX-License-Identifier: MIT */
/*
 * addr.c - addresses from text and back.
 *
 *     where = host ":" port
 *     host  = "" | "*" | "localhost" | IPv4 | "[" IPv6 [ "%" zone ] "]"
 *     port  = 0 to 65535, digits only
 *     unix  = [ "unix:" ] ( "@" name | path )
 *
 * The port stands after the last colon outside of brackets. An IPv6 address
 * without brackets is refused rather than guessed at ("::1:80" is itself an
 * address), and so is a name: looking one up may take seconds. inet_pton takes
 * the strict forms only, so "127.1" and "010.0.0.1" are refused too.
 *
 * The two grammars are two functions: a call that makes TCP sockets does not
 * take "unix:/x", and a host may be called unix. Only mf_addr_parse, which
 * takes no names, tries both; there the prefix decides.
 *
 * Printing is the inverse, but for three things: IPv4 in IPv6 clothes, what a
 * dual-stack listener sees of an IPv4 peer, prints as plain IPv4; the "any"
 * addresses print as they are, "[::]:80", which is the same as ":80"; and a
 * zero byte of an abstract name, which no text can hold, prints as one more @.
 *
 * Sources: RFC 3986 3.2.2, RFC 4007 11 (zones), RFC 5952 (form), unix(7).
 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h> /* tidy: allow kernel-header, because of SIOCGIF... */
#include <sys/un.h>    /* tidy: allow kernel-header, because of sockaddr_un */

#include "os/io.h"

enum { HOST_LEN = INET6_ADDRSTRLEN + IF_NAMESIZE + 1 };

/* parse */

static int refuse(const char *why, const char **ret_why)
{
    *ret_why = why;
    return -EINVAL;
}

/* A number of digits only, up to max; -1: it is not. */
static int64_t parse_number(const char *s, uint32_t max)
{
    uint64_t n = 0;

    if (*s == '\0')
        return -1;
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9')
            return -1;
        n = n * 10 + (uint64_t)(*s - '0');
        if (n > max)
            return -1;
    }
    return (int64_t)n;
}

static void set4(mf_addr *a, struct in_addr in, uint16_t port)
{
    struct sockaddr_in sin = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = in};

    *a = (mf_addr){.len = sizeof sin};
    memcpy(&a->ss, &sin, sizeof sin);
}

static void set6(mf_addr *a, struct in6_addr in6, uint32_t zone, uint16_t port)
{
    struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6,
                                .sin6_port = htons(port),
                                .sin6_addr = in6,
                                .sin6_scope_id = zone};

    *a = (mf_addr){.len = sizeof sin6};
    memcpy(&a->ss, &sin6, sizeof sin6);
}

/* if_nametoindex(3) and if_indextoname(3), but they set errno. */
static int ask_interface(unsigned long what, struct ifreq *ifr)
{
    int fd = mfi_os_socket(AF_INET6, SOCK_DGRAM);
    int rc;

    if (fd < 0)
        fd = mfi_os_socket(AF_UNIX, SOCK_DGRAM); /* no IPv6 here */
    if (fd < 0)
        return fd;
    rc = (int)mfi_sys3(SYS_ioctl, fd, what, ifr);
    mfi_os_close(fd);
    return rc;
}

uint32_t mfi_net_interface(const char *name)
{
    struct ifreq ifr = {.ifr_ifindex = 0};
    size_t len = strlen(name);

    if (len == 0 || len >= sizeof ifr.ifr_name)
        return 0;
    memcpy(ifr.ifr_name, name, len);
    return ask_interface(SIOCGIFINDEX, &ifr) < 0 ? 0
                                                 : (uint32_t)ifr.ifr_ifindex;
}

/* "fe80::1%eth0" or "fe80::1%2" or "::1"; host is cut at the %. */
static int parse6(char *host, uint16_t port, mf_addr *a, const char **ret_why)
{
    char *percent = strchr(host, '%');
    struct in6_addr in6;
    int64_t zone = 0;

    if (percent != NULL) {
        *percent++ = '\0';
        zone = parse_number(percent, UINT32_MAX);
        if (zone < 0)
            zone = mfi_net_interface(percent);
        if (zone == 0)
            return refuse("no such network interface after the %", ret_why);
    }
    if (inet_pton(AF_INET6, host, &in6) != 1)
        return refuse("no IPv6 address between the brackets", ret_why);
    set6(a, in6, (uint32_t)zone, port);
    return 0;
}

static int parse_host(char *host, uint16_t port, mf_addr *a,
                      const char **ret_why)
{
    size_t len = strlen(host);
    struct in_addr in;

    if (len == 0 || strcmp(host, "*") == 0) {
        set6(a, in6addr_any, 0, port);
        return 0;
    }
    if (host[0] == '[') {
        if (host[len - 1] != ']')
            return refuse("text between ] and the port's colon", ret_why);
        host[len - 1] = '\0';
        return parse6(host + 1, port, a, ret_why);
    }
    if (strchr(host, ':') != NULL)
        return refuse("an IPv6 address needs brackets: [::1]:80", ret_why);
    if (strcmp(host, "localhost") == 0)
        in.s_addr = htonl(INADDR_LOOPBACK);
    else if (inet_pton(AF_INET, host, &in) != 1)
        return refuse("no numeric address: names need a resolver", ret_why);
    set4(a, in, port);
    return 0;
}

int mfi_addr_parse(const char *where, mf_addr *ret_addr, const char **ret_why)
{
    char host[HOST_LEN + 3]; /* two brackets and the end */
    const char *bracket, *colon;
    int64_t port;
    size_t len;
    mf_addr a;
    int rc;

    if (where == NULL)
        return refuse("no address", ret_why);
    if (mfi_addr_is_unix(where) && strchr("/@.", where[5]) != NULL)
        return refuse("a unix socket: mf_unix_... takes these", ret_why);
    bracket = strrchr(where, ']');
    if (where[0] == '[' && bracket == NULL)
        return refuse("no ] after the [", ret_why);
    colon = strrchr(bracket == NULL ? where : bracket, ':');
    if (colon == NULL || colon[1] == '\0')
        return refuse("port missing", ret_why);
    port = parse_number(colon + 1, UINT16_MAX);
    if (port < 0)
        return refuse("port is not a number from 0 to 65535", ret_why);
    len = (size_t)(colon - where);
    if (len >= sizeof host)
        return refuse("no numeric address: names need a resolver", ret_why);
    memcpy(host, where, len);
    host[len] = '\0';
    rc = parse_host(host, (uint16_t)port, &a, ret_why);
    if (rc == 0)
        *ret_addr = a;
    return rc;
}

int mfi_addr_parse_unix(const char *name, mf_addr *ret_addr,
                        const char **ret_why)
{
    const size_t start = offsetof(struct sockaddr_un, sun_path);
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    size_t len;

    if (name == NULL)
        return refuse("no name", ret_why);
    if (mfi_addr_is_unix(name))
        name += sizeof "unix:" - 1;
    len = strlen(name);
    if (len == 0)
        return refuse("no path and no @name", ret_why);
    if (len == 1 && name[0] == '@')
        return refuse("no name after the @", ret_why);
    if (len > sizeof sun.sun_path)
        return refuse("path or name longer than 108 bytes", ret_why);
    memcpy(sun.sun_path, name, len);
    if (name[0] == '@')
        sun.sun_path[0] = '\0';
    else if (len < sizeof sun.sun_path)
        len++; /* the zero byte belongs to a path that has room for it */
    *ret_addr = (mf_addr){.len = (socklen_t)(start + len)};
    memcpy(&ret_addr->ss, &sun, start + len);
    return 0;
}

bool mfi_addr_any4(mf_addr *a)
{
    struct sockaddr_in6 sin6;

    if (a->ss.ss_family != AF_INET6)
        return false;
    memcpy(&sin6, &a->ss, sizeof sin6);
    if (!IN6_IS_ADDR_UNSPECIFIED(&sin6.sin6_addr))
        return false;
    set4(a, (struct in_addr){.s_addr = htonl(INADDR_ANY)},
         ntohs(sin6.sin6_port));
    return true;
}

/* print */

static void print(char *buf, size_t len, const char *fmt, ...) MF_PRINTF(3, 4);

static void print(char *buf, size_t len, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(buf, len, fmt, args);
    va_end(args);
}

static void print4(struct in_addr in, uint16_t port, char *buf, size_t len)
{
    char host[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &in, host, sizeof host);
    print(buf, len, "%s:%u", host, ntohs(port));
}

static void print6(const struct sockaddr_in6 *sin6, char *buf, size_t len)
{
    char host[INET6_ADDRSTRLEN];
    struct ifreq ifr = {.ifr_ifindex = (int)sin6->sin6_scope_id};

    if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
        struct in_addr in;

        memcpy(&in, sin6->sin6_addr.s6_addr + 12, sizeof in);
        print4(in, sin6->sin6_port, buf, len);
        return;
    }
    inet_ntop(AF_INET6, &sin6->sin6_addr, host, sizeof host);
    if (sin6->sin6_scope_id == 0)
        print(buf, len, "[%s]:%u", host, ntohs(sin6->sin6_port));
    else if (ask_interface(SIOCGIFNAME, &ifr) == 0)
        print(buf, len, "[%s%%%s]:%u", host, ifr.ifr_name,
              ntohs(sin6->sin6_port));
    else
        print(buf, len, "[%s%%%u]:%u", host, sin6->sin6_scope_id,
              ntohs(sin6->sin6_port));
}

/* A path need not end in a zero byte; an abstract name may hold some: "@". */
static void print_unix(const mf_addr *a, char *buf, size_t len)
{
    const size_t start = offsetof(struct sockaddr_un, sun_path);
    struct sockaddr_un sun;
    size_t n = a->len < sizeof sun ? a->len : sizeof sun;

    if (n <= start) {
        print(buf, len, "unnamed");
        return;
    }
    memcpy(&sun, &a->ss, n);
    n -= start;
    if (sun.sun_path[0] == '\0') {
        for (size_t i = 0; i < n; i++)
            if (sun.sun_path[i] == '\0')
                sun.sun_path[i] = '@';
    }
    print(buf, len, "unix:%.*s", (int)n, sun.sun_path);
}

const char *mf_addr_str(const mf_addr *a, char *buf, size_t len)
{
    sa_family_t family = a->len < sizeof family ? AF_UNSPEC : a->ss.ss_family;
    struct sockaddr_in sin;
    struct sockaddr_in6 sin6;

    if (family == AF_INET && a->len >= sizeof sin) {
        memcpy(&sin, &a->ss, sizeof sin);
        print4(sin.sin_addr, sin.sin_port, buf, len);
    } else if (family == AF_INET6 && a->len >= sizeof sin6) {
        memcpy(&sin6, &a->ss, sizeof sin6);
        print6(&sin6, buf, len);
    } else if (family == AF_UNIX) {
        print_unix(a, buf, len);
    } else {
        print(buf, len, "unnamed");
    }
    return buf;
}
