/* SPDX-License-Identifier: MIT */
/* copy_test.c - a proxy between two peers: all bytes, both ends, silence. */
#include <sys/resource.h>

#include "io/files.h"

enum { LEN = 500000, PORTS = 2 };

/* client <-> [near | far] <-> server; mf_copy between near and far. */
struct line {
    int client;
    int near;
    int far;
    int server;
    mf_copied copied;
    mf_ns idle;
    mf_deadline deadline;
};

static void line_open(struct line *l, enum pair_kind kind)
{
    struct pair a = make_pair(kind), b = make_pair(kind);

    *l = (struct line){.client = a.w,
                       .near = a.r,
                       .far = b.w,
                       .server = b.r,
                       .deadline = late()};
}

static void line_close(struct line *l)
{
    EXPECT_EQ(mf_close(l->near), 0);
    EXPECT_EQ(mf_close(l->far), 0);
    if (l->client >= 0)
        EXPECT_EQ(mf_close(l->client), 0);
    if (l->server >= 0)
        EXPECT_EQ(mf_close(l->server), 0);
}

static int copy(void *arg)
{
    struct line *l = arg;

    return mf_copy(l->near, l->far, &l->copied,
                   MF_COPY_OPTIONS(.idle = l->idle), l->deadline);
}

struct talk {
    int fd;
    int64_t from;
};

static int say(void *arg)
{
    struct talk *t = arg;
    char *buf = malloc(LEN);

    EXPECT(buf != NULL);
    fill_bytes(buf, LEN, t->from);
    EXPECT_EQ(mf_write_all(t->fd, buf, LEN, late()), 0);
    EXPECT_EQ(mf_shutdown(t->fd, SHUT_WR), 0);
    free(buf);
    return 0;
}

static int hear(void *arg)
{
    struct talk *t = arg;
    char *buf = malloc(LEN);
    char c;

    EXPECT(buf != NULL);
    EXPECT_EQ(mf_read_full(t->fd, buf, LEN, late()), 1);
    expect_bytes(buf, LEN, t->from);
    EXPECT_EQ(mf_read(t->fd, &c, 1, late()), 0);
    free(buf);
    return 0;
}

/* Both talk at once, and each hears the other's end. */
static void both_ways(struct line *l)
{
    struct talk c = {l->client, 0}, s = {l->server, 77};
    struct talk to_c = {l->client, 77}, to_s = {l->server, 0};
    mf_scope scope;

    EXPECT_EQ(mf_scope_open(&scope, NULL), 0);
    EXPECT_EQ(mf_go(&scope, say, &c), 0);
    EXPECT_EQ(mf_go(&scope, say, &s), 0);
    EXPECT_EQ(mf_go(&scope, hear, &to_c), 0);
    EXPECT_EQ(mf_go(&scope, hear, &to_s), 0);
    EXPECT_EQ(copy(l), 0);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    EXPECT_EQ(l->copied.a_to_b, LEN);
    EXPECT_EQ(l->copied.b_to_a, LEN);
}

static int talks(void *arg)
{
    struct line l;

    (void)arg;
    line_open(&l, PAIR_TCP4);
    both_ways(&l);
    line_close(&l);
    line_open(&l, PAIR_UNIX);
    both_ways(&l);
    line_close(&l);
    return 0;
}

MFI_TEST(both_sides_hear_all_and_the_end)
{
    in_both(talks, NULL);
}

static int no_fds(void *arg)
{
    struct rlimit limit, old;
    struct line l;

    (void)arg;
    line_open(&l, PAIR_TCP4);
    steady_fds();
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = old;
    limit.rlim_cur = 3;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    both_ways(&l);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
    line_close(&l);
    return 0;
}

MFI_TEST(without_pipes_it_goes_through_buffers)
{
    in_both(no_fds, NULL);
}

/* A request ends, the answer comes after: HTTP/1.0, rsh, all the old ones. */
static int answer_after_end(void *arg)
{
    struct line *l = arg;
    char buf[20];

    EXPECT_EQ(mf_read_full(l->server, buf, 8, late()), 1);
    EXPECT_EQ(mf_read(l->server, buf + 8, 1, late()), 0);
    for (int i = 0; i < 50; i++)
        breathe();
    EXPECT_EQ(mf_write_all(l->server, "answer", 6, late()), 0);
    EXPECT_EQ(mf_close(l->server), 0);
    l->server = -1;
    EXPECT_EQ(mf_read_full(l->client, buf, 6, late()), 1);
    EXPECT_EQ(memcmp(buf, "answer", 6), 0);
    EXPECT_EQ(mf_read(l->client, buf, 1, late()), 0);
    return 0;
}

static int half(void *arg)
{
    struct helper h;
    struct line l;

    (void)arg;
    line_open(&l, PAIR_TCP4);
    EXPECT_EQ(mf_write_all(l.client, "question", 8, late()), 0);
    EXPECT_EQ(mf_shutdown(l.client, SHUT_WR), 0);
    help(&h, answer_after_end, &l);
    EXPECT_EQ(copy(&l), 0);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(l.copied.a_to_b, 8);
    EXPECT_EQ(l.copied.b_to_a, 6);
    line_close(&l);
    return 0;
}

MFI_TEST(one_side_ends_and_still_gets_its_answer)
{
    in_both(half, NULL);
}

struct talker {
    struct line line;
    mf_ns last; /* when it said something last */
    mf_ns gap;  /* its longest pause: this machine may be busy */
};

/* One side keeps talking: the silence of the other is not idleness. */
static int talk_on(void *arg)
{
    struct talker *t = arg;
    char c;

    for (int i = 0; i < 30; i++) {
        mf_ns now = mf_now();

        t->gap = now - t->last > t->gap ? now - t->last : t->gap;
        t->last = now;
        EXPECT_EQ(mf_write(t->line.client, "x", 1, late()), 1);
        if (mf_read(t->line.server, &c, 1, mf_after(MF_SEC(1))) != 1) {
            t->gap = MF_SEC(1);
            return 0; /* it hung up meanwhile */
        }
        EXPECT_EQ(mf_sleep(MF_MSEC(5)), 0);
    }
    return 0;
}

/* False: the talker was kept from talking. */
static bool idles_once(void)
{
    struct talker t = {.gap = 0};
    struct line *l = &t.line;
    struct helper h;
    bool talked;
    mf_ns end;

    line_open(l, PAIR_TCP4);
    l->idle = MF_MSEC(100);
    t.last = mf_now();
    help(&h, talk_on, &t);
    EXPECT_EQ(copy(l), -ETIMEDOUT);
    end = mf_now();
    EXPECT_EQ(helped(&h), 0);
    talked = t.gap < l->idle / 2;
    if (talked) {
        EXPECT_GE(end - t.last, l->idle);
        EXPECT_EQ(l->copied.a_to_b, 30);
        EXPECT_EQ(l->copied.b_to_a, 0);
    }
    line_close(l);
    return talked;
}

static int idles(void *arg)
{
    int tries = 0;

    (void)arg;
    while (!idles_once())
        EXPECT_LT(++tries, 20);
    return 0;
}

MFI_TEST(silence_of_both_sides_is_idle_of_one_is_not)
{
    in_both(idles, NULL);
}

static int stops(void *arg)
{
    int fds = steady_fds();
    struct line l;

    (void)arg;
    line_open(&l, PAIR_TCP4);
    EXPECT_EQ(mf_write_all(l.client, "abc", 3, late()), 0);
    l.deadline = soon();
    EXPECT_EQ(copy(&l), -ETIMEDOUT);
    EXPECT_EQ(l.copied.a_to_b, 3);
    l.deadline = MF_NEVER;
    EXPECT_EQ(cancelled_call(copy, &l), -ECANCELED);
    EXPECT_EQ(l.copied.a_to_b, 0);
    EXPECT_EQ(mf_sockopt_set(l.client, MF_SO_LINGER, 0), 0);
    EXPECT_EQ(mf_close(l.client), 0); /* a reset */
    l.client = -1;
    EXPECT_EQ(copy(&l), -ECONNRESET);
    l.idle = -1;
    EXPECT_EQ(copy(&l), -EINVAL);
    EXPECT_EQ(mf_copy(-1, l.far, NULL, NULL, late()), -EBADF);
    EXPECT_EQ(mf_copy(l.far, -1, NULL, NULL, late()), -EBADF);
    line_close(&l);
    EXPECT_LE(count_fds(), fds + 4); /* two pipes are kept */
    return 0;
}

MFI_TEST(deadline_cancel_and_reset_end_both_sides)
{
    in_both(stops, NULL);
}

static int close_near(void *arg)
{
    struct line *l = arg;

    await_waiters(l->near, 1);
    await_waiters(l->far, 1);
    return mf_close(l->near);
}

static int closed(void *arg)
{
    struct helper h;
    struct line l;

    (void)arg;
    line_open(&l, PAIR_TCP4);
    help(&h, close_near, &l);
    EXPECT_EQ(copy(&l), -EBADF);
    EXPECT_EQ(helped(&h), 0);
    l.near = l.client;
    l.client = -1;
    line_close(&l);
    return 0;
}

MFI_TEST(closing_a_side_ends_it)
{
    in_both(closed, NULL);
}

/* Many lines at once; the pipes are shared. */
static int one_line(void *arg)
{
    struct line l;

    (void)arg;
    line_open(&l, PAIR_UNIX);
    both_ways(&l);
    line_close(&l);
    return 0;
}

static int crowd(void *arg)
{
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < 40 / KIT_SLOW; i++)
        EXPECT_EQ(mf_go(&s, one_line, NULL), 0);
    return mf_scope_close(&s);
}

MFI_TEST(many_lines_at_once)
{
    int fds = count_fds();

    in_both(crowd, NULL);
    EXPECT_LE(count_fds(), fds + 1); /* this thread's bell */
}
