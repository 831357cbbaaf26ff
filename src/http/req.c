/* SPDX-License-Identifier: MIT */
/*
 * req.c - asking a request; the arena its texts are made in.
 *
 * What is asked for with its escapes undone is made in the arena: the first
 * bytes of it lie in the connection, more is allocated, and all is forgotten at
 * the end of the request.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mayfly/http_text.h>

#include "http/conn.h"

void *mfi_req_alloc(mf_http_req *req, size_t len)
{
    struct conn *c = req->c;
    struct block *b;
    void *p;

    if (len <= ARENA_FIRST - c->arena_used) {
        p = c->arena + c->arena_used;
        c->arena_used += len;
        return p;
    }
    /* tidy: allow malloc, because few requests ask for so much */
    b = malloc(sizeof *b + len);
    if (b == NULL)
        return NULL;
    b->next = c->blocks;
    c->blocks = b;
    return b->data;
}

void mfi_req_reset(struct conn *c)
{
    mf_http_req *req = &c->req;

    while (c->blocks != NULL) {
        struct block *next = c->blocks->next;

        free(c->blocks); /* tidy: allow malloc, because it was made here */
        c->blocks = next;
    }
    free(c->whole); /* tidy: allow malloc, because body.c made it */
    c->whole = NULL;
    free(c->trailer_fields); /* tidy: allow malloc, because body.c made it */
    c->trailer_fields = NULL;
    c->arena_used = 0;
    c->extra_len = 0;
    memset(req->values, 0,
           (size_t)(req->match.at != NULL ? req->match.at->nr_names : 0) *
               sizeof req->values[0]);
    req->match.at = NULL;
    req->match.of = NULL;
    req->answer = ANSWER_NONE;
    req->status = 0;
    req->sent = 0;
    req->body_error = 0;
    req->body_seen = 0;
    req->has_all = false;
    req->trailers.n_fields = 0;
}

const mf_http_head *mf_http_head_of(mf_http_req *req)
{
    return &req->head;
}

mf_text mf_http_method(mf_http_req *req)
{
    return req->head.method;
}

mf_text mf_http_path(mf_http_req *req)
{
    return req->head.path;
}

mf_text mf_http_header(mf_http_req *req, const char *name)
{
    return mf_http_find(&req->head, name);
}

mf_text mf_http_trailer_of(mf_http_req *req, const char *name)
{
    return mf_http_find(&req->trailers, name);
}

mf_stream *mf_http_stream(mf_http_req *req)
{
    return req->c->s;
}

int mf_http_status(mf_http_req *req)
{
    return req->status;
}

uint64_t mf_http_sent(mf_http_req *req)
{
    return req->sent;
}

/* Undone in the arena, as a C string; NULL if it is none. */
static const char *undo(mf_http_req *req, mf_text text, int plus)
{
    char *s = mfi_req_alloc(req, text.len + 1);
    int n = s != NULL ? mf_http_unescape(text, s, plus) : -ENOMEM;

    if (n < 0 || memchr(s, '\0', (size_t)n) != NULL)
        return NULL;
    s[n] = '\0';
    return s;
}

const char *mf_http_param(mf_http_req *req, const char *name)
{
    const struct endpoint *e = req->match.at;

    for (int i = 0; e != NULL && name != NULL && i < e->nr_names; i++) {
        if (strcmp(e->names[i], name) != 0)
            continue;
        if (req->values[i] == NULL)
            req->values[i] = undo(req, req->match.params[i], 0);
        return req->values[i];
    }
    return NULL;
}

const char *mf_http_query(mf_http_req *req, const char *name)
{
    mf_text rest = req->head.query, key, value;

    while (name != NULL && mf_http_pair_next(&rest, &key, &value)) {
        const char *plain = memchr(key.at, '%', key.len) == NULL &&
                                    memchr(key.at, '+', key.len) == NULL
                                ? NULL
                                : undo(req, key, 1);

        if (plain != NULL ? strcmp(plain, name) == 0
                          : mf_text_is(key, name) != 0)
            return undo(req, value, 1);
    }
    return NULL;
}
