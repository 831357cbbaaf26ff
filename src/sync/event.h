/* SPDX-License-Identifier: MIT */
/* event.h - the inside of an event, for event.c and select. */
#ifndef MFI_SYNC_EVENT_H
#define MFI_SYNC_EVENT_H

#include <mayfly/sync.h>

#include "sched/park.h"

struct event {
    struct spin lock;
    _Atomic uint32_t fired;
    struct waitq waiters;
};
_Static_assert(sizeof(struct event) <= sizeof(mf_event), "fits");

static inline struct event *mfi_event(mf_event *e)
{
    return (struct event *)(void *)e;
}

#endif
