/* SPDX-License-Identifier: MIT */
/*
 * offload.h - threads for what would block a worker.
 *
 * Threads are made when a job finds none idle, up to offload_threads, and stay
 * until the stop; idle ones sleep on a futex. A job owns its copy of the data,
 * so its caller may leave at any time; of caller and thread, whoever comes
 * second frees the job:
 *
 *     WAITED --thread: done--> DONE --caller takes it-->  freed
 *        |
 *        +--caller leaves--> LEFT --thread: done, drop--> freed
 */
#ifndef MFI_SCHED_OFFLOAD_H
#define MFI_SCHED_OFFLOAD_H

#include <mayfly/block.h>

#include "base/time.h"
#include "poll/cold.h"

enum { OFFLOAD_MAX = 4096 }; /* threads, whatever the options say */

/*
 * Threads of a layer above that work beside the pool: they count, are waited
 * for and ended with it. That layer sets this before main, if it is linked.
 */
struct beside {
    bool (*busy)(int *ret_threads);
    int (*drain)(mf_deadline deadline);
    void (*done)(void);
};
extern const struct beside *mfi_beside;

/* Wait until no job runs or waits, `deadline` at most: 0 or -ETIMEDOUT. */
int mfi_offload_drain(mf_deadline deadline);

/* Is a function queued or running? And how many threads there are. */
bool mfi_offload_busy(int *ret_threads);

/* End the threads. No job is left. */
void mfi_offload_done(void);

/*
 * As mf_block, but what fn would do is a read of a file that is not cached: on
 * a worker it goes to the ring where there is one (poll/cold.h), and instead of
 * fn(data) whoever polls calls took(data, result). read has fd, buf, len and
 * offset; buf lives until drop, or the return.
 */
int mfi_block_read(mf_fn *fn, void (*took)(void *data, int result), void *data,
                   size_t len, void (*drop)(void *data), mf_deadline deadline,
                   const struct cold_read *read);

/*
 * fn(arg) on the pool, arg as it is; waits for it whatever happens, so arg may
 * be on the caller's stack. Returns fn's result, -ENOMEM, -EAGAIN. Suspends.
 * Not a cancel point: for system calls the kernel cannot take back.
 */
int mfi_offload_call(mf_fn *fn, void *arg);

#endif
