/* SPDX-License-Identifier: MIT */
/*
 * stream_test.c - a stream's life: made, waited for, shut down, detached,
 * closed by who is cancelled, aborted; and one of the test's own making.
 */
#include <mayfly/scope.h>

#include "stream/streams.h"

static void waits(struct two *t, enum stream_kind kind)
{
    char *data;
    int both = POLLIN | POLLOUT;

    EXPECT_EQ(mf_stream_wait(t->a, POLLIN, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_stream_wait(t->a, POLLIN, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_stream_wait(t->a, POLLOUT, late()), POLLOUT);
    EXPECT_EQ(mf_stream_wait(t->a, (short)both, late()), POLLOUT);
    EXPECT_EQ(mf_stream_wait(t->a, 0, late()), -EINVAL);
    EXPECT_EQ(mf_stream_wait(t->a, POLLIN | POLLPRI, late()), -EINVAL);
    EXPECT_EQ(mf_stream_wait(NULL, POLLIN, late()), -EINVAL);
    say(t->b, "ab");
    EXPECT_EQ(mf_stream_wait(t->a, POLLIN, late()), POLLIN);
    EXPECT_EQ(mf_stream_wait(t->a, (short)both, late()), both);
    EXPECT_EQ(mf_stream_peek(t->a, &data, 2, late()), 2);
    EXPECT_EQ(mf_stream_wait(t->a, POLLIN, MF_NOW), POLLIN); /* buffered */
    hear(t->a, "ab");
    EXPECT_EQ(mf_stream_wait(t->a, POLLIN, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_stream_hold(t->a, 1), 0);
    EXPECT_EQ(mf_stream_wait(t->a, POLLOUT, MF_NOW), POLLOUT);
    say(t->b, "last");
    EXPECT_EQ(mf_stream_shutdown(t->b, late()), 0);
    EXPECT_EQ(mf_stream_line(t->a, &data, late()), 5);
    EXPECT_NE(mf_stream_wait(t->a, POLLIN, late()) & POLLIN, 0); /* the end */
    EXPECT_EQ(mf_stream_line(t->a, &data, MF_NOW), 0);
    EXPECT_NE(mf_stream_wait(t->a, POLLIN, late()) & POLLIN, 0);
    say(t->a, "!"); /* held */
    EXPECT_EQ(mf_stream_flush(t->a, late()), 0);
    hear(t->b, "!"); /* that half lives */
    if (kind == OVER_TCP || kind == OVER_UNIX)
        EXPECT_GE(mf_stream_get_fd(t->a), 0);
    else
        EXPECT_EQ(mf_stream_get_fd(t->a), -ENOTSUP);
}

MFI_TEST(waits_count_what_is_buffered)
{
    with_each_kind(waits);
}

static int wait_in(void *arg)
{
    return mf_stream_wait(arg, POLLIN, MF_NEVER);
}

static void woken(struct two *t, enum stream_kind kind)
{
    mf_task *one, *two;
    int rc;

    (void)kind;
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    EXPECT_EQ(mf_spawn(&s, wait_in, t->a, NULL, &one), 0);
    await_parked(one);
    EXPECT_EQ(mf_spawn(&s, wait_in, t->a, NULL, &two), 0);
    await_parked(two);
    mf_task_cancel(one);
    EXPECT_EQ(mf_join(one, &rc, late()), 0);
    EXPECT_EQ(rc, -ECANCELED);
    say(t->b, "x");
    EXPECT_EQ(mf_join(two, &rc, late()), 0);
    EXPECT_EQ(rc, POLLIN);
    (void)mf_scope_close(&s);
    hear(t->a, "x");
}

MFI_TEST(waits_are_cancelled_and_woken)
{
    with_each_kind(woken);
}

/* ---- ends ---------------------------------------------------------------- */

static _Atomic bool is_held;

static int close_held(void *arg)
{
    mf_stream *s = arg;

    EXPECT_EQ(mf_stream_hold(s, 100), 0);
    EXPECT_EQ(mf_stream_write_all(s, "farewell", 8, MF_NEVER), 0);
    mfi_store_rel(&is_held, true);
    while (mf_cancelled() == 0)
        breathe();
    EXPECT_EQ(mf_stream_close(s, late()), 0);
    EXPECT_EQ(mf_sleep(MF_SEC(100)), -ECANCELED); /* the notice is there yet */
    return 0;
}

static void cancelled_close(struct two *t, enum stream_kind kind)
{
    mf_task *task;
    int rc;

    (void)kind;
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    mfi_store_rel(&is_held, false);
    EXPECT_EQ(mf_spawn(&s, close_held, t->b, NULL, &task), 0);
    while (!mfi_load_acq(&is_held))
        breathe();
    mf_task_cancel(task);
    EXPECT_EQ(mf_join(task, &rc, late()), 0);
    EXPECT_EQ(rc, 0);
    (void)mf_scope_close(&s);
    hear(t->a, "farewell");
    hear_end(t->a);
    t->b = NULL;
}

MFI_TEST(a_cancelled_task_says_farewell)
{
    with_each_kind(cancelled_close);
}

/* A flush that fails makes what is below an abort, and the stream is gone. */
static int stuck_close(void *arg)
{
    mf_stream *e[2];

    (void)arg;
    EXPECT_EQ(mf_stream_pair(4, e), 0);
    EXPECT_EQ(mf_stream_hold(e[0], 100), 0);
    say(e[0], "0123456789");
    EXPECT_EQ(mf_stream_close(e[0], soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_stream_read(e[1], (char[1]){0}, 1, late()), -ECONNRESET);
    EXPECT_EQ(mf_stream_close(e[1], MF_NOW), 0);
    return 0;
}

MFI_TEST(a_close_that_cannot_flush_is_an_abort)
{
    in_both(stuck_close, NULL);
}

static void aborted(struct two *t, enum stream_kind kind)
{
    EXPECT_EQ(mf_stream_hold(t->b, 100), 0);
    say(t->b, "never seen");
    mf_stream_abort(t->b);
    t->b = NULL;
    if (kind == OVER_UNIX)
        hear_end(t->a); /* it knows no reset */
    else
        EXPECT_EQ(mf_stream_read(t->a, (char[1]){0}, 1, late()), -ECONNRESET);
}

MFI_TEST(an_abort_is_a_reset)
{
    mf_stream_abort(NULL);
    mf_stream_abort(mf_stdout());
    with_each_kind(aborted);
}

static int detaches(void *arg)
{
    struct two t = make_two(OVER_UNIX);
    char *data;
    int fd = mf_stream_get_fd(t.a);

    (void)arg;
    say(t.b, "ab");
    EXPECT_EQ(mf_stream_peek(t.a, &data, 2, late()), 2);
    EXPECT_EQ(mf_stream_detach(t.a), -EBUSY);
    hear(t.a, "ab");
    EXPECT_EQ(mf_stream_hold(t.a, 10), 0);
    say(t.a, "x");
    EXPECT_EQ(mf_stream_detach(t.a), -EBUSY);
    EXPECT_EQ(mf_stream_flush(t.a, late()), 0);
    EXPECT_EQ(mf_stream_detach(t.a), fd);
    EXPECT_EQ(mf_write_all(fd, "y", 1, late()), 0);
    hear(t.b, "xy");
    EXPECT_EQ(mf_stream_fd(fd, &t.a), 0);
    end_two(&t);
    t = make_two(IN_MEMORY);
    EXPECT_EQ(mf_stream_detach(t.a), -ENOTSUP);
    EXPECT_EQ(mf_stream_detach(mf_stdin()), -ENOTSUP);
    EXPECT_EQ(mf_stream_detach(NULL), -EINVAL);
    end_two(&t);
    return 0;
}

MFI_TEST(detach_gives_the_fd_back_if_nothing_is_lost)
{
    in_both(detaches, NULL);
}

static int a_pipe(void *arg)
{
    mf_stream *r, *w;
    int p[2];

    (void)arg;
    bare_pipe(p);
    EXPECT_EQ(mf_stream_fd(p[0], &r), 0);
    EXPECT_EQ(mf_stream_fd(p[1], &w), 0);
    EXPECT_EQ(mf_stream_shutdown(w, late()), -ENOTSUP);
    mf_stream_abort(w);
    hear_end(r);
    mf_stream_abort(r);
    EXPECT_EQ(fcntl(p[0], F_GETFD), -1);
    EXPECT_EQ(fcntl(p[1], F_GETFD), -1);
    return 0;
}

MFI_TEST(a_pipe_has_no_half_to_shut_down)
{
    in_both(a_pipe, NULL);
}

/* ---- of one's own making ------------------------------------------------- */

struct own {
    int reads, closed, orderly;
};

static int own_read(void *self, void *buf, size_t len, mf_deadline deadline)
{
    struct own *o = self;

    (void)deadline;
    if (o->reads++ == 3)
        mf_panic("in the middle of a read");
    memset(buf, 'o', len < 3 ? len : 3);
    return len < 3 ? (int)len : 3;
}

static int own_writev(void *self, const struct iovec *iov, int n,
                      mf_deadline deadline)
{
    (void)self;
    (void)iov;
    (void)n;
    (void)deadline;
    return 0; /* against the rules */
}

static int own_close(void *self, int orderly, mf_deadline deadline)
{
    struct own *o = self;

    (void)deadline;
    o->closed++;
    o->orderly = orderly;
    return -EIO;
}

static const mf_stream_ops own_ops = {
    .size = sizeof own_ops, .read = own_read, .close = own_close};
static const mf_stream_ops bad_ops = {.size = sizeof bad_ops,
                                      .read = own_read,
                                      .writev = own_writev,
                                      .close = own_close};

static int read_own(void *arg)
{
    return mf_stream_read(arg, (char[4]){0}, 4, MF_NEVER);
}

static int own(void *arg)
{
    struct own o = {0};
    mf_stream *s, *b;
    mf_task *t;
    char *line;
    int rc;

    (void)arg;
    EXPECT_EQ(mf_stream_make(NULL, &o, &s), -EINVAL);
    EXPECT_EQ(mf_stream_make(&own_ops, &o, NULL), -EINVAL);
    EXPECT_EQ(mf_stream_make(&own_ops, &o, &s), 0);
    EXPECT(mf_stream_self(s, &own_ops) == &o);
    EXPECT(mf_stream_self(s, &bad_ops) == NULL);
    EXPECT(mf_stream_self(NULL, &own_ops) == NULL);
    EXPECT_EQ(mf_stream_write(s, "x", 1, MF_NOW), -EBADF);
    EXPECT_EQ(mf_stream_shutdown(s, MF_NOW), -ENOTSUP);
    EXPECT_EQ(mf_stream_wait(s, POLLIN, MF_NOW), -ENOTSUP);
    EXPECT_EQ(mf_stream_get_fd(s), -ENOTSUP);
    hear(s, "oooooo");
    EXPECT_EQ(mf_stream_peek(s, &line, 2, late()), 3);
    EXPECT_EQ(mf_stream_wait(s, POLLIN, MF_NOW), POLLIN);
    hear(s, "ooo");
    MF_SCOPE(scope, .mode = MF_WAIT_ALL);
    EXPECT_EQ(mf_spawn(&scope, read_own, s, NULL, &t), 0);
    EXPECT_EQ(mf_join(t, &rc, late()), 0);
    EXPECT_EQ(rc, -ENOTRECOVERABLE);
    (void)mf_scope_close(&scope);
    hear(s, "o"); /* the turn is not lost with it */
    EXPECT_EQ(mf_stream_make(&bad_ops, &o, &b), 0);
    EXPECT_EQ(mf_stream_write_all(b, "x", 1, late()), -EIO);
    EXPECT_EQ(mf_stream_close(b, MF_NOW), -EIO);
    EXPECT_EQ(o.orderly, 1);
    mf_stream_abort(s);
    EXPECT_EQ(o.closed, 2);
    EXPECT_EQ(o.orderly, 0);
    return 0;
}

MFI_TEST(a_stream_of_ones_own_making)
{
    in_tasks(1, own, NULL);
    in_tasks(2, own, NULL);
}
