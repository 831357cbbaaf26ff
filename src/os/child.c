/* SPDX-License-Identifier: MIT */
/*
 * child.c - a child that shares our memory until it is another program.
 *
 *     parent                               child, on a stack of its own
 *     blocks all signals
 *     clone(VM | VFORK | PIDFD) ---------> actions back to the default
 *       .                                  group, fds, dir, close all others
 *       .  stands still                    unblocks all signals
 *       .                                  execve, path after path
 *     takes the mask back  <-------------- works: the kernel lets us go on
 *     reads job->rc        <-------------- fails: job->rc, exit
 *
 * CLONE_VM, because a copy of the page tables of a million stacks takes longer
 * than the program that is run. CLONE_VFORK, so there is one writer at a time
 * and the child's report is there when clone returns: no pipe. A stack of its
 * own, so the child cannot overwrite the frame we come back to.
 *
 * The child is one more life of the calling thread: the same thread pointer,
 * the same errno, the same sanitizer state. So it makes bare system calls, on
 * what was prepared before, and none of its code is instrumented. A handler
 * must not run there with its memory ours: all signals are blocked before (the
 * C library's own, too) and unblocked when every action is the default one.
 *
 * The exit signal is none until execve makes it SIGCHLD: a child that fails
 * before that is no business of the user's handler, and waitpid(-1) in there
 * cannot take it from us; hence __WALL.
 *
 * Rejected: clone3. All it adds to the older call is CLONE_CLEAR_SIGHAND, which
 * leaves ignored signals ignored, so the loop over the actions stays; and where
 * a filter denies it (as container runtimes did for years) another way would be
 * needed, which then is the one that is never tested. posix_spawn: no pidfd but
 * with a race, no close of unknown fds before glibc 2.34, and it needs the
 * working directory to be the process's.
 *
 * Sources: clone(2), vfork(2), execve(2), pidfd_send_signal(2), waitid(2);
 * linux/fs/exec.c de_thread for the exit signal.
 */
#include "os/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "os/io.h"
#include "os/map.h"

#ifndef CLONE_PIDFD
# define CLONE_PIDFD 0x1000
#endif
#define PIDFD_GROUP  4u /* PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9 */
#define IDTYPE_PIDFD 3  /* P_PIDFD */

enum { STACK_SIZE = 32 * 1024, SIGNALS = 64, SIGSET_LEN = 8 };

/* Not even entry and exit are told to TSan: the child never returns. */
#if defined(__has_attribute)
# if __has_attribute(disable_sanitizer_instrumentation)
#  define BARE __attribute__((__disable_sanitizer_instrumentation__))
# endif
#endif
#ifndef BARE
# define BARE __attribute__((__no_sanitize__("address", "thread", "undefined")))
#endif

struct job {
    const struct child_how *how;
    int rc; /* the child's report; 0: the exec has worked */
    enum child_stage stage;
};

/* ---- in the child ------------------------------------------------------- */

/* syscall.h's may be instrumented, and simulated. */
BARE static inline long bare(long nr, long a, long b, long c, long d)
{
#if defined(__x86_64__)
    long ret;
    register long r10 __asm__("r10") = d;

    __asm__ __volatile__("syscall"
                         : "=a"(ret)
                         : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
                         : "rcx", "r11", "memory");
    return ret;
#else
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;

    __asm__ __volatile__("svc #0"
                         : "+r"(x0)
                         : "r"(x8), "r"(x1), "r"(x2), "r"(x3)
                         : "memory");
    return x0;
#endif
}

/* struct sigaction of the kernel: handler, flags, restorer, mask. */
static const long default_action[4];

BARE static void default_actions(void)
{
    for (int signo = 1; signo <= SIGNALS; signo++)
        bare(SYS_rt_sigaction, signo, MFI_L(default_action), 0, SIGSET_LEN);
}

BARE static long place_fds(const struct child_how *how)
{
    for (int i = 0; i < 3; i++) {
        int from = how->fds[i] == CHILD_AS_OUT ? 1 : how->fds[i];
        long rc = 0;

        if (from == CHILD_KEEPS) /* closed in the parent is closed here */
            bare(SYS_fcntl, i, F_SETFD, 0, 0);
        else
            rc = bare(SYS_dup3, from, i, 0, 0);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* A filter may deny close_range, and Linux has it since 5.9. */
BARE static void close_others(void)
{
    struct rlimit limit;

    if (bare(SYS_close_range, 3, UINT32_MAX, 0, 0) == 0 ||
        bare(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, MFI_L(&limit)) < 0)
        return;
    /* NOLINTNEXTLINE(clang-analyzer-core*): the kernel wrote it */
    for (rlim_t fd = 3; fd < limit.rlim_cur && fd < INT32_MAX; fd++)
        bare(SYS_close, (long)fd, 0, 0, 0);
}

/*
 * As a shell does: what is not there, or must not be run, is passed over. The
 * second is the better answer when none is left.
 */
BARE static long exec_first(const struct child_how *how)
{
    long rc = -ENOENT;

    for (int i = 0; how->paths[i] != NULL; i++) {
        long now = bare(SYS_execve, MFI_L(how->paths[i]), MFI_L(how->argv),
                        MFI_L(how->env), 0);

        if (now != -EACCES && now != -ENOENT && now != -ENOTDIR)
            return now;
        if (now == -EACCES || how->paths[1] == NULL)
            rc = now;
    }
    return rc;
}

BARE __attribute__((__noreturn__, __used__)) static void child(struct job *job)
{
    const struct child_how *how = job->how;
    uint64_t none = 0;
    long rc;

    default_actions();
    job->stage = CHILD_FDS;
    if (how->cpus != NULL) /* if it is denied: it runs on fewer */
        bare(SYS_sched_setaffinity, 0, (long)how->cpus_len, MFI_L(how->cpus),
             0);
    rc = how->group ? bare(SYS_setpgid, 0, 0, 0, 0) : 0;
    if (rc == 0)
        rc = place_fds(how);
    if (rc == 0 && how->dir != NULL) {
        job->stage = CHILD_DIR;
        rc = bare(SYS_chdir, MFI_L(how->dir), 0, 0, 0);
    }
    if (rc == 0) {
        job->stage = CHILD_EXEC;
        close_others();
        bare(SYS_rt_sigprocmask, SIG_SETMASK, MFI_L(&none), 0, SIGSET_LEN);
        rc = exec_first(how);
    }
    job->rc = (int)rc;
    for (;;)
        bare(SYS_exit_group, 127, 0, 0, 0);
}

/* ---- in the parent ------------------------------------------------------ */

/* clone(2), and child(job) on the new stack. */
static long clone_child(long flags, long top, long pidfd, struct job *job)
{
#if defined(__x86_64__)
    long ret;
    register long r10 __asm__("r10") = 0;
    register long r8 __asm__("r8") = 0;
    register struct job *r12 __asm__("r12") = job;

    __asm__ __volatile__("syscall\n\t"
                         "test %%rax, %%rax\n\t"
                         "jnz 1f\n\t"
                         "xor %%ebp, %%ebp\n\t"
                         "mov %%r12, %%rdi\n\t"
                         "call *%%rbx\n\t"
                         "hlt\n"
                         "1:"
                         : "=a"(ret)
                         : "a"(SYS_clone), "D"(flags), "S"(top), "d"(pidfd),
                           "r"(r10), "r"(r8), "b"(child), "r"(r12)
                         : "rcx", "r11", "memory", "cc");
    return ret;
#else
    register long x8 __asm__("x8") = SYS_clone;
    register long x0 __asm__("x0") = flags;
    register long x1 __asm__("x1") = top;
    register long x2 __asm__("x2") = pidfd;
    register long x3 __asm__("x3") = 0;
    register long x4 __asm__("x4") = 0;
    register void (*x19)(struct job *) __asm__("x19") = child;
    register struct job *x20 __asm__("x20") = job;

    __asm__ __volatile__("svc #0\n\t"
                         "cbnz x0, 1f\n\t"
                         "mov x29, #0\n\t"
                         "mov x0, x20\n\t"
                         "blr x19\n\t"
                         "brk #1\n"
                         "1:"
                         : "+r"(x0)
                         : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4),
                           "r"(x19), "r"(x20)
                         : "memory", "cc");
    return x0;
#endif
}

/* The child is out of our memory: it runs its program, or has ended. */
static long clone_quietly(char *top, int *pidfd, struct job *job)
{
    uint64_t all = UINT64_MAX, old = 0;
    long pid;

    mfi_sys4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, SIGSET_LEN);
    pid = clone_child(CLONE_VM | CLONE_VFORK | CLONE_PIDFD, MFI_L(top),
                      MFI_L(pidfd), job);
    mfi_sys4(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, SIGSET_LEN);
    return pid;
}

int mfi_child_start(const struct child_how *how, int *ret_pid, int *ret_pidfd,
                    enum child_stage *ret_stage)
{
    struct job job = {.how = how, .stage = CHILD_FDS};
    struct child_end end;
    void *stack;
    int pidfd = -1, rc = mfi_map_pages(STACK_SIZE, &stack);
    long pid;

    *ret_stage = CHILD_FDS;
    if (rc < 0)
        return rc;
    pid = clone_quietly((char *)stack + STACK_SIZE, &pidfd, &job);
    mfi_unmap(stack, STACK_SIZE);
    if (pid < 0)
        return (int)pid;
    *ret_stage = job.stage;
    if (pidfd < 0) { /* before Linux 5.2 the flag means nothing */
        mfi_sys2(SYS_kill, pid, SIGKILL);
        mfi_sys4(SYS_wait4, pid, 0, __WALL, 0);
        return -ENOSYS;
    }
    if (job.rc < 0) {
        mfi_child_await(pidfd, &end);
        mfi_os_close(pidfd);
        return job.rc;
    }
    *ret_pid = (int)pid;
    *ret_pidfd = pidfd;
    return 0;
}

int mfi_child_cpus(unsigned long *cpus, size_t len)
{
    return (int)mfi_sys3(SYS_sched_getaffinity, getpid(), len, cpus);
}

/* ---- by pidfd ----------------------------------------------------------- */

static int wait_for(int pidfd, int flags, struct child_end *ret_end)
{
    siginfo_t info;
    long rc;

    do {
        info.si_pid = 0;
        rc = mfi_sys5(SYS_waitid, IDTYPE_PIDFD, pidfd, &info,
                      WEXITED | __WALL | flags, 0);
    } while (rc == -EINTR);
    if (rc < 0)
        return (int)rc;
    if (info.si_pid == 0)
        return -EAGAIN;
    *ret_end = (struct child_end){.code = -1};
    if (info.si_code == CLD_EXITED) {
        ret_end->code = info.si_status;
    } else {
        ret_end->signal = info.si_status;
        ret_end->dumped = info.si_code == CLD_DUMPED;
    }
    return 0;
}

int mfi_child_reap(int pidfd, struct child_end *ret_end)
{
    return wait_for(pidfd, WNOHANG, ret_end);
}

int mfi_child_await(int pidfd, struct child_end *ret_end)
{
    return wait_for(pidfd, 0, ret_end);
}

int mfi_child_signal(int pidfd, int signo, bool group)
{
    return (int)mfi_sys4(SYS_pidfd_send_signal, pidfd, signo, 0,
                         group ? PIDFD_GROUP : 0);
}
