/* SPDX-License-Identifier: MIT */
/*
 * wheel.h - timers by the million: arm and disarm in constant time.
 *
 * A timer is a node in memory of its user's, usually on the stack of a waiting
 * coroutine; zeroed, it is not armed. It fires once, never before its time, and
 * is late only by as much as mfi_wheel_expire is called late.
 *
 *   not armed --arm--> armed --expire--> fired (= not armed)
 *                        +----disarm---> not armed
 *
 * fire() is called under the wheel's lock: so once disarm has answered, in
 * either way, nobody touches the timer any more. It must be short, must not
 * wait, and must not call into this wheel.
 */
#ifndef MFI_POLL_WHEEL_H
#define MFI_POLL_WHEEL_H

#include "base/list.h"
#include "base/time.h"
#include "os/spin.h"

struct timer;
struct wheel;

typedef void mfi_timer_fn(struct timer *t, void *ctx);

struct timer {
    struct list link;    /* under the wheel's lock; linked while armed */
    mf_ns at;            /* constant while armed */
    struct wheel *wheel; /* where it was armed last; written by arm */
    mfi_timer_fn *fire;  /* constant while armed */
    uint16_t slot;       /* under the wheel's lock */
};

_Static_assert(sizeof(struct timer) <= 48, "it lives on small stacks");

enum {
    MFI_WHEEL_BITS = 6, /* 64 slots a level, one bit each in a word */
    MFI_WHEEL_SLOTS = 1 << MFI_WHEEL_BITS,
    MFI_WHEEL_TICK_BITS = 10, /* a tick is 1024 ns */
    MFI_WHEEL_LEVELS = 9,     /* 9 * 6 + 10 bits: every mf_ns */
};

struct wheel_slot {
    struct list timers;
    mf_ns bound; /* no timer here is due before; MFI_FAR when empty */
};

struct wheel { /* all but earliest under lock */
    struct spin lock;
    _Atomic mf_ns earliest; /* nothing is due before; MFI_FAR when empty */
    int64_t base;           /* ticks: every earlier tick has been expired */
    size_t nr_armed;
    size_t credit;   /* how many timers a search for a minimum may look at */
    struct list due; /* taken out of their slots, about to fire */
    uint64_t used[MFI_WHEEL_LEVELS];  /* bit s: slot s is not empty */
    uint64_t loose[MFI_WHEEL_LEVELS]; /* bit s: bound may be too low */
    struct wheel_slot slots[MFI_WHEEL_LEVELS * MFI_WHEEL_SLOTS];
};

/* Make w empty, at time `now`. When it goes away nothing may be armed. */
void mfi_wheel_init(struct wheel *w, mf_ns now);

/*
 * Arm t (not armed) to fire at `at`, which may be past. Returns true if nothing
 * in the wheel was known to be due before: whoever sleeps for this wheel sleeps
 * too long. Context: any thread. Never fails.
 */
bool mfi_timer_arm(struct wheel *w, struct timer *t, mf_ns at,
                   mfi_timer_fn *fire);

/*
 * Returns true: t was armed and will not fire. false: it has fired, and fire()
 * has returned (or it was never armed). Context: any thread but in fire().
 */
bool mfi_timer_disarm(struct timer *t);

/*
 * Fire every timer with at <= now, in the order of their ticks, as
 * fire(t, ctx). Returns how many. Context: any thread, several at once too. The
 * lock is given to others now and then.
 */
int mfi_wheel_expire(struct wheel *w, mf_ns now, void *ctx);

/*
 * The earliest deadline in w; MFI_FAR: it is empty. Exact, so a sleeper makes
 * no wake-up in vain, but for this: where the earliest of very many timers was
 * disarmed, so that the next one had to be searched for too often, the answer
 * may be the disarmed one's time. After an expire at that time it is exact.
 */
mf_ns mfi_wheel_next(struct wheel *w);

/* What mfi_wheel_next would say or earlier, without the lock. */
static inline mf_ns mfi_wheel_earliest(struct wheel *w)
{
    return mfi_load_acq(&w->earliest);
}

/* Walk over everything and assert the invariants. Takes the lock. For tests. */
void mfi_wheel_check(struct wheel *w);

#endif
