/* SPDX-License-Identifier: MIT */
/* backend_test.c - where io_uring is forbidden: epoll, or a clear error. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "io/kit.h"

/* From here on io_uring_setup answers err. For good, in this process. */
static void forbid_uring(int err)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {sizeof code / sizeof code[0], code};

    EXPECT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0)
        MFI_SKIP("no seccomp filters here");
    EXPECT_EQ(syscall(SYS_io_uring_setup, 1, NULL), -1);
    EXPECT_EQ(errno, err);
}

static int moves_bytes(void *arg)
{
    mf_runtime_info info = {.size = sizeof info};
    struct pair p = make_pair(PAIR_TCP4);
    char c;

    EXPECT_EQ(mf_runtime_get_info(&info), 0);
    EXPECT_STR_EQ(info.backend, arg);
    EXPECT_EQ(mf_read(p.r, &c, 1, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_write(p.w, "x", 1, late()), 1);
    EXPECT_EQ(mf_read(p.r, &c, 1, late()), 1);
    close_pair(&p);
    return 0;
}

static void starts_quietly(int err)
{
    char epoll[] = "epoll";

    forbid_uring(err);
    EXPECT_EQ(unsetenv("MF_BACKEND"), 0);
    in_tasks(2, moves_bytes, epoll);
    EXPECT_EQ(setenv("MF_BACKEND", "epoll", 1), 0);
    in_tasks(2, moves_bytes, epoll);
}

static void refuses_clearly(int err)
{
    mf_runtime_info info = {.size = sizeof info};
    int rc;

    forbid_uring(err);
    EXPECT_EQ(setenv("MF_BACKEND", "uring", 1), 0);
    EXPECT_LT(rc = mf_run(moves_bytes, NULL, NULL), 0);
    EXPECT_STR_HAS(mf_explain(rc), "uring");
    EXPECT_EQ(mf_runtime_get_info(&info), -EINVAL);
    EXPECT_EQ(unsetenv("MF_BACKEND"), 0);
    EXPECT_LT(rc = mf_start(MF_OPTIONS(.backend = "uring")), 0);
    EXPECT_STR_HAS(mf_explain(rc), "uring");
    starts_quietly(err); /* what failed left nothing behind */
}

static void starts_without_permission(void)
{
    starts_quietly(EPERM);
}

MFI_TEST(without_permission_it_starts_quietly_on_epoll)
{
    char err[512] = "";

    EXPECT_EQ(mfi_test_dies(starts_without_permission, err, sizeof err), 0);
    EXPECT_STR_EQ(err, "");
}

MFI_TEST(without_the_system_call_it_starts_on_epoll)
{
    starts_quietly(ENOSYS);
}

MFI_TEST(who_insists_on_uring_without_permission_is_told)
{
    refuses_clearly(EPERM);
}

MFI_TEST(who_insists_on_uring_without_the_system_call_is_told)
{
    refuses_clearly(ENOSYS);
}

MFI_TEST(an_unknown_backend_is_refused)
{
    int rc;

    EXPECT_EQ(setenv("MF_BACKEND", "kqueue", 1), 0);
    EXPECT_EQ(rc = mf_run(moves_bytes, NULL, NULL), -EINVAL);
    EXPECT_STR_HAS(mf_explain(rc), "kqueue");
    EXPECT_EQ(unsetenv("MF_BACKEND"), 0);
    EXPECT_EQ(mf_start(MF_OPTIONS(.backend = "kqueue")), -EINVAL);
}

/* What the environment asks for is what runs, where it can. */
MFI_TEST(the_backend_asked_for_runs)
{
    char *want = getenv("MF_BACKEND");
    char either[8] = "epoll";

    if (want == NULL)
        MFI_SKIP("MF_BACKEND is not set");
    snprintf(either, sizeof either, "%s", want);
    in_tasks(2, moves_bytes, either);
}
