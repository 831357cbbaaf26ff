/* SPDX-License-Identifier: MIT */
/*
 * broadcast.h - one value to many: every value to all (broadcast), or only the
 * latest to whoever looks (watch).
 *
 * Waits as in chan.h: -ETIMEDOUT, -ECANCELED, -EINVAL, -ENOMEM; may suspend,
 * cancel points. The other calls never suspend. Context: any, mixed.
 *
 * Elements have up to 1 MiB (else -EINVAL; 0 bytes are fine) and are copied
 * under the object's lock: while a big one is copied, others spin.
 */
#ifndef MF_BROADCAST_H
#define MF_BROADCAST_H

#include <mayfly/chan.h>

MF_DECLS_BEGIN_

/* ---- broadcast ----------------------------------------------------------- */

typedef struct mf_broadcast mf_broadcast;
typedef struct mf_subscriber mf_subscriber;

/*
 * The last `capacity` values (>= 1) are kept. A sender never waits: a
 * subscriber further behind than that misses the oldest and is told so.
 * Returns 0, -ENOMEM, -EINVAL. One reference.
 */
int mf_broadcast_make(size_t elem_size, size_t capacity,
                      mf_broadcast **ret_broadcast);

/* To all who subscribe at this moment. How many; -EPIPE closed, -EINVAL. */
int mf_broadcast_send(mf_broadcast *b, const void *elem);
int mf_broadcast_close(mf_broadcast *b); /* 0, -EALREADY, -EINVAL */
mf_broadcast *mf_broadcast_ref(mf_broadcast *b);

/*
 * The last one (subscribers do not count) closes it: they still get what is
 * there. NULL is fine.
 */
void mf_broadcast_unref(mf_broadcast *b);

/*
 * Get every value sent from now on. Holds a reference to b. One task or thread
 * receives from a subscriber at a time. 0, -ENOMEM, -EINVAL.
 */
int mf_broadcast_subscribe(mf_broadcast *b, mf_subscriber **ret_sub);

/*
 * The next value: 1; 0 closed and nothing left; -EOVERFLOW: it fell behind
 * since the last call, mf_subscriber_missed says by how many; the next call
 * goes on with the oldest value still there.
 */
int mf_subscriber_recv(mf_subscriber *sub, void *ret_elem,
                       mf_deadline deadline) MF_MUST_CHECK;
uint64_t mf_subscriber_missed(mf_subscriber *sub);           /* in all */
void mf_subscriber_free(mf_subscriber *sub);                 /* NULL is fine */
mf_case mf_on_broadcast(mf_subscriber *sub, void *ret_elem); /* res 1, 0, < 0 */

/* ---- watch --------------------------------------------------------------- */

typedef struct mf_watch mf_watch;

/* A cell with a copy of *initial in it, version 1. 0, -ENOMEM, -EINVAL. */
int mf_watch_make(size_t elem_size, const void *initial, mf_watch **ret_watch);

/* Put a new value there, one version up. 0, -EPIPE closed, -EINVAL. */
int mf_watch_set(mf_watch *w, const void *elem);

/* Copy the value; *ret_version (may be NULL) is its version. 0, -EINVAL. */
int mf_watch_get(mf_watch *w, void *ret_elem, uint64_t *ret_version);

/*
 * Wait for a version other than *version (start with 0), copy the value and set
 * *version. 1 new; 0 closed and nothing new. Versions in between are skipped.
 */
int mf_watch_next(mf_watch *w, uint64_t *version, void *ret_elem,
                  mf_deadline deadline) MF_MUST_CHECK;
int mf_watch_close(mf_watch *w); /* 0, -EALREADY, -EINVAL */
mf_watch *mf_watch_ref(mf_watch *w);
void mf_watch_unref(mf_watch *w);
mf_case mf_on_watch(mf_watch *w, uint64_t *version, void *ret_elem);

MF_DECLS_END_
#endif
