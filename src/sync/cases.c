/* SPDX-License-Identifier: MIT */
/*
 * cases.c - the things a select can wait for: how to make, try, link each.
 *
 * What a case keeps in its reserved words: fd cases their attempt and the poll
 * events, call cases the task that runs the call, watch cases where the version
 * is.
 */
#include <string.h>

#include "base/time.h"
#include "os/event.h"
#include "os/io.h"
#include "sync/broadcast.h"
#include "sync/chan.h"
#include "sync/event.h"
#include "sync/select.h"
#include "sync/sem.h"

static mf_case make(enum mf_op op, const void *obj, const void *val)
{
    return (mf_case){.op = (int)op,
                     .fd = -1,
                     .obj = (void *)(uintptr_t)obj,
                     .val = (void *)(uintptr_t)val};
}

/* ---- channels ----------------------------------------------------------- */

mf_case mf_on_recv(mf_chan *c, void *ret_elem)
{
    return make(MF_OP_RECV, c, ret_elem);
}

mf_case mf_on_send(mf_chan *c, const void *elem)
{
    return make(MF_OP_SEND, c, elem);
}

static struct spin *chan_lock(const mf_case *c)
{
    return &((struct mf_chan *)c->obj)->lock;
}

static struct waitq *receivers(const mf_case *c)
{
    return &((struct mf_chan *)c->obj)->receivers;
}

static struct waitq *senders(const mf_case *c)
{
    return &((struct mf_chan *)c->obj)->senders;
}

static int recv_locked(mf_case *c, struct chan_after *after)
{
    return mfi_chan_recv_locked(c->obj, c->val, after);
}

static int send_locked(mf_case *c, struct chan_after *after)
{
    return mfi_chan_send_locked(c->obj, c->val, after);
}

static int recv_attempt(mf_case *c)
{
    struct chan_after after;
    int rc;

    mfi_chan_after_init(&after);
    mfi_spin_lock(chan_lock(c));
    rc = recv_locked(c, &after);
    mfi_spin_unlock(chan_lock(c));
    mfi_chan_after(&after);
    return rc;
}

static int send_attempt(mf_case *c)
{
    struct chan_after after;
    int rc;

    do {
        mfi_chan_after_init(&after);
        mfi_spin_lock(chan_lock(c));
        rc = send_locked(c, &after);
        mfi_spin_unlock(chan_lock(c));
        mfi_chan_after(&after);
    } while (rc == CHAN_GROW && (rc = mfi_chan_grow(c->obj)) == 0);
    return rc;
}

/* ---- events ------------------------------------------------------------- */

mf_case mf_on_event(mf_event *e)
{
    return make(MF_OP_EVENT, e, NULL);
}

static struct spin *event_lock(const mf_case *c)
{
    return &mfi_event(c->obj)->lock;
}

static struct waitq *event_queue(const mf_case *c)
{
    return &mfi_event(c->obj)->waiters;
}

static int event_attempt(mf_case *c)
{
    return mfi_load_acq(&mfi_event(c->obj)->fired) != 0 ? 0 : -EAGAIN;
}

static int event_locked(mf_case *c, struct chan_after *after)
{
    (void)after;
    return event_attempt(c);
}

/* ---- broadcasts and watches --------------------------------------------- */

mf_case mf_on_broadcast(mf_subscriber *sub, void *ret_elem)
{
    return make(MF_OP_BROADCAST, sub, ret_elem);
}

static mf_broadcast *broadcast(const mf_case *c)
{
    return ((mf_subscriber *)c->obj)->b;
}

static struct spin *broadcast_lock(const mf_case *c)
{
    return &broadcast(c)->lock;
}

static struct waitq *broadcast_queue(const mf_case *c)
{
    return &broadcast(c)->waiters;
}

static int broadcast_locked(mf_case *c, struct chan_after *after)
{
    (void)after;
    return mfi_broadcast_recv_locked(c->obj, c->val);
}

mf_case mf_on_watch(mf_watch *w, uint64_t *version, void *ret_elem)
{
    mf_case c = make(MF_OP_WATCH, w, ret_elem);

    mfi_case_set_words(&c, (struct case_words){.version = version});
    return c;
}

static struct spin *watch_lock(const mf_case *c)
{
    return &((mf_watch *)c->obj)->lock;
}

static struct waitq *watch_queue(const mf_case *c)
{
    return &((mf_watch *)c->obj)->waiters;
}

static int watch_locked(mf_case *c, struct chan_after *after)
{
    (void)after;
    return mfi_watch_next_locked(c->obj, mfi_case_words(c).version, c->val);
}

/* Of either. */
static int look_attempt(mf_case *c)
{
    struct spin *lock =
        c->op == MF_OP_WATCH ? watch_lock(c) : broadcast_lock(c);
    int rc;

    mfi_spin_lock(lock);
    rc = c->op == MF_OP_WATCH ? watch_locked(c, NULL)
                              : broadcast_locked(c, NULL);
    mfi_spin_unlock(lock);
    return rc;
}

/* ---- semaphores ---------------------------------------------------------- */

mf_case mf_on_sem(mf_sem *s)
{
    return make(MF_OP_SEM, s, NULL);
}

static struct spin *sem_lock(const mf_case *c)
{
    return &mfi_sem(c->obj)->lock;
}

static int sem_attempt(mf_case *c)
{
    return mfi_sem_try(mfi_sem(c->obj)) ? 0 : -EAGAIN;
}

/* If it takes none, none comes without the lock from now on. */
static int sem_locked(mf_case *c, struct chan_after *after)
{
    (void)after;
    return mfi_sem_take_locked(mfi_sem(c->obj)) ? 0 : -EAGAIN;
}

static struct waitq *sem_queue(const mf_case *c)
{
    return &mfi_sem(c->obj)->waiters;
}

/* ---- points in time ----------------------------------------------------- */

mf_case mf_on_time(mf_deadline at)
{
    mf_case c = make(MF_OP_TIME, NULL, NULL);

    c.at = at;
    return c;
}

static int time_attempt(mf_case *c)
{
    return mfi_is_try(c->at) || mf_now() >= c->at.at ? 0 : -EAGAIN;
}

/* ---- the ends of tasks, calls and scopes -------------------------------- */

mf_case mf_on_join(mf_task *t, int *ret_result)
{
    return make(MF_OP_JOIN, t, ret_result);
}

mf_case mf_on_call(mf_fn *fn, void *arg)
{
    mf_case c = make(MF_OP_CALL, NULL, arg);

    /* A function does not fit in a void pointer by the letter of C. */
    memcpy(&c.obj, &fn, sizeof fn);
    return c;
}

void mfi_case_call_reset(mf_case *c)
{
    mfi_case_set_words(c, (struct case_words){.task = NULL});
}

int mfi_case_call_start(mf_case *c, mf_scope *s)
{
    struct case_words w = {.task = NULL};
    mf_fn *fn;
    int rc;

    memcpy(&fn, &c->obj, sizeof fn);
    rc = mf_spawn(s, fn, c->val, MF_TASK_OPTIONS(.name = "a select's call"),
                  &w.task);
    mfi_case_set_words(c, w);
    return rc;
}

static mf_task *task_of(const mf_case *c)
{
    return c->op == MF_OP_JOIN ? c->obj : mfi_case_words(c).task;
}

static int join_attempt(mf_case *c)
{
    mf_task *t = task_of(c);

    if (t == NULL || (mfi_load_acq(&t->state) & TASK_ENDED) == 0)
        return -EAGAIN;
    if (c->op == MF_OP_CALL)
        return t->result;
    if (c->val != NULL)
        *(int *)c->val = t->result;
    return 0;
}

static bool join_link(mf_case *c, struct case_link *l)
{
    mf_task *t = task_of(c);
    bool ended;

    mfi_task_lock(t);
    ended = (mfi_load_rlx(&t->state) & TASK_ENDED) != 0;
    if (!ended)
        mfi_waitq_add(&t->joiners, &l->s.w);
    mfi_task_unlock(t, 0, 0);
    return !ended;
}

static void join_unlink(mf_case *c, struct case_link *l)
{
    mf_task *t = task_of(c);

    mfi_task_lock(t);
    mfi_waitq_del(&t->joiners, &l->s.w);
    mfi_task_unlock(t, 0, 0);
}

mf_case mf_on_scope(mf_scope *s)
{
    return make(MF_OP_SCOPE, s, NULL);
}

static int scope_attempt(mf_case *c)
{
    struct scope *s = mfi_scope(c->obj);
    bool busy;

    if (!mfi_scope_is_open(s))
        return -EINVAL;
    mfi_spin_lock(&s->lock);
    busy = s->live != 0;
    mfi_spin_unlock(&s->lock);
    return busy ? -EAGAIN : 0;
}

static bool scope_link(mf_case *c, struct case_link *l)
{
    struct scope *s = mfi_scope(c->obj);
    bool busy;

    mfi_spin_lock(&s->lock);
    busy = s->live != 0;
    if (busy)
        mfi_waitq_add(&s->waiters, &l->s.w);
    mfi_spin_unlock(&s->lock);
    return busy;
}

static void scope_unlink(mf_case *c, struct case_link *l)
{
    struct scope *s = mfi_scope(c->obj);

    mfi_spin_lock(&s->lock);
    mfi_waitq_del(&s->waiters, &l->s.w);
    mfi_spin_unlock(&s->lock);
}

/* ---- the kinds ---------------------------------------------------------- */

static const struct case_kind kinds[] = {
    [MF_OP_RECV] = {.attempt = recv_attempt,
                    .lock = chan_lock,
                    .queue = receivers,
                    .attempt_locked = recv_locked},
    [MF_OP_SEND] = {.attempt = send_attempt,
                    .lock = chan_lock,
                    .queue = senders,
                    .attempt_locked = send_locked},
    [MF_OP_EVENT] = {.attempt = event_attempt,
                     .lock = event_lock,
                     .queue = event_queue,
                     .attempt_locked = event_locked,
                     .once = true},
    [MF_OP_SEM] = {.attempt = sem_attempt,
                   .lock = sem_lock,
                   .queue = sem_queue,
                   .attempt_locked = sem_locked},
    [MF_OP_TIME] = {.attempt = time_attempt, .once = true},
    [MF_OP_JOIN] = {.attempt = join_attempt,
                    .link = join_link,
                    .unlink = join_unlink,
                    .once = true},
    [MF_OP_CALL] = {.attempt = join_attempt,
                    .link = join_link,
                    .unlink = join_unlink},
    [MF_OP_SCOPE] = {.attempt = scope_attempt,
                     .link = scope_link,
                     .unlink = scope_unlink,
                     .once = true},
    [MF_OP_FD] = {.attempt = NULL},
    [MF_OP_ACCEPT] = {.attempt = NULL},
    [MF_OP_SIGNAL] = {.attempt = NULL},
    [MF_OP_PROC] = {.attempt = NULL, .once = true},
    [MF_OP_BROADCAST] = {.attempt = look_attempt,
                         .lock = broadcast_lock,
                         .queue = broadcast_queue,
                         .attempt_locked = broadcast_locked},
    [MF_OP_WATCH] = {.attempt = look_attempt,
                     .lock = watch_lock,
                     .queue = watch_queue,
                     .attempt_locked = watch_locked},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

const struct case_kind *mfi_case_kind(const mf_case *c)
{
    if (c->op == MF_OP_NONE)
        return NULL;
    if (mfi_case_is_fd(c))
        return c->fd >= 0 ? &kinds[c->op] : NULL;
    if (c->op == MF_OP_TIME)
        return c->at.at != 0 ? &kinds[c->op] : NULL;
    return c->obj != NULL ? &kinds[c->op] : NULL;
}

static bool valid_events(int events)
{
    return events != 0 && (events & ~(POLLIN | POLLOUT | POLLPRI)) == 0;
}

bool mfi_case_valid(const mf_case *c)
{
    if (c->op < 0 || c->op >= KINDS)
        return false;
    if (mfi_case_is_fd(c))
        return mfi_case_words(c).attempt != NULL &&
               valid_events(mfi_case_words(c).events);
    if ((c->op == MF_OP_RECV || c->op == MF_OP_SEND) && c->obj != NULL)
        return c->val != NULL || ((mf_chan *)c->obj)->elem_size == 0;
    if (c->op == MF_OP_BROADCAST && c->obj != NULL)
        return c->val != NULL || broadcast(c)->elem_size == 0;
    if (c->op == MF_OP_WATCH && c->obj != NULL)
        return mfi_case_words(c).version != NULL &&
               (c->val != NULL || ((mf_watch *)c->obj)->elem_size == 0);
    return c->op == MF_OP_NONE || kinds[c->op].attempt != NULL;
}

bool mfi_case_spent(const mf_case *c)
{
    switch (c->op) {
    case MF_OP_RECV:
    case MF_OP_BROADCAST:
    case MF_OP_WATCH:
        return c->res == 0;
    case MF_OP_SEND:
        return c->res == -EPIPE;
    case MF_OP_FD:
    case MF_OP_ACCEPT:
    case MF_OP_SIGNAL:
        return c->res == -EBADF;
    default:
        return kinds[c->op].once;
    }
}
