/* SPDX-License-Identifier: MIT */
/*
 * server.h - the mayfly half of the programs that fork their client: an echo
 * server, and the two pipes the halves talk through.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdint.h>
#include <sys/types.h>

struct link {
    int to_server;   /* the client writes */
    int from_client; /* the server reads */
    int to_client;
    int from_server;
    pid_t client;
};

/* Make the pipes and fork; returns 1 in the client, 0 in the server. */
int link_fork(struct link *l);

/* In the client: wait for the port, then wait for each go. */
uint16_t link_port(const struct link *l);
char link_wait(const struct link *l);

/* In either: one byte to the other side. */
void link_tell_server(const struct link *l, char what);
void link_tell_client(const struct link *l, char what);

/* In a task of the server: wait for a byte of the client's. */
char server_wait(const struct link *l);

/*
 * In the first task: listen on a free port of 127.0.0.1, tell the client, and
 * echo in mf_root() from then on, a task for each connection.
 */
void server_echo(const struct link *l);

/* End the process loudly when rc < 0. Returns rc. */
int server_must(int rc, const char *what);

/* In a task: the pipes' server ends. */
void server_done(const struct link *l);

/* In a plain thread: wait for the client's end. 0 or 1, for exit. */
int link_join(const struct link *l);

#endif
