/* SPDX-License-Identifier: MIT */
/* ending_test.c - answers without an end, panics, refusals: what is read. */
#include <mayfly/http.h>
#include <mayfly/stream.h>

#include "io/kit.h"

static mf_http_app *app;

static int boom(mf_http_req *req, void *arg)
{
    (void)req;
    (void)arg;
    mf_panic("boom");
}

static int fine(mf_http_req *req, void *arg)
{
    (void)arg;
    return mf_http_reply(req, 200, NULL, "hi\n", 3, MF_NEVER);
}

static int cut(mf_http_req *req, void *arg)
{
    int rc = mf_http_begin(req, 200, NULL, -1, MF_NEVER);

    (void)arg;
    if (rc == 0)
        rc = mf_http_write(req, "part", 4, MF_NEVER);
    return rc < 0 ? rc : -EIO;
}

static int twice(mf_http_req *req, void *arg)
{
    const void *a, *b;
    size_t a_len, b_len;

    (void)arg;
    EXPECT_EQ(mf_http_body(req, &a, &a_len, late()), 0);
    EXPECT_EQ(mf_http_body(req, &b, &b_len, late()), 0);
    EXPECT(a == b);
    EXPECT_EQ(a_len, b_len);
    return mf_http_reply(req, 200, NULL, b, b_len, MF_NEVER);
}

static int serve_one(void *arg)
{
    (void)mf_http_serve(app, arg);
    return 0;
}

/* What comes back, up to its end; how that was is returned. */
static int talk(const char *request, int tcp, char *buf, size_t cap)
{
    mf_stream *ends[2];
    size_t len = 0;
    struct pair p;
    mf_scope s;
    int n;

    if (tcp) {
        p = tcp_pair("127.0.0.1:0");
        EXPECT_EQ(mf_stream_fd(p.w, &ends[0]), 0);
        EXPECT_EQ(mf_stream_fd(p.r, &ends[1]), 0);
    } else {
        EXPECT_EQ(mf_stream_pair(8192, ends), 0);
    }
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    EXPECT_EQ(mf_go(&s, serve_one, ends[1]), 0);
    EXPECT_EQ(mf_stream_write_all(ends[0], request, strlen(request), late()),
              0);
    while ((n = mf_stream_read(ends[0], buf + len, cap - 1 - len, late())) > 0)
        len += (size_t)n;
    buf[len] = '\0';
    mf_stream_close(ends[0], MF_NOW);
    (void)mf_scope_close(&s); /* a panic is its result */
    return n;
}

#define HOST " HTTP/1.1\r\nHost: x\r\n"

static int endings(void *arg)
{
    char buf[4096];

    (void)arg;
    for (int tcp = 0; tcp < 2; tcp++) {
        /* It ends with the connection: only a reset tells. */
        EXPECT_EQ(talk("GET /cut HTTP/1.0\r\n\r\n", tcp, buf, sizeof buf),
                  -ECONNRESET);
        /* What was gathered before it is not lost. */
        EXPECT_EQ(talk("GET /fine" HOST "\r\nGET /cut" HOST "\r\n", tcp, buf,
                       sizeof buf),
                  0);
        EXPECT_STR_HAS(buf, "\r\n\r\nhi\n");
        EXPECT_STR_HAS(buf, "\r\n4\r\npart\r\n");
        EXPECT(strstr(buf, "0\r\n\r\n") == NULL);
        /* The refusal has its body, though a HEAD came before. */
        EXPECT_EQ(
            talk("HEAD /fine" HOST "\r\nBAD\r\n\r\n", tcp, buf, sizeof buf), 0);
        EXPECT_STR_HAS(buf, "\r\n\r\nBad Request\n");
        /* A panic says that it was the last, and what follows is not read. */
        EXPECT_EQ(talk("GET /boom" HOST "\r\nGET /fine" HOST "\r\n", tcp, buf,
                       sizeof buf),
                  0);
        EXPECT_STR_HAS(buf, "HTTP/1.1 500 ");
        EXPECT_STR_HAS(buf, "Connection: close\r\n");
        EXPECT(strstr(buf, " 200 ") == NULL);
    }
    return 0;
}

static int bodies(void *arg)
{
    char buf[4096];

    (void)arg;
    for (int tcp = 0; tcp < 2; tcp++) {
        EXPECT_EQ(talk("POST /twice" HOST "Connection: close\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n"
                       "3\r\nabc\r\n0\r\n\r\n",
                       tcp, buf, sizeof buf),
                  0);
        EXPECT_STR_HAS(buf, "\r\n\r\nabc");
        EXPECT_EQ(talk("POST /twice" HOST "Connection: close\r\n"
                       "Content-Length: 3\r\n\r\nxyz",
                       tcp, buf, sizeof buf),
                  0);
        EXPECT_STR_HAS(buf, "\r\n\r\nxyz");
    }
    return 0;
}

static void with_app(mf_fn *fn)
{
    EXPECT_EQ(
        mf_http_app_make(MF_HTTP_OPTIONS(.idle_timeout = MF_MSEC(200)), &app),
        0);
    EXPECT_EQ(mf_http_route(app, "GET", "/fine", fine, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/boom", boom, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/cut", cut, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "POST", "/twice", twice, NULL), 0);
    in_tasks(2, fn, NULL);
    mf_http_app_unref(app);
}

MFI_TEST(answers_end_as_they_say)
{
    with_app(endings);
}

MFI_TEST(a_body_is_given_again)
{
    with_app(bodies);
}
