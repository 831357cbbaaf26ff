/* SPDX-License-Identifier: MIT */
/*
 * poller.h - a worker's epoll set: sockets, its alarm clock, its door bell.
 *
 * One edge-triggered set per worker, on both backends. A socket is registered
 * once, at its first wait, with the set of the worker that waits; the task may
 * move, the registration stays, and the event readies the task on whichever
 * worker polls. Sleeping is epoll_wait without a limit and nowhere else:
 *
 *   bell   an eventfd; ringing it wakes the sleeper (edge-triggered: each write
 *          is an edge, so nobody reads it)
 *   alarm  a timerfd, set only when the earliest deadline changed at sleep;
 *          epoll_wait's own timeout oversleeps by a thousandth
 *
 * Any thread may poll any poller with a buffer of its own (mfi_poller_poll):
 * that is how an idle worker serves one whose task computes. An edge of bell or
 * alarm that such a helper takes would leave the owner asleep for good, so it
 * rings the bell again.
 */
#ifndef MFI_POLL_POLLER_H
#define MFI_POLL_POLLER_H

#include "os/event.h"
#include "poll/fdtab.h"

enum { POLL_BATCH = 128, POLLERS_MAX = 1024 };

struct poller {
    int epfd;
    int bell;
    int alarm;
    uint16_t home;          /* 1 + index: what fdrec.home says */
    _Atomic mf_ns alarm_at; /* what the timerfd is set to; MFI_FAR: nothing, or
                               it has rung */
    _Atomic uint32_t nfds;  /* registrations ever: 0 means no need to poll */
    struct epoll_event *events; /* POLL_BATCH, for the owner */
};

/* Returns 0, -EMFILE, -ENFILE, -ENOMEM. */
int mfi_poller_init(struct poller *p, int index);
void mfi_poller_done(struct poller *p);

/*
 * Make sure that edges of fd arrive somewhere. fd's record is referenced and no
 * waiter of the caller's is linked yet. Returns 0, -EPERM (regular file),
 * -ENOMEM, -ENOSPC, -EBADF.
 */
int mfi_poller_watch(struct poller *p, int fd, struct fdrec *rec);

/*
 * Take up to n events and wake who waits for them, or add what they want done
 * to batch (NULL: wake them). timeout_ms: 0 or -1. Returns how many (n: there
 * may be more), 0 too when a signal interrupted the sleep.
 */
int mfi_poller_poll(struct poller *p, struct epoll_event *buf, int n,
                    int timeout_ms, struct wake_list *woken,
                    struct batch *batch);

/* The ring of cold.h: its completions are taken by who polls p. 0, -ENOMEM. */
int mfi_poller_add_ring(struct poller *p, int fd);

/* Wake the sleeper. Context: any, signal handlers included. */
void mfi_poller_ring(struct poller *p);

/* fd stays open and is ours no more: out of the set it is in. Its record is
   BUSY. */
void mfi_poller_forget(struct fdrec *rec, int fd);

/* Before sleeping: be woken at `at` (MFI_FAR: by no clock). Owner only. */
void mfi_poller_alarm(struct poller *p, mf_ns at);

#endif
