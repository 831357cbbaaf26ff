/* SPDX-License-Identifier: MIT */
/*
 * pump_test.c - all that goes in comes out, in order, whatever the two ends
 * are; and where it stops when it must.
 */
#include "io/pump.h"

#include <sys/resource.h>

#include "io/files.h"

enum { LEN = 700000 };
static char data[LEN];

struct stage {
    struct pair in;
    struct pair out;
    struct pump pump;
    _Atomic uint64_t moved;
    struct idle idle;
};

static void stage_init(struct stage *s, enum pair_kind in, enum pair_kind out)
{
    memset(s, 0, sizeof *s);
    s->in = make_pair(in);
    s->out = make_pair(out);
    s->pump = (struct pump){.in = s->in.r,
                            .out = s->out.w,
                            .left = UINT64_MAX,
                            .deadline = late(),
                            .idle = &s->idle,
                            .moved = &s->moved};
}

static void stage_done(struct stage *s)
{
    close_pair(&s->in);
    close_pair(&s->out);
}

static int feed(void *arg)
{
    struct stage *s = arg;
    size_t done = 0, step = 1;

    for (; done < LEN; done += step, step = step * 3 % 50021) {
        if (step > LEN - done)
            step = LEN - done;
        EXPECT_EQ(mf_write_all(s->in.w, data + done, step, late()), 0);
    }
    EXPECT_EQ(mf_close(s->in.w), 0);
    s->in.w = -1;
    return 0;
}

static int drink(void *arg)
{
    struct stage *s = arg;
    size_t got = 0;
    char *to = malloc(LEN + 1);
    int n = 1;

    EXPECT(to != NULL);
    while (got < LEN && n > 0) {
        n = mf_read(s->out.r, to + got, LEN + 1 - got, late());
        EXPECT_GT(n, 0);
        got += (size_t)n;
        breathe(); /* slowly */
    }
    EXPECT_EQ(got, LEN);
    EXPECT_EQ(memcmp(to, data, LEN), 0);
    free(to);
    return 0;
}

static void through(struct stage *s)
{
    struct helper in, out;

    fill_bytes(data, LEN, 0);
    help(&in, feed, s);
    help(&out, drink, s);
    EXPECT_EQ(mfi_pump(&s->pump), 0);
    EXPECT_EQ(s->moved, LEN);
    EXPECT_EQ(helped(&out), 0);
    EXPECT_EQ(helped(&in), 0);
}

static int all_kinds(void *arg)
{
    static const enum pair_kind kinds[] = {PAIR_TCP4, PAIR_UNIX, PAIR_PIPE};
    struct stage s;

    (void)arg;
    for (int i = 0; i < 3; i++)
        for (int o = 0; o < 3; o++) {
            stage_init(&s, kinds[i], kinds[o]);
            through(&s);
            stage_done(&s);
        }
    return 0;
}

MFI_TEST(what_goes_in_comes_out_between_all_kinds)
{
    in_both(all_kinds, NULL);
}

/* No number is free: no pipe, so a buffer. */
static int no_fds(void *arg)
{
    struct rlimit limit, old;
    struct stage s;

    (void)arg;
    stage_init(&s, PAIR_TCP4, PAIR_UNIX);
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    steady_fds();
    limit = old;
    limit.rlim_cur = 3;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    through(&s);
    EXPECT(s.pump.by_buffer);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
    stage_done(&s);
    return 0;
}

MFI_TEST(without_a_pipe_a_buffer_does_it)
{
    in_both(no_fds, NULL);
}

/* An eventfd is read and written, but not spliced. */
static int odd_kinds(void *arg)
{
    uint64_t one = 1;
    struct stage s;
    char buf[10];

    (void)arg;
    stage_init(&s, PAIR_PIPE, PAIR_PIPE);
    s.pump.in = mfi_eventfd();
    s.pump.left = 8;
    EXPECT_EQ(mf_write_all(s.pump.in, &one, 8, late()), 0);
    EXPECT_EQ(mfi_pump(&s.pump), 0);
    EXPECT_EQ(s.moved, 8);
    EXPECT(s.pump.by_buffer);
    EXPECT_EQ(mf_read(s.out.r, buf, sizeof buf, late()), 8);
    EXPECT_EQ(buf[0], 1);
    EXPECT_EQ(mf_close(s.pump.in), 0);
    stage_done(&s);
    /* The output refuses: what is in the pipe by then comes back. */
    stage_init(&s, PAIR_PIPE, PAIR_PIPE);
    s.pump.out = mfi_eventfd();
    EXPECT_EQ(mf_write_all(s.in.w, "\1\0\0\0\0\0\0\0", 8, late()), 0);
    s.pump.left = 8;
    EXPECT_EQ(mfi_pump(&s.pump), 0);
    EXPECT_EQ(s.moved, 8);
    EXPECT(s.pump.by_buffer);
    EXPECT_EQ(mf_read(s.pump.out, buf, 8, late()), 8);
    EXPECT_EQ(buf[0], 1);
    EXPECT_EQ(mf_close(s.pump.out), 0);
    stage_done(&s);
    return 0;
}

MFI_TEST(what_cannot_be_spliced_goes_through_a_buffer)
{
    in_both(odd_kinds, NULL);
}

static int stops(void *arg)
{
    struct stage s;
    char buf[20];
    mf_ns begin = mf_now();
    int fds;

    (void)arg;
    stage_init(&s, PAIR_TCP4, PAIR_TCP4);
    /* Nothing comes: the deadline, try once, idle. */
    s.pump.deadline = soon();
    EXPECT_EQ(mfi_pump(&s.pump), -ETIMEDOUT);
    s.pump.deadline = MF_NOW;
    EXPECT_EQ(mfi_pump(&s.pump), -ETIMEDOUT);
    s.pump.deadline = late();
    s.idle.span = MF_MSEC(10);
    s.idle.since = mf_now();
    EXPECT_EQ(mfi_pump(&s.pump), -ETIMEDOUT);
    EXPECT_LT(mf_now() - begin, MF_SEC(10) * mfi_test_scale());
    s.idle.span = 0;
    fds = steady_fds();
    /* So much and no more. */
    EXPECT_EQ(mf_write_all(s.in.w, "0123456789", 10, late()), 0);
    s.pump.left = 7;
    EXPECT_EQ(mfi_pump(&s.pump), 0);
    EXPECT_EQ(s.moved, 7);
    EXPECT_EQ(mf_read(s.out.r, buf, 20, late()), 7);
    EXPECT_EQ(mf_read(s.in.r, buf, 20, late()), 3);
    EXPECT_EQ(memcmp(buf, "789", 3), 0);
    s.pump.left = 0;
    EXPECT_EQ(mfi_pump(&s.pump), 0);
    /* The output is full: what is in the pipe is lost, and the pipe closed. */
    while (mf_write(s.pump.out, data, LEN, MF_NOW) > 0)
        ;
    EXPECT_EQ(mf_write_all(s.in.w, "0123456789", 10, late()), 0);
    s.pump.left = 100;
    s.pump.deadline = soon();
    EXPECT_EQ(mfi_pump(&s.pump), -ETIMEDOUT);
    EXPECT_EQ(s.moved, 7);
    EXPECT_LE(count_fds(), fds);
    stage_done(&s);
    return 0;
}

MFI_TEST(deadline_idle_and_limit_end_it)
{
    in_both(stops, NULL);
}

static int pump_it(void *arg)
{
    struct stage *s = arg;

    return mfi_pump(&s->pump);
}

static int fails(void *arg)
{
    struct stage s;
    int rc;

    (void)arg;
    stage_init(&s, PAIR_TCP4, PAIR_PIPE);
    s.pump.deadline = MF_NEVER;
    EXPECT_EQ(cancelled_call(pump_it, &s), -ECANCELED);
    EXPECT_EQ(mf_close(s.out.r), 0);
    s.out.r = -1;
    EXPECT_EQ(mf_write_all(s.in.w, "x", 1, late()), 0);
    EXPECT_EQ(mfi_pump(&s.pump), -EPIPE); /* and no SIGPIPE */
    stage_done(&s);
    stage_init(&s, PAIR_UNIX, PAIR_TCP4);
    EXPECT_EQ(mf_close(s.out.r), 0);
    s.out.r = -1;
    do {
        EXPECT_EQ(mf_write_all(s.in.w, "x", 1, late()), 0);
        s.pump.left = 1;
        breathe();
    } while ((rc = mfi_pump(&s.pump)) == 0);
    EXPECT(rc == -EPIPE || rc == -ECONNRESET);
    stage_done(&s);
    s.pump.left = 1;
    EXPECT_EQ(mfi_pump(&s.pump), -EBADF);
    return 0;
}

MFI_TEST(a_broken_end_is_an_error_and_no_signal)
{
    signal(SIGPIPE, SIG_DFL);
    in_both(fails, NULL);
}
