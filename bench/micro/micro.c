/* SPDX-License-Identifier: MIT */
/*
 * micro.c - one benchmark of one operation, named on the command line:
 *
 *   micro NAME [-w workers] [-n count] [-s stack bytes]
 *
 * runs it as the first task of a runtime of its own and prints lines of
 * "name value unit". Every benchmark checks what it did; a wrong result ends
 * the process with 1. bench/README.md says what each number means.
 */
#include "micro.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mayfly/run.h>

static const struct micro {
    const char *name;
    mf_fn *fn;
    long count;
} micros[] = {
    {"switch", micro_switch, 50000000},
    {"gen", micro_gen, 20000000},
    {"yield", micro_yield, 10000000},
    {"park_unpark", micro_park_unpark, 5000000},
    {"spawn_join", micro_spawn_join, 2000000},
    {"spawn_batch", micro_spawn_batch, 1000000},
    {"skynet", micro_skynet, 1000000},
    {"growth", micro_growth, 100000},
    {"parked", micro_parked, 1000000},
    {"timers", micro_timers, 1000000},
    {"arm_cancel", micro_arm_cancel, 5000000},
    {"locked", micro_locked, 50000000},
    {"rendezvous", micro_rendezvous, 2000000},
    {"rendezvous_across", micro_rendezvous_across, 400000},
    {"buffered", micro_buffered, 10000000},
    {"buffered_across", micro_buffered_across, 5000000},
    {"chan_memory", micro_chan_memory, 400000},
    {"mutex", micro_mutex, 20000000},
    {"mutex_8", micro_mutex_8, 10000000},
    {"sem", micro_sem, 20000000},
    {"select_ready", micro_select_ready, 2000000},
    {"select_blocked", micro_select_blocked, 2000000},
    {"file", micro_file, 1024},
};
enum { MICROS = sizeof(micros) / sizeof(micros[0]) };

void micro_report(const char *name, double value, const char *unit)
{
    printf("%s %.3f %s\n", name, value, unit);
    fflush(stdout);
}

void micro_report_i(const char *name, long i, double value, const char *unit)
{
    printf("%s_%ld %.3f %s\n", name, i, value, unit);
    fflush(stdout);
}

double micro_per_op(int64_t start, long n)
{
    return (double)(mf_now() - start) / (double)n;
}

long long micro_status_bytes(const char *key)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    long long kib = -1;

    if (!f)
        micro_fail("/proc/self/status cannot be opened");
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtoll(line + strlen(key), NULL, 10);
    fclose(f);
    MICRO_CHECK(kib >= 0);
    return kib * 1024;
}

void micro_fail(const char *what)
{
    fprintf(stderr, "micro: failed: %s\n", what);
    _exit(1);
}

static int usage(void)
{
    fprintf(stderr, "usage: micro NAME [-w workers] [-n count] "
                    "[-s stack bytes]\nNAME is one of:");
    for (int i = 0; i < MICROS; i++)
        fprintf(stderr, " %s", micros[i].name);
    fprintf(stderr, "\n");
    return 2;
}

static const struct micro *find(const char *name)
{
    for (int i = 0; i < MICROS; i++)
        if (strcmp(micros[i].name, name) == 0)
            return &micros[i];
    return NULL;
}

/* Worker i stays on the i-th CPU, and each task on its worker. */
static bool is_fixed(const struct micro *m)
{
    return m->fn == micro_rendezvous_across || m->fn == micro_buffered_across;
}

int main(int argc, char **argv)
{
    struct micro_args args = {.workers = 1};
    const struct micro *m = argc > 1 ? find(argv[1]) : NULL;
    int rc;
    int c;

    if (!m)
        return usage();
    args.count = m->count;
    optind = 2;
    while ((c = getopt(argc, argv, "w:n:s:")) != -1) {
        switch (c) {
        case 'w':
            args.workers = (int)strtol(optarg, NULL, 10);
            break;
        case 'n':
            args.count = strtol(optarg, NULL, 10);
            break;
        case 's':
            args.stack_size = strtoul(optarg, NULL, 10);
            break;
        default:
            return usage();
        }
    }
    if (args.workers < 1 || args.count < 1 || optind != argc)
        return usage();
    /* A stalled worker looks like one that computes: nobody takes its tasks. */
    rc = mf_run(m->fn, &args,
                MF_OPTIONS(.workers = args.workers,
                           .stack_size = args.stack_size,
                           .pin_workers = is_fixed(m),
                           .hog_time = is_fixed(m) ? -1 : 0));
    if (rc < 0) {
        fprintf(stderr, "micro %s: %s\n", m->name, mf_explain(rc));
        return 1;
    }
    return 0;
}
