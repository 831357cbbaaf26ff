/* SPDX-License-Identifier: MIT */
/*
 * load.c - how fast does an echo server answer, and does it answer rightly?
 *
 *   dial: 256 tasks at a time    start    one task per connection     end
 *   |--- connect, connect ... ---|--------|-- send, read, compare ... --|
 *                                 `go` is fired            the ticker cancels
 *
 * All connections are made first, a few at a time so that no listen queue
 * overflows; then all start together. A request is `len` bytes that only this
 * connection, this request and this seed have (pattern.h), so an answer that is
 * late, foreign, shifted or damaged is seen: "wrong bytes", and the connection
 * ends. Of datagrams a late one is expected: see dgram.c.
 *
 * Closed loop: the next request goes out when the last one is answered, and
 * its latency is from there. With a rate, request n of connection i is due at
 * start + (n * connections + i) / rate, whatever the answers do, and its
 * latency counts from then: a server that stalls for a second is charged for
 * every request that should have gone out in that second, not for one
 * (coordinated omission).
 *
 * What a task writes while it runs is its own struct conn, which begins at a
 * cache line of its own, and the histograms of the worker it was started on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

enum { DIALS_MAX = 256 }; /* connects under way at once */

static int fail(struct conn *c, enum error_kind kind, int rc)
{
    c->rc = rc;
    atomic_store_explicit(&c->kind, (int)kind, memory_order_relaxed);
    return 0;
}

/* -ECANCELED is the end of the run, not a fault. */
static void end_with(struct conn *c, int rc)
{
    if (rc < 0 && rc != -ECANCELED)
        (void)fail(c, error_kind_of(rc), rc);
}

static void hang_up(struct conn *c)
{
    if (c->fd >= 0)
        mf_close(c->fd);
    c->fd = -1;
    atomic_store_explicit(&c->is_open, 0, memory_order_relaxed);
}

/* When the n-th request of all is due, from the start. */
mf_ns load_due_after(uint64_t n, uint64_t rate)
{
    return (mf_ns)(n / rate * UINT64_C(1000000000) +
                   n % rate * UINT64_C(1000000000) / rate);
}

/* Request after request, until the end of the run or of the connection. */
static int talk(struct conn *c)
{
    const struct load *load = c->load;
    uint64_t rate = (uint64_t)load->opts.rate, right = 0;
    mf_ns due, now;
    int rc;

    for (uint64_t n = 0;; n++) {
        load->transport->prepare(c, n);
        due = now = mf_now();
        if (rate > 0) {
            due = load->start + load_due_after(n * load->live + c->rank, rate);
            if (due >= load->end)
                return 0;
            if (now < due && (rc = mf_sleep_until(mf_at(due))) < 0)
                return rc;
            now = mf_now();
        }
        if (now >= load->end)
            return 0;
        rc = load->transport->ask(c, n, now);
        if (rc < 0) {
            c->is_cut = rc == -ECANCELED;
            return rc;
        }
        if (rc == ASK_WRONG)
            return fail(c, ERROR_WRONG_BYTES, 0);
        if (rc == ASK_LOST)
            continue;
        hist_record(&c->lane->latency, c->last - due);
        if (rate > 0)
            hist_record(&c->lane->lag, now - due);
        atomic_store_explicit(&c->requests, ++right, memory_order_relaxed);
    }
}

static int conn_task(void *arg)
{
    struct conn *c = arg;
    int rc = mf_event_wait(&c->load->go, MF_NEVER);

    if (rc == 0)
        rc = talk(c);
    end_with(c, rc);
    hang_up(c);
    return 0;
}

static int dial_task(void *arg)
{
    struct conn *c = arg;
    const struct load_options *o = &c->load->opts;
    int rc = c->load->transport->dial(o, mf_after(o->connect_timeout));

    if (rc < 0) {
        end_with(c, rc);
        return 0;
    }
    c->fd = rc;
    c->is_connected = 1;
    atomic_store_explicit(&c->is_open, 1, memory_order_relaxed);
    return 0;
}

struct tally {
    uint64_t requests, open, errors;
};

static struct tally count(const struct load *load)
{
    struct tally t = {0};

    for (int64_t i = 0; i < load->opts.conns; i++) {
        struct conn *c = &load->conns[i];

        t.requests += atomic_load_explicit(&c->requests, memory_order_relaxed);
        t.open += atomic_load_explicit(&c->is_open, memory_order_relaxed) != 0;
        t.errors += atomic_load_explicit(&c->kind, memory_order_relaxed) != 0;
    }
    return t;
}

/* Make the connections. 0, or -ECANCELED: the user wants the end. */
static int dial_all(struct load *load)
{
    mf_scope s;
    int rc =
        mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL,
                                           .limit = DIALS_MAX, .name = "dial"));

    if (rc < 0)
        return rc;
    for (int64_t i = 0; i < load->opts.conns && rc == 0; i++) {
        rc = mf_go(&s, dial_task, &load->conns[i]);
        if (rc < 0)
            end_with(&load->conns[i], rc);
    }
    while (mf_scope_wait(&s, mf_after(MF_SEC(1))) == -ETIMEDOUT) {
        if (!load->opts.quiet) {
            struct tally t = count(load);

            live_connecting(&load->line, t.open + t.errors,
                            (uint64_t)load->opts.conns);
        }
    }
    rc = mf_scope_close(&s);
    for (int64_t i = 0; i < load->opts.conns; i++)
        if (!load->conns[i].is_connected && load->conns[i].kind == ERROR_NONE)
            end_with(&load->conns[i], rc); /* no memory for its task */
    return rc == -ECANCELED ? rc : 0;
}

/* Start a task for each connection, spread over the workers. */
static void start_all(struct load *load, mf_scope *s)
{
    uint64_t rank = 0;
    int rc;

    for (int64_t i = 0; i < load->opts.conns; i++) {
        struct conn *c = &load->conns[i];
        int worker = (int)(rank % (uint64_t)load->workers);

        if (c->fd < 0)
            continue;
        c->rank = rank++;
        c->lane = &load->lanes[worker];
        rc = mf_spawn(s, conn_task, c,
                      MF_TASK_OPTIONS(.name = "conn", .worker = 1 + worker),
                      NULL);
        if (rc < 0) {
            end_with(c, rc);
            hang_up(c);
        }
    }
    load->live = rank;
}

/*
 * The run: start, tick once a second, end. A request that is under way in the
 * end may still be answered for a second; only then it is cut.
 */
static void drive(struct load *load)
{
    mf_scope s;
    mf_ns next, done;
    int rc = mf_scope_open(
        &s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL, .name = "load"));

    if (rc < 0)
        return;
    start_all(load, &s);
    next = load->start = mf_now();
    load->end = load->start + load->opts.duration;
    mf_event_fire(&load->go);
    do {
        next = next + MF_SEC(1) < load->end ? next + MF_SEC(1) : load->end;
        rc = mf_scope_wait(&s, mf_at(next));
        if (!load->opts.quiet) {
            struct tally t = count(load);

            live_tick(&load->line, load->start, t.requests,
                      (uint64_t)load->opts.len, t.open, t.errors);
        }
    } while (rc == -ETIMEDOUT && next < load->end);
    done = mf_now();
    if (rc == -ETIMEDOUT && mf_scope_wait(&s, mf_after(MF_SEC(1))) < 0)
        mf_scope_cancel(&s);
    rc = mf_scope_close(&s);
    for (int64_t i = 0; i < load->opts.conns; i++) {
        struct conn *c = &load->conns[i];

        if (c->last > done)
            done = c->last;
        if (c->fd >= 0) /* no memory for its task */
            end_with(c, rc);
    }
    load->report->elapsed = done - load->start;
}

static int stop_task(void *arg)
{
    struct load *load = ((void **)arg)[0];
    mf_scope *all = ((void **)arg)[1];

    if (mf_event_wait(load->stop, MF_NEVER) == 0)
        mf_scope_cancel(all);
    return 0;
}

int load_run(void *arg)
{
    struct load *load = arg;
    mf_runtime_info info = {.size = sizeof info};
    int rc = mf_runtime_get_info(&info);

    if (rc < 0)
        return rc;
    load->workers = info.workers;
    load->lanes = aligned_alloc(64, (size_t)info.workers * sizeof(struct lane));
    if (load->lanes == NULL)
        return -ENOMEM;
    memset(load->lanes, 0, (size_t)info.workers * sizeof(struct lane));
    load->report->workers = info.workers;
    snprintf(load->report->backend, sizeof load->report->backend, "%s",
             info.backend);

    MF_SCOPE(all, .mode = MF_WAIT_ALL, .name = "all");
    void *args[] = {load, &all};
    if ((rc = mf_go(&all, stop_task, args)) < 0)
        return rc;
    rc = dial_all(load);
    if (rc == 0 && count(load).open > 0)
        drive(load);
    for (int64_t i = 0; i < load->opts.conns; i++)
        hang_up(&load->conns[i]);
    mf_scope_cancel(&all);
    mf_scope_close(&all); /* the end by stop_task is not an error */
    load->interrupted = mf_event_wait(load->stop, MF_NOW) == 0;
    return 0;
}
