/* SPDX-License-Identifier: MIT */
/* child_test.c - the clone and the exec, also where a filter denies calls. */
#include "os/child.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

enum { ROUNDS = 50 };

static int pidfd, pid;

/* Emulators make a fork of it; valgrind does not know all of its flags. */
static void needs_the_real_clone(void)
{
    if (MFI_TEST_EMULATED || mfi_test_under_valgrind())
        MFI_SKIP("nothing shares memory with a child here");
}

static int start(const char *path, const char *text, int out)
{
    const char *paths[] = {"/no/such", path, NULL};
    const char *argv[] = {"program", "-c", text, NULL};
    const char *env[] = {NULL};
    enum child_stage stage = CHILD_FDS;
    struct child_how how = {.paths = paths,
                            .argv = argv,
                            .env = env,
                            .fds = {CHILD_KEEPS, out, CHILD_KEEPS}};
    int rc;

    needs_the_real_clone();
    pid = pidfd = -1;
    rc = mfi_child_start(&how, &pid, &pidfd, &stage);
    EXPECT_EQ(stage, CHILD_EXEC);
    EXPECT_EQ(rc == 0, pidfd >= 0);
    return rc;
}

static void none_left(void)
{
    EXPECT(waitpid(-1, NULL, __WALL) < 0);
}

static int code(const char *text)
{
    struct child_end end;

    EXPECT_EQ(start("/bin/sh", text, CHILD_KEEPS), 0);
    EXPECT_GT(pid, 0);
    EXPECT_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(mfi_child_await(pidfd, &end), 0);
    EXPECT_EQ(end.signal, 0);
    EXPECT_EQ(mfi_child_reap(pidfd, &end), -ECHILD);
    EXPECT_EQ(mfi_child_signal(pidfd, 0, false), -ESRCH);
    close(pidfd);
    none_left();
    return end.code;
}

MFI_TEST(it_runs_and_is_reaped)
{
    for (int i = 0; i < ROUNDS; i++)
        EXPECT_EQ(code(i % 2 ? "exit 1" : "exit 0"), i % 2);
}

MFI_TEST(a_failed_exec_leaves_nothing)
{
    int next = dup(0);

    for (int i = 0; i < ROUNDS; i++) {
        EXPECT_EQ(start("/no/such/either", "", CHILD_KEEPS), -ENOENT);
        EXPECT_EQ(start("/etc/passwd", "", CHILD_KEEPS), -EACCES);
        none_left();
    }
    close(next);
    EXPECT_EQ(dup(0), next);
}

MFI_TEST(a_running_child_is_polled_and_killed)
{
    struct pollfd pfd;
    struct child_end end;

    EXPECT_EQ(start("/bin/sh", "kill -STOP $$", CHILD_KEEPS), 0);
    pfd = (struct pollfd){.fd = pidfd, .events = POLLIN};
    EXPECT_EQ(poll(&pfd, 1, 0), 0);
    EXPECT_EQ(mfi_child_reap(pidfd, &end), -EAGAIN);
    EXPECT_EQ(mfi_child_signal(pidfd, 65, false), -EINVAL);
    EXPECT_EQ(mfi_child_signal(pidfd, SIGKILL, false), 0);
    EXPECT_EQ(poll(&pfd, 1, -1), 1);
    EXPECT_EQ(mfi_child_reap(pidfd, &end), 0);
    EXPECT_EQ(end.code, -1);
    EXPECT_EQ(end.signal, SIGKILL);
    EXPECT_EQ(end.dumped, false);
    none_left();
}

/* ---- under a filter ----------------------------------------------------- */

static void deny(unsigned nr)
{
    struct sock_filter code_[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {sizeof code_ / sizeof code_[0], code_};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0)
        MFI_SKIP("no filter can be set here");
}

static void expect_three_fds(void)
{
    char said[64] = {0};
    int fds[2], extra = dup(0);
    ssize_t n, len = 0;

    EXPECT_GT(extra, 2);
    EXPECT_EQ(pipe(fds), 0);
    EXPECT_EQ(start("/bin/sh",
                    "i=0; while [ $i -lt 64 ]; do "
                    "[ -e /proc/self/fd/$i ] && echo $i; i=$((i + 1)); done",
                    fds[1]),
              0);
    close(fds[1]);
    while ((n = read(fds[0], said + len, sizeof said - 1 - (size_t)len)) > 0)
        len += n;
    EXPECT_STR_EQ(said, "0\n1\n2\n");
    close(fds[0]);
    close(extra);
    close(pidfd);
    EXPECT_EQ(waitpid(pid, NULL, 0), pid);
}

MFI_TEST(no_other_fd_is_kept)
{
    expect_three_fds();
}

MFI_TEST(without_close_range_no_other_fd_is_kept)
{
    deny(SYS_close_range);
    expect_three_fds();
}

MFI_TEST(clone3_is_not_needed)
{
    deny(SYS_clone3);
    EXPECT_EQ(code("exit 3"), 3);
}

MFI_TEST(what_the_kernel_denies_is_said)
{
    if (MFI_TEST_ASAN)
        MFI_SKIP("the leak checker makes a thread with it");
    needs_the_real_clone();
    deny(SYS_clone);
    {
        const char *paths[] = {"/bin/sh", NULL};
        enum child_stage stage = CHILD_EXEC;
        struct child_how how = {.paths = paths, .argv = paths, .env = paths};
        int a, b;

        EXPECT_EQ(mfi_child_start(&how, &a, &b, &stage), -ENOSYS);
        EXPECT_EQ(stage, CHILD_FDS);
    }
}
