/* SPDX-License-Identifier: MIT */
/*
 * watch.c - the latest value, for whoever looks: a cell with a version.
 *
 * Setting writes over the value and wakes all who wait for another version than
 * the one they know; they look again under the lock (see broadcast.h). So a
 * slow one skips what came in between, and none sees half a value: elements
 * are copied under the lock (1 MiB at most, as in a channel).
 */
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sync/broadcast.h"

enum { ELEM_MAX = 1 << 20 };

/* ---- life --------------------------------------------------------------- */

int mf_watch_make(size_t elem_size, const void *initial, mf_watch **ret_watch)
{
    mf_watch *w;

    if (ret_watch == NULL || elem_size > ELEM_MAX ||
        (initial == NULL && elem_size != 0))
        return -EINVAL;
    /* tidy: allow malloc, because the user asked for it, and frees it */
    w = malloc(sizeof *w + elem_size);
    if (w == NULL)
        return -ENOMEM;
    *w = (mf_watch){.refs = 1, .elem_size = (uint32_t)elem_size, .version = 1};
    if (elem_size != 0)
        memcpy(w->value, initial, elem_size);
    *ret_watch = w;
    return 0;
}

mf_watch *mf_watch_ref(mf_watch *w)
{
    if (w != NULL)
        mfi_add_rlx(&w->refs, 1u);
    return w;
}

void mf_watch_unref(mf_watch *w)
{
    if (w == NULL || mfi_sub_acqrel(&w->refs, 1u) != 1)
        return;
    mfi_assert(w->waiters.first == NULL);
    /* tidy: allow malloc, because mf_watch_make made it */
    free(w);
}

int mf_watch_close(mf_watch *w)
{
    struct wake_list woken;
    int rc = -EALREADY;

    if (w == NULL)
        return -EINVAL;
    mfi_wake_list_init(&woken);
    mfi_spin_lock(&w->lock);
    if (!w->closed) {
        w->closed = true;
        mfi_waitq_wake_all(&w->waiters, &woken);
        rc = 0;
    }
    mfi_spin_unlock(&w->lock);
    mfi_wake(&woken);
    return rc;
}

/* ---- set, get ----------------------------------------------------------- */

static void copy(const mf_watch *w, void *to, const void *from)
{
    if (w->elem_size != 0)
        memcpy(to, from, w->elem_size);
}

static bool bad_elem(const mf_watch *w, const void *elem)
{
    return w == NULL || (elem == NULL && w->elem_size != 0);
}

int mf_watch_set(mf_watch *w, const void *elem)
{
    struct wake_list woken;
    int rc = -EPIPE;

    if (bad_elem(w, elem))
        return -EINVAL;
    mfi_wake_list_init(&woken);
    mfi_spin_lock(&w->lock);
    if (!w->closed) {
        copy(w, w->value, elem);
        w->version++;
        mfi_waitq_wake_all(&w->waiters, &woken);
        rc = 0;
    }
    mfi_spin_unlock(&w->lock);
    mfi_wake(&woken);
    return rc;
}

int mf_watch_get(mf_watch *w, void *ret_elem, uint64_t *ret_version)
{
    if (bad_elem(w, ret_elem))
        return -EINVAL;
    mfi_spin_lock(&w->lock);
    copy(w, ret_elem, w->value);
    if (ret_version != NULL)
        *ret_version = w->version;
    mfi_spin_unlock(&w->lock);
    return 0;
}

/* ---- wait --------------------------------------------------------------- */

int mfi_watch_next_locked(mf_watch *w, uint64_t *version, void *elem)
{
    if (w->version == *version)
        return w->closed ? 0 : -EAGAIN;
    copy(w, elem, w->value);
    *version = w->version;
    return 1;
}

int mf_watch_next(mf_watch *w, uint64_t *version, void *ret_elem,
                  mf_deadline deadline)
{
    struct agent *a;
    int rc;

    if (bad_elem(w, ret_elem) || version == NULL)
        return -EINVAL;
    if ((a = mfi_agent()) == NULL)
        return -ENOMEM;
    do {
        if ((rc = mfi_cancel_point(a)) < 0)
            return rc;
        mfi_park_arm_early(a);
        mfi_spin_lock(&w->lock);
        rc = mfi_watch_next_locked(w, version, ret_elem);
        if (rc == -EAGAIN && !mfi_is_try(deadline)) {
            rc = mfi_look_again_wait(a, &w->lock, &w->waiters, deadline,
                                     "a watch");
            continue;
        }
        mfi_spin_unlock(&w->lock);
        mfi_park_disarm(a);
        mfi_budget(a);
        return rc == -EAGAIN ? -ETIMEDOUT : rc;
    } while (rc == -EAGAIN);
    return rc;
}
