/* SPDX-License-Identifier: MIT */
/*
 * value.c - values of fields: numbers, lists, parameters, qualities (RFC 9110,
 * 5.6 and 12.4).
 *
 * Quoted strings are respected wherever a comma or a semicolon could be part of
 * one. A quote that is never closed ends with the value.
 */
#include <mayfly/http_text.h>

#include <errno.h>
#include <string.h>

mf_text mf_text_of(const char *string)
{
    return (mf_text){string, string != NULL ? strlen(string) : 0};
}

int mf_text_is(mf_text text, const char *string)
{
    return text.at != NULL && strlen(string) == text.len &&
           memcmp(text.at, string, text.len) == 0;
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static int same_nocase(const char *a, const char *b, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        if (lower(a[i]) != lower(b[i]))
            return 0;
    return 1;
}

int mf_text_is_nocase(mf_text text, const char *string)
{
    return text.at != NULL && strlen(string) == text.len &&
           same_nocase(text.at, string, text.len);
}

int mf_http_number(mf_text text, uint64_t max, uint64_t *ret_number)
{
    uint64_t n = 0;
    size_t i;

    if (text.len == 0)
        return -EINVAL;
    for (i = 0; i < text.len; i++)
        if (text.at[i] < '0' || text.at[i] > '9')
            return -EINVAL;
    for (i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(text.at[i] - '0');

        if (n > (UINT64_MAX - digit) / 10)
            return -ERANGE;
        n = n * 10 + digit;
    }
    if (n > max)
        return -ERANGE;
    *ret_number = n;
    return 0;
}

static mf_text trim(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (mf_text){at, (size_t)(end - at)};
}

/* Where the first delim outside of quotes is; end if there is none. */
static const char *outside(const char *at, const char *end, char delim)
{
    int quoted = 0;

    for (; at < end; at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (*at == '\\' && quoted && at + 1 < end)
            at++;
        else if (*at == delim && !quoted)
            break;
    }
    return at;
}

/* The next trimmed piece up to delim; empty ones are passed over. */
static int piece_next(mf_text *rest, char delim, mf_text *ret)
{
    const char *end = rest->at + rest->len;

    while (rest->len > 0) {
        const char *stop = outside(rest->at, end, delim);
        mf_text piece = trim(rest->at, stop);

        rest->at = stop < end ? stop + 1 : end;
        rest->len = (size_t)(end - rest->at);
        if (piece.len > 0) {
            *ret = piece;
            return 1;
        }
    }
    return 0;
}

int mf_http_list_next(mf_text *rest, mf_text *ret_element)
{
    return piece_next(rest, ',', ret_element);
}

/* What stands before the first semicolon. */
static mf_text head_of(mf_text element)
{
    const char *end = element.at + element.len;

    return trim(element.at, outside(element.at, end, ';'));
}

mf_text mf_http_argument(mf_text value, const char *name)
{
    mf_text rest = value, piece;

    if (piece_next(&rest, ';', &piece) == 0)
        return (mf_text){NULL, 0};
    while (piece_next(&rest, ';', &piece) > 0) {
        const char *end = piece.at + piece.len;
        const char *equal = memchr(piece.at, '=', piece.len);
        mf_text key, got;

        if (equal == NULL)
            continue;
        key = trim(piece.at, equal);
        got = trim(equal + 1, end);
        if (!mf_text_is_nocase(key, name))
            continue;
        if (got.len >= 2 && got.at[0] == '"' && got.at[got.len - 1] == '"')
            got = (mf_text){got.at + 1, got.len - 2};
        return got;
    }
    return (mf_text){NULL, 0};
}

int mf_http_q(mf_text element)
{
    mf_text q = mf_http_argument(element, "q");
    int value, scale = 100;
    size_t i;

    if (q.at == NULL)
        return 1000;
    if (q.len == 0 || q.len > 5 || (q.at[0] != '0' && q.at[0] != '1') ||
        (q.len > 1 && q.at[1] != '.'))
        return 0;
    value = (q.at[0] - '0') * 1000;
    for (i = 2; i < q.len; i++, scale /= 10) {
        if (q.at[i] < '0' || q.at[i] > '9')
            return 0;
        value += (q.at[i] - '0') * scale;
    }
    return value <= 1000 ? value : 0;
}

int mf_http_quality(mf_text list, const char *token)
{
    mf_text rest = list, element;
    int any = -ENOENT;

    while (mf_http_list_next(&rest, &element) > 0) {
        mf_text head = head_of(element);

        if (mf_text_is_nocase(head, token))
            return mf_http_q(element);
        if (mf_text_is(head, "*"))
            any = mf_http_q(element);
    }
    return any;
}

/* How near a media range is to type: 3 it is it, 2 type/any, 1 any, 0 not. */
static int nearness(mf_text range, mf_text type)
{
    const char *slash = type.len > 0 ? memchr(type.at, '/', type.len) : NULL;
    size_t main_len = slash != NULL ? (size_t)(slash - type.at) : type.len;

    if (range.len == type.len && same_nocase(range.at, type.at, type.len))
        return 3;
    if (mf_text_is(range, "*/*"))
        return 1;
    return range.len == main_len + 2 &&
                   memcmp(range.at + main_len, "/*", 2) == 0 &&
                   same_nocase(range.at, type.at, main_len)
               ? 2
               : 0;
}

int mf_http_accepts(mf_text accept, const char *type)
{
    mf_text rest = accept, element, want = head_of(mf_text_of(type));
    int best = 0, q = 0;

    if (accept.at == NULL)
        return 1000;
    while (mf_http_list_next(&rest, &element) > 0) {
        int near = nearness(head_of(element), want);

        if (near > best) {
            best = near;
            q = mf_http_q(element);
        }
    }
    return q;
}
