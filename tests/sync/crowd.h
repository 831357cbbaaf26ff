/* SPDX-License-Identifier: MIT */
/*
 * crowd.h - the same function many times at once: as tasks, as plain threads,
 * or half of each. What a sync object promises holds for all three.
 */
#ifndef MFI_TESTS_CROWD_H
#define MFI_TESTS_CROWD_H

#include <mayfly.h>

#include "io/kit.h"

enum mix { TASKS, THREADS, MIXED, MIXES };
enum { CROWD_MAX = 64 };

struct one {
    mf_fn *fn;
    void *arg;
};

KIT void *one_thread(void *arg)
{
    struct one *one = arg;

    EXPECT_EQ(one->fn(one->arg), 0);
    return NULL;
}

KIT int one_task(void *arg)
{
    struct one *one = arg;

    EXPECT_EQ(one->fn(one->arg), 0);
    return 0;
}

/* Run fn(&args[i * size]) for each i < n, all at once, and wait for them. */
KIT void crowd(enum mix mix, int workers, mf_fn *fn, void *args, size_t size,
               int n)
{
    struct one ones[CROWD_MAX];
    pthread_t threads[CROWD_MAX];
    bool task[CROWD_MAX];
    mf_scope s;

    EXPECT_LE(n, CROWD_MAX);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = workers)), 0);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < n; i++) {
        ones[i] = (struct one){fn, (char *)args + (size_t)i * size};
        task[i] = mix == TASKS || (mix == MIXED && i % 2 == 0);
        if (task[i])
            EXPECT_EQ(mf_go(&s, one_task, &ones[i]), 0);
        else
            EXPECT_EQ(pthread_create(&threads[i], NULL, one_thread, &ones[i]),
                      0);
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < n; i++)
        if (!task[i])
            pthread_join(threads[i], NULL);
    EXPECT_EQ(mf_stop(late()), 0);
}

/* All three mixes, on one worker and on two. */
#define FOR_ALL_CROWDS(mix, workers)       \
 for (int mix = TASKS; mix < MIXES; mix++) \
  for (int workers = 1; workers <= 2; workers++)

/* Marsaglia 2003, "Xorshift RNGs". */
KIT uint32_t dice(uint32_t *seed, uint32_t n)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed % n;
}

#endif
