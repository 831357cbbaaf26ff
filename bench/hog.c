/* SPDX-License-Identifier: MIT */
/*
 * hog.c - what a task that computes without yielding does to the others.
 *
 * An echo server on two workers, a client in a process of its own with 100
 * connections, and for two seconds something that takes a whole CPU:
 *
 *   none    nothing: the floor
 *   thread  a plain thread of the server's process: what the kernel alone
 *           makes of one busy thread too many
 *   task    a task: on top of that, whatever sat behind it on its worker must
 *           be taken over by the other one
 *
 * The worst round trip is what counts: task is to be near thread, not 2 s.
 * Prints "name value unit" lines.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mayfly/run.h>
#include <mayfly/task.h>

#include "client.h"
#include "server.h"

enum { CONNS_MAX = 10000 };

struct hog {
    struct link link;
    const char *kind;
    int conns;
    int64_t span; /* ns */
};

static void compute(int64_t span)
{
    int64_t end = client_now() + span;

    while (client_now() < end)
        ;
}

static int hog_task(void *arg)
{
    compute(((const struct hog *)arg)->span);
    return 0;
}

static void *hog_thread(void *arg)
{
    compute(((const struct hog *)arg)->span);
    return NULL;
}

/* Warm up; say go; measure while the hog computes; report. */
static int client(const struct hog *h)
{
    static int fds[CONNS_MAX];
    struct client_result r;

    client_connect(link_port(&h->link), fds, h->conns);
    client_echo(fds, h->conns, h->span / 4);
    link_tell_server(&h->link, 'h');
    link_wait(&h->link);
    r = client_echo(fds, h->conns, h->span);
    printf("hog_%s_worst %.3f ms\n", h->kind, (double)r.worst_ns / 1e6);
    printf("hog_%s_rate %.0f req/s\n", h->kind,
           (double)r.requests * 1e9 / (double)h->span);
    fflush(stdout);
    link_tell_server(&h->link, 'e');
    return 0;
}

static int server(void *arg)
{
    struct hog *h = arg;
    pthread_t thread;

    server_echo(&h->link);
    server_wait(&h->link);
    /* The byte first: a hog that starts at once would keep it back. */
    link_tell_client(&h->link, 'g');
    if (strcmp(h->kind, "task") == 0)
        server_must(mf_go(mf_root(), hog_task, h), "go");
    else if (strcmp(h->kind, "thread") == 0 &&
             pthread_create(&thread, NULL, hog_thread, h) == 0)
        pthread_detach(thread);
    server_wait(&h->link);
    server_done(&h->link);
    return 0;
}

static int measure(struct hog *h, int workers)
{
    int rc;

    fflush(stdout);
    if (link_fork(&h->link))
        _exit(client(h));
    rc = mf_run(server, h, MF_OPTIONS(.workers = workers));
    if (rc < 0)
        fprintf(stderr, "hog: %s\n", mf_explain(rc));
    return link_join(&h->link) || rc < 0;
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"none", "thread", "task"};
    struct hog h = {.conns = 100, .span = MF_SEC(2)};
    int workers = 2;
    int bad = 0;
    int c;

    while ((c = getopt(argc, argv, "w:c:d:")) != -1) {
        switch (c) {
        case 'w':
            workers = (int)strtol(optarg, NULL, 10);
            break;
        case 'c':
            h.conns = (int)strtol(optarg, NULL, 10);
            break;
        case 'd':
            h.span = MF_SEC(strtol(optarg, NULL, 10));
            break;
        default:
            h.conns = 0;
        }
    }
    if (workers < 1 || h.conns < 1 || h.conns > CONNS_MAX || h.span < 1) {
        fprintf(stderr, "usage: hog [-w workers] [-c connections] "
                        "[-d seconds]\n");
        return 2;
    }
    client_raise_files();
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        h.kind = kinds[i];
        bad |= measure(&h, workers);
    }
    return bad;
}
