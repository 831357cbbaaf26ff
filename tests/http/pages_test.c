/* SPDX-License-Identifier: MIT */
/* pages_test.c - files and the log, as a server's routes and options. */
#include <mayfly/http_files.h>

#include "http/ask.h"
#include "http/site.h"
#include "http/text.h"

static mf_http_files *files;
static mf_http_app *app;
static mf_http_log *log_;

static void check_files(void)
{
    char path[1400] = "GET /static/";

    EXPECT_STR_HAS(ask(app, "GET /static/a.txt", "", NULL),
                   "\r\n\r\n0123456789");
    EXPECT(strncmp(ask(app, "GET /a.txt", "", NULL), "HTTP/1.1 200 ", 13) == 0);
    EXPECT_STR_HAS(ask(app, "GET /static/dir/b%20c.js", "", NULL),
                   "\r\n\r\njs");
    EXPECT_STR_HAS(ask(app, "GET /dir/", "", NULL), "\r\n\r\n<p>dir");
    EXPECT_STR_HAS(ask(app, "GET /static/dir?q", "", NULL),
                   "\r\nLocation: /static/dir/?q\r\n");
    EXPECT_STR_HAS(ask(app, "GET /a.txt", "Range: bytes=2-3\r\n", NULL),
                   "\r\n\r\n23");
    EXPECT_STR_HAS(ask(app, "GET /a.txt", "Range: bytes=0-0,5-5\r\n", NULL),
                   "Content-Range: bytes 5-5/10\r\n\r\n5\r\n--");
    EXPECT_STR_HAS(ask(app, "GET /a.txt", "Range: bytes=99-\r\n", NULL),
                   "HTTP/1.1 416 ");
    EXPECT_STR_HAS(ask(app, "GET /a.txt", "If-None-Match: *\r\n", NULL),
                   "HTTP/1.1 304 ");
    EXPECT_STR_HAS(ask(app, "GET /static/%2e%2e/a.txt", "", NULL), " 404 ");
    EXPECT_STR_HAS(ask(app, "GET /a.txt%00", "", NULL), "HTTP/1.1 4");
    EXPECT_STR_HAS(ask(app, "GET /static/a%00b", "", NULL), "HTTP/1.1 4");
    memset(path + 12, 'x', 1200);
    EXPECT_STR_HAS(ask(app, path, "", NULL), "HTTP/1.1 404 ");
}

static void check_head(void)
{
    const char *got = ask(app, "HEAD /a.txt", "", NULL);

    EXPECT_STR_HAS(got, "Content-Length: 10\r\n");
    EXPECT_STR_EQ(strstr(got, "\r\n\r\n"), "\r\n\r\n");
}

static int serves(void *arg)
{
    char line[256];
    int p[2], n;

    (void)arg;
    EXPECT_EQ(pipe2(p, O_CLOEXEC), 0);
    MF_SCOPE(s);
    EXPECT_EQ(mf_http_log_open(&s, p[1], NULL, &log_), 0);
    EXPECT_EQ(mf_http_files_open(site, NULL, &files), 0);
    EXPECT_EQ(
        mf_http_app_make(
            MF_HTTP_OPTIONS(.log = mf_http_log_request, .log_arg = log_), &app),
        0);
    EXPECT_EQ(
        mf_http_route(app, "GET", "/static/*path", mf_http_serve_files, files),
        0);
    EXPECT_EQ(mf_http_route(app, "GET", "/*any", mf_http_serve_files, files),
              0);
    check_files();
    check_head();
    mf_http_app_unref(app);
    mf_http_files_close(files);
    EXPECT_EQ(mf_http_log_close(log_, late()), 0);
    n = mf_read(p[0], line, sizeof line - 1, late());
    EXPECT(n > 0);
    line[n] = '\0';
    EXPECT_STR_HAS(line, "- - - [");
    EXPECT_STR_HAS(line, "\"GET /static/a.txt HTTP/1.1\" 200 10 \"-\" \"-\"\n");
    mf_close(p[0]);
    mf_close(p[1]);
    return mf_scope_close(&s);
}

MFI_TEST(files_and_log_by_a_server)
{
    site_make();
    in_tasks(1, serves, NULL);
    in_tasks(2, serves, NULL);
}
