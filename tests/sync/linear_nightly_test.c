/* SPDX-License-Identifier: MIT */
/* linear_nightly_test.c - a few hundred thousand histories of each object. */
#include "sync/stage.h"

enum { PLAYS = 300000, SECONDS = 40 };

static void long_tour(void (*plan)(struct stage *),
                      bool (*call)(struct stage *, struct call *))
{
    struct stage st = {.plan = plan, .call = call};

    st = tour(st, PLAYS, MF_SEC(SECONDS));
    EXPECT_GT(st.timed_out[0], 0);
}

MFI_TEST_T(channels_are_linearizable, 400)
{
    long_tour(plan_chan, call_chan);
}

MFI_TEST_T(mutexes_are_linearizable, 400)
{
    long_tour(plan_mutex, call_mutex);
}

MFI_TEST_T(selects_on_two_channels_are_linearizable, 400)
{
    long_tour(plan_two, call_two);
}

MFI_TEST_T(rwlocks_are_linearizable, 400)
{
    long_tour(plan_rwlock, call_rwlock);
}

MFI_TEST_T(semaphores_are_linearizable, 400)
{
    long_tour(plan_sem, call_sem);
}
