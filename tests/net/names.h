/* SPDX-License-Identifier: MIT */
/*
 * names.h - a world with a name server of the test's own: network and mount
 * namespaces, files bound over those in /etc, and a server in a thread at
 * 127.0.0.1:53 (UDP and TCP) whose answers depend on the name's first label:
 *
 *   ok       192.0.2.1, 2001:db8::1        v4, v6     one family only
 *   pair     127.0.0.2, 127.0.0.3          quad       127.0.0.2 to .5
 *   dual     ::1, 127.0.0.1, 127.0.0.2
 *   nx fail refused formerr                the codes
 *   tc       "truncated" by UDP            big        250 addresses, 4 KB
 *   mute     nothing                       hold       nothing until world.open
 *   lie      lies (of another id, of another question), then the truth
 *   liar     only the lies                 junk       random bytes
 *   cut      half an answer                cname      a chain of three
 *   loop     a CNAME to itself, by a detour
 *   inner    192.0.2.7 in corp.test, the search domain; nowhere else
 * Both of an A and an AAAA query count in world.asked.
 */
#ifndef MFI_TESTS_NAMES_H
#define MFI_TESTS_NAMES_H

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "io/kit.h"

static struct {
    int udp, tcp;
    _Atomic int asked; /* queries whose name begins with "hold" or "mute" */
    _Atomic int open;  /* "hold" is answered */
    _Atomic int tcp_asked;
    uid_t uid;
} world;

enum { QUERY_MAX = 512, ANSWER_MAX = 8192, HELD_MAX = 256 };

struct message {
    uint8_t data[ANSWER_MAX];
    size_t len;
    size_t question_len; /* header and question, of a query */
    char label[64];      /* the first */
    bool corp;           /* it is in corp.test */
    uint16_t type;
};

/* ---- the server --------------------------------------------------------- */

KIT void put(struct message *m, const void *data, size_t len)
{
    EXPECT_LE(m->len + len, sizeof m->data);
    memcpy(m->data + m->len, data, len);
    m->len += len;
}

KIT void put16(struct message *m, unsigned v)
{
    uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

    put(m, b, 2);
}

/* A record of the name at the offset `owner`; it is counted. */
KIT void put_record(struct message *m, unsigned owner, unsigned type,
                    const void *data, size_t len)
{
    unsigned count = (unsigned)(m->data[6] << 8 | m->data[7]) + 1;

    m->data[6] = (uint8_t)(count >> 8);
    m->data[7] = (uint8_t)count;
    put16(m, 0xc000 | owner);
    put16(m, type);
    put16(m, 1);
    put16(m, 0);
    put16(m, 0); /* do not keep it */
    put16(m, (unsigned)len);
    put(m, data, len);
}

KIT void put_a(struct message *m, unsigned owner, uint32_t addr)
{
    uint32_t be = htonl(addr);

    put_record(m, owner, 1, &be, 4);
}

KIT void put_aaaa(struct message *m, unsigned owner, const char *text)
{
    struct in6_addr in6;

    EXPECT_EQ(inet_pton(AF_INET6, text, &in6), 1);
    put_record(m, owner, 28, &in6, 16);
}

/* CNAME from `owner` to label.test; where that name is. */
static unsigned put_cname(struct message *m, unsigned owner, const char *label)
{
    uint8_t name[80];
    size_t n = strlen(label);

    name[0] = (uint8_t)n;
    memcpy(name + 1, label, n);
    memcpy(name + 1 + n, "\4test", 6);
    put_record(m, owner, 5, name, n + 7);
    return (unsigned)(m->len - (n + 7));
}

/* False: not a query we understand. */
KIT bool parse_query(struct message *q, size_t len)
{
    size_t at = 12;

    if (len < 17 || len > QUERY_MAX)
        return false;
    q->len = len;
    q->corp = false;
    memset(q->label, 0, sizeof q->label);
    for (int i = 0; at < len && q->data[at] != 0; i++) {
        size_t n = q->data[at];

        if (n > 63 || at + n >= len)
            return false;
        if (i == 0)
            for (size_t k = 0; k < n && k < 63; k++)
                q->label[k] = (char)(q->data[at + 1 + k] | 32);
        q->corp =
            q->corp || (n == 4 && memcmp(q->data + at + 1, "corp", 4) == 0);
        at += n + 1;
    }
    if (at + 5 > len)
        return false;
    q->type = (uint16_t)(q->data[at + 1] << 8 | q->data[at + 2]);
    q->question_len = at + 5;
    return true;
}

KIT void begin_answer(struct message *m, const struct message *q, unsigned code)
{
    static const uint8_t zero[6];

    m->len = 0;
    put(m, q->data, 2);
    put16(m, 0x8180 | code);
    put16(m, 1);
    put(m, zero, 6);
    put(m, q->data + 12, q->question_len - 12);
}

KIT bool is(const struct message *q, const char *label)
{
    return strcmp(q->label, label) == 0;
}

/* The addresses of one of the names that have any. */
KIT void put_addresses(struct message *m, const struct message *q,
                       unsigned owner)
{
    bool a = q->type == 1, aaaa = q->type == 28;

    if (is(q, "pair") || is(q, "quad") || is(q, "dual")) {
        uint32_t from = is(q, "dual") ? 1 : 2, to = is(q, "quad")   ? 5
                                                    : is(q, "dual") ? 2
                                                                    : 3;

        for (uint32_t i = from; a && i <= to; i++)
            put_a(m, owner, 0x7f000000 + i);
        if (aaaa && is(q, "dual"))
            put_aaaa(m, owner, "::1");
    } else if (is(q, "big")) {
        for (uint32_t i = 0; a && i < 250; i++)
            put_a(m, owner, 0xc6120000 + i); /* 198.18.0.0 */
    } else if (is(q, "inner")) {
        if (a)
            put_a(m, owner, 0xc0000207);
    } else if (a && !is(q, "v6")) {
        put_a(m, owner, 0xc0000201);
    } else if (aaaa && (is(q, "ok") || is(q, "v6") || is(q, "hold"))) {
        put_aaaa(m, owner, "2001:db8::1");
    }
}

KIT void make_answer(struct message *m, const struct message *q, bool tcp)
{
    static const struct {
        const char *label;
        unsigned code;
    } codes[] = {{"nx", 3}, {"fail", 2}, {"refused", 5}, {"formerr", 1}};
    unsigned owner = 12;

    for (size_t i = 0; i < 4; i++)
        if (is(q, codes[i].label)) {
            begin_answer(m, q, codes[i].code);
            return;
        }
    begin_answer(m, q, is(q, "inner") && !q->corp ? 3 : 0);
    if ((is(q, "tc") || is(q, "big")) && !tcp) {
        m->data[2] |= 2;
        return;
    }
    if (is(q, "cname")) {
        owner = put_cname(m, owner, "second");
        owner = put_cname(m, owner, "third");
        owner = put_cname(m, owner, "fourth");
    } else if (is(q, "loop") || is(q, "detour")) {
        owner = put_cname(m, owner, "detour");
        put_cname(m, owner, "loop");
        return;
    }
    if (m->data[3] % 16 == 0)
        put_addresses(m, q, owner);
    if (is(q, "cut"))
        m->len -= 6;
}

KIT void send_udp(const struct message *m, const struct sockaddr_in *to)
{
    sendto(world.udp, m->data, m->len, 0, (const void *)to, sizeof *to);
}

/* What an attacker would send, or a broken server. */
KIT void send_lies(const struct message *q, const struct sockaddr_in *to)
{
    struct message m;

    begin_answer(&m, q, 0); /* of another question by its id */
    m.data[0] ^= 0x5a;
    put_a(&m, 12, 0xcb007142);
    send_udp(&m, to);
    begin_answer(&m, q, 0); /* ... and by its name */
    m.data[13] ^= 1;
    put_a(&m, 12, 0xcb007143);
    send_udp(&m, to);
}

KIT void serve_udp(void)
{
    static struct {
        struct message q;
        struct sockaddr_in from;
    } held[HELD_MAX], one;
    static int nr_held;
    struct message m;
    socklen_t len = sizeof one.from;
    ssize_t n;

    for (; mfi_load_acq(&world.open) != 0 && nr_held > 0; nr_held--) {
        make_answer(&m, &held[nr_held - 1].q, false);
        send_udp(&m, &held[nr_held - 1].from);
    }
    n = recvfrom(world.udp, one.q.data, QUERY_MAX, MSG_DONTWAIT,
                 (void *)&one.from, &len);
    if (n < 0 || !parse_query(&one.q, (size_t)n))
        return;
    if (is(&one.q, "hold") || is(&one.q, "mute"))
        mfi_add_acqrel(&world.asked, 1);
    if (is(&one.q, "mute"))
        return;
    if (is(&one.q, "hold") && mfi_load_acq(&world.open) == 0) {
        EXPECT_LT(nr_held, HELD_MAX);
        held[nr_held++] = one;
        return;
    }
    if (is(&one.q, "lie") || is(&one.q, "liar"))
        send_lies(&one.q, &one.from);
    if (is(&one.q, "liar"))
        return;
    make_answer(&m, &one.q, false);
    if (is(&one.q, "junk"))
        for (size_t i = 2; i < m.len; i++)
            m.data[i] = (uint8_t)(i * 37 + 11);
    send_udp(&m, &one.from);
}

/* One query a connection is all that resolvers send. */
KIT void serve_tcp(void)
{
    static struct message q, m;
    struct timeval patience = {.tv_sec = 2};
    int fd = accept(world.tcp, NULL, NULL);
    uint8_t len[2];

    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (recv(fd, len, 2, MSG_WAITALL) == 2) {
        ssize_t n = len[0] << 8 | len[1];

        if (n > QUERY_MAX || recv(fd, q.data, (size_t)n, MSG_WAITALL) != n ||
            !parse_query(&q, (size_t)n))
            break;
        mfi_add_acqrel(&world.tcp_asked, 1);
        make_answer(&m, &q, true);
        len[0] = (uint8_t)(m.len >> 8);
        len[1] = (uint8_t)m.len;
        if (send(fd, len, 2, MSG_NOSIGNAL | MSG_MORE) != 2 ||
            send(fd, m.data, m.len, MSG_NOSIGNAL) != (ssize_t)m.len)
            break;
    }
    close(fd);
}

static void *server(void *arg)
{
    struct pollfd fds[2] = {{.fd = world.udp, .events = POLLIN},
                            {.fd = world.tcp, .events = POLLIN}};

    for (;;) {
        poll(fds, 2, 2); /* it is also time to look at world.open */
        serve_udp();
        if (fds[1].revents != 0)
            serve_tcp();
    }
    return arg;
}

/* ---- the world ---------------------------------------------------------- */

KIT bool write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    bool ok = f != NULL && fputs(text, f) >= 0;

    return f != NULL && fclose(f) == 0 && ok;
}

/* Stands in for a file in /etc; made there if the machine has none. */
KIT bool replace_file(const char *name, const char *text)
{
    char own[64], real[64];

    snprintf(own, sizeof own, "/mnt/%s", name);
    snprintf(real, sizeof real, "/etc/%s", name);
    return write_file(own, text) && mount(own, real, NULL, MS_BIND, NULL) == 0;
}

KIT bool new_namespaces(void)
{
    char map[64];
    uid_t uid = getuid();
    gid_t gid = getgid();

    if (unshare(CLONE_NEWNET | CLONE_NEWNS) == 0)
        return true;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0)
        return false;
    snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
    if (!write_file("/proc/self/uid_map", map) ||
        !write_file("/proc/self/setgroups", "deny"))
        return false;
    snprintf(map, sizeof map, "0 %u 1", (unsigned)gid);
    return write_file("/proc/self/gid_map", map);
}

KIT bool loopback_up(void)
{
    struct ifreq ifr = {.ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

    strcpy(ifr.ifr_name, "lo");
    rc = ioctl(fd, SIOCSIFFLAGS, &ifr);
    close(fd);
    return rc == 0;
}

KIT int bound(int type)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(53),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    EXPECT_GE(fd, 0);
    EXPECT_EQ(bind(fd, (void *)&at, sizeof at), 0);
    return fd;
}

/* Everything but the server. Skips the test where it may not be done. */
KIT void new_world(const char *resolv_conf)
{
    if (!new_namespaces())
        MFI_SKIP("no namespaces for this user");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("names", "/mnt", "tmpfs", 0, NULL) != 0 || !loopback_up() ||
        !replace_file("resolv.conf", resolv_conf) ||
        !replace_file("nsswitch.conf", "hosts: files dns\nservices: files\n") ||
        !replace_file("hosts", "192.0.2.50 inhosts other.inhosts\n"
                               "2001:db8::50 inhosts\n"
                               "127.0.0.9 nine\n"))
        MFI_SKIP("no mounts for this user");
}

KIT void new_world_with_server(void)
{
    pthread_t thread;

    new_world("nameserver 127.0.0.1\nsearch corp.test\n"
              "options timeout:1 attempts:1 retrans:1000 retry:1\n");
    world.udp = bound(SOCK_DGRAM);
    world.tcp = bound(SOCK_STREAM);
    EXPECT_EQ(listen(world.tcp, 16), 0);
    EXPECT_EQ(pthread_create(&thread, NULL, server, NULL), 0);
    EXPECT_EQ(pthread_detach(thread), 0);
}

/* Until the server was asked n times for what it does not answer. */
KIT void await_asked(int n)
{
    mf_deadline end = late();

    while (mfi_load_acq(&world.asked) < n) {
        EXPECT_LT(mf_now(), end.at);
        breathe();
    }
}

#endif
