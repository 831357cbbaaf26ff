/* SPDX-License-Identifier: MIT */
/*
 * route.c - a tree with a node for each segment of a path.
 *
 *   /users/:id/files    "" -> users -> (:) -> files
 *   /users/me                   \----> me
 *   /\*rest                (*)
 *
 * A path is matched from left to right, at each node first by the text, then by
 * the parameter, then by the rest, and back again if that led nowhere: so what
 * is said most exactly wins, in whatever order it was said. A path of segments
 * can branch at each, so the depth is bounded by the deepest pattern; a tree of
 * both ways at k levels costs 2^k visits at worst, and the app wrote it.
 *
 * Built before serving, then only read: nothing is locked.
 */
#include "http/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/chars.h"

struct route_node {
    struct route_node *next;  /* of the same parent, by text */
    struct route_node *texts; /* its children */
    struct route_node *param;
    struct endpoint *ends; /* what a path that ends here does */
    struct endpoint *rest; /* and one that goes on from here in any way */
    char *text;
    size_t len;
};

/* ---- making ------------------------------------------------------------- */

static struct route_node *make_node(const char *text, size_t len)
{
    /* tidy: allow malloc, because an app is made as its user wants */
    struct route_node *n = calloc(1, sizeof *n + len + 1);

    if (n == NULL)
        return NULL;
    n->text = (char *)(n + 1);
    memcpy(n->text, text, len);
    n->len = len;
    return n;
}

struct route_node *mfi_route_root(void)
{
    return make_node("", 0);
}

static void free_endpoints(struct endpoint *e)
{
    while (e != NULL) {
        struct endpoint *next = e->next;

        free(e); /* tidy: allow malloc, because it was made here */
        e = next;
    }
}

void mfi_route_free(struct route_node *n)
{
    while (n != NULL) {
        struct route_node *next = n->next;

        mfi_route_free(n->texts);
        mfi_route_free(n->param);
        free_endpoints(n->ends);
        free_endpoints(n->rest);
        free(n); /* tidy: allow malloc, because it was made here */
        n = next;
    }
}

static struct route_node *child_of(struct route_node **list, const char *text,
                                   size_t len)
{
    struct route_node *n = *list;

    while (n != NULL && (n->len != len || memcmp(n->text, text, len) != 0))
        n = n->next;
    if (n == NULL && (n = make_node(text, len)) != NULL) {
        n->next = *list;
        *list = n;
    }
    return n;
}

static bool is_method(const char *method)
{
    size_t len = method != NULL ? strlen(method) : 0;

    return len > 0 && len <= 32 &&
           chars_end(method, method + len, CHAR_TOKEN) == method + len;
}

/* The endpoint with the names of its pattern in one piece behind it. */
static struct endpoint *make_endpoint(const char *method, const char *pattern)
{
    size_t len = strlen(method) + 1, pattern_len = strlen(pattern) + 1;
    /* tidy: allow malloc, because an app is made as its user wants */
    struct endpoint *e = calloc(1, sizeof *e + len + pattern_len);
    char *p;

    if (e == NULL)
        return NULL;
    e->method = (char *)(e + 1);
    memcpy(e->method, method, len);
    p = e->method + len;
    memcpy(p, pattern, pattern_len);
    for (; *p != '\0'; p++) {
        if (*p == '/') {
            *p = '\0';
            if (p[1] == ':' || p[1] == '*')
                e->names[e->nr_names++] = p + 2;
        }
    }
    return e;
}

static int hang(struct endpoint **list, struct endpoint *e)
{
    for (struct endpoint *o = *list; o != NULL; o = o->next)
        if (strcmp(o->method, e->method) == 0)
            return -EEXIST;
    e->next = *list;
    *list = e;
    return 0;
}

/* From '/' to '/': segments, ":name" and at the end "*name". */
static bool is_pattern(const char *p)
{
    int names = 0;

    if (p == NULL || p[0] != '/')
        return false;
    for (; *p != '\0'; p++) {
        if (p[0] == '/' && (p[1] == ':' || p[1] == '*')) {
            if (++names > PARAMS_MOST || p[2] == '\0' || p[2] == '/')
                return false;
            if (p[1] == '*' && strchr(p + 2, '/') != NULL)
                return false;
        }
        if (!char_is(*p, CHAR_TARGET) || *p == '?')
            return false;
    }
    return true;
}

int mfi_route_add(struct route_node *root, const char *method,
                  const char *pattern, mf_http_fn *fn, void *arg)
{
    struct route_node *n = root;
    struct endpoint *e;
    const char *p = pattern, *end;
    bool rest = false;
    int rc;

    if (!is_method(method) || !is_pattern(pattern) || fn == NULL)
        return -EINVAL;
    for (; *p == '/' && !rest && n != NULL; p = end) {
        end = p + 1 + strcspn(p + 1, "/");
        rest = p[1] == '*';
        if (p[1] == ':')
            n = child_of(&n->param, "", 0);
        else if (!rest)
            n = child_of(&n->texts, p + 1, (size_t)(end - p - 1));
    }
    if (n == NULL || (e = make_endpoint(method, pattern)) == NULL)
        return -ENOMEM;
    e->fn = fn;
    e->arg = arg;
    rc = hang(rest ? &n->rest : &n->ends, e);
    if (rc < 0)
        free(e); /* tidy: allow malloc, because it was made here */
    return rc;
}

/* ---- finding ------------------------------------------------------------ */

static struct endpoint *for_method(struct endpoint *list, mf_text method)
{
    struct endpoint *any = NULL, *get = NULL;

    for (struct endpoint *e = list; e != NULL; e = e->next) {
        size_t len = strlen(e->method);

        if (len == method.len && memcmp(e->method, method.at, len) == 0)
            return e;
        if (strcmp(e->method, "*") == 0)
            any = e;
        if (strcmp(e->method, "GET") == 0)
            get = e;
    }
    if (get != NULL && method.len == 4 && memcmp(method.at, "HEAD", 4) == 0)
        return get;
    return any;
}

/* It ends here, if there is something for the method; note what there is. */
static bool take(struct endpoint *list, mf_text method, struct route_match *m)
{
    if (list == NULL)
        return false;
    m->of = m->of != NULL ? m->of : list;
    m->at = for_method(list, method);
    return m->at != NULL;
}

/* Segments differ by their escapes only: "%61" is "a". */
static bool same_segment(const struct route_node *n, const char *at, size_t len)
{
    size_t i = 0;

    for (const char *end = at + len; at < end; at++, i++) {
        char c = *at;

        if (c == '%' && end - at > 2 && char_is(at[1], CHAR_HEX) &&
            char_is(at[2], CHAR_HEX)) {
            int high = at[1] <= '9' ? at[1] - '0' : (at[1] | 0x20) - 'a' + 10;
            int low = at[2] <= '9' ? at[2] - '0' : (at[2] | 0x20) - 'a' + 10;

            c = (char)(high << 4 | low);
            at += 2;
        }
        if (i >= n->len || n->text[i] != c)
            return false;
    }
    return i == n->len;
}

/* p is at the '/' of the next segment, or at the end. */
static bool walk(struct route_node *n, const char *p, const char *end,
                 int params, mf_text method, struct route_match *m)
{
    const char *last;

    if (p == end)
        return take(n->ends, method, m);
    last = memchr(p + 1, '/', (size_t)(end - p - 1));
    last = last != NULL ? last : end;
    for (struct route_node *c = n->texts; c != NULL; c = c->next)
        if (same_segment(c, p + 1, (size_t)(last - p - 1)) &&
            walk(c, last, end, params, method, m))
            return true;
    if (n->param != NULL && last > p + 1 && params < PARAMS_MOST) {
        m->params[params] = (mf_text){p + 1, (size_t)(last - p - 1)};
        if (walk(n->param, last, end, params + 1, method, m))
            return true;
    }
    if (n->rest == NULL || params == PARAMS_MOST)
        return false;
    m->params[params] = (mf_text){p + 1, (size_t)(end - p - 1)};
    return take(n->rest, method, m);
}

void mfi_route_find(struct route_node *root, mf_text method, mf_text path,
                    struct route_match *ret)
{
    ret->at = NULL;
    ret->of = NULL;
    if (path.len > 0 && path.at[0] == '/')
        (void)walk(root, path.at, path.at + path.len, 0, method, ret);
}
