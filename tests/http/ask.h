/* SPDX-License-Identifier: MIT */
/* ask.h - one request to an app over a pair of streams in memory. */
#ifndef MFI_TEST_HTTP_ASK_H
#define MFI_TEST_HTTP_ASK_H

#include <mayfly/http.h>
#include <mayfly/stream.h>

#include "io/kit.h"

struct ask_side {
    mf_http_app *app;
    mf_stream *s;
};

KIT int ask_serve(void *arg)
{
    struct ask_side *side = arg;

    mf_http_serve(side->app, side->s);
    return 0;
}

/*
 * The whole answer to "METHOD target" with these fields (each with its CRLF),
 * with a NUL; *ret_len (may be NULL) its length. Until the next call.
 */
KIT const char *ask(mf_http_app *app, const char *what, const char *fields,
                    size_t *ret_len)
{
    static char answer[100000];
    char request[4096];
    mf_stream *ends[2];
    struct ask_side side;
    size_t len = 0;
    int n;

    EXPECT_EQ(mf_stream_pair(4096, ends), 0);
    side = (struct ask_side){app, ends[1]};
    MF_SCOPE(s);
    EXPECT_EQ(mf_go(&s, ask_serve, &side), 0);
    n = snprintf(request, sizeof request,
                 "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", what,
                 fields);
    EXPECT_EQ(mf_stream_write_all(ends[0], request, (size_t)n, late()), 0);
    while (len < sizeof answer - 1 &&
           (n = mf_stream_read(ends[0], answer + len, sizeof answer - 1 - len,
                               late())) > 0)
        len += (size_t)n;
    EXPECT_EQ(n, 0);
    answer[len] = '\0';
    mf_stream_close(ends[0], late());
    EXPECT_EQ(mf_scope_close(&s), 0);
    if (ret_len != NULL)
        *ret_len = len;
    return answer;
}

#endif
