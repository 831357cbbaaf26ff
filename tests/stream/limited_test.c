/* SPDX-License-Identifier: MIT */
/* limited_test.c - a part of a stream, and what is behind it left alone. */
#include "stream/streams.h"

static void parts(struct two *t, enum stream_kind kind)
{
    mf_stream *l;
    char *data, buf[32];

    EXPECT_EQ(mf_stream_limited(t->a, 10, &l), 0);
    EXPECT_EQ(mf_stream_wait(l, POLLIN, MF_NOW), -ETIMEDOUT);
    say(t->b, "one\ntwo\nthree\n");
    EXPECT_EQ(mf_stream_wait(l, POLLIN, late()), POLLIN);
    EXPECT_EQ(mf_stream_line(l, &data, late()), 4);
    EXPECT_STR_EQ(data, "one");
    EXPECT_EQ(mf_stream_line(l, &data, late()), 4);
    EXPECT_STR_EQ(data, "two");
    EXPECT_EQ(mf_stream_line(l, &data, late()), 3); /* the end of it */
    EXPECT_STR_EQ(data, "th");
    EXPECT_EQ(mf_stream_line(l, &data, late()), 0);
    EXPECT_EQ(mf_stream_read(l, buf, 5, late()), 0);
    EXPECT_EQ(mf_stream_wait(l, POLLIN, MF_NOW), POLLIN);
    EXPECT_EQ(mf_stream_wait(l, POLLOUT, MF_NOW), -EBADF);
    EXPECT_EQ(mf_stream_write(l, "x", 1, MF_NOW), -EBADF);
    EXPECT_EQ(mf_stream_shutdown(l, MF_NOW), -ENOTSUP);
    EXPECT_EQ(mf_stream_detach(l), -ENOTSUP);
    EXPECT_EQ(mf_stream_get_fd(l), mf_stream_get_fd(t->a));
    EXPECT_EQ(mf_stream_close(l, MF_NOW), 0);
    EXPECT_EQ(mf_stream_line(t->a, &data, late()), 4);
    EXPECT_STR_EQ(data, "ree");
    EXPECT_EQ(mf_stream_limited(t->a, 0, &l), 0);
    EXPECT_EQ(mf_stream_read(l, buf, 5, MF_NOW), 0);
    mf_stream_abort(l); /* no word to the lower one */
    say(t->b, "go on");
    hear(t->a, "go on");
    (void)kind;
}

MFI_TEST(it_ends_after_its_bytes)
{
    with_each_kind(parts);
}

/* What was peeked at and not consumed is the lower stream's again. */
static void given_back(struct two *t, enum stream_kind kind)
{
    static char much[9000];
    char *data;
    mf_stream *l;

    (void)kind;
    for (int i = 0; i < 3; i++) {
        say(t->b, "0123456789abcdef");
        if (i == 1) { /* the lower one has it buffered */
            EXPECT_EQ(mf_stream_peek(t->a, &data, 16, late()), 16);
        }
        EXPECT_EQ(mf_stream_limited(t->a, 12, &l), 0);
        EXPECT_EQ(mf_stream_peek(l, &data, 12, late()), 12);
        EXPECT_EQ(mf_stream_skip(l, 3), 0);
        if (i == 2)
            mf_stream_abort(l);
        else
            EXPECT_EQ(mf_stream_close(l, MF_NOW), 0);
        hear(t->a, "3456789abcdef");
        hear_nothing(t->a);
    }
    /* More than the lower one's buffer has place for, before what it has. */
    memset(much, 'm', sizeof much);
    EXPECT_EQ(mf_stream_limited(t->a, sizeof much, &l), 0);
    for (int i = 0; i < 9; i++) {
        EXPECT_EQ(mf_stream_write_all(t->b, much, 1000, late()), 0);
        EXPECT_EQ(mf_stream_peek(l, &data, (size_t)(i + 1) * 1000, late()),
                  (i + 1) * 1000);
    }
    say(t->b, "behind");
    EXPECT_EQ(mf_stream_peek(t->a, &data, 6, late()), 6);
    EXPECT_EQ(mf_stream_close(l, MF_NOW), 0);
    EXPECT_EQ(mf_stream_peek(t->a, &data, 9006, late()), 9006);
    EXPECT_EQ(memcmp(data, much, sizeof much), 0);
    EXPECT_EQ(memcmp(data + 9000, "behind", 6), 0);
    EXPECT_EQ(mf_stream_skip(t->a, 9006), 0);
}

MFI_TEST(what_was_not_read_is_given_back)
{
    with_each_kind(given_back);
}

static void cut_off(struct two *t, enum stream_kind kind)
{
    mf_stream *l;
    char *data, c;

    (void)kind;
    EXPECT_EQ(mf_stream_limited(t->a, 10, &l), 0);
    say(t->b, "12345");
    EXPECT_EQ(mf_stream_shutdown(t->b, late()), 0);
    EXPECT_EQ(mf_stream_peek(l, &data, 10, late()), -EPIPE);
    EXPECT_EQ(mf_stream_buffered(l), 5); /* what came stays */
    hear(l, "12345");
    EXPECT_EQ(mf_stream_read(l, &c, 1, late()), -EPIPE);
    EXPECT_EQ(mf_stream_close(l, MF_NOW), 0);
}

MFI_TEST(an_early_end_is_no_end)
{
    with_each_kind(cut_off);
}

MFI_TEST(bad_arguments_are_told)
{
    mf_stream *s;

    EXPECT_EQ(mf_stream_limited(NULL, 1, &s), -EINVAL);
    EXPECT_EQ(mf_stream_limited(mf_stdin(), 1, NULL), -EINVAL);
}
