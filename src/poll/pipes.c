/* SPDX-License-Identifier: MIT */
/*
 * pipes.c - the pipes kept: a stack under a lock, the warmest on top.
 *
 * Pipes have their own numbers and no records: nobody waits on one, since who
 * has one fills it only when it is empty and empties it before filling it.
 */
#include "poll/pipes.h"

#include "os/io.h"
#include "os/spin.h"

enum { KEPT = 32 };

static struct spin lock;
static int kept[KEPT][2]; /* under lock */
static int nr_kept;

int mfi_pipe_get(int ret_fds[2])
{
    bool got = false;

    mfi_spin_lock(&lock);
    if (nr_kept > 0) {
        nr_kept--;
        ret_fds[0] = kept[nr_kept][0];
        ret_fds[1] = kept[nr_kept][1];
        got = true;
    }
    mfi_spin_unlock(&lock);
    return got ? 0 : (int)mfi_sys2(SYS_pipe2, ret_fds, O_CLOEXEC | O_NONBLOCK);
}

void mfi_pipe_put(const int fds[2], bool empty)
{
    bool took = false;

    if (empty) {
        mfi_spin_lock(&lock);
        if (nr_kept < KEPT) {
            kept[nr_kept][0] = fds[0];
            kept[nr_kept][1] = fds[1];
            nr_kept++;
            took = true;
        }
        mfi_spin_unlock(&lock);
    }
    if (!took) {
        mfi_os_close(fds[0]);
        mfi_os_close(fds[1]);
    }
}

void mfi_pipes_done(void)
{
    for (; nr_kept > 0; nr_kept--) {
        mfi_os_close(kept[nr_kept - 1][0]);
        mfi_os_close(kept[nr_kept - 1][1]);
    }
}
