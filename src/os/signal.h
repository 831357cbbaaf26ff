/* SPDX-License-Identifier: MIT */
/*
 * signal.h - handlers that leave others in place, stacks for them, and a signal
 * for each so much CPU time of a thread. Results are 0 or -errno.
 */
#ifndef MFI_OS_SIGNAL_H
#define MFI_OS_SIGNAL_H

#include <signal.h>
#include <stddef.h>

#include <mayfly/base.h>

/*
 * Give the calling thread a signal stack of at least len bytes (more where the
 * CPU's registers need it) with a guard below. Needed to report a stack
 * overflow. *ret_stack is for remove, which brings back the stack the thread
 * had before; on the same thread, not in a handler. 0, -ENOMEM.
 */
int mfi_sigaltstack_install(size_t len, void **ret_stack);
void mfi_sigaltstack_remove(void *stack);

typedef void mfi_signal_fn(int signo, siginfo_t *info, void *uctx);

/*
 * Install a handler; flags as SA_ONSTACK | SA_RESTART (SA_SIGINFO is implied).
 * *ret_old, which may be NULL, is for mfi_signal_chain. 0, -EINVAL.
 */
int mfi_signal_handle(int signo, mfi_signal_fn *fn, int flags,
                      struct sigaction *ret_old);

/* The same; and while fn runs, no other handler interrupts it. */
int mfi_signal_handle_alone(int signo, mfi_signal_fn *fn, int flags,
                            struct sigaction *ret_old);

/*
 * Put `old` back, if fn is still the handler. If it is not, somebody has
 * installed another since, who may know of fn: that one stays.
 */
void mfi_signal_unhandle(int signo, mfi_signal_fn *fn,
                         const struct sigaction *old);

/*
 * From a handler: do what would have been done without it. Calls the older
 * handler; or, where that is the default action, sets it and returns: the
 * signal strikes again when the handler returns, and has its usual effect.
 */
void mfi_signal_chain(const struct sigaction *old, int signo, siginfo_t *info,
                      void *uctx);

/*
 * Send signo to the calling thread each time it has used `period` ns of CPU
 * time: never while it sleeps. The handler finds `value` in
 * info->si_value.sival_ptr. 0, -EAGAIN, -ENOMEM, -EINVAL. The kernel stops the
 * timer when the thread ends, but keeps its memory until stop, which any thread
 * may call.
 */
int mfi_cputimer_start(int signo, mf_ns period, void *value, int *ret_timer);
void mfi_cputimer_stop(int timer);

#endif
