/* SPDX-License-Identifier: MIT */
/*
 * track.h - tell ASan, TSan and Valgrind that the stack changes.
 *
 * One seam for all three; without them everything here is empty. ASan wants a
 * call on either side of a switch and keeps a shadow frame list per stack; TSan
 * wants to know whose clock ticks now. A switch orders what was before it on
 * this thread with what comes after: the worker's own fields are touched by
 * every coroutine it runs, and a program with one worker may rely on the order.
 * Two coroutines that race are found when they run on two workers. Leak
 * checkers scan what was registered as a root.
 *
 * Sources: compiler-rt sanitizer/common_interface_defs.h, tsan_interface.h;
 * Valgrind manual, "The client request mechanism".
 */
#ifndef MFI_CORO_TRACK_H
#define MFI_CORO_TRACK_H

#include <stddef.h>

#include "mem/asan.h" /* MFI_ASAN */

#if defined(__has_feature)
# if __has_feature(thread_sanitizer)
#  define MFI_TSAN 1
# endif
#endif
#if defined(__SANITIZE_THREAD__)
# define MFI_TSAN 1
#endif

#if MFI_ASAN
void __lsan_register_root_region(const void *low, size_t len);
void __lsan_unregister_root_region(const void *low, size_t len);
#endif
#ifdef MFI_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#endif
#ifdef MFI_VALGRIND
# include <valgrind/valgrind.h>
#endif

struct track {
#if MFI_ASAN
    const void *low;
    size_t len;
    void *fake; /* ASan's own frames of this stack while it does not run */
#endif
#ifdef MFI_TSAN
    void *fiber;
#endif
#ifdef MFI_VALGRIND
    unsigned id;
#endif
    char unused_;
};

/* The stack [low, low + len) begins a life. */
static inline void mfi_track_open(struct track *t, void *low, size_t len)
{
    (void)t, (void)low, (void)len;
#if MFI_ASAN
    t->low = low;
    t->len = len;
    t->fake = NULL;
    __lsan_register_root_region(low, len);
#endif
#ifdef MFI_TSAN
    t->fiber = __tsan_create_fiber(0);
#endif
#ifdef MFI_VALGRIND
    t->id = VALGRIND_STACK_REGISTER(low, (char *)low + len);
#endif
}

/* The same for the stack the caller, a thread, was born on. */
static inline void mfi_track_thread(struct track *t, void *low, size_t len)
{
    (void)t, (void)low, (void)len;
#if MFI_ASAN
    t->low = low;
    t->len = len;
    t->fake = NULL;
#endif
#ifdef MFI_TSAN
    t->fiber = __tsan_get_current_fiber();
#endif
}

/* It has ended, and something else runs. */
static inline void mfi_track_close(struct track *t)
{
    (void)t;
#if MFI_ASAN
    __lsan_unregister_root_region(t->low, t->len);
#endif
#ifdef MFI_TSAN
    __tsan_destroy_fiber(t->fiber);
#endif
#ifdef MFI_VALGRIND
    VALGRIND_STACK_DEREGISTER(t->id);
#endif
}

/* Before the switch; ends: from never runs again. */
static inline void mfi_track_leave(struct track *from, struct track *to,
                                   int ends)
{
    (void)from, (void)to, (void)ends;
#if MFI_ASAN
    __sanitizer_start_switch_fiber(ends ? NULL : &from->fake, to->low, to->len);
#endif
#ifdef MFI_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* First thing on the other side. */
static inline void mfi_track_enter(struct track *self)
{
    (void)self;
#if MFI_ASAN
    __sanitizer_finish_switch_fiber(self->fake, NULL, NULL);
#endif
}

/*
 * The same where only ASan knows what the stack was that it came from: its
 * bounds are written to *from, who was left with that track.
 */
static inline void mfi_track_enter_from(struct track *self, struct track *from)
{
    (void)self, (void)from;
#if MFI_ASAN
    __sanitizer_finish_switch_fiber(self->fake, &from->low, &from->len);
#endif
}

/* The stack the caller runs on, to be left and entered with enter_from. */
static inline void mfi_track_here(struct track *t)
{
    (void)t;
#if MFI_ASAN
    t->fake = NULL;
#endif
#ifdef MFI_TSAN
    t->fiber = __tsan_get_current_fiber();
#endif
}

/*
 * A coroutine is about to run on the stack of another, as a part of itself:
 * what it switches from and to while it is there is that one's. Its own is kept
 * in *kept, until it is back.
 */
static inline void mfi_track_lend(struct track *mine, const struct track *lent,
                                  struct track *kept)
{
    (void)mine, (void)lent, (void)kept;
#if MFI_ASAN || defined(MFI_TSAN) || defined(MFI_VALGRIND)
    *kept = *mine;
    *mine = *lent;
#endif
}

static inline void mfi_track_return(struct track *mine,
                                    const struct track *kept)
{
    (void)mine, (void)kept;
#if MFI_ASAN || defined(MFI_TSAN) || defined(MFI_VALGRIND)
    *mine = *kept;
#endif
}

#endif
