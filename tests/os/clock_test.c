/* SPDX-License-Identifier: MIT */
/* clock_test.c - deadlines are made where the clock says, and saturate. */
#include <time.h>

#include "base/time.h"
#include "test.h"

static mf_ns monotonic(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return MF_SEC(ts.tv_sec) + ts.tv_nsec;
}

MFI_TEST(now_is_the_monotonic_clock)
{
    for (int i = 0; i < 1000; i++) {
        mf_ns before = monotonic();
        mf_ns now = mf_now();

        EXPECT_LE(before, now);
        EXPECT_LE(now, monotonic());
    }
}

MFI_TEST(after_counts_from_now)
{
    mf_ns before = mf_now();
    mf_deadline d = mf_after(MF_SEC(10));

    EXPECT_GE(d.at, before + MF_SEC(10));
    EXPECT_LE(d.at, mf_now() + MF_SEC(10));
}

MFI_TEST(no_span_is_a_try_and_an_endless_one_is_never)
{
    EXPECT_EQ(mf_after(0).at, MF_NOW.at);
    EXPECT_EQ(mf_after(-5).at, MF_NOW.at);
    EXPECT_EQ(mf_after(INT64_MAX).at, MF_NEVER.at);
    EXPECT_EQ(mf_after(INT64_MAX - 1).at, MF_NEVER.at);
    EXPECT_EQ(mf_at(0).at, MF_NOW.at);
    EXPECT_EQ(mf_at(-1).at, MF_NOW.at);
    EXPECT_EQ(mf_at(12345).at, 12345);
}
