/* SPDX-License-Identifier: MIT */
/*
 * cold.h - reads of files that are not cached, under way in an io_uring.
 *
 * One ring for the process, made at the first such read, its fd in the epoll
 * set of one worker: who polls that takes the completions, be it the owner or a
 * helper. Submitted under a lock by workers only, which live until the ring is
 * empty: the kernel finishes a read on behalf of the thread that submitted it.
 * A cold read of 4 KiB costs 5 us of CPU here and 35 on a pool of threads.
 *
 * What reads is nobody's but the ring's until `done` is called: there is no
 * cancel. So a waiter that leaves early must leave the memory behind.
 */
#ifndef MFI_POLL_COLD_H
#define MFI_POLL_COLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/waiter.h"

struct poller;

struct cold_read {
    int fd;
    void *buf;
    size_t len;
    int64_t offset;
    /* Once, with the count or -errno; no lock is held. Who polls wakes woken.
     */
    void (*done)(struct cold_read *r, int result, struct wake_list *woken);
};

/*
 * Start it. home: in whose set the ring shall be. 0, or why a pool must do it:
 * -EBUSY (the ring is full), -ENOSYS, -EPERM, -EMFILE, ...
 */
int mfi_cold_start(struct cold_read *r, struct poller *home);

/* Take what has completed. Any thread. */
void mfi_cold_reap(struct wake_list *woken);

/* Close the ring. Nothing is under way, and nobody polls. */
void mfi_cold_done(void);

#endif
