/* SPDX-License-Identifier: MIT */
/* gzreply_test.c - who gets it compressed, and that it comes back the same. */
#include <mayfly/http_files.h>

#include "http/ask.h"
#include "http/text.h"

static char body[5000];
static const char *type;

static int answer(mf_http_req *req, void *arg)
{
    return mf_http_reply_gzip(req, 200, type, body, (size_t)(intptr_t)arg,
                              MF_NEVER);
}

/* Whether it came compressed; in any case it is what was sent. */
static bool zipped(mf_http_app *app, const char *what, size_t want,
                   const char *fields)
{
    size_t len, out_len;
    const char *got = ask(app, what, fields, &len);
    const char *data = strstr(got, "\r\n\r\n") + 4;
    bool is_zip = strstr(got, "Content-Encoding: gzip\r\n") != NULL;
    void *out;

    EXPECT(strncmp(got, "HTTP/1.1 200 ", 13) == 0);
    len -= (size_t)(data - got);
    if (!is_zip) {
        EXPECT_EQ(len, want);
        EXPECT_EQ(memcmp(data, body, want), 0);
        return false;
    }
    EXPECT_STR_HAS(got, "Vary: Accept-Encoding\r\n");
    EXPECT_LT(len, want);
    EXPECT_EQ(mf_gunzip_all(data, len, want, &out, &out_len), 0);
    EXPECT_EQ(out_len, want);
    EXPECT_EQ(memcmp(out, body, want), 0);
    free(out);
    return true;
}

static int serves(void *arg)
{
    static const char accepts[] = "Accept-Encoding: br, gzip;q=0.5\r\n";
    mf_http_app *app;

    (void)arg;
    memset(body, 'x', sizeof body);
    EXPECT_EQ(mf_http_app_make(NULL, &app), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/all", answer, (void *)5000), 0);
    EXPECT_EQ(mf_http_route(app, "GET", "/some", answer, (void *)100), 0);
    type = "application/json";
    EXPECT(zipped(app, "GET /all", 5000, accepts));
    EXPECT(!zipped(app, "GET /some", 100, accepts));
    EXPECT(!zipped(app, "GET /all", 5000, ""));
    EXPECT(!zipped(app, "GET /all", 5000, "Accept-Encoding: gzip;q=0\r\n"));
    type = "image/png";
    EXPECT(!zipped(app, "GET /all", 5000, accepts));
    EXPECT(strstr(ask(app, "GET /all", accepts, NULL), "Vary") == NULL);
    mf_http_app_unref(app);
    return 0;
}

MFI_TEST(compressed_for_who_takes_it)
{
    in_tasks(1, serves, NULL);
}
