/* SPDX-License-Identifier: MIT */
/* held.c - walks over the locks an agent has. See held.h. */
#include "sync/held.h"

mfi_held_died_fn *mfi_held_died[HELD_KINDS];

/* Make whoever points to `from` point to `to`: the list, or the lock `prev`. */
static void point(struct agent *a, struct held *prev, struct held *to)
{
    if (prev == NULL)
        a->held = to;
    else
        prev->next = (uintptr_t)to | (prev->next & HELD_KIND);
}

void mfi_held_pop_slow(struct agent *a, struct held *h)
{
    struct held *prev = NULL;

    for (struct held *at = a->held; at != NULL; at = mfi_held_next(at)) {
        if (at == h) {
            point(a, prev, mfi_held_next(at));
            return;
        }
        prev = at;
    }
}

static void release_all(struct agent *a)
{
    struct held *h;

    while ((h = a->held) != NULL) {
        struct held *next = mfi_held_next(h);
        uintptr_t kind = h->next & HELD_KIND;

        if (kind >= HELD_KINDS || mfi_held_died[kind] == NULL ||
            !mfi_held_died[kind](a, h))
            next = NULL;
        a->held = next;
    }
}

static void forget(struct agent *a, uintptr_t low, uintptr_t high)
{
    struct held *prev = NULL;

    for (struct held *h = a->held; h != NULL; h = mfi_held_next(h)) {
        if ((uintptr_t)h >= low && (uintptr_t)h < high)
            point(a, prev, mfi_held_next(h));
        else
            prev = h;
    }
}

__attribute__((__constructor__)) static void hook(void)
{
    mfi_held_release = release_all;
    mfi_held_forget = forget;
}
