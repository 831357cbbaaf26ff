/* SPDX-License-Identifier: MIT */
/*
 * command.c - what the commands share: memory, limits, the run, the report.
 *
 * The load itself is in load.c. Memory is taken before the runtime starts: per
 * connection two buffers, of the length of a request and a byte more.
 */
#include "command.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    EXIT_USAGE = 2,
    SPARE_FDS = 64, /* beside the connections: stdio, the runtime */
};

/* How many are due before a span has passed. */
static uint64_t due_before(mf_ns span, uint64_t rate)
{
    uint64_t n = (uint64_t)((double)span * (double)rate / 1e9);

    while (n > 0 && load_due_after(n, rate) >= span) /* rounded up */
        n--;
    return n + 1;
}

static void fill_report(const struct command_spec *cmd, const struct load *load,
                        struct report *r)
{
    const struct load_options *o = &load->opts;

    r->command = strchr(cmd->name, ' ') + 1; /* "mayfly-bench tcp" */
    r->is_dgram = load->transport->is_dgram;
    r->target = o->where;
    r->len = (uint64_t)o->len;
    r->rate = (uint64_t)o->rate;
    r->interrupted = load->interrupted;
    r->asked = (uint64_t)o->conns;
    for (int64_t i = 0; i < o->conns; i++) {
        const struct conn *c = &load->conns[i];

        r->connected += c->is_connected != 0;
        r->failed += !c->is_connected && c->kind != ERROR_NONE;
        r->requests += c->requests;
        r->unfinished += c->is_cut != 0;
        r->lost += c->timeouts;
        r->late += c->late;
        r->reordered += c->reordered;
        r->duplicates += c->duplicates;
        errors_count(&r->errors, (enum error_kind)c->kind, c->rc);
    }
    r->lost -= r->late < r->lost ? r->late : r->lost;
    if (load->live > 0 && r->rate > 0)
        r->due = due_before(r->elapsed < o->duration ? r->elapsed : o->duration,
                            r->rate);
    for (int i = 0; load->lanes != NULL && i < load->workers; i++) {
        hist_merge(&r->latency, &load->lanes[i].latency);
        hist_merge(&r->lag, &load->lanes[i].lag);
    }
}

/* Room for one fd per connection. 0, or -EMFILE having said what is missing. */
static int raise_fd_limit(const struct command_spec *cmd, int64_t conns)
{
    rlim_t want = (rlim_t)conns + SPARE_FDS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= want)
        return 0;
    if (limit.rlim_max >= want) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
            return 0;
    }
    fprintf(stderr,
            "%s: %lld connections need %llu open files, but at most %llu are "
            "allowed: raise the hard limit (ulimit -Hn) or take fewer (-c)\n",
            cmd->name, (long long)conns, (unsigned long long)want,
            (unsigned long long)limit.rlim_max);
    return -EMFILE;
}

/* The connections, with a buffer for what is sent and one for the answer. */
static struct conn *make_conns(struct load *load)
{
    size_t nr = (size_t)load->opts.conns, len = (size_t)load->opts.len;
    struct conn *conns = aligned_alloc(64, nr * sizeof *conns);
    int enough = conns != NULL;

    if (conns == NULL)
        return NULL;
    memset(conns, 0, nr * sizeof *conns);
    for (size_t i = 0; i < nr; i++) {
        struct conn *c = &conns[i];

        c->load = load;
        c->fd = -1;
        c->out = malloc(len);
        c->in = malloc(len + 1);
        enough = enough && c->out != NULL && c->in != NULL;
    }
    load->conns = conns;
    return enough ? conns : NULL;
}

static void free_load(struct load *load)
{
    for (int64_t i = 0; load->conns != NULL && i < load->opts.conns; i++) {
        free(load->conns[i].out);
        free(load->conns[i].in);
    }
    free(load->conns);
    free(load->lanes);
    free(load->report);
}

static int run_load(const struct command_spec *cmd, struct load *load)
{
    const struct load_options *o = &load->opts;
    int rc;

    load->report = aligned_alloc(64, sizeof *load->report);
    if (load->report == NULL || make_conns(load) == NULL) {
        fprintf(stderr, "%s: no memory for %lld connections\n", cmd->name,
                (long long)o->conns);
        return 1;
    }
    memset(load->report, 0, sizeof *load->report);
    live_init(&load->line);
    rc = mf_run(load_run, load, MF_OPTIONS(.workers = (int)o->workers));
    live_done(&load->line);
    if (rc < 0) {
        fprintf(stderr, "%s: cannot run: %s\n", cmd->name, mf_explain(rc));
        return 1;
    }
    fill_report(cmd, load, load->report);
    if (o->json)
        report_json(load->report, stdout);
    else
        report_print(load->report, stdout);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "%s: the report could not be written\n", cmd->name);
        return 1;
    }
    return report_exit_code(load->report);
}

int command_usage(const struct command_spec *cmd, const char *why)
{
    fprintf(stderr, "%s: %s\ntry %s --help\n", cmd->name, why, cmd->name);
    return EXIT_USAGE;
}

int command_parse(const struct command_spec *cmd, int argc, char **argv,
                  struct load_options *o)
{
    char why[256];
    int rc = options_parse(cmd, argc, argv, o, &o->where, why, sizeof why);

    if (rc == 0)
        return -1;
    if (rc == OPTIONS_HELP) {
        options_help(cmd, stdout);
        return 0;
    }
    return command_usage(cmd, why);
}

int command_check_addr(const struct command_spec *cmd, const char *where,
                       mf_addr *ret_addr)
{
    char why[256];
    int rc = mf_addr_parse(where, ret_addr);

    if (rc == 0 && ret_addr->ss.ss_family != AF_UNIX)
        return -1;
    snprintf(why, sizeof why, "'%s' is no HOST:PORT: %s", where,
             rc < 0 ? mf_explain(rc) : "a unix socket");
    return command_usage(cmd, why);
}

int command_run(const struct command_spec *cmd, const struct load_options *o,
                const struct transport *transport, mf_event *stop)
{
    struct load load = {.opts = *o, .transport = transport, .stop = stop};
    int rc = raise_fd_limit(cmd, o->conns) < 0 ? 1 : run_load(cmd, &load);

    free_load(&load);
    return rc;
}
