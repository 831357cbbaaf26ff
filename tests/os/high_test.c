/* SPDX-License-Identifier: MIT */
/* high_test.c - numbers 0 to 2 are left free. */
#include "os/high.h"

#include "os/event.h"
#include "os/io.h"
#include "test.h"

MFI_TEST(failures_and_other_numbers_pass_through)
{
    EXPECT_EQ(mfi_os_high(-EMFILE), -EMFILE);
    EXPECT_EQ(mfi_os_high(3), 3);
    EXPECT_EQ(mfi_os_high(1 << 20), 1 << 20);
}

MFI_TEST(what_is_made_while_stdio_is_closed_goes_above_it)
{
    int fds[6];

    EXPECT_EQ(mfi_os_close(0), 0);
    EXPECT_EQ(mfi_os_close(1), 0);
    fds[0] = mfi_epoll_create();
    fds[1] = mfi_eventfd();
    fds[2] = mfi_timerfd();
    fds[3] = mfi_os_open("/dev/null", O_RDONLY);
    fds[4] = mfi_os_socket(AF_UNIX, SOCK_STREAM);
    fds[5] = mfi_os_high((int)mfi_sys1(SYS_epoll_create1, 0));
    for (int i = 0; i < 6; i++) {
        EXPECT_GE(fds[i], 3);
        EXPECT_EQ(mfi_os_fcntl(fds[i], F_GETFD, 0), FD_CLOEXEC);
        EXPECT_EQ(mfi_os_close(fds[i]), 0);
    }
    EXPECT_EQ(mfi_os_fcntl(0, F_GETFD, 0), -EBADF);
    EXPECT_EQ(mfi_os_fcntl(1, F_GETFD, 0), -EBADF);
}
