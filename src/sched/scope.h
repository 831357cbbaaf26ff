/* SPDX-License-Identifier: MIT */
/*
 * scope.h - the inside of mf_scope: children, limit, result, clock.
 *
 * Life: opened by an agent and pushed on its chain of open scopes; children are
 * linked by whoever spawns them and unlinked by themselves; closed by the
 * opener once live and pins are zero. The opener's memory holds it, so whoever
 * else touches it must be counted: a child by `live`, a canceller or clock by
 * `pins`. close waits for live under `lock`, so the last child's unlock is its
 * last access; then takes s off the owner's chain, so nobody finds it any more;
 * then spins until pins is zero (a walk over the children, no longer).
 *
 *   guards: lock, all fields but cancel, flags, pins (atomic), and owner, mode,
 *           limit (constant while open); outer is walked under owner->lock
 *   rank:   scope lock, then task LOCK, then agent lock
 */
#ifndef MFI_SCHED_SCOPE_H
#define MFI_SCHED_SCOPE_H

#include <mayfly/scope.h>
#include <mayfly/task.h>

#include "base/waitq.h"
#include "os/spin.h"

struct agent;
struct locals;
struct scope_clock;

enum { SCOPE_MAGIC = 0x5c09e0f1 };

enum scope_flags {
    SCOPE_RESULT = 1,    /* result is set */
    SCOPE_WON = 2,       /* RACE: somebody succeeded */
    SCOPE_OWN = 4,       /* cancelled by itself: fail, race, call, deadline */
    SCOPE_OUTER = 8,     /* cancelled from above */
    SCOPE_DEADLINE = 16, /* its own deadline struck */
    SCOPE_CUT = 32,      /* ... and ended somebody's work */
    SCOPE_ROOT = 64,
    SCOPE_PART = 128, /* of something that is told of its end */
};

struct scope {
    uint32_t magic;
    struct spin lock;
    _Atomic uint8_t cancel; /* cancel.h */
    _Atomic uint8_t flags;
    uint8_t mode;
    uint8_t shields; /* the owner's count at open */
    _Atomic uint32_t pins;
    struct agent *owner;
    struct scope *outer;  /* the owner's next open scope */
    struct list children; /* mf_task.sibling */
    mf_task *pending;     /* tail of a ring by ->next: beyond the limit */
    struct waitq waiters; /* for live or running to fall */
    uint32_t live;        /* accepted and not ended */
    uint32_t running;     /* of these, not pending */
    uint32_t limit;       /* 0: none */
    int result;
    mf_ns grace;
    struct scope_clock *clock; /* deadline or grace timer, or NULL */
    struct scope *walk[2];     /* cancellers' lists, while pinned */
    const char *name;
    struct locals *orphans; /* to discard at the close; see local.c */
};
_Static_assert(sizeof(struct scope) <= sizeof(mf_scope),
               "fits the public type");
_Static_assert(_Alignof(struct scope) <= _Alignof(mf_scope),
               "and its alignment");

static inline struct scope *mfi_scope(mf_scope *s)
{
    return (struct scope *)(void *)s;
}

static inline bool mfi_scope_is_open(const struct scope *s)
{
    return s != NULL && s->magic == SCOPE_MAGIC;
}

/*
 * NULL, or told by the owner that ends s, which is SCOPE_PART: once before it
 * waits for the children (over false; the place to wake who would keep them),
 * and once when nobody else can come to s any more (over true; may suspend).
 * Each layer above has one, set before main, and knows which scopes are its.
 */
enum scope_parts { SCOPE_OF_CQUEUE, SCOPE_OF_PROCS, SCOPE_PARTS };
extern void (*mfi_scope_ending[SCOPE_PARTS])(struct scope *s, bool over);

/* Make s SCOPE_PART, later than at its open. 0; -ECANCELED: it is cancelled. */
int mfi_scope_join(struct scope *s);

struct worker;

/*
 * Count a new child in. Returns 0 (start it), 1 (it waits in pending),
 * -ECANCELED, -EINVAL.
 */
int mfi_scope_admit(struct scope *s, mf_task *t);

/* A spawn failed with rc: MF_FAIL_FAST scopes fail with it. */
void mfi_scope_refused(struct scope *s, int rc);

/*
 * t has ended: count it out. Frees what nobody holds, starts a pending child,
 * wakes waiters, applies the mode. s may be gone afterwards.
 */
void mfi_scope_ended(struct worker *w, struct scope *s, mf_task *t);

/* Open without checks; for mf_root (owner NULL is allowed there). */
void mfi_scope_init(struct scope *s, struct agent *owner,
                    const mf_scope_options *opts);

/* No child of the root is left: give up the handles its users kept. */
void mfi_scope_root_done(struct scope *s);

/*
 * Keep s from being closed for a moment. The caller knows that it is not closed
 * yet: it holds the owner's agent lock (s is on its chain), the lock of the
 * wheel its clock is on, or s->lock while a child lives.
 */
static inline void mfi_scope_pin(struct scope *s)
{
    mfi_add_acqrel(&s->pins, 1u);
}

/* The last access to s. */
static inline void mfi_scope_unpin(struct scope *s)
{
    mfi_sub_acqrel(&s->pins, 1u);
}

#endif
