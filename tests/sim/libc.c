/* SPDX-License-Identifier: MIT */
/*
 * libc.c - what the library and its tests ask of libc about threads and time.
 *
 * Simulated programs are linked with --wrap for each of these, so a call of f
 * arrives at __wrap_f; tests/CMakeLists.txt finds the names here. Before a
 * simulation has begun all is as ever.
 *
 * A pthread_t is the index of a simulated thread plus one.
 */
#include "sim.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "os/event.h"

#define WRAP(type, name, params) \
 type __real_##name params;      \
 type __wrap_##name params;      \
 type __wrap_##name params

static struct sim_thread *thread_of(pthread_t handle)
{
    return &sim.threads[handle - 1];
}

static pthread_t handle_of(const struct sim_thread *t)
{
    return (pthread_t)(t - sim.threads) + 1;
}

/* ---- threads ------------------------------------------------------------ */

WRAP(int, pthread_create,
     (pthread_t * handle, const pthread_attr_t *attr, void *(*fn)(void *),
      void *arg))
{
    struct sim_thread *t;

    if (!sim.on)
        return __real_pthread_create(handle, attr, fn, arg);
    t = sim_thread_start(fn, arg);
    if (t == NULL)
        return EAGAIN;
    *handle = handle_of(t);
    mfi_sim_point(SIM_WRITE);
    return 0;
}

WRAP(int, pthread_join, (pthread_t handle, void **ret))
{
    struct sim_thread *t;

    if (!sim.on)
        return __real_pthread_join(handle, ret);
    t = thread_of(handle);
    mfi_sim_point(SIM_WRITE);
    while (t->state != SIM_ENDED)
        sim_block(SIM_KEY, t, MFI_FAR);
    if (ret != NULL)
        *ret = t->ret;
    t->state = SIM_FREE;
    return 0;
}

WRAP(int, pthread_detach, (pthread_t handle))
{
    struct sim_thread *t;

    if (!sim.on)
        return __real_pthread_detach(handle);
    t = thread_of(handle);
    t->detached = true;
    if (t->state == SIM_ENDED)
        t->state = SIM_FREE;
    return 0;
}

WRAP(pthread_t, pthread_self, (void))
{
    return sim.on ? handle_of(sim.current) : __real_pthread_self();
}

WRAP(int, pthread_setname_np, (pthread_t handle, const char *name))
{
    if (!sim.on)
        return __real_pthread_setname_np(handle, name);
    snprintf(thread_of(handle)->name, SIM_NAME, "%s", name);
    return 0;
}

WRAP(int, pthread_getattr_np, (pthread_t handle, pthread_attr_t *attr))
{
    struct sim_thread *t;
    int rc;

    if (!sim.on)
        return __real_pthread_getattr_np(handle, attr);
    t = thread_of(handle);
    if (t->stack == NULL)
        return __real_pthread_getattr_np(__real_pthread_self(), attr);
    rc = pthread_attr_init(attr);
    if (rc == 0)
        rc = pthread_attr_setstack(attr, t->stack, t->stack_len);
    return rc;
}

/* ---- thread-specific values --------------------------------------------- */

static struct {
    void (*destroy)(void *value);
    pthread_key_t key;
} keys[SIM_KEYS];
static int nr_keys;

/* A real key as well, so that its number is nobody else's. */
WRAP(int, pthread_key_create, (pthread_key_t * key, void (*destroy)(void *)))
{
    int rc = __real_pthread_key_create(key, destroy);

    if (rc != 0 || !sim.on)
        return rc;
    if (nr_keys == SIM_KEYS)
        return EAGAIN;
    keys[nr_keys].destroy = destroy;
    keys[nr_keys++].key = *key;
    return 0;
}

WRAP(int, pthread_setspecific, (pthread_key_t key, const void *value))
{
    for (int i = 0; sim.on && i < nr_keys; i++) {
        if (keys[i].key == key) {
            sim.current->specific[i] = (void *)(uintptr_t)value;
            return 0;
        }
    }
    return __real_pthread_setspecific(key, value);
}

WRAP(void *, pthread_getspecific, (pthread_key_t key))
{
    for (int i = 0; sim.on && i < nr_keys; i++)
        if (keys[i].key == key)
            return sim.current->specific[i];
    return __real_pthread_getspecific(key);
}

void sim_thread_values_end(struct sim_thread *t)
{
    for (int i = 0; i < nr_keys; i++) {
        void *value = t->specific[i];

        t->specific[i] = NULL;
        if (value != NULL && keys[i].destroy != NULL)
            keys[i].destroy(value);
    }
}

/* ---- time --------------------------------------------------------------- */

static struct timespec timespec_of(mf_ns ns)
{
    return (struct timespec){.tv_sec = ns / 1000000000,
                             .tv_nsec = ns % 1000000000};
}

WRAP(int, clock_gettime, (clockid_t clock, struct timespec *ts))
{
    if (!sim.on || clock != CLOCK_MONOTONIC)
        return __real_clock_gettime(clock, ts);
    mfi_sim_point(SIM_LOAD); /* so that who watches the clock sees it go */
    *ts = timespec_of(sim_now());
    return 0;
}

WRAP(int, usleep, (useconds_t us))
{
    if (!sim.on)
        return __real_usleep(us);
    sim_block(SIM_TIME, NULL, sim_now() + MF_USEC(us));
    return 0;
}

WRAP(int, nanosleep, (const struct timespec *span, struct timespec *left))
{
    if (!sim.on)
        return __real_nanosleep(span, left);
    sim_block(SIM_TIME, NULL, sim_now() + MF_SEC(span->tv_sec) + span->tv_nsec);
    return 0;
}

WRAP(int, sched_yield, (void))
{
    if (!sim.on)
        return __real_sched_yield();
    mfi_sim_relax();
    return 0;
}

WRAP(int, poll, (struct pollfd * fds, nfds_t n, int ms))
{
    int rc;

    if (!sim.on)
        return __real_poll(fds, n, ms);
    rc = mfi_ppoll(fds, (unsigned)n, ms < 0 ? MFI_FAR : MF_MSEC(ms));
    if (rc >= 0)
        return rc;
    errno = -rc;
    return -1;
}

/* ---- locks of tests ----------------------------------------------------- */

WRAP(int, pthread_mutex_lock, (pthread_mutex_t * m))
{
    int rc;

    if (!sim.on)
        return __real_pthread_mutex_lock(m);
    mfi_sim_point(SIM_WRITE);
    while ((rc = pthread_mutex_trylock(m)) == EBUSY)
        mfi_sim_relax();
    return rc;
}

WRAP(int, pthread_mutex_unlock, (pthread_mutex_t * m))
{
    int rc = __real_pthread_mutex_unlock(m);

    mfi_sim_point(SIM_WRITE);
    return rc;
}

WRAP(int, pthread_cond_wait, (pthread_cond_t * c, pthread_mutex_t *m))
{
    if (!sim.on)
        return __real_pthread_cond_wait(c, m);
    __real_pthread_mutex_unlock(m); /* no point: at once with the wait */
    sim_block(SIM_KEY, c, MFI_FAR);
    return pthread_mutex_lock(m);
}

WRAP(int, pthread_cond_signal, (pthread_cond_t * c))
{
    if (!sim.on)
        return __real_pthread_cond_signal(c);
    sim_wake(c, 1);
    mfi_sim_point(SIM_WRITE);
    return 0;
}

WRAP(int, pthread_cond_broadcast, (pthread_cond_t * c))
{
    if (!sim.on)
        return __real_pthread_cond_broadcast(c);
    sim_wake(c, INT32_MAX);
    mfi_sim_point(SIM_WRITE);
    return 0;
}
