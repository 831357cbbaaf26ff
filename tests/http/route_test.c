/* SPDX-License-Identifier: MIT */
/* route_test.c - which pattern a path takes, in any order of the routes. */
#include "http/route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "test.h"

static int nothing(mf_http_req *req, void *arg)
{
    (void)req;
    (void)arg;
    return 0;
}

static const char *const patterns[] = {
    "GET /",
    "GET /users",
    "GET /users/:id",
    "GET /users/me",
    "POST /users/:id",
    "GET /users/:id/files/:name",
    "GET /users/*rest",
    "* /any",
    "GET /*all",
    "GET /a/:x/c",
    "GET /a/b/d",
    "GET /trailing/",
};
enum { PATTERNS = sizeof patterns / sizeof patterns[0] };

struct path {
    const char *method, *path, *to; /* the pattern; "": 404; "405" */
    const char *params;             /* joined with '|' */
};

static const struct path paths[] = {
    {"GET", "/", "GET /", ""},
    {"HEAD", "/", "GET /", ""},
    {"GET", "/users", "GET /users", ""},
    {"GET", "/users/7", "GET /users/:id", "7"},
    {"GET", "/users/%6de", "GET /users/me", ""},
    {"GET", "/users/me", "GET /users/me", ""},
    {"POST", "/users/me", "POST /users/:id", "me"},
    {"GET", "/users/7/files/a%20b", "GET /users/:id/files/:name", "7|a%20b"},
    {"GET", "/users/7/files/a/b", "GET /users/*rest", "7/files/a/b"},
    {"GET", "/users/", "GET /users/*rest", ""},
    {"PUT", "/any", "* /any", ""},
    {"GET", "/other/things", "GET /*all", "other/things"},
    {"GET", "/a/b/c", "GET /a/:x/c", "b"}, /* back from /a/b/d */
    {"GET", "/a/b/d", "GET /a/b/d", ""},
    {"GET", "/a/b/e", "GET /*all", "a/b/e"},
    {"GET", "/trailing/", "GET /trailing/", ""},
    {"GET", "/trailing", "GET /*all", "trailing"},
    {"PUT", "/users", "405", ""},
    {"PUT", "/other", "405", ""},
    {"GET", "*", "", ""},
    {"GET", "", "", ""},
};

static void add_all(struct route_node *root, int first, int step)
{
    for (int i = 0; i < PATTERNS; i++) {
        const char *p = patterns[(first + i * step) % PATTERNS];
        size_t len = strcspn(p, " ");
        char method[8] = "";

        memcpy(method, p, len);
        EXPECT_EQ(mfi_route_add(root, method, p + len + 1, nothing,
                                (void *)(uintptr_t)p),
                  0);
        EXPECT_EQ(mfi_route_add(root, method, p + len + 1, nothing, NULL),
                  -EEXIST);
    }
}

static void check(struct route_node *root, const struct path *p)
{
    mf_text method = {p->method, strlen(p->method)};
    mf_text path = {p->path, strlen(p->path)};
    struct route_match m;
    char params[64] = "";
    size_t len = 0;

    mfi_route_find(root, method, path, &m);
    for (int i = 0; m.at != NULL && i < m.at->nr_names; i++)
        len += (size_t)snprintf(params + len, sizeof params - len, "%s%.*s",
                                i > 0 ? "|" : "", (int)m.params[i].len,
                                m.params[i].at);
    EXPECT_STR_EQ(m.at != NULL   ? (const char *)m.at->arg
                  : m.of != NULL ? "405"
                                 : "",
                  p->to);
    EXPECT_STR_EQ(params, p->params);
}

MFI_TEST(the_most_exact_pattern_wins_in_any_order)
{
    static const int steps[] = {1, 5, 7, 11};

    for (int first = 0; first < PATTERNS; first++)
        for (int s = 0; s < 4; s++) {
            struct route_node *root = mfi_route_root();

            EXPECT(root != NULL);
            add_all(root, first, steps[s]);
            for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
                check(root, &paths[i]);
            mfi_route_free(root);
        }
}

MFI_TEST(what_is_no_pattern_is_refused)
{
    static const char *const bad[] = {"",     "a",     "/:",       "/*",
                                      "/:/a", "/*a/b", "/a b",     "/a?b",
                                      "/a#",  "/\x01", "/\xc3\xa9"};
    struct route_node *root = mfi_route_root();
    char many[PARAMS_MOST * 3 + 4] = "";

    EXPECT(root != NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_EQ(mfi_route_add(root, "GET", bad[i], nothing, NULL), -EINVAL);
    for (int i = 0; i < PARAMS_MOST; i++)
        memcpy(many + (size_t)i * 3, "/:a", 4);
    EXPECT_EQ(mfi_route_add(root, "GET", many, nothing, NULL), 0);
    memcpy(many + PARAMS_MOST * 3, "/:a", 4);
    EXPECT_EQ(mfi_route_add(root, "GET", many, nothing, NULL), -EINVAL);
    EXPECT_EQ(mfi_route_add(root, "", "/", nothing, NULL), -EINVAL);
    EXPECT_EQ(mfi_route_add(root, "G T", "/", nothing, NULL), -EINVAL);
    EXPECT_EQ(mfi_route_add(root, NULL, "/", nothing, NULL), -EINVAL);
    EXPECT_EQ(mfi_route_add(root, "GET", NULL, nothing, NULL), -EINVAL);
    EXPECT_EQ(mfi_route_add(root, "GET", "/", NULL, NULL), -EINVAL);
    mfi_route_free(root);
}
