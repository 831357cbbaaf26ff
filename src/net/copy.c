/* SPDX-License-Identifier: MIT */
/*
 * copy.c - two pumps back to back (io/pump.h): one in a task of its own, one
 * in the caller, in a scope in which the first failure ends both.
 *
 * Each pump waits for its own fds, and for silence on both: the point of the
 * last byte is common to them, so one whose time is up looks whether the other
 * has moved something meanwhile.
 */
#include "io/pump.h"
#include "net/socket.h"
#include "sched/options.h"

#include <mayfly/scope.h>
#include <mayfly/task.h>

struct side {
    struct pump pump;
    _Atomic uint64_t moved;
};

static int run_side(void *arg)
{
    struct side *s = arg;
    int rc = mfi_pump(&s->pump);

    if (rc == 0) /* what is no socket, or gone, cannot be told */
        (void)mf_shutdown(s->pump.out, SHUT_WR);
    return rc;
}

static void side_init(struct side *s, int in, int out, struct idle *idle,
                      mf_deadline deadline)
{
    *s = (struct side){.pump = {.in = in,
                                .out = out,
                                .left = UINT64_MAX,
                                .deadline = deadline,
                                .idle = idle,
                                .moved = &s->moved}};
}

static int both(struct side *there, struct side *back)
{
    mf_scope scope;
    int rc = mf_scope_open(&scope, NULL), all;

    if (rc < 0)
        return rc;
    rc =
        mf_spawn(&scope, run_side, back, MF_TASK_OPTIONS(.name = "copy"), NULL);
    if (rc == 0)
        rc = run_side(there);
    if (rc < 0)
        mf_scope_cancel(&scope);
    all = mf_scope_close(&scope);
    return all < 0 && (rc == 0 || rc == -ECANCELED) ? all : rc;
}

int mf_copy(int a, int b, mf_copied *ret_copied, const mf_copy_options *opts,
            mf_deadline deadline)
{
    mf_copy_options o = {.size = sizeof o};
    struct idle idle = {.span = 0};
    struct side there, back;
    int rc;

    if (mfi_options_copy(&o, sizeof o, opts) < 0 || o.idle < 0)
        return -EINVAL;
    idle.span = o.idle;
    mfi_store_rlx(&idle.since, mf_now());
    side_init(&there, a, b, &idle, deadline);
    side_init(&back, b, a, &idle, deadline);
    rc = both(&there, &back);
    if (ret_copied != NULL)
        *ret_copied = (mf_copied){.a_to_b = mfi_load_rlx(&there.moved),
                                  .b_to_a = mfi_load_rlx(&back.moved)};
    return rc;
}
