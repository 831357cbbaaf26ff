/* SPDX-License-Identifier: MIT */
/* lot_test.c - queues of many keys in one place do not mix. */
#include "sync/lot.h"

#include <string.h>

#include "sched/help.h"

enum { KEYS = 4, EACH = 6, STEPS = 200000, NOBODY = -1 };

/* A model beside it: who is queued for each key, in order. */
struct model {
    struct lot *lot;
    struct lot_waiter w[KEYS][EACH];
    struct parker p[KEYS][EACH];
    int queue[KEYS][EACH];
    int n[KEYS];
    const void *key[KEYS];
};

/* Addresses that hash to the same place. */
static void find_keys(struct model *m)
{
    uintptr_t at = 0x10000;

    m->lot = mfi_lot((void *)at);
    for (int k = 0; k < KEYS; at += 16)
        if (mfi_lot((void *)at) == m->lot)
            m->key[k++] = (void *)at;
}

static int where(struct model *m, int k, int i)
{
    for (int at = 0; at < m->n[k]; at++)
        if (m->queue[k][at] == i)
            return at;
    return NOBODY;
}

static void drop(struct model *m, int k, int at)
{
    m->n[k]--;
    for (; at < m->n[k]; at++)
        m->queue[k][at] = m->queue[k][at + 1];
}

static void add(struct model *m, int k, int i, bool front)
{
    struct lot_waiter *w = &m->w[k][i];
    int at = m->n[k]++;

    memset(w, 0xa5, sizeof *w); /* stack memory */
    memset(&m->p[k][i], 0, sizeof m->p[k][i]);
    mfi_store_rlx(&m->p[k][i].word, (uint32_t)PARK_PARKED);
    w->s.w.parker = &m->p[k][i];
    w->key = m->key[k];
    mfi_lot_add(m->lot, w, front);
    for (; front && at > 0; at--)
        m->queue[k][at] = m->queue[k][at - 1];
    m->queue[k][at] = i;
}

static void claim(struct model *m, int k)
{
    struct wake_list woken;
    struct lot_waiter *w;

    mfi_wake_list_init(&woken);
    while (m->n[k] != 0 && (mfi_load_rlx(&m->p[k][m->queue[k][0]].word) &
                            PARK_STATE) == PARK_CLAIMED)
        drop(m, k, 0); /* its wait was over: passed over */
    w = mfi_lot_claim(m->lot, m->key[k], &woken);
    if (m->n[k] == 0) {
        EXPECT_EQ(w, NULL);
        EXPECT_EQ(woken.head, NULL);
        return;
    }
    EXPECT_EQ(w, &m->w[k][m->queue[k][0]]);
    EXPECT_EQ(woken.head, &m->p[k][m->queue[k][0]]);
    EXPECT_EQ(woken.head->next, NULL);
    drop(m, k, 0);
    memset(w, 0x5a, sizeof *w); /* gone */
    w->s.w.link.next = NULL;
}

static void step(struct model *m, uint32_t *seed)
{
    int k = (int)chance(seed, KEYS), i = (int)chance(seed, EACH);
    int at = where(m, k, i);

    mfi_spin_lock(&m->lot->lock);
    switch (chance(seed, 4)) {
    case 0:
    case 1:
        if (at == NOBODY)
            add(m, k, i, chance(seed, 3) == 0);
        else if (chance(seed, 4) == 0) /* its deadline claims it */
            mfi_parker_claim(&m->p[k][i], WOKEN_TIMEOUT);
        break;
    case 2:
        claim(m, k);
        break;
    case 3:
        mfi_lot_del(m->lot, &m->w[k][i]); /* in or out */
        if (at != NOBODY)
            drop(m, k, at);
        break;
    }
    for (k = 0; k < KEYS; k++)
        EXPECT_EQ(mfi_lot_empty(m->lot, m->key[k]), m->n[k] == 0);
    mfi_spin_unlock(&m->lot->lock);
}

static struct model model;

MFI_TEST(each_key_has_a_queue_of_its_own)
{
    uint32_t seed = 2463534242u;

    find_keys(&model);
    for (int i = 0; i < STEPS; i++)
        step(&model, &seed);
}

MFI_TEST(addresses_spread_over_the_places)
{
    enum { NEIGHBOURS = 1000 };
    static char objects[NEIGHBOURS][16];
    int alone = 0;

    for (int i = 0; i < NEIGHBOURS; i++) {
        int same = 0;

        for (int k = 0; k < NEIGHBOURS; k++)
            same += mfi_lot(objects[i]) == mfi_lot(objects[k]);
        EXPECT_LE(same, 12);
        alone += same <= 4;
    }
    EXPECT_GT(alone, NEIGHBOURS / 2);
}
