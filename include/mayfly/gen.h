/* SPDX-License-Identifier: MIT */
/*
 * gen.h - generators: a function that hands out values one by one.
 *
 * A generator has a stack of its own but is no task: it runs as part of whoever
 * asks for its next value, task or plain thread, and may block there like any
 * function it called. One at a time may run it.
 */
#ifndef MF_GEN_H
#define MF_GEN_H

#include <mayfly/base.h>

MF_DECLS_BEGIN_

typedef struct mf_gen mf_gen;
typedef int mf_gen_fn(mf_gen *self, void *arg);

/*
 * Make a generator of values of elem_size bytes (0 is fine), on a stack of the
 * runtime's stack_size. fn runs from the first mf_gen_next on. Free it before
 * the runtime stops: what is left then is gone, its cleanup not run.
 * Returns 0, -ENOMEM, -EINVAL (fn is NULL, runtime not running).
 * Context: any. Suspends: no.
 */
int mf_gen_make(mf_gen_fn *fn, void *arg, size_t elem_size, mf_gen **ret_gen);

/*
 * Run it to its next value, copied to *ret_value (may be NULL). 1 a value; 0 it
 * has returned >= 0; what it returned < 0; -EDEADLK: it is running already;
 * -EINVAL, -ENOMEM. A panic or mf_exit in it goes on in the caller; it has then
 * ended with -ENOTRECOVERABLE. Context: any. Suspends and is a cancel point
 * only where fn's own calls are.
 */
int mf_gen_next(mf_gen *g, void *ret_value) MF_MUST_CHECK;

/*
 * The same, and the generator's pending mf_gen_yield_in gets a copy of *in
 * (in_size bytes, as that call asked for; else -EINVAL and nothing runs). The
 * first call only starts it: in must be NULL there, and may be NULL always.
 */
int mf_gen_send(mf_gen *g, const void *in, size_t in_size,
                void *ret_value) MF_MUST_CHECK;

/*
 * In the generator: hand out a copy of *value and wait to be asked again.
 * Returns 0; -ECANCELED: it is being freed: clean up and return; -EPERM: not
 * running, or inside a scope or shield begun since it was resumed; -EINVAL.
 */
int mf_gen_yield(mf_gen *self, const void *value) MF_MUST_CHECK;

/* The same, taking a value in: 1 got in_size bytes; 0 none was sent; < 0. */
int mf_gen_yield_in(mf_gen *self, const void *value, void *ret_in,
                    size_t in_size) MF_MUST_CHECK;

/*
 * Hand out all that `from` (of the same elem_size) has. 0 it ended; its < 0;
 * -ECANCELED, -EPERM as from mf_gen_yield; -EINVAL. from stays the caller's to
 * free.
 */
int mf_gen_yield_from(mf_gen *self, mf_gen *from) MF_MUST_CHECK;

/* Has fn ended? 1, 0; NULL: 1. */
int mf_gen_done(const mf_gen *g);

/*
 * Free it; NULL is fine. A suspended one sees -ECANCELED from its yield, here
 * and now, and from every further one. Freeing a running one aborts.
 */
void mf_gen_free(mf_gen *g);

/*
 * MF_GEN_DEFINE(ints, int): the type `ints`, a generator of int, with
 * ints_make, ints_next, ints_yield (takes the value), ints_free.
 */
#define MF_GEN_DEFINE(name, type)                                              \
    typedef struct name name;                                                  \
    MF_INLINE_ int name##_make(mf_gen_fn *fn_, void *arg_, name **ret_)        \
    {                                                                          \
        mf_gen *g_;                                                            \
        int rc_ = mf_gen_make(fn_, arg_, sizeof(type), &g_);                   \
        if (rc_ >= 0)                                                          \
            *ret_ = MF_CAST_(name *, g_);                                      \
        return rc_;                                                            \
    }                                                                          \
    MF_MUST_CHECK MF_INLINE_ int name##_next(name *g_, type *ret_)             \
    {                                                                          \
        return mf_gen_next(MF_CAST_(mf_gen *, g_), ret_);                      \
    }                                                                          \
    MF_MUST_CHECK MF_INLINE_ int name##_yield(mf_gen *self_, type v_)          \
    {                                                                          \
        return mf_gen_yield(self_, &v_);                                       \
    }                                                                          \
    MF_INLINE_ void name##_free(name *g_)                                      \
    {                                                                          \
        mf_gen_free(MF_CAST_(mf_gen *, g_));                                   \
    }                                                                          \
    struct mf_semicolon_

MF_DECLS_END_
#endif
