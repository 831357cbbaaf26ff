/* SPDX-License-Identifier: MIT */
/*
 * switch.h - x86_64: see arch/arch.h.
 *
 * The escapes are DWARF for "CFA is *(rsi), rbp is at rsi + 8, the return
 * address at rsi + 16", with rsi the context that is switched to.
 */
#ifndef MFI_ARCH_X86_64_SWITCH_H
#define MFI_ARCH_X86_64_SWITCH_H

#ifdef __AVX512F__
# define MFI_ARCH_MORE_LOST                                                   \
  , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",   \
      "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", \
      "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#else
# define MFI_ARCH_MORE_LOST
#endif

static inline __attribute__((__always_inline__)) void *
mfi_arch_switch(struct arch_context *from, struct arch_context *to, void *arg)
{
    __asm__ __volatile__(
        "leaq 1f(%%rip), %%rcx\n\t"
        "movq %%rsp, 0(%%rdi)\n\t"
        "movq %%rbp, 8(%%rdi)\n\t"
        "movq %%rcx, 16(%%rdi)\n\t"
        ".cfi_remember_state\n\t"
        ".cfi_escape 0x0f, 3, 0x74, 0, 0x06\n\t"
        ".cfi_escape 0x10, 6, 2, 0x74, 8\n\t"
        ".cfi_escape 0x10, 16, 2, 0x74, 16\n\t"
        "movq 0(%%rsi), %%rsp\n\t"
        "movq 8(%%rsi), %%rbp\n\t"
        "jmpq *16(%%rsi)\n\t"
        ".cfi_restore_state\n\t"
        "nop\n" /* unwinders look up the resume address less one */
        "1:"
        : "+a"(arg), "+D"(from), "+S"(to)
        :
        : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
          "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
          "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
          "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)",
          "cc", "memory" MFI_ARCH_MORE_LOST);
    return arg;
}

int mfi_arch_return(int rc);

static inline __attribute__((__always_inline__)) void *mfi_arch_self(void)
{
    void *word;

    __asm__ __volatile__("movq mfi_arch_self_word@gottpoff(%%rip), %0\n\t"
                         "movq %%fs:(%0), %0"
                         : "=r"(word)
                         :
                         : "memory");
    return word;
}

#endif
