/* SPDX-License-Identifier: MIT */
/* assert_test.c - a broken invariant says which and where, and aborts. */
#include "base/assert.h"

#include <stdio.h>

#include "base/time.h"
#include "test.h"

static void break_one(void)
{
    mfi_assert(1 + 1 == 3);
}

static void say_all(void)
{
    fprintf(stderr, "all that is known\n");
}

static void break_with_hook(void)
{
    mfi_store_rlx(&mfi_broken_hook, say_all);
    mfi_broken("the hook", "here.c", 7);
}

static void misuse(void)
{
    mfi_die("no task %d", 42);
}

MFI_TEST(a_broken_invariant_names_itself_and_aborts)
{
    EXPECT_DIES(break_one, SIGABRT, "1 + 1 == 3");
    EXPECT_DIES(break_one, SIGABRT, "assert_test.c");
}

MFI_TEST(the_hook_is_called_before_the_abort)
{
    EXPECT_DIES(break_with_hook, SIGABRT, "all that is known");
    EXPECT_DIES(break_with_hook, SIGABRT, "here.c:7");
}

MFI_TEST(misuse_says_what_it_was)
{
    EXPECT_DIES(misuse, SIGABRT, "no task 42");
}

MFI_TEST(a_true_assertion_is_silent_and_evaluates_once)
{
    int n = 0;

    mfi_assert(++n == 1);
    EXPECT_EQ(n, 1);
}

MFI_TEST(time_saturates)
{
    EXPECT_EQ(mfi_time_add(1, 2), 3);
    EXPECT_EQ(mfi_time_add(MFI_FAR, 0), MFI_FAR);
    EXPECT_EQ(mfi_time_add(MFI_FAR - 1, 2), MFI_FAR);
    EXPECT_EQ(mfi_time_of(MF_NEVER), MFI_FAR);
    EXPECT_EQ(mfi_time_of(mf_at(5)), 5);
    EXPECT_EQ(mfi_deadline_of(MFI_FAR).at, 0);
    EXPECT_EQ(mfi_deadline_of(5).at, 5);
    EXPECT(mfi_is_try(MF_NOW));
    EXPECT(!mfi_is_try(MF_NEVER));
    EXPECT(!mfi_is_try(mf_at(2)));
}
