/* SPDX-License-Identifier: MIT */
/*
 * matrix_help.h - what the task beside the one that is tried does: it feeds it,
 * or ends its wait, once it waits.
 */
#ifndef MFI_TESTS_MATRIX_HELP_H
#define MFI_TESTS_MATRIX_HELP_H

#include "io/matrix.h"

static int write_pieces(void *arg)
{
    struct cell *c = arg;

    while (c->made < c->pieces) {
        /* What may be lost waits for its reader. */
        while (is(c, LOSSY) && c->sent > mfi_load_acq(&c->got) + 8)
            breathe();
        put(c);
        if (c->made % 3 == 0)
            breathe();
    }
    return 0;
}

static int read_slowly(void *arg)
{
    struct cell *c = arg;
    char buf[PIECE_MAX];
    uint64_t all = c->pieces; /* here: bytes, messages, or the sum */

    while (mfi_load_rlx(&c->got) < all) {
        flow_take(c, buf, mf_read(c->e.r, buf, sizeof buf, late()));
        if (mfi_load_rlx(&c->got) % 7 == 0)
            breathe();
    }
    return 0;
}

static int put_when_awaited(void *arg)
{
    struct cell *c = arg;

    await_waiters(c->e.r, 1);
    put(c);
    return 0;
}

static int take_when_awaited(void *arg)
{
    struct cell *c = arg;

    await_waiters(c->e.w, 1);
    mfi_store_rel(&c->helped, 1u);
    do
        CELL(c, read_one(c, late()), >, 0);
    while (c->kind->flow != FLOW_COUNT && mfi_load_rlx(&c->got) < c->pieces);
    return 0;
}

static int cancel_when_awaited(void *arg)
{
    struct cell *c = arg;

    await_waiters(c->end, 1);
    mf_scope_cancel(&c->scope);
    return 0;
}

static int close_when_awaited(void *arg)
{
    struct cell *c = arg;

    await_waiters(c->end, 1);
    CELL_EQ(c, mf_close(c->end), 0);
    return 0;
}

static int close_w_when_awaited(void *arg)
{
    struct cell *c = arg;

    await_waiters(c->e.r, 1);
    close_end(c, &c->e.w);
    return 0;
}

#endif
