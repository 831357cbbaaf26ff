/* SPDX-License-Identifier: MIT */
/*
 * selector.c - the block forms of select: MF_SELECT and MF_LOOP_SELECT.
 *
 * The block runs twice a wait: once to collect (every MF_CASE adds its case and
 * is skipped), once to dispatch (the winner's body runs). Between the two,
 * mf_selector_step_ waits.
 *
 *      COLLECT --step: wait--> DISPATCH --step--> the end, or COLLECT again
 *
 * A loop remembers which cases have said their last word: a case is known by
 * its place in the source (id) and what it is about (channel, point in time),
 * so the same place with another channel in it is as new.
 */
#include "base/time.h"
#include "sync/select.h"

enum { BEGIN, COLLECT, DISPATCH };

mf_selector *mf_selector_init_(mf_selector *s, int *rc, mf_deadline deadline,
                               int loop)
{
    s->rc = rc;
    s->deadline = deadline;
    s->loop = loop;
    s->n = s->won = s->nspent = 0;
    s->state = BEGIN;
    return s;
}

/* What case c is about, as a number. */
static int64_t subject(const mf_case *c)
{
    if (c->op == MF_OP_TIME)
        return c->at.at;
    if (mfi_case_is_fd(c))
        return c->fd;
    return (int64_t)(uintptr_t)c->obj;
}

static bool is_spent(const mf_selector *s, int id, const mf_case *c)
{
    for (int i = 0; i < s->nspent; i++)
        if (s->spent[i].id == id)
            return s->spent[i].at == subject(c);
    return false;
}

static void mark_spent(mf_selector *s, int id, const mf_case *c)
{
    int i = 0;

    while (i < s->nspent && s->spent[i].id != id)
        i++;
    if (i == MF_SELECT_MAX)
        return; /* no block has more places */
    s->spent[i].id = id;
    s->spent[i].at = subject(c);
    s->nspent += i == s->nspent;
}

/* A case is written where it will be used: it is made once and copied once. */
mf_case *mf_selector_add_(mf_selector *s, int id)
{
    if (s->n >= MF_SELECT_MAX) {
        s->n = MF_SELECT_MAX + 1;
        return &s->cases[MF_SELECT_MAX];
    }
    s->ids[s->n] = id;
    return &s->cases[s->n++];
}

/* Cases of a loop that have said their last word wait no more. */
static void strike_out_spent(mf_selector *s)
{
    for (int i = 0; i < s->n; i++)
        if (is_spent(s, s->ids[i], &s->cases[i]))
            s->cases[i].op = MF_OP_NONE;
}

/* Can any of them still fire? */
static bool any_left(const mf_selector *s)
{
    for (int i = 0; i < s->n; i++)
        if (mfi_case_kind(&s->cases[i]) != NULL)
            return true;
    return false;
}

static bool all_valid(const mf_selector *s)
{
    for (int i = 0; i < s->n; i++)
        if (!mfi_case_valid(&s->cases[i]))
            return false;
    return true;
}

/* Wait. 1: dispatch; 0: the loop is at its end. */
static int wait(mf_selector *s)
{
    int i;

    s->won = 0;
    s->state = DISPATCH;
    if (s->n > MF_SELECT_MAX || (s->loop && !all_valid(s))) {
        *s->rc = -EINVAL;
        return 1;
    }
    if (s->loop) {
        strike_out_spent(s);
        if (!any_left(s)) {
            *s->rc = 0;
            return 0;
        }
    }
    i = mf_select(s->cases, s->n, s->deadline);
    if (i < 0) {
        *s->rc = i;
        return 1;
    }
    s->won = s->ids[i];
    *s->rc = s->cases[i].res;
    if (s->loop && mfi_case_spent(&s->cases[i]))
        mark_spent(s, s->won, &s->cases[i]);
    return 1;
}

int mf_selector_step_(mf_selector *s)
{
    switch (s->state) {
    case COLLECT:
        return wait(s);
    case DISPATCH:
        if (!s->loop || s->won == 0)
            return 0;
        break;
    default: /* BEGIN */
        break;
    }
    s->n = 0;
    s->won = 0;
    s->state = COLLECT;
    return 1;
}
