/* SPDX-License-Identifier: MIT */
/*
 * rw_test.c - reading and writing, on every kind of fd, as a task and as a
 * plain thread.
 */
#include "io/kit.h"

/* fn on each kind of pair, both ways of running. */
typedef void pair_fn(struct pair *p);

static int on_each_pair(void *fn_of)
{
    pair_fn *fn = *(pair_fn **)fn_of;

    for (int k = 0; k < PAIRS; k++) {
        struct pair p = make_pair((enum pair_kind)k);

        fn(&p);
        close_pair(&p);
    }
    return 0;
}

static void each_pair(pair_fn *fn)
{
    in_both(on_each_pair, &fn);
}

static void short_and_empty(struct pair *p)
{
    char buf[64] = {0};

    EXPECT_EQ(mf_read(p->r, buf, sizeof buf, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_read(p->r, buf, 0, MF_NEVER), 0);
    EXPECT_EQ(mf_write(p->w, buf, 0, MF_NEVER), 0);
    EXPECT_EQ(mf_read(p->r, buf, sizeof buf, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_write(p->w, "hello", 5, late()), 5);
    EXPECT_EQ(mf_read(p->r, buf, 2, late()), 2);
    EXPECT_EQ(mf_read(p->r, buf + 2, sizeof buf - 2, late()), 3);
    EXPECT_STR_EQ(buf, "hello");
    EXPECT_EQ(mf_read(p->r, buf, sizeof buf, soon()), -ETIMEDOUT);
}

MFI_TEST(a_read_takes_what_is_there)
{
    each_pair(short_and_empty);
}

/* "Try once" asks the kernel, whatever the record believes. */
static void tries(struct pair *p)
{
    char buf[8];

    for (int i = 0; i < 20; i++) {
        EXPECT_EQ(mf_write(p->w, "ab", 2, MF_NOW), 2);
        if (p->kind == PAIR_PTY || p->kind == PAIR_TCP6)
            EXPECT_EQ(mf_wait_fd(p->r, POLLIN, late()), POLLIN);
        EXPECT_EQ(mf_read(p->r, buf, sizeof buf, MF_NOW), 2);
        EXPECT_EQ(mf_read(p->r, buf, sizeof buf, MF_NOW), -ETIMEDOUT);
    }
}

MFI_TEST(a_past_deadline_tries_once)
{
    each_pair(tries);
}

static int write_bytes(void *arg)
{
    struct pair *p = arg;

    for (int i = 0; i < 200; i++) {
        char c = (char)('a' + i % 26);

        EXPECT_EQ(mf_write(p->w, &c, 1, late()), 1);
        if (i % 7 == 0)
            breathe();
    }
    return 0;
}

static void bytewise(struct pair *p)
{
    struct helper h;
    char c;

    help(&h, write_bytes, p);
    for (int i = 0; i < 200; i++) {
        EXPECT_EQ(mf_read(p->r, &c, 1, late()), 1);
        EXPECT_EQ(c, 'a' + i % 26);
    }
    EXPECT_EQ(helped(&h), 0);
}

MFI_TEST(byte_by_byte_in_order)
{
    each_pair(bytewise);
}

static void vectors(struct pair *p)
{
    char a[3], b[1], c[60] = {0}, e[1];
    struct iovec out[4] = {{(void *)(uintptr_t) "abc", 3},
                           {e, 0},
                           {(void *)(uintptr_t) "defg", 4},
                           {(void *)(uintptr_t) "h", 1}};
    struct iovec in[4] = {{a, 3}, {e, 0}, {b, 1}, {c, sizeof c}};

    EXPECT_EQ(mf_writev(p->w, out, 4, late()), 8);
    EXPECT_EQ(mf_readv(p->r, in, 4, late()), 8);
    EXPECT_EQ(memcmp(a, "abc", 3), 0);
    EXPECT_EQ(b[0], 'd');
    EXPECT_STR_EQ(c, "efgh");
    EXPECT_EQ(mf_readv(p->r, in, 4, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_readv(p->r, in, 0, MF_NEVER), 0);
    EXPECT_EQ(mf_readv(p->r, in, -1, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_readv(p->r, NULL, 1, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_writev(p->w, out, 100000, MF_NEVER), -EINVAL);
}

MFI_TEST(vectors_scatter_and_gather)
{
    each_pair(vectors);
}

/* Whoever reads is slow; the writer has to wait for room many times. */
enum { BIG = 600000 };
static char big[BIG];

static int read_slowly(void *arg)
{
    struct pair *p = arg;
    char buf[4001];
    int total = 0, n;

    while ((n = mf_read(p->r, buf, sizeof buf, late())) > 0) {
        for (int i = 0; i < n; i++)
            EXPECT_EQ(buf[i], (char)((total + i) * 31 >> 3));
        total += n;
        if (total == BIG)
            break;
        breathe();
    }
    EXPECT_EQ(total, BIG);
    return 0;
}

static void big_write(struct pair *p)
{
    struct iovec iov[3] = {
        {big, 7}, {big + 7, BIG / 2}, {big + 7 + BIG / 2, BIG / 2 - 7}};
    struct helper h;

    if (p->kind == PAIR_PTY)
        return; /* line discipline */
    for (int i = 0; i < BIG; i++)
        big[i] = (char)(i * 31 >> 3);
    help(&h, read_slowly, p);
    EXPECT_EQ(mf_write_all(p->w, big, BIG, late()), 0);
    EXPECT_EQ(helped(&h), 0);
    help(&h, read_slowly, p);
    EXPECT_EQ(mf_writev_all(p->w, iov, 3, late()), 0);
    EXPECT_EQ(helped(&h), 0);
}

MFI_TEST(more_than_the_buffers_hold_goes_through_a_slow_reader)
{
    each_pair(big_write);
}

static void stopped_writev(struct pair *p)
{
    size_t done = 0;
    char buf[4096];
    struct iovec iov[3] = {{big, 1}, {big + 1, BIG / 2}, {big + 1, BIG * 0}};
    int n;

    if (p->kind == PAIR_PTY)
        return;
    for (int i = 0; i < BIG; i++)
        big[i] = (char)(i % 251);
    /* More than any buffer: several rounds of the same. */
    do {
        iov[0] = (struct iovec){big, 1};
        iov[1] = (struct iovec){big + 1, BIG - 1};
        n = mf_writev_all(p->w, iov, 3, soon());
        done += BIG - iov[0].iov_len - iov[1].iov_len;
    } while (n == 0);
    EXPECT_EQ(n, -ETIMEDOUT);
    EXPECT_EQ((char *)iov[1].iov_base + iov[1].iov_len - big, BIG);
    while ((n = mf_read(p->r, buf, sizeof buf, soon())) > 0)
        for (int i = 0; i < n; i++, done--)
            ;
    EXPECT_EQ(n, -ETIMEDOUT);
    EXPECT_EQ(done, 0); /* what the vectors say is what went out */
}

MFI_TEST(writev_all_says_on_error_how_far_it_came)
{
    each_pair(stopped_writev);
}

static void ends(struct pair *p)
{
    char buf[8];

    if (p->kind == PAIR_PTY)
        return; /* a hang-up of a terminal is EIO */
    EXPECT_EQ(mf_write_all(p->w, "12345678abc", 11, late()), 0);
    EXPECT_EQ(mf_close(p->w), 0);
    p->w = -1;
    EXPECT_EQ(mf_read_full(p->r, buf, 8, late()), 1);
    EXPECT_EQ(memcmp(buf, "12345678", 8), 0);
    EXPECT_EQ(mf_read_full(p->r, buf, 8, late()), -EPIPE);
    EXPECT_EQ(mf_read_full(p->r, buf, 8, late()), 0);
    EXPECT_EQ(mf_read(p->r, buf, 8, MF_NEVER), 0);
    EXPECT_EQ(mf_read_full(p->r, buf, 0, MF_NEVER), 1);
}

MFI_TEST(an_end_is_zero_or_epipe_in_between)
{
    each_pair(ends);
}

/* Nothing catches SIGPIPE here: one would end the test. */
static void broken(struct pair *p)
{
    struct iovec iov[2] = {{big, 1}, {big, 1}};
    int rc;

    if (p->kind == PAIR_PTY)
        return;
    EXPECT_EQ(mf_close(p->r), 0);
    p->r = -1;
    while ((rc = mf_write(p->w, "x", 1, late())) > 0)
        breathe(); /* TCP learns of it by the answer */
    EXPECT(rc == -EPIPE || rc == -ECONNRESET);
    EXPECT_EQ(mf_write(p->w, "x", 1, late()), -EPIPE);
    EXPECT_EQ(mf_writev(p->w, iov, 2, late()), -EPIPE);
    EXPECT_EQ(mf_write_all(p->w, "xyz", 3, late()), -EPIPE);
}

MFI_TEST(a_broken_pipe_is_epipe_and_no_signal)
{
    signal(SIGPIPE, SIG_DFL);
    each_pair(broken);
}

static void per_fd(struct pair *p)
{
    mf_ns begin = mf_now();
    char c;

    EXPECT_EQ(mf_fd_timeouts(p->r, MF_MSEC(5), 0), 0);
    EXPECT_EQ(mf_read(p->r, &c, 1, MF_NEVER), -ETIMEDOUT);
    EXPECT_EQ(mf_read(p->r, &c, 1, late()), -ETIMEDOUT);
    EXPECT_EQ(mf_wait_fd(p->r, POLLIN, late()), -ETIMEDOUT);
    EXPECT_GE(mf_now() - begin, MF_MSEC(15));
    EXPECT_EQ(mf_fd_timeouts(p->r, MF_SEC(60), 0), 0);
    EXPECT_EQ(mf_read(p->r, &c, 1, soon()), -ETIMEDOUT); /* the nearer */
    EXPECT_LT(mf_now() - begin, MF_SEC(50));
    EXPECT_EQ(mf_fd_timeouts(p->r, -1, 0), -EINVAL);
    EXPECT_EQ(mf_fd_timeouts(p->r, 0, -1), -EINVAL);
    EXPECT_EQ(mf_fd_timeouts(p->w, 0, MF_MSEC(5)), 0);
    if (p->kind == PAIR_PTY)
        return;
    while (mf_write(p->w, big, sizeof big, MF_NOW) > 0)
        ;
    EXPECT_EQ(mf_write(p->w, big, sizeof big, MF_NEVER), -ETIMEDOUT);
}

MFI_TEST(the_nearer_of_deadline_and_own_timeout_counts)
{
    each_pair(per_fd);
}

static void in_time(struct pair *p)
{
    mf_ns begin = mf_now(), took;
    char c;

    EXPECT_EQ(mf_read(p->r, &c, 1, mf_after(MF_MSEC(10))), -ETIMEDOUT);
    took = mf_now() - begin;
    EXPECT_GE(took, MF_MSEC(10));
    EXPECT_LT(took, MF_SEC(5));
}

MFI_TEST(a_deadline_ends_a_wait_not_before_its_time)
{
    each_pair(in_time);
}
