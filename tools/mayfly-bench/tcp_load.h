/* SPDX-License-Identifier: MIT */
/*
 * tcp_load.h - the connections of "mayfly-bench tcp" and what they share.
 *
 * tcp.c reads the options, makes the struct load and reports on it; tcp_load.c
 * runs it.
 */
#ifndef BENCH_TCP_LOAD_H
#define BENCH_TCP_LOAD_H

#include <stdatomic.h>
#include <stdint.h>

#include <mayfly.h>

#include "hist.h"
#include "report.h"

struct tcp_options {
    const char *where;
    int64_t conns, len, duration, workers, rate, seed;
    int64_t timeout, connect_timeout;
    int64_t json, quiet;
};

struct lane { /* of one worker */
    struct hist latency, lag;
};

/* Written by its task while that runs; the ticker reads what is atomic. */
struct conn {
    struct load *load;
    struct lane *lane;
    uint64_t rank; /* among those that got connected */
    char *out, *in;
    int fd;                   /* -1: none */
    int rc;                   /* with ERROR_OTHER */
    int is_connected, is_cut; /* is_cut: a request was under way at the end */
    mf_ns last;               /* when the last answer was there */
    _Atomic uint64_t requests;
    _Atomic int is_open;
    _Atomic int kind; /* enum error_kind it ended with */
} __attribute__((__aligned__(64)));

struct load {
    struct tcp_options opts;
    mf_event *stop;
    mf_event go;
    mf_ns start, end;
    uint64_t live; /* connections at the start */
    int workers;
    int interrupted;
    struct lane *lanes;
    struct conn *conns;
    struct live line;
    struct report *report;
};

/*
 * Run it: the first task of the runtime; arg is a struct load with the options
 * and the connections made (fd -1) and all else zero. Sets what the report
 * needs. Returns 0 or why it could not run; failing connections are no reason.
 */
int tcp_load_run(void *arg);

/* When the n-th request of all, counted from 0, is due after the start. */
mf_ns tcp_due_after(uint64_t n, uint64_t rate);

#endif
