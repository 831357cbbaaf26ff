/* SPDX-License-Identifier: MIT */
/*
 * select.h - wait for the first of many things.
 *
 *   int rc;
 *   MF_SELECT(rc, deadline) {
 *       MF_CASE(ints_on_recv(a, &v)) { ... rc: 1, 0 ... }
 *       MF_CASE(mf_on_time(t))       { ... }
 *       MF_ELSE                      { ... rc: -ETIMEDOUT, -ECANCELED ... }
 *   }
 *
 * Exactly one case wins; a loser has consumed nothing: no message, no permit,
 * no byte. Each case expression is evaluated once per wait, in order. Only
 * MF_CASE and MF_ELSE may stand directly in the block. break leaves it; return
 * and goto are fine.
 */
#ifndef MF_SELECT_H
#define MF_SELECT_H

#include <mayfly/chan.h>
#include <mayfly/sync.h>
#include <mayfly/task.h>

MF_DECLS_BEGIN_

typedef struct mf_signal mf_signal;
struct mf_addr;

/* Made by the mf_on_... functions. 64 bytes for ever; mfi_ is the library's. */
typedef struct mf_case {
    int op; /* enum mf_op */
    int fd;
    void *obj; /* NULL: this case never fires (Go's nil channel) */
    void *val;
    mf_deadline at;
    int res; /* the winner's: what the plain call would have returned */
    uint32_t mfi_[7];
} mf_case;

enum mf_op {
    MF_OP_NONE,
    MF_OP_RECV,
    MF_OP_SEND,
    MF_OP_FD,
    MF_OP_ACCEPT,
    MF_OP_TIME,
    MF_OP_JOIN,
    MF_OP_EVENT,
    MF_OP_SEM,
    MF_OP_SIGNAL,
    MF_OP_SCOPE,
    MF_OP_CALL,
    MF_OP_BROADCAST,
    MF_OP_WATCH,
    MF_OP_PROC
};
enum {
    MF_SELECT_MAX = 16
}; /* cases of the macro form; mf_select has no limit */

/*
 * Wait for one of n cases. Returns the winner's index, cases[i].res its result;
 * or -ETIMEDOUT (MF_NOW: none was ready), -ECANCELED, -EINVAL (bad arguments),
 * -ENOMEM (more than MF_SELECT_MAX cases, and no memory). Several ready at
 * once: a random one; _ordered: the first. A case whose plain call would fail
 * wins with that failure as its result. n = 0 waits for the deadline. MF_NOW
 * looks at one case after the other, not at all of them at one instant.
 *
 * A MF_OP_CALL case is a task of its own, started only when nothing else is
 * ready; a losing one is cancelled, and select returns when it has ended.
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_select(mf_case *cases, int n, mf_deadline deadline) MF_MUST_CHECK;
int mf_select_ordered(mf_case *cases, int n,
                      mf_deadline deadline) MF_MUST_CHECK;

mf_case mf_on_recv(mf_chan *c, void *ret_elem);   /* res 1, 0 */
mf_case mf_on_send(mf_chan *c, const void *elem); /* res 0, -EPIPE */
mf_case mf_on_fd(int fd, short poll_events); /* res revents; fd -1: never */
mf_case mf_on_accept(int listener, struct mf_addr *ret_peer); /* res fd */
mf_case mf_on_time(mf_deadline at);                           /* res 0 */
mf_case mf_on_join(mf_task *t, int *ret_result);              /* res 0 */
mf_case mf_on_event(mf_event *e);                             /* res 0 */
mf_case mf_on_sem(mf_sem *s);             /* res 0: one permit taken */
mf_case mf_on_signal(mf_signal *sig);     /* res signal number */
mf_case mf_on_scope(mf_scope *s);         /* res 0: no child left */
mf_case mf_on_call(mf_fn *fn, void *arg); /* res fn's */

/*
 * MF_LOOP_SELECT repeats it until break, until its deadline or a cancel (after
 * MF_ELSE), or until no case can fire again (rc 0). A source that can say
 * nothing new (closed channel, ended task, fired event, same point in time)
 * fires once per loop, so it cannot make the loop spin.
 */
typedef struct mf_selector {
    mf_case cases[MF_SELECT_MAX + 1]; /* the last: of those too many */
    int ids[MF_SELECT_MAX];
    int *rc;
    mf_deadline deadline;
    int n, state, won, loop, nspent;
    struct {
        int id;
        int64_t at;
    } spent[MF_SELECT_MAX];
} mf_selector;
mf_selector *mf_selector_init_(mf_selector *s, int *rc, mf_deadline deadline,
                               int loop);    /* returns s */
int mf_selector_step_(mf_selector *s);       /* 1: run the block */
mf_case *mf_selector_add_(mf_selector *s, int id); /* where the case goes */
#define MF_SELECT_(rc, deadline, loop)                                         \
    for (mf_selector mf_sel_, *mf_sel_at_ = mf_selector_init_(                 \
                                  &mf_sel_, &(rc), (deadline), (loop));        \
         mf_selector_step_(mf_sel_at_);)
#define MF_SELECT(rc, deadline) MF_SELECT_(rc, deadline, 0)
#define MF_LOOP_SELECT(rc, deadline) MF_SELECT_(rc, deadline, 1)
#define MF_CASE(c) MF_CASE_(__COUNTER__ + 1, c)
#define MF_CASE_(id, c)                                                        \
    if (mf_sel_.state == 1 ? (*mf_selector_add_(&mf_sel_, (id)) = (c), 0)      \
                           : mf_sel_.won == (id))
#define MF_ELSE if (mf_sel_.state == 2 && mf_sel_.won == 0)

MF_DECLS_END_
#endif
