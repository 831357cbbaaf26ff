/* SPDX-License-Identifier: MIT */
/* spin_test.c - one at a time, and what one wrote the next one sees. */
#include "os/spin.h"

#include "os/thread.h"
#include "test.h"

enum { THREADS = 4, ROUNDS = 200000 };

static struct spin lock;
static long count; /* under lock */

static void add(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        mfi_spin_lock(&lock);
        count++;
        mfi_spin_unlock(&lock);
    }
}

MFI_TEST(no_increment_is_lost)
{
    struct os_thread threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(mfi_thread_start(&threads[i], "add", add, NULL, 0), 0);
    for (int i = 0; i < THREADS; i++)
        mfi_thread_join(&threads[i]);
    EXPECT_EQ(count, (long)THREADS * ROUNDS);
}

MFI_TEST(try_takes_a_free_lock_only)
{
    EXPECT(!mfi_spin_held(&lock));
    EXPECT(mfi_spin_try(&lock));
    EXPECT(mfi_spin_held(&lock));
    EXPECT(!mfi_spin_try(&lock));
    mfi_spin_unlock(&lock);
    EXPECT(mfi_spin_try(&lock));
}
