/* SPDX-License-Identifier: MIT */
/*
 * conn_test.c - what a server answers, byte for byte, over memory and TCP; in
 * pieces of every size; to what is wrong, slow, or too much.
 */
#include "io/kit.h"

#include <mayfly/http.h>

static int hello(mf_http_req *req, void *arg)
{
    (void)arg;
    return mf_http_reply(req, 200, "text/plain", "hello\n", 6, MF_NEVER);
}

static int name(mf_http_req *req, void *arg)
{
    const char *who = mf_http_param(req, "name");
    const char *mark = mf_http_query(req, "mark");
    char text[128];
    int n = snprintf(text, sizeof text, "hi %s%s", who != NULL ? who : "?",
                     mark != NULL ? mark : "");

    (void)arg;
    return mf_http_reply(req, 200, NULL, text, (size_t)n, MF_NEVER);
}

/* The body back, whole or as it comes. */
static int echo(mf_http_req *req, void *arg)
{
    const void *data;
    size_t len;
    int rc;

    (void)arg;
    if ((rc = mf_http_body(req, &data, &len, MF_NEVER)) < 0)
        return rc;
    return mf_http_reply(req, 200, NULL, data, len, MF_NEVER);
}

static int stream(mf_http_req *req, void *arg)
{
    char buf[7];
    size_t n;
    int rc;

    (void)arg;
    if ((rc = mf_http_begin(req, 200, NULL, -1, MF_NEVER)) < 0)
        return rc;
    do { /* whole sevens, however the body comes */
        for (n = 0; n < sizeof buf; n += (size_t)rc)
            if ((rc = mf_http_read(req, buf + n, sizeof buf - n, MF_NEVER)) <=
                0)
                break;
        if (rc < 0 || (rc = mf_http_write(req, buf, n, MF_NEVER)) < 0)
            return rc;
    } while (n == sizeof buf);
    return mf_http_trailer(req, "X-End", "yes");
}

static int fails(mf_http_req *req, void *arg)
{
    (void)req;
    (void)arg;
    return -EIO;
}

static int silent(mf_http_req *req, void *arg)
{
    (void)req;
    (void)arg;
    return 0;
}

static int panics(mf_http_req *req, void *arg)
{
    (void)req;
    (void)arg;
    mf_panic("on purpose");
}

static int sets(mf_http_req *req, void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_http_set(req, "X-A", "b"), 0);
    EXPECT_EQ(mf_http_set(req, "X-A", "b\r\nC: d"), -EINVAL);
    EXPECT_EQ(mf_http_set(req, "Bad Name", "b"), -EINVAL);
    EXPECT_EQ(mf_http_set(req, "content-length", "3"), -EINVAL);
    EXPECT_EQ(mf_http_reply(req, 199, NULL, NULL, 0, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_http_reply(req, 600, NULL, NULL, 0, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_http_reply(req, 204, NULL, NULL, 0, MF_NEVER), 0);
    EXPECT_EQ(mf_http_reply(req, 200, NULL, NULL, 0, MF_NEVER), -EBUSY);
    EXPECT_EQ(mf_http_set(req, "X-B", "b"), -EBUSY);
    return 0;
}

static int too_little(mf_http_req *req, void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_http_begin(req, 200, NULL, 5, MF_NEVER), 0);
    EXPECT_EQ(mf_http_write(req, "123456", 6, MF_NEVER), -EMSGSIZE);
    EXPECT_EQ(mf_http_write(req, "123", 3, MF_NEVER), 0);
    return 0;
}

static char big[100000];

static int large(mf_http_req *req, void *arg)
{
    (void)arg;
    return mf_http_reply(req, 200, NULL, big, sizeof big, MF_NEVER);
}

static int counted(mf_http_req *req, void *arg)
{
    int rc = mf_http_next(req);

    ++*(int *)arg;
    return rc;
}

static int in_front;

static mf_http_app *make_app(const mf_http_options *opts)
{
    mf_http_app *app;

    EXPECT_EQ(mf_http_app_make(opts, &app), 0);
    EXPECT_EQ(mf_http_use(app, counted, &in_front), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/", hello, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/hello/:name", name, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "POST", "/echo", echo, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "PUT", "/echo", echo, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "POST", "/stream", stream, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/fails", fails, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "POST", "/fails", fails, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/silent", silent, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/panics", panics, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/sets", sets, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/little", too_little, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/large", large, NULL), 0);
    return app;
}

/* ---- one conversation --------------------------------------------------- */

struct talk {
    mf_http_app *app;
    mf_stream *ends[2];
    int rc;
};

static int server(void *arg)
{
    struct talk *t = arg;

    t->rc = -ENOTRECOVERABLE;
    t->rc = mf_http_serve(t->app, t->ends[1]);
    return 0;
}

/* What came back, its dates made "D". */
static char got[1 << 21];
static size_t got_len;

static void hide_dates(void)
{
    char *at = got;

    while ((at = memmem(at, got_len - (size_t)(at - got), "\r\nDate: ", 8)) !=
           NULL) {
        EXPECT_EQ(at[37], '\r');
        memmove(at + 9, at + 37, got_len - (size_t)(at + 37 - got));
        at[8] = 'D';
        got_len -= 28;
        at += 9;
    }
    got[got_len] = '\0';
}

static int read_all(void *arg)
{
    struct talk *t = arg;
    int n;

    got_len = 0;
    while ((n = mf_stream_read(t->ends[0], got + got_len,
                               sizeof got - 1 - got_len, late())) > 0)
        got_len += (size_t)n;
    EXPECT_EQ(n, 0);
    hide_dates();
    return 0;
}

static void tcp_ends(mf_stream *ends[2])
{
    int s[2];

    bare_pair(SOCK_STREAM, s);
    EXPECT_EQ(mf_stream_fd(s[0], &ends[0]), 0);
    EXPECT_EQ(mf_stream_fd(s[1], &ends[1]), 0);
}

/* text in pieces; the answers are in got. over: 0 memory, 1 a socket. */
static int say(mf_http_app *app, const char *text, size_t len, size_t piece,
               int over)
{
    struct talk t = {.app = app};
    int rc = 0;
    MF_SCOPE(s, .mode = MF_WAIT_ALL);

    if (over == 0)
        EXPECT_EQ(mf_stream_pair(4096, t.ends), 0);
    else
        tcp_ends(t.ends);
    EXPECT_EQ(mf_go(&s, server, &t), 0);
    EXPECT_EQ(mf_go(&s, read_all, &t), 0);
    for (size_t i = 0; i < len && rc == 0; i += piece)
        rc = mf_stream_write_all(t.ends[0], text + i,
                                 piece < len - i ? piece : len - i, late());
    /* who was refused may have been told before all was out */
    (void)!mf_stream_shutdown(t.ends[0], late());
    (void)mf_scope_close(&s);
    mf_stream_close(t.ends[0], MF_NOW);
    return t.rc;
}

#define OK(len) "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: " #len "\r\n\r\n"
#define OKT(len)                                              \
 "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/plain\r\n" \
 "Content-Length: " #len "\r\n\r\n"
#define BAD(status, len, reason)                 \
 "HTTP/1.1 " status " " reason "\r\nDate: D\r\n" \
 "Content-Type: text/plain; charset=utf-8\r\nContent-Length: " #len "\r\n"
#define END "Connection: close\r\n\r\n"
#define H   " HTTP/1.1\r\nHost: a\r\n"

struct exchange {
    const char *said, *answer;
};

static const struct exchange exchanges[] = {
    {"", ""},
    {"GET /" H "\r\n", OKT(6) "hello\n"},
    {"HEAD /" H "\r\n", OKT(6)},
    {"GET /" H "Connection: close\r\n\r\nGET /" H "\r\n",
     "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/plain\r\n"
     "Content-Length: 6\r\n" END "hello\n"},
    {"GET / HTTP/1.0\r\n\r\n",
     "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/plain\r\n"
     "Content-Length: 6\r\n" END "hello\n"},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /" H "\r\n",
     "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/plain\r\n"
     "Content-Length: 6\r\nConnection: keep-alive\r\n\r\nhello\n" OKT(
         6) "hello\n"},
    {"GET /hello/you" H "\r\nGET /hello/a%20b?mark=%21" H "\r\n",
     OK(6) "hi you" OK(7) "hi a b!"},
    {"GET /hello/%00" H "\r\n", OK(4) "hi ?"},
    {"GET /hell%6f/x" H "\r\n", OK(4) "hi x"},
    {"GET /none" H "\r\nGET /" H "\r\n",
     BAD("404", 10, "Not Found") "\r\nNot Found\n" OKT(6) "hello\n"},
    {"GET /echo" H "\r\n",
     BAD("405", 19, "Method Not Allowed") "Allow: PUT, POST\r\n\r\n"
                                          "Method Not Allowed\n"},
    {"OPTIONS *" H "\r\n", "HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n"},
    {"OPTIONS /" H "\r\n",
     "HTTP/1.1 204 No Content\r\nDate: D\r\nAllow: GET, HEAD\r\n\r\n"},
    {"POST /echo" H "Content-Length: 5\r\n\r\nabcdePOST /echo" H
     "Content-Length: 0\r\n\r\n",
     OK(5) "abcde" OK(0)},
    {"POST /echo" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde"
     "\r\n0\r\nA: b\r\n\r\nGET /" H "\r\n",
     OK(5) "abcde" OKT(6) "hello\n"},
    {"POST /stream" H "Content-Length: 9\r\n\r\n123456789GET /" H "\r\n",
     "HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n"
     "7\r\n1234567\r\n2\r\n89\r\n0\r\nX-End: yes\r\n\r\n" OKT(6) "hello\n"},
    {"POST /echo" H "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
     OK(2) "ab"}, /* it did not wait */
    {"POST /none" H "Content-Length: 5\r\n\r\nabcdeGET /" H "\r\n",
     BAD("404", 10, "Not Found") "\r\nNot Found\n" OKT(6) "hello\n"},
    {"GET /fails" H "\r\nGET /" H "\r\n",
     BAD("500", 22, "Internal Server Error") "\r\nInternal Server Error\n" OKT(
         6) "hello\n"},
    {"GET /silent" H "\r\n",
     BAD("500", 22, "Internal Server Error") "\r\nInternal Server Error\n"},
    {"GET /sets" H "\r\n",
     "HTTP/1.1 204 No Content\r\nDate: D\r\nX-A: b\r\n\r\n"},
    /* refused */
    {"GET /\r\n\r\n", BAD("400", 12, "Bad Request") END "Bad Request\n"},
    {"GET /" H "\r\nG?T /" H "\r\nGET /" H "\r\n",
     OKT(6) "hello\n" BAD("400", 12, "Bad Request") END "Bad Request\n"},
    {"GET / HTTP/2.0\r\n\r\n", BAD("505", 27, "HTTP Version Not Supported") END
     "HTTP Version Not Supported\n"},
    {"POST /echo" H "Transfer-Encoding: gzip, chunked\r\n\r\n",
     BAD("501", 16, "Not Implemented") END "Not Implemented\n"},
    {"GET /" H "Expect: tea\r\n\r\n",
     BAD("417", 19, "Expectation Failed") END "Expectation Failed\n"},
    {"POST /echo" H "Transfer-Encoding: chunked\r\n\r\nx\r\n",
     BAD("400", 12, "Bad Request") END "Bad Request\n"},
    {"POST /echo" H "Content-Length: 2000001\r\n\r\n",
     BAD("413", 18, "Content Too Large") END "Content Too Large\n"},
    {"POST /echo" H "Content-Length: 5\r\n\r\nab",
     BAD("400", 12, "Bad Request") END "Bad Request\n"},
    {"GET / HTTP/1.1\r\nHo", ""}, /* cut off: there is nobody to be told */
};

static void converse(mf_http_app *app, const struct exchange *e, size_t piece,
                     int over)
{
    (void)say(app, e->said, strlen(e->said), piece, over);
    if (strcmp(got, e->answer) != 0)
        mfi_test_fail(
            __FILE__, __LINE__,
            "in pieces of %zu, over %d:\n%s\n--- not:\n%s\n--- but:\n%s", piece,
            over, e->said, e->answer, got);
}

static int all_exchanges(void *arg)
{
    mf_http_app *app = make_app(NULL);

    (void)arg;
    for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0]; i++) {
        const struct exchange *e = &exchanges[i];
        size_t len = strlen(e->said);

        for (int over = 0; over < 2; over++)
            converse(app, e, len + 1, over);
        if (strstr(e->said, "100-continue") != NULL)
            continue; /* in pieces it may be told to go on */
        for (size_t piece = 1; piece < len && piece < 24;
             piece += 1 + piece / 4)
            converse(app, e, piece, 0);
    }
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(each_conversation_is_answered_to_the_byte)
{
    in_tasks(2, all_exchanges, NULL);
}

static int waits_for_continue(void *arg)
{
    static const char said[] = "POST /echo" H "Expect: 100-continue\r\n"
                               "Content-Length: 2\r\n\r\n";
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    mf_http_app *app = make_app(NULL);
    struct talk t = {.app = app};
    char buf[256];
    MF_SCOPE(s, .mode = MF_WAIT_ALL);

    (void)arg;
    EXPECT_EQ(mf_stream_pair(4096, t.ends), 0);
    EXPECT_EQ(mf_go(&s, server, &t), 0);
    EXPECT_EQ(mf_stream_write_all(t.ends[0], said, sizeof said - 1, late()), 0);
    EXPECT_EQ(mf_stream_read(t.ends[0], buf, sizeof buf, late()),
              sizeof go_on - 1);
    EXPECT_EQ(memcmp(buf, go_on, sizeof go_on - 1), 0);
    EXPECT_EQ(mf_stream_write_all(t.ends[0], "ok", 2, late()), 0);
    EXPECT_GT(mf_stream_read(t.ends[0], buf, sizeof buf, late()), 20);
    mf_stream_close(t.ends[0], MF_NOW);
    EXPECT_EQ(mf_scope_close(&s), 0);
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(who_waits_to_go_on_is_told)
{
    in_tasks(2, waits_for_continue, NULL);
}

/* ---- what goes wrong ---------------------------------------------------- */

static int panic_is_a_500(void *arg)
{
    mf_http_app *app = make_app(NULL);
    static const char said[] =
        "GET /" H "\r\nGET /panics" H "\r\nGET /" H "\r\n";

    (void)arg;
    EXPECT_EQ(say(app, said, sizeof said - 1, 1000, 1), -ENOTRECOVERABLE);
    EXPECT_STR_EQ(got, OKT(6) "hello\n" BAD("500", 22, "Internal Server Error")
                           END "Internal Server Error\n");
    (void)say(app, "GET /" H "\r\n", strlen("GET /" H "\r\n"), 1000, 1);
    EXPECT_STR_EQ(got, OKT(6) "hello\n");
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(a_panic_is_a_500_on_that_connection_only)
{
    in_tasks(2, panic_is_a_500, NULL);
}

static int cut_short(void *arg)
{
    mf_http_app *app = make_app(NULL);
    struct talk t = {.app = app};
    char buf[512];
    int n, total = 0;
    MF_SCOPE(s, .mode = MF_WAIT_ALL);

    (void)arg;
    EXPECT_EQ(mf_stream_pair(4096, t.ends), 0);
    EXPECT_EQ(mf_go(&s, server, &t), 0);
    EXPECT_EQ(mf_stream_write_all(t.ends[0], "GET /little" H "\r\n",
                                  strlen("GET /little" H "\r\n"), late()),
              0);
    while ((n = mf_stream_read(t.ends[0], buf + total,
                               sizeof buf - (size_t)total, late())) > 0)
        total += n;
    EXPECT(n < 0 || memmem(buf, (size_t)total, "12345", 5) == NULL);
    mf_stream_close(t.ends[0], MF_NOW);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_LT(t.rc, 0);
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(an_answer_cut_short_never_looks_whole)
{
    in_tasks(2, cut_short, NULL);
}

struct slow {
    const char *said, *answer;
    int rc;
};

static const struct slow slow[] = {
    {"", "", 0},
    {"GET /" H, BAD("408", 16, "Request Timeout") END "Request Timeout\n",
     -ETIMEDOUT},
    {"POST /echo" H "Content-Length: 5\r\n\r\nab",
     BAD("408", 16, "Request Timeout") END "Request Timeout\n", 0},
    {"GET /" H "\r\n", OKT(6) "hello\n", 0},
};

static int slow_ones(void *arg)
{
    mf_http_app *app = make_app(MF_HTTP_OPTIONS(.head_timeout = MF_MSEC(30),
                                                .body_timeout = MF_MSEC(30),
                                                .idle_timeout = MF_MSEC(30)));

    (void)arg;
    for (size_t i = 0; i < sizeof slow / sizeof slow[0]; i++) {
        struct talk t = {.app = app};
        MF_SCOPE(s, .mode = MF_WAIT_ALL);

        tcp_ends(t.ends);
        EXPECT_EQ(mf_go(&s, server, &t), 0);
        EXPECT_EQ(mf_stream_write_all(t.ends[0], slow[i].said,
                                      strlen(slow[i].said), late()),
                  0);
        EXPECT_EQ(read_all(&t), 0); /* we do not end; it does */
        mf_stream_close(t.ends[0], MF_NOW);
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_STR_EQ(got, slow[i].answer);
        EXPECT_EQ(t.rc, slow[i].rc);
    }
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(who_is_too_slow_is_told_and_left)
{
    in_tasks(2, slow_ones, NULL);
}

static int limits(void *arg)
{
    static char text[70000];
    mf_http_app *app =
        make_app(MF_HTTP_OPTIONS(.max_head = 1000, .max_target = 100,
                                 .max_fields = 4, .max_body = 10));
    size_t n;

    (void)arg;
    n = (size_t)snprintf(text, sizeof text, "GET /%0200d" H "\r\n", 1);
    (void)say(app, text, n, n, 1);
    EXPECT_STR_EQ(got, BAD("414", 13, "URI Too Long") END "URI Too Long\n");
    n = (size_t)snprintf(text, sizeof text, "GET /%0300d", 1); /* and no end */
    (void)say(app, text, n, n, 1);
    EXPECT_STR_EQ(got, BAD("414", 13, "URI Too Long") END "URI Too Long\n");
    n = (size_t)snprintf(text, sizeof text, "GET /" H "A: %02000d", 1);
    (void)say(app, text, n, n, 1);
    EXPECT_STR_EQ(got, BAD("431", 32, "Request Header Fields Too Large") END
                  "Request Header Fields Too Large\n");
    n = (size_t)snprintf(text, sizeof text,
                         "GET /" H "A:1\r\nB:1\r\nC:1\r\nD:1\r\n\r\n");
    (void)say(app, text, n, n, 1);
    EXPECT_STR_EQ(got, BAD("431", 32, "Request Header Fields Too Large") END
                  "Request Header Fields Too Large\n");
    n = (size_t)snprintf(text, sizeof text,
                         "POST /echo" H
                         "Content-Length: 11\r\n\r\n12345678901");
    (void)say(app, text, n, n, 1);
    EXPECT_STR_EQ(got,
                  BAD("413", 18, "Content Too Large") "\r\n"
                                                      "Content Too Large\n");
    n = (size_t)snprintf(text, sizeof text,
                         "POST /echo" H "Transfer-Encoding: chunked\r\n\r\n"
                         "b\r\n12345678901\r\n0\r\n\r\n");
    (void)say(app, text, n, n, 1);
    EXPECT_STR_EQ(got, BAD("413", 18, "Content Too Large") END
                  "Content Too Large\n");
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(limits_have_their_answers)
{
    in_tasks(2, limits, NULL);
}

/* ---- many --------------------------------------------------------------- */

static int pipeline(void *arg)
{
    enum { N = 10000 / KIT_SLOW };
    static const char one[] = "GET /" H "\r\n";
    static const char answer[] = OKT(6) "hello\n";
    mf_http_app *app = make_app(NULL);
    char *text = malloc(N * sizeof one);
    size_t len = 0;
    uint32_t seed = 7;

    (void)arg;
    EXPECT(text != NULL);
    for (int i = 0; i < N; i++, len += sizeof one - 1)
        memcpy(text + len, one, sizeof one - 1);
    for (int over = 0; over < 2; over++) {
        size_t piece = 1 + (seed = seed * 1103515245 + 12345) % 3000;

        in_front = 0;
        EXPECT_EQ(say(app, text, len, piece, over), 0);
        EXPECT_EQ(in_front, N);
        EXPECT_EQ(got_len, N * (sizeof answer - 1));
        for (int i = 0; i < N; i++)
            EXPECT_EQ(memcmp(got + (size_t)i * (sizeof answer - 1), answer,
                             sizeof answer - 1),
                      0);
    }
    free(text);
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(a_long_pipeline_is_answered_in_order)
{
    in_tasks(2, pipeline, NULL);
}

static int large_answers(void *arg)
{
    static const char said[] =
        "GET /large" H "\r\nGET /large" H "\r\nHEAD /large" H "\r\n";
    mf_http_app *app = make_app(NULL);

    (void)arg;
    memset(big, 'x', sizeof big);
    EXPECT_EQ(say(app, said, sizeof said - 1, 1000, 0), 0);
    EXPECT_EQ(got_len, 3 * strlen(OK(100000)) + 2 * sizeof big);
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(large_answers_go_out_from_where_they_are)
{
    in_tasks(2, large_answers, NULL);
}
