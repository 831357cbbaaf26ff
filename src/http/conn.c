/* SPDX-License-Identifier: MIT */
/*
 * conn.c - the life of a connection: wait, parse, handle, answer, again.
 *
 * All complete requests that one read brought are parsed where they lie in the
 * stream's buffer, one after the other, and their answers gathered; the stream
 * is asked again, and the answers are written, only when what is left is no
 * whole request. So a batch of pipelined requests costs two system calls.
 *
 * An answer must not wait for the next request's handler if it takes its time.
 * Nobody can know before; but who did once is remembered (endpoint.slow), and
 * before him what is gathered goes out.
 *
 * The deadlines: of the first byte of a request the idle timeout (patience); of
 * its head, from that byte on, the head timeout, however its bytes come.
 *
 * A panic or an exit unwinds through here: mfi_conn_done finds a request being
 * handled, and answers 500 for it.
 */
#include "http/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mayfly/scope.h>

#include "stream/stream.h"

enum { SLOW = 1000 * 1000 }; /* ns a handler may take and be quick */

/* ---- making and ending -------------------------------------------------- */

int mfi_conn_make(mf_http_app *app, mf_stream *s, struct conn **ret)
{
    size_t fields = app->o.max_fields * sizeof(mf_http_field);
    /* tidy: allow malloc, because a connection outgrows a stack's frame */
    struct conn *c = malloc(sizeof *c + fields);
    int fd;

    if (c == NULL)
        return -ENOMEM;
    memset(c, 0, offsetof(struct conn, arena));
    c->app = app;
    c->s = s;
    c->req.c = c;
    fd = mf_stream_get_fd(s);
    c->served = (struct served){.fd = fd};
    if (fd >= 0 && app->o.write_timeout != MFI_FAR)
        (void)mf_fd_timeouts(fd, 0, app->o.write_timeout);
    mfi_app_enter(app, &c->served);
    *ret = c;
    return 0;
}

/*
 * Closing with bytes unread resets the connection, and the peer may lose our
 * answer with it (RFC 9112, 9.6): end our side, and read a little more.
 */
static void linger(struct conn *c)
{
    enum { LITTLE = 256 * 1024 };
    mf_deadline end = mf_after(MF_SEC(2));
    char *data;
    int n;

    if (mf_stream_shutdown(c->s, end) < 0)
        return;
    for (int total = 0; total < LITTLE; total += n) {
        n = mf_stream_peek(c->s, &data, 1, end);
        if (n <= 0 || mf_stream_skip(c->s, (size_t)n) < 0)
            return;
    }
}

/*
 * The answer has begun and will not end. Its head's length or its chunks say
 * so, once the connection is closed; what ends with the connection needs a
 * reset. What was gathered before it is whole, and still goes out.
 */
static void cut_short(struct conn *c)
{
    const mf_http_req *req = &c->req;

    c->ended = true;
    c->cut = true;
    c->reset = req->left < 0 && !req->chunked && !req->bodiless;
}

/* A panic in the handler, or an exit, left its request here. */
static void give_up(struct conn *c)
{
    c->handling = false;
    c->ended = true;
    c->req.close = true;
    if (c->req.answer == ANSWER_NONE)
        (void)mfi_reply_error(&c->req, 500);
    else if (c->req.answer == ANSWER_BEGUN)
        cut_short(c);
}

void mfi_conn_done(struct conn *c, bool close)
{
    mf_http_app *app = c->app;

    mfi_app_forget_fd(app, &c->served);
    if (c->s != NULL && close) {
        MF_SHIELD(mf_after(MF_SEC(3)))
        {
            if (c->handling)
                give_up(c);
            if (c->error == 0 && mfi_out_flush(c, mf_after(MF_SEC(1))) == 0 &&
                c->ended && !c->reset) /* whose end would be orderly */
                linger(c);
            if (c->reset)
                mf_stream_abort(c->s); /* it must not look whole */
            else
                (void)mf_stream_close(c->s, mf_after(MF_SEC(1)));
        }
    }
    mfi_req_reset(c);
    if (c->count != NULL)
        mfi_sub_acqrel(c->count, 1u);
    mfi_app_leave(app, &c->served);
    free(c->head_copy); /* tidy: allow malloc, because body.c made it */
    free(c->out);       /* tidy: allow malloc, because reply.c made it */
    free(c->extra);     /* tidy: allow malloc, because reply.c made it */
    free(c);            /* tidy: allow malloc, because it was made here */
}

int mfi_conn_plain_fd(const struct conn *c)
{
    return c->s->ops == NULL ? c->served.fd : -ENOTSUP;
}

void mfi_conn_skip(struct conn *c)
{
    if (c->at > c->start)
        (void)mf_stream_skip(c->s, (size_t)(c->at - c->start));
    c->start = c->at = c->end = NULL;
}

/* ---- handling ----------------------------------------------------------- */

static int call_endpoint(mf_http_req *req)
{
    struct endpoint *e = req->match.at;

    return e->fn(req, e->arg);
}

/* No such path, or none for the method: with what there is, for a 405. */
static int no_endpoint(mf_http_req *req)
{
    const struct endpoint *of = req->match.of;
    bool options = req->head.method.len == 7 &&
                   memcmp(req->head.method.at, "OPTIONS", 7) == 0;
    bool star = req->head.path.len == 1 && req->head.path.at[0] == '*';
    char allow[256] = "";
    size_t len = 0;

    if (of == NULL && !(star && options))
        return mfi_reply_error(req, 404);
    for (; of != NULL; of = of->next) {
        size_t n = strlen(of->method);

        if (len + n + 10 > sizeof allow)
            break;
        memcpy(allow + len, of->method, n);
        len += n;
        if (strcmp(of->method, "GET") == 0) {
            memcpy(allow + len, ", HEAD", 6);
            len += 6;
        }
        memcpy(allow + len, ", ", 3);
        len += 2;
    }
    if (len > 0) {
        allow[len - 2] = '\0';
        (void)mf_http_set(req, "Allow", allow);
    }
    return options ? mf_http_reply(req, 204, NULL, NULL, 0, MF_NEVER)
                   : mfi_reply_error(req, 405);
}

int mf_http_next(mf_http_req *req)
{
    struct wrapper *w = req->next;

    if (w != NULL) {
        req->next = w->inner;
        return w->fn(req, w->arg);
    }
    return req->match.at != NULL ? call_endpoint(req) : no_endpoint(req);
}

/* What the handler's failure is to the client. */
static int status_of(const mf_http_req *req)
{
    switch (req->body_error) {
    case -EMSGSIZE:
        return 413;
    case -ETIMEDOUT:
        return 408;
    case -EPROTO:
    case -EPIPE:
        return 400;
    }
    return 500;
}

static void call(struct conn *c, mf_http_req *req)
{
    struct endpoint *e = req->match.at;
    bool watch = e != NULL && c->out_len == 0 && c->at < c->end;
    mf_ns begin = 0;
    int rc;

    if (c->out_len > 0 && (e == NULL || mfi_load_rlx(&e->slow)))
        c->error = mfi_out_flush(c, MF_NEVER);
    watch |= c->out_len > 0;
    if (watch)
        begin = mf_now();
    rc = mf_http_next(req);
    if (watch && e != NULL && mf_now() - begin > SLOW &&
        !mfi_load_rlx(&e->slow))
        mfi_store_rlx(&e->slow, true);
    if (req->answer == ANSWER_UPGRADED)
        return;
    if (req->answer == ANSWER_NONE) {
        (void)mfi_reply_error(req, rc < 0 ? status_of(req) : 500);
    } else if (req->answer == ANSWER_BEGUN) {
        if (rc < 0 || mf_http_end(req, MF_NEVER) < 0)
            cut_short(c);
    }
    if (rc == -ECANCELED)
        req->close = true;
}

/* The head is whole and right: handle it. */
static void handle(struct conn *c, size_t head_len)
{
    mf_http_req *req = &c->req;

    c->handling = true;
    c->requests++;
    req->is_head = req->head.method.len == 4 &&
                   memcmp(req->head.method.at, "HEAD", 4) == 0;
    req->close = !req->head.keep_alive || mfi_app_is_draining(c->app) ||
                 c->requests == c->app->o.max_requests;
    req->next = c->app->outermost;
    mfi_body_begin(req, head_len);
    mfi_route_find(c->app->root, req->head.method, req->head.path, &req->match);
    call(c, req);
    if (req->answer == ANSWER_UPGRADED || c->error < 0 || c->cut ||
        req->close || !mfi_body_drain(req))
        c->ended = true;
    c->handling = false;
    if (c->app->o.log != NULL)
        c->app->o.log(req, c->app->o.log_arg);
    mfi_req_reset(c);
}

/* What stands in the window is not HTTP, or too much: answer, and the end. */
static void refuse_head(struct conn *c, int status)
{
    mf_http_req *req = &c->req;

    req->head.keep_alive = 0;
    req->is_head = false; /* as the one before may have been */
    req->close = true;
    req->body = BODY_ENDED;
    (void)mfi_reply_error(req, status);
    if (c->app->o.log != NULL)
        c->app->o.log(req, c->app->o.log_arg);
    mfi_req_reset(c);
    c->at = c->end;
    c->ended = true;
}

/* ---- reading heads ------------------------------------------------------ */

/* The window holds no whole head, but more than one may have? The status. */
static int too_long(const struct conn *c)
{
    size_t have = (size_t)(c->end - c->at);
    const char *line = memchr(c->at, '\n', have);
    size_t target = line != NULL ? (size_t)(line - c->at) : have;

    if (target > c->app->o.max_target + 64)
        return 414;
    return have >= c->app->o.max_head ? 431 : 0;
}

/* Parse at the front of the window: 1 handled, 0 more is needed, < 0 not. */
static int one_request(struct conn *c)
{
    mf_http_req *req = &c->req;
    int n;

    req->head.fields = c->fields;
    req->head.cap_fields = (int)c->app->o.max_fields;
    n = mf_http_parse_request(c->at, (size_t)(c->end - c->at), &req->head);
    if (n > 0 && (size_t)n <= c->app->o.max_head &&
        req->head.target.len <= c->app->o.max_target) {
        handle(c, (size_t)n);
        return 1;
    }
    if (n < 0)
        refuse_head(c, req->head.status);
    else if (n > 0)
        refuse_head(c, (size_t)n > c->app->o.max_head ? 431 : 414);
    else if (c->end > c->at && (n = too_long(c)) != 0)
        refuse_head(c, n);
    else
        return 0;
    return -EPROTO;
}

/*
 * Bytes that come one by one must not be parsed each time from the start: only
 * when the empty line is there, or too many are.
 */
static bool worth_parsing(const struct conn *c, size_t looked)
{
    size_t have = (size_t)(c->end - c->at), from = looked > 3 ? looked - 3 : 0;

    return looked == 0 || have >= c->app->o.max_head ||
           memmem(c->at + from, have - from, "\r\n\r\n", 4) != NULL ||
           (looked < 64 && have >= 64); /* no HTTP is often seen early */
}

/* At least have + 1 bytes in the window. 1; 0 the end; < 0. */
static int fill(struct conn *c, size_t have, mf_deadline deadline)
{
    char *data;
    int rc;

    if (c->start != NULL)
        mfi_conn_skip(c);
    if (c->out_len > 0 && mf_stream_buffered(c->s) <= have &&
        (rc = mfi_out_flush(c, MF_NEVER)) < 0)
        return rc;
    rc = mf_stream_peek(c->s, &data, have + 1, deadline);
    if (rc < 0)
        return rc;
    c->start = c->at = data;
    c->end = data + rc;
    return (size_t)rc > have;
}

/* The rest of a head of which `have` bytes are there: as mfi_conn_run. */
static int rest_of_head(struct conn *c)
{
    mf_ns span = c->app->o.head_timeout;
    mf_deadline end = span == MFI_FAR ? MF_NEVER : mf_after(span);

    for (;;) {
        size_t have = (size_t)(c->end - c->at);
        int rc = fill(c, have, end);

        if (rc == -ETIMEDOUT) {
            refuse_head(c, 408);
            return rc;
        }
        if (rc <= 0)
            return rc < 0 ? rc : -EPIPE;
        if (worth_parsing(c, have) && (rc = one_request(c)) != 0)
            return rc;
    }
}

static int first_bytes(struct conn *c, mf_ns patience)
{
    mf_ns span =
        c->requests == 0 ? c->app->o.head_timeout : c->app->o.idle_timeout;
    mf_deadline end;
    int rc;

    if (patience < span)
        span = patience;
    end = span == MFI_FAR ? MF_NEVER : mf_after(span);
    if (mfi_app_idle(c->app, &c->served) && c->requests > 0)
        end = MF_NOW; /* what is there already is still answered */
    rc = fill(c, 0, end);
    mfi_app_busy(&c->served);
    return rc;
}

int mfi_conn_run(struct conn *c, mf_ns patience)
{
    int rc;

    while (!c->ended) {
        rc = c->at < c->end ? one_request(c) : 0;
        if (rc == 0 && c->at < c->end) {
            rc = rest_of_head(c);
        } else if (rc == 0) {
            rc = first_bytes(c, patience);
            if (rc == -ETIMEDOUT)
                return patience < c->app->o.idle_timeout &&
                       !mfi_app_is_draining(c->app);
            if (rc == 0)
                return 0; /* the end, between two requests */
        }
        if (c->error < 0)
            return c->error;
        if (c->cut)
            return -EPIPE;
        if (rc < 0) {
            c->error = rc == -EPROTO || rc == -ETIMEDOUT ? 0 : rc;
            return rc;
        }
    }
    return 0;
}
