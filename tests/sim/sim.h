/* SPDX-License-Identifier: MIT */
/*
 * sim.h - the simulator's own parts, and what the test runner asks of it.
 *
 *   plan.c     what a seed decides: who runs next, for how long, how time goes
 *   threads.c  simulated threads: switching, blocking, the clock, the end
 *   kernel.c   system calls: futex, epoll, timerfd, ppoll
 *   libc.c     pthread_create and its like, sleeping, the time of day
 *   seeds.c    a test under one seed after the other, each in a child
 *
 * All of it runs on one real thread, so plain variables will do; and none of it
 * uses an operation of base/atomic.h, which would be a point in itself.
 */
#ifndef MFI_TESTS_SIM_SIM_H
#define MFI_TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "base/sim.h"
#include "base/time.h"
#include "coro/coro.h"

enum { SIM_THREADS = 512, SIM_KEYS = 8, SIM_NAME = 16 };

enum sim_state { SIM_FREE, SIM_READY, SIM_BLOCKED, SIM_ENDED };

enum sim_wait { /* what a blocked thread waits for, beside a point in time */
                SIM_TIME,
                SIM_KEY,   /* wake(key): futexes, condition variables, ends */
                SIM_EPOLL, /* evs, an epoll set; real */
                SIM_POLL,  /* evs, an array of pollfd; real */
};

struct sim_thread {
    struct arch_context context; /* while it does not run */
    void *self;                  /* mfi_arch_self, likewise */
    int saved_errno;
    struct cxx_globals cxx;
    enum sim_state state;
    enum sim_wait wait;
    const void *key;
    mf_ns at;
    int fd; /* EPOLL */
    void *evs;
    unsigned n;
    int result;    /* of the wait: 0, -ETIMEDOUT, or how many events */
    uint64_t rank; /* PCT: the highest of the ready ones runs */
    bool detached;
    char name[SIM_NAME];
    void *(*fn)(void *arg);
    void *arg;
    void *ret;
    void *specific[SIM_KEYS];
    char *stack; /* its own; NULL: the first thread */
    size_t stack_len;
#if MFI_ASAN
    void *fake;
    const void *low; /* the stack it left from: its own or a coroutine's */
    size_t len;
#endif
};

struct sim {
    bool on;
    bool real_fds; /* somebody outside may wake us */
    mf_ns now;     /* but for what the points since the last choice took */
    uint64_t choices, switches;
    uint64_t *hash; /* of all choices so far; where the runner sees it */
    struct sim_thread *current;
    struct sim_thread threads[SIM_THREADS];
    int nr_threads; /* slots used so far */
    int nr_alive;
    bool trace;
};
extern struct sim sim;

/* ---- plan.c ------------------------------------------------------------- */

void sim_plan(uint64_t seed);
void sim_plan_print(void);
uint32_t sim_random(uint32_t n); /* 0 to n - 1 */
uint64_t sim_rank(void);         /* of a new thread */
uint64_t sim_rank_last(void);    /* lower than all so far */

/* The ready thread to run; away: another than the current one, if any is. */
struct sim_thread *sim_pick_thread(bool away);

/* Count what was used since the last time: of the clock and of ranks. */
void sim_settle(void);
mf_ns sim_elapsed(void); /* since then */

/* After that: how much until the next choice. */
void sim_draw(void);
void sim_draw_far(void); /* there is one thread only */

/* t is ready now: if it ranks above the current one, the choice is due. */
void sim_hurry(const struct sim_thread *t);

bool sim_leap_due(void);    /* let time leap to the next event, if it is near */
mf_ns sim_relax_span(void); /* what it takes to ask for others */
bool sim_spurious_due(void); /* let a futex wake for nothing */

/* ---- threads.c ---------------------------------------------------------- */

/* In the parent: what every child would do again. */
void sim_prepare(void);

void sim_begin(uint64_t seed, uint64_t *hash);
void sim_end(void);

mf_ns sim_now(void);
void sim_mix(uint64_t value); /* into the hash */

/* NULL: none is left. Runs fn(arg) when chosen. */
struct sim_thread *sim_thread_start(void *(*fn)(void *arg), void *arg);
_Noreturn void sim_thread_exit(void *ret);

/*
 * The current thread waits, as its fields say, until woken or `at`; its result.
 */
int sim_block(enum sim_wait wait, const void *key, mf_ns at);
/* Up to n of those that wait for key; how many. */
int sim_wake(const void *key, int n);
void sim_ready(struct sim_thread *t, int result);

/* ---- kernel.c ----------------------------------------------------------- */

/* Who waits for fds and has events now is made ready. */
void sim_look_at_fds(void);

/* Timerfds: the earliest point; fire those due at now. */
mf_ns sim_timers_next(void);
void sim_timers_fire(mf_ns now);

/* ---- libc.c ------------------------------------------------------------- */

/* Destructors of its thread-specific values. */
void sim_thread_values_end(struct sim_thread *t);

#endif
