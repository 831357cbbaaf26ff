/* SPDX-License-Identifier: MIT */
/*
 * sieve.c - primes by a chain of filters, each a task with a channel to the
 * next: the first number that comes through is a prime, and gets a filter of
 * its own at the end of the chain.
 *
 *   2 3 4 5 ... -> [not by 2] -> [not by 3] -> [not by 5] -> ...
 *
 * Source: McIlroy 1968, "Coroutines"; Hoare 1978, "Communicating Sequential
 * Processes", section 6.1.
 *
 * Run: ./sieve [HOW_MANY]    (default 100)
 */
#include <stdio.h>
#include <stdlib.h>

#include <mayfly.h>

MF_CHAN_DEFINE(ints, int);

struct filter {
    ints *in;
    ints *out;
    int prime;
};
MF_TASK_DEFINE(sift, struct filter);

static int sift(struct filter *f)
{
    int v, rc;

    while ((rc = ints_recv(f->in, &v, MF_NEVER)) > 0)
        if (v % f->prime != 0 && (rc = ints_send(f->out, v, MF_NEVER)) < 0)
            break;
    ints_unref(f->in);
    ints_unref(f->out);
    return rc;
}

static int count_up(void *arg)
{
    ints *out = arg;
    int rc = 0;

    for (int i = 2; rc == 0; i++)
        rc = ints_send(out, i, MF_NEVER);
    ints_unref(out);
    return rc;
}

static int primes(void *arg)
{
    int rc, prime = 0, wanted = *(int *)arg;
    ints *last, *next;

    if ((rc = ints_make(0, NULL, &last)) < 0)
        return rc;
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    if ((rc = mf_go(&s, count_up, ints_ref(last))) < 0)
        ints_unref(last);
    for (int n = 0; n < wanted && rc >= 0; n++) {
        if ((rc = ints_recv(last, &prime, MF_NEVER)) < 0 ||
            (rc = ints_make(0, NULL, &next)) < 0)
            break;
        printf("%d%c", prime, (n + 1) % 10 == 0 ? '\n' : ' ');
        /* The filter has `last` from us, and shares `next` with us. */
        rc = sift_go(&s, (struct filter){last, ints_ref(next), prime});
        if (rc < 0) {
            ints_unref(last);
            ints_unref(next);
        }
        last = next;
    }
    printf("\nprime %d is %d\n", wanted, prime);
    mf_scope_cancel(&s); /* enough: each filter ends, giving up its channels */
    ints_unref(last);
    return rc < 0 ? rc : mf_scope_close(&s);
}

int main(int argc, char **argv)
{
    int wanted = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 100;

    return mf_run(primes, &wanted, NULL) < 0;
}
