/* SPDX-License-Identifier: MIT */
/* fdtab.c - records, adoption, closing, edges: the design is in fdtab.h. */
#include "poll/fdtab.h"

#include <netinet/in.h>

#include "os/event.h"
#include "os/io.h"
#include "os/map.h"
#include "os/shared.h"
#include "poll/batch.h"
#include "poll/poller.h"

struct fdrec *_Atomic mfi_fd_chunks[FD_CHUNKS];

enum { CHUNK_LEN = sizeof(struct fdrec) << FD_CHUNK_BITS };

static _Atomic uint32_t nr_own; /* records with a description of our own */

static void close_own(struct fdrec *rec)
{
    if (rec->own >= 0) {
        mfi_os_close(rec->own);
        rec->own = -1;
        mfi_sub_acqrel(&nr_own, 1u);
    }
}

static void close_owns(struct fdrec *chunk)
{
    for (uint32_t i = 0; i < 1u << FD_CHUNK_BITS; i++)
        if ((mfi_load_acq(&chunk[i].ref) & FD_REF_OPEN) != 0)
            close_own(&chunk[i]);
}

void mfi_fdtab_done(void)
{
    for (uint32_t i = 0; i < FD_CHUNKS; i++) {
        struct fdrec *chunk = mfi_load_acq(&mfi_fd_chunks[i]);

        if (chunk != NULL) {
            if (mfi_load_acq(&nr_own) != 0) /* few have one: below fd 3 */
                close_owns(chunk);
            mfi_store_rel(&mfi_fd_chunks[i], NULL);
            mfi_unmap(chunk, CHUNK_LEN);
        }
    }
}

/* The record of fd, mapping its chunk if need be. */
static int record(int fd, struct fdrec **ret_rec)
{
    uint32_t i = (uint32_t)fd >> FD_CHUNK_BITS;
    struct fdrec *rec = mfi_fd_peek(fd), *none = NULL;
    void *chunk;
    int rc;

    if (rec == NULL) {
        if (i >= FD_CHUNKS)
            return fd < 0 ? -EBADF : -EMFILE;
        if ((rc = mfi_map_pages(CHUNK_LEN, &chunk)) < 0)
            return rc;
        /* Two may map it at once; the loser's is not needed. */
        if (!mfi_cas_acqrel(&mfi_fd_chunks[i], &none, chunk))
            mfi_unmap(chunk, CHUNK_LEN);
        rec = mfi_fd_peek(fd);
    }
    *ret_rec = rec;
    return 0;
}

struct look { /* at a file */
    enum fd_kind kind;
    uint8_t bits;
    int own;
};

/* What a new file starts with. The record is BUSY, or taken over by misuse. */
static void reset(struct fdrec *rec, const struct look *look)
{
    mfi_store_rlx(&rec->ready, (uint32_t)(FD_IN | FD_OUT));
    mfi_store_rlx(&rec->home, (uint16_t)0);
    mfi_store_rlx(&rec->read_span, 0);
    mfi_store_rlx(&rec->write_span, 0);
    rec->kind = (uint8_t)look->kind;
    rec->own = look->own;
    mfi_store_rlx(&rec->bits, look->bits);
    mfi_store_rlx(&rec->gen, mfi_load_rlx(&rec->gen) + 1);
}

static void busy_to_open(struct fdrec *rec, const struct look *look)
{
    mfi_list_init(&rec->waiters);
    mfi_store_rlx(&rec->nwait, 0u);
    reset(rec, look);
    mfi_add_acqrel(&rec->ref, (uint32_t)(FD_REF_OPEN - FD_REF_BUSY));
}

/*
 * Take BUSY of a record that is not OPEN. A record that is BUSY is soon not: a
 * close(2) or an adoption is on its way. False: it is OPEN.
 */
static bool make_busy(struct fdrec *rec)
{
    for (;;) {
        uint32_t seen = mfi_load_acq(&rec->ref);

        if ((seen & FD_REF_OPEN) != 0)
            return false;
        if ((seen & FD_REF_BUSY) != 0)
            mfi_sys0(SYS_sched_yield);
        else if (mfi_cas_acqrel(&rec->ref, &seen, seen | FD_REF_BUSY))
            return true;
    }
}

static void unlink_locked(struct fdrec *rec, struct fd_waiter *fw)
{
    mfi_list_del_init(&fw->w.link);
    mfi_store_rel(&rec->nwait, mfi_load_rlx(&rec->nwait) - 1);
}

/* Nobody waits for this file any more: it is closed. Under the lock. */
static void wake_all_locked(struct fdrec *rec, struct wake_list *woken)
{
    while (!mfi_list_empty(&rec->waiters)) {
        struct fd_waiter *fw =
            mfi_container_of(rec->waiters.next, struct fd_waiter, w.link);
        struct parker *parker = fw->w.parker;

        unlink_locked(rec, fw);
        mfi_parker_wake(parker, WOKEN_CLOSED, woken);
    }
}

int mfi_fd_open(int fd, enum fd_kind kind, struct wake_list *woken)
{
    struct look look = {.kind = kind, .own = -1};
    struct fdrec *rec;
    uint32_t seen;
    int rc = record(fd, &rec);

    if (rc < 0)
        return rc;
    do {
        if (make_busy(rec)) {
            busy_to_open(rec, &look);
            return 0;
        }
        /*
         * OPEN: the file of this number was closed with close(2), or the kernel
         * could not have given the number out again. That is misuse, or it was
         * released, and not everybody is out yet: with CLOSING gone, the last
         * of them leaves the new file alone. (A description of our own for the
         * old one is lost: they may be using it.)
         */
        seen = mfi_load_acq(&rec->ref);
    } while (
        (seen & FD_REF_OPEN) == 0 ||
        !mfi_cas_acqrel(&rec->ref, &seen, seen & ~(uint32_t)FD_REF_CLOSING));
    mfi_spin_lock(&rec->lock);
    wake_all_locked(rec, woken);
    reset(rec, &look);
    mfi_spin_unlock(&rec->lock);
    return 0;
}

/* Standard I/O of this process, or a copy of it? */
static bool is_shared(int fd)
{
    return fd <= 2 || mfi_os_same(fd, 0) || mfi_os_same(fd, 1) ||
           mfi_os_same(fd, 2);
}

/* Its flags are for us to set, and to be given back. */
static int set_nonblock(int fd, struct look *look)
{
    int flags = mfi_os_fcntl(fd, F_GETFL, 0);

    if (flags >= 0 && (flags & O_NONBLOCK) == 0) {
        flags = mfi_os_fcntl(fd, F_SETFL, flags | O_NONBLOCK);
        look->bits |= FD_SET_NONBLOCK;
    }
    return flags < 0 ? flags : 0; /* it would block a worker */
}

static int inspect_socket(int fd, struct look *look)
{
    int domain = 0, type = 0, accepts = 0;
    socklen_t len = sizeof domain;

    mfi_os_getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
    mfi_os_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
    look->kind =
        type == SOCK_STREAM && (domain == AF_INET || domain == AF_INET6)
            ? FD_TCP
            : FD_SOCK;
    mfi_os_getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len);
    /* Accept has no MSG_DONTWAIT; the rest has, so stdio is left alone. */
    return fd <= 2 && accepts == 0 ? 0 : set_nonblock(fd, look);
}

/* What an fd made elsewhere is; sets O_NONBLOCK where that is needed. */
static int inspect(int fd, struct look *look)
{
    int mode = mfi_os_mode(fd);

    if (mode < 0)
        return mode;
    *look = (struct look){.kind = FD_PIPE, .bits = FD_ADOPTED, .own = -1};
    if (S_ISSOCK(mode))
        return inspect_socket(fd, look);
    if (S_ISREG(mode) || S_ISDIR(mode) || S_ISBLK(mode)) {
        look->kind = FD_FILE;
        return 0;
    }
    if (S_ISFIFO(mode))
        look->bits |= FD_FIFO;
    else if (S_ISCHR(mode) && mfi_os_tty(fd))
        look->bits |= FD_TTY;
    /* Anonymous inodes are all the same one: those are told by number. */
    if (fd > 2 && ((!S_ISFIFO(mode) && !S_ISCHR(mode)) || !is_shared(fd)))
        return set_nonblock(fd, look);
    look->kind = FD_SHARED;
    look->own = mfi_os_private(fd, mode);
    if (look->own < 0)
        look->own = -1;
    else
        mfi_add_acqrel(&nr_own, 1u);
    return 0;
}

static int adopt(struct fdrec *rec, int fd)
{
    struct look look;
    int rc;

    if (!make_busy(rec))
        return 0; /* another call was faster */
    if ((rc = inspect(fd, &look)) < 0) {
        mfi_and_acqrel(&rec->ref, ~(uint32_t)FD_REF_BUSY);
        return rc;
    }
    busy_to_open(rec, &look);
    return 0;
}

int mfi_fd_get_slow(int fd, struct fdrec *rec, struct fdrec **ret_rec)
{
    uint32_t seen;
    int rc;

    if (rec == NULL) {
        /* A number never seen: do not map a chunk for a bad one. */
        if ((rc = mfi_os_fcntl(fd, F_GETFD, 0)) < 0 ||
            (rc = record(fd, &rec)) < 0)
            return rc;
        mfi_add_acqrel(&rec->ref, 1u);
    }
    for (;;) { /* one count is ours here */
        seen = mfi_load_acq(&rec->ref);
        if ((seen & FD_REF_CLOSING) != 0) {
            mfi_fd_put(rec, fd);
            return -EBADF;
        }
        if ((seen & FD_REF_OPEN) != 0) {
            *ret_rec = rec;
            return 0;
        }
        if ((rc = adopt(rec, fd)) < 0) {
            mfi_sub_acqrel(&rec->ref, 1u);
            return rc;
        }
    }
}

int mfi_fd_finish(struct fdrec *rec, int fd)
{
    uint32_t seen = FD_REF_OPEN | FD_REF_CLOSING;
    int rc = 0, flags;
    uint8_t bits;

    /* Somebody who looked in vain may hold a count: then it is theirs to do. */
    if (!mfi_cas_acqrel(&rec->ref, &seen, (uint32_t)FD_REF_BUSY))
        return 0;
    mfi_assert(mfi_load_rlx(&rec->nwait) == 0);
    mfi_store_rlx(&rec->gen, mfi_load_rlx(&rec->gen) + 1);
    bits = mfi_load_rlx(&rec->bits);
    close_own(rec);
    if ((bits & FD_KEEP) == 0) {
        rc = mfi_os_close(fd);
    } else {
        mfi_poller_forget(rec, fd);
        if ((bits & FD_SET_NONBLOCK) != 0 &&
            (flags = mfi_os_fcntl(fd, F_GETFL, 0)) >= 0)
            mfi_os_fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    }
    mfi_and_acqrel(&rec->ref, ~(uint32_t)FD_REF_BUSY);
    return rc;
}

int mfi_fd_close(struct fdrec *rec, int fd, bool keep_open,
                 struct wake_list *woken)
{
    uint32_t seen = mfi_or_acqrel(&rec->ref, (uint32_t)FD_REF_CLOSING);

    if ((seen & FD_REF_CLOSING) != 0) {
        mfi_fd_put(rec, fd);
        return -EBADF;
    }
    if (keep_open)
        mfi_or_acqrel(&rec->bits, (uint8_t)FD_KEEP);
    mfi_spin_lock(&rec->lock);
    wake_all_locked(rec, woken);
    mfi_spin_unlock(&rec->lock);
    return mfi_fd_put(rec, fd);
}

int mfi_fd_close_unknown(int fd)
{
    struct fdrec *rec;
    int rc = mfi_os_fcntl(fd, F_GETFD, 0);

    if (rc < 0)
        return rc;
    if (record(fd, &rec) < 0) /* no memory to know it: nor has anybody */
        return mfi_os_close(fd);
    if (!make_busy(rec))
        return 1;
    rc = mfi_os_close(fd);
    mfi_and_acqrel(&rec->ref, ~(uint32_t)FD_REF_BUSY);
    return rc;
}

bool mfi_fd_wait(struct fdrec *rec, struct fd_waiter *fw)
{
    bool linked = false;

    mfi_spin_lock(&rec->lock);
    if ((mfi_load_acq(&rec->ready) & fw->flags) == 0 && !mfi_fd_closing(rec)) {
        mfi_list_add_tail(&rec->waiters, &fw->w.link);
        mfi_store_rel(&rec->nwait, mfi_load_rlx(&rec->nwait) + 1);
        linked = true;
    }
    mfi_spin_unlock(&rec->lock);
    return linked;
}

void mfi_fd_unwait(struct fdrec *rec, struct fd_waiter *fw)
{
    mfi_spin_lock(&rec->lock);
    if (mfi_list_linked(&fw->w.link))
        unlink_locked(rec, fw);
    mfi_spin_unlock(&rec->lock);
}

/*
 * Wake the first waiter for each flag in `flags`; one may be the first for
 * several. A waiter that lost its wait otherwise (deadline, cancel) is passed
 * over: it unlinks itself.
 */
static void wake_locked(struct fdrec *rec, uint32_t flags,
                        struct wake_list *woken, struct batch *batch)
{
    struct list *link = rec->waiters.next, *next;

    for (; link != &rec->waiters && flags != 0; link = next) {
        struct fd_waiter *fw = mfi_container_of(link, struct fd_waiter, w.link);
        struct batch_op *op;
        struct parker *parker;
        uint32_t wanted;

        next = link->next;
        if ((fw->flags & flags) == 0)
            continue;
        parker = fw->w.parker;
        wanted = fw->flags;
        op = fw->op;
        unlink_locked(rec, fw); /* before the claim: then it may be gone */
        switch (mfi_parker_claim(parker, WOKEN_READY)) {
        case CLAIM_LOST:
            continue;
        case CLAIM_RUNNING: /* it has not left its stack: it will look again */
            break;
        case CLAIM_PARKED:
            if (op != NULL && batch != NULL) {
                op->parker = parker;
                op->ready = &rec->ready;
                mfi_batch_add(batch, op);
            } else {
                mfi_wake_list_add(woken, parker);
            }
            break;
        }
        flags &= ~wanted;
    }
}

void mfi_fd_edge(uint64_t data, uint32_t events, struct wake_list *woken,
                 struct batch *batch)
{
    int fd = (int)(uint32_t)data;
    struct fdrec *rec = mfi_fd_peek(fd);
    uint32_t flags = 0;

    if (rec == NULL)
        return;
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        flags |= FD_IN;
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
        flags |= FD_OUT;
    if ((events & (EPOLLPRI | EPOLLHUP | EPOLLERR)) != 0)
        flags |= FD_PRI;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0)
        flags |= FD_HUP;
    mfi_spin_lock(&rec->lock);
    if (mfi_load_rlx(&rec->gen) == (uint32_t)(data >> 32)) {
        uint32_t seen = mfi_load_rlx(&rec->ready);

        while (
            !mfi_cas_weak_acqrel(&rec->ready, &seen, (seen + FD_EDGE) | flags))
            ;
        if (mfi_load_rlx(&rec->nwait) != 0)
            wake_locked(rec, flags, woken, batch);
    }
    mfi_spin_unlock(&rec->lock);
}

void mfi_fd_baton_slow(struct fdrec *rec, uint32_t flag,
                       struct wake_list *woken)
{
    mfi_spin_lock(&rec->lock);
    flag &= mfi_load_acq(&rec->ready);
    if (flag != 0)
        wake_locked(rec, flag, woken, NULL);
    mfi_spin_unlock(&rec->lock);
}
