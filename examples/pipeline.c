/* SPDX-License-Identifier: MIT */
/*
 * pipeline.c - stages over channels: numbers -> squares (four at once) -> sum.
 *
 * A stage ends when the channel before it is closed and drained, and closes the
 * one behind it; the last of the four squarers does that for all of them.
 *
 * Run: ./pipeline
 */
#include <stdio.h>

#include <mayfly.h>

MF_CHAN_DEFINE(longs, long);

enum { NUMBERS = 1000, SQUARERS = 4 };

struct pipeline {
    longs *numbers;
    longs *squares;
    mf_wait_group squarers;
    long sum;
};

static int produce(void *arg)
{
    struct pipeline *p = arg;
    int rc = 0;

    for (long i = 1; i <= NUMBERS && rc == 0; i++)
        rc = longs_send(p->numbers, i, MF_NEVER);
    longs_close(p->numbers);
    return rc;
}

static int square(void *arg)
{
    struct pipeline *p = arg;
    long v;
    int rc;

    while ((rc = longs_recv(p->numbers, &v, MF_NEVER)) > 0)
        if ((rc = longs_send(p->squares, v * v, MF_NEVER)) < 0)
            break;
    mf_wait_group_done(&p->squarers);
    return rc;
}

static int close_squares(void *arg)
{
    struct pipeline *p = arg;
    int rc = mf_wait_group_wait(&p->squarers, MF_NEVER);

    longs_close(p->squares);
    return rc;
}

static int add(void *arg)
{
    struct pipeline *p = arg;
    long v;
    int rc;

    while ((rc = longs_recv(p->squares, &v, MF_NEVER)) > 0)
        p->sum += v;
    return rc;
}

static int run(void *arg)
{
    struct pipeline p = {.sum = 0};
    int rc;

    (void)arg;
    if ((rc = longs_make(16, NULL, &p.numbers)) >= 0 &&
        (rc = longs_make(0, NULL, &p.squares)) >= 0 &&
        (rc = mf_wait_group_add(&p.squarers, SQUARERS)) >= 0) {
        MF_SCOPE(s); /* the first stage to fail ends them all */
        mf_go(&s, produce, &p);
        for (int i = 0; i < SQUARERS; i++)
            mf_go(&s, square, &p);
        mf_go(&s, close_squares, &p);
        mf_go(&s, add, &p);
        if ((rc = mf_scope_close(&s)) >= 0)
            printf("sum of squares %ld\n", p.sum);
    }
    longs_unref(p.squares);
    longs_unref(p.numbers);
    return rc;
}

int main(void)
{
    return mf_run(run, NULL, NULL) < 0;
}
