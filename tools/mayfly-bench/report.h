/* SPDX-License-Identifier: MIT */
/*
 * report.h - what a load measured, and the ways to show it.
 *
 * A command fills a struct report; the report prints it as a table or as JSON
 * and decides the exit code. Nothing here knows what kind of load it was.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include <mayfly.h>

#include "hist.h"

enum error_kind {
    ERROR_NONE,
    ERROR_REFUSED,
    ERROR_TIMEOUT,
    ERROR_RESET,
    ERROR_WRONG_BYTES,
    ERROR_CLOSED_EARLY,
    ERROR_OTHER, /* with a negative errno */
    ERROR_KINDS,
};

enum { ERRNO_TOP = 255 };

struct errors {
    uint64_t by_kind[ERROR_KINDS];
    uint64_t by_errno[ERRNO_TOP + 1]; /* of ERROR_OTHER; 0: beyond the top */
};

struct report {
    const char *command; /* "tcp" */
    const char *target;
    char backend[16];
    int workers;
    uint64_t len;  /* bytes of a request */
    uint64_t rate; /* requests per second that were due; 0: closed loop */
    int interrupted;

    uint64_t asked, connected, failed; /* connections */
    mf_ns elapsed;
    uint64_t requests;   /* answered, every byte right */
    uint64_t due;        /* with a rate: how many should have been sent */
    uint64_t unfinished; /* on the way when the time was over */

    int is_dgram; /* these count: */
    uint64_t lost, late, reordered, duplicates;

    struct hist latency;
    struct hist lag; /* with a rate: from the time due to the sending */
    struct errors errors;
};

/* The kind of a negative errno that a connection ended with. */
enum error_kind error_kind_of(int rc);

/* "connect refused"; NULL for ERROR_NONE and ERROR_OTHER. */
const char *error_kind_name(enum error_kind kind);

void errors_count(struct errors *e, enum error_kind kind, int rc);
uint64_t errors_total(const struct errors *e);

double report_rate(const struct report *r);   /* requests per second */
double report_mbytes(const struct report *r); /* 10^6 bytes/s, each way */

/* 1 if colour and redrawing are wanted on `out`: a terminal, no NO_COLOR. */
int report_is_fancy(FILE *out);

void report_print(const struct report *r, FILE *out);
void report_json(const struct report *r, FILE *out); /* one object, one line */

/* 0 if all went well; 1 if there was an error or no answer at all. */
int report_exit_code(const struct report *r);

/* What is shown while it runs: once a second, on stderr. */
struct live {
    int redraw;      /* one line, drawn again and again */
    int drawn;       /* there is such a line now */
    uint64_t before; /* requests at the last tick */
    mf_ns before_at;
};

void live_init(struct live *l);
void live_connecting(struct live *l, uint64_t done, uint64_t asked);
void live_tick(struct live *l, mf_ns start, uint64_t requests, uint64_t len,
               uint64_t open, uint64_t errors);
void live_done(struct live *l);

#endif
