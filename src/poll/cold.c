/* SPDX-License-Identifier: MIT */
/* cold.c - the ring of cold.h: what is shared is under `lock`. */
#include "poll/cold.h"

/* tidy: allow kernel-header, because the ring is what this file is */
#include <linux/io_uring.h>
#include <string.h>

#include "os/io.h"
#include "os/spin.h"
#include "poll/poller.h"
#include "poll/uring.h"

enum { REAP = 32 };

static struct spin lock;
static struct uring ring; /* under lock; rings != NULL: it is there */
static int broken;        /* why there will be none, or 0 */
static uint32_t under_way;

static int open_locked(struct poller *home)
{
    int rc;

    if (ring.rings != NULL || broken < 0)
        return broken;
    if ((rc = mfi_uring_open(&ring)) == 0 &&
        (rc = mfi_poller_add_ring(home, ring.fd)) < 0)
        mfi_uring_done(&ring);
    if (rc < 0)
        broken = rc;
    return rc;
}

static int start_locked(struct cold_read *r)
{
    struct io_uring_sqe *sqe = &ring.sqes[ring.tail & ring.sq_mask];
    long rc;

    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = IORING_OP_READ;
    sqe->fd = r->fd;
    sqe->addr = (uintptr_t)r->buf;
    sqe->len = (uint32_t)r->len;
    sqe->off = (uint64_t)r->offset;
    sqe->user_data = (uintptr_t)r;
    mfi_store_rel(ring.sq_tail, ++ring.tail); /* the entry before it */
    do
        rc = mfi_sys6(SYS_io_uring_enter, ring.fd, 1, 0, 0, 0, 0);
    while (rc == -EINTR);
    if (rc == 1) {
        under_way++;
        return 0;
    }
    mfi_store_rel(ring.sq_tail, --ring.tail); /* it took nothing */
    return rc < 0 ? (int)rc : -EBUSY;
}

int mfi_cold_start(struct cold_read *r, struct poller *home)
{
    int rc;

    mfi_spin_lock(&lock);
    rc = under_way < URING_ENTRIES ? open_locked(home) : -EBUSY;
    if (rc == 0)
        rc = start_locked(r);
    mfi_spin_unlock(&lock);
    return rc;
}

struct completed {
    struct cold_read *read;
    int result;
};

static int take_locked(struct completed *to)
{
    uint32_t head, tail;
    int n = 0;

    if (ring.rings == NULL)
        return 0;
    head = mfi_load_rlx(ring.cq_head);
    tail = mfi_load_acq(ring.cq_tail); /* the entries before it */
    for (; head != tail && n < REAP; head++, n++) {
        const struct io_uring_cqe *cqe = &ring.cqes[head & ring.cq_mask];

        to[n].read = (void *)(uintptr_t)cqe->user_data;
        to[n].result = cqe->res;
    }
    mfi_store_rel(ring.cq_head, head); /* the kernel may reuse them */
    under_way -= (uint32_t)n;
    return n;
}

void mfi_cold_reap(struct wake_list *woken)
{
    struct completed got[REAP];
    int n;

    do {
        mfi_spin_lock(&lock);
        n = take_locked(got);
        mfi_spin_unlock(&lock);
        for (int i = 0; i < n; i++)
            got[i].read->done(got[i].read, got[i].result, woken);
    } while (n == REAP);
}

void mfi_cold_done(void)
{
    mfi_assert(under_way == 0);
    if (ring.rings != NULL)
        mfi_uring_done(&ring);
    broken = 0;
}
