/* SPDX-License-Identifier: MIT */
/*
 * matrix.h - the rows of the matrix (kinds of fds), and what flows through one.
 *
 * Every pair is made by plain system calls and adopted by its first use: `w` is
 * written, `r` is read, and what flows says of each piece which one it is:
 *
 *   bytes     (FLOW_BYTES) the byte at offset o is a function of o
 *   messages  (FLOW_MSGS) message i has a length and bytes that are functions
 *             of i; one that is cut, lost, doubled or late is seen
 *   a count   (FLOW_COUNT) an eventfd: what was added is what is taken
 */
#ifndef MFI_TESTS_MATRIX_H
#define MFI_TESTS_MATRIX_H

#include <mayfly/net.h>

#include <netinet/in.h>
#include <sys/un.h>
#include <termios.h>

#include "io/kit.h"

enum flow { FLOW_BYTES, FLOW_MSGS, FLOW_COUNT };

enum traits {
    SOCKET = 1,  /* else -ENOTSOCK */
    FILLS = 2,   /* a writer waits when the reader is slow */
    LOSSY = 4,   /* a reader that is slow loses */
    ONE_WAY = 8, /* nothing goes from r to w */
    ITSELF = 16, /* r and w are one fd */
    V6 = 32,
    BUFFER = 128 * 1024, /* of a socket: not megabytes, which take long */
    PIECE_MAX = 1024,
};

struct ends {
    int r;
    int w;
};

struct kind {
    const char *name;
    enum flow flow;
    int traits;
    bool (*make)(struct ends *e); /* false: there is none here */
};

/* ---- making pairs ------------------------------------------------------- */

KIT int bare_socket(int domain, int type)
{
    int fd = (int)syscall(SYS_socket, domain, type | SOCK_CLOEXEC, 0);
    int len = BUFFER;

    if (fd >= 0) {
        EXPECT_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &len, sizeof len), 0);
        EXPECT_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &len, sizeof len), 0);
    }
    return fd;
}

union sa {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

/* A socket of this kind on a loopback port of its own; < 0: none here. */
KIT int bound(int domain, int type, union sa *ret_name)
{
    socklen_t len = sizeof *ret_name;
    int fd = bare_socket(domain, type);

    memset(ret_name, 0, sizeof *ret_name);
    ret_name->any.sa_family = (sa_family_t)domain;
    if (domain == AF_INET)
        ret_name->in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (domain == AF_INET6)
        ret_name->in6.sin6_addr = in6addr_loopback;
    if (domain == AF_UNIX)
        len = sizeof ret_name->any.sa_family; /* autobind */
    if (fd < 0)
        return -1;
    if (bind(fd, &ret_name->any, len) < 0) {
        syscall(SYS_close, fd);
        return -1;
    }
    len = sizeof *ret_name;
    EXPECT_EQ(getsockname(fd, &ret_name->any, &len), 0);
    if (domain == AF_UNIX) /* how long the name is, for connect */
        ret_name->un.sun_path[sizeof ret_name->un.sun_path - 1] = (char)len;
    return fd;
}

KIT void bare_connect(int fd, const union sa *name)
{
    socklen_t len = sizeof name->in6;

    if (name->any.sa_family == AF_UNIX)
        len = (socklen_t)name->un.sun_path[sizeof name->un.sun_path - 1];
    EXPECT_EQ(connect(fd, &name->any, len), 0);
}

KIT bool make_tcp(int domain, struct ends *e)
{
    union sa name;
    int l = bound(domain, SOCK_STREAM, &name);

    if (l < 0)
        return false;
    EXPECT_EQ(listen(l, 1), 0);
    EXPECT_GE(e->w = bare_socket(domain, SOCK_STREAM), 0);
    bare_connect(e->w, &name);
    EXPECT_GE(e->r = (int)syscall(SYS_accept4, l, NULL, NULL, SOCK_CLOEXEC), 0);
    EXPECT_EQ(syscall(SYS_close, l), 0);
    return true;
}

KIT bool make_tcp4(struct ends *e)
{
    return make_tcp(AF_INET, e);
}

KIT bool make_tcp6(struct ends *e)
{
    return make_tcp(AF_INET6, e);
}

KIT bool make_unix(int type, struct ends *e)
{
    int fds[2], len = BUFFER;

    bare_pair(type, fds);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &len, sizeof len),
                  0);
    e->r = fds[0];
    e->w = fds[1];
    return true;
}

KIT bool make_stream(struct ends *e)
{
    return make_unix(SOCK_STREAM, e);
}

KIT bool make_dgram(struct ends *e)
{
    return make_unix(SOCK_DGRAM, e);
}

KIT bool make_seqpacket(struct ends *e)
{
    return make_unix(SOCK_SEQPACKET, e);
}

/* A receiver with a name: who sends there waits for its queue, not its own. */
KIT bool make_named(struct ends *e)
{
    union sa name;

    EXPECT_GE(e->r = bound(AF_UNIX, SOCK_DGRAM, &name), 0);
    EXPECT_GE(e->w = bare_socket(AF_UNIX, SOCK_DGRAM), 0);
    bare_connect(e->w, &name);
    return true;
}

KIT bool make_udp(struct ends *e)
{
    union sa r, w;

    EXPECT_GE(e->r = bound(AF_INET, SOCK_DGRAM, &r), 0);
    EXPECT_GE(e->w = bound(AF_INET, SOCK_DGRAM, &w), 0);
    bare_connect(e->r, &w);
    bare_connect(e->w, &r);
    return true;
}

KIT bool make_pipe(struct ends *e)
{
    int fds[2];

    bare_pipe(fds);
    e->r = fds[0];
    e->w = fds[1];
    return true;
}

/* The master reads what a program writes to a raw terminal. */
KIT bool make_tty(struct ends *e)
{
    struct pair p = pty_pair();
    struct termios t;

    EXPECT_EQ(tcgetattr(p.w, &t), 0);
    cfmakeraw(&t);
    EXPECT_EQ(tcsetattr(p.w, TCSANOW, &t), 0);
    e->r = p.r;
    e->w = p.w;
    return true;
}

KIT bool make_eventfd(struct ends *e)
{
    e->r = e->w = (int)syscall(SYS_eventfd2, 0, EFD_CLOEXEC);
    EXPECT_GE(e->r, 0);
    return true;
}

static const struct kind kinds[] = {
    {"tcp4", FLOW_BYTES, SOCKET | FILLS, make_tcp4},
    {"tcp6", FLOW_BYTES, SOCKET | FILLS | V6, make_tcp6},
    {"unix stream", FLOW_BYTES, SOCKET | FILLS, make_stream},
    {"unix dgram", FLOW_MSGS, SOCKET | FILLS, make_dgram},
    {"dgram, named", FLOW_MSGS, SOCKET | FILLS | ONE_WAY, make_named},
    {"seqpacket", FLOW_MSGS, SOCKET | FILLS, make_seqpacket},
    {"udp", FLOW_MSGS, SOCKET | LOSSY, make_udp},
    {"pipe", FLOW_BYTES, FILLS | ONE_WAY, make_pipe},
    {"tty", FLOW_BYTES, FILLS, make_tty},
    {"eventfd", FLOW_COUNT, FILLS | ITSELF, make_eventfd},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* ---- one cell ----------------------------------------------------------- */

struct cell {
    const struct kind *kind;
    const char *name; /* of its case */
    const char *context;
    struct ends e;
    mf_scope scope; /* what is cancelled */

    uint64_t sent; /* bytes, or messages, or what was added */
    _Atomic uint64_t got;
    uint64_t pieces; /* what a helper is told: how much */
    int end;         /* ... and where */
    _Atomic uint32_t helped;
    uint64_t made; /* pieces of it so far */
};

#define CELL(c, a, op, b)                                                      \
 do {                                                                          \
  long long cell_a_ = (long long)(a), cell_b_ = (long long)(b);                \
  if (!(cell_a_ op cell_b_))                                                   \
   mfi_test_fail(__FILE__, __LINE__, "[%s, %s, %s] %s " #op " %s: %lld, %lld", \
                 (c)->kind->name, (c)->name, (c)->context, #a, #b, cell_a_,    \
                 cell_b_);                                                     \
 } while (0)
#define CELL_EQ(c, a, b) CELL(c, a, ==, b)

KIT bool is(const struct cell *c, int trait)
{
    return (c->kind->traits & trait) != 0;
}

KIT char byte_at(uint64_t o)
{
    return (char)((o * 2654435761u) >> 13);
}

KIT size_t msg_len(uint64_t i)
{
    return 1 + (size_t)(i * 37 % 200);
}

/* The next piece of the flow, to be written as a whole; its length. */
KIT size_t flow_make(struct cell *c, char *buf)
{
    uint64_t i = c->made++, add = 1 + i % 5;
    size_t len = 1 + (size_t)(i * 61 % 997);

    switch (c->kind->flow) {
    case FLOW_BYTES:
        for (size_t j = 0; j < len; j++)
            buf[j] = byte_at(c->sent + j);
        c->sent += len;
        return len;
    case FLOW_MSGS:
        len = msg_len(i);
        for (size_t j = 0; j < len; j++)
            buf[j] = byte_at(i * 1000 + j);
        c->sent++;
        return len;
    case FLOW_COUNT:
        memcpy(buf, &add, sizeof add);
        c->sent += add;
        return sizeof add;
    }
    return 0;
}

/* n bytes were read into buf: are they what comes next? */
KIT void flow_take(struct cell *c, const char *buf, int n)
{
    uint64_t got = mfi_load_rlx(&c->got), add = 0;

    CELL(c, n, >, 0);
    switch (c->kind->flow) {
    case FLOW_BYTES:
        for (int j = 0; j < n; j++)
            CELL_EQ(c, buf[j], byte_at(got + (uint64_t)j));
        add = (uint64_t)n;
        break;
    case FLOW_MSGS:
        CELL_EQ(c, n, msg_len(got));
        for (int j = 0; j < n; j++)
            CELL_EQ(c, buf[j], byte_at(got * 1000 + (uint64_t)j));
        add = 1;
        break;
    case FLOW_COUNT:
        CELL_EQ(c, n, sizeof add);
        memcpy(&add, buf, sizeof add);
        break;
    }
    mfi_store_rel(&c->got, got + add);
}

/* One piece from w to r. */
KIT void put(struct cell *c)
{
    char buf[PIECE_MAX];
    size_t len = flow_make(c, buf);

    CELL_EQ(c, mf_write_all(c->e.w, buf, len, late()), 0);
}

/* Read until everything sent has been taken, and not a byte more is there. */
KIT void take_all(struct cell *c)
{
    char buf[PIECE_MAX];

    while (mfi_load_rlx(&c->got) != c->sent)
        flow_take(c, buf, mf_read(c->e.r, buf, sizeof buf, late()));
    CELL_EQ(c, mf_read(c->e.r, buf, sizeof buf, MF_NOW), -ETIMEDOUT);
}

/* Piece after piece until w takes no more, at once or a little later. */
KIT void fill(struct cell *c)
{
    char buf[PIECE_MAX];
    uint64_t most = UINT64_MAX - 1;
    int n = 0;

    if (c->kind->flow == FLOW_COUNT) {
        CELL_EQ(c, mf_write(c->e.w, &most, sizeof most, MF_NOW), 8);
        c->sent += most;
        return;
    }
    while (n >= 0) {
        uint64_t made = c->made, sent = c->sent;
        size_t len = flow_make(c, buf);

        n = mf_write(c->e.w, buf, len, MF_NOW);
        if (n == -ETIMEDOUT)
            n = mf_write(c->e.w, buf, len, mf_after(MF_MSEC(2)));
        c->made = made;
        c->sent = sent;
        if (n < 0)
            break;
        if (c->kind->flow == FLOW_MSGS)
            CELL_EQ(c, n, len); /* whole or not at all */
        c->made++;
        c->sent += c->kind->flow == FLOW_MSGS ? 1 : (uint64_t)n;
        CELL(c, c->sent, <, 64 << 20);
    }
    CELL_EQ(c, n, -ETIMEDOUT);
}

/* A write that finds no room, with this deadline. */
KIT int write_one(struct cell *c, mf_deadline deadline)
{
    char buf[PIECE_MAX];
    uint64_t made = c->made, sent = c->sent;
    size_t len = flow_make(c, buf);
    int n = mf_write(c->e.w, buf, len, deadline);

    if (n < 0) {
        c->made = made;
        c->sent = sent;
    } else if (c->kind->flow == FLOW_BYTES) {
        c->sent = sent + (uint64_t)n;
    } else {
        CELL_EQ(c, n, len);
    }
    return n;
}

/*
 * The same until there is no room, and it ends otherwise. Room may come late:
 * of TCP by an answer, of a terminal by a thread of the kernel's.
 */
KIT int write_more(struct cell *c, mf_deadline deadline)
{
    int n;

    while ((n = write_one(c, deadline)) > 0)
        CELL(c, c->kind->flow, !=, FLOW_COUNT);
    return n;
}

KIT int read_one(struct cell *c, mf_deadline deadline)
{
    char buf[PIECE_MAX];
    int n = mf_read(c->e.r, buf, sizeof buf, deadline);

    if (n > 0)
        flow_take(c, buf, n);
    return n;
}

/* The pair works, and holds nothing that was not put into it. */
KIT void sound(struct cell *c)
{
    take_all(c);
    put(c);
    take_all(c);
}

KIT void close_end(struct cell *c, int *end)
{
    if (*end < 0)
        return;
    CELL_EQ(c, mf_close(*end), 0);
    if (is(c, ITSELF))
        c->e.r = c->e.w = -1;
    *end = -1;
}

/* A new pair, nothing has flowed. */
KIT bool renew(struct cell *c)
{
    c->e = (struct ends){-1, -1};
    c->sent = c->made = c->pieces = 0;
    mfi_store_rel(&c->got, 0);
    mfi_store_rel(&c->helped, 0u);
    return c->kind->make(&c->e);
}

KIT mf_deadline little(void)
{
    return mf_after(MF_MSEC(3));
}

#endif
