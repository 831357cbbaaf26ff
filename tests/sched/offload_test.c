/* SPDX-License-Identifier: MIT */
/* offload_test.c - functions on the pool: results, copies, leaving early. */
#include "sched/help.h"

#include <mayfly/block.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

static _Atomic int gate, inside, dropped, unused, most;

static int adds_one(void *arg)
{
    int *n = arg;

    EXPECT(mf_self() == NULL); /* a plain thread */
    ++*n;
    return *n;
}

static int calls(void *arg)
{
    char big[3000];
    int n = 41;

    (void)arg;
    EXPECT_EQ(mf_block(adds_one, &n, sizeof n, NULL, MF_NEVER), 42);
    EXPECT_EQ(n, 42); /* written back */
    EXPECT_EQ(mf_block(returns_arg, NULL, 0, NULL, MF_NEVER), 0);
    memset(big, 1, sizeof big);
    EXPECT_EQ(mf_block(adds_one, big, sizeof big, NULL, MF_NEVER), 0x01010102);
    EXPECT_EQ(big[0], 2);
    EXPECT_EQ(mf_block(NULL, &n, sizeof n, NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_block(adds_one, NULL, 4, NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_block(adds_one, &n, sizeof n, NULL, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(n, 42);
    return 0;
}

MFI_TEST(a_block_returns_the_result_and_writes_the_copy_back)
{
    EXPECT_EQ(mf_block(adds_one, NULL, 0, NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(run_on(1, calls, NULL), 0);
    EXPECT_EQ(run_on(2, calls, NULL), 0);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), 0);
    EXPECT_EQ(calls(NULL), 0); /* from a plain thread */
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

/* ---- leaving before the end --------------------------------------------- */

static int waits_at_the_gate(void *arg)
{
    int *n = arg, now = ++inside, old = most;

    while (now > old && !atomic_compare_exchange_weak(&most, &old, now))
        ;
    while (gate == 0)
        usleep(50);
    *n = 99; /* in the copy */
    inside--;
    return 7;
}

/* What was accepted too late to run is dropped all the same, as it was. */
static void drops(void *arg)
{
    if (*(int *)arg == 99)
        dropped++;
    else
        unused++;
}

static int blocks_at_the_gate(void *arg)
{
    int n = 5, rc;

    (void)arg;
    rc = mf_block(waits_at_the_gate, &n, sizeof n, drops, MF_NEVER);
    EXPECT_EQ(n, rc == 7 ? 99 : 5);
    return rc;
}

static int leaves(void *arg)
{
    int n = 5;
    mf_task *t;
    MF_SCOPE(s);

    (void)arg;
    gate = dropped = 0;
    EXPECT_EQ(
        mf_block(waits_at_the_gate, &n, sizeof n, drops, mf_after(MF_MSEC(5))),
        -ETIMEDOUT);
    EXPECT_EQ(n, 5);
    EXPECT_EQ(dropped, 0);
    EXPECT_EQ(mf_spawn(&s, blocks_at_the_gate, NULL, NULL, &t), 0);
    WAIT_UNTIL(inside == 2);
    mf_task_cancel(t);
    EXPECT_EQ(mf_scope_wait(&s, MF_NEVER), 0);
    EXPECT_EQ(dropped, 0);
    gate = 1;
    WAIT_UNTIL(dropped == 2);
    EXPECT_EQ(n, 5);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_block(adds_one, &n, sizeof n, NULL, MF_NEVER), -ECANCELED);
    EXPECT_EQ(n, 5);
    return 0;
}

MFI_TEST(who_leaves_early_keeps_his_data_and_the_copy_is_dropped_once)
{
    EXPECT_EQ(run_on(1, leaves, NULL), 0);
    EXPECT_EQ(dropped, 2);
    EXPECT_EQ(run_on(2, leaves, NULL), 0);
    EXPECT_EQ(dropped, 2);
}

/* Done, deadline and cancel at about the same time: written back or dropped. */
static _Atomic int finished, left;

static int takes_a_moment(void *arg)
{
    int *n = arg;

    spin((uint32_t)*n);
    *n = 99;
    finished++;
    return 7;
}

static int blocks_for_a_moment(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg;
    int in_time = 0;

    for (int i = 0; i < 400; i++) {
        int n = (int)chance(&seed, 20000) + 100, was = n;
        int rc = mf_block(takes_a_moment, &n, sizeof n, drops,
                          mf_after((mf_ns)chance(&seed, 100000) + 5000));

        EXPECT(rc == 7 || rc == -ETIMEDOUT || rc == -ECANCELED);
        EXPECT_EQ(n, rc == 7 ? 99 : was);
        if (rc == -ECANCELED && ++left != 0)
            break;
        in_time += rc == 7;
        left += rc != 7;
    }
    return in_time;
}

static int moments(void *arg)
{
    int in_time = 0, more;
    mf_task *t[6];
    mf_scope s;

    (void)arg;
    finished = dropped = unused = left = 0;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < 6; i++)
        EXPECT_EQ(mf_spawn(&s, blocks_for_a_moment, NUMBER(i + 1), NULL, &t[i]),
                  0);
    EXPECT_EQ(mf_sleep(MF_MSEC(3)), 0);
    mf_task_cancel(t[0]);
    for (int i = 0; i < 6; i++) {
        EXPECT_EQ(mf_join(t[i], &more, MF_NEVER), 0);
        in_time += more;
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    return in_time;
}

MFI_TEST(every_job_is_either_taken_in_time_or_dropped)
{
    int in_time = run_on(2, moments, NULL);

    EXPECT_GE(in_time, 0);
    EXPECT_EQ(in_time + dropped, finished);
    EXPECT_EQ(dropped + unused, left);
}

/* ---- the pool ----------------------------------------------------------- */

static int more_than_threads(void *arg)
{
    MF_SCOPE(s, .mode = MF_WAIT_ALL);

    (void)arg;
    gate = dropped = most = 0;
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(mf_go(&s, blocks_at_the_gate, NULL), 0);
    WAIT_UNTIL(inside == 3);
    EXPECT_EQ(mf_sleep(MF_MSEC(2)), 0); /* others run meanwhile */
    gate = 1;
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(most, 3);
    EXPECT_EQ(dropped, 0);
    return 0;
}

MFI_TEST(more_jobs_than_threads_wait_their_turn)
{
    EXPECT_EQ(mf_run(more_than_threads, NULL,
                     MF_OPTIONS(.workers = 1, .offload_threads = 3)),
              0);
}

/* Each needs all the others: none may wait behind another for a thread. */
static int meets_others(void *arg)
{
    int n = *(int *)arg;

    inside++;
    while (inside < n)
        usleep(20);
    return 0;
}

static int blocks_to_meet(void *arg)
{
    int n = (int)(intptr_t)arg;

    return mf_block(meets_others, &n, sizeof n, NULL, MF_NEVER);
}

static int meetings(void *arg)
{
    (void)arg;
    for (int n = 1; n <= 12; n++) {
        MF_SCOPE(s);
        inside = 0;
        for (int i = 0; i < n; i++)
            EXPECT_EQ(mf_go(&s, blocks_to_meet, NUMBER(n)), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
    }
    return 0;
}

MFI_TEST(jobs_that_need_each_other_all_get_a_thread)
{
    EXPECT_EQ(run_on(1, meetings, NULL), 0);
    EXPECT_EQ(run_on(2, meetings, NULL), 0);
}

static int hundred_jobs(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        int n = i;

        EXPECT_EQ(mf_block(adds_one, &n, sizeof n, NULL, MF_NEVER), i + 1);
        EXPECT_EQ(n, i + 1);
    }
    return 0;
}

static void *thread_of_jobs(void *arg)
{
    EXPECT_EQ(hundred_jobs(NULL), 0);
    return arg;
}

static int many_jobs(void *arg)
{
    pthread_t threads[4];
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, thread_of_jobs, NULL), 0);
    for (int i = 0; i < 96; i++)
        EXPECT_EQ(mf_go(&s, hundred_jobs, NULL), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    return 0;
}

MFI_TEST(ten_thousand_jobs_of_tasks_and_threads)
{
    EXPECT_EQ(run_on(2, many_jobs, NULL), 0);
}

/* ---- pinned workers ----------------------------------------------------- */

static int counts_cpus(void *arg)
{
    cpu_set_t set;

    (void)arg;
    return sched_getaffinity(0, sizeof set, &set) < 0 ? -errno
                                                      : CPU_COUNT(&set);
}

static int blocks_on_all_cpus(void *arg)
{
    EXPECT_EQ(counts_cpus(NULL), 1);
    EXPECT_EQ(mf_block(counts_cpus, NULL, 0, NULL, MF_NEVER), *(int *)arg);
    return 0;
}

MFI_TEST(a_pinned_worker_has_threads_that_are_not)
{
    int all = counts_cpus(NULL);

    EXPECT_GE(all, 1);
    EXPECT_EQ(mf_run(blocks_on_all_cpus, &all,
                     MF_OPTIONS(.workers = 2, .pin_workers = 1)),
              0);
}
