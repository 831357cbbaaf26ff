/* SPDX-License-Identifier: MIT */
/*
 * dgrams.c - many datagrams in one system call, and segmented ones.
 *
 * The kernel wants an array of headers; it is built on the stack, CHUNK at a
 * time, in a function that has returned before anybody waits. With 16 to a call
 * the call is a hundredth of what its datagrams cost, and a longer array would
 * be built in vain whenever few have come.
 *
 * Receiving. Fewer than asked for means that the queue was empty, or that the
 * kernel put an error aside for the next call: no edge would tell of that one
 * if it were cleared away with the readiness. A socket of kind FD_UDP is not
 * connected, so it has no errors to put aside, and a short chunk clears its
 * readiness: an idle server makes no call in vain. For the same reason only
 * such a socket is asked for a second chunk: an error then would be lost behind
 * the datagrams that are already there. (connect(2) behind our back makes the
 * first of these race once: then the first error edge sets FD_HUP for good.)
 *
 * Sending. A message with segments is a row of pieces, and a place in the row
 * is all there is to the state of a call:
 *
 *     message 0          1                       2
 *     [ piece ]  [ piece ][ piece ][ rest ]  [ piece ] ...
 *                            ^ i = 1, off
 *
 * A piece is as many segments as UDP_SEGMENT takes, or, where it is not to be
 * had or the way out refuses it (-EIO: no checksums in the device; -EINVAL,
 * -EMSGSIZE: a segment larger than its MTU), one segment. What does not go out
 * either way is an error of the message.
 */
#include <netinet/in.h>
#include <netinet/udp.h>

#include <mayfly/udp.h>

#include "io/op.h"
#include "net/segment.h"
#include "os/io.h"

enum { CHUNK = 16, CONTROL = CMSG_SPACE(sizeof(int)) };

union control {
    struct cmsghdr head;
    char room[CONTROL];
};

/* ---- receive ------------------------------------------------------------ */

/* The size of the segments the kernel has joined, or 0. */
static uint32_t joined(const struct msghdr *h)
{
    const struct cmsghdr *c = h->msg_control;

    if (h->msg_controllen < CMSG_LEN(sizeof(int)) || c->cmsg_level != SOL_UDP ||
        c->cmsg_type != UDP_GRO)
        return 0;
    return (uint32_t) * (const int *)(const void *)CMSG_DATA(c);
}

static void filled(mf_dgram *m, const struct mmsghdr *h)
{
    m->len = h->msg_len;
    m->segment = joined(&h->msg_hdr);
    m->rc = (h->msg_hdr.msg_flags & MSG_TRUNC) != 0 ? -EMSGSIZE : 0;
    if (m->addr != NULL)
        m->addr->len = h->msg_hdr.msg_namelen;
}

/* One call for n <= CHUNK messages. */
static __attribute__((__noinline__)) long recv_chunk(int fd, mf_dgram *msgs,
                                                     unsigned n)
{
    struct mmsghdr h[CHUNK];
    struct iovec iov[CHUNK];
    union control control[CHUNK];
    long got;

    for (unsigned i = 0; i < n; i++) {
        mf_addr *a = msgs[i].addr;

        iov[i] = (struct iovec){msgs[i].buf, msgs[i].size};
        h[i].msg_hdr = (struct msghdr){
            .msg_name = a != NULL ? &a->ss : NULL,
            .msg_namelen = a != NULL ? (socklen_t)sizeof a->ss : 0,
            .msg_iov = &iov[i],
            .msg_iovlen = 1,
            .msg_control = &control[i],
            .msg_controllen = sizeof control[i],
        };
    }
    got = mfi_os_recvmmsg(fd, h, n, MSG_DONTWAIT);
    for (long i = 0; i < got; i++)
        filled(&msgs[i], &h[i]);
    return got;
}

/* What is there, chunk by chunk; at least one, or -EAGAIN, or an error. */
static long recv_some(struct op *op, mf_dgram *msgs, int n)
{
    bool plain = op->rec->kind == FD_UDP;
    int sum = 0;

    do {
        unsigned want = n - sum < CHUNK ? (unsigned)(n - sum) : CHUNK;
        long got =
            mfi_op_due(op) ? recv_chunk(op->fd, msgs + sum, want) : -EAGAIN;

        if (got > 0)
            sum += (int)got;
        else if (sum == 0)
            return got;
        if (got != (long)want) {
            if (plain && (got > 0 || got == -EAGAIN) &&
                (op->seen & FD_HUP) == 0)
                mfi_fd_drained(op->rec, op->seen, FD_IN);
            break;
        }
    } while (plain && sum < n);
    return sum;
}

int mf_recvmsgs(int fd, mf_dgram *msgs, int n, mf_deadline deadline)
{
    struct op op;
    int rc;

    if (msgs == NULL || n < 1)
        return -EINVAL;
    if ((rc = mfi_op_begin(&op, fd, FD_IN, deadline)) < 0)
        return rc;
    do
        rc = mfi_op_again(&op, recv_some(&op, msgs, n), false);
    while (rc == MFI_OP_AGAIN);
    return mfi_op_end(&op, rc);
}

/* ---- send --------------------------------------------------------------- */

struct row { /* of pieces: where we are */
    const mf_dgram *msgs;
    int i;
    int n;
    uint32_t off; /* sent of msgs[i] */
    bool can;     /* several segments in one piece */
};

static bool has_segments(const mf_dgram *m)
{
    return m->segment > 0 && m->segment < m->len;
}

/* The length of the piece that begins at off of m. */
static uint32_t piece_len(const struct row *r, const mf_dgram *m, uint32_t off)
{
    uint32_t left = m->len - off, most = m->segment, several;

    if (!has_segments(m))
        return left;
    if (r->can && most <= SEGMENTED_BYTES / 2) {
        several = SEGMENTED_BYTES / most;
        most *= several < SEGMENTS_MAX ? several : SEGMENTS_MAX;
    }
    return left < most ? left : most;
}

/* Past the piece at (i, off). */
static void step(const struct row *r, int *i, uint32_t *off)
{
    *off += piece_len(r, &r->msgs[*i], *off);
    if (*off >= r->msgs[*i].len) {
        ++*i;
        *off = 0;
    }
}

static void say_segment(struct msghdr *h, union control *c, uint32_t segment)
{
    c->head.cmsg_level = SOL_UDP;
    c->head.cmsg_type = UDP_SEGMENT;
    c->head.cmsg_len = CMSG_LEN(sizeof(uint16_t));
    *(uint16_t *)(void *)CMSG_DATA(&c->head) = (uint16_t)segment;
    h->msg_control = c;
    h->msg_controllen = CMSG_SPACE(sizeof(uint16_t));
}

/* Send up to CHUNK pieces from where r is; r moves on by what went. */
static __attribute__((__noinline__)) long send_chunk(int fd, struct row *r)
{
    struct mmsghdr h[CHUNK];
    struct iovec iov[CHUNK];
    union control control[CHUNK];
    uint32_t off = r->off;
    unsigned k = 0;
    long sent;

    for (int i = r->i; i < r->n && k < CHUNK; k++) {
        const mf_dgram *m = &r->msgs[i];
        uint32_t len = piece_len(r, m, off);

        iov[k] = (struct iovec){(char *)m->buf + off, len};
        h[k].msg_hdr = (struct msghdr){
            .msg_name = m->addr != NULL ? &m->addr->ss : NULL,
            .msg_namelen = m->addr != NULL ? m->addr->len : 0,
            .msg_iov = &iov[k],
            .msg_iovlen = 1,
        };
        if (has_segments(m) && len > m->segment)
            say_segment(&h[k].msg_hdr, &control[k], m->segment);
        step(r, &i, &off);
    }
    sent = mfi_os_sendmmsg(fd, h, k, MSG_DONTWAIT | MSG_NOSIGNAL);
    for (long i = 0; i < sent; i++)
        step(r, &r->i, &r->off);
    return sent;
}

/* The piece that was refused had several segments: may one by one go? */
static bool try_singly(struct row *r, long rc)
{
    const mf_dgram *m = &r->msgs[r->i];

    if ((rc != -EIO && rc != -EINVAL && rc != -EMSGSIZE && rc != -EOPNOTSUPP) ||
        !r->can || !has_segments(m) || piece_len(r, m, r->off) <= m->segment)
        return false;
    r->can = false;
    return true;
}

/* What goes without waiting: how many messages, or why not even one. */
static long send_some(struct op *op, struct row *r)
{
    while (r->i < r->n) {
        long sent = mfi_op_due(op) ? send_chunk(op->fd, r) : -EAGAIN;

        if (sent > 0 || (sent < 0 && try_singly(r, sent)))
            continue;
        if (r->i == 0)
            return sent;
        if (sent == -EAGAIN && (op->seen & op->flag) != 0)
            mfi_fd_drained(op->rec, op->seen, op->flag);
        break;
    }
    return r->i;
}

int mf_sendmsgs(int fd, const mf_dgram *msgs, int n, mf_deadline deadline)
{
    struct row r = {.msgs = msgs, .n = n};
    struct op op;
    int rc;

    if (msgs == NULL || n < 1)
        return -EINVAL;
    if ((rc = mfi_op_begin(&op, fd, FD_OUT, deadline)) < 0)
        return rc;
    for (int i = 0; i < n; i++) {
        if (has_segments(&msgs[i])) {
            r.can = mfi_segment_can(fd, op.rec);
            break;
        }
    }
    do
        rc = mfi_op_again(&op, send_some(&op, &r), false);
    while (rc == MFI_OP_AGAIN);
    return mfi_op_end(&op, rc);
}
