/* SPDX-License-Identifier: MIT */
/* tee_test.c - a copy of what is read: all of it, once, first. */
#include "stream/streams.h"

struct tee3 {
    mf_stream *tee;
    mf_stream *peer;
    mf_stream *copy; /* where the copy is written */
    mf_stream *seen; /* where it is read */
};

static struct tee3 make_tee(size_t capacity)
{
    struct tee3 t;
    mf_stream *e[2], *c[2];

    EXPECT_EQ(mf_stream_pair(100, e), 0);
    EXPECT_EQ(mf_stream_pair(capacity, c), 0);
    EXPECT_EQ(mf_stream_tee(e[0], c[0], &t.tee), 0);
    t.peer = e[1];
    t.copy = c[0];
    t.seen = c[1];
    return t;
}

static void end_tee(struct tee3 *t)
{
    EXPECT_EQ(mf_stream_close(t->tee, late()), 0);
    EXPECT_EQ(mf_stream_close(t->peer, late()), 0);
    EXPECT_EQ(mf_stream_close(t->copy, late()), 0);
    EXPECT_EQ(mf_stream_close(t->seen, late()), 0);
}

static int copies(void *arg)
{
    struct tee3 t = make_tee(100);
    char *line;

    (void)arg;
    say(t.peer, "first\nsecond");
    EXPECT_EQ(mf_stream_wait(t.tee, POLLIN, late()), POLLIN);
    hear_nothing(t.seen); /* nobody has read it */
    hear(t.tee, "fir");
    hear(t.seen, "fir");
    hear_nothing(t.seen);
    EXPECT_EQ(mf_stream_line(t.tee, &line, late()), 3);
    EXPECT_STR_EQ(line, "st");
    hear(t.seen, "st\nsecond"); /* read ahead is read */
    say(t.tee, "answer");
    hear(t.peer, "answer");
    hear_nothing(t.seen);
    EXPECT_EQ(mf_stream_shutdown(t.tee, late()), 0);
    hear_end(t.peer);
    say(t.peer, ".");
    hear(t.tee, "second.");
    hear(t.seen, ".");
    EXPECT_EQ(mf_stream_get_fd(t.tee), -ENOTSUP);
    end_tee(&t);
    return 0;
}

MFI_TEST(what_is_read_is_copied_first)
{
    in_both(copies, NULL);
}

/* A full copy holds the reader up, and what it says is lost to nobody. */
static int full_copy(void *arg)
{
    struct tee3 t = make_tee(4);
    char buf[10];

    (void)arg;
    say(t.peer, "0123456789");
    EXPECT_EQ(mf_stream_read(t.tee, buf, 10, MF_NOW), 4); /* those it has */
    EXPECT_EQ(mf_stream_read(t.tee, buf + 4, 6, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_stream_read(t.tee, buf + 4, 6, soon()), -ETIMEDOUT);
    hear(t.seen, "01");
    EXPECT_EQ(mf_stream_read(t.tee, buf + 4, 1, MF_NOW), 1);
    EXPECT_EQ(mf_stream_read(t.tee, buf + 5, 5, MF_NOW), 1);
    hear(t.seen, "2345");
    EXPECT_EQ(mf_stream_read(t.tee, buf + 6, 4, late()), 4);
    EXPECT_EQ(memcmp(buf, "0123456789", 10), 0);
    hear(t.seen, "6789");
    say(t.peer, "x");
    EXPECT_EQ(mf_stream_close(t.seen, late()), 0);
    EXPECT_EQ(mf_stream_read(t.tee, buf, 1, late()), -EPIPE);
    t.seen = NULL;
    end_tee(&t);
    return 0;
}

MFI_TEST(a_full_copy_loses_nothing)
{
    in_both(full_copy, NULL);
}

static int read_ten(void *arg)
{
    char buf[10];

    return mf_stream_read(arg, buf, 10, MF_NEVER);
}

static int cancelled(void *arg)
{
    struct tee3 t = make_tee(1);
    mf_task *reader;
    char c;
    int rc;

    (void)arg;
    say(t.peer, "abc");
    EXPECT_EQ(mf_stream_read(t.tee, &c, 1, late()), 1);
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    EXPECT_EQ(mf_spawn(&s, read_ten, t.tee, NULL, &reader), 0);
    await_parked(reader); /* for room in the copy */
    mf_task_cancel(reader);
    EXPECT_EQ(mf_join(reader, &rc, late()), 0);
    EXPECT_EQ(rc, -ECANCELED);
    (void)mf_scope_close(&s);
    hear(t.seen, "a");
    EXPECT_EQ(mf_stream_read(t.tee, &c, 1, late()), 1);
    EXPECT_EQ(c, 'b');
    hear(t.seen, "b");
    mf_stream_abort(t.tee);
    EXPECT_EQ(mf_stream_read(t.peer, &c, 1, late()), -ECONNRESET);
    t.tee = NULL;
    end_tee(&t);
    return 0;
}

MFI_TEST(a_cancel_at_a_full_copy_loses_nothing)
{
    in_both(cancelled, NULL);
}

MFI_TEST(bad_arguments_are_told)
{
    mf_stream *s;

    EXPECT_EQ(mf_stream_tee(NULL, mf_stdout(), &s), -EINVAL);
    EXPECT_EQ(mf_stream_tee(mf_stdin(), NULL, &s), -EINVAL);
    EXPECT_EQ(mf_stream_tee(mf_stdin(), mf_stdin(), &s), -EINVAL);
    EXPECT_EQ(mf_stream_tee(mf_stdin(), mf_stdout(), NULL), -EINVAL);
}
