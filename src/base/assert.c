/* SPDX-License-Identifier: MIT */
/* assert.c - the last words of a process whose invariants broke. */
#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Atomic(mfi_dump_fn *) mfi_broken_hook;

_Noreturn void mfi_broken(const char *what, const char *file, int line)
{
    mfi_dump_fn *dump = mfi_load_acq(&mfi_broken_hook);

    mfi_store_rel(&mfi_broken_hook, NULL); /* a dump that breaks dumps once */
    fprintf(stderr, "mayfly: broken invariant: %s (%s:%d)\n", what, file, line);
    if (dump != NULL)
        dump();
    fflush(stderr);
    abort();
}

_Noreturn void mfi_die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("mayfly: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    fflush(stderr);
    va_end(args);
    abort();
}
