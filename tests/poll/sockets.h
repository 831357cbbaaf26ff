/* SPDX-License-Identifier: MIT */
/*
 * sockets.h - one socket in every state a receive or a send can meet, and the
 * list of operations on them. Made twice the same, once for plain calls and
 * once for the ring, so that the results can be compared.
 */
#ifndef MFI_TESTS_POLL_SOCKETS_H
#define MFI_TESTS_POLL_SOCKETS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "poll/batch.h"
#include "poll/uring.h"
#include "test.h"

#define HELPER __attribute__((__unused__)) static inline

enum { BUF = 64 };

enum situation {
    DATA,           /* less than there is room for */
    MUCH_DATA,      /* more */
    END_OF_DATA,    /* the other end is closed */
    NO_DATA,        /* -EAGAIN */
    RESET,          /* closed with something unread: -ECONNRESET */
    NOT_OPEN,       /* -EBADF */
    NO_SOCKET,      /* -ENOTSOCK */
    BAD_BUFFER,     /* -EFAULT */
    ROOM,           /* a send that goes out */
    NO_ROOM,        /* -EAGAIN */
    NOBODY_READS,   /* -EPIPE and no signal */
    WRITE_NOT_OPEN, /* -EBADF */
    SITUATIONS,
};

struct case_of {
    struct batch_op op;
    int fd, peer; /* -1: closed */
    char buf[BUF];
};

HELPER void make_pair(int ret_fds[2])
{
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_fds), 0);
}

HELPER void close_peer(struct case_of *c)
{
    EXPECT_EQ(close(c->peer), 0);
    c->peer = -1;
}

HELPER void fill_up(int fd)
{
    static const char zeros[4096];

    while (send(fd, zeros, sizeof zeros, MSG_DONTWAIT) > 0)
        ;
    EXPECT_EQ(errno, EAGAIN);
}

HELPER void make_case(struct case_of *c, enum situation what)
{
    static const char text[2 * BUF] = "what is sent is what is received";
    int fds[2];

    make_pair(fds);
    *c = (struct case_of){.fd = fds[0], .peer = fds[1]};
    memset(c->buf, '.', BUF);
    c->op = (struct batch_op){.buf = c->buf, .len = BUF, .fd = c->fd};
    switch (what) {
    case DATA:
        EXPECT_EQ(send(c->peer, text, 20, 0), 20);
        break;
    case MUCH_DATA:
        EXPECT_EQ(send(c->peer, text, sizeof text, 0), sizeof text);
        break;
    case END_OF_DATA:
        close_peer(c);
        break;
    case NO_DATA:
        break;
    case RESET:
        EXPECT_EQ(send(c->fd, text, 1, 0), 1);
        close_peer(c);
        break;
    case NOT_OPEN:
    case WRITE_NOT_OPEN:
        c->op.fd = 1 << 20;
        c->op.write = what == WRITE_NOT_OPEN;
        break;
    case NO_SOCKET:
        EXPECT_GE(c->op.fd = open("/dev/null", O_RDWR | O_CLOEXEC), 0);
        break;
    case BAD_BUFFER:
        EXPECT_EQ(send(c->peer, text, 20, 0), 20);
        c->op.buf = (void *)16;
        break;
    case ROOM:
        c->op.write = true;
        break;
    case NO_ROOM:
        fill_up(c->fd);
        c->op.write = true;
        break;
    case NOBODY_READS:
        close_peer(c);
        c->op.write = true;
        break;
    case SITUATIONS:
        break;
    }
}

HELPER void close_case(struct case_of *c)
{
    if (c->op.fd != c->fd && c->op.fd < 1 << 20)
        EXPECT_EQ(close(c->op.fd), 0);
    EXPECT_EQ(close(c->fd), 0);
    if (c->peer >= 0)
        EXPECT_EQ(close(c->peer), 0);
}

/* What a situation's result must be, whoever does it. */
HELPER int result_of(enum situation what)
{
    static const int results[SITUATIONS] = {
        [DATA] = 20,
        [MUCH_DATA] = BUF,
        [END_OF_DATA] = 0,
        [NO_DATA] = -EAGAIN,
        [RESET] = -ECONNRESET,
        [NOT_OPEN] = -EBADF,
        [NO_SOCKET] = -ENOTSOCK,
        [BAD_BUFFER] = -EFAULT,
        [ROOM] = BUF,
        [NO_ROOM] = -EAGAIN,
        [NOBODY_READS] = -EPIPE,
        [WRITE_NOT_OPEN] = -EBADF,
    };

    return results[what];
}

/* Its bytes are where they belong; the rest of the buffer is untouched. */
HELPER void expect_bytes(struct case_of *c, enum situation what)
{
    char got[BUF];

    if (what == DATA || what == MUCH_DATA)
        EXPECT_EQ(memcmp(c->buf, "what is sent is what", 20), 0);
    else
        EXPECT_EQ(c->buf[0], '.');
    if (what != MUCH_DATA)
        EXPECT_EQ(c->buf[20], '.');
    if (what == ROOM) {
        EXPECT_EQ(recv(c->peer, got, BUF, MSG_DONTWAIT), BUF);
        EXPECT_EQ(memcmp(got, c->buf, BUF), 0);
    }
}

HELPER int nr_open_fds(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Set up a ring, or skip the test where there is none to be had. */
HELPER void need_ring(struct uring *r)
{
    int rc = mfi_uring_init(r);

    if (rc == -ENOSYS || rc == -EPERM || rc == -ENOTSUP)
        MFI_SKIP("no io_uring: denied, or the kernel is too old");
    EXPECT_EQ(rc, 0);
}

/* From now on each submit is refused before anything is taken. */
HELPER void break_ring(struct uring *r)
{
    r->enter_fd = -1;
    r->enter_flags = 0;
}

#endif
