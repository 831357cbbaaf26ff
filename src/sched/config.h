/* SPDX-License-Identifier: MIT */
/* config.h - mf_options and the environment, made into settings. */
#ifndef MFI_SCHED_CONFIG_H
#define MFI_SCHED_CONFIG_H

#include <mayfly/run.h>

#include <stdbool.h>

struct config {
    int workers;
    size_t stack_size; /* a power of two */
    bool want_epoll;   /* no io_uring, whatever a probe says */
    bool want_uring;   /* fail without it */
    bool pin_workers;
    bool stealing;
    mf_ns hog_time;
    const char *guard;
    int offload_threads;
};

/* 0, or -EINVAL with a sentence for mf_explain. */
int mfi_config_make(const mf_options *opts, struct config *ret_config);

#endif
