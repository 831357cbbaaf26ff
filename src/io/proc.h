/* SPDX-License-Identifier: MIT */
/* proc.h - the inside of mf_proc; proc.c has its life, launch.c its start. */
#ifndef MFI_IO_PROC_H
#define MFI_IO_PROC_H

#include <mayfly/proc.h>

#include "base/list.h"
#include "os/spin.h"

enum proc_state {
    PROC_RUNS,
    PROC_ENDED, /* reaped: status is set */
    PROC_LOST   /* reaped by somebody else */
};

struct bucket;

struct mf_proc {
    struct spin lock;      /* state, status, and the reaping */
    _Atomic uint32_t refs; /* the handle's, its scope's */
    int pid;
    int pidfd; /* until the last reference is gone */
    uint8_t state;
    bool group;
    int kill_signal;
    mf_ns grace;
    mf_ns kill_at; /* its scope's closer: when the grace is over */
    mf_exit_status status;
    _Atomic int ends[3];   /* ours, of its pipes; or -1 */
    struct scope *scope;   /* under the bucket's lock; NULL: nobody's */
    struct bucket *bucket; /* constant */
    struct list link;      /* in it, while scope is set */
};

/*
 * Make the pipes, find the program, start it; fill in pid, pidfd and ends,
 * which are known fds then. On failure nothing is left, and mf_explain says
 * why.
 */
int mfi_proc_launch(mf_proc *p, const char *const *argv,
                    const mf_proc_options *o);

#endif
