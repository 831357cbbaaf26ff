/* SPDX-License-Identifier: MIT */
/*
 * hello.c - the smallest program: start the runtime, run one task, stop.
 *
 * mf_run answers with what the task returned, or with a negative errno if it
 * could not start; mf_explain says in a sentence why.
 *
 * Run: ./hello [NAME]
 */
#include <stdio.h>

#include <mayfly.h>

static int hello(void *arg)
{
    printf("hello, %s\n", (const char *)arg);
    return 0;
}

int main(int argc, char **argv)
{
    char world[] = "world";
    int rc = mf_run(hello, argc > 1 ? argv[1] : world, NULL);

    if (rc < 0)
        fprintf(stderr, "hello: %s\n", mf_explain(rc));
    return rc < 0;
}
