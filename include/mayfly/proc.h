/* SPDX-License-Identifier: MIT */
/*
 * proc.h - child processes as something to wait for.
 *
 * Context: any. A child is reaped by who waits for it or closes it: no zombie
 * is left, and no SIGCHLD handler is needed or touched.
 */
#ifndef MF_PROC_H
#define MF_PROC_H

#include <sys/types.h>

#include <mayfly/scope.h>
#include <mayfly/select.h>

MF_DECLS_BEGIN_

enum mf_stdio {
    MF_STDIO_INHERIT = 0, /* the parent's */
    MF_STDIO_NULL = -1,   /* /dev/null */
    MF_STDIO_PIPE = -2,   /* a pipe; our end is mf_proc_fd */
    MF_STDIO_OUT = -3,    /* err only: where out goes */
    /* > 2: this fd, borrowed */
};

typedef struct mf_proc_options {
    MF_SIZE_(mf_proc_options);
    int in MF_0_, out MF_0_, err MF_0_; /* enum mf_stdio, or an fd > 2 */
    const char *const *env MF_0_;       /* "NAME=value", NULL; NULL: ours */
    const char *dir MF_0_;              /* where it starts; NULL: here */
    mf_scope *scope MF_0_; /* killed and reaped when this closes; NULL: none */
    int kill_signal MF_0_; /* asked to end with this; 0: SIGTERM */
    mf_ns grace MF_0_;     /* between that and SIGKILL; 0: SIGKILL at once */
    int group MF_0_; /* 1: a process group of its own, killed as a whole */
} mf_proc_options;
#define MF_PROC_OPTIONS(...) MF_OPTIONS_(mf_proc_options, __VA_ARGS__)

typedef struct mf_proc mf_proc;

/*
 * Start a program: argv[0] is searched in PATH unless it has a slash. The child
 * gets no fd but its three, default signal actions and an empty mask.
 *
 * Returns 0, *ret_proc given (mf_proc_close); -ENOENT, -EACCES, -ENOEXEC, ...
 * of the exec itself; -EMFILE, -ENOMEM, -EAGAIN, -EINVAL.
 * Suspends: maybe (until the exec is known to have worked; unbounded only where
 * execve(2) is). Cancel point: on entry.
 */
int mf_proc_start(const char *const *argv, const mf_proc_options *opts,
                  mf_proc **ret_proc) MF_MUST_CHECK;

/* Our end of the pipe of its fd 0, 1 or 2, borrowed; -EBADF: there is none. */
int mf_proc_fd(mf_proc *p, int which);

/* Close our end now (which 0: the child reads its end). 0, -EBADF. */
int mf_proc_hang_up(mf_proc *p, int which);

pid_t mf_proc_pid(mf_proc *p); /* valid until it is reaped */

/* How a child ended. */
typedef struct mf_exit_status {
    int code;   /* of exit(2); -1: killed */
    int signal; /* that killed it; 0: none */
    int dumped; /* 1: with a core dump */
} mf_exit_status;

/*
 * Wait for its end. Any number may wait, and may ask again later. Returns 0;
 * -ETIMEDOUT, -ECANCELED (it lives on), -ECHILD (reaped by somebody else).
 * ret_status may be NULL. Suspends: maybe. Cancel point: yes.
 */
int mf_proc_wait(mf_proc *p, mf_exit_status *ret_status,
                 mf_deadline deadline) MF_MUST_CHECK;

/* Send it a signal. Never hits another process. 0, -ESRCH (it has ended),
 * -EINVAL, -EPERM. Suspends: no. Cancel point: no. */
int mf_proc_kill(mf_proc *p, int signo);

/*
 * If it still runs: kill it (kill_signal, grace, SIGKILL), reap it; close our
 * pipe ends; free. NULL is fine. Returns 0. Suspends: maybe. Cancel point: no.
 */
int mf_proc_close(mf_proc *p);

/* res as mf_proc_wait; ret_status may be NULL. */
mf_case mf_on_proc(mf_proc *p, mf_exit_status *ret_status);

/*
 * Run argv to its end with input (borrowed, may be NULL) and collect up to max
 * bytes of its output (0: 1 MiB), a NUL after them. *ret_out is given (free(3)),
 * may be NULL: then output is not collected. On deadline or cancel the child is
 * killed as mf_proc_close does. Returns 0; -EFBIG more output than max;
 * -ETIMEDOUT, -ECANCELED; as mf_proc_start.
 */
int mf_proc_run(const char *const *argv, const mf_proc_options *opts,
                const void *input, size_t len, size_t max, char **ret_out,
                size_t *ret_len, mf_exit_status *ret_status,
                mf_deadline deadline) MF_MUST_CHECK;

MF_DECLS_END_
#endif
