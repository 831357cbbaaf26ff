/* SPDX-License-Identifier: MIT */
/* explain_test.c - a sentence for the last failure, one for each task. */
#include "sched/explain.h"

#include <stdio.h>
#include <string.h>

#include "sched/help.h"

MFI_TEST(every_result_has_a_text)
{
    EXPECT_STR_EQ(mf_strerror(0), "success");
    EXPECT_STR_EQ(mf_strerror(7), "success");
    EXPECT_STR_EQ(mf_strerror(-ENOENT), "No such file or directory");
    EXPECT_STR_EQ(mf_strerror(-123456), "unknown error");
    EXPECT_STR_EQ(mf_strerror(INT32_MIN), "unknown error");
    EXPECT_STR_EQ(mf_explain(-ENOENT), "No such file or directory");
}

static int explains(void *arg)
{
    int me = (int)(intptr_t)arg;
    char text[64];

    EXPECT_STR_EQ(mf_explain(-EIO), mf_strerror(-EIO)); /* not another's */
    EXPECT_EQ(mfi_explain(-EIO, "disk %d is gone", me), -EIO);
    EXPECT_EQ(mf_yield(), 0);
    EXPECT_EQ(mf_sleep(MF_USEC(20)), 0);
    EXPECT_EQ(snprintf(text, sizeof text, "disk %d is gone", me) > 0, 1);
    EXPECT_STR_EQ(mf_explain(-EIO), text);
    EXPECT_STR_EQ(mf_explain(-EPIPE), mf_strerror(-EPIPE));
    EXPECT_STR_EQ(mf_explain(0), "success");
    EXPECT_EQ(mfi_explain(-EPIPE, "pipe"), -EPIPE);
    EXPECT_STR_EQ(mf_explain(-EIO), mf_strerror(-EIO)); /* only the last */
    return 0;
}

static int many_explain(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 500; i++)
        EXPECT_EQ(mf_go(&s, explains, NUMBER(i)), 0);
    return mf_scope_close(&s);
}

MFI_TEST(each_task_has_its_own_last_failure)
{
    EXPECT_EQ(run_on(1, many_explain, NULL), 0);
    EXPECT_EQ(run_on(4, many_explain, NULL), 0);
}

MFI_TEST(a_sentence_too_long_is_cut)
{
    char text[400];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    EXPECT_EQ(mfi_explain(-EIO, "%s", text), -EIO);
    EXPECT_EQ(strlen(mf_explain(-EIO)), EXPLAIN_LEN - 1);
}
