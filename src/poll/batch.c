/* SPDX-License-Identifier: MIT */
/* batch.c - a list of receives and sends, done. See batch.h. */
#include "poll/batch.h"

#include "os/io.h"
#include "poll/uring.h"

enum { WORTH_A_RING = 2 }; /* one alone: a system call of its own is cheaper */

static void plain(struct batch_op *op)
{
    long n = op->write ? mfi_os_send(op->fd, op->buf, op->len,
                                     MSG_DONTWAIT | MSG_NOSIGNAL)
                       : mfi_os_recv(op->fd, op->buf, op->len, MSG_DONTWAIT);

    op->result = (int)n; /* of -EINTR its task makes the best */
}

/* Up to URING_ENTRIES from op on; returns the first that is left. */
static struct batch_op *one_enter(struct uring *ring, struct batch_op *op)
{
    struct batch_op *first = op;
    uint32_t n = 0, done;
    int rc;

    for (; op != NULL && n < URING_ENTRIES; op = op->next, n++)
        mfi_uring_queue(ring, op);
    rc = mfi_uring_submit(ring, n);
    done = rc < 0 ? 0 : n - (uint32_t)rc;
    for (; first != op; first = first->next) {
        if (done == 0)
            plain(first); /* the ring would not take it */
        else
            done--;
    }
    return op;
}

void mfi_batch_run(struct batch *b, struct uring *ring, struct wake_list *woken)
{
    struct batch_op *op, *next;

    for (op = b->head; op != NULL; op = op->next)
        op->seen = mfi_load_acq(op->ready);
    if (ring != NULL && b->n >= WORTH_A_RING) {
        for (op = b->head; op != NULL;)
            op = one_enter(ring, op);
    } else {
        for (op = b->head; op != NULL; op = op->next)
            plain(op);
    }
    for (op = b->head; op != NULL; op = next) {
        next = op->next;
        op->done = true;
        if (op->queued) /* its task may still be on its way out */
            mfi_parker_wake(op->parker, WOKEN_READY, woken);
        else
            mfi_wake_list_add(woken, op->parker);
    }
    mfi_batch_init(b);
}
