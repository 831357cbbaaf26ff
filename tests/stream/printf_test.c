/* SPDX-License-Identifier: MIT */
/* printf_test.c - what goes out, in one piece, and what an error leaves. */
#include <signal.h>

#include "io/kit.h"
#include "stream/stream.h"

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static int texts(void *arg)
{
    char buf[64] = "", what[2000], back[2000];
    int p[2];

    (void)arg;
    bare_pipe(p);
    errno = 4711;
    EXPECT_EQ(mf_printf(p[1], MF_NEVER, "%d %s\n", 7, "days"), 7);
    EXPECT_EQ(mf_printf(p[1], MF_NOW, "%s", ""), 0);
    EXPECT_EQ(errno, 4711);
    EXPECT_EQ(mf_read(p[0], buf, sizeof buf, MF_NOW), 7);
    EXPECT_STR_EQ(buf, "7 days\n");
    memset(what, 'w', sizeof what);
    for (int len = 1022; len <= 1026; len++) { /* on the stack or not */
        EXPECT_EQ(mf_printf(p[1], late(), "%.*s", len, what), len);
        EXPECT_EQ(mf_read_full(p[0], back, (size_t)len, late()), 1);
        EXPECT_EQ(memcmp(what, back, (size_t)len), 0);
        EXPECT_EQ(mf_read(p[0], back, 1, MF_NOW), -ETIMEDOUT);
    }
    EXPECT_EQ(mf_close(p[0]), 0);
    EXPECT_EQ(mf_close(p[1]), 0);
    return 0;
}

MFI_TEST(short_and_long_texts_and_their_lengths)
{
    in_both(texts, NULL);
}

static int wrong(void *arg)
{
    const char *volatile wide = "%2147483648d"; /* more than INT_MAX */
    const char *volatile none = NULL;
    mf_stream *s = NULL;
    int p[2];

    (void)arg;
    bare_pipe(p);
    EXPECT_EQ(mf_printf(-1, MF_NOW, "x"), -EBADF);
    EXPECT_EQ(mf_printf(1 << 20, MF_NOW, "%s", ""), -EBADF);
    EXPECT_EQ(mf_printf(p[0], MF_NOW, "x"), -EBADF); /* a reader */
    EXPECT_EQ(mf_printf(p[1], MF_NOW, none, 1), -EINVAL);
    EXPECT_EQ(mf_stream_printf(s, MF_NOW, "x"), -EINVAL);
    EXPECT_EQ(mf_printf(p[1], MF_NOW, wide, 1), -EMSGSIZE);
    EXPECT_EQ(mf_close(p[0]), 0);
    EXPECT_EQ(mf_printf(p[1], MF_NOW, "x"), -EPIPE);
    EXPECT_EQ(mf_close(p[1]), 0);
    return 0;
}

MFI_TEST(errors_are_told_and_a_broken_pipe_is_no_signal)
{
    signal(SIGPIPE, SIG_DFL);
    in_both(wrong, NULL);
}

/* ---- in one piece -------------------------------------------------------- */

enum { PIECES = 40 / KIT_SLOW + 2, LONG = 30000, WRITERS = 4 };
static char letters[26][LONG + 1];
static struct {
    int r;
    int w;
    _Atomic int left; /* writers */
} one;

static int write_pieces(void *arg)
{
    int me = (int)(intptr_t)arg, rc = 0;

    for (int i = 0; i < PIECES; i++) {
        int len = i % 3 == 0 ? LONG - i : 1 + i * 100;

        rc = mf_printf(one.w, late(), "%.*s\n", len, letters[me]);
        EXPECT_EQ(rc, len + 1);
        if (i % 4 == 0)
            breathe();
    }
    if (--one.left == 0)
        EXPECT_EQ(mf_close(one.w), 0);
    return 0;
}

static void *write_in_thread(void *arg)
{
    EXPECT_EQ(write_pieces(arg), 0);
    return NULL;
}

static int read_pieces(void)
{
    mf_stream *s;
    char *line;
    int n, lines = 0;

    EXPECT_EQ(mf_stream_fd(one.r, &s), 0);
    for (; (n = mf_stream_line(s, &line, late())) > 0; lines++) {
        char all[2] = {line[0], '\0'};

        EXPECT_EQ(strspn(line, all), n - 1); /* of one writer */
        if (lines % 5 == 0)
            breathe();
    }
    EXPECT_EQ(n, 0);
    EXPECT_EQ(mf_stream_close(s, MF_NEVER), 0);
    return lines;
}

static int unmixed(void *threads)
{
    pthread_t ids[WRITERS];
    int p[2], n = threads != NULL ? WRITERS : 0;

    bare_pipe(p);
    one.r = p[0];
    one.w = p[1];
    one.left = WRITERS + n;
    for (int i = 0; i < 26; i++)
        memset(letters[i], 'a' + i, LONG);
    for (intptr_t i = 0; i < n; i++)
        EXPECT_EQ(pthread_create(&ids[i], NULL, write_in_thread,
                                 (void *)(i + WRITERS)),
                  0);
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    for (intptr_t i = 0; i < WRITERS; i++)
        mf_go(&s, write_pieces, (void *)i);
    EXPECT_EQ(read_pieces(), (WRITERS + n) * PIECES);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < n; i++)
        EXPECT_EQ(pthread_join(ids[i], NULL), 0);
    return 0;
}

MFI_TEST(long_pieces_of_tasks_are_not_mixed)
{
    in_tasks(1, unmixed, NULL);
    in_tasks(2, unmixed, NULL);
}

MFI_TEST(long_pieces_of_tasks_and_threads_are_not_mixed)
{
    in_tasks(2, unmixed, letters);
}

/* ---- stopped in the middle ----------------------------------------------- */

static char huge[300000];

static int print_huge(void *arg)
{
    return mf_printf(*(int *)arg, MF_NEVER, "%s", huge);
}

static int print_short(void *arg)
{
    return mf_printf(*(int *)arg, MF_NEVER, "<next>\n");
}

/* What is in the pipe, all of it. */
static size_t drain(int r, char *buf, size_t len, size_t want)
{
    size_t got = 0;
    int n = 1;

    while (got < want && n > 0) {
        n = mf_read(r, buf + got, len - got, late());
        got += n > 0 ? (size_t)n : 0;
    }
    while ((n = mf_read(r, buf + got, len - got, MF_NOW)) > 0)
        got += (size_t)n;
    return got;
}

static int torn(void *arg)
{
    static char got[sizeof huge];
    mf_task *first, *second;
    size_t n;
    int p[2], rc;

    (void)arg;
    memset(huge, 'h', sizeof huge - 1);
    bare_pipe(p);
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    EXPECT_EQ(mf_spawn(&s, print_huge, &p[1], NULL, &first), 0);
    await_waiters(p[1], 1); /* the pipe is full of its beginning */
    EXPECT_EQ(mf_spawn(&s, print_short, &p[1], NULL, &second), 0);
    await_parked(second);
    EXPECT_EQ(mf_printf(p[1], MF_NOW, "never"), -ETIMEDOUT);
    EXPECT_EQ(mf_printf(p[1], soon(), "never"), -ETIMEDOUT);
    mf_task_cancel(first); /* nobody reads: it does not wait for it */
    EXPECT_EQ(mf_join(first, &rc, late()), 0);
    EXPECT_EQ(rc, -ECANCELED);
    n = drain(p[0], got, sizeof got, 1);
    EXPECT_EQ(mf_join(second, &rc, late()), 0);
    EXPECT_EQ(rc, 7);
    n += drain(p[0], got + n, sizeof got - n, 0);
    EXPECT_GT(n, 7);
    EXPECT_EQ(memcmp(got + n - 7, "<next>\n", 7), 0);
    for (size_t i = 0; i < n - 7; i++)
        EXPECT_EQ(got[i], 'h');
    (void)mf_scope_close(&s);
    EXPECT_EQ(mf_close(p[0]), 0);
    EXPECT_EQ(mf_close(p[1]), 0);
    return 0;
}

MFI_TEST(a_cancel_in_the_middle_tears_its_own_piece_only)
{
    in_tasks(1, torn, NULL);
    in_both(torn, NULL);
}

static int print_and_say(void *arg)
{
    int rc = mf_printf(*(int *)arg, mf_after(MF_MSEC(20)), "%s", huge);

    EXPECT_EQ(rc, -ETIMEDOUT);
    return 0;
}

/* The same by a deadline; and the fd is closed under those who queue. */
static int closed(void *arg)
{
    mf_task *waits;
    int p[2], rc;

    (void)arg;
    memset(huge, 'h', sizeof huge - 1);
    bare_pipe(p);
    EXPECT_EQ(print_and_say(&p[1]), 0);
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    EXPECT_EQ(mf_spawn(&s, print_huge, &p[1], NULL, &waits), 0);
    await_waiters(p[1], 1);
    EXPECT_EQ(mf_close(p[1]), 0);
    EXPECT_EQ(mf_join(waits, &rc, late()), 0);
    EXPECT_EQ(rc, -EBADF);
    (void)mf_scope_close(&s);
    EXPECT_EQ(mf_close(p[0]), 0);
    return 0;
}

MFI_TEST(a_deadline_and_a_close_end_a_piece)
{
    in_both(closed, NULL);
}

static int cancelled_first(void *arg)
{
    int p[2];
    char c;

    (void)arg;
    bare_pipe(p);
    mf_task_cancel(mf_self());
    EXPECT_EQ(mf_printf(p[1], MF_NEVER, "x"), -ECANCELED);
    EXPECT_EQ(fcntl(p[0], F_SETFL, O_NONBLOCK), 0);
    EXPECT_EQ(read(p[0], &c, 1), -1); /* nothing went out */
    return 0;
}

static int in_a_child(void *arg)
{
    struct helper h;

    (void)arg;
    help(&h, cancelled_first, NULL);
    EXPECT_EQ(helped(&h), 0);
    return 0;
}

MFI_TEST(a_cancelled_task_prints_nothing)
{
    in_tasks(2, in_a_child, NULL);
}
