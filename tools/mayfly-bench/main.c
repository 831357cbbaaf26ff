/* SPDX-License-Identifier: MIT */
/*
 * main.c - mayfly-bench: find the sub-command, and let signals end it.
 *
 * SIGINT and SIGTERM are blocked before the runtime makes its threads, so all
 * of them inherit that, and one plain thread waits for them. The first signal
 * fires an event that the load ends on, with its report; a second one ends the
 * process at once.
 *
 * A new load is a file with a function like tcp_command and a line in
 * `commands`.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <mayfly.h>

#include "commands.h"

enum { EXIT_USAGE = 2 };

static const struct {
    const char *name, *about;
    int (*run)(int argc, char **argv, mf_event *stop);
} commands[] = {
    {"tcp", "echo load over TCP connections, every byte checked", tcp_command},
    {"udp", "the same by datagrams; loss and reordering counted", udp_command},
    {"unix", "the same over unix sockets of any type", unix_command},
};
enum { NR_COMMANDS = sizeof commands / sizeof commands[0] };

static mf_event stop; /* static: the thread below may outlive main's frame */

static void usage(FILE *out)
{
    fputs("usage: mayfly-bench COMMAND [options]\n"
          "       mayfly-bench COMMAND --help\n\n"
          "Make load for a server and measure how it answers.\n\n",
          out);
    for (int i = 0; i < NR_COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].about);
    fputs("\n  -h, --help     print this\n"
          "  -V, --version  print the version\n",
          out);
}

static void *watch_signals(void *arg)
{
    const sigset_t *set = arg;
    int nr = 0;

    if (sigwait(set, &nr) == 0)
        mf_event_fire(&stop);
    if (sigwait(set, &nr) == 0)
        _exit(128 + nr);
    return NULL;
}

static int block_signals(void)
{
    static sigset_t set;
    pthread_t thread;
    int err;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    err = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (err == 0)
        err = pthread_create(&thread, NULL, watch_signals, &set);
    if (err == 0)
        err = pthread_detach(thread);
    return -err;
}

static int is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv)
{
    int rc;

    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (is_one_of(argv[1], "-h", "--help")) {
        usage(stdout);
        return 0;
    }
    if (is_one_of(argv[1], "-V", "--version")) {
        printf("mayfly-bench %d.%d.%d\n", MF_VERSION_MAJOR, MF_VERSION_MINOR,
               MF_VERSION_PATCH);
        return 0;
    }
    for (int i = 0; i < NR_COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        if ((rc = block_signals()) < 0) {
            fprintf(stderr, "mayfly-bench: signals: %s\n", mf_strerror(rc));
            return 1;
        }
        return commands[i].run(argc - 1, argv + 1, &stop);
    }
    fprintf(stderr, "mayfly-bench: no command '%s'; try mayfly-bench --help\n",
            argv[1]);
    return EXIT_USAGE;
}
