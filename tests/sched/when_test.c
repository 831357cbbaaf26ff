/* SPDX-License-Identifier: MIT */
/* when_test.c - mf_go_when: what starts a task that waits as a record. */
#include "sched/help.h"

#include <mayfly/fd.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static _Atomic int started, why;

static void open_pipe(int ends[2])
{
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
}

static void close_pipe(const int ends[2])
{
    EXPECT_EQ(mf_close(ends[0]), 0);
    EXPECT_EQ(mf_close(ends[1]), 0);
}

/* arg: the read end. Notes what there is to be found out. */
static int looks(void *arg)
{
    int fd = (int)(intptr_t)arg;

    why = mf_wait_fd(fd, POLLIN, MF_NOW);
    started++;
    return 0;
}

/* ---- what starts it ----------------------------------------------------- */

static int by_readiness(void *arg)
{
    int ends[2];
    MF_SCOPE(s);

    (void)arg;
    started = 0;
    open_pipe(ends);
    EXPECT_EQ(mf_go_when(&s, ends[0], POLLIN, MF_NEVER, looks, NUMBER(ends[0])),
              0);
    EXPECT_EQ(mf_sleep(MF_MSEC(5)), 0);
    EXPECT_EQ(started, 0);
    EXPECT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(mf_scope_wait(&s, MF_NEVER), 0);
    EXPECT_EQ(started, 1);
    EXPECT_EQ(why & POLLIN, POLLIN);
    /* Ready already. */
    EXPECT_EQ(mf_go_when(&s, ends[0], POLLIN, MF_NEVER, looks, NUMBER(ends[0])),
              0);
    EXPECT_EQ(
        mf_go_when(&s, ends[1], POLLOUT, MF_NEVER, looks, NUMBER(ends[0])), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(started, 3);
    close_pipe(ends);
    return 0;
}

MFI_TEST(it_starts_when_the_fd_is_ready_and_not_before)
{
    EXPECT_EQ(run_on(1, by_readiness, NULL), 0);
    EXPECT_EQ(run_on(2, by_readiness, NULL), 0);
}

static int by_deadline(void *arg)
{
    mf_deadline at = mf_after(MF_MSEC(10));
    int ends[2];
    MF_SCOPE(s);

    (void)arg;
    started = 0;
    open_pipe(ends);
    EXPECT_EQ(mf_go_when(&s, ends[0], POLLIN, at, looks, NUMBER(ends[0])), 0);
    EXPECT_EQ(mf_scope_wait(&s, MF_NEVER), 0);
    EXPECT_GE(mf_now(), at.at);
    EXPECT_EQ(why, -ETIMEDOUT);
    EXPECT_EQ(mf_go_when(&s, ends[0], POLLIN, MF_NOW, looks, NUMBER(ends[0])),
              0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(started, 2);
    close_pipe(ends);
    return 0;
}

MFI_TEST(a_deadline_starts_it)
{
    EXPECT_EQ(run_on(1, by_deadline, NULL), 0);
    EXPECT_EQ(run_on(2, by_deadline, NULL), 0);
}

static int by_cancel(void *arg)
{
    int ends[2];

    (void)arg;
    open_pipe(ends);
    for (int i = 0; i < 2000; i++) {
        mf_scope s;

        started = 0;
        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        EXPECT_EQ(
            mf_go_when(&s, ends[0], POLLIN, MF_NEVER, looks, NUMBER(ends[0])),
            0);
        if (i % 2 != 0)
            spin(2000);
        mf_scope_cancel(&s);
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_EQ(started, 1); /* an accepted task always runs */
        EXPECT_EQ(why, -ECANCELED);
    }
    close_pipe(ends);
    return 0;
}

MFI_TEST(a_cancel_starts_it)
{
    EXPECT_EQ(run_on(1, by_cancel, NULL), 0);
    EXPECT_EQ(run_on(2, by_cancel, NULL), 0);
}

static int by_close(void *arg)
{
    int ends[2];
    MF_SCOPE(s);

    (void)arg;
    started = 0;
    open_pipe(ends);
    EXPECT_EQ(mf_go_when(&s, ends[0], POLLIN, MF_NEVER, looks, NUMBER(ends[0])),
              0);
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    EXPECT_EQ(mf_close(ends[0]), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(started, 1);
    EXPECT_EQ(why, -EBADF);
    EXPECT_EQ(mf_close(ends[1]), 0);
    return 0;
}

MFI_TEST(a_close_starts_it)
{
    EXPECT_EQ(run_on(1, by_close, NULL), 0);
    EXPECT_EQ(run_on(2, by_close, NULL), 0);
}

static int two_on_one(void *arg)
{
    int ends[2];
    MF_SCOPE(s);

    (void)arg;
    started = 0;
    open_pipe(ends);
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(mf_go_when(&s, ends[0], POLLIN, MF_NEVER, returns_arg, NULL),
                  0);
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    EXPECT_EQ(write(ends[1], "x", 1), 1); /* which none of them reads */
    EXPECT_EQ(mf_scope_close(&s), 0);
    close_pipe(ends);
    return 0;
}

MFI_TEST(several_on_one_fd_all_start)
{
    EXPECT_EQ(run_on(1, two_on_one, NULL), 0);
    EXPECT_EQ(run_on(2, two_on_one, NULL), 0);
}

/* ---- refusals ----------------------------------------------------------- */

static int refused(void *arg)
{
    int ends[2], file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    mf_scope s;

    (void)arg;
    open_pipe(ends);
    started = 0;
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    EXPECT_EQ(mf_go_when(&s, -1, POLLIN, MF_NEVER, looks, NULL), -EBADF);
    EXPECT_EQ(mf_go_when(&s, 900, POLLIN, MF_NEVER, looks, NULL), -EBADF);
    EXPECT_EQ(mf_go_when(&s, file, POLLIN, MF_NEVER, looks, NULL), -EPERM);
    EXPECT_EQ(mf_go_when(&s, ends[0], 0, MF_NEVER, looks, NULL), -EINVAL);
    EXPECT_EQ(mf_go_when(&s, ends[0], POLLIN, MF_NEVER, NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_go_when(NULL, ends[0], POLLIN, MF_NEVER, looks, NULL),
              -EINVAL);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_go_when(&s, ends[0], POLLIN, MF_NEVER, looks, NULL),
              -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(started, 0);

    EXPECT_EQ(mf_scope_open(&s, NULL), 0); /* fail fast: it fails with it */
    EXPECT_EQ(mf_go_when(&s, ends[0], 0, MF_NEVER, looks, NULL), -EINVAL);
    EXPECT_EQ(mf_scope_close(&s), -EINVAL);
    EXPECT_EQ(mf_close(file), 0);
    close_pipe(ends); /* no reference is left */
    EXPECT_EQ(fcntl(ends[0], F_GETFD), -1);
    return 0;
}

MFI_TEST(what_cannot_be_waited_for_is_refused)
{
    EXPECT_EQ(run_on(1, refused, NULL), 0);
}

/* ---- limits, threads, numbers ------------------------------------------- */

static int in_turn(void *arg)
{
    int ends[2];
    MF_SCOPE(s, .limit = 1);

    (void)arg;
    started = 0;
    open_pipe(ends);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(mf_go_when(&s, ends[0], POLLIN, mf_after(MF_MSEC(3)), looks,
                             NUMBER(ends[0])),
                  0);
    EXPECT_EQ(mf_scope_wait_slot(&s, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(started, 4);
    close_pipe(ends);
    return 0;
}

MFI_TEST(in_a_limited_scope_one_after_the_other_waits)
{
    EXPECT_EQ(run_on(1, in_turn, NULL), 0);
    EXPECT_EQ(run_on(2, in_turn, NULL), 0);
}

static void *goes_from_a_thread(void *arg)
{
    mf_scope *s = arg;
    int ends[2];

    open_pipe(ends);
    for (int i = 0; i < 50; i++) {
        mf_deadline at = i % 2 != 0 ? mf_after(MF_USEC(300)) : MF_NEVER;
        int before = started;
        char c;

        EXPECT_EQ(mf_go_when(s, ends[0], POLLIN, at, looks, NUMBER(ends[0])),
                  0);
        if (i % 2 == 0)
            EXPECT_EQ(write(ends[1], "x", 1), 1);
        while (started == before)
            usleep(10);
        if (i % 2 == 0)
            EXPECT_EQ(read(ends[0], &c, 1), 1);
    }
    close_pipe(ends);
    return NULL;
}

static int from_a_thread(void *arg)
{
    pthread_t thread;
    MF_SCOPE(s);

    (void)arg;
    started = 0;
    EXPECT_EQ(pthread_create(&thread, NULL, goes_from_a_thread, &s), 0);
    WAIT_UNTIL(started == 50);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    return mf_scope_close(&s);
}

MFI_TEST(a_plain_thread_may_start_them_too)
{
    EXPECT_EQ(run_on(1, from_a_thread, NULL), 0);
    EXPECT_EQ(run_on(2, from_a_thread, NULL), 0);
}

enum { IDLE = 400 };

static int answers(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char c;

    EXPECT_EQ(mf_read(fd, &c, 1, MF_NEVER), 1);
    EXPECT_EQ(mf_write(fd, &c, 1, MF_NEVER), 1);
    started++;
    return 0;
}

static int many_idle(void *arg)
{
    static int ends[IDLE][2];
    MF_SCOPE(s);

    (void)arg;
    started = 0;
    for (int i = 0; i < IDLE; i++) {
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]), 0);
        for (int k = 0; k < 5; k++) /* five idle ones on each: 2 000 */
            EXPECT_EQ(mf_go_when(&s, ends[i][0], POLLIN, MF_NEVER, answers,
                                 NUMBER(ends[i][0])),
                      0);
    }
    EXPECT_EQ(mf_sleep(MF_MSEC(2)), 0);
    EXPECT_EQ(started, 0);
    for (int i = 0; i < IDLE; i++)
        EXPECT_EQ(write(ends[i][1], "abcde", 5), 5);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(started, 5 * IDLE);
    for (int i = 0; i < IDLE; i++)
        close_pipe(ends[i]);
    return 0;
}

MFI_TEST(two_thousand_idle_ones_all_start)
{
    EXPECT_EQ(run_on(1, many_idle, NULL), 0);
    EXPECT_EQ(run_on(2, many_idle, NULL), 0);
}
