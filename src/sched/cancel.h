/* SPDX-License-Identifier: MIT */
/*
 * cancel.h - who has been told to end, and how often it was said.
 *
 * Every task and every open scope has a cancel word. An agent looks at one of
 * them: its innermost open scope's, or its own when it has none open. A cancel
 * of a scope is pushed down to everything below it at once, so a cancel point
 * is one load and never walks a tree.
 *
 *   NONE --cancel, grace--> NOTIFY --one call answered--> GRACE
 *     |                        |                            |
 *     +------cancel------------+--second cancel, grace over-+--> HARD
 *
 * A shield masks the word of whatever encloses it: agent->shields above the
 * count the word's scope was opened with means "do not look", until the
 * shield's limit.
 *
 * The walk goes down without recursion: scopes found on the way are pinned (a
 * pinned scope cannot be closed) and put on a list, so neither depth nor width
 * of the tree matters and at most one chain of locks is held. Walks may meet:
 * only who raised a scope's word lists it, so there is one link for each of the
 * two states a word is raised to.
 *
 * Race with a waiter: the canceller stores the word, then looks at the parker;
 * the waiter arms its parker, then looks at the word; both sequentially
 * consistent (Dekker), so at least one of them sees the other.
 */
#ifndef MFI_SCHED_CANCEL_H
#define MFI_SCHED_CANCEL_H

#include "sched/scope.h"
#include "sched/task.h"

enum cancel_state {
    CANCEL_NONE,
    CANCEL_NOTIFY,
    CANCEL_GRACE,
    CANCEL_HARD,
    CANCEL_STATE = 3,
    CANCEL_BY_DEADLINE = 4, /* for mf_cancelled: a scope's deadline did it */
};

/* The word the agent looks at. */
static inline _Atomic uint8_t *mfi_cancel_word(struct agent *a)
{
    return a->inner != NULL ? &a->inner->cancel : a->base;
}

/* The slow half of a cancel point: the word is not zero. */
int mfi_cancel_consume(struct agent *a);

/* On entry to every cancel point, and after each wake: 0 or -ECANCELED. */
static inline int mfi_cancel_point(struct agent *a)
{
    if (mfi_likely(mfi_load_sc(mfi_cancel_word(a)) == CANCEL_NONE))
        return 0;
    return mfi_cancel_consume(a);
}

/* Would a cancel point answer now? Consumes nothing. */
bool mfi_cancel_due(struct agent *a);

/* A deadline of one of a's scopes, if it struck, has cut a's own work short. */
void mfi_cancel_note_cut(struct agent *a);

/*
 * Cancel scope s and all below, with its grace if it has one, or hard. by:
 * CANCEL_BY_DEADLINE or 0. The caller is the owner or holds a pin or a child of
 * s. Readies whom it woke.
 */
void mfi_cancel_scope(struct scope *s, uint8_t by);

/* Cancel one task and all below it, hard. The caller holds a reference. */
void mfi_cancel_task(mf_task *t);

/* The deadline of s has struck, or its grace is over. Drops the pin on s. */
void mfi_cancel_by_clock(struct scope *s, bool grace_over);

/* If the limit of a's shield has passed, what it kept out comes in now. */
void mfi_shield_over(struct agent *a);

#endif
