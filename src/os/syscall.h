/* SPDX-License-Identifier: MIT */
/*
 * syscall.h - system calls that return -errno and never touch errno.
 *
 * errno is a thread-local, and glibc declares its address constant: code that
 * may suspend between call and look would read another thread's. The kernel
 * already returns -errno in a register; libc only hides it. So every call here
 * is the instruction itself, and the word errno occurs nowhere above libc.
 *
 * Sources: System V ABI AMD64 A.2.1; arm64 syscall(2).
 */
#ifndef MFI_OS_SYSCALL_H
#define MFI_OS_SYSCALL_H

#include <errno.h> /* the E constants */
#include <stdint.h>
#include <sys/syscall.h>

#include "base/sim.h"

/*
 * TSan knows what it sees in libc: memory and descriptors that the kernel gives
 * out again would look like races. So there, and only there, libc is asked.
 */
#if defined(__SANITIZE_THREAD__)
# define MFI_OS_TSAN 1
#elif defined(__has_feature)
# if __has_feature(thread_sanitizer)
#  define MFI_OS_TSAN 1
# endif
#endif
#ifndef MFI_OS_TSAN
# define MFI_OS_TSAN 0
#endif

#ifdef __clang_analyzer__
/* It does not see what the asm writes: let it be a call it knows nothing of. */
long mfi_raw6(long nr, long a, long b, long c, long d, long e, long f);
#elif defined(__x86_64__)
static inline long mfi_raw6(long nr, long a, long b, long c, long d, long e,
                            long f)
{
    long ret;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;

    __asm__ __volatile__("syscall"
                         : "=a"(ret)
                         : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
                           "r"(r9)
                         : "rcx", "r11", "memory");
    return ret;
}
#elif defined(__aarch64__)
static inline long mfi_raw6(long nr, long a, long b, long c, long d, long e,
                            long f)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ __volatile__("svc #0"
                         : "+r"(x0)
                         : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                         : "memory");
    return x0;
}
#else
# error "no system call instruction for this CPU"
#endif

/* MFI_FAULTS: a test's library, whose calls a test may let fail. */
#if MFI_SIM
# define mfi_sys6 mfi_sim_syscall
#elif defined(MFI_FAULTS)
long mfi_fault_syscall(long nr, long a, long b, long c, long d, long e, long f);
# define mfi_sys6 mfi_fault_syscall
#else
# define mfi_sys6 mfi_raw6
#endif

#define MFI_L(x)          ((long)(x))
#define mfi_sys0(n)       mfi_sys6((n), 0, 0, 0, 0, 0, 0)
#define mfi_sys1(n, a)    mfi_sys6((n), MFI_L(a), 0, 0, 0, 0, 0)
#define mfi_sys2(n, a, b) mfi_sys6((n), MFI_L(a), MFI_L(b), 0, 0, 0, 0)
#define mfi_sys3(n, a, b, c) \
 mfi_sys6((n), MFI_L(a), MFI_L(b), MFI_L(c), 0, 0, 0)
#define mfi_sys4(n, a, b, c, d) \
 mfi_sys6((n), MFI_L(a), MFI_L(b), MFI_L(c), MFI_L(d), 0, 0)
#define mfi_sys5(n, a, b, c, d, e) \
 mfi_sys6((n), MFI_L(a), MFI_L(b), MFI_L(c), MFI_L(d), MFI_L(e), 0)

#endif
