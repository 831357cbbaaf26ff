/* SPDX-License-Identifier: MIT */
/* coro.c - making and ending coroutines; the switch itself is inline. */
#include "coro/coro.h"

#include "os/thread.h"

/* Weak: defined only where a C++ runtime is part of the process. */
extern void *__cxa_get_globals(void) __attribute__((weak));

struct cxx_globals *mfi_cxx_globals(void)
{
    return __cxa_get_globals != NULL ? __cxa_get_globals() : NULL;
}

void mfi_coro_init(struct coro *co, struct stack *stack, void *top,
                   void (*entry)(void *arg))
{
    mfi_assert(((uintptr_t)top & 15) == 0);
    mfi_assert((char *)top > stack->low &&
               (char *)top <= stack->low + stack->size);
    co->stack = stack;
    co->cxx = (struct cxx_globals){NULL, 0};
    mfi_arch_prepare(&co->context, top, entry);
    mfi_track_open(&co->track, stack->low, stack->size);
}

void mfi_coro_thread(struct coro *co)
{
    void *low;
    size_t len;

    mfi_thread_stack(&low, &len);
    co->stack = NULL;
    co->context = (struct arch_context){NULL, NULL, NULL};
    co->cxx = (struct cxx_globals){NULL, 0};
    mfi_track_thread(&co->track, low, len);
}

void mfi_coro_done(struct coro *co)
{
    mfi_track_close(&co->track);
}
