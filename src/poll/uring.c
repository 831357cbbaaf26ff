/* SPDX-License-Identifier: MIT */
/* uring.c - setting up, submitting, reaping. See uring.h. */
#include "poll/uring.h"

/* tidy: allow kernel-header, because the ring is what this file is */
#include <linux/io_uring.h>
#include <string.h>

#include "base/assert.h"
#include "os/io.h"
#include "os/map.h"

#ifndef IORING_SETUP_SINGLE_ISSUER /* Linux 6.0 */
# define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif

static int setup(struct io_uring_params *p)
{
    /* Completions come with the submit: no interrupts for them. */
    static const unsigned tries[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN |
            IORING_SETUP_SUBMIT_ALL,
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
    };
    int fd = -EINVAL;

    for (size_t i = 0; i < 2 && fd == -EINVAL; i++) {
        memset(p, 0, sizeof *p);
        p->flags = tries[i];
        fd = (int)mfi_sys2(SYS_io_uring_setup, URING_ENTRIES, p);
    }
    return fd == -EINVAL ? -ENOTSUP : mfi_os_high(fd);
}

static int map_ring(int fd, size_t len, uint64_t what, void **ret_base)
{
    return mfi_os_mmap(len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                       fd, (long)what, ret_base);
}

static int map_all(struct uring *r, const struct io_uring_params *p)
{
    size_t sq_len = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
    size_t cq_len =
        p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
    void *sqes;
    uint32_t *array;
    char *base;
    int rc;

    if ((p->features & IORING_FEAT_SINGLE_MMAP) == 0)
        return -ENOTSUP;
    r->rings_len = sq_len > cq_len ? sq_len : cq_len;
    if ((rc = map_ring(r->fd, r->rings_len, IORING_OFF_SQ_RING, &r->rings)) < 0)
        return rc;
    r->sqes_len = p->sq_entries * sizeof(struct io_uring_sqe);
    if ((rc = map_ring(r->fd, r->sqes_len, IORING_OFF_SQES, &sqes)) < 0)
        return rc;
    r->sqes = sqes;
    base = r->rings;
    r->sq_tail = (void *)(base + p->sq_off.tail);
    r->sq_mask = *(uint32_t *)(void *)(base + p->sq_off.ring_mask);
    array = (void *)(base + p->sq_off.array);
    for (uint32_t i = 0; i < p->sq_entries; i++)
        array[i] = i; /* slot i is entry i, for good */
    r->cq_head = (void *)(base + p->cq_off.head);
    r->cq_tail = (void *)(base + p->cq_off.tail);
    r->cq_mask = *(uint32_t *)(void *)(base + p->cq_off.ring_mask);
    r->cqes = (void *)(base + p->cq_off.cqes);
    return 0;
}

/* Saves the kernel a look-up of the ring's fd on each enter (Linux 5.18). */
static void register_fd(struct uring *r)
{
    struct io_uring_rsrc_update u = {.offset = UINT32_MAX,
                                     .data = (unsigned)r->fd};

    r->enter_fd = r->fd;
    if (mfi_sys4(SYS_io_uring_register, r->fd, IORING_REGISTER_RING_FDS, &u,
                 1) == 1) {
        r->enter_fd = (int)u.offset;
        r->enter_flags = IORING_ENTER_REGISTERED_RING;
    }
}

/* Two receives, of which one has data: both must come with the submit. */
static int try_it(struct uring *r)
{
    char byte = 'x', got[2] = {0, 0};
    struct batch_op ops[2] = {{.buf = &got[0], .len = 1},
                              {.buf = &got[1], .len = 1}};
    int pair[2], rc;

    rc = (int)mfi_sys4(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
                       pair);
    if (rc < 0)
        return rc;
    pair[0] = mfi_os_high(pair[0]);
    pair[1] = mfi_os_high(pair[1]);
    mfi_os_send(pair[0], &byte, 1, MSG_NOSIGNAL);
    ops[0].fd = pair[1];
    ops[1].fd = pair[0];
    mfi_uring_queue(r, &ops[0]);
    mfi_uring_queue(r, &ops[1]);
    rc = mfi_uring_submit(r, 2);
    if (rc > 0 || (rc == 0 && (ops[0].result != 1 || got[0] != 'x' ||
                               ops[1].result != -EAGAIN)))
        rc = -ENOTSUP;
    mfi_os_close(pair[0]);
    mfi_os_close(pair[1]);
    return rc;
}

int mfi_uring_init(struct uring *r)
{
    struct io_uring_params p;
    int rc;

    *r = (struct uring){.fd = setup(&p)};
    if (r->fd < 0)
        return r->fd;
    if ((rc = map_all(r, &p)) == 0) {
        register_fd(r);
        rc = try_it(r);
    }
    if (rc < 0)
        mfi_uring_done(r);
    return rc;
}

int mfi_uring_open(struct uring *r)
{
    struct io_uring_params p;
    int rc;

    memset(&p, 0, sizeof p);
    *r = (struct uring){
        .fd = (int)mfi_sys2(SYS_io_uring_setup, URING_ENTRIES, &p)};
    if (r->fd < 0)
        return r->fd;
    if ((rc = map_all(r, &p)) < 0)
        mfi_uring_done(r);
    return rc;
}

void mfi_uring_done(struct uring *r)
{
    if (r->sqes != NULL)
        mfi_unmap(r->sqes, r->sqes_len);
    if (r->rings != NULL)
        mfi_unmap(r->rings, r->rings_len);
    if (r->fd >= 0)
        mfi_os_close(r->fd);
    *r = (struct uring){.fd = -1};
}

void mfi_uring_queue(struct uring *r, struct batch_op *op)
{
    struct io_uring_sqe *sqe = &r->sqes[r->tail++ & r->sq_mask];

    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = op->write ? IORING_OP_SEND : IORING_OP_RECV;
    sqe->fd = op->fd;
    sqe->addr = (uintptr_t)op->buf;
    sqe->len = (uint32_t)op->len;
    sqe->msg_flags = MSG_DONTWAIT | (op->write ? MSG_NOSIGNAL : 0);
    sqe->user_data = (uintptr_t)op;
}

/* Take what has completed; returns how many. */
static uint32_t reap(struct uring *r)
{
    uint32_t head = mfi_load_rlx(r->cq_head), n = 0;
    uint32_t tail = mfi_load_acq(r->cq_tail); /* the entries before it */

    for (; head != tail; head++, n++) {
        const struct io_uring_cqe *cqe = &r->cqes[head & r->cq_mask];
        struct batch_op *op = (void *)(uintptr_t)cqe->user_data;

        op->result = cqe->res;
    }
    mfi_store_rel(r->cq_head, head); /* the kernel may reuse them */
    return n;
}

/* The last n that were queued, the kernel does not know of. */
static void take_back(struct uring *r, uint32_t n)
{
    r->tail -= n;
    mfi_store_rel(r->sq_tail, r->tail);
}

/*
 * What the kernel took, it has done or is about to: nothing of it waits. So
 * where it takes no more, only the rest is taken back, and what it has told of
 * is waited for: a buffer must not stay with it.
 */
int mfi_uring_submit(struct uring *r, uint32_t n)
{
    enum { TRIES = 16 };
    uint32_t told = 0, got = 0, left = 0;
    int failed = 0;

    mfi_store_rel(r->sq_tail, r->tail); /* the entries before it */
    do {
        long rc = mfi_sys6(
            SYS_io_uring_enter, r->enter_fd, MFI_L(n - told),
            told == n ? MFI_L(n - got) : 0,
            (told == n ? IORING_ENTER_GETEVENTS : 0) | r->enter_flags, 0, 0);

        if (rc > 0)
            told += (uint32_t)rc;
        got += reap(r);
        if (rc >= 0 || ((rc == -EINTR || rc == -EAGAIN) && ++failed < TRIES))
            continue;
        if (told < n) {
            left = n - told;
            take_back(r, left);
            n = told;
            failed = 0;
            if (told == 0)
                return (int)rc;
        } else {
            /* Half a batch would leave the kernel with our buffers. */
            mfi_assert(got == n || ++failed < 1000000);
        }
    } while (got < n);
    return (int)left;
}
