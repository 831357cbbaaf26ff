/* SPDX-License-Identifier: MIT */
/*
 * arms.h - what the tests of queues share: arms that say who and where they
 * are, and what the opener expects of a poll.
 *
 * The shared data of the bottom halves has no lock: that TSan is silent about
 * it, with two workers, is the proof that they never overlap.
 */
#ifndef MFI_TESTS_SYNC_ARMS_H
#define MFI_TESTS_SYNC_ARMS_H

#include <mayfly/cqueue.h>
#include <mayfly/sync.h>

#include "io/kit.h"
#include "mem/slab.h"

/* The same in a task, in a thread; and no record is left in the first. */
KIT void everywhere(mf_fn *fn)
{
    in_tasks(1, fn, NULL);
    EXPECT_EQ(mfi_slabs_live(), 0);
    in_tasks(2, fn, NULL);
    EXPECT_EQ(mfi_slabs_live(), 0);
    in_thread(fn, NULL);
}

/* What a test and its arms share. */
struct board {
    mf_event go;
    mf_task *_Atomic task[8];
    mf_arm *arm[8];
    int order[64]; /* bottom halves only */
    int n;
    int inside;
    _Atomic int cleaned;
    mf_cqueue *q;
};

struct job {
    struct board *b;
    int id;
};

KIT void bottom(struct board *b, int id)
{
    EXPECT_EQ(b->inside++, 0);
    b->order[b->n++ % 64] = id;
    b->inside--;
}

KIT void register_task(struct job *j)
{
    mfi_store_rel(&j->b->task[j->id], mf_self());
}

KIT void await_arm(struct board *b, int id)
{
    while (mfi_load_acq(&b->task[id]) == NULL)
        breathe();
    await_parked(mfi_load_acq(&b->task[id]));
}

/* One event, at once. Its token and its result are its id. */
KIT int sends_once(mf_arm *self, void *arg)
{
    struct job *j = arg;
    int rc;

    register_task(j);
    if ((rc = mf_arm_send(self, 10 * j->id)) < 0)
        return rc;
    bottom(j->b, j->id);
    return j->id;
}

KIT void add(struct board *b, mf_cqueue *q, mf_arm_fn *fn, struct job *j,
             int id)
{
    *j = (struct job){b, id};
    EXPECT_EQ(mf_cqueue_add(q, (uint64_t)id, fn, j, &b->arm[id]), 0);
}

KIT void expect_sent(mf_cqueue *q, int id)
{
    mf_cevent ev = {.token = 99};

    EXPECT_EQ(mf_cqueue_poll(q, &ev, late()), 1);
    EXPECT_EQ(ev.token, id);
    EXPECT_EQ(ev.ended, 0);
    EXPECT_EQ(ev.extra, 10 * id);
    EXPECT_EQ(ev.result, 0);
}

KIT void expect_end(mf_cqueue *q, int id, int result)
{
    mf_cevent ev = {.token = 99};

    EXPECT_EQ(mf_cqueue_poll(q, &ev, late()), 1);
    EXPECT_EQ(ev.token, id);
    EXPECT_EQ(ev.ended, 1);
    EXPECT_EQ(ev.extra, 0);
    EXPECT_EQ(ev.result, result);
}

KIT int waits_to_go(mf_arm *self, void *arg)
{
    struct job *j = arg;
    int rc;

    register_task(j);
    if ((rc = mf_event_wait(&j->b->go, MF_NEVER)) < 0)
        return rc;
    return sends_once(self, arg);
}

KIT int is_refused(mf_arm *self, void *arg)
{
    struct job *j = arg;

    register_task(j);
    EXPECT_EQ(mf_arm_send(self, 0), -ECANCELED);
    EXPECT_EQ(mf_arm_send(self, 0), -ECANCELED);
    mfi_add_acqrel(&j->b->cleaned, 1);
    return 0;
}

#endif
