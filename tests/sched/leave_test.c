/* SPDX-License-Identifier: MIT */
/*
 * leave_test.c - giving up the CPU: in turn, with a look at the world every
 * TICKS switches, so that tasks that only yield starve nothing.
 *
 * Time is counted in the yields of the others, which no load of the machine
 * changes.
 */
#include "sched/worker.h"

#include <mayfly/fd.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sched/help.h"

static char said[256];
static size_t nr_said;
static _Atomic bool over;
static _Atomic int yields;

static int yields_and_says(void *arg)
{
    for (int i = 0; i < 20; i++) {
        said[nr_said++] = (char)(intptr_t)arg;
        EXPECT_EQ(mf_yield(), 0);
    }
    return 0;
}

static int three_take_turns(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_go(&s, yields_and_says, NUMBER('a' + i)), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(nr_said, 60);
    /* Once all three have started. */
    for (size_t i = 12; i < 57; i++)
        EXPECT_EQ(said[i], said[i - 3]);
    EXPECT(said[12] != said[13] && said[13] != said[14] &&
           said[12] != said[14]);
    return 0;
}

MFI_TEST(those_who_yield_take_turns)
{
    EXPECT_EQ(run_on(1, three_take_turns, NULL), 0);
}

static int yields_alone(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++)
        EXPECT_EQ(mf_yield(), 0);
    return 0;
}

MFI_TEST(who_is_alone_yields_to_itself)
{
    EXPECT_EQ(run_on(1, yields_alone, NULL), 0);
}

/* ---- on_leave ----------------------------------------------------------- */

static _Atomic int told_leaves;

static void tell(struct running *me)
{
    EXPECT(me == mfi_worker()->current);
    EXPECT(me->on_leave == NULL);
    told_leaves++;
}

static int ask_and_end(void *arg)
{
    (void)arg;
    EXPECT(mfi_worker()->current->on_leave == NULL);
    mfi_worker()->current->on_leave = tell;
    return 0;
}

static int told_when_it_leaves(void *arg)
{
    struct running *me = mfi_worker()->current;
    mf_event fired = {{0, 0}};
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    mf_event_fire(&fired);
    me->on_leave = tell;
    EXPECT_EQ(mf_event_wait(&fired, MF_NEVER), 0); /* no need to wait */
    EXPECT_EQ(mf_sleep(0), 0);
    EXPECT_EQ(mf_scope_wait(&s, MF_NOW), 0);
    EXPECT_EQ(mf_go(&s, returns_arg, NULL), 0);
    me->budget = 1;
    mfi_budget(&me->agent); /* it leaves, but has not asked for it */
    EXPECT_EQ(mf_scope_wait(&s, MF_NOW), 0);
    EXPECT_EQ(told_leaves, 0);
    EXPECT_EQ(mf_yield(), 0); /* alone, but how would one tell */
    EXPECT_EQ(told_leaves, 1);
    EXPECT_EQ(mf_yield(), 0);
    EXPECT_EQ(told_leaves, 1); /* once */
    me->on_leave = tell;
    EXPECT_EQ(mf_sleep(1000), 0);
    EXPECT_EQ(told_leaves, 2);
    me->on_leave = tell;
    EXPECT_EQ(mf_spawn(&s, returns_arg, NULL,
                       MF_TASK_OPTIONS(.flags = MF_TASK_INLINE), NULL),
              0);
    EXPECT_EQ(told_leaves, 3);
    for (int i = 0; i < 3; i++) /* nobody inherits it with the stack */
        EXPECT_EQ(mf_go(&s, ask_and_end, NULL), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(told_leaves, 3);
    return 0;
}

MFI_TEST(a_task_is_told_before_a_call_of_its_own_suspends_it)
{
    EXPECT_EQ(run_on(1, told_when_it_leaves, NULL), 0);
}

/* ---- what a yielding pair must not starve ------------------------------- */

enum { PAIR = 2, LOOK = 61 /* switches between two looks */ };

static int ends[2];
static _Atomic int read_at; /* in yields */

static int yields_until_over(void *arg)
{
    (void)arg;
    while (!mfi_load_acq(&over)) {
        mfi_add_acqrel(&yields, 1);
        EXPECT_EQ(mf_yield(), 0);
    }
    return 0;
}

/* fn beside the pair, which ends when it is over. */
static int beside_a_pair(void *fn)
{
    MF_SCOPE(s);

    for (int i = 0; i < PAIR; i++)
        EXPECT_EQ(mf_go(&s, yields_until_over, NULL), 0);
    EXPECT_EQ(mf_go(&s, *(mf_fn **)fn, NULL), 0);
    return mf_scope_close(&s);
}

static void expect_not_starved(mf_fn *fn)
{
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(run_on(1, beside_a_pair, &fn), 0);
}

static int reads_and_counts(void *arg)
{
    char c;

    (void)arg;
    while (!mfi_load_acq(&over)) {
        EXPECT_EQ(mf_read(ends[0], &c, 1, MF_NEVER), 1);
        mfi_store_rel(&read_at, mfi_load_acq(&yields));
    }
    return 0;
}

static int writes_beside_a_pair(void *arg)
{
    enum { ROUNDS = 50 };
    MF_SCOPE(s);

    EXPECT_EQ(mf_go(&s, reads_and_counts, arg), 0);
    for (int i = 1; i <= ROUNDS; i++) {
        int from;

        for (int k = 0; k < i; k++) /* at any point between two looks */
            EXPECT_EQ(mf_yield(), 0);
        mfi_store_rel(&read_at, -1);
        mfi_store_rel(&over, i == ROUNDS);
        from = mfi_load_acq(&yields);
        EXPECT_EQ(write(ends[1], "x", 1), 1); /* past the library: an edge */
        while (mfi_load_acq(&read_at) < 0)
            EXPECT_EQ(mf_yield(), 0);
        EXPECT_LE(mfi_load_acq(&read_at) - from, LOOK + PAIR);
    }
    return mf_scope_close(&s);
}

MFI_TEST(a_pipe_is_read_after_the_next_look)
{
    expect_not_starved(writes_beside_a_pair);
}

static int sleeps_beside_a_pair(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
        EXPECT_GT(mfi_load_acq(&yields), 0);
    }
    mfi_store_rel(&over, true);
    return 0;
}

MFI_TEST(a_sleeper_wakes)
{
    expect_not_starved(sleeps_beside_a_pair);
}

static int ends_it(void *arg)
{
    (void)arg;
    mfi_store_rel(&over, true);
    return 0;
}

static void *injects(void *arg)
{
    (void)arg;
    while (mfi_load_acq(&yields) < 1000)
        ;
    EXPECT_EQ(mf_go(mf_root(), ends_it, NULL), 0);
    return NULL;
}

static int is_injected_beside_a_pair(void *arg)
{
    pthread_t thread;

    (void)arg;
    EXPECT_EQ(pthread_create(&thread, NULL, injects, NULL), 0);
    while (!mfi_load_acq(&over))
        EXPECT_EQ(mf_yield(), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    return 0;
}

MFI_TEST(a_task_from_a_thread_starts)
{
    expect_not_starved(is_injected_beside_a_pair);
}

/* ---- a wake-up while it leaves ------------------------------------------ */

enum { LEAVES = 200000 / (MFI_TEST_TSAN || MFI_TEST_ASAN ? 10 : 1) };

static mf_task *parker;
static _Atomic int parks;

static int parks_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < LEAVES; i++) {
        mfi_add_acqrel(&parks, 1);
        EXPECT_EQ(mf_park(MF_NEVER), 0);
    }
    return 0;
}

/* It computes, so its unparks meet the parker at any step of its leaving. */
static int unparks_often(void *arg)
{
    uint32_t seed = 2463534242u;

    (void)arg;
    for (int i = 1; i <= LEAVES; i++) {
        for (int k = 0; mfi_load_acq(&parks) < i; k++)
            if (k > 1000)
                EXPECT_EQ(mf_yield(), 0);
        spin(chance(&seed, 64));
        EXPECT_EQ(mf_unpark(parker), 0);
    }
    return 0;
}

static int parks_and_unparks(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_spawn(&s, parks_often, NULL,
                       MF_TASK_OPTIONS(.worker = 1, .flags = MF_TASK_PINNED),
                       &parker),
              0);
    EXPECT_EQ(mf_spawn(&s, unparks_often, NULL,
                       MF_TASK_OPTIONS(.worker = 2, .flags = MF_TASK_PINNED),
                       NULL),
              0);
    return mf_scope_close(&s);
}

MFI_TEST(a_wake_up_that_comes_while_it_leaves_is_kept)
{
    EXPECT_EQ(run_on(2, parks_and_unparks, NULL), 0);
}

/* ---- fairness ----------------------------------------------------------- */

enum { PAIRS = 1000, ECHOES = 100 / (MFI_TEST_TSAN || MFI_TEST_ASAN ? 5 : 1) };

static struct echo {
    int ends[2];
    int n;
} echoes[PAIRS];

static mf_event go_on;
static _Atomic int nr_started, nr_slow;

static int answers(void *arg)
{
    const struct echo *e = arg;
    char buf[64];
    int n;

    mfi_add_acqrel(&nr_started, 1);
    while ((n = mf_read(e->ends[1], buf, sizeof buf, MF_NEVER)) > 0)
        EXPECT_EQ(mf_write_all(e->ends[1], buf, (size_t)n, MF_NEVER), 0);
    return n;
}

/* Until the slowest of all has had ECHOES. */
static int asks(void *arg)
{
    struct echo *e = arg;
    char buf[64] = "hello";

    mfi_add_acqrel(&nr_started, 1);
    EXPECT_EQ(mf_event_wait(&go_on, MF_NEVER), 0);
    while (!mfi_load_acq(&over)) {
        EXPECT_EQ(mf_write_all(e->ends[0], buf, sizeof buf, MF_NEVER), 0);
        EXPECT_EQ(mf_read_full(e->ends[0], buf, sizeof buf, MF_NEVER), 1);
        if (++e->n == ECHOES && mfi_sub_acqrel(&nr_slow, 1) == 1)
            mfi_store_rel(&over, true);
    }
    EXPECT_EQ(shutdown(e->ends[0], SHUT_WR), 0);
    return 0;
}

static int all_echo(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < PAIRS; i++) {
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, echoes[i].ends), 0);
        EXPECT_EQ(mf_go(&s, answers, &echoes[i]), 0);
        EXPECT_EQ(mf_go(&s, asks, &echoes[i]), 0);
    }
    WAIT_UNTIL(mfi_load_acq(&nr_started) == 2 * PAIRS);
    mf_event_fire(&go_on);
    return mf_scope_close(&s);
}

/* The most any pair has had when each has had ECHOES. */
static int echo(int workers)
{
    struct rlimit files;
    int most = 0;

    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    if (files.rlim_cur < 2 * PAIRS + 100)
        MFI_SKIP("too few file descriptors are allowed");
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
    mfi_store_rel(&nr_slow, PAIRS);
    EXPECT_EQ(run_on(workers, all_echo, NULL), 0);
    for (int i = 0; i < PAIRS; i++)
        most = echoes[i].n > most ? echoes[i].n : most;
    return most;
}

MFI_TEST(a_thousand_pairs_progress_alike)
{
    EXPECT_LE(echo(1), 4 * ECHOES);
}

/* How much CPU a worker gets is for the kernel and other processes to say. */
MFI_TEST(a_thousand_pairs_all_progress_on_two_workers)
{
    EXPECT_GE(echo(2), ECHOES);
}
