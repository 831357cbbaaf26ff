/* SPDX-License-Identifier: MIT */
/* unwind_test.c - leaving a coroutine from a depth: what runs, to where. */
#include "coro/unwind.h"

#include <string.h>

#include "coro/coro.h"
#include "test.h"

static struct coro thread, co;
static struct unwind unwind;
static char order[64]; /* a letter for each thing that has happened */

static void note(char c)
{
    size_t len = strlen(order);

    EXPECT_LT(len, sizeof order - 1);
    order[len] = c;
}

static void cleaned(char *c)
{
    note(*c);
}

#define CLEANUP __attribute__((__cleanup__(cleaned))) char
#define FRAME   __attribute__((__noinline__)) static

MFI_ARCH_SWITCHES static void leave(void)
{
    mfi_coro_switch(&co, &thread, NULL, 1);
}

MFI_ARCH_SWITCHES static void enter(void)
{
    mfi_coro_switch(&thread, &co, NULL, 0);
}

static void landed(void *arg)
{
    EXPECT(arg == &unwind);
    note('!');
    leave();
}

FRAME void leave_early(void)
{
    unwind.landed = landed;
    unwind.arg = &unwind;
    mfi_unwind(&unwind);
}

/* Run entry, which unwinds, on a coroutine; `order` says what happened. */
static void run(void (*entry)(void *arg))
{
    struct stack_cache cache = {0};
    struct stack *stack;

    memset(order, 0, sizeof order);
    EXPECT_EQ(mfi_stacks_init(NULL), 0);
    EXPECT_EQ(mfi_stack_get(&cache, 64 * 1024, &stack), 0);
    mfi_coro_thread(&thread);
    mfi_coro_init(&co, stack, stack->low + stack->size, entry);
    enter();
    mfi_coro_done(&co);
    mfi_stack_put(&cache, stack);
    mfi_stack_cache_flush(&cache);
    mfi_stacks_done();
}

static void begun(void)
{
    mfi_coro_begun(&co);
    unwind.root = (uintptr_t)(co.stack->low + co.stack->size);
}

/* ---- cleanups ----------------------------------------------------------- */

static void (*volatile leave_now)(void) = leave_early; /* as if it returned */

FRAME void depth(int n)
{
    CLEANUP c = (char)('0' + n);

    if (n == 0)
        leave_now();
    else
        depth(n - 1);
    note('x'); /* never */
    (void)c;
}

static void goes_deep(void *arg)
{
    CLEANUP c = 'r';

    (void)arg, (void)c;
    begun();
    depth(5);
    note('x');
}

MFI_TEST(cleanups_run_from_the_inside_out)
{
    run(goes_deep);
    EXPECT_STR_EQ(order, "012345r!");
}

FRAME void stop_above(void)
{
    unwind.root = (uintptr_t)__builtin_frame_address(0);
    depth(2);
    note('x');
}

static void stops_half_way(void *arg)
{
    CLEANUP c = 'r';

    (void)arg, (void)c;
    begun();
    stop_above();
}

MFI_TEST(frames_above_the_root_are_left_alone)
{
    run(stops_half_way);
    EXPECT_STR_EQ(order, "012!");
}

static void has_nothing_to_clean(void *arg)
{
    (void)arg;
    begun();
    leave_early();
}

MFI_TEST(it_lands_with_nothing_to_clean)
{
    run(has_nothing_to_clean);
    EXPECT_STR_EQ(order, "!");
}

/* A cleanup may itself suspend: here it switches away and comes back. */
MFI_ARCH_SWITCHES static void suspends(char *c)
{
    note(*c);
    (void)mfi_coro_switch(&co, &thread, NULL, 0);
    note(*c);
}

MFI_ARCH_SWITCHES static void suspending_cleanup(void)
{
    __attribute__((__cleanup__(suspends))) char c = 's';

    depth(0);
    (void)c;
}

static void suspends_in_a_cleanup(void *arg)
{
    (void)arg;
    begun();
    suspending_cleanup();
}

MFI_TEST(a_cleanup_may_suspend)
{
    struct stack_cache cache = {0};
    struct stack *stack;

    EXPECT_EQ(mfi_stacks_init(NULL), 0);
    EXPECT_EQ(mfi_stack_get(&cache, 64 * 1024, &stack), 0);
    mfi_coro_thread(&thread);
    mfi_coro_init(&co, stack, stack->low + stack->size, suspends_in_a_cleanup);
    enter();
    EXPECT_STR_EQ(order, "0s");
    enter();
    EXPECT_STR_EQ(order, "0ss!");
    mfi_coro_done(&co);
    mfi_stack_put(&cache, stack);
    mfi_stack_cache_flush(&cache);
    mfi_stacks_done();
}

/* ---- frames nobody can unwind ------------------------------------------- */

void call_blindly(void (*fn)(void)); /* has no unwind information */

#if defined(__x86_64__)
__asm__(".text\n"
        ".type call_blindly, @function\n"
        "call_blindly:\n\t"
        "pushq %rbp\n\t"
        "call *%rdi\n\t"
        "popq %rbp\n\t"
        "ret\n\t"
        ".size call_blindly, . - call_blindly\n");
#elif defined(__aarch64__)
__asm__(".text\n"
        ".type call_blindly, %function\n"
        "call_blindly:\n\t"
        "stp x29, x30, [sp, #-16]!\n\t"
        "blr x0\n\t"
        "ldp x29, x30, [sp], #16\n\t"
        "ret\n\t"
        ".size call_blindly, . - call_blindly\n");
#endif

FRAME void below_the_blind_one(void)
{
    depth(1);
}

static void calls_blindly(void *arg)
{
    CLEANUP c = 'r';

    (void)arg, (void)c;
    begun();
    call_blindly(below_the_blind_one);
}

MFI_TEST(a_frame_without_unwind_information_ends_the_walk)
{
    run(calls_blindly);
    EXPECT_STR_EQ(order, "01!"); /* landed, though 'r' was not reached */
}
