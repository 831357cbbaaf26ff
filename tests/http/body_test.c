/* SPDX-License-Identifier: MIT */
/*
 * body_test.c - bodies in the window, by length and in chunks, in pieces of any
 * size: read, left alone, too long, wrong, cut short.
 */
#include "http/ask.h"

enum { MOST = 20000, LONGEST = 100000 };

static char text[LONGEST];

struct said {
    char bytes[3 * LONGEST];
    size_t len;
};

static void say(struct said *s, const char *what, size_t len)
{
    EXPECT(len <= sizeof s->bytes - s->len);
    memcpy(s->bytes + s->len, what, len);
    s->len += len;
}

/* A request with the first `len` bytes of text, in chunks if asked for. */
static void say_post(struct said *s, const char *path, size_t len, size_t chunk)
{
    char head[200];
    int n =
        snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: x\r\n", path);

    n += chunk == 0 ? snprintf(head + n, sizeof head - (size_t)n,
                               "Content-Length: %zu\r\n\r\n", len)
                    : snprintf(head + n, sizeof head - (size_t)n,
                               "Transfer-Encoding: chunked\r\n\r\n");
    say(s, head, (size_t)n);
    if (chunk == 0) {
        say(s, text, len);
        return;
    }
    for (size_t at = 0, now; at < len; at += now) {
        now = len - at < chunk ? len - at : chunk;
        n = snprintf(head, sizeof head, "%zx;ext=1\r\n", now);
        say(s, head, (size_t)n);
        say(s, text + at, now);
        say(s, "\r\n", 2);
    }
    say(s, "0\r\nX-Trailer: t\r\n\r\n", strlen("0\r\nX-Trailer: t\r\n\r\n"));
}

/* ---- handlers ----------------------------------------------------------- */

static size_t piece_of; /* a handler reads so many at a time */

static const char *name_of(int rc)
{
    return rc == 0           ? "end"
           : rc == -EPIPE    ? "EPIPE"
           : rc == -EPROTO   ? "EPROTO"
           : rc == -EMSGSIZE ? "EMSGSIZE"
                             : "another error";
}

/* Reads to the end or an error, and says which, and if it was the text. */
static int reads(mf_http_req *req, void *arg)
{
    char buf[5000], line[100];
    size_t len = 0;
    bool same = true;
    int n;

    (void)arg;
    while ((n = mf_http_read(req, buf, piece_of, late())) > 0) {
        same = same && memcmp(buf, text + len, (size_t)n) == 0;
        len += (size_t)n;
    }
    EXPECT_EQ(mf_http_read(req, buf, sizeof buf, late()), n); /* it stays so */
    n = snprintf(line, sizeof line, "%zu %s %s\n", len, same ? "same" : "other",
                 name_of(n));
    return mf_http_reply(req, 200, NULL, line, (size_t)n, MF_NEVER);
}

static int has_trailer(mf_http_req *req, void *arg)
{
    const void *data;
    size_t len;
    int rc = mf_http_body(req, &data, &len, late());
    mf_text t = mf_http_trailer_of(req, "x-trailer");

    (void)arg;
    return rc < 0 ? rc : mf_http_reply(req, 200, NULL, t.at, t.len, MF_NEVER);
}

/* A little of it, and then all that is left. */
static int reads_rest(mf_http_req *req, void *arg)
{
    const void *data;
    char buf[3];
    size_t len;
    int n = mf_http_read(req, buf, sizeof buf, late());
    int rc = n < 0 ? n : mf_http_body(req, &data, &len, late());

    (void)arg;
    if (rc < 0)
        return rc;
    EXPECT_EQ(memcmp(data, text + n, len), 0);
    return mf_http_reply(req, 200, NULL, data, len, MF_NEVER);
}

static int leaves(mf_http_req *req, void *arg)
{
    (void)arg;
    return mf_http_reply(req, 200, NULL, "left\n", 5, MF_NEVER);
}

static mf_http_app *make_app(void)
{
    mf_http_app *app;

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(' ' + i * i % 89);
    EXPECT_EQ(mf_http_app_make(MF_HTTP_OPTIONS(.max_body = MOST), &app), 0);
    EXPECT_EQ(mf_http_route(app, "POST", "/read", reads, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "POST", "/trailer", has_trailer, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "POST", "/rest", reads_rest, NULL), 0);
    EXPECT_EQ(mf_http_route(app, "POST", "/leave", leaves, NULL), 0);
    return app;
}

static struct said said;

static const char *answer_to(mf_http_app *app, size_t piece)
{
    return ask_bytes(app, said.bytes, said.len, piece, NULL);
}

/* ---- read --------------------------------------------------------------- */

/* Two requests, of which the first ends where it says: the second is seen. */
static int all_lengths(void *arg)
{
    static const size_t lengths[] = {0,    1,    2,     100, 4095,
                                     4096, 4097, 16384, MOST};
    static const size_t chunks[] = {0, 1, 7, 4096, LONGEST};
    static const size_t pieces[] = {SIZE_MAX, 4096, 997, 61};
    mf_http_app *app = make_app();
    char right[100];

    (void)arg;
    for (size_t i = 0; i < 9 * 5 * 4; i++) {
        size_t len = lengths[i % 9], chunk = chunks[i / 9 % 5];
        size_t piece = pieces[i / 45];

        if (chunk == 1 && len > 4096)
            continue;
        piece_of = 1 + i * 37 % 4999;
        said.len = 0;
        say_post(&said, "/read", len, chunk);
        say_post(&said, "/leave", 0, 0);
        snprintf(right, sizeof right, "%zu same end\n", len);
        EXPECT_STR_HAS(answer_to(app, piece), right);
        EXPECT_EQ(times(answer_to(app, piece), "\r\n\r\nleft\n"), 1);
    }
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(bodies_of_any_length_come_whole)
{
    in_tasks(1, all_lengths, NULL);
}

static int rest_and_trailers(void *arg)
{
    mf_http_app *app = make_app();

    (void)arg;
    for (size_t i = 0; i < 12; i++) {
        size_t len = i % 2 != 0 ? 10000 : 20, chunk = i % 3 * 50;

        said.len = 0;
        say_post(&said, "/rest", len, chunk);
        EXPECT_EQ(strncmp(body_of(answer_to(app, i < 6 ? SIZE_MAX : 100)),
                          text + 3, len - 3),
                  0);
        said.len = 0;
        say_post(&said, "/trailer", len, chunk);
        EXPECT_STR_EQ(body_of(answer_to(app, i < 6 ? SIZE_MAX : 100)),
                      chunk == 0 ? "" : "t");
    }
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(the_rest_and_the_trailers_are_there)
{
    in_tasks(1, rest_and_trailers, NULL);
}

/* ---- left alone --------------------------------------------------------- */

static int left_alone(void *arg)
{
    mf_http_app *app = make_app();
    const char *answer;

    (void)arg;
    for (size_t i = 0; i < 4; i++) { /* short: the connection goes on */
        said.len = 0;
        say_post(&said, "/leave", 9000, i % 2 * 1000);
        say_post(&said, "/leave", 3, 0);
        answer = answer_to(app, i < 2 ? SIZE_MAX : 500);
        EXPECT_EQ(times(answer, "left\n"), 2);
        EXPECT_EQ(times(answer, "Connection: close"), 0);
    }
    said.len = 0; /* long: it ends, and says so */
    say_post(&said, "/leave", LONGEST, 0);
    say_post(&said, "/leave", 3, 0);
    answer = answer_to(app, SIZE_MAX);
    EXPECT_EQ(times(answer, "left\n"), 1);
    EXPECT_EQ(times(answer, "Connection: close\r\n"), 1);
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(what_is_left_unread_is_passed_over_or_the_end)
{
    in_tasks(1, left_alone, NULL);
}

/* ---- wrong -------------------------------------------------------------- */

static int limited(void *arg)
{
    static const char all[] = "20000 same end\n", more[] = "same EMSGSIZE\n";
    mf_http_app *app = make_app();

    (void)arg;
    piece_of = 1000;
    for (size_t i = 0; i < 4; i++) {
        size_t chunk = i % 2 * 1000, piece = i < 2 ? SIZE_MAX : 700;

        said.len = 0;
        say_post(&said, "/read", MOST, chunk);
        EXPECT_STR_HAS(answer_to(app, piece), all);
        said.len = 0;
        say_post(&said, "/read", MOST + 1, chunk);
        EXPECT_STR_HAS(answer_to(app, piece), more);
        said.len = 0;
        say_post(&said, "/trailer", MOST + 1, chunk); /* asks for all of it */
        EXPECT_STR_HAS(answer_to(app, piece), "413 Content Too Large");
    }
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(a_body_has_a_limit)
{
    in_tasks(1, limited, NULL);
}

#define POST    "POST /read HTTP/1.1\r\nHost: x\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

/* Each is the client's last: whatever comes of it, nothing follows. */
static const struct {
    const char *said, *body;
} wrong[] = {
    {POST "Content-Length: 5\r\n\r\n", "0 same EPIPE\n"},
    {POST "Content-Length: 5\r\n\r\n  ", "2 other EPIPE\n"},
    {CHUNKED, "0 same EPIPE\n"},
    {CHUNKED "1", "0 same EPIPE\n"},
    {CHUNKED "2\r\n ", "1 same EPIPE\n"},
    {CHUNKED "1\r\n \r\n", "1 same EPIPE\n"},
    {CHUNKED "1\r\n \r\n0\r\n", "1 same EPIPE\n"},
    {CHUNKED "1\r\n \r\n0\r\nX: y\r\n", "1 same EPIPE\n"},
    {CHUNKED "x\r\n", "0 same EPROTO\n"},
    {CHUNKED "-1\r\n", "0 same EPROTO\n"},
    {CHUNKED "11111111111111111\r\n", "0 same EPROTO\n"},
    {CHUNKED "1\r\n  \r\n0\r\n\r\n", "1 same EPROTO\n"},
    {CHUNKED "1\r\n \r\n0\r\nbad trailer\r\n\r\n", "1 same EPROTO\n"},
};

static int cut_or_wrong(void *arg)
{
    mf_http_app *app = make_app();

    (void)arg;
    piece_of = 100;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        size_t len = strlen(wrong[i].said);

        EXPECT_STR_EQ(body_of(ask_bytes(app, wrong[i].said, len, 1, NULL)),
                      wrong[i].body);
        EXPECT_STR_EQ(
            body_of(ask_bytes(app, wrong[i].said, len, SIZE_MAX, NULL)),
            wrong[i].body);
    }
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(a_body_cut_short_or_wrong_is_told)
{
    in_tasks(1, cut_or_wrong, NULL);
}
