/* SPDX-License-Identifier: MIT */
/*
 * select.h - what one case of a select can do; cases.c has the kinds.
 *
 *   locked   channels, semaphores, events, broadcasts, watches: a spin lock and
 *            a queue of waiters. A select holds the locks of all of them at
 *            once, in the order of their addresses, to look and to link: so two
 *            selects that meet on several channels cannot both wait, nor both
 *            give. Nobody else holds two of these locks.
 *   poked    joins, scopes: looked at and linked one by one. They are true for
 *            good, and nothing is consumed, so there is no order to keep.
 *   fd       an fd record, and an attempt (poll, accept, ...) that says -EAGAIN
 *   time     part of the wait's deadline
 *   call     a task of its own, then as a join
 */
#ifndef MFI_SYNC_SELECT_H
#define MFI_SYNC_SELECT_H

#include <mayfly/select.h>

#include <string.h>

#include "poll/fdtab.h"
#include "sync/wait.h"

struct chan_after;

struct case_link {
    union {
        struct sync_waiter s;
        struct fd_waiter f;
    };
    struct fdrec *rec; /* fd: held while linked */
    bool linked;
};

/* One try without waiting: its result, or -EAGAIN. */
typedef int mfi_attempt(mf_case *c);

/* What a case keeps in its reserved words. */
struct case_words {
    union {
        mfi_attempt *attempt; /* fd cases, with the poll events */
        mf_task *task;        /* call cases: who runs the call */
        uint64_t *version;    /* watch cases */
    };
    int events;
};
_Static_assert(sizeof(struct case_words) <= sizeof(((mf_case *)0)->mfi_),
               "the reserved words hold it");
_Static_assert(sizeof(mf_case) == 64, "promised for ever");

static inline struct case_words mfi_case_words(const mf_case *c)
{
    struct case_words w;

    memcpy(&w, c->mfi_, sizeof w);
    return w;
}

static inline void mfi_case_set_words(mf_case *c, struct case_words w)
{
    memcpy(c->mfi_, &w, sizeof w);
}

struct case_kind {
    mfi_attempt *attempt; /* takes the locks it needs; NULL: see fd */
    /* locked */
    struct spin *(*lock)(const mf_case *c);
    struct waitq *(*queue)(const mf_case *c);
    int (*attempt_locked)(mf_case *c, struct chan_after *after);
    /* poked: false if there is nothing to wait for */
    bool (*link)(mf_case *c, struct case_link *l);
    void (*unlink)(mf_case *c, struct case_link *l);
    bool once; /* it can say nothing new afterwards (MF_LOOP_SELECT) */
};

/* The kind of a case that can fire, or NULL for one that never does. */
const struct case_kind *mfi_case_kind(const mf_case *c);

/* Is c as its mf_on_... made it? */
bool mfi_case_valid(const mf_case *c);

/* Has c, the winner, said its last word? */
bool mfi_case_spent(const mf_case *c);

/*
 * A case that waits for fd to have one of poll_events, then tries attempt; for
 * layers above. fd -1 never fires.
 */
mf_case mfi_case_fd(enum mf_op op, int fd, short poll_events,
                    mfi_attempt *attempt);
static inline bool mfi_case_is_fd(const mf_case *c)
{
    return c->op == MF_OP_FD || c->op == MF_OP_ACCEPT ||
           c->op == MF_OP_SIGNAL || c->op == MF_OP_PROC;
}

/* fd cases. again: tried before, so an edge is known if there was one. */
int mfi_case_fd_attempt(mf_case *c, bool again);
/* 1 linked, 0 ready or closing: look again; < 0: it cannot be waited for. */
int mfi_case_fd_link(mf_case *c, struct case_link *l, struct agent *a);
/* True: it was closed under us. */
bool mfi_case_fd_unlink(mf_case *c, struct case_link *l);

/*
 * A plain thread sleeps for n cases, nfds of them fds, until `at`. 1 look again
 * (for a cancel too), -ETIMEDOUT, -ENOMEM, -EMFILE.
 */
int mfi_case_fds_wait(struct agent *a, mf_case *cases, struct case_link *links,
                      int n, int nfds, mf_ns at);

/* Call cases: forget the task of an earlier select; it may be gone. */
void mfi_case_call_reset(mf_case *c);
/* Start it in s; from then on it is a join. 0 or why not. */
int mfi_case_call_start(mf_case *c, mf_scope *s);

#endif
