/* SPDX-License-Identifier: MIT */
/*
 * run.c - the life of the runtime: start, run, stop, start again.
 *
 *   DOWN -> STARTING -> UP -> STOPPING -> DOWN
 *                        ^        |
 *                        +--------+  something still runs at the deadline
 *
 * What a start acquires is released in reverse by undo(), which a start that
 * fails half-way and a stop that succeeds both call. A stop first cancels the
 * root scope and waits for it and for the offload pool; until both are empty
 * nothing is freed.
 */
#include <mayfly/run.h>

#include <string.h>

#include "base/time.h"
#include "os/cpu.h"
#include "os/map.h"
#include "os/signal.h"
#include "poll/cold.h"
#include "poll/pipes.h"
#include "sched/cancel.h"
#include "sched/config.h"
#include "sched/deadlock.h"
#include "sched/dump.h"
#include "sched/explain.h"
#include "sched/fault.h"
#include "sched/gen.h"
#include "sched/hog.h"
#include "sched/offload.h"
#include "sched/options.h"
#include "sched/worker.h"

enum life { DOWN, STARTING, UP, STOPPING };
static _Atomic uint32_t life;

static struct {
    struct config config;
    void *memory; /* the workers and the tables of pointers to them */
    size_t len;
    int nr_made;    /* workers initialised */
    int nr_threads; /* ... and running */
    bool stacks, hog, fault;
} run;

static size_t worker_len(void)
{
    return (sizeof(struct worker) + 4095) & ~(size_t)4095;
}

static void undo(void)
{
    mfi_store_sc(&mfi_sched.stopping, 1u);
    for (int i = 0; i < run.nr_threads; i++)
        mfi_poller_ring(&mfi_load_acq(&mfi_sched.workers[i])->poller);
    for (int i = 0; i < run.nr_threads; i++)
        mfi_thread_join(&mfi_load_acq(&mfi_sched.workers[i])->thread);
    while (mfi_load_acq(&mfi_sched.guests) != 0)
        mfi_sys0(SYS_sched_yield);
    if (run.hog)
        mfi_hog_done();
    if (run.fault)
        mfi_fault_done();
    for (int i = 0; i < run.nr_made; i++)
        mfi_poller_done(&mfi_load_acq(&mfi_sched.workers[i])->poller);
    mfi_cold_done();
    mfi_pipes_done();
    mfi_fdtab_done();
    if (run.stacks) {
        mfi_gens_abandon();
        mfi_stacks_done();
    }
    if (mfi_slabs_live() == 0) /* else somebody kept a mf_task_ref */
        mfi_slabs_done();
    if (run.memory != NULL)
        mfi_unmap(run.memory, run.len);
    memset(&run, 0, sizeof run);
}

static int make_memory(int n)
{
    size_t tables = (2 * (size_t)n * sizeof(void *) + 4095) & ~(size_t)4095;
    char *p;
    int rc;

    run.len = tables + (size_t)n * worker_len();
    if ((rc = mfi_map_pages(run.len, &run.memory)) < 0)
        return rc;
    p = run.memory;
    mfi_sched.workers = (void *)p;
    mfi_sched.idle = (void *)(p + (size_t)n * sizeof(void *));
    for (int i = 0; i < n; i++)
        mfi_store_rel(&mfi_sched.workers[i],
                      (void *)(p + tables + (size_t)i * worker_len()));
    return 0;
}

static int make_worker(int i)
{
    struct worker *w = mfi_load_acq(&mfi_sched.workers[i]);
    int rc;

    w->index = i;
    w->rng = 2463534242u + (uint32_t)i * 7919u; /* Marsaglia's seed, spread */
    w->cpu = run.config.pin_workers ? mfi_cpu_nth(i) : -1;
    mfi_wheel_init(&w->wheel, mf_now());
    rc = mfi_poller_init(&w->poller, i);
    if (rc == 0)
        run.nr_made = i + 1;
    return rc;
}

static void set_up_sched(const struct config *c)
{
    mfi_sched.nr_workers = c->workers;
    mfi_sched.stealing = c->stealing;
    mfi_sched.stack_size = c->stack_size;
    mfi_sched.hog_time = c->hog_time;
    mfi_sched.offload_max = c->offload_threads;
    mfi_sched.uring = false;
    mfi_store_rel(&mfi_sched.nr_idle, 0u);
    mfi_store_rel(&mfi_sched.nr_searching, 0u);
    mfi_store_rel(&mfi_sched.hogs, 0u);
    mfi_store_rel(&mfi_sched.stopping, 0u);
    mfi_scope_init(mfi_scope(&mfi_sched.root), NULL,
                   MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL, .name = "root"));
    mfi_scope(&mfi_sched.root)->flags = SCOPE_ROOT;
}

static void thread_main(void *arg)
{
    struct worker *w = arg;

    if (mfi_sigaltstack_install(65536, &w->sigstack) < 0)
        w->sigstack = NULL; /* an overflow will not be reported, only end */
    mfi_worker_main(w);
    if (w->sigstack != NULL)
        mfi_sigaltstack_remove(w->sigstack);
}

/* Is there an io_uring that does what we need? An error only if it must. */
static int probe_uring(const struct config *c)
{
    struct uring ring;
    int rc;

    if (c->want_epoll)
        return 0;
    rc = mfi_uring_init(&ring);
    if (rc == 0) {
        mfi_uring_done(&ring);
        mfi_sched.uring = true;
    } else if (c->want_uring) {
        return mfi_explain(rc, "backend uring: io_uring is not to be had: %s",
                           mf_strerror(rc));
    }
    return 0;
}

static int start_threads(void)
{
    char name[16] = "mf-worker";

    for (int i = 0; i < mfi_sched.nr_workers; i++) {
        struct worker *w = mfi_load_acq(&mfi_sched.workers[i]);
        int rc = mfi_thread_start(&w->thread, name, thread_main, w,
                                  mfi_hog_signal());

        if (rc < 0)
            return rc;
        run.nr_threads = i + 1;
    }
    return 0;
}

static int start(const mf_options *opts)
{
    struct config *c = &run.config;
    int rc;

    if ((rc = mfi_config_make(opts, c)) < 0 ||
        (rc = make_memory(c->workers)) < 0)
        return rc;
    set_up_sched(c);
    if ((rc = mfi_stacks_init(c->guard)) < 0) {
        return mfi_explain(rc, "guard '%s' (mf_options.guard, MF_GUARD): %s",
                           c->guard != NULL ? c->guard : "",
                           rc == -EINVAL   ? "none of region, uffd, mprotect"
                           : rc == -ENOMEM ? "no memory to try it"
                                           : "does not work on this system");
    }
    run.stacks = true;
    if ((rc = probe_uring(c)) < 0)
        return rc;
    for (int i = 0; i < c->workers; i++)
        if ((rc = make_worker(i)) < 0)
            return rc;
    if ((rc = mfi_fault_init()) < 0)
        return rc;
    run.fault = true;
    if ((rc = mfi_hog_init()) < 0)
        return rc;
    run.hog = true;
    return start_threads();
}

int mf_start(const mf_options *opts)
{
    uint32_t was = DOWN;
    int rc;

    if (mfi_worker() != NULL ||
        !mfi_cas_acqrel(&life, &was, (uint32_t)STARTING))
        return -EBUSY;
    rc = start(opts);
    if (rc < 0) {
        undo();
        mfi_store_rel(&life, (uint32_t)DOWN);
        return rc;
    }
    mfi_store_rel(&mfi_broken_hook, mfi_dump);
    mfi_store_rel(&mfi_sched.up, 1u);
    mfi_store_rel(&life, (uint32_t)UP);
    return 0;
}

int mf_stop(mf_deadline deadline)
{
    uint32_t was = UP;
    int rc = 0;

    if (mfi_worker() != NULL)
        return -EDEADLK;
    if (!mfi_cas_acqrel(&life, &was, (uint32_t)STOPPING))
        return -EINVAL;
    mf_scope_cancel(&mfi_sched.root);
    MF_SHIELD(MF_NEVER)
    { /* the caller may be inside a cancelled scope */
        rc = mf_scope_wait(&mfi_sched.root, deadline);
        if (rc == 0)
            rc = mfi_offload_drain(deadline);
    }
    if (rc < 0) {
        mfi_store_rel(&life, (uint32_t)UP);
        return rc;
    }
    mfi_scope_root_done(mfi_scope(&mfi_sched.root));
    mfi_store_rel(&mfi_sched.up, 0u);
    mfi_store_rel(&mfi_broken_hook, NULL);
    mfi_offload_done();
    undo();
    mfi_store_rel(&life, (uint32_t)DOWN);
    return 0;
}

int mf_run(mf_fn *fn, void *arg, const mf_options *opts)
{
    mf_task *first;
    int rc, result = 0;

    if (mfi_worker() != NULL)
        return -EDEADLK;
    if (fn == NULL)
        return -EINVAL;
    if (mfi_agent() == NULL) /* to wait with; now, while it can fail */
        return -ENOMEM;
    if ((rc = mf_start(opts)) < 0)
        return rc;
    rc = mf_spawn(mf_root(), fn, arg, MF_TASK_OPTIONS(.name = "main"), &first);
    if (rc == 0) {
        MF_SHIELD(MF_NEVER)
        {
            mfi_deadlock_watch(first);
            rc = mf_join(first, &result, MF_NEVER);
            mfi_deadlock_watch(NULL);
        }
        mfi_assert(rc == 0);
    }
    if (rc == 0)
        rc = result;
    (void)mf_stop(MF_NEVER);
    return rc;
}

int mf_runtime_get_info(mf_runtime_info *ret_info)
{
    mf_runtime_info info = {.size = sizeof info};

    if (ret_info == NULL || ret_info->size < sizeof(size_t) ||
        mfi_load_acq(&mfi_sched.up) == 0)
        return -EINVAL;
    info.workers = mfi_sched.nr_workers;
    info.backend = mfi_sched.uring ? "uring" : "epoll";
    info.guard = mfi_stacks_guard();
    info.stack_size = mfi_sched.stack_size;
    if (ret_info->size < sizeof info)
        info.size = ret_info->size;
    memcpy(ret_info, &info, info.size);
    return 0;
}
