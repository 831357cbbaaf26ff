/* SPDX-License-Identifier: MIT */
/* app_test.c - options, middleware, who may add what when, draining. */
#include "http/ask.h"

#define NO(...) \
 EXPECT_EQ(mf_http_app_make(MF_HTTP_OPTIONS(__VA_ARGS__), &app), -EINVAL)

static int fine(mf_http_req *req, void *arg)
{
    (void)arg;
    return mf_http_reply(req, 200, NULL, "fine", 4, MF_NEVER);
}

static mf_http_app *app_of(const mf_http_options *opts)
{
    mf_http_app *app;

    EXPECT_EQ(mf_http_app_make(opts, &app), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/", fine, NULL), 0);
    return app;
}

MFI_TEST(options_that_make_no_sense_are_refused)
{
    mf_http_options none = {.size = 0}, later = {.size = sizeof later + 8};
    char name[300];
    mf_http_app *app = NULL;

    EXPECT_EQ(mf_http_app_make(NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_http_app_make(&none, &app), -EINVAL);
    EXPECT_EQ(mf_http_app_make(&later, &app), -EINVAL);
    NO(.max_fields = 1001);
    NO(.max_head = 63);
    NO(.max_head = (1 << 20) + 1);
    NO(.server = "a\r\nb");
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    NO(.server = name);
    EXPECT(app == NULL);
    mf_http_app_unref(NULL);
    mf_http_drain(NULL);
}

static int named(void *arg)
{
    char name[] = "mine";
    mf_http_app *app = app_of(MF_HTTP_OPTIONS(.server = name));
    const char *answer;

    (void)arg;
    memset(name, 'x', sizeof name - 1); /* it has its own */
    answer = ask(app, "GET /", "", NULL);
    EXPECT_EQ(times(answer, "Server: mine\r\n"), 1);
    mf_http_app_unref(app);
    app = app_of(NULL);
    EXPECT_EQ(times(ask(app, "GET /", "", NULL), "Server:"), 0);
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(a_server_is_named_if_it_has_a_name)
{
    in_tasks(1, named, NULL);
}

/* ---- middleware --------------------------------------------------------- */

static char order[16], first[] = "1", second[] = "2";

static int wraps(mf_http_req *req, void *arg)
{
    int rc;

    strcat(order, arg);
    rc = mf_http_next(req);
    strcat(order, arg);
    return rc;
}

static int forbids(mf_http_req *req, void *arg)
{
    (void)arg;
    return mf_http_reply(req, 403, NULL, NULL, 0, MF_NEVER);
}

static int wrapped(void *arg)
{
    mf_http_app *app = app_of(NULL);
    const char *answer;

    (void)arg;
    EXPECT_EQ(mf_http_use(NULL, wraps, NULL), -EINVAL);
    EXPECT_EQ(mf_http_use(app, NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_http_use(app, wraps, first), 0);
    EXPECT_EQ(mf_http_use(app, wraps, second), 0);
    EXPECT_STR_EQ(body_of(ask(app, "GET /", "", NULL)), "fine");
    EXPECT_STR_EQ(order, "2112");
    order[0] = '\0'; /* around what has no route, too */
    EXPECT_EQ(times(ask(app, "GET /x", "", NULL), "404 Not Found"), 1);
    EXPECT_STR_EQ(order, "2112");
    mf_http_app_unref(app);

    order[0] = '\0'; /* who answers is the end of it */
    app = app_of(NULL);
    EXPECT_EQ(mf_http_use(app, wraps, first), 0);
    EXPECT_EQ(mf_http_use(app, forbids, NULL), 0);
    answer = ask(app, "GET /", "", NULL);
    EXPECT_EQ(times(answer, "HTTP/1.1 403 Forbidden\r\n"), 1);
    EXPECT_STR_EQ(order, "");
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(the_last_wrapper_is_the_outermost)
{
    in_tasks(1, wrapped, NULL);
}

/* ---- adding ------------------------------------------------------------- */

static int adds_while_serving(mf_http_req *req, void *arg)
{
    EXPECT_EQ(mf_http_route(arg, "GET", "/new", fine, NULL), -EBUSY);
    EXPECT_EQ(mf_http_use(arg, fine, NULL), -EBUSY);
    return fine(req, NULL);
}

static int adds(void *arg)
{
    mf_http_app *app = app_of(NULL);

    (void)arg;
    EXPECT_EQ(mf_http_route(NULL, "GET", "/", fine, NULL), -EINVAL);
    EXPECT_EQ(mf_http_route(app, "GET", "/", fine, NULL), -EEXIST);
    EXPECT_EQ(mf_http_route(app, "GET", "/add", adds_while_serving, app), 0);
    EXPECT_STR_EQ(body_of(ask(app, "GET /add", "", NULL)), "fine");
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(what_serves_is_not_changed)
{
    in_tasks(1, adds, NULL);
}

/* ---- the log ------------------------------------------------------------ */

static int nr_logged, last_status;
static uint64_t last_sent;

static void logs(mf_http_req *req, void *arg)
{
    EXPECT(arg == &nr_logged);
    nr_logged++;
    last_status = mf_http_status(req);
    last_sent = mf_http_sent(req);
}

static int logged(void *arg)
{
    mf_http_app *app =
        app_of(MF_HTTP_OPTIONS(.log = logs, .log_arg = &nr_logged));

    (void)arg;
    (void)ask(app, "GET /", "", NULL);
    EXPECT_EQ(nr_logged, 1);
    EXPECT_EQ(last_status, 200);
    EXPECT_EQ(last_sent, 4);
    (void)ask(app, "HEAD /", "", NULL);
    EXPECT_EQ(nr_logged, 2);
    EXPECT_EQ(last_status, 200);
    EXPECT_EQ(last_sent, 0);
    (void)ask(app, "GET /none", "", NULL);
    EXPECT_EQ(nr_logged, 3);
    EXPECT_EQ(last_status, 404);
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(each_request_is_logged_with_its_answer)
{
    in_tasks(1, logged, NULL);
}

/* ---- draining ----------------------------------------------------------- */

static int drains(mf_http_req *req, void *arg)
{
    mf_http_drain(arg);
    return fine(req, NULL);
}

static int drained(void *arg)
{
    static const char two[] = "GET /drain HTTP/1.1\r\nHost: x\r\n\r\n"
                              "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    mf_http_app *app = app_of(NULL);
    const char *answer;

    (void)arg;
    EXPECT_EQ(mf_http_route(app, "GET", "/drain", drains, app), 0);
    answer = ask_bytes(app, two, sizeof two - 1, SIZE_MAX, NULL);
    EXPECT_EQ(times(answer, "HTTP/1.1 200 OK\r\n"), 1);
    EXPECT_EQ(times(answer, "Connection: close\r\n"), 1);
    EXPECT_STR_EQ(body_of(answer), "fine");
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(a_drain_ends_a_connection_after_its_request)
{
    in_tasks(1, drained, NULL);
}
