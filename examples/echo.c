/* SPDX-License-Identifier: MIT */
/*
 * echo.c - a TCP server that sends back what it gets; one task for each
 * connection, its buffer on the task's stack.
 *
 * Signals: they are blocked before the runtime makes its threads, and a plain
 * thread waits for SIGINT or SIGTERM and fires an event. mf_serve then takes no
 * more connections and gives those there are one second to end.
 *
 * Run: ./echo [-p PORT] [-t WORKERS]
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <mayfly.h>

static mf_event stop;

static int conn(int fd, void *arg)
{
    char buf[16384];
    int n;

    (void)arg;
    while ((n = mf_read(fd, buf, sizeof buf, MF_NEVER)) > 0)
        if ((n = mf_write_all(fd, buf, (size_t)n, MF_NEVER)) < 0)
            break;
    mf_close(fd);
    return n;
}

static int server(void *arg)
{
    int rc, listener = mf_tcp_listen(arg, NULL);
    char text[MF_ADDR_STR];
    mf_addr addr;

    if (listener < 0)
        return listener;
    if ((rc = mf_local_addr(listener, &addr)) < 0)
        return rc;
    printf("listening on %s\n", mf_addr_str(&addr, text, sizeof text));
    fflush(stdout);
    rc = mf_serve(listener, conn, NULL,
                  MF_SERVE_OPTIONS(.stop = &stop, .drain = MF_SEC(1)));
    return rc == -ETIMEDOUT ? 0 : rc; /* some had to be cut off: fine */
}

static void *watch_signals(void *arg)
{
    int nr;

    if (sigwait(arg, &nr) == 0)
        mf_event_fire(&stop);
    return NULL;
}

/* A number from 0 to max, or -1. */
static long number(const char *text, long max)
{
    char *end;
    long n = strtol(text, &end, 10);

    return end == text || *end != '\0' || n < 0 || n > max ? -1 : n;
}

int main(int argc, char **argv)
{
    static sigset_t set;
    pthread_t watcher;
    long workers = 0, port = 8000;
    char where[32];
    int c, rc;

    while ((c = getopt(argc, argv, "hp:t:")) != -1) {
        port = c == 'p' ? number(optarg, 65535) : port;
        workers = c == 't' ? number(optarg, 1024) : workers;
        if (c == 'h' || c == '?' || port < 0 || workers < 0) {
            fprintf(c == 'h' ? stdout : stderr,
                    "usage: echo [-p PORT] [-t WORKERS]   (8000; all CPUs)\n");
            return c == 'h' ? 0 : 2;
        }
    }
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&watcher, NULL, watch_signals, &set);
    pthread_detach(watcher);
    snprintf(where, sizeof where, "0.0.0.0:%ld", port);
    if ((rc = mf_run(server, where, MF_OPTIONS(.workers = (int)workers))) < 0)
        fprintf(stderr, "echo: %s\n", mf_explain(rc));
    return rc < 0;
}
