/* SPDX-License-Identifier: MIT */
/*
 * echo_udp.c - a UDP server that sends back what it gets. As many tasks as
 * there are workers receive from one socket; each datagram goes to one of them.
 *
 * With -b it takes and sends up to 32 datagrams with a system call.
 *
 * Run: ./echo_udp [-b] [-p PORT] [-t WORKERS]
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <mayfly.h>

enum { BATCH = 32, ROOM = 1500 };

static long port = 30000, workers;
static bool batches;

static int echo(void *arg)
{
    int n, fd = *(int *)arg;
    char buf[16384];
    mf_addr from;

    while (!mf_cancelled()) { /* -EMSGSIZE, -EPERM, ...: one bad peer */
        n = mf_recvfrom(fd, buf, sizeof buf, &from, MF_NEVER);
        if (n >= 0)
            mf_sendto(fd, buf, (size_t)n, &from, MF_NEVER);
    }
    return 0;
}

static int echo_batches(void *arg)
{
    int n, rc, fd = *(int *)arg;
    char bufs[BATCH][ROOM];
    mf_dgram msgs[BATCH];
    mf_addr from[BATCH];

    for (int i = 0; i < BATCH; i++)
        msgs[i] = (mf_dgram){.buf = bufs[i], .size = ROOM, .addr = &from[i]};
    while (!mf_cancelled()) {
        n = mf_recvmsgs(fd, msgs, BATCH, MF_NEVER);
        for (int at = 0; at<n; at += rc> 0 ? rc : 1)
            rc = mf_sendmsgs(fd, msgs + at, n - at, MF_NEVER);
    }
    return 0;
}

static int server(void *arg)
{
    static const int ends[] = {SIGINT, SIGTERM};
    char where[MF_ADDR_STR];
    mf_signal *sig;
    mf_addr addr;
    int rc, fd;

    (void)arg;
    snprintf(where, sizeof where, "0.0.0.0:%ld", port);
    if ((fd = mf_udp_bind(where, NULL)) < 0)
        return fd;
    if ((rc = mf_local_addr(fd, &addr)) < 0 ||
        (rc = mf_signal_open(ends, 2, &sig)) < 0)
        return rc;
    printf("listening on %s\n", mf_addr_str(&addr, where, sizeof where));
    fflush(stdout);
    MF_SCOPE(s);
    for (long i = 0; i < workers; i++)
        mf_go(&s, batches ? echo_batches : echo, &fd);
    rc = mf_signal_wait(sig, MF_NEVER);
    mf_scope_cancel(&s);
    mf_scope_close(&s);
    mf_close(fd);
    mf_signal_close(sig);
    return rc < 0 ? rc : 0;
}

int main(int argc, char **argv)
{
    int c, rc;

    workers = sysconf(_SC_NPROCESSORS_ONLN);
    while ((c = getopt(argc, argv, "bp:t:")) != -1) {
        batches |= c == 'b';
        port = c == 'p' ? strtol(optarg, NULL, 10) : port;
        workers = c == 't' ? strtol(optarg, NULL, 10) : workers;
        if (c == '?' || port < 0 || port > 65535 || workers < 1) {
            fprintf(stderr, "usage: echo_udp [-b] [-p PORT] [-t WORKERS]\n");
            return 2;
        }
    }
    rc = mf_run(server, NULL, MF_OPTIONS(.workers = (int)workers));
    if (rc < 0)
        fprintf(stderr, "echo_udp: %s\n", mf_explain(rc));
    return rc < 0;
}
