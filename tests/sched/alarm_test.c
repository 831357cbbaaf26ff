/* SPDX-License-Identifier: MIT */
/* alarm_test.c - a worker that sleeps is woken by each of its deadlines. */
#include "sched/help.h"

#include <mayfly/fd.h>

#include <unistd.h>

static int sleeps_until_the_past(void *arg)
{
    mf_deadline at = mf_after(MF_MSEC(20));

    (void)arg;
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_sleep_until(at), 0);
    return 0;
}

/* The clock is set to that point already, and has rung. */
MFI_TEST_T(a_deadline_that_has_rung_ends_the_next_wait_too, 10)
{
    EXPECT_EQ(run_on(1, sleeps_until_the_past, NULL), 0);
}

static int reads_until_the_past(void *arg)
{
    mf_deadline at = mf_after(MF_MSEC(20));
    int ends[2];
    char c;

    (void)arg;
    EXPECT_EQ(pipe(ends), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_read(ends[0], &c, 1, at), -ETIMEDOUT);
    mf_close(ends[0]);
    mf_close(ends[1]);
    return 0;
}

MFI_TEST_T(reads_with_one_deadline_all_time_out, 10)
{
    EXPECT_EQ(run_on(1, reads_until_the_past, NULL), 0);
}
