/* SPDX-License-Identifier: MIT */
/*
 * echo_epoll.c - TCP echo on epoll, level triggered: the first reference.
 *
 * Per request: one recv, one send, and a share of one epoll_wait. Level
 * triggering needs no read until EAGAIN, which is why it is the faster simple
 * choice here. What a full socket does not take is kept by the connection,
 * which then waits for room and reads nothing more until it is gone.
 *
 * One thread per -t, each with its own epoll, listener and buffer.
 */
#define _GNU_SOURCE
#include "ref.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512 };

struct conn {
    int fd;
    char *rest; /* what could not be sent yet, or NULL */
    size_t rest_len;
    size_t rest_at;
};

static void conn_close(struct conn *c)
{
    close(c->fd); /* which takes it out of the epoll as well */
    free(c->rest);
    free(c);
}

static void conn_watch(int ep, struct conn *c, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = c};

    if (epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev) != 0)
        ref_die("epoll_ctl");
}

/* The socket is full: keep what is left and wait for room instead of data. */
static int conn_keep(int ep, struct conn *c, const char *data, size_t len)
{
    c->rest = malloc(len);
    if (!c->rest)
        return -1;
    memcpy(c->rest, data, len);
    c->rest_len = len;
    c->rest_at = 0;
    conn_watch(ep, c, EPOLLOUT);
    return 0;
}

/* Answers < 0 when the connection is to be closed. */
static int conn_read(int ep, struct conn *c, char *buffer)
{
    ssize_t got = recv(c->fd, buffer, REF_BUFFER, 0);
    ssize_t sent;

    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (got == 0)
        return -1;
    sent = send(c->fd, buffer, (size_t)got, MSG_NOSIGNAL);
    if (sent == got)
        return 0;
    if (sent < 0 && errno != EAGAIN)
        return -1;
    if (sent < 0)
        sent = 0;
    return conn_keep(ep, c, buffer + sent, (size_t)(got - sent));
}

static int conn_write(int ep, struct conn *c)
{
    ssize_t sent = send(c->fd, c->rest + c->rest_at, c->rest_len - c->rest_at,
                        MSG_NOSIGNAL);

    if (sent < 0)
        return errno == EAGAIN ? 0 : -1;
    c->rest_at += (size_t)sent;
    if (c->rest_at < c->rest_len)
        return 0;
    free(c->rest);
    c->rest = NULL;
    conn_watch(ep, c, EPOLLIN);
    return 0;
}

static void accept_all(int ep, int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct epoll_event ev = {.events = EPOLLIN};
        struct conn *c;

        if (fd < 0)
            return;
        c = calloc(1, sizeof(*c));
        if (!c)
            ref_die("calloc");
        c->fd = fd;
        ev.data.ptr = c;
        if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) != 0)
            ref_die("epoll_ctl");
    }
}

static void *serve(void *arg)
{
    static _Thread_local char buffer[REF_BUFFER];
    static _Thread_local struct epoll_event events[EVENTS];
    int listener = *(int *)arg;
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};

    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) != 0)
        ref_die("epoll");
    for (;;) {
        int n = epoll_wait(ep, events, EVENTS, -1);

        if (n < 0 && errno != EINTR)
            ref_die("epoll_wait");
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            int rc;

            if (!c) {
                accept_all(ep, listener);
                continue;
            }
            rc = c->rest ? conn_write(ep, c) : conn_read(ep, c, buffer);
            if (rc < 0)
                conn_close(c);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct ref_options o = ref_options_read(argc, argv);

    ref_serve(&o, SOCK_NONBLOCK, serve);
    return 0;
}
