/* SPDX-License-Identifier: MIT */
/* slab_test.c - records are distinct, come back, and cross threads. */
#include "mem/slab.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "os/map.h"
#include "os/spin.h"
#include "os/thread.h"
#include "test.h"

enum { MANY = 100000, THREADS = 3, ROUNDS = 2000 };

static void *records[MANY];
static struct slab_cache cache;

MFI_TEST(records_are_aligned_and_do_not_overlap)
{
    for (size_t i = 0; i < MANY; i++) {
        records[i] = mfi_slab_get(&cache);
        EXPECT(records[i] != NULL);
        EXPECT_EQ((uintptr_t)records[i] % 64, 0);
        memset(records[i], (int)(i % 251), MFI_SLAB_RECORD);
    }
    for (size_t i = 0; i < MANY; i++) {
        const unsigned char *r = records[i];

        for (size_t at = 0; at < MFI_SLAB_RECORD; at++)
            EXPECT_EQ(r[at], i % 251);
    }
    EXPECT_GE(mfi_slabs_live(), MANY);
    for (size_t i = 0; i < MANY; i++)
        mfi_slab_put(&cache, records[i]);
    mfi_slab_cache_flush(&cache);
    EXPECT_EQ(mfi_slabs_live(), 0);
    EXPECT_EQ(mfi_slabs_done(), 0);
}

MFI_TEST(fresh_records_come_in_order_and_untouched)
{
    char *last = mfi_slab_get(&cache);
    int steps = 0;

    for (int i = 0; i < 400; i++) {
        char *r = mfi_slab_get(&cache);

        steps += r == last + MFI_SLAB_RECORD;
        for (int at = 0; at < MFI_SLAB_RECORD; at++)
            EXPECT_EQ(r[at], 0);
        last = r;
    }
    EXPECT_EQ(steps, 400); /* the first chunk holds 511 */
}

MFI_TEST(the_hottest_record_is_reused_first)
{
    void *a = mfi_slab_get(&cache);
    void *b = mfi_slab_get(&cache);

    mfi_slab_put(&cache, a);
    mfi_slab_put(&cache, b);
    EXPECT(mfi_slab_get(&cache) == b);
    EXPECT(mfi_slab_get(&cache) == a);
}

/* What is put back is used again before new memory is. */
MFI_TEST(memory_does_not_grow_with_use)
{
    uintptr_t low = UINTPTR_MAX, high = 0;

    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 1000; i++) {
            uintptr_t r = (uintptr_t)(records[i] = mfi_slab_get(&cache));

            low = round == 0 && r < low ? r : low;
            high = round == 0 && r > high ? r : high;
            EXPECT(r >= low && r <= high + MFI_SLAB_BATCH * MFI_SLAB_RECORD);
        }
        for (int i = 0; i < 1000; i++)
            mfi_slab_put(round % 2 ? &cache : NULL, records[i]);
        if (round % 5 == 4)
            mfi_slab_cache_flush(&cache);
    }
    EXPECT_LE(mfi_slabs_live(), 1000);
    mfi_slab_cache_flush(&cache);
    EXPECT_EQ(mfi_slabs_live(), 0);
    for (int i = 0; i < 1000; i++) {
        uintptr_t r = (uintptr_t)mfi_slab_get(&cache);

        EXPECT(r >= low && r <= high + MFI_SLAB_BATCH * MFI_SLAB_RECORD);
    }
}

MFI_TEST(a_lost_record_is_counted)
{
    void *kept = mfi_slab_get(&cache);
    void *other = mfi_slab_get(NULL);

    EXPECT(kept != other);
    mfi_slab_put(NULL, other);
    mfi_slab_cache_flush(&cache);
    EXPECT_EQ(mfi_slabs_live(), 1);
    EXPECT_EQ(mfi_slabs_done(), 1);
    EXPECT_EQ(mfi_slabs_live(), 0);
    EXPECT(mfi_slab_get(&cache) != NULL); /* it begins anew */
    mfi_slab_cache_flush(&cache);
    EXPECT_EQ(mfi_slabs_live(), 1);
}

/* A record in flight between threads: each takes one and leaves another. */
static struct spin lock;
static void *shelf[64]; /* under lock */

static void swap_records(void *arg)
{
    struct slab_cache own = {.free = NULL};
    struct slab_cache *c = arg == NULL ? &own : NULL;

    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned k = 0; k < 64; k++) {
            uintptr_t *r = mfi_slab_get(c);
            void *mine = r;

            EXPECT(r != NULL);
            r[2] = r[15] = (uintptr_t)r;
            mfi_spin_lock(&lock);
            r = shelf[k];
            shelf[k] = mine;
            mfi_spin_unlock(&lock);
            if (r != NULL) {
                EXPECT(r[2] == (uintptr_t)r && r[15] == (uintptr_t)r);
                mfi_slab_put(c, r);
            }
        }
    }
    mfi_slab_cache_flush(&own);
}

MFI_TEST(records_move_between_threads)
{
    struct os_thread threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(mfi_thread_start(&threads[i], "swap", swap_records,
                                   i == 0 ? &lock : NULL, 0),
                  0);
    for (int i = 0; i < THREADS; i++)
        mfi_thread_join(&threads[i]);
    EXPECT_EQ(mfi_slabs_live(), 64);
    for (int k = 0; k < 64; k++)
        mfi_slab_put(NULL, shelf[k]);
    EXPECT_EQ(mfi_slabs_done(), 0);
}

MFI_TEST(out_of_memory_is_an_answer_and_passes)
{
    struct rlimit limit;
    void *big;
    int n = 0;

    if (MFI_TEST_ASAN || MFI_TEST_TSAN)
        MFI_SKIP("shadow memory does not fit under a limit");
    if (mfi_test_under_valgrind())
        MFI_SKIP("valgrind itself does not fit under a limit");
    EXPECT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = 64 << 20;
    EXPECT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    if (mfi_map_pages(limit.rlim_cur, &big) == 0)
        MFI_SKIP("the limit is not enforced here");
    while (n < 600000) {
        void **r = mfi_slab_get(&cache);

        if (r == NULL)
            break;
        *r = n == 0 ? NULL : records[0];
        records[0] = r;
        n++;
    }
    EXPECT_GT(n, 10000);
    EXPECT_LT(n, 600000);
    EXPECT(mfi_slab_get(NULL) == NULL);
    for (void **r = records[0]; r != NULL;) {
        void **next = *r;

        mfi_slab_put(&cache, r);
        r = next;
    }
    EXPECT(mfi_slab_get(&cache) != NULL);
}
