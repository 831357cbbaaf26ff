/* SPDX-License-Identifier: MIT */
/*
 * child.h - starting a program, and what is asked of a process by its pidfd.
 * Results are >= 0 or -errno.
 */
#ifndef MFI_OS_CHILD_H
#define MFI_OS_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "os/syscall.h"

enum { CHILD_KEEPS = -1, CHILD_AS_OUT = -2 }; /* of an fd; the latter: of 2 */

/* All of it borrowed; nothing is changed. */
struct child_how {
    const char *const *paths; /* tried in turn; NULL ends them */
    const char *const *argv;
    const char *const *env;
    const char *dir; /* before paths are looked at; NULL: here */
    int fds[3];      /* what its 0, 1, 2 are: an fd > 2, or CHILD_... */
    bool group;      /* it leads a process group of its own */
    const unsigned long *cpus; /* the CPUs it may use; NULL: the caller's */
    size_t cpus_len;           /* bytes */
};

enum child_stage { CHILD_FDS, CHILD_DIR, CHILD_EXEC };

/*
 * Start it. Returns once the exec has worked: 0, both outputs given (the pidfd
 * has FD_CLOEXEC); or why not, *ret_stage says at what, and nothing is left.
 * Blocks the thread as long as the kernel needs for an execve.
 */
int mfi_child_start(const struct child_how *how, int *ret_pid, int *ret_pidfd,
                    enum child_stage *ret_stage);

struct child_end {
    int code;   /* of exit(2); -1: it was killed */
    int signal; /* by this; 0: it was not */
    bool dumped;
};

/* The CPUs of the process's first thread: how many bytes of them, or -errno. */
int mfi_child_cpus(unsigned long *cpus, size_t len);

/* Collect what ended: 0; -EAGAIN it runs; -ECHILD somebody else has. */
int mfi_child_reap(int pidfd, struct child_end *ret_end);

/* The same, however long it takes. */
int mfi_child_await(int pidfd, struct child_end *ret_end);

/*
 * Send a signal to the process, or to the group it leads. 0, -ESRCH, -EPERM,
 * -EINVAL (no such signal; of a group: Linux before 6.9).
 */
int mfi_child_signal(int pidfd, int signo, bool group);

#endif
