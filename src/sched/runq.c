/* SPDX-License-Identifier: MIT */
/* runq.c - the slower halves of the queues drawn in runq.h. */
#include "sched/runq.h"

#include "sched/check.h"

void mfi_inject_push(struct injectq *q, mf_task *first, mf_task *last,
                     uint32_t n)
{
    last->next = NULL;
    mfi_spin_lock(&q->lock);
    if (q->head == NULL)
        q->head = first;
    else
        q->tail->next = first;
    q->tail = last;
    mfi_store_rel(&q->n, mfi_load_rlx(&q->n) + n);
    mfi_spin_unlock(&q->lock);
}

/* A simulated build takes any of them. */
static void turn_locked(struct injectq *q)
{
    for (uint32_t i = mfi_sim_pick(mfi_load_rlx(&q->n)); i > 0; i--) {
        mf_task *t = q->head;

        q->head = t->next;
        t->next = NULL;
        q->tail->next = t;
        q->tail = t;
    }
}

mf_task *mfi_inject_pop(struct injectq *q, uint32_t max, uint32_t *ret_n)
{
    mf_task *first, *last;
    uint32_t n = 1;

    *ret_n = 0;
    if (mfi_load_acq(&q->n) == 0)
        return NULL;
    mfi_spin_lock(&q->lock);
    turn_locked(q);
    first = last = q->head;
    if (first != NULL) {
        for (; n < max && last->next != NULL; n++)
            last = last->next;
        q->head = last->next;
        last->next = NULL;
        mfi_store_rel(&q->n, mfi_load_rlx(&q->n) - n);
        *ret_n = n;
    }
    mfi_spin_unlock(&q->lock);
    return first;
}

void mfi_ring_push_slow(struct runq *q, mf_task *t, struct injectq *spill)
{
    uint32_t tail = mfi_load_rlx(&q->tail), n = RING_LEN / 2;
    uint64_t head = mfi_load_acq(&q->head);
    uint32_t steal = (uint32_t)(head >> 32), real = (uint32_t)head;
    mf_task *first, *last;

    /* A thief is copying: there will be room, but not now. */
    if (steal != real || tail - real < RING_LEN ||
        !mfi_cas_acqrel(&q->head, &head,
                        (uint64_t)(real + n) << 32 | (real + n))) {
        mfi_inject_push(spill, t, t, 1);
        return;
    }
    first = last = mfi_load_rlx(&q->ring[real % RING_LEN]);
    for (uint32_t i = 1; i < n; i++) {
        last->next = mfi_load_rlx(&q->ring[(real + i) % RING_LEN]);
        last = last->next;
    }
    last->next = t;
    mfi_inject_push(spill, first, t, n + 1);
}

/* Make room for one more batch: join the two oldest. */
static void join_oldest(struct runq *q)
{
    struct fresh_batch *old = &q->batches[q->bottom % BATCHES];
    struct fresh_batch *next = &q->batches[(q->bottom + 1) % BATCHES];

    old->tail->next = next->head;
    next->head = old->head;
    next->n += old->n;
    q->bottom++;
}

static void fresh_push_locked(struct runq *q, mf_task *t, uint32_t seq)
{
    struct fresh_batch *b = &q->batches[(q->top - 1) % BATCHES];

    t->next = NULL;
    if (q->top != q->bottom && b->seq == seq) {
        b->tail->next = t;
        b->tail = t;
        b->n++;
    } else {
        if (q->top - q->bottom == BATCHES)
            join_oldest(q);
        q->batches[q->top++ % BATCHES] = (struct fresh_batch){t, t, 1, seq};
    }
    mfi_store_rel(&q->fresh_n, mfi_load_rlx(&q->fresh_n) + 1);
}

void mfi_fresh_push(struct runq *q, mf_task *t, uint32_t seq)
{
    mfi_spin_lock(&q->fresh_lock);
    fresh_push_locked(q, t, seq);
    mfi_spin_unlock(&q->fresh_lock);
}

bool mfi_fresh_push_try(struct runq *q, mf_task *t, uint32_t seq)
{
    if (!mfi_spin_try(&q->fresh_lock))
        return false;
    fresh_push_locked(q, t, seq);
    mfi_spin_unlock(&q->fresh_lock);
    return true;
}

void mfi_fresh_push_list(struct runq *q, mf_task *first, mf_task *last,
                         uint32_t n)
{
    struct fresh_batch *b;

    last->next = NULL;
    mfi_spin_lock(&q->fresh_lock);
    if (q->top - q->bottom == BATCHES)
        join_oldest(q);
    b = &q->batches[--q->bottom % BATCHES];
    *b = (struct fresh_batch){first, last, n, 0};
    mfi_store_rel(&q->fresh_n, mfi_load_rlx(&q->fresh_n) + n);
    mfi_spin_unlock(&q->fresh_lock);
}

/* The first of batch b; an emptied batch at either end disappears. */
static mf_task *take_first(struct runq *q, struct fresh_batch *b)
{
    mf_task *t = b->head;

    b->head = t->next;
    if (--b->n == 0) {
        if (b == &q->batches[q->bottom % BATCHES])
            q->bottom++;
        else
            q->top--;
    }
    return t;
}

mf_task *mfi_fresh_pop(struct runq *q, bool oldest)
{
    mf_task *t = NULL;

    if (mfi_load_acq(&q->fresh_n) == 0)
        return NULL;
    mfi_spin_lock(&q->fresh_lock);
    if (q->top != q->bottom) {
        t = take_first(
            q, &q->batches[(oldest ? q->bottom : q->top - 1) % BATCHES]);
        mfi_store_rel(&q->fresh_n, mfi_load_rlx(&q->fresh_n) - 1);
    }
    mfi_spin_unlock(&q->fresh_lock);
    return t;
}

void mfi_pinned_push(struct runq *q, mf_task *t)
{
    t->next = NULL;
    mfi_spin_lock(&q->pinned_lock);
    if (q->pinned_head == NULL)
        q->pinned_head = t;
    else
        q->pinned_tail->next = t;
    q->pinned_tail = t;
    mfi_store_rel(&q->pinned_n, mfi_load_rlx(&q->pinned_n) + 1);
    mfi_spin_unlock(&q->pinned_lock);
}

mf_task *mfi_pinned_pop(struct runq *q)
{
    mf_task *t;

    if (mfi_load_acq(&q->pinned_n) == 0)
        return NULL;
    mfi_spin_lock(&q->pinned_lock);
    t = q->pinned_head;
    if (t != NULL) {
        q->pinned_head = t->next;
        mfi_store_rel(&q->pinned_n, mfi_load_rlx(&q->pinned_n) - 1);
    }
    mfi_spin_unlock(&q->pinned_lock);
    return t;
}

mf_task *mfi_runq_pick(struct runq *q)
{
    uint32_t turn = q->picks++;
    mf_task *t;

    if (mfi_unlikely(turn % FRESH_EVERY == 0)) {
        MFI_CHECK_RUNQ(q);
        if ((t = mfi_pinned_pop(q)) != NULL)
            return t;
        if ((t = mfi_fresh_pop(q, turn % (61 * FRESH_EVERY) == 0)) != NULL)
            return t;
    }
    if ((t = mfi_ring_pop(q)) != NULL)
        return t;
    if ((t = mfi_fresh_pop(q, false)) != NULL)
        return t;
    return mfi_pinned_pop(q);
}

/* Thief: move half of from's ring to the owner's own; the last is returned. */
static mf_task *steal_ring(struct runq *to, struct runq *from,
                           struct injectq *spill)
{
    uint64_t head = mfi_load_acq(&from->head), claimed;
    uint32_t real, n;
    mf_task *t;

    for (;;) {
        real = (uint32_t)head;
        if ((uint32_t)(head >> 32) != real) /* another thief is at work */
            return NULL;
        n = mfi_load_acq(&from->tail) - real;
        n -= n / 2;
        if (n == 0 || n > RING_LEN / 2 + 1)
            return NULL;
        claimed = (uint64_t)real << 32 | (real + n);
        if (mfi_cas_acqrel(&from->head, &head, claimed))
            break;
    }
    for (uint32_t i = 0; i + 1 < n; i++)
        mfi_ring_push(to, mfi_load_rlx(&from->ring[(real + i) % RING_LEN]),
                      spill);
    t = mfi_load_rlx(&from->ring[(real + n - 1) % RING_LEN]);
    /* Done copying: the steal count catches up with whatever real is now. */
    head = claimed;
    while (!mfi_cas_acqrel(&from->head, &head,
                           (uint64_t)(uint32_t)head << 32 | (uint32_t)head))
        ;
    return t;
}

enum { STEAL_MAX = 64 }; /* fresh tasks at once: the victim's lock is held */

/* Thief: half of the victim's oldest batch, or all of it if it is one task. */
static mf_task *steal_fresh(struct runq *to, struct runq *from)
{
    mf_task *first, *last;
    struct fresh_batch *b;
    uint32_t n, i;

    if (mfi_load_acq(&from->fresh_n) == 0 || !mfi_spin_try(&from->fresh_lock))
        return NULL;
    if (from->top == from->bottom) {
        mfi_spin_unlock(&from->fresh_lock);
        return NULL;
    }
    b = &from->batches[from->bottom % BATCHES];
    n = b->n - b->n / 2;
    if (n > STEAL_MAX)
        n = STEAL_MAX;
    first = last = b->head;
    for (i = 1; i < n; i++)
        last = last->next;
    b->head = last->next;
    b->n -= n;
    if (b->n == 0)
        from->bottom++;
    mfi_store_rel(&from->fresh_n, mfi_load_rlx(&from->fresh_n) - n);
    mfi_spin_unlock(&from->fresh_lock);
    if (n > 1)
        mfi_fresh_push_list(to, first->next, last, n - 1);
    return first;
}

mf_task *mfi_runq_steal(struct runq *to, struct runq *from,
                        struct injectq *spill)
{
    mf_task *t = steal_ring(to, from, spill);

    return t != NULL ? t : steal_fresh(to, from);
}
