/* SPDX-License-Identifier: MIT */
/*
 * fdtab.h - what we know of each file descriptor, and who waits on it.
 *
 * One record of 64 bytes per fd number, in chunks that are mapped when first
 * needed and never moved, so a record is found by two loads. Its `ref` word
 *
 *      OPEN | CLOSING | BUSY | count of calls in progress
 *
 * is held (count + 1) across every operation. mf_close sets CLOSING, wakes all
 * waiters with -EBADF and drops its own count; whoever drops the last count
 * turns OPEN|CLOSING into BUSY with one CAS, resets the record and only then
 * calls close(2): until that instant the kernel cannot reuse the number, so no
 * operation ever touches another's fd. A number that the kernel hands out again
 * waits out BUSY, and gets a new generation: events carry the generation, so a
 * late one (the file lives on in a dup or a child) is told apart and dropped.
 *
 * Readiness is an edge count and flags in one word. An operation reads it
 * *before* its system call and clears a flag afterwards with a CAS on the whole
 * word: an edge in between changes the count, the CAS fails, the flag stays.
 *
 *   waiters  under `lock`; a waiter is linked only while its flag is clear,
 *            re-checked under the lock, so no edge falls between
 *   baton    an edge wakes one waiter per direction; when that one leaves and
 *            the flag is still set, it wakes the next (mfi_fd_put_baton)
 *
 * Rank: fd lock, then nothing (parkers are claimed under it, readied after).
 */
#ifndef MFI_POLL_FDTAB_H
#define MFI_POLL_FDTAB_H

#include <mayfly/base.h>

#include "base/waiter.h"
#include "os/spin.h"

enum fd_ready {
    FD_IN = 1,
    FD_OUT = 2,
    FD_PRI = 4,
    FD_HUP = 8, /* RDHUP, HUP or ERR was seen: no short read means "empty" */
    FD_FLAGS = 255,
    FD_EDGE = 256, /* one edge, in the count above the flags */
};

/* Sockets come first. */
enum fd_kind {
    FD_TCP,    /* stream socket over IP: a short read means "empty" */
    FD_SOCK,   /* any other socket */
    FD_UDP,    /* our own, not connected: no errors but a call's own */
    FD_PIPE,   /* pollable, read and written with O_NONBLOCK set */
    FD_SHARED, /* its flags are not ours: stdio, and copies of it */
    FD_FILE,   /* epoll refuses it: always ready, blocks */
};

enum fd_bits {
    FD_ADOPTED = 1,
    FD_SET_NONBLOCK = 2,
    FD_KEEP = 4,
    FD_TTY = 8,        /* a call on it may stop a background job */
    FD_FIFO = 16,      /* a pipe, named or not */
    FD_NO_NOWAIT = 32, /* FD_SHARED: RWF_NOWAIT does not work */
};

enum fd_ref { /* flags of fdrec.ref above the count */
              FD_REF_OPEN = 1 << 30,
              FD_REF_CLOSING = 1 << 29,
              FD_REF_BUSY = 1 << 28,
              FD_REF_COUNT = FD_REF_BUSY - 1,
};

struct batch;
struct batch_op;

struct fdrec {
    _Alignas(MFI_CACHE_LINE) _Atomic uint32_t ref;
    struct spin lock;
    _Atomic uint32_t ready;
    _Atomic uint16_t home;   /* 1 + poller it is registered with; 0: none */
    uint8_t kind;            /* constant while OPEN */
    _Atomic uint8_t bits;    /* the same, but for FD_KEEP, FD_NO_NOWAIT */
    struct list waiters;     /* struct fd_waiter.w.link; under lock */
    _Atomic uint32_t nwait;  /* length of waiters; written under lock */
    _Atomic uint32_t gen;    /* written while BUSY, or taken over */
    _Atomic mf_ns read_span; /* default timeouts; 0: none */
    _Atomic mf_ns write_span;
    int own; /* FD_SHARED: a description of our own, or -1; as kind */
};
_Static_assert(sizeof(struct fdrec) == 64, "one cache line");

struct fd_waiter {
    struct waiter w;
    uint32_t flags;      /* FD_IN, FD_OUT, FD_PRI: any of them wakes it */
    int fd;              /* the user's */
    struct batch_op *op; /* to be done for it when it is woken, or NULL */
};

enum { FD_CHUNK_BITS = 10, FD_CHUNKS = 16384 }; /* 16.7 million numbers */

extern struct fdrec *_Atomic mfi_fd_chunks[FD_CHUNKS];

/* Forget everything and unmap the table. No call may be in progress. */
void mfi_fdtab_done(void);

/*
 * The slow half of mfi_fd_get: an fd made elsewhere, or -EBADF. rec: its record
 * with a count taken, or NULL: it had none yet, and no count was taken. (A look
 * again would not tell: another may have mapped the chunk in between.)
 */
int mfi_fd_get_slow(int fd, struct fdrec *rec, struct fdrec **ret_rec);

/* The record of fd if its chunk exists, referenced or not; else NULL. */
static inline struct fdrec *mfi_fd_peek(int fd)
{
    uint32_t i = (uint32_t)fd >> FD_CHUNK_BITS;
    struct fdrec *chunk;

    if (mfi_unlikely(i >= FD_CHUNKS)) /* negative fds too */
        return NULL;
    chunk = mfi_load_acq(&mfi_fd_chunks[i]);
    if (mfi_unlikely(chunk == NULL))
        return NULL;
    return &chunk[(uint32_t)fd & ((1u << FD_CHUNK_BITS) - 1)];
}

/*
 * Take a reference for one operation. Returns 0, -EBADF, -ENOMEM, -EMFILE (a
 * number beyond the table). An unknown fd is adopted.
 */
static inline int mfi_fd_get(int fd, struct fdrec **ret_rec)
{
    struct fdrec *rec = mfi_fd_peek(fd);

    if (mfi_likely(rec != NULL)) {
        uint32_t seen = mfi_add_acqrel(&rec->ref, 1u);

        if (mfi_likely((seen & ~(uint32_t)FD_REF_COUNT) == FD_REF_OPEN)) {
            *ret_rec = rec;
            return 0;
        }
    }
    return mfi_fd_get_slow(fd, rec, ret_rec); /* drops the count taken here */
}

/* The last reference of a closing fd: do the close. Its result, or 0. */
int mfi_fd_finish(struct fdrec *rec, int fd);

/* Drop a reference. Returns 0, or what close(2) said if this was the last. */
static inline int mfi_fd_put(struct fdrec *rec, int fd)
{
    uint32_t left = mfi_sub_acqrel(&rec->ref, 1u) - 1;

    if (mfi_unlikely(left == (FD_REF_OPEN | FD_REF_CLOSING)))
        return mfi_fd_finish(rec, fd);
    return 0;
}

static inline bool mfi_fd_closing(struct fdrec *rec)
{
    return (mfi_load_acq(&rec->ref) & FD_REF_CLOSING) != 0;
}

/*
 * An fd this library has just made: non-blocking, of this kind. Returns 0,
 * -ENOMEM, -EMFILE; on failure fd is still the caller's. Whoever still waits
 * there waits for a file that was closed behind our back: -EBADF.
 */
int mfi_fd_open(int fd, enum fd_kind kind, struct wake_list *woken);

/*
 * Close or (keep_open) forget fd: wakes its waiters, drops the reference the
 * caller holds. Returns 0, -EBADF (somebody else closes it), or as close(2).
 */
int mfi_fd_close(struct fdrec *rec, int fd, bool keep_open,
                 struct wake_list *woken);

/*
 * Close an fd the table does not know, without making it known: its flags are
 * not touched. Returns as close(2); 1: it is known, or was adopted meanwhile.
 */
int mfi_fd_close_unknown(int fd);

/* The readiness word, to be given to mfi_fd_drained after the system call. */
static inline uint32_t mfi_fd_ready(struct fdrec *rec)
{
    return mfi_load_acq(&rec->ready);
}

/* The system call found nothing more: clear `flag`, unless an edge came. */
static inline void mfi_fd_drained(struct fdrec *rec, uint32_t seen,
                                  uint32_t flag)
{
    (void)mfi_cas_acqrel(&rec->ready, &seen, seen & ~flag);
}

/*
 * Link a waiter whose parker is armed, unless a flag it waits for is set or the
 * fd is closing. Returns true if it was linked.
 */
bool mfi_fd_wait(struct fdrec *rec, struct fd_waiter *fw);

/* Unlink it if nobody did yet. */
void mfi_fd_unwait(struct fdrec *rec, struct fd_waiter *fw);

/*
 * epoll said `events` of the fd and generation in `data`. Who waits is claimed
 * and goes to `woken`, or, with something to be done for it, to `batch`.
 */
void mfi_fd_edge(uint64_t data, uint32_t events, struct wake_list *woken,
                 struct batch *batch);

/* The caller leaves; if `flag` is still set wake the next who waits for it. */
void mfi_fd_baton_slow(struct fdrec *rec, uint32_t flag,
                       struct wake_list *woken);

static inline bool mfi_fd_baton_due(struct fdrec *rec, uint32_t flag)
{
    return mfi_unlikely(mfi_load_acq(&rec->nwait) != 0) &&
           (mfi_load_acq(&rec->ready) & flag) != 0;
}

static inline uint64_t mfi_fd_data(int fd, const struct fdrec *rec)
{
    return (uint32_t)fd | (uint64_t)mfi_load_rlx(&rec->gen) << 32;
}

#endif
