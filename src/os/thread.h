/* SPDX-License-Identifier: MIT */
/* thread.h - OS threads: the only place that speaks pthreads. */
#ifndef MFI_OS_THREAD_H
#define MFI_OS_THREAD_H

#include <pthread.h>
#include <stddef.h>

struct os_thread {
    pthread_t handle;
};

typedef void mfi_thread_fn(void *arg);

/*
 * Start a thread named `name` (15 characters) with every signal blocked but the
 * synchronous ones, SIGPROF, SIGABRT and `open_signal` (0: none), so that the
 * process's signals go to the threads the user made. Returns 0, -EAGAIN,
 * -ENOMEM.
 */
int mfi_thread_start(struct os_thread *t, const char *name, mfi_thread_fn *fn,
                     void *arg, int open_signal);
void mfi_thread_join(struct os_thread *t);

/* Keep the calling thread on one CPU. 0 or -errno. */
int mfi_thread_pin_cpu(int cpu);

/* The caller may run where the process's first thread may. 0, or < 0. */
int mfi_thread_unpin(void);

/* The kernel's id of the calling thread. */
int mfi_thread_id(void);

/* How many threads this process has; 0: it cannot be told. */
int mfi_thread_count(void);

/* The stack the calling thread runs on. */
void mfi_thread_stack(void **ret_low, size_t *ret_len);

/* Call fn(word) when a thread ends whose word was set. One per process. */
int mfi_thread_word_set(void *word, void (*destroy)(void *word));

#endif
