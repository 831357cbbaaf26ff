/* SPDX-License-Identifier: MIT */
/*
 * stage.h - actors with a few calls each, all at once, on one object; and the
 * judge afterwards.
 *
 * A play is planned by chance, then given by tasks and threads that begin
 * together: on two workers, where there are two, since tasks that run one after
 * the other give histories that are always explained. Each play has a new
 * object. All waits are short, so a play ends whatever its calls are.
 */
#ifndef MFI_TESTS_SYNC_STAGE_H
#define MFI_TESTS_SYNC_STAGE_H

#include <mayfly/chan.h>

#include "sync/crew.h"
#include "sync/specs.h"

enum { ACTORS_MAX = 4, PLAYS_MIN = 200 };

struct stage {
    /* the same for all plays */
    int workers;
    int threads; /* of each play's actors */
    int plays;   /* and no more after a while, but not fewer than PLAYS_MIN */
    mf_ns span;
    void (*plan)(struct stage *st);
    bool (*call)(struct stage *st, struct call *c); /* false: the actor ends */
    bool broken; /* the object: count, do not fail */
    uint32_t seed;
    /* what there was, by kind */
    int unexplained, overlaps, done[4], timed_out[4], refused[4], told;
    /* of this play */
    struct spec spec;
    struct history h;
    int actors;
    mf_chan *chan[2];
    mf_mutex mutex;
    mf_rwlock rwlock;
    bool has[ACTORS_MAX]; /* the rwlock; each actor's own */
    mf_sem sem;
    _Atomic int arrived;
    _Atomic uint32_t seen; /* workers on which somebody waits to begin */
};

struct role {
    struct stage *st;
    int actor;
    uint32_t seed;
};

/* Marsaglia 2003, "Xorshift RNGs". */
KIT uint32_t luck(uint32_t *seed, uint32_t n)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed % n;
}

/* ---- plans and calls ----------------------------------------------------- */

/* Half of the calls try, the others wait for some us. */
KIT struct call *plan_call(struct stage *st, int actor, int kind)
{
    struct call *c = history_add(&st->h, actor, kind);

    c->how = luck(&st->seed, 2) == 0 ? 0 : 10 + (int)luck(&st->seed, 60);
    c->arg = st->h.n;
    return c;
}

KIT mf_deadline until(const struct call *c)
{
    return c->how == 0 ? MF_NOW : mf_after(MF_USEC(c->how));
}

KIT void plan_chan(struct stage *st)
{
    int capacity = (int)luck(&st->seed, 4);

    st->spec = chan_spec(capacity);
    EXPECT_EQ(mf_chan_make(sizeof(int), (size_t)capacity, NULL, &st->chan[0]),
              0);
    for (int a = 0; a < st->actors; a++) {
        for (int n = 3 + (int)luck(&st->seed, 3); n > 0; n--) {
            uint32_t r = luck(&st->seed, 32);

            plan_call(st, a,
                      r < 15   ? SEND
                      : r < 29 ? RECV
                      : r < 30 ? CLOSE
                               : LEN);
        }
    }
}

KIT bool call_chan(struct stage *st, struct call *c)
{
    switch ((enum chan_kind)c->kind) {
    case SEND:
        c->result = mf_chan_send(st->chan[0], &c->arg, until(c));
        break;
    case RECV:
        c->result = mf_chan_recv(st->chan[0], &c->value, until(c));
        break;
    case CLOSE:
        c->result = mf_chan_close(st->chan[0]);
        break;
    case LEN:
        c->result = mf_chan_len(st->chan[0]);
        break;
    }
    return true;
}

KIT void plan_two(struct stage *st)
{
    int capacity = (int)luck(&st->seed, TWO_CAP_MAX + 1);

    st->spec = two_spec(capacity);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(
            mf_chan_make(sizeof(int), (size_t)capacity, NULL, &st->chan[i]), 0);
    for (int a = 0; a < st->actors; a++)
        for (int n = 3 + (int)luck(&st->seed, 3); n > 0; n--)
            plan_call(st, a, (int)luck(&st->seed, 4));
}

KIT bool call_two(struct stage *st, struct call *c)
{
    mf_chan *one = st->chan[c->arg % 2];
    mf_case cases[2];
    int rc = -EINVAL;

    for (int i = 0; i < 2; i++)
        cases[i] = c->kind == TWO_PUT ? mf_on_send(st->chan[i], &c->arg)
                                      : mf_on_recv(st->chan[i], &c->value);
    switch ((enum two_kind)c->kind) {
    case TWO_SEND:
        rc = mf_chan_send(one, &c->arg, until(c));
        break;
    case TWO_RECV:
        rc = mf_chan_recv(one, &c->value, until(c));
        break;
    case TWO_PUT:
    case TWO_PICK:
        c->result = mf_select(cases, 2, until(c));
        EXPECT(c->result < 0 || cases[c->result].res == (c->kind == TWO_PICK));
        return true;
    }
    c->result = rc < 0 ? rc : c->arg % 2;
    return true;
}

/*
 * Locks and unlocks, not always in turn. A hold cannot fail, so it only comes
 * after an unlock; and who has it gives it back in the end, or ends with it.
 */
KIT void plan_mutex(struct stage *st)
{
    st->spec = mutex_spec;
    st->mutex = (mf_mutex){{0, 0}};
    for (int a = 0; a < st->actors; a++) {
        int last = UNLOCK;

        for (int n = 2 + (int)luck(&st->seed, 3); n > 0; n--) {
            uint32_t r = luck(&st->seed, 16);

            if (last == UNLOCK)
                last = r == 0 ? UNLOCK : r < 5 ? HOLD : LOCK;
            else
                last = r == 0 ? LOCK : UNLOCK;
            plan_call(st, a, last);
        }
        plan_call(st, a, luck(&st->seed, 3) == 0 ? END : UNLOCK);
    }
}

KIT bool call_mutex(struct stage *st, struct call *c)
{
    switch ((enum mutex_kind)c->kind) {
    case LOCK:
        c->result = mf_mutex_lock(&st->mutex, until(c));
        break;
    case HOLD:
        mf_mutex_hold(&st->mutex);
        break;
    case UNLOCK:
        c->result = mf_mutex_unlock(&st->mutex);
        break;
    case END:
        return false;
    }
    return true;
}

KIT void plan_rwlock(struct stage *st)
{
    st->spec = rwlock_spec;
    st->rwlock = (mf_rwlock){{0}};
    for (int a = 0; a < st->actors; a++) {
        st->has[a] = false;
        for (int n = 2; n > 0; n--) {
            plan_call(st, a, luck(&st->seed, 3) == 0 ? WRITE : READ);
            plan_call(st, a, GIVE);
        }
    }
}

KIT bool call_rwlock(struct stage *st, struct call *c)
{
    bool *has = &st->has[c->actor];

    if (c->kind == GIVE && !*has) {
        c->kind = NOTHING;
        return true;
    }
    if (c->kind == GIVE)
        c->result = mf_rwlock_unlock(&st->rwlock);
    else if (c->kind == READ)
        c->result = mf_rwlock_read(&st->rwlock, until(c));
    else
        c->result = mf_rwlock_write(&st->rwlock, until(c));
    *has = c->kind != GIVE && c->result == 0;
    return true;
}

KIT void plan_sem(struct stage *st)
{
    int permits = (int)luck(&st->seed, 3);

    st->spec = sem_spec(permits);
    st->sem = (mf_sem)MF_SEM_INIT(permits);
    for (int a = 0; a < st->actors; a++) {
        for (int n = 3 + (int)luck(&st->seed, 3); n > 0; n--) {
            uint32_t r = luck(&st->seed, 16);

            plan_call(st, a,
                      r < 9    ? WAIT
                      : r < 14 ? POST
                               : VALUE)
                ->arg = 1 + (int)luck(&st->seed, 2);
        }
    }
}

KIT bool call_sem(struct stage *st, struct call *c)
{
    switch ((enum sem_kind)c->kind) {
    case WAIT:
        c->result = mf_sem_wait(&st->sem, until(c));
        break;
    case POST:
        c->result = mf_sem_post(&st->sem, c->arg);
        break;
    case VALUE:
        c->result = mf_sem_value(&st->sem);
        break;
    }
    return true;
}

/* ---- the play ------------------------------------------------------------ */

KIT bool on_two(struct stage *st)
{
    uint32_t seen = mfi_load_acq(&st->seen);

    return (seen & (seen - 1)) != 0;
}

/* All are here; and on two workers, unless it takes too long. */
KIT void line_up(struct stage *st)
{
    bool spread = st->workers > 1 && st->actors - st->threads > 1;

    mfi_add_acqrel(&st->arrived, 1);
    for (int i = 0; mfi_load_acq(&st->arrived) < st->actors ||
                    (spread && i < 300 && !on_two(st));
         i++) {
        struct worker *w = mfi_worker();

        if (w != NULL)
            mfi_or_acqrel(&st->seen, 1u << w->index);
        breathe();
    }
}

KIT int act(void *arg)
{
    struct role *me = arg;
    struct stage *st = me->st;

    line_up(st);
    for (int i = 0; i < st->h.n; i++) {
        struct call *c = &st->h.call[i];

        if (c->actor != me->actor)
            continue;
        for (uint32_t k = luck(&me->seed, 100); k > 0; k--)
            __asm__ __volatile__("" ::: "memory");
        if (luck(&me->seed, 4) == 0)
            breathe();
        history_invoke(&st->h, c);
        if (!st->call(st, c))
            return 0;
        history_respond(&st->h, c);
    }
    return 0;
}

KIT void count(struct stage *st)
{
    st->overlaps += history_overlaps(&st->h);
    for (int i = 0; i < st->h.n; i++) {
        const struct call *c = &st->h.call[i];

        if (c->result >= 0)
            st->done[c->kind]++;
        else if (c->result == -ETIMEDOUT)
            st->timed_out[c->kind]++;
        else
            st->refused[c->kind]++;
        st->told += c->kind == LOCK && c->result == MF_OWNER_DIED;
    }
}

KIT void play(struct stage *st)
{
    struct role role[ACTORS_MAX];
    struct crew c;

    st->h.n = 0;
    mfi_store_rlx(&st->h.clock, 0u);
    mfi_store_rlx(&st->arrived, 0);
    mfi_store_rlx(&st->seen, 0u);
    st->actors = 3 + (int)luck(&st->seed, 2);
    st->plan(st);
    crew_open(&c);
    for (int a = 0; a < st->actors; a++) {
        role[a] = (struct role){st, a, st->seed + 7919u * (uint32_t)a};
        crew_add(&c, a < st->threads, act, &role[a]);
    }
    crew_close(&c);
    for (int i = 0; i < st->h.n; i++)
        if (st->h.call[i].to == 0) /* an end: it is over by now */
            history_respond(&st->h, &st->h.call[i]);
    if (!st->broken)
        history_check(&st->h, &st->spec);
    else
        st->unexplained += !history_explained(&st->h, &st->spec);
    count(st);
    for (int i = 0; i < 2; i++) {
        if (st->chan[i] != NULL)
            mf_chan_unref(st->chan[i]);
        st->chan[i] = NULL;
    }
}

KIT int season(void *arg)
{
    struct stage *st = arg;

    mf_ns end = mf_now() + st->span;

    st->seed = 2463534242u + mfi_test_seed();
    for (int i = 0; i < st->plays && (i < PLAYS_MIN || mf_now() < end); i++)
        play(st);
    return 0;
}

/* On one worker, on two, by threads, by both. The stage of two workers. */
KIT struct stage tour(struct stage how, int plays, mf_ns span)
{
    struct stage st[] = {how, how, how, how};

    for (int i = 0; i < 4; i++) {
        st[i].workers = i == 0 ? 1 : 2;
        st[i].threads = i < 2 ? 0 : i == 2 ? ACTORS_MAX : ACTORS_MAX / 2;
        st[i].plays = i == 1 ? plays : plays / 4;
        st[i].span = i == 1 ? span : span / 4;
        in_tasks(st[i].workers, season, &st[i]);
        EXPECT_BY_CHANCE(st[i].overlaps > 0);
    }
    return st[1];
}

#endif
