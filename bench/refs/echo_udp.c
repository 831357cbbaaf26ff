/* SPDX-License-Identifier: MIT */
/*
 * echo_udp.c - UDP echo on epoll with recvmmsg and sendmmsg: the reference.
 *
 * Per wake-up: one epoll_wait, one recvmmsg of what is there, one sendmmsg of
 * the same back. The headers are set up once; only the lengths are put back.
 * What does not go out is dropped, as UDP may. One thread per -t, each with a
 * socket of its own on the same port.
 */
#define _GNU_SOURCE
#include "ref.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, ROOM = 2048 };

struct box {
    struct mmsghdr head[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_in from[BATCH];
    char data[BATCH][ROOM];
};

static int bound(uint16_t *port, int share)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    int one = 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        ref_die("socket");
    if (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)))
        ref_die("SO_REUSEPORT");
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(*port);
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
        ref_die("bind");
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        ref_die("getsockname");
    *port = ntohs(at.sin_port);
    return fd;
}

static struct box *new_box(void)
{
    struct box *b = calloc(1, sizeof(*b));

    if (!b)
        ref_die("calloc");
    for (int i = 0; i < BATCH; i++) {
        b->iov[i].iov_base = b->data[i];
        b->iov[i].iov_len = ROOM;
        b->head[i].msg_hdr.msg_iov = &b->iov[i];
        b->head[i].msg_hdr.msg_iovlen = 1;
        b->head[i].msg_hdr.msg_name = &b->from[i];
        b->head[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
    }
    return b;
}

static void answer(int fd, struct box *b)
{
    int n = recvmmsg(fd, b->head, BATCH, MSG_DONTWAIT, NULL);

    for (int i = 0; i < n; i++)
        b->iov[i].iov_len = b->head[i].msg_len;
    for (int at = 0; at < n;) {
        int sent = sendmmsg(fd, b->head + at, (unsigned)(n - at), 0);

        at += sent > 0 ? sent : 1;
    }
    for (int i = 0; i < n; i++) {
        b->iov[i].iov_len = ROOM;
        b->head[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
    }
}

static void *serve(void *arg)
{
    struct epoll_event ev = {.events = EPOLLIN};
    struct box *b = new_box();
    int fd = *(int *)arg, ep = epoll_create1(EPOLL_CLOEXEC);

    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) != 0)
        ref_die("epoll");
    for (;;) {
        int n = epoll_wait(ep, &ev, 1, -1);

        if (n > 0)
            answer(fd, b);
        else if (n < 0 && errno != EINTR)
            ref_die("epoll_wait");
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct ref_options o = ref_options_read(argc, argv);
    int fds[REF_THREADS_MAX] = {0};
    uint16_t port = o.port;
    pthread_t thread;

    for (int i = 0; i < o.threads; i++)
        fds[i] = bound(&port, o.threads > 1);
    ref_announce(port);
    for (int i = 1; i < o.threads; i++)
        if (pthread_create(&thread, NULL, serve, &fds[i]) != 0)
            ref_die("pthread_create");
    serve(&fds[0]);
    return 1;
}
