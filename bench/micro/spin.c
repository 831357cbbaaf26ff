/* SPDX-License-Identifier: MIT */
/*
 * spin.c - what the machine itself takes for a message and its answer: two
 * plain threads, each on a CPU of its own, spin on two words, one for each
 * direction. Without a pause between two looks: that is the fastest there is.
 */
#define _GNU_SOURCE
#include "micro.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include <mayfly/base.h>

enum { LINE = 128 }; /* two lines of 64: the prefetcher fetches pairs */

struct words {
    _Alignas(LINE) atomic_long there;
    _Alignas(LINE) atomic_long back;
    _Alignas(LINE) long n;
};

/*
 * The i-th of the CPUs this process may use, and no other. What the main thread
 * may use: the calling one may come from a worker that is pinned itself.
 */
static void pin_to(int i)
{
    cpu_set_t allowed, one;
    size_t cpu = 0;

    MICRO_CHECK(sched_getaffinity(getpid(), sizeof(allowed), &allowed) == 0);
    MICRO_CHECK(CPU_COUNT(&allowed) > i);
    while (!CPU_ISSET(cpu, &allowed) || i-- > 0)
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    MICRO_CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
}

/* Answer 0 says "here" before the clock starts. */
static void *answer(void *arg)
{
    struct words *w = arg;

    pin_to(1);
    atomic_store_explicit(&w->back, 0, memory_order_release);
    for (long i = 1; i <= w->n; i++) {
        while (atomic_load_explicit(&w->there, memory_order_acquire) != i)
            ;
        atomic_store_explicit(&w->back, i, memory_order_release);
    }
    return NULL;
}

struct trip {
    struct words *words;
    double each;
};

static void *ask(void *arg)
{
    struct trip *t = arg;
    struct words *w = t->words;
    pthread_t other;
    int64_t start;

    MICRO_CHECK(pthread_create(&other, NULL, answer, w) == 0);
    pin_to(0);
    while (atomic_load_explicit(&w->back, memory_order_acquire) != 0)
        ;
    start = mf_now();
    for (long i = 1; i <= w->n; i++) {
        atomic_store_explicit(&w->there, i, memory_order_release);
        while (atomic_load_explicit(&w->back, memory_order_acquire) != i)
            ;
    }
    t->each = micro_per_op(start, w->n);
    MICRO_CHECK(pthread_join(other, NULL) == 0);
    return NULL;
}

double micro_spin_trip(long n)
{
    struct words words = {.there = 0, .back = -1, .n = n};
    struct trip trip = {.words = &words};
    pthread_t asker;

    /* A thread of its own: the caller's affinity stays as it is. */
    MICRO_CHECK(pthread_create(&asker, NULL, ask, &trip) == 0);
    MICRO_CHECK(pthread_join(asker, NULL) == 0);
    return trip.each;
}
