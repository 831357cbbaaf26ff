/* SPDX-License-Identifier: MIT */
/*
 * percent.c - escapes, pairs of queries and forms (RFC 3986, 2.1; the URL
 * standard's application/x-www-form-urlencoded).
 *
 * Unescaping is strict: a '%' without two digits behind it is an error, never
 * itself. What one program takes as it stands and the next one decodes is how
 * a check of a path is walked around. It never makes a text longer, so it works
 * in place.
 */
#include <mayfly/http_text.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

static int hex(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mf_http_unescape(mf_text in, char *out, int plus)
{
    char *to = out;
    size_t i;

    if (in.len > INT_MAX)
        return -EMSGSIZE;
    for (i = 0; i < in.len; i++) {
        char c = in.at[i];

        if (c == '%') {
            int high = i + 2 < in.len ? hex((unsigned char)in.at[i + 1]) : -1;
            int low = high >= 0 ? hex((unsigned char)in.at[i + 2]) : -1;

            if (low < 0)
                return -EINVAL;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        *to++ = c;
    }
    return (int)(to - out);
}

static int is_plain(unsigned char c)
{
    unsigned char lower = c | 0x20;

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

int mf_http_escape(mf_text in, const char *keep, char *out, size_t cap)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t i, n = 0;

    for (i = 0; i < in.len; i++) {
        unsigned char c = (unsigned char)in.at[i];
        int plain = is_plain(c) ||
                    (c != '\0' && keep != NULL && strchr(keep, c) != NULL);
        size_t more = plain ? 1 : 3;

        if (n + more >= cap || n + more > INT_MAX)
            return -EMSGSIZE;
        if (plain) {
            out[n] = (char)c;
        } else {
            out[n] = '%';
            out[n + 1] = digits[c >> 4];
            out[n + 2] = digits[c & 15];
        }
        n += more;
    }
    if (n >= cap)
        return -EMSGSIZE;
    out[n] = '\0';
    return (int)n;
}

int mf_http_pair_next(mf_text *rest, mf_text *ret_name, mf_text *ret_value)
{
    while (rest->len > 0) {
        const char *at = rest->at, *end = memchr(at, '&', rest->len);
        size_t len = end != NULL ? (size_t)(end - at) : rest->len;
        size_t skip = end != NULL ? len + 1 : len;
        const char *equal;

        rest->at += skip;
        rest->len -= skip;
        if (len == 0)
            continue;
        equal = memchr(at, '=', len);
        *ret_name = (mf_text){at, equal != NULL ? (size_t)(equal - at) : len};
        if (equal != NULL)
            *ret_value = (mf_text){equal + 1, len - ret_name->len - 1};
        else
            *ret_value = (mf_text){at + len, 0};
        return 1;
    }
    return 0;
}

/* A decoded copy with its NUL at *at, which moves behind it. */
static int decode(mf_text in, char **at, const char *end, mf_text *ret)
{
    int n;

    /* Room for what is escaped, so that no byte is counted twice. */
    if (in.len >= (size_t)(end - *at))
        return -EMSGSIZE;
    if ((n = mf_http_unescape(in, *at, 1)) < 0)
        return n;
    *ret = (mf_text){*at, (size_t)n};
    (*at)[n] = '\0';
    *at += n + 1;
    return 0;
}

int mf_http_form_next(mf_text *rest, char *buf, size_t cap, mf_text *ret_name,
                      mf_text *ret_value)
{
    mf_text name, value, raw;
    char *at = buf;
    int rc;

    if (mf_http_pair_next(rest, &name, &raw) == 0)
        return 0;
    if ((rc = decode(name, &at, buf + cap, &name)) < 0 ||
        (rc = decode(raw, &at, buf + cap, &value)) < 0)
        return rc;
    *ret_name = name;
    *ret_value = value;
    return 1;
}

/* Whether the escaped text says want, without room for a copy. */
static int says(mf_text escaped, const char *want)
{
    size_t i = 0;

    while (i < escaped.len) {
        size_t n = escaped.at[i] == '%' ? 3 : 1;
        char c[3];

        if (n > escaped.len - i ||
            mf_http_unescape((mf_text){escaped.at + i, n}, c, 1) < 0 ||
            c[0] == '\0' || *want++ != c[0])
            return 0;
        i += n;
    }
    return *want == '\0';
}

int mf_http_form_find(mf_text form, const char *name, char *buf, size_t cap)
{
    mf_text rest = form, got, value;
    char *at = buf;
    int rc;

    while (mf_http_pair_next(&rest, &got, &value) > 0) {
        if (!says(got, name))
            continue;
        rc = decode(value, &at, buf + cap, &value);
        return rc < 0 ? rc : (int)value.len;
    }
    return -ENOENT;
}
