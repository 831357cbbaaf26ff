/* SPDX-License-Identifier: MIT */
/* udp_test.c - sockets, and datagrams one by one. */
#include <netinet/in.h>

#include "datagrams.h"

enum { MESSAGES = 4000 / KIT_SLOW, TASKS = 8, LEN_MAX = 65507 };

/* ---- addresses ---------------------------------------------------------- */

static void meets(const char *bind, const char *host)
{
    mf_addr at, to, from, own;
    char got[8], any[MF_ADDR_STR];
    int s = bound(bind, &at), c;

    snprintf(any, sizeof any, "%s:0", host);
    c = bound(any, &own);
    to = addr_of(host, port_of(&at));
    EXPECT_EQ(mf_sendto(c, "hello", 5, &to, late()), 5);
    EXPECT_EQ(mf_recvfrom(s, got, sizeof got, &from, late()), 5);
    EXPECT_EQ(memcmp(got, "hello", 5), 0);
    expect_same_addr(&from, &own);
    EXPECT_EQ(mf_sendto(s, "back", 4, &from, late()), 4);
    EXPECT_EQ(mf_recvfrom(c, got, sizeof got, &from, late()), 4);
    expect_same_addr(&from, &to);
    EXPECT_EQ(mf_close(s), 0);
    EXPECT_EQ(mf_close(c), 0);
}

static int families(void *arg)
{
    (void)arg;
    meets("127.0.0.1:0", "127.0.0.1");
    meets("localhost:0", "127.0.0.1");
    meets("0.0.0.0:0", "127.0.0.1");
    meets(":0", "127.0.0.1");
    if (host_has_ipv6()) {
        meets("[::1]:0", "[::1]");
        meets(":0", "[::1]");
    }
    return 0;
}

MFI_TEST(a_datagram_goes_there_and_back_in_each_family)
{
    in_both(families, NULL);
}

/* An IPv6 socket may send to what was parsed as IPv4, unless v6only. */
static int mixed(void *arg)
{
    mf_addr at, to;
    int s = bound("127.0.0.1:0", &at), c;

    (void)arg;
    if (!host_has_ipv6())
        MFI_SKIP("no IPv6 here");
    EXPECT_GE(c = mf_udp_bind(":0", NULL), 0);
    EXPECT_EQ(mf_sendto(c, "x", 1, &at, late()), 1);
    EXPECT_EQ(mf_recvfrom(s, &to, sizeof to, NULL, late()), 1);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_GE(c = mf_udp_bind(":0", MF_LISTEN_OPTIONS(.v6only = 1)), 0);
    EXPECT_EQ(mf_sendto(c, "x", 1, &at, late()), -ENETUNREACH);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(both_families_on_one_socket)
{
    in_both(mixed, NULL);
}

static int errors(void *arg)
{
    char where[MF_ADDR_STR], byte;
    mf_addr at;
    int s = bound("127.0.0.1:0", &at), rc, fds[2];

    (void)arg;
    mf_addr_str(&at, where, sizeof where);
    EXPECT_EQ(rc = mf_udp_bind(where, NULL), -EADDRINUSE);
    EXPECT_STR_HAS(mf_explain(rc), where);
    EXPECT_STR_HAS(mf_explain(rc), "in use");
    EXPECT_EQ(rc = mf_udp_bind("nonsense", NULL), -EINVAL);
    EXPECT_STR_HAS(mf_explain(rc), "nonsense");
    EXPECT_EQ(mf_udp_bind(NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_udp_bind(where, MF_LISTEN_OPTIONS(.backlog = 1)), -EINVAL);
    EXPECT_EQ(mf_udp_bind("192.0.2.1:0", NULL), -EADDRNOTAVAIL);
    EXPECT_EQ(mf_udp_connect(NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_udp_connect("x", NULL), -EINVAL);
    EXPECT_EQ(mf_udp_connect(where, MF_CONNECT_OPTIONS(.nodelay = 1)), -EINVAL);
    EXPECT_EQ(mf_udp_connect(where, MF_CONNECT_OPTIONS(.bind = "192.0.2.1:0")),
              -EADDRNOTAVAIL);
    EXPECT_EQ(mf_sendto(s, "x", 1, NULL, MF_NOW), -EDESTADDRREQ);
    EXPECT_EQ(mf_sendto(s, "x", SIZE_MAX, &at, MF_NOW), -EMSGSIZE);
    EXPECT_EQ(mf_sendto(s, NULL, 1, &at, MF_NOW), -EFAULT);
    EXPECT_EQ(mf_sendto(-1, "x", 1, &at, MF_NOW), -EBADF);
    EXPECT_EQ(mf_recvfrom(-1, &byte, 1, NULL, MF_NOW), -EBADF);
    EXPECT_EQ(mf_recvfrom(s, &byte, 1, NULL, MF_NOW), -ETIMEDOUT);
    bare_pipe(fds);
    EXPECT_EQ(mf_recvfrom(fds[0], &byte, 1, NULL, MF_NOW), -ENOTSOCK);
    EXPECT_EQ(mf_sendto(fds[1], "x", 1, NULL, MF_NOW), -ENOTSOCK);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(errors_say_what_and_where)
{
    in_both(errors, NULL);
}

/* ---- lengths ------------------------------------------------------------ */

static int lengths(void *arg)
{
    static char out[LEN_MAX + 1], in[LEN_MAX + 1];
    static const size_t lens[] = {0, 1, 64, 1472, 1473, 9000, LEN_MAX};
    mf_addr at, from;
    int s = bound("127.0.0.1:0", &at);

    (void)arg;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        size_t len = lens[i];

        memset(out, 'a' + (int)i, sizeof out);
        memset(in, '.', sizeof in);
        EXPECT_EQ(mf_sendto(s, out, len, &at, late()), (int)len);
        EXPECT_EQ(mf_recvfrom(s, in, sizeof in, &from, late()), (int)len);
        EXPECT_EQ(memcmp(in, out, len), 0);
        EXPECT_EQ(in[len], '.');
        expect_same_addr(&from, &at);
    }
    EXPECT_EQ(mf_sendto(s, out, LEN_MAX + 1, &at, late()), -EMSGSIZE);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(lengths_from_an_empty_one_to_the_longest)
{
    in_both(lengths, NULL);
}

/* What is too long is gone, nothing else is, and no output was written. */
static int too_long(void *arg)
{
    mf_addr at, from;
    char got[8] = "........";
    int s = bound("127.0.0.1:0", &at);

    (void)arg;
    EXPECT_EQ(mf_sendto(s, "123456789", 9, &at, late()), 9);
    EXPECT_EQ(mf_sendto(s, "12345678", 8, &at, late()), 8);
    EXPECT_EQ(mf_sendto(s, "x", 1, &at, late()), 1);
    EXPECT_EQ(mf_sendto(s, "", 0, &at, late()), 0);
    EXPECT_EQ(mf_sendto(s, "end", 3, &at, late()), 3);
    memset(&from, 0x55, sizeof from);
    EXPECT_EQ(mf_recvfrom(s, got, 8, &from, late()), -EMSGSIZE);
    EXPECT_EQ(from.len, 0x55555555);
    EXPECT_EQ(mf_recvfrom(s, got, 8, &from, late()), 8);
    EXPECT_EQ(memcmp(got, "12345678", 8), 0);
    expect_same_addr(&from, &at);
    EXPECT_EQ(mf_recvfrom(s, NULL, 0, NULL, late()), -EMSGSIZE);
    EXPECT_EQ(mf_recvfrom(s, NULL, 0, NULL, late()), 0);
    EXPECT_EQ(mf_recvfrom(s, got, 8, NULL, late()), 3);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(a_longer_datagram_is_an_error_and_gone)
{
    in_both(too_long, NULL);
}

/* A stream keeps what does not fit. */
static int on_a_stream(void *arg)
{
    struct pair p = tcp_pair("127.0.0.1:0");
    mf_addr from;
    char got[4];

    (void)arg;
    EXPECT_EQ(mf_sendto(p.w, "12345678", 8, NULL, late()), 8);
    EXPECT_EQ(mf_recvfrom(p.r, got, 4, &from, late()), 4);
    EXPECT_EQ(memcmp(got, "1234", 4), 0);
    EXPECT_EQ(from.len, 0);
    EXPECT_EQ(mf_recvfrom(p.r, got, 4, NULL, late()), 4);
    EXPECT_EQ(memcmp(got, "5678", 4), 0);
    close_pair(&p);
    return 0;
}

MFI_TEST(a_stream_loses_nothing)
{
    in_both(on_a_stream, NULL);
}

/* ---- connected ---------------------------------------------------------- */

static int refused(void *arg)
{
    mf_addr at, own;
    char got[4];
    int d = deaf(&at), c = connected_to(&at), s;

    (void)arg;
    EXPECT_EQ(mf_sendto(c, "x", 1, NULL, late()), 1);
    EXPECT_EQ(mf_recvfrom(c, got, 4, NULL, late()), -ECONNREFUSED);
    EXPECT_EQ(mf_recvfrom(c, got, 4, NULL, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_sendto(c, "x", 1, NULL, late()), 1);
    EXPECT_EQ(mf_wait_fd(c, POLLIN, late()) & POLLERR, POLLERR);
    EXPECT_EQ(mf_sendto(c, "x", 1, NULL, late()), -ECONNREFUSED);
    EXPECT_EQ(mf_close(c), 0);

    s = bound("127.0.0.1:0", &own); /* not connected: nothing is heard */
    EXPECT_EQ(mf_sendto(s, "x", 1, &at, late()), 1);
    EXPECT_EQ(mf_sendto(s, "x", 1, &at, late()), 1);
    EXPECT_EQ(mf_recvfrom(s, got, 4, NULL, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_close(s), 0);
    EXPECT_EQ(mf_close(d), 0);
    return 0;
}

MFI_TEST(nobody_there_is_the_next_calls_error_if_connected)
{
    in_both(refused, NULL);
}

struct waiting {
    int fd;
    int want;
    mf_ns at;
    _Atomic int done;
};

static int receive_one(void *arg)
{
    struct waiting *w = arg;
    char got[8];
    int rc = mf_recvfrom(w->fd, got, sizeof got, NULL, late());

    EXPECT_EQ(rc, w->want);
    mfi_add_acqrel(&w->done, 1);
    return 0;
}

/* The error wakes who waits already. */
static int refused_while_waiting(void *arg)
{
    struct waiting w = {.want = -ECONNREFUSED};
    struct helper h;
    mf_addr at;
    int d = deaf(&at);

    (void)arg;
    w.fd = connected_to(&at);
    help(&h, receive_one, &w);
    await_waiters(w.fd, 1);
    EXPECT_EQ(mf_sendto(w.fd, "x", 1, NULL, late()), 1);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mf_close(w.fd), 0);
    EXPECT_EQ(mf_close(d), 0);
    return 0;
}

MFI_TEST(a_refusal_wakes_who_waits)
{
    in_both(refused_while_waiting, NULL);
}

static int one_peer_only(void *arg)
{
    mf_addr at, other, own, peer;
    char got[8], where[MF_ADDR_STR], from[MF_ADDR_STR];
    int s = bound("127.0.0.1:0", &at), o = bound("127.0.0.1:0", &other), c;

    (void)arg;
    snprintf(from, sizeof from, "127.0.0.1:0");
    c = mf_udp_connect(mf_addr_str(&at, where, sizeof where),
                       MF_CONNECT_OPTIONS(.bind = from));
    EXPECT_GE(c, 0);
    EXPECT_EQ(mf_local_addr(c, &own), 0);
    EXPECT_EQ(mf_peer_addr(c, &peer), 0);
    expect_same_addr(&peer, &at);
    EXPECT_EQ(mf_sendto(o, "other", 5, &own, late()), 5);
    EXPECT_EQ(mf_sendto(s, "peer", 4, &own, late()), 4);
    EXPECT_EQ(mf_recvfrom(c, got, 8, &peer, late()), 4);
    expect_same_addr(&peer, &at);
    EXPECT_EQ(mf_recvfrom(c, got, 8, NULL, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_write(c, "plain", 5, late()), 5);
    EXPECT_EQ(mf_read(s, got, 8, late()), 5);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(o), 0);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(a_connected_one_hears_its_peer_only)
{
    in_both(one_peer_only, NULL);
}

/* ---- waiting ------------------------------------------------------------ */

static int deadlines(void *arg)
{
    mf_addr at;
    char got[8];
    int s = bound("127.0.0.1:0", &at);
    mf_ns before = mf_now();

    (void)arg;
    EXPECT_EQ(mf_recvfrom(s, got, 8, NULL, soon()), -ETIMEDOUT);
    EXPECT_GE(mf_now() - before, MF_MSEC(20));
    EXPECT_EQ(mf_fd_timeouts(s, MF_MSEC(10), 0), 0);
    before = mf_now();
    EXPECT_EQ(mf_recvfrom(s, got, 8, NULL, MF_NEVER), -ETIMEDOUT);
    EXPECT_GE(mf_now() - before, MF_MSEC(10));
    /* The one that timed out has taken nothing. */
    EXPECT_EQ(mf_sendto(s, "x", 1, &at, late()), 1);
    EXPECT_EQ(mf_recvfrom(s, got, 8, NULL, MF_NOW), 1);
    EXPECT_EQ(mf_recvfrom(s, got, 8, NULL, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(deadlines_and_the_sockets_own_timeout)
{
    in_both(deadlines, NULL);
}

static int closed(void *arg)
{
    struct waiting w = {.want = -EBADF};
    struct helper a, b;
    mf_addr at;

    (void)arg;
    w.fd = bound("127.0.0.1:0", &at);
    help(&a, receive_one, &w);
    help(&b, receive_one, &w);
    await_waiters(w.fd, 2);
    EXPECT_EQ(mf_close(w.fd), 0);
    EXPECT_EQ(helped(&b), 0);
    EXPECT_EQ(helped(&a), 0);
    EXPECT_EQ(mfi_load_acq(&w.done), 2);
    return 0;
}

MFI_TEST(a_close_ends_the_wait_of_all)
{
    in_both(closed, NULL);
}

/* A cancelled one has taken nothing; the next datagram is the other's. */
static int cancelled(void *arg)
{
    struct waiting gone = {.want = -ECANCELED}, stays = {.want = 1};
    struct helper a, b;
    mf_addr at;

    (void)arg;
    gone.fd = stays.fd = bound("127.0.0.1:0", &at);
    help(&b, receive_one, &stays);
    help(&a, receive_one, &gone);
    await_waiters(gone.fd, 2);
    mf_scope_cancel(&a.scope);
    EXPECT_EQ(helped(&a), 0);
    EXPECT_EQ(mf_sendto(gone.fd, "x", 1, &at, late()), 1);
    EXPECT_EQ(helped(&b), 0);
    EXPECT_EQ(mf_close(gone.fd), 0);
    return 0;
}

MFI_TEST(a_cancel_takes_no_datagram)
{
    in_both(cancelled, NULL);
}

/*
 * With UDP on the loopback no sender ever waits; with a unix socket it does.
 * The kernel calls it writable again when most of its buffer is free.
 */
static int full(void *arg)
{
    char got[64];
    int fds[2], rc, sent = 0;

    (void)arg;
    bare_pair(SOCK_DGRAM, fds);
    while ((rc = mf_sendto(fds[0], got, 10, NULL, MF_NOW)) == 10)
        sent++;
    EXPECT_EQ(rc, -ETIMEDOUT);
    EXPECT_GT(sent, 0);
    EXPECT_EQ(mf_sendto(fds[0], got, 10, NULL, soon()), -ETIMEDOUT);
    for (; sent > 0; sent--)
        EXPECT_EQ(mf_recvfrom(fds[1], got, 64, NULL, late()), 10);
    EXPECT_EQ(mf_sendto(fds[0], got, 11, NULL, late()), 11);
    EXPECT_EQ(mf_recvfrom(fds[1], got, 64, NULL, late()), 11);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    return 0;
}

MFI_TEST(a_full_queue_makes_the_sender_wait)
{
    in_both(full, NULL);
}

struct flow {
    int in, out;
    int n;
};

static int drain(void *arg)
{
    struct flow *f = arg;
    int got;

    for (int i = 0; i < f->n; i++) {
        EXPECT_EQ(mf_recvfrom(f->in, &got, sizeof got, NULL, late()),
                  sizeof got);
        EXPECT_EQ(got, i);
    }
    return 0;
}

static int sender_waits_for_room(void *arg)
{
    struct flow f = {.n = MESSAGES};
    struct helper h;
    int fds[2];

    (void)arg;
    bare_pair(SOCK_DGRAM, fds);
    f.in = fds[1];
    help(&h, drain, &f);
    for (int i = 0; i < f.n; i++)
        EXPECT_EQ(mf_sendto(fds[0], &i, sizeof i, NULL, late()), sizeof i);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    return 0;
}

MFI_TEST(senders_and_receivers_take_turns_on_a_short_queue)
{
    in_both(sender_waits_for_room, NULL);
}

/* ---- many on one socket ------------------------------------------------- */

struct crowd {
    int fd;
    mf_addr at;
    _Atomic int seen[MESSAGES];
    _Atomic int total;
};

static int take(void *arg)
{
    struct crowd *c = arg;
    int got, rc;

    while ((rc = mf_recvfrom(c->fd, &got, sizeof got, NULL, late())) ==
           sizeof got) {
        EXPECT_EQ(mfi_add_acqrel(&c->seen[got], 1), 0);
        mfi_add_acqrel(&c->total, 1);
    }
    EXPECT_EQ(rc, 0); /* an empty datagram is the end here */
    return 0;
}

static int one_socket(void *arg)
{
    static struct crowd c;
    struct helper h[TASKS];
    int out;

    (void)arg;
    memset(&c, 0, sizeof c);
    c.fd = bound("127.0.0.1:0", &c.at);
    out = connected_to(&c.at);
    for (int i = 0; i < TASKS; i++)
        help(&h[i], take, &c);
    for (int i = 0; i < MESSAGES; i++) {
        EXPECT_EQ(mf_sendto(out, &i, sizeof i, NULL, late()), sizeof i);
        while (i - mfi_load_acq(&c.total) > 64) /* the queue drops what is */
            breathe();                          /* too much */
    }
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_sendto(out, NULL, 0, NULL, late()), 0);
    for (int i = TASKS; i-- > 0;)
        EXPECT_EQ(helped(&h[i]), 0);
    EXPECT_EQ(mfi_load_acq(&c.total), MESSAGES);
    EXPECT_EQ(mf_close(out), 0);
    EXPECT_EQ(mf_close(c.fd), 0);
    return 0;
}

MFI_TEST(many_tasks_on_one_socket_get_each_datagram_once)
{
    in_tasks(1, one_socket, NULL);
    in_both(one_socket, NULL);
}

/* Tasks and plain threads, each sends and receives on the same socket. */
static int echo_here(void *arg)
{
    struct crowd *c = arg;
    mf_addr from;
    char got[16];
    int n;

    while ((n = mf_recvfrom(c->fd, got, sizeof got, &from, late())) > 0)
        EXPECT_EQ(mf_sendto(c->fd, got, (size_t)n, &from, late()), n);
    EXPECT_EQ(n, 0);
    return 0;
}

static void *echo_in_thread(void *arg)
{
    EXPECT_EQ(echo_here(arg), 0);
    return NULL;
}

static int ask(void *arg)
{
    struct crowd *c = arg;
    int fd = connected_to(&c->at), got;

    for (int i = 0; i < MESSAGES / 16 + 1; i++) {
        EXPECT_EQ(mf_sendto(fd, &i, sizeof i, NULL, late()), sizeof i);
        EXPECT_EQ(mf_recvfrom(fd, &got, sizeof got, NULL, late()), sizeof got);
        EXPECT_EQ(got, i);
    }
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

static int mixed_echo(void *arg)
{
    static struct crowd c;
    struct helper h[TASKS], s[2];
    pthread_t threads[2];
    int out;

    (void)arg;
    c.fd = bound("127.0.0.1:0", &c.at);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(pthread_create(&threads[i], NULL, echo_in_thread, &c), 0);
        help(&s[i], echo_here, &c);
    }
    for (int i = 0; i < TASKS; i++)
        help(&h[i], ask, &c);
    for (int i = TASKS; i-- > 0;)
        EXPECT_EQ(helped(&h[i]), 0);
    out = connected_to(&c.at);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(mf_sendto(out, NULL, 0, NULL, late()), 0);
    for (int i = 2; i-- > 0;)
        EXPECT_EQ(helped(&s[i]), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    EXPECT_EQ(mf_close(out), 0);
    EXPECT_EQ(mf_close(c.fd), 0);
    return 0;
}

MFI_TEST(tasks_and_threads_serve_one_socket)
{
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    EXPECT_EQ(mixed_echo(NULL), 0);
    EXPECT_EQ(mf_stop(late()), 0);
}

/* ---- groups of sockets -------------------------------------------------- */

enum { MEMBERS = 4, PEERS = 64 };

static int group(void *arg)
{
    const mf_listen_options *share = MF_LISTEN_OPTIONS(.reuse_port = 1);
    int fds[MEMBERS], got[MEMBERS] = {0}, total = 0, spread = 0;
    char where[MF_ADDR_STR];
    mf_addr at;

    (void)arg;
    EXPECT_GE(fds[0] = mf_udp_bind("127.0.0.1:0", share), 0);
    EXPECT_EQ(mf_local_addr(fds[0], &at), 0);
    mf_addr_str(&at, where, sizeof where);
    for (int i = 1; i < MEMBERS; i++)
        EXPECT_GE(fds[i] = mf_udp_bind(where, share), 0);
    EXPECT_EQ(mf_udp_bind(where, NULL), -EADDRINUSE);
    for (int i = 0; i < PEERS; i++) {
        int c = connected_to(&at);

        EXPECT_EQ(mf_sendto(c, "x", 1, NULL, late()), 1);
        EXPECT_EQ(mf_close(c), 0);
    }
    for (int i = 0; i < MEMBERS; i++) {
        char byte;

        while (mf_recvfrom(fds[i], &byte, 1, NULL, MF_NOW) == 1)
            got[i]++;
        total += got[i];
        spread += got[i] > 0;
        EXPECT_EQ(mf_close(fds[i]), 0);
    }
    EXPECT_EQ(total, PEERS);
    EXPECT_GE(spread, 2); /* one member got all: 4 in 4 to the 64 */
    return 0;
}

MFI_TEST(a_group_of_sockets_shares_its_peers)
{
    in_both(group, NULL);
}

/* An endless supply of datagrams does not keep a worker from its others. */
static int flood(void *arg)
{
    struct flow *f = arg;
    mf_addr at;
    char got[4];
    int s = bound("127.0.0.1:0", &at);

    while (f->n < 10) {
        EXPECT_EQ(mf_sendto(s, "x", 1, &at, late()), 1);
        EXPECT_EQ(mf_recvfrom(s, got, 4, NULL, late()), 1);
    }
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

static int step(void *arg)
{
    struct flow *f = arg;
    int rc = 0;

    for (int i = 0; i < 10 && rc == 0; i++) {
        f->n++;
        rc = mf_yield();
    }
    return rc;
}

static int fair(void *arg)
{
    struct flow f = {.n = 0};
    struct helper a, b;

    (void)arg;
    help(&a, flood, &f);
    help(&b, step, &f);
    EXPECT_EQ(helped(&b), 0);
    EXPECT_EQ(helped(&a), 0);
    return 0;
}

MFI_TEST(a_flood_lets_others_run)
{
    in_tasks(1, fair, NULL);
}
