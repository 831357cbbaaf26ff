/* SPDX-License-Identifier: MIT */
/*
 * sendfile.c - from one fd to another, by the best way the two allow.
 *
 *     file   -> file             copy_file_range, in jobs (job.h)
 *     file   -> socket, pipe     sendfile, on the spot
 *     stream -> socket, pipe     splice (pump.h)
 *     else                       a buffer
 *
 * sendfile waits for a page that is not cached, and would stop the worker. So
 * before each piece its ends are looked for (RWF_NOWAIT, a byte each), and if
 * one is missing a job reads the piece first, into nothing. What can be missing
 * in between then is read ahead or has just been pushed out: rare, and one
 * page. The socket is touched by nobody but the caller, so what went out is
 * known to the byte also when it leaves early.
 */
#include <mayfly/file.h>

#include <stdlib.h>

#include "io/job.h"
#include "io/pump.h"

#ifndef RWF_NOWAIT
# define RWF_NOWAIT 8
#endif

enum {
    SEND_PIECE = 256 << 10,
    COPY_PIECE = 16 << 20,
    SCRATCH = 128 << 10,
};

struct send {
    int out;
    int in;
    int64_t at; /* in in */
    uint64_t left;
    uint64_t sent;
    mf_deadline deadline;
};

static bool too_late(const struct send *s)
{
    return s->deadline.at != 0 && !mfi_is_try(s->deadline) &&
           s->deadline.at <= mf_now();
}

/* ---- jobs: what may block ----------------------------------------------- */

struct copy_job {
    struct job job;
    int out; /* -1: read only, to have it cached */
    int in;
    struct fdrec *in_rec;
    struct fdrec *out_rec;
    int64_t at;
    size_t len;
};

/* The rest of the piece by hand. */
static long by_hand(struct copy_job *c)
{
    char *buf = malloc(SCRATCH); /* tidy: allow malloc, because it is rare */
    size_t done = 0;
    long n = buf != NULL ? 1 : -ENOMEM;

    while (n > 0 && done < c->len && !mfi_job_left(&c->job)) {
        size_t len = c->len - done < SCRATCH ? c->len - done : SCRATCH;

        n = mfi_sys4(SYS_pread64, c->in, buf, len, c->at + (int64_t)done);
        if (n > 0 && c->out >= 0)
            n = mfi_os_write(c->out, buf, (size_t)n);
        if (n == -EINTR)
            n = 1; /* once more */
        else if (n > 0)
            done += (size_t)n;
    }
    free(buf); /* tidy: allow malloc, because it is rare */
    return done > 0 ? (long)done : n;
}

static long run_copy(struct job *job)
{
    struct copy_job *c = mfi_container_of(job, struct copy_job, job);
    int64_t at = c->at;
    long n = 0;

    if (c->out >= 0) {
        do {
            n = mfi_sys6(SYS_copy_file_range, c->in, MFI_L(&at), c->out, 0,
                         MFI_L(c->len), 0);
        } while (n == -EINTR);
    }
    /* 0: the end, or a file that does not know its size; an error: whose it is
     * will be seen. */
    return n > 0 ? n : by_hand(c);
}

static void let_go(struct job *job)
{
    struct copy_job *c = mfi_container_of(job, struct copy_job, job);

    mfi_fd_put(c->in_rec, c->in);
    if (c->out >= 0)
        mfi_fd_put(c->out_rec, c->out);
}

static long copy_piece(struct send *s, int out, size_t len)
{
    struct copy_job *c = mfi_job_new(sizeof *c, run_copy, let_go);
    long n;
    int rc;

    if (c == NULL)
        return -ENOMEM;
    c->in = s->in;
    c->out = out;
    c->at = s->at;
    c->len = len;
    rc = mfi_fd_get(c->in, &c->in_rec);
    if (rc == 0 && out >= 0 && (rc = mfi_fd_get(out, &c->out_rec)) < 0)
        mfi_fd_put(c->in_rec, c->in);
    if (rc < 0) {
        mfi_job_free(&c->job);
        return rc;
    }
    if ((rc = mfi_job_call(&c->job, s->deadline)) < 0)
        return rc;
    n = c->job.result;
    let_go(&c->job);
    mfi_job_free(&c->job);
    return n;
}

static int copy_files(struct send *s)
{
    while (s->left > 0) {
        long n = copy_piece(
            s, s->out, s->left < COPY_PIECE ? (size_t)s->left : COPY_PIECE);

        if (n <= 0)
            return (int)n;
        s->at += n;
        s->sent += (uint64_t)n;
        s->left -= (uint64_t)n;
    }
    return 0;
}

/* ---- a file to a stream ------------------------------------------------- */

static bool is_cached(int fd, int64_t at)
{
    char byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};

    /* 0, the end, and errors are for sendfile to say. */
    long n = mfi_sys6(SYS_preadv2, fd, MFI_L(&iov), 1, at, 0, RWF_NOWAIT);

    return n != -EAGAIN && n != -EOPNOTSUPP && n != -ENOSYS;
}

static int have_cached(struct send *s, size_t len)
{
    long n;

    if (is_cached(s->in, s->at) && is_cached(s->in, s->at + (int64_t)len - 1))
        return 0;
    n = copy_piece(s, -1, len);
    return n < 0 ? (int)n : 0;
}

static long send_piece(struct send *s, size_t len)
{
    int64_t at = s->at;

    /* A worker has SIGPIPE blocked; other threads need it kept away. */
    return mfi_worker() != NULL
               ? mfi_sys4(SYS_sendfile, s->out, s->in, &at, len)
               : mfi_os_sendfile_quiet(s->out, s->in, &at, len);
}

/* > 0 it went on; 0 the end; -EINVAL: sendfile does not take these two. */
static int send_some(struct send *s)
{
    size_t len = s->left < SEND_PIECE ? (size_t)s->left : SEND_PIECE;
    struct op op;
    int rc;

    if (too_late(s))
        return -ETIMEDOUT;
    if ((rc = have_cached(s, len)) < 0 ||
        (rc = mfi_op_begin(&op, s->out, FD_OUT, s->deadline)) < 0)
        return rc;
    do
        rc = mfi_op_again(&op, mfi_op_due(&op) ? send_piece(s, len) : -EAGAIN,
                          false);
    while (rc == MFI_OP_AGAIN);
    if (rc > 0) {
        s->at += rc;
        s->sent += (uint64_t)rc;
        s->left -= (uint64_t)rc;
    }
    return mfi_op_end(&op, rc);
}

/* ---- a file to anything, through a buffer ------------------------------- */

static int buffer_some(struct send *s, char *buf)
{
    size_t len = s->left < SCRATCH ? (size_t)s->left : SCRATCH;
    int n = mf_pread(s->in, buf, len, s->at, s->deadline), done = 0, rc;

    if (n <= 0)
        return n;
    while (done < n) {
        if (too_late(s))
            return -ETIMEDOUT;
        rc = mf_write(s->out, buf + done, (size_t)(n - done), s->deadline);
        if (rc < 0)
            return rc;
        done += rc;
        s->at += rc;
        s->sent += (uint64_t)rc;
        s->left -= (uint64_t)rc;
    }
    return n;
}

static int by_buffer(struct send *s)
{
    char *buf = malloc(SCRATCH); /* tidy: allow malloc, because it is rare */
    int rc = buf != NULL ? 1 : -ENOMEM;

    while (rc > 0 && s->left > 0)
        rc = buffer_some(s, buf);
    free(buf); /* tidy: allow malloc, because it is rare */
    return rc < 0 ? rc : 0;
}

/* ---- which way ---------------------------------------------------------- */

static int kind_of(int fd)
{
    struct fdrec *rec;
    int rc = mfi_fd_get(fd, &rec), kind;

    if (rc < 0)
        return rc;
    kind = rec->kind;
    mfi_fd_put(rec, fd);
    return kind;
}

static int from_file(struct send *s, int out_kind)
{
    int rc = 1;

    if (out_kind == FD_FILE)
        return copy_files(s);
    if (out_kind == FD_SHARED || s->out <= 2) /* it would block in there */
        return by_buffer(s);
    while (rc > 0 && s->left > 0)
        rc = send_some(s);
    return rc == -EINVAL && s->sent == 0 ? by_buffer(s) : rc < 0 ? rc : 0;
}

static int from_stream(struct send *s)
{
    _Atomic uint64_t moved = 0;
    struct pump p = {.in = s->in,
                     .out = s->out,
                     .left = s->left,
                     .deadline = s->deadline,
                     .moved = &moved};
    int rc = mfi_pump(&p);

    s->sent = moved;
    return rc;
}

int mf_sendfile(int out, int in, int64_t *in_offset, uint64_t len,
                uint64_t *ret_sent, mf_deadline deadline)
{
    struct send s = {.out = out, .in = in, .left = len, .deadline = deadline};
    struct agent *a = mfi_agent();
    int in_kind, out_kind, rc = 0;

    if (ret_sent != NULL)
        *ret_sent = 0;
    if (a == NULL)
        return -ENOMEM;
    if ((rc = mfi_cancel_point(a)) < 0 || (rc = in_kind = kind_of(in)) < 0 ||
        (rc = out_kind = kind_of(out)) < 0)
        return rc;
    if (in_kind != FD_FILE) {
        rc = in_offset != NULL ? -ESPIPE : from_stream(&s);
    } else {
        s.at = in_offset != NULL ? *in_offset
                                 : mfi_sys3(SYS_lseek, in, 0, SEEK_CUR);
        rc = s.at < 0 ? in_offset != NULL ? -EINVAL : (int)s.at
                      : from_file(&s, out_kind);
        if (in_offset != NULL)
            *in_offset = s.at;
        else if (s.sent > 0)
            mfi_sys3(SYS_lseek, in, s.at, SEEK_SET);
    }
    if (ret_sent != NULL)
        *ret_sent = s.sent;
    return rc;
}
