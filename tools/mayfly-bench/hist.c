/* SPDX-License-Identifier: MIT */
/* hist.c - the layout of the buckets is drawn in hist.h. */
#include "hist.h"

#include <stddef.h>

enum { PARTS = 100000 };

_Static_assert((int)HIST_BUCKETS == 4608, "the drawing in hist.h says so");

/*
 * The bucket of a value. `shift` is how many low bits the bucket's width hides:
 * what is left is 128 to 255, or less than that for the exact values below 128.
 */
static size_t index_of(int64_t value)
{
    uint64_t v = (uint64_t)value;
    unsigned shift = 0;

    if (v >> (HIST_SUB_BITS + 1))
        shift = 63U - (unsigned)__builtin_clzll(v) - HIST_SUB_BITS;
    return ((size_t)shift << HIST_SUB_BITS) + (size_t)(v >> shift);
}

/* The largest value that belongs into bucket i. */
static int64_t upper_end(size_t i)
{
    size_t shift = 0;
    uint64_t left = i;

    if (i >> (HIST_SUB_BITS + 1)) {
        shift = (i >> HIST_SUB_BITS) - 1;
        left = i - (shift << HIST_SUB_BITS);
    }
    return (int64_t)(((left + 1) << shift) - 1);
}

static int64_t get(const _Atomic int64_t *p)
{
    return atomic_load_explicit(p, memory_order_relaxed);
}

static uint64_t get_count(const _Atomic uint64_t *p)
{
    return atomic_load_explicit(p, memory_order_relaxed);
}

static void add(_Atomic uint64_t *p, uint64_t n)
{
    atomic_fetch_add_explicit(p, n, memory_order_relaxed);
}

/* Make *p at least v. Nearly always one load and a compare. */
static void lift(_Atomic int64_t *p, int64_t v)
{
    int64_t seen = get(p);

    while (v > seen &&
           !atomic_compare_exchange_weak_explicit(
               p, &seen, v, memory_order_relaxed, memory_order_relaxed))
        ;
}

void hist_record(struct hist *h, int64_t value)
{
    if (value < 0 || value > HIST_MAX) {
        value = value < 0 ? 0 : HIST_MAX;
        add(&h->clipped, 1);
    }
    lift(&h->top, value);
    lift(&h->bottom, HIST_MAX - value);
    atomic_fetch_add_explicit(&h->sum, value, memory_order_relaxed);
    add(&h->counts[index_of(value)], 1);
}

void hist_merge(struct hist *to, const struct hist *from)
{
    lift(&to->top, get(&from->top));
    lift(&to->bottom, get(&from->bottom));
    atomic_fetch_add_explicit(&to->sum, get(&from->sum), memory_order_relaxed);
    add(&to->clipped, get_count(&from->clipped));
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        uint64_t n = get_count(&from->counts[i]);

        if (n > 0)
            add(&to->counts[i], n);
    }
}

uint64_t hist_count(const struct hist *h)
{
    uint64_t n = 0;

    for (size_t i = 0; i < HIST_BUCKETS; i++)
        n += get_count(&h->counts[i]);
    return n;
}

uint64_t hist_clipped(const struct hist *h)
{
    return get_count(&h->clipped);
}

int64_t hist_min(const struct hist *h)
{
    return hist_count(h) > 0 ? HIST_MAX - get(&h->bottom) : 0;
}

int64_t hist_max(const struct hist *h)
{
    return get(&h->top);
}

double hist_mean(const struct hist *h)
{
    uint64_t n = hist_count(h);

    return n > 0 ? (double)get(&h->sum) / (double)n : 0;
}

int64_t hist_percentile(const struct hist *h, uint32_t q)
{
    uint64_t n = hist_count(h), rank, seen = 0;
    int64_t value = 0;

    if (n == 0 || q == 0)
        return hist_min(h);
    if (q >= PARTS)
        return hist_max(h);
    /* ceil(n * q / PARTS) without the overflow of n * q */
    rank = n / PARTS * q + (n % PARTS * q + PARTS - 1) / PARTS;
    for (size_t i = 0; i < HIST_BUCKETS && seen < rank; i++) {
        seen += get_count(&h->counts[i]);
        value = upper_end(i);
    }
    return value < hist_max(h) ? value : hist_max(h);
}
