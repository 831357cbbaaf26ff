/* SPDX-License-Identifier: MIT */
/* spawn.h - one way to make a task, for all the public ones. */
#ifndef MFI_SCHED_SPAWN_H
#define MFI_SCHED_SPAWN_H

#include "sched/worker.h"

struct when;

enum { SPAWN_WATCHED = 1 << 30 }; /* among enum mf_task_flags */

struct spawn_args {
    mf_fn *fn;
    const void *arg;
    size_t copy_len;         /* 0: arg itself */
    const char *name;        /* borrowed, or NULL */
    const char *site;        /* the same */
    size_t stack_size;       /* 0: the default */
    int worker;              /* 1 + index; 0: any */
    uint32_t flags;          /* enum mf_task_flags, SPAWN_WATCHED */
    struct end_watch *watch; /* SPAWN_WATCHED: told of its end */
    struct when *when;       /* it waits as a record first */
    mf_task **when_task;     /* where that wants to know the task, before it may
                            be woken */
};

/*
 * Make the task and count it into s. Returns 0, or as mf_spawn; then nothing
 * was taken, and s was told (mfi_scope_refused).
 */
int mfi_spawn(struct scope *s, const struct spawn_args *how,
              mf_task **ret_task);

/* An admitted task's turn has come. */
void mfi_start(struct worker *w, mf_task *t);

#endif
