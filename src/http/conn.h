/* SPDX-License-Identifier: MIT */
/*
 * conn.h - one connection while its requests are handled.
 *
 * The window is what was peeked of the stream and is not yet skipped:
 *
 *     start          at                       end
 *     | handled      | head | body or next ...|
 *
 * It is good until the stream is read again. A request whose body is not whole
 * in it copies its head first, skips up to the body, and has no window.
 */
#ifndef MFI_HTTP_CONN_H
#define MFI_HTTP_CONN_H

#include <time.h>

#include "base/time.h"
#include "http/app.h"

enum {
    OUT_CAP = 16384,  /* answers gathered before they are written */
    COPY_MOST = 8192, /* a body up to this is copied to its head */
    ARENA_FIRST = 512
};

enum answer { ANSWER_NONE, ANSWER_BEGUN, ANSWER_ENDED, ANSWER_UPGRADED };

enum body_state {
    BODY_WINDOW, /* the rest is in the window: body_left bytes at c->body */
    BODY_STREAM, /* body_left more bytes */
    BODY_CHUNKS,
    BODY_ENDED
};

struct block { /* of the arena, beyond the first */
    struct block *next;
    char data[];
};

struct mf_http_req {
    struct conn *c;
    mf_http_head head;
    struct route_match match;
    const char *values[PARAMS_MOST]; /* undone, once asked for */
    struct wrapper *next;            /* to be called by mf_http_next */
    /* the body */
    enum body_state body;
    const char *body_at; /* BODY_WINDOW */
    uint64_t body_left;
    uint64_t body_seen;
    mf_http_chunks chunks;
    bool wants_continue; /* 100 is still to be sent */
    int body_error;
    bool has_all; /* mf_http_body gave it before */
    const void *all;
    size_t all_len;
    mf_http_head trailers;
    /* the answer */
    enum answer answer;
    int status;
    uint64_t sent;
    int64_t left; /* to come; < 0: chunked, or until the end */
    bool chunked;
    bool bodiless; /* HEAD, 204, 304: what is written is counted only */
    bool close;
    bool is_head;
};

struct conn {
    mf_http_app *app;
    mf_stream *s; /* NULL: taken by an upgrade */
    struct served served;
    mf_http_req req;
    bool handling;           /* between the head and the end of the answer */
    bool ended;              /* nothing more is read from it */
    bool cut;                /* the last answer lacks its end */
    bool reset;              /* and only a reset says so */
    int error;               /* of the stream */
    _Atomic uint32_t *count; /* of connections: one less at the end */
    uint32_t requests;
    char *start, *at, *end; /* the window */
    char *head_copy;
    size_t head_cap;
    char *out; /* OUT_CAP, made by the first answer */
    size_t out_len;
    char *extra; /* fields of mf_http_set, and then trailers */
    size_t extra_len, extra_cap;
    char *whole; /* mf_http_body */
    time_t date_at;
    char date[38]; /* "Date: ...\r\n" */
    size_t arena_used;
    struct block *blocks;
    mf_http_field *trailer_fields; /* body.c */
    char arena[ARENA_FIRST]; /* from here on nothing is set at the start */
    mf_http_field fields[];  /* app->o.max_fields */
};

/* ---- conn.c ---- */
int mfi_conn_make(mf_http_app *app, mf_stream *s, struct conn **ret);
/* Answer and end what a panic left, close the stream, free. */
void mfi_conn_done(struct conn *c, bool close);
/*
 * Handle requests. patience: how long to wait for one (MFI_FAR: the app's idle
 * timeout). 1: it passed, nothing is buffered; 0 ended in order; < 0.
 */
int mfi_conn_run(struct conn *c, mf_ns patience);
/* Consume what is handled; the window is gone. */
void mfi_conn_skip(struct conn *c);
/* The fd, if the stream is nothing but one; -ENOTSUP. */
int mfi_conn_plain_fd(const struct conn *c);

/* The nearer of the two. */
static inline mf_deadline nearer(mf_deadline d, mf_ns span)
{
    mf_deadline other;

    if (span == MFI_FAR)
        return d;
    other = mf_after(span);
    return d.at == 0 || d.at > other.at ? other : d;
}

/* ---- req.c ---- */
void *mfi_req_alloc(mf_http_req *req, size_t len);
void mfi_req_reset(struct conn *c);

/* ---- body.c ---- */
void mfi_body_begin(mf_http_req *req, size_t head_len);
/* Read what the handler left; false: too much, or it failed: close. */
bool mfi_body_drain(mf_http_req *req);
/* Would the connection have to be closed if the answer went out now? */
bool mfi_body_is_long(const mf_http_req *req);

/* ---- reply.c ---- */
int mfi_out_flush(struct conn *c, mf_deadline deadline);
int mfi_reply_error(mf_http_req *req, int status);

#endif
