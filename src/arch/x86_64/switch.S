/* SPDX-License-Identifier: MIT */
/*
 * switch.S - x86_64: the contract is in arch/arch.h.
 *
 * A stack that is not running looks like this, low to high:
 *
 *   sp ->  r15  r14  r13  r12  rbx  rbp  resume address
 *
 * Arguments: rdi save_sp, rsi to_sp, rdx arg. Nothing here is a legal target
 * of a shadow-stack return, so no CET note is emitted.
 */
    .text

    .globl mfi_arch_switch
    .hidden mfi_arch_switch
    .type mfi_arch_switch, @function
    .p2align 5
mfi_arch_switch:
    .cfi_startproc
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    /* The other stack has the same shape: the same CFI holds for it. */
    movq %rdx, %rax
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    jmpq *%rcx
    .cfi_endproc
    .size mfi_arch_switch, . - mfi_arch_switch

/* The first frame: rbx is the entry, rax the arg of the first switch. */
    .type first_frame, @function
    .p2align 4
first_frame:
    .cfi_startproc
    .cfi_undefined %rip
    movq %rax, %rdi
    xorl %ebp, %ebp
    callq *%rbx
    ud2
    .cfi_endproc
    .size first_frame, . - first_frame

    .globl mfi_arch_prepare
    .hidden mfi_arch_prepare
    .type mfi_arch_prepare, @function
    .p2align 4
mfi_arch_prepare:
    .cfi_startproc
    leaq first_frame(%rip), %rcx
    xorl %edx, %edx
    movq %rdx, -8(%rdi)             /* end of the frame chain */
    movq %rdx, -16(%rdi)
    movq %rcx, -24(%rdi)            /* resume address; sp is 16-aligned then */
    movq %rdx, -32(%rdi)            /* rbp */
    movq %rsi, -40(%rdi)            /* rbx: the entry */
    movq %rdx, -48(%rdi)            /* r12 */
    movq %rdx, -56(%rdi)            /* r13 */
    movq %rdx, -64(%rdi)            /* r14 */
    movq %rdx, -72(%rdi)            /* r15 */
    leaq -72(%rdi), %rax
    ret
    .cfi_endproc
    .size mfi_arch_prepare, . - mfi_arch_prepare

    .globl mfi_arch_self
    .hidden mfi_arch_self
    .type mfi_arch_self, @function
    .p2align 4
mfi_arch_self:
    .cfi_startproc
    movq self_word@gottpoff(%rip), %rax
    movq %fs:(%rax), %rax
    ret
    .cfi_endproc
    .size mfi_arch_self, . - mfi_arch_self

    .globl mfi_arch_self_set
    .hidden mfi_arch_self_set
    .type mfi_arch_self_set, @function
    .p2align 4
mfi_arch_self_set:
    .cfi_startproc
    movq self_word@gottpoff(%rip), %rax
    movq %rdi, %fs:(%rax)
    ret
    .cfi_endproc
    .size mfi_arch_self_set, . - mfi_arch_self_set

    .section .tbss, "awT", @nobits
    .type self_word, @object
    .p2align 3
    .size self_word, 8
self_word:
    .zero 8

    .section .note.GNU-stack, "", @progbits
