/* SPDX-License-Identifier: MIT */
/*
 * switch.S - x86_64: the first frame and the thread's word; the contract is in
 * arch/arch.h, the switch in switch.h. Nothing here is a legal target of a
 * shadow-stack return, so no CET note is emitted.
 */
    .text

/* The first frame: rbp is the entry, rax the arg of the first switch. */
    .type first_frame, @function
    .p2align 4
first_frame:
    .cfi_startproc
    .cfi_undefined %rip
    movq %rax, %rdi
    movq %rbp, %rcx
    xorl %ebp, %ebp
    callq *%rcx
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
    movq $0, -8(%rsi)               /* end of the frame chain */
    movq $0, -16(%rsi)
    leaq -16(%rsi), %rax            /* sp: 16-aligned, as before a call */
    movq %rax, 0(%rdi)
    movq %rdx, 8(%rdi)
    movq %rcx, 16(%rdi)
    ret
    .cfi_endproc
    .size mfi_arch_prepare, . - mfi_arch_prepare

    .globl mfi_arch_return
    .hidden mfi_arch_return
    .type mfi_arch_return, @function
    .p2align 4
mfi_arch_return:
    .cfi_startproc
    movl %edi, %eax
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    jmpq *%rcx
    .cfi_endproc
    .size mfi_arch_return, . - mfi_arch_return

    .globl mfi_arch_self_set
    .hidden mfi_arch_self_set
    .type mfi_arch_self_set, @function
    .p2align 4
mfi_arch_self_set:
    .cfi_startproc
    movq mfi_arch_self_word@gottpoff(%rip), %rax
    movq %rdi, %fs:(%rax)
    ret
    .cfi_endproc
    .size mfi_arch_self_set, . - mfi_arch_self_set

    .section .tbss, "awT", @nobits
    .globl mfi_arch_self_word
    .hidden mfi_arch_self_word
    .type mfi_arch_self_word, @object
    .p2align 3
    .size mfi_arch_self_word, 8
mfi_arch_self_word:
    .zero 8

    .section .note.GNU-stack, "", @progbits
