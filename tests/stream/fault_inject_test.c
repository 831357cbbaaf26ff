/* SPDX-License-Identifier: MIT */
/*
 * fault_inject_test.c - streams while the system calls under them fail.
 *
 * For each fault the n-th call fails, for n from 1 until a run meets none; and
 * all of the first hundred do. What a call was told failed may be tried again:
 * both sides do, and then every byte has come, once and in order; for neither
 * half keeps its place by luck. (No EAGAIN out of the blue: no kernel says that
 * of bytes that are there, and no edge would follow.) Errors that end a
 * connection are told.
 */
#include "io/fault.h"
#include "stream/streams.h"

#define F(nr, e, mode)            \
 {                                \
  SYS_##nr, #nr, e, #e, mode, ANY \
 }

/* Each leaves the connection as it was. */
static const struct fault passing[] = {
    F(recvfrom, EINTR, FAIL),
    F(recvfrom, ENOMEM, FAIL),
    F(recvfrom, 0, SHORT),
    F(sendto, EINTR, FAIL),
    F(sendto, ENOBUFS, FAIL),
    F(sendto, 0, SHORT),
    F(sendmsg, EINTR, FAIL),
    F(sendmsg, ENOMEM, FAIL),
    F(sendmsg, 0, SHORT),
    F(ppoll, EINTR, FAIL),
    F(ppoll, ENOMEM, FAIL),
    F(epoll_ctl, ENOMEM, FAIL),
    F(io_uring_enter, EINTR, FAIL),
    F(io_uring_enter, EBUSY, FAIL),
    F(io_uring_enter, 0, SHORT_OPS),
};
enum { PASSING = sizeof passing / sizeof passing[0], LINES = 40, TRIES = 300 };

/* Once more, unless it is over. */
static bool again(int rc, int *tries)
{
    if (rc == 0)
        return false;
    EXPECT(rc == -ENOMEM || rc == -ENOBUFS || rc == -EBUSY || rc == -ETIMEDOUT);
    EXPECT_LT(++*tries, TRIES);
    return true;
}

static int write_lines(void *arg)
{
    mf_stream *s = arg;
    int tries = 0;
    char line[200];

    EXPECT_EQ(mf_stream_hold(s, 100), 0);
    for (int i = 0; i < LINES; i++) {
        int len = sprintf(line, "%d:%0*d\n", i, i * 4 % 150 + 1, 0);
        struct iovec v[2] = {{line, 1}, {line + 1, (size_t)len - 1}};

        while (again(mf_stream_writev_all(s, v, 2, late()), &tries))
            ;
        if (i % 10 == 0)
            while (again(mf_stream_flush(s, late()), &tries))
                ;
    }
    while (again(mf_stream_shutdown(s, late()), &tries))
        ;
    return 0;
}

static int read_lines(mf_stream *s)
{
    int tries = 0;
    char want[200], *line;

    for (int i = 0; i < LINES; i++) {
        int len = sprintf(want, "%d:%0*d", i, i * 4 % 150 + 1, 0), rc;

        if (i % 4 == 1)
            while ((rc = mf_stream_peek(s, &line, 3, late())) < 0)
                EXPECT(again(rc, &tries));
        while ((rc = mf_stream_line(s, &line, late())) < 0)
            EXPECT(again(rc, &tries));
        EXPECT_EQ(rc, len + 1);
        EXPECT_STR_EQ(line, want);
    }
    while ((tries = mf_stream_read(s, want, 1, late())) < 0)
        ;
    return tries;
}

static int talk(void *arg)
{
    struct two t = make_two(OVER_TCP);
    const struct fault *f = ((const struct fault **)arg)[0];
    const uint32_t *nth = ((const uint32_t **)arg)[1];
    struct helper h;
    int rc;

    arm(f, nth[0], nth[1]);
    help(&h, write_lines, t.b);
    rc = read_lines(t.a);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(rc, 0);
    rc = (int)disarm();
    end_two(&t);
    return rc;
}

/* How many were struck. */
static int with_fault(const struct fault *f, uint32_t nth, uint32_t times)
{
    uint32_t when[2] = {nth, times};
    const void *arg[2] = {f, when};
    int rc = mf_run(talk, (void *)arg, MF_OPTIONS(.workers = 1));

    EXPECT_GE(rc, 0);
    return rc;
}

MFI_TEST(faults_that_pass_lose_no_byte)
{
    for (int i = 0; i < PASSING; i++) {
        uint32_t n = 1;

        while (n < 100 / KIT_SLOW && with_fault(&passing[i], n, 1) > 0)
            n += 1 + n / 8;
        if (passing[i].nr == SYS_sendmsg) /* a ring may do the others */
            EXPECT_GT(n, 5);
        (void)with_fault(&passing[i], 1, 100);
    }
}

/* ---- faults that end it -------------------------------------------------- */

static const struct fault resets[] = {
    F(recvfrom, ECONNRESET, FAIL),
    F(sendto, EPIPE, FAIL),
    F(sendmsg, EPIPE, FAIL),
};

/* Told once to whom it struck, and the close is as any. */
static int broken(void *arg)
{
    const struct fault *f = arg;
    struct two t = make_two(OVER_TCP);
    struct iovec v[2] = {{(char[1]){'c'}, 1}, {(char[1]){'d'}, 1}};
    char *line;
    int rc;

    say(t.b, "ab");
    EXPECT_EQ(mf_stream_hold(t.a, 10), 0);
    say(t.a, "held");
    arm(f, 1, EVER);
    switch (f->nr) {
    case SYS_recvfrom:
        rc = mf_stream_line(t.a, &line, late());
        break;
    case SYS_sendto:
        rc = mf_stream_flush(t.a, late());
        break;
    default:
        EXPECT_EQ(mf_stream_hold(t.b, 0), 0);
        rc = mf_stream_writev_all(t.b, v, 2, late());
        EXPECT_EQ(v[0].iov_len + v[1].iov_len, 2);
    }
    EXPECT_EQ(rc, -f->err);
    rc = mf_stream_close(t.a, late());
    EXPECT(rc == 0 || (f->nr == SYS_sendto && rc == -EPIPE));
    (void)disarm();
    mf_stream_abort(t.b);
    return 0;
}

MFI_TEST(errors_that_end_it_are_told)
{
    for (unsigned i = 0; i < sizeof resets / sizeof resets[0]; i++)
        in_tasks(1, broken, (void *)(uintptr_t)&resets[i]);
}
