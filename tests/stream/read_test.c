/* SPDX-License-Identifier: MIT */
/*
 * read_test.c - looking ahead, skipping, delimiters; on streams of every kind.
 * Lines are line_test.c's.
 */
#include "stream/streams.h"

static void peeks(struct two *t, enum stream_kind kind)
{
    char *data = NULL, c;

    (void)kind;
    EXPECT_EQ(mf_stream_peek(t->a, &data, 1, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_stream_peek(t->a, &data, 1, soon()), -ETIMEDOUT);
    EXPECT(data == NULL);
    EXPECT_EQ(mf_stream_buffered(t->a), 0);
    say(t->b, "hello");
    EXPECT_EQ(mf_stream_peek(t->a, &data, 5, late()), 5);
    EXPECT_EQ(memcmp(data, "hello", 5), 0);
    EXPECT_EQ(mf_stream_buffered(t->a), 5);
    EXPECT_EQ(mf_stream_peek(t->a, &data, 6, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_stream_peek(t->a, &data, 3, MF_NOW), 5); /* it stays */
    EXPECT_EQ(mf_stream_skip(t->a, 6), -EINVAL);
    EXPECT_EQ(mf_stream_skip(t->a, 0), 0);
    EXPECT_EQ(mf_stream_skip(t->a, 2), 0);
    EXPECT_EQ(mf_stream_peek(t->a, &data, 1, MF_NOW), 3);
    EXPECT_EQ(memcmp(data, "llo", 3), 0);
    EXPECT_EQ(mf_stream_read(t->a, &c, 1, MF_NOW), 1);
    EXPECT_EQ(c, 'l');
    say(t->b, " world");
    EXPECT_EQ(mf_stream_peek(t->a, &data, 8, late()), 8);
    EXPECT_EQ(memcmp(data, "lo world", 8), 0);
    EXPECT_EQ(mf_stream_skip(t->a, 8), 0);
    EXPECT_EQ(mf_stream_skip(t->a, 1), -EINVAL);
    say(t->b, "x");
    EXPECT_EQ(mf_stream_shutdown(t->b, late()), 0);
    EXPECT_EQ(mf_stream_peek(t->a, &data, 9, late()), 1); /* the end */
    EXPECT_EQ(mf_stream_peek(t->a, &data, 9, late()), 1);
    EXPECT_EQ(mf_stream_skip(t->a, 1), 0);
    EXPECT_EQ(mf_stream_peek(t->a, &data, 9, late()), 0);
    hear_end(t->a);
}

MFI_TEST(peek_lends_and_skip_consumes)
{
    with_each_kind(peeks);
}

/* ---- room ---------------------------------------------------------------- */

enum { MUCH = 20000 };

static int write_much(void *arg)
{
    static char much[MUCH];
    mf_stream *s = arg;

    for (int i = 0; i < MUCH; i++)
        much[i] = (char)(i % 251);
    return mf_stream_write_all(s, much, sizeof much, late());
}

static void expect_much(const char *data, int from, int n)
{
    for (int i = 0; i < n; i++)
        EXPECT_EQ((unsigned char)data[i], (from + i) % 251);
}

/* More and more, over the buffer's end, until all of it is there. */
static void grows(struct two *t, enum stream_kind kind)
{
    struct helper h;
    int n, gone = 0;
    char *data;

    (void)kind;
    help(&h, write_much, t->b);
    for (int want = 1; gone + want <= MUCH; want += 97) {
        EXPECT_GE(n = mf_stream_peek(t->a, &data, (size_t)want, late()), want);
        expect_much(data, gone, n);
        EXPECT_EQ(mf_stream_skip(t->a, (size_t)want / 3), 0);
        gone += want / 3;
    }
    EXPECT_EQ(mf_stream_limit(t->a, MUCH), 0);
    EXPECT_EQ(mf_stream_peek(t->a, &data, (size_t)(MUCH - gone), late()),
              MUCH - gone);
    expect_much(data, gone, MUCH - gone);
    EXPECT_EQ(mf_stream_peek(t->a, &data, MUCH + 1, late()), -EMSGSIZE);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mf_stream_trim(t->a), -EBUSY);
    EXPECT_EQ(mf_stream_skip(t->a, (size_t)(MUCH - gone)), 0);
    EXPECT_EQ(mf_stream_trim(t->a), 0);
    EXPECT(t->a->buf == NULL);
    EXPECT_EQ(mf_stream_trim(t->a), 0);
    say(t->b, "again");
    EXPECT_EQ(mf_stream_peek(t->a, &data, 5, late()), 5);
    hear(t->a, "again");
}

MFI_TEST(the_buffer_grows_to_the_limit_and_is_given_back)
{
    with_each_kind(grows);
}

/* ---- delimiters ---------------------------------------------------------- */

static void until(mf_stream *s, const char *delim, const char *text)
{
    char *data;

    EXPECT_EQ(mf_stream_until(s, delim, strlen(delim), &data, late()),
              strlen(text));
    EXPECT_EQ(memcmp(data, text, strlen(text)), 0);
}

static void delimits(struct two *t, enum stream_kind kind)
{
    char *data;

    (void)kind;
    say(t->b, "a, b, --c-");
    until(t->a, ", ", "a, ");
    until(t->a, ", ", "b, ");
    EXPECT_EQ(mf_stream_until(t->a, "--c--", 5, &data, soon()), -ETIMEDOUT);
    say(t->b, "-d\n");
    until(t->a, "--c--", "--c--");
    EXPECT_EQ(mf_stream_line(t->a, &data, late()), 2);
    EXPECT_STR_EQ(data, "d");
    EXPECT_EQ(mf_stream_limit(t->a, 4), 0);
    say(t->b, "123;1234;");
    until(t->a, ";", "123;");
    EXPECT_EQ(mf_stream_until(t->a, ";", 1, &data, late()), -EMSGSIZE);
    EXPECT_EQ(mf_stream_limit(t->a, 100), 0);
    until(t->a, ";", "1234;");
    say(t->b, "rest");
    EXPECT_EQ(mf_stream_shutdown(t->b, late()), 0);
    EXPECT_EQ(mf_stream_until(t->a, ";", 1, &data, late()), -EPIPE);
    EXPECT_EQ(mf_stream_peek(t->a, &data, 9, late()), 4);
    EXPECT_EQ(memcmp(data, "rest", 4), 0);
    EXPECT_EQ(mf_stream_skip(t->a, 4), 0);
    EXPECT_EQ(mf_stream_until(t->a, ";", 1, &data, late()), 0);
}

MFI_TEST(until_a_delimiter_of_any_length)
{
    with_each_kind(delimits);
}

/* A delimiter of three, cut at every byte, by deadlines as well. */
static int dribble(void *arg)
{
    mf_stream *s = arg;
    static const char text[] = "ab<->c<-<->--<<->";

    for (size_t i = 0; i < sizeof text - 1; i++) {
        EXPECT_EQ(mf_stream_write_all(s, &text[i], 1, late()), 0);
        breathe();
        if (i % 3 == 0)
            EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    }
    return 0;
}

static void in_bits(mf_stream *s, const char *text)
{
    char *data;
    int rc;

    do
        rc = mf_stream_until(s, "<->", 3, &data, mf_after(MF_USEC(200)));
    while (rc == -ETIMEDOUT);
    EXPECT_EQ(rc, strlen(text));
    EXPECT_EQ(memcmp(data, text, strlen(text)), 0);
}

static void dribbled(struct two *t, enum stream_kind kind)
{
    struct helper h;

    (void)kind;
    help(&h, dribble, t->b);
    in_bits(t->a, "ab<->");
    in_bits(t->a, "c<-<->");
    in_bits(t->a, "--<<->");
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mf_stream_buffered(t->a), 0);
}

MFI_TEST(a_delimiter_in_pieces_is_found)
{
    with_each_kind(dribbled);
}

/* ---- many readers, and their ends ---------------------------------------- */

static int peek_one(void *arg)
{
    char *data;

    return mf_stream_peek(arg, &data, 1, MF_NEVER);
}

/* A cancelled peek has consumed nothing and passes its turn on. */
static void cancelled(struct two *t, enum stream_kind kind)
{
    mf_task *one, *two;
    int rc;

    (void)kind;
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    EXPECT_EQ(mf_spawn(&s, peek_one, t->a, NULL, &one), 0);
    await_parked(one);
    EXPECT_EQ(mf_spawn(&s, peek_one, t->a, NULL, &two), 0);
    await_parked(two);
    mf_task_cancel(one);
    EXPECT_EQ(mf_join(one, &rc, late()), 0);
    EXPECT_EQ(rc, -ECANCELED);
    say(t->b, "abc");
    EXPECT_EQ(mf_join(two, &rc, late()), 0);
    EXPECT_GT(rc, 0);
    (void)mf_scope_close(&s);
    hear(t->a, "abc");
}

MFI_TEST(a_cancelled_peek_passes_the_turn)
{
    with_each_kind(cancelled);
}

static int wrong(void *arg)
{
    struct two t = make_two(IN_MEMORY);
    char *data;

    (void)arg;
    EXPECT_EQ(mf_stream_peek(NULL, &data, 1, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_stream_peek(t.a, NULL, 1, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_stream_peek(t.a, &data, 0, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_stream_skip(NULL, 0), -EINVAL);
    EXPECT_EQ(mf_stream_until(NULL, "x", 1, &data, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_stream_until(t.a, NULL, 1, &data, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_stream_until(t.a, "", 0, &data, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_stream_until(t.a, "x", 1, NULL, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_stream_trim(NULL), -EINVAL);
    EXPECT_EQ(mf_stream_buffered(NULL), 0);
    end_two(&t);
    return 0;
}

MFI_TEST(bad_arguments_are_told)
{
    in_both(wrong, NULL);
}
