/* SPDX-License-Identifier: MIT */
/*
 * reply_test.c - answers to the byte: whole and in parts, with fields of the
 * handler's, from a file, cut at what was promised, handed over.
 */
#include "http/ask.h"

#include <sys/mman.h>

enum { LARGE = 50000 };

static char text[LARGE];

static mf_http_app *app_with(mf_http_fn *fn, void *arg)
{
    mf_http_app *app;

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    EXPECT_EQ(mf_http_app_make(NULL, &app), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/", fn, arg), 0);
    return app;
}

/* The answer to one GET by this handler. */
static const char *get(mf_http_fn *fn, void *arg, size_t *ret_len)
{
    mf_http_app *app = app_with(fn, arg);
    const char *answer = ask(app, "GET /", "", ret_len);

    mf_http_app_unref(app);
    return answer;
}

/* ---- fields ------------------------------------------------------------- */

static int sets(mf_http_req *req, void *arg)
{
    char value[5000];
    int rc = 0, n = 0;

    (void)arg;
    EXPECT_EQ(mf_http_set(NULL, "a", "b"), -EINVAL);
    EXPECT_EQ(mf_http_set(req, NULL, "b"), -EINVAL);
    EXPECT_EQ(mf_http_set(req, "", "b"), -EINVAL);
    EXPECT_EQ(mf_http_set(req, "a", NULL), -EINVAL);
    EXPECT_EQ(mf_http_set(req, "a:", "b"), -EINVAL);
    EXPECT_EQ(mf_http_set(req, "a", "b\nc"), -EINVAL);
    EXPECT_EQ(mf_http_set(req, "a", "b\x7f"), -EINVAL);
    EXPECT_EQ(mf_http_set(req, "Date", "now"), -EINVAL);
    EXPECT_EQ(mf_http_set(req, "CONNECTION", "close"), -EINVAL);
    EXPECT_EQ(mf_http_set(req, "transfer-Encoding", "chunked"), -EINVAL);
    EXPECT_EQ(mf_http_set(req, "X-Empty", ""), 0);
    EXPECT_EQ(mf_http_set(req, "X-Tab", "a\tb"), 0);
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    EXPECT_EQ(mf_http_set(req, "X-Long", value), -EINVAL);
    value[50] = '\0';
    while ((rc = mf_http_set(req, "X-Many", value)) == 0)
        n++;
    EXPECT_EQ(rc, -EINVAL); /* of all together there is a limit */
    EXPECT(n > 40 && n < 100);
    n = snprintf(value, sizeof value, "%d", n);
    return mf_http_reply(req, 200, "a/b; c=d", value, (size_t)n, MF_NEVER);
}

static int fields(void *arg)
{
    const char *answer = get(sets, NULL, NULL);

    (void)arg;
    EXPECT_STR_HAS(answer, "\r\nX-Empty: \r\n");
    EXPECT_STR_HAS(answer, "\r\nX-Tab: a\tb\r\n");
    EXPECT_STR_HAS(answer, "\r\nContent-Type: a/b; c=d\r\n");
    EXPECT_EQ(times(answer, "X-Long"), 0);
    EXPECT_EQ(times(answer, "X-Many: v"), atoi(body_of(answer)));
    EXPECT_EQ(times(answer, "\r\nDate: "), 1);
    EXPECT_EQ(times(answer, "\r\nConnection: close\r\n"), 1);
    return 0;
}

MFI_TEST(fields_are_added_if_they_are_fit_to_be)
{
    in_tasks(1, fields, NULL);
}

/* ---- whole -------------------------------------------------------------- */

static int whole(mf_http_req *req, void *arg)
{
    return mf_http_reply(req, 200, NULL, text, *(size_t *)arg, MF_NEVER);
}

static int all_lengths(void *arg)
{
    /* Around what is copied to its head, and what is gathered. */
    static size_t lengths[] = {0,    1,    2000,  6143,  6144, 6145,
                               8192, 8193, 16000, 16385, LARGE};
    char line[64];

    (void)arg;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t len;
        const char *answer = get(whole, &lengths[i], &len), *body;

        snprintf(line, sizeof line, "\r\nContent-Length: %zu\r\n", lengths[i]);
        EXPECT_STR_HAS(answer, line);
        body = body_of(answer);
        EXPECT_EQ(len - (size_t)(body - answer), lengths[i]);
        EXPECT_EQ(memcmp(body, text, lengths[i]), 0);
    }
    return 0;
}

MFI_TEST(whole_answers_of_any_length)
{
    in_tasks(1, all_lengths, NULL);
}

/* A status, HEAD, and what is left out for them. */
static int with_status(mf_http_req *req, void *arg)
{
    return mf_http_reply(req, *(int *)arg, NULL, "body", 4, MF_NEVER);
}

static int without_body(void *arg)
{
    static int ok = 200, none = 204, same = 304;
    mf_http_app *app = app_with(with_status, &ok);
    const char *answer;

    (void)arg;
    answer = ask(app, "HEAD /", "", NULL);
    EXPECT_STR_HAS(answer, "HTTP/1.1 200 OK\r\n");
    EXPECT_STR_HAS(answer, "\r\nContent-Length: 4\r\n");
    EXPECT_STR_EQ(body_of(answer), "");
    mf_http_app_unref(app);
    answer = get(with_status, &none, NULL);
    EXPECT_STR_HAS(answer, "HTTP/1.1 204 No Content\r\n");
    EXPECT_EQ(times(answer, "Content-Length"), 0);
    EXPECT_STR_EQ(body_of(answer), "");
    answer = get(with_status, &same, NULL);
    EXPECT_STR_HAS(answer, "HTTP/1.1 304 Not Modified\r\n");
    EXPECT_STR_EQ(body_of(answer), "");
    return 0;
}

MFI_TEST(some_answers_have_no_body)
{
    in_tasks(1, without_body, NULL);
}

/* ---- in parts ----------------------------------------------------------- */

static int chunks(mf_http_req *req, void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_http_end(req, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_http_write(req, "x", 1, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_http_trailer(req, "a", "b"), -EINVAL);
    EXPECT_EQ(mf_http_begin(req, 200, NULL, -1, MF_NEVER), 0);
    EXPECT_EQ(mf_http_begin(req, 200, NULL, -1, MF_NEVER), -EBUSY);
    EXPECT_EQ(mf_http_write(req, NULL, 1, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_http_write(req, "", 0, MF_NEVER), 0); /* no end */
    EXPECT_EQ(mf_http_write(req, "hello", 5, MF_NEVER), 0);
    EXPECT_EQ(mf_http_flush(req, MF_NEVER), 0);
    EXPECT_EQ(mf_http_write(req, text, 26, MF_NEVER), 0);
    EXPECT_EQ(mf_http_trailer(req, "X-End", "yes"), 0);
    EXPECT_EQ(mf_http_trailer(req, "Content-Length", "1"), -EINVAL);
    EXPECT_EQ(mf_http_end(req, MF_NEVER), 0);
    EXPECT_EQ(mf_http_end(req, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_http_write(req, "x", 1, MF_NEVER), -EINVAL);
    return 0;
}

static int in_chunks(void *arg)
{
    const char *answer = get(chunks, NULL, NULL);

    (void)arg;
    EXPECT_STR_HAS(answer, "\r\nTransfer-Encoding: chunked\r\n");
    EXPECT_EQ(times(answer, "Content-Length"), 0);
    EXPECT_STR_EQ(body_of(answer),
                  "5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n"
                  "0\r\nX-End: yes\r\n\r\n");
    return 0;
}

MFI_TEST(an_answer_of_unknown_length_is_chunked)
{
    in_tasks(1, in_chunks, NULL);
}

/* Pieces of every size, by length: what comes is the text. */
static int pieces(mf_http_req *req, void *arg)
{
    size_t at = 0, now;

    (void)arg;
    EXPECT_EQ(mf_http_begin(req, 200, NULL, LARGE, MF_NEVER), 0);
    for (size_t i = 1; at < LARGE; at += now, i = i * 3 + 1) {
        now = i % 9001 < LARGE - at ? i % 9001 : LARGE - at;
        EXPECT_EQ(mf_http_write(req, text + at, now, MF_NEVER), 0);
        if (i % 5 == 0)
            EXPECT_EQ(mf_http_flush(req, MF_NEVER), 0);
    }
    EXPECT_EQ(mf_http_write(req, "x", 1, MF_NEVER), -EMSGSIZE);
    return mf_http_end(req, MF_NEVER);
}

static int one_short(mf_http_req *req, void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_http_begin(req, 200, NULL, 5, MF_NEVER), 0);
    EXPECT_EQ(mf_http_write(req, "1234", 4, MF_NEVER), 0);
    EXPECT_EQ(mf_http_end(req, MF_NEVER), -EPIPE);
    return 0;
}

static int by_length(void *arg)
{
    static const char twice[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
                                "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    size_t len;
    const char *answer = get(pieces, NULL, &len);
    mf_http_app *app;

    (void)arg;
    EXPECT_EQ(len - (size_t)(body_of(answer) - answer), LARGE);
    EXPECT_EQ(memcmp(body_of(answer), text, LARGE), 0);
    app = app_with(one_short, NULL); /* nothing may follow it */
    answer = ask_bytes(app, twice, sizeof twice - 1, SIZE_MAX, NULL);
    EXPECT_STR_EQ(body_of(answer), "1234");
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(an_answer_keeps_to_its_length)
{
    in_tasks(1, by_length, NULL);
}

static int old_client(void *arg)
{
    static const char said[] = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n"
                               "\r\n";
    static size_t four = 4;
    mf_http_app *app = app_with(chunks, NULL);
    const char *answer;

    (void)arg;
    (void)app;
    mf_http_app_unref(app);
    app = app_with(whole, &four);
    answer = ask_bytes(app, said, sizeof said - 1, SIZE_MAX, NULL);
    EXPECT_STR_HAS(answer, "\r\nConnection: keep-alive\r\n");
    EXPECT_STR_EQ(body_of(answer), "abcd");
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(an_old_client_is_kept_if_it_asks)
{
    in_tasks(1, old_client, NULL);
}

static int until_closed(mf_http_req *req, void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_http_begin(req, 200, NULL, -1, MF_NEVER), 0);
    EXPECT_EQ(mf_http_write(req, "all", 3, MF_NEVER), 0);
    EXPECT_EQ(mf_http_trailer(req, "a", "b"), -EINVAL); /* it has none */
    return mf_http_end(req, MF_NEVER);
}

static int to_its_end(void *arg)
{
    static const char said[] = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n"
                               "\r\n";
    mf_http_app *app = app_with(until_closed, NULL);
    const char *answer = ask_bytes(app, said, sizeof said - 1, SIZE_MAX, NULL);

    (void)arg;
    EXPECT_STR_HAS(answer, "\r\nConnection: close\r\n");
    EXPECT_EQ(times(answer, "Transfer-Encoding"), 0);
    EXPECT_STR_EQ(body_of(answer), "all");
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(to_an_old_client_the_end_is_the_end)
{
    in_tasks(1, to_its_end, NULL);
}

/* ---- from a file -------------------------------------------------------- */

struct of_file {
    int fd;
    int64_t from, len, says; /* says: what begin does; < 0: chunked */
    int rc;
};

static int sends_file(mf_http_req *req, void *arg)
{
    struct of_file *f = arg;

    EXPECT_EQ(mf_http_send_file(req, f->fd, -1, 1, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_http_begin(req, 200, NULL, f->says, MF_NEVER), 0);
    EXPECT_EQ(
        mf_http_send_file(req, f->fd, f->from, (uint64_t)f->len, MF_NEVER),
        f->rc);
    return f->rc < 0 ? f->rc : mf_http_end(req, MF_NEVER);
}

static int from_file(void *arg)
{
    struct of_file f = {.fd = memfd_create("page", MFD_CLOEXEC),
                        .from = 10,
                        .len = 20000,
                        .says = 20000};
    size_t len;
    const char *answer;

    (void)arg;
    EXPECT_GE(f.fd, 0);
    (void)get(sends_file, &(struct of_file){.fd = f.fd, .says = 0}, NULL);
    EXPECT_EQ(write(f.fd, text, sizeof text), (ssize_t)sizeof text);
    answer = get(sends_file, &f, &len);
    EXPECT_EQ(len - (size_t)(body_of(answer) - answer), 20000);
    EXPECT_EQ(memcmp(body_of(answer), text + 10, 20000), 0);
    f.len = 100;
    f.says = -1;
    answer = get(sends_file, &f, NULL);
    EXPECT_EQ(strncmp(body_of(answer), "64\r\n", 4), 0);
    EXPECT_EQ(memcmp(body_of(answer) + 4, text + 10, 100), 0);
    EXPECT_STR_EQ(body_of(answer) + 104, "\r\n0\r\n\r\n");
    f.from = LARGE - 50; /* it is shorter than it was said to be */
    f.says = 100;
    f.rc = -EPIPE;
    answer = get(sends_file, &f, &len);
    EXPECT_EQ(len - (size_t)(body_of(answer) - answer), 50);
    f.says = 99;
    f.rc = -EMSGSIZE;
    (void)get(sends_file, &f, NULL);
    close(f.fd);
    return 0;
}

MFI_TEST(a_file_is_sent_like_anything_else)
{
    in_tasks(1, from_file, NULL);
}

/* ---- to another protocol ------------------------------------------------ */

static int upgrades(mf_http_req *req, void *arg)
{
    char buf[16];
    mf_stream *s;
    int n;

    (void)arg;
    EXPECT_EQ(mf_http_upgrade(req, NULL, &s, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_http_upgrade(req, "a\nb", &s, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_http_upgrade(req, "echo", NULL, MF_NEVER), -EINVAL);
    if (!mf_http_head_of(req)->upgrade) {
        EXPECT_EQ(mf_http_upgrade(req, "echo", &s, MF_NEVER), -EINVAL);
        return mf_http_reply(req, 426, NULL, NULL, 0, MF_NEVER);
    }
    EXPECT_EQ(mf_http_set(req, "X-With", "it"), 0);
    EXPECT_EQ(mf_http_upgrade(req, "echo", &s, MF_NEVER), 0);
    EXPECT_EQ(mf_http_status(req), 101);
    EXPECT_EQ(mf_http_reply(req, 200, NULL, NULL, 0, MF_NEVER), -EBUSY);
    while ((n = mf_stream_read(s, buf, sizeof buf, late())) > 0)
        EXPECT_EQ(mf_stream_write_all(s, buf, (size_t)n, late()), 0);
    EXPECT_EQ(n, 0);
    return mf_stream_close(s, late());
}

static int to_echo(void *arg)
{
    static const char said[] = "GET / HTTP/1.1\r\nHost: x\r\n"
                               "Connection: upgrade\r\nUpgrade: echo\r\n\r\n"
                               "what comes behind it";
    mf_http_app *app = app_with(upgrades, NULL);

    (void)arg;
    for (size_t piece = 1; piece < sizeof said; piece += piece / 2 + 1)
        EXPECT_STR_EQ(ask_bytes(app, said, sizeof said - 1, piece, NULL),
                      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n"
                      "Connection: Upgrade\r\nX-With: it\r\n\r\n"
                      "what comes behind it");
    EXPECT_STR_HAS(ask(app, "GET /", "", NULL), "426 Upgrade Required");
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(a_connection_is_handed_over_with_what_it_has)
{
    in_tasks(1, to_echo, NULL);
}
