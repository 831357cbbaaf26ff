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
 * Take these signals from now on, for the whole process: instead of their
 * action they are handed to who waits. Returns 0, -EBUSY (one is taken),
 * -EINVAL (no such signal, one that cannot be caught, or one that means a fault
 * of the program: SIGSEGV and the like), -EMFILE, -ENOMEM. Suspends: no.
 */
int mf_signal_open(const int *signos, int n, mf_signal **ret_sig);

/*
 * Wait for one: its number. As with the kernel, a signal that came several
 * times before it was taken counts once. -ETIMEDOUT, -ECANCELED, -EINVAL.
 * Suspends: maybe. Cancel point: yes.
 */
int mf_signal_wait(mf_signal *sig, mf_deadline deadline) MF_MUST_CHECK;

/*
 * Give the signals their actions back. NULL is fine. Waiters get -EBADF. 0.
 */
int mf_signal_close(mf_signal *sig);

MF_DECLS_END_
#endif
