/* SPDX-License-Identifier: MIT */
/* addr_test.c - what is an address, what is not and why, and back to text. */
#include "net/addr.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "test.h"

static mf_addr parse(const char *where)
{
    const char *why = "";
    mf_addr a;

    if (mfi_addr_parse(where, &a, &why) != 0)
        mfi_test_fail(__FILE__, __LINE__, "\"%s\": %s", where, why);
    return a;
}

static void refuses(const char *where, const char *part)
{
    const char *why = NULL;
    mf_addr a = {.len = 77};

    if (mfi_addr_parse(where, &a, &why) != -EINVAL)
        mfi_test_fail(__FILE__, __LINE__, "a refusal of \"%s\"", where);
    EXPECT_STR_HAS(why, part);
    EXPECT_EQ(a.len, 77); /* untouched */
}

static void round_trip(const char *where, const char *text)
{
    char buf[MF_ADDR_STR];
    mf_addr a = parse(where);

    EXPECT_STR_EQ(mf_addr_str(&a, buf, sizeof buf), text);
    a = parse(buf); /* what is printed can be parsed */
    EXPECT_STR_EQ(mf_addr_str(&a, buf, sizeof buf), text);
}

MFI_TEST(addresses_print_as_they_parse)
{
    round_trip("1.2.3.4:80", "1.2.3.4:80");
    round_trip("0.0.0.0:0", "0.0.0.0:0");
    round_trip("255.255.255.255:65535", "255.255.255.255:65535");
    round_trip("localhost:80", "127.0.0.1:80");
    round_trip("[::1]:80", "[::1]:80");
    round_trip("[2001:DB8:0:0::1]:443", "[2001:db8::1]:443");
    round_trip("[::ffff:1.2.3.4]:80", "1.2.3.4:80");
    round_trip(":8080", "[::]:8080");
    round_trip("*:8080", "[::]:8080");
    round_trip("1.2.3.4:0080", "1.2.3.4:80");
}

MFI_TEST(the_fields_are_right)
{
    mf_addr a = parse("1.2.3.4:258");
    struct sockaddr_in sin;
    struct sockaddr_in6 sin6;

    memcpy(&sin, &a.ss, sizeof sin);
    EXPECT_EQ(a.len, sizeof sin);
    EXPECT_EQ(sin.sin_family, AF_INET);
    EXPECT_EQ(sin.sin_port, htons(258));
    EXPECT_EQ(sin.sin_addr.s_addr, htonl(0x01020304));
    a = parse("[::1]:258");
    memcpy(&sin6, &a.ss, sizeof sin6);
    EXPECT_EQ(a.len, sizeof sin6);
    EXPECT_EQ(sin6.sin6_family, AF_INET6);
    EXPECT_EQ(sin6.sin6_port, htons(258));
    EXPECT_EQ(sin6.sin6_scope_id, 0);
    EXPECT_EQ(memcmp(&sin6.sin6_addr, &in6addr_loopback, 16), 0);
}

MFI_TEST(zones_are_names_or_numbers)
{
    struct sockaddr_in6 sin6;
    char buf[MF_ADDR_STR];
    mf_addr a = parse("[fe80::1%lo]:80");

    memcpy(&sin6, &a.ss, sizeof sin6);
    EXPECT_EQ(sin6.sin6_scope_id, 1);
    EXPECT_STR_EQ(mf_addr_str(&a, buf, sizeof buf), "[fe80::1%lo]:80");
    round_trip("[fe80::1%1]:80", "[fe80::1%lo]:80");
    round_trip("[fe80::1%4000000000]:80", "[fe80::1%4000000000]:80");
    refuses("[fe80::1%nosuch0]:80", "interface");
    refuses("[fe80::1%]:80", "interface");
    refuses("[fe80::1%0]:80", "interface");
    refuses("[fe80::1%99999999999]:80", "interface");
    refuses("[fe80::1%a-name-longer-than-any]:80", "interface");
}

MFI_TEST(refusals_give_their_reason_and_leave_errno)
{
    errno = 12345;
    refuses(NULL, "no address");
    refuses("", "port missing");
    refuses("1.2.3.4", "port missing");
    refuses("1.2.3.4:", "port missing");
    refuses("[::1]", "port missing");
    refuses("[::1]:", "port missing");
    refuses(":", "port missing");
    refuses("1.2.3.4:65536", "port is not");
    refuses("1.2.3.4:-1", "port is not");
    refuses("1.2.3.4:+1", "port is not");
    refuses("1.2.3.4: 80", "port is not");
    refuses("1.2.3.4:80 ", "port is not");
    refuses("1.2.3.4:http", "port is not");
    refuses("1.2.3.4:99999999999999999999", "port is not");
    refuses("example.org:80", "resolver");
    refuses("1.2.3:80", "resolver");
    refuses("1.2.3.4.5:80", "resolver");
    refuses("256.1.1.1:80", "resolver");
    refuses(" 1.2.3.4:80", "resolver");
    refuses("LOCALHOST.:80", "resolver");
    refuses("::1:80", "brackets");
    refuses("[::1:80", "]");
    refuses("[]:80", "IPv6");
    refuses("[1.2.3.4]:80", "IPv6");
    refuses("[::g]:80", "IPv6");
    refuses("[::1]x:80", "between");
    refuses("x[::1]:80", "brackets");
    refuses("[", "]");
    refuses("]:80", "resolver");
    EXPECT_EQ(errno, 12345);
}

MFI_TEST(a_host_of_any_length_is_refused_in_bounds)
{
    char where[400];

    for (size_t n = 1; n < sizeof where - 4; n++) {
        memset(where, '1', n);
        memcpy(where + n, ":80", 4);
        refuses(where, "resolver");
        where[0] = '[';
        where[n - 1] = ']';
        if (n > 1)
            refuses(where, n < 60 ? "IPv6" : "");
    }
}

MFI_TEST(any_becomes_ipv4_any_with_its_port)
{
    char buf[MF_ADDR_STR];
    mf_addr a = parse(":8080");

    EXPECT(mfi_addr_any4(&a));
    EXPECT_STR_EQ(mf_addr_str(&a, buf, sizeof buf), "0.0.0.0:8080");
    EXPECT(!mfi_addr_any4(&a));
    a = parse("[::1]:8080");
    EXPECT(!mfi_addr_any4(&a));
    EXPECT_STR_EQ(mf_addr_str(&a, buf, sizeof buf), "[::1]:8080");
}

static mf_addr unix_addr(const char *path, size_t len)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    mf_addr a = {.len =
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)};

    memcpy(sun.sun_path, path, len);
    memcpy(&a.ss, &sun, sizeof sun);
    return a;
}

MFI_TEST(unix_addresses_print)
{
    char buf[MF_ADDR_STR], longest[108];
    mf_addr a = unix_addr("/run/x.sock", 12);

    EXPECT_STR_EQ(mf_addr_str(&a, buf, sizeof buf), "unix:/run/x.sock");
    a = unix_addr("/run/x.sock", 11); /* no zero byte at the end */
    EXPECT_STR_EQ(mf_addr_str(&a, buf, sizeof buf), "unix:/run/x.sock");
    a = unix_addr("\0name", 5);
    EXPECT_STR_EQ(mf_addr_str(&a, buf, sizeof buf), "unix:@name");
    a = unix_addr("\0na\0me", 6);
    EXPECT_STR_EQ(mf_addr_str(&a, buf, sizeof buf), "unix:@na@me");
    a = unix_addr("", 0);
    EXPECT_STR_EQ(mf_addr_str(&a, buf, sizeof buf), "unnamed");
    memset(longest, 'p', sizeof longest);
    a = unix_addr(longest, sizeof longest);
    EXPECT_EQ(strlen(mf_addr_str(&a, buf, sizeof buf)), sizeof longest + 5);
    a = (mf_addr){.len = 0};
    EXPECT_STR_EQ(mf_addr_str(&a, buf, sizeof buf), "unnamed");
    a = (mf_addr){.len = sizeof a.ss, .ss = {.ss_family = AF_NETLINK}};
    EXPECT_STR_EQ(mf_addr_str(&a, buf, sizeof buf), "unnamed");
}

static void refuses_unix(const char *name, const char *part)
{
    const char *why = NULL;
    mf_addr a = {.len = 77};

    if (mfi_addr_parse_unix(name, &a, &why) != -EINVAL)
        mfi_test_fail(__FILE__, __LINE__, "a refusal of \"%s\"", name);
    EXPECT_STR_HAS(why, part);
    EXPECT_EQ(a.len, 77);
}

static void unix_trip(const char *name, const char *text, size_t len)
{
    char buf[MF_ADDR_STR];
    const char *why = "";
    mf_addr a, b;

    if (mfi_addr_parse_unix(name, &a, &why) != 0)
        mfi_test_fail(__FILE__, __LINE__, "\"%s\": %s", name, why);
    EXPECT_EQ(a.len, offsetof(struct sockaddr_un, sun_path) + len);
    EXPECT_STR_EQ(mf_addr_str(&a, buf, sizeof buf), text);
    EXPECT_EQ(mf_addr_parse(text, &b), 0);
    EXPECT_EQ(b.len, a.len);
    EXPECT_EQ(memcmp(&a.ss, &b.ss, a.len), 0);
}

MFI_TEST(unix_names_parse_as_they_print)
{
    char name[130] = "unix:";

    unix_trip("/run/x.sock", "unix:/run/x.sock", 12);
    unix_trip("unix:/run/x.sock", "unix:/run/x.sock", 12);
    unix_trip("x.sock", "unix:x.sock", 7);
    unix_trip("./@x", "unix:./@x", 5);
    unix_trip("@name", "unix:@name", 5);
    unix_trip("unix:@name", "unix:@name", 5);
    unix_trip("unix:80", "unix:80", 3);
    for (size_t n = 1; n <= 108; n++) { /* a path of 108 has no zero byte */
        memset(name + 5, 'p', n);
        unix_trip(name, name, n < 108 ? n + 1 : n);
        name[5] = '@';
        if (n > 1)
            unix_trip(name, name, n);
    }
    memset(name + 5, 'p', 109);
    refuses_unix(name, "longer than 108");
    refuses_unix(name + 5, "longer than 108");
    refuses_unix(NULL, "no name");
    refuses_unix("", "no path");
    refuses_unix("unix:", "no path");
    refuses_unix("@", "after the @");
    refuses_unix("unix:@", "after the @");
}

MFI_TEST(tcp_takes_no_unix_names)
{
    mf_addr a = {.len = 77};

    refuses("unix:/run/x.sock", "unix socket");
    refuses("unix:@name", "unix socket");
    refuses("unix:./x", "unix socket");
    refuses("unix:", "");
    refuses("unix:80", "resolver"); /* a host may be called so */
    EXPECT_EQ(mf_tcp_listen("unix:/run/x.sock", NULL), -EINVAL);
    EXPECT_STR_HAS(mf_explain(-EINVAL), "mf_unix_");
    EXPECT_EQ(mf_addr_parse("unix:", &a), -EINVAL);
    EXPECT_STR_HAS(mf_explain(-EINVAL), "address 'unix:': no path");
    EXPECT_EQ(mf_addr_parse(NULL, &a), -EINVAL);
    EXPECT_EQ(mf_addr_parse("unix:/x", NULL), -EINVAL);
    EXPECT_EQ(a.len, 77);
}

MFI_TEST(text_is_cut_to_any_length)
{
    static const char text[] = "[2001:db8::1]:443";
    mf_addr a = parse(text);

    for (size_t len = 0; len < sizeof text + 2; len++) {
        char buf[sizeof text + 4];
        size_t n = len == 0 ? 0 : len < sizeof text ? len - 1 : strlen(text);

        memset(buf, '#', sizeof buf);
        EXPECT(mf_addr_str(&a, buf, len) == buf);
        EXPECT_EQ(memcmp(buf, text, n), 0);
        if (len > 0)
            EXPECT_EQ(buf[n], '\0');
        EXPECT_EQ(buf[len], '#'); /* nothing is written beyond */
    }
}
