/* SPDX-License-Identifier: MIT */
/* coro_test.c - coroutines by hand: what a switch keeps and hands on. */
#include "coro/coro.h"

#include <string.h>

#include "test.h"

enum { NR = 100, TURNS = 1000 };

static struct stack_cache cache;
static struct coro thread;

MFI_ARCH_SWITCHES static void *go(struct coro *from, struct coro *to, void *arg)
{
    return mfi_coro_switch(from, to, arg, 0);
}

MFI_ARCH_SWITCHES static void go_for_good(struct coro *from, struct coro *to)
{
    mfi_coro_switch(from, to, NULL, 1);
}

static void make(struct coro *co, void (*entry)(void *arg))
{
    struct stack *stack;

    EXPECT_EQ(mfi_stack_get(&cache, 64 * 1024, &stack), 0);
    mfi_coro_init(co, stack, stack->low + stack->size, entry);
}

static void unmake(struct coro *co)
{
    mfi_coro_done(co);
    mfi_stack_put(&cache, co->stack);
}

static void begin(void)
{
    EXPECT_EQ(mfi_stacks_init(NULL), 0);
    mfi_coro_thread(&thread);
}

static void end(void)
{
    mfi_stack_cache_flush(&cache);
    mfi_stacks_done();
}

/* ---- values live across switches ---------------------------------------- */

struct sums {
    struct coro co;
    uint64_t whole;
    double parts[3];
    float small;
    int turns;
};

/* Everything is kept in locals, that is in registers, from turn to turn. */
static void adds_up(void *arg)
{
    struct sums *s = arg;
    uint64_t whole = s->whole;
    double a = s->parts[0], b = s->parts[1], c = s->parts[2];
    float small = s->small;

    mfi_coro_begun(&s->co);
    for (int i = 0; i < TURNS; i++) {
        whole = whole * 3 + (uint64_t)i;
        a = a * 0.5 + i;
        b += a;
        c = c * 0.25 + b;
        small = small * 0.5f + 1.0f;
        EXPECT(go(&s->co, &thread, s) == s);
    }
    s->whole = whole;
    s->parts[0] = a;
    s->parts[1] = b;
    s->parts[2] = c;
    s->small = small;
    s->turns = TURNS;
    go_for_good(&s->co, &thread);
}

static void expect_sums(const struct sums *s, int seed)
{
    uint64_t whole = (uint64_t)seed;
    double a = seed, b = -seed, c = seed / 3.0;
    float small = (float)seed;

    for (int i = 0; i < TURNS; i++) {
        whole = whole * 3 + (uint64_t)i;
        a = a * 0.5 + i;
        b += a;
        c = c * 0.25 + b;
        small = small * 0.5f + 1.0f;
    }
    EXPECT_EQ(s->turns, TURNS);
    EXPECT(s->whole == whole);
    EXPECT(memcmp(&s->parts[0], &a, sizeof a) == 0);
    EXPECT(memcmp(&s->parts[1], &b, sizeof b) == 0);
    EXPECT(memcmp(&s->parts[2], &c, sizeof c) == 0);
    EXPECT(memcmp(&s->small, &small, sizeof small) == 0);
}

MFI_TEST(whole_and_floating_values_survive_switches)
{
    static struct sums all[NR];

    begin();
    for (int i = 0; i < NR; i++) {
        make(&all[i].co, adds_up);
        all[i].whole = (uint64_t)i;
        all[i].parts[0] = i;
        all[i].parts[1] = -i;
        all[i].parts[2] = i / 3.0;
        all[i].small = (float)i;
    }
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < NR; i++)
            EXPECT(go(&thread, &all[i].co, &all[i]) == &all[i]);
    for (int i = 0; i < NR; i++)
        go(&thread, &all[i].co, &all[i]);
    for (int i = 0; i < NR; i++) {
        expect_sums(&all[i], i);
        unmake(&all[i].co);
    }
    end();
}

/* ---- the control words are the thread's --------------------------------- */

#if defined(__x86_64__)
static unsigned mode(void)
{
    return __builtin_ia32_stmxcsr();
}

static void set_mode(unsigned word)
{
    __builtin_ia32_ldmxcsr(word);
}

static const unsigned TO_ZERO = 0x6000; /* the rounding bits of mxcsr */
static struct coro changer;

static void changes_rounding(void *arg)
{
    mfi_coro_begun(&changer);
    EXPECT(arg == NULL);
    set_mode(mode() | TO_ZERO);
    go_for_good(&changer, &thread);
}

MFI_TEST(the_rounding_mode_belongs_to_the_thread)
{
    unsigned before = mode();

    begin();
    make(&changer, changes_rounding);
    go(&thread, &changer, NULL);
    EXPECT_EQ(mode(), before | TO_ZERO);
    set_mode(before);
    unmake(&changer);
    end();
}
#endif

/* ---- C++ exceptions ----------------------------------------------------- */

MFI_TEST(exceptions_being_handled_go_along)
{
    struct cxx_globals globals = {&cache, 3};
    struct coro one = {.cxx = {NULL, 0}}, two = {.cxx = {NULL, 0}};

    mfi_cxx_leave(&one, &globals);
    EXPECT(globals.caught == NULL);
    EXPECT_EQ(globals.uncaught, 0);
    mfi_cxx_enter(&two, &globals);
    EXPECT(globals.caught == NULL);
    globals.uncaught = 1;
    mfi_cxx_leave(&two, &globals);
    EXPECT_EQ(globals.uncaught, 0);
    mfi_cxx_enter(&one, &globals);
    EXPECT(globals.caught == &cache);
    EXPECT_EQ(globals.uncaught, 3);
    mfi_cxx_leave(&one, &globals);
    mfi_cxx_enter(&two, &globals);
    EXPECT(globals.caught == NULL);
    EXPECT_EQ(globals.uncaught, 1);
}

MFI_TEST(without_a_cxx_runtime_there_is_nothing_to_take_along)
{
    struct coro one = {.cxx = {NULL, 0}};

    EXPECT(mfi_cxx_globals() == NULL || mfi_cxx_globals() == mfi_cxx_globals());
    mfi_cxx_leave(&one, NULL);
    mfi_cxx_enter(&one, NULL);
    EXPECT(one.cxx.caught == NULL);
}
