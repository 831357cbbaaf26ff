/* SPDX-License-Identifier: MIT */
/*
 * proc.c - a pipeline of two programs, sort | uniq -c, with a deadline.
 *
 * One task feeds the first program, another reads what the second says; both
 * programs belong to a scope with a deadline. Whatever happens, when the scope
 * is closed no task and no process is left, and no zombie.
 *
 * Run: ./proc
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <mayfly.h>

struct pipeline {
    mf_proc *sort, *uniq;
};

static const char words[] = "may\nfly\nmay\nday\nmay\nfly\n";

static int feed(void *arg)
{
    struct pipeline *p = arg;
    int rc =
        mf_write_all(mf_proc_fd(p->sort, 0), words, strlen(words), MF_NEVER);

    mf_proc_hang_up(p->sort, 0); /* sort sees the end of its input */
    return rc;
}

static int show(void *arg)
{
    struct pipeline *p = arg;
    char buf[512];
    int n;

    while ((n = mf_read(mf_proc_fd(p->uniq, 1), buf, sizeof buf, MF_NEVER)) > 0)
        fwrite(buf, 1, (size_t)n, stdout);
    return n;
}

/* sort's output is uniq's input: a pipe we do not look into. */
static int start(struct pipeline *p, mf_scope *s)
{
    const char *const sort[] = {"sort", NULL};
    const char *const uniq[] = {"uniq", "-c", NULL};
    int between[2], rc;

    if (pipe(between) < 0)
        return -errno;
    rc = mf_proc_start(
        sort,
        MF_PROC_OPTIONS(.scope = s, .in = MF_STDIO_PIPE, .out = between[1]),
        &p->sort);
    if (rc == 0) {
        rc = mf_proc_start(
            uniq,
            MF_PROC_OPTIONS(.scope = s, .in = between[0], .out = MF_STDIO_PIPE),
            &p->uniq);
    }
    close(between[0]); /* the programs have their own */
    close(between[1]);
    return rc;
}

static int run(void *arg)
{
    struct pipeline p = {NULL, NULL};
    mf_exit_status ended = {0, 0, 0};
    mf_scope s;
    int rc, why;

    (void)arg;
    rc = mf_scope_open(&s, MF_SCOPE_OPTIONS(.deadline = mf_after(MF_SEC(10))));
    if (rc < 0 || (rc = start(&p, &s)) < 0)
        goto out;
    mf_go(&s, feed, &p);
    mf_go(&s, show, &p);
    if ((rc = mf_proc_wait(p.uniq, &ended, MF_NEVER)) == 0)
        rc = mf_scope_wait(&s, MF_NEVER);
out:
    if ((why = mf_scope_close(&s)) < 0)
        rc = why; /* -ETIMEDOUT: the deadline killed them */
    mf_proc_close(p.sort);
    mf_proc_close(p.uniq);
    if (rc == 0)
        printf("uniq ended with %d\n", ended.code);
    else
        fprintf(stderr, "proc: %s\n", mf_explain(rc));
    return rc;
}

int main(void)
{
    return mf_run(run, NULL, NULL) < 0;
}
