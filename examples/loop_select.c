/* SPDX-License-Identifier: MIT */
/*
 * loop_select.c - two channels and a clock, again and again, until both
 * channels are closed and drained. A closed one says so once; then the loop
 * goes on with what is left, and ends by itself when nothing is.
 *
 * Run: ./loop_select
 */
#include <stdio.h>

#include <mayfly.h>

MF_CHAN_DEFINE(ints, int);

static int count_to_five(void *arg)
{
    ints *c = arg;
    int rc = 0;

    for (int i = 1; i <= 5 && rc == 0; i++)
        if ((rc = mf_sleep(MF_MSEC(10))) == 0)
            rc = ints_send(c, i, MF_NEVER);
    ints_close(c);
    return rc;
}

static int add_both(ints *left, ints *right)
{
    int rc, v = 0, w = 0, sum = 0;
    mf_deadline once = mf_after(MF_MSEC(25));

    MF_SCOPE(s);
    mf_go(&s, count_to_five, left);
    mf_go(&s, count_to_five, right);
    MF_LOOP_SELECT(rc, mf_after(MF_SEC(10)))
    {
        MF_CASE(ints_on_recv(left, &v))
        {
            if (rc > 0)
                sum += v;
            else
                printf("left is at its end\n");
        }
        MF_CASE(ints_on_recv(right, &w))
        {
            if (rc > 0)
                sum += w;
            else
                printf("right is at its end\n");
        }
        MF_CASE(mf_on_time(once))
        {
            printf("so far: some of it\n"); /* the same time fires once */
        }
    }
    printf("sum %d\n", sum);
    return rc < 0 ? rc : mf_scope_close(&s);
}

static int run(void *arg)
{
    ints *left = NULL, *right = NULL;
    int rc;

    (void)arg;
    if ((rc = ints_make(0, NULL, &left)) >= 0 &&
        (rc = ints_make(4, NULL, &right)) >= 0)
        rc = add_both(left, right);
    ints_unref(left);
    ints_unref(right);
    return rc;
}

int main(void)
{
    int rc = mf_run(run, NULL, NULL);

    if (rc < 0)
        fprintf(stderr, "loop_select: %s\n", mf_explain(rc));
    return rc < 0;
}
