/* SPDX-License-Identifier: MIT */
/*
 * chan.c - channels: one lock, two queues of waiters, and a store between.
 *
 * A send under the lock meets one of: a waiting receiver, to whom the element
 * is copied straight (claimed first: only who wins a wait is given anything);
 * room in the store; or neither, and then it queues itself with a pointer to
 * its element. A receive is the mirror image. Close claims all who wait and
 * tells them. chan.h has the invariants.
 *
 *   sender                               receiver, parked with &elem
 *     lock                                 |
 *     claim ------- CAS on its parker ---> |  (a deadline, a cancel or another
 *     copy to its elem, res = 1, won       |   case of its select may have won:
 *     unlock                               |   then the next one is tried)
 *     wake -------- slot of this worker -> returns res
 *
 * A receiver claimed before it slept may run while the sender still copies; it
 * takes the lock once before it returns (mfi_sync_settle), as does nobody else.
 *
 * Rejected: lock-free rings for one sender and one receiver. Whether the other
 * side sleeps has to be known after the element is published, which takes a
 * full fence, and a fence costs what this lock costs (one locked instruction;
 * the unlock is a plain store). So the hint changes nothing today.
 *
 * The parker is armed before the lock is taken: on x86 the lock is then the
 * fence that arming needs, and taking the arming back is a plain store.
 */
#include "sync/chan.h"

#include <stdlib.h>

#include "base/time.h"
#include "sched/options.h"

enum { ELEM_MAX = 1 << 20, MANY = 64 };

/* ---- one try, under the lock -------------------------------------------- */

static void give(struct sync_waiter *w, int res)
{
    w->res = res;
    w->won = true;
}

static void close_locked(struct mf_chan *c, struct chan_after *after)
{
    struct sync_waiter *w;

    c->flags |= CHAN_CLOSED;
    while ((w = mfi_sync_claim(&c->receivers, &after->woken)) != NULL)
        give(w, 0);
    while ((w = mfi_sync_claim(&c->senders, &after->woken)) != NULL)
        give(w, -EPIPE);
}

int mfi_chan_send_locked(struct mf_chan *c, const void *elem,
                         struct chan_after *after)
{
    struct sync_waiter *w = NULL;
    int rc;

    if (mfi_unlikely((c->flags & CHAN_CLOSED) != 0))
        return -EPIPE;
    if (c->receivers.first != NULL && c->count == 0)
        w = mfi_sync_claim(&c->receivers, &after->woken);
    if (w != NULL) {
        mfi_chan_copy(c, w->elem, elem);
        give(w, 1);
    } else {
        if ((rc = mfi_store_room(c)) != 0)
            return rc;
        mfi_store_push(c, elem);
    }
    if (mfi_unlikely((c->flags & CHAN_ONESHOT) != 0))
        close_locked(c, after);
    return 0;
}

int mfi_chan_recv_locked(struct mf_chan *c, void *elem,
                         struct chan_after *after)
{
    struct sync_waiter *w;

    if (c->count > 0) {
        mfi_store_pop(c, elem, after);
        if (c->senders.first != NULL &&
            (w = mfi_sync_claim(&c->senders, &after->woken)) != NULL) {
            mfi_store_push(c, w->elem);
            give(w, 0);
        }
        return 1;
    }
    if (c->senders.first != NULL &&
        (w = mfi_sync_claim(&c->senders, &after->woken)) != NULL) {
        mfi_chan_copy(c, elem, w->elem);
        give(w, 0);
        return 1;
    }
    return (c->flags & CHAN_CLOSED) != 0 ? 0 : -EAGAIN;
}

/* ---- send, receive ------------------------------------------------------ */

/*
 * Queued in q and unlocked; the parker is armed. What the wait brought, or
 * -EAGAIN: try again.
 */
static int sleep_on(struct mf_chan *c, struct waitq *q, struct agent *a,
                    struct sync_waiter *me, mf_deadline deadline)
{
    const char *what = c->name;
    int rc;

    if (what == NULL)
        what = q == &c->receivers ? "a message" : "a channel to send to";
    rc = mfi_wait(a, mfi_time_of(deadline), what);
    if (rc == 0) {
        mfi_sync_settle(a, &c->lock);
        /* NOLINTNEXTLINE(clang-analyzer-core*): who claimed us has set it */
        return me->res;
    }
    mfi_spin_lock(&c->lock);
    mfi_waitq_del(q, &me->w);
    mfi_spin_unlock(&c->lock);
    return rc < 0 ? rc : -EAGAIN;
}

/* Under the lock: queue behind the others. */
static void queue_up(struct waitq *q, struct agent *a, struct sync_waiter *me,
                     void *elem)
{
    me->w.parker = &a->parker;
    me->elem = elem;
    mfi_waitq_add(q, &me->w);
}

/* Armed, and under the lock, which it gives back. */
static MFI_NOINLINE int send_slow(mf_chan *c, struct agent *a, const void *elem,
                                  mf_deadline deadline)
{
    struct sync_waiter me;
    struct chan_after after;
    int rc;

    mfi_chan_after_init(&after);
    for (;;) {
        rc = mfi_chan_send_locked(c, elem, &after);
        if (rc == -EAGAIN && !mfi_is_try(deadline)) {
            queue_up(&c->senders, a, &me, (void *)(uintptr_t)elem);
            mfi_spin_unlock(&c->lock);
            rc = sleep_on(c, &c->senders, a, &me, deadline);
            if (rc != -EAGAIN)
                return rc;
        } else {
            mfi_spin_unlock(&c->lock);
            mfi_park_disarm(a);
            if (mfi_likely(rc != CHAN_GROW))
                break;
            if ((rc = mfi_chan_grow(c)) < 0)
                return rc;
        }
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        mfi_park_arm_early(a);
        mfi_spin_lock(&c->lock);
    }
    mfi_chan_after(&after);
    mfi_budget(a);
    return rc == -EAGAIN ? -ETIMEDOUT : rc;
}

int mf_chan_send(mf_chan *c, const void *elem, mf_deadline deadline)
{
    struct agent *a = mfi_agent();
    int rc;

    if (c == NULL || (elem == NULL && c->elem_size != 0))
        return -EINVAL;
    if (a == NULL)
        return -ENOMEM;
    if ((rc = mfi_cancel_point(a)) < 0)
        return rc;
    mfi_park_arm_early(a);
    mfi_spin_lock(&c->lock);
    if (c->flags != 0 || c->receivers.first != NULL || c->count == c->capacity)
        return send_slow(c, a, elem, deadline);
    mfi_store_put(c, elem); /* nobody to hand it to, and there is room */
    mfi_spin_unlock(&c->lock);
    mfi_park_disarm(a);
    mfi_budget(a);
    return 0;
}

/* Up to max of them: those after the first only as far as they are there. */
static int recv_more(struct mf_chan *c, void *elems, int n, int max)
{
    struct chan_after after;
    int rc = 1;

    while (rc > 0 && n < max) {
        mfi_chan_after_init(&after);
        mfi_spin_lock(&c->lock);
        for (int i = 0; i < MANY && n < max;
             i++) { /* the lock is a short one */
            rc = mfi_chan_recv_locked(c, mfi_chan_at(c, elems, n), &after);
            if (rc <= 0)
                break;
            n++;
        }
        mfi_spin_unlock(&c->lock);
        mfi_chan_after(&after);
    }
    return n;
}

/* Armed, and under the lock, which it gives back. */
static MFI_NOINLINE int recv_slow(mf_chan *c, struct agent *a, void *ret_elem,
                                  mf_deadline deadline)
{
    struct sync_waiter me;
    struct chan_after after;
    int rc;

    mfi_chan_after_init(&after);
    for (;;) {
        rc = mfi_chan_recv_locked(c, ret_elem, &after);
        if (rc != -EAGAIN || mfi_is_try(deadline))
            break;
        queue_up(&c->receivers, a, &me, ret_elem);
        mfi_spin_unlock(&c->lock);
        if ((rc = sleep_on(c, &c->receivers, a, &me, deadline)) != -EAGAIN ||
            (rc = mfi_cancel_point(a)) < 0)
            return rc;
        mfi_park_arm_early(a);
        mfi_spin_lock(&c->lock);
    }
    mfi_spin_unlock(&c->lock);
    mfi_park_disarm(a);
    mfi_chan_after(&after);
    mfi_budget(a);
    return rc == -EAGAIN ? -ETIMEDOUT : rc;
}

int mf_chan_recv(mf_chan *c, void *ret_elem, mf_deadline deadline)
{
    struct agent *a = mfi_agent();
    int rc;

    if (c == NULL || (ret_elem == NULL && c->elem_size != 0))
        return -EINVAL;
    if (a == NULL)
        return -ENOMEM;
    if ((rc = mfi_cancel_point(a)) < 0)
        return rc;
    mfi_park_arm_early(a);
    mfi_spin_lock(&c->lock);
    if ((c->flags & CHAN_UNBOUNDED) != 0 || c->senders.first != NULL ||
        c->count == 0)
        return recv_slow(c, a, ret_elem, deadline);
    mfi_store_take(c, ret_elem);
    mfi_spin_unlock(&c->lock);
    mfi_park_disarm(a);
    mfi_budget(a);
    return 1;
}

int mf_chan_recv_many(mf_chan *c, void *ret_elems, int max,
                      mf_deadline deadline)
{
    int rc;

    if (max < 1)
        return -EINVAL;
    rc = mf_chan_recv(c, ret_elems, deadline);
    return rc == 1 ? recv_more(c, ret_elems, 1, max) : rc;
}

/* ---- life --------------------------------------------------------------- */

static int make(size_t elem_size, size_t capacity, uint32_t flags,
                const mf_chan_options *opts, mf_chan **ret_chan)
{
    mf_chan_options o = {.size = sizeof o};
    size_t ring = 0;
    mf_chan *c;

    if (ret_chan == NULL || mfi_options_copy(&o, sizeof o, opts) < 0 ||
        elem_size > ELEM_MAX || o.hint < MF_MPMC || o.hint > MF_SPSC)
        return -EINVAL;
    if (capacity == MF_UNBOUNDED)
        flags |= CHAN_UNBOUNDED;
    else if (__builtin_mul_overflow(elem_size, capacity, &ring) ||
             ring > (size_t)PTRDIFF_MAX - sizeof *c)
        return -EINVAL;
    /* tidy: allow malloc, because the user asked for it, and frees it */
    c = malloc(sizeof *c + ring);
    if (c == NULL)
        return -ENOMEM;
    *c = (mf_chan){.flags = flags,
                   .elem_size = (uint32_t)elem_size,
                   .capacity = capacity,
                   .drop = o.drop,
                   .name = o.name,
                   .refs = 1};
    mfi_store_init(c);
    *ret_chan = c;
    return 0;
}

int mf_chan_make(size_t elem_size, size_t capacity, const mf_chan_options *opts,
                 mf_chan **ret_chan)
{
    return make(elem_size, capacity, 0, opts, ret_chan);
}

int mf_oneshot_make(size_t elem_size, const mf_chan_options *opts,
                    mf_chan **ret_chan)
{
    return make(elem_size, 1, CHAN_ONESHOT, opts, ret_chan);
}

int mf_chan_close(mf_chan *c)
{
    struct chan_after after;
    int rc = -EALREADY;

    if (c == NULL)
        return -EINVAL;
    mfi_chan_after_init(&after);
    mfi_spin_lock(&c->lock);
    if ((c->flags & CHAN_CLOSED) == 0) {
        close_locked(c, &after);
        rc = 0;
    }
    mfi_spin_unlock(&c->lock);
    mfi_chan_after(&after);
    return rc;
}

int mf_chan_len(mf_chan *c)
{
    size_t n;

    if (c == NULL)
        return -EINVAL;
    mfi_spin_lock(&c->lock);
    n = c->count;
    mfi_spin_unlock(&c->lock);
    return n < INT32_MAX ? (int)n : INT32_MAX;
}

mf_chan *mf_chan_ref(mf_chan *c)
{
    if (c != NULL)
        mfi_add_rlx(&c->refs, 1u);
    return c;
}

void mf_chan_unref(mf_chan *c)
{
    if (c == NULL || mfi_sub_acqrel(&c->refs, 1u) != 1)
        return;
    mfi_assert(c->receivers.first == NULL && c->senders.first == NULL);
    mfi_store_done(c);
    /* tidy: allow malloc, because mf_chan_make made it */
    free(c);
}
