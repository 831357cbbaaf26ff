/* SPDX-License-Identifier: MIT */
/*
 * gate.h - one at a time in one half of a stream, first come first served.
 *
 *   word: FREE --cas--> TAKEN --cas--> FREE          nobody else wants it
 *                         | a waiter, under the lock
 *                       AWAITED --pass, under the lock--> the first waiter's
 *
 * Two locked instructions for a call that meets nobody, in a word of the
 * stream's own: io/turn.h, which needs no memory, costs its table's cache
 * lines. FREE means that nobody waits, so nobody overtakes.
 */
#ifndef MFI_STREAM_GATE_H
#define MFI_STREAM_GATE_H

#include <mayfly/base.h>

#include "base/time.h"
#include "sync/wait.h"

enum { GATE_FREE, GATE_TAKEN, GATE_AWAITED };

struct gate { /* zeroed is free */
    _Atomic uint32_t word;
    struct spin lock;
    struct waitq waiters;
};

/* It is not ours at once. As mfi_gate_take. */
int mfi_gate_wait(struct gate *g, struct agent *a, mf_ns at, const char *what);
void mfi_gate_hand_on(struct gate *g);

static inline bool mfi_gate_try(struct gate *g)
{
    uint32_t seen = GATE_FREE;

    return mfi_cas_acqrel(&g->word, &seen, (uint32_t)GATE_TAKEN);
}

/*
 * Wait until it is ours, until `at` (0 or 1: try). Returns 0; -ETIMEDOUT,
 * -ECANCELED. Context: any. Suspends: maybe. Cancel point: yes.
 */
static inline int mfi_gate_take(struct gate *g, struct agent *a, mf_ns at,
                                const char *what)
{
    int rc = mfi_cancel_point(a);

    if (mfi_unlikely(rc < 0))
        return rc;
    return mfi_likely(mfi_gate_try(g)) ? 0 : mfi_gate_wait(g, a, at, what);
}

static inline void mfi_gate_pass(struct gate *g)
{
    uint32_t seen = GATE_TAKEN;

    if (mfi_unlikely(!mfi_cas_acqrel(&g->word, &seen, (uint32_t)GATE_FREE)))
        mfi_gate_hand_on(g);
}

#endif
