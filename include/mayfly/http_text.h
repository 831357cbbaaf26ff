/* SPDX-License-Identifier: MIT */
/*
 * http_text.h - what the fields, queries and forms of HTTP say: escapes, pairs,
 * cookies, dates, lists with qualities, entity tags, conditions, ranges, types.
 *
 *   mf_text rest = head.query, name, value;
 *   char buf[256];
 *   while ((rc = mf_http_form_next(&rest, buf, sizeof buf, &name, &value)) > 0)
 *       ...
 *
 * Pure functions over memory, of the caller's: nothing is allocated, nothing
 * is read beyond the given length. A walk takes an mf_text by address and moves
 * it past what it returned. Context: any. Suspends: no.
 */
#ifndef MF_HTTP_TEXT_H
#define MF_HTTP_TEXT_H

#include <mayfly/http_head.h>

MF_DECLS_BEGIN_

/* The text of a string; NULL is the text without an address. */
mf_text mf_text_of(const char *string);
/* Whether two are the same; in any case (ASCII). 1, 0. */
int mf_text_is(mf_text text, const char *string);
int mf_text_is_nocase(mf_text text, const char *string);

/* ---- escapes, queries, forms ------------------------------------------- */

/*
 * Undo %XX; with plus, '+' is a space too (queries and forms, not paths). out
 * has room for in.len bytes and may be in.at itself. Returns the length;
 * -EINVAL an escape that is none; -EMSGSIZE longer than INT_MAX. A %00 becomes
 * a NUL: who wants C strings must look for it.
 */
int mf_http_unescape(mf_text in, char *out, int plus);

/*
 * Escape all bytes but letters, digits, "-._~" and those in keep (NULL: none).
 * Returns the length; -EMSGSIZE it is cap or more (out is garbage). Ends with a
 * NUL that does not count.
 */
int mf_http_escape(mf_text in, const char *keep, char *out, size_t cap);

/*
 * The next pair of "a=1&b=2", still escaped; without '=' the value is empty.
 * Empty pieces are passed over. 1 a pair, 0 the end.
 */
int mf_http_pair_next(mf_text *rest, mf_text *ret_name, mf_text *ret_value);

/*
 * As pair_next, with the escapes undone, into buf: a query, or a body of type
 * application/x-www-form-urlencoded. Each of the two ends with a NUL that does
 * not count. 1, 0; -EINVAL a bad escape, -EMSGSIZE buf is too small: that pair
 * is passed over.
 */
int mf_http_form_next(mf_text *rest, char *buf, size_t cap, mf_text *ret_name,
                      mf_text *ret_value);

/*
 * The value of the first pair of that name into buf, with a NUL. Returns its
 * length, -ENOENT, -EINVAL, -EMSGSIZE.
 */
int mf_http_form_find(mf_text form, const char *name, char *buf, size_t cap);

/* ---- multipart/form-data ------------------------------------------------- */

typedef struct mf_http_part {
    mf_text name;     /* of the form's field; .at NULL: none */
    mf_text filename; /* .at NULL: not a file. Never a path to be trusted. */
    mf_text type;     /* "text/plain" if it says nothing */
    mf_text data;
} mf_http_part;

/* The boundary in a Content-Type of multipart; 1; 0 it has none. */
int mf_http_boundary(mf_text type, mf_text *ret_boundary);

/*
 * The next part of a whole body. *rest is the body at first. 1, 0 the end,
 * -EINVAL it is no such body. Texts lie in the body; \" in a name stays as it
 * is.
 */
int mf_http_part_next(mf_text *rest, mf_text boundary, mf_http_part *ret_part);

/* ---- cookies ------------------------------------------------------------- */

/* The next pair of a Cookie field, quotes around the value taken off. 1, 0. */
int mf_http_cookie_next(mf_text *rest, mf_text *ret_name, mf_text *ret_value);
/* The first of that name in a Cookie field; .at NULL if there is none. */
mf_text mf_http_cookie_find(mf_text field, const char *name);

typedef struct mf_http_cookie {
    MF_SIZE_(mf_http_cookie);
    const char *path MF_0_, *domain MF_0_; /* NULL: not said */
    int64_t max_age MF_0_; /* seconds; 0: until the browser ends; < 0: gone */
    const char *same_site MF_0_;           /* "Strict", "Lax", "None" */
    unsigned secure MF_0_, http_only MF_0_;
} mf_http_cookie;
#define MF_HTTP_COOKIE(...) MF_OPTIONS_(mf_http_cookie, __VA_ARGS__)

/*
 * The value of a Set-Cookie field. cookie may be NULL. Returns its length,
 * -EINVAL a byte that may not be there (RFC 6265, 4.1.1) or SameSite=None
 * without secure; -EMSGSIZE.
 */
int mf_http_cookie_print(char *buf, size_t cap, const char *name,
                         const char *value, const mf_http_cookie *cookie);

/* ---- dates and numbers --------------------------------------------------- */

enum { MF_HTTP_DATE = 30 }; /* with its NUL */

/* "Sun, 06 Nov 1994 08:49:37 GMT". 29, -ERANGE (before year 1, past 9999). */
int mf_http_date_print(int64_t seconds, char buf[MF_HTTP_DATE]);

/*
 * Seconds since 1970 of any of the three forms of RFC 9110, 5.6.7. now: for
 * years of two digits, which are never more than 50 years ahead of it. 0,
 * -EINVAL.
 */
int mf_http_date_parse(mf_text text, int64_t now, int64_t *ret_seconds);

/* A decimal number, digits only. 0, -EINVAL, -ERANGE (over max). */
int mf_http_number(mf_text text, uint64_t max, uint64_t *ret_number);

/* ---- lists --------------------------------------------------------------- */

/* The next element of a comma-separated list, white space around it off; a
 * comma in quotes is none. Empty ones are passed over. 1, 0. */
int mf_http_list_next(mf_text *rest, mf_text *ret_element);

/* A parameter of "value; a=1; b=\"2\"", quotes off; .at NULL: not there. */
mf_text mf_http_argument(mf_text value, const char *name);

/* A ;q= of an element, in thousandths: 0 to 1000; 1000 if it has none; a bad
 * one is 0. */
int mf_http_q(mf_text element);

/* How much an Accept-Encoding (-Charset, -Language) wants token: its q or that
 * of "*"; -ENOENT neither is named. */
int mf_http_quality(mf_text list, const char *token);

/* How much an Accept wants a media type: the q of the nearest of type/subtype,
 * type and any; 0 none of them; 1000 if the field is missing (.at NULL). */
int mf_http_accepts(mf_text accept, const char *type);

/* ---- entity tags and conditions ------------------------------------------ */

/* Whether a list of entity tags ("*" too) has etag; strong: not if one of them
 * is weak. etag NULL: there is no such thing, nothing matches. 1, 0. */
int mf_http_etag_in(mf_text list, const char *etag, int strong);

/*
 * The conditions of a request for something with this tag (quoted, maybe W/;
 * NULL: it has none) that was last changed then (seconds; < 0: not known).
 * exists 0: there is none yet. In the order of RFC 9110, 13.2.2, and with all
 * fields of a name. Returns 0 go on; 304 or 412 the answer.
 */
int mf_http_check(const mf_http_head *head, const char *etag, int64_t modified,
                  int exists);

/* Whether If-Range lets a Range count: 1 (also: it is not there), 0. */
int mf_http_check_range(const mf_http_head *head, const char *etag,
                        int64_t modified);

/* ---- ranges -------------------------------------------------------------- */

typedef struct mf_http_range {
    uint64_t from, len; /* len > 0 */
} mf_http_range;

/*
 * The ranges of a Range field over size bytes, in its order; those that overlap
 * or touch a former one are one with it. Returns their number; 0 send all of it
 * (no range of bytes, bad syntax, or more than cap were asked for); -ERANGE
 * none can be satisfied: 416.
 */
int mf_http_ranges(mf_text value, uint64_t size, mf_http_range *ret, int cap);

/* ---- types --------------------------------------------------------------- */

/* The media type for a file's name, by what is behind its last dot, with a
 * charset for text; application/octet-stream if unknown. Static. */
const char *mf_http_mime(const char *name);

/* Whether bytes of this type get shorter: text, JSON, SVG, ... 1, 0. */
int mf_http_mime_shrinks(const char *type);

MF_DECLS_END_
#endif
