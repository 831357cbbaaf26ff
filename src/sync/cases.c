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

/* ---- the reserved words ------------------------------------------------- */

struct case_words {
    union {
        mfi_attempt *attempt;
        mf_task *task;
        uint64_t *version;
    };
    int events;
};
_Static_assert(sizeof(struct case_words) <= sizeof(((mf_case *)0)->mfi_),
               "the reserved words hold it");
_Static_assert(sizeof(mf_case) == 64, "promised for ever");

static struct case_words words(const mf_case *c)
{
    struct case_words w;

    memcpy(&w, c->mfi_, sizeof w);
    return w;
}

static void set_words(mf_case *c, struct case_words w)
{
    memcpy(c->mfi_, &w, sizeof w);
}

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

    set_words(&c, (struct case_words){.version = version});
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
    return mfi_watch_next_locked(c->obj, words(c).version, c->val);
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
    set_words(c, (struct case_words){.task = NULL});
}

int mfi_case_call_start(mf_case *c, mf_scope *s)
{
    struct case_words w = {.task = NULL};
    mf_fn *fn;
    int rc;

    memcpy(&fn, &c->obj, sizeof fn);
    rc = mf_spawn(s, fn, c->val, MF_TASK_OPTIONS(.name = "a select's call"),
                  &w.task);
    set_words(c, w);
    return rc;
}

static mf_task *task_of(const mf_case *c)
{
    return c->op == MF_OP_JOIN ? c->obj : words(c).task;
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

/* ---- fds ---------------------------------------------------------------- */

mf_case mfi_case_fd(enum mf_op op, int fd, short poll_events,
                    mfi_attempt *attempt)
{
    mf_case c = make(op, NULL, NULL);

    c.fd = fd < 0 ? -1 : fd;
    set_words(&c,
              (struct case_words){.attempt = attempt, .events = poll_events});
    return c;
}

/* The record's flags may be stale, so the kernel is asked. */
static int poll_attempt(mf_case *c)
{
    struct pollfd pfd = {.fd = c->fd, .events = mfi_case_fd_events(c)};
    long n = mfi_ppoll(&pfd, 1, 0);

    if (n <= 0)
        return n == 0 ? -EAGAIN : (int)n;
    return (pfd.revents & POLLNVAL) != 0 ? -EBADF : pfd.revents;
}

mf_case mf_on_fd(int fd, short poll_events)
{
    return mfi_case_fd(MF_OP_FD, fd, poll_events, poll_attempt);
}

short mfi_case_fd_events(const mf_case *c)
{
    return (short)words(c).events;
}

static uint32_t fd_flags(const mf_case *c)
{
    int events = words(c).events;

    return ((events & POLLIN) != 0 ? (uint32_t)FD_IN : 0) |
           ((events & POLLOUT) != 0 ? (uint32_t)FD_OUT : 0) |
           ((events & POLLPRI) != 0 ? (uint32_t)FD_PRI : 0);
}

/* Registered, by us, and no edge since it last said EAGAIN. */
static bool known_idle(struct fdrec *rec, uint32_t seen, uint32_t flags)
{
    return (seen & flags) == 0 && mfi_load_acq(&rec->home) != 0 &&
           (mfi_load_rlx(&rec->bits) & FD_ADOPTED) == 0;
}

int mfi_case_fd_attempt(mf_case *c, bool again)
{
    uint32_t flags = fd_flags(c), seen;
    struct fdrec *rec;
    int rc = mfi_fd_get(c->fd, &rec);

    if (rc < 0)
        return rc;
    seen = mfi_fd_ready(rec);
    if (again && known_idle(rec, seen, flags)) {
        mfi_fd_put(rec, c->fd);
        return -EAGAIN;
    }
    do
        rc = words(c).attempt(c);
    while (rc == -EINTR);
    if (rc == -EAGAIN && rec->kind == FD_FILE)
        rc = -EPERM; /* no edge ever comes from a file */
    if (rc == -EAGAIN && (seen & flags) != 0)
        mfi_fd_drained(rec, seen, flags);
    mfi_fd_put(rec, c->fd);
    return rc;
}

static void pass_on(mf_case *c, struct fdrec *rec, uint32_t flags)
{
    struct wake_list woken;

    mfi_wake_list_init(&woken);
    mfi_fd_baton_slow(rec, flags, &woken);
    mfi_wake(&woken);
    (void)c;
}

int mfi_case_fd_link(mf_case *c, struct case_link *l, struct agent *a)
{
    struct worker *w = mfi_worker();
    int rc = mfi_fd_get(c->fd, &l->rec);

    if (rc < 0)
        return rc;
    if (w != NULL && (rc = mfi_poller_watch(&w->poller, c->fd, l->rec)) < 0) {
        /* Others may count on this registration: let them find out. */
        mfi_or_acqrel(&l->rec->ready, fd_flags(c));
        pass_on(c, l->rec, fd_flags(c));
        mfi_fd_put(l->rec, c->fd);
        return rc;
    }
    l->f = (struct fd_waiter){
        .w.parker = &a->parker, .flags = fd_flags(c), .fd = c->fd};
    if (mfi_fd_wait(l->rec, &l->f)) {
        l->linked = true;
        return 1;
    }
    mfi_fd_put(l->rec, c->fd);
    return 0;
}

bool mfi_case_fd_unlink(mf_case *c, struct case_link *l)
{
    uint32_t flags = fd_flags(c);
    bool closing;

    mfi_fd_unwait(l->rec, &l->f);
    closing = mfi_fd_closing(l->rec);
    /* An edge may have woken us; if we do not use it up, it is the next's. */
    if (mfi_fd_baton_due(l->rec, flags))
        pass_on(c, l->rec, flags);
    mfi_fd_put(l->rec, c->fd);
    l->linked = false;
    return closing;
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
        return words(c).attempt != NULL && valid_events(words(c).events);
    if ((c->op == MF_OP_RECV || c->op == MF_OP_SEND) && c->obj != NULL)
        return c->val != NULL || ((mf_chan *)c->obj)->elem_size == 0;
    if (c->op == MF_OP_BROADCAST && c->obj != NULL)
        return c->val != NULL || broadcast(c)->elem_size == 0;
    if (c->op == MF_OP_WATCH && c->obj != NULL)
        return words(c).version != NULL &&
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
