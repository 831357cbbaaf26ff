/* SPDX-License-Identifier: MIT */
/*
 * batch.h - receives and sends that are done many at a time.
 *
 * With io_uring, a task that waits for data leaves a batch_op with its waiter:
 * when the edge comes, the poller receives for it, together with all the others
 * of that poll, and wakes it with the result. A task that sends or receives
 * while others are ready to run queues that and parks; all that came together
 * is done before the worker polls. Everything is MSG_DONTWAIT and completes
 * within the one io_uring_enter, so
 *
 *   - a wait never lives in the ring: deadlines, cancel, close work on the
 *     waiter, as with epoll alone
 *   - a buffer is the kernel's only during that call; the op's parker has been
 *     claimed before it, so nothing else can end the wait meanwhile
 *   - whoever has no ring (epoll backend, a helper of a hog) can do the same
 *     list with plain system calls
 *
 * A list belongs to one thread; a worker's queue is under a lock, for the
 * helper.
 */
#ifndef MFI_POLL_BATCH_H
#define MFI_POLL_BATCH_H

#include <stddef.h>

#include "base/waiter.h"

struct uring;

struct batch_op {
    struct batch_op *next;
    struct parker *parker;   /* queued: armed hard; else claimed already */
    _Atomic uint32_t *ready; /* read into seen before the call */
    void *buf;
    size_t len;
    int fd;
    bool write;
    bool queued; /* by its own task, which parks for it */
    bool done;   /* result is valid */
    uint32_t seen;
    int result; /* bytes, or -errno; -EAGAIN too */
};

struct batch {
    struct batch_op *head;
    struct batch_op **tail;
    uint32_t n;
};

static inline void mfi_batch_init(struct batch *b)
{
    b->head = NULL;
    b->tail = &b->head;
    b->n = 0;
}

static inline void mfi_batch_add(struct batch *b, struct batch_op *op)
{
    op->next = NULL;
    *b->tail = op;
    b->tail = &op->next;
    b->n++;
}

/*
 * Do all of it, on the ring if there is one and it is worth it; done and result
 * are set, and b is empty after. The parkers go to `woken`, in order: ops may
 * be gone once these are ready.
 */
void mfi_batch_run(struct batch *b, struct uring *ring,
                   struct wake_list *woken);

#endif
