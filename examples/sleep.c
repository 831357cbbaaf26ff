/* SPDX-License-Identifier: MIT */
/*
 * sleep.c - sleepers wake in the order of their spans, all on one worker.
 *
 * A sleeping task does not hold up the others: started in any order, they
 * print in the order in which they wake, and all of them together take as long
 * as the longest one. The exit code is 1 if one woke too early or they slept
 * one after the other.
 *
 * Run: ./sleep
 */
#include <stdio.h>

#include <mayfly.h>

static const int spans_ms[] = {200, 50, 150, 100, 250};
enum { SLEEPERS = sizeof spans_ms / sizeof spans_ms[0] };

static int sleeper(void *arg)
{
    int ms = *(int *)arg;
    mf_ns start = mf_now();
    int rc = mf_sleep(MF_MSEC(ms));

    if (rc < 0)
        return rc;
    printf("slept %d ms\n", ms);
    if (mf_now() - start < MF_MSEC(ms)) {
        fprintf(stderr, "sleep: woke before %d ms were over\n", ms);
        return 1;
    }
    return 0;
}

static int parent(void *arg)
{
    mf_task *sleepers[SLEEPERS];
    mf_ns start = mf_now();
    int rc, sum_ms = 0, result = 0, early = 0;

    (void)arg;
    MF_SCOPE(s);
    for (int i = 0; i < SLEEPERS; i++) {
        int ms = spans_ms[i];

        sum_ms += ms;
        if ((rc = mf_spawn(&s, sleeper, &ms,
                           MF_TASK_OPTIONS(.copy_len = sizeof ms),
                           &sleepers[i])) < 0)
            return rc;
    }
    for (int i = 0; i < SLEEPERS; i++) {
        if ((rc = mf_join(sleepers[i], &result, MF_NEVER)) < 0)
            return rc;
        early |= result;
    }
    if (mf_now() - start >= MF_MSEC(sum_ms)) {
        fprintf(stderr, "sleep: they slept one after the other\n");
        return 1;
    }
    printf("all of them: less than %d ms\n", sum_ms);
    return early;
}

int main(void)
{
    int rc = mf_run(parent, NULL, MF_OPTIONS(.workers = 1));

    if (rc < 0)
        fprintf(stderr, "sleep: %s\n", mf_explain(rc));
    return rc != 0;
}
