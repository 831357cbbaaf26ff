/* SPDX-License-Identifier: MIT */
/*
 * listen.c - serving what a listener accepts; connections that only wait.
 *
 *            accepted                    A_WHILE without a request
 *   mf_serve ---------> task with stack ---------------------------> record
 *                        ^   |  ends                                  |
 *                        |   v                                        |
 *                        +--------------- a byte, the end, a timeout -+
 *
 * A record is the stream, without its buffer, and a task that mf_go_when will
 * start: no stack, no struct conn. It lives in a scope of mf_http_listen's own,
 * as mf_serve's task for the connection has ended. So mf_serve cannot count the
 * connections: they are counted here, and one too many gets 503.
 *
 * A stop ends the idle ones at once (mf_http_drain) and lets the others finish
 * what they are in; what remains when the drain's span is over is cancelled,
 * by mf_serve its own, and here those that came from records.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <mayfly/sync.h>
#include <mayfly/task.h>

#include "http/conn.h"

struct listening {
    mf_http_app *app;
    mf_scope *scope; /* of the records */
    mf_event *stop;
    mf_ns drain;
    mf_ns stopped_at;
    _Atomic uint32_t nr;
    uint32_t most;
};

struct record {
    struct served served;
    struct listening *l;
    mf_stream *s;
    uint32_t requests;
};

static const mf_ns a_while = MF_SEC(1);

static void ended(struct listening *l)
{
    mfi_sub_acqrel(&l->nr, 1u);
}

/* ---- records ------------------------------------------------------------ */

static void converse(struct listening *l, mf_stream *s, uint32_t requests);

static int wakes(void *arg)
{
    struct record *r = arg;
    struct listening *l = r->l;
    mf_stream *s = r->s;
    uint32_t requests = r->requests;
    int rc;

    mfi_app_leave(l->app, &r->served);
    free(r); /* tidy: allow malloc, because it was made here */
    rc = mf_stream_wait(s, POLLIN, MF_NOW);
    if (rc > 0) {
        converse(l, s, requests);
        return 0;
    }
    (void)mf_stream_close(s, mf_after(MF_SEC(1))); /* idle for too long */
    ended(l);
    return 0;
}

/* Leave the task: 0. Else it has to go on with it. */
static int rest(struct listening *l, mf_stream *s, uint32_t requests)
{
    mf_ns span = l->app->o.idle_timeout;
    mf_deadline end = span == MFI_FAR ? MF_NEVER : mf_after(span - a_while);
    int fd = mf_stream_get_fd(s), rc;
    struct record *r;

    if (fd < 0 || (rc = mf_stream_trim(s)) < 0)
        return fd < 0 ? fd : rc;
    /* tidy: allow malloc, because it outlives the task */
    r = malloc(sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    *r = (struct record){.served.fd = fd, .l = l, .s = s, .requests = requests};
    mfi_app_enter(l->app, &r->served);
    rc = mfi_app_idle(l->app, &r->served)
             ? -ECANCELED
             : mf_go_when(l->scope, fd, POLLIN, end, wakes, r);
    if (rc < 0) {
        mfi_app_leave(l->app, &r->served);
        free(r); /* tidy: allow malloc, because it was made here */
    }
    return rc;
}

/* ---- connections -------------------------------------------------------- */

static void unwound(struct conn **c)
{
    if (*c != NULL) { /* a handler panicked, or called mf_exit */
        mfi_conn_done(*c, true);
        *c = NULL;
    }
}

/* Handle requests until it ends, or rests. */
static void converse(struct listening *l, mf_stream *s, uint32_t requests)
{
    mf_ns patience = a_while;
    struct conn *c __attribute__((__cleanup__(unwound))) = NULL;

    if (mfi_conn_make(l->app, s, &c) < 0) {
        mf_stream_abort(s);
        ended(l);
        return;
    }
    c->requests = requests;
    c->count = &l->nr;
    while (mfi_conn_run(c, patience) == 1) {
        struct conn *gone = c;

        requests = c->requests;
        c->count = NULL;
        c = NULL;
        mfi_conn_done(gone, false);
        if (rest(l, s, requests) == 0)
            return;
        if (mfi_conn_make(l->app, s, &c) < 0) {
            (void)mf_stream_close(s, MF_NOW);
            ended(l);
            return;
        }
        c->requests = requests;
        c->count = &l->nr;
        patience = MFI_FAR;
    }
}

static void too_many(mf_stream *s)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Retry-After: 1\r\nContent-Length: 0\r\n"
                               "Connection: close\r\n\r\n";

    char *data;

    if (mf_stream_write_all(s, text, sizeof text - 1, mf_after(MF_SEC(1))) ==
            0 &&
        mf_stream_shutdown(s, MF_NOW) == 0 &&
        mf_stream_peek(s, &data, 1, mf_after(MF_SEC(1))) > 0)
        (void)mf_stream_skip(s, mf_stream_buffered(s)); /* not reset by it */
    (void)mf_stream_close(s, mf_after(MF_SEC(1)));
}

static int accepted(int fd, void *arg)
{
    struct listening *l = arg;
    const mf_http_options *o = &l->app->o;
    mf_stream *s;
    int rc;

    if ((rc = mf_stream_fd(fd, &s)) < 0)
        return rc;
    if (mfi_add_acqrel(&l->nr, 1u) >= l->most && l->most > 0) {
        ended(l);
        too_many(s);
        return 0;
    }
    if (o->secure != NULL) {
        rc = o->secure(o->secure_arg, s, &s, nearer(MF_NEVER, o->head_timeout));
        if (rc < 0) {
            ended(l);
            return rc;
        }
    }
    converse(l, s, 0);
    return 0;
}

static int watches(void *arg)
{
    struct listening *l = arg;
    int rc = mf_event_wait(l->stop, MF_NEVER);

    if (rc == 0) {
        l->stopped_at = mf_now();
        mf_http_drain(l->app);
    }
    return 0;
}

static int serve(struct listening *l, int listener, const mf_serve_options *o)
{
    mf_scope watch;
    int rc;

    rc = mf_scope_open(&watch, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL));
    if (rc < 0) {
        mf_close(listener);
        return rc;
    }
    if (l->stop != NULL && (rc = mf_go(&watch, watches, l)) < 0) {
        (void)mf_scope_close(&watch);
        mf_close(listener);
        return rc;
    }
    rc = mf_serve(listener, accepted, l, o);
    mf_scope_cancel(&watch);
    (void)mf_scope_close(&watch);
    return rc;
}

int mf_http_listen(mf_http_app *app, int listener, const mf_serve_options *opts)
{
    mf_serve_options o = {.size = sizeof o};
    struct listening l = {.app = app};
    mf_scope scope;
    int rc;

    if (listener < 0)
        return listener; /* what mf_tcp_listen said */
    if (app == NULL ||
        (opts != NULL && (opts->size == 0 || opts->size > sizeof o))) {
        mf_close(listener);
        return -EINVAL;
    }
    if (opts != NULL)
        memcpy(&o, opts, opts->size);
    l.most = o.max_conns;
    l.drain = o.drain;
    l.stop = o.stop;
    l.scope = &scope;
    o.max_conns = 0; /* they are counted here */
    rc = mf_scope_open(&scope, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL));
    if (rc < 0) {
        mf_close(listener);
        return rc;
    }
    rc = serve(&l, listener, &o);
    if (rc < 0)
        mf_scope_cancel(&scope);
    else if (l.drain > 0 &&
             mf_scope_wait(&scope, mf_at(l.stopped_at + l.drain)) < 0) {
        rc = -ETIMEDOUT;
        mf_scope_cancel(&scope);
    }
    (void)mf_scope_close(&scope);
    return rc;
}

int mf_http_serve(mf_http_app *app, mf_stream *s)
{
    struct conn *c __attribute__((__cleanup__(unwound))) = NULL;
    int rc;

    if (app == NULL || s == NULL) {
        mf_stream_abort(s);
        return -EINVAL;
    }
    if ((rc = mfi_conn_make(app, s, &c)) < 0) {
        mf_stream_abort(s);
        return rc;
    }
    rc = mfi_conn_run(c, MFI_FAR);
    return rc == 1 ? 0 : rc;
}
