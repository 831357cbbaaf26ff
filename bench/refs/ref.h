/* SPDX-License-Identifier: MIT */
/*
 * ref.h - what the raw reference servers share: options and a listener.
 *
 * The references show what the kernel alone allows. They share nothing that
 * runs per request, so each can be read on its own. SIGTERM keeps its default
 * action: it ends them.
 */
#ifndef BENCH_REF_H
#define BENCH_REF_H

#include <stdint.h>

enum { REF_BUFFER = 16384, REF_THREADS_MAX = 64 };

struct ref_options {
    uint16_t port; /* 0: the kernel's choice */
    int threads;
};

/* Read -p port and -t threads; raise RLIMIT_NOFILE to its hard limit. */
struct ref_options ref_options_read(int argc, char **argv);

/*
 * Listen on 127.0.0.1:port; with share several listeners may have the port.
 * *port becomes the port in use. Ends the process when that cannot be.
 */
int ref_listen(uint16_t *port, int share, int flags);

/* Say where, on a line of its own: "listening on 127.0.0.1:PORT". */
void ref_announce(uint16_t port);

/*
 * Run body(listener) on each of `threads` threads, every one with a listener
 * of its own on the same port, and never return.
 */
void ref_serve(const struct ref_options *o, int flags,
               void *(*body)(void *listener));

/* Print what failed with errno's text, and end the process. */
void ref_die(const char *what) __attribute__((__noreturn__));

#endif
