/* SPDX-License-Identifier: MIT */
/*
 * tasks.c - what debuggers look at: two tasks on one worker that take turns, a
 * few frames deep, through every kind of switch.
 */
#include <errno.h>
#include <mayfly.h>
#include <stdio.h>
#include <string.h>

enum { TURNS = 20 };

static mf_task *first, *second;
static int sum;

/* Frames a backtrace must show, so none of them may be inlined or jumped to. */
#define FRAME __attribute__((__noinline__))

FRAME static int leaf(int turn)
{
    __asm__ __volatile__("" ::: "memory");
    sum += turn;
    return sum;
}

FRAME static int take_turn(mf_task *next, int turn)
{
    int rc = leaf(turn);

    if (mf_unpark(next) == -ESRCH)
        return rc;
    if (mf_park(mf_after(MF_SEC(10))) < 0)
        return -1;
    return rc + 1;
}

FRAME static int take_turns(mf_task *next)
{
    int rc = 0;

    for (int i = 0; i < TURNS && rc >= 0; i++)
        rc = take_turn(next, i);
    if (rc >= 0)
        rc = mf_sleep(MF_USEC(100));
    mf_unpark(next);
    return rc;
}

static int ping(void *arg)
{
    (void)arg;
    return take_turns(second);
}

static int pong(void *arg)
{
    (void)arg;
    return take_turns(first);
}

static int body(void *arg)
{
    char copy[400];
    MF_SCOPE(s);

    (void)arg;
    memset(copy, 1, sizeof copy);
    if (mf_spawn(&s, ping, NULL, MF_TASK_OPTIONS(.name = "ping"), &first) < 0 ||
        mf_spawn(&s, pong, copy,
                 MF_TASK_OPTIONS(.name = "pong", .copy_len = sizeof copy),
                 &second) < 0)
        return 1;
    return mf_scope_close(&s) < 0;
}

int main(void)
{
    int rc = mf_run(body, NULL, MF_OPTIONS(.workers = 1));

    printf("sum %d\n", sum);
    return rc != 0 || sum != TURNS * (TURNS - 1);
}
