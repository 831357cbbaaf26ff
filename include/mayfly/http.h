/* SPDX-License-Identifier: MIT */
/*
 * http.h - an HTTP/1.1 server over any stream (RFC 9110, RFC 9112).
 *
 *   static int hello(mf_http_req *req, void *arg)
 *   {
 *       return mf_http_reply(req, 200, "text/plain", "hello\n", 6, MF_NEVER);
 *   }
 *   ...
 *   mf_http_app_make(NULL, &app);
 *   mf_http_route(app, "GET", "/hello/:name", hello, NULL);
 *   mf_http_listen(app, mf_tcp_listen("127.0.0.1:8080", NULL), NULL);
 *
 * A handler runs in its connection's task and reads and writes as it likes: a
 * slow peer makes it wait, and nobody else. It answers once, whole (reply) or
 * in parts (begin, write, end). Requests of one connection are handled in their
 * order; the answers to a batch of pipelined ones go out in one write, but not
 * later than a handler that is known to take its time begins.
 *
 * What the server answers itself: 400 not HTTP, 404 and 405 no such route, 408
 * too slow, 413 the body too large, 414 the target, 417 an expectation, 431 the
 * head, 500 the handler failed, ended or panicked without an answer, 501 a
 * transfer coding, 503 too many connections, 505 not HTTP/1. After what makes
 * the end of a request doubtful the connection is closed, but only once the
 * peer had time to read the answer.
 *
 * Unless stated, calls on a request are for its handler: context any (the one
 * the connection is served in), suspend maybe, are cancel points, and answer
 * as fd.h says beside what they name. Texts of a request are borrowed until the
 * handler returns.
 */
#ifndef MF_HTTP_H
#define MF_HTTP_H

#include <mayfly/http_head.h>
#include <mayfly/net.h>
#include <mayfly/stream.h>

MF_DECLS_BEGIN_

typedef struct mf_http_app mf_http_app;
typedef struct mf_http_req mf_http_req;
typedef int mf_http_fn(mf_http_req *req, void *arg); /* < 0: a 500 */

typedef struct mf_http_options {
    MF_SIZE_(mf_http_options);
    mf_ns head_timeout MF_0_, body_timeout MF_0_, idle_timeout MF_0_;
    /* 0: 10 s for a whole head, 30 s without a byte of a body, 60 s between
       requests; < 0: none */
    size_t max_head MF_0_, max_body MF_0_; /* bytes; 0: 16 KiB, 1 MiB */
    mf_ns write_timeout MF_0_; /* without progress; 0: 30 s; < 0: none */
    size_t max_target MF_0_;   /* bytes; 0: 8 KiB */
    uint32_t max_fields MF_0_; /* 0: 100; at most 1000 */
    uint32_t max_requests MF_0_; /* of a connection; 0: any number */
    const char *server MF_0_;    /* the field Server; NULL: none */
    /* After each request, its answer out or not: mf_http_status tells. */
    void (*log)(mf_http_req *req, void *arg) MF_0_;
    void *log_arg MF_0_;
    /* mf_http_listen: make of a connection what is spoken over; lower is taken.
       As mf_tls_accept, which runs in the connection's own task. */
    int (*secure)(void *arg, mf_stream *lower, mf_stream **ret_stream,
                  mf_deadline deadline) MF_0_;
    void *secure_arg MF_0_;
} mf_http_options;
#define MF_HTTP_OPTIONS(...) MF_OPTIONS_(mf_http_options, __VA_ARGS__)

/*
 * An app: routes, options, and the connections it serves. opts (NULL: the
 * defaults) is copied, its strings too. 0, -EINVAL, -ENOMEM. unref frees it
 * once no connection is served any more; NULL is fine. Context: any.
 */
int mf_http_app_make(const mf_http_options *opts, mf_http_app **ret_app);
void mf_http_app_unref(mf_http_app *app);

/*
 * Route requests: method ("GET" answers HEAD too; "*": any), pattern of
 * segments: "/users/:id", or last "*path" for all that is left. A segment as it
 * stands goes before a parameter, and that before the rest. fn is called with
 * arg. 0, -EINVAL (no method, no pattern), -EEXIST (there is one), -EBUSY
 * (already serving), -ENOMEM. Context: any, before the app serves.
 */
int mf_http_route(mf_http_app *app, const char *method, const char *pattern,
                  mf_http_fn *fn, void *arg);

/*
 * Wrap every handler, those for no route too: fn(req, arg) is called instead of
 * what was there before and calls that by mf_http_next(req), once, or answers
 * itself. The last one added is the outermost. As mf_http_route.
 */
int mf_http_use(mf_http_app *app, mf_http_fn *fn, void *arg);
int mf_http_next(mf_http_req *req);

/*
 * Serve one connection to its end over s, which is taken. 0: ended in order.
 * -ECANCELED; -ETIMEDOUT the peer was too slow; -EPROTO it spoke no HTTP; what
 * the stream said. Context: any. Suspends: yes. Cancel point: yes.
 */
int mf_http_serve(mf_http_app *app, mf_stream *s);

/*
 * Serve what listener accepts, as mf_serve does, which see for the options and
 * the results; max_conns answers 503 to those beyond. A connection that waits
 * for its next request longer than a second is a record of some hundred bytes,
 * without stack or buffer. Context: task. Suspends: yes. Cancel point: yes.
 */
int mf_http_listen(mf_http_app *app, int listener,
                   const mf_serve_options *opts);

/* From now on each connection ends after the request it is in; idle ones now,
 * those over something without an fd at their next request. Context: any. */
void mf_http_drain(mf_http_app *app);

/* ---- the request --------------------------------------------------------- */

const mf_http_head *mf_http_head_of(mf_http_req *req);
mf_text mf_http_method(mf_http_req *req);
mf_text mf_http_path(mf_http_req *req); /* escaped as it came */
mf_text mf_http_header(mf_http_req *req, const char *name); /* .at NULL: none */

/* A parameter of the route, or of the query, escapes undone. NULL: none, or
 * it holds a NUL or a wrong escape, or no memory. Neither suspends. */
const char *mf_http_param(mf_http_req *req, const char *name);
const char *mf_http_query(mf_http_req *req, const char *name);

mf_stream *mf_http_stream(mf_http_req *req); /* borrowed; to ask, not to read */

/*
 * Body bytes: > 0 read, 0 its end, -EMSGSIZE more than max_body, -EPROTO wrong
 * chunks, -EPIPE the connection ended before it did, -ETIMEDOUT too slow. Sends
 * 100 Continue before the first, if the client waits for it.
 */
int mf_http_read(mf_http_req *req, void *buf, size_t len,
                 mf_deadline deadline) MF_MUST_CHECK;

/* The whole body, borrowed; NULL and 0 if there is none. 0; as mf_http_read. */
int mf_http_body(mf_http_req *req, const void **ret_data, size_t *ret_len,
                 mf_deadline deadline) MF_MUST_CHECK;

/* A trailer behind a chunked body that was read to its end. */
mf_text mf_http_trailer_of(mf_http_req *req, const char *name);

/* ---- the answer ---------------------------------------------------------- */

/*
 * Add a field to the answer, before it begins. The server sets Date, Server,
 * Content-Length, Transfer-Encoding, Connection and Upgrade itself: -EINVAL, as
 * is a name that is no token, a value with a control character, or more than
 * about 4000 bytes of them all. 0, -EINVAL, -EBUSY (it has begun), -ENOMEM.
 * Does not suspend.
 */
int mf_http_set(mf_http_req *req, const char *name, const char *value);

/* Head and body in one write; body borrowed. type NULL: none is named.
 * 0, -EINVAL (status not 200 to 599), -EBUSY (already answered). */
int mf_http_reply(mf_http_req *req, int status, const char *type,
                  const void *body, size_t len, mf_deadline deadline);

/*
 * An answer in parts: begin, any number of writes, end. len < 0: chunked (to a
 * client of HTTP/1.0: until it is closed). More than len: -EMSGSIZE;
 * less at the end: -EPIPE, and the connection is closed. What is written goes
 * out when some KiB of it are there, at a flush, at the end.
 */
int mf_http_begin(mf_http_req *req, int status, const char *type, int64_t len,
                  mf_deadline deadline);
int mf_http_write(mf_http_req *req, const void *data, size_t len,
                  mf_deadline deadline) MF_MUST_CHECK;
int mf_http_flush(mf_http_req *req, mf_deadline deadline) MF_MUST_CHECK;
int mf_http_trailer(mf_http_req *req, const char *name, const char *value);
int mf_http_end(mf_http_req *req, mf_deadline deadline);

/* len bytes of file fd, from `from` on, as a write: by sendfile where the
 * connection is a bare fd. -EPIPE: the file ended before. */
int mf_http_send_file(mf_http_req *req, int fd, int64_t from, uint64_t len,
                      mf_deadline deadline);

/*
 * Answer 101 with Upgrade: protocol and what mf_http_set added, and take the
 * connection over: the stream, with what came behind the request in it, is the
 * caller's, to be closed. 0, -EINVAL (not asked for), -EBUSY, -ENOMEM.
 */
int mf_http_upgrade(mf_http_req *req, const char *protocol,
                    mf_stream **ret_stream, mf_deadline deadline);

/* For the log and for middleware: what was answered (0: nothing yet), how many
 * bytes of a body. Neither suspends. */
int mf_http_status(mf_http_req *req);
uint64_t mf_http_sent(mf_http_req *req);

/* "Not Found". Context: any. */
const char *mf_http_reason(int status);

MF_DECLS_END_
#endif
