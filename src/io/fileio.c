/* SPDX-License-Identifier: MIT */
/*
 * fileio.c - reading and writing files without blocking a worker.
 *
 *     on the spot   preadv2, pwritev2 with RWF_NOWAIT, into the caller's own
 *                   buffer: does what can be done without waiting, which for
 *                   cached data is all of it
 *     else          a job (job.h) in a buffer of the library's, on the ring or
 *                   the pool
 *
 * ext4 answers the first for reads only, tmpfs and /proc not at all.
 *
 * The file's own position. The kernel moves it under a mutex of the file, and a
 * pool thread that holds this through a slow call would stop a worker that
 * tries on the spot. Also, a reader that leaves early shall not have moved it.
 *
 *   read    on the spot under the record's lock. A job reads at the position it
 *           finds, without moving it; who waited for it then moves it, under
 *           the lock, unless somebody else did: then all begins anew. So two
 *           readers never get the same bytes, and one that left took none
 *   write   write(2) itself, wherever it runs, since two writes must not meet
 *           at one position. While a job writes, nobody tries on the spot: the
 *           record's readiness word, of no use for a file, counts the jobs
 */
#include "io/fileio.h"

#include <string.h>

#include "io/job.h"
#include "poll/cold.h"

#ifndef RWF_NOWAIT
# define RWF_NOWAIT 8
#endif

enum { VECS = 16 };

/* Where in the caller's vector we are. */
struct cursor {
    const struct iovec *iov;
    size_t skip; /* bytes of *iov that are done */
    size_t left;
};

/* The next bytes, at most max of them, as up to VECS vectors. */
static int next_piece(const struct cursor *c, size_t max, struct iovec *vecs,
                      size_t *ret_len)
{
    size_t left = c->left < max ? c->left : max, skip = c->skip, len = 0;
    const struct iovec *from = c->iov;
    int n = 0;

    for (; len < left && n < VECS; from++, skip = 0) {
        size_t here = from->iov_len - skip;

        if (here > left - len)
            here = left - len;
        if (here == 0)
            continue;
        vecs[n].iov_base = (char *)from->iov_base + skip;
        vecs[n++].iov_len = here;
        len += here;
    }
    *ret_len = len;
    return n;
}

static void advance(struct cursor *c, size_t done)
{
    c->left -= done;
    done += c->skip;
    while (c->left > 0 && done >= c->iov->iov_len)
        done -= (c->iov++)->iov_len;
    c->skip = done;
}

/* ---- the pool's half ---------------------------------------------------- */

struct rw_job {
    struct job job;
    int fd;
    bool write;
    bool own;
    struct fdrec *rec;
    int64_t offset; /* at which it read */
    size_t len;
    char data[];
};

static long run_read(struct rw_job *r)
{
    if (r->own) {
        r->offset = mfi_sys3(SYS_lseek, r->fd, 0, SEEK_CUR);
        if (r->offset < 0) /* it has none: there is nothing to give back */
            return mfi_os_read(r->fd, r->data, r->len);
    }
    return mfi_sys4(SYS_pread64, r->fd, r->data, r->len, r->offset);
}

static long run_rw(struct job *job)
{
    struct rw_job *r = mfi_container_of(job, struct rw_job, job);

    if (!r->write)
        return run_read(r);
    if (r->own)
        return mfi_os_write(r->fd, r->data, r->len);
    return mfi_sys4(SYS_pwrite64, r->fd, r->data, r->len, r->offset);
}

static void let_go(struct job *job)
{
    struct rw_job *r = mfi_container_of(job, struct rw_job, job);

    if (r->write && r->own)
        mfi_sub_acqrel(&r->rec->ready, (uint32_t)FD_EDGE);
    mfi_fd_put(r->rec, r->fd);
}

/* The fd is held once more: the call may outlive its caller. */
static int hold(struct rw_job *r, const struct fileio *io)
{
    int rc = mfi_fd_get(io->fd, &r->rec);

    if (rc < 0)
        return rc;
    r->fd = io->fd;
    r->write = io->write;
    r->own = io->offset < 0;
    if (r->write && r->own)
        mfi_add_acqrel(&r->rec->ready, (uint32_t)FD_EDGE);
    return 0;
}

static void gather(char *to, const struct iovec *vecs, int n)
{
    for (int i = 0; i < n; i++) {
        memcpy(to, vecs[i].iov_base, vecs[i].iov_len);
        to += vecs[i].iov_len;
    }
}

static void scatter(const struct iovec *vecs, const char *from, size_t len)
{
    for (; len > 0; vecs++) {
        size_t here = vecs->iov_len < len ? vecs->iov_len : len;

        memcpy(vecs->iov_base, from, here);
        from += here;
        len -= here;
    }
}

/* What a job read at the own position is taken: true, if it still is there. */
static bool take(struct rw_job *r, long n)
{
    bool still;

    if (r->write || !r->own || r->offset < 0 || n <= 0)
        return true;
    mfi_spin_lock(&r->rec->lock);
    still = mfi_sys3(SYS_lseek, r->fd, 0, SEEK_CUR) == r->offset &&
            mfi_sys3(SYS_lseek, r->fd, r->offset + n, SEEK_SET) >= 0;
    mfi_spin_unlock(&r->rec->lock);
    return still;
}

/* May the ring do it? It reads where run_read would. */
static bool is_cold(struct rw_job *r, long why, struct cold_read *ret_read)
{
    if (r->write || why != -EAGAIN) /* -EOPNOTSUPP: the ring does no better */
        return false;
    if (r->own && (r->offset = mfi_sys3(SYS_lseek, r->fd, 0, SEEK_CUR)) < 0)
        return false;
    *ret_read = (struct cold_read){
        .fd = r->fd, .buf = r->data, .len = r->len, .offset = r->offset};
    return true;
}

static long later(struct op *op, const struct fileio *io, long why,
                  const struct iovec *vecs, int n, size_t len, int64_t offset)
{
    struct cold_read read;
    struct rw_job *r = mfi_job_new(sizeof *r + len, run_rw, let_go);
    long got;
    int rc;

    if (r == NULL)
        return -ENOMEM;
    if ((rc = hold(r, io)) < 0) {
        mfi_job_free(&r->job);
        return rc;
    }
    r->offset = offset;
    r->len = len;
    if (r->write)
        gather(r->data, vecs, n);
    op->waited = true;
    rc = mfi_job_read(&r->job, is_cold(r, why, &read) ? &read : NULL,
                      mfi_deadline_of(op->at));
    if (rc < 0)
        return rc;
    got = r->job.result;
    if (!take(r, got))
        got = -EINTR; /* somebody else has read on: once more */
    else if (!r->write && got > 0)
        scatter(vecs, r->data, (size_t)got);
    let_go(&r->job);
    mfi_job_free(&r->job);
    return got;
}

/* ---- on the spot -------------------------------------------------------- */

static long now(struct op *op, const struct fileio *io,
                const struct iovec *vecs, int n, int64_t offset)
{
    long nr = io->write ? SYS_pwritev2 : SYS_preadv2, got;
    bool lock = !io->write && offset < 0;

    if (io->write && offset < 0 && mfi_load_acq(&op->rec->ready) >= FD_EDGE)
        return -EAGAIN;
    if (lock)
        mfi_spin_lock(&op->rec->lock);
    got = mfi_sys6(nr, io->fd, MFI_L(vecs), n, offset, 0, RWF_NOWAIT);
    if (lock)
        mfi_spin_unlock(&op->rec->lock);
    return got;
}

/* Not now: the file is not cached, or the kernel or the file cannot tell. */
static bool must_wait(long n)
{
    return n == -EAGAIN || n == -EOPNOTSUPP || n == -ENOSYS;
}

/* Before the next try or piece others have their turn. 0, or why to leave. */
static int breathe(struct op *op)
{
    if (op->agent->parker.kind == AGENT_TASK)
        mfi_budget_spent(mfi_running_of(op->agent));
    if (mfi_cancel_due(op->agent))
        return -ECANCELED;
    return op->at != MFI_FAR && op->at <= mf_now() ? -ETIMEDOUT : 0;
}

static long one_piece(struct op *op, const struct fileio *io,
                      const struct cursor *c, int64_t offset)
{
    struct iovec vecs[VECS];
    size_t len;
    long got;
    int n;

    for (;;) {
        n = next_piece(c, FILEIO_NOW, vecs, &len);
        got = now(op, io, vecs, n, offset);
        if (must_wait(got)) {
            n = next_piece(c, FILEIO_LATER, vecs, &len);
            got = later(op, io, got, vecs, n, len, offset);
        }
        if (got != -EINTR)
            return got;
        if ((n = breathe(op)) < 0)
            return n;
    }
}

long mfi_fileio(struct op *op, const struct fileio *io)
{
    struct cursor c = {.iov = io->iov, .left = io->len};
    long got;

    advance(&c, 0);
    if (io->offset < 0)
        return one_piece(op, io, &c, -1);
    for (;;) {
        size_t done = io->len - c.left;

        got = one_piece(op, io, &c, io->offset + (int64_t)done);
        if (got <= 0)
            break;
        advance(&c, (size_t)got);
        if (c.left == 0 || breathe(op) < 0)
            return (long)(io->len - c.left);
    }
    /* Read or written is what was; but a notice, once told, is told. */
    if (c.left == io->len || got == -ECANCELED)
        return got;
    return (long)(io->len - c.left);
}
