/* SPDX-License-Identifier: MIT */
/*
 * wheel.c - a hierarchical timing wheel that knows its exact minimum.
 *
 * A deadline is a number of ticks, read as nine digits of six bits; base, the
 * tick up to which all has expired, is too. A timer stands on the level of the
 * highest digit in which it differs from base, in the slot of that digit:
 *
 *     base    3  17  40          level 2 | 0 1 2 3 . . 9 . . 63 |
 *     timer   3  17  52  -> 0    level 1 | 0 . 17 . 23 . . . 63 |
 *     timer   3  23   5  -> 1    level 0 | . . 40 . 52 . . . 63 |
 *     timer   9   0   0  -> 2
 *
 * So every timer of a level is due before every timer of the levels above, and
 * the earliest of all is in the first used slot of the lowest used level: two
 * bit scans. When base enters a slot of a higher level, its timers are spread
 * over the levels below (cascaded), at most once a level in a timer's life.
 *
 * Each slot has a bound: the minimum of its deadlines, or lower after that
 * minimum was disarmed (then its bit in `loose` is set, and next() searches).
 * It makes three things possible: next() is exact, so nobody wakes up merely to
 * cascade; a slot is entered at its first timer, not at its start, so a million
 * equal deadlines go to level 0 in one step; timers fire to the nanosecond,
 * although slots are of 1024.
 *
 * The price is the search. A server with 100 000 idle connections has them all
 * in one slot, always disarms the earliest and sleeps: looking at all of them
 * each time would cost more than its work. So a search may look at 64, plus 4
 * for each disarm since the last one; where that does not suffice, next()
 * answers the bound. An expire at that time finds nothing due, but cascades the
 * slot, which makes its bounds exact: one wake-up in vain, not a second one.
 *
 * Invariants (mfi_wheel_check)
 *   1. A used bit is set exactly where a slot is not empty.
 *   2. Every timer is in the slot place() names for it, or in `due`.
 *   3. No timer is due before its slot's bound; without the loose bit one is
 *      due exactly then.
 *   4. earliest <= every deadline.
 *
 * Rejected: a binary heap (200 ns and more a disarm with a million timers); a
 * wheel without bounds (wake-ups in vain for each cascade).
 *
 * Locking: w->lock for everything; it is dropped every FIRE_BATCH timers while
 * firing. A cascade holds it throughout, about 10 ns a timer.
 *
 * Source: Varghese and Lauck 1987, "Hashed and Hierarchical Timing Wheels",
 * scheme 7.
 */
#include "poll/wheel.h"

#include <string.h>

#include "base/assert.h"

enum {
    FIRE_BATCH = 64,
    SEARCH_FREE = 64,
    SEARCH_PER_DISARM = 4,
    SLOT_DUE = MFI_WHEEL_LEVELS * MFI_WHEEL_SLOTS, /* in w->due */
    SLOT_MASK = MFI_WHEEL_SLOTS - 1
};

static struct timer *timer_of(struct list *link)
{
    return mfi_container_of(link, struct timer, link);
}

static int64_t tick_of(mf_ns at)
{
    return at < 0 ? 0 : at >> MFI_WHEEL_TICK_BITS;
}

void mfi_wheel_init(struct wheel *w, mf_ns now)
{
    memset(w, 0, sizeof *w);
    w->base = tick_of(now);
    mfi_store_rlx(&w->earliest, MFI_FAR);
    mfi_list_init(&w->due);
    for (int i = 0; i < SLOT_DUE; i++) {
        mfi_list_init(&w->slots[i].timers);
        w->slots[i].bound = MFI_FAR;
    }
}

/* slots */

/* Where a timer belongs: a late one into the slot of base. */
static unsigned place(const struct wheel *w, mf_ns at)
{
    int64_t tick = tick_of(at);
    unsigned level;

    if (tick <= w->base)
        return (unsigned)(w->base & SLOT_MASK);
    level = (63u - (unsigned)__builtin_clzll((uint64_t)(tick ^ w->base))) /
            MFI_WHEEL_BITS;
    return level * MFI_WHEEL_SLOTS +
           (unsigned)((tick >> (level * MFI_WHEEL_BITS)) & SLOT_MASK);
}

static uint64_t bit_of(unsigned i)
{
    return UINT64_C(1) << (i % MFI_WHEEL_SLOTS);
}

static bool has_bit(const uint64_t *words, unsigned i)
{
    return (words[i / MFI_WHEEL_SLOTS] & bit_of(i)) != 0;
}

static void insert(struct wheel *w, struct timer *t)
{
    unsigned i = place(w, t->at);
    struct wheel_slot *slot = &w->slots[i];

    t->slot = (uint16_t)i;
    mfi_list_add_tail(&slot->timers, &t->link);
    w->used[i / MFI_WHEEL_SLOTS] |= bit_of(i);
    if (t->at <= slot->bound) {
        slot->bound = t->at;
        w->loose[i / MFI_WHEEL_SLOTS] &= ~bit_of(i);
    }
}

static void set_empty(struct wheel *w, unsigned i)
{
    w->used[i / MFI_WHEEL_SLOTS] &= ~bit_of(i);
    w->loose[i / MFI_WHEEL_SLOTS] &= ~bit_of(i);
    w->slots[i].bound = MFI_FAR;
}

/* The slot with the earliest timer, or SLOT_DUE: there is none. */
static unsigned first_slot(const struct wheel *w)
{
    for (unsigned level = 0; level < MFI_WHEEL_LEVELS; level++)
        if (w->used[level] != 0)
            return level * MFI_WHEEL_SLOTS +
                   (unsigned)__builtin_ctzll(w->used[level]);
    return SLOT_DUE;
}

/* The first tick of a used slot: base with its digit replaced, then zeros. */
static int64_t slot_start(const struct wheel *w, unsigned i)
{
    unsigned shift = i / MFI_WHEEL_SLOTS * MFI_WHEEL_BITS;
    uint64_t above = (uint64_t)w->base >> shift >> MFI_WHEEL_BITS;

    return (int64_t)((above << MFI_WHEEL_BITS | i % MFI_WHEEL_SLOTS) << shift);
}

/* A lower bound for all there is. */
static mf_ns bound_of_all(const struct wheel *w)
{
    unsigned i = first_slot(w);

    if (!mfi_list_empty(&w->due))
        return timer_of(w->due.next)->at;
    return i == SLOT_DUE ? MFI_FAR : w->slots[i].bound;
}

/* arm and disarm */

bool mfi_timer_arm(struct wheel *w, struct timer *t, mf_ns at,
                   mfi_timer_fn *fire)
{
    bool first;

    mfi_assert(!mfi_list_linked(&t->link));
    t->at = at;
    t->wheel = w;
    t->fire = fire;
    mfi_spin_lock(&w->lock);
    insert(w, t);
    w->nr_armed++;
    first = at < mfi_load_rlx(&w->earliest);
    if (first)
        mfi_store_rel(&w->earliest, at);
    mfi_spin_unlock(&w->lock);
    return first;
}

static void remove_armed(struct wheel *w, struct timer *t)
{
    unsigned i = t->slot;

    mfi_list_del_init(&t->link);
    if (--w->nr_armed == 0)
        mfi_store_rel(&w->earliest, MFI_FAR);
    if (i == SLOT_DUE)
        return;
    if (mfi_list_empty(&w->slots[i].timers))
        set_empty(w, i);
    else if (t->at == w->slots[i].bound)
        w->loose[i / MFI_WHEEL_SLOTS] |= bit_of(i);
}

bool mfi_timer_disarm(struct timer *t)
{
    struct wheel *w = t->wheel;
    bool armed;

    if (w == NULL)
        return false;
    mfi_spin_lock(&w->lock);
    armed = mfi_list_linked(&t->link);
    if (armed) {
        if (w->credit < w->nr_armed)
            w->credit += SEARCH_PER_DISARM;
        remove_armed(w, t);
    }
    mfi_spin_unlock(&w->lock);
    return armed;
}

/* expire */

/* Empty slot i into `to`, which is not initialised yet. */
static void detach(struct wheel *w, unsigned i, struct list *to)
{
    mfi_list_init(to);
    mfi_list_splice_tail(to, &w->slots[i].timers);
    set_empty(w, i);
}

/* Move base into slot i of a higher level, and its timers downwards. */
static void cascade(struct wheel *w, unsigned i, int64_t now_tick)
{
    int64_t start = slot_start(w, i);
    int64_t entry = tick_of(w->slots[i].bound);
    struct list timers;

    if (entry > now_tick)
        entry = now_tick;
    mfi_assert(start > w->base);
    detach(w, i, &timers);
    w->base = entry > start ? entry : start;
    for (struct list *pos = timers.next, *next; pos != &timers; pos = next) {
        next = pos->next;
        __builtin_prefetch(next);
        insert(w, timer_of(pos));
    }
}

/* Move the due timers of slot i of level 0 to w->due. */
static void collect(struct wheel *w, unsigned i, mf_ns now)
{
    struct list timers;

    detach(w, i, &timers);
    while (!mfi_list_empty(&timers)) {
        struct timer *t = timer_of(timers.next);

        mfi_list_del_init(&t->link);
        if (t->at > now) {
            insert(w, t);
            continue;
        }
        t->slot = SLOT_DUE;
        mfi_list_add_tail(&w->due, &t->link);
    }
}

static int fire_due(struct wheel *w, void *ctx)
{
    int n = 0;

    while (!mfi_list_empty(&w->due)) {
        struct timer *t = timer_of(w->due.next);

        remove_armed(w, t);
        t->fire(t, ctx); /* t may be gone now */
        if (++n % FIRE_BATCH == 0) {
            mfi_spin_unlock(&w->lock);
            mfi_spin_lock(&w->lock);
        }
    }
    return n;
}

int mfi_wheel_expire(struct wheel *w, mf_ns now, void *ctx)
{
    int64_t now_tick = tick_of(now);
    int n = 0;
    unsigned i;

    if (now < mfi_load_acq(&w->earliest))
        return 0;
    mfi_spin_lock(&w->lock);
    n += fire_due(w, ctx); /* another thread's, that gave the lock away */
    while ((i = first_slot(w)) != SLOT_DUE) {
        if (i >= MFI_WHEEL_SLOTS) {
            if (slot_start(w, i) > now_tick)
                break;
            cascade(w, i, now_tick);
        } else {
            if (w->slots[i].bound > now)
                break;
            collect(w, i, now);
            n += fire_due(w, ctx);
        }
    }
    if (now_tick > w->base) /* no used slot begins before */
        w->base = now_tick;
    mfi_store_rel(&w->earliest, bound_of_all(w));
    mfi_spin_unlock(&w->lock);
    return n;
}

/* next */

/* Make the bound of slot i exact, if that is not too much work. */
static void search(struct wheel *w, unsigned i)
{
    struct wheel_slot *slot = &w->slots[i];
    size_t budget = SEARCH_FREE + w->credit;
    mf_ns least = MFI_FAR;
    struct list *pos = slot->timers.next;

    for (; pos != &slot->timers && least > slot->bound; pos = pos->next) {
        mf_ns at = timer_of(pos)->at;

        if (budget-- == 0) {
            w->credit = 0;
            return;
        }
        least = at < least ? at : least;
    }
    if (budget < w->credit)
        w->credit = budget;
    slot->bound = least;
    w->loose[i / MFI_WHEEL_SLOTS] &= ~bit_of(i);
}

mf_ns mfi_wheel_next(struct wheel *w)
{
    unsigned i;
    mf_ns next;

    mfi_spin_lock(&w->lock);
    i = first_slot(w);
    if (i != SLOT_DUE && has_bit(w->loose, i))
        search(w, i);
    next = bound_of_all(w);
    mfi_store_rel(&w->earliest, next);
    mfi_spin_unlock(&w->lock);
    return next;
}

/* debug */

static size_t check_slot(struct wheel *w, unsigned i)
{
    const struct wheel_slot *slot = &w->slots[i];
    bool used = has_bit(w->used, i);
    bool loose = has_bit(w->loose, i);
    mf_ns least = MFI_FAR;
    size_t n = 0;

    mfi_list_for_each (pos, &slot->timers) {
        struct timer *t = timer_of(pos);

        mfi_assert(t->wheel == w && t->slot == i);
        mfi_assert(place(w, t->at) == i);
        mfi_assert(t->at >= mfi_load_rlx(&w->earliest));
        least = t->at < least ? t->at : least;
        n++;
    }
    mfi_assert(used == (n > 0) && (used || !loose));
    mfi_assert(loose ? slot->bound <= least : slot->bound == least);
    return n;
}

void mfi_wheel_check(struct wheel *w)
{
    size_t n = 0;

    mfi_spin_lock(&w->lock);
    for (unsigned i = 0; i < SLOT_DUE; i++)
        n += check_slot(w, i);
    mfi_list_for_each (pos, &w->due) {
        mfi_assert(timer_of(pos)->slot == SLOT_DUE);
        n++;
    }
    mfi_assert(n == w->nr_armed);
    mfi_spin_unlock(&w->lock);
}
