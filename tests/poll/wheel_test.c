/* SPDX-License-Identifier: MIT */
/*
 * wheel_test.c - the wheel against an array that is searched from end to end.
 *
 * Random arms, disarms and jumps of the clock, from seeds that are printed:
 * MF_SEED=n runs that one alone. After each step the walker looks over the
 * whole wheel.
 */
#include "poll/wheel.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/thread.h"
#include "test.h"

enum { TIMERS = 300, STEPS = 4000, SEEDS = 40 };

struct probe {
    struct timer timer;
    mf_ns at;  /* MFI_FAR: not armed; what the oracle believes */
    int fired; /* its place among them; 0: has not */
};

static struct wheel wheel;
static struct probe probes[TIMERS];
static mf_ns fire_time;
static int nr_fired;

static void fire(struct timer *t, void *ctx)
{
    struct probe *p = mfi_container_of(t, struct probe, timer);

    EXPECT(ctx == &wheel);
    EXPECT(!mfi_list_linked(&t->link));
    EXPECT_LE(p->at, fire_time); /* never early; FAR: never after a disarm */
    p->at = MFI_FAR;
    p->fired = ++nr_fired;
}

static uint64_t seed;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* A span of any magnitude: most of the bits are as likely 1 as 63. */
static mf_ns any_span(unsigned bits)
{
    return (mf_ns)(rnd() >> (64 - bits + rnd() % bits));
}

static mf_ns oracle_next(void)
{
    mf_ns next = MFI_FAR;

    for (int i = 0; i < TIMERS; i++)
        next = probes[i].at < next ? probes[i].at : next;
    return next;
}

static int oracle_due(mf_ns now)
{
    int n = 0;

    for (int i = 0; i < TIMERS; i++)
        n += probes[i].at <= now;
    return n;
}

static void expire(mf_ns now)
{
    int due = oracle_due(now);

    fire_time = now;
    EXPECT_EQ(mfi_wheel_expire(&wheel, now, &wheel), due);
    EXPECT_EQ(oracle_due(now), 0);
}

static void step(mf_ns *now)
{
    struct probe *p = &probes[rnd() % TIMERS];
    mf_ns next = oracle_next();

    switch (rnd() % 8) {
    case 0:
    case 1:
    case 2:
        if (p->at != MFI_FAR)
            break;
        p->at = mfi_time_add(*now, any_span(50));
        if (rnd() % 8 == 0)
            p->at = probes[rnd() % TIMERS].at; /* some are equal */
        else if (rnd() % 16 == 0)
            p->at = (mf_ns)(rnd() % (uint64_t)(*now + 1)); /* or past */
        if (p->at >= MFI_FAR - 1)
            p->at = MFI_FAR - 1;
        next = mfi_wheel_earliest(&wheel);
        EXPECT_EQ(mfi_timer_arm(&wheel, &p->timer, p->at, fire), p->at < next);
        break;
    case 3:
    case 4:
        EXPECT_EQ(mfi_timer_disarm(&p->timer), p->at != MFI_FAR);
        EXPECT(!mfi_timer_disarm(&p->timer));
        p->at = MFI_FAR;
        break;
    case 5:
        *now = mfi_time_add(*now, any_span(rnd() % 8 == 0 ? 45 : 24));
        if (*now == MFI_FAR)
            *now = MFI_FAR - 1;
        expire(*now);
        break;
    case 6: /* as a sleeper does */
        if (next == MFI_FAR)
            break;
        if (next > *now) {
            *now = next - 1;
            expire(*now);
            *now = next;
        }
        expire(*now);
        break;
    case 7:
        EXPECT_EQ(mfi_wheel_next(&wheel), next);
        break;
    }
    next = oracle_next();
    EXPECT_LE(mfi_wheel_earliest(&wheel), next);
    if (next == MFI_FAR)
        EXPECT_EQ(mfi_wheel_earliest(&wheel), MFI_FAR);
    mfi_wheel_check(&wheel);
}

static void run_seed(uint64_t s)
{
    mf_ns now;

    seed = s * UINT64_C(0x9e3779b97f4a7c15) + 1;
    now = any_span(60);
    for (int i = 0; i < TIMERS; i++)
        probes[i] = (struct probe){.at = MFI_FAR};
    mfi_wheel_init(&wheel, now);
    for (int i = 0; i < STEPS; i++)
        step(&now);
    expire(MFI_FAR - 1); /* the longest sleep */
    EXPECT_EQ(oracle_next(), MFI_FAR);
    EXPECT_EQ(mfi_wheel_next(&wheel), MFI_FAR);
    EXPECT_EQ(mfi_wheel_earliest(&wheel), MFI_FAR);
}

MFI_TEST(it_agrees_with_an_array)
{
    const char *one = getenv("MF_SEED");

    if (one != NULL) {
        run_seed(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t s = 1; s <= SEEDS; s++) {
        printf("# MF_SEED=%llu\n", (unsigned long long)s);
        fflush(stdout);
        run_seed(s);
    }
}

static void arm(int i, mf_ns at)
{
    probes[i].at = at;
    probes[i].fired = 0;
    mfi_timer_arm(&wheel, &probes[i].timer, at, fire);
}

MFI_TEST(a_timer_fires_at_its_nanosecond_not_before)
{
    const mf_ns start = MF_SEC(1000);

    mfi_wheel_init(&wheel, start);
    for (unsigned bits = 0; bits < 62; bits++) {
        mf_ns at = start + (INT64_C(1) << bits);

        arm(0, at);
        EXPECT_EQ(mfi_wheel_next(&wheel), at);
        fire_time = at - 1;
        EXPECT_EQ(mfi_wheel_expire(&wheel, at - 1, &wheel), 0);
        fire_time = at;
        EXPECT_EQ(mfi_wheel_expire(&wheel, at, &wheel), 1);
        mfi_wheel_init(&wheel, start);
    }
}

MFI_TEST(extreme_deadlines_are_kept)
{
    mfi_wheel_init(&wheel, 0);
    arm(0, MFI_FAR);
    arm(1, 0);
    arm(2, INT64_MIN);
    mfi_wheel_check(&wheel);
    EXPECT_EQ(mfi_wheel_next(&wheel), INT64_MIN);
    fire_time = 0;
    EXPECT_EQ(mfi_wheel_expire(&wheel, 0, &wheel), 2);
    EXPECT(probes[0].fired == 0);
    fire_time = MFI_FAR;
    EXPECT_EQ(mfi_wheel_expire(&wheel, MFI_FAR, &wheel), 1);
}

MFI_TEST(after_a_long_stall_they_fire_in_order)
{
    const mf_ns start = MF_SEC(77);

    mfi_wheel_init(&wheel, start);
    for (int i = 0; i < TIMERS; i++) /* shuffled, 37 us apart */
        arm(i, start + MF_USEC(37) * (i * 7 % TIMERS));
    fire_time = start + MF_SEC(10);
    EXPECT_EQ(mfi_wheel_expire(&wheel, fire_time, &wheel), TIMERS);
    for (int i = 0; i < TIMERS; i++)
        EXPECT_EQ(probes[i].fired, i * 7 % TIMERS + 1);
}

/* A timer armed for the time in which base is behind lands right. */
MFI_TEST(an_idle_wheel_takes_new_timers)
{
    mf_ns now = MF_SEC(5);

    mfi_wheel_init(&wheel, now);
    arm(0, now + MF_SEC(3600));
    for (int i = 1; i < 100; i++) {
        now += MF_SEC(30);
        arm(i, now + MF_MSEC(1));
        EXPECT_EQ(mfi_wheel_next(&wheel), now + MF_MSEC(1));
        mfi_wheel_check(&wheel);
        EXPECT(mfi_timer_disarm(&probes[i].timer));
        EXPECT_EQ(mfi_wheel_next(&wheel), MF_SEC(5) + MF_SEC(3600));
    }
}

enum { CROWD = 100000 };
static struct timer crowd[CROWD];

static void count(struct timer *t, void *ctx)
{
    (void)t;
    *(int *)ctx += 1;
}

/*
 * 100 000 connections with a timeout of 30 s, each busy in turn: the earliest
 * is always the one that is disarmed. Searching them all each time would take
 * minutes. After the last, at most one wake-up is in vain.
 */
MFI_TEST(a_crowd_does_not_make_the_next_deadline_expensive)
{
    mf_ns now = MF_SEC(100), next;
    int fired = 0, in_vain = 0;

    mfi_wheel_init(&wheel, now);
    for (int i = 0; i < CROWD; i++)
        mfi_timer_arm(&wheel, &crowd[i], now + MF_SEC(30) + i * 1000, count);
    for (int i = 0; i < CROWD - 1; i++) {
        now += 500;
        EXPECT(mfi_timer_disarm(&crowd[i]));
        mfi_timer_arm(&wheel, &crowd[i], now + MF_SEC(60), count);
        next = mfi_wheel_next(&wheel);
        EXPECT_LE(next, MF_SEC(130) + (i + 1) * 1000);
    }
    while (fired == 0) {
        next = mfi_wheel_next(&wheel);
        mfi_wheel_expire(&wheel, next, &fired);
        in_vain += fired == 0;
    }
    EXPECT_EQ(next, MF_SEC(130) + (CROWD - 1) * 1000);
    EXPECT_LE(in_vain, 1);
    mfi_wheel_check(&wheel);
}

MFI_TEST(an_empty_wheel_says_so_at_once)
{
    mfi_wheel_init(&wheel, 0);
    EXPECT_EQ(mfi_wheel_earliest(&wheel), MFI_FAR);
    arm(0, 50);
    EXPECT_EQ(mfi_wheel_earliest(&wheel), 50);
    EXPECT(mfi_timer_disarm(&probes[0].timer));
    EXPECT_EQ(mfi_wheel_earliest(&wheel), MFI_FAR);
}

/* A search that is too long is not made; one wake-up in vain pays for it. */
MFI_TEST(the_answer_is_exact_after_a_wake_up_in_vain)
{
    const mf_ns first = MF_SEC(30);
    int fired = 0;

    mfi_wheel_init(&wheel, 0);
    for (int i = 0; i < 1000; i++)
        mfi_timer_arm(&wheel, &crowd[i], first + MF_USEC(100) * i, count);
    EXPECT(mfi_timer_disarm(&crowd[0]));
    EXPECT_EQ(mfi_wheel_next(&wheel), first);
    mfi_wheel_check(&wheel);
    EXPECT_EQ(mfi_wheel_expire(&wheel, first, &fired), 0);
    EXPECT_EQ(mfi_wheel_next(&wheel), first + MF_USEC(100));
    EXPECT_EQ(mfi_wheel_expire(&wheel, first + MF_USEC(100), &fired), 1);
    /* A few timers are always looked through. */
    for (int i = 2; i < 950; i++)
        EXPECT(mfi_timer_disarm(&crowd[i]));
    for (int i = 950; i < 999; i++) {
        EXPECT(mfi_timer_disarm(&crowd[i]));
        EXPECT_EQ(mfi_wheel_next(&wheel), first + MF_USEC(100) * (i + 1));
    }
}

MFI_TEST(equal_deadlines_fire_at_once)
{
    int fired = 0;

    mfi_wheel_init(&wheel, 0);
    for (int i = 0; i < CROWD; i++)
        mfi_timer_arm(&wheel, &crowd[i], MF_SEC(3), count);
    EXPECT_EQ(mfi_wheel_expire(&wheel, MF_SEC(3) - 1, &fired), 0);
    for (int i = 0; i < CROWD; i += 2)
        EXPECT(mfi_timer_disarm(&crowd[i]));
    EXPECT_EQ(mfi_wheel_next(&wheel), MF_SEC(3));
    EXPECT_EQ(mfi_wheel_expire(&wheel, MF_SEC(3), &fired), CROWD / 2);
    EXPECT_EQ(fired, CROWD / 2);
    EXPECT(!mfi_timer_disarm(&crowd[1]));
}

/*
 * Two threads arm and disarm timers on their own stacks, two expire. A timer is
 * overwritten as soon as disarm has answered: a wheel that still used it would
 * crash; one that fired it twice, or lost it, would make the sums differ.
 */
enum { ROUNDS = 20000, AT_ONCE = 20 };

struct guest {
    struct timer timer;
    _Atomic int fired;
};

static _Atomic bool stopped;
static _Atomic long nr_disarmed, nr_seen, nr_expired;

static void fire_guest(struct timer *t, void *ctx)
{
    struct guest *g = mfi_container_of(t, struct guest, timer);

    (void)ctx;
    for (int i = 0; i < 50; i++) /* give a disarm time to answer too early */
        mfi_cpu_relax();
    if (++nr_fired % 16 == 0)
        sched_yield();
    mfi_add_rlx(&g->fired, 1);
}

static void be_guest(void *arg)
{
    uint64_t x = (uint64_t)(uintptr_t)arg | 1;

    for (int i = 0; i < ROUNDS; i++) {
        struct guest guests[AT_ONCE] = {{.fired = 0}};

        for (int k = 0; k < AT_ONCE; k++) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
            mfi_timer_arm(&wheel, &guests[k].timer, mf_now() + (mf_ns)(x >> 50),
                          fire_guest);
        }
        for (int k = AT_ONCE - 1; k >= 0; k--) {
            bool was_armed = mfi_timer_disarm(&guests[k].timer);

            EXPECT_EQ(mfi_load_rlx(&guests[k].fired), !was_armed);
            mfi_add_rlx(was_armed ? &nr_disarmed : &nr_seen, 1);
        }
        memset(guests, 0xff, sizeof guests);
    }
}

static void keep_expiring(void *arg)
{
    (void)arg;
    while (!mfi_load_acq(&stopped)) {
        mf_ns now = mf_now();

        mfi_add_rlx(&nr_expired, mfi_wheel_expire(&wheel, now, NULL));
        EXPECT_GT(mfi_wheel_next(&wheel), 0);
    }
}

MFI_TEST(disarm_and_expire_race_and_one_of_them_wins)
{
    struct os_thread threads[4];

    mfi_wheel_init(&wheel, mf_now());
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(mfi_thread_start(&threads[i], "race",
                                   i < 2 ? be_guest : keep_expiring,
                                   &threads[i], 0),
                  0);
    mfi_thread_join(&threads[0]);
    mfi_thread_join(&threads[1]);
    mfi_store_rel(&stopped, true);
    mfi_thread_join(&threads[2]);
    mfi_thread_join(&threads[3]);
    EXPECT_EQ(mfi_load_rlx(&nr_seen), mfi_load_rlx(&nr_expired));
    EXPECT_EQ(mfi_load_rlx(&nr_seen) + mfi_load_rlx(&nr_disarmed),
              2L * ROUNDS * AT_ONCE);
    EXPECT_GT(mfi_load_rlx(&nr_seen), 0);
    EXPECT_GT(mfi_load_rlx(&nr_disarmed), 0);
    EXPECT_EQ(mfi_wheel_next(&wheel), MFI_FAR);
    mfi_wheel_check(&wheel);
}
