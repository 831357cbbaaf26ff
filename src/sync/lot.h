/* SPDX-License-Identifier: MIT */
/*
 * lot.h - a parking lot: waiters of locks that have no room for a list.
 *
 *   lot[hash(key)]   lock
 *                    first --> waiter <--> waiter <--> ...   of key 1, a ring
 *                                | next_key
 *                                v
 *                              waiter <--> ...               of key 2
 *
 * A static table of places; who waits for an object stands in the place its
 * address hashes to, behind those who wait for the same. All nodes are on
 * waiting stacks: a wait allocates nothing, a lock needs one bit that says
 * "somebody waits", and a place's lock is the object's lock of wait.h.
 *
 * The first waiter of each key carries its queue; when it leaves, the next one
 * gets it. So many who wait for one object cost a neighbour in the same place
 * nothing, only many contended objects do.
 *
 * Sources: WebKit's ParkingLot (Pizlo 2016, "Locking in WebKit") and the hash
 * of the kernel's futexes for the idea, Go's semaRoot for one queue per address
 * within a place (golang.org/issue/17953: one list for all was quadratic).
 */
#ifndef MFI_SYNC_LOT_H
#define MFI_SYNC_LOT_H

#include "sync/wait.h"

struct lot_waiter {
    struct sync_waiter s;
    const void *key;
    /* valid while it is the first of its key */
    struct waitq q;
    struct lot_waiter *next_key;
    mf_ns since; /* the user's: when it began to wait */
};

struct lot {
    _Alignas(MFI_CACHE_LINE) struct spin lock;
    struct lot_waiter *first;
};

/* The place of key. The caller locks it for everything below. */
struct lot *mfi_lot(const void *key);

/* Queue w, whose s.w.parker and key are set: last, or before all of its key. */
void mfi_lot_add(struct lot *l, struct lot_waiter *w, bool front);

/* Take w out, if it is still in. */
void mfi_lot_del(struct lot *l, struct lot_waiter *w);

/* Does nobody wait for key? */
bool mfi_lot_empty(struct lot *l, const void *key);

/* The first of key whose wait is not over, claimed and out; or NULL. */
struct lot_waiter *mfi_lot_claim(struct lot *l, const void *key,
                                 struct wake_list *woken);

#endif
