/* SPDX-License-Identifier: MIT */
/*
 * flood.c - bytes one way through a proxy: a sink behind it, senders before it.
 *
 *   flood sink                  listen, say where, drop what comes
 *   flood send PORT CONNS SEC   fill CONNS connections for SEC seconds, end
 *                               them, wait for the other side's end
 *
 * Both are plain threads that block, one for each connection. The sink drops
 * bytes in the kernel (MSG_TRUNC), so that on few CPUs the proxy gets most of
 * them. The sender's last line is "flood_rate N MB/s", and "flood_bytes N B":
 * both sides having ended, every byte has been through.
 */
#define _GNU_SOURCE
#include "refs/ref.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 1 << 17, CONNS_MAX = 1000 };

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void *drop_all(void *arg)
{
    int fd = (int)(intptr_t)arg;

    while (recv(fd, NULL, (size_t)BLOCK * 8, MSG_TRUNC) > 0)
        ;
    close(fd);
    return NULL;
}

static void start(void *(*fn)(void *), void *arg, pthread_t *ret_thread)
{
    if (pthread_create(ret_thread, NULL, fn, arg) != 0)
        ref_die("pthread_create");
}

static int sink(void)
{
    uint16_t port = 0;
    int listener = ref_listen(&port, 0, 0);
    pthread_t thread;

    ref_announce(port);
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0)
            ref_die("accept");
        start(drop_all, (void *)(intptr_t)fd, &thread);
        pthread_detach(thread);
    }
}

struct sender {
    pthread_t thread;
    uint16_t port;
    double end;
    uint64_t bytes;
};

static void *send_all(void *arg)
{
    static char block[BLOCK];
    struct sender *s = arg;
    struct sockaddr_in to = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char c;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(s->port);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        ref_die("connect");
    while (now() < s->end) {
        ssize_t n = send(fd, block, sizeof(block), MSG_NOSIGNAL);

        if (n <= 0)
            ref_die("send");
        s->bytes += (uint64_t)n;
    }
    shutdown(fd, SHUT_WR);
    if (recv(fd, &c, 1, 0) != 0)
        ref_die("the end did not come back");
    close(fd);
    return NULL;
}

static int send_mode(char **argv)
{
    static struct sender senders[CONNS_MAX];
    int n = (int)strtol(argv[1], NULL, 10);
    double begin = now(), took;
    uint64_t bytes = 0;

    if (n < 1 || n > CONNS_MAX)
        return 2;
    for (int i = 0; i < n; i++) {
        senders[i].port = (uint16_t)strtoul(argv[0], NULL, 10);
        senders[i].end = begin + strtod(argv[2], NULL);
        start(send_all, &senders[i], &senders[i].thread);
    }
    for (int i = 0; i < n; i++) {
        pthread_join(senders[i].thread, NULL);
        bytes += senders[i].bytes;
    }
    took = now() - begin;
    printf("flood_bytes %llu B\nflood_rate %.1f MB/s\n",
           (unsigned long long)bytes, (double)bytes / took / 1e6);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "sink") == 0)
        return sink();
    if (argc == 5 && strcmp(argv[1], "send") == 0)
        return send_mode(argv + 2);
    fprintf(stderr, "usage: flood sink | flood send PORT CONNS SECONDS\n");
    return 2;
}
