/* SPDX-License-Identifier: MIT */
/*
 * stack_test.c - every kind of stream upon every other, hammered.
 *
 * A conversation runs both ways at once: writers hold back, flush, write in
 * pieces and vectors; readers peek, skip, look for lines and delimiters, take
 * parts as streams of their own; each with deadlines that strike anywhere.
 * Every record has a number and tells it in each byte, so one that is lost,
 * doubled or out of order is seen at once. On one worker, on two, and with
 * plain threads.
 */
#include <mayfly/block.h>

#include "stream/streams.h"

enum { RECORDS = 1500 / KIT_SLOW, LONGEST = 600 };

static unsigned draw(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

static mf_deadline some_time(unsigned *seed)
{
    switch (draw(seed) % 8) {
    case 0:
        return MF_NOW;
    case 1:
    case 2:
        return mf_after((mf_ns)(draw(seed) % 100) * 1000);
    default:
        return late();
    }
}

/* ---- writing ------------------------------------------------------------- */

/* "NUMBER:LENGTH\nxxx...\n" with LENGTH x; x tells the number. */
static int format_record(char *buf, int number, unsigned *seed)
{
    int len = (int)(draw(seed) % LONGEST), at;

    at = sprintf(buf, "%d:%d\n", number, len);
    memset(buf + at, 'a' + number % 26, (size_t)len);
    buf[at + len] = '\n';
    return at + len + 1;
}

/* All of it, in whatever pieces the deadlines leave. */
static void write_record(mf_stream *s, char *buf, int len, unsigned *seed)
{
    struct iovec v[2];
    int cut = (int)(draw(seed) % (unsigned)len), n, rc;

    if (draw(seed) % 2 == 0) {
        for (int done = 0; done<len; done += n> 0 ? n : 0) {
            n = mf_stream_write(s, buf + done, (size_t)(len - done),
                                some_time(seed));
            EXPECT(n > 0 || n == -ETIMEDOUT);
        }
        return;
    }
    v[0] = (struct iovec){buf, (size_t)cut};
    v[1] = (struct iovec){buf + cut, (size_t)(len - cut)};
    do {
        rc = mf_stream_writev_all(s, v, 2, some_time(seed));
        EXPECT(rc == 0 || rc == -ETIMEDOUT);
    } while (rc != 0);
    EXPECT_EQ(v[0].iov_len + v[1].iov_len, 0);
}

struct talker {
    mf_stream *s;
    unsigned seed;
};

static int talk(void *arg)
{
    struct talker *t = arg;
    char buf[LONGEST + 40];
    int rc;

    for (int i = 0; i < RECORDS; i++) {
        if (draw(&t->seed) % 50 == 0) {
            rc = mf_stream_hold(t->s, draw(&t->seed) % 3 * 700);
            EXPECT(rc == 0 || rc == -EBUSY);
        }
        write_record(t->s, buf, format_record(buf, i, &t->seed), &t->seed);
        if (draw(&t->seed) % 5 == 0) {
            rc = mf_stream_flush(t->s, some_time(&t->seed));
            EXPECT(rc == 0 || rc == -ETIMEDOUT);
        }
        if (draw(&t->seed) % 20 == 0)
            (void)mf_stream_trim(t->s); /* of what is empty */
    }
    do
        rc = mf_stream_shutdown(t->s, some_time(&t->seed));
    while (rc == -ETIMEDOUT);
    return rc;
}

/* ---- reading ------------------------------------------------------------- */

static void header(struct talker *t, int number, int *ret_len)
{
    char *line;
    int rc, got = -1;

    if (draw(&t->seed) % 2 == 0) {
        do
            rc = mf_stream_line(t->s, &line, some_time(&t->seed));
        while (rc == -ETIMEDOUT);
    } else {
        do
            rc = mf_stream_until(t->s, "\n", 1, &line, some_time(&t->seed));
        while (rc == -ETIMEDOUT);
    }
    EXPECT_GT(rc, 0);
    EXPECT_EQ(sscanf(line, "%d:%d\n", &got, ret_len), 2);
    EXPECT_EQ(got, number);
}

static void expect_body(const char *data, int n, int number)
{
    for (int i = 0; i < n; i++)
        EXPECT_EQ(data[i], 'a' + number % 26);
}

static void body_by_peeks(mf_stream *s, int len, int number, unsigned *seed)
{
    while (len > 0) {
        char *data;
        int want = (int)(draw(seed) % (unsigned)len) + 1;
        int n = mf_stream_peek(s, &data, (size_t)want, some_time(seed));

        if (n == -ETIMEDOUT)
            continue;
        EXPECT_GE(n, want);
        expect_body(data, want, number);
        EXPECT_EQ(mf_stream_skip(s, (size_t)want), 0);
        len -= want;
    }
}

static void body_by_reads(mf_stream *s, int len, int number, unsigned *seed)
{
    char buf[LONGEST];

    while (len > 0) {
        int n = mf_stream_read(s, buf, (size_t)len, some_time(seed));

        if (n == -ETIMEDOUT)
            continue;
        EXPECT_GT(n, 0);
        expect_body(buf, n, number);
        len -= n;
    }
}

/* As a stream of its own, of which more is peeked at than taken. */
static void body_by_part(mf_stream *s, int len, int number, unsigned *seed)
{
    int taken = (int)(draw(seed) % (unsigned)(len + 1));
    mf_stream *l;

    EXPECT_EQ(mf_stream_limited(s, (uint64_t)len, &l), 0);
    body_by_peeks(l, taken, number, seed);
    EXPECT_EQ(mf_stream_close(l, late()), 0);
    body_by_reads(s, len - taken, number, seed);
}

static int listen_to(void *arg)
{
    struct talker *t = arg;
    int len = 0, rc;
    char c;

    for (int i = 0; i < RECORDS; i++) {
        header(t, i, &len);
        if (draw(&t->seed) % 3 == 0)
            body_by_part(t->s, len, i, &t->seed);
        else if (draw(&t->seed) % 2 == 0)
            body_by_peeks(t->s, len, i, &t->seed);
        else
            body_by_reads(t->s, len, i, &t->seed);
        do
            rc = mf_stream_read(t->s, &c, 1, some_time(&t->seed));
        while (rc == -ETIMEDOUT);
        EXPECT_EQ(rc, 1);
        EXPECT_EQ(c, '\n');
    }
    do
        rc = mf_stream_read(t->s, &c, 1, some_time(&t->seed));
    while (rc == -ETIMEDOUT);
    return rc;
}

/* ---- together ------------------------------------------------------------ */

static int sink(void *arg)
{
    char buf[2000];
    int n;

    while ((n = mf_stream_read(arg, buf, sizeof buf, late())) > 0)
        ;
    return n;
}

/* bottom, and `depth` tees on its reading end; their copies are drained. */
struct tower {
    struct two t;
    mf_stream *copy[4], *seen[4];
    int depth;
};

static void build_tower(struct tower *w, enum stream_kind bottom, int depth)
{
    w->t = make_two(bottom);
    w->depth = depth;
    for (int i = 0; i < depth; i++) {
        mf_stream *c[2], *up;

        EXPECT_EQ(mf_stream_pair(300u << i, c), 0);
        EXPECT_EQ(mf_stream_tee(w->t.a, c[0], &up), 0);
        w->t.a = up;
        w->copy[i] = c[0];
        w->seen[i] = c[1];
    }
}

static int join_thread(void *data)
{
    pthread_t *thread = data;

    return -pthread_join(*thread, NULL);
}

static void *talk_thread(void *arg)
{
    EXPECT_EQ(talk(arg), 0);
    return NULL;
}

static void converse(enum stream_kind bottom, int depth, bool thread)
{
    static unsigned seed = 1;
    struct talker t[4];
    struct helper drains[4];
    struct tower w;
    pthread_t id;

    build_tower(&w, bottom, depth);
    for (int i = 0; i < depth; i++)
        help(&drains[i], sink, w.seen[i]);
    for (int i = 0; i < 4; i++)
        t[i] = (struct talker){i / 2 == 0 ? w.t.a : w.t.b, seed++};
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    mf_go(&s, talk, &t[0]);
    mf_go(&s, listen_to, &t[1]);
    mf_go(&s, listen_to, &t[2]);
    if (thread)
        EXPECT_EQ(pthread_create(&id, NULL, talk_thread, &t[3]), 0);
    else
        mf_go(&s, talk, &t[3]);
    EXPECT_EQ(mf_scope_close(&s), 0);
    if (thread)
        EXPECT_EQ(mf_block(join_thread, &id, sizeof id, NULL, late()), 0);
    end_two(&w.t);
    for (int i = depth; i-- > 0;) {
        EXPECT_EQ(mf_stream_close(w.copy[i], late()), 0);
        EXPECT_EQ(helped(&drains[i]), 0);
        EXPECT_EQ(mf_stream_close(w.seen[i], late()), 0);
    }
}

static int all_towers(void *arg)
{
    for (int k = 0; k < THROUGH_TEE; k++)
        for (int depth = 0; depth < 4; depth += 1 + depth)
            converse((enum stream_kind)k, depth, arg != NULL);
    return 0;
}

MFI_TEST(every_kind_upon_every_other)
{
    in_tasks(1, all_towers, NULL);
    in_tasks(2, all_towers, NULL);
}

MFI_TEST(every_kind_upon_every_other_with_threads)
{
    int yes;

    in_tasks(2, all_towers, &yes);
}

/* ---- readers are cancelled while the writer writes ----------------------- */

static _Atomic int heard;

static int hear_numbers(void *arg)
{
    unsigned char c[4];
    int rc;

    while ((rc = mf_stream_read(arg, c, 1, MF_NEVER)) == 1) {
        EXPECT_EQ(c[0], (mfi_load_rlx(&heard) % 251)); /* its turn */
        mfi_store_rlx(&heard, mfi_load_rlx(&heard) + 1);
    }
    return rc == -ECANCELED ? 0 : rc;
}

enum { NUMBERS = 20000 / KIT_SLOW };

static int say_numbers(void *arg)
{
    unsigned char c[50];

    for (int i = 0; i < NUMBERS; i += (int)sizeof c) {
        for (int k = 0; k < (int)sizeof c; k++)
            c[k] = (unsigned char)((i + k) % 251);
        EXPECT_EQ(mf_stream_write_all(arg, c, sizeof c, late()), 0);
    }
    return 0;
}

/* One reader after the other, each cancelled somewhere. */
static void relay(struct two *t, enum stream_kind kind)
{
    struct helper h;
    unsigned seed = (unsigned)kind + 1;

    mfi_store_rlx(&heard, 0);
    help(&h, say_numbers, t->b);
    while (mfi_load_rlx(&heard) < NUMBERS) {
        mf_task *reader;
        int rc;

        MF_SCOPE(s, .mode = MF_WAIT_ALL);
        EXPECT_EQ(mf_spawn(&s, hear_numbers, t->a, NULL, &reader), 0);
        for (unsigned i = draw(&seed) % 20; i > 0; i--)
            breathe();
        mf_task_cancel(reader);
        EXPECT_EQ(mf_join(reader, &rc, late()), 0);
        (void)mf_scope_close(&s);
    }
    EXPECT_EQ(mfi_load_rlx(&heard), NUMBERS);
    EXPECT_EQ(helped(&h), 0);
    hear_nothing(t->a);
}

MFI_TEST(a_cancelled_reader_has_taken_nothing)
{
    with_each_kind(relay);
}
