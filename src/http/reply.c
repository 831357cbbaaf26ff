/* SPDX-License-Identifier: MIT */
/*
 * reply.c - answers: a head, a body whole or in parts, and their way out.
 *
 *   gathered   c->out: answers of earlier requests, this head, this short body
 *   written    when the window holds no further request (conn.c), when it is
 *              full, and together with a body too long to be copied (writev)
 *
 * One answer is one of three kinds: of a known length (what is written is
 * counted against it), chunked (each run that goes out is one chunk), or, to
 * HTTP/1.0, until the connection ends. To HEAD, and with 204 and 304, the head
 * says what it would and nothing follows.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mayfly/file.h>
#include <mayfly/http_text.h>

#include "http/chars.h"
#include "http/conn.h"

/* ---- out ---------------------------------------------------------------- */

int mfi_out_flush(struct conn *c, mf_deadline deadline)
{
    int rc;

    if (c->out_len == 0 || c->error < 0)
        return c->error;
    if (c->served.fd < 0)
        deadline = nearer(deadline, c->app->o.write_timeout);
    rc = mf_stream_write_all(c->s, c->out, c->out_len, deadline);
    c->out_len = 0;
    if (rc < 0)
        c->error = rc;
    return rc;
}

/* Gathered and data, in one write if need be. */
static int flush_with(struct conn *c, const void *data, size_t len,
                      const char *tail, mf_deadline deadline)
{
    struct iovec iov[3] = {
        {.iov_base = c->out, .iov_len = c->out_len},
        {.iov_base = (void *)(uintptr_t)data, .iov_len = len},
        {.iov_base = (void *)(uintptr_t)tail, .iov_len = strlen(tail)}};
    int rc;

    if (c->error < 0)
        return c->error;
    if (c->served.fd < 0)
        deadline = nearer(deadline, c->app->o.write_timeout);
    rc = mf_stream_writev_all(c->s, iov, 3, deadline);
    c->out_len = 0;
    if (rc < 0)
        c->error = rc;
    return rc;
}

/* Room for n more bytes, n <= OUT_CAP / 2: where they go; NULL: c->error. */
static char *room(struct conn *c, size_t n, mf_deadline deadline)
{
    if (c->out == NULL) {
        /* tidy: allow malloc, because a connection answers more than once */
        c->out = malloc(OUT_CAP);
        if (c->out == NULL) {
            c->error = -ENOMEM;
            return NULL;
        }
    }
    if (n > OUT_CAP - c->out_len && mfi_out_flush(c, deadline) < 0)
        return NULL;
    return c->error < 0 ? NULL : c->out + c->out_len;
}

static char *put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

#define PUT(at, text) put(at, text, sizeof(text) - 1)

static char *put_number(char *at, uint64_t n)
{
    char digits[20];
    int i = 0;

    do
        digits[i++] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    while (i > 0)
        *at++ = digits[--i];
    return at;
}

static char *put_hex(char *at, uint64_t n)
{
    int shift = 60;

    while (shift > 0 && n >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[n >> shift & 15];
    return at;
}

/* ---- fields ------------------------------------------------------------- */

static bool is_ours(const char *name, size_t len)
{
    static const char *const ours[] = {"date",           "server",
                                       "content-length", "transfer-encoding",
                                       "connection",     "upgrade"};

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (text_is(name, len, ours[i], strlen(ours[i])))
            return true;
    return false;
}

static int add_field(struct conn *c, const char *name, const char *value)
{
    size_t n = name != NULL ? strlen(name) : 0;
    size_t v = value != NULL ? strlen(value) : 0, len = n + v + 4;
    char *p;

    if (n == 0 || value == NULL || is_ours(name, n) ||
        chars_end(name, name + n, CHAR_TOKEN) != name + n ||
        value_end(value, value + v) != value + v || n + v > 4000)
        return -EINVAL;
    if (len > c->extra_cap - c->extra_len) {
        size_t cap = c->extra_cap + (len > 512 ? len : 512);
        /* tidy: allow malloc, because most answers add nothing */
        char *more = cap <= OUT_CAP / 4 ? realloc(c->extra, cap) : NULL;

        if (more == NULL)
            return cap <= OUT_CAP / 4 ? -ENOMEM : -EINVAL;
        c->extra = more;
        c->extra_cap = cap;
    }
    p = put(c->extra + c->extra_len, name, n);
    p = PUT(p, ": ");
    p = put(p, value, v);
    (void)PUT(p, "\r\n");
    c->extra_len += len;
    return 0;
}

int mf_http_set(mf_http_req *req, const char *name, const char *value)
{
    if (req == NULL)
        return -EINVAL;
    return req->answer != ANSWER_NONE ? -EBUSY : add_field(req->c, name, value);
}

int mf_http_trailer(mf_http_req *req, const char *name, const char *value)
{
    if (req == NULL || req->answer != ANSWER_BEGUN || !req->chunked)
        return -EINVAL;
    return add_field(req->c, name, value);
}

/* ---- the head ----------------------------------------------------------- */

static char *put_date(struct conn *c, char *at)
{
    time_t now = time(NULL);

    if (now != c->date_at) {
        char text[MF_HTTP_DATE];

        if (mf_http_date_print((int64_t)now, text) < 0)
            return at;
        put(PUT(c->date, "Date: "), text, MF_HTTP_DATE - 1);
        put(c->date + 35, "\r\n", 2);
        c->date_at = now;
    }
    return put(at, c->date, 37);
}

static char *put_status(char *at, int status)
{
    const char *reason = mf_http_reason(status);

    if (status == 200)
        return PUT(at, "HTTP/1.1 200 OK\r\n");
    at = PUT(at, "HTTP/1.1 ");
    at = put_number(at, (uint64_t)status);
    *at++ = ' ';
    at = put(at, reason, strlen(reason));
    return PUT(at, "\r\n");
}

/* How the answer ends: sets left, chunked and, perhaps, close. */
static void frame(mf_http_req *req, int status, int64_t len)
{
    req->bodiless = req->is_head || status == 204 || status == 304;
    req->left = len;
    req->chunked = len < 0 && req->head.minor >= 1;
    if (len < 0 && req->head.minor == 0 && !req->bodiless)
        req->close = true;
    if (mfi_body_is_long(req) || mfi_app_is_draining(req->c->app))
        req->close = true;
}

/* The head of an answer of len bytes (< 0: not known). 0, or < 0. */
static int put_head(mf_http_req *req, int status, const char *type, int64_t len,
                    size_t body, mf_deadline deadline)
{
    struct conn *c = req->c;
    size_t type_len = type != NULL ? strlen(type) : 0;
    char *at;

    if (status < 200 || status > 599 || type_len > 512 ||
        (type != NULL && value_end(type, type + type_len) != type + type_len))
        return -EINVAL;
    if (req->answer != ANSWER_NONE)
        return -EBUSY;
    at =
        room(c, 512 + 512 + c->app->server_len + c->extra_len + body, deadline);
    if (at == NULL)
        return c->error;
    frame(req, status, len);
    at = put_status(at, status);
    at = put_date(c, at);
    if (c->app->server_len > 0)
        at = put(at, c->app->server, c->app->server_len);
    if (type_len > 0) {
        at = PUT(at, "Content-Type: ");
        at = put(at, type, type_len);
        at = PUT(at, "\r\n");
    }
    if (status == 204) {
        ; /* has neither (RFC 9110, 8.6) */
    } else if (len >= 0) {
        at = PUT(at, "Content-Length: ");
        at = put_number(at, (uint64_t)len);
        at = PUT(at, "\r\n");
    } else if (req->chunked) {
        at = PUT(at, "Transfer-Encoding: chunked\r\n");
    }
    if (req->close)
        at = PUT(at, "Connection: close\r\n");
    else if (req->head.minor == 0)
        at = PUT(at, "Connection: keep-alive\r\n");
    if (c->extra_len > 0)
        at = put(at, c->extra, c->extra_len);
    at = PUT(at, "\r\n");
    c->out_len = (size_t)(at - c->out);
    c->extra_len = 0;
    req->status = status;
    req->answer = ANSWER_BEGUN;
    return 0;
}

/* ---- whole -------------------------------------------------------------- */

int mf_http_reply(mf_http_req *req, int status, const char *type,
                  const void *body, size_t len, mf_deadline deadline)
{
    bool copy = len <= COPY_MOST - 2048;
    struct conn *c;
    int rc;

    if (req == NULL || (body == NULL && len > 0) || len > INT64_MAX)
        return -EINVAL;
    c = req->c;
    rc = put_head(req, status, type, (int64_t)len, copy ? len : 0, deadline);
    if (rc < 0)
        return rc;
    req->answer = ANSWER_ENDED;
    if (req->bodiless || len == 0)
        return 0;
    req->sent = len;
    if (!copy) {
        rc = flush_with(c, body, len, "", deadline);
        if (rc < 0)
            req->answer = ANSWER_BEGUN; /* and never whole */
        return rc;
    }
    c->out_len = (size_t)(put(c->out + c->out_len, body, len) - c->out);
    return 0;
}

int mfi_reply_error(mf_http_req *req, int status)
{
    char text[64];
    int len = snprintf(text, sizeof text, "%s\n", mf_http_reason(status));

    return mf_http_reply(req, status, "text/plain; charset=utf-8", text,
                         (size_t)len, MF_NEVER);
}

/* ---- in parts ----------------------------------------------------------- */

int mf_http_begin(mf_http_req *req, int status, const char *type, int64_t len,
                  mf_deadline deadline)
{
    return req == NULL ? -EINVAL
                       : put_head(req, status, type, len, 0, deadline);
}

/* One chunk's size line before data that goes out with it. */
static int put_chunk(mf_http_req *req, const void *data, size_t len,
                     mf_deadline deadline)
{
    struct conn *c = req->c;
    bool copy = len <= COPY_MOST - 64;
    char *at = room(c, 64 + (copy ? len : 0), deadline);

    if (at == NULL)
        return c->error;
    at = put_hex(at, len);
    at = PUT(at, "\r\n");
    if (copy) {
        at = put(at, data, len);
        at = PUT(at, "\r\n");
    }
    c->out_len = (size_t)(at - c->out);
    return copy ? 0 : flush_with(c, data, len, "\r\n", deadline);
}

static int put_plain(mf_http_req *req, const void *data, size_t len,
                     mf_deadline deadline)
{
    struct conn *c = req->c;
    char *at;

    if (len > COPY_MOST)
        return flush_with(c, data, len, "", deadline);
    if ((at = room(c, len, deadline)) == NULL)
        return c->error;
    c->out_len = (size_t)(put(at, data, len) - c->out);
    return 0;
}

/* len bytes are to come: may they? */
static int allowed(const mf_http_req *req, uint64_t len)
{
    if (req->answer != ANSWER_BEGUN)
        return -EINVAL;
    return req->left >= 0 && len > (uint64_t)req->left ? -EMSGSIZE : 0;
}

static int account(mf_http_req *req, uint64_t len)
{
    int rc = allowed(req, len);

    if (rc < 0)
        return rc;
    if (req->left >= 0)
        req->left -= (int64_t)len;
    return 0;
}

int mf_http_write(mf_http_req *req, const void *data, size_t len,
                  mf_deadline deadline)
{
    int rc;

    if (req == NULL || (data == NULL && len > 0))
        return -EINVAL;
    if ((rc = account(req, len)) < 0 || len == 0 || req->bodiless)
        return rc;
    req->sent += len;
    return req->chunked ? put_chunk(req, data, len, deadline)
                        : put_plain(req, data, len, deadline);
}

int mf_http_flush(mf_http_req *req, mf_deadline deadline)
{
    return req == NULL ? -EINVAL : mfi_out_flush(req->c, deadline);
}

int mf_http_end(mf_http_req *req, mf_deadline deadline)
{
    struct conn *c;
    char *at;

    if (req == NULL || req->answer != ANSWER_BEGUN)
        return -EINVAL;
    c = req->c;
    if (c->error < 0)
        return c->error;
    if (req->left > 0 && !req->bodiless)
        return -EPIPE;
    if (req->chunked && !req->bodiless) {
        if ((at = room(c, 16 + c->extra_len, deadline)) == NULL)
            return c->error;
        at = PUT(at, "0\r\n");
        if (c->extra_len > 0)
            at = put(at, c->extra, c->extra_len);
        at = PUT(at, "\r\n");
        c->out_len = (size_t)(at - c->out);
        c->extra_len = 0;
    }
    req->answer = ANSWER_ENDED;
    return 0;
}

/* ---- from a file, and to another protocol ------------------------------- */

static int copy_file(mf_http_req *req, int fd, int64_t from, uint64_t len,
                     mf_deadline deadline)
{
    enum { PIECE = 65536 };
    /* tidy: allow malloc, because it is more than a stack is for */
    char *buf = malloc(PIECE);
    int rc = buf == NULL ? -ENOMEM : 0;

    while (rc == 0 && len > 0) {
        size_t want = len < PIECE ? (size_t)len : PIECE;
        int n = mf_pread(fd, buf, want, from, deadline);

        rc = n < 0 ? n : n == 0 ? -EPIPE : 0;
        if (rc == 0)
            rc = mf_http_write(req, buf, (size_t)n, deadline);
        from += n;
        len -= (uint64_t)(n > 0 ? n : 0);
    }
    free(buf); /* tidy: allow malloc, because it was made here */
    return rc;
}

int mf_http_send_file(mf_http_req *req, int fd, int64_t from, uint64_t len,
                      mf_deadline deadline)
{
    uint64_t out = 0;
    struct conn *c;
    int rc;

    if (req == NULL || from < 0 || len > INT64_MAX)
        return -EINVAL;
    c = req->c;
    if (req->bodiless)
        return account(req, len);
    if ((rc = allowed(req, len)) < 0)
        return rc;
    if (req->chunked || len < 16384 || mfi_conn_plain_fd(c) < 0)
        return copy_file(req, fd, from, len, deadline);
    if ((rc = account(req, len)) < 0 || (rc = mfi_out_flush(c, deadline)) < 0)
        return rc;
    req->sent += len;
    rc = mf_sendfile(c->served.fd, fd, &from, len, &out, deadline);
    if (rc == 0 && out < len)
        rc = -EPIPE;
    if (rc < 0)
        c->error = rc;
    return rc;
}

int mf_http_upgrade(mf_http_req *req, const char *protocol,
                    mf_stream **ret_stream, mf_deadline deadline)
{
    size_t len = protocol != NULL ? strlen(protocol) : 0;
    struct conn *c;
    char *at;
    int rc;

    if (req == NULL || ret_stream == NULL || len == 0 || len > 256 ||
        value_end(protocol, protocol + len) != protocol + len ||
        !req->head.upgrade)
        return -EINVAL;
    c = req->c;
    if (req->answer != ANSWER_NONE || req->body != BODY_ENDED)
        return -EBUSY;
    if ((at = room(c, 512 + len + c->extra_len, deadline)) == NULL)
        return c->error;
    at = PUT(at, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: ");
    at = put(at, protocol, len);
    at = PUT(at, "\r\nConnection: Upgrade\r\n");
    if (c->extra_len > 0)
        at = put(at, c->extra, c->extra_len);
    at = PUT(at, "\r\n");
    c->out_len = (size_t)(at - c->out);
    req->status = 101;
    if ((rc = mfi_out_flush(c, deadline)) < 0)
        return rc;
    mfi_conn_skip(c);
    req->answer = ANSWER_UPGRADED;
    if (c->served.fd >= 0)
        (void)mf_fd_timeouts(c->served.fd, 0, 0); /* they are HTTP's */
    mfi_app_forget_fd(c->app, &c->served);
    free(c->out); /* tidy: allow malloc, because it was made here */
    c->out = NULL;
    *ret_stream = c->s;
    c->s = NULL;
    return 0;
}
