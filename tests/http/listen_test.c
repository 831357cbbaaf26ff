/* SPDX-License-Identifier: MIT */
/* listen_test.c - many connections: idle ones, too many, draining, closing. */
#include "io/kit.h"

#include <mayfly/http.h>
#include <mayfly/sync.h>

#include <malloc.h>
#include <sys/resource.h>
#include <sys/socket.h>

static int hello(mf_http_req *req, void *arg)
{
    (void)arg;
    return mf_http_reply(req, 200, NULL, "hello", 5, MF_NEVER);
}

static mf_event entered, go_on;

static int slow(mf_http_req *req, void *arg)
{
    int rc;

    (void)arg;
    mf_event_fire(&entered);
    if ((rc = mf_event_wait(&go_on, MF_NEVER)) < 0)
        return rc;
    return mf_http_reply(req, 200, NULL, "slow", 4, MF_NEVER);
}

struct site {
    mf_http_app *app;
    int listener;
    mf_event stop;
    mf_serve_options o;
    int rc;
};

static int listens(void *arg)
{
    struct site *s = arg;

    s->rc = mf_http_listen(s->app, s->listener, &s->o);
    return 0;
}

static void make_site(struct site *s, const mf_http_options *opts, char *where)
{
    mf_addr addr;

    memset(s, 0, sizeof *s);
    entered = go_on = (mf_event){{0, 0}};
    EXPECT_EQ(mf_http_app_make(opts, &s->app), 0);
    EXPECT_EQ(mf_http_route(s->app, "GET", "/", hello, NULL), 0);
    EXPECT_EQ(mf_http_route(s->app, "GET", "/slow", slow, NULL), 0);
    EXPECT_GE(s->listener = mf_tcp_listen("127.0.0.1:0", NULL), 0);
    EXPECT_EQ(mf_local_addr(s->listener, &addr), 0);
    mf_addr_str(&addr, where, 64);
    s->o = (mf_serve_options){.size = sizeof s->o, .stop = &s->stop};
}

static void say(int fd, const char *text)
{
    EXPECT_EQ(mf_write_all(fd, text, strlen(text), late()), 0);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* The answer ends with that. */
static void hear(int fd, const char *end)
{
    char buf[1024];
    size_t len = 0, want = strlen(end);

    while (len < want || memcmp(buf + len - want, end, want) != 0) {
        int n = mf_read(fd, buf + len, sizeof buf - len, late());

        EXPECT_GT(n, 0);
        len += (size_t)n;
    }
}

static void hear_end(int fd)
{
    char c;

    EXPECT_EQ(mf_read(fd, &c, 1, late()), 0);
}

/* ---- idle --------------------------------------------------------------- */

enum { IDLE = MFI_TEST_TSAN || MFI_TEST_ASAN ? 100 : 2000, MOST_BYTES = 600 };

/* What malloc has given out. Sanitizers have one of their own. */
static size_t allocated(void)
{
    return mallinfo2().uordblks;
}

static int idle_ones(void *arg)
{
    static int fds[IDLE];
    struct site s;
    char where[64];
    size_t before, each;
    MF_SCOPE(scope, .mode = MF_WAIT_ALL);

    (void)arg;
    make_site(&s, NULL, where);
    EXPECT_EQ(mf_go(&scope, listens, &s), 0);
    before = allocated();
    for (int i = 0; i < IDLE; i++) {
        EXPECT_GE(fds[i] = mf_tcp_connect(where, NULL, late()), 0);
        say(fds[i], GET("/"));
        hear(fds[i], "hello");
    }
    EXPECT_EQ(mf_sleep(MF_MSEC(1500)), 0);
    each = (allocated() - before) / IDLE;
    printf("# %zu bytes from malloc for each of %d\n", each, IDLE);
    EXPECT_LE(each, MOST_BYTES);
    for (int i = 0; i < IDLE; i++) { /* and all are there still */
        say(fds[i], GET("/") GET("/"));
        hear(fds[i], "hello");
    }
    mf_event_fire(&s.stop);
    for (int i = 0; i < IDLE; i++) {
        while (mf_read(fds[i], where, sizeof where, late()) > 0)
            continue;
        EXPECT_EQ(mf_close(fds[i]), 0);
    }
    EXPECT_EQ(mf_scope_close(&scope), 0);
    EXPECT_EQ(s.rc, 0);
    mf_http_app_unref(s.app);
    return 0;
}

MFI_TEST(an_idle_connection_is_a_record_and_goes_on)
{
    struct rlimit limit;

    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    in_tasks(2, idle_ones, NULL);
}

static int idle_too_long(void *arg)
{
    struct site s;
    char where[64];
    int fd;
    MF_SCOPE(scope, .mode = MF_WAIT_ALL);

    (void)arg;
    make_site(&s, MF_HTTP_OPTIONS(.idle_timeout = MF_MSEC(1200)), where);
    EXPECT_EQ(mf_go(&scope, listens, &s), 0);
    EXPECT_GE(fd = mf_tcp_connect(where, NULL, late()), 0);
    say(fd, GET("/"));
    hear(fd, "hello");
    hear_end(fd);
    EXPECT_EQ(mf_close(fd), 0);
    mf_event_fire(&s.stop);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    EXPECT_EQ(s.rc, 0);
    mf_http_app_unref(s.app);
    return 0;
}

MFI_TEST(an_idle_connection_ends_at_its_timeout)
{
    in_tasks(2, idle_too_long, NULL);
}

/* ---- too many ----------------------------------------------------------- */

static int one_too_many(void *arg)
{
    struct site s;
    char where[64];
    int fds[3];
    MF_SCOPE(scope, .mode = MF_WAIT_ALL);

    (void)arg;
    make_site(&s, NULL, where);
    s.o.max_conns = 2;
    EXPECT_EQ(mf_go(&scope, listens, &s), 0);
    for (int i = 0; i < 2; i++) {
        EXPECT_GE(fds[i] = mf_tcp_connect(where, NULL, late()), 0);
        say(fds[i], GET("/"));
        hear(fds[i], "hello");
    }
    EXPECT_GE(fds[2] = mf_tcp_connect(where, NULL, late()), 0);
    say(fds[2], GET("/"));
    hear(fds[2], "Connection: close\r\n\r\n");
    hear_end(fds[2]);
    EXPECT_EQ(mf_close(fds[2]), 0);
    EXPECT_EQ(mf_close(fds[0]), 0); /* one place is free, a little later */
    for (;;) {
        char buf[256];
        int n;

        EXPECT_GE(fds[2] = mf_tcp_connect(where, NULL, late()), 0);
        say(fds[2], GET("/"));
        EXPECT_GT(n = mf_read(fds[2], buf, sizeof buf, late()), 12);
        if (memcmp(buf + 9, "200", 3) == 0)
            break;
        EXPECT_EQ(memcmp(buf + 9, "503", 3), 0);
        EXPECT_EQ(mf_close(fds[2]), 0);
    }
    EXPECT_EQ(mf_close(fds[1]), 0);
    EXPECT_EQ(mf_close(fds[2]), 0);
    mf_event_fire(&s.stop);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    EXPECT_EQ(s.rc, 0);
    mf_http_app_unref(s.app);
    return 0;
}

MFI_TEST(one_connection_too_many_is_told)
{
    in_tasks(2, one_too_many, NULL);
}

/* ---- draining ----------------------------------------------------------- */

static int drains(void *arg)
{
    struct site s;
    char where[64];
    int busy, idle;
    MF_SCOPE(scope, .mode = MF_WAIT_ALL);

    (void)arg;
    make_site(&s, NULL, where);
    EXPECT_EQ(mf_go(&scope, listens, &s), 0);
    EXPECT_GE(busy = mf_tcp_connect(where, NULL, late()), 0);
    EXPECT_GE(idle = mf_tcp_connect(where, NULL, late()), 0);
    say(idle, GET("/"));
    hear(idle, "hello");
    say(busy, GET("/slow"));
    EXPECT_EQ(mf_event_wait(&entered, late()), 0);
    mf_event_fire(&s.stop);
    hear_end(idle); /* at once */
    mf_event_fire(&go_on);
    hear(busy, "Connection: close\r\n\r\nslow");
    hear_end(busy);
    EXPECT_EQ(mf_close(idle), 0);
    EXPECT_EQ(mf_close(busy), 0);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    EXPECT_EQ(s.rc, 0);
    mf_http_app_unref(s.app);
    return 0;
}

MFI_TEST(a_stop_ends_the_idle_and_lets_the_busy_finish)
{
    in_tasks(2, drains, NULL);
    in_tasks(1, drains, NULL);
}

static int drain_ends(void *arg)
{
    struct site s;
    char where[64];
    int busy;
    MF_SCOPE(scope, .mode = MF_WAIT_ALL);

    (void)arg;
    make_site(&s, NULL, where);
    s.o.drain = MF_MSEC(50);
    EXPECT_EQ(mf_go(&scope, listens, &s), 0);
    EXPECT_GE(busy = mf_tcp_connect(where, NULL, late()), 0);
    say(busy, GET("/slow"));
    EXPECT_EQ(mf_event_wait(&entered, late()), 0);
    mf_event_fire(&s.stop);
    EXPECT_EQ(mf_scope_wait(&scope, late()), 0);
    EXPECT_EQ(s.rc, -ETIMEDOUT);
    while (mf_read(busy, where, sizeof where, late()) > 0)
        continue; /* told or not, it is over */
    EXPECT_EQ(mf_close(busy), 0);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    mf_http_app_unref(s.app);
    return 0;
}

MFI_TEST(a_drain_has_an_end)
{
    in_tasks(2, drain_ends, NULL);
}

/* ---- many, short -------------------------------------------------------- */

static int caller(void *arg)
{
    enum { TIMES = 400 / KIT_SLOW };
    char *where = arg;

    for (int i = 0; i < TIMES; i++) {
        int fd = mf_tcp_connect(where, NULL, late());

        EXPECT_GE(fd, 0);
        say(fd, GET("/"));
        if (i % 3 > 0)
            hear(fd, "hello");
        EXPECT_EQ(mf_close(fd), 0); /* or it is not waited for */
    }
    return 0;
}

static int churn(void *arg)
{
    struct site s;
    char where[64];
    MF_SCOPE(scope, .mode = MF_WAIT_ALL);

    (void)arg;
    make_site(&s, NULL, where);
    EXPECT_EQ(mf_go(&scope, listens, &s), 0);
    {
        MF_SCOPE(callers);

        for (int i = 0; i < 8; i++)
            EXPECT_EQ(mf_go(&callers, caller, where), 0);
        EXPECT_EQ(mf_scope_close(&callers), 0);
    }
    mf_event_fire(&s.stop);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    EXPECT_EQ(s.rc, 0);
    mf_http_app_unref(s.app);
    return 0;
}

MFI_TEST(connections_come_and_go)
{
    in_tasks(2, churn, NULL);
}
