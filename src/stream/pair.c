/* SPDX-License-Identifier: MIT */
/*
 * pair.c - a pipe in memory: two rings, one each way, and who sleeps at them.
 *
 *     A writes --> [ way 0: got ... put ] --> B reads
 *     A reads  <-- [ way 1: got ... put ] <-- B writes
 *
 * One reads and one writes on each end at a time (the gates see to it), so a
 * ring has one who moves `put` and one who moves `got`; both only grow. Bytes
 * are copied with no lock held. The lock is for those who sleep.
 *
 * Races
 *   move and sleep   the mover stores its counter and then looks at `asleep`;
 *                    the sleeper, under the lock, sets `asleep` and then looks
 *                    at the counters; all sequentially consistent (Dekker), so
 *                    one of them sees the other
 *   the end          ENDED is set after the last byte, and read before `put`:
 *                    who sees it sees all there will be
 *   freeing          each end has a reference; who wakes does so from a call on
 *                    its own end, so the pipe is there until it has left
 * A waker wakes all who sleep for what came: a reader and those in a wait. None
 * is handed anything; each looks again. So who gives up has consumed nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "os/event.h"
#include "stream/stream.h"

enum { ENDED = 1, GONE = 2, RESET = 4 }; /* of a way: no writer; no reader */

struct way {
    char *ring;
    _Atomic size_t put; /* the writer's: bytes that ever came in */
    size_t put_at;      /* where the next one goes */
    _Atomic size_t got; /* the reader's */
    size_t got_at;
    _Atomic uint32_t state;
    _Atomic uint32_t asleep; /* POLLIN, POLLOUT: somebody is in that queue */
    struct waitq in;         /* for bytes */
    struct waitq out;        /* for room */
};

struct pipe;
struct end {
    struct pipe *pipe;
    struct way *from; /* what it reads */
    struct way *to;
};

struct pipe {
    struct spin lock;
    _Atomic uint32_t refs;
    size_t cap;
    struct way ways[2];
    struct end ends[2];
    char rings[];
};

/* ---- sleeping and waking ------------------------------------------------- */

static short ready(struct end *e, short events)
{
    size_t there = mfi_load_sc(&e->from->put) - mfi_load_rlx(&e->from->got);
    size_t taken = mfi_load_rlx(&e->to->put) - mfi_load_sc(&e->to->got);
    short now = 0;

    if (there > 0 || (mfi_load_acq(&e->from->state) & (ENDED | RESET)) != 0)
        now |= POLLIN;
    if (taken < e->pipe->cap || mfi_load_acq(&e->to->state) != 0)
        now |= POLLOUT;
    return now & events;
}

struct sleeper {
    struct waiter in, out;
};

static void sleep_locked(struct end *e, struct sleeper *me, short events)
{
    if ((events & POLLIN) != 0)
        mfi_waitq_add(&e->from->in, &me->in);
    if ((events & POLLOUT) != 0)
        mfi_waitq_add(&e->to->out, &me->out);
}

/* Announced before the last look: sc, see above. */
static void announce_locked(struct end *e, short events)
{
    if ((events & POLLIN) != 0)
        mfi_or_sc(&e->from->asleep, (uint32_t)POLLIN);
    if ((events & POLLOUT) != 0)
        mfi_or_sc(&e->to->asleep, (uint32_t)POLLOUT);
}

/* Until one of events may be there: 0, "look again"; or why not. */
static int doze(struct end *e, struct agent *a, short events, mf_ns at)
{
    struct sleeper me = {.in.parker = &a->parker, .out.parker = &a->parker};
    struct pipe *p = e->pipe;
    int rc;

    if (at <= 1)
        return -ETIMEDOUT;
    mfi_spin_lock(&p->lock);
    announce_locked(e, events);
    if (ready(e, events) != 0) {
        mfi_spin_unlock(&p->lock);
        return 0;
    }
    mfi_park_arm(a);
    sleep_locked(e, &me, events);
    mfi_spin_unlock(&p->lock);
    rc = mfi_wait(a, at, events == POLLOUT ? "room in a pipe" : "a pipe");
    mfi_spin_lock(&p->lock); /* it may be in the other queue yet */
    mfi_waitq_del(&e->from->in, &me.in);
    mfi_waitq_del(&e->to->out, &me.out);
    mfi_spin_unlock(&p->lock);
    return rc < 0 ? rc : 0;
}

static void rouse_locked(struct way *w, uint32_t event, struct wake_list *woken)
{
    mfi_and_acqrel(&w->asleep, ~event);
    mfi_waitq_wake_all(event == POLLIN ? &w->in : &w->out, woken);
}

/* A counter has just been stored, sc. */
static void moved(struct pipe *p, struct way *w, uint32_t event)
{
    uint32_t asleep = mfi_load_sc(&w->asleep);
    struct wake_list woken;

    if (mfi_likely((asleep & event) == 0))
        return;
    mfi_wake_list_init(&woken);
    mfi_spin_lock(&p->lock);
    rouse_locked(w, event, &woken);
    mfi_spin_unlock(&p->lock);
    mfi_wake(&woken);
}

/* Say so of both ways, and wake everybody. */
static void declare(struct end *e, uint32_t from, uint32_t to)
{
    struct pipe *p = e->pipe;
    struct wake_list woken;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&p->lock);
    mfi_or_sc(&e->from->state, from);
    mfi_or_sc(&e->to->state, to);
    for (int i = 0; i < 2; i++) {
        rouse_locked(&p->ways[i], POLLIN, &woken);
        rouse_locked(&p->ways[i], POLLOUT, &woken);
    }
    mfi_spin_unlock(&p->lock);
    mfi_wake(&woken);
}

/* ---- moving bytes -------------------------------------------------------- */

static int take(struct pipe *p, struct way *w, char *buf, size_t len)
{
    uint32_t state = mfi_load_acq(&w->state); /* before put */
    size_t got = mfi_load_rlx(&w->got), n = mfi_load_acq(&w->put) - got, part;

    if ((state & RESET) != 0)
        return -ECONNRESET;
    if (n == 0)
        return (state & ENDED) != 0 ? 0 : -EAGAIN;
    if (n > len)
        n = len;
    part = n < p->cap - w->got_at ? n : p->cap - w->got_at;
    memcpy(buf, w->ring + w->got_at, part);
    memcpy(buf + part, w->ring, n - part);
    w->got_at = part < n ? n - part : (w->got_at + n) % p->cap;
    mfi_store_sc(&w->got, got + n);
    moved(p, w, POLLOUT);
    return (int)n;
}

static int pair_read(void *self, void *buf, size_t len, mf_deadline deadline)
{
    struct end *e = self;
    struct agent *a = mfi_agent();
    int rc;

    if (a == NULL)
        return -ENOMEM;
    if (len == 0)
        return 0;
    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        if ((rc = take(e->pipe, e->from, buf, len)) != -EAGAIN)
            break;
        if ((rc = doze(e, a, POLLIN, mfi_time_of(deadline))) < 0)
            return rc;
    }
    mfi_budget(a);
    return rc;
}

static void put_part(struct pipe *p, struct way *w, const char *from, size_t n)
{
    size_t part = n < p->cap - w->put_at ? n : p->cap - w->put_at;

    memcpy(w->ring + w->put_at, from, part);
    memcpy(w->ring, from + part, n - part);
    w->put_at = part < n ? n - part : (w->put_at + n) % p->cap;
}

static int give(struct pipe *p, struct way *w, const struct iovec *iov, int n)
{
    uint32_t state = mfi_load_acq(&w->state);
    size_t put = mfi_load_rlx(&w->put), done = 0;
    size_t room = p->cap - (put - mfi_load_acq(&w->got));

    if (state != 0)
        return (state & RESET) != 0 ? -ECONNRESET : -EPIPE;
    if (room > MFI_IO_MAX)
        room = MFI_IO_MAX;
    for (int i = 0; i < n && done < room; i++) {
        size_t len = iov[i].iov_len;

        if (len > room - done)
            len = room - done;
        if (len > 0)
            put_part(p, w, iov[i].iov_base, len);
        done += len;
    }
    if (done == 0)
        return -EAGAIN;
    mfi_store_sc(&w->put, put + done);
    moved(p, w, POLLIN);
    return (int)done;
}

static int pair_writev(void *self, const struct iovec *iov, int n,
                       mf_deadline deadline)
{
    struct end *e = self;
    struct agent *a = mfi_agent();
    int rc;

    if (a == NULL)
        return -ENOMEM;
    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        if ((rc = give(e->pipe, e->to, iov, n)) != -EAGAIN)
            break;
        if ((rc = doze(e, a, POLLOUT, mfi_time_of(deadline))) < 0)
            return rc;
    }
    mfi_budget(a);
    return rc;
}

static int pair_wait(void *self, short events, mf_deadline deadline)
{
    struct end *e = self;
    struct agent *a = mfi_agent();
    short now;
    int rc;

    if (a == NULL)
        return -ENOMEM;
    for (;;) {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        if ((now = ready(e, events)) != 0)
            break;
        if ((rc = doze(e, a, events, mfi_time_of(deadline))) < 0)
            return rc;
    }
    mfi_budget(a);
    return now;
}

/* ---- the end of it ------------------------------------------------------- */

static int pair_shutdown(void *self, mf_deadline deadline)
{
    (void)deadline;
    declare(self, 0, ENDED);
    return 0;
}

static int pair_close(void *self, int orderly, mf_deadline deadline)
{
    struct end *e = self;
    struct pipe *p = e->pipe;

    (void)deadline;
    if (orderly)
        declare(e, GONE, ENDED);
    else
        declare(e, RESET, RESET);
    if (mfi_sub_acqrel(&p->refs, 1u) == 1)
        free(p); /* tidy: allow malloc, because it was made here */
    return 0;
}

static const mf_stream_ops pair_ops = {
    .size = sizeof pair_ops,
    .name = "pipe",
    .read = pair_read,
    .writev = pair_writev,
    .shutdown = pair_shutdown,
    .wait = pair_wait,
    .close = pair_close,
};

int mf_stream_pair(size_t capacity, mf_stream *ret_ends[2])
{
    struct pipe *p;
    mf_stream *s[2] = {NULL, NULL};

    if (capacity == 0 || ret_ends == NULL)
        return -EINVAL;
    if (capacity > (SIZE_MAX - sizeof *p) / 4)
        return -ENOMEM;
    /* tidy: allow malloc, because its size is the user's choice */
    if ((p = malloc(sizeof *p + 2 * capacity)) == NULL)
        return -ENOMEM;
    memset(p, 0, sizeof *p);
    p->refs = 2;
    p->cap = capacity;
    for (int i = 0; i < 2; i++) {
        p->ways[i].ring = p->rings + (size_t)i * capacity;
        p->ends[i] = (struct end){p, &p->ways[!i], &p->ways[i]};
        if (mf_stream_make(&pair_ops, &p->ends[i], &s[i]) < 0)
            break;
    }
    if (s[1] == NULL) {
        mf_stream_abort(s[0]);
        if (s[0] == NULL || mfi_sub_acqrel(&p->refs, 1u) == 1)
            free(p); /* tidy: allow malloc, because it was made here */
        return -ENOMEM;
    }
    ret_ends[0] = s[0];
    ret_ends[1] = s[1];
    return 0;
}
