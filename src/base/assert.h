/* SPDX-License-Identifier: MIT */
/*
 * assert.h - our own broken invariants end the process at once, with a dump.
 *
 * mfi_assert is always on and costs O(1); mfi_assert_debug is compiled in with
 * MF_DEBUG >= 1; MF_DEBUG >= 2 adds walkers over whole structures (check_x).
 * Callers' mistakes are never asserted: they get -EINVAL.
 */
#ifndef MFI_BASE_ASSERT_H
#define MFI_BASE_ASSERT_H

#include "base/atomic.h"

#ifndef MF_DEBUG
# define MF_DEBUG 0
#endif

#define mfi_assert(cond)                  \
 do {                                     \
  if (mfi_unlikely(!(cond)))              \
   mfi_broken(#cond, __FILE__, __LINE__); \
 } while (0)

#if MF_DEBUG >= 1
# define mfi_assert_debug(cond) mfi_assert(cond)
#else
# define mfi_assert_debug(cond) ((void)sizeof((cond) ? 1 : 0))
#endif

/* Print what is broken and where, call the dump hook, abort. Any context. */
_Noreturn void mfi_broken(const char *what, const char *file, int line);

/* Misuse that no return value can report (a panic on a plain thread). */
_Noreturn void mfi_die(const char *fmt, ...)
    __attribute__((__format__(__printf__, 1, 2)));

/* Set by the scheduler: prints all it knows to stderr. May be NULL. */
typedef void mfi_dump_fn(void);
extern _Atomic(mfi_dump_fn *) mfi_broken_hook;

#endif
