/* SPDX-License-Identifier: MIT */
/*
 * base.h - what every other header needs: rules, attributes, time, errors.
 *
 * Rules that hold for every declaration of the library
 *   R1  every result is an int: >= 0, or a negative errno; nothing else fails.
 *       No call sets the caller's errno or reads it.
 *   R2  what hands out a run of things (read, recv, next, poll, line, message)
 *       answers > 0 got, 0 end, < 0 error. So one loop shape fits all:
 *       while ((rc = x(...)) > 0) ...;  return rc;
 *   R3  -ETIMEDOUT: the deadline in *this call's* arguments (or the fd's own
 *       timeout) passed. -ECANCELED: somebody above wants this task to end: a
 *       cancel, a failed sibling, a scope's deadline. Never one for the other.
 *   R4  < 0 means: nothing acquired, nothing to give back and, but for the _all
 *       and _full loops, nothing consumed.
 *   R5  a call named close/free/unref/drop releases whatever it returns, is no
 *       cancel point, and does its job in a cancelled task too.
 *   R6  outputs are ret_x, last but for the deadline, may be NULL where the
 *       text says so, written on success only.
 *
 * Words: a call *suspends* when it may let other tasks run on this worker; it
 * is a *cancel point* when a cancel makes it answer -ECANCELED, on entry too.
 * Context "any" means tasks and plain threads; in a plain thread a call that
 * would suspend blocks the thread instead.
 */
#ifndef MF_BASE_H
#define MF_BASE_H

#include <stddef.h>
#include <stdint.h>

#define MF_VERSION_MAJOR 0
#define MF_VERSION_MINOR 1
#define MF_VERSION_PATCH 0

#define MF_MUST_CHECK __attribute__((__warn_unused_result__))
#define MF_PRINTF(f, a) __attribute__((__format__(__printf__, f, a)))
#define MF_STR_(x) #x
#define MF_STR(x) MF_STR_(x)
#define MF_HERE __FILE__ ":" MF_STR(__LINE__)

/*
 * An options macro is a pointer to a complete struct, in C and in C++. In C++
 * the members have defaults (MF_0_), so  mf_options o; o.workers = 1;  works.
 */
#ifdef __cplusplus
template <class T> static inline const T *mf_tmp_(const T &v)
{
    return &v;
}
#define MF_OPTIONS_(type, ...) mf_tmp_(__extension__ type{__VA_ARGS__})
#define MF_SIZE_(type) size_t size = sizeof(type)
#define MF_0_ = {}
#define MF_LIT_(type, v) (type{v})
#define MF_CAST_(type, v) (reinterpret_cast<type>(v))
#define MF_ASSERT_ static_assert
#define MF_DECLS_BEGIN_                                                        \
    _Pragma("GCC visibility push(default)") extern "C" {
#define MF_DECLS_END_                                                          \
    }                                                                          \
    _Pragma("GCC visibility pop")
#else
#define MF_OPTIONS_(type, ...)                                                 \
    (&(const type){.size = sizeof(type), __VA_ARGS__})
#define MF_SIZE_(type) size_t size
#define MF_0_
#define MF_LIT_(type, v) ((type){v})
#define MF_CAST_(type, v) ((type)(v))
#define MF_ASSERT_ __extension__ _Static_assert
#define MF_DECLS_BEGIN_ _Pragma("GCC visibility push(default)")
#define MF_DECLS_END_ _Pragma("GCC visibility pop")
#endif
#define MF_INLINE_ __attribute__((__unused__)) static inline

MF_DECLS_BEGIN_

typedef int64_t mf_ns; /* a span, or a reading of mf_now() */

/* A point in time. Its own type, so that a span cannot be passed for it. */
typedef struct mf_deadline {
    int64_t at; /* CLOCK_MONOTONIC ns; 0 = never, so zeroed options mean none */
} mf_deadline;

#define MF_NEVER MF_LIT_(mf_deadline, 0)
#define MF_NOW MF_LIT_(mf_deadline, 1) /* long past: try once */
#define MF_USEC(n) ((n)*INT64_C(1000))
#define MF_MSEC(n) ((n)*INT64_C(1000000))
#define MF_SEC(n) ((n)*INT64_C(1000000000))

/*
 * CLOCK_MONOTONIC in ns. Never fails. Context: any, signal handlers included.
 * Suspends: no. Cancel point: no.
 */
mf_ns mf_now(void);

/*
 * The deadline `span` ns from now. Saturates: a span too long to represent is
 * as good as never; span <= 0 is MF_NOW. Context: any. Suspends: no.
 */
mf_deadline mf_after(mf_ns span);

/*
 * The deadline at `now`, a reading of mf_now() plus spans: the way to tick
 * without drift. now <= 0 is MF_NOW. Context: any. Suspends: no.
 */
mf_deadline mf_at(mf_ns now);

/*
 * The text for a result of this library: rc is a negative errno; rc >= 0 is
 * "success". Returns a static string. Context: any. Suspends: no.
 */
const char *mf_strerror(int rc);

/*
 * The last failure of this task in a sentence a person can act on ("listen on
 * 0.0.0.0:80: permission denied"), or mf_strerror(rc) where it left none for
 * this rc. Given to the caller until this task's next failing call.
 * Context: any. Suspends: no. Cancel point: no.
 */
const char *mf_explain(int rc);

typedef int mf_fn(void *arg);

MF_DECLS_END_
#endif
