/* SPDX-License-Identifier: MIT */
/* uring_test.c - the ring says what the plain calls say, and leaves nothing. */
#include "poll/uring.h"

/* Not under src/: <linux/seccomp.h> is what a sandbox is made with. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "poll/sockets.h"

static struct uring ring;

/* ---- setting up --------------------------------------------------------- */

MFI_TEST(a_ring_comes_and_goes_without_a_trace)
{
    int before;

    need_ring(&ring);
    mfi_uring_done(&ring);
    before = nr_open_fds();
    for (int i = 0; i < 100; i++) {
        EXPECT_EQ(mfi_uring_init(&ring), 0);
        EXPECT_GE(ring.fd, 0);
        mfi_uring_done(&ring);
        EXPECT_EQ(ring.fd, -1);
    }
    mfi_uring_done(&ring); /* once more is nothing */
    EXPECT_EQ(nr_open_fds(), before);
}

/* From here on this process's system call nr fails with error. */
static void deny(long nr, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {sizeof code / sizeof *code, code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
        MFI_SKIP("no seccomp filters here");
}

static void expect_denied(long nr, int error)
{
    int before;

    need_ring(&ring); /* else it would be denied anyway */
    mfi_uring_done(&ring);
    deny(nr, error);
    before = nr_open_fds();
    EXPECT_EQ(mfi_uring_init(&ring), -error);
    EXPECT_LT(ring.fd, 0);
    EXPECT(ring.rings == NULL && ring.sqes == NULL);
    EXPECT_EQ(nr_open_fds(), before);
}

MFI_TEST(a_denied_setup_is_an_error)
{
    expect_denied(SYS_io_uring_setup, EPERM);
}

MFI_TEST(a_setup_the_kernel_does_not_know_is_an_error)
{
    expect_denied(SYS_io_uring_setup, ENOSYS);
}

MFI_TEST(a_denied_enter_is_found_out_by_trying)
{
    expect_denied(SYS_io_uring_enter, EPERM);
}

MFI_TEST(without_a_socket_to_try_it_is_an_error)
{
    expect_denied(SYS_socketpair, EMFILE);
}

MFI_TEST(without_registering_its_fd_it_works)
{
    need_ring(&ring);
    mfi_uring_done(&ring);
    deny(SYS_io_uring_register, EPERM);
    EXPECT_EQ(mfi_uring_init(&ring), 0);
    EXPECT_EQ(ring.enter_fd, ring.fd);
    EXPECT_EQ(ring.enter_flags, 0);
    mfi_uring_done(&ring);
}

/* ---- what comes out ----------------------------------------------------- */

MFI_TEST(each_result_is_that_of_the_plain_call)
{
    static struct case_of cases[SITUATIONS];

    need_ring(&ring);
    for (int i = 0; i < SITUATIONS; i++) {
        make_case(&cases[i], (enum situation)i);
        cases[i].op.result = 12345;
        mfi_uring_queue(&ring, &cases[i].op);
    }
    EXPECT_EQ(mfi_uring_submit(&ring, SITUATIONS), 0);
    for (int i = 0; i < SITUATIONS; i++) {
        EXPECT_EQ(cases[i].op.result, result_of((enum situation)i));
        expect_bytes(&cases[i], (enum situation)i);
        close_case(&cases[i]);
    }
    mfi_uring_done(&ring);
}

/* n receives; the i-th of them finds the byte i + round. */
static void receive_many(uint32_t n, int round, int fds[][2])
{
    static struct batch_op ops[URING_ENTRIES];
    static char got[URING_ENTRIES];

    for (uint32_t i = 0; i < n; i++) {
        char c = (char)(i + (uint32_t)round);

        EXPECT_EQ(send(fds[i][0], &c, 1, 0), 1);
        got[i] = (char)~c;
        ops[i] = (struct batch_op){
            .buf = &got[i], .len = 1, .fd = fds[i][1], .result = 12345};
        mfi_uring_queue(&ring, &ops[i]);
    }
    EXPECT_EQ(mfi_uring_submit(&ring, n), 0);
    for (uint32_t i = 0; i < n; i++) {
        EXPECT_EQ(ops[i].result, 1);
        EXPECT_EQ(got[i], (char)(i + (uint32_t)round));
    }
}

MFI_TEST(a_full_ring_and_any_part_of_it_round_and_round)
{
    static int fds[URING_ENTRIES][2];

    need_ring(&ring);
    for (int i = 0; i < URING_ENTRIES; i++)
        make_pair(fds[i]);
    for (int round = 0; round < 300; round++)
        receive_many(round % 3 == 0
                         ? URING_ENTRIES
                         : 1 + (uint32_t)(round * 37) % URING_ENTRIES,
                     round, fds);
    mfi_uring_done(&ring);
}

/* ---- when it fails ------------------------------------------------------ */

MFI_TEST(a_submit_that_fails_has_done_nothing_and_may_be_followed)
{
    struct uring broken;
    struct case_of first, second;

    need_ring(&ring);
    make_case(&first, DATA);
    first.op.result = 12345;
    broken = ring;
    break_ring(&broken);
    mfi_uring_queue(&broken, &first.op);
    EXPECT_EQ(mfi_uring_submit(&broken, 1), -EBADF);
    EXPECT_EQ(first.op.result, 12345);
    EXPECT_EQ(broken.tail, ring.tail);

    make_case(&second, DATA); /* what was refused does not go out later */
    mfi_uring_queue(&ring, &second.op);
    EXPECT_EQ(mfi_uring_submit(&ring, 1), 0);
    EXPECT_EQ(second.op.result, 20);
    EXPECT_EQ(first.op.result, 12345);
    EXPECT_EQ(first.buf[0], '.');
    close_case(&first);
    close_case(&second);
    mfi_uring_done(&ring);
}

static void *uses_and_ends(void *arg)
{
    struct case_of c;

    (void)arg;
    EXPECT_EQ(mfi_uring_init(&ring), 0);
    make_case(&c, DATA);
    mfi_uring_queue(&ring, &c.op);
    EXPECT_EQ(mfi_uring_submit(&ring, 1), 0);
    EXPECT_EQ(c.op.result, 20);
    close_case(&c);
    mfi_uring_done(&ring);
    return NULL;
}

MFI_TEST(each_thread_can_have_one)
{
    pthread_t threads;

    need_ring(&ring);
    mfi_uring_done(&ring);
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(pthread_create(&threads, NULL, uses_and_ends, NULL), 0);
        EXPECT_EQ(pthread_join(threads, NULL), 0);
    }
}
