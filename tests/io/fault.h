/* SPDX-License-Identifier: MIT */
/*
 * fault.h - the n-th system call of a sort fails.
 *
 * A fault_*_test is linked with a library compiled with -DMFI_FAULTS, in which
 * every system call is mfi_fault_syscall, below: it counts the calls that the
 * fault under test is about, on whichever thread, and lets those from the n-th
 * on, `times` of them, fail, or move less than they could. All else goes to the
 * kernel. What libc calls for itself (pthread_create, malloc) does not come
 * here.
 *
 * A fault is only what a kernel does. So nothing is made of:
 *
 *   the bell  writing 8 bytes to an eventfd nobody fills
 *   TCP       a short read that leaves bytes behind (a short read means "empty"
 *             to the library, because it does to tcp_recvmsg)
 */
#ifndef MFI_TESTS_FAULT_H
#define MFI_TESTS_FAULT_H

#include <limits.h>
#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "io/kit.h"

enum fault_mode {
    FAIL,       /* not called: -err */
    FAIL_AFTER, /* called, and -err all the same: close(2) */
    SHORT,      /* moves 1 byte; io_uring_enter takes 1 entry */
    HALF,       /* io_uring_enter takes 1 entry, and next time: -err */
    SHORT_OPS,  /* io_uring_enter: what is queued moves 1 byte each */
    SMALL_RING, /* io_uring_setup: as few completions as entries */
};

enum { ANY = -1, EVER = 1 << 30 };

struct fault {
    long nr;
    const char *name;
    int err;
    const char *err_name;
    enum fault_mode mode;
    long sub; /* ANY, or what the second argument is */
};

/* One for each time a fault is armed; a late reader finds its own unchanged. */
struct plan {
    const struct fault *_Atomic f;
    _Atomic uint32_t nth;
    _Atomic uint32_t times;
    _Atomic uint32_t count;
    _Atomic uint32_t fired;
};

enum { PLANS = 64, NR_MAX = 512 };
static struct plan plans[PLANS];
static struct plan *_Atomic planned;
static _Atomic uint8_t calls_seen[NR_MAX]; /* which were made at all */
static _Thread_local struct io_uring_sqe *my_sqes;

KIT void arm(const struct fault *f, uint32_t nth, uint32_t times)
{
    static unsigned turn;
    struct plan *p = &plans[turn++ % PLANS];

    mfi_store_rlx(&p->f, f);
    mfi_store_rlx(&p->nth, nth);
    mfi_store_rlx(&p->times, times);
    mfi_store_rel(&p->count, 0u);
    mfi_store_rel(&p->fired, 0u);
    mfi_store_rel(&planned, p);
}

/* How many calls were struck. */
KIT uint32_t disarm(void)
{
    struct plan *p = mfi_load_acq(&planned);

    mfi_store_rel(&planned, NULL);
    return mfi_load_acq(&p->fired);
}

/* The first part of a vector that is not empty, cut to a byte. */
KIT struct iovec one_byte(const struct iovec *v)
{
    while (v->iov_len == 0)
        v++;
    return (struct iovec){v->iov_base, 1};
}

KIT long short_call(long nr, long a, long b, long c, long d)
{
    struct iovec v;
    struct msghdr m;

    switch (nr) {
    case SYS_readv:
    case SYS_writev:
        v = one_byte((const struct iovec *)b);
        return mfi_raw6(nr, a, MFI_L(&v), 1, 0, 0, 0);
    case SYS_recvmsg:
    case SYS_sendmsg:
        m = *(const struct msghdr *)b;
        v = one_byte(m.msg_iov);
        m.msg_iov = &v;
        m.msg_iovlen = 1;
        return mfi_raw6(nr, a, MFI_L(&m), c, 0, 0, 0);
    default:
        return mfi_raw6(nr, a, b, c > 0 ? 1 : c, d, 0, 0);
    }
}

KIT bool is_tcp(int fd)
{
    int domain = 0;
    socklen_t len = sizeof domain;

    mfi_raw6(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, MFI_L(&domain),
             MFI_L(&len), 0);
    return domain == AF_INET || domain == AF_INET6;
}

/* An entry that is done already may be changed too: it is written anew. */
KIT void shorten_ops(void)
{
    for (int i = 0; my_sqes != NULL && i < 128; i++)
        if (my_sqes[i].len > 1 &&
            (my_sqes[i].opcode == IORING_OP_SEND || !is_tcp(my_sqes[i].fd)))
            my_sqes[i].len = 1;
}

KIT bool concerned(const struct fault *f, long nr, long a, long b, long c)
{
    if (nr != f->nr || (f->sub != ANY && b != f->sub))
        return false;
    switch (nr) {
    case SYS_io_uring_enter: /* unless nothing is submitted */
        return f->mode == FAIL || b != 0;
    case SYS_write:
    case SYS_read: /* unless it is a bell */
        return c != 8;
    case SYS_futex: /* unless it wakes */
        return (b & 127) == 0;
    case SYS_recvfrom:
    case SYS_recvmsg:
        return f->mode != SHORT || !is_tcp((int)a);
    default:
        return true;
    }
}

/* 0: not struck; 1: the first of those that are; 2: one after it. */
static int strikes(struct plan *p)
{
    uint32_t k = mfi_add_acqrel(&p->count, 1u) + 1;
    uint32_t nth = mfi_load_rlx(&p->nth);

    if (k < nth || k - nth >= mfi_load_rlx(&p->times))
        return 0;
    mfi_add_acqrel(&p->fired, 1u);
    return k == nth ? 1 : 2;
}

long mfi_fault_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    struct plan *p = mfi_load_acq(&planned);
    const struct fault *what = p != NULL ? mfi_load_rlx(&p->f) : NULL;
    int strike = 0;
    long rc;

    if (nr >= 0 && nr < NR_MAX)
        mfi_store_rlx(&calls_seen[nr], (uint8_t)1);
    if (p != NULL && concerned(what, nr, a, b, c))
        strike = strikes(p);
    if (strike != 0)
        switch (what->mode) {
        case HALF:
            return strike == 1 ? mfi_raw6(nr, a, 1, c, d, e, f) : -what->err;
        case FAIL:
            return -what->err;
        case FAIL_AFTER:
            mfi_raw6(nr, a, b, c, d, e, f);
            return -what->err;
        case SHORT:
            if (nr == SYS_io_uring_enter)
                return mfi_raw6(nr, a, 1, c, d, e, f);
            return short_call(nr, a, b, c, d);
        case SHORT_OPS:
            shorten_ops();
            break;
        case SMALL_RING:
            ((struct io_uring_params *)b)->flags |= IORING_SETUP_CQSIZE;
            ((struct io_uring_params *)b)->cq_entries = (uint32_t)a;
            break;
        }
    rc = mfi_raw6(nr, a, b, c, d, e, f);
    if (nr == SYS_mmap && f == (long)IORING_OFF_SQES && rc > 0)
        my_sqes = (void *)rc;
    if (nr == SYS_munmap && a == (long)my_sqes)
        my_sqes = NULL;
    return rc;
}

#endif
