/* SPDX-License-Identifier: MIT */
/*
 * broadcast.h - the insides of a broadcast and of a watch, for select.
 *
 * Values are numbered from 0; `next` is the number of the one to come. The ring
 * keeps the last `capacity`: value i is in slot i % capacity.
 *
 *     ring          | 5 | 6 | 7 | 4 |        capacity 4, next 8
 *     subscribers     ^ at 5        ^ at 4    ... at 2: has missed 2 and 3
 *
 *   lock   everything but users and what is constant; copies of elements too
 *   users  what mf_broadcast_ref counts; the last of them closes
 *
 * Nobody is handed anything: who waits is woken, all at once, and looks again
 * under the lock. So a wait that ended otherwise has consumed nothing.
 */
#ifndef MFI_SYNC_BROADCAST_H
#define MFI_SYNC_BROADCAST_H

#include <mayfly/broadcast.h>

#include "sync/wait.h"

struct mf_broadcast {
    struct spin lock;
    _Atomic uint32_t users;
    uint32_t nsubs;
    uint32_t elem_size;
    uint64_t capacity;
    uint64_t next;
    struct waitq waiters;
    bool closed;
    bool abandoned; /* no users left: the last subscriber frees it */
    _Alignas(16) char ring[];
};

struct mf_subscriber {
    mf_broadcast *b;
    uint64_t at; /* the next value to get; under b->lock */
    _Atomic uint64_t missed;
};

/* One try, under the lock. 1; 0 closed and drained; -EOVERFLOW; -EAGAIN. */
int mfi_broadcast_recv_locked(mf_subscriber *sub, void *elem);

struct mf_watch {
    struct spin lock;
    _Atomic uint32_t refs;
    uint32_t elem_size;
    bool closed;
    uint64_t version;
    struct waitq waiters;
    _Alignas(16) char value[];
};

/* One try, under the lock. 1; 0 closed and nothing new; -EAGAIN. */
int mfi_watch_next_locked(mf_watch *w, uint64_t *version, void *elem);

/*
 * The wait of both: queue up, unlock, sleep. The parker is armed and the lock
 * held. -EAGAIN look again, or why not.
 */
int mfi_look_again_wait(struct agent *a, struct spin *lock, struct waitq *q,
                        mf_deadline deadline, const char *what);

#endif
