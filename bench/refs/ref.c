/* SPDX-License-Identifier: MIT */
/* ref.c - options, listeners and threads of the reference servers. */
#include "ref.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

void ref_die(const char *what)
{
    perror(what);
    exit(1);
}

static long number(const char *text, long min, long max)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (end == text || *end != '\0' || n < min || n > max) {
        fprintf(stderr, "%s: want a number from %ld to %ld\n", text, min, max);
        exit(2);
    }
    return n;
}

struct ref_options ref_options_read(int argc, char **argv)
{
    struct ref_options o = {.port = 0, .threads = 1};
    struct rlimit files;
    int c;

    while ((c = getopt(argc, argv, "p:t:")) != -1) {
        switch (c) {
        case 'p':
            o.port = (uint16_t)number(optarg, 0, 65535);
            break;
        case 't':
            o.threads = (int)number(optarg, 1, REF_THREADS_MAX);
            break;
        default:
            fprintf(stderr, "usage: %s [-p port] [-t threads]\n", argv[0]);
            exit(2);
        }
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    return o;
}

int ref_listen(uint16_t *port, int share, int flags)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    if (fd < 0)
        ref_die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)))
        ref_die("SO_REUSEPORT");
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(*port);
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
        ref_die("bind");
    if (listen(fd, SOMAXCONN) != 0)
        ref_die("listen");
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        ref_die("getsockname");
    *port = ntohs(at.sin_port);
    return fd;
}

void ref_announce(uint16_t port)
{
    printf("listening on 127.0.0.1:%u\n", (unsigned)port);
    fflush(stdout);
}

void ref_serve(const struct ref_options *o, int flags,
               void *(*body)(void *listener))
{
    int fds[REF_THREADS_MAX];
    uint16_t port = o->port;
    pthread_t thread;

    /* All of them first: a connection must not come before its listener. */
    for (int i = 0; i < o->threads; i++)
        fds[i] = ref_listen(&port, o->threads > 1, flags);
    ref_announce(port);
    for (int i = 1; i < o->threads; i++)
        if (pthread_create(&thread, NULL, body, &fds[i]) != 0)
            ref_die("pthread_create");
    body(&fds[0]);
    exit(1);
}
