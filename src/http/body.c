/* SPDX-License-Identifier: MIT */
/*
 * body.c - the bodies of requests: in the window, by length, in chunks.
 *
 * A short body usually came with its head and lies whole in the window: it is
 * read from there, and the window goes on behind it to the next request. Else
 * the stream is going to be read, which ends what it has lent: the head is
 * copied, and its texts moved with it, once for each such request.
 *
 * What a handler leaves unread is read after it, up to some KiB: a connection
 * is worth that. Beyond, or if the client waits to be told to go on, it
 * ends; it says so in the answer (mfi_body_is_long).
 *
 * A limit is one of what is taken: a Content-Length beyond max_body fails at
 * the first read, chunks when they get there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/conn.h"

enum { DRAIN_MOST = 64 * 1024, LINE_MOST = 1024, TRAILERS_MOST = 8192 };

/* ---- beginning ---------------------------------------------------------- */

static void move(mf_text *text, ptrdiff_t by)
{
    if (text->at != NULL)
        text->at += by;
}

/* The head is needed after its window. False: no memory. */
static bool copy_head(struct conn *c, size_t len)
{
    mf_http_head *h = &c->req.head;
    const char *root = h->path.at;
    ptrdiff_t by;

    if (len > c->head_cap) {
        free(c->head_copy); /* tidy: allow malloc, because it was made here */
        /* tidy: allow malloc, because it outlives the window */
        c->head_copy = malloc(len);
        c->head_cap = c->head_copy != NULL ? len : 0;
        if (c->head_copy == NULL)
            return false;
    }
    memcpy(c->head_copy, c->at, len);
    by = c->head_copy - c->at;
    for (int i = 0; i < h->n_fields; i++) {
        move(&h->fields[i].name, by);
        move(&h->fields[i].value, by);
    }
    move(&h->method, by);
    move(&h->target, by);
    move(&h->query, by);
    move(&h->host, by);
    if (root >= c->at && root < c->at + len) /* or it is static: "/", "*" */
        move(&h->path, by);
    return true;
}

void mfi_body_begin(mf_http_req *req, size_t head_len)
{
    struct conn *c = req->c;
    char *body = c->at + head_len;
    bool here = req->head.body == MF_HTTP_BODY_LENGTH &&
                req->head.length <= (uint64_t)(c->end - body);

    req->wants_continue = req->head.expect_continue;
    req->trailers = (mf_http_head){.fields = NULL};
    if (req->head.body == MF_HTTP_BODY_NONE || here) {
        req->body = here ? BODY_WINDOW : BODY_ENDED;
        req->body_at = body;
        req->body_left = here ? req->head.length : 0;
        req->wants_continue = false; /* nothing is waited for */
        c->at = body + req->body_left;
        return;
    }
    req->body =
        req->head.body == MF_HTTP_BODY_LENGTH ? BODY_STREAM : BODY_CHUNKS;
    req->body_left = req->head.length;
    req->chunks = (mf_http_chunks){0};
    if (!copy_head(c, head_len))
        req->body_error = -ENOMEM;
    c->at = body;
    mfi_conn_skip(c);
}

bool mfi_body_is_long(const mf_http_req *req)
{
    switch (req->body) {
    case BODY_WINDOW:
    case BODY_ENDED:
        return false;
    case BODY_STREAM:
        return req->wants_continue || req->body_error != 0 ||
               req->body_left > DRAIN_MOST;
    case BODY_CHUNKS:
        return req->wants_continue || req->body_error != 0;
    }
    return true;
}

/* ---- reading ------------------------------------------------------------ */

static int go_on(mf_http_req *req, mf_deadline deadline)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    int rc;

    req->wants_continue = false;
    if (req->answer != ANSWER_NONE)
        return 0; /* the answer is what it waited for */
    if ((rc = mfi_out_flush(req->c, deadline)) < 0)
        return rc;
    return mf_stream_write_all(req->c->s, text, sizeof text - 1, deadline);
}

static int from_window(mf_http_req *req, void *buf, size_t len)
{
    size_t n = len < req->body_left ? len : (size_t)req->body_left;

    memcpy(buf, req->body_at, n);
    req->body_at += n;
    req->body_left -= n;
    return (int)n;
}

static int from_stream(mf_http_req *req, void *buf, size_t len, mf_deadline end)
{
    size_t n = len < req->body_left ? len : (size_t)req->body_left;
    int rc = mf_stream_read(req->c->s, buf, n, end);

    if (rc > 0)
        req->body_left -= (uint64_t)rc;
    return rc == 0 ? -EPIPE : rc;
}

/* The trailers, to their empty line: kept for who asks. 0, or < 0. */
static int read_trailers(mf_http_req *req, mf_deadline end)
{
    enum { FIELDS = 32 };
    struct conn *c = req->c;
    size_t have = 0;
    char *data, *copy;
    int n, rc;

    /* tidy: allow malloc, because few bodies have any */
    c->trailer_fields = malloc(FIELDS * sizeof *c->trailer_fields);
    if (c->trailer_fields == NULL)
        return -ENOMEM;
    req->trailers.fields = c->trailer_fields;
    req->trailers.cap_fields = FIELDS;
    for (;;) {
        n = mf_stream_peek(c->s, &data, have + 1, end);
        if (n < 0 || (size_t)n <= have)
            return n < 0 ? n : -EPIPE;
        have = (size_t)n;
        rc = mf_http_parse_trailers(data, have, &req->trailers);
        if (rc != 0)
            break;
        if (have > TRAILERS_MOST)
            return -EPROTO;
    }
    if (rc > 2) { /* a copy, as the window goes */
        copy = mfi_req_alloc(req, (size_t)rc);
        if (copy == NULL)
            return -ENOMEM;
        memcpy(copy, data, (size_t)rc);
        rc = mf_http_parse_trailers(copy, (size_t)rc, &req->trailers);
    }
    return rc < 0 ? rc : mf_stream_skip(c->s, (size_t)rc);
}

static int from_chunks(mf_http_req *req, void *buf, size_t len, mf_deadline end)
{
    mf_stream *s = req->c->s;
    size_t skip, n;
    int64_t run;
    char *data;
    int rc;

    for (;;) {
        rc = mf_stream_peek(s, &data, 1, end);
        if (rc <= 0)
            return rc < 0 ? rc : -EPIPE;
        run = mf_http_chunks_next(&req->chunks, data, (size_t)rc, LINE_MOST,
                                  &skip);
        if (run < 0)
            return (int)run;
        if (run > 0)
            break;
        rc = mf_stream_skip(s, skip);
        if (rc == 0 && mf_http_chunks_ended(&req->chunks)) {
            rc = read_trailers(req, end);
            if (rc == 0)
                req->body = BODY_ENDED;
            return rc;
        }
        if (rc < 0)
            return rc;
    }
    n = (uint64_t)run < len ? (size_t)run : len;
    memcpy(buf, data + skip, n);
    mf_http_chunks_take(&req->chunks, n);
    rc = mf_stream_skip(s, skip + n);
    return rc < 0 ? rc : (int)n;
}

static int read_some(mf_http_req *req, void *buf, size_t len, mf_deadline end)
{
    int rc = 0;

    switch (req->body) {
    case BODY_WINDOW:
        rc = from_window(req, buf, len);
        break;
    case BODY_STREAM:
        rc = from_stream(req, buf, len, end);
        break;
    case BODY_CHUNKS:
        rc = from_chunks(req, buf, len, end);
        break;
    case BODY_ENDED:
        return 0;
    }
    if (rc > 0)
        req->body_seen += (uint64_t)rc;
    if (req->body != BODY_CHUNKS && req->body_left == 0)
        req->body = BODY_ENDED;
    return rc;
}

/* Not the caller's deadline, nor a cancel: the body cannot be had any more. */
static int read_at_most(mf_http_req *req, void *buf, size_t len, size_t most,
                        mf_deadline deadline)
{
    struct conn *c = req->c;
    mf_deadline end = nearer(deadline, c->app->o.body_timeout);
    int rc = req->body_error;

    if (rc < 0)
        return rc;
    if (req->body == BODY_STREAM && req->body_seen + req->body_left > most)
        rc = -EMSGSIZE;
    if (rc == 0 && req->wants_continue && req->body != BODY_ENDED)
        rc = go_on(req, end);
    if (rc == 0 && req->body > BODY_WINDOW && c->out_len > 0 &&
        mf_stream_buffered(c->s) == 0)
        rc = mfi_out_flush(c, end); /* who sends may wait for an answer */
    if (rc == 0)
        rc = read_some(req, buf, len, end);
    if (rc > 0 && req->body_seen > most)
        rc = -EMSGSIZE;
    if (rc < 0 && rc != -ECANCELED &&
        !(rc == -ETIMEDOUT && end.at == deadline.at))
        req->body_error = rc;
    return rc;
}

int mf_http_read(mf_http_req *req, void *buf, size_t len, mf_deadline deadline)
{
    if (req == NULL || (buf == NULL && len > 0))
        return -EINVAL;
    if (len == 0 || req->body == BODY_ENDED)
        return req->body_error;
    return read_at_most(req, buf, len < INT32_MAX ? len : INT32_MAX,
                        req->c->app->o.max_body, deadline);
}

/* ---- all of it ---------------------------------------------------------- */

static int read_whole(mf_http_req *req, size_t *ret_len, mf_deadline deadline)
{
    struct conn *c = req->c;
    size_t cap = req->body == BODY_CHUNKS ? 4096 : (size_t)req->body_left,
           n = 0;
    int rc;

    if (req->body == BODY_STREAM && req->body_left > c->app->o.max_body)
        return req->body_error = -EMSGSIZE;
    /* tidy: allow malloc, because a body may be large */
    if ((c->whole = malloc(cap + 1)) == NULL)
        return -ENOMEM;
    while ((rc = mf_http_read(req, c->whole + n, cap + 1 - n, deadline)) > 0) {
        n += (size_t)rc;
        if (n > cap) {
            /* tidy: allow malloc, because its length was not told */
            char *more = realloc(c->whole, 2 * cap + 1);

            if (more == NULL)
                return -ENOMEM;
            c->whole = more;
            cap *= 2;
        }
    }
    *ret_len = n;
    return rc;
}

/* The rest of a body that lies in the window. */
static int rest_of_window(mf_http_req *req)
{
    if (req->body_seen + req->body_left > req->c->app->o.max_body)
        return req->body_error = -EMSGSIZE;
    req->all = req->body_at;
    req->all_len = (size_t)req->body_left;
    req->body_seen += req->body_left;
    req->body_left = 0;
    req->body = BODY_ENDED;
    return 0;
}

/* Middleware and the handler may both ask for it. */
int mf_http_body(mf_http_req *req, const void **ret_data, size_t *ret_len,
                 mf_deadline deadline)
{
    int rc = 0;

    if (req == NULL || ret_data == NULL || ret_len == NULL)
        return -EINVAL;
    if (req->body_error < 0)
        return req->body_error;
    if (!req->has_all) {
        req->all = NULL;
        req->all_len = 0;
        if (req->body == BODY_WINDOW) {
            rc = rest_of_window(req);
        } else if (req->c->whole != NULL) {
            rc = -EBUSY; /* a call before was cut short: the start is lost */
        } else if (req->body != BODY_ENDED) {
            rc = read_whole(req, &req->all_len, deadline);
            req->all = req->c->whole;
        }
        if (rc < 0)
            return rc;
        req->has_all = true;
    }
    *ret_data = req->all;
    *ret_len = req->all_len;
    return 0;
}

bool mfi_body_drain(mf_http_req *req)
{
    char sink[1024];
    int rc = 1;

    if (req->body == BODY_WINDOW || req->body == BODY_ENDED)
        return req->body_error == 0;
    if (mfi_body_is_long(req) || mfi_out_flush(req->c, MF_NEVER) < 0)
        return false;
    for (size_t total = 0; rc > 0 && total < DRAIN_MOST; total += (size_t)rc)
        rc = read_at_most(req, sink, sizeof sink, SIZE_MAX, MF_NEVER);
    return rc == 0;
}
