/* SPDX-License-Identifier: MIT */
/*
 * job.h - a system call that may block, on the pool, in memory of its own.
 *
 *     struct open_job *j = mfi_job_new(sizeof *j + len, run, undo);
 *     ... fill it ...
 *     if ((rc = mfi_job_call(&j->job, deadline)) < 0)
 *         return rc;                   the job is gone, or will be
 *     rc = j->job.result; ... take what it holds ...
 *     mfi_job_free(&j->job);
 *
 * Whatever the call reads or writes lies in the job, never in the caller's
 * memory: so the caller leaves at its deadline at once, and the kernel still
 * has what it was given. Two references, the caller's and the pool's:
 *
 *     done in time     the pool's goes to the caller, who frees the job
 *     caller leaves    sets `left` and drops its own; the pool's end calls undo
 *
 * Reads of files that are not cached go to an io_uring instead (poll/cold.h),
 * where there is one: half the CPU of the pool, and no thread for each. The
 * same two references hold: the ring has the buffer until its completion has
 * come, so there too it is the job's, and nothing is cancelled in the kernel.
 *
 * Rejected: the ring for the rest. Open, stat, rename, fsync, and a write on
 * ext4, it gives to threads in the kernel, which cost what ours do. And for
 * what is cached, nearly all, RWF_NOWAIT on the spot needs neither.
 */
#ifndef MFI_IO_JOB_H
#define MFI_IO_JOB_H

#include <mayfly/base.h>

#include "base/atomic.h"

struct job {
    long (*run)(struct job *j);  /* on a pool thread; the result, or -errno */
    void (*undo)(struct job *j); /* the caller has left, perhaps before run */
    long result;                 /* < 0 until it has run */
    _Atomic uint32_t refs;
    _Atomic uint32_t left; /* nobody waits any more: end early if you can */
};

/* size bytes, of which a struct job is the first; not zeroed. NULL: no memory.
 */
void *mfi_job_new(size_t size, long (*run)(struct job *j),
                  void (*undo)(struct job *j));
void mfi_job_free(struct job *j);

/*
 * 0: it has run, j and its result are the caller's. -ETIMEDOUT, -ECANCELED,
 * -ENOMEM, -EAGAIN: j is gone, and undo has run or will.
 *
 * It runs right here where nobody could end the wait: in a plain thread without
 * a deadline and outside all scopes, or without a runtime.
 */
int mfi_job_call(struct job *j, mf_deadline deadline);

/* The same for what is no more than this read, which may go to the ring. */
struct cold_read;
int mfi_job_read(struct job *j, const struct cold_read *read,
                 mf_deadline deadline);

static inline bool mfi_job_left(struct job *j)
{
    return mfi_load_acq(&j->left) != 0;
}

#endif
