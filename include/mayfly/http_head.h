/* SPDX-License-Identifier: MIT */
/*
 * http_head.h - the heads of HTTP/1 messages: a strict parser over memory.
 *
 *   mf_http_field fields[64];
 *   mf_http_head head = {.fields = fields, .cap_fields = 64};
 *   int n = mf_http_parse_request(buf, len, &head);
 *   if (n > 0)       ... buf[0..n) is the head, what it says is in head
 *   else if (n == 0) ... incomplete: read more, call again
 *   else             ... head.status says what to answer
 *
 * It takes whole heads, allocates nothing and copies nothing: all texts lie in
 * buf. It accepts what RFC 9112 and RFC 9110 allow and nothing else, however
 * common: no bare LF, no obs-fold, no space before a colon, no two ideas of
 * where a message ends. Two exceptions, which change no framing: a target may
 * hold any visible character but '#', as browsers send '[' and '|'; and a
 * status line may lack the space before a reason that is not there.
 * Context: any. Suspends: no.
 */
#ifndef MF_HTTP_HEAD_H
#define MF_HTTP_HEAD_H

#include <mayfly/base.h>

MF_DECLS_BEGIN_

/* Text in somebody's buffer; not ended by a NUL. */
typedef struct mf_text {
    const char *at;
    size_t len;
} mf_text;

typedef struct mf_http_field {
    mf_text name;  /* as sent; compare with mf_http_name_is */
    mf_text value; /* without the white space around it */
} mf_http_field;

/* How the body behind a head ends (RFC 9112, 6.3). */
enum mf_http_body_kind {
    MF_HTTP_BODY_NONE,
    MF_HTTP_BODY_LENGTH,  /* after head.length bytes */
    MF_HTTP_BODY_CHUNKED, /* after the last chunk and the trailers */
    MF_HTTP_BODY_CLOSE    /* responses only: with the connection */
};

typedef struct mf_http_head {
    mf_http_field *fields; /* set by the caller: room for cap_fields */
    int cap_fields;
    int n_fields;
    int minor;              /* HTTP/1.minor: 0 or 1 (1 for higher ones) */
    int status;             /* a response's; a bad request's: what to answer */
    mf_text method, target; /* requests */
    mf_text path, query;    /* of the target; still escaped, without the '?' */
    mf_text host;           /* of the target if absolute, or the field */
    mf_text reason;         /* responses */
    enum mf_http_body_kind body;
    unsigned keep_alive : 1; /* may be followed by another on this connection */
    unsigned expect_continue : 1;
    unsigned upgrade : 1; /* Connection: upgrade and an Upgrade field */
    unsigned accepts_gzip : 1;
    unsigned has_host : 1;
    uint64_t length; /* of the body, for MF_HTTP_BODY_LENGTH */
    const char *why; /* of a refusal: a sentence for a log; static */
} mf_http_head;

/*
 * Returns > 0 the head's length; 0 more is needed; -EPROTO it will never be a
 * request: head->status is the answer (400; 417 an expectation nobody can meet;
 * 431 more than cap_fields; 501 a transfer coding unknown here; 505 not
 * HTTP/1), head->why why. Too long a target (414) or head is for the caller to
 * notice. Called again with more bytes it starts anew; a caller that reads byte
 * by byte should first look for the empty line.
 */
int mf_http_parse_request(const char *buf, size_t len, mf_http_head *head);

/*
 * As parse_request, for the response to a request of the given method (HEAD and
 * CONNECT change where the body ends). -EPROTO: it is not to be trusted.
 */
int mf_http_parse_response(const char *buf, size_t len, const char *method,
                           mf_http_head *head);

/* The value of the first field of that name; .at is NULL if there is none. */
mf_text mf_http_find(const mf_http_head *head, const char *name);

/* Whether a comma-separated list value has the token, in any case. */
int mf_http_list_has(mf_text value, const char *token);

/*
 * Chunked bodies (RFC 9112, 7.1), pushed through as bytes come: {0} is a
 * decoder at the start.
 */
typedef struct mf_http_chunks {
    uint64_t left; /* of the chunk it is in */
    uint32_t line; /* bytes of the size line so far */
    uint8_t state;
    uint8_t digits;
} mf_http_chunks;

/*
 * Consume framing up to the next run of body bytes; *ret_skip, always set, says
 * how much of in[0..len) that was. Returns the length of that run (> 0): it
 * lies at in + *ret_skip, and the caller says by mf_http_chunks_take how much
 * of it is taken and calls again behind that. 0: more is needed, or the last
 * chunk was seen (mf_http_chunks_ended) and the trailers follow, for
 * mf_http_parse_trailers. -EPROTO: bad framing, a size over 2^63 - 1, a size
 * line longer than max_line bytes.
 */
int64_t mf_http_chunks_next(mf_http_chunks *c, const char *in, size_t len,
                            size_t max_line, size_t *ret_skip);
void mf_http_chunks_take(mf_http_chunks *c, uint64_t n);
int mf_http_chunks_ended(const mf_http_chunks *c);

/*
 * The trailers behind the last chunk, with the empty line that ends the message
 * (alone, if there are none): they are head's fields then. Returns as
 * mf_http_parse_request. Fields that frame or route a message (Content-Length,
 * Transfer-Encoding, Host, ...) are refused here.
 */
int mf_http_parse_trailers(const char *buf, size_t len, mf_http_head *head);

MF_DECLS_END_
#endif
