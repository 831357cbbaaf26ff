/* SPDX-License-Identifier: MIT */
/*
 * scoped.c - children that change an array on their parent's stack.
 *
 * A scope ends only after its children, so they may borrow what lives around
 * it. Scopes nest: each child here opens one of its own, whose grandchild adds
 * one to the element; when that scope is closed the child adds another one.
 * So each element grows by two, without a lock: close orders the two.
 *
 * Run: ./scoped
 */
#include <stdio.h>

#include <mayfly.h>

enum { LEN = 5 };

static int grandchild(void *arg)
{
    int *element = arg;

    mf_yield();
    *element += 1;
    return 0;
}

static int child(void *arg)
{
    int *element = arg;
    int rc;

    MF_SCOPE(inner);
    mf_go(&inner, grandchild, element);
    if ((rc = mf_scope_close(&inner)) < 0) /* waits for the grandchild */
        return rc;
    *element += 1;
    return 0;
}

static void print(const char *title, const int *array)
{
    printf("%s:", title);
    for (int i = 0; i < LEN; i++)
        printf(" %d", array[i]);
    printf("\n");
}

static int parent(void *arg)
{
    int array[LEN] = {1, 2, 3, 4, 5};
    int rc;

    (void)arg;
    print("old", array);
    MF_SCOPE(outer);
    for (int i = 0; i < LEN; i++)
        mf_go(&outer, child, &array[i]); /* a failure makes close fail */
    if ((rc = mf_scope_close(&outer)) < 0)
        return rc;
    print("new", array);
    return 0;
}

int main(void)
{
    int rc = mf_run(parent, NULL, NULL);

    if (rc < 0)
        fprintf(stderr, "scoped: %s\n", mf_explain(rc));
    return rc < 0;
}
