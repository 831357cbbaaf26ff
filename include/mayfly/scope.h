/* SPDX-License-Identifier: MIT */
/*
 * scope.h - a scope owns tasks: none of them outlives it.
 *
 * From open to close the opener too is inside the scope: its cancel and its
 * deadline reach the opener's own blocking calls as -ECANCELED, and close says
 * why. Scopes nest; a cancel reaches everything below it.
 */
#ifndef MF_SCOPE_H
#define MF_SCOPE_H

#include <mayfly/base.h>

MF_DECLS_BEGIN_

typedef struct mf_scope {
    uint64_t mfi_[16];
} mf_scope;

enum mf_scope_mode {
    MF_FAIL_FAST, /* first child < 0 cancels the rest; close returns it */
    MF_WAIT_ALL,  /* nobody cancels anybody; close returns the first < 0 */
    MF_RACE,      /* first child >= 0 cancels the rest; close returns it,
                     or, when all failed, the last failure */
};

typedef struct mf_scope_options {
    MF_SIZE_(mf_scope_options);
    int mode MF_0_;             /* enum mf_scope_mode */
    mf_deadline deadline MF_0_; /* passing it cancels the scope */
    mf_ns grace MF_0_;    /* span children may still block in after a cancel */
    uint32_t limit MF_0_; /* children running at once; 0: any number */
    const char *name MF_0_; /* borrowed until close; a literal */
} mf_scope_options;
#define MF_SCOPE_OPTIONS(...) MF_OPTIONS_(mf_scope_options, __VA_ARGS__)

/*
 * Open a scope. Scopes of one task (or thread) nest; the innermost one is
 * closed first.
 *
 *   s     the caller's memory; must stay where it is until closed
 *   opts  copied; NULL: all defaults (fail fast, no deadline)
 *
 * Returns 0, -EINVAL (s is NULL, bad option, runtime not running), -ENOMEM. A
 * scope opened in a cancelled task is cancelled from the start.
 * Context: any. Suspends: no. Cancel point: no.
 */
int mf_scope_open(mf_scope *s, const mf_scope_options *opts);

/*
 * Wait until no child is left; the scope stays open. Returns 0, -ETIMEDOUT,
 * -ECANCELED, -EINVAL (not open). Context: any. Suspends: maybe.
 * Cancel point: yes.
 */
int mf_scope_wait(mf_scope *s, mf_deadline deadline) MF_MUST_CHECK;

/*
 * Wait until fewer than `limit` children run: back-pressure for accept loops.
 * Returns 0, -ETIMEDOUT, -ECANCELED, -EINVAL (not open).
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_scope_wait_slot(mf_scope *s, mf_deadline deadline) MF_MUST_CHECK;

/*
 * Cancel caller-inside-scope and children; returns at once. With grace: each
 * task's current or next cancel point answers -ECANCELED once, then calls work
 * until the grace is over, then all answer -ECANCELED. A second cancel ends
 * the grace. Without grace: all answer -ECANCELED from now on. A scope that is
 * not open: nothing happens. Context: any. Suspends: no. Cancel point: no.
 */
void mf_scope_cancel(mf_scope *s);

/*
 * Wait for the children, always all of them, and end the scope. Returns
 *   by mode    a child's result, as enum mf_scope_mode says; a child's
 *              -ECANCELED that this scope's own cancel caused does not count
 *   -ETIMEDOUT the scope's deadline cut someone short
 *   -ECANCELED an enclosing scope was cancelled
 *   0          otherwise, also after mf_scope_cancel(s)
 * or, leaving everything as it is: -EINVAL (not open), -EPERM (not the
 * opener's innermost scope). Context: the opener. Suspends: maybe.
 * Cancel point: no; a cancel is passed on to the children.
 */
int mf_scope_close(mf_scope *s);

/*
 * Still open? Cancel, wait, end; scopes opened inside it and still open are
 * dropped first. What MF_SCOPE runs on every way out of its block.
 * Context: the opener. Suspends: maybe. Cancel point: no.
 */
void mf_scope_drop(mf_scope *s);

/*
 * The scope of tasks without a better one; MF_WAIT_ALL; cancelled and awaited
 * by mf_run and mf_stop. NULL while nothing runs. Context: any. Suspends: no.
 */
mf_scope *mf_root(void);

/* Declare and open; leaving the block early cancels the children and waits. */
#define MF_SCOPE(...) MF_SCOPE_(__VA_ARGS__, ) /* MF_SCOPE(name, .opt = ...) */
#define MF_SCOPE_(name, ...)                                                   \
    mf_scope name __attribute__((__cleanup__(mf_scope_drop)));                 \
    mf_scope_open(&name, MF_SCOPE_OPTIONS(__VA_ARGS__))

/*
 * fn(arg) in this task, with `deadline` over everything it blocks in. Returns
 * its result, or -ETIMEDOUT if the deadline made it end with -ECANCELED.
 * Context: any. Suspends: as fn does. Cancel point: no.
 */
int mf_call_within(mf_fn *fn, void *arg, mf_deadline deadline);

/* MF_SHIELD(deadline) { ... }: no cancel inside until then; any way out. */
typedef struct mf_shield {
    uint64_t mfi_[2];
} mf_shield;

/*
 * From here on no cancel reaches this task's calls, until mf_shield_end or
 * until `limit`. Shields nest; the nearest one's limit counts. A scope opened
 * inside is not cancelled from outside either. Context: any. Suspends: no.
 */
mf_shield mf_shield_begin(mf_deadline limit);

/* End it; idempotent. Context: where it began. Suspends: no. */
void mf_shield_end(mf_shield *sh);

int mf_shield_once_(mf_shield *sh);
#define MF_SHIELD(deadline) MF_SHIELD_AT_(deadline, __LINE__)
#define MF_SHIELD_AT_(deadline, line) MF_SHIELD_IN_(deadline, line)
#define MF_SHIELD_IN_(deadline, line) MF_SHIELD_(deadline, mf_shield_##line)
#define MF_SHIELD_(deadline, name)                                             \
    for (mf_shield name __attribute__((__cleanup__(mf_shield_end))) =          \
             mf_shield_begin(deadline);                                        \
         mf_shield_once_(&name);)

MF_DECLS_END_
#endif
