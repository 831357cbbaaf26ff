/* SPDX-License-Identifier: MIT */
/*
 * tcp.c - "mayfly-bench tcp": options, what they need, and the report.
 *
 * The load itself is in tcp_load.c. Memory is taken before the runtime starts:
 * per connection two buffers of exactly the length of a request.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <mayfly.h>

#include "options.h"
#include "report.h"
#include "tcp.h"
#include "tcp_load.h"

enum {
    EXIT_USAGE = 2,
    CONNS_MAX = 10000,
    LEN_MAX = 65536,
    SPARE_FDS = 64, /* beside the connections: stdio, the runtime */
};

#define AT(member) offsetof(struct tcp_options, member)

static const struct option_spec option_table[] = {
    {'c', "connections", "N", "connections (50; at most 10000)", OPTION_COUNT,
     AT(conns), 1, CONNS_MAX},
    {'l', "length", "BYTES",
     "of a request (64; at most 65536, so that it fits\n"
     "into socket buffers while nobody reads)",
     OPTION_COUNT, AT(len), 1, LEN_MAX},
    {'d', "duration", "TIME", "how long: 10, 0.5, 250ms, 5m (10)", OPTION_SPAN,
     AT(duration), MF_MSEC(1), MF_SEC(86400)},
    {'t', "threads", "N", "workers (1); 0: one for each CPU", OPTION_COUNT,
     AT(workers), 0, 1024},
    {'r', "rate", "N",
     "requests per second over all connections, evenly\n"
     "spaced; the default is as fast as answers come.\n"
     "Latency then counts from the time a request was\n"
     "due, not from when it was sent, so that a stalled\n"
     "server is charged for every request it held up\n"
     "(coordinated omission); how late requests left is\n"
     "shown as the send lag",
     OPTION_COUNT, AT(rate), 1, INT64_C(1000000000)},
    {0, "timeout", "TIME", "for an answer (none)", OPTION_SPAN, AT(timeout),
     MF_MSEC(1), MF_SEC(86400)},
    {0, "connect-timeout", "TIME", "for a connection (5)", OPTION_SPAN,
     AT(connect_timeout), MF_MSEC(1), MF_SEC(86400)},
    {0, "seed", "N", "of the bytes that are sent (1)", OPTION_COUNT, AT(seed),
     0, INT64_MAX},
    {'j', "json", NULL, "print one JSON object in place of the table",
     OPTION_FLAG, AT(json), 0, 0},
    {'q', "quiet", NULL, "no line each second on stderr", OPTION_FLAG,
     AT(quiet), 0, 0},
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "mayfly-bench tcp",
    .operands = "HOST:PORT",
    .nr_operands = 1,
    .about =
        "Send requests to an echo server and check every byte that comes\n"
        "back. HOST is an address or localhost. Exit code: 0 fine, 1 no\n"
        "answer or any error, 2 bad usage. Ctrl-C ends it early, with the\n"
        "report; a second one at once.\n",
    .options = option_table,
};

/* How many are due before a span has passed. */
static uint64_t due_before(mf_ns span, uint64_t rate)
{
    uint64_t n = (uint64_t)((double)span * (double)rate / 1e9);

    while (n > 0 && tcp_due_after(n, rate) >= span) /* rounded up */
        n--;
    return n + 1;
}

static void fill_report(const struct load *load, struct report *r)
{
    const struct tcp_options *o = &load->opts;

    r->command = "tcp";
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
        errors_count(&r->errors, (enum error_kind)c->kind, c->rc);
    }
    if (load->live > 0 && r->rate > 0)
        r->due = due_before(r->elapsed < o->duration ? r->elapsed : o->duration,
                            r->rate);
    for (int i = 0; load->lanes != NULL && i < load->workers; i++) {
        hist_merge(&r->latency, &load->lanes[i].latency);
        hist_merge(&r->lag, &load->lanes[i].lag);
    }
}

/* Room for one fd per connection. 0, or -EMFILE having said what is missing. */
static int raise_fd_limit(int64_t conns)
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
            command.name, (long long)conns, (unsigned long long)want,
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
        c->in = malloc(len);
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

static int run_load(struct load *load)
{
    const struct tcp_options *o = &load->opts;
    int rc;

    load->report = aligned_alloc(64, sizeof *load->report);
    if (load->report == NULL || make_conns(load) == NULL) {
        fprintf(stderr, "%s: no memory for %lld connections\n", command.name,
                (long long)o->conns);
        return 1;
    }
    memset(load->report, 0, sizeof *load->report);
    live_init(&load->line);
    rc = mf_run(tcp_load_run, load, MF_OPTIONS(.workers = (int)o->workers));
    live_done(&load->line);
    if (rc < 0) {
        fprintf(stderr, "%s: cannot run: %s\n", command.name, mf_explain(rc));
        return 1;
    }
    fill_report(load, load->report);
    if (o->json)
        report_json(load->report, stdout);
    else
        report_print(load->report, stdout);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "%s: the report could not be written\n", command.name);
        return 1;
    }
    return report_exit_code(load->report);
}

int tcp_command(int argc, char **argv, mf_event *stop)
{
    struct load load = {
        .opts = {.conns = 50,
                 .len = 64,
                 .duration = MF_SEC(10),
                 .workers = 1,
                 .seed = 1,
                 .connect_timeout = MF_SEC(5)},
        .stop = stop,
    };
    struct tcp_options *o = &load.opts;
    mf_addr addr;
    char why[256];
    int rc = options_parse(&command, argc, argv, o, &o->where, why, sizeof why);

    if (rc == OPTIONS_HELP) {
        options_help(&command, stdout);
        return 0;
    }
    if (rc == 0 && (rc = mf_addr_parse(o->where, &addr)) < 0)
        snprintf(why, sizeof why, "'%s' is no HOST:PORT: %s", o->where,
                 mf_explain(rc));
    if (rc < 0) {
        fprintf(stderr, "%s: %s\ntry %s --help\n", command.name, why,
                command.name);
        return EXIT_USAGE;
    }
    rc = raise_fd_limit(o->conns) < 0 ? 1 : run_load(&load);
    free_load(&load);
    return rc;
}
