/* SPDX-License-Identifier: MIT */
/* client.c - one thread, one epoll, closed loop: send, wait for the echo. */
#define _GNU_SOURCE
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 64, EVENTS = 128 };

struct line {
    int fd;
    uint32_t got;   /* bytes of the answer so far */
    uint64_t count; /* what this request carries */
    int64_t sent_at;
};

int64_t client_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void client_die(const char *what)
{
    perror(what);
    exit(1);
}

void client_raise_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

void client_connect(uint16_t port, int *fds, int n)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < n; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fds[i] < 0)
            client_die("socket");
        if (connect(fds[i], (struct sockaddr *)&to, sizeof(to)) != 0)
            client_die("connect");
        if (fcntl(fds[i], F_SETFL, O_NONBLOCK) != 0)
            client_die("fcntl");
    }
}

static void ask(struct line *l)
{
    char message[MESSAGE];

    l->count++;
    l->got = 0;
    memset(message, 0, sizeof(message));
    memcpy(message, &l->count, sizeof(l->count));
    l->sent_at = client_now();
    if (send(l->fd, message, sizeof(message), MSG_NOSIGNAL) != MESSAGE)
        client_die("client: send");
}

/* Returns 1 when the answer is complete. */
static int take(struct line *l)
{
    char message[MESSAGE];
    ssize_t got = recv(l->fd, message, MESSAGE - l->got, 0);

    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got < 0)
        client_die("client: recv");
    if (got == 0) {
        fprintf(stderr, "client: the server closed a connection\n");
        exit(1);
    }
    if (l->got == 0 && got >= (ssize_t)sizeof(l->count) &&
        memcmp(message, &l->count, sizeof(l->count)) != 0) {
        fprintf(stderr, "client: the echo is not what was sent\n");
        exit(1);
    }
    l->got += (uint32_t)got;
    return l->got == MESSAGE;
}

static void count_trip(struct client_result *r, int64_t trip)
{
    r->requests++;
    if (trip > r->worst_ns)
        r->worst_ns = trip;
}

/* After the time is up: wait for the answers still under way, ask no more. */
static int pass(int ep, struct client_result *r, int64_t end, int *waiting)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(ep, events, EVENTS, 10000);

    if (n == 0) {
        fprintf(stderr, "client: no answer for 10 s\n");
        exit(1);
    }
    for (int i = 0; i < n; i++) {
        struct line *l = events[i].data.ptr;
        int64_t now;

        if (!take(l))
            continue;
        now = client_now();
        count_trip(r, now - l->sent_at);
        if (now < end)
            ask(l);
        else
            (*waiting)--;
    }
    return *waiting;
}

struct client_result client_echo(const int *fds, int n, int64_t span)
{
    struct client_result r = {0, 0};
    struct line *lines = calloc((size_t)n, sizeof(*lines));
    int64_t end = client_now() + span;
    int ep = epoll_create1(EPOLL_CLOEXEC);
    int waiting = n;

    if (!lines || ep < 0)
        client_die("client");
    for (int i = 0; i < n; i++) {
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &lines[i]};

        lines[i].fd = fds[i];
        if (epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev) != 0)
            client_die("client: epoll_ctl");
        ask(&lines[i]);
    }
    while (pass(ep, &r, end, &waiting) > 0)
        ;
    close(ep);
    free(lines);
    return r;
}
