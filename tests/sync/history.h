/* SPDX-License-Identifier: MIT */
/*
 * history.h - what was called, when, with what result; and is there an order of
 * it all that a simple object, used by one at a time, would explain?
 *
 *   actor 0   |--send(1)=0--|        |--recv=2--|
 *   actor 1        |--send(2)=0--|
 *   actor 2                |--recv=1--|
 *             ------------------------------------> stamps of one counter
 *
 * A history is linearizable if each call can be given one point between its
 * invocation and its response so that, in the order of the points, a sequential
 * specification gives just these results. The search tries, again and again,
 * every call that no other unplaced call has ended before (Wing and Gong 1993,
 * "Testing and Verifying Concurrent Objects"), and never twice the same calls
 * placed with the same state (Lowe 2017, "Testing for Linearizability").
 *
 * A specification is a function: can this call, with its result, happen in
 * this state, and what is the state then. A rendezvous happens at one point for
 * two calls: `pair` says whether they can (set-linearizability, Neiger 1994).
 *
 * Stamps are sequentially consistent: nothing of a call is done outside them.
 */
#ifndef MFI_TESTS_SYNC_HISTORY_H
#define MFI_TESTS_SYNC_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"
#include "test.h"

enum { HISTORY_CALLS = 32, HISTORY_STATE = 12, HISTORY_MEMO = 1 << 13 };

struct call {
    int actor;
    int kind; /* of the specification */
    int how;  /* the user's: tries, waits ... */
    int arg;
    int result;
    int value; /* a second result */
    uint32_t from, to;
};

struct history {
    _Atomic uint32_t clock;
    int n;
    struct call call[HISTORY_CALLS]; /* each actor's in its own order */
};

struct state {
    int v[HISTORY_STATE];
};

struct spec {
    const char *name;
    const char *const *kinds;
    bool (*step)(struct state *s, const struct call *c);
    bool (*pair)(struct state *s, const struct call *a, const struct call *b);
    struct state start;
};

#define HISTORY __attribute__((__unused__)) static inline

/* ---- recording ----------------------------------------------------------- */

HISTORY struct call *history_add(struct history *h, int actor, int kind)
{
    struct call *c = &h->call[h->n++];

    EXPECT_LE(h->n, HISTORY_CALLS);
    *c = (struct call){.actor = actor, .kind = kind};
    return c;
}

HISTORY void history_invoke(struct history *h, struct call *c)
{
    c->from = mfi_add_sc(&h->clock, 1u);
}

HISTORY void history_respond(struct history *h, struct call *c)
{
    c->to = mfi_add_sc(&h->clock, 1u);
}

/* How many pairs of calls overlap. */
HISTORY int history_overlaps(const struct history *h)
{
    int n = 0;

    for (int i = 0; i < h->n; i++)
        for (int k = 0; k < i; k++)
            n += h->call[i].from < h->call[k].to &&
                 h->call[k].from < h->call[i].to;
    return n;
}

/* ---- the search ---------------------------------------------------------- */

struct memo_entry {
    uint32_t generation;
    uint32_t placed;
    struct state state;
};

struct search {
    const struct spec *spec;
    const struct history *h;
    int memos;
};

static struct memo_entry history_memo[HISTORY_MEMO]; /* one search at a time */
static uint32_t history_generation;

/* Has this been tried? If not, it will be: remember it, while there is room. */
HISTORY bool history_tried(struct search *s, uint32_t placed,
                           const struct state *st)
{
    uint64_t hash = placed;

    for (int i = 0; i < HISTORY_STATE; i++)
        hash = (hash ^ (uint32_t)st->v[i]) * UINT64_C(0x9e3779b97f4a7c15);
    for (uint64_t at = hash >> 40;; at++) {
        struct memo_entry *e = &history_memo[at % HISTORY_MEMO];

        if (e->generation != history_generation) {
            if (++s->memos < HISTORY_MEMO / 2)
                *e = (struct memo_entry){history_generation, placed, *st};
            return false;
        }
        if (e->placed == placed && memcmp(&e->state, st, sizeof *st) == 0)
            return true;
    }
}

/* Calls that may come next: nothing unplaced ended before they began. */
HISTORY uint32_t history_next(const struct history *h, uint32_t placed)
{
    uint32_t first = UINT32_MAX, next = 0;

    for (int i = 0; i < h->n; i++)
        if ((placed >> i & 1) == 0 && h->call[i].to < first)
            first = h->call[i].to;
    for (int i = 0; i < h->n; i++)
        if ((placed >> i & 1) == 0 && h->call[i].from < first)
            next |= 1u << i;
    return next;
}

HISTORY bool history_place(struct search *s, uint32_t placed, struct state st);

HISTORY bool history_place_pairs(struct search *s, uint32_t placed,
                                 uint32_t next, const struct state *st)
{
    for (int i = 0; i < s->h->n; i++) {
        for (int k = 0; k < s->h->n; k++) {
            uint32_t both = 1u << i | 1u << k;
            struct state then = *st;

            if (i != k && (next & both) == both &&
                s->spec->pair(&then, &s->h->call[i], &s->h->call[k]) &&
                history_place(s, placed | both, then))
                return true;
        }
    }
    return false;
}

HISTORY bool history_place(struct search *s, uint32_t placed, struct state st)
{
    uint32_t next = history_next(s->h, placed);

    if (next == 0)
        return true; /* all are placed */
    if (history_tried(s, placed, &st))
        return false;
    for (int i = 0; i < s->h->n; i++) {
        struct state then = st;

        if ((next >> i & 1) != 0 && s->spec->step(&then, &s->h->call[i]) &&
            history_place(s, placed | 1u << i, then))
            return true;
    }
    return s->spec->pair != NULL && history_place_pairs(s, placed, next, &st);
}

/* Is there an order that explains it? Context: one at a time. */
HISTORY bool history_explained(const struct history *h, const struct spec *spec)
{
    struct search s = {.spec = spec, .h = h};

    history_generation++;
    return history_place(&s, 0, spec->start);
}

HISTORY void history_print(const struct history *h, const struct spec *spec)
{
    for (uint32_t t = 0; t < h->clock; t++) {
        for (int i = 0; i < h->n; i++) {
            const struct call *c = &h->call[i];

            if (c->from == t)
                fprintf(stderr,
                        "# %3u to %3u  actor %d  %s(%d) how %d = %d, %d\n",
                        c->from, c->to, c->actor, spec->kinds[c->kind], c->arg,
                        c->how, c->result, c->value);
        }
    }
}

HISTORY void history_check(const struct history *h, const struct spec *spec)
{
    if (history_explained(h, spec))
        return;
    history_print(h, spec);
    mfi_test_fail(__FILE__, __LINE__, "%s: no order explains this history",
                  spec->name);
}

#endif
