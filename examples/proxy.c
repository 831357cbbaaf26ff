/* SPDX-License-Identifier: MIT */
/*
 * proxy.c - a TCP proxy: what comes to PORT goes to TARGET, and back, until
 * both sides have ended or said nothing for a minute.
 *
 * mf_copy does the work; the end of one side is passed on to the other, which
 * may still answer. Signals are as in echo.c: SIGTERM ends it in order.
 *
 * Run: ./proxy [-p PORT] [-t WORKERS] [-i IDLE_MS] TARGET
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <mayfly.h>

static mf_event stop;
static const char *target;
static mf_ns idle = MF_SEC(60);

static int conn(int fd, void *arg)
{
    int rc, to = mf_tcp_connect(target, NULL, mf_after(MF_SEC(10)));

    (void)arg;
    if ((rc = to) < 0)
        fprintf(stderr, "proxy: %s\n", mf_explain(rc));
    else {
        rc = mf_copy(fd, to, NULL, MF_COPY_OPTIONS(.idle = idle), MF_NEVER);
        mf_close(to);
    }
    mf_close(fd);
    return rc;
}

static int server(void *where)
{
    int rc, listener = mf_tcp_listen(where, NULL);
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

int main(int argc, char **argv)
{
    static sigset_t set;
    pthread_t watcher;
    char where[32];
    int c, rc, workers = 0, port = 8000;

    while ((c = getopt(argc, argv, "p:t:i:")) != -1) {
        port = c == 'p' ? (int)strtol(optarg, NULL, 10) : port;
        workers = c == 't' ? (int)strtol(optarg, NULL, 10) : workers;
        idle = c == 'i' ? MF_MSEC(strtol(optarg, NULL, 10)) : idle;
        if (c == '?')
            optind = argc;
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: proxy [-p PORT] [-t WORKERS] [-i IDLE_MS] "
                        "TARGET   (8000; all CPUs; 60000; host:port)\n");
        return 2;
    }
    target = argv[optind];
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&watcher, NULL, watch_signals, &set);
    pthread_detach(watcher);
    snprintf(where, sizeof where, "0.0.0.0:%d", port);
    if ((rc = mf_run(server, where, MF_OPTIONS(.workers = workers))) < 0)
        fprintf(stderr, "proxy: %s\n", mf_explain(rc));
    return rc < 0;
}
