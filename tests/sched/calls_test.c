/* SPDX-License-Identifier: MIT */
/* calls_test.c - several functions at once: all of them, or the first. */
#include "sched/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static _Atomic int ran, canceled;

static void in_both(mf_fn *fn)
{
    for (int n = 1; n <= 2; n++)
        EXPECT_EQ(run_on(n, fn, NULL), 0);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    EXPECT_EQ(fn(NULL), 0); /* as a plain thread */
    EXPECT_EQ(mf_stop(MF_NEVER), 0);
}

static int returns_it(void *arg)
{
    ran++;
    return *(int *)arg;
}

static int waits_for_ever(void *arg)
{
    int rc;

    (void)arg;
    ran++;
    rc = mf_sleep_until(MF_NEVER);
    canceled += rc == -ECANCELED;
    return rc;
}

/* ---- results ------------------------------------------------------------ */

struct meeting {
    mf_event a, b;
};

static int fires_a(void *arg)
{
    struct meeting *m = arg;

    mf_event_fire(&m->a);
    return mf_event_wait(&m->b, MF_NEVER);
}

static int fires_b(void *arg)
{
    struct meeting *m = arg;
    int rc = mf_event_wait(&m->a, MF_NEVER);

    mf_event_fire(&m->b);
    return rc;
}

static int all_of_them(void *arg)
{
    int five = 5, zero = 0, bad = -EIO;
    struct meeting m = {.a = {{0, 0}}};

    (void)arg;
    ran = canceled = 0;
    EXPECT_EQ(mf_join_all(MF_CALL(returns_it, &five)), 0);
    EXPECT_EQ(
        mf_join_all(MF_CALL(returns_it, &five), MF_CALL(returns_it, &zero)), 0);
    EXPECT_EQ(ran, 3);
    /* At once: each waits for the other. */
    EXPECT_EQ(mf_join_all(MF_CALL(fires_a, &m), MF_CALL(fires_b, &m)), 0);
    /* The first failure cancels the rest. */
    EXPECT_EQ(mf_join_all(MF_CALL(waits_for_ever, NULL),
                          MF_CALL(waits_for_ever, NULL),
                          MF_CALL(returns_it, &bad)),
              -EIO);
    EXPECT_EQ(canceled, 2);
    EXPECT_EQ(mf_yield(), 0); /* and nobody else */
    return 0;
}

MFI_TEST(join_all_waits_for_all_and_fails_with_the_first)
{
    in_both(all_of_them);
}

static int the_first_of_them(void *arg)
{
    int five = 5, eio = -EIO;

    (void)arg;
    ran = canceled = 0;
    EXPECT_EQ(mf_race(MF_CALL(waits_for_ever, NULL), MF_CALL(returns_it, &eio),
                      MF_CALL(returns_it, &five)),
              5);
    EXPECT_EQ(canceled, 1);
    EXPECT_EQ(mf_race(MF_CALL(returns_it, &eio)), -EIO);
    EXPECT_EQ(mf_race(MF_CALL(returns_it, &eio), MF_CALL(returns_it, &eio)),
              -EIO);
    EXPECT_EQ(mf_yield(), 0);
    return 0;
}

MFI_TEST(a_race_is_won_by_the_first_success)
{
    in_both(the_first_of_them);
}

static int panics_at_once(void *arg)
{
    (void)arg;
    mf_panic("one of several");
}

static int of_many(void *arg)
{
    enum { N = 1000 };
    static mf_call calls[N];
    int one = 1, bad = -EIO;

    (void)arg;
    ran = canceled = 0;
    for (int i = 0; i < N; i++)
        calls[i] = MF_CALL(returns_it, &one);
    EXPECT_EQ(mf_run_all(calls, N, NULL), 0);
    EXPECT_EQ(ran, N);
    calls[N / 2] = MF_CALL(returns_it, &bad);
    calls[N / 3] = MF_CALL(panics_at_once, NULL);
    EXPECT_EQ(
        mf_run_all(calls, N, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL, .limit = 1)),
        -ENOTRECOVERABLE); /* the first of the two, and all have run */
    EXPECT_EQ(ran, N + N - 1);
    return 0;
}

MFI_TEST(a_thousand_calls_in_any_mode)
{
    in_both(of_many);
}

/* ---- options ------------------------------------------------------------ */

static _Atomic int inside, most;

static int counts_who_is_inside(void *arg)
{
    int n = ++inside;

    (void)arg;
    if (n > most)
        most = n;
    n = mf_yield();
    inside--;
    return n;
}

static int with_options(void *arg)
{
    mf_call calls[20];
    mf_ns begun = mf_now();

    (void)arg;
    ran = canceled = 0;
    most = 0;
    for (int i = 0; i < 20; i++)
        calls[i] = MF_CALL(counts_who_is_inside, NULL);
    EXPECT_EQ(mf_run_all(calls, 20, MF_SCOPE_OPTIONS(.limit = 1)), 0);
    EXPECT_EQ(most, 1);
    for (int i = 0; i < 20; i++)
        calls[i] = MF_CALL(waits_for_ever, NULL);
    EXPECT_EQ(mf_run_all(calls, 20,
                         MF_SCOPE_OPTIONS(.deadline = mf_after(MF_MSEC(5)))),
              -ETIMEDOUT);
    EXPECT_GE(mf_now() - begun, MF_MSEC(5));
    EXPECT_EQ(canceled, ran);
    EXPECT_EQ(mf_run_all(calls, 20, MF_SCOPE_OPTIONS(.deadline = MF_NOW)),
              -ETIMEDOUT);
    return 0;
}

MFI_TEST(the_options_are_those_of_a_scope)
{
    in_both(with_options);
}

static int bad_arguments(void *arg)
{
    int one = 1;
    const mf_call calls[] = {MF_CALL(returns_it, &one), MF_CALL(NULL, &one)};

    (void)arg;
    ran = 0;
    EXPECT_EQ(mf_run_all(NULL, 0, NULL), 0);
    EXPECT_EQ(mf_run_all(calls, 0, NULL), 0);
    EXPECT_EQ(mf_run_all(NULL, 1, NULL), -EINVAL);
    EXPECT_EQ(mf_run_all(calls, -1, NULL), -EINVAL);
    EXPECT_EQ(mf_run_all(calls, 1, MF_SCOPE_OPTIONS(.mode = 9)), -EINVAL);
    EXPECT_EQ(mf_run_all(calls, 2, NULL), -EINVAL); /* none of them has run */
    EXPECT_EQ(ran, 0);
    return mf_run_all(calls, 1, NULL);
}

MFI_TEST(bad_arguments_start_nothing)
{
    int one = 1;
    const mf_call call = MF_CALL(returns_it, &one);

    in_both(bad_arguments);
    EXPECT_EQ(mf_run_all(&call, 1, NULL), -EINVAL); /* nothing runs */
    EXPECT_EQ(mf_run_all(&call, 0, NULL), 0);
}

/* ---- cancels ------------------------------------------------------------ */

static int runs_three(void *arg)
{
    int rc = mf_join_all(MF_CALL(waits_for_ever, NULL),
                         MF_CALL(waits_for_ever, NULL),
                         MF_CALL(waits_for_ever, NULL));

    EXPECT_EQ(rc, -ECANCELED);
    rc = mf_race(MF_CALL(waits_for_ever, NULL)); /* from the start, now */
    EXPECT_EQ(rc, -ECANCELED);
    *(int *)arg = 1;
    return rc;
}

static int parent_is_cancelled(void *arg)
{
    int done = 0;
    mf_scope s;

    (void)arg;
    ran = canceled = 0;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_go(&s, runs_three, &done), 0);
    WAIT_UNTIL(ran == 3);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(canceled, 3);
    EXPECT_EQ(ran, 3);
    EXPECT_EQ(done, 1);
    return 0;
}

MFI_TEST(a_cancel_of_the_caller_reaches_the_calls)
{
    in_both(parent_is_cancelled);
}

/* In a shield it does not, and the result is the calls' own. */
static int shielded_caller(void *arg)
{
    int seven = 7;
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    mf_scope_cancel(&s);
    MF_SHIELD(MF_NEVER)
    EXPECT_EQ(mf_race(MF_CALL(returns_it, &seven)), 7);
    EXPECT_EQ(mf_race(MF_CALL(returns_it, &seven)), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

MFI_TEST(in_a_shield_the_calls_run_to_their_ends)
{
    in_both(shielded_caller);
}

/* ---- many, and too many ------------------------------------------------- */

struct fib {
    int n;
    int sum;
};

static int fib(void *arg)
{
    struct fib *f = arg;
    struct fib a = {f->n - 1, 0}, b = {f->n - 2, 0};
    int rc;

    if (f->n < 2) {
        f->sum = f->n;
        return 0;
    }
    rc = mf_join_all(MF_CALL(fib, &a), MF_CALL(fib, &b));
    f->sum = a.sum + b.sum;
    return rc;
}

static int recursion(void *arg)
{
    struct fib f = {15, 0};

    (void)arg;
    EXPECT_EQ(fib(&f), 0);
    EXPECT_EQ(f.sum, 610);
    return 0;
}

MFI_TEST(calls_nest)
{
    in_both(recursion);
}

enum { TOO_MANY = 1 << 20 };

static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    EXPECT(f != NULL);
    EXPECT_EQ(fscanf(f, "%lu", &pages), 1);
    fclose(f);
    return pages * 4096;
}

/* No memory for so many records: those there are run, and are cancelled. */
static int out_of_memory(void *arg)
{
    struct rlimit old, low;
    mf_call *calls = arg;

    ran = canceled = 0;
    EXPECT_EQ(getrlimit(RLIMIT_AS, &old), 0);
    low = old;
    low.rlim_cur = address_space() + (1 << 20);
    EXPECT_EQ(setrlimit(RLIMIT_AS, &low), 0);
    EXPECT_EQ(mf_run_all(calls, TOO_MANY,
                         MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL, .limit = 4)),
              -ENOMEM);
    EXPECT_EQ(setrlimit(RLIMIT_AS, &old), 0);
    EXPECT(ran > 0 && ran < TOO_MANY);
    EXPECT_EQ(canceled, ran);
    EXPECT_EQ(mf_run_all(calls, 2,
                         MF_SCOPE_OPTIONS(.deadline = mf_after(MF_MSEC(1)))),
              -ETIMEDOUT);
    return 0;
}

MFI_TEST(what_cannot_all_be_started_is_undone)
{
    mf_call *calls;

    if (MFI_TEST_ASAN || MFI_TEST_TSAN || mfi_test_under_valgrind())
        MFI_SKIP("sanitizers need address space of their own");
    calls = malloc(TOO_MANY * sizeof *calls);
    EXPECT(calls != NULL);
    for (int i = 0; i < TOO_MANY; i++)
        calls[i] = MF_CALL(waits_for_ever, NULL);
    EXPECT_EQ(run_on(1, out_of_memory, calls), 0);
    free(calls);
}
