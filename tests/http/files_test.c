/* SPDX-License-Identifier: MIT */
/* files_test.c - whole answers, as text. */
#include "http/files.h"

#include "http/site.h"
#include "http/text.h"

static char text[4096]; /* the answer */
static size_t text_len;
static int64_t promised, sent;
static int ended, fails_at, calls;

static int call(void)
{
    EXPECT_EQ(ended, 0);
    return ++calls == fails_at ? -EPIPE : 0;
}

static void add(const char *data, size_t len)
{
    EXPECT_LT(text_len + len, sizeof text);
    memcpy(text + text_len, data, len);
    text_len += len;
    text[text_len] = '\0';
}

static int out_set(void *self, const char *name, const char *value)
{
    char line[2048];

    (void)self;
    EXPECT(strpbrk(value, "\r\n") == NULL);
    add(line, (size_t)snprintf(line, sizeof line, "%s: %s\n", name, value));
    return call();
}

static int out_begin(void *self, int status, const char *type, int64_t length,
                     mf_deadline deadline)
{
    char line[256];

    (void)self;
    (void)deadline;
    promised = length;
    add(line, (size_t)snprintf(line, sizeof line, "%d %s %lld\n\n", status,
                               type ? type : "-", (long long)length));
    return call();
}

static int out_write(void *self, const void *data, size_t len,
                     mf_deadline deadline)
{
    (void)self;
    (void)deadline;
    sent += (int64_t)len;
    add(data, len);
    return call();
}

static int out_file(void *self, int fd, int64_t from, uint64_t len,
                    mf_deadline deadline)
{
    char buf[256];

    (void)self;
    (void)deadline;
    EXPECT_EQ(pread(fd, buf, len, from), len);
    sent += (int64_t)len;
    add(buf, len);
    return call();
}

static int out_end(void *self, mf_deadline deadline)
{
    int rc = call();

    (void)self;
    (void)deadline;
    ended = 1;
    return rc;
}

static const struct file_out out = {out_set, out_begin, out_write, out_file,
                                    out_end};
static mf_http_files *files;

static int serve(const char *method, const char *path, const char *name,
                 const char *value)
{
    mf_http_field f[1] = {{T(name), T(value)}};
    mf_http_head head = {.method = T(method),
                         .path = T(path),
                         .fields = f,
                         .n_fields = name != NULL};
    char decoded[2048];
    int rc = mf_http_unescape(T(path), decoded, 0);

    EXPECT(rc >= 0);
    decoded[rc] = '\0';
    text_len = 0;
    ended = 0;
    sent = 0;
    calls = 0;
    rc = mfi_file_answer(files, &head, decoded, &out, NULL, late());
    EXPECT(rc < 0 || ended);
    if (rc == 0 && strcmp(method, "HEAD") != 0)
        EXPECT_EQ(sent, promised);
    if (rc == 0 && strcmp(method, "HEAD") == 0)
        EXPECT_EQ(sent, 0);
    return rc;
}

static const char *get(const char *path, const char *name, const char *value)
{
    EXPECT_EQ(serve("GET", path, name, value), 0);
    return text;
}

#define COMMON                                        \
 "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\n"     \
 "Cache-Control: max-age=60\nVary: Accept-Encoding\n" \
 "Accept-Ranges: bytes\nX-Content-Type-Options: nosniff\n"
#define TAG "\"a-ae1b981bc490a00\""

static int answers(void *arg)
{
    (void)arg;
    EXPECT_EQ(
        mf_http_files_open(site,
                           MF_HTTP_FILES_OPTIONS(.cache_control = "max-age=60",
                                                 .precompressed = 1),
                           &files),
        0);
    EXPECT_STR_EQ(get("/a.txt", NULL, NULL),
                  "ETag: " TAG "\n" COMMON
                  "200 text/plain; charset=utf-8 10\n\n0123456789");
    EXPECT_EQ(serve("HEAD", "/a.txt", NULL, NULL), 0);
    EXPECT_STR_HAS(text, "200 text/plain; charset=utf-8 10\n\n");
    EXPECT_STR_EQ(get("/a.txt", "Range", "bytes=2-4"),
                  "ETag: " TAG "\n" COMMON "Content-Range: bytes 2-4/10\n"
                  "206 text/plain; charset=utf-8 3\n\n234");
    EXPECT_STR_HAS(get("/a.txt", "Range", "bytes=90-"),
                   "Content-Range: bytes */10\n416 - 0\n\n");
    EXPECT_STR_HAS(get("/a.txt", "Range", "bytes=0-1,8-9"),
                   "206 multipart/byteranges; boundary=");
    EXPECT_STR_HAS(text, "Content-Range: bytes 8-9/10\r\n\r\n89\r\n--");
    EXPECT_STR_HAS(get("/a.txt", "Accept-Encoding", "gzip"),
                   "Content-Encoding: gzip\n"
                   "200 text/plain; charset=utf-8 7\n\ngzipped");
    EXPECT_STR_HAS(get("/a.txt", "Accept-Encoding", "gzip;q=0"), " 10\n\n0123");
    EXPECT_STR_EQ(get("/a.txt", "If-None-Match", TAG),
                  "ETag: " TAG "\n"
                  "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\n"
                  "Cache-Control: max-age=60\nVary: Accept-Encoding\n"
                  "304 - 0\n\n");
    EXPECT_STR_HAS(get("/a.txt", "If-Match", "\"x\""), "412 - 0\n\n");
    EXPECT_STR_HAS(get("/none.json", NULL, NULL), "200 application/json 0\n\n");
    EXPECT_STR_HAS(get("/gone", NULL, NULL), "404 text/plain; charset=utf-8");
    EXPECT_STR_HAS(get("/%2e%2e/%2e%2e/etc/passwd", NULL, NULL), "404 text");
    EXPECT_EQ(serve("POST", "/a.txt", NULL, NULL), 0);
    EXPECT_STR_HAS(text, "Allow: GET, HEAD\n405 text/plain");
    mf_http_files_close(files);
    return 0;
}

MFI_TEST(whole_answers)
{
    site_make();
    in_tasks(1, answers, NULL);
    in_thread(answers, NULL);
}

static int moves(void *arg)
{
    char longest[1500] = "/dir/";

    (void)arg;
    EXPECT_EQ(mf_http_files_open(site, NULL, &files), 0);
    EXPECT_STR_HAS(get("/dir", NULL, NULL), "Location: /dir/\n308 text/plain");
    EXPECT_STR_HAS(get("//dir", NULL, NULL), "Location: /dir/\n308");
    EXPECT_STR_HAS(get("////dir", NULL, NULL), "Location: /dir/\n308");
    EXPECT_STR_HAS(get("/link", NULL, NULL), "Location: /link/\n308");
    EXPECT_STR_HAS(get("/d%69r", NULL, NULL), "Location: /d%69r/\n308");
    EXPECT_STR_HAS(get("/\\dir", NULL, NULL), "404 text");
    EXPECT_STR_HAS(get("/dir/", NULL, NULL), "<p>dir");
    memset(longest, '/', sizeof longest - 1);
    memcpy(longest + 1300, "dir", 4);
    EXPECT_STR_HAS(get(longest, NULL, NULL), "Location: /dir/\n308");
    mf_http_files_close(files);
    return 0;
}

MFI_TEST(a_directory_without_its_slash_is_never_another_site)
{
    site_make();
    in_tasks(1, moves, NULL);
}

/* How many fds are open on what is in the site. */
static int open_there(void)
{
    char name[64], to[256];
    int fd, n = 0;

    for (fd = 0; fd < 256; fd++) {
        ssize_t len;

        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        len = readlink(name, to, sizeof to);
        n += len > 0 && strncmp(to, site, strlen(site)) == 0;
    }
    return n;
}

/* Whichever call fails, nothing follows it and the file is closed. */
static int failures(void *arg)
{
    static const char *const ranges[] = {"bytes=0-", "bytes=1-1",
                                         "bytes=1-1,5-5"};
    int i, n;

    (void)arg;
    EXPECT_EQ(mf_http_files_open(site, NULL, &files), 0);
    EXPECT_EQ(open_there(), 1); /* the root */
    for (i = 0; i < 3; i++) {
        fails_at = 0;
        get("/a.txt", "Range", ranges[i]);
        n = calls;
        EXPECT(n >= 6);
        for (fails_at = 1; fails_at <= n; fails_at++) {
            EXPECT_EQ(serve("GET", "/a.txt", "Range", ranges[i]), -EPIPE);
            EXPECT_EQ(calls, fails_at);
        }
    }
    EXPECT_EQ(open_there(), 1);
    fails_at = 0;
    mf_http_files_close(files);
    return 0;
}

MFI_TEST(whatever_fails_ends_it_and_leaves_nothing_open)
{
    site_make();
    in_thread(failures, NULL);
}
