/* SPDX-License-Identifier: MIT */
/*
 * linear_test.c - thousands of small histories; each must be what some order of
 * its calls, one by one, would have given. history.h explains.
 */
#include "sync/stage.h"

enum { PLAYS = 5000 / KIT_SLOW, SPAN = 600 }; /* ms */

MFI_TEST(channels_are_linearizable)
{
    struct stage st = {.plan = plan_chan, .call = call_chan};

    st = tour(st, PLAYS, MF_MSEC(SPAN));
    for (int kind = SEND; kind <= RECV; kind++) {
        EXPECT_BY_CHANCE(st.done[kind] > 0);
        EXPECT_BY_CHANCE(st.timed_out[kind] > 0);
    }
    EXPECT_BY_CHANCE(st.refused[SEND] > 0);
    EXPECT_BY_CHANCE(st.refused[CLOSE] > 0);
}

MFI_TEST(mutexes_are_linearizable)
{
    struct stage st = {.plan = plan_mutex, .call = call_mutex};

    st = tour(st, PLAYS, MF_MSEC(SPAN));
    EXPECT_BY_CHANCE(st.done[LOCK] > 0);
    EXPECT_BY_CHANCE(st.done[HOLD] > 0);
    EXPECT_BY_CHANCE(st.timed_out[LOCK] > 0);
    EXPECT_BY_CHANCE(st.refused[LOCK] > 0);
    EXPECT_BY_CHANCE(st.refused[UNLOCK] > 0);
    EXPECT_BY_CHANCE(st.told > 0);
}

MFI_TEST(selects_on_two_channels_are_linearizable)
{
    struct stage st = {.plan = plan_two, .call = call_two};

    st = tour(st, PLAYS, MF_MSEC(SPAN));
    for (int kind = TWO_SEND; kind <= TWO_PICK; kind++) {
        EXPECT_BY_CHANCE(st.done[kind] > 0);
        EXPECT_BY_CHANCE(st.timed_out[kind] > 0);
    }
}

MFI_TEST(rwlocks_are_linearizable)
{
    struct stage st = {.plan = plan_rwlock, .call = call_rwlock};

    st = tour(st, PLAYS, MF_MSEC(SPAN));
    for (int kind = READ; kind <= WRITE; kind++) {
        EXPECT_BY_CHANCE(st.done[kind] > 0);
        EXPECT_BY_CHANCE(st.timed_out[kind] > 0);
    }
}

MFI_TEST(semaphores_are_linearizable)
{
    struct stage st = {.plan = plan_sem, .call = call_sem};

    st = tour(st, PLAYS, MF_MSEC(SPAN));
    EXPECT_BY_CHANCE(st.done[WAIT] > 0);
    EXPECT_BY_CHANCE(st.timed_out[WAIT] > 0);
    EXPECT_BY_CHANCE(st.done[POST] > 0);
}

/* ---- and broken ones are found out --------------------------------------- */

/* It looks, and then it takes; its memory is that of a mutex. */
static bool call_racy_lock(struct stage *st, struct call *c)
{
    _Atomic uint64_t *owner = (_Atomic uint64_t *)&st->mutex.mfi_[1];
    uint64_t me = (uint64_t)c->actor + 1, seen = mfi_load_acq(owner);

    if (c->kind == UNLOCK && seen == me) {
        mfi_store_rel(owner, 0);
    } else if (c->kind == UNLOCK) {
        c->result = -EPERM;
    } else if (c->kind == LOCK && seen == 0) {
        breathe();
        mfi_store_rel(owner, me);
    } else if (c->kind == LOCK) {
        c->result = seen == me ? -EDEADLK : -ETIMEDOUT;
    }
    return c->kind != END;
}

static void plan_racy_lock(struct stage *st)
{
    plan_mutex(st);
    for (int i = 0; i < st->h.n; i++) /* which it cannot do */
        if (st->h.call[i].kind == HOLD)
            st->h.call[i].kind = LOCK;
        else if (st->h.call[i].kind == END)
            st->h.call[i].kind = UNLOCK;
}

/* Every eighth message is gone. */
static bool call_leaky_chan(struct stage *st, struct call *c)
{
    if (c->kind == SEND && c->arg % 8 == 0 && mf_chan_len(st->chan[0]) == 0)
        return true;
    return call_chan(st, c);
}

static void expect_found(struct stage st)
{
    st.broken = true;
    st.plays = PLAYS_MIN;
    for (st.workers = 1; st.workers <= 2; st.workers++) {
        st.unexplained = 0;
        in_tasks(st.workers, season, &st);
        EXPECT_GT(st.unexplained, 0);
        EXPECT_LT(st.unexplained, st.plays);
    }
}

MFI_TEST(broken_objects_are_found_out)
{
    MFI_SIM_SKIP("by the many plays of a real run");
    expect_found(
        (struct stage){.plan = plan_racy_lock, .call = call_racy_lock});
    expect_found((struct stage){.plan = plan_chan, .call = call_leaky_chan});
}
