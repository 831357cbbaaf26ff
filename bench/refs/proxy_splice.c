/* SPDX-License-Identifier: MIT */
/*
 * proxy_splice.c - a TCP proxy on epoll and splice: the reference for mf_copy.
 *
 *   proxy_splice [-p port] [-t threads] TARGET_PORT
 *
 * Each connection has a pipe each way. Level triggered: a side that has data is
 * spliced into its pipe and from there to the other side, some turns an event;
 * what does not go out waits for room, and the side is not read meanwhile.
 */
#define _GNU_SOURCE
#include "ref.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, PIECE = 1 << 20, TURNS = 16 };

struct conn;
struct side { /* what comes from fd goes to the other side's fd */
    struct conn *conn;
    int fd;
    int pipe[2];
    size_t held;
    int ended;
};
struct conn {
    struct side side[2];
};

static uint16_t target;

static struct side *other(struct side *s)
{
    return &s->conn->side[s == &s->conn->side[0]];
}

/* Read a side while its pipe is empty; write to it while the other's is not. */
static void watch(int ep, struct side *s, int op)
{
    struct epoll_event ev = {.data.ptr = s};

    ev.events = (s->held == 0 && !s->ended ? (uint32_t)EPOLLIN : 0) |
                (other(s)->held > 0 ? (uint32_t)EPOLLOUT : 0);
    if (epoll_ctl(ep, op, s->fd, &ev) != 0)
        ref_die("epoll_ctl");
}

static int drain(struct side *s)
{
    while (s->held > 0) {
        ssize_t n = splice(s->pipe[0], NULL, other(s)->fd, NULL, s->held,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0)
            return -1;
        s->held -= (size_t)n;
    }
    return 0;
}

/* < 0: it is over. */
static int serve_side(int ep, struct side *s, uint32_t events)
{
    struct side *o = other(s);
    int had = s->held > 0, o_had = o->held > 0;

    if (o_had && drain(o) < 0)
        return -1;
    for (int i = 0; i < TURNS && s->held == 0 && !s->ended &&
                    (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
         i++) {
        ssize_t n = splice(s->fd, NULL, s->pipe[1], NULL, PIECE,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            return -1;
        if (n == 0) {
            s->ended = 1;
            shutdown(o->fd, SHUT_WR);
            if (o->ended)
                return -1;
            watch(ep, s, EPOLL_CTL_MOD);
        }
        s->held = (size_t)n;
        if (drain(s) < 0)
            return -1;
    }
    if ((s->held > 0) != had || (o->held > 0) != o_had) {
        watch(ep, s, EPOLL_CTL_MOD);
        watch(ep, o, EPOLL_CTL_MOD);
    }
    return 0;
}

static void conn_close(struct conn *c)
{
    for (int i = 0; i < 2; i++) {
        close(c->side[i].fd);
        close(c->side[i].pipe[0]);
        close(c->side[i].pipe[1]);
    }
    free(c);
}

static void accept_one(int ep, int listener)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct conn *c;

    if (fd < 0)
        return;
    c = calloc(1, sizeof(*c));
    if (!c)
        ref_die("calloc");
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(target);
    c->side[0].fd = fd;
    c->side[1].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->side[1].fd < 0 ||
        connect(c->side[1].fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        ref_die("connect");
    fcntl(c->side[1].fd, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 2; i++) {
        c->side[i].conn = c;
        if (pipe2(c->side[i].pipe, O_CLOEXEC | O_NONBLOCK) != 0)
            ref_die("pipe2");
    }
    watch(ep, &c->side[0], EPOLL_CTL_ADD);
    watch(ep, &c->side[1], EPOLL_CTL_ADD);
}

/* Its other side may have an event too: a look at the listener instead. */
static void forget(struct epoll_event *events, int n, const struct conn *c)
{
    for (int i = 0; i < n; i++) {
        const struct side *s = events[i].data.ptr;

        if (s && s->conn == c)
            events[i].data.ptr = NULL;
    }
}

static void *serve(void *arg)
{
    static _Thread_local struct epoll_event events[EVENTS];
    int listener = *(int *)arg;
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};

    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) != 0)
        ref_die("epoll");
    for (;;) {
        int n = epoll_wait(ep, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            struct side *s = events[i].data.ptr;

            if (!s)
                accept_one(ep, listener);
            else if (serve_side(ep, s, events[i].events) < 0) {
                forget(events + i + 1, n - i - 1, s->conn);
                conn_close(s->conn);
            }
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct ref_options o;

    if (argc < 2)
        return 2;
    target = (uint16_t)strtoul(argv[argc - 1], NULL, 10);
    o = ref_options_read(argc - 1, argv);
    signal(SIGPIPE, SIG_IGN);
    ref_serve(&o, SOCK_NONBLOCK, serve);
    return 0;
}
