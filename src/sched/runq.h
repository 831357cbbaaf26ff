/* SPDX-License-Identifier: MIT */
/*
 * runq.h - what a worker runs next: three queues, each for one kind of haste.
 *
 *   ring    tasks made ready, FIFO, 256 places; thieves take half of it. Full:
 *           half of it goes to the inject queue.
 *   fresh   tasks never run: records without a stack, in batches
 *   pinned  tasks that may run here only; anyone may add, nobody may steal
 *
 * Fresh tasks. All that one task spawned between two switches is a batch, FIFO
 * within; batches form a stack: the newest is run first, thieves take from the
 * oldest. So fork-join code goes depth first and needs a stack per level of the
 * tree, not per node (breadth first a 10-ary tree of a million leaves has
 * 111 111 parents waiting with a touched stack each), while siblings still
 * start in the order they were spawned. A thief gets the largest subtrees, as
 * with the deques of Blumofe & Leiserson 1999.
 *
 *      bottom                              top
 *      [a1 a2 a3 ... ]  [b7 b8]  [c1 c2 c3 ...]   <- run c1 next
 *       ^ thieves
 *
 * More than BATCHES deep, the two oldest are joined. Fairness: the ring goes
 * first, but every FRESH_EVERY-th pick takes pinned or else fresh work first,
 * and every 61st of these the oldest batch's, so none starves.
 *
 * Ring. `head` packs two 32-bit counts: real (next to run) and steal (what a
 * thief in progress still copies); they differ while one thief is at work, and
 * others keep off. The owner alone writes tail. Source: the scheme of tokio's
 * local queue (Go's runtime has the same without the two-count head).
 *
 *   owner push: reads head (acquire: slots freed by thieves), writes slot,
 *               tail (release)
 *   owner pop, thief claim: CAS on head (acq_rel)
 *
 * Locks: fresh and pinned have a spin lock each, held for a few instructions.
 * Every push is followed by mfi_sched_pushed, which decides about waking.
 */
#ifndef MFI_SCHED_RUNQ_H
#define MFI_SCHED_RUNQ_H

#include "base/atomic.h"
#include "os/spin.h"
#include "sched/task.h"

enum { RING_LEN = 256, BATCHES = 64, FRESH_EVERY = 8 };

struct fresh_batch { /* linked by mf_task.next; never empty */
    mf_task *head;
    mf_task *tail;
    uint32_t n;
    uint32_t seq; /* the owner's run_seq it belongs to */
};

struct runq {
    /* the owner's */
    uint32_t picks;
    _Alignas(MFI_CACHE_LINE) _Atomic uint64_t head;
    _Atomic uint32_t tail;
    _Alignas(MFI_CACHE_LINE) struct spin fresh_lock;
    _Atomic uint32_t fresh_n; /* tasks in all batches; written under the lock */
    uint32_t bottom;          /* batches[bottom % BATCHES] is the oldest */
    uint32_t top;             /* one beyond the newest */
    struct fresh_batch batches[BATCHES];
    struct spin pinned_lock;
    _Atomic uint32_t pinned_n;
    mf_task *pinned_head;
    mf_task *pinned_tail;
    _Atomic(mf_task *) ring[RING_LEN];
};

/* The queue anyone may use: a FIFO under a lock, with a count to look at. */
struct injectq {
    struct spin lock;
    _Atomic uint32_t n;
    mf_task *head;
    mf_task *tail;
};

void mfi_inject_push(struct injectq *q, mf_task *first, mf_task *last,
                     uint32_t n);
/* Take up to max, linked by next; *ret_n how many. NULL: none. */
mf_task *mfi_inject_pop(struct injectq *q, uint32_t max, uint32_t *ret_n);

static inline uint32_t mfi_ring_size(struct runq *q)
{
    uint64_t head = mfi_load_acq(&q->head);

    return mfi_load_acq(&q->tail) - (uint32_t)head;
}

/* Queued and stealable, the slot not counted. A guess from another thread. */
static inline uint32_t mfi_runq_size(struct runq *q)
{
    return mfi_ring_size(q) + mfi_load_acq(&q->fresh_n);
}

/* Owner. A full ring spills half of itself and t to the inject queue. */
void mfi_ring_push_slow(struct runq *q, mf_task *t, struct injectq *spill);

static inline void mfi_ring_push(struct runq *q, mf_task *t,
                                 struct injectq *spill)
{
    uint32_t tail = mfi_load_rlx(&q->tail);
    uint32_t steal = (uint32_t)(mfi_load_acq(&q->head) >> 32);

    if (mfi_unlikely(tail - steal >= RING_LEN)) {
        mfi_ring_push_slow(q, t, spill);
        return;
    }
    mfi_store_rlx(&q->ring[tail % RING_LEN], t);
    mfi_store_rel(&q->tail, tail + 1);
}

/* Owner. */
static inline mf_task *mfi_ring_pop(struct runq *q)
{
    uint64_t head = mfi_load_acq(&q->head);

    for (;;) {
        uint32_t steal = (uint32_t)(head >> 32), real = (uint32_t)head;
        uint32_t next = real + 1;
        mf_task *t;

        if (real == mfi_load_rlx(&q->tail))
            return NULL;
        t = mfi_load_rlx(&q->ring[real % RING_LEN]);
        /* No thief at work: both counts move. Else its count is its own. */
        if (mfi_cas_acqrel(&q->head, &head,
                           (uint64_t)(steal == real ? next : steal) << 32 |
                               next))
            return t;
    }
}

/* Owner. seq: what tells one run from the next. */
void mfi_fresh_push(struct runq *q, mf_task *t, uint32_t seq);
/* The same in a signal handler: false if the lock is taken. */
bool mfi_fresh_push_try(struct runq *q, mf_task *t, uint32_t seq);
/* Anyone with a list made elsewhere: goes to the bottom, as the oldest. */
void mfi_fresh_push_list(struct runq *q, mf_task *first, mf_task *last,
                         uint32_t n);
/* Owner: the newest batch's first, or the oldest batch's. */
mf_task *mfi_fresh_pop(struct runq *q, bool oldest);

/* Anyone. */
void mfi_pinned_push(struct runq *q, mf_task *t);
/* Owner. */
mf_task *mfi_pinned_pop(struct runq *q);

/* Owner: the next task to run, by the rules above; NULL: nothing here. */
mf_task *mfi_runq_pick(struct runq *q);

/*
 * Owner of `to`: take up to half of what `from` has, one of it as the result.
 */
mf_task *mfi_runq_steal(struct runq *to, struct runq *from,
                        struct injectq *spill);

#endif
