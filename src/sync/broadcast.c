/* SPDX-License-Identifier: MIT */
/*
 * broadcast.c - every value to everybody: a ring, and a place in it for each.
 *
 * A sender writes the value into the ring, over the oldest, and wakes all who
 * wait; it never waits itself. A subscriber reads from its own place on. Where
 * that place has been overwritten it is told so, once, and moves on to the
 * oldest value there is. The design of the memory is in broadcast.h.
 *
 * Elements are copied under the lock, since the next send may overwrite the
 * slot: up to 1 MiB as in a channel, but then others spin for its 50 us.
 * Rejected: a sequence number in each slot and copies without the lock (a
 * seqlock). A reader would copy what is being overwritten, a race by the letter
 * of C, and would still need the lock to go to sleep.
 *
 * Life. A broadcast belongs to its users and its subscribers. When the last
 * user goes nobody can send any more, so that closes it; both ways out of it
 * (last user, last subscriber) decide under the lock who frees.
 *
 * A subscriber claimed before it slept may run while the sender is still inside
 * (waiter.h, 5): the lock is taken again before anything is freed.
 */
#include "sync/broadcast.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"

enum { ELEM_MAX = 1 << 20 };

/* ---- life --------------------------------------------------------------- */

int mf_broadcast_make(size_t elem_size, size_t capacity,
                      mf_broadcast **ret_broadcast)
{
    mf_broadcast *b;
    size_t ring;

    if (ret_broadcast == NULL || elem_size > ELEM_MAX || capacity < 1 ||
        __builtin_mul_overflow(elem_size, capacity, &ring) ||
        ring > (size_t)PTRDIFF_MAX - sizeof *b)
        return -EINVAL;
    /* tidy: allow malloc, because the user asked for it, and frees it */
    b = malloc(sizeof *b + ring);
    if (b == NULL)
        return -ENOMEM;
    *b = (mf_broadcast){
        .users = 1, .elem_size = (uint32_t)elem_size, .capacity = capacity};
    *ret_broadcast = b;
    return 0;
}

mf_broadcast *mf_broadcast_ref(mf_broadcast *b)
{
    if (b != NULL)
        mfi_add_rlx(&b->users, 1u);
    return b;
}

static void free_broadcast(mf_broadcast *b)
{
    mfi_assert(b->waiters.first == NULL);
    /* tidy: allow malloc, because mf_broadcast_make made it */
    free(b);
}

int mf_broadcast_close(mf_broadcast *b)
{
    struct wake_list woken;
    int rc = -EALREADY;

    if (b == NULL)
        return -EINVAL;
    mfi_wake_list_init(&woken);
    mfi_spin_lock(&b->lock);
    if (!b->closed) {
        b->closed = true;
        mfi_waitq_wake_all(&b->waiters, &woken);
        rc = 0;
    }
    mfi_spin_unlock(&b->lock);
    mfi_wake(&woken);
    return rc;
}

void mf_broadcast_unref(mf_broadcast *b)
{
    bool last;

    if (b == NULL || mfi_sub_acqrel(&b->users, 1u) != 1)
        return;
    (void)mf_broadcast_close(b); /* it may be closed already */
    mfi_spin_lock(&b->lock);
    b->abandoned = true;
    last = b->nsubs == 0;
    mfi_spin_unlock(&b->lock);
    if (last)
        free_broadcast(b);
}

int mf_broadcast_subscribe(mf_broadcast *b, mf_subscriber **ret_sub)
{
    mf_subscriber *sub;

    if (b == NULL || ret_sub == NULL)
        return -EINVAL;
    /* tidy: allow malloc, because the user asked for it, and frees it */
    sub = malloc(sizeof *sub);
    if (sub == NULL)
        return -ENOMEM;
    sub->b = b;
    mfi_store_rlx(&sub->missed, UINT64_C(0));
    mfi_spin_lock(&b->lock);
    sub->at = b->next;
    b->nsubs++;
    mfi_spin_unlock(&b->lock);
    *ret_sub = sub;
    return 0;
}

void mf_subscriber_free(mf_subscriber *sub)
{
    mf_broadcast *b;
    bool last;

    if (sub == NULL)
        return;
    b = sub->b;
    mfi_spin_lock(&b->lock);
    b->nsubs--;
    last = b->abandoned && b->nsubs == 0;
    mfi_spin_unlock(&b->lock);
    if (last)
        free_broadcast(b);
    /* tidy: allow malloc, because mf_broadcast_subscribe made it */
    free(sub);
}

uint64_t mf_subscriber_missed(mf_subscriber *sub)
{
    return sub != NULL ? mfi_load_rlx(&sub->missed) : 0;
}

/* ---- send --------------------------------------------------------------- */

static char *slot(mf_broadcast *b, uint64_t i)
{
    return b->ring + (size_t)(i % b->capacity) * b->elem_size;
}

int mf_broadcast_send(mf_broadcast *b, const void *elem)
{
    struct wake_list woken;
    int rc;

    if (b == NULL || (elem == NULL && b->elem_size != 0))
        return -EINVAL;
    mfi_wake_list_init(&woken);
    mfi_spin_lock(&b->lock);
    rc = b->closed ? -EPIPE : b->nsubs > INT32_MAX ? INT32_MAX : (int)b->nsubs;
    /* With nobody there it is gone: who comes later is not to get it. */
    if (rc > 0) {
        if (elem != NULL) /* else it is of no size */
            memcpy(slot(b, b->next), elem, b->elem_size);
        b->next++;
        mfi_waitq_wake_all(&b->waiters, &woken);
    }
    mfi_spin_unlock(&b->lock);
    mfi_wake(&woken);
    return rc;
}

/* ---- receive ------------------------------------------------------------ */

int mfi_broadcast_recv_locked(mf_subscriber *sub, void *elem)
{
    mf_broadcast *b = sub->b;
    uint64_t behind = b->next - sub->at;

    if (behind > b->capacity) {
        sub->at = b->next - b->capacity;
        mfi_store_rlx(&sub->missed,
                      mfi_load_rlx(&sub->missed) + behind - b->capacity);
        return -EOVERFLOW;
    }
    if (behind == 0)
        return b->closed ? 0 : -EAGAIN;
    if (elem != NULL)
        memcpy(elem, slot(b, sub->at), b->elem_size);
    sub->at++;
    return 1;
}

int mfi_look_again_wait(struct agent *a, struct spin *lock, struct waitq *q,
                        mf_deadline deadline, const char *what)
{
    struct waiter me = {.parker = &a->parker};
    int rc;

    mfi_waitq_add(q, &me);
    mfi_spin_unlock(lock);
    rc = mfi_wait(a, mfi_time_of(deadline), what);
    if (rc != 0) {
        mfi_spin_lock(lock);
        mfi_waitq_del(q, &me);
        mfi_spin_unlock(lock);
    } else {
        mfi_sync_settle(a, lock); /* a cancel may end it without a look */
    }
    return rc < 0 ? rc : -EAGAIN;
}

int mf_subscriber_recv(mf_subscriber *sub, void *ret_elem, mf_deadline deadline)
{
    struct agent *a;
    mf_broadcast *b;
    int rc;

    if (sub == NULL || (ret_elem == NULL && sub->b->elem_size != 0))
        return -EINVAL;
    if ((a = mfi_agent()) == NULL)
        return -ENOMEM;
    b = sub->b;
    do {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        mfi_park_arm_early(a);
        mfi_spin_lock(&b->lock);
        rc = mfi_broadcast_recv_locked(sub, ret_elem);
        if (rc == -EAGAIN && !mfi_is_try(deadline)) {
            rc = mfi_look_again_wait(a, &b->lock, &b->waiters, deadline,
                                     "a broadcast");
            continue;
        }
        mfi_spin_unlock(&b->lock);
        mfi_park_disarm(a);
        mfi_budget(a);
        return rc == -EAGAIN ? -ETIMEDOUT : rc;
    } while (rc == -EAGAIN);
    return rc;
}
