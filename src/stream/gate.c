/* SPDX-License-Identifier: MIT */
/*
 * gate.c - waiting at a gate, and handing it on.
 *
 * Invariants, under the lock
 *   1. the word is AWAITED if and only if somebody is in the queue; it becomes
 *      so, and ceases to be so, under the lock alone
 *   2. who has the gate and finds it AWAITED cannot free it without the lock
 * Who hands on claims the first whose wait is not over, and the word stays
 * taken for it. A waiter that lost to its deadline or a cancel unlinks itself,
 * and if it was the last one the word goes back to TAKEN, or to FREE if who had
 * it left meanwhile: that one found nobody to claim, and freed it.
 *
 * Orders: the two CAS are acquire and release, so a half of the stream is seen
 * as the last one left it; handed on, by the claim and the wake. The gate is
 * not touched after a CAS to FREE, so who gets it next may free the stream; who
 * is handed it takes the lock once if its claimer may still be inside.
 */
#include "stream/gate.h"

/* Ours: true. Else the word says that somebody waits. */
static bool await_locked(struct gate *g)
{
    uint32_t seen = mfi_load_rlx(&g->word);

    for (;;) {
        uint32_t want = seen == GATE_FREE ? GATE_TAKEN : GATE_AWAITED;

        if (seen == GATE_AWAITED)
            return false;
        if (mfi_cas_acqrel(&g->word, &seen, want))
            return want == GATE_TAKEN;
    }
}

static void leave_locked(struct gate *g, struct sync_waiter *me)
{
    uint32_t seen = GATE_AWAITED;

    mfi_waitq_del(&g->waiters, &me->w);
    if (g->waiters.first == NULL)
        (void)mfi_cas_acqrel(&g->word, &seen, (uint32_t)GATE_TAKEN);
}

int mfi_gate_wait(struct gate *g, struct agent *a, mf_ns at, const char *what)
{
    for (;;) {
        struct sync_waiter me = {.w.parker = &a->parker};
        int rc = mfi_cancel_point(a);

        if (rc < 0)
            return rc;
        if (at <= 1)
            return mfi_gate_try(g) ? 0 : -ETIMEDOUT;
        mfi_spin_lock(&g->lock);
        if (await_locked(g)) {
            mfi_spin_unlock(&g->lock);
            return 0;
        }
        mfi_park_arm(a);
        mfi_waitq_add(&g->waiters, &me.w);
        mfi_spin_unlock(&g->lock);
        rc = mfi_wait(a, at, what);
        if (rc == 0) {
            mfi_sync_settle(a, &g->lock);
            return 0;
        }
        mfi_spin_lock(&g->lock);
        leave_locked(g, &me);
        mfi_spin_unlock(&g->lock);
        if (rc < 0)
            return rc;
    }
}

void mfi_gate_hand_on(struct gate *g)
{
    struct wake_list woken;
    bool given;

    mfi_wake_list_init(&woken);
    mfi_spin_lock(&g->lock);
    given = mfi_sync_claim(&g->waiters, &woken) != NULL;
    if (g->waiters.first == NULL)
        mfi_store_rel(&g->word, (uint32_t)(given ? GATE_TAKEN : GATE_FREE));
    mfi_spin_unlock(&g->lock);
    mfi_wake(&woken);
}
