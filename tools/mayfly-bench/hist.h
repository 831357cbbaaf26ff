/* SPDX-License-Identifier: MIT */
/*
 * hist.h - a histogram of spans in ns, for latencies.
 *
 * Log-linear: a value below 256 has a bucket of its own, above that each power
 * of two is cut into 128 equal buckets, so a percentile is at most 1/128
 * (0.8 %) too large. Smallest, largest and mean are exact.
 *
 *   value     0 ... 255 | 256 258 ... 510 | 512 516 ... 1020 | ... 2^42 - 1
 *   bucket    1 wide    | 2 wide          | 4 wide           |
 *   index     0 ... 255 | 256 ... 383     | 384 ... 511      | ... 4607
 *
 * A negative value counts as 0 and one above HIST_MAX (73 minutes) as HIST_MAX;
 * those are counted in `clipped` too. Zero-filled is empty. 36 KiB each.
 *
 * Any number of tasks and threads may record at once: each count is bumped with
 * one relaxed atomic add. To keep the cache lines from travelling, give each
 * worker a histogram and merge them in the end. The readers (merge, percentile,
 * count, ...) give exact answers once the writers are done, and approximate
 * ones before.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    HIST_SUB_BITS = 7,
    HIST_TOP_BIT = 42,
    HIST_BUCKETS = (HIST_TOP_BIT - HIST_SUB_BITS + 1) << HIST_SUB_BITS,
};
#define HIST_MAX ((INT64_C(1) << HIST_TOP_BIT) - 1)

struct hist {
    _Atomic int64_t top;    /* the largest value */
    _Atomic int64_t bottom; /* HIST_MAX less the smallest value */
    _Atomic int64_t sum;
    _Atomic uint64_t clipped;
    _Atomic uint64_t counts[HIST_BUCKETS];
} __attribute__((__aligned__(64)));

/* Add one value. */
void hist_record(struct hist *h, int64_t value);

/* Add all that is in `from` to `to`. */
void hist_merge(struct hist *to, const struct hist *from);

/* How many values, and how many of those were cut to the range. */
uint64_t hist_count(const struct hist *h);
uint64_t hist_clipped(const struct hist *h);

/* Exact; 0 for an empty histogram. */
int64_t hist_min(const struct hist *h);
int64_t hist_max(const struct hist *h);
double hist_mean(const struct hist *h);

/*
 * The value that `q` of 100 000 parts of all values do not exceed: 50000 is
 * the median, 99900 the 99.9th percentile, 0 the smallest, 100000 the largest.
 * With n values it is the bucket of the ceil(n * q / 100000)-th smallest, read
 * at its upper end but never above hist_max. 0 for an empty histogram.
 */
int64_t hist_percentile(const struct hist *h, uint32_t q);

#endif
