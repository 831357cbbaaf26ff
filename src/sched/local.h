/* SPDX-License-Identifier: MIT */
/* local.h - the table of an agent's local values; see local.c. */
#ifndef MFI_SCHED_LOCAL_H
#define MFI_SCHED_LOCAL_H

#include <mayfly/local.h>

#include "sched/worker.h"

struct locals {
    struct locals *next; /* a scope's: of tasks that could not run */
    uint16_t cap;
    uint8_t rounds; /* of drops begun */
    bool heirs;     /* it has had a value with a copy */
    bool record;    /* a slab record, not malloc's */
    void *value[];  /* cap, by the key's place; then cap + 2 struct link */
};

/* Has who runs on w's thread (w may be NULL) something to inherit? */
static inline bool mfi_locals_heritable(struct worker *w)
{
    struct agent *a =
        mfi_likely(w != NULL) ? &w->current->agent : mfi_agent_known();

    return mfi_unlikely(a != NULL && a->locals != NULL) && a->locals->heirs;
}

/*
 * Make the copies for a task the caller is about to spawn. Returns 0 and the
 * task's table or NULL, given (mfi_locals_discard); -ENOMEM. The copies are
 * made by functions of the user, which may do anything, even suspend.
 */
int mfi_locals_inherit(struct locals **ret_table);

/* Drop the values of a table that is no agent's, and free it. NULL is fine. */
void mfi_locals_discard(struct locals *t);

/* The task that was to have t will not run: s's closer shall discard it. */
void mfi_locals_orphan(struct scope *s, struct locals *t);

/* s has no child any more: discard those. */
void mfi_locals_discard_orphans(struct scope *s);

/* Task or thread a has ended: drop its values. It has some. */
void mfi_locals_end(struct agent *a);

#endif
