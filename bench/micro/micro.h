/* SPDX-License-Identifier: MIT */
/* micro.h - what the micro benchmarks share: arguments, results, checks. */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

#include <stddef.h>
#include <stdint.h>

struct micro_args {
    long count;        /* -n */
    int workers;       /* -w */
    size_t stack_size; /* -s, bytes; 0: the runtime's */
};

/* Each runs as the first task, prints its results and returns 0. */
int micro_switch(void *args);
int micro_gen(void *args);
int micro_yield(void *args);
int micro_park_unpark(void *args);
int micro_spawn_join(void *args);
int micro_spawn_batch(void *args);
int micro_skynet(void *args);
int micro_growth(void *args);
int micro_parked(void *args);
int micro_timers(void *args);
int micro_arm_cancel(void *args);
int micro_locked(void *args);
int micro_rendezvous(void *args);
int micro_rendezvous_across(void *args);
int micro_buffered(void *args);
int micro_buffered_across(void *args);
int micro_chan_memory(void *args);
int micro_mutex(void *args);
int micro_mutex_8(void *args);
int micro_sem(void *args);
int micro_select_ready(void *args);
int micro_select_blocked(void *args);
int micro_file(void *args);

/* Print "name value unit"; the second form adds _i to the name. */
void micro_report(const char *name, double value, const char *unit);
void micro_report_i(const char *name, long i, double value, const char *unit);

/* Nanoseconds per operation of n since start, a reading of mf_now(). */
double micro_per_op(int64_t start, long n);

/* A key of /proc/self/status, "VmRSS:" say, in bytes. */
long long micro_status_bytes(const char *key);

/*
 * Nanoseconds per round trip of two plain threads, each on a CPU of its own,
 * that spin on two words. Blocks the caller for n trips.
 */
double micro_spin_trip(long n);

/* A wrong result makes every number worthless: end the process at once. */
void micro_fail(const char *what) __attribute__((__noreturn__));
#define MICRO_CHECK(that) \
 do {                     \
  if (!(that))            \
   micro_fail(#that);     \
 } while (0)

#endif
