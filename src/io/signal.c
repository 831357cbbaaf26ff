/* SPDX-License-Identifier: MIT */
/*
 * signal.c - process signals as something to wait for.
 *
 *     handler                 pending          whoever waits
 *     1 bit into pending ---> |.|1|.|.|.| ---> 3 takes a bit: that signal
 *     2 rings the owner's                      4 none: empties the bell, and
 *       bell, an eventfd      bell               looks once more; waits for it
 *
 * A handler may run at any time in any thread, so all that it touches is static
 * and atomic: one slot a signal, one word of bits. Everything else is under
 * `lock`, which no handler takes.
 *
 * Invariants
 *   1. a bit that is set has a bell to go with it: the bell is readable or its
 *      edge is on its way, or somebody who emptied it has yet to look at the
 *      bits, or who took one bit has yet to ring for the rest. Since the bit is
 *      set before the bell rings (1, 2) and looked for after it was emptied
 *      (4, 3), and the eventfd orders the two, nobody sleeps beside a bit
 *   2. who empties the bell may take away an edge meant for another waiter, as
 *      epoll drops the events of an fd that is not readable any more. So who
 *      takes one bit of several rings again
 *   3. an fd number is used, by handlers and by takers, only while it cannot be
 *      reused: a handler stands in slot.inside, and close waits until it has
 *      left; a taker holds `lock`, or the fd's record (op.h)
 *
 * Orders: bell and inside are sequentially consistent in the handler and in
 * close: either the handler finds no bell, or close finds it inside (Dekker).
 *
 * Several signals are taken in turn, starting after the one taken last. Lowest
 * first, the kernel's order, would let a stream of SIGUSR1 (10) keep SIGTERM
 * (15) out for as long as it flows.
 *
 * There are at most as many mf_signals as signals, so they are static too: no
 * memory to fail, and one that is closed under a waiter's feet is still there.
 *
 * Rejected: signalfd. It wants the signal blocked in every thread, those of
 * other libraries among them. A thread in sigwaitinfo: the same, and a thread.
 * Rank: lock, then fd locks and what a cancel point takes.
 */
#include <mayfly/signal.h>

#include "io/op.h"
#include "os/event.h"
#include "os/signal.h"
#include "sched/hog.h"
#include "sync/select.h"

enum { SIGNALS = 64 };

struct slot {
    _Atomic int bell;        /* 1 + the owner's eventfd; 0: nobody's */
    _Atomic uint32_t inside; /* handlers that may use it */
    struct sigaction old;    /* under lock */
};

struct mf_signal {
    uint64_t set; /* its signals; 0: not in use */
    int fd;       /* the bell */
    int last;     /* the signal taken last, or 0 */
};

static struct slot slots[SIGNALS];
static _Atomic uint64_t pending;

static struct spin lock; /* all below */
static struct mf_signal all[SIGNALS];
static uint64_t taken;

static uint64_t bit(int signo)
{
    return UINT64_C(1) << (signo - 1);
}

static int first(uint64_t set)
{
    return __builtin_ctzll(set) + 1;
}

static void ring(int fd)
{
    uint64_t one = 1;

    (void)mfi_os_write(fd, &one, sizeof one); /* full: it rings already */
}

static void on_signal(int signo, siginfo_t *info, void *uctx)
{
    struct slot *slot = &slots[signo - 1];
    int bell;

    (void)info;
    (void)uctx;
    mfi_add_sc(&slot->inside, 1u);
    bell = mfi_load_sc(&slot->bell);
    if (bell != 0) {
        mfi_or_acqrel(&pending, bit(signo));
        ring(bell - 1);
    }
    mfi_sub_acqrel(&slot->inside, 1u);
}

/* ---- open and close ----------------------------------------------------- */

static bool cannot_be_taken(int signo)
{
    switch (signo) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
        return true;
    default:
        return signo < 1 || signo > SIGNALS;
    }
}

static int make_set(const int *signos, int n, uint64_t *ret_set)
{
    uint64_t set = 0;

    if (signos == NULL || n < 1)
        return -EINVAL;
    for (int i = 0; i < n; i++) {
        if (cannot_be_taken(signos[i]) || (set & bit(signos[i])) != 0)
            return -EINVAL;
        set |= bit(signos[i]);
    }
    *ret_set = set;
    return 0;
}

/* Give one back. No handler is inside any more, and no bit is left. */
static void release_locked(int signo)
{
    struct slot *slot = &slots[signo - 1];

    mfi_signal_unhandle(signo, on_signal, &slot->old);
    mfi_store_sc(&slot->bell, 0);
    while (mfi_load_sc(&slot->inside) != 0)
        mfi_sys0(SYS_sched_yield);
    mfi_and_acqrel(&pending, ~bit(signo));
    taken &= ~bit(signo);
}

static void release_set_locked(uint64_t set)
{
    for (; set != 0; set &= set - 1)
        release_locked(first(set));
}

static int claim_set_locked(uint64_t set, int fd)
{
    if (((taken | bit(mfi_hog_signal())) & set) != 0)
        return -EBUSY;
    for (uint64_t left = set; left != 0; left &= left - 1) {
        int signo = first(left), rc;

        mfi_store_rel(&slots[signo - 1].bell, fd + 1);
        rc = mfi_signal_handle_alone(signo, on_signal, SA_RESTART | SA_ONSTACK,
                                     &slots[signo - 1].old);
        if (rc < 0) { /* the C library keeps it for itself */
            mfi_store_rel(&slots[signo - 1].bell, 0);
            release_set_locked(taken & set);
            return rc;
        }
        taken |= bit(signo);
    }
    return 0;
}

static struct mf_signal *make_locked(uint64_t set, int fd)
{
    struct mf_signal *sig = all;

    while (sig->set != 0)
        sig++;
    mfi_assert(sig < all + SIGNALS); /* each has a signal of its own */
    *sig = (struct mf_signal){.set = set, .fd = fd};
    return sig;
}

static int make_bell(void)
{
    struct wake_list woken;
    int fd = mfi_eventfd(), rc;

    if (fd < 0)
        return fd;
    mfi_wake_list_init(&woken);
    rc = mfi_fd_open(fd, FD_PIPE, &woken);
    mfi_wake(&woken);
    if (rc < 0)
        mfi_os_close(fd);
    return rc < 0 ? rc : fd;
}

int mf_signal_open(const int *signos, int n, mf_signal **ret_sig)
{
    uint64_t set;
    int rc, fd;

    if (ret_sig == NULL || make_set(signos, n, &set) < 0)
        return -EINVAL;
    if ((fd = make_bell()) < 0)
        return fd;
    mfi_spin_lock(&lock);
    if ((rc = claim_set_locked(set, fd)) == 0)
        *ret_sig = make_locked(set, fd);
    mfi_spin_unlock(&lock);
    if (rc < 0)
        mf_close(fd);
    return rc;
}

int mf_signal_close(mf_signal *sig)
{
    int fd = -1;

    if (sig == NULL)
        return 0;
    mfi_spin_lock(&lock);
    if (sig->set != 0) {
        release_set_locked(sig->set);
        fd = sig->fd;
        sig->set = 0;
    }
    mfi_spin_unlock(&lock);
    return fd < 0 ? -EBADF : mf_close(fd);
}

/* ---- wait --------------------------------------------------------------- */

static int take_locked(mf_signal *sig)
{
    uint64_t here = mfi_load_acq(&pending) & sig->set, after;
    int signo;

    if (here == 0)
        return -EAGAIN;
    after = sig->last < SIGNALS ? here >> sig->last << sig->last : 0;
    signo = first(after != 0 ? after : here);
    mfi_and_acqrel(&pending, ~bit(signo));
    sig->last = signo;
    if ((here & ~bit(signo)) != 0)
        ring(sig->fd);
    return signo;
}

/*
 * A signal, -EAGAIN or -EBADF. due: the bell may have rung. The system calls
 * under the lock do not block, and are not made while signals are there.
 */
static int take(mf_signal *sig, int fd, bool due)
{
    uint64_t rings;
    int rc;

    mfi_spin_lock(&lock);
    if (sig->set == 0 || sig->fd != fd)
        rc = -EBADF;
    else
        while ((rc = take_locked(sig)) == -EAGAIN && due)
            due = mfi_os_read(fd, &rings, sizeof rings) > 0;
    mfi_spin_unlock(&lock);
    return rc;
}

int mf_signal_wait(mf_signal *sig, mf_deadline deadline)
{
    struct op op;
    int rc;

    if (sig == NULL)
        return -EINVAL;
    mfi_spin_lock(&lock); /* or the number may be another's by then */
    rc = sig->set != 0 ? mfi_op_begin(&op, sig->fd, FD_IN, deadline) : -EBADF;
    mfi_spin_unlock(&lock);
    if (rc < 0)
        return rc;
    op.what = "a signal";
    do
        rc = take(sig, op.fd, mfi_op_due(&op));
    while ((rc = mfi_op_again(&op, rc, false)) == MFI_OP_AGAIN);
    return mfi_op_end(&op, rc);
}

/* The select holds the bell's record. */
static int case_attempt(mf_case *c)
{
    return take(c->obj, c->fd, true);
}

mf_case mf_on_signal(mf_signal *sig)
{
    mf_case c;
    int fd = -1;

    if (sig != NULL) {
        mfi_spin_lock(&lock);
        fd = sig->fd;
        mfi_spin_unlock(&lock);
    }
    c = mfi_case_fd(MF_OP_SIGNAL, fd, POLLIN, case_attempt);
    c.obj = sig;
    return c;
}
