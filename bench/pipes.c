/* SPDX-License-Identifier: MIT */
/*
 * pipes.c - does one busy pipe pay for those that say nothing? Two tasks of one
 * worker send a byte to and fro through two pipes, so that each read waits in
 * the poller: first alone, then beside 10 000 pipes that are adopted and waited
 * for. The two take turns, and the ratio is that of their medians.
 *
 * Prints "name value unit" lines. When the limit of open files allows less than
 * was asked for, idle_pipes says how many there were.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <mayfly/fd.h>
#include <mayfly/run.h>
#include <mayfly/task.h>

#include "client.h"
#include "server.h"

enum { ROUNDS_MAX = 99, WARM = 1000, SPARE_FDS = 100 };

struct pipes {
    long trips;
    int rounds;
    int nr_idle;
    int (*idle)[2];
    int to[2], fro[2];
};

static int idle_ended(void *arg)
{
    (void)arg;
    return 0;
}

/* More files than the hard limit, where that is allowed. */
static int possible(int want)
{
    struct rlimit files;
    rlim_t need = (rlim_t)want * 2 + SPARE_FDS;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        client_die("getrlimit");
    if (files.rlim_max < need) {
        struct rlimit more = {need, need};

        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            return want;
    }
    client_raise_files();
    if (files.rlim_max >= need)
        return want;
    return files.rlim_max <= SPARE_FDS
               ? 0
               : (int)((files.rlim_max - SPARE_FDS) / 2);
}

static void take(const int *from)
{
    char c;

    if (server_must(mf_read(from[0], &c, 1, MF_NEVER), "read") != 1)
        client_die("a pipe has ended");
}

static void give(const int *to)
{
    server_must(mf_write(to[1], "x", 1, MF_NEVER), "write");
}

static int answer(void *arg)
{
    const struct pipes *p = arg;

    for (long i = 0; i < WARM + p->trips; i++) {
        take(p->to);
        give(p->fro);
    }
    return 0;
}

/* ns per round trip. */
static double trip(const struct pipes *p)
{
    MF_SCOPE(scope);
    mf_ns start = 0;

    server_must(mf_go(&scope, answer, (void *)(uintptr_t)p), "go");
    for (long i = 0; i < WARM + p->trips; i++) {
        if (i == WARM)
            start = mf_now();
        give(p->to);
        take(p->fro);
    }
    return (double)(mf_now() - start) / (double)p->trips;
}

static double trip_beside_idle(const struct pipes *p)
{
    mf_scope scope;
    double ns;

    server_must(mf_scope_open(&scope, NULL), "scope");
    for (int i = 0; i < p->nr_idle; i++) {
        if (pipe2(p->idle[i], O_CLOEXEC) != 0)
            client_die("pipe");
        server_must(mf_go_when(&scope, p->idle[i][0], POLLIN, MF_NEVER,
                               idle_ended, NULL),
                    "wait for a pipe");
    }
    ns = trip(p);
    for (int i = 0; i < p->nr_idle; i++) {
        server_must(mf_close(p->idle[i][0]), "close");
        server_must(mf_close(p->idle[i][1]), "close");
    }
    server_must(mf_scope_close(&scope), "scope");
    return ns;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int measure(void *arg)
{
    struct pipes *p = arg;
    double alone[ROUNDS_MAX], beside[ROUNDS_MAX];
    double a, b;

    if (pipe2(p->to, O_CLOEXEC) != 0 || pipe2(p->fro, O_CLOEXEC) != 0)
        client_die("pipe");
    for (int i = 0; i < p->rounds; i++) {
        alone[i] = trip(p);
        beside[i] = trip_beside_idle(p);
    }
    qsort(alone, (size_t)p->rounds, sizeof(double), by_size);
    qsort(beside, (size_t)p->rounds, sizeof(double), by_size);
    a = alone[p->rounds / 2];
    b = beside[p->rounds / 2];
    printf("idle_pipes %d pipes\n", p->nr_idle);
    printf("trip_alone %.1f ns\ntrip_beside_idle %.1f ns\n", a, b);
    printf("beside_per_alone %.3f x\n", b / a);
    return 0;
}

int main(int argc, char **argv)
{
    struct pipes p = {.trips = 20000, .rounds = 15, .nr_idle = 10000};
    int c, rc;

    while ((c = getopt(argc, argv, "c:n:r:")) != -1) {
        long value = c == '?' ? -1 : strtol(optarg, NULL, 10);

        if (c == 'c')
            p.nr_idle = (int)value;
        else if (c == 'n')
            p.trips = value;
        else
            p.rounds = (int)value;
    }
    if (p.nr_idle < 1 || p.nr_idle > 1000000 || p.trips < 1 || p.rounds < 1 ||
        p.rounds > ROUNDS_MAX) {
        fprintf(stderr,
                "usage: pipes [-c idle pipes] [-n round trips] "
                "[-r rounds, at most %d]\n",
                ROUNDS_MAX);
        return 2;
    }
    p.nr_idle = possible(p.nr_idle);
    p.idle = calloc((size_t)p.nr_idle + 1, sizeof *p.idle);
    if (p.idle == NULL)
        client_die("memory");
    rc = mf_run(measure, &p, MF_OPTIONS(.workers = 1));
    if (rc < 0)
        fprintf(stderr, "pipes: %s\n", mf_explain(rc));
    free(p.idle);
    return rc < 0;
}
