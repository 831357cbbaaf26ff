/* SPDX-License-Identifier: MIT */
/* job.c - who frees a job: see job.h. */
#include "io/job.h"

#include <errno.h>
#include <stdlib.h>

#include "sched/cancel.h"
#include "sched/offload.h"
#include "sched/worker.h"

void *mfi_job_new(size_t size, long (*run)(struct job *j),
                  void (*undo)(struct job *j))
{
    /* tidy: allow malloc, because jobs have any size */
    struct job *j = malloc(size);

    if (j != NULL) {
        *j = (struct job){.run = run, .undo = undo, .result = -ECANCELED};
        mfi_store_rlx(&j->refs, 2u);
    }
    return j;
}

void mfi_job_free(struct job *j)
{
    free(j); /* tidy: allow malloc, because jobs have any size */
}

/* acq_rel: what the other side did to the job comes before the free. */
static void unref(struct job *j)
{
    if (mfi_sub_acqrel(&j->refs, 1u) == 1)
        mfi_job_free(j);
}

static void undo(struct job *j)
{
    if (j->undo != NULL)
        j->undo(j);
}

static int run(void *arg)
{
    struct job *j = *(struct job **)arg;

    /* A result of its own: mf_block's says whether the caller still waits. */
    j->result = j->run(j);
    return 0;
}

static void drop(void *arg)
{
    struct job *j = *(struct job **)arg;

    undo(j);
    unref(j);
}

/*
 * A plain thread whose wait nobody can end may as well block. Of the pool's own
 * threads it must: were all of them waiting for another job, none would run.
 */
static bool may_block(mf_deadline deadline)
{
    struct agent *a = mfi_agent();

    return mfi_worker() == NULL &&
           (mfi_load_acq(&mfi_sched.up) == 0 ||
            (deadline.at == 0 && a != NULL && a->inner == NULL));
}

static void took(void *arg, int result)
{
    struct job *j = *(struct job **)arg;

    j->result = result;
}

int mfi_job_call(struct job *j, mf_deadline deadline)
{
    return mfi_job_read(j, NULL, deadline);
}

int mfi_job_read(struct job *j, const struct cold_read *read,
                 mf_deadline deadline)
{
    const size_t len = sizeof(void *); /* what the call copies: j itself */
    int rc = may_block(deadline)
                 ? run(&j)
                 : mfi_block_read(run, read != NULL ? took : NULL, &j, len,
                                  drop, deadline, read);

    if (rc == 0)
        return 0;
    if (rc == -ETIMEDOUT || rc == -ECANCELED) {
        mfi_store_rel(&j->left, 1u);
        unref(j);
        return rc;
    }
    undo(j); /* it was not accepted */
    mfi_job_free(j);
    return rc;
}
