/* SPDX-License-Identifier: MIT */
/*
 * unwind.h - leave a coroutine from any depth, running its cleanups.
 *
 * The platform's forced unwind (what pthread_exit uses) walks the frames from
 * the caller to the root of the coroutine and runs the landing pads it finds:
 * cleanup attributes in C, destructors in C++, both only in code compiled with
 * -fexceptions. A catch (...) that does not rethrow ends the process: it would
 * leave half a coroutine running.
 *
 * Source: Itanium C++ ABI, Exception Handling, 1.3 "_Unwind_ForcedUnwind".
 */
#ifndef MFI_CORO_UNWIND_H
#define MFI_CORO_UNWIND_H

#include <stdint.h>

struct unwind {
    _Alignas(16) unsigned char exception[64]; /* struct _Unwind_Exception */
    uintptr_t root; /* stop at the frame whose CFA is this or above */
    void (*landed)(void *arg); /* called at the root; never returns */
    void *arg;
};

/*
 * Unwind to `root` (an address at or above the CFA of the last frame to be
 * left), then call landed(arg) on the same stack. u must live above root or in
 * memory of its own. A frame without unwind information ends the walk early:
 * landed is called then, and the frames above it were not cleaned.
 */
_Noreturn void mfi_unwind(struct unwind *u);

#endif
