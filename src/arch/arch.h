/* SPDX-License-Identifier: MIT */
/*
 * arch.h - what a CPU must provide: a stack switch, a first frame, one word
 * per thread.
 *
 * The switch saves what the psABI says a callee preserves, and nothing else:
 * the floating-point control words (mxcsr, x87, FPCR) belong to the thread.
 * It resumes with an indirect jump, not a return: the return-address predictor
 * is wrong after a switch, and a mispredicted return costs 7.6 ns against 2.2.
 * CFI describes every instruction, so a debugger can stop anywhere in it; the
 * first frame has no caller (undefined return address), so backtraces end.
 *
 * Sources: System V ABI AMD64 1.0, 3.2; AAPCS64 2023Q3, 6.1; DWARF 4, 6.4.
 */
#ifndef MFI_ARCH_ARCH_H
#define MFI_ARCH_ARCH_H

/*
 * Save this stack's registers on it, store its pointer in *save_sp, continue on
 * to_sp. Returns, when somebody switches back, the arg they gave.
 */
void *mfi_arch_switch(void **save_sp, void *to_sp, void *arg);

/*
 * Make the first frame below stack_top (aligned to 16): the first switch to
 * the returned pointer calls entry(arg of that switch). entry never returns.
 */
void *mfi_arch_prepare(void *stack_top, void (*entry)(void *arg));

/*
 * One word of this thread, NULL at first. Out of line and in assembly: no
 * optimiser, link-time ones included, can keep its value or its address across
 * a switch that moved the caller to another thread.
 */
void *mfi_arch_self(void);
void mfi_arch_self_set(void *word);

#endif
