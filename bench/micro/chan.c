/* SPDX-License-Identifier: MIT */
/*
 * chan.c - channels of long between two tasks: a message and its answer, a
 * stream one way, and the memory of a channel nobody uses.
 *
 * Two tasks may stay together on one worker, and then two workers are no other
 * than one. The _across benchmarks force them apart: each is pinned to a worker
 * of its own, and on each worker an ordinary task yields all the time, so that
 * neither worker sleeps and no wake-up goes through the kernel.
 *
 *      worker 1:  lead, busy          worker 2:  follow, busy
 *
 * All of them meet before the clock starts; lead, who receives last, reads it.
 */
#define _GNU_SOURCE
#include "micro.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <mayfly/block.h>
#include <mayfly/chan.h>
#include <mayfly/task.h>

enum { BUFFERED = 128 };

MF_CHAN_DEFINE(longs, long);

struct duo {
    mf_fn *lead;
    mf_fn *follow;
    longs *there;
    longs *back; /* NULL: one way */
    long n;
    int parties;
    atomic_int met;
    atomic_int over;
    int64_t start;
    int64_t end;
    int lead_thread;
    int follow_thread;
    long followed;
};

/* One that has nothing to do but to be there. */
struct busy {
    struct duo *duo;
    long turns;
    int thread;
};

static void meet(struct duo *d)
{
    atomic_fetch_add(&d->met, 1);
    while (atomic_load(&d->met) < d->parties)
        MICRO_CHECK(mf_yield() == 0);
}

static int be_busy(void *arg)
{
    struct busy *b = arg;

    b->thread = gettid();
    meet(b->duo);
    while (!atomic_load_explicit(&b->duo->over, memory_order_acquire)) {
        MICRO_CHECK(mf_yield() == 0);
        b->turns++;
    }
    MICRO_CHECK(b->thread == gettid());
    return 0;
}

static int lead(void *arg)
{
    struct duo *d = arg;

    d->lead_thread = gettid();
    meet(d);
    d->start = mf_now();
    MICRO_CHECK(d->lead(d) == 0);
    d->end = mf_now();
    atomic_store_explicit(&d->over, 1, memory_order_release);
    return 0;
}

static int follow(void *arg)
{
    struct duo *d = arg;

    d->follow_thread = gettid();
    meet(d);
    return d->follow(d);
}

/* ns for each of d->n. */
static double play(struct duo *d, bool across)
{
    const uint32_t flags = across ? MF_TASK_PINNED : 0;
    struct busy busy[2];
    mf_scope s;

    d->parties = across ? 4 : 2;
    MICRO_CHECK(mf_scope_open(&s, NULL) == 0);
    for (int i = 0; i < 2 && across; i++) {
        busy[i] = (struct busy){.duo = d};
        MICRO_CHECK(mf_spawn(&s, be_busy, &busy[i],
                             MF_TASK_OPTIONS(.worker = 1 + i), NULL) == 0);
    }
    MICRO_CHECK(
        mf_spawn(&s, lead, d,
                 MF_TASK_OPTIONS(.worker = across ? 1 : 0, .flags = flags),
                 NULL) == 0);
    MICRO_CHECK(
        mf_spawn(&s, follow, d,
                 MF_TASK_OPTIONS(.worker = across ? 2 : 0, .flags = flags),
                 NULL) == 0);
    MICRO_CHECK(mf_scope_close(&s) == 0);
    MICRO_CHECK(d->followed == d->n);
    if (across) {
        MICRO_CHECK(d->lead_thread != d->follow_thread);
        MICRO_CHECK(busy[0].thread == d->lead_thread && busy[0].turns > 0);
        MICRO_CHECK(busy[1].thread == d->follow_thread && busy[1].turns > 0);
    }
    return (double)(d->end - d->start) / (double)d->n;
}

/* ---- a message and its answer ------------------------------------------- */

static int ask(void *arg)
{
    struct duo *d = arg;
    long answer = -1;

    for (long i = 0; i < d->n; i++) {
        MICRO_CHECK(longs_send(d->there, i, MF_NEVER) == 0);
        MICRO_CHECK(longs_recv(d->back, &answer, MF_NEVER) == 1);
        MICRO_CHECK(answer == -i);
    }
    MICRO_CHECK(longs_close(d->there) == 0);
    return 0;
}

static int answer(void *arg)
{
    struct duo *d = arg;
    long question = -1;

    while (longs_recv(d->there, &question, MF_NEVER) == 1) {
        MICRO_CHECK(question == d->followed++);
        MICRO_CHECK(longs_send(d->back, -question, MF_NEVER) == 0);
    }
    return 0;
}

/* ns from a question to its answer: two sends, two receives. */
static double round_trip(long n, bool across)
{
    struct duo d = {.lead = ask, .follow = answer, .n = n};
    double each;

    MICRO_CHECK(longs_make(0, NULL, &d.there) == 0);
    MICRO_CHECK(longs_make(0, NULL, &d.back) == 0);
    each = play(&d, across);
    longs_unref(d.there);
    longs_unref(d.back);
    return each;
}

int micro_rendezvous(void *arg)
{
    const struct micro_args *args = arg;

    micro_report("rendezvous", round_trip(args->count, false), "ns");
    return 0;
}

struct spin {
    long n;
    double each;
};

static int spin(void *arg)
{
    struct spin *s = arg;

    s->each = micro_spin_trip(s->n);
    return 0;
}

enum { SLICES = 15 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, SLICES, sizeof(*values), by_value);
    return values[SLICES / 2];
}

/* The machine's own trip and ours in turns, so that both have the same luck. */
int micro_rendezvous_across(void *arg)
{
    const struct micro_args *args = arg;
    double bare[SLICES], ours[SLICES];
    long n = args->count / SLICES + 1;

    MICRO_CHECK(args->workers == 2);
    for (int i = 0; i < SLICES; i++) {
        struct spin s = {.n = n};

        MICRO_CHECK(mf_block(spin, &s, sizeof(s), NULL, MF_NEVER) == 0);
        bare[i] = s.each;
        ours[i] = round_trip(n, true);
    }
    micro_report("spin_trip", median(bare), "ns");
    micro_report("rendezvous_across", median(ours), "ns");
    micro_report("across_per_spin", median(ours) / median(bare), "x");
    return 0;
}

/* ---- a stream one way --------------------------------------------------- */

static int drain(void *arg)
{
    struct duo *d = arg;
    long got = 0, value = -1;
    int rc;

    while ((rc = longs_recv(d->there, &value, MF_NEVER)) == 1)
        MICRO_CHECK(value == got++);
    MICRO_CHECK(rc == 0 && got == d->n);
    return 0;
}

static int pour(void *arg)
{
    struct duo *d = arg;

    for (; d->followed < d->n; d->followed++)
        MICRO_CHECK(longs_send(d->there, d->followed, MF_NEVER) == 0);
    MICRO_CHECK(longs_close(d->there) == 0);
    return 0;
}

static double stream(long n, bool across)
{
    struct duo d = {.lead = drain, .follow = pour, .n = n};
    double each;

    MICRO_CHECK(longs_make(BUFFERED, NULL, &d.there) == 0);
    each = play(&d, across);
    longs_unref(d.there);
    return each;
}

int micro_buffered(void *arg)
{
    const struct micro_args *args = arg;

    micro_report("buffered", stream(args->count, false), "ns");
    return 0;
}

int micro_buffered_across(void *arg)
{
    const struct micro_args *args = arg;

    MICRO_CHECK(args->workers == 2);
    micro_report("buffered_across", stream(args->count, true), "ns");
    return 0;
}

/* ---- memory ------------------------------------------------------------- */

static void use(longs *c, long value, size_t capacity)
{
    long got = -1;

    if (capacity == 0) {
        MICRO_CHECK(longs_send(c, value, MF_NOW) == -ETIMEDOUT);
        MICRO_CHECK(longs_recv(c, &got, MF_NOW) == -ETIMEDOUT);
    } else {
        MICRO_CHECK(longs_send(c, value, MF_NOW) == 0);
        MICRO_CHECK(longs_recv(c, &got, MF_NOW) == 1 && got == value);
    }
}

/* Resident bytes for each of n, used once: whatever comes late is there. */
static double idle_bytes(longs **all, long n, size_t capacity)
{
    long long before = micro_status_bytes("VmRSS:");

    for (long i = 0; i < n; i++) {
        MICRO_CHECK(longs_make(capacity, NULL, &all[i]) == 0);
        use(all[i], i, capacity);
    }
    return (double)(micro_status_bytes("VmRSS:") - before) / (double)n;
}

int micro_chan_memory(void *arg)
{
    const struct micro_args *args = arg;
    long n = args->count, few = n / 4 + 1;
    longs **all = malloc((size_t)(n + few) * sizeof(longs *));

    MICRO_CHECK(all != NULL);
    /* Its pages are here before the first reading: not zeros, which are lazy */
    for (long i = 0; i < n + few; i++)
        all[i] = (longs *)(void *)all;
    for (size_t capacity = 0; capacity <= 1; capacity++) {
        idle_bytes(all, 1, capacity); /* what only the first one costs */
        longs_unref(all[0]);
    }
    /* The second kind while the first is alive: no memory is used again. */
    micro_report("chan_bytes", idle_bytes(all, n, 0), "B");
    micro_report("chan_128_bytes", idle_bytes(all + n, few, BUFFERED), "B");
    for (long i = 0; i < n + few; i++)
        longs_unref(all[i]);
    free(all);
    return 0;
}
