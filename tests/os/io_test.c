/* SPDX-License-Identifier: MIT */
/* io_test.c - results and errors come from the call, errno stays. */
#include "os/io.h"

#include <string.h>

#include "os/event.h"
#include "test.h"

MFI_TEST(errors_are_returned_and_errno_is_left_alone)
{
    char byte;

    errno = 12345;
    EXPECT_EQ(mfi_os_read(-1, &byte, 1), -EBADF);
    EXPECT_EQ(mfi_os_write(-1, &byte, 1), -EBADF);
    EXPECT_EQ(mfi_os_open("/no/such/file", O_RDONLY), -ENOENT);
    EXPECT_EQ(mfi_os_close(-1), -EBADF);
    EXPECT_EQ(mfi_os_mode(-1), -EBADF);
    EXPECT_EQ(mfi_os_fcntl(-1, F_GETFD, 0), -EBADF);
    EXPECT_EQ(errno, 12345);
}

MFI_TEST(a_result_for_libc_is_as_libc_gives_it)
{
    errno = 7;
    EXPECT_EQ(mfi_os_as_libc(12), 12);
    EXPECT_EQ(errno, 7);
    EXPECT_EQ(mfi_os_as_libc(-EBADF), -1);
    EXPECT_EQ(errno, EBADF);
}

MFI_TEST(a_datagram_pair_carries_every_kind_of_call)
{
    char in[8] = "", part[2] = {'i', 'o'};
    struct iovec iov[2] = {{part, 2}, {part, 1}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    int fds[2];

    EXPECT_EQ(mfi_sys4(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK,
                       0, fds),
              0);
    EXPECT_EQ(mfi_os_recv(fds[1], in, sizeof in, 0), -EAGAIN);
    EXPECT_EQ(mfi_os_send(fds[0], "one", 3, MSG_NOSIGNAL), 3);
    EXPECT_EQ(mfi_os_recv(fds[1], in, sizeof in, MSG_PEEK), 3);
    EXPECT_EQ(mfi_os_read(fds[1], in, sizeof in), 3);
    EXPECT(memcmp(in, "one", 3) == 0);
    EXPECT_EQ(mfi_os_writev(fds[0], iov, 2), 3);
    EXPECT_EQ(mfi_os_recv(fds[1], in, sizeof in, 0), 3);
    EXPECT(memcmp(in, "ioi", 3) == 0);
    EXPECT_EQ(mfi_os_sendmsg(fds[0], &msg, MSG_NOSIGNAL), 3);
    part[0] = part[1] = '-';
    EXPECT_EQ(mfi_os_recvmsg(fds[1], &msg, 0), 3);
    EXPECT(memcmp(part, "io", 2) == 0);
    EXPECT_EQ(mfi_os_write(fds[0], "two", 3), 3);
    EXPECT_EQ(mfi_os_readv(fds[1], iov, 2), 3);
    EXPECT_EQ(mfi_os_shutdown(fds[0], SHUT_RDWR), 0);
    EXPECT_EQ(mfi_os_read(fds[1], in, sizeof in), 0);
    EXPECT_EQ(mfi_os_close(fds[0]), 0);
    EXPECT_EQ(mfi_os_close(fds[0]), -EBADF);
    EXPECT_EQ(mfi_os_close(fds[1]), 0);
}

MFI_TEST(the_mode_tells_the_kind_of_file)
{
    int fd = mfi_os_open("/", O_RDONLY);
    int event = mfi_eventfd();

    EXPECT(S_ISDIR((unsigned)mfi_os_mode(fd)));
    EXPECT(!S_ISDIR((unsigned)mfi_os_mode(event)));
    mfi_os_close(event);
    mfi_os_close(fd);
}

MFI_TEST(epoll_eventfd_and_timerfd_work_together)
{
    int ep = mfi_epoll_create(), event = mfi_eventfd(), timer = mfi_timerfd();
    struct epoll_event evs[2];
    uint64_t one = 1;

    EXPECT_EQ(mfi_epoll_ctl(ep, EPOLL_CTL_ADD, event, EPOLLIN, 7), 0);
    EXPECT_EQ(mfi_epoll_ctl(ep, EPOLL_CTL_ADD, timer, EPOLLIN, 8), 0);
    EXPECT_EQ(mfi_epoll_wait(ep, evs, 2, 0), 0);
    EXPECT_EQ(mfi_os_write(event, &one, sizeof one), 8);
    EXPECT_EQ(mfi_epoll_wait(ep, evs, 2, -1), 1);
    EXPECT_EQ(evs[0].data.u64, 7);
    EXPECT_EQ(mfi_os_read(event, &one, sizeof one), 8);
    EXPECT_EQ(mfi_timerfd_set(timer, mf_now() + MF_MSEC(5)), 0);
    EXPECT_EQ(mfi_epoll_wait(ep, evs, 2, -1), 1);
    EXPECT_EQ(evs[0].data.u64, 8);
    EXPECT_EQ(mfi_timerfd_set(timer, MFI_FAR), 0);
    EXPECT_EQ(mfi_epoll_wait(ep, evs, 2, 0), 0);
}

MFI_TEST(ppoll_waits_for_its_span)
{
    struct pollfd fd = {.fd = mfi_eventfd(), .events = POLLIN};
    uint64_t one = 1;
    mf_ns before = mf_now();

    EXPECT_EQ(mfi_ppoll(&fd, 1, MF_MSEC(10)), 0);
    EXPECT_GE(mf_now() - before, MF_MSEC(10));
    EXPECT_EQ(mfi_os_write(fd.fd, &one, sizeof one), 8);
    EXPECT_EQ(mfi_ppoll(&fd, 1, MFI_FAR), 1);
}
