/* SPDX-License-Identifier: MIT */
/*
 * mutex.pml - a lock word, a parking lot, and who is on the way to it.
 *
 * Three lockers take and give back one mutex. The word is owner, waiters,
 * woken; a compare-and-swap with its loop is one atomic step, and so is what
 * happens under the lot's lock and nobody else can see. The parker is that of
 * park.pml, shortened: who was claimed asleep runs after the wake, who was
 * claimed before it slept goes on at once.
 *
 *   verify: SAFE
 *   verify live: FAIR
 *
 * SAFE: each locks once or twice and ends; some have a deadline, one is
 * cancelled but for another wait, so it looks again. An unlock may find that
 * the first waiter is old, HANDOFF_AFTER, or that it is not.
 * FAIR: all go on for ever, without deadlines. Whoever can take a step takes
 * one some day, and a wait grows old some day; nothing else is known.
 *
 * Checked
 *   - one owner at a time
 *   - the mutex is never free, waited for, and nobody woken on the way to it
 *   - `waiters` is exact while the place in the lot is free
 *   - nobody waits for ever (SAFE: an invalid end state), even if others take
 *     the lock again and again before the woken one gets there (FAIR)
 */
#define LOCKERS 3
#define EACH (LOCKERS + 1) /* they are 1, 2, 3 */

mtype = { IDLE, ARMED, PARKED, CLAIMED }; /* a parker's states */
mtype = { READY, TIMEOUT, CANCEL };       /* why it was claimed */

/* The word. */
byte owner; /* 0: free */
bool waiters, woken;

/* The place in the lot. */
chan queue = [LOCKERS] of { byte };

/* Of each locker: its parker, its waiter in the lot. */
mtype state[EACH] = IDLE;
mtype reason[EACH] = READY;
bool early[EACH];
bool runs[EACH] = true; /* not asleep, or made ready */
bool linked[EACH];
bool won[EACH];   /* it was made the owner */
bool waits[EACH]; /* it has a `since` */
#ifdef FAIR
bool old[EACH]; /* and that is HANDOFF_AFTER ago */
#endif

#ifdef FAIR
byte cancels = 0;
#else
byte cancels = 1;
#endif
byte inside; /* ghost: how many believe they own it */

/* A spin lock; in FAIR one that is first come first served. */
#ifdef FAIR
chan line = [LOCKERS] of { byte };
#define LOCK_LOT line!me; line?[eval(me)] -> skip
#define UNLOCK_LOT atomic { assert(waiters == (len(queue) > 0)); line?_ }
#else
bool lot_locked;
#define LOCK_LOT atomic { !lot_locked -> lot_locked = true }
#define UNLOCK_LOT \
    atomic { assert(waiters == (len(queue) > 0)); lot_locked = false }
#endif

/* After each change of the word. */
#define CHECK_WORD assert(owner != 0 || !waiters || woken)

/* ---- giving it back ------------------------------------------------------ */

/* mfi_lot_claim: the first whose wait is not over, claimed and out: w; or 0 */
inline lot_claim()
{
    do
    :: atomic {
        len(queue) > 0 && w == 0 ->
        queue?w;
        linked[w] = false;
        if
        :: state[w] == ARMED -> early[w] = true
        :: state[w] == PARKED -> wake = w
        :: else ->
#ifndef BUG_HANDS_TO_WHO_LEFT
            w = 0
#endif
        fi;
        if
        :: w != 0 -> state[w] = CLAIMED; reason[w] = READY
        :: else
        fi
       }
    :: else -> break
    od
}

inline is_old(yes)
{
    if
#if defined(BUG_NO_HANDOFF)
    :: yes = false
#elif defined(FAIR)
    :: yes = old[w]
#else
    :: yes = true
    :: yes = false
#endif
    fi
}

inline hand_on()
{
    LOCK_LOT;
    lot_claim();
    if
    :: w != 0 -> is_old(won[w])
    :: else
    fi;
    atomic {
        waiters = len(queue) > 0;
        if
        :: w == 0 -> owner = 0
        :: w != 0 && won[w] -> owner = w
        :: else -> owner = 0; woken = true
        fi;
        w = 0;
        CHECK_WORD
    };
    UNLOCK_LOT;
    atomic {
        if
        :: wake != 0 -> runs[wake] = true; wake = 0
        :: else
        fi
    }
}

/* mf_mutex_unlock, release */
inline unlock()
{
    atomic {
        assert(owner == me && inside == 1);
        inside = 0;
        again = waiters && !woken;
        if
#ifndef BUG_UNLOCK_STORES
        :: !again -> owner = 0; CHECK_WORD
#endif
        :: else
        fi
    };
    if
    :: again -> hand_on()
#ifdef BUG_UNLOCK_STORES
    :: !again -> owner = 0
#else
    :: !again
#endif
    fi
}

/* ---- taking it ----------------------------------------------------------- */

/* mfi_lot_add: last, or before all others */
inline lot_add(front)
{
    queue!me;
    linked[me] = true;
    n = len(queue);
    do
    :: front && n > 1 -> queue?w; queue!w; n--
    :: else -> break
    od;
    n = 0;
    w = 0
}

inline take()
{
    owner = me;
    woken = woken && !on_way;
    got = true
}

/* `queued`; or it is free */
inline enqueue()
{
    LOCK_LOT;
    atomic {
        again = waits[me];
        waits[me] = true;
        queued = owner != 0;
        if
        :: queued ->
            waiters = true;
#ifndef BUG_WOKEN_KEPT
            woken = woken && !on_way;
#endif
            CHECK_WORD;
            on_way = false;
            won[me] = false;
            state[me] = ARMED;
            early[me] = false;
            lot_add(again)
#ifdef FAIR
        :: else -> take()
#else
        :: else
#endif
        fi
    };
    UNLOCK_LOT
}

/* mfi_wait: until the unlock, the deadline or a cancel claims it */
inline wait()
{
    atomic {
        if
        :: state[me] == ARMED -> state[me] = PARKED; runs[me] = false
        :: else
        fi
    };
    if
    :: runs[me]
    :: atomic {
        timed && state[me] == PARKED ->
        state[me] = CLAIMED; reason[me] = TIMEOUT; runs[me] = true
       }
    :: atomic {
        cancels > 0 && state[me] == PARKED ->
        state[me] = CLAIMED; reason[me] = CANCEL; runs[me] = true;
        cancels--
       }
    fi
}

inline dequeue()
{
    LOCK_LOT;
    atomic {
        if
        :: linked[me] -> queue??eval(me); linked[me] = false
        :: else
        fi;
        if
        :: len(queue) == 0 -> waiters = false
        :: else
        fi
    };
    UNLOCK_LOT
}

/* After a wait which the unlock has ended. */
inline was_woken()
{
#ifndef BUG_NOT_SETTLED
    if
    :: early[me] -> LOCK_LOT; UNLOCK_LOT
    :: else
    fi;
#endif
    if
    :: won[me] -> got = true
#ifdef BUG_WOKEN_LEAVES
    :: !won[me] && timed -> timed_out = true
#endif
    :: !won[me] -> on_way = true
    fi
}

inline lock()
{
    do
    :: got || timed_out -> break
    :: atomic { !got && owner == 0 -> take() }
    :: atomic { !got && !timed_out && owner != 0 -> skip };
        enqueue();
        if
        :: !queued
        :: queued ->
            wait();
            if
            :: reason[me] == READY -> was_woken()
            :: else ->
                dequeue();
                timed_out = reason[me] == TIMEOUT
            fi
        fi
    od;
    atomic {
        waits[me] = false;
#ifdef FAIR
        old[me] = false;
#endif
        state[me] = IDLE; reason[me] = READY; early[me] = false;
        on_way = false; queued = false; again = false
    }
}

proctype locker(byte me; byte rounds)
{
    byte w, wake, n;
    bool got, on_way, queued, timed, timed_out, again;

    do
#ifdef FAIR
    :: true ->
#else
    :: rounds == 0 -> break
    :: rounds > 0 ->
        rounds--;
        if
        :: timed = true
        :: timed = false
        fi;
#endif
        lock();
        if
        :: got -> inside++; assert(inside == 1); got = false; unlock()
        :: else -> timed_out = false
        fi
    od
}

#ifdef FAIR
/* Time passes. */
active [LOCKERS] proctype clock()
{
end:
    do
    :: atomic { waits[_pid + 1] && !old[_pid + 1] -> old[_pid + 1] = true }
    od
}

ltl served { [] (waits[1] -> <> !waits[1]) }
#endif

init
{
    atomic {
        run locker(1, 2);
        run locker(2, 1);
        run locker(3, 1)
    }
}
