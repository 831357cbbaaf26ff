/* SPDX-License-Identifier: MIT */
/*
 * serve.c - an accept loop that keeps serving, and ends in order.
 *
 * Two scopes: `conns` owns the connections; `accepting`, inside it, is open
 * while the loop runs, with one child that waits for the stop event and then
 * cancels it. So a stop ends the accept and nothing else; the connections see
 * only what comes from above, or the end of the drain.
 */
#include "base/time.h"
#include "io/op.h"
#include "net/socket.h"
#include "sched/options.h"
#include "sched/spawn.h"
#include "sched/task.h"

struct conn {
    mf_conn_fn *fn;
    void *arg;
    int fd;
    /*
     * Too big for the task's record, so its stack is made at the spawn: want of
     * memory is the accept loop's to hear, who still has the fd to close.
     */
    char pad[TASK_COPY_LEN];
};

struct server {
    int listener;
    mf_conn_fn *fn;
    void *arg;
    mf_serve_options opts;
    mf_scope conns;
    mf_scope accepting;
};

static int run_conn(void *arg)
{
    struct conn *c = arg;

    (void)c->fn(c->fd, c->arg); /* its end is its own */
    return 0;
}

static int watch_stop(void *arg)
{
    struct server *sv = arg;
    int rc = mf_event_wait(sv->opts.stop, MF_NEVER);

    if (rc == 0)
        mf_scope_cancel(&sv->accepting);
    return 0;
}

static int spawn_conn(struct server *sv, int fd)
{
    struct conn c = {.fn = sv->fn, .arg = sv->arg, .fd = fd};
    struct spawn_args how = {.fn = run_conn,
                             .arg = &c,
                             .copy_len = sizeof c,
                             .name = "connection",
                             .stack_size = sv->opts.stack_size};

    return mfi_spawn(mfi_scope(&sv->conns), &how, NULL);
}

/* What a moment's patience may mend: others close their fds meanwhile. */
static bool passing(int rc)
{
    return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM || rc == -ENOBUFS ||
           rc == -EAGAIN;
}

static int accept_one(struct server *sv)
{
    int fd, rc;

    if (sv->opts.max_conns != 0 &&
        (rc = mf_scope_wait_slot(&sv->conns, MF_NEVER)) < 0)
        return rc;
    fd = mf_accept(sv->listener, NULL, MF_NEVER);
    if (fd < 0)
        return fd;
    rc = spawn_conn(sv, fd);
    if (rc < 0)
        mf_close(fd);
    return rc;
}

/* Until it fails for good. The pause doubles from 1 ms to a second. */
static int accept_loop(struct server *sv)
{
    mf_ns pause = 0;
    int rc;

    for (;;) {
        rc = accept_one(sv);
        if (rc >= 0) {
            pause = 0;
            continue;
        }
        if (!passing(rc))
            return rc;
        pause = pause == 0 ? MF_MSEC(1) : pause * 2;
        if (pause > MF_SEC(1))
            pause = MF_SEC(1);
        if ((rc = mf_sleep(pause)) < 0)
            return rc;
    }
}

static bool stopped(struct server *sv)
{
    int rc = -ETIMEDOUT;

    if (sv->opts.stop != NULL) {
        MF_SHIELD(MF_NEVER)
        {
            rc = mf_event_wait(sv->opts.stop, MF_NOW);
        }
    }
    return rc == 0;
}

/* The listener is closed; let the connections end. */
static int drain(struct server *sv)
{
    mf_deadline end = sv->opts.drain > 0 ? mf_after(sv->opts.drain) : MF_NEVER;
    int rc = mf_scope_wait(&sv->conns, end);

    if (rc == -ETIMEDOUT)
        mf_scope_cancel(&sv->conns);
    return rc;
}

static int serve(struct server *sv)
{
    int rc =
        mf_scope_open(&sv->accepting, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL));

    if (rc < 0)
        return rc;
    if (sv->opts.stop != NULL)
        rc = mf_go(&sv->accepting, watch_stop, sv);
    if (rc >= 0)
        rc = accept_loop(sv);
    mf_scope_drop(&sv->accepting);
    return rc;
}

int mf_serve(int listener, mf_conn_fn *fn, void *arg,
             const mf_serve_options *opts)
{
    struct server sv = {.listener = listener,
                        .fn = fn,
                        .arg = arg,
                        .opts = {.size = sizeof sv.opts}};
    int rc, all;

    if (fn == NULL || mfi_options_copy(&sv.opts, sizeof sv.opts, opts) < 0 ||
        sv.opts.drain < 0 || sv.opts.stack_size > MFI_STACK_MAX)
        rc = -EINVAL;
    else
        rc = mf_scope_open(
            &sv.conns,
            MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL, .limit = sv.opts.max_conns));
    if (rc < 0) {
        mf_close(listener);
        return rc;
    }
    rc = serve(&sv);
    mf_close(listener);
    if (rc == -ECANCELED && stopped(&sv))
        rc = drain(&sv);
    else if (rc != -ECANCELED)
        mf_scope_cancel(&sv.conns); /* the listener failed: no half server */
    all = mf_scope_close(&sv.conns);
    /* A connection may have ended with just that by mf_exit. */
    return all == -ECANCELED && mf_cancelled() != 0 ? all : rc;
}
