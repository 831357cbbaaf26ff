/* SPDX-License-Identifier: MIT */
/* log_test.c - lines as they should be, all of them, and none waits. */
#include <mayfly/http_files.h>

#include <mayfly/scope.h>
#include <sys/socket.h>

#include "http/text.h"
#include "io/kit.h"

static mf_http_log_entry entry(void)
{
    return (mf_http_log_entry){.peer = T("10.0.0.1"),
                               .method = T("GET"),
                               .target = T("/a?b=\"c\""),
                               .minor = 1,
                               .status = 200,
                               .bytes = 12345678901,
                               .agent = T("curl\x1b[0m\n\\\xff")};
}

static void read_all(int fd, char *buf, size_t cap)
{
    size_t len = 0;
    ssize_t n;

    while (len < cap - 1 && (n = read(fd, buf + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    buf[len] = '\0';
}

static int one_line(void *arg)
{
    mf_http_log_entry e = entry(), none = {.status = 400};
    char buf[1024], *time_at;
    mf_http_log *log;
    int p[2];

    (void)arg;
    EXPECT_EQ(pipe2(p, O_CLOEXEC), 0);
    MF_SCOPE(s);
    EXPECT_EQ(mf_http_log_open(&s, p[1], NULL, &log), 0);
    EXPECT_EQ(mf_http_log_add(log, &e), 0);
    EXPECT_EQ(mf_http_log_add(log, &none), 0);
    EXPECT_EQ(mf_http_log_lost(log), 0);
    EXPECT_EQ(mf_http_log_close(log, late()), 0);
    EXPECT_EQ(mf_close(p[1]), 0);
    read_all(p[0], buf, sizeof buf);
    close(p[0]);
    time_at = strchr(buf, '[');
    EXPECT(time_at != NULL && strncmp(time_at + 21, " +0000] ", 8) == 0);
    EXPECT(time_at[3] == '/' && time_at[7] == '/' && time_at[12] == ':');
    memset(time_at, '_', 28);
    EXPECT_STR_HAS(buf, "10.0.0.1 - - ____________________________ "
                        "\"GET /a?b=\\x22c\\x22 HTTP/1.1\" 200 12345678901 "
                        "\"-\" \"curl\\x1B[0m\\x0A\\x5C\\xFF\"\n- - - [");
    EXPECT_STR_HAS(buf, "] \"-\" 400 0 \"-\" \"-\"\n");
    return mf_scope_close(&s);
}

MFI_TEST(a_line_in_the_combined_format)
{
    in_tasks(1, one_line, NULL);
    in_tasks(2, one_line, NULL);
}

/* The clock brings it out: nobody closes. */
static int unasked(void *arg)
{
    mf_http_log_entry e = entry();
    mf_http_log *log;
    char buf[256];
    int p[2], n;

    (void)arg;
    EXPECT_EQ(pipe2(p, O_CLOEXEC), 0);
    MF_SCOPE(s);
    EXPECT_EQ(mf_http_log_open(&s, p[1],
                               MF_HTTP_LOG_OPTIONS(.flush_every = MF_MSEC(5)),
                               &log),
              0);
    EXPECT_EQ(mf_http_log_add(log, &e), 0);
    n = mf_read(p[0], buf, sizeof buf, late());
    EXPECT(n > 0 && buf[n - 1] == '\n');
    EXPECT_EQ(mf_http_log_add(log, &e), 0);
    EXPECT_EQ(mf_read(p[0], buf, sizeof buf, late()), n);
    EXPECT_EQ(mf_http_log_close(log, late()), 0);
    mf_close(p[0]);
    mf_close(p[1]);
    return mf_scope_close(&s);
}

MFI_TEST(a_line_comes_out_within_its_span)
{
    in_tasks(1, unasked, NULL);
}

enum { ADDERS = 4, LINES = 20000 / KIT_SLOW };

static mf_http_log *shared;
static _Atomic uint64_t added;

static int adds(void *arg)
{
    char agent[300];
    int i, n = (int)(intptr_t)arg;

    memset(agent, 'a' + n, sizeof agent);
    for (i = 0; i < LINES; i++) {
        mf_http_log_entry e = entry();

        e.status = 100 + i % 900;
        e.agent = (mf_text){agent, (size_t)(i % 299)};
        if (mf_http_log_add(shared, &e) == 0)
            added++;
        if (i % 64 == 0)
            mf_yield();
    }
    return 0;
}

static void *adds_thread(void *arg)
{
    return (void *)(intptr_t)adds(arg);
}

/* Each line whole, of one adder, and as many as were taken. */
static uint64_t check_lines(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[1024];
    uint64_t n = 0;

    EXPECT(f != NULL);
    for (; fgets(line, sizeof line, f) != NULL; n++) {
        char *agent = strrchr(line, ' ') + 1, *c;

        EXPECT(strncmp(line, "10.0.0.1 - - [", 14) == 0);
        EXPECT(agent[0] == '"');
        for (c = agent + 1; *c != '"'; c++)
            EXPECT_EQ(*c, agent[1]);
        EXPECT_STR_EQ(c, "\"\n");
    }
    fclose(f);
    return n;
}

static int many(void *arg)
{
    char path[] = "/tmp/mayfly-test-XXXXXX";
    int fd = mkostemp(path, O_APPEND | O_CLOEXEC), i;
    pthread_t thread;
    uint64_t lost;

    (void)arg;
    EXPECT(fd >= 0);
    MF_SCOPE(s);
    EXPECT_EQ(mf_http_log_open(&s, fd,
                               MF_HTTP_LOG_OPTIONS(.buffer = 64 << 10,
                                                   .flush_every = MF_MSEC(1)),
                               &shared),
              0);
    EXPECT_EQ(pthread_create(&thread, NULL, adds_thread, (void *)3), 0);
    {
        MF_SCOPE(inner);
        for (i = 0; i < ADDERS - 1; i++)
            EXPECT_EQ(mf_go(&inner, adds, (void *)(intptr_t)i), 0);
        EXPECT_EQ(mf_scope_close(&inner), 0);
    }
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    lost = mf_http_log_lost(shared);
    EXPECT_EQ(mf_http_log_close(shared, late()), 0);
    EXPECT_EQ(lost + added, ADDERS * LINES);
    EXPECT_EQ(check_lines(path), added);
    EXPECT(added > 0);
    added = 0;
    unlink(path);
    mf_close(fd);
    return mf_scope_close(&s);
}

MFI_TEST(many_add_and_each_line_stays_whole)
{
    in_tasks(1, many, NULL);
    in_tasks(2, many, NULL);
}

/* Nobody reads the pipe: the buffer fills, adding never waits. */
static int stuck(void *arg)
{
    mf_http_log_entry e = entry();
    mf_http_log *log;
    int p[2], i, full = 0;

    (void)arg;
    EXPECT_EQ(pipe2(p, O_CLOEXEC), 0);
    MF_SCOPE(s);
    EXPECT_EQ(mf_http_log_open(&s, p[1],
                               MF_HTTP_LOG_OPTIONS(.buffer = 64 << 10), &log),
              0);
    for (i = 0; i < 5000; i++) {
        int rc = mf_http_log_add(log, &e);

        EXPECT(rc == 0 || rc == -ENOBUFS);
        full += rc == -ENOBUFS;
        if (i % 16 == 0)
            mf_yield();
    }
    EXPECT(full > 0);
    EXPECT_EQ(mf_http_log_lost(log), full);
    EXPECT(mf_http_log_close(log, soon()) < 0);
    mf_close(p[0]);
    mf_close(p[1]);
    return mf_scope_close(&s);
}

MFI_TEST(a_writer_that_is_stuck_stops_nobody)
{
    in_tasks(1, stuck, NULL);
}

static int broken(void *arg)
{
    mf_http_log_entry e = entry();
    mf_http_log *log;
    int p[2];

    (void)arg;
    EXPECT_EQ(pipe2(p, O_CLOEXEC), 0);
    close(p[0]);
    MF_SCOPE(s);
    EXPECT_EQ(mf_http_log_open(&s, p[1], NULL, &log), 0);
    EXPECT_EQ(mf_http_log_add(log, &e), 0);
    EXPECT_EQ(mf_http_log_close(log, late()), -EPIPE);
    mf_close(p[1]);
    return mf_scope_close(&s);
}

MFI_TEST(a_write_that_fails_is_told)
{
    in_tasks(1, broken, NULL);
}

static int cancelled(void *arg)
{
    mf_http_log_entry e = entry();
    mf_http_log *log;
    char buf[256];
    int p[2];

    (void)arg;
    EXPECT_EQ(pipe2(p, O_CLOEXEC), 0);
    MF_SCOPE(s);
    EXPECT_EQ(mf_http_log_open(&s, p[1], NULL, &log), 0);
    EXPECT_EQ(mf_http_log_add(log, &e), 0);
    mf_scope_cancel(&s);
    mf_yield();
    EXPECT_EQ(mf_http_log_add(log, &e), 0);
    EXPECT_EQ(mf_http_log_close(log, late()), 0);
    mf_close(p[1]);
    read_all(p[0], buf, sizeof buf);
    close(p[0]);
    EXPECT(strchr(buf, '\n') != strrchr(buf, '\n')); /* both */
    return mf_scope_close(&s);
}

MFI_TEST(a_cancelled_scope_loses_no_line)
{
    in_tasks(1, cancelled, NULL);
}

static int misuse(void *arg)
{
    mf_http_log *log = NULL;

    (void)arg;
    MF_SCOPE(s);
    EXPECT_EQ(mf_http_log_open(NULL, 1, NULL, &log), -EINVAL);
    EXPECT_EQ(mf_http_log_open(&s, -1, NULL, &log), -EINVAL);
    EXPECT_EQ(mf_http_log_open(&s, 1, MF_HTTP_LOG_OPTIONS(.buffer = 100), &log),
              -EINVAL);
    EXPECT(log == NULL);
    EXPECT_EQ(mf_http_log_close(NULL, MF_NOW), 0);
    return mf_scope_close(&s);
}

MFI_TEST(bad_options_are_refused)
{
    in_tasks(1, misuse, NULL);
}
