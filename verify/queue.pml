/* SPDX-License-Identifier: MIT */
/*
 * queue.pml - the ring of a worker: its owner at one end, thieves at the other.
 *
 *   owner    pushes TASKS tasks and pops some, in any order; a full ring goes
 *            to the inject queue by half; at the end it runs all that is left
 *   thief    two of them: takes half, copies it, publishes
 *
 * head is two counts in one word, changed by compare-and-swap only:
 *
 *     steal        real              tail
 *       |  a thief   |  next to run    |
 *       |  copies    |                 |
 *
 *   verify: ALL
 *
 * The inject queue has a lock in C, and is one here.
 *
 * Checked: every task is run exactly once, and the counts meet at the end.
 */
#define LEN 4 /* RING_LEN */
#define TASKS 6
#define THIEVES 2
#define STEALS 2 /* of each thief */

byte ring[LEN]; /* a task is a number from 1 */
byte steal, real, tail;
chan inject = [TASKS] of { byte };

bool ran[TASKS + 1];
byte thieves_left = THIEVES;

inline run_task(t)
{
    atomic {
        assert(t != 0 && !ran[t]);
        ran[t] = true;
        t = 0
    }
}

/* ---- owner: mfi_ring_push, mfi_ring_push_slow, mfi_ring_pop -------------- */

inline push_slow()
{
    atomic { seen_steal = steal; seen_real = real };
    if
    :: seen_steal != seen_real || tail - seen_real < LEN -> inject!pushed
    :: else ->
        atomic {
            won = steal == seen_steal && real == seen_real;
            if
            :: won -> steal = seen_real + LEN / 2; real = steal
            :: else
            fi
        };
        if
        :: won ->
            inject!ring[seen_real % LEN];
            inject!ring[(seen_real + 1) % LEN]
        :: else
        fi;
        inject!pushed
    fi;
    seen_real = 0
}

inline push()
{
#ifdef BUG_PUSH_OVER_THIEF
    seen_steal = real;
#else
    seen_steal = steal;
#endif
    if
    :: tail - seen_steal >= LEN -> push_slow()
#ifdef BUG_TAIL_FIRST
    :: else -> tail++; ring[(tail - 1) % LEN] = pushed
#else
    :: else -> ring[tail % LEN] = pushed; tail++
#endif
    fi;
    atomic { seen_steal = 0; won = false }
}

/* The task in `t`; 0: none. */
inline pop()
{
    do
    :: atomic { seen_steal = steal; seen_real = real };
        if
        :: seen_real == tail -> break
        :: else
        fi;
        t = ring[seen_real % LEN];
        atomic {
#ifdef BUG_POP_WITHOUT_CAS
            won = true;
#else
            won = steal == seen_steal && real == seen_real;
#endif
            if
            :: won && seen_steal == seen_real ->
                real = seen_real + 1; steal = real
            :: won && seen_steal != seen_real -> real = seen_real + 1
            :: else -> t = 0
            fi
        };
        if
        :: won -> break
        :: else
        fi
    od;
    atomic { seen_steal = 0; seen_real = 0; won = false }
}

active proctype owner()
{
    byte pushed = 0, t = 0, seen_steal, seen_real;
    bool won;

    do
    :: pushed < TASKS -> pushed++; push()
    :: pop();
        if
        :: t != 0 -> run_task(t)
        :: t == 0 && pushed == TASKS -> break
        :: t == 0 && pushed < TASKS
        fi
    od;
    thieves_left == 0;
    do
    :: inject?t -> run_task(t)
    :: empty(inject) -> break
    od;
    assert(real == tail && steal == tail);
    for (t : 1 .. TASKS) {
        assert(ran[t])
    }
}

/* ---- thief: steal_ring --------------------------------------------------- */

inline steal_ring()
{
    do
    :: atomic { seen_steal = steal; seen_real = real };
#ifndef BUG_TWO_THIEVES
        if
        :: seen_steal != seen_real -> n = 0; break
        :: else
        fi;
#endif
        n = tail - seen_real;
        n = n - n / 2;
        if
        :: n == 0 || n > LEN / 2 + 1 -> n = 0; break
        :: else
        fi;
        atomic {
            won = steal == seen_steal && real == seen_real;
            if
            :: won -> steal = seen_real; real = seen_real + n; last = real
            :: else
            fi
        };
        if
        :: won -> break
        :: else
        fi
    od;
    /* Copying: one after another, while the owner goes on. */
    do
    :: n > 0 ->
        t = ring[seen_real % LEN];
        run_task(t);
        seen_real++;
        n--
    :: else -> break
    od;
    if
#ifdef BUG_PUBLISH_STORES
    :: won -> steal = last; real = last
#else
    :: won -> steal = real
#endif
    :: else
    fi;
    atomic { seen_steal = 0; seen_real = 0; last = 0; won = false }
}

active [THIEVES] proctype thief()
{
    byte i = 0, t = 0, n, seen_steal, seen_real, last;
    bool won;

    do
    :: i < STEALS -> steal_ring(); i++
    :: else -> break
    od;
    thieves_left--
}
