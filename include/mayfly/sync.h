/* SPDX-License-Identifier: MIT */
/* sync.h - objects tasks and threads wait for each other with. */
#ifndef MF_SYNC_H
#define MF_SYNC_H

#include <mayfly/base.h>

MF_DECLS_BEGIN_

/* A latch: fires once, for good, and lets everybody through. */
typedef struct mf_event {
    uint64_t mfi_[2];
} mf_event; /* zeroed = not fired */

/*
 * Fire it; again is fine. What was written before is visible to whoever waits.
 * The memory must outlive the call. Context: any. Suspends: no.
 */
void mf_event_fire(mf_event *e);

/*
 * Wait until it has fired. Returns 0, -ETIMEDOUT, -ECANCELED, -EINVAL (NULL).
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_event_wait(mf_event *e, mf_deadline deadline) MF_MUST_CHECK;

MF_DECLS_END_
#endif
