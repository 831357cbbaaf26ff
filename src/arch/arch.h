/* SPDX-License-Identifier: MIT */
/*
 * arch.h - what a CPU must provide: a stack switch, a first frame, one word
 * per thread.
 *
 * The switch is inline: stack pointer, frame pointer and resume address go into
 * the context, everything else is declared lost, so the compiler saves what is
 * alive and no more. It is neither called nor returned from, which matters more
 * than the few stores: a call without its return leaves the CPU's return
 * predictor one off, and then every return up to the user's frame is
 * mispredicted. Measured, a yield with two tasks: 30 ns with a called switch
 * that ends in a jump, 14 when it ends in a return (but 8 for the bare switch
 * instead of 2), 13 inline.
 *
 * The floating-point control words (mxcsr, x87, FPCR) belong to the thread.
 * CFI describes every instruction: in the few where the stack is already the
 * other one, the unwinder is told to read the context. The first frame has no
 * caller (undefined return address), so backtraces end.
 *
 * Sources: System V ABI AMD64 1.0, 3.2; AAPCS64 2023Q3, 6.1; DWARF 4, 6.4.
 */
#ifndef MFI_ARCH_ARCH_H
#define MFI_ARCH_ARCH_H

struct arch_context { /* of who does not run; offsets are known to the asm */
    void *sp;
    void *fp;
    void *resume;
};

/*
 * For every function that contains a switch. What others do meanwhile must be
 * expected after it, as after any call of unknown code; but gcc takes for
 * granted that an asm, whatever it clobbers, leaves those statics alone whose
 * address is never taken, and so concludes about callers as well.
 */
#if defined(__clang__)
# define MFI_ARCH_SWITCHES __attribute__((__noinline__))
#else
# define MFI_ARCH_SWITCHES __attribute__((__noipa__))
#endif

/*
 * mfi_arch_switch(from, to, arg): leave for `to`. Returns, when somebody
 * switches back to `from`, the arg they gave.
 */
#if defined(__x86_64__)
# include "arch/x86_64/switch.h"
#elif defined(__aarch64__)
# include "arch/aarch64/switch.h"
#else
# error "no context switch for this CPU: this file says what one must provide"
#endif

/*
 * Make the first frame below stack_top (aligned to 16): the first switch to c
 * calls entry(arg of that switch). entry never returns.
 */
void mfi_arch_prepare(struct arch_context *c, void *stack_top,
                      void (*entry)(void *arg));

/*
 * mfi_arch_return(rc): rc. For the end of a function that was called on one
 * side of a pair of switches: `return mfi_arch_return(rc);`. Where each side
 * calls one, the CPU predicts that it returns to the other side: 18 ns a round
 * instead of 5.5. Compiled as a tail call it goes back by a jump, which learns
 * where to. Nothing but time depends on that. Not so on aarch64, where branch
 * protection (BTI) lets nobody jump to where a call returns.
 */

/*
 * One word of this thread, NULL at first. mfi_arch_self() is inline, but in
 * assembly that is volatile and clobbers memory: no optimiser, link-time ones
 * included, can keep its value or its address across a switch that moved the
 * caller to another thread.
 */
void mfi_arch_self_set(void *word);

#endif
