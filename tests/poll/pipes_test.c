/* SPDX-License-Identifier: MIT */
/* pipes_test.c - pipes are kept, but not those with something in them. */
#include "poll/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test.h"

MFI_TEST(an_empty_pipe_is_given_out_again)
{
    int a[2], b[2];
    char c;

    EXPECT_EQ(mfi_pipe_get(a), 0);
    EXPECT_NE(fcntl(a[0], F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(fcntl(a[1], F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(fcntl(a[0], F_GETFD), FD_CLOEXEC);
    mfi_pipe_put(a, true);
    EXPECT_EQ(mfi_pipe_get(b), 0);
    EXPECT_EQ(a[0], b[0]);
    EXPECT_EQ(write(b[1], "x", 1), 1);
    mfi_pipe_put(b, false);
    EXPECT_LT(fcntl(b[0], F_GETFD), 0);
    EXPECT_LT(fcntl(b[1], F_GETFD), 0);
    EXPECT_EQ(mfi_pipe_get(a), 0);
    EXPECT_EQ(read(a[0], &c, 1), -1); /* nothing is in it */
    mfi_pipe_put(a, true);
    mfi_pipes_done();
    EXPECT_LT(fcntl(a[0], F_GETFD), 0);
}

MFI_TEST(only_so_many_are_kept)
{
    static int many[100][2];
    int open = 0;

    for (int i = 0; i < 100; i++)
        EXPECT_EQ(mfi_pipe_get(many[i]), 0);
    for (int i = 0; i < 100; i++)
        mfi_pipe_put(many[i], true);
    for (int i = 0; i < 100; i++)
        open += fcntl(many[i][0], F_GETFD) >= 0;
    EXPECT_GT(open, 0);
    EXPECT_LT(open, 100);
    mfi_pipes_done();
    for (int i = 0; i < 100; i++)
        EXPECT_LT(fcntl(many[i][0], F_GETFD), 0);
}

MFI_TEST(without_fds_there_is_none)
{
    struct rlimit limit, none;
    int ends[2];

    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 4;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    EXPECT_EQ(mfi_pipe_get(ends), -EMFILE);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0); /* who looks for leaks */
}
