/* SPDX-License-Identifier: MIT */
/*
 * write_test.c - held back and flushed, in order, on streams of every kind.
 */
#include <mayfly/block.h>

#include "stream/streams.h"

static void holds(struct two *t, enum stream_kind kind)
{
    char body[] = "body", tail[] = "tail";
    struct iovec v[3] = {{.iov_base = body, .iov_len = 4},
                         {.iov_base = NULL, .iov_len = 0},
                         {.iov_base = tail, .iov_len = 4}};

    (void)kind;
    EXPECT_EQ(mf_stream_hold(t->b, 10), 0);
    say(t->b, "12345");
    EXPECT_EQ(mf_stream_write(t->b, "678", 3, late()), 3);
    hear_nothing(t->a);
    EXPECT_EQ(mf_stream_hold(t->b, 0), -EBUSY);
    EXPECT_EQ(mf_stream_trim(t->b), -EBUSY);
    EXPECT_EQ(mf_stream_write(t->b, "90ab", 4, late()), 2); /* what fits */
    hear_nothing(t->a);
    EXPECT_EQ(mf_stream_write(t->b, "ab", 2, late()), 2); /* full: it goes */
    hear(t->a, "1234567890");
    hear_nothing(t->a);
    EXPECT_EQ(mf_stream_flush(t->b, late()), 0);
    hear(t->a, "ab");
    EXPECT_EQ(mf_stream_flush(t->b, MF_NOW), 0);
    say(t->b, "head:");
    EXPECT_EQ(mf_stream_writev_all(t->b, v, 3, late()), 0);
    EXPECT_EQ(v[0].iov_len + v[2].iov_len, 0);
    hear(t->a, "head:bodytail"); /* too long: behind what is held */
    EXPECT_EQ(mf_stream_write(t->b, "twelve bytes", 12, late()), 12);
    hear(t->a, "twelve bytes");
    EXPECT_EQ(mf_stream_printf(t->b, late(), "%d", 42), 2);
    hear_nothing(t->a);
    EXPECT_EQ(mf_stream_write(t->b, "", 0, late()), 0);
    EXPECT_EQ(mf_stream_flush(t->b, late()), 0);
    hear(t->a, "42");
    EXPECT_EQ(mf_stream_trim(t->b), 0);
    EXPECT(t->b->held == NULL);
    EXPECT_EQ(mf_stream_hold(t->b, 0), 0);
    say(t->b, "at once");
    hear(t->a, "at once");
    EXPECT_EQ(mf_stream_hold(t->b, 100), 0);
    say(t->b, "with the end");
    EXPECT_EQ(mf_stream_shutdown(t->b, late()), 0);
    hear(t->a, "with the end");
    hear_end(t->a);
}

MFI_TEST(what_is_held_goes_out_in_order)
{
    with_each_kind(holds);
}

/* ---- against a reader that does not read --------------------------------- */

enum { HELD = 4 << 20 };

static int read_numbers(void *arg)
{
    static char buf[60000];
    mf_stream *s = arg;
    unsigned got = 0;
    int n;

    while ((n = mf_stream_read(s, buf, sizeof buf, late())) > 0)
        for (int i = 0; i < n; i++, got++)
            if ((unsigned char)buf[i] != got % 247)
                return -EIO;
    return n < 0 ? n : got == HELD ? 0 : -ENODATA;
}

static int flush_for_ever(void *arg)
{
    return mf_stream_flush(arg, MF_NEVER);
}

/* Cut short by deadlines and a cancel, a flush goes on where it was. */
static void stuck(struct two *t, enum stream_kind kind)
{
    char *much = malloc(HELD);
    struct helper h;
    mf_task *flusher;
    int rc;

    (void)kind;
    if (kind == THROUGH_TEE) { /* its copy holds less */
        free(much);
        return;
    }
    EXPECT_EQ(mf_stream_hold(t->b, HELD), 0);
    for (unsigned i = 0; i < HELD; i++)
        much[i] = (char)(i % 247);
    EXPECT_EQ(mf_stream_write_all(t->b, much, HELD, MF_NOW), 0);
    free(much);
    EXPECT_EQ(mf_stream_flush(t->b, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_stream_flush(t->b, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_stream_hold(t->b, 0), -EBUSY);
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    EXPECT_EQ(mf_spawn(&s, flush_for_ever, t->b, NULL, &flusher), 0);
    await_parked(flusher);
    EXPECT_EQ(mf_stream_hold(t->b, 1), -EBUSY);
    EXPECT_EQ(mf_stream_write(t->b, "x", 1, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_stream_flush(t->b, soon()), -ETIMEDOUT);
    mf_task_cancel(flusher);
    EXPECT_EQ(mf_join(flusher, &rc, late()), 0);
    EXPECT_EQ(rc, -ECANCELED);
    (void)mf_scope_close(&s);
    help(&h, read_numbers, t->a);
    EXPECT_EQ(mf_stream_flush(t->b, late()), 0);
    EXPECT_EQ(mf_stream_shutdown(t->b, late()), 0);
    EXPECT_EQ(helped(&h), 0);
}

MFI_TEST(a_flush_that_was_cut_short_goes_on)
{
    with_each_kind(stuck);
}

/* ---- one piece each ------------------------------------------------------ */

enum { WRITERS = 4, PIECES = 300 / KIT_SLOW, PIECE = 331 };

static int write_pieces(void *arg)
{
    mf_stream *s = arg;
    static _Atomic int number;
    char piece[PIECE], c = (char)('a' + number++ % 26);
    struct iovec v[2];
    int rc = 0;

    memset(piece, c, sizeof piece);
    piece[PIECE - 1] = '\n';
    for (int i = 0; rc == 0 && i < PIECES; i++) {
        v[0] = (struct iovec){piece, 100};
        v[1] = (struct iovec){piece + 100, PIECE - 100};
        rc = i % 2 == 0 ? mf_stream_write_all(s, piece, PIECE, late())
                        : mf_stream_writev_all(s, v, 2, late());
        if (rc == 0 && i % 5 == 0)
            rc = mf_stream_flush(s, late());
    }
    return rc;
}

static void *write_pieces_thread(void *arg)
{
    EXPECT_EQ(write_pieces(arg), 0);
    return NULL;
}

static int join_thread(void *data)
{
    pthread_t *thread = data;

    return -pthread_join(*thread, NULL);
}

static int read_pieces(void *arg)
{
    char *line;

    for (int i = 0; i < WRITERS * PIECES; i++) {
        int rc = mf_stream_line(arg, &line, late());

        EXPECT_EQ(rc, PIECE);
        for (int k = 1; k < PIECE - 1; k++)
            EXPECT_EQ(line[k], line[0]);
    }
    return 0;
}

static void unmixed(struct two *t, size_t hold)
{
    struct helper h;
    pthread_t thread;

    EXPECT_EQ(mf_stream_hold(t->b, hold), 0);
    help(&h, read_pieces, t->a);
    EXPECT_EQ(pthread_create(&thread, NULL, write_pieces_thread, t->b), 0);
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    for (int i = 1; i < WRITERS; i++)
        mf_go(&s, write_pieces, t->b);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_block(join_thread, &thread, sizeof thread, NULL, late()), 0);
    EXPECT_EQ(mf_stream_flush(t->b, late()), 0);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mf_stream_hold(t->b, 0), 0);
}

static void pieces(struct two *t, enum stream_kind kind)
{
    (void)kind;
    unmixed(t, 0);
    unmixed(t, 1000);
}

MFI_TEST(pieces_of_many_writers_are_not_mixed)
{
    with_each_kind(pieces);
}
