/* SPDX-License-Identifier: MIT */
/* futex_test.c - waits end by a wake, by a time, or at once. */
#include "os/futex.h"

#include <errno.h>

#include "base/time.h"
#include "os/thread.h"
#include "test.h"

enum { ROUNDS = 1000 };

static _Atomic uint32_t turn;

MFI_TEST(a_word_that_differs_does_not_wait)
{
    EXPECT_EQ(mfi_futex_wait(&turn, 1, MFI_FAR), -EAGAIN);
}

MFI_TEST(a_wait_ends_at_its_time_not_before)
{
    mf_ns at = mf_now() + MF_MSEC(20);

    EXPECT_EQ(mfi_futex_wait(&turn, 0, at), -ETIMEDOUT);
    EXPECT_GE(mf_now(), at);
    EXPECT_EQ(mfi_futex_wait(&turn, 0, 1), -ETIMEDOUT); /* long past */
}

static void take_turns(uint32_t mine)
{
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t seen;

        while ((seen = mfi_load_acq(&turn)) != mine)
            mfi_futex_wait(&turn, seen, MFI_FAR);
        mfi_store_rel(&turn, 1 - mine);
        mfi_futex_wake(&turn, 1);
    }
}

static void other(void *arg)
{
    (void)arg;
    take_turns(1);
}

/* Each side sleeps in most rounds, so a wake that does nothing hangs. */
MFI_TEST(two_threads_wake_each_other)
{
    struct os_thread t;

    EXPECT_EQ(mfi_thread_start(&t, "other", other, NULL, 0), 0);
    take_turns(0);
    mfi_thread_join(&t);
    EXPECT_EQ(mfi_load_rlx(&turn), 0);
}
