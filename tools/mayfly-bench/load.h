/* SPDX-License-Identifier: MIT */
/*
 * load.h - the connections of a load and what they share.
 *
 * command.c reads the options, makes the struct load and reports on it; load.c
 * runs it. What differs between kinds of sockets is in struct transport: how to
 * connect is in tcp.c, udp.c and unix.c, how to ask in stream.c and dgram.c.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdatomic.h>
#include <stdint.h>

#include <mayfly.h>

#include "hist.h"
#include "report.h"

struct conn;

struct load_options {
    const char *where;
    int64_t conns, len, duration, workers, rate, seed;
    int64_t timeout, connect_timeout;
    int64_t json, quiet;
    int64_t seqpacket, dgram; /* of a unix socket */
};

/* What asking answers beside a negative errno. */
enum ask {
    ASK_RIGHT,
    ASK_LOST,  /* no answer in time, which is no error */
    ASK_WRONG, /* wrong bytes */
    ASK_AGAIN, /* look on: inside dgram.c */
};

struct transport {
    /* Connect; a descriptor or why not. */
    int (*dial)(const struct load_options *o, mf_deadline deadline);
    /* Make request n, in c->out. */
    void (*prepare)(struct conn *c, uint64_t n);
    /*
     * One round trip of the request n that was prepared and is sent now; sets
     * c->last when its answer comes. enum ask, or a negative errno, which ends
     * the connection.
     */
    int (*ask)(struct conn *c, uint64_t n, mf_ns sent);
    int is_dgram;
};

enum { DGRAM_HEAD = 16, DGRAM_KEPT = 1024, DGRAM_WORDS = DGRAM_KEPT / 64 };

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
    /* Of datagrams; see dgram.c. */
    uint64_t timeouts, late, reordered, duplicates;
    uint64_t highest; /* number of an answer that was there */
    uint64_t answered[DGRAM_WORDS];
    _Atomic uint64_t requests;
    _Atomic int is_open;
    _Atomic int kind; /* enum error_kind it ended with */
} __attribute__((__aligned__(64)));

struct load {
    struct load_options opts;
    const struct transport *transport;
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
int load_run(void *arg);

/* When the n-th request of all, counted from 0, is due after the start. */
mf_ns load_due_after(uint64_t n, uint64_t rate);

void stream_prepare(struct conn *c, uint64_t n);
int stream_ask(struct conn *c, uint64_t n, mf_ns sent);
void dgram_prepare(struct conn *c, uint64_t n);
int dgram_ask(struct conn *c, uint64_t n, mf_ns sent);

#endif
