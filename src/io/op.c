/* SPDX-License-Identifier: MIT */
/*
 * op.c - holding and waiting for fds, for tasks and plain threads.
 *
 * A task waits for an edge of its worker's epoll set. A plain thread has no set
 * and sleeps in ppoll on the fd and an eventfd of its own, which a canceller or
 * closer rings; it is linked as a waiter all the same, so that close finds it.
 */
#include "io/op.h"

#include "os/event.h"

int mfi_op_begin(struct op *op, int fd, uint32_t flag, mf_deadline deadline)
{
    mf_ns span;
    int rc;

    op->agent = mfi_agent();
    if (mfi_unlikely(op->agent == NULL))
        return -ENOMEM;
    if ((rc = mfi_cancel_point(op->agent)) < 0 ||
        (rc = mfi_fd_get(fd, &op->rec)) < 0)
        return rc;
    op->fd = fd;
    op->flag = flag;
    op->waited = false;
    op->interrupts = 0;
    op->batch = NULL;
    op->what = NULL;
    op->at = mfi_time_of(deadline);
    span = mfi_load_rlx((flag & FD_OUT) == 0 ? &op->rec->read_span
                                             : &op->rec->write_span);
    if (mfi_unlikely(span != 0)) {
        mf_ns at = mfi_time_add(mf_now(), span);

        op->at = at < op->at ? at : op->at;
    }
    return 0;
}

static short poll_events(uint32_t flags)
{
    return (short)(((flags & FD_IN) != 0 ? POLLIN : 0) |
                   ((flags & FD_OUT) != 0 ? POLLOUT : 0) |
                   ((flags & FD_PRI) != 0 ? POLLPRI : 0));
}

static mf_ns thread_span(struct op *op)
{
    mf_ns until = op->at, now = mf_now();

    if (op->agent->shields != 0 && op->agent->shield_limit < until &&
        op->agent->shield_limit > now)
        until = op->agent->shield_limit;
    if (until == MFI_FAR)
        return MFI_FAR;
    return until > now ? until - now : 0;
}

/* The thread's half of a wait: armed and linked. As mfi_wait. */
static int thread_wait(struct op *op)
{
    struct agent *a = op->agent;
    struct pollfd fds[2] = {{.fd = op->fd, .events = poll_events(op->flag)},
                            {.fd = mfi_agent_bell(a), .events = POLLIN}};
    enum park_reason why = WOKEN_READY;
    bool parked = false;
    int rc;

    if (mfi_unlikely(a->shields != 0))
        mfi_shield_over(a); /* if it is: what it kept out comes in */
    rc = fds[1].fd < 0 ? fds[1].fd : mfi_cancel_point(a);
    mfi_store_rel(&a->polling, 1u);
    if (rc == 0 && (parked = mfi_park_commit_thread(a)))
        (void)mfi_ppoll(fds, 2, thread_span(op));
    mfi_store_rel(&a->polling, 0u);
    /* Take the wait back; if somebody was faster, it says why. */
    if (mfi_parker_claim(&a->parker, WOKEN_READY) == CLAIM_LOST)
        why = parked ? mfi_park_lost_thread(a) : mfi_parker_reason(&a->parker);
    if (why == WOKEN_CLOSED)
        return -EBADF;
    if (rc < 0 || (why == WOKEN_CANCEL && (rc = mfi_cancel_point(a)) < 0))
        return rc;
    if ((fds[0].revents & POLLNVAL) != 0)
        return -EBADF;
    if (fds[0].revents != 0) /* no edge told the record: the poll did */
        mfi_or_acqrel(&op->rec->ready, op->flag);
    else if (op->at != MFI_FAR && op->at <= mf_now())
        return -ETIMEDOUT;
    return 1;
}

static int task_wait(struct op *op)
{
    const char *fd = op->flag == FD_IN ? "an fd to read" : "an fd to write";

    return mfi_wait(op->agent, op->at, op->what != NULL ? op->what : fd);
}

/*
 * There is no registration, and somebody may wait who counted on ours: as if
 * there had been an edge, so that they find out themselves.
 */
static void pass_on_failure(struct op *op)
{
    struct wake_list woken;

    mfi_wake_list_init(&woken);
    mfi_fd_edge(mfi_fd_data(op->fd, op->rec), EPOLLIN | EPOLLOUT | EPOLLPRI,
                &woken, NULL);
    mfi_wake(&woken);
}

int mfi_op_wait(struct op *op)
{
    struct fd_waiter fw = {.flags = op->flag,
                           .fd = op->fd,
                           .op = op->flag == FD_IN ? op->batch : NULL};
    struct worker *w = mfi_worker();
    int rc;

    op->waited = true;
    if (op->at != MFI_FAR && op->at <= mf_now()) {
        if ((op->seen & op->flag) != 0)
            return -ETIMEDOUT;
        /* The call was skipped, and no edge may have told: try it once. */
        mfi_or_acqrel(&op->rec->ready, op->flag);
        return MFI_OP_AGAIN;
    }
    if (w != NULL && (rc = mfi_poller_watch(&w->poller, op->fd, op->rec)) < 0) {
        pass_on_failure(op);
        return rc;
    }
    fw.w.parker = &op->agent->parker;
    mfi_park_arm(op->agent);
    if (!mfi_fd_wait(op->rec, &fw)) {
        mfi_park_disarm(op->agent);
        return mfi_fd_closing(op->rec) ? -EBADF : MFI_OP_AGAIN;
    }
    rc = w != NULL ? task_wait(op) : thread_wait(op);
    if (rc != 0)
        mfi_fd_unwait(op->rec, &fw);
    return rc >= 0 ? MFI_OP_AGAIN : rc;
}

/*
 * By a signal, or (accept) it met a connection that died in the queue. One of
 * these is nobody's business; but where they do not end, as with a filter that
 * says -EPERM each time, the call does, and others get their turn.
 */
int mfi_op_interrupted(struct op *op)
{
    enum { A_MOMENT = 32 };
    int rc;

    if (++op->interrupts % A_MOMENT != 0)
        return MFI_OP_AGAIN;
    if (op->at != MFI_FAR && op->at <= mf_now())
        return -ETIMEDOUT;
    mfi_budget(op->agent);
    rc = mfi_cancel_point(op->agent);
    return rc < 0 ? rc : MFI_OP_AGAIN;
}

int mfi_op_end(struct op *op, int n)
{
    /* An edge woke us; if we did not use it up, it is the next one's. */
    if (mfi_fd_baton_due(op->rec, op->flag)) {
        struct wake_list woken;

        mfi_wake_list_init(&woken);
        mfi_fd_baton_slow(op->rec, op->flag, &woken);
        mfi_wake(&woken);
    }
    mfi_fd_put(op->rec, op->fd);
    if (!op->waited)
        mfi_budget(op->agent);
    return n;
}
