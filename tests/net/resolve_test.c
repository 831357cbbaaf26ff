/* SPDX-License-Identifier: MIT */
/* resolve_test.c - what is asked, what is refused and why, in which order. */
#include <mayfly/dns.h>

#include <arpa/inet.h>

#include "io/kit.h"
#include "net/lookup.h"

/* All addresses as text, blanks between them; or "". */
static const char *all(const char *where, int family, char *buf, size_t len)
{
    char one[MF_ADDR_STR];
    mf_addr a[16];
    size_t used = 0;
    int n =
        mf_resolve(where, MF_RESOLVE_OPTIONS(.family = family), a, 16, late());

    buf[0] = '\0';
    for (int i = 0; i < n; i++)
        used +=
            (size_t)snprintf(buf + used, len - used, "%s%s", i > 0 ? " " : "",
                             mf_addr_str(&a[i], one, sizeof one));
    return buf;
}

static int numbers(void *arg)
{
    static const struct {
        const char *where;
        int family;
        const char *is;
    } table[] = {
        {"127.0.0.1:80", AF_UNSPEC, "127.0.0.1:80"},
        {"127.0.0.1:80", AF_INET, "127.0.0.1:80"},
        {"[::1]:65535", AF_UNSPEC, "[::1]:65535"},
        {"[::1]:0", AF_INET6, "[::1]:0"},
        {":8080", AF_UNSPEC, "[::]:8080"},
        {"*:8080", AF_INET, "0.0.0.0:8080"},
        {":8080", AF_INET6, "[::]:8080"},
        {"localhost:1", AF_UNSPEC, "127.0.0.1:1 [::1]:1"},
        {"localhost:1", AF_INET, "127.0.0.1:1"},
        {"localhost.:1", AF_INET6, "[::1]:1"},
        {"LocalHost:1", AF_UNSPEC, "127.0.0.1:1 [::1]:1"},
        {"my.app.localhost:1", AF_UNSPEC, "127.0.0.1:1 [::1]:1"},
    };
    char buf[256];

    (void)arg;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        EXPECT_STR_EQ(all(table[i].where, table[i].family, buf, sizeof buf),
                      table[i].is);
    return 0;
}

MFI_TEST(numbers_and_localhost_need_nobody_else)
{
    in_both(numbers, NULL);
    EXPECT_EQ(numbers(NULL), 0); /* and no runtime */
}

static void refused(const char *where, int rc, const char *why)
{
    mf_addr a = {.len = 77};
    int got = mf_resolve(where, NULL, &a, 1, late());

    EXPECT_EQ(got, rc);
    EXPECT_STR_HAS(mf_explain(got), why);
    EXPECT_EQ(a.len, 77); /* written on success only */
}

static const char *long_label(char *buf, size_t label)
{
    memset(buf, 'a', label);
    strcpy(buf + label, ".example:80");
    return buf;
}

/* A name of len bytes, in labels of 9, then `after`. */
static const char *long_name(char *buf, size_t len, const char *after)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = i % 10 == 9 && i + 1 < len ? '.' : 'n';
    strcpy(buf + len, after);
    return buf;
}

static int refusals(void *arg)
{
    static const struct {
        const char *where, *why;
    } table[] = {
        {NULL, "no address"},
        {"", "port missing"},
        {"host", "port missing"},
        {"host:", "port missing"},
        {"host:65536", "0 to 65535"},
        {"host:99999999999999999999", "0 to 65535"},
        {"host:-1", "neither"},
        {"host: 80", "neither"},
        {"host:80 ", "neither"},
        {"host:h\xc3\xa9", "neither"},
        {"::1:80", "brackets"},
        {"[::1:80", "no ]"},
        {"[::1]x:80", "between ]"},
        {"[host]:80", "no IPv6 address"},
        {"[::1]", "port missing"},
        {"a..b:80", "empty"},
        {".:80", "empty"},
        {".a:80", "empty"},
        {"a..:80", "empty"},
        {"127.1:80", "ends in a number"},
        {"1.2.3.4.5:80", "ends in a number"},
        {"256.1.1.1:80", "ends in a number"},
        {"0x7f.1:80", "ends in a number"},
        {"0x7f000001:80", "ends in a number"},
        {"a.123.:80", "ends in a number"},
        {"2130706433:http", "ends in a number"},
        {"ho st:80", "letters"},
        {"h\xc3\xb6st:80", "letters"},
        {"host/path:80", "letters"},
        {"u@host:80", "letters"},
        {"http://host:80", "brackets"},
    };
    char buf[512];
    mf_addr a;

    (void)arg;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        refused(table[i].where, -EINVAL, table[i].why);
    refused(long_label(buf, 64), -EINVAL, "63 bytes");
    refused(long_name(buf, 254, ":80"), -EINVAL, "253 bytes");
    refused(long_name(buf, 400, ":80"), -EINVAL, "253 bytes");
    EXPECT_EQ(mf_resolve("host:1", NULL, NULL, 1, late()), -EINVAL);
    EXPECT_EQ(mf_resolve("host:1", NULL, &a, 0, late()), -EINVAL);
    EXPECT_EQ(mf_resolve("host:1", MF_RESOLVE_OPTIONS(.family = AF_UNIX), &a, 1,
                         late()),
              -EINVAL);
    EXPECT_EQ(mf_resolve("127.0.0.1:1", MF_RESOLVE_OPTIONS(.family = AF_INET6),
                         &a, 1, late()),
              -ENOENT);
    EXPECT_EQ(mf_resolve("[::1]:1", MF_RESOLVE_OPTIONS(.family = AF_INET), &a,
                         1, late()),
              -ENOENT);
    return 0;
}

MFI_TEST(what_is_refused_says_which_rule_it_broke)
{
    in_both(refusals, NULL);
}

/* The longest that are allowed are asked for: nobody has them. */
static int limits(void *arg)
{
    char buf[512];
    mf_addr a;

    (void)arg;
    EXPECT_EQ(mf_resolve(long_label(buf, 63), NULL, &a, 1, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_resolve(long_name(buf, 253, ":80"), NULL, &a, 1, MF_NOW),
              -ETIMEDOUT);
    EXPECT_EQ(mf_resolve(long_name(buf, 253, ".:80"), NULL, &a, 1, MF_NOW),
              -ETIMEDOUT);
    EXPECT_EQ(mf_resolve("1-a_b.c:80", NULL, &a, 1, MF_NOW), -ETIMEDOUT);
    return 0;
}

MFI_TEST(the_longest_names_are_well_formed)
{
    in_both(limits, NULL);
}

static int services(void *arg)
{
    char buf[256];
    mf_addr a;
    int rc;

    (void)arg;
    EXPECT_STR_EQ(all("127.0.0.1:http", AF_UNSPEC, buf, sizeof buf),
                  "127.0.0.1:80");
    EXPECT_STR_EQ(all("[::1]:https", AF_UNSPEC, buf, sizeof buf), "[::1]:443");
    EXPECT_STR_EQ(all("localhost:http", AF_INET, buf, sizeof buf),
                  "127.0.0.1:80");
    EXPECT_STR_EQ(all("127.0.0.1:tftp", AF_UNSPEC, buf, sizeof buf),
                  "127.0.0.1:69"); /* UDP's only */
    rc = mf_resolve("127.0.0.1:no-such-thing", NULL, &a, 1, late());
    EXPECT_EQ(rc, -ENOENT);
    EXPECT_STR_HAS(mf_explain(rc), "no such service");
    EXPECT_EQ(mf_resolve("127.0.0.1:http", NULL, &a, 1, MF_NOW), -ETIMEDOUT);
    return 0;
}

MFI_TEST(services_have_ports)
{
    if (access("/etc/services", R_OK) != 0)
        MFI_SKIP("there is no /etc/services");
    in_both(services, NULL);
    EXPECT_EQ(services(NULL), 0);
}

static int in_hosts_file(void *arg)
{
    char name[256], where[300], buf[256];

    (void)arg;
    EXPECT_EQ(gethostname(name, sizeof name), 0);
    snprintf(where, sizeof where, "%s:80", name);
    EXPECT_STR_HAS(all(where, AF_UNSPEC, buf, sizeof buf), ":80");
    return 0;
}

/* The one name besides localhost that most machines have. */
static bool has_own_name(void)
{
    char name[256], line[512];
    FILE *f = fopen("/etc/hosts", "re");
    bool has = false;

    if (f == NULL || gethostname(name, sizeof name) != 0)
        return false;
    while (!has && fgets(line, sizeof line, f) != NULL)
        has = strstr(line, name) != NULL && line[0] != '#';
    fclose(f);
    return has;
}

MFI_TEST(names_in_the_hosts_file_are_found)
{
    if (!has_own_name())
        MFI_SKIP("this host is not in its own /etc/hosts");
    EXPECT_EQ(in_hosts_file(NULL), 0);
    in_both(in_hosts_file, NULL);
    EXPECT_EQ(in_hosts_file(NULL), 0);
}

/* ---- adding up ---------------------------------------------------------- */

MFI_TEST(each_address_is_kept_once_and_not_too_many)
{
    struct found f = {.addrs = NULL};
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr other = {.sa_family = AF_UNIX};

    mfi_found_add(&f, &other);
    EXPECT_EQ(f.n, 0);
    for (int i = 0; i < 200; i++) {
        in.sin_addr.s_addr = htonl((uint32_t)i % 30);
        mfi_found_add(&f, (void *)&in);
        in6.sin6_addr.s6_addr[15] = (uint8_t)(i % 10);
        mfi_found_add(&f, (void *)&in6);
    }
    EXPECT_EQ(f.n, 40);
    for (int i = 100; i < 200; i++) {
        in.sin_addr.s_addr = htonl((uint32_t)i);
        mfi_found_add(&f, (void *)&in);
    }
    EXPECT_EQ(f.n, LOOKUP_ADDRS);
    EXPECT_EQ(f.rc, 0);
    free(f.addrs);
}

MFI_TEST(it_says_who_answers)
{
    const char *who = mf_resolver();

    EXPECT(strcmp(who, "getaddrinfo") == 0 || strncmp(who, "c-ares ", 7) == 0);
}
