/* SPDX-License-Identifier: MIT */
/*
 * sleep.pml - workers without work go to sleep; whoever makes work wakes one.
 *
 * Tasks are numbers in queues; who runs one may compute for ever.
 *
 *   verify: SHARED PINNED SPAWN BULK
 *
 * SHARED: two workers, and a foreign thread that pushes to the inject queue.
 * PINNED: it pushes tasks pinned to one of them. BULK: the inject queue is full
 * to begin with. In these a task may also return. SPAWN: three workers, one of
 * which runs a task that puts two others into its ring; and a foreign thread.
 *
 * Each CPU has a store buffer: what it queues, and its entry into the idle
 * list, is seen by others later. A queue's lock is not modelled; its release is
 * in the buffer together with what it guards. Arithmetic on nr_searching is seen
 * at once; that on aarch64 it does not order what follows is a seeded bug.
 *
 * Checked, when nothing moves any more: if a worker sleeps, then nothing is in
 * the inject queue, in its own queues, or in any ring but for one task, which
 * that ring's worker runs next. So no wake-up is lost, not even one of many.
 */
#if defined(SPAWN)
#define WORKERS 3
#define PUSHES 1
#define SPAWNS 1
#define INJECTED 0
#elif defined(BULK)
#define WORKERS 2
#define PUSHES 0
#define SPAWNS 0
#define INJECTED 5
#else
#define WORKERS 2
#define PUSHES 2
#define SPAWNS 0
#define INJECTED 0
#endif
#define PUSHER WORKERS
#define CPUS (WORKERS + 1)
#define NOBODY 255

byte inject_n = INJECTED;
byte ring_n[WORKERS];
byte pinned_n[WORKERS];

byte nr_idle, nr_searching;
bool listed[WORKERS];    /* in the idle list */
bool searching[WORKERS]; /* counted in nr_searching */
bool bell[WORKERS];

bool asleep[WORKERS]; /* ghost: in epoll_wait */
byte spawns = SPAWNS; /* tasks that may yet queue two others */

/* ---- store buffers ------------------------------------------------------- */

mtype = { ST_INJECT, ST_RING, ST_PINNED, ST_IDLE };
chan stores[CPUS] = [3] of { mtype, byte };

#define FENCE(cpu) empty(stores[cpu])

active [CPUS] proctype memory()
{
    byte w;

end:
    do
    :: atomic { stores[_pid]?ST_INJECT(w) -> inject_n++; w = 0 }
    :: atomic { stores[_pid]?ST_RING(w) -> ring_n[w]++; w = 0 }
    :: atomic { stores[_pid]?ST_PINNED(w) -> pinned_n[w]++; w = 0 }
    :: atomic { stores[_pid]?ST_IDLE(w) -> nr_idle++; listed[w] = true; w = 0 }
    od
}

/* ---- ready.c ------------------------------------------------------------- */

inline unlist(w)
{
    nr_idle--;
    listed[w] = false
}

/* mfi_wake_one: all of it under the idle lock, but for the bell */
inline wake_one(cpu)
{
    atomic {
        FENCE(cpu) ->
        if
        :: nr_idle > 0 && nr_searching == 0 ->
            if /* any of them */
            :: listed[0] -> who = 0
            :: listed[1] -> who = 1
            :: listed[WORKERS - 1] -> who = WORKERS - 1
            fi;
            unlist(who);
            searching[who] = true;
            nr_searching++
        :: else
        fi
    };
    if
    :: who != NOBODY -> atomic { bell[who] = true; who = NOBODY }
    :: else
    fi
}

inline pushed_anywhere(cpu)
{
#ifndef BUG_PUSH_WITHOUT_FENCE
    FENCE(cpu);
#endif
    if
    :: nr_idle > 0 ->
        if
        :: nr_searching == 0 -> wake_one(cpu)
        :: else
        fi
    :: else
    fi
}

/* Under the idle lock. In `was`: it was in the list. */
inline idle_leave(cpu, w, was)
{
    atomic {
        FENCE(cpu) ->
        was = listed[w];
        if
        :: was -> unlist(w)
        :: else
        fi
    }
}

/* wake_worker */
inline wake_worker(w)
{
#ifndef BUG_PUSH_WITHOUT_FENCE
    FENCE(PUSHER);
#endif
    if
    :: nr_idle > 0 ->
        idle_leave(PUSHER, w, was);
        if
        :: was -> bell[w] = true
        :: else
        fi
    :: else
    fi
}

/* A thread that is no worker. */
active proctype pusher()
{
    byte n = 0, who = NOBODY;
    bool was;

    do
    :: n == PUSHES -> break
    :: n < PUSHES ->
        n++;
#ifdef PINNED
        if
        :: who = 0
        :: who = 1
        fi;
        stores[PUSHER]!ST_PINNED(who);
        wake_worker(who);
        who = NOBODY
#else
        stores[PUSHER]!ST_INJECT(0);
        pushed_anywhere(PUSHER)
#endif
    od
}

/* ---- idle.c -------------------------------------------------------------- */

/* A look at one queue after another, each a load of its own. In `found`. */
inline look(also_mine, found)
{
    found = inject_n > 0;
    if
    :: also_mine && !found -> found = pinned_n[me] > 0 || ring_n[me] > 0
    :: else
    fi;
    do
    :: found || v == WORKERS -> v = 0; break
    :: else -> atomic { found = ring_n[v] > 1; v++ }
    od
}

inline stop_searching()
{
    atomic {
        if
        :: searching[me] -> searching[me] = false; nr_searching--
        :: else
        fi
    }
}

inline start_searching()
{
    atomic {
        if
        :: !searching[me] -> searching[me] = true; nr_searching++
        :: else
        fi
    }
}

inline more_to_find(found)
{
    found = nr_idle > 0;
    if
    :: found ->
#ifdef BUG_FOUND_LOOKS_AT_HOME
        found = inject_n > 0 || ring_n[me] > 1
#else
        look(false, found)
#endif
    :: else
    fi
}

/* mfi_found */
inline found_one()
{
    if
    :: searching[me] ->
#ifdef BUG_FOUND_WITHOUT_FENCE
        more_to_find(more);
#endif
        atomic {
            searching[me] = false;
            nr_searching--;
            last = nr_searching == 0
        };
#ifndef BUG_FOUND_WITHOUT_FENCE
        if
        :: last -> more_to_find(more)
        :: else
        fi;
#endif
        if
        :: last && more -> wake_one(me)
        :: else
        fi;
        atomic { more = false; last = false }
    :: else
    fi
}

/* mfi_take_injected: its share, `n`, which is in no queue for a while */
inline take_injected()
{
    atomic {
        if
        :: inject_n > 0 ->
            n = (inject_n - 1) / WORKERS + 1;
            inject_n = inject_n - n
        :: else
        fi
    }
}

/* All but `rest` of what was taken goes to the own ring: mfi_sched_pushed. */
inline keep(rest)
{
    if
    :: n > rest ->
        do
        :: n > rest -> atomic { stores[me]!ST_RING(me); n-- }
        :: else -> break
        od;
        FENCE(me);
#ifndef BUG_MOVED_IN_SILENCE
        if
        :: ring_n[me] > 1 -> pushed_anywhere(me)
        :: else
        fi
#endif
    :: else
    fi
}

/* steal */
inline steal()
{
    do
    :: v == WORKERS || n > 0 -> v = 0; break
    :: else ->
        atomic {
            if
            :: v != me && ring_n[v] > 1 ->
                n = ring_n[v] - ring_n[v] / 2;
                ring_n[v] = ring_n[v] - n
            :: else
            fi;
            v++
        }
    od
}

/* mfi_search: something in `n`, or not */
inline search()
{
    take_injected();
    if
    :: n > 0
    :: n == 0 && !searching[me] && 2 * nr_searching >= WORKERS
    :: else ->
        start_searching();
        steal();
        if
        :: n > 0
        :: else -> take_injected()
        fi
    fi
}

/* mfi_sleep_until_woken */
inline sleep()
{
    stop_searching();
    stores[me]!ST_IDLE(me);
#ifndef BUG_SLEEP_WITHOUT_FENCE
    FENCE(me);
#endif
#ifndef BUG_NO_SECOND_LOOK
    look(true, more);
#endif
    if
    :: more ->
        more = false;
        idle_leave(me, me, last);
        last = false;
        start_searching()
    :: else ->
        asleep[me] = true;
end_asleep:
        atomic { bell[me] -> bell[me] = false; asleep[me] = false };
        idle_leave(me, me, last);
        last = false
    fi
}

inline run_task()
{
    if
#ifndef SPAWN
    :: true /* it returns */
#endif
    :: spawns == 0 -> /* it computes */
end_computes:
        false
    :: atomic { spawns > 0 -> spawns-- };
        stores[me]!ST_RING(me);
        stores[me]!ST_RING(me);
        pushed_anywhere(me);
end_computes_too:
        false
    fi
}

/* mfi_worker_main */
proctype worker(byte me; byte n)
{
    byte v, who = NOBODY;
    bool more, last;

    do
    :: true ->
#ifdef BULK
        if /* every 61st time: the tick */
        :: take_injected(); keep(0)
        :: true
        fi;
#endif
        atomic {
            FENCE(me) -> /* it sees what it has queued itself */
            if
            :: n > 0 /* SPAWN: this one runs already */
            :: n == 0 && ring_n[me] > 0 -> ring_n[me]--; n = 1
            :: n == 0 && ring_n[me] == 0 && pinned_n[me] > 0 ->
                pinned_n[me]--; n = 1
            :: else
            fi
        };
        if
        :: n == 0 -> search(); keep(1)
        :: else
        fi;
        if
        :: n == 0 -> sleep()
        :: else -> n = 0; found_one(); run_task()
        fi
    od
}

init
{
    byte w;

    atomic {
        for (w : 0 .. WORKERS - 1) {
            run worker(w, (w < SPAWNS -> 1 : 0))
        }
    };
    timeout -> /* nothing moves any more */
    if
    :: (inject_n > 0 || ring_n[0] > 1 || ring_n[1] > 1
#if WORKERS > 2
        || ring_n[2] > 1
#endif
       ) ->
        for (w : 0 .. WORKERS - 1) {
            assert(!asleep[w])
        }
    :: else
    fi;
    for (w : 0 .. WORKERS - 1) {
        assert(!asleep[w] || ring_n[w] + pinned_n[w] == 0)
    }
}
