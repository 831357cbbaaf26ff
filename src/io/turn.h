/* SPDX-License-Identifier: MIT */
/*
 * turn.h - one at a time at something that has no memory for a lock of its own.
 *
 * A turn is named by a number: an fd whose text is to stay in one piece, the
 * reading half of a stream, a descriptor only one may try to read. Who has it
 * and who waits for it stand, in order of arrival, in one list of a small
 * table; the entries are on their stacks. So an fd costs nothing while nobody
 * prints to it, and two fds never wait for each other.
 */
#ifndef MFI_IO_TURN_H
#define MFI_IO_TURN_H

#include <mayfly/base.h>

#include "base/time.h"
#include "sync/wait.h"

struct turn {
    struct list link; /* in its bucket, from take to pass */
    uintptr_t name;
    struct parker *parker;
    bool has; /* it is ours; under the bucket's lock until the wait is over */
};

/* Names: an fd's for writing in one piece, an object's for whatever it is. */
static inline uintptr_t mfi_turn_fd(int fd)
{
    return (uintptr_t)(unsigned)fd << 1 | 1;
}

static inline uintptr_t mfi_turn_at(const void *object)
{
    return (uintptr_t)object; /* even */
}

/*
 * Wait for our turn, until `at` (0: try). t must stay where it is until
 * mfi_turn_pass. Returns 0; without the turn: -ETIMEDOUT, -ECANCELED. Context:
 * any. Suspends: maybe. Cancel point: yes.
 */
int mfi_turn_take(struct turn *t, uintptr_t name, struct agent *a, mf_ns at,
                  const char *what);
void mfi_turn_pass(struct turn *t);

/* Never waits: -EBUSY. For who has no agent. */
int mfi_turn_try(struct turn *t, uintptr_t name);

#endif
