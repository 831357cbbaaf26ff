/* SPDX-License-Identifier: MIT */
/* config.c - defaults, then what the program says, then the environment. */
#include "sched/config.h"

#include <stdlib.h>
#include <string.h>

#include "mem/stack.h"
#include "os/cpu.h"
#include "poll/poller.h"
#include "sched/explain.h"
#include "sched/offload.h"
#include "sched/options.h"

enum { DEFAULT_OFFLOAD = 64 };

static const size_t default_stack = (size_t)256 * 1024;
static const mf_ns default_hog_time = MF_MSEC(10);

/* While it starts there are no workers that could change what this reads. */
static const char *env_text(const char *name)
{
    return getenv(name); /* NOLINT(concurrency-mt-unsafe) */
}

/* The number in the variable, if it is set. 0, or -EINVAL. */
static int env_number(const char *name, long long min, long long max,
                      long long *number)
{
    const char *text = env_text(name);
    char *end;
    long long n;

    if (text == NULL || *text == '\0')
        return 0;
    n = strtoll(text, &end, 10);
    if (*end != '\0' || n < min || n > max)
        return mfi_explain(-EINVAL, "%s=%s: not a number from %lld to %lld",
                           name, text, min, max);
    *number = n;
    return 0;
}

static int backend(struct config *c, const char *name, const char *where)
{
    if (name == NULL || *name == '\0')
        return 0;
    c->want_epoll = strcmp(name, "epoll") == 0;
    c->want_uring = strcmp(name, "uring") == 0;
    if (!c->want_epoll && !c->want_uring)
        return mfi_explain(-EINVAL, "%s: no backend '%s': epoll or uring",
                           where, name);
    return 0;
}

static int from_options(const mf_options *o, struct config *c)
{
    if (o->workers < 0 || o->workers > POLLERS_MAX)
        return mfi_explain(-EINVAL, "workers: %d is not 0 to %d", o->workers,
                           POLLERS_MAX);
    if (o->stack_size > MFI_STACK_MAX)
        return mfi_explain(-EINVAL, "stack_size: at most %zu bytes",
                           MFI_STACK_MAX);
    if (o->offload_threads < 0 || o->offload_threads > OFFLOAD_MAX)
        return mfi_explain(-EINVAL, "offload_threads: %d is not 0 to %d",
                           o->offload_threads, OFFLOAD_MAX);
    if (o->workers != 0)
        c->workers = o->workers;
    if (o->stack_size != 0)
        c->stack_size = o->stack_size;
    if (o->hog_time != 0)
        c->hog_time = o->hog_time;
    if (o->offload_threads != 0)
        c->offload_threads = o->offload_threads;
    c->pin_workers = o->pin_workers != 0;
    c->stealing = o->no_stealing == 0;
    c->guard = o->guard;
    return backend(c, o->backend, "mf_options.backend");
}

static int from_environment(struct config *c)
{
    long long workers = c->workers, stack = (long long)c->stack_size;
    long long steal = c->stealing, pin = c->pin_workers, hog_ms = -1;
    long long offload = c->offload_threads;
    const char *guard = env_text("MF_GUARD");
    int rc;

    if ((rc = env_number("MF_WORKERS", 1, POLLERS_MAX, &workers)) < 0 ||
        (rc = env_number("MF_STACK_SIZE", 1, MFI_STACK_MAX, &stack)) < 0 ||
        (rc = env_number("MF_STEAL", 0, 1, &steal)) < 0 ||
        (rc = env_number("MF_PIN_WORKERS", 0, 1, &pin)) < 0 ||
        (rc = env_number("MF_HOG_MS", 0, 1000000, &hog_ms)) < 0 ||
        (rc = env_number("MF_OFFLOAD_THREADS", 1, OFFLOAD_MAX, &offload)) < 0 ||
        (rc = backend(c, env_text("MF_BACKEND"), "MF_BACKEND")) < 0)
        return rc;
    c->workers = (int)workers;
    c->stack_size = (size_t)stack;
    c->stealing = steal != 0;
    c->pin_workers = pin != 0;
    c->offload_threads = (int)offload;
    if (hog_ms >= 0)
        c->hog_time = hog_ms == 0 ? -1 : MF_MSEC(hog_ms);
    if (guard != NULL && *guard != '\0')
        c->guard = guard;
    return 0;
}

int mfi_config_make(const mf_options *opts, struct config *ret_config)
{
    mf_options o = {.size = sizeof o};
    struct config c = {.workers = 0,
                       .stack_size = default_stack,
                       .hog_time = default_hog_time,
                       .offload_threads = DEFAULT_OFFLOAD};
    int rc = mfi_options_copy(&o, sizeof o, opts);

    if (rc < 0)
        return mfi_explain(rc, "mf_options: size is not set, or fields are set "
                               "that this library does not know");
    if ((rc = from_options(&o, &c)) < 0 || (rc = from_environment(&c)) < 0)
        return rc;
    if (c.workers == 0)
        c.workers = mfi_cpu_allowed();
    if (c.workers > POLLERS_MAX)
        c.workers = POLLERS_MAX;
    c.stack_size = MFI_STACK_MIN << mfi_stack_class(c.stack_size);
    *ret_config = c;
    return 0;
}
