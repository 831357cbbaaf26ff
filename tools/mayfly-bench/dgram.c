/* SPDX-License-Identifier: MIT */
/*
 * dgram.c - request and answer by datagrams, which may be lost, come late, come
 * twice or in another order.
 *
 *     | connection 8 | number of the request 8 | pattern ... |
 *
 * A connection has one request on its way at a time. When its answer does not
 * come within the timeout it is given up for lost and the next one goes out;
 * the connection lives on. Whatever comes is looked at:
 *
 *   - of another connection or length, of a number not sent yet, or with bytes
 *     that this request does not have: wrong bytes, which ends the connection
 *   - the answer that is waited for: right
 *   - an answer given up before: late, and no longer lost; if one to a later
 *     request was there before it, reordered too
 *   - an answer that was there already: a duplicate
 *
 * What was answered is kept for the last 1024 requests; what is older counts as
 * late. What comes after the last answer of the run is not seen any more.
 */
#include <errno.h>
#include <string.h>

#include "load.h"
#include "pattern.h"

static uint64_t *word_of(struct conn *c, uint64_t n)
{
    return &c->answered[n / 64 % DGRAM_WORDS];
}

static void put_answered(struct conn *c, uint64_t n, int is)
{
    uint64_t bit = UINT64_C(1) << n % 64;

    if (is)
        *word_of(c, n) |= bit;
    else
        *word_of(c, n) &= ~bit;
}

static int is_answered(struct conn *c, uint64_t n)
{
    return (*word_of(c, n) >> n % 64 & 1) != 0;
}

void dgram_prepare(struct conn *c, uint64_t n)
{
    const struct load_options *o = &c->load->opts;
    uint64_t head[2] = {c->rank, n};

    memcpy(c->out, head, sizeof head);
    pattern_fill(pattern_start((uint64_t)o->seed, c->rank, n),
                 c->out + DGRAM_HEAD, (size_t)o->len - DGRAM_HEAD);
    put_answered(c, n, 0);
}

/* A datagram of len bytes while n is waited for: enum ask, or ASK_AGAIN. */
static int look(struct conn *c, uint64_t n, int len)
{
    const struct load_options *o = &c->load->opts;
    uint64_t head[2];

    if (len != o->len)
        return ASK_WRONG;
    memcpy(head, c->in, sizeof head);
    if (head[0] != c->rank || head[1] > n ||
        !pattern_is(pattern_start((uint64_t)o->seed, c->rank, head[1]),
                    c->in + DGRAM_HEAD, (size_t)o->len - DGRAM_HEAD))
        return ASK_WRONG;
    if (head[1] == n) {
        put_answered(c, n, 1);
        c->highest = n;
        return ASK_RIGHT;
    }
    if (n - head[1] < DGRAM_KEPT) {
        if (is_answered(c, head[1])) {
            c->duplicates++;
            return ASK_AGAIN;
        }
        put_answered(c, head[1], 1);
    }
    c->late++;
    if (head[1] < c->highest)
        c->reordered++;
    else
        c->highest = head[1];
    return ASK_AGAIN;
}

int dgram_ask(struct conn *c, uint64_t n, mf_ns sent)
{
    const struct load_options *o = &c->load->opts;
    mf_deadline deadline = mf_at(sent + o->timeout);
    int rc = mf_write(c->fd, c->out, (size_t)o->len, deadline);

    while (rc >= 0) {
        /* One byte more than an answer has: a longer one is seen. */
        rc = mf_read(c->fd, c->in, (size_t)o->len + 1, deadline);
        if (rc < 0)
            break;
        c->last = mf_now();
        rc = look(c, n, rc);
        if (rc != ASK_AGAIN)
            return rc;
    }
    if (rc != -ETIMEDOUT)
        return rc;
    c->timeouts++;
    return ASK_LOST;
}
