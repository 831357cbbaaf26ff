/* SPDX-License-Identifier: MIT */
/*
 * files_curl_test.c - what curl makes of our answers with files: ranges,
 * resumed downloads, conditions, compressed files, connections kept alive.
 *
 * The server is the least that can carry them: mfi_file_answer's five calls
 * onto a stream.
 */
#include "http/files.h"

#include <mayfly/proc.h>
#include <mayfly/stream.h>
#include <mayfly/sync.h>

#include "http/site.h"
#include "http/text.h"

static mf_http_files *files;
static mf_event stop;
static _Atomic int n_conns;

struct reply {
    mf_stream *s;
    int fd;
    char head[2048];
    size_t len;
    bool is_head;
};

static int reply_set(void *self, const char *name, const char *value)
{
    struct reply *r = self;

    r->len += (size_t)snprintf(r->head + r->len, sizeof r->head - r->len,
                               "%s: %s\r\n", name, value);
    return 0;
}

static int reply_begin(void *self, int status, const char *type, int64_t length,
                       mf_deadline deadline)
{
    struct reply *r = self;
    char line[64];

    if (type != NULL)
        reply_set(r, "Content-Type", type);
    if (status != 304)
        r->len +=
            (size_t)snprintf(r->head + r->len, sizeof r->head - r->len,
                             "Content-Length: %lld\r\n", (long long)length);
    r->len +=
        (size_t)snprintf(r->head + r->len, sizeof r->head - r->len, "\r\n");
    EXPECT_LT(r->len, sizeof r->head);
    snprintf(line, sizeof line, "HTTP/1.1 %d Status\r\n", status);
    if (mf_stream_write_all(r->s, line, strlen(line), deadline) < 0)
        return -EPIPE;
    return mf_stream_write_all(r->s, r->head, r->len, deadline);
}

static int reply_write(void *self, const void *data, size_t len,
                       mf_deadline deadline)
{
    return mf_stream_write_all(((struct reply *)self)->s, data, len, deadline);
}

static int reply_file(void *self, int fd, int64_t from, uint64_t len,
                      mf_deadline deadline)
{
    uint64_t sent = 0;
    int rc = mf_sendfile(((struct reply *)self)->fd, fd, &from, len, &sent,
                         deadline);

    return rc < 0 ? rc : sent == len ? 0 : -EIO;
}

static int reply_end(void *self, mf_deadline deadline)
{
    (void)self;
    (void)deadline;
    return 0;
}

static const struct file_out out = {reply_set, reply_begin, reply_write,
                                    reply_file, reply_end};

static int conn(int fd, void *arg)
{
    char *text, path[512];
    mf_stream *s;
    int n, rc = mf_stream_fd(fd, &s);

    (void)arg;
    if (rc < 0)
        return rc;
    n_conns++;
    while ((n = mf_stream_until(s, "\r\n\r\n", 4, &text, late())) > 0) {
        mf_http_field fields[32];
        mf_http_head head = {.fields = fields, .cap_fields = 32};
        struct reply r = {.s = s, .fd = fd};

        EXPECT_EQ(mf_http_parse_request(text, (size_t)n, &head), n);
        EXPECT_LT(head.path.len, sizeof path);
        rc = mf_http_unescape(head.path, path, 0);
        path[rc < 0 ? 0 : rc] = '\0';
        if (mfi_file_answer(files, &head, path, &out, &r, late()) < 0)
            break;
    }
    mf_stream_close(s, late());
    return 0;
}

static int port;

/* curl's output; $U in the arguments is the site's URL, $D its directory. */
static const char *curl(const char *args)
{
    static char *text;
    char cmd[1024];
    const char *argv[] = {"/bin/sh", "-c", cmd, NULL};
    mf_exit_status status;

    snprintf(cmd, sizeof cmd,
             "U=http://127.0.0.1:%d; D=%s; C='curl -sS --noproxy * --max-time "
             "15'; set -f; $C %s",
             port, site, args);
    free(text);
    text = NULL;
    EXPECT_EQ(mf_proc_run(argv, NULL, NULL, 0, 0, &text, NULL, &status, late()),
              0);
    EXPECT_EQ(status.code, 0);
    return text;
}

static void transfers(void)
{
    EXPECT_STR_EQ(curl("$U/a.txt"), "0123456789");
    EXPECT_STR_EQ(curl("-r 2-4 $U/a.txt"), "234");
    EXPECT_STR_EQ(curl("-r -3 $U/a.txt"), "789");
    EXPECT_STR_HAS(curl("-r 0-1,8- $U/a.txt"),
                   "Content-Range: bytes 8-9/10\r\n\r\n89\r\n--");
    EXPECT_STR_EQ(curl("-o $D/none -w '%{http_code} %{size_download}' "
                       "-r 50- $U/a.txt"),
                  "416 0");
    EXPECT_STR_HAS(curl("-I $U/a.txt"), "Content-Length: 10\r\n");
    EXPECT_STR_EQ(curl("-L $U/dir"), "<p>dir");
    EXPECT_STR_EQ(curl("$U/dir/b%20c.js"), "js");
    EXPECT_STR_EQ(curl("$U/"), "<p>root");
    EXPECT_STR_EQ(curl("-w '%{http_code}' --path-as-is $U/../../etc/passwd"),
                  "Not found.\n404");
    EXPECT_STR_EQ(curl("-w '%{http_code}' -X DELETE $U/a.txt"),
                  "Only to be read.\n405");
    /* A download cut short goes on where it ended. */
    EXPECT_STR_EQ(curl("-r 0-3 -o $D/part $U/a.txt; $C -C - -o $D/part "
                       "$U/a.txt; cat $D/part"),
                  "0123456789");
}

static void conditions(void)
{
    EXPECT_STR_EQ(curl("-w '%{http_code}' -z 'Sun, 06 Nov 1994 08:49:37 GMT' "
                       "$U/a.txt"),
                  "304");
    EXPECT_STR_EQ(curl("-w '%{http_code}' -z 'Sun, 06 Nov 1994 08:49:36 GMT' "
                       "$U/a.txt"),
                  "0123456789200");
    EXPECT_STR_EQ(curl("--etag-save $D/tag $U/a.txt; $C -w '%{http_code}' "
                       "--etag-compare $D/tag $U/a.txt"),
                  "0123456789304");
    EXPECT_STR_EQ(curl("-H 'Accept-Encoding: gzip' $U/a.txt"), "gzipped");
}

/* A big file whole, and put together from ranges. */
static void big(void)
{
    EXPECT_STR_EQ(curl("-o $D/1 $U/big; for r in 0-999999 1000000-1999999 "
                       "2000000-; do $C -r $r $U/big; done > $D/2; "
                       "cmp $D/1 $D/2 && cmp $D/1 $D/big && echo same"),
                  "same\n");
}

static int requests(void *arg)
{
    (void)arg;
    transfers();
    conditions();
    big();
    n_conns = 0;
    EXPECT_STR_EQ(curl("$U/a.txt $U/gone $U/dir/ $U/none.json"),
                  "0123456789Not found.\n<p>dir");
    EXPECT_EQ(n_conns, 1); /* all four over one connection */
    mf_event_fire(&stop);
    return 0;
}

static int serves(void *arg)
{
    mf_http_files_options o = {.size = sizeof o, .precompressed = 1};
    mf_addr addr;
    int listener = mf_tcp_listen("127.0.0.1:0", NULL), rc;

    (void)arg;
    EXPECT(listener >= 0);
    EXPECT_EQ(mf_local_addr(listener, &addr), 0);
    port = ntohs(((struct sockaddr_in *)&addr.ss)->sin_port);
    EXPECT_EQ(mf_http_files_open(site, &o, &files), 0);
    MF_SCOPE(s);
    EXPECT_EQ(mf_go(&s, requests, NULL), 0);
    rc = mf_serve(listener, conn, NULL,
                  MF_SERVE_OPTIONS(.stop = &stop, .drain = MF_SEC(5)));
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    mf_http_files_close(files);
    return 0;
}

MFI_TEST(curl_gets_what_it_asks_for)
{
    FILE *f;
    int i;

    if (system("curl --version > /dev/null 2>&1") != 0)
        MFI_SKIP("curl is not here");
    site_make();
    f = fopen(site_path("big"), "w");
    EXPECT(f != NULL);
    for (i = 0; i < 400000; i++)
        fprintf(f, "%07d\n", i);
    fclose(f);
    in_tasks(2, serves, NULL);
}
