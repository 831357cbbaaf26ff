/* SPDX-License-Identifier: MIT */
/*
 * specs.h - what channels, locks and semaphores are, used by one at a time.
 *
 * A call that gave up (-ETIMEDOUT) must have had a moment at which it could not
 * go on. Only for a rendezvous nothing can be said: that somebody is about to
 * come does not mean that he is there.
 */
#ifndef MFI_TESTS_SYNC_SPECS_H
#define MFI_TESTS_SYNC_SPECS_H

#include <mayfly/sync.h>

#include <errno.h>

#include "sync/history.h"

#define SPECS __attribute__((__unused__)) static

/* ---- channel ------------------------------------------------------------- */

enum chan_kind { SEND, RECV, CLOSE, LEN };
enum { CHAN_CAP, CHAN_CLOSED_, CHAN_COUNT, CHAN_FIRST }; /* of the state */

SPECS const char *const chan_kinds[] = {"send", "recv", "close", "len"};

/* Closing, and what a closed channel answers; the rest is the caller's. */
HISTORY bool chan_closed(struct state *s, const struct call *c)
{
    bool was = s->v[CHAN_CLOSED_] != 0;

    switch ((enum chan_kind)c->kind) {
    case SEND:
        return was && c->result == -EPIPE;
    case RECV:
        return was && s->v[CHAN_COUNT] == 0 && c->result == 0;
    case CLOSE:
        s->v[CHAN_CLOSED_] = 1;
        return c->result == (was ? -EALREADY : 0);
    case LEN:
        return c->result == s->v[CHAN_COUNT];
    }
    return false;
}

HISTORY bool chan_step(struct state *s, const struct call *c)
{
    int *count = &s->v[CHAN_COUNT], *first = &s->v[CHAN_FIRST];
    bool open = s->v[CHAN_CLOSED_] == 0, full = *count == s->v[CHAN_CAP];

    if (c->kind == SEND && c->result == 0) {
        if (!open || full)
            return false;
        first[(*count)++] = c->arg;
        return true;
    }
    if (c->kind == RECV && c->result == 1) {
        if (*count == 0 || *first != c->value)
            return false;
        --*count;
        for (int i = 0; i < *count; i++)
            first[i] = first[i + 1];
        first[*count] = 0;
        return true;
    }
    if (c->result == -ETIMEDOUT)
        return open &&
               ((c->kind == SEND && full) || (c->kind == RECV && *count == 0));
    return chan_closed(s, c);
}

HISTORY bool rendezvous_step(struct state *s, const struct call *c)
{
    if (c->result == -ETIMEDOUT)
        return s->v[CHAN_CLOSED_] == 0 && (c->kind == SEND || c->kind == RECV);
    return chan_closed(s, c);
}

HISTORY bool rendezvous_pair(struct state *s, const struct call *a,
                             const struct call *b)
{
    return s->v[CHAN_CLOSED_] == 0 && a->kind == SEND && a->result == 0 &&
           b->kind == RECV && b->result == 1 && b->value == a->arg &&
           a->actor != b->actor;
}

HISTORY struct spec chan_spec(int capacity)
{
    struct spec spec = {
        .name = capacity != 0 ? "channel" : "rendezvous",
        .kinds = chan_kinds,
        .step = capacity != 0 ? chan_step : rendezvous_step,
        .pair = capacity != 0 ? NULL : rendezvous_pair,
    };

    EXPECT_LE(CHAN_FIRST + capacity, HISTORY_STATE);
    spec.start.v[CHAN_CAP] = capacity;
    return spec;
}

/* ---- two channels and select --------------------------------------------- */

enum two_kind { TWO_SEND, TWO_RECV, TWO_PUT, TWO_PICK };
enum { TWO_CAP, TWO_COUNT, TWO_FIRST = 3, TWO_CAP_MAX = 2 };

SPECS const char *const two_kinds[] = {"send", "recv", "put", "pick"};

HISTORY bool two_sends(const struct call *c)
{
    return c->kind == TWO_SEND || c->kind == TWO_PUT;
}

/*
 * send, recv: on channel arg % 2; put, pick: on one of both. result: which. A
 * select that only tries looks at one after the other; one that waits has had
 * a moment at which neither was ready.
 */
HISTORY bool two_step(struct state *s, const struct call *c)
{
    int cap = s->v[TWO_CAP], *count = &s->v[TWO_COUNT];
    bool no[2], one = c->kind == TWO_SEND || c->kind == TWO_RECV;
    int *first;

    for (int i = 0; i < 2; i++)
        no[i] = count[i] == (two_sends(c) ? cap : 0);
    if (c->result == -ETIMEDOUT)
        return one ? no[c->arg % 2] : c->how == 0 || (no[0] && no[1]);
    if (c->result < 0 || c->result > 1 || no[c->result])
        return false;
    count += c->result;
    first = &s->v[TWO_FIRST + TWO_CAP_MAX * c->result];
    if (two_sends(c)) {
        first[(*count)++] = c->arg;
        return true;
    }
    if (*first != c->value)
        return false;
    --*count;
    first[0] = first[1];
    first[1] = 0;
    return true;
}

HISTORY bool two_pair(struct state *s, const struct call *a,
                      const struct call *b)
{
    return s->v[TWO_CAP] == 0 && two_sends(a) && !two_sends(b) &&
           a->result >= 0 && a->result == b->result && b->value == a->arg;
}

HISTORY struct spec two_spec(int capacity)
{
    struct spec spec = {.name = "two channels", .kinds = two_kinds};

    spec.step = two_step;
    spec.pair = two_pair;
    spec.start.v[TWO_CAP] = capacity;
    return spec;
}

/* ---- mutex --------------------------------------------------------------- */

enum mutex_kind { LOCK, HOLD, UNLOCK, END };
enum { MUTEX_OWNER, MUTEX_DIED }; /* owner: the actor + 1 */

SPECS const char *const mutex_kinds[] = {"lock", "hold", "unlock", "end"};

HISTORY bool mutex_step(struct state *s, const struct call *c)
{
    int *owner = &s->v[MUTEX_OWNER], *died = &s->v[MUTEX_DIED];
    bool mine = *owner == c->actor + 1;

    switch ((enum mutex_kind)c->kind) {
    case LOCK:
        if (*owner != 0)
            return c->result == (mine ? -EDEADLK : -ETIMEDOUT);
        if (c->result != (*died ? MF_OWNER_DIED : 0))
            return false;
        *owner = c->actor + 1;
        *died = 0;
        return true;
    case HOLD:
        if (*owner != 0)
            return false;
        *owner = c->actor + 1;
        return true;
    case UNLOCK:
        if (mine)
            *owner = 0;
        return c->result == (mine ? 0 : -EPERM);
    case END:
        if (mine) {
            *owner = 0;
            *died = 1;
        }
        return true;
    }
    return false;
}

SPECS const struct spec mutex_spec = {
    .name = "mutex", .kinds = mutex_kinds, .step = mutex_step};

/* ---- reader-writer lock -------------------------------------------------- */

enum rwlock_kind { READ, WRITE, GIVE, NOTHING };
enum { RW_READERS, RW_WRITER }; /* the actor + 1 */

SPECS const char *const rwlock_kinds[] = {"read", "write", "give", "nothing"};

/* Who waits counts as well, so a try only fails for sure while it is free. */
HISTORY bool rwlock_step(struct state *s, const struct call *c)
{
    int *readers = &s->v[RW_READERS], *writer = &s->v[RW_WRITER];

    if (c->kind == NOTHING)
        return true;
    if (c->kind == GIVE && *writer == c->actor + 1)
        *writer = 0;
    else if (c->kind == GIVE)
        return (*readers)-- > 0 && c->result == 0;
    else if (c->result == -ETIMEDOUT)
        return *readers != 0 || *writer != 0;
    else if (*writer != 0 || (c->kind == WRITE && *readers != 0))
        return false;
    else if (c->kind == WRITE)
        *writer = c->actor + 1;
    else
        ++*readers;
    return c->result == 0;
}

SPECS const struct spec rwlock_spec = {
    .name = "rwlock", .kinds = rwlock_kinds, .step = rwlock_step};

/* ---- semaphore ----------------------------------------------------------- */

enum sem_kind { WAIT, POST, VALUE };

SPECS const char *const sem_kinds[] = {"wait", "post", "value"};

HISTORY bool sem_step(struct state *s, const struct call *c)
{
    int *permits = &s->v[0];

    switch ((enum sem_kind)c->kind) {
    case WAIT:
        if (*permits == 0)
            return c->result == -ETIMEDOUT;
        --*permits;
        return c->result == 0;
    case POST:
        *permits += c->arg;
        return c->result == 0;
    case VALUE:
        return c->result == *permits;
    }
    return false;
}

HISTORY struct spec sem_spec(int permits)
{
    struct spec spec = {.name = "semaphore", .kinds = sem_kinds};

    spec.step = sem_step;
    spec.start.v[0] = permits;
    return spec;
}

#endif
