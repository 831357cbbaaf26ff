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
 * All that app answers to these bytes, up to the end of the connection, with a
 * NUL; *ret_len (may be NULL) its length. In pieces of `piece` bytes; then the
 * client ends its side. Until the next call.
 */
KIT const char *ask_bytes(mf_http_app *app, const char *said, size_t len,
                          size_t piece, size_t *ret_len)
{
    static char answer[300000];
    struct ask_side side;
    mf_stream *ends[2];
    size_t got = 0;
    int n = 0;

    EXPECT_EQ(mf_stream_pair(400000, ends), 0);
    side = (struct ask_side){app, ends[1]};
    MF_SCOPE(s);
    EXPECT_EQ(mf_go(&s, ask_serve, &side), 0);
    for (size_t at = 0, now; at < len && n == 0; at += now) {
        now = len - at < piece ? len - at : piece;
        n = mf_stream_write_all(ends[0], said + at, now, late());
        if (piece < len)
            mf_yield();
    }
    if (n == 0)
        n = mf_stream_shutdown(ends[0], late());
    while (got < sizeof answer - 1 &&
           (n = mf_stream_read(ends[0], answer + got, sizeof answer - 1 - got,
                               late())) > 0)
        got += (size_t)n;
    answer[got] = '\0';
    mf_stream_close(ends[0], late());
    EXPECT_EQ(mf_scope_close(&s), 0);
    if (ret_len != NULL)
        *ret_len = got;
    return answer;
}

/* To "METHOD target" with these fields (each with its CRLF), as its last. */
KIT const char *ask(mf_http_app *app, const char *what, const char *fields,
                    size_t *ret_len)
{
    char request[4096];
    int n = snprintf(request, sizeof request,
                     "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n",
                     what, fields);

    return ask_bytes(app, request, (size_t)n, SIZE_MAX, ret_len);
}

/* How often `what` is in the answer. */
KIT int times(const char *answer, const char *what)
{
    int n = 0;

    while ((answer = strstr(answer, what)) != NULL) {
        answer += strlen(what);
        n++;
    }
    return n;
}

/* What follows the first empty line. */
KIT const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");

    return end != NULL ? end + 4 : "";
}

#endif
