/* SPDX-License-Identifier: MIT */
/*
 * cookie.c - Cookie and Set-Cookie (RFC 6265).
 *
 * Reading is lenient, as browsers send what scripts made up; writing is strict:
 * a byte that could end the value, and with it start an attribute or another
 * field, is refused and not escaped, as no reader would undo it.
 */
#include <mayfly/http_text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static mf_text trim(mf_text t)
{
    while (t.len > 0 && (t.at[0] == ' ' || t.at[0] == '\t'))
        t = (mf_text){t.at + 1, t.len - 1};
    while (t.len > 0 && (t.at[t.len - 1] == ' ' || t.at[t.len - 1] == '\t'))
        t.len--;
    return t;
}

int mf_http_cookie_next(mf_text *rest, mf_text *ret_name, mf_text *ret_value)
{
    while (rest->len > 0) {
        const char *at = rest->at, *end = memchr(at, ';', rest->len), *equal;
        size_t len = end != NULL ? (size_t)(end - at) : rest->len;
        size_t skip = end != NULL ? len + 1 : len;
        mf_text value;

        rest->at += skip;
        rest->len -= skip;
        if ((equal = memchr(at, '=', len)) == NULL)
            continue;
        *ret_name = trim((mf_text){at, (size_t)(equal - at)});
        value = trim((mf_text){equal + 1, len - (size_t)(equal - at) - 1});
        if (value.len >= 2 && value.at[0] == '"' &&
            value.at[value.len - 1] == '"')
            value = (mf_text){value.at + 1, value.len - 2};
        if (ret_name->len == 0)
            continue;
        *ret_value = value;
        return 1;
    }
    return 0;
}

mf_text mf_http_cookie_find(mf_text field, const char *name)
{
    mf_text rest = field, got, value;

    while (mf_http_cookie_next(&rest, &got, &value) > 0)
        if (mf_text_is(got, name))
            return value;
    return (mf_text){NULL, 0};
}

/* Visible ASCII without any of those in not. */
static int clean(const char *text, const char * not )
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text >= 0x7f || strchr(not, *text) != NULL)
            return 0;
    return 1;
}

/* An attribute's value: anything but control bytes and semicolons. */
static int clean_attribute(const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        if (*text < ' ' || *text >= 0x7f || *text == ';')
            return 0;
    return 1;
}

static int valid(const char *name, const char *value, const mf_http_cookie *c)
{
    const char *site = c->same_site;

    if (*name == '\0' || !clean(name, "()<>@,;:\\\"/[]?={}") ||
        !clean(value, "\",;\\") || !clean_attribute(c->path) ||
        !clean_attribute(c->domain))
        return 0;
    if (site == NULL || strcmp(site, "Strict") == 0 || strcmp(site, "Lax") == 0)
        return 1;
    return strcmp(site, "None") == 0 && c->secure;
}

struct print {
    char *buf;
    size_t cap, len;
};

static void add(struct print *p, const char *before, const char *text)
{
    size_t before_len = strlen(before), len = strlen(text);

    if (p->len + before_len + len < p->cap) {
        memcpy(p->buf + p->len, before, before_len);
        memcpy(p->buf + p->len + before_len, text, len);
    }
    p->len += before_len + len;
}

int mf_http_cookie_print(char *buf, size_t cap, const char *name,
                         const char *value, const mf_http_cookie *cookie)
{
    mf_http_cookie none = {.size = sizeof none};
    const mf_http_cookie *c = cookie != NULL ? cookie : &none;
    struct print p = {buf, cap, 0};
    char age[24];

    if (!valid(name, value, c))
        return -EINVAL;
    add(&p, name, "=");
    add(&p, value, "");
    if (c->path != NULL)
        add(&p, "; Path=", c->path);
    if (c->domain != NULL)
        add(&p, "; Domain=", c->domain);
    if (c->max_age != 0) {
        snprintf(age, sizeof age, "%lld",
                 c->max_age > 0 ? (long long)c->max_age : 0);
        add(&p, "; Max-Age=", age);
    }
    if (c->secure)
        add(&p, "; Secure", "");
    if (c->http_only)
        add(&p, "; HttpOnly", "");
    if (c->same_site != NULL)
        add(&p, "; SameSite=", c->same_site);
    if (p.len >= cap)
        return -EMSGSIZE;
    buf[p.len] = '\0';
    return (int)p.len;
}
