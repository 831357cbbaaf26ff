/* SPDX-License-Identifier: MIT */
/*
 * echo_unix.c - a server on a unix socket that sends back what it gets, and
 * says who called.
 *
 * The name is a path or, with an @ before it, an abstract name that needs no
 * file. A file left behind by a server that died is removed (.unlink), one of a
 * server that lives is not. The file of this one is removed before it ends.
 *
 * Run: ./echo_unix [-t WORKERS] PATH, and for instance socat - UNIX:PATH
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mayfly.h>

static mf_event stop;

static int conn(int fd, void *arg)
{
    char buf[16384];
    mf_unix_cred who;
    int n;

    (void)arg;
    if (mf_unix_peer(fd, &who) == 0)
        fprintf(stderr, "process %d of user %u\n", (int)who.pid, who.uid);
    while ((n = mf_read(fd, buf, sizeof buf, MF_NEVER)) > 0)
        if ((n = mf_write_all(fd, buf, (size_t)n, MF_NEVER)) < 0)
            break;
    mf_close(fd);
    return n;
}

static int server(void *arg)
{
    const char *path = arg;
    int rc, listener = mf_unix_listen(path, MF_UNIX_OPTIONS(.unlink = 1));
    char text[MF_ADDR_STR];
    mf_addr addr;

    if (listener < 0)
        return listener;
    if ((rc = mf_local_addr(listener, &addr)) == 0) {
        printf("listening on %s\n", mf_addr_str(&addr, text, sizeof text));
        fflush(stdout);
        rc = mf_serve(listener, conn, NULL,
                      MF_SERVE_OPTIONS(.stop = &stop, .drain = MF_SEC(1)));
    }
    if (path[0] != '@')
        unlink(path);
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
    char *end = argv[0] + strlen(argv[0]);
    long workers = 0;
    int c, rc;

    while ((c = getopt(argc, argv, "t:")) == 't')
        workers = strtol(optarg, &end, 10);
    if (c != -1 || argc - optind != 1 || *end != '\0' || workers < 0 ||
        workers > 1024) {
        fprintf(stderr, "usage: echo_unix [-t WORKERS] PATH\n");
        return 2;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&watcher, NULL, watch_signals, &set);
    pthread_detach(watcher);
    rc = mf_run(server, argv[optind], MF_OPTIONS(.workers = (int)workers));
    if (rc < 0)
        fprintf(stderr, "echo_unix: %s\n", mf_explain(rc));
    return rc < 0;
}
