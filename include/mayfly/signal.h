/* SPDX-License-Identifier: MIT */
/*
 * signal.h - process signals as something to wait for.
 *
 * Context: any, tasks and plain threads mixed.
 */
#ifndef MF_SIGNAL_H
#define MF_SIGNAL_H

#include <mayfly/select.h>

MF_DECLS_BEGIN_

/*
 * Take these n signals from now on, for the whole process: instead of their
 * action they are handed to who waits. Some thread of the process must have
 * them unblocked (the library's own threads block them), or they never come.
 *
 * Returns 0, -EBUSY (one is taken, or is the runtime's own: SIGURG), -EINVAL
 * (n < 1, no such signal, the same one twice, one that cannot be caught, or one
 * that means a fault of the program: SIGSEGV and the like), -EMFILE, -ENOMEM.
 * Suspends: no. Cancel point: no.
 */
int mf_signal_open(const int *signos, int n, mf_signal **ret_sig);

/*
 * Wait for one: its number. As with the kernel, a signal that came several
 * times before it was taken counts once. Several that are there are taken in
 * turn, so one that keeps coming does not hold up the others. Any number may
 * wait: each signal goes to one of them.
 *
 * Returns the signal; -ETIMEDOUT, -ECANCELED, -EBADF (closed), -EINVAL,
 * -ENOMEM, -EMFILE. Suspends: maybe. Cancel point: yes.
 */
int mf_signal_wait(mf_signal *sig, mf_deadline deadline) MF_MUST_CHECK;

/*
 * Give the signals their actions back (a handler that somebody has installed
 * over ours meanwhile stays). What came and nobody took is dropped. Waiters get
 * -EBADF. NULL is fine. Returns 0; -EBADF closed already. Suspends: no. Cancel
 * point: no.
 */
int mf_signal_close(mf_signal *sig);

MF_DECLS_END_
#endif
