/* SPDX-License-Identifier: MIT */
/*
 * atomic.h - atomics whose memory order is in their name.
 *
 *   rlx   no order: counters, and reads of what a lock or a CAS decides later
 *   acq   pairs with rel: what was written before the rel is visible
 *   rel   publishes
 *   sc    takes part in the one total order; wherever it stands, a comment
 *         says between which two loads and stores it decides (Dekker)
 *
 * Sources: C11 7.17; Preshing and Boehm on the fences; the x86 price of sc is
 * one locked instruction, about 2 ns uncontended.
 */
#ifndef MFI_BASE_ATOMIC_H
#define MFI_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/sim.h"

#define mfi_load_rlx(p) \
 MFI_SIM_LOADS(atomic_load_explicit((p), memory_order_relaxed))
#define mfi_load_acq(p) \
 MFI_SIM_LOADS(atomic_load_explicit((p), memory_order_acquire))
#define mfi_load_sc(p) \
 MFI_SIM_LOADS(atomic_load_explicit((p), memory_order_seq_cst))
#define mfi_store_rlx(p, v) \
 MFI_SIM_STORES(atomic_store_explicit((p), (v), memory_order_relaxed))
#define mfi_store_rel(p, v) \
 MFI_SIM_STORES(atomic_store_explicit((p), (v), memory_order_release))
#define mfi_store_sc(p, v) \
 MFI_SIM_STORES(atomic_store_explicit((p), (v), memory_order_seq_cst))
#define mfi_xchg_acq(p, v) \
 MFI_SIM_CHANGES(atomic_exchange_explicit((p), (v), memory_order_acquire))
#define mfi_xchg_acqrel(p, v) \
 MFI_SIM_CHANGES(atomic_exchange_explicit((p), (v), memory_order_acq_rel))
#define mfi_xchg_sc(p, v) \
 MFI_SIM_CHANGES(atomic_exchange_explicit((p), (v), memory_order_seq_cst))
#define mfi_add_rlx(p, v) \
 MFI_SIM_CHANGES(atomic_fetch_add_explicit((p), (v), memory_order_relaxed))
#define mfi_add_acqrel(p, v) \
 MFI_SIM_CHANGES(atomic_fetch_add_explicit((p), (v), memory_order_acq_rel))
#define mfi_sub_acqrel(p, v) \
 MFI_SIM_CHANGES(atomic_fetch_sub_explicit((p), (v), memory_order_acq_rel))
#define mfi_add_sc(p, v) \
 MFI_SIM_CHANGES(atomic_fetch_add_explicit((p), (v), memory_order_seq_cst))
#define mfi_sub_sc(p, v) \
 MFI_SIM_CHANGES(atomic_fetch_sub_explicit((p), (v), memory_order_seq_cst))
#define mfi_or_acqrel(p, v) \
 MFI_SIM_CHANGES(atomic_fetch_or_explicit((p), (v), memory_order_acq_rel))
#define mfi_or_sc(p, v) \
 MFI_SIM_CHANGES(atomic_fetch_or_explicit((p), (v), memory_order_seq_cst))
#define mfi_and_acqrel(p, v) \
 MFI_SIM_CHANGES(atomic_fetch_and_explicit((p), (v), memory_order_acq_rel))
#define mfi_cas_acqrel(p, seen, v)                        \
 MFI_SIM_CHANGES(atomic_compare_exchange_strong_explicit( \
     (p), (seen), (v), memory_order_acq_rel, memory_order_acquire))
#define mfi_cas_sc(p, seen, v)                            \
 MFI_SIM_CHANGES(atomic_compare_exchange_strong_explicit( \
     (p), (seen), (v), memory_order_seq_cst, memory_order_seq_cst))
#define mfi_cas_weak_acqrel(p, seen, v)                 \
 MFI_SIM_CHANGES(atomic_compare_exchange_weak_explicit( \
     (p), (seen), (v), memory_order_acq_rel, memory_order_acquire))

/* Tell the CPU that this is a spin loop. */
static inline void mfi_cpu_relax(void)
{
    mfi_sim_relax();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield" ::: "memory");
#endif
}

#define mfi_likely(x)   __builtin_expect(!!(x), 1)
#define mfi_unlikely(x) __builtin_expect(!!(x), 0)
#define MFI_NOINLINE    __attribute__((__noinline__))

enum { MFI_CACHE_LINE = 64 };

#endif
