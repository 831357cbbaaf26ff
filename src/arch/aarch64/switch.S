/* SPDX-License-Identifier: MIT */
/*
 * switch.S - aarch64: the contract is in arch/arch.h.
 *
 * A stack that is not running looks like this, low to high (160 bytes):
 *
 *   sp ->  x19 x20  x21 x22  x23 x24  x25 x26  x27 x28  x29 x30
 *          d8 d9  d10 d11  d12 d13  d14 d15
 *
 * x30 is the resume address; it is jumped to through x16, which is a legal
 * target register for a BTI landing pad. Arguments: x0 save_sp, x1 to_sp,
 * x2 arg. The low halves of v8-v15 are callee-saved; the FPCR is not switched.
 */
    .text

    .globl mfi_arch_switch
    .hidden mfi_arch_switch
    .type mfi_arch_switch, %function
    .p2align 5
mfi_arch_switch:
    .cfi_startproc
    sub sp, sp, #160
    .cfi_adjust_cfa_offset 160
    stp x19, x20, [sp, #0]
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    stp x21, x22, [sp, #16]
    .cfi_rel_offset x21, 16
    .cfi_rel_offset x22, 24
    stp x23, x24, [sp, #32]
    .cfi_rel_offset x23, 32
    .cfi_rel_offset x24, 40
    stp x25, x26, [sp, #48]
    .cfi_rel_offset x25, 48
    .cfi_rel_offset x26, 56
    stp x27, x28, [sp, #64]
    .cfi_rel_offset x27, 64
    .cfi_rel_offset x28, 72
    stp x29, x30, [sp, #80]
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    /* The other stack has the same shape: the same CFI holds for it. */
    mov x0, x2
    ldp d14, d15, [sp, #144]
    ldp d12, d13, [sp, #128]
    ldp d10, d11, [sp, #112]
    ldp d8, d9, [sp, #96]
    ldp x29, x30, [sp, #80]
    ldp x27, x28, [sp, #64]
    ldp x25, x26, [sp, #48]
    ldp x23, x24, [sp, #32]
    ldp x21, x22, [sp, #16]
    ldp x19, x20, [sp, #0]
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    add sp, sp, #160
    .cfi_adjust_cfa_offset -160
    mov x16, x30
    br x16
    .cfi_endproc
    .size mfi_arch_switch, . - mfi_arch_switch

/* The first frame: x19 is the entry, x0 the arg of the first switch. */
    .type first_frame, %function
    .p2align 4
first_frame:
    .cfi_startproc
    .cfi_undefined x30
    mov x29, #0
    mov x30, #0
    blr x19
    brk #0
    .cfi_endproc
    .size first_frame, . - first_frame

    .globl mfi_arch_prepare
    .hidden mfi_arch_prepare
    .type mfi_arch_prepare, %function
    .p2align 4
mfi_arch_prepare:
    .cfi_startproc
    sub x9, x0, #176
    stp x1, xzr, [x9, #0]           /* x19: the entry */
    stp xzr, xzr, [x9, #16]
    stp xzr, xzr, [x9, #32]
    stp xzr, xzr, [x9, #48]
    stp xzr, xzr, [x9, #64]
    adr x10, first_frame
    stp xzr, x10, [x9, #80]         /* x29, resume address */
    stp xzr, xzr, [x9, #96]
    stp xzr, xzr, [x9, #112]
    stp xzr, xzr, [x9, #128]
    stp xzr, xzr, [x9, #144]
    stp xzr, xzr, [x9, #160]        /* end of the frame chain */
    mov x0, x9
    ret
    .cfi_endproc
    .size mfi_arch_prepare, . - mfi_arch_prepare

    .globl mfi_arch_self
    .hidden mfi_arch_self
    .type mfi_arch_self, %function
    .p2align 4
mfi_arch_self:
    .cfi_startproc
    mrs x9, tpidr_el0
    adrp x10, :gottprel:self_word
    ldr x10, [x10, #:gottprel_lo12:self_word]
    ldr x0, [x9, x10]
    ret
    .cfi_endproc
    .size mfi_arch_self, . - mfi_arch_self

    .globl mfi_arch_self_set
    .hidden mfi_arch_self_set
    .type mfi_arch_self_set, %function
    .p2align 4
mfi_arch_self_set:
    .cfi_startproc
    mrs x9, tpidr_el0
    adrp x10, :gottprel:self_word
    ldr x10, [x10, #:gottprel_lo12:self_word]
    str x0, [x9, x10]
    ret
    .cfi_endproc
    .size mfi_arch_self_set, . - mfi_arch_self_set

    .section .tbss, "awT", %nobits
    .type self_word, %object
    .p2align 3
    .size self_word, 8
self_word:
    .zero 8

    .section .note.GNU-stack, "", %progbits
