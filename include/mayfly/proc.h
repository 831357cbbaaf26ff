/* SPDX-License-Identifier: MIT */
/*
 * proc.h - child processes as something to wait for.
 *
 * Context: any. A child is reaped by who waits for it or closes it: no zombie
 * is left, and no SIGCHLD handler is needed or touched. Where the process
 * ignores SIGCHLD, or reaps children it does not know (waitpid(-1)), how a
 * child ended may be lost: -ECHILD; all else works.
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
    mf_scope *scope MF_0_; /* it does not outlive this one; NULL: none */
    int kill_signal MF_0_; /* asked to end with this; 0: SIGTERM */
    mf_ns grace MF_0_;     /* between that and SIGKILL; 0: SIGKILL at once */
    int group MF_0_; /* 1: a process group of its own, killed as a whole */
} mf_proc_options;
#define MF_PROC_OPTIONS(...) MF_OPTIONS_(mf_proc_options, __VA_ARGS__)

typedef struct mf_proc mf_proc;

/*
 * Start a program: argv[0] is searched in PATH (ours) unless it has a slash; no
 * shell is tried on a text without #!. The child gets no fd but its three,
 * default signal actions and an empty mask. dir is entered before argv[0] is
 * looked for. All is borrowed for the call; a borrowed fd of its own that the
 * library has made non-blocking is so in the child, too (mf_release it).
 *
 * With a scope: when its tasks have ended, its close kills the child as
 * mf_proc_close does, all of them at once, and reaps it. The handle is still
 * the caller's, and how it ended can be asked. mf_root() will do: then mf_run
 * or mf_stop kills it.
 *
 * Returns 0, *ret_proc given (mf_proc_close); -ENOENT, -EACCES, -ENOEXEC, ...
 * of the exec itself, or of dir; -EMFILE, -ENOMEM, -EAGAIN, -EBADF, -EINVAL;
 * -ECANCELED (the caller, or the scope, is); -ENOSYS (Linux before 5.4).
 * Suspends: maybe (until the exec is known to have worked; unbounded only where
 * execve(2) is). Cancel point: on entry.
 */
int mf_proc_start(const char *const *argv, const mf_proc_options *opts,
                  mf_proc **ret_proc) MF_MUST_CHECK;

/*
 * Our end of the pipe of its fd 0, 1 or 2, borrowed; -EBADF: there is none. Do
 * not close it but with mf_proc_hang_up.
 */
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
 * -ETIMEDOUT, -ECANCELED (it lives on), -ECHILD (how is not known), -EINVAL.
 * ret_status may be NULL. Suspends: maybe. Cancel point: yes.
 */
int mf_proc_wait(mf_proc *p, mf_exit_status *ret_status,
                 mf_deadline deadline) MF_MUST_CHECK;

/*
 * Send a signal to it, or to the group that it leads, which may outlive it.
 * Never hits another process. Returns 0, -ESRCH (it has ended), -EINVAL,
 * -EPERM. Suspends: no. Cancel point: no.
 */
int mf_proc_kill(mf_proc *p, int signo);

/*
 * If it still runs: kill it (kill_signal, grace, SIGKILL), reap it; kill what
 * is left of its group; close our pipe ends; free. Nobody may wait for it any
 * more. NULL is fine. Returns 0. Suspends: maybe. Cancel point: no.
 */
int mf_proc_close(mf_proc *p);

/* res 0, -ECHILD; ret_status may be NULL. p NULL: never. */
mf_case mf_on_proc(mf_proc *p, mf_exit_status *ret_status);

/*
 * Run argv to its end with input (borrowed; NULL: in is as opts says) and
 * collect up to max bytes of its output (0: 1 MiB), a NUL after them. *ret_out
 * is given (free(3)), may be NULL: then out is as opts says. err MF_STDIO_OUT
 * is collected too. Output ends when all who have the pipe have closed it, the
 * program's own children too. On any failure the child is killed as by
 * mf_proc_close.
 *
 * Returns 0, however it ended (*ret_status); -EFBIG more output than max;
 * -ETIMEDOUT, -ECANCELED; -ECHILD; -EINVAL (also: err is MF_STDIO_PIPE); and as
 * mf_proc_start. Suspends: maybe. Cancel point: yes.
 */
int mf_proc_run(const char *const *argv, const mf_proc_options *opts,
                const void *input, size_t len, size_t max, char **ret_out,
                size_t *ret_len, mf_exit_status *ret_status,
                mf_deadline deadline) MF_MUST_CHECK;

MF_DECLS_END_
#endif
