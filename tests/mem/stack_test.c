/* SPDX-License-Identifier: MIT */
/* stack_test.c - reuse, classes, trimming, finding, and running out. */
#include "mem/stack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "os/map.h"
#include "os/spin.h"
#include "os/thread.h"
#include "test.h"

enum { KIB = 1024, MANY = 100000 };

static struct stack_cache cache;
static struct stack *stacks[MANY];

static struct stack *get(struct stack_cache *c, size_t size)
{
    struct stack *s = NULL;

    EXPECT_EQ(mfi_stack_get(c, size, &s), 0);
    return s;
}

static void start(void)
{
    EXPECT_EQ(mfi_stacks_init(NULL), 0);
}

static void end(void)
{
    mfi_stack_cache_flush(&cache);
    mfi_stacks_done();
}

static void touch(const struct stack *s)
{
    memset(s->low + s->size - 8 * (size_t)KIB, 1, 8 * (size_t)KIB);
}

/* Bytes of this process in memory. */
static long resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long size, pages;

    EXPECT(f != NULL);
    EXPECT_EQ(fscanf(f, "%ld %ld", &size, &pages), 2);
    fclose(f);
    return pages * (long)mfi_page_size();
}

MFI_TEST(a_stack_is_writable_all_over_and_the_hottest_comes_first)
{
    struct stack *a, *b;

    start();
    a = get(&cache, 64 * KIB);
    b = get(&cache, 64 * KIB);
    EXPECT_EQ(a->size, 64 * KIB);
    EXPECT_EQ((uintptr_t)a->low % mfi_page_size(), 0);
    memset(a->low, 1, a->size);
    memset(b->low, 2, b->size);
    EXPECT_EQ(a->low[0], 1);
    EXPECT_EQ(a->low[a->size - 1], 1);
    mfi_stack_put(&cache, a);
    mfi_stack_put(&cache, b);
    EXPECT(get(&cache, 64 * KIB) == b);
    EXPECT(get(&cache, 64 * KIB) == a);
    mfi_stack_put(&cache, a);
    mfi_stack_put(&cache, b);
    end();
}

/* Across many batches too, as long as they are in the cache. */
MFI_TEST(two_hundred_stacks_come_back_in_reverse_order)
{
    start();
    for (int i = 0; i < 200; i++)
        stacks[i] = get(&cache, 16 * KIB);
    for (int i = 0; i < 200; i++)
        mfi_stack_put(&cache, stacks[i]);
    for (int i = 199; i >= 0; i--)
        EXPECT(get(&cache, 16 * KIB) == stacks[i]);
    for (int i = 0; i < 200; i++)
        mfi_stack_put(&cache, stacks[i]);
    end();
}

MFI_TEST(sizes_are_rounded_up_to_a_class)
{
    static const struct {
        size_t size, got;
    } cases[] = {
        {1, 16 * KIB},
        {16 * KIB, 16 * KIB},
        {16 * KIB + 1, 32 * KIB},
        {32 * KIB, 32 * KIB},
        {100 * KIB, 128 * KIB},
        {(size_t)1 << 30, (size_t)1 << 30},
        {((size_t)1 << 29) + 1, (size_t)1 << 30},
    };
    struct stack *s = NULL;

    start();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s = get(&cache, cases[i].size);
        EXPECT_GE(s->size, cases[i].got);
        if (mfi_page_size() <= 16 * KIB)
            EXPECT_EQ(s->size, cases[i].got);
        s->low[0] = s->low[s->size - 1] = 1;
        mfi_stack_put(&cache, s);
    }
    s = NULL;
    EXPECT_EQ(mfi_stack_get(&cache, 0, &s), -EINVAL);
    EXPECT_EQ(mfi_stack_get(&cache, ((size_t)1 << 30) + 1, &s), -EINVAL);
    EXPECT_EQ(mfi_stack_get(NULL, SIZE_MAX, &s), -EINVAL);
    EXPECT(s == NULL);
    end();
}

MFI_TEST(trim_gives_the_cold_memory_back_and_keeps_the_hot)
{
    long full, base, n = 4000;
    int calls = 1;

    if (mfi_test_under_valgrind())
        MFI_SKIP("shadow memory counts too");
    start();
    base = resident();
    for (int i = 0; i < n; i++) {
        stacks[i] = get(&cache, 64 * KIB);
        touch(stacks[i]);
    }
    for (int i = 0; i < n; i++)
        mfi_stack_put(&cache, stacks[i]);
    full = resident();
    EXPECT_GT(full - base, n * 8 * KIB * 9 / 10);
    while (mfi_stack_trim(&cache))
        calls++;
    EXPECT_GE(calls, n / MFI_STACK_BATCH - 3); /* 32 stacks a call */
    EXPECT_LE(calls, n / MFI_STACK_BATCH + 1);
    /* What stays are page tables and fewer than 128 stacks. */
    if (!MFI_TEST_TSAN) /* which counts its shadow too */
        EXPECT_LT(resident() - base, (full - base) / 4);
    EXPECT(!mfi_stack_trim(&cache));
    /* The hottest are still warm, and come first. */
    for (int i = 0; i < MFI_STACKS_HOT; i++) {
        struct stack *s = get(&cache, 64 * KIB);

        EXPECT(s == stacks[n - 1 - i]);
        EXPECT_EQ(s->low[s->size - 1], 1);
    }
    /* The others are used again before new ones are carved. */
    for (int i = MFI_STACKS_HOT; i < n; i++) {
        struct stack *s = get(&cache, 64 * KIB);

        EXPECT(s->low[s->size - 1] == 0 || s->low[s->size - 1] == 1);
        s->low[s->size - 1] = 2; /* 2: seen */
    }
    for (int i = 0; i < n; i++)
        EXPECT(i >= n - MFI_STACKS_HOT ||
               stacks[i]->low[stacks[i]->size - 1] == 2);
    for (int i = 0; i < n; i++)
        mfi_stack_put(&cache, stacks[i]);
    end();
}

/* What it had to drop, a guard must survive. */
MFI_TEST(guards_survive_a_trim)
{
    static const char *const tiers[] = {"region", "uffd", "mprotect"};

    for (int t = 0; t < 3; t++) {
        if (mfi_stacks_init(tiers[t]) < 0)
            continue;
        EXPECT_STR_EQ(mfi_stacks_guard(), tiers[t]);
        for (int i = 0; i < 500; i++)
            stacks[i] = get(&cache, 16 * KIB);
        for (int i = 0; i < 500; i++)
            mfi_stack_put(&cache, stacks[i]);
        while (mfi_stack_trim(&cache))
            ;
        for (int i = 0; i < 500; i++) {
            char *low = stacks[i]->low;

            EXPECT_EQ(mfi_sys2(SYS_clock_gettime, 1, low - 64), -EFAULT);
            EXPECT_EQ(mfi_sys2(SYS_clock_gettime, 1, low), 0);
        }
        end();
    }
}

MFI_TEST(find_tells_stack_guard_and_neither)
{
    struct stack *a, *b;
    bool in_guard = true;
    int here = 0;

    start();
    a = get(&cache, 64 * KIB);
    b = get(&cache, 256 * KIB);
    EXPECT(mfi_stack_find(a->low, &in_guard) == a && !in_guard);
    EXPECT(mfi_stack_find(a->low + a->size - 1, &in_guard) == a && !in_guard);
    EXPECT(mfi_stack_find(a->low - 1, &in_guard) == a && in_guard);
    EXPECT(mfi_stack_find(a->low - MFI_GUARD_LEN, &in_guard) == a && in_guard);
    EXPECT(mfi_stack_find(a->low - MFI_GUARD_LEN - 1, &in_guard) != a);
    EXPECT(mfi_stack_find(a->low + a->size, &in_guard) != a);
    EXPECT(mfi_stack_find(b->low + 5, &in_guard) == b && !in_guard);
    EXPECT(mfi_stack_find(&here, &in_guard) == NULL);
    EXPECT(mfi_stack_find(NULL, &in_guard) == NULL);
    EXPECT(mfi_stack_find((void *)UINTPTR_MAX, &in_guard) == NULL);
    mfi_stack_put(&cache, a);
    mfi_stack_put(&cache, b);
    end();
    EXPECT(mfi_stack_find(a, &in_guard) == NULL);
}

MFI_TEST(used_is_the_high_water_mark)
{
    size_t page;
    struct stack *s;

    start();
    page = mfi_page_size();
    s = get(&cache, 4096 * KIB);
    EXPECT_EQ(mfi_stack_used(s), 0);
    s->low[s->size - 1] = 1;
    EXPECT_EQ(mfi_stack_used(s), page);
    s->low[s->size - 5 * page] = 1; /* with a gap */
    EXPECT_EQ(mfi_stack_used(s), 5 * page);
    s->low[3 * page] = 1;
    EXPECT_EQ(mfi_stack_used(s), s->size - 3 * page);
    mfi_stack_put(&cache, s);
    end();
}

MFI_TEST(the_owner_is_forgotten_and_distinct_stacks_are_distinct)
{
    struct stack *s;

    start();
    s = get(NULL, 16 * KIB);
    s->owner = &cache;
    mfi_stack_put(NULL, s);
    s = get(NULL, 16 * KIB);
    EXPECT(s->owner == NULL);
    mfi_stack_put(NULL, s);
    for (int i = 0; i < 300; i++) {
        stacks[i] = get(i % 2 ? NULL : &cache, 16 * KIB);
        EXPECT(stacks[i]->owner == NULL);
        stacks[i]->owner = stacks[i]; /* who gets it twice sees that */
    }
    for (int i = 0; i < 300; i++)
        mfi_stack_put(i % 3 ? NULL : &cache, stacks[i]);
    end();
}

MFI_TEST(a_hundred_thousand_stacks)
{
    start();
    if (strcmp(mfi_stacks_guard(), "mprotect") == 0)
        MFI_SKIP("needs guards without maps");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            stacks[i] = get(&cache, 64 * KIB);
            EXPECT(stacks[i]->owner == NULL);
            stacks[i]->owner = stacks[i];
        }
        for (int i = 0; i < MANY; i++)
            mfi_stack_put(&cache, stacks[i]);
    }
    end();
}

enum { ROUNDS = 300, SHELF = 200, THREADS = 3 };

static struct spin lock;
static struct stack *shelf[SHELF]; /* under lock */

/* Each takes stacks and leaves them to others, with its mark on both ends. */
static void swap_stacks(void *arg)
{
    struct stack_cache own = {.bin[0].hot = NULL};
    struct stack_cache *c = arg == NULL ? &own : NULL;

    for (int i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < SHELF; k++) {
            struct stack *s = get(c, 16 * KIB);
            struct stack *mine = s;

            EXPECT(s->owner == NULL);
            s->owner = s;
            s->low[s->size - 1] = (char)k;
            mfi_spin_lock(&lock);
            s = shelf[k];
            shelf[k] = mine;
            mfi_spin_unlock(&lock);
            if (s != NULL) {
                EXPECT(s->owner == s);
                EXPECT_EQ((unsigned char)s->low[s->size - 1], k);
                mfi_stack_put(c, s);
            }
        }
        if (c != NULL && i % 16 == 0)
            mfi_stack_trim(c);
    }
    mfi_stack_cache_flush(&own);
}

MFI_TEST(stacks_move_between_threads)
{
    struct os_thread threads[THREADS];

    start();
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(mfi_thread_start(&threads[i], "swap", swap_stacks,
                                   i == 0 ? &lock : NULL, 0),
                  0);
    for (int i = 0; i < THREADS; i++)
        mfi_thread_join(&threads[i]);
    for (int k = 0; k < SHELF; k++)
        mfi_stack_put(NULL, shelf[k]);
    end();
}

static void forget_one(void)
{
    start();
    get(&cache, 16 * KIB);
    end();
}

MFI_TEST(a_stack_that_is_not_put_back_is_noticed)
{
    EXPECT_DIES(forget_one, SIGABRT, "nr_free == carved");
}

static int shown;

static bool take_every_other(struct stack *s)
{
    EXPECT(s->owner == shelf);
    return ++shown % 2 == 0;
}

MFI_TEST(what_was_not_put_back_can_be_taken_back)
{
    start();
    for (int i = 0; i < 100; i++) {
        stacks[i] = get(i % 2 == 0 ? &cache : NULL, (16u << i % 4) * KIB);
        stacks[i]->owner = shelf;
    }
    for (int i = 0; i < 50; i++)
        mfi_stack_put(&cache, stacks[i]);
    for (int left = 50; left > 0; left -= left / 2 != 0 ? left / 2 : 1) {
        shown = left == 1;
        mfi_stacks_take_back(take_every_other);
        EXPECT_EQ(shown, left + (left == 1));
    }
    shown = 0;
    mfi_stacks_take_back(take_every_other);
    EXPECT_EQ(shown, 0);
    end();
}

MFI_TEST(it_can_start_again)
{
    for (int i = 0; i < 3; i++) {
        start();
        mfi_stack_put(&cache, get(&cache, 64 * KIB));
        mfi_stack_put(NULL, get(NULL, 64 * KIB));
        end();
    }
    EXPECT_EQ(mfi_stacks_init("wall"), -EINVAL);
}

MFI_TEST(an_address_space_limit_is_an_error_and_passes)
{
    struct rlimit limit;
    void *big;
    struct stack *s = NULL;
    int n = 0, rc = 0;

    if (MFI_TEST_ASAN || MFI_TEST_TSAN)
        MFI_SKIP("shadow memory does not fit under a limit");
    if (mfi_test_under_valgrind())
        MFI_SKIP("valgrind itself does not fit under a limit");
    start();
    EXPECT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = 300u << 20;
    EXPECT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    if (mfi_map_pages(limit.rlim_cur, &big) == 0)
        MFI_SKIP("the limit is not enforced here");
    while (n < MANY && (rc = mfi_stack_get(&cache, 64 * KIB, &s)) == 0)
        stacks[n++] = s;
    EXPECT_EQ(rc, -ENOMEM);
    /* 128 KiB each: most of the limit was put to use, in slabs that fit. */
    EXPECT_GT(n, 290 * 8 * 97 / 100);
    for (int i = 0; i < n; i++)
        touch(stacks[i]);
    mfi_stack_put(&cache, stacks[--n]);
    stacks[n] = get(&cache, 64 * KIB);
    EXPECT_EQ(mfi_stack_get(&cache, 64 * KIB, &s), -ENOMEM);
    EXPECT_EQ(mfi_stack_get(NULL, (size_t)1 << 30, &s), -ENOMEM);
    limit.rlim_cur = limit.rlim_max;
    EXPECT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    stacks[++n] = get(&cache, 64 * KIB);
    for (int i = 0; i <= n; i++)
        mfi_stack_put(&cache, stacks[i]);
    end();
}
