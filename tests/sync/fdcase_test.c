/* SPDX-License-Identifier: MIT */
/* fdcase_test.c - fds as cases: ready, later, closed, in tasks and threads. */
#include "sync/crowd.h"

/* One case by itself. Its result, or select's. */
static int only(mf_case c, mf_deadline deadline)
{
    int rc = mf_select(&c, 1, deadline);

    return rc < 0 ? rc : c.res;
}

/* Something to be done a little later, by a task. */
static int later(void *arg)
{
    struct one *o = arg;
    int rc = mf_sleep(MF_MSEC(3));

    return rc < 0 ? rc : o->fn(o->arg);
}

static int go_later(mf_scope *s, mf_fn *fn, void *arg)
{
    struct one o = {fn, arg};

    return mf_go_copy(s, later, &o, sizeof o);
}

static int writes_one(void *arg)
{
    EXPECT_EQ(mf_write(*(int *)arg, "x", 1, late()), 1);
    return 0;
}

static int closes_fd(void *arg)
{
    return mf_close(*(int *)arg);
}

static int fd_cases(void *arg)
{
    int fds[2];
    char byte;
    MF_SCOPE(s);

    (void)arg;
    bare_pair(SOCK_STREAM, fds);
    EXPECT_EQ(only(mf_on_fd(fds[0], POLLIN), MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(only(mf_on_fd(fds[0], POLLOUT), MF_NOW), POLLOUT);
    EXPECT_EQ(only(mf_on_fd(fds[0], POLLIN | POLLOUT), late()), POLLOUT);
    EXPECT_EQ(only(mf_on_fd(fds[0], POLLIN), soon()), -ETIMEDOUT);
    for (int i = 0; i < 20; i++) {
        EXPECT_EQ(go_later(&s, writes_one, &fds[1]), 0);
        EXPECT_EQ(only(mf_on_fd(fds[0], POLLIN), late()), POLLIN);
        EXPECT_EQ(only(mf_on_fd(fds[0], POLLIN), MF_NOW), POLLIN);
        EXPECT_EQ(mf_read(fds[0], &byte, 1, MF_NOW), 1);
        EXPECT_EQ(only(mf_on_fd(fds[0], POLLIN), MF_NOW), -ETIMEDOUT);
        EXPECT_EQ(mf_scope_wait(&s, late()), 0);
    }
    EXPECT_EQ(go_later(&s, closes_fd, &fds[1]), 0);
    EXPECT_EQ(only(mf_on_fd(fds[0], POLLIN), late()) & POLLIN, POLLIN);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(only(mf_on_fd(fds[0], POLLIN), late()), -EBADF);
    return 0;
}

MFI_TEST(fds)
{
    in_both(fd_cases, NULL);
}

/* Closed while it is waited for: -EBADF, though its number is used again. */
static int fd_closed(void *arg)
{
    int fds[2], again[2];
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 20; i++) {
        bare_pair(SOCK_STREAM, fds);
        EXPECT_EQ(go_later(&s, closes_fd, &fds[0]), 0);
        EXPECT_EQ(only(mf_on_fd(fds[0], POLLIN), late()), -EBADF);
        EXPECT_EQ(mf_scope_wait(&s, late()), 0);
        bare_pair(SOCK_STREAM, again);
        EXPECT_EQ(only(mf_on_fd(again[0], POLLIN), MF_NOW), -ETIMEDOUT);
        EXPECT_EQ(mf_close(again[0]) + mf_close(again[1]) + mf_close(fds[1]),
                  0);
    }
    return mf_scope_close(&s);
}

MFI_TEST(an_fd_closed_meanwhile)
{
    in_both(fd_closed, NULL);
}

/* A file is never waited for: ready, or told. */
static int files(void *arg)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    (void)arg;
    EXPECT_GE(fd, 0);
    EXPECT_EQ(only(mf_on_fd(fd, POLLIN), late()), POLLIN);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(files_are_ready)
{
    in_both(files, NULL);
}
