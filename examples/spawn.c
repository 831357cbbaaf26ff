/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - a parent with 100 children, each with an argument and a result.
 *
 * mf_spawn gives a handle to join. The argument is copied, so &i may be the
 * loop's own variable. Whatever way the parent leaves, MF_SCOPE sees to it
 * that no child outlives it. The order of the lines in between is free.
 *
 * Run: ./spawn
 */
#include <stdio.h>

#include <mayfly.h>

enum { CHILDREN = 100 };

static int child(void *arg)
{
    int i = *(int *)arg;

    printf("hi, I'm child%d\n", i);
    mf_yield();
    printf("bye from child%d\n", i);
    return i;
}

static int parent(void *arg)
{
    mf_task *children[CHILDREN];
    int rc, sum = 0;

    (void)arg;
    printf("hi, I'm parent\n");
    MF_SCOPE(s);
    for (int i = 0; i < CHILDREN; i++)
        if ((rc = mf_spawn(&s, child, &i, MF_TASK_OPTIONS(.copy_len = sizeof i),
                           &children[i])) < 0)
            return rc;
    mf_yield();
    for (int i = 0; i < CHILDREN; i++) {
        int result = 0;

        if ((rc = mf_join(children[i], &result, MF_NEVER)) < 0)
            return rc; /* about the join; the child's end is in result */
        sum += result;
    }
    printf("bye from parent, the sum is %d\n", sum);
    return mf_scope_close(&s);
}

int main(void)
{
    int rc = mf_run(parent, NULL, NULL);

    if (rc < 0)
        fprintf(stderr, "spawn: %s\n", mf_explain(rc));
    return rc < 0;
}
