/* SPDX-License-Identifier: MIT */
/*
 * errgroup.c - many jobs, at most three at a time, and the first that fails
 * ends them all: what Go's errgroup does, a scope does by itself.
 *
 * Run: ./errgroup
 */
#include <errno.h>
#include <stdio.h>

#include <mayfly.h>

enum { JOBS = 20, AT_ONCE = 3, BAD = 7 };

struct job {
    int id;
    int *done;
    mf_mutex *lock;
};
MF_TASK_DEFINE(fetch, struct job);

/* Plain blocking code: it knows nothing of the others, nor of its limits. */
static int fetch(struct job *j)
{
    int rc = mf_sleep(MF_MSEC(2));

    if (rc < 0)
        return rc; /* somebody else failed: -ECANCELED */
    if (j->id == BAD)
        return -EHOSTUNREACH;
    mf_mutex_hold(j->lock);
    ++*j->done;
    mf_mutex_unlock(j->lock);
    return 0;
}

/* What closing the scope says is the first failure, or 0. */
static int all(int jobs, int *done)
{
    mf_mutex lock = {{0, 0}};

    MF_SCOPE(s, .limit = AT_ONCE);
    for (int i = 0; i < jobs; i++)
        fetch_go(&s, (struct job){i, done, &lock}); /* refused ones count */
    return mf_scope_close(&s);
}

static int ping(void *arg)
{
    int rc = mf_sleep(*(mf_ns *)arg);

    return rc < 0 ? rc : (int)(*(mf_ns *)arg / MF_MSEC(1));
}

static int run(void *arg)
{
    mf_ns slow = MF_MSEC(2000), quick = MF_MSEC(20);
    int done = 0, rc;

    (void)arg;
    rc = all(BAD, &done);
    printf("%d jobs: %s, %d done\n", BAD, mf_strerror(rc), done);
    done = 0;
    rc = all(JOBS, &done);
    printf("%d jobs: %s, %s\n", JOBS, mf_strerror(rc),
           done < JOBS ? "not all done" : "all done");
    /* The same without a loop: all of them, or the first that succeeds. */
    rc = mf_join_all(MF_CALL(ping, &quick), MF_CALL(ping, &quick));
    printf("join_all: %d\n", rc);
    rc = mf_race(MF_CALL(ping, &slow), MF_CALL(ping, &quick));
    printf("race: %d ms\n", rc);
    return rc < 0 ? rc : 0;
}

int main(void)
{
    return mf_run(run, NULL, NULL) < 0;
}
