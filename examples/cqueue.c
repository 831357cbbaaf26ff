/* SPDX-License-Identifier: MIT */
/*
 * cqueue.c - ten generators summed, stopped by a timer.
 *
 * Each arm takes its time between two values, all arms at once (top halves);
 * what follows mf_arm_send runs inside the poll, one arm at a time (bottom
 * halves), so the sum needs no lock.
 *
 * Run: ./cqueue [MILLISECONDS]    stops after so long (default: 10 s)
 */
#include <stdio.h>
#include <stdlib.h>

#include <mayfly.h>

MF_GEN_DEFINE(ints, int);

enum { ARMS = 10, VALUES = 20, STOP = ARMS };

static long sum; /* of the bottom halves */

static int multiples(mf_gen *self, void *arg)
{
    int step = *(int *)arg, rc = 0;

    for (int i = 1; i <= VALUES && rc == 0; i++)
        rc = ints_yield(self, i * step);
    return rc;
}

static int source(mf_arm *self, void *arg)
{
    int rc, v;
    ints *g;

    if ((rc = ints_make(multiples, arg, &g)) < 0)
        return rc;
    while ((rc = ints_next(g, &v)) > 0) {
        if ((rc = mf_sleep(MF_MSEC(1))) < 0 || (rc = mf_arm_send(self, v)) < 0)
            break;
        sum += v;
    }
    ints_free(g);
    return rc;
}

static int stop(mf_arm *self, void *arg)
{
    int rc = mf_sleep(*(mf_ns *)arg);

    return rc < 0 ? rc : mf_arm_send(self, 0);
}

static int total(void *arg)
{
    int steps[ARMS], rc = 0, left = ARMS;
    mf_cevent ev;

    MF_CQUEUE(q);
    for (int i = 0; i < ARMS && rc == 0; i++) {
        steps[i] = i;
        rc = mf_cqueue_add(&q, (uint64_t)i, source, &steps[i], NULL);
    }
    if (rc < 0 || (rc = mf_cqueue_add(&q, STOP, stop, arg, NULL)) < 0)
        return rc;
    while (left > 0 && (rc = mf_cqueue_poll(&q, &ev, MF_NEVER)) > 0) {
        if (ev.token == STOP) {
            printf("stopped\n");
            break;
        }
        left -= ev.ended;
    }
    if (rc > 0)
        rc = mf_cqueue_close(&q); /* cancels those still at it */
    printf("%s %ld\n", left == 0 ? "sum" : "sum so far", sum);
    return rc;
}

int main(int argc, char **argv)
{
    mf_ns limit = MF_MSEC(argc > 1 ? strtol(argv[1], NULL, 10) : 10000);
    int rc = mf_run(total, &limit, NULL);

    if (rc < 0)
        fprintf(stderr, "cqueue: %s\n", mf_explain(rc));
    return rc < 0;
}
