/* SPDX-License-Identifier: MIT */
/*
 * asan.h - tell AddressSanitizer which bytes of a mapping may be used.
 *
 * It learns of malloc and of frames by itself, of our mappings not at all: what
 * is poisoned there stays poisoned, even after munmap, until we say otherwise.
 * And what is reachable only from there (a root) would count as leaked.
 */
#ifndef MFI_MEM_ASAN_H
#define MFI_MEM_ASAN_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
# define MFI_ASAN 1
#elif defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define MFI_ASAN 1
# endif
#endif
#ifndef MFI_ASAN
# define MFI_ASAN 0
#endif

#if MFI_ASAN
# include <sanitizer/asan_interface.h>
void __lsan_register_root_region(const void *low, size_t len);
void __lsan_unregister_root_region(const void *low, size_t len);
# define mfi_asan_poison(p, len)   __asan_poison_memory_region((p), (len))
# define mfi_asan_unpoison(p, len) __asan_unpoison_memory_region((p), (len))
# define mfi_asan_root(p, len)     __lsan_register_root_region((p), (len))
#else
# define mfi_asan_poison(p, len)   ((void)(p), (void)(len))
# define mfi_asan_unpoison(p, len) ((void)(p), (void)(len))
# define mfi_asan_root(p, len)     ((void)(p), (void)(len))
#endif

#endif
