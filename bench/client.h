/* SPDX-License-Identifier: MIT */
/*
 * client.h - a plain epoll client, for programs that measure a mayfly server
 * from a process of its own: what is measured must not run what measures.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdint.h>

/* CLOCK_MONOTONIC, ns. */
int64_t client_now(void);

/* Print what and errno's text, and end the process with 1. */
void client_die(const char *what) __attribute__((__noreturn__));

/* Raise RLIMIT_NOFILE to its hard limit. */
void client_raise_files(void);

/* n nonblocking connections to 127.0.0.1:port, in fds. Dies when refused. */
void client_connect(uint16_t port, int *fds, int n);

struct client_result {
    int64_t worst_ns; /* the longest round trip, one under way at the end too */
    int64_t requests;
};

/*
 * Keep one 64-byte request under way on each connection for span ns. Dies when
 * an answer is not the echo of its request or a connection ends.
 */
struct client_result client_echo(const int *fds, int n, int64_t span);

#endif
