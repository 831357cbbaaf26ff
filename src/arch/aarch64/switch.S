/* SPDX-License-Identifier: MIT */
/*
 * switch.S - aarch64: the first frame and the thread's word; the contract is in
 * arch/arch.h, the switch in switch.h.
 */
    .text

/* The first frame: x29 is the entry, x2 the arg of the first switch. */
    .type first_frame, %function
    .p2align 4
first_frame:
    .cfi_startproc
    .cfi_undefined x30
    hint #36                        /* BTI: jumped to */
    mov x0, x2
    mov x9, x29
    mov x29, #0
    mov x30, #0
    blr x9
    brk #0
    .cfi_endproc
    .size first_frame, . - first_frame

    .globl mfi_arch_prepare
    .hidden mfi_arch_prepare
    .type mfi_arch_prepare, %function
    .p2align 4
mfi_arch_prepare:
    .cfi_startproc
    adr x9, first_frame
    stp xzr, xzr, [x1, #-16]!       /* end of the frame chain */
    stp x1, x2, [x0]
    str x9, [x0, #16]
    ret
    .cfi_endproc
    .size mfi_arch_prepare, . - mfi_arch_prepare

    .globl mfi_arch_self_set
    .hidden mfi_arch_self_set
    .type mfi_arch_self_set, %function
    .p2align 4
mfi_arch_self_set:
    .cfi_startproc
    mrs x9, tpidr_el0
    adrp x10, :gottprel:mfi_arch_self_word
    ldr x10, [x10, #:gottprel_lo12:mfi_arch_self_word]
    str x0, [x9, x10]
    ret
    .cfi_endproc
    .size mfi_arch_self_set, . - mfi_arch_self_set

    .section .tbss, "awT", %nobits
    .globl mfi_arch_self_word
    .hidden mfi_arch_self_word
    .type mfi_arch_self_word, %object
    .p2align 3
    .size mfi_arch_self_word, 8
mfi_arch_self_word:
    .zero 8

    .section .note.GNU-stack, "", %progbits
