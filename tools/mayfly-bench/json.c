/* SPDX-License-Identifier: MIT */
/*
 * json.c - the report as one JSON object on one line.
 *
 * Spans are whole ns, rates numbers; names follow the table, with underscores.
 * What a load does not have (due and send_lag_ns without a rate, lost and its
 * like without datagrams) is left out.
 */
#include "report.h"

#include <inttypes.h>

/* A JSON string: quotes, backslashes and control characters are escaped. */
static void put_string(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c > 0x7e) /* argv may hold any bytes */
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void put_spans(const char *name, const struct hist *h, FILE *out)
{
    fprintf(out,
            ",\"%s\":{\"min\":%" PRId64 ",\"mean\":%.1f,\"p50\":%" PRId64
            ",\"p90\":%" PRId64 ",\"p99\":%" PRId64 ",\"p99_9\":%" PRId64
            ",\"max\":%" PRId64 ",\"clipped\":%" PRIu64 "}",
            name, hist_min(h), hist_mean(h), hist_percentile(h, 50000),
            hist_percentile(h, 90000), hist_percentile(h, 99000),
            hist_percentile(h, 99900), hist_max(h), hist_clipped(h));
}

/* The kinds with a name always, the others where there are some. */
static void put_errors(const struct errors *e, FILE *out)
{
    const char *comma = "";

    fprintf(out, ",\"errors\":{\"total\":%" PRIu64, errors_total(e));
    for (int kind = 0; kind < ERROR_KINDS; kind++) {
        const char *name = error_kind_name((enum error_kind)kind);

        if (name == NULL)
            continue;
        fputs(",\"", out);
        for (; *name != '\0'; name++)
            fputc(*name == ' ' ? '_' : *name, out);
        fprintf(out, "\":%" PRIu64, e->by_kind[kind]);
    }
    fputs(",\"other\":[", out);
    for (int i = 0; i <= ERRNO_TOP; i++) {
        if (e->by_errno[i] == 0)
            continue;
        fprintf(out, "%s{\"errno\":%d,\"text\":", comma, i);
        put_string(i > 0 ? mf_strerror(-i) : "unknown", out);
        fprintf(out, ",\"count\":%" PRIu64 "}", e->by_errno[i]);
        comma = ",";
    }
    fputs("]}", out);
}

void report_json(const struct report *r, FILE *out)
{
    fputs("{\"command\":", out);
    put_string(r->command, out);
    fputs(",\"target\":", out);
    put_string(r->target, out);
    fprintf(out, ",\"mode\":\"%s\"", r->rate > 0 ? "rate" : "closed loop");
    if (r->rate > 0)
        fprintf(out, ",\"rate\":%" PRIu64, r->rate);
    fprintf(out, ",\"bytes\":%" PRIu64 ",\"workers\":%d,\"backend\":", r->len,
            r->workers);
    put_string(r->backend, out);
    fprintf(out,
            ",\"interrupted\":%s,\"duration_s\":%.6f,\"connections\":{"
            "\"asked\":%" PRIu64 ",\"connected\":%" PRIu64
            ",\"failed\":%" PRIu64 "}",
            r->interrupted ? "true" : "false", (double)r->elapsed / 1e9,
            r->asked, r->connected, r->failed);
    fprintf(out, ",\"requests\":%" PRIu64, r->requests);
    if (r->rate > 0)
        fprintf(out, ",\"due\":%" PRIu64, r->due);
    if (r->is_dgram) {
        fprintf(out,
                ",\"lost\":%" PRIu64 ",\"late\":%" PRIu64
                ",\"reordered\":%" PRIu64 ",\"duplicates\":%" PRIu64,
                r->lost, r->late, r->reordered, r->duplicates);
    }
    fprintf(out,
            ",\"unfinished\":%" PRIu64
            ",\"requests_per_s\":%.1f,\"mb_per_s_each_way\":%.3f",
            r->unfinished, report_rate(r), report_mbytes(r));
    put_spans("latency_ns", &r->latency, out);
    if (r->rate > 0)
        put_spans("send_lag_ns", &r->lag, out);
    put_errors(&r->errors, out);
    fputs("}\n", out);
}
