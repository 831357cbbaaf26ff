/* SPDX-License-Identifier: MIT */
/*
 * head.c - request lines, status lines, and what a head as a whole means.
 *
 * Where a message ends must be beyond doubt, for us and for whoever stands
 * before or behind us (RFC 9112, 6.3 and 11.2); so wherever the RFC lets a
 * recipient choose between mending and refusing, it is refused:
 *
 *   Content-Length twice, even if equal, or as a list       400
 *   Content-Length and Transfer-Encoding                    400
 *   Transfer-Encoding in HTTP/1.0                           400
 *   a last coding that is not chunked, or chunked twice     400
 *   other codings before chunked                            501
 *   no Host in HTTP/1.1, or several, or one that is none    400
 *
 * The steps call each other in the order of the text, each giving the place
 * where the next goes on, or NULL: refused, or (status 0) more is needed.
 */
#include <mayfly/http_head.h>

#include <errno.h>

#include "http/chars.h"
#include "http/fields.h"

enum { EMPTY_LINES_MOST = 2, METHOD_MOST = 32 };

/* ---- the request line --------------------------------------------------- */

/* "HTTP/1.x": the minor version. */
static const char *version(const char *p, const char *end, mf_http_head *head)
{
    static const char name[] = "HTTP/";

    for (size_t i = 0; i < 5; i++, p++)
        if (p == end || *p != name[i])
            return p == end ? NULL : refuse(head, 400, "not HTTP");
    for (int i = 0; i < 3; i++)
        if (p + i == end || (i == 1 ? p[i] != '.' : !char_is(p[i], CHAR_DIGIT)))
            return p + i == end ? NULL
                                : refuse(head, 400, "not a version of HTTP");
    if (p[0] != '1')
        return refuse(head, 505, "not HTTP/1");
    head->minor = p[2] > '0';
    return p + 3;
}

/* A robust server takes an empty line before a request (RFC 9112, 2.2). */
static const char *empty_lines(const char *p, const char *end,
                               mf_http_head *head)
{
    for (int i = 0; p < end && *p == '\r'; i++, p += 2) {
        if (i == EMPTY_LINES_MOST)
            return refuse(head, 400, "empty lines before a request");
        if (p + 1 == end)
            return NULL;
        if (p[1] != '\n')
            return refuse(head, 400, "a CR without its LF");
    }
    return p;
}

/* Characters of that kind, at least one, and a space. */
static const char *word(const char *p, const char *end, int kind,
                        mf_http_head *head, mf_text *ret, const char *why)
{
    const char *last = chars_end(p, end, kind);

    if (last == end)
        return NULL;
    if (last == p || *last != ' ')
        return refuse(head, 400, why);
    *ret = (mf_text){p, (size_t)(last - p)};
    return last + 1;
}

static const char *request_line(const char *p, const char *end,
                                mf_http_head *head)
{
    p = empty_lines(p, end, head);
    if (p != NULL)
        p = word(p, end, CHAR_TOKEN, head, &head->method,
                 "the method is not a token");
    if (p != NULL && head->method.len > METHOD_MOST)
        return refuse(head, 501, "no method is that long");
    if (p != NULL)
        p = word(p, end, CHAR_TARGET, head, &head->target,
                 "a bad character in the target");
    if (p != NULL)
        p = version(p, end, head);
    if (p == NULL || p == end)
        return NULL;
    if (*p != '\r')
        return refuse(head, 400, "more than three words in a request line");
    if (p + 1 == end)
        return NULL;
    return p[1] == '\n' ? p + 2 : refuse(head, 400, "a CR without its LF");
}

/* ---- the target (RFC 9112, 3.2) ----------------------------------------- */

/* host [":" port], or [IPv6 address]; nothing at all is for the caller. */
static bool is_authority(mf_text a)
{
    const char *p = a.at, *end = a.at + a.len;

    if (p < end && *p == '[') {
        for (p++; p < end && (char_is(*p, CHAR_HEX) || *p == ':' || *p == '.');)
            p++;
        if (p == end || *p != ']')
            return false;
        p++;
    } else {
        p = chars_end(p, end, CHAR_HOST);
        if (p == a.at)
            return false;
    }
    if (p == end)
        return true;
    if (*p != ':' || end - p > 6) /* a port has 5 digits */
        return false;
    return chars_end(p + 1, end, CHAR_DIGIT) == end;
}

static void split_path(mf_http_head *head, mf_text t)
{
    const char *mark = memchr(t.at, '?', t.len);
    size_t path = mark != NULL ? (size_t)(mark - t.at) : t.len;

    head->path = (mf_text){t.at, path};
    head->query = mark != NULL ? (mf_text){mark + 1, t.len - path - 1}
                               : (mf_text){t.at + t.len, 0};
}

/* One of seven letters. */
static bool is_method(const mf_http_head *head, const char name[8])
{
    return head->method.len == 7 && memcmp(head->method.at, name, 7) == 0;
}

static bool absolute_target(mf_http_head *head)
{
    static const mf_text root = {"/", 1}, star = {"*", 1};
    mf_text t = head->target;
    size_t scheme = t.len > 7 && text_is(t.at, 7, "http://", 7)    ? 7
                    : t.len > 8 && text_is(t.at, 8, "https://", 8) ? 8
                                                                   : 0;
    const char *p = t.at + scheme, *end = t.at + t.len;

    if (scheme == 0)
        return false;
    while (p < end && *p != '/' && *p != '?')
        p++;
    head->host = (mf_text){t.at + scheme, (size_t)(p - t.at) - scheme};
    if (p == end || *p == '?') { /* no path: the root, or the server itself */
        split_path(head, (mf_text){p, (size_t)(end - p)});
        head->path = p == end && is_method(head, "OPTIONS") ? star : root;
    } else {
        split_path(head, (mf_text){p, (size_t)(end - p)});
    }
    return is_authority(head->host);
}

/* The four forms; the field Host is in head->host, if there is one. */
static bool target(mf_http_head *head)
{
    mf_text t = head->target;

    if (is_method(head, "CONNECT")) {
        head->host = t;
        head->path = head->query = (mf_text){t.at + t.len, 0};
        return is_authority(t) && memchr(t.at, ':', t.len) != NULL;
    }
    if (t.at[0] == '/') {
        split_path(head, t);
        return true;
    }
    if (t.len == 1 && t.at[0] == '*') {
        head->path = t;
        head->query = (mf_text){t.at + 1, 0};
        return is_method(head, "OPTIONS");
    }
    return absolute_target(head);
}

/* ---- a request as a whole ----------------------------------------------- */

static const char *why_no_host(mf_http_head *head, const struct framing *f)
{
    if (f->hosts > 1)
        return "several Host fields";
    if (f->hosts == 0 && head->minor >= 1)
        return "no Host field";
    if (f->hosts == 1 && f->host.len > 0 && !is_authority(f->host))
        return "the Host field is not a host";
    return NULL;
}

/* Where the body ends; false: that cannot be said. */
static bool request_body(mf_http_head *head, const struct framing *f)
{
    const char *why = NULL;

    if (f->lengths > 1)
        why = "several Content-Length fields";
    else if (f->coded && f->lengths > 0)
        why = "Content-Length and Transfer-Encoding";
    else if (f->coded && head->minor == 0)
        why = "Transfer-Encoding in HTTP/1.0";
    else if (f->coded && (!f->chunked || f->twice))
        why = "the last transfer coding is not chunked, once";
    if (why != NULL) {
        refuse(head, 400, why);
        return false;
    }
    if (f->coded && f->other) {
        refuse(head, 501, "a transfer coding beside chunked");
        return false;
    }
    head->length = f->lengths > 0 ? f->length : 0;
    head->body = f->coded           ? MF_HTTP_BODY_CHUNKED
                 : head->length > 0 ? MF_HTTP_BODY_LENGTH
                                    : MF_HTTP_BODY_NONE;
    return true;
}

static bool request(mf_http_head *head, const struct framing *f)
{
    const char *why = why_no_host(head, f);

    head->host = f->host;
    head->has_host = f->hosts == 1;
    if (why == NULL && !target(head))
        why = "the target has none of the four forms";
    if (why != NULL) {
        refuse(head, 400, why);
        return false;
    }
    if (!request_body(head, f))
        return false;
    if (f->expects && head->minor >= 1) {
        refuse(head, 417, "an expectation that is not 100-continue");
        return false;
    }
    head->expect_continue = f->continues && head->minor >= 1;
    head->keep_alive = !f->close && (head->minor >= 1 || f->keep_alive);
    head->upgrade = f->upgrade && f->upgrades && head->minor >= 1;
    head->accepts_gzip = f->gzip;
    return true;
}

static bool begin(const char *buf, size_t len, mf_http_head *head)
{
    mf_http_field *fields;
    int cap;

    if (buf == NULL || head == NULL || len > INT32_MAX ||
        head->cap_fields < 0 || (head->fields == NULL && head->cap_fields > 0))
        return false;
    fields = head->fields;
    cap = head->cap_fields;
    *head = (mf_http_head){.fields = fields, .cap_fields = cap};
    return true;
}

int mf_http_parse_request(const char *buf, size_t len, mf_http_head *head)
{
    struct framing f = {.length = 0};
    const char *p;

    if (!begin(buf, len, head))
        return -EINVAL;
    p = request_line(buf, buf + len, head);
    if (p != NULL)
        p = mfi_http_fields(p, buf + len, head, &f);
    if (p != NULL && request(head, &f))
        return (int)(p - buf);
    return head->status != 0 ? -EPROTO : 0;
}

/* ---- a response --------------------------------------------------------- */

static const char *status_line(const char *p, const char *end,
                               mf_http_head *head, int *ret_status)
{
    const char *last;

    p = version(p, end, head);
    if (p == NULL || p == end)
        return NULL;
    if (*p != ' ')
        return refuse(head, 502, "no space behind the version");
    p++;
    for (int i = 0; i < 3; i++, p++) {
        if (p == end)
            return NULL;
        if (!char_is(*p, CHAR_DIGIT))
            return refuse(head, 502, "the status is not a number");
        *ret_status = *ret_status * 10 + (*p - '0');
    }
    if (p == end)
        return NULL;
    if (*ret_status < 100 || (*p != ' ' && *p != '\r'))
        return refuse(head, 502, "the status has not three digits");
    p += *p == ' ';
    last = value_end(p, end);
    if (last == end || last + 1 == end)
        return last == end || *last == '\r'
                   ? NULL
                   : refuse(head, 502, "a control character in a reason");
    if (last[0] != '\r' || last[1] != '\n')
        return refuse(head, 502, "a control character in a reason");
    head->reason = (mf_text){p, (size_t)(last - p)};
    return last + 2;
}

static bool response(mf_http_head *head, const struct framing *f, int status,
                     const char *method)
{
    bool to_connect = strcmp(method, "CONNECT") == 0;
    bool bodiless = strcmp(method, "HEAD") == 0 || status < 200 ||
                    status == 204 || status == 304;
    const char *why = NULL;

    if (f->lengths > 1)
        why = "several Content-Length fields";
    else if (f->coded && f->lengths > 0)
        why = "Content-Length and Transfer-Encoding";
    else if (f->coded && head->minor == 0)
        why = "Transfer-Encoding in HTTP/1.0";
    else if (f->coded && (f->twice || (f->chunked && f->other)))
        why = "a transfer coding beside chunked";
    if (why != NULL) {
        refuse(head, 502, why);
        return false;
    }
    head->status = status;
    head->length = f->lengths > 0 ? f->length : 0;
    head->body = bodiless || (to_connect && status / 100 == 2)
                     ? MF_HTTP_BODY_NONE
                 : f->chunked      ? MF_HTTP_BODY_CHUNKED
                 : f->coded        ? MF_HTTP_BODY_CLOSE
                 : f->lengths == 0 ? MF_HTTP_BODY_CLOSE
                 : f->length > 0   ? MF_HTTP_BODY_LENGTH
                                   : MF_HTTP_BODY_NONE;
    head->keep_alive = !f->close && (head->minor >= 1 || f->keep_alive) &&
                       head->body != MF_HTTP_BODY_CLOSE;
    head->upgrade = f->upgrade && f->upgrades && head->minor >= 1;
    return true;
}

int mf_http_parse_response(const char *buf, size_t len, const char *method,
                           mf_http_head *head)
{
    struct framing f = {.length = 0};
    const char *p;
    int status = 0;

    if (method == NULL || !begin(buf, len, head))
        return -EINVAL;
    p = status_line(buf, buf + len, head, &status);
    if (p != NULL)
        p = mfi_http_fields(p, buf + len, head, &f);
    if (p != NULL && response(head, &f, status, method))
        return (int)(p - buf);
    return head->status != 0 ? -EPROTO : 0;
}
