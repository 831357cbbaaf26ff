/* SPDX-License-Identifier: MIT */
/*
 * exhaustion_test.c - no threads, fds or io_uring: errors, and nothing left.
 *
 * A limit on threads does not hold for root, so these tests become another
 * user, one that nothing else runs as.
 */
#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <mayfly/block.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/thread.h"
#include "sched/help.h"

/* A user per process: others run this test at the same time. */
enum { NOBODY_ELSE = 1 << 20 };

static void limit(int what, rlim_t n)
{
    struct rlimit l;

    EXPECT_EQ(getrlimit((__rlimit_resource_t)what, &l), 0);
    l.rlim_cur = n < l.rlim_max ? n : l.rlim_max;
    EXPECT_EQ(setrlimit((__rlimit_resource_t)what, &l), 0);
}

static void become_nobody(void)
{
    if (MFI_TEST_TSAN || MFI_TEST_ASAN)
        MFI_SKIP("sanitizers may have threads of their own");
    if (geteuid() != 0)
        MFI_SKIP("needs root, to become another user");
    EXPECT_EQ(setuid(NOBODY_ELSE + (uid_t)getpid()), 0);
    limit(RLIMIT_NPROC, 1);
}

static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    EXPECT(dir != NULL);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

/* A joined thread is still counted for a moment. */
static void expect_threads_gone(void)
{
    int n = MFI_TEST_TSAN ? 2 : 1;

    for (int i = 0; i < 1000 && mfi_thread_count() > n; i++)
        usleep(1000);
    EXPECT_EQ(mfi_thread_count(), n);
}

/* ---- threads ------------------------------------------------------------ */

MFI_TEST(a_start_without_threads_fails_and_leaves_nothing)
{
    int fds = count_fds();

    become_nobody();
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 4)), -EAGAIN);
    EXPECT_EQ(mf_stop(MF_NOW), -EINVAL);
    limit(RLIMIT_NPROC, 3); /* two of the four */
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 4)), -EAGAIN);
    expect_threads_gone();
    EXPECT_EQ(count_fds(), fds);
    EXPECT_EQ(run_on(2, returns_arg, NUMBER(5)), 5);
}

static int blocks(void *arg)
{
    int n = 1;

    (void)arg;
    EXPECT_EQ(mf_block(returns_arg, &n, sizeof n, NULL, MF_NEVER), -EAGAIN);
    limit(RLIMIT_NPROC, 3);
    return mf_block(returns_arg, NULL, 0, NULL, MF_NEVER);
}

MFI_TEST(offloading_without_threads_fails_and_works_again_later)
{
    become_nobody();
    limit(RLIMIT_NPROC, 2); /* this thread and the worker */
    EXPECT_EQ(run_on(1, blocks, NULL), 0);
}

static int block_once(void *arg)
{
    return mf_block(returns_arg, arg, 0, NULL, MF_NEVER);
}

static int one_pool_thread_serves_all(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(mf_go(&s, block_once, NULL), 0);
    return mf_scope_close(&s);
}

MFI_TEST(a_pool_that_cannot_grow_goes_on_with_what_it_has)
{
    become_nobody();
    limit(RLIMIT_NPROC, 3); /* ... and one of the pool */
    EXPECT_EQ(run_on(1, one_pool_thread_serves_all, NULL), 0);
}

/* ---- fds ---------------------------------------------------------------- */

MFI_TEST(a_start_without_fds_fails_and_leaves_nothing)
{
    int fds = count_fds();

    for (int i = 0; i < 12; i++) { /* some for the first worker, then all */
        struct rlimit l;
        int rc;

        EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &l), 0);
        limit(RLIMIT_NOFILE, (rlim_t)(3 + i));
        rc = mf_start(MF_OPTIONS(.workers = 8));
        limit(RLIMIT_NOFILE, l.rlim_cur);
        EXPECT_EQ(rc, -EMFILE);
        EXPECT_EQ(count_fds(), fds);
        expect_threads_gone();
    }
    EXPECT_EQ(run_on(2, returns_arg, NUMBER(5)), 5);
}

/* ---- io_uring ----------------------------------------------------------- */

static void forbid_io_uring(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, filter};

    EXPECT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        MFI_SKIP("no seccomp filters here");
}

static int asks_for_the_backend(void *arg)
{
    mf_runtime_info info = {.size = sizeof info};

    (void)arg;
    EXPECT_EQ(mf_runtime_get_info(&info), 0);
    EXPECT_STR_EQ(info.backend, "epoll");
    return 0;
}

MFI_TEST(without_io_uring_a_start_takes_epoll_unless_told_otherwise)
{
    forbid_io_uring();
    unsetenv("MF_BACKEND");
    EXPECT_EQ(run_on(2, asks_for_the_backend, NULL), 0);
    EXPECT_EQ(mf_run(returns_arg, NULL, MF_OPTIONS(.backend = "uring")),
              -EPERM);
    EXPECT_STR_HAS(mf_explain(-EPERM), "io_uring");
}
