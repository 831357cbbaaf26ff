/* SPDX-License-Identifier: MIT */
/*
 * calls.c - several functions at once: a scope, a task each, and its close.
 *
 * Everything is the scope's: its mode says which result counts, its cancel
 * reaches what runs, its close waits for all. Only the start is ours. A go that
 * is refused with -ECANCELED found the scope cancelled: a call has failed, or
 * won, or somebody above said so before all were started; then the close knows
 * the answer. Any other refusal is one: nobody asked for a part of the calls.
 */
#include <mayfly/task.h>

#include <errno.h>

static int check(const mf_call *calls, int n)
{
    if (n < 0 || (n > 0 && calls == NULL))
        return -EINVAL;
    for (int i = 0; i < n; i++)
        if (calls[i].fn == NULL)
            return -EINVAL;
    return 0;
}

static int start(mf_scope *s, const mf_call *calls, int n)
{
    int rc = 0;

    for (int i = 0; i < n && rc == 0; i++)
        rc = mf_go_at(s, calls[i].fn, calls[i].arg, "one of several calls");
    return rc;
}

int mf_run_all(const mf_call *calls, int n, const mf_scope_options *opts)
{
    mf_scope s;
    int rc = check(calls, n), why;

    if (rc < 0 || n == 0)
        return rc;
    if ((rc = mf_scope_open(&s, opts)) < 0)
        return rc;
    rc = start(&s, calls, n);
    if (rc < 0 && rc != -ECANCELED)
        mf_scope_cancel(&s);
    why = mf_scope_close(&s);
    return rc < 0 && rc != -ECANCELED ? rc : why;
}
