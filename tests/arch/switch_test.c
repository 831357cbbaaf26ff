/* SPDX-License-Identifier: MIT */
/*
 * switch_test.c - what a callee must preserve survives, both ways.
 *
 * The other side fills every callee-saved register with its own values between
 * two switches, so a register that is not saved comes back wrong.
 */
#include "arch/arch.h"

#include <pthread.h>
#include <stdint.h>

#include "test.h"

enum { STACK = 64 * 1024, ROUNDS = 1000000 };

static _Alignas(16) char stack[STACK];
static struct arch_context main_sp, other_sp;

/* What the assembly below calls: it keeps what a callee must, by the psABI. */
void *switch_out_of_line(struct arch_context *from, struct arch_context *to,
                         void *arg);

__attribute__((__used__)) MFI_ARCH_SWITCHES void *
switch_out_of_line(struct arch_context *from, struct arch_context *to,
                   void *arg)
{
    return mfi_arch_switch(from, to, arg);
}

MFI_ARCH_SWITCHES static void *to_other(void *arg)
{
    return mfi_arch_switch(&main_sp, &other_sp, arg);
}

MFI_ARCH_SWITCHES static void *to_main(void *arg)
{
    return mfi_arch_switch(&other_sp, &main_sp, arg);
}

static void prepare(void (*entry)(void *arg))
{
    mfi_arch_prepare(&other_sp, stack + STACK, entry);
}

/*
 * Call switch(save, to, arg) with all callee-saved registers set to base + i;
 * returns how many came back different.
 */
#if defined(__x86_64__)
static int keeps(struct arch_context *save, struct arch_context *to,
                 uint64_t base)
{
    uint64_t before[5], after[5];
    uint64_t *in = before, *out = after;
    void *arg = NULL;
    int wrong = 0;

    for (unsigned i = 0; i < 5; i++)
        before[i] = base + i;
    __asm__ __volatile__("subq $128, %%rsp\n\t" /* leave the red zone alone */
                         "pushq %%rbp\n\t"
                         "pushq %[out]\n\t"
                         "movq 0(%[in]), %%rbp\n\t"
                         "movq 8(%[in]), %%r12\n\t"
                         "movq 16(%[in]), %%r13\n\t"
                         "movq 24(%[in]), %%r14\n\t"
                         "movq 32(%[in]), %%r15\n\t"
                         "call switch_out_of_line\n\t"
                         "popq %%rax\n\t"
                         "movq %%rbp, 0(%%rax)\n\t"
                         "movq %%r12, 8(%%rax)\n\t"
                         "movq %%r13, 16(%%rax)\n\t"
                         "movq %%r14, 24(%%rax)\n\t"
                         "movq %%r15, 32(%%rax)\n\t"
                         "popq %%rbp\n\t"
                         "addq $128, %%rsp\n\t"
                         : "+D"(save), "+S"(to),
                           "+d"(arg), [in] "+b"(in), [out] "+c"(out)
                         :
                         : "rax", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                           "r15", "memory", "cc");
    for (unsigned i = 0; i < 5; i++)
        wrong += before[i] != after[i];
    return wrong + (in != before); /* rbx */
}
#elif defined(__aarch64__)
static int keeps(struct arch_context *save, struct arch_context *to,
                 uint64_t base)
{
    /* save, to; x19 to x24 and d8 to d15 before; the same after. */
    uint64_t io[30] = {(uintptr_t)save, (uintptr_t)to};
    int wrong = 0;

    for (unsigned i = 0; i < 14; i++)
        io[2 + i] = base + i;
    __asm__ __volatile__(
        "str %[io], [sp, #-16]!\n\t"
        "ldp x0, x1, [%[io], #0]\n\t"
        "ldp x19, x20, [%[io], #16]\n\t"
        "ldp x21, x22, [%[io], #32]\n\t"
        "ldp x23, x24, [%[io], #48]\n\t"
        "ldp d8, d9, [%[io], #64]\n\t"
        "ldp d10, d11, [%[io], #80]\n\t"
        "ldp d12, d13, [%[io], #96]\n\t"
        "ldp d14, d15, [%[io], #112]\n\t"
        "bl switch_out_of_line\n\t"
        "ldr x9, [sp], #16\n\t"
        "stp x19, x20, [x9, #128]\n\t"
        "stp x21, x22, [x9, #144]\n\t"
        "stp x23, x24, [x9, #160]\n\t"
        "stp d8, d9, [x9, #176]\n\t"
        "stp d10, d11, [x9, #192]\n\t"
        "stp d12, d13, [x9, #208]\n\t"
        "stp d14, d15, [x9, #224]\n\t"
        :
        : [io] "r"(io)
        : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10",
          "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20",
          "x21", "x22", "x23", "x24", "x30", "v0", "v1", "v2", "v3", "v4", "v5",
          "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
          "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25",
          "v26", "v27", "v28", "v29", "v30", "v31", "memory", "cc");
    for (unsigned i = 0; i < 14; i++)
        wrong += io[2 + i] != io[16 + i];
    return wrong;
}
#endif

static int wrong_there;

static void clobber_for_ever(void *arg)
{
    (void)arg;
    for (uint64_t i = 0;; i++)
        wrong_there += keeps(&other_sp, &main_sp, i << 32);
}

MFI_TEST(registers_survive_in_both_directions)
{
    prepare(clobber_for_ever);
    for (uint64_t i = 0; i < 1000; i++)
        EXPECT_EQ(keeps(&main_sp, &other_sp, ~i), 0);
    EXPECT_EQ(wrong_there, 0);
}

static void add_up(void *arg)
{
    double sum = 0; /* lives in a register of the FPU */

    for (;;) {
        sum += *(double *)arg;
        arg = to_main(&sum);
    }
}

MFI_TEST(floating_point_values_survive)
{
    double here = 1.0;

    prepare(add_up);
    for (int i = 1; i <= 100; i++) {
        double x = 0.5;
        double *sum = to_other(&x);

        here *= 1.25;
        EXPECT(*sum == 0.5 * i);
    }
    EXPECT(here > 4.9e9 && here < 5.0e9); /* 1.25 to the 100th */
}

static uintptr_t first_frame;
static void *first_arg;

static void look(void *arg)
{
    _Alignas(16) char probe[16];

    first_arg = arg;
    __asm__ __volatile__("" ::"r"(probe) : "memory");
    first_frame = (uintptr_t)__builtin_frame_address(0);
    for (;;)
        to_main(NULL);
}

/* A function's frame address is 16-aligned where the ABI's stack was. */
MFI_TEST(the_first_frame_is_aligned_and_gets_the_argument)
{
    int x;

    prepare(look);
    EXPECT((char *)other_sp.sp >= stack && (char *)other_sp.sp < stack + STACK);
    to_other(&x);
    EXPECT(first_arg == &x);
    EXPECT_EQ(first_frame % 16, 0);
    EXPECT(first_frame > (uintptr_t)stack &&
           first_frame <= (uintptr_t)(stack + STACK));
}

static void count(void *arg)
{
    for (;;)
        arg = to_main((void *)((uintptr_t)arg + 1));
}

MFI_TEST(a_million_switches_carry_their_argument)
{
    uintptr_t n = 0;

    prepare(count);
    for (int i = 0; i < ROUNDS; i++)
        n = (uintptr_t)to_other((void *)n);
    EXPECT_EQ(n, ROUNDS);
}

/* ---- returning by a jump ------------------------------------------------ */

static int *asked;

MFI_ARCH_SWITCHES static int ask(int n)
{
    mfi_arch_switch(&main_sp, &other_sp, &n);
    return mfi_arch_return(n);
}

MFI_ARCH_SWITCHES static int answer(int n)
{
    *asked = n;
    asked = mfi_arch_switch(&other_sp, &main_sp, NULL);
    return mfi_arch_return(*asked);
}

static void answers(void *arg)
{
    int n;

    asked = arg;
    n = *asked;
    for (;;)
        n = answer(2 * n);
}

MFI_TEST(who_returns_by_a_jump_returns_what_it_was_given)
{
    volatile int sum = 0;

    prepare(answers);
    for (int i = 0; i < 1000; i++)
        sum = sum + ask(i);
    EXPECT_EQ(mfi_arch_return(-5), -5);
    EXPECT_EQ(sum, 999 * 1000);
}

static void *other_thread(void *arg)
{
    EXPECT(mfi_arch_self() == NULL);
    mfi_arch_self_set(arg);
    EXPECT(mfi_arch_self() == arg);
    return arg;
}

MFI_TEST(the_self_word_is_a_word_of_each_thread)
{
    pthread_t thread;
    int here, there;

    EXPECT(mfi_arch_self() == NULL);
    mfi_arch_self_set(&here);
    EXPECT_EQ(pthread_create(&thread, NULL, other_thread, &there), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT(mfi_arch_self() == &here);
}
