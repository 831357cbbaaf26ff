/* SPDX-License-Identifier: MIT */
/*
 * park.pml - one agent waits, and three others want to end its wait.
 *
 *   waiter     takes WAITS permits, one after another; each wait has a deadline
 *              or has none
 *   poster     gives permits: to the waiter if it can claim it, else it counts
 *   timer      claims when the deadline passes
 *   canceller  raises the cancel word, then looks at the parker
 *   cpu        runs what is ready (tasks only)
 *
 * The permits are under a lock with a queue beside them, as in every object that
 * hands something over.
 *
 *   verify: TASK THREAD
 *
 * Two CPUs have a store buffer here, the waiter's and the canceller's: what
 * they store is seen by others later, in order, and an exchange or a fence
 * waits until all is. The canceller's compare-and-swap of its word is put there
 * too, since on aarch64 later loads may pass it.
 *
 * Checked
 *   - one claim wins each wait, and its reason is the one the waiter is told
 *   - nobody runs a task that still stands on its stack, nor runs it twice
 *   - no wake-up is lost and a cancel is noticed: else the waiter would wait
 *     for ever, which is an invalid end state. There are always permits and
 *     cancels enough for all its waits
 *   - when a wait returns nothing points to it: no queue, timer or wake list
 *   - no permit is lost or doubled; what is handed over is there when read
 */
#define WAITS 2

mtype = { IDLE, ARMED, PARKED, CLAIMED };    /* the parker's states */
mtype = { READY, TIMEOUT, CANCEL };          /* why it was claimed */
mtype = { LOST, RUNNING, ASLEEP };           /* what a claim has found */
mtype = { NONE, NOTIFY, GRACE, HARD };       /* the cancel word */
mtype = { GOT, TIMED_OUT, CANCELED, AGAIN }; /* how a wait ended */

/* The parker: one word in C. */
mtype state = IDLE;
mtype reason = READY;
bool early, handed;

/* The object. */
bool locked;
byte permits;
bool linked; /* the waiter is in its queue */
bool won;    /* in the waiter: the permit is yours */

mtype cancel_word = NONE;
bool timer_armed;
bool on_list;         /* the parker is on a claimer's wake list */
bool on_stack = true; /* task: its stack is in use */
byte queued;          /* task: how often it is in a run queue */
bool asleep;          /* thread: in futex_wait */

/* Ghosts: known to the proof only. */
mtype winner;
byte wins, posted, got;
byte posts = 0;
mtype cancel_to = NONE;
bool chosen;

/* ---- store buffers ------------------------------------------------------- */

mtype = { ST_ARMED, ST_IDLE, ST_UNLOCK };
chan waiter_stores = [4] of { mtype };
chan canceller_stores = [1] of { mtype };

#define WAITER_FENCE empty(waiter_stores)
#define CANCELLER_FENCE empty(canceller_stores)

active proctype memory()
{
end:
    do
    :: atomic {
        waiter_stores?ST_ARMED ->
        state = ARMED; early = false; handed = false; wins = 0
       }
    :: atomic { waiter_stores?ST_IDLE -> state = IDLE }
    :: atomic { waiter_stores?ST_UNLOCK -> locked = false }
    :: atomic { canceller_stores?cancel_word }
    od
}

/* ---- waiter.h, ready.c --------------------------------------------------- */

/* mfi_parker_claim, and the add to the wake list of mfi_parker_wake */
inline claim(why, found)
{
#ifdef BUG_LOSER_STORES_REASON
    reason = why;
#endif
    atomic {
        if
        :: state == ARMED -> found = RUNNING; early = true
        :: state == PARKED -> found = ASLEEP; on_list = true
        :: else -> found = LOST
        fi;
#ifdef BUG_CLAIM_WITHOUT_CAS
    };
    atomic {
#endif
        if
        :: found != LOST ->
            state = CLAIMED; reason = why; winner = why; wins++;
            assert(wins == 1)
        :: else
        fi
    }
}

/* mfi_wake of who was found asleep */
inline wake(found)
{
    if
#ifdef BUG_READY_BEFORE_LEAVING
    :: found != LOST ->
#else
    :: found == ASLEEP ->
#endif
#ifdef THREAD
        on_list = false;
        handed = true;  /* from here the thread may go on ... */
        asleep = false  /* ... so this may meet its next wait */
#else
        atomic { on_list = false; queued++; assert(queued == 1) }
#endif
    :: else
    fi
}

/* ---- park.c, leave.c ----------------------------------------------------- */

/* mfi_cancel_point */
inline cancel_point(rc)
{
    atomic {
        if
        :: cancel_word == NOTIFY -> cancel_word = GRACE; rc = CANCELED
        :: cancel_word == HARD -> rc = CANCELED
        :: else -> rc = AGAIN
        fi
    }
}

/* park_task, and after_leaving by whoever runs next on its CPU */
inline park_task()
{
    timer_armed = timed;
    WAITER_FENCE; /* it sees what it has stored itself */
    if
    :: state == CLAIMED
    :: else ->
#ifndef BUG_COMMIT_BEFORE_LEAVING
        on_stack = false;
#endif
        atomic {
            WAITER_FENCE ->
            if
            :: state == ARMED -> state = PARKED
            :: else -> queued++; assert(queued == 1)
            fi
        }
#ifdef BUG_COMMIT_BEFORE_LEAVING
        on_stack = false;
#endif
        on_stack -> skip
    fi;
    timer_armed = false /* waits for a timer that is firing */
}

active proctype cpu()
{
end:
    do
    :: atomic {
        queued > 0 -> queued--;
        assert(!on_stack);
        on_stack = true
       }
    od
}

/* futex_wait(word == what was seen): returns when woken, or at the deadline */
inline futex_wait(seen, may_time_out)
{
    atomic { asleep = seen };
    if
    :: !asleep
    :: may_time_out -> atomic { asleep = false; expired = true }
    fi
}

/* park_thread, mfi_park_commit_thread, mfi_park_lost_thread */
inline park_thread()
{
    atomic {
        WAITER_FENCE ->
        if
        :: state == ARMED -> state = PARKED; found = ASLEEP
        :: else -> found = LOST
        fi
    };
    do
    :: found == LOST -> break
    :: else ->
        if
        :: state == CLAIMED ->
#ifndef BUG_NO_HANDED
            do
            :: handed -> break
            :: else -> futex_wait(!handed, false)
            od;
#endif
            break
        :: else ->
            expired = false;
            futex_wait(state == PARKED, timed);
            if
            :: expired ->
                claim(TIMEOUT, found);
                if
                :: found != LOST -> on_list = false; break
                :: else -> found = ASLEEP
                fi
            :: else
            fi
        fi
    od
}

/* mfi_wait; the cancel point of a look again is the caller's */
inline wait_once(rc)
{
    if
    :: cancel_word == NOTIFY || cancel_word == HARD ->
        WAITER_FENCE;
        claim(CANCEL, found)
    :: else
    fi;
#ifdef THREAD
    park_thread();
#else
    park_task();
#endif
    atomic {
        assert(state == CLAIMED && reason == winner);
        if
        :: reason == READY -> rc = GOT
        :: reason == TIMEOUT -> rc = TIMED_OUT
        :: reason == CANCEL -> rc = AGAIN
        fi
    };
    if
    :: rc == AGAIN -> cancel_point(rc)
    :: else
    fi
}

/* ---- the waiter: the loop of park.h, with wait.h -------------------------- */

#define WAITER_LOCK atomic { WAITER_FENCE && !locked -> locked = true }
#define WAITER_UNLOCK waiter_stores!ST_UNLOCK

/* Arm under the lock: mfi_park_arm; before it: mfi_park_arm_early. */
inline arm_and_lock()
{
    if
    :: waiter_stores!ST_ARMED;
        WAITER_LOCK
    :: WAITER_LOCK;
        waiter_stores!ST_ARMED;
#ifndef BUG_ARM_WITHOUT_FENCE
        WAITER_FENCE
#endif
    fi
}

inline unlink()
{
    WAITER_LOCK;
    linked = false;
    WAITER_UNLOCK
}

inline wait_for_permit(rc)
{
    do
    :: cancel_point(rc);
        if
        :: rc == CANCELED -> break
        :: else
        fi;
        arm_and_lock();
        if
        :: permits > 0 ->
            permits--;
            waiter_stores!ST_IDLE; /* mfi_park_disarm */
            WAITER_UNLOCK;
            rc = GOT;
            break
        :: else
        fi;
        won = false;
        linked = true;
        WAITER_UNLOCK;
        wait_once(rc);
#ifdef BUG_PARK_AGAIN
        do
        :: rc == AGAIN ->
            waiter_stores!ST_ARMED;
            WAITER_FENCE;
            wait_once(rc)
        :: else -> break
        od;
#endif
        if
        :: rc == GOT ->
#ifndef BUG_NOT_SETTLED
            if
            :: early -> WAITER_LOCK; WAITER_UNLOCK
            :: else
            fi;
#endif
            assert(won)
        :: else ->
#ifndef BUG_LEFT_LINKED
            unlink()
#endif
        fi;
        WAITER_FENCE;
        assert(!linked && !timer_armed && !on_list);
        if
        :: rc == AGAIN
        :: else -> break
        fi
    od
}

active proctype waiter()
{
    byte n = 0;
    mtype rc, found;
    bool timed, expired;

    chosen;
    do
    :: n < WAITS ->
        if
        :: timed = true
        :: timed = false
        fi;
        wait_for_permit(rc);
        got = got + (rc == GOT);
        assert(rc != CANCELED || cancel_word != NONE);
        assert(rc != TIMED_OUT || timed);
        n++
    :: else -> break
    od;
    (posts == 0 && !locked) -> assert(got + permits == posted)
}

/* ---- the others ---------------------------------------------------------- */

/* mfi_sync_claim, and the hand-over after it */
active proctype poster()
{
    mtype found;

    chosen;
    do
    :: posts > 0 ->
        atomic { !locked -> locked = true };
        posted++;
        found = LOST;
        if
        :: linked -> linked = false; claim(READY, found)
        :: else
        fi;
        if
        :: found == LOST -> permits++
        :: else -> won = true
        fi;
        atomic { locked = false; posts-- };
        wake(found)
    :: else -> break
    od
}

#ifndef THREAD
/* wait_fire, under the wheel's lock; then mfi_expire's mfi_wake */
active proctype timer()
{
    mtype found;

end:
    do
    :: atomic { timer_armed -> timer_armed = false; claim(TIMEOUT, found) };
        wake(found)
    od
}
#endif

/* raise_word, walk_agent */
active proctype canceller()
{
    mtype found;

    chosen;
    if
    :: cancel_to != NONE ->
        canceller_stores!cancel_to;
#ifndef BUG_CANCEL_WITHOUT_FENCE
        CANCELLER_FENCE;
#endif
        claim(CANCEL, found);
        wake(found)
    :: else
    fi
}

/* As many permits and cancels as it takes to end every wait. */
init
{
    atomic {
        if
        :: cancel_to = NONE; posts = WAITS
        :: cancel_to = NOTIFY; posts = WAITS - 1
        :: cancel_to = NOTIFY; posts = WAITS
        :: cancel_to = HARD; posts = 0
        :: cancel_to = HARD; posts = 1
        fi;
        chosen = true
    }
}
