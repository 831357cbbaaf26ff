/* SPDX-License-Identifier: MIT */
/*
 * threads.c - simulated threads on one real one.
 *
 * A simulated thread is to the code under test what an OS thread is: it has a
 * stack to begin on, its own mfi_arch_self, and may be preempted at any point,
 * spin locks held or not, in the scheduler or in a task, on its own stack or on
 * a coroutine's. So there is no rule to keep about where a point may stand, and
 * workers, plain threads and the offload pool are all the same here. What is on
 * which coroutine is the scheduler's affair, as ever: a switch of ours is
 * between threads, and leaves each on the stack it was on.
 *
 *   FREE --start--> READY --block--> BLOCKED
 *    ^                | ^--- woken, ----+
 *    |                |    time is up
 *    +----join----- ENDED
 *
 * The clock stands still but for what the points cost and for relaxing, and
 * leaps to the next event when nobody is ready. When there is no event either,
 * nothing can ever happen again: that is a deadlock, found at once.
 */
#include "sim.h"

#include <errno.h>
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "os/syscall.h"
#include "sched/dump.h"
#include "sched/worker.h"

enum {
    STACK_LEN = 1024 * 1024,
    STACK_GUARD = 65536,
    CHOICES_MOST = 10 * 1000 * 1000,
    LOOK_EVERY = 64,       /* choices, at fds, while there are ready threads */
    QUIET_LEAP = 16,       /* one in so many relaxes */
    OUTSIDE_PATIENCE = 500 /* ms of the real clock */
};

/* Waits of tests that are longer are not meant to end but for a bug. */
static const mf_ns leap_most = MF_MSEC(10);
static const mf_ns quiet_leap_most = MF_MSEC(100);

struct sim sim;

/* ---- the record of what happened ---------------------------------------- */

void sim_mix(uint64_t value)
{
    *sim.hash = (*sim.hash ^ value) * UINT64_C(0x100000001b3);
    *sim.hash ^= *sim.hash >> 29;
}

static int index_of(const struct sim_thread *t)
{
    return (int)(t - sim.threads);
}

/* "thread 2 mf-worker in task reader" */
static const char *describe(const struct sim_thread *t, char *buf, size_t len)
{
    uintptr_t word = (uintptr_t)(t == sim.current ? mfi_arch_self() : t->self);
    struct worker *w = (word & 1) == 0 ? (struct worker *)word : NULL;
    mf_task *in = w != NULL && w->current != NULL ? w->current->task : NULL;
    const char *slash, *name = "";

    if (in != NULL) {
        name = in->name != NULL ? in->name : in->site != NULL ? in->site : "?";
        slash = strrchr(name, '/');
        name = slash != NULL ? slash + 1 : name;
    }
    snprintf(buf, len, "thread %d %s%s%s", index_of(t), t->name,
             in != NULL ? " in task " : "", name);
    return buf;
}

extern char __executable_start[];

static void trace(const struct sim_thread *to, const char *why,
                  const void *where)
{
    char from_name[96], to_name[96];
    uintptr_t at = (uintptr_t)where;

    if (!sim.trace)
        return;
    fprintf(stderr, "# %6llu %12lld ns: %s %s at %#lx, next is %s\n",
            (unsigned long long)sim.choices, (long long)sim_now(),
            describe(sim.current, from_name, sizeof from_name), why,
            at == 0 ? 0ul : (unsigned long)(at - (uintptr_t)__executable_start),
            describe(to, to_name, sizeof to_name));
}

static void print_threads(void)
{
    static const char *const waits[] = {"time", "a key", "epoll", "ppoll"};

    char name[96];

    for (int i = 0; i < sim.nr_threads; i++) {
        struct sim_thread *t = &sim.threads[i];

        describe(t, name, sizeof name);
        if (t->state == SIM_BLOCKED)
            fprintf(stderr, "#   %s waits for %s\n", name, waits[t->wait]);
        else if (t->state == SIM_READY)
            fprintf(stderr, "#   %s is ready\n", name);
    }
}

static _Noreturn void give_up(const char *what)
{
    sim.on = false; /* what follows runs on, unswitched */
    fprintf(stderr, "# simulation: %s\n", what);
    sim_plan_print();
    print_threads();
    if (atomic_load(&mfi_sched.up) != 0 &&
        atomic_load(&mfi_sched.idle_lock.word) == 0)
        mfi_dump();
    fflush(stderr);
    abort();
}

/* ---- switching ---------------------------------------------------------- */

static void track_leave(struct sim_thread *from, struct sim_thread *to)
{
    (void)from, (void)to;
#if MFI_ASAN
    __sanitizer_start_switch_fiber(
        from->state == SIM_ENDED ? NULL : &from->fake, to->low, to->len);
#endif
}

/* On the stack of the current one; from was left for it. */
static void track_enter(struct sim_thread *from)
{
    (void)from;
#if MFI_ASAN
    __sanitizer_finish_switch_fiber(sim.current->fake, &from->low, &from->len);
#endif
}

static MFI_ARCH_SWITCHES void switch_to(struct sim_thread *to)
{
    struct sim_thread *from = sim.current;
    struct cxx_globals *cxx = mfi_cxx_globals();

    if (to == from)
        return;
    sim.switches++;
    from->self = mfi_arch_self();
    from->saved_errno = errno;
    if (cxx != NULL) {
        from->cxx = *cxx;
        *cxx = to->cxx;
    }
    sim.current = to;
    mfi_arch_self_set(to->self);
    track_leave(from, to);
    from = mfi_arch_switch(&from->context, &to->context, from);
    track_enter(from);
    errno = sim.current->saved_errno;
}

/* ---- time --------------------------------------------------------------- */

mf_ns sim_now(void)
{
    return sim.now + sim_elapsed();
}

/* The next thing that time brings to who waits for it outside a worker. */
static mf_ns next_event(void)
{
    mf_ns at = sim_timers_next();

    for (int i = 0; i < sim.nr_threads; i++)
        if (sim.threads[i].state == SIM_BLOCKED && sim.threads[i].at < at)
            at = sim.threads[i].at;
    return at;
}

/* And those on the wheels of workers, asleep or not. */
static mf_ns next_deadline(void)
{
    mf_ns at = next_event();

    if (atomic_load(&mfi_sched.up) == 0)
        return at;
    for (int i = 0; i < mfi_sched.nr_workers; i++) {
        struct worker *w = atomic_load(&mfi_sched.workers[i]);
        mf_ns first = atomic_load(&w->wheel.earliest);

        at = first < at ? first : at;
    }
    return at;
}

static void strike(void)
{
    for (int i = 0; i < sim.nr_threads; i++)
        if (sim.threads[i].state == SIM_BLOCKED && sim.threads[i].at <= sim.now)
            sim_ready(&sim.threads[i], -ETIMEDOUT);
    if (sim_timers_next() <= sim.now)
        sim_timers_fire(sim.now);
}

static void leap_to(mf_ns at)
{
    if (at > sim.now)
        sim.now = at;
}

/* To the next deadline, unless it is far. */
static void leap(mf_ns most)
{
    mf_ns at = next_deadline();

    if (at != MFI_FAR && at - sim.now < most)
        leap_to(at);
}

/* Nobody is ready: let something happen. False: nothing can. */
static bool let_happen(void)
{
    struct timespec one_ms = {0, 1000000};
    mf_ns at;

    sim_look_at_fds();
    if (sim_pick_thread(false) != NULL)
        return true;
    at = next_event();
    if (at != MFI_FAR) {
        leap_to(at);
        strike();
        return true;
    }
    for (int ms = 0; sim.real_fds && ms < OUTSIDE_PATIENCE; ms++) {
        mfi_raw6(SYS_nanosleep, MFI_L(&one_ms), 0, 0, 0, 0, 0);
        sim_look_at_fds();
        if (sim_pick_thread(false) != NULL)
            return true;
    }
    return false;
}

/* ---- choosing ----------------------------------------------------------- */

static void run_next(bool away, const char *why, const void *where)
{
    struct sim_thread *to;

    if (++sim.choices > CHOICES_MOST)
        give_up("too many choices: it goes round and round");
    if (sim_leap_due())
        leap(leap_most);
    if (next_event() <= sim.now)
        strike();
    if (sim.choices % LOOK_EVERY == 0 && sim.real_fds)
        sim_look_at_fds();
    while ((to = sim_pick_thread(away)) == NULL)
        if (!let_happen())
            give_up("deadlock: every thread waits, and nothing is left that "
                    "could wake one");
    trace(to, why, where);
    sim_mix((uint64_t)index_of(to) << 48 ^ (uint64_t)sim.now);
    if (sim.nr_alive > 1)
        sim_draw();
    else
        sim_draw_far();
    switch_to(to);
}

void mfi_sim_choose(void)
{
    if (!sim.on) {
        mfi_sim_left = INT32_MAX;
        return;
    }
    sim_settle();
    run_next(false, "stopped", __builtin_return_address(0));
}

/* Nobody but the current thread, and no task but its own, can go on now. */
static bool quiet(void)
{
    for (int i = 0; i < sim.nr_threads; i++)
        if (sim.threads[i].state == SIM_READY && &sim.threads[i] != sim.current)
            return false;
    if (atomic_load(&mfi_sched.up) == 0)
        return true;
    for (int i = 0; i < mfi_sched.nr_workers; i++) {
        struct worker *w = atomic_load(&mfi_sched.workers[i]);

        if (w->slot != NULL || w->young != NULL ||
            atomic_load(&w->q.fresh_n) != 0 ||
            atomic_load(&w->q.pinned_n) != 0 ||
            atomic_load(&w->q.tail) != (uint32_t)atomic_load(&w->q.head))
            return false;
    }
    return atomic_load(&mfi_sched.inject.n) == 0;
}

/* Time passes: it may be time that whoever asks for others waits for. */
void mfi_sim_relax(void)
{
    if (!sim.on)
        return;
    sim_settle();
    sim.now += sim_relax_span();
    if (quiet() && sim_random(QUIET_LEAP) == 0)
        leap(quiet_leap_most);
    sim.current->rank = sim_rank_last();
    run_next(false, "relaxed", __builtin_return_address(0));
}

/* ---- waiting and waking ------------------------------------------------- */

int sim_block(enum sim_wait wait, const void *key, mf_ns at)
{
    struct sim_thread *t = sim.current;

    sim_settle();
    t->wait = wait;
    t->key = key;
    t->at = at;
    t->result = 0;
    t->state = SIM_BLOCKED;
    run_next(true, "waits", __builtin_return_address(0));
    return t->result;
}

void sim_ready(struct sim_thread *t, int result)
{
    t->state = SIM_READY;
    t->at = MFI_FAR;
    t->result = result;
    sim_mix((uint64_t)index_of(t) << 32 ^ (uint64_t)result);
    sim_hurry(t);
}

/* In no order: the kernel promises none. */
int sim_wake(const void *key, int n)
{
    int woken = 0, from = (int)sim_random((uint32_t)sim.nr_threads);

    for (int i = 0; i < sim.nr_threads && woken < n; i++) {
        struct sim_thread *t = &sim.threads[(from + i) % sim.nr_threads];

        if (t->state == SIM_BLOCKED && t->wait == SIM_KEY && t->key == key) {
            sim_ready(t, 0);
            woken++;
        }
    }
    return woken;
}

/* ---- birth and death ---------------------------------------------------- */

static void thread_main(void *from)
{
    track_enter(from);
    sim_thread_exit(sim.current->fn(sim.current->arg));
}

/* NULL: no memory. */
static char *map_stack(void)
{
    void *p = mmap(NULL, STACK_GUARD + STACK_LEN, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    if (mprotect(p, STACK_GUARD, PROT_NONE) < 0) {
        munmap(p, STACK_GUARD + STACK_LEN);
        return NULL;
    }
    return (char *)p + STACK_GUARD;
}

static char *spare[4]; /* mapped before the fork */
static int nr_spare;

void sim_prepare(void)
{
    void *frame;

    while (nr_spare < (int)(sizeof spare / sizeof spare[0]) &&
           (spare[nr_spare] = map_stack()) != NULL)
        nr_spare++;
    (void)backtrace(&frame, 1); /* loads what it needs, once for all */
}

struct sim_thread *sim_thread_start(void *(*fn)(void *arg), void *arg)
{
    struct sim_thread *t = NULL;
    char *stack = NULL;

    for (int i = 1; i < SIM_THREADS && t == NULL; i++)
        if (sim.threads[i].state == SIM_FREE)
            t = &sim.threads[i];
    if (t != NULL && (stack = t->stack) == NULL)
        stack = nr_spare > 0 ? spare[--nr_spare] : map_stack();
    if (stack == NULL)
        return NULL;
    mfi_asan_unpoison(stack, STACK_LEN); /* frames never returned from */
    *t = (struct sim_thread){.state = SIM_READY,
                             .at = MFI_FAR,
                             .fn = fn,
                             .arg = arg,
                             .stack = stack,
                             .stack_len = STACK_LEN,
                             .rank = sim_rank()};
    memcpy(t->name, "thread", sizeof "thread");
#if MFI_ASAN
    t->low = stack;
    t->len = STACK_LEN;
#endif
    mfi_arch_prepare(&t->context, stack + STACK_LEN, thread_main);
    if (index_of(t) >= sim.nr_threads)
        sim.nr_threads = index_of(t) + 1;
    sim.nr_alive++;
    sim_hurry(t);
    return t;
}

void sim_thread_exit(void *ret)
{
    struct sim_thread *t = sim.current;

    sim_thread_values_end(t);
    t->ret = ret;
    t->state = t->detached ? SIM_FREE : SIM_ENDED;
    sim.nr_alive--;
    sim_wake(t, INT32_MAX);
    sim_settle();
    run_next(true, "ends", NULL);
    abort();
}

void sim_begin(uint64_t seed, uint64_t *hash)
{
    struct sim_thread *t = &sim.threads[0];

    sim = (struct sim){.hash = hash,
                       .now = MF_SEC(1000),
                       .nr_threads = 1,
                       .nr_alive = 1,
                       .current = t,
                       /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
                       .trace = getenv("MF_SIM_TRACE") != NULL};
    *t = (struct sim_thread){.state = SIM_READY, .at = MFI_FAR};
    setenv("MF_BACKEND", "epoll", 1); /* whoever asks: the same run */
    memcpy(t->name, "first", sizeof "first");
    *hash = seed;
    sim_plan(seed);
    if (getenv("MF_SIM_PLAN") != NULL)
        sim_plan_print();
    sim.on = true;
}

void sim_end(void)
{
    sim.on = false;
}
