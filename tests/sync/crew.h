/* SPDX-License-Identifier: MIT */
/*
 * crew.h - some tasks and some plain threads that do the same thing at once.
 *
 * Joining does not block a worker: a task waits for its threads through the
 * offload pool.
 */
#ifndef MFI_TESTS_SYNC_CREW_H
#define MFI_TESTS_SYNC_CREW_H

#include <mayfly/block.h>
#include <mayfly/sync.h>

#include "io/kit.h"

enum { CREW_THREADS = 8 };

struct crew {
    mf_scope scope;
    pthread_t thread[CREW_THREADS];
    int threads;
};

struct crew_hand { /* what a thread of a crew is given; freed by it */
    mf_fn *fn;
    void *arg;
};

KIT void *crew_main(void *arg)
{
    struct crew_hand hand = *(struct crew_hand *)arg;

    free(arg);
    EXPECT_EQ(hand.fn(hand.arg), 0);
    return NULL;
}

KIT void crew_open(struct crew *c)
{
    c->threads = 0;
    EXPECT_EQ(mf_scope_open(&c->scope, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)),
              0);
}

/* One more of them, as a thread or as a task. */
KIT void crew_add(struct crew *c, bool thread, mf_fn *fn, void *arg)
{
    struct crew_hand *hand;

    if (!thread) {
        EXPECT_EQ(mf_go(&c->scope, fn, arg), 0);
        return;
    }
    EXPECT_LT(c->threads, CREW_THREADS);
    hand = malloc(sizeof *hand);
    EXPECT(hand != NULL);
    *hand = (struct crew_hand){fn, arg};
    EXPECT_EQ(pthread_create(&c->thread[c->threads++], NULL, crew_main, hand),
              0);
}

KIT int crew_join_threads(void *arg)
{
    struct crew *c = *(struct crew **)arg;

    for (int i = 0; i < c->threads; i++)
        EXPECT_EQ(pthread_join(c->thread[i], NULL), 0);
    return 0;
}

/* Wait for all of them; each must have returned 0. */
KIT void crew_close(struct crew *c)
{
    int rc = 0;

    MF_SHIELD(MF_NEVER)
    {
        if (c->threads != 0)
            rc = mf_block(crew_join_threads, &c, sizeof c, NULL, MF_NEVER);
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(mf_scope_close(&c->scope), 0);
}

/* fn(arg) in so many tasks and threads, and in the caller's own time. */
KIT void crew_run(int tasks, int threads, mf_fn *fn, void *arg)
{
    struct crew c;

    crew_open(&c);
    for (int i = 0; i < threads; i++)
        crew_add(&c, true, fn, arg);
    for (int i = 0; i < tasks; i++)
        crew_add(&c, false, fn, arg);
    crew_close(&c);
}

#endif
