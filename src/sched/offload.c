/* SPDX-License-Identifier: MIT */
/* offload.c - the pool of threads drawn in offload.h. */
#include "sched/offload.h"

#include <stdlib.h>
#include <string.h>

#include "os/futex.h"
#include "sched/deadlock.h"
#include "sched/local.h"
#include "sched/park.h"

const struct beside *mfi_beside;

enum job_state { JOB_WAITED, JOB_DONE, JOB_LEFT };

struct job {
    struct job *next;
    mf_fn *fn;
    void (*drop)(void *data);
    void *data;
    struct parker *parker; /* of the caller, while WAITED */
    struct spin lock;      /* state, parker's claim */
    enum job_state state;
    int result;
    struct cold_read read; /* instead of fn: see mfi_block_read */
    void (*took)(void *data, int result);
    _Alignas(16) char copy[];
};

static struct {
    struct spin lock; /* all but bell */
    struct job *head;
    struct job *tail;
    int nr_threads;
    int nr_idle;
    int nr_jobs;   /* queued and running */
    int nr_queued; /* of these, not taken by a thread yet */
    bool stopping;
    struct os_thread threads[OFFLOAD_MAX]; /* nr_threads of them */
    _Atomic uint32_t bell;    /* one up for each job; idle threads watch it */
    _Atomic uint32_t drained; /* one up when nr_jobs reaches 0 */
} pool;

/* The copy is nobody's any more. */
static void drop_job(struct job *j)
{
    if (j->drop != NULL)
        j->drop(j->data);
    free(j); /* tidy: allow malloc, because jobs have any size */
}

static void finish(struct job *j, struct wake_list *woken)
{
    bool left;

    mfi_spin_lock(&j->lock);
    left = j->state == JOB_LEFT;
    if (!left) {
        j->state = JOB_DONE;
        mfi_parker_wake(j->parker, WOKEN_READY, woken);
    }
    mfi_spin_unlock(&j->lock); /* the caller may free it from here on */
    if (left)
        drop_job(j);
}

static void ended(void)
{
    bool last;

    mfi_spin_lock(&pool.lock);
    last = --pool.nr_jobs == 0;
    mfi_spin_unlock(&pool.lock);
    if (last) {
        mfi_add_sc(&pool.drained, 1u);
        mfi_futex_wake(&pool.drained, INT32_MAX);
        mfi_deadlock_again();
    }
}

/* What one job has set is not the next one's. */
static void forget_locals(void)
{
    struct agent *a = mfi_agent_known();

    if (a != NULL && a->locals != NULL)
        mfi_locals_end(a);
}

static void thread_main(void *arg)
{
    struct wake_list woken;

    if (arg != NULL) /* started on a pinned worker, and so pinned with it */
        (void)mfi_thread_unpin();
    mfi_spin_lock(&pool.lock);
    for (;;) {
        struct job *j = pool.head;
        uint32_t bell;

        if (j != NULL) {
            pool.head = j->next;
            pool.nr_queued--;
            mfi_spin_unlock(&pool.lock);
            j->result = j->fn(j->data);
            forget_locals();
            mfi_wake_list_init(&woken);
            finish(j, &woken);
            mfi_wake(&woken);
            ended();
            mfi_spin_lock(&pool.lock);
            continue;
        }
        if (pool.stopping)
            break;
        pool.nr_idle++;
        bell = mfi_load_acq(&pool.bell);
        mfi_spin_unlock(&pool.lock);
        mfi_futex_wait(&pool.bell, bell, MFI_FAR);
        mfi_spin_lock(&pool.lock);
        pool.nr_idle--;
    }
    mfi_spin_unlock(&pool.lock);
}

/* Under the lock. 0, or why there is no thread that could take the job. */
static int more_threads_locked(void)
{
    struct worker *w = mfi_worker();
    void *pinned = w != NULL && w->cpu >= 0 ? w : NULL;
    int rc;

    /* Idle threads on their way to queued jobs still count as idle. */
    if (pool.nr_idle > pool.nr_queued ||
        pool.nr_threads == mfi_sched.offload_max)
        return 0;
    rc = mfi_thread_start(&pool.threads[pool.nr_threads], "mf-offload",
                          thread_main, pinned, 0);
    if (rc == 0)
        pool.nr_threads++;
    return pool.nr_threads > 0 ? 0 : rc;
}

static int submit(struct job *j)
{
    int rc;

    j->next = NULL;
    mfi_spin_lock(&pool.lock);
    rc = more_threads_locked();
    if (rc == 0) {
        if (pool.head == NULL)
            pool.head = j;
        else
            pool.tail->next = j;
        pool.tail = j;
        pool.nr_jobs++;
        pool.nr_queued++;
        mfi_add_sc(&pool.bell, 1u);
    }
    mfi_spin_unlock(&pool.lock);
    if (rc == 0)
        mfi_futex_wake(&pool.bell, 1);
    return rc;
}

static void read_done(struct cold_read *r, int result, struct wake_list *woken)
{
    struct job *j = mfi_container_of(r, struct job, read);

    j->took(j->data, result);
    j->result = 0;
    finish(j, woken);
    ended();
}

/* On the ring if that can be, else on the pool. */
static int start(struct job *j)
{
    int rc = -ENOSYS;

    if (j->took != NULL && mfi_worker() != NULL && mfi_sched.uring) {
        mfi_spin_lock(&pool.lock);
        pool.nr_jobs++;
        mfi_spin_unlock(&pool.lock);
        rc = mfi_cold_start(&j->read,
                            &mfi_load_acq(&mfi_sched.workers[0])->poller);
        if (rc < 0)
            ended();
    }
    return rc == 0 ? 0 : submit(j);
}

/* rc of a wait for j: what became of it. True: it is the caller's again. */
static bool settle(struct job *j)
{
    bool done;

    mfi_spin_lock(&j->lock);
    done = j->state == JOB_DONE;
    if (!done)
        j->state = JOB_LEFT;
    mfi_spin_unlock(&j->lock);
    return done;
}

static int wait_for(struct job *j, struct agent *a, mf_deadline deadline)
{
    int rc;

    for (;;) {
        mfi_spin_lock(&j->lock);
        if (j->state == JOB_DONE) {
            mfi_spin_unlock(&j->lock);
            return 0;
        }
        mfi_park_arm(a);
        mfi_spin_unlock(&j->lock);
        rc = mfi_wait(a, mfi_time_of(deadline), "an offloaded function");
        if (rc < 0)
            return rc;
    }
}

/*
 * On entry. It counts as accepted all the same: whoever gets -ETIMEDOUT or
 * -ECANCELED knows that drop has what the data owned, or will have.
 */
static int too_late(struct agent *a, mf_deadline deadline)
{
    int rc = mfi_cancel_point(a);

    if (rc == 0 && deadline.at != 0 && deadline.at <= mf_now())
        rc = -ETIMEDOUT;
    return rc;
}

int mfi_block_read(mf_fn *fn, void (*took)(void *data, int result), void *data,
                   size_t len, void (*drop)(void *data), mf_deadline deadline,
                   const struct cold_read *read)
{
    struct agent *a = mfi_agent();
    struct job *j;
    int rc;

    if (fn == NULL || (data == NULL && len != 0) ||
        mfi_load_acq(&mfi_sched.up) == 0)
        return -EINVAL;
    if (a == NULL || len > SIZE_MAX - sizeof *j)
        return -ENOMEM;
    /* tidy: allow malloc, because jobs have any size */
    j = malloc(sizeof *j + len);
    if (j == NULL)
        return -ENOMEM;
    *j = (struct job){.fn = fn,
                      .drop = drop,
                      .data = data != NULL ? j->copy : NULL,
                      .parker = &a->parker,
                      .took = took};
    if (read != NULL) {
        j->read = *read;
        j->read.done = read_done;
    }
    if (len != 0)
        memcpy(j->copy, data, len);
    if ((rc = too_late(a, deadline)) < 0) {
        drop_job(j);
        return rc;
    }
    if ((rc = start(j)) < 0) {
        free(j); /* tidy: allow malloc, because jobs have any size */
        return rc;
    }
    rc = wait_for(j, a, deadline);
    if (rc < 0 && !settle(j))
        return rc;
    rc = j->result; /* in time, or in the last moment */
    if (len != 0)
        memcpy(data, j->copy, len);
    free(j); /* tidy: allow malloc, because jobs have any size */
    return rc;
}

int mf_block(mf_fn *fn, void *data, size_t len, void (*drop)(void *data),
             mf_deadline deadline)
{
    return mfi_block_read(fn, NULL, data, len, drop, deadline, NULL);
}

int mfi_offload_call(mf_fn *fn, void *arg)
{
    struct agent *a = mfi_agent();
    struct job j = {.fn = fn, .data = arg};
    bool done;
    int rc;

    if (a == NULL)
        return -ENOMEM;
    j.parker = &a->parker;
    mfi_park_arm_hard(a);
    if ((rc = submit(&j)) < 0) {
        mfi_park_disarm(a);
        return rc;
    }
    do {
        mfi_wait_hard(a, MFI_FAR, "an offloaded system call");
        mfi_spin_lock(&j.lock);
        done = j.state == JOB_DONE;
        mfi_spin_unlock(&j.lock);
    } while (!done);
    return j.result;
}

bool mfi_offload_busy(int *ret_threads)
{
    int threads = 0;
    bool busy = mfi_beside != NULL && mfi_beside->busy(&threads);

    mfi_spin_lock(&pool.lock);
    busy = busy || pool.nr_jobs != 0;
    *ret_threads = pool.nr_threads + threads;
    mfi_spin_unlock(&pool.lock);
    return busy;
}

int mfi_offload_drain(mf_deadline deadline)
{
    for (;;) {
        uint32_t drained = mfi_load_acq(&pool.drained);
        int jobs;

        mfi_spin_lock(&pool.lock);
        jobs = pool.nr_jobs;
        mfi_spin_unlock(&pool.lock);
        if (jobs == 0)
            return mfi_beside != NULL ? mfi_beside->drain(deadline) : 0;
        if (mfi_is_try(deadline) ||
            mfi_futex_wait(&pool.drained, drained, mfi_time_of(deadline)) ==
                -ETIMEDOUT)
            return -ETIMEDOUT;
    }
}

void mfi_offload_done(void)
{
    mfi_spin_lock(&pool.lock);
    pool.stopping = true;
    mfi_add_sc(&pool.bell, 1u);
    mfi_spin_unlock(&pool.lock);
    mfi_futex_wake(&pool.bell, INT32_MAX);
    for (int i = 0; i < pool.nr_threads; i++)
        mfi_thread_join(&pool.threads[i]);
    mfi_spin_lock(&pool.lock); /* a worker may still look for a deadlock */
    pool.nr_threads = 0;
    pool.stopping = false;
    mfi_spin_unlock(&pool.lock);
    if (mfi_beside != NULL)
        mfi_beside->done();
}
