/* SPDX-License-Identifier: MIT */
/*
 * chan.pml - selects that meet on two channels, plain ends, close, deadlines.
 *
 * A party has one or two cases, each an end of a channel; it does one select of
 * them, or with one case a plain send or receive, and may have a deadline. Its
 * parker is that of park.pml, shortened: who was claimed asleep runs after the
 * wake, who was claimed before it slept goes on at once, while its claimer is
 * still at work.
 *
 *   verify: ALL
 *
 * init picks one of the scenes: two selects that meet on two channels, each
 * sending on one and receiving from the other, or one sending on both and one
 * receiving from both; two that send on and receive from the same channel; one
 * with the same case twice; plain ends beside a select; and a close of one
 * channel at any time. Channels have room for no message, or for one (STORE).
 *
 * Checked
 *   - a message is received once if its send says so, else never
 *   - one case of a select wins; what a losing receive points to is not written
 *   - when a call returns none of its waiters is linked
 *   - when nothing moves any more: who waits is linked everywhere, no two that
 *     suit each other wait, nobody waits for a closed channel, or to receive
 *     what is stored, or to send what there is room for
 */
#define CHANS 2
#define PARTIES 3
#define WAITERS 6 /* 2 * p and 2 * p + 1 are those of party p */

mtype = { NONE, SEND, RECV };             /* a case */
mtype = { IDLE, ARMED, PARKED, CLAIMED }; /* a parker */
mtype = { AGAIN, DONE, CLOSED, TIMED_OUT }; /* results; AGAIN: -EAGAIN */

/* Channels. A message is the number of the case that sends it, plus 1. */
bool locked[CHANS];
bool closed[CHANS];
byte room; /* of each store */
chan store[CHANS] = [1] of { byte };
chan senders[CHANS] = [WAITERS] of { byte };
chan receivers[CHANS] = [WAITERS] of { byte };

/* Cases, each with its waiter. */
mtype op[WAITERS] = NONE;
bit on[WAITERS]; /* which channel */
byte elem[WAITERS];
mtype res[WAITERS] = AGAIN;
bool won[WAITERS];
bool linked[WAITERS];

/* Parkers. */
mtype state[PARTIES] = IDLE;
bool early[PARTIES];
bool timed_out[PARTIES];
bool runs[PARTIES] = true;

/* Ghosts. */
bool over[PARTIES];
bool sent[WAITERS + 1];
bool received[WAITERS + 1];

#define LOCK(c) atomic { !locked[c] -> locked[c] = true }
#define NOBODY WAITERS
#define SELECT (op[me * 2 + 1] != NONE)

/* ---- chan.c, wait.h: under the channel's lock ---------------------------- */

/* mfi_sync_claim: the first of q whose wait is not over, in `w`; or NOBODY */
inline claim_first(q)
{
    do
    :: len(q) > 0 && w == NOBODY ->
#ifdef BUG_HAND_OVER_FIRST
        q?<w>;
        elem[w] = (op[w] == RECV -> elem[k] : elem[w]);
        give(w);
#endif
        q?w;
        linked[w] = false;
        if
        :: state[w / 2] == ARMED ->
            state[w / 2] = CLAIMED; early[w / 2] = true
        :: state[w / 2] == PARKED ->
            state[w / 2] = CLAIMED; waking = waking | (1 << (w / 2))
        :: else -> w = NOBODY
        fi
    :: else -> break
    od
}

inline give(to)
{
    res[to] = rc;
    won[to] = true
}

/*
 * mfi_chan_send_locked, mfi_chan_recv_locked: case k; the result in `rc`. The
 * claim is a step of its own, and what is written to the claimed comes later.
 */
inline attempt(k)
{
    atomic {
        rc = DONE;
        if
        :: op[k] == SEND && closed[on[k]] -> rc = CLOSED
        :: op[k] == SEND && !closed[on[k]] ->
            if
            :: len(store[on[k]]) == 0 -> claim_first(receivers[on[k]])
            :: else
            fi;
            if
            :: w != NOBODY
            :: w == NOBODY && len(store[on[k]]) < room -> store[on[k]]!elem[k]
            :: else -> rc = AGAIN
            fi
        :: op[k] == RECV ->
            n = len(store[on[k]]);
            if
            :: n > 0 -> store[on[k]]?elem[k]
            :: else
            fi;
            claim_first(senders[on[k]]);
            if
            :: w != NOBODY || n > 0
            :: w == NOBODY && n == 0 && closed[on[k]] -> rc = CLOSED
            :: else -> rc = AGAIN
            fi
        fi
    };
    if
    :: w != NOBODY ->
        atomic {
            if
            :: op[k] == SEND -> elem[w] = elem[k]
            :: op[k] == RECV && n > 0 -> store[on[k]]!elem[w]
            :: else -> elem[k] = elem[w]
            fi
        };
        atomic { give(w); w = NOBODY; n = 0 }
    :: else -> n = 0
    fi
}

inline link(i)
{
    won[i] = false;
    linked[i] = true;
    if
    :: op[i] == SEND -> senders[on[i]]!i
    :: op[i] == RECV -> receivers[on[i]]!i
    fi
}

inline unlink(i)
{
    if
    :: linked[i] && op[i] == SEND -> senders[on[i]]??eval(i)
    :: linked[i] && op[i] == RECV -> receivers[on[i]]??eval(i)
    :: else
    fi;
    linked[i] = false
}

/* mfi_wake, after the unlock */
inline wake()
{
    atomic {
        if
        :: waking & 1 -> runs[0] = true
        :: else
        fi;
        if
        :: waking & 2 -> runs[1] = true
        :: else
        fi;
        if
        :: waking & 4 -> runs[2] = true
        :: else
        fi;
        waking = 0
    }
}

/* ---- select.c ------------------------------------------------------------ */

/* gather_locks, lock_all: by address, each once */
inline lock_all()
{
#ifdef BUG_NO_ORDER
    LOCK(on[a]);
    if
    :: SELECT && on[b] != on[a] -> LOCK(on[b])
    :: else
    fi
#else
    if
    :: on[a] == 0 || SELECT && on[b] == 0 -> LOCK(0)
    :: else
    fi;
    if
    :: on[a] == 1 || SELECT && on[b] == 1 -> LOCK(1)
    :: else
    fi
#endif
}

/* look_locked, link_locked: the winner in `k`, or all are linked */
inline look_and_link()
{
    lock_all();
    if /* in any order */
    :: k = a
    :: SELECT -> k = b
    fi;
    attempt(k);
    if
    :: rc == AGAIN && SELECT -> k = a + b - k; attempt(k)
    :: else
    fi;
    atomic {
        if
        :: rc == AGAIN && SELECT -> link(a); link(b)
        :: rc == AGAIN && !SELECT -> link(a)
        :: else -> state[me] = IDLE /* mfi_park_disarm */
        fi;
        locked[on[a]] = false;
        if
        :: SELECT -> locked[on[b]] = false
        :: else
        fi
    }
}

/* What look_and_link must not be. */
inline look_and_link_one_by_one()
{
    k = a;
    do
    :: LOCK(on[k]);
        attempt(k);
        atomic {
            if
            :: rc == AGAIN -> link(k)
            :: else
            fi;
            locked[on[k]] = false
        };
        if
        :: rc == AGAIN && SELECT && k == a -> k = b
        :: else -> break
        fi
    od;
    if
    :: rc != AGAIN && k == b -> atomic { !locked[on[a]] -> unlink(a) }
    :: else
    fi
}

/* mfi_wait: until a claim, or the deadline */
inline wait()
{
    atomic {
        if
        :: state[me] == ARMED -> state[me] = PARKED; runs[me] = false
        :: else
        fi
    };
end_waits:
    if
    :: runs[me]
    :: atomic {
        timed && state[me] == PARKED ->
        state[me] = CLAIMED; runs[me] = true; timed_out[me] = true
       }
    fi
}

/* unlink_all for one case, under its lock */
inline unlink_case(i)
{
    atomic {
        !locked[on[i]] ->
        unlink(i);
        if
        :: won[i] -> k = i; rc = res[i]
        :: else
        fi
    }
}

/* select_by, mf_chan_send, mf_chan_recv */
inline call()
{
    state[me] = ARMED; /* mfi_park_arm_early */
#ifdef BUG_LOOK_ONE_BY_ONE
    look_and_link_one_by_one();
#else
    look_and_link();
#endif
    if
    :: rc != AGAIN -> wake()
    :: else ->
        wait();
        if
        :: SELECT ->
            unlink_case(a);
#ifdef BUG_LOSER_LEFT_LINKED
            if
            :: rc == AGAIN -> unlink_case(b)
            :: else
            fi
#else
            unlink_case(b)
#endif
        :: !SELECT && timed_out[me] -> unlink_case(a)
        :: else -> /* a plain call: mfi_sync_settle */
            atomic {
#ifndef BUG_NOT_SETTLED
                !early[me] || !locked[on[a]] ->
#endif
                assert(won[a]);
                k = a;
                rc = res[a]
            }
        fi
    fi
}

/* The call has returned: case k with rc, or a timeout. */
inline account()
{
    atomic {
        assert(rc != AGAIN || timed_out[me]);
        assert(!linked[a] && !linked[b]);
        if
        :: rc == DONE && op[k] == SEND -> sent[elem[k]] = true
        :: rc == DONE && op[k] == RECV ->
            assert(elem[k] != 0 && !received[elem[k]]);
            received[elem[k]] = true
        :: else
        fi;
        assert(op[a] != RECV || (elem[a] != 0) == (rc == DONE && k == a));
        assert(op[b] != RECV || (elem[b] != 0) == (rc == DONE && k == b));
        over[me] = true;
        k = 0;
        rc = AGAIN
    }
}

proctype party(byte me; bool timed)
{
    byte a = 2 * me, b = 2 * me + 1, k, n, w = NOBODY, waking;
    mtype rc = AGAIN;

    call();
    account()
}

/* mf_chan_close: of channel 0 */
proctype closer()
{
    byte k, w = NOBODY, waking;
    mtype rc = CLOSED;

    atomic { LOCK(0); closed[0] = true };
    do
    :: atomic { claim_first(receivers[0]) };
        if
        :: w != NOBODY -> atomic { give(w); w = NOBODY }
        :: else -> break
        fi
    od;
#ifndef BUG_CLOSE_FORGETS_SENDERS
    do
    :: atomic { claim_first(senders[0]) };
        if
        :: w != NOBODY -> atomic { give(w); w = NOBODY }
        :: else -> break
        fi
    od;
#endif
    locked[0] = false;
    wake()
}

/* ---- scenes, and what must be true at the end ---------------------------- */

inline one(k, what, c)
{
    op[k] = what;
    on[k] = c;
    elem[k] = (what == SEND -> k + 1 : 0)
}


#define SUIT(x, y) \
    (x / 2 != y / 2 && linked[x] && linked[y] && on[x] == on[y] && \
     op[x] == SEND && op[y] == RECV)

init
{
    byte x = 0, y = 0;

    atomic {
        if
        :: one(0, SEND, 0); one(1, RECV, 1); one(2, RECV, 0); one(3, SEND, 1)
        :: one(0, SEND, 0); one(1, SEND, 1); one(2, RECV, 1); one(3, RECV, 0);
            if
            :: run closer()
            :: true
            fi
        :: one(0, SEND, 0); one(1, RECV, 0); one(2, RECV, 0); one(3, SEND, 0)
        :: one(0, RECV, 0); one(1, RECV, 0); one(2, SEND, 0); run closer()
        :: one(0, SEND, 0); one(1, RECV, 1); one(2, RECV, 0); one(4, SEND, 1)
        :: one(0, RECV, 0); one(1, RECV, 1); one(2, SEND, 0); one(4, SEND, 0);
            room = 1
        :: one(0, RECV, 0); one(1, SEND, 0); one(2, RECV, 0); one(4, SEND, 0);
            if
            :: room = 0
            :: room = 1
            fi
        fi;
        if
        :: run party(0, false)
        :: run party(0, true)
        fi;
        if
        :: run party(1, false)
        :: run party(1, true)
        fi;
        if
        :: op[4] != NONE -> run party(2, false)
        :: op[4] != NONE -> run party(2, true)
        :: else -> over[2] = true
        fi
    };
    timeout ->
    d_step {
        for (x : 0 .. WAITERS - 1) {
            if
            :: op[x] != NONE && !over[x / 2] ->
                assert(state[x / 2] == PARKED && linked[x]);
                assert(!closed[on[x]]);
                assert(op[x] != RECV || len(store[on[x]]) == 0);
                assert(op[x] != SEND || len(store[on[x]]) == room)
            :: else
            fi;
            for (y : 0 .. WAITERS - 1) {
                assert(!SUIT(x, y))
            }
        };
        for (y : 0 .. CHANS - 1) {
            if
            :: len(store[y]) > 0 ->
                store[y]?x;
                assert(sent[x] && !received[x]);
                received[x] = true
            :: else
            fi
        };
        for (x : 1 .. WAITERS) {
            assert(sent[x] == received[x])
        }
    }
}
