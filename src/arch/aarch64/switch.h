/* SPDX-License-Identifier: MIT */
/*
 * switch.h - aarch64: see arch/arch.h.
 *
 * The escapes are DWARF for "CFA is *(x1), x29 is at x1 + 8, the return address
 * at x1 + 16", with x1 the context that is switched to. The hint is a BTI
 * landing pad, a no-op elsewhere.
 */
#ifndef MFI_ARCH_AARCH64_SWITCH_H
#define MFI_ARCH_AARCH64_SWITCH_H

static inline __attribute__((__always_inline__)) void *
mfi_arch_switch(struct arch_context *from, struct arch_context *to, void *arg)
{
    register struct arch_context *x0 __asm__("x0") = from;
    register struct arch_context *x1 __asm__("x1") = to;
    register void *x2 __asm__("x2") = arg;

    __asm__ __volatile__(
        "adr x9, 1f\n\t"
        "mov x10, sp\n\t"
        "stp x10, x29, [x0]\n\t"
        "str x9, [x0, #16]\n\t"
        "ldr x9, [x1, #16]\n\t"
        "ldr x10, [x1]\n\t"
        ".cfi_remember_state\n\t"
        ".cfi_escape 0x0f, 3, 0x71, 0, 0x06\n\t"
        ".cfi_escape 0x10, 29, 2, 0x71, 8\n\t"
        ".cfi_escape 0x10, 30, 2, 0x71, 16\n\t"
        "ldr x29, [x1, #8]\n\t"
        "mov sp, x10\n\t"
        "br x9\n\t"
        ".cfi_restore_state\n\t"
        "nop\n" /* unwinders look up the resume address less one */
        "1: hint #36"
        : "+r"(x0), "+r"(x1), "+r"(x2)
        :
        : "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
          "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23",
          "x24", "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3",
          "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14",
          "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
          "v25", "v26", "v27", "v28", "v29", "v30", "v31", "cc", "memory");
    return x2;
}

static inline int mfi_arch_return(int rc)
{
    return rc;
}

static inline __attribute__((__always_inline__)) void *mfi_arch_self(void)
{
    void *word, *base;

    __asm__ __volatile__("adrp %0, :gottprel:mfi_arch_self_word\n\t"
                         "ldr %0, [%0, #:gottprel_lo12:mfi_arch_self_word]\n\t"
                         "mrs %1, tpidr_el0\n\t"
                         "ldr %0, [%1, %0]"
                         : "=&r"(word), "=&r"(base)
                         :
                         : "memory");
    return word;
}

#endif
