/* SPDX-License-Identifier: MIT */
/*
 * pair_test.c - the pipe in memory: every byte once and in order, whoever is at
 * its ends; half-closed, closed and aborted.
 */
#include "stream/streams.h"

static int halves(void *arg)
{
    mf_stream *e[2];

    (void)arg;
    EXPECT_EQ(mf_stream_pair(4, e), 0);
    EXPECT_EQ(mf_stream_get_fd(e[0]), -ENOTSUP);
    say(e[0], "ab");
    say(e[1], "cdef");
    EXPECT_EQ(mf_stream_write(e[1], "g", 1, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_stream_write(e[1], "g", 1, soon()), -ETIMEDOUT);
    hear(e[0], "cd");
    EXPECT_EQ(mf_stream_write(e[1], "ghi", 3, MF_NOW), 2); /* what fits */
    EXPECT_EQ(mf_stream_shutdown(e[1], MF_NEVER), 0);
    EXPECT_EQ(mf_stream_write(e[1], "x", 1, late()), -EPIPE);
    hear(e[0], "efgh");
    hear_end(e[0]);
    hear_end(e[0]);
    say(e[0], "ij"); /* that way goes on */
    hear(e[1], "abij");
    hear_nothing(e[1]);
    say(e[0], "last");
    EXPECT_EQ(mf_stream_close(e[0], MF_NEVER), 0);
    hear(e[1], "last");
    hear_end(e[1]);
    EXPECT_EQ(mf_stream_close(e[1], MF_NEVER), 0);
    return 0;
}

MFI_TEST(each_way_ends_by_itself)
{
    in_both(halves, NULL);
}

static int broken(void *arg)
{
    mf_stream *e[2];

    (void)arg;
    EXPECT_EQ(mf_stream_pair(100, e), 0);
    say(e[0], "unread");
    say(e[1], "read");
    EXPECT_EQ(mf_stream_close(e[0], MF_NEVER), 0);
    EXPECT_EQ(mf_stream_write(e[1], "x", 1, late()), -EPIPE);
    hear(e[1], "unread");
    hear_end(e[1]);
    EXPECT_EQ(mf_stream_close(e[1], MF_NEVER), 0);
    EXPECT_EQ(mf_stream_pair(100, e), 0);
    say(e[0], "lost");
    mf_stream_abort(e[0]);
    EXPECT_EQ(mf_stream_read(e[1], (char[1]){0}, 1, late()), -ECONNRESET);
    EXPECT_EQ(mf_stream_write(e[1], "x", 1, late()), -ECONNRESET);
    EXPECT_EQ(mf_stream_wait(e[1], POLLIN | POLLOUT, late()), POLLIN | POLLOUT);
    mf_stream_abort(e[1]);
    EXPECT_EQ(mf_stream_pair(0, e), -EINVAL);
    EXPECT_EQ(mf_stream_pair(1, NULL), -EINVAL);
    EXPECT_EQ(mf_stream_pair(SIZE_MAX / 2, e), -ENOMEM);
    return 0;
}

MFI_TEST(a_close_is_an_end_and_an_abort_a_reset)
{
    in_both(broken, NULL);
}

/* ---- who sleeps is woken by an end --------------------------------------- */

static int read_one(void *arg)
{
    return mf_stream_read(arg, (char[1]){0}, 1, MF_NEVER);
}

static int write_ten(void *arg)
{
    return mf_stream_write_all(arg, "0123456789", 10, MF_NEVER);
}

static int wait_both(void *arg)
{
    return mf_stream_wait(arg, POLLIN | POLLOUT, MF_NEVER);
}

/* fn sleeps at one end; the other ends: what fn says. */
static int woken_by(mf_fn *fn, int (*end)(mf_stream *s))
{
    mf_stream *e[2];
    mf_task *t;
    int rc;

    EXPECT_EQ(mf_stream_pair(5, e), 0);
    if (fn == wait_both)
        say(e[0], "12345");
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    EXPECT_EQ(mf_spawn(&s, fn, e[0], NULL, &t), 0);
    await_parked(t);
    EXPECT_EQ(end(e[1]), 0);
    EXPECT_EQ(mf_join(t, &rc, late()), 0);
    (void)mf_scope_close(&s);
    EXPECT_EQ(mf_stream_close(e[0], MF_NOW), 0);
    return rc;
}

static int by_close(mf_stream *s)
{
    return mf_stream_close(s, MF_NOW);
}

static int by_abort(mf_stream *s)
{
    mf_stream_abort(s);
    return 0;
}

static int ends_wake(void *arg)
{
    (void)arg;
    EXPECT_EQ(woken_by(read_one, by_close), 0);
    EXPECT_EQ(woken_by(write_ten, by_close), -EPIPE);
    EXPECT_EQ(woken_by(wait_both, by_close), POLLIN | POLLOUT);
    EXPECT_EQ(woken_by(read_one, by_abort), -ECONNRESET);
    EXPECT_EQ(woken_by(write_ten, by_abort), -ECONNRESET);
    EXPECT_EQ(woken_by(wait_both, by_abort), POLLIN | POLLOUT);
    return 0;
}

MFI_TEST(who_sleeps_hears_of_the_end)
{
    in_tasks(1, ends_wake, NULL);
    in_both(ends_wake, NULL);
}

/* ---- many bytes ---------------------------------------------------------- */

enum { BYTES = 400000 / KIT_SLOW };

struct flow {
    mf_stream *s;
    unsigned seed;
    bool impatient;
};

static unsigned next(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

static mf_deadline patience(struct flow *f)
{
    if (!f->impatient)
        return late();
    return next(&f->seed) % 4 == 0 ? MF_NOW
                                   : mf_after(next(&f->seed) % 20 * 1000);
}

static int pour(void *arg)
{
    struct flow *f = arg;
    char buf[700];

    for (unsigned done = 0; done < BYTES;) {
        unsigned len = next(&f->seed) % sizeof buf + 1;
        int n;

        for (unsigned i = 0; i < len; i++)
            buf[i] = (char)((done + i) % 253);
        if (len > BYTES - done)
            len = BYTES - done;
        n = mf_stream_write(f->s, buf, len, patience(f));
        EXPECT(n > 0 || n == -ETIMEDOUT);
        done += n > 0 ? (unsigned)n : 0;
        if (n < 0)
            breathe();
    }
    return mf_stream_shutdown(f->s, late());
}

static int drain(void *arg)
{
    struct flow *f = arg;
    char buf[500];

    for (unsigned done = 0;;) {
        int n = mf_stream_read(f->s, buf, next(&f->seed) % sizeof buf + 1,
                               patience(f));

        EXPECT(n >= 0 || n == -ETIMEDOUT);
        for (int i = 0; i < n; i++)
            EXPECT_EQ((unsigned char)buf[i], (done + (unsigned)i) % 253);
        if (n == 0)
            return done == BYTES ? 0 : -EIO;
        done += n > 0 ? (unsigned)n : 0;
        if (n < 0)
            breathe();
    }
}

static void *drain_thread(void *arg)
{
    EXPECT_EQ(drain(arg), 0);
    return NULL;
}

static void *pour_thread(void *arg)
{
    EXPECT_EQ(pour(arg), 0);
    return NULL;
}

/* Both ways at once; threads: on one side. */
static void flows(size_t capacity, bool impatient, bool threads)
{
    mf_stream *e[2];
    pthread_t ids[2];
    struct flow f[4];

    EXPECT_EQ(mf_stream_pair(capacity, e), 0);
    for (int i = 0; i < 4; i++)
        f[i] = (struct flow){e[i / 2], (unsigned)i + 1, impatient};
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    mf_go(&s, pour, &f[0]);
    mf_go(&s, drain, &f[1]);
    if (threads) {
        EXPECT_EQ(pthread_create(&ids[0], NULL, pour_thread, &f[2]), 0);
        EXPECT_EQ(pthread_create(&ids[1], NULL, drain_thread, &f[3]), 0);
    } else {
        mf_go(&s, pour, &f[2]);
        mf_go(&s, drain, &f[3]);
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; threads && i < 2; i++)
        EXPECT_EQ(pthread_join(ids[i], NULL), 0);
    EXPECT_EQ(mf_stream_close(e[0], MF_NOW), 0);
    EXPECT_EQ(mf_stream_close(e[1], MF_NOW), 0);
}

static int all_flows(void *arg)
{
    static const size_t capacities[] = {3, 64, 777, 65536};

    for (int i = 0; i < 4; i++)
        flows(capacities[i], false, arg != NULL);
    flows(100, true, arg != NULL);
    return 0;
}

MFI_TEST(every_byte_once_and_in_order_between_tasks)
{
    in_tasks(1, all_flows, NULL);
    in_tasks(2, all_flows, NULL);
}

MFI_TEST(every_byte_once_and_in_order_between_tasks_and_threads)
{
    static int yes = 1;

    in_tasks(2, all_flows, &yes);
}
