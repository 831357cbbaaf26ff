/* SPDX-License-Identifier: MIT */
/* task.h - start tasks, wait for them, end them; yield, sleep, park. */
#ifndef MF_TASK_H
#define MF_TASK_H

#include <mayfly/scope.h>

MF_DECLS_BEGIN_

typedef struct mf_task mf_task;

enum { MF_COPY_MAX = 512, MF_COPY_ALIGN = 16 };
enum mf_task_flags {
    MF_TASK_PINNED = 1,       /* stays on the worker of its first run */
    MF_TASK_INLINE = 2,       /* run the child now, the caller after */
    MF_TASK_SKIP_CANCELED = 4 /* cancelled before its start: never runs */
};

typedef struct mf_task_options {
    MF_SIZE_(mf_task_options);
    const char *name MF_0_;  /* borrowed; a literal */
    const char *site MF_0_;  /* borrowed; MF_HERE, by the macros */
    size_t copy_len MF_0_;   /* > 0: arg is copied, as by mf_go_copy */
    size_t stack_size MF_0_; /* bytes; 0: the runtime's */
    int worker MF_0_; /* of the first run, 1 + its index; 0: this one */
    uint32_t flags MF_0_; /* enum mf_task_flags */
} mf_task_options;
#define MF_TASK_OPTIONS(...) MF_OPTIONS_(mf_task_options, __VA_ARGS__)

/*
 * Start fn(arg) in scope s. Never suspends: beyond the scope's limit the task
 * waits its turn. A task once accepted always runs, cancelled or not (its first
 * cancel point answers), so what arg owns is its to release. Returns 0 or
 *   -ECANCELED  s is cancelled    -ENOMEM/-EAGAIN  out of memory/tasks
 *   -EINVAL     s is NULL or closed
 * and then the task's owner is still the caller; in MF_FAIL_FAST the scope
 * fails with it, so a loop of plain mf_go need not look at each result.
 * If no stack can be had when its turn comes, the task ends with -ENOMEM.
 * Context: any, while s is open. Suspends: no. Cancel point: no.
 */
int mf_go(mf_scope *s, mf_fn *fn, void *arg);

/*
 * The same with a private copy of *arg: the task's own, writable, aligned to
 * 16, alive until its last defer has run. -E2BIG over MF_COPY_MAX.
 */
int mf_go_copy(mf_scope *s, mf_fn *fn, const void *arg, size_t len);

/*
 * The same with options and a handle (ret_task may be NULL), borrowed from the
 * scope: valid until the scope is closed, or mf_task_release. With
 * MF_TASK_INLINE it suspends: the child runs first.
 */
int mf_spawn(mf_scope *s, mf_fn *fn, void *arg, const mf_task_options *opts,
             mf_task **ret_task);

int mf_go_at(mf_scope *s, mf_fn *fn, void *arg, const char *site);
int mf_go_copy_at(mf_scope *s, mf_fn *fn, const void *arg, size_t len,
                  const char *site);
#define mf_go(s, fn, arg) mf_go_at((s), (fn), (arg), MF_HERE)
#define mf_go_copy(s, fn, arg, len)                                            \
    mf_go_copy_at((s), (fn), (arg), (len), MF_HERE)

/*
 * Start fn(arg) in s once fd is ready for poll_events (POLLIN, POLLOUT): until
 * then the task is a record without a stack, so an idle connection costs a few
 * hundred bytes. A deadline that passes and a cancel of s start it too: it
 * finds out with mf_wait_fd(fd, events, MF_NOW). Closing fd starts it (-EBADF).
 *
 * Returns 0, or as mf_go, and -EBADF, -EPERM (fd cannot be waited for).
 * Context: any, while s is open. Suspends: no. Cancel point: no.
 */
int mf_go_when(mf_scope *s, int fd, short poll_events, mf_deadline deadline,
               mf_fn *fn, void *arg);
int mf_go_when_at(mf_scope *s, int fd, short poll_events, mf_deadline deadline,
                  mf_fn *fn, void *arg, const char *site);
#define mf_go_when(s, fd, events, deadline, fn, arg)                           \
    mf_go_when_at((s), (fd), (events), (deadline), (fn), (arg), MF_HERE)

/*
 * MF_TASK_DEFINE(conn, struct conn): declares  static int conn(struct conn *);
 * to be written by the user, and conn_go(scope, struct conn value), which
 * copies the value, checks its type, and names the task "conn".
 */
#define MF_TASK_DEFINE(name, type)                                             \
    MF_ASSERT_(sizeof(type) <= MF_COPY_MAX, "task argument too big to copy");  \
    MF_ASSERT_(__alignof__(type) <= MF_COPY_ALIGN, "task argument alignment"); \
    static int name(type *);                                                   \
    static int name##_entry_(void *p_)                                         \
    {                                                                          \
        return name(MF_CAST_(type *, p_));                                     \
    }                                                                          \
    MF_INLINE_ int name##_go(mf_scope *s_, type v_)                            \
    {                                                                          \
        return mf_go_copy_at(s_, name##_entry_, &v_, sizeof v_, #name);        \
    }                                                                          \
    struct mf_semicolon_

/*
 * Wait for the task's end: its defers have run. The return value is about the
 * join, *ret_result (may be NULL) about the task: its int, -ECANCELED, or
 * -ENOTRECOVERABLE after a panic. Any number may join; joining frees nothing.
 *
 * Returns 0, -ETIMEDOUT, -ECANCELED (*this* task was cancelled), -EINVAL (t is
 * NULL), -EDEADLK (t is the caller).
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_join(mf_task *t, int *ret_result, mf_deadline deadline) MF_MUST_CHECK;

enum mf_ending { MF_RUNNING, MF_RETURNED, MF_CANCELED, MF_PANICKED, MF_EXITED };

/*
 * How it ended; *ret_message (may be NULL) is the panic's text, valid as long
 * as t. MF_CANCELED: it returned -ECANCELED after a cancel, or was skipped.
 * Context: any. Suspends: no.
 */
enum mf_ending mf_task_ending(mf_task *t, const char **ret_message);

void mf_task_release(mf_task *t); /* the handle, early; the task goes on */
mf_task *mf_task_ref(mf_task *t); /* to keep it beyond its scope; returns t */
void mf_task_unref(mf_task *t);   /* NULL is fine */

/*
 * Cancel one task and all that is below it, at once and for good; its scope
 * does not fail for it. Context: any. Suspends: no. Cancel point: no.
 */
void mf_task_cancel(mf_task *t);
mf_task *mf_self(void); /* borrowed; NULL in a plain thread */

/* A number no other live task has, and the name (or the spawn site). */
uint64_t mf_task_id(const mf_task *t);
const char *mf_task_name(const mf_task *t);

/*
 * fn(arg) when this task ends, however it ends; last in, first out; shielded.
 * Returns 0, -ENOMEM, -EPERM (plain thread), -EINVAL. Context: task.
 */
int mf_defer(void (*fn)(void *arg), void *arg);

/*
 * End this task from any depth, unwinding: cleanup attributes and C++
 * destructors run where compiled with -fexceptions. mf_exit: it ends with rc.
 * mf_panic: it ends with -ENOTRECOVERABLE and its message, others go on.
 * In a plain thread both abort the process with a clear text, as does a
 * catch (...) that swallows the unwinding. Context: task.
 */
void mf_exit(int rc) __attribute__((__noreturn__));
void mf_panic(const char *fmt, ...) MF_PRINTF(1, 2)
    __attribute__((__noreturn__));

/*
 * Let others run: this task goes to the end of its worker's queue.
 * Returns 0, -ECANCELED. Context: any (a thread yields its CPU).
 * Suspends: yes. Cancel point: yes.
 */
int mf_yield(void);

/*
 * Sleep. Returns 0 once the time has come, -ECANCELED; a span <= 0 or a point
 * long past only looks for a cancel; MF_NEVER waits for one.
 * Context: any. Suspends: yes. Cancel point: yes.
 */
int mf_sleep(mf_ns span) MF_MUST_CHECK;
int mf_sleep_until(mf_deadline at) MF_MUST_CHECK;

/*
 * Wait for a mf_unpark of this task; one that came first is kept (one token).
 * Returns 0, -ETIMEDOUT, -ECANCELED, -EPERM (plain thread).
 * Context: task. Suspends: maybe. Cancel point: yes.
 */
int mf_park(mf_deadline deadline) MF_MUST_CHECK;

/*
 * Give t its token, waking it if it parks. Returns 0, -EINVAL (NULL), -ESRCH
 * (it has ended). What was written before is visible to it after mf_park.
 * Context: any. Suspends: no. Cancel point: no.
 */
int mf_unpark(mf_task *t);

/*
 * Keep this task on the thread it runs on now, for foreign code with
 * thread-local state; nests. Returns 0, -EPERM (plain thread, or an unpin too
 * many). Context: task. Suspends: no.
 */
int mf_pin(void);
int mf_unpin(void);

/*
 * 0, or why this task should end: -ECANCELED, or -ETIMEDOUT (scope deadline);
 * 0 inside a shield. Consumes no notice. Context: any. Suspends: no.
 */
int mf_cancelled(void);

/* ---- several at once ----------------------------------------------------- */

typedef struct mf_call {
    mf_fn *fn;
    void *arg;
} mf_call;
#ifdef __cplusplus
#define MF_CALL(fn, arg) (mf_call{(fn), (arg)})
#else
#define MF_CALL(fn, arg) ((mf_call){(fn), (arg)})
#endif

/*
 * Run n functions at once, each a task of its own, and wait for them all, in a
 * scope with these options (NULL: fail-fast). Returns what closing the scope
 * says: of MF_FAIL_FAST the first failure, of MF_RACE the first success, of
 * MF_WAIT_ALL the first failure once all have ended; or why it could not start
 * (those started are cancelled and awaited). n = 0 is 0; -EINVAL.
 * Context: any. Suspends: yes. Cancel point: no (a cancel reaches the tasks).
 */
int mf_run_all(const mf_call *calls, int n, const mf_scope_options *opts);

/*
 * mf_join_all(MF_CALL(f, &a), MF_CALL(g, &b)): all of them; 0, or the first
 * failure, which cancels the others. mf_race(...): the first success, which
 * cancels the others; or, when all failed, the last failure.
 */
#define mf_join_all(...) MF_RUN_ALL_(MF_FAIL_FAST, __VA_ARGS__)
#define mf_race(...) MF_RUN_ALL_(MF_RACE, __VA_ARGS__)

MF_DECLS_END_

#ifdef __cplusplus
template <int N>
static inline int mf_run_all_(const mf_call (&calls)[N], int mode)
{
    mf_scope_options opts;
    opts.mode = mode;
    return mf_run_all(calls, N, &opts);
}
#define MF_RUN_ALL_(how, ...) mf_run_all_({__VA_ARGS__}, (how))
#else
#define MF_RUN_ALL_(how, ...)                                                  \
    mf_run_all((const mf_call[]){__VA_ARGS__},                                 \
               (int)(sizeof((const mf_call[]){__VA_ARGS__}) /                  \
                     sizeof(mf_call)),                                         \
               MF_SCOPE_OPTIONS(.mode = (how)))
#endif

#endif
