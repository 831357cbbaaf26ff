/* SPDX-License-Identifier: MIT */
/*
 * echo_threads.c - TCP echo with a blocking thread for each connection: the
 * reference for the way of writing that coroutines keep.
 *
 * -t is taken and means nothing: there are as many threads as connections.
 */
#define _GNU_SOURCE
#include "ref.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STACK_SIZE = 64 * 1024 };

static int send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -1;
        data += sent;
        len -= (size_t)sent;
    }
    return 0;
}

static void *conn(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char buffer[REF_BUFFER];
    ssize_t got;

    do {
        got = recv(fd, buffer, sizeof(buffer), 0);
    } while ((got > 0 && send_all(fd, buffer, (size_t)got) == 0) ||
             (got < 0 && errno == EINTR));
    close(fd);
    return NULL;
}

int main(int argc, char **argv)
{
    struct ref_options o = ref_options_read(argc, argv);
    int listener = ref_listen(&o.port, 0, 0);
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    ref_announce(o.port);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
            ref_die("accept");
        if (fd < 0)
            continue;
        if (pthread_create(&thread, &attr, conn, (void *)(intptr_t)fd) != 0) {
            fprintf(stderr, "no thread for a connection\n");
            close(fd);
        }
    }
}
