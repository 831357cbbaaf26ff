/* SPDX-License-Identifier: MIT */
/*
 * idle.c - what a server with nothing to do costs: 1 000 open connections,
 * none of which says anything. Once it has settled, the context switches of
 * all its threads are counted over some seconds, from outside, by the process
 * that holds the other ends. A server that sleeps makes none.
 *
 * Prints "name value unit" lines.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mayfly/run.h>

#include "client.h"
#include "server.h"

enum { CONNS_MAX = 15000 };

struct idle {
    struct link link;
    int conns;
    long seconds;
};

/* Of one thread: both kinds of context switches, from its status file. */
static long long thread_switches(const char *path)
{
    FILE *f = fopen(path, "re");
    char line[256];
    long long sum = 0;

    if (!f)
        return 0; /* it has ended since the listing */
    while (fgets(line, sizeof(line), f)) {
        char *colon = strchr(line, ':');

        if (colon && strstr(line, "voluntary_ctxt_switches"))
            sum += strtoll(colon + 1, NULL, 10);
    }
    fclose(f);
    return sum;
}

static long long switches(pid_t pid)
{
    char path[512];
    long long sum = 0;
    struct dirent *e;
    DIR *tasks;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    if (!tasks)
        client_die(path);
    while ((e = readdir(tasks)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid,
                 e->d_name);
        sum += thread_switches(path);
    }
    closedir(tasks);
    return sum;
}

static double cpu_ms(pid_t pid)
{
    struct timespec t;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        client_die("CPU clock of the server");
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int client(const struct idle *it)
{
    static int fds[CONNS_MAX];
    struct timespec settle = {1, 0};
    struct timespec watch = {it->seconds, 0};
    pid_t server_pid = getppid();
    long long before;
    double cpu;

    client_connect(link_port(&it->link), fds, it->conns);
    client_echo(fds, it->conns, 1); /* each one is accepted and has spoken */
    nanosleep(&settle, NULL);
    before = switches(server_pid);
    cpu = cpu_ms(server_pid);
    nanosleep(&watch, NULL);
    cpu = cpu_ms(server_pid) - cpu;
    printf("idle_switches %.2f per_s\n",
           (double)(switches(server_pid) - before) / (double)it->seconds);
    printf("idle_cpu %.4f ms_per_s\n", cpu / (double)it->seconds);
    fflush(stdout);
    link_tell_server(&it->link, 'e');
    return 0;
}

static int server(void *arg)
{
    struct idle *it = arg;

    server_echo(&it->link);
    server_wait(&it->link);
    server_done(&it->link);
    return 0;
}

int main(int argc, char **argv)
{
    struct idle it = {.conns = 1000, .seconds = 5};
    int workers = 2;
    int rc;
    int c;

    while ((c = getopt(argc, argv, "w:c:d:")) != -1) {
        switch (c) {
        case 'w':
            workers = (int)strtol(optarg, NULL, 10);
            break;
        case 'c':
            it.conns = (int)strtol(optarg, NULL, 10);
            break;
        case 'd':
            it.seconds = strtol(optarg, NULL, 10);
            break;
        default:
            it.conns = 0;
        }
    }
    if (workers < 1 || it.conns < 1 || it.conns > CONNS_MAX || it.seconds < 1) {
        fprintf(stderr, "usage: idle [-w workers] [-c connections] "
                        "[-d seconds]\n");
        return 2;
    }
    client_raise_files();
    if (link_fork(&it.link))
        _exit(client(&it));
    rc = mf_run(server, &it, MF_OPTIONS(.workers = workers));
    if (rc < 0)
        fprintf(stderr, "idle: %s\n", mf_explain(rc));
    return link_join(&it.link) || rc < 0;
}
