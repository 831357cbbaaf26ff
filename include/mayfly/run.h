/* SPDX-License-Identifier: MIT */
/*
 * run.h - start the runtime, run a first task, stop.
 *
 * There is one runtime in a process. Its settings come from mf_options, and
 * the environment overrides them:
 *   MF_WORKERS=n          MF_BACKEND=epoll|uring    MF_STACK_SIZE=bytes
 *   MF_GUARD=region|uffd|mprotect                   MF_STEAL=0|1
 *   MF_HOG_MS=n (0: off)  MF_PIN_WORKERS=0|1        MF_OFFLOAD_THREADS=n
 * A value that cannot be understood makes the start fail with -EINVAL, and
 * mf_explain says which it was.
 */
#ifndef MF_RUN_H
#define MF_RUN_H

#include <mayfly/base.h>

MF_DECLS_BEGIN_

typedef struct mf_options {
    MF_SIZE_(mf_options);
    int workers MF_0_;       /* 0: the CPUs this process may use */
    size_t stack_size MF_0_; /* bytes a task may use; 0: 256 KiB */
    const char *backend MF_0_; /* "uring", "epoll"; NULL: probe */
    int pin_workers MF_0_;     /* 1: worker i stays on the i-th allowed CPU */
    int no_stealing MF_0_;   /* 1: workers take no work from each other */
    mf_ns hog_time MF_0_; /* span a task may compute before another worker
                             takes over what waits behind it; 0: 10 ms;
                             < 0: never */
    const char *guard MF_0_; /* "region", "uffd", "mprotect"; NULL: probe */
    int offload_threads MF_0_; /* most threads of the offload pool; 0: 64 */
} mf_options;
#define MF_OPTIONS(...) MF_OPTIONS_(mf_options, __VA_ARGS__)

/*
 * Start, run fn(arg) as the first task (a child of mf_root()), then cancel and
 * wait for whatever is left under mf_root(), stop.
 *
 *   fn, arg  borrowed until the call returns
 *   opts     copied; NULL: all defaults
 *
 * Returns fn's result (-ECANCELED or -ENOTRECOVERABLE if it was cancelled or
 * panicked), or why it did not start: -EINVAL, -EBUSY (it runs already),
 * -ENOMEM, -EMFILE, -EAGAIN (threads), -EDEADLK (called inside a task); where a
 * guard or backend was named that is not to be had: -ENOTSUP, -EPERM, -ENOSYS.
 * Context: plain thread; blocks it. Cancel point: no.
 */
int mf_run(mf_fn *fn, void *arg, const mf_options *opts);

/*
 * Start the workers and return. opts is copied; NULL: all defaults.
 *
 * Returns 0, -EINVAL, -EBUSY (it runs already), -ENOMEM, -EMFILE, -EAGAIN, and
 * -ENOTSUP, -EPERM, -ENOSYS as mf_run.
 * On failure nothing is left behind. Context: plain thread. Suspends: no.
 */
int mf_start(const mf_options *opts);

/*
 * Cancel everything under mf_root(), wait for it until `deadline`, end the
 * workers, free everything. May be followed by another start.
 *
 * Returns 0; -ETIMEDOUT with tasks or offloaded functions still running:
 * nothing was freed, call again; -ENOMEM, the same; -EINVAL (not running);
 * -EDEADLK (called inside a task). Context: plain thread; blocks it. Cancel
 * point: no.
 */
int mf_stop(mf_deadline deadline);

/*
 * What the runtime chose. workers: how many; backend: "epoll" or "uring";
 * guard: "region", "uffd" or "mprotect"; stack_size: bytes.
 */
typedef struct mf_runtime_info {
    MF_SIZE_(mf_runtime_info);
    int workers MF_0_;
    const char *backend MF_0_;
    const char *guard MF_0_;
    size_t stack_size MF_0_;
} mf_runtime_info;

/*
 * Fill *ret_info, whose .size the caller has set. Returns 0, -EINVAL (not
 * running, or no size). Context: any. Suspends: no. Cancel point: no.
 */
int mf_runtime_get_info(mf_runtime_info *ret_info);

MF_DECLS_END_
#endif
