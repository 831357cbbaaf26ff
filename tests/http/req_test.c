/* SPDX-License-Identifier: MIT */
/* req_test.c - what a handler can ask of a request. */
#include "http/ask.h"

#include <mayfly/http_text.h>

static int parts(mf_http_req *req, void *arg)
{
    mf_text path = mf_http_path(req), method = mf_http_method(req);
    const mf_http_head *head = mf_http_head_of(req);

    (void)arg;
    EXPECT(mf_text_is(method, "PURGE"));
    EXPECT(mf_text_is(path, "/a%20b"));
    EXPECT(mf_text_is(head->query, "c=d"));
    EXPECT(mf_text_is(mf_http_header(req, "X-ONE"), "1"));
    EXPECT(mf_text_is(mf_http_header(req, "x-one"), "1"));
    EXPECT(mf_text_is(mf_http_header(req, "X-Empty"), ""));
    EXPECT(mf_http_header(req, "X-Empty").at != NULL);
    EXPECT(mf_http_header(req, "X-None").at == NULL);
    EXPECT(mf_http_stream(req) != NULL);
    EXPECT_EQ(mf_http_status(req), 0);
    EXPECT_EQ(mf_http_sent(req), 0);
    EXPECT_EQ(mf_http_reply(req, 202, NULL, "four", 4, MF_NEVER), 0);
    EXPECT_EQ(mf_http_status(req), 202);
    EXPECT_EQ(mf_http_sent(req), 4);
    return 0;
}

static int asks_for_parts(void *arg)
{
    mf_http_app *app;
    const char *answer;

    (void)arg;
    EXPECT_EQ(mf_http_app_make(NULL, &app), 0);
    EXPECT_EQ(mf_http_route(app, "*", "/*rest", parts, NULL), 0);
    answer = ask(app, "PURGE /a%20b?c=d", "x-One:  1 \r\nX-Empty:\r\n", NULL);
    EXPECT_EQ(times(answer, "HTTP/1.1 202 Accepted\r\n"), 1);
    EXPECT_STR_EQ(body_of(answer), "four");
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(a_request_has_its_parts)
{
    in_tasks(1, asks_for_parts, NULL);
}

/* ---- parameters --------------------------------------------------------- */

static const char *or_none(const char *s)
{
    return s != NULL ? s : "(none)";
}

static int params(mf_http_req *req, void *arg)
{
    const char *a = mf_http_param(req, "a");
    char text[4096];
    int n;

    (void)arg;
    EXPECT(mf_http_param(req, "A") == NULL);
    EXPECT(mf_http_param(req, NULL) == NULL);
    EXPECT(a == mf_http_param(req, "a")); /* made once */
    n = snprintf(text, sizeof text, "%s|%s", or_none(a),
                 or_none(mf_http_param(req, "rest")));
    return mf_http_reply(req, 200, NULL, text, (size_t)n, MF_NEVER);
}

static const struct {
    const char *what, *body;
} params_of[] = {
    {"GET /p/x/", "x|"},
    {"GET /p/x/y/z", "x|y/z"},
    {"GET /p/%41%2f%42/c%20d", "A/B|c d"},
    {"GET /p/a+b/", "a+b|"}, /* a plus is one in a path */
    {"GET /p/%00/x", "(none)|x"},
};

static int asks_for_params(void *arg)
{
    mf_http_app *app;

    (void)arg;
    EXPECT_EQ(mf_http_app_make(NULL, &app), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/p/:a/*rest", params, NULL), 0);
    for (size_t i = 0; i < sizeof params_of / sizeof params_of[0]; i++)
        EXPECT_STR_EQ(body_of(ask(app, params_of[i].what, "", NULL)),
                      params_of[i].body);
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(parameters_come_with_their_escapes_undone)
{
    in_tasks(1, asks_for_params, NULL);
}

static int query(mf_http_req *req, void *arg)
{
    const char *value = or_none(mf_http_query(req, arg));

    EXPECT(mf_http_query(req, NULL) == NULL);
    return mf_http_reply(req, 200, NULL, value, strlen(value), MF_NEVER);
}

static const struct {
    const char *name, *target, *value;
} queries[] = {
    {"q", "/", "(none)"},
    {"q", "/?", "(none)"},
    {"q", "/?q", ""},
    {"q", "/?q=", ""},
    {"q", "/?p=1&q=2&q=3", "2"},
    {"q", "/?qq=1&q=2", "2"},
    {"q", "/?q=a+b%2Bc%26d", "a b+c&d"},
    {"q", "/?%71=x", "x"},
    {"a b", "/?a+b=x", "x"},
    {"q", "/?q=%zz", "(none)"},
    {"q", "/?q=%00", "(none)"},
    {"q", "/?q=%", "(none)"},
    {"q", "/?%zz=1&q=2", "2"},
};

static int asks_for_queries(void *arg)
{
    char what[2200] = "GET /?q=", value[2001];

    (void)arg;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        mf_http_app *app;

        EXPECT_EQ(mf_http_app_make(NULL, &app), 0);
        EXPECT_EQ(mf_http_route(app, "GET", "/", query,
                                (void *)(uintptr_t)queries[i].name),
                  0);
        snprintf(what, sizeof what, "GET %s", queries[i].target);
        EXPECT_STR_EQ(body_of(ask(app, what, "", NULL)), queries[i].value);
        /* One too long for what lies in the connection. */
        memset(value, 'v', sizeof value - 1);
        value[sizeof value - 1] = '\0';
        snprintf(what, sizeof what, "GET /?%s=%s",
                 strcmp(queries[i].name, "q") == 0 ? "q" : "a%20b", value);
        EXPECT_STR_EQ(body_of(ask(app, what, "", NULL)), value);
        mf_http_app_unref(app);
    }
    return 0;
}

MFI_TEST(queries_are_found_by_their_plain_name)
{
    in_tasks(1, asks_for_queries, NULL);
}
