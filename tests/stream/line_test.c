/* SPDX-License-Identifier: MIT */
/*
 * line_test.c - lines out of whatever pieces they came in, and turns.
 */
#include "stream/stream.h"

#include "io/kit.h"

struct ends {
    mf_stream *in;
    int w;
};

static struct ends open_ends(void)
{
    struct ends e;
    int p[2];

    bare_pipe(p);
    EXPECT_EQ(mf_stream_fd(p[0], &e.in), 0);
    e.w = p[1];
    return e;
}

static void close_ends(struct ends *e)
{
    if (e->w >= 0)
        EXPECT_EQ(mf_close(e->w), 0);
    EXPECT_EQ(mf_stream_close(e->in, MF_NEVER), 0);
}

static void put(struct ends *e, const char *text, size_t len)
{
    EXPECT_EQ(mf_write_all(e->w, text, len, late()), 0);
}

static void end(struct ends *e)
{
    EXPECT_EQ(mf_close(e->w), 0);
    e->w = -1;
}

static void expect_line(mf_stream *s, const char *text, size_t len)
{
    char *line;

    EXPECT_EQ(mf_stream_line(s, &line, late()), len + 1);
    EXPECT(memcmp(line, text, len + 1) == 0); /* with its NUL */
    memset(line, '!', len);                   /* it is ours */
}

#define LINE(s, text) expect_line(s, text, sizeof(text) - 1)
#define PUT(e, text)  put(e, text, sizeof(text) - 1)

static int all_kinds(void *arg)
{
    struct ends e = open_ends();
    char *line = NULL;

    (void)arg;
    PUT(&e, "one\n\ntwo\r\n\r\n\r\r\na\0b\n\0\n last");
    LINE(e.in, "one");
    LINE(e.in, "");
    LINE(e.in, "two");
    LINE(e.in, "");
    LINE(e.in, "\r");
    LINE(e.in, "a\0b");
    LINE(e.in, "\0");
    EXPECT_EQ(mf_stream_line(e.in, &line, MF_NOW), -ETIMEDOUT);
    EXPECT(line == NULL);
    end(&e);
    LINE(e.in, " last");
    EXPECT_EQ(mf_stream_line(e.in, &line, late()), 0);
    EXPECT_EQ(mf_stream_line(e.in, &line, late()), 0);
    EXPECT(line == NULL);
    close_ends(&e);
    return 0;
}

MFI_TEST(empty_crlf_nul_and_no_final_newline)
{
    in_both(all_kinds, NULL);
}

static int nothing(void *arg)
{
    struct ends e = open_ends();
    char *line;

    (void)arg;
    end(&e);
    EXPECT_EQ(mf_stream_line(e.in, &line, late()), 0);
    close_ends(&e);
    e = open_ends();
    PUT(&e, "x\r");
    end(&e);
    LINE(e.in, "x\r"); /* no newline: no line end */
    EXPECT_EQ(mf_stream_line(e.in, &line, late()), 0);
    close_ends(&e);
    return 0;
}

MFI_TEST(no_input_is_the_end_at_once)
{
    in_both(nothing, NULL);
}

/* ---- pieces -------------------------------------------------------------- */

static int write_bytes(void *arg)
{
    struct ends *e = arg;
    static const char text[] = "ab\r\n\ncdefg\nlast";

    for (size_t i = 0; i < sizeof text - 1; i++) {
        put(e, &text[i], 1);
        breathe();
        if (i % 3 == 0)
            EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    }
    end(e);
    return 0;
}

/* Deadlines strike in the middle, again and again. */
static int read_line_in_bits(mf_stream *s, char **ret_line)
{
    int rc;

    do
        rc = mf_stream_line(s, ret_line, mf_after(MF_USEC(200)));
    while (rc == -ETIMEDOUT);
    return rc;
}

static int byte_at_a_time(void *arg)
{
    struct ends e = open_ends();
    struct helper h;
    char *line;

    (void)arg;
    help(&h, write_bytes, &e);
    EXPECT_EQ(read_line_in_bits(e.in, &line), 3);
    EXPECT_STR_EQ(line, "ab");
    EXPECT_EQ(read_line_in_bits(e.in, &line), 1);
    EXPECT_EQ(read_line_in_bits(e.in, &line), 6);
    EXPECT_STR_EQ(line, "cdefg");
    EXPECT_EQ(read_line_in_bits(e.in, &line), 5);
    EXPECT_STR_EQ(line, "last");
    EXPECT_EQ(read_line_in_bits(e.in, &line), 0);
    EXPECT_EQ(helped(&h), 0);
    close_ends(&e);
    return 0;
}

MFI_TEST(byte_by_byte_and_timeouts_in_the_middle_lose_nothing)
{
    in_both(byte_at_a_time, NULL);
}

/* A thousand lines of all lengths, over the buffer's edge at every offset. */
enum { LINES = 1000, LONGEST = 9001 };

static size_t length_of(int i)
{
    return i % 50 == 0 ? LONGEST : (size_t)i * 37 % 211;
}

static int write_lines(void *arg)
{
    static char line[LONGEST + 1];
    struct ends *e = arg;

    for (int i = 0; i < LINES; i++) {
        memset(line, 'a' + i % 26, length_of(i));
        line[length_of(i)] = '\n';
        put(e, line, length_of(i) + 1);
    }
    end(e);
    return 0;
}

static int many_lines(void *arg)
{
    struct ends e = open_ends();
    struct helper h;
    char *line;
    int n;

    (void)arg;
    help(&h, write_lines, &e);
    for (int i = 0; i < LINES; i++) {
        EXPECT_EQ(n = mf_stream_line(e.in, &line, late()), length_of(i) + 1);
        EXPECT_EQ(strlen(line), length_of(i));
        if (n > 1)
            EXPECT(line[0] == 'a' + i % 26 && line[n - 2] == 'a' + i % 26);
    }
    EXPECT_EQ(mf_stream_line(e.in, &line, late()), 0);
    EXPECT_EQ(helped(&h), 0);
    close_ends(&e);
    return 0;
}

MFI_TEST(lines_longer_than_the_buffer_and_across_its_edge)
{
    in_both(many_lines, NULL);
}

/* ---- the limit ----------------------------------------------------------- */

static int limits(void *arg)
{
    struct ends e = open_ends();
    char *line, buf[64];

    (void)arg;
    EXPECT_EQ(mf_stream_limit(e.in, 0), -EINVAL);
    EXPECT_EQ(mf_stream_limit(e.in, (size_t)INT32_MAX), -EINVAL);
    EXPECT_EQ(mf_stream_limit(NULL, 10), -EINVAL);
    EXPECT_EQ(mf_stream_limit(e.in, (size_t)INT32_MAX - 1), 0);
    EXPECT_EQ(mf_stream_limit(e.in, 5), 0);
    PUT(&e, "1234\n123\r\n12345\nrest");
    LINE(e.in, "1234");
    LINE(e.in, "123");
    EXPECT_EQ(mf_stream_line(e.in, &line, late()), -EMSGSIZE);
    EXPECT_EQ(mf_stream_line(e.in, &line, MF_NOW), -EMSGSIZE);
    EXPECT_EQ(mf_stream_limit(e.in, 6), 0);
    LINE(e.in, "12345"); /* nothing was consumed */
    EXPECT_EQ(mf_stream_limit(e.in, 3), 0);
    EXPECT_EQ(mf_stream_line(e.in, &line, late()), -EMSGSIZE);
    EXPECT_EQ(mf_stream_read(e.in, buf, 1, MF_NOW), 1);
    EXPECT_EQ(mf_stream_line(e.in, &line, MF_NOW), -ETIMEDOUT);
    end(&e);
    LINE(e.in, "est"); /* as long as the limit, without an end */
    EXPECT_EQ(mf_stream_line(e.in, &line, late()), 0);
    close_ends(&e);
    return 0;
}

MFI_TEST(a_line_over_the_limit_is_told_and_kept)
{
    in_both(limits, NULL);
}

static int write_megabytes(void *arg)
{
    static char much[STREAM_LIMIT];
    struct ends *e = arg;

    memset(much, 'm', sizeof much);
    much[sizeof much - 1] = '\n';
    put(e, much, sizeof much); /* the longest there may be */
    much[sizeof much - 1] = 'm';
    put(e, much, sizeof much);
    put(e, "\n", 1);
    return 0;
}

static int a_megabyte(void *arg)
{
    struct ends e = open_ends();
    struct helper h;
    size_t left = STREAM_LIMIT + 1;
    static char buf[70000];
    char *line;
    int n;

    (void)arg;
    help(&h, write_megabytes, &e);
    EXPECT_EQ(mf_stream_line(e.in, &line, late()), STREAM_LIMIT);
    EXPECT_EQ(strlen(line), STREAM_LIMIT - 1);
    EXPECT_EQ(mf_stream_line(e.in, &line, late()), -EMSGSIZE);
    for (; left > 0; left -= (size_t)n)
        EXPECT_GT(n = mf_stream_read(e.in, buf, sizeof buf, late()), 0);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mf_stream_read(e.in, buf, sizeof buf, MF_NOW), -ETIMEDOUT);
    close_ends(&e);
    return 0;
}

MFI_TEST(a_line_may_have_a_megabyte_until_told_otherwise)
{
    in_both(a_megabyte, NULL);
}

/* ---- reading beside lines ------------------------------------------------ */

static int mixed(void *arg)
{
    struct ends e = open_ends();
    char *line, buf[16];

    (void)arg;
    PUT(&e, "head\nbody of 12.");
    LINE(e.in, "head");
    EXPECT_EQ(mf_stream_read(e.in, buf, 0, MF_NEVER), 0);
    EXPECT_EQ(mf_stream_read(e.in, buf, 5, MF_NOW), 5);
    EXPECT_EQ(memcmp(buf, "body ", 5), 0);
    EXPECT_EQ(mf_stream_read(e.in, buf, sizeof buf, MF_NOW), 6);
    EXPECT_EQ(memcmp(buf, "of 12.", 6), 0);
    EXPECT_EQ(mf_stream_read(e.in, buf, sizeof buf, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_stream_read(e.in, buf, sizeof buf, soon()), -ETIMEDOUT);
    PUT(&e, "tail");
    EXPECT_EQ(mf_stream_line(e.in, &line, soon()), -ETIMEDOUT);
    end(&e);
    LINE(e.in, "tail");
    EXPECT_EQ(mf_stream_read(e.in, buf, sizeof buf, late()), 0);
    EXPECT_EQ(mf_stream_read(e.in, buf, sizeof buf, late()), 0);
    close_ends(&e);
    return 0;
}

MFI_TEST(reads_take_what_the_lines_left)
{
    in_both(mixed, NULL);
}

static int wrong(void *arg)
{
    mf_stream *s = NULL;
    int p[2];
    char *line, c;

    (void)arg;
    EXPECT_EQ(mf_stream_fd(-1, &s), -EBADF);
    EXPECT_EQ(mf_stream_fd(1 << 20, &s), -EBADF);
    EXPECT(s == NULL);
    bare_pipe(p);
    EXPECT_EQ(mf_stream_fd(p[0], NULL), -EINVAL);
    EXPECT_EQ(fcntl(p[0], F_GETFD), -1); /* taken all the same */
    EXPECT_EQ(mf_stream_fd(p[1], &s), 0);
    EXPECT_EQ(mf_stream_line(NULL, &line, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_stream_line(s, NULL, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_stream_line(s, &line, MF_NOW), -EBADF); /* a writer */
    EXPECT_EQ(mf_stream_read(NULL, &c, 1, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_stream_read(s, NULL, 1, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_stream_write_all(NULL, "x", 1, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_stream_write_all(s, NULL, 1, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_stream_write_all(s, "x", 1, late()), -EPIPE);
    EXPECT_EQ(mf_stream_close(NULL, MF_NOW), 0);
    EXPECT_EQ(mf_stream_close(s, MF_NOW), 0);
    EXPECT_EQ(fcntl(p[1], F_GETFD), -1);
    return 0;
}

MFI_TEST(bad_arguments_are_told)
{
    in_both(wrong, NULL);
}

/* ---- turns --------------------------------------------------------------- */

static int one_line(void *arg)
{
    struct ends *e = arg;
    char *line;
    int rc = mf_stream_line(e->in, &line, MF_NEVER);

    return rc;
}

static int with_deadline(void *arg)
{
    struct ends *e = arg;
    char *line;

    EXPECT_EQ(mf_stream_line(e->in, &line, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_stream_read(e->in, (char[1]){0}, 1, MF_NOW), -ETIMEDOUT);
    return 0;
}

static int queue(void *arg)
{
    struct ends e = open_ends();
    mf_task *first, *second, *third;
    int rc;

    (void)arg;
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    EXPECT_EQ(mf_spawn(&s, one_line, &e, NULL, &first), 0);
    await_parked(first);
    EXPECT_EQ(mf_spawn(&s, one_line, &e, NULL, &second), 0);
    EXPECT_EQ(mf_spawn(&s, one_line, &e, NULL, &third), 0);
    await_parked(second);
    await_parked(third);
    EXPECT_EQ(with_deadline(&e), 0); /* queued, and out at once */
    mf_task_cancel(second);
    EXPECT_EQ(mf_join(second, &rc, late()), 0);
    EXPECT_EQ(rc, -ECANCELED);
    PUT(&e, "half");
    mf_task_cancel(first); /* it reads: the next goes on from there */
    EXPECT_EQ(mf_join(first, &rc, late()), 0);
    EXPECT_EQ(rc, -ECANCELED);
    PUT(&e, "way\n");
    EXPECT_EQ(mf_join(third, &rc, late()), 0);
    EXPECT_EQ(rc, 8);
    (void)mf_scope_close(&s);
    close_ends(&e);
    return 0;
}

MFI_TEST(readers_queue_and_a_cancel_passes_the_turn)
{
    in_tasks(1, queue, NULL);
    in_both(queue, NULL);
}

/* Four readers share the numbers of one writer; each comes to one of them. */
enum { NUMBERS = 2000 / KIT_SLOW, READERS = 4 };
static _Atomic int sum;

static int count(void *arg)
{
    struct ends *e = arg;
    char buf[1];
    int n;

    while ((n = mf_stream_read(e->in, buf, 1, late())) > 0)
        sum += buf[0];
    return n;
}

static void *count_in_thread(void *arg)
{
    EXPECT_EQ(count(arg), 0);
    return NULL;
}

static int shared_reading(void *arg)
{
    struct ends e = open_ends();
    pthread_t thread;

    (void)arg;
    sum = 0;
    EXPECT_EQ(pthread_create(&thread, NULL, count_in_thread, &e), 0);
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    for (int i = 0; i < READERS; i++)
        mf_go(&s, count, &e);
    for (int i = 0; i < NUMBERS; i++) {
        put(&e, "\1\2\3", 3);
        if (i % 7 == 0)
            breathe();
    }
    end(&e);
    EXPECT_EQ(mf_scope_close(&s), 0);
    while (sum != 6 * NUMBERS)
        breathe();
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    close_ends(&e);
    return 0;
}

MFI_TEST(tasks_and_threads_share_one_stream)
{
    in_tasks(2, shared_reading, NULL);
}

/* Reading and writing are two halves of one stream. */
static int talk(void *arg)
{
    mf_stream *s = arg;
    char *line;
    int rc;

    while ((rc = mf_stream_line(s, &line, late())) > 0)
        if ((rc = mf_stream_printf(s, late(), "<%s>\n", line)) < 0)
            break;
    return rc;
}

static int halves(void *arg)
{
    mf_stream *a, *b;
    struct helper h;
    char text[16];
    int fds[2];

    (void)arg;
    bare_pair(SOCK_STREAM, fds);
    EXPECT_EQ(mf_stream_fd(fds[0], &a), 0);
    EXPECT_EQ(mf_stream_fd(fds[1], &b), 0);
    help(&h, talk, b);
    for (int i = 0; i < 50; i++) {
        EXPECT_EQ(mf_stream_printf(a, late(), "%d\n", i),
                  snprintf(text, sizeof text, "%d\n", i));
        snprintf(text, sizeof text, "<%d>", i);
        expect_line(a, text, strlen(text));
    }
    EXPECT_EQ(mf_stream_close(a, MF_NEVER), 0);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mf_stream_close(b, MF_NEVER), 0);
    return 0;
}

MFI_TEST(a_stream_over_a_socket_talks_both_ways)
{
    in_both(halves, NULL);
}
