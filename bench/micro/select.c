/* SPDX-License-Identifier: MIT */
/*
 * select.c - one receive out of four channels: all of them ready, one of them
 * ready, none (it waits for a sender who picks one at random). By MF_SELECT, as
 * programs write it, and by mf_select with an array that is made once.
 *
 * Ready: each channel holds as many elements as there are selects until the
 * clock stops for a refill, so none runs dry before. Waiting: the sender sends
 * when the receiver is about to wait, then yields to it; with one worker that
 * means that every select waits.
 */
#include "micro.h"

#include <stdatomic.h>
#include <stdbool.h>

#include <mayfly/select.h>
#include <mayfly/task.h>

enum { SOURCES = 4, BATCH = 256 };

MF_CHAN_DEFINE(longs, long);

struct sources {
    longs *chan[SOURCES];
    mf_case cases[SOURCES];
    long value[SOURCES];
    long sent[SOURCES];
    long got[SOURCES];
};

/* One receive, checked: each channel gives 0, 1, 2 ... */
typedef void take_fn(struct sources *s);

static void took(struct sources *s, int i, int rc)
{
    MICRO_CHECK(rc == 1);
    MICRO_CHECK(s->value[i] == s->got[i]);
    s->got[i]++;
}

static void take_by_macro(struct sources *s)
{
    int rc = 0;

    MF_SELECT(rc, MF_NEVER)
    {
        MF_CASE(longs_on_recv(s->chan[0], &s->value[0]))
        {
            took(s, 0, rc);
        }
        MF_CASE(longs_on_recv(s->chan[1], &s->value[1]))
        {
            took(s, 1, rc);
        }
        MF_CASE(longs_on_recv(s->chan[2], &s->value[2]))
        {
            took(s, 2, rc);
        }
        MF_CASE(longs_on_recv(s->chan[3], &s->value[3]))
        {
            took(s, 3, rc);
        }
        MF_ELSE
        {
            micro_fail("MF_SELECT failed");
        }
    }
}

static void take_by_array(struct sources *s)
{
    int i = mf_select(s->cases, SOURCES, MF_NEVER);

    MICRO_CHECK(i >= 0);
    took(s, i, s->cases[i].res);
}

static void open_sources(struct sources *s, size_t capacity)
{
    *s = (struct sources){.value = {-1, -1, -1, -1}};
    for (int i = 0; i < SOURCES; i++) {
        MICRO_CHECK(longs_make(capacity, NULL, &s->chan[i]) == 0);
        s->cases[i] = longs_on_recv(s->chan[i], &s->value[i]);
    }
}

static long close_sources(struct sources *s)
{
    long all = 0;

    for (int i = 0; i < SOURCES; i++) {
        MICRO_CHECK(s->got[i] == s->sent[i]);
        all += s->got[i];
        longs_unref(s->chan[i]);
    }
    return all;
}

/* ---- ready -------------------------------------------------------------- */

static void fill(struct sources *s, int i)
{
    while (s->sent[i] - s->got[i] < BATCH) {
        MICRO_CHECK(longs_send(s->chan[i], s->sent[i], MF_NOW) == 0);
        s->sent[i]++;
    }
}

static void empty(struct sources *s, int i)
{
    while (s->got[i] < s->sent[i])
        took(s, i, longs_recv(s->chan[i], &s->value[i], MF_NOW));
}

/* ns per select, of n; all are ready, or one and each in its turn. */
static double ready(take_fn *take, long n, bool all)
{
    struct sources s;
    mf_ns spent = 0;
    long done = 0;

    open_sources(&s, BATCH);
    for (int turn = 0; done < n; turn = (turn + 1) % SOURCES) {
        int64_t start;

        for (int i = 0; i < SOURCES; i++)
            if (all || i == turn)
                fill(&s, i);
        start = mf_now();
        for (int i = 0; i < BATCH; i++)
            take(&s);
        spent += mf_now() - start;
        done += BATCH;
    }
    for (int i = 0; i < SOURCES; i++) {
        MICRO_CHECK(s.got[i] > 0 || done < 4L * BATCH);
        empty(&s, i);
    }
    MICRO_CHECK(close_sources(&s) == done + (all ? BATCH * (SOURCES - 1) : 0));
    return (double)spent / (double)done;
}

int micro_select_ready(void *arg)
{
    const struct micro_args *args = arg;
    long n = args->count;

    micro_report("select_ready", ready(take_by_macro, n, true), "ns");
    micro_report("select_one_ready", ready(take_by_macro, n, false), "ns");
    micro_report("select_ready_array", ready(take_by_array, n, true), "ns");
    return 0;
}

/* ---- waiting ------------------------------------------------------------ */

struct feed {
    struct sources s;
    take_fn *take;
    long n;
    atomic_int waits; /* the receiver is in its select, or about to be */
};

static int receive(void *arg)
{
    struct feed *f = arg;

    for (long i = 0; i < f->n; i++) {
        atomic_store_explicit(&f->waits, 1, memory_order_release);
        f->take(&f->s);
    }
    return 0;
}

static void feed(struct feed *f)
{
    uint32_t random = 88675123;

    for (long i = 0; i < f->n; i++) {
        long to;

        random ^= random << 13; /* Marsaglia 2003, "Xorshift RNGs" */
        random ^= random >> 17;
        random ^= random << 5;
        to = random % SOURCES;
        while (!atomic_load_explicit(&f->waits, memory_order_acquire))
            MICRO_CHECK(mf_yield() == 0);
        atomic_store_explicit(&f->waits, 0, memory_order_relaxed);
        MICRO_CHECK(longs_send(f->s.chan[to], f->s.sent[to], MF_NEVER) == 0);
        f->s.sent[to]++;
    }
}

static double blocked(take_fn *take, long n)
{
    struct feed f = {.take = take, .n = n};
    int64_t start;
    double each;
    mf_scope s;

    open_sources(&f.s, 0);
    MICRO_CHECK(mf_scope_open(&s, NULL) == 0);
    start = mf_now();
    MICRO_CHECK(mf_go(&s, receive, &f) == 0);
    feed(&f);
    MICRO_CHECK(mf_scope_close(&s) == 0);
    each = micro_per_op(start, n);
    MICRO_CHECK(close_sources(&f.s) == n);
    return each;
}

int micro_select_blocked(void *arg)
{
    const struct micro_args *args = arg;
    long n = args->count;

    micro_report("select_blocked", blocked(take_by_macro, n), "ns");
    micro_report("select_blocked_array", blocked(take_by_array, n), "ns");
    return 0;
}
