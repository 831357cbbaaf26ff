/* SPDX-License-Identifier: MIT */
/*
 * echo_uring.c - TCP echo on io_uring: the second reference.
 *
 * Each connection owns a buffer and has one operation in flight: recv, then
 * send of what came, then recv again. A pass of the loop takes every
 * completion there is, queues what follows from it, and enters the kernel once
 * to submit all of that and to wait. One multishot accept serves the listener.
 *
 *     recv done: send all of it      send done: rest, or recv again
 *
 * Tried, and not faster: recv that goes straight to waiting, without an
 * attempt (IORING_RECVSEND_POLL_FIRST; under load the next request is often
 * there by then), and send linked to the recv after it.
 *
 * The rings are mapped here, by hand: the kernel writes cq.tail and sq.head,
 * this thread cq.head and sq.tail; each side publishes with a release store.
 * Kernels without deferred task work get plainer rings, see ring_setup.
 */
#define _GNU_SOURCE
#include "ref.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SQ_ENTRIES = 1024, CQ_ENTRIES = 4096 };

struct ring {
    int fd;
    struct io_uring_sqe *sqes;
    uint32_t *sq_head;
    uint32_t *sq_tail;
    uint32_t sq_mask;
    uint32_t sq_next;      /* our tail, published by ring_enter */
    uint32_t sq_submitted; /* what the kernel has been told of */
    struct io_uring_cqe *cqes;
    uint32_t *cq_head;
    uint32_t *cq_tail;
    uint32_t cq_mask;
};

struct conn {
    int fd;
    int sending; /* which of the two operations is in flight */
    uint32_t len;
    uint32_t at; /* sent so far */
    char buffer[REF_BUFFER];
};

static int ring_setup(struct io_uring_params *p)
{
    static const uint32_t tries[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
            IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
        0,
    };

    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        int fd;

        memset(p, 0, sizeof(*p));
        p->flags = tries[i] | IORING_SETUP_CQSIZE;
        p->cq_entries = CQ_ENTRIES;
        fd = (int)syscall(SYS_io_uring_setup, SQ_ENTRIES, p);
        if (fd >= 0)
            return fd;
        if (errno != EINVAL)
            break;
    }
    ref_die("io_uring_setup");
}

static void *ring_map(int fd, size_t len, off_t what)
{
    void *at = mmap(NULL, len, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_POPULATE, fd, what);

    if (at == MAP_FAILED)
        ref_die("mmap");
    return at;
}

static void ring_open(struct ring *r)
{
    struct io_uring_params p;
    size_t sq_len;
    size_t cq_len;
    uint32_t *array;
    char *sq;
    char *cq;

    r->fd = ring_setup(&p);
    sq_len = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
    cq_len = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    sq = ring_map(r->fd, sq_len, IORING_OFF_SQ_RING);
    cq = ring_map(r->fd, cq_len, IORING_OFF_CQ_RING);
    r->sqes = ring_map(r->fd, p.sq_entries * sizeof(struct io_uring_sqe),
                       IORING_OFF_SQES);
    r->sq_head = (uint32_t *)(void *)(sq + p.sq_off.head);
    r->sq_tail = (uint32_t *)(void *)(sq + p.sq_off.tail);
    r->sq_mask = *(uint32_t *)(void *)(sq + p.sq_off.ring_mask);
    r->sq_next = *r->sq_tail;
    r->sq_submitted = r->sq_next;
    r->cqes = (struct io_uring_cqe *)(void *)(cq + p.cq_off.cqes);
    r->cq_head = (uint32_t *)(void *)(cq + p.cq_off.head);
    r->cq_tail = (uint32_t *)(void *)(cq + p.cq_off.tail);
    r->cq_mask = *(uint32_t *)(void *)(cq + p.cq_off.ring_mask);
    /* Entry i is always in slot i: the indirection is set once. */
    array = (uint32_t *)(void *)(sq + p.sq_off.array);
    for (uint32_t i = 0; i < p.sq_entries; i++)
        array[i] = i;
}

/* Submit what is queued and, with wait, sleep until something completes. */
static void ring_enter(struct ring *r, uint32_t wait)
{
    long done;

    __atomic_store_n(r->sq_tail, r->sq_next, __ATOMIC_RELEASE);
    done = syscall(SYS_io_uring_enter, r->fd, r->sq_next - r->sq_submitted,
                   wait, IORING_ENTER_GETEVENTS, NULL, 0);
    if (done >= 0)
        r->sq_submitted += (uint32_t)done;
    else if (errno != EINTR && errno != EAGAIN && errno != EBUSY)
        ref_die("io_uring_enter");
}

static struct io_uring_sqe *ring_sqe(struct ring *r)
{
    struct io_uring_sqe *e;

    while (r->sq_next - __atomic_load_n(r->sq_head, __ATOMIC_ACQUIRE) >
           r->sq_mask)
        ring_enter(r, 0);
    e = &r->sqes[r->sq_next++ & r->sq_mask];
    memset(e, 0, sizeof(*e));
    return e;
}

static void queue_accept(struct ring *r, int listener)
{
    struct io_uring_sqe *e = ring_sqe(r);

    e->opcode = IORING_OP_ACCEPT;
    e->fd = listener;
    e->accept_flags = SOCK_CLOEXEC;
    e->ioprio = IORING_ACCEPT_MULTISHOT;
    e->user_data = 0;
}

static void queue_recv(struct ring *r, struct conn *c)
{
    struct io_uring_sqe *e = ring_sqe(r);

    e->opcode = IORING_OP_RECV;
    e->fd = c->fd;
    e->addr = (uintptr_t)c->buffer;
    e->len = REF_BUFFER;
    e->user_data = (uintptr_t)c;
    c->sending = 0;
}

static void queue_send(struct ring *r, struct conn *c)
{
    struct io_uring_sqe *e = ring_sqe(r);

    e->opcode = IORING_OP_SEND;
    e->fd = c->fd;
    e->addr = (uintptr_t)(c->buffer + c->at);
    e->len = c->len - c->at;
    e->msg_flags = MSG_NOSIGNAL;
    e->user_data = (uintptr_t)c;
    c->sending = 1;
}

static void conn_open(struct ring *r, int fd)
{
    struct conn *c = malloc(sizeof(*c));

    if (!c)
        ref_die("malloc");
    c->fd = fd;
    queue_recv(r, c);
}

static void conn_step(struct ring *r, struct conn *c, int res)
{
    if (res == -EINTR || res == -EAGAIN)
        res = 0;
    else if (res < 0 || (res == 0 && !c->sending)) {
        close(c->fd);
        free(c);
        return;
    }
    if (!c->sending) {
        c->len = (uint32_t)res;
        c->at = 0;
    } else {
        c->at += (uint32_t)res;
    }
    if (c->at < c->len)
        queue_send(r, c);
    else
        queue_recv(r, c);
}

static void *serve(void *arg)
{
    int listener = *(int *)arg;
    struct ring ring;

    ring_open(&ring);
    queue_accept(&ring, listener);
    for (;;) {
        uint32_t head = *ring.cq_head;
        uint32_t tail;

        ring_enter(&ring, 1);
        tail = __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE);
        for (; head != tail; head++) {
            struct io_uring_cqe *e = &ring.cqes[head & ring.cq_mask];

            if (e->user_data != 0) {
                conn_step(&ring, (struct conn *)(uintptr_t)e->user_data,
                          e->res);
                continue;
            }
            if (e->res >= 0)
                conn_open(&ring, e->res);
            if (!(e->flags & IORING_CQE_F_MORE))
                queue_accept(&ring, listener);
        }
        __atomic_store_n(ring.cq_head, head, __ATOMIC_RELEASE);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct ref_options o = ref_options_read(argc, argv);

    ref_serve(&o, 0, serve);
    return 0;
}
