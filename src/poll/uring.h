/* SPDX-License-Identifier: MIT */
/*
 * uring.h - an io_uring that is empty again after every call.
 *
 * Its owner queues up to URING_ENTRIES operations that cannot wait (all are
 * MSG_DONTWAIT), submits them and takes their completions in one system call.
 * So it needs neither polling nor cancelling, and its closing waits for nobody.
 * The rings are mapped by hand: with what is used here, a library would save
 * nothing but the barriers below, which are two.
 *
 * Source: io_uring_setup(2), io_uring_enter(2); Axboe, "Efficient IO with
 * io_uring", 2019.
 */
#ifndef MFI_POLL_URING_H
#define MFI_POLL_URING_H

#include <stddef.h>
#include <stdint.h>

#include "poll/batch.h"

struct io_uring_sqe;
struct io_uring_cqe;

enum { URING_ENTRIES = 128 };

struct uring {
    int fd;
    int enter_fd;         /* fd, or the index it is registered under */
    unsigned enter_flags; /* says which */
    void *rings;          /* both, one mapping */
    size_t rings_len;
    struct io_uring_sqe *sqes;
    size_t sqes_len;
    _Atomic uint32_t *sq_tail;
    uint32_t sq_mask;
    uint32_t tail; /* ours, published by submit */
    struct io_uring_cqe *cqes;
    _Atomic uint32_t *cq_head;
    _Atomic uint32_t *cq_tail;
    uint32_t cq_mask;
};

/*
 * Set one up for the calling thread. Returns 0, or why not: -ENOSYS, -EPERM
 * (denied: containers, sysctl kernel.io_uring_disabled), -ENOMEM, -EMFILE,
 * -ENOTSUP (the kernel is too old: before 5.19, or its completions do not come
 * with the submit). The last is found out by doing it.
 */
int mfi_uring_init(struct uring *r);
void mfi_uring_done(struct uring *r);

/* One for any thread and for operations that wait; see cold.h. */
int mfi_uring_open(struct uring *r);

/* Queue op; user data is op itself. At most URING_ENTRIES before a submit. */
void mfi_uring_queue(struct uring *r, struct batch_op *op);

/*
 * Submit the n queued operations and store their results in the ops. 0; > 0 so
 * many of the last were not taken and have no result; or the error of a ring
 * that took nothing at all.
 */
int mfi_uring_submit(struct uring *r, uint32_t n);

#endif
