/* SPDX-License-Identifier: MIT */
/*
 * member.h - a task or thread of a crew that can be watched: does it sleep,
 * what did it return; and whose wait the test can end by itself, half.
 *
 * pounce() claims a sleeping member's parker as a deadline or a cancel would,
 * and let_go() lets it run. In between, to whoever looks, it is a waiter whose
 * wait is over but who has not left the queue yet: the moment that races are
 * about, held still.
 */
#ifndef MFI_TESTS_SYNC_MEMBER_H
#define MFI_TESTS_SYNC_MEMBER_H

#include "sched/park.h"
#include "sync/crew.h"

struct member {
    mf_fn *fn;
    void *arg;
    _Atomic(struct agent *) agent;
    mf_task *task; /* NULL: a thread */
    int rc;
    _Atomic int over;
};

enum { STILL_THERE = 1000 }; /* member_rc: it has not returned */

KIT int member_main(void *arg)
{
    struct member *m = arg;

    mfi_store_rel(&m->agent, mfi_agent());
    m->rc = m->fn(m->arg);
    mfi_store_rel(&m->over, 1);
    return 0;
}

KIT void start(struct crew *c, struct member *m, bool thread, mf_fn *fn,
               void *arg)
{
    *m = (struct member){.fn = fn, .arg = arg};
    if (thread)
        crew_add(c, true, member_main, m);
    else
        EXPECT_EQ(mf_spawn(&c->scope, member_main, m, NULL, &m->task), 0);
}

KIT uint32_t member_state(struct member *m)
{
    struct agent *a = mfi_load_acq(&m->agent);

    return a == NULL ? (uint32_t)PARK_IDLE
                     : mfi_load_acq(&a->parker.word) & PARK_STATE;
}

KIT int member_rc(struct member *m)
{
    return mfi_load_acq(&m->over) != 0 ? m->rc : STILL_THERE;
}

/* What it returns, as soon as it does. */
KIT int result(struct member *m)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();

    while (member_rc(m) == STILL_THERE) {
        EXPECT_LT(mf_now(), end);
        breathe();
    }
    return m->rc;
}

/* Until it waits for something. */
KIT void await_asleep(struct member *m)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();

    while (member_state(m) != PARK_PARKED) {
        EXPECT_EQ(member_rc(m), STILL_THERE);
        EXPECT_LT(mf_now(), end);
        breathe();
    }
}

KIT void start_asleep(struct crew *c, struct member *m, bool thread, mf_fn *fn,
                      void *arg)
{
    start(c, m, thread, fn, arg);
    await_asleep(m);
}

/* It sleeps: end its wait, but do not let it run. */
KIT void pounce(struct member *m, enum park_reason reason,
                struct wake_list *woken)
{
    mfi_wake_list_init(woken);
    EXPECT(mfi_parker_wake(&mfi_load_acq(&m->agent)->parker, reason, woken));
    EXPECT(woken->head != NULL);
}

KIT void let_go(struct wake_list *woken)
{
    mfi_wake(woken);
}

/* Marsaglia 2003, "Xorshift RNGs". */
KIT uint32_t chance(uint32_t *seed, uint32_t n)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed % n;
}

/* Compute for about n loops: no clock, no call. */
KIT void spin(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        __asm__ __volatile__("" ::: "memory");
}

/* ---- a sparring partner -------------------------------------------------- */

/*
 * A thread that does its part of each round at the very moment the test does
 * its own, give or take a microsecond: for windows of a few instructions.
 */
struct partner {
    struct crew crew;
    mf_fn *fn;
    void *_Atomic arg; /* of this round; NULL: the end */
    _Atomic uint32_t round, over;
};

KIT void spin_until(_Atomic uint32_t *word, uint32_t value)
{
    for (int spins = 0; mfi_load_acq(word) != value; spins++)
        if (spins > 1000)
            sched_yield();
}

KIT int partner_main(void *arg)
{
    struct partner *p = arg;
    uint32_t round = 0, seed = 88172645u;
    void *with;

    for (;;) {
        spin_until(&p->round, ++round);
        with = mfi_load_acq(&p->arg);
        if (with == NULL)
            return 0;
        spin(chance(&seed, 1024));
        EXPECT_EQ(p->fn(with), 0);
        mfi_store_rel(&p->over, round);
    }
}

KIT void partner_open(struct partner *p, mf_fn *fn)
{
    p->fn = fn;
    mfi_store_rlx(&p->round, 0u);
    mfi_store_rlx(&p->over, 0u);
    crew_open(&p->crew);
    crew_add(&p->crew, true, partner_main, p);
}

/* It begins fn(arg) about now; the caller is held up at random, too. */
KIT void partner_go(struct partner *p, void *arg, uint32_t *seed)
{
    mfi_store_rel(&p->arg, arg);
    mfi_store_rel(&p->round, mfi_load_rlx(&p->round) + 1);
    spin(chance(seed, 1024));
}

/* Wait until it has done its part. */
KIT void partner_done(struct partner *p)
{
    spin_until(&p->over, mfi_load_rlx(&p->round));
}

KIT void partner_close(struct partner *p)
{
    mfi_store_rel(&p->arg, NULL);
    mfi_store_rel(&p->round, mfi_load_rlx(&p->round) + 1);
    crew_close(&p->crew);
}

/* fn(arg) on one worker, on two, and with a plain thread in charge. */
KIT void everywhere(mf_fn *fn, void *arg)
{
    in_tasks(1, fn, arg);
    in_tasks(2, fn, arg);
    in_thread(fn, arg);
}

#endif
