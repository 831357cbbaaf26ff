/* SPDX-License-Identifier: MIT */
/* check.c - see check.h. What a walk finds wrong ends the process. */
#include "sched/check.h"

#include "base/assert.h"

enum { WALK_MAX = 256, WALK_LONG = 65536 };

/* Walk a list of n? Short ones always, long ones when n is a round number. */
static bool worth_it(uint32_t n)
{
    return n <= WALK_MAX || (n <= WALK_LONG && n % 4096 == 0);
}

/* The n tasks from head on end in tail. */
static void check_list(mf_task *head, const mf_task *tail, uint32_t n)
{
    const mf_task *t = head;

    if (!worth_it(n))
        return;
    for (uint32_t i = 1; i < n; i++) {
        mfi_assert(t != NULL && t != tail);
        t = t->next;
    }
    mfi_assert(t == tail);
}

static void check_fresh(struct runq *q)
{
    uint32_t n = 0;

    mfi_spin_lock(&q->fresh_lock);
    mfi_assert(q->top - q->bottom <= BATCHES);
    for (uint32_t i = q->bottom; i != q->top; i++) {
        const struct fresh_batch *b = &q->batches[i % BATCHES];

        mfi_assert(b->n != 0 && b->head != NULL);
        check_list(b->head, b->tail, b->n);
        n += b->n;
    }
    mfi_assert(n == mfi_load_rlx(&q->fresh_n));
    mfi_spin_unlock(&q->fresh_lock);
}

static void check_pinned(struct runq *q)
{
    uint32_t n;

    mfi_spin_lock(&q->pinned_lock);
    n = mfi_load_rlx(&q->pinned_n);
    mfi_assert((n == 0) == (q->pinned_head == NULL));
    if (n != 0) {
        check_list(q->pinned_head, q->pinned_tail, n);
        mfi_assert(q->pinned_tail->next == NULL);
    }
    mfi_spin_unlock(&q->pinned_lock);
}

void mfi_check_runq(struct runq *q)
{
    uint64_t head = mfi_load_acq(&q->head);
    uint32_t steal = (uint32_t)(head >> 32), real = (uint32_t)head;
    uint32_t tail = mfi_load_rlx(&q->tail);

    /* A thief moves both counts on meanwhile, but never beyond the tail. */
    mfi_assert(real - steal <= RING_LEN && tail - real <= RING_LEN &&
               tail - steal <= RING_LEN);
    for (uint32_t i = real; i != tail; i++)
        mfi_assert(mfi_load_rlx(&q->ring[i % RING_LEN]) != NULL);
    check_fresh(q);
    check_pinned(q);
}

static uint32_t count_pending(const struct scope *s)
{
    const mf_task *t = s->pending;
    uint32_t n = 0;

    if (t == NULL)
        return 0;
    do {
        n++;
        mfi_assert(t->scope == s);
        t = t->next;
    } while (t != s->pending);
    return n;
}

void mfi_check_scope_locked(struct scope *s)
{
    uint32_t n = 0;

    mfi_assert(mfi_spin_held(&s->lock));
    mfi_assert(s->magic == SCOPE_MAGIC && s->running <= s->live);
    mfi_assert(s->limit == 0 || s->running <= s->limit);
    mfi_assert((s->running == s->live) == (s->pending == NULL));
    if (!worth_it(s->live))
        return;
    mfi_list_for_each (link, &s->children) {
        const mf_task *t = mfi_container_of(link, mf_task, sibling);

        mfi_assert(t->scope == s);
        n += (t->held & HELD_COUNTED) == 0;
    }
    mfi_assert(n == s->live);
    mfi_assert(count_pending(s) == s->live - s->running);
}
