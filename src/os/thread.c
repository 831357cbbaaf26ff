/* SPDX-License-Identifier: MIT */
/* thread.c - starting, naming, pinning; thread-end callbacks. */
#include "os/thread.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "os/syscall.h"

struct start {
    mfi_thread_fn *fn;
    void *arg;
};

static void *trampoline(void *p)
{
    struct start start = *(struct start *)p;

    free(p);
    start.fn(start.arg);
    return NULL;
}

static void block_signals(int open_signal, sigset_t *ret_old)
{
    static const int kept[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGILL,
                               SIGTRAP, SIGSYS, SIGPROF, SIGABRT};
    sigset_t set;

    sigfillset(&set);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        sigdelset(&set, kept[i]);
    if (open_signal != 0)
        sigdelset(&set, open_signal);
    pthread_sigmask(SIG_SETMASK, &set, ret_old);
}

int mfi_thread_start(struct os_thread *t, const char *name, mfi_thread_fn *fn,
                     void *arg, int open_signal)
{
    struct start *start = malloc(sizeof *start);
    sigset_t old;
    int rc;

    if (start == NULL)
        return -ENOMEM;
    *start = (struct start){fn, arg};
    block_signals(open_signal, &old);
    rc = pthread_create(&t->handle, NULL, trampoline, start);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        free(start);
        return -rc;
    }
    pthread_setname_np(t->handle, name);
    return 0;
}

void mfi_thread_join(struct os_thread *t)
{
    int rc = pthread_join(t->handle, NULL);

    mfi_assert(rc == 0);
}

int mfi_thread_pin_cpu(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return (int)mfi_sys3(SYS_sched_setaffinity, 0, sizeof set, &set);
}

int mfi_thread_unpin(void)
{
    cpu_set_t set;
    long rc = mfi_sys3(SYS_sched_getaffinity, getpid(), sizeof set, &set);

    if (rc > 0)
        rc = mfi_sys3(SYS_sched_setaffinity, 0, MFI_L(rc), &set);
    return (int)rc;
}

int mfi_thread_id(void)
{
    return (int)mfi_sys0(SYS_gettid);
}

int mfi_thread_count(void)
{
    struct stat st; /* of a directory with a folder for each thread */

    if (mfi_sys4(SYS_newfstatat, AT_FDCWD, MFI_L("/proc/self/task"), &st, 0) <
            0 ||
        st.st_nlink < 3)
        return 0;
    return (int)st.st_nlink - 2;
}

void mfi_thread_stack(void **ret_low, size_t *ret_len)
{
    pthread_attr_t attr;

    *ret_low = NULL;
    *ret_len = 0;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return;
    pthread_attr_getstack(&attr, ret_low, ret_len);
    pthread_attr_destroy(&attr);
}

static pthread_key_t word_key;
static pthread_once_t word_once = PTHREAD_ONCE_INIT;
static void (*_Atomic word_destroy)(void *word);
static int word_rc;

static void word_gone(void *word)
{
    mfi_load_acq (&word_destroy)(word);
}

static void word_init(void)
{
    word_rc = -pthread_key_create(&word_key, word_gone);
}

int mfi_thread_word_set(void *word, void (*destroy)(void *word))
{
    mfi_store_rel(&word_destroy, destroy); /* the same function each time */
    pthread_once(&word_once, word_init);
    if (word_rc < 0)
        return word_rc;
    return -pthread_setspecific(word_key, word);
}
