/* SPDX-License-Identifier: MIT */
/*
 * fdcase.c - the cases of a select that are about fds.
 *
 * An attempt is ours to make: poll, accept, whatever the layer above gives. If
 * it says -EAGAIN the case waits for an edge of the fd, as io/op.h does; an
 * edge that woke a select which then takes another case is passed to the next
 * waiter. Plain threads have no epoll set that could tell them: they sleep in
 * ppoll on all their fds and on an eventfd that claimers ring.
 */
#include <stdlib.h>

#include "base/time.h"
#include "os/event.h"
#include "os/io.h"
#include "sync/select.h"

static short fd_events(const mf_case *c)
{
    return (short)mfi_case_words(c).events;
}

mf_case mfi_case_fd(enum mf_op op, int fd, short poll_events,
                    mfi_attempt *attempt)
{
    mf_case c = {.op = (int)op, .fd = fd < 0 ? -1 : fd};

    mfi_case_set_words(
        &c, (struct case_words){.attempt = attempt, .events = poll_events});
    return c;
}

/* The record's flags may be stale, so the kernel is asked. */
static int poll_attempt(mf_case *c)
{
    struct pollfd pfd = {.fd = c->fd, .events = fd_events(c)};
    long n = mfi_ppoll(&pfd, 1, 0);

    if (n <= 0)
        return n == 0 ? -EAGAIN : (int)n;
    return (pfd.revents & POLLNVAL) != 0 ? -EBADF : pfd.revents;
}

mf_case mf_on_fd(int fd, short poll_events)
{
    return mfi_case_fd(MF_OP_FD, fd, poll_events, poll_attempt);
}

static uint32_t fd_flags(const mf_case *c)
{
    int events = mfi_case_words(c).events;

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

/* Interrupted so often, or met so many dead connections: others' turn first. */
enum { A_MOMENT = 32 };

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
    rc = mfi_case_words(c).attempt(c);
    for (int i = 0; rc == -EINTR && i < A_MOMENT; i++)
        rc = mfi_case_words(c).attempt(c);
    if (rc == -EINTR) { /* perhaps ready: not waited for, looked at again */
        mfi_or_acqrel(&rec->ready, flags);
        mfi_fd_put(rec, c->fd);
        return -EAGAIN;
    }
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

/* ---- plain threads ------------------------------------------------------- */

static mf_ns span_left(const struct agent *a, mf_ns at)
{
    mf_ns until = at, now = mf_now();

    if (a->shields != 0 && a->shield_limit < until && a->shield_limit > now)
        until = a->shield_limit;
    if (until == MFI_FAR)
        return MFI_FAR;
    return until > now ? until - now : 0;
}

/* The linked fd cases, from fds[1] on; the bell is fds[0]. How many in all. */
static unsigned fill(struct agent *a, mf_case *cases, struct case_link *links,
                     int n, struct pollfd *fds)
{
    unsigned k = 1;

    fds[0] = (struct pollfd){.fd = mfi_agent_bell(a), .events = POLLIN};
    for (int i = 0; i < n; i++)
        if (mfi_case_is_fd(&cases[i]) && links[i].linked)
            fds[k++] = (struct pollfd){.fd = cases[i].fd,
                                       .events = fd_events(&cases[i])};
    return k;
}

/* What ppoll saw the records shall know: no edge told them. */
static void tell_records(mf_case *cases, struct case_link *links, int n,
                         const struct pollfd *fds)
{
    unsigned k = 1;

    for (int i = 0; i < n; i++)
        if (mfi_case_is_fd(&cases[i]) && links[i].linked &&
            fds[k++].revents != 0)
            mfi_or_acqrel(&links[i].rec->ready, links[i].f.flags);
}

/* True: nobody else ended the wait, and ppoll was entered. */
static bool sleep_in_ppoll(struct agent *a, struct pollfd *fds, unsigned n,
                           mf_ns at, bool *ret_lost)
{
    bool parked = false;

    if (mfi_unlikely(a->shields != 0))
        mfi_shield_over(a);
    mfi_store_rel(&a->polling, 1u);
    if (fds[0].fd >= 0 && !mfi_cancel_due(a) &&
        (parked = mfi_park_commit_thread(a)))
        (void)mfi_ppoll(fds, n, span_left(a, at));
    mfi_store_rel(&a->polling, 0u);
    /* Take the wait back; if somebody was faster, they say why. */
    *ret_lost = mfi_parker_claim(&a->parker, WOKEN_READY) == CLAIM_LOST;
    if (*ret_lost && parked)
        mfi_park_lost_thread(a);
    return parked && !*ret_lost;
}

int mfi_case_fds_wait(struct agent *a, mf_case *cases, struct case_link *links,
                      int n, int nfds, mf_ns at)
{
    struct pollfd few[MF_SELECT_MAX + 1], *fds = few;
    bool lost, slept;
    int rc = 1;

    if (nfds > MF_SELECT_MAX) {
        /* tidy: allow malloc, because it is more than a stack is for */
        fds = malloc((size_t)(nfds + 1) * sizeof *fds);
        if (fds == NULL) {
            mfi_parker_claim(&a->parker, WOKEN_READY);
            return -ENOMEM;
        }
    }
    slept = sleep_in_ppoll(a, fds, fill(a, cases, links, n, fds), at, &lost);
    if (slept)
        tell_records(cases, links, n, fds);
    if (!lost && fds[0].fd < 0)
        rc = fds[0].fd;
    else if (slept && at <= mf_now())
        rc = -ETIMEDOUT;
    if (fds != few)
        /* tidy: allow malloc, because it was made above */
        free(fds);
    return rc;
}
