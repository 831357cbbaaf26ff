/* SPDX-License-Identifier: MIT */
/* report.c - the table in the end and the line while it runs. */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kind_names[ERROR_KINDS] = {
    [ERROR_REFUSED] = "connect refused",
    [ERROR_TIMEOUT] = "timeout",
    [ERROR_RESET] = "reset",
    [ERROR_WRONG_BYTES] = "wrong bytes",
    [ERROR_CLOSED_EARLY] = "closed early",
};

enum error_kind error_kind_of(int rc)
{
    switch (rc) {
    case -ECONNREFUSED:
        return ERROR_REFUSED;
    case -ETIMEDOUT:
        return ERROR_TIMEOUT;
    case -ECONNRESET:
        return ERROR_RESET;
    case -EPIPE:
        return ERROR_CLOSED_EARLY;
    default:
        return rc < 0 ? ERROR_OTHER : ERROR_NONE;
    }
}

const char *error_kind_name(enum error_kind kind)
{
    return kind_names[kind];
}

void errors_count(struct errors *e, enum error_kind kind, int rc)
{
    e->by_kind[kind]++;
    if (kind == ERROR_OTHER)
        e->by_errno[rc < 0 && rc >= -ERRNO_TOP ? -rc : 0]++;
}

uint64_t errors_total(const struct errors *e)
{
    uint64_t n = 0;

    for (int kind = ERROR_NONE + 1; kind < ERROR_KINDS; kind++)
        n += e->by_kind[kind];
    return n;
}

double report_rate(const struct report *r)
{
    return r->elapsed > 0 ? (double)r->requests * 1e9 / (double)r->elapsed : 0;
}

double report_mbytes(const struct report *r)
{
    return report_rate(r) * (double)r->len / 1e6;
}

int report_exit_code(const struct report *r)
{
    return r->requests == 0 || errors_total(&r->errors) > 0;
}

static int is_terminal(FILE *out)
{
    const char *term = getenv("TERM");

    return isatty(fileno(out)) && (term == NULL || strcmp(term, "dumb") != 0);
}

int report_is_fancy(FILE *out)
{
    const char *no = getenv("NO_COLOR");

    return is_terminal(out) && (no == NULL || *no == '\0');
}

/* Three digits that count and a unit: "812 ns", "12.3 us", "4.56 ms". */
static const char *span_text(double ns, char *buf, size_t len)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    size_t unit = 0;
    int digits;

    while (ns >= 999.5 && unit < 3) {
        ns /= 1000;
        unit++;
    }
    digits = unit == 0 || ns >= 99.95 ? 0 : ns < 9.995 ? 2 : 1;
    snprintf(buf, len, "%.*f %s", digits, ns, units[unit]);
    return buf;
}

static void print_spans(const char *title, const struct hist *h, FILE *out)
{
    const struct {
        const char *name;
        double ns;
    } columns[] = {
        {"p50", (double)hist_percentile(h, 50000)},
        {"p90", (double)hist_percentile(h, 90000)},
        {"p99", (double)hist_percentile(h, 99000)},
        {"p99.9", (double)hist_percentile(h, 99900)},
        {"max", (double)hist_max(h)},
        {"mean", hist_mean(h)},
    };
    enum { NR = sizeof columns / sizeof columns[0] };
    char buf[32];

    fprintf(out, "%-12s", title);
    for (int i = 0; i < NR; i++)
        fprintf(out, "  %9s", columns[i].name);
    fprintf(out, "\n%-12s", "");
    for (int i = 0; i < NR; i++)
        fprintf(out, "  %9s", span_text(columns[i].ns, buf, sizeof buf));
    fputc('\n', out);
}

static void print_errors(const struct errors *e, FILE *out)
{
    uint64_t n = errors_total(e);
    int fancy = n > 0 && report_is_fancy(out);

    fprintf(out, "%-12s  %s%" PRIu64 "%s\n", "errors", fancy ? "\033[31m" : "",
            n, fancy ? "\033[0m" : "");
    for (int kind = 0; kind < ERROR_KINDS; kind++)
        if (kind_names[kind] != NULL && e->by_kind[kind] > 0)
            fprintf(out, "  %-24s %" PRIu64 "\n", kind_names[kind],
                    e->by_kind[kind]);
    for (int i = 0; i <= ERRNO_TOP; i++)
        if (e->by_errno[i] > 0)
            fprintf(out, "  %-24s %" PRIu64 "\n",
                    i > 0 ? mf_strerror(-i) : "unknown", e->by_errno[i]);
}

void report_print(const struct report *r, FILE *out)
{
    int fancy = report_is_fancy(out);

    fprintf(out, "%smayfly-bench %s %s%s, %" PRIu64 " bytes, ",
            fancy ? "\033[1m" : "", r->command, r->target,
            fancy ? "\033[0m" : "", r->len);
    if (r->rate > 0)
        fprintf(out, "%" PRIu64 " requests/s", r->rate);
    else
        fprintf(out, "closed loop");
    fprintf(out, ", %d worker%s (%s)\n", r->workers, r->workers == 1 ? "" : "s",
            r->backend);

    fprintf(out, "%-12s  %.3f s%s\n", "duration", (double)r->elapsed / 1e9,
            r->interrupted ? " (interrupted)" : "");
    fprintf(out, "%-12s  %" PRIu64 " connected, %" PRIu64 " failed",
            "connections", r->connected, r->failed);
    if (r->connected + r->failed < r->asked)
        fprintf(out, ", %" PRIu64 " not tried",
                r->asked - r->connected - r->failed);
    fprintf(out, "\n%-12s  %" PRIu64, "requests", r->requests);
    if (r->rate > 0)
        fprintf(out, " of %" PRIu64 " due", r->due);
    if (r->unfinished > 0)
        fprintf(out, ", %" PRIu64 " unfinished", r->unfinished);
    if (r->is_dgram) {
        fprintf(out,
                "\n%-12s  %" PRIu64 " lost, %" PRIu64 " late, %" PRIu64
                " reordered, %" PRIu64 " duplicates",
                "datagrams", r->lost, r->late, r->reordered, r->duplicates);
    }
    fprintf(out, "\n%-12s  %.0f req/s\n", "rate", report_rate(r));
    fprintf(out, "%-12s  %.2f MB/s each way\n", "throughput", report_mbytes(r));
    if (r->requests > 0) {
        print_spans("latency", &r->latency, out);
        if (r->rate > 0)
            print_spans("send lag", &r->lag, out);
    }
    print_errors(&r->errors, out);
}

void live_init(struct live *l)
{
    *l = (struct live){.redraw = is_terminal(stderr)};
}

/* Begin a line: over the last one, or below it. */
static void live_begin(struct live *l)
{
    if (l->redraw)
        fputs("\r\033[K", stderr);
    l->drawn = l->redraw;
}

static void live_end(const struct live *l)
{
    if (!l->redraw)
        fputc('\n', stderr);
    fflush(stderr);
}

void live_connecting(struct live *l, uint64_t done, uint64_t asked)
{
    live_begin(l);
    fprintf(stderr, "connecting: %" PRIu64 " of %" PRIu64, done, asked);
    live_end(l);
}

void live_tick(struct live *l, mf_ns start, uint64_t requests, uint64_t len,
               uint64_t open, uint64_t errors)
{
    mf_ns now = mf_now(), since = l->before_at > 0 ? l->before_at : start;
    double rate = 0;

    if (now > since)
        rate = (double)(requests - l->before) * 1e9 / (double)(now - since);
    l->before = requests;
    l->before_at = now;
    live_begin(l);
    fprintf(stderr, "%4.0f s  %9.0f req/s  %8.2f MB/s  %" PRIu64 " open  ",
            (double)(now - start) / 1e9, rate, rate * (double)len / 1e6, open);
    if (errors > 0 && report_is_fancy(stderr))
        fprintf(stderr, "\033[31m%" PRIu64 " errors\033[0m", errors);
    else
        fprintf(stderr, "%" PRIu64 " errors", errors);
    live_end(l);
}

void live_done(struct live *l)
{
    if (l->drawn)
        fputs("\r\033[K", stderr);
    l->drawn = 0;
    fflush(stderr);
}
