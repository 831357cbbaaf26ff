/* SPDX-License-Identifier: MIT */
/*
 * chan.h - channels: values from tasks and threads to tasks and threads.
 *
 * A channel carries copies of elem_size bytes (0 is fine: then it carries
 * signals), first in first out. capacity 0 is a rendezvous: a send waits for
 * its receiver. Any number may send and receive, in any context, mixed.
 *
 * Waits answer -ETIMEDOUT (MF_NOW tries once), -ECANCELED, -EINVAL (NULL),
 * -ENOMEM; then nothing was sent or received. They may suspend and are cancel
 * points; the other calls never suspend and are none. Select: select.h.
 */
#ifndef MF_CHAN_H
#define MF_CHAN_H

#include <mayfly/base.h>

MF_DECLS_BEGIN_

typedef struct mf_chan mf_chan;
#define MF_UNBOUNDED SIZE_MAX

/* What the user knows about the ends. A hint: breaking it is safe. */
enum mf_chan_hint { MF_MPMC, MF_MPSC, MF_SPSC };

typedef struct mf_chan_options {
    MF_SIZE_(mf_chan_options);
    void (*drop)(void *elem) MF_0_; /* for each element nobody received */
    const char *name MF_0_;         /* borrowed; for the dump */
    int hint MF_0_;                 /* enum mf_chan_hint */
} mf_chan_options;
#define MF_CHAN_OPTIONS(...) MF_OPTIONS_(mf_chan_options, __VA_ARGS__)

/*
 * Make a channel with one reference. Returns 0, -ENOMEM, -EINVAL (an element
 * over 1 MiB, a capacity whose buffer no address space holds, a bad hint).
 */
int mf_chan_make(size_t elem_size, size_t capacity, const mf_chan_options *opts,
                 mf_chan **ret_chan);

/*
 * A channel for one value: it is closed by the first send, which never waits.
 * Received once, then 0; a second send is -EPIPE.
 */
int mf_oneshot_make(size_t elem_size, const mf_chan_options *opts,
                    mf_chan **ret_chan);

/*
 * Send a copy of *elem, waiting for room (for a receiver, without capacity).
 * Returns 0; -EPIPE closed, also while it waited: elem is still the caller's;
 * MF_NOW and no room: -ETIMEDOUT; -ENOMEM: unbounded, and no memory.
 */
int mf_chan_send(mf_chan *c, const void *elem,
                 mf_deadline deadline) MF_MUST_CHECK;

/* 1 received; 0 closed and drained; MF_NOW and nothing there: -ETIMEDOUT. */
int mf_chan_recv(mf_chan *c, void *ret_elem,
                 mf_deadline deadline) MF_MUST_CHECK;

/*
 * Up to max elements into the array ret_elems. n >= 1 received; 0 closed and
 * drained; -EINVAL max < 1. Waits for the first only.
 */
int mf_chan_recv_many(mf_chan *c, void *ret_elems, int max,
                      mf_deadline deadline) MF_MUST_CHECK;

/*
 * No more sends: those waiting get -EPIPE, receivers get what is buffered, then
 * 0. Returns 0, -EALREADY, -EINVAL.
 */
int mf_chan_close(mf_chan *c);

int mf_chan_len(mf_chan *c); /* elements buffered, at this moment */
mf_chan *mf_chan_ref(mf_chan *c);
void mf_chan_unref(mf_chan *c); /* the last one drops what is left, frees */

/*
 * MF_CHAN_DEFINE(ints, int): the type `ints`, a channel of int, with ints_make,
 * ints_send (takes the value), ints_recv, ints_recv_many, ints_close, ints_ref,
 * ints_unref, ints_on_send, ints_on_recv; ints_chan gives the mf_chan.
 */
#define MF_CHAN_DEFINE(name, type)                                             \
    typedef struct name name;                                                  \
    MF_INLINE_ int name##_make(size_t cap_, const mf_chan_options *o_,         \
                               name **ret_)                                    \
    {                                                                          \
        mf_chan *c_;                                                           \
        int rc_ = mf_chan_make(sizeof(type), cap_, o_, &c_);                   \
        if (rc_ >= 0)                                                          \
            *ret_ = MF_CAST_(name *, c_);                                      \
        return rc_;                                                            \
    }                                                                          \
    MF_INLINE_ mf_chan *name##_chan(name *c_)                                  \
    {                                                                          \
        return MF_CAST_(mf_chan *, c_);                                        \
    }                                                                          \
    MF_MUST_CHECK MF_INLINE_ int name##_send(name *c_, type v_,                \
                                             mf_deadline d_)                   \
    {                                                                          \
        return mf_chan_send(MF_CAST_(mf_chan *, c_), &v_, d_);                 \
    }                                                                          \
    MF_MUST_CHECK MF_INLINE_ int name##_recv(name *c_, type *ret_,             \
                                             mf_deadline d_)                   \
    {                                                                          \
        return mf_chan_recv(MF_CAST_(mf_chan *, c_), ret_, d_);                \
    }                                                                          \
    MF_MUST_CHECK MF_INLINE_ int name##_recv_many(name *c_, type *ret_,        \
                                                  int max_, mf_deadline d_)    \
    {                                                                          \
        return mf_chan_recv_many(MF_CAST_(mf_chan *, c_), ret_, max_, d_);     \
    }                                                                          \
    MF_INLINE_ mf_case name##_on_send(name *c_, type const *v_)                \
    {                                                                          \
        return mf_on_send(MF_CAST_(mf_chan *, c_), v_);                        \
    }                                                                          \
    MF_INLINE_ mf_case name##_on_recv(name *c_, type *ret_)                    \
    {                                                                          \
        return mf_on_recv(MF_CAST_(mf_chan *, c_), ret_);                      \
    }                                                                          \
    MF_INLINE_ int name##_close(name *c_)                                      \
    {                                                                          \
        return mf_chan_close(MF_CAST_(mf_chan *, c_));                         \
    }                                                                          \
    MF_INLINE_ name *name##_ref(name *c_)                                      \
    {                                                                          \
        return MF_CAST_(name *, mf_chan_ref(MF_CAST_(mf_chan *, c_)));         \
    }                                                                          \
    MF_INLINE_ void name##_unref(name *c_)                                     \
    {                                                                          \
        mf_chan_unref(MF_CAST_(mf_chan *, c_));                                \
    }                                                                          \
    struct mf_semicolon_

MF_DECLS_END_

#include <mayfly/select.h> /* mf_case, for MF_CHAN_DEFINE */

#endif
