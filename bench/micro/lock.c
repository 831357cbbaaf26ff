/* SPDX-License-Identifier: MIT */
/*
 * lock.c - the mutex alone and among eight tasks, the semaphore alone, and one
 * locked instruction, which all of these are made of.
 */
#define _GNU_SOURCE
#include "micro.h"

#include <stdatomic.h>
#include <unistd.h>

#include <mayfly/sync.h>
#include <mayfly/task.h>

/* An addition whose result is used: lock xadd, on x86. */
int micro_locked(void *arg)
{
    static atomic_long word;
    const struct micro_args *args = arg;
    long n = args->count, sum = 0;
    int64_t start = mf_now();

    for (long i = 0; i < n; i++)
        sum += atomic_fetch_add_explicit(&word, 1, memory_order_seq_cst);
    micro_report("locked", micro_per_op(start, n), "ns");
    MICRO_CHECK(sum == n * (n - 1) / 2);
    return 0;
}

int micro_mutex(void *arg)
{
    static mf_mutex m;
    static long guarded;
    const struct micro_args *args = arg;
    int64_t start = mf_now();

    for (long i = 0; i < args->count; i++) {
        MICRO_CHECK(mf_mutex_lock(&m, MF_NEVER) == 0);
        guarded++;
        MICRO_CHECK(mf_mutex_unlock(&m) == 0);
    }
    micro_report("mutex", micro_per_op(start, args->count), "ns");
    MICRO_CHECK(guarded == args->count);
    return 0;
}

enum { TASKS = 8, LINE = 128 };

/* The mutex and what it guards share a line, as they do in a program. */
struct shared {
    _Alignas(LINE) mf_mutex m;
    long guarded; /* under m */
    _Alignas(LINE) atomic_int met;
    long each;
    int threads[TASKS]; /* where each has begun */
};

struct member {
    struct shared *shared;
    int i;
};

/* All start together: none is done before the last has begun. */
static int lock_often(void *arg)
{
    struct member *me = arg;
    struct shared *s = me->shared;

    s->threads[me->i] = gettid();
    atomic_fetch_add(&s->met, 1);
    while (atomic_load(&s->met) < TASKS)
        MICRO_CHECK(mf_yield() == 0);
    for (long i = 0; i < s->each; i++) {
        MICRO_CHECK(mf_mutex_lock(&s->m, MF_NEVER) == 0);
        s->guarded++;
        MICRO_CHECK(mf_mutex_unlock(&s->m) == 0);
    }
    return 0;
}

/* Wall time over all operations of the eight, who begin on all workers. */
int micro_mutex_8(void *arg)
{
    static struct shared shared;
    const struct micro_args *args = arg;
    struct member members[TASKS];
    int64_t start;
    mf_scope s;

    shared.each = args->count / TASKS + 1;
    MICRO_CHECK(mf_scope_open(&s, NULL) == 0);
    start = mf_now();
    for (int i = 0; i < TASKS; i++) {
        members[i] = (struct member){.shared = &shared, .i = i};
        MICRO_CHECK(mf_spawn(&s, lock_often, &members[i],
                             MF_TASK_OPTIONS(.worker = 1 + i % args->workers),
                             NULL) == 0);
    }
    MICRO_CHECK(mf_scope_close(&s) == 0);
    micro_report("mutex_8", micro_per_op(start, shared.each * TASKS), "ns");
    MICRO_CHECK(shared.guarded == shared.each * TASKS);
    for (int i = 0; i < TASKS && args->workers == 2; i++)
        MICRO_CHECK((shared.threads[i] == shared.threads[0]) == (i % 2 == 0));
    return 0;
}

int micro_sem(void *arg)
{
    static mf_sem permits = MF_SEM_INIT(1);
    const struct micro_args *args = arg;
    long taken = 0;
    int64_t start = mf_now();

    for (long i = 0; i < args->count; i++) {
        MICRO_CHECK(mf_sem_wait(&permits, MF_NEVER) == 0);
        taken++;
        MICRO_CHECK(mf_sem_post(&permits, 1) == 0);
    }
    micro_report("sem", micro_per_op(start, args->count), "ns");
    MICRO_CHECK(taken == args->count && mf_sem_value(&permits) == 1);
    return 0;
}
