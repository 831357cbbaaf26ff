/* SPDX-License-Identifier: MIT */
/*
 * file.c - open, read and write at a position, sync, and calls on names.
 *
 * All but reading and writing is one job each (job.h): names are copied into
 * it, and an fd is held until it has run, whoever still waits.
 */
#include <mayfly/file.h>

#include <string.h>

#include "io/fileio.h"
#include "io/job.h"

/* ---- calls on names ----------------------------------------------------- */

struct name_job {
    struct job job;
    long nr;
    int flags;
    mode_t mode;
    enum fd_kind kind; /* of what was opened */
    struct stat st;
    size_t second; /* where in text the second name begins */
    char text[];
};

static struct name_job *name_job(long nr, const char *one, const char *two,
                                 long (*run)(struct job *),
                                 void (*undo)(struct job *))
{
    size_t len = strlen(one) + 1, more = two != NULL ? strlen(two) + 1 : 0;
    struct name_job *n = mfi_job_new(sizeof *n + len + more, run, undo);

    if (n != NULL) {
        n->nr = nr;
        n->flags = 0;
        n->mode = 0;
        n->second = len;
        memcpy(n->text, one, len);
        if (two != NULL)
            memcpy(n->text + len, two, more);
    }
    return n;
}

static long run_name(struct job *job)
{
    struct name_job *n = mfi_container_of(job, struct name_job, job);

    switch (n->nr) {
    case SYS_newfstatat:
        return mfi_sys4(n->nr, AT_FDCWD, n->text, &n->st, n->flags);
    case SYS_renameat2:
        return mfi_sys5(n->nr, AT_FDCWD, n->text, AT_FDCWD, n->text + n->second,
                        0);
    case SYS_unlinkat:
        return mfi_sys3(n->nr, AT_FDCWD, n->text, n->flags);
    default:
        return mfi_sys3(n->nr, AT_FDCWD, n->text, n->mode);
    }
}

static int call_name(long nr, const char *one, const char *two, int flags,
                     mode_t mode, struct stat *ret_st, mf_deadline deadline)
{
    struct name_job *n = name_job(nr, one, two, run_name, NULL);
    int rc;

    if (n == NULL)
        return -ENOMEM;
    n->flags = flags;
    n->mode = mode;
    if ((rc = mfi_job_call(&n->job, deadline)) < 0)
        return rc;
    rc = (int)n->job.result;
    if (rc == 0 && ret_st != NULL)
        *ret_st = n->st;
    mfi_job_free(&n->job);
    return rc;
}

int mf_stat(const char *path, struct stat *ret_st, mf_deadline deadline)
{
    if (path == NULL || ret_st == NULL)
        return -EINVAL;
    return call_name(SYS_newfstatat, path, NULL, 0, 0, ret_st, deadline);
}

int mf_lstat(const char *path, struct stat *ret_st, mf_deadline deadline)
{
    if (path == NULL || ret_st == NULL)
        return -EINVAL;
    return call_name(SYS_newfstatat, path, NULL, AT_SYMLINK_NOFOLLOW, 0, ret_st,
                     deadline);
}

int mf_rename(const char *from, const char *to, mf_deadline deadline)
{
    if (from == NULL || to == NULL)
        return -EINVAL;
    return call_name(SYS_renameat2, from, to, 0, 0, NULL, deadline);
}

int mf_unlink(const char *path, mf_deadline deadline)
{
    if (path == NULL)
        return -EINVAL;
    return call_name(SYS_unlinkat, path, NULL, 0, 0, NULL, deadline);
}

int mf_rmdir(const char *path, mf_deadline deadline)
{
    if (path == NULL)
        return -EINVAL;
    return call_name(SYS_unlinkat, path, NULL, AT_REMOVEDIR, 0, NULL, deadline);
}

int mf_mkdir(const char *path, mode_t mode, mf_deadline deadline)
{
    if (path == NULL)
        return -EINVAL;
    return call_name(SYS_mkdirat, path, NULL, 0, mode, NULL, deadline);
}

/* ---- open --------------------------------------------------------------- */

/*
 * Non-blocking, so that a FIFO without another end stops no thread. A file that
 * somebody has a lease on says EAGAIN to that: then the thread waits.
 */
static long run_open(struct job *job)
{
    struct name_job *n = mfi_container_of(job, struct name_job, job);
    int flags = n->flags | O_CLOEXEC, mode;
    long fd;

    do {
        fd = mfi_sys4(SYS_openat, AT_FDCWD, n->text, flags | O_NONBLOCK,
                      n->mode);
        if (fd == -EAGAIN)
            fd = mfi_sys4(SYS_openat, AT_FDCWD, n->text, flags, n->mode);
    } while (fd == -EINTR);
    if (fd < 0)
        return fd;
    mode = mfi_os_mode((int)fd);
    n->kind =
        S_ISREG(mode) || S_ISDIR(mode) || S_ISBLK(mode) ? FD_FILE : FD_PIPE;
    return fd;
}

static void close_opened(struct job *job)
{
    if (job->result >= 0)
        mfi_os_close((int)job->result);
}

int mf_open(const char *path, int flags, mode_t mode, mf_deadline deadline)
{
    struct wake_list woken;
    struct name_job *n;
    int rc, fd;

    if (path == NULL)
        return -EINVAL;
    n = name_job(SYS_openat, path, NULL, run_open, close_opened);
    if (n == NULL)
        return -ENOMEM;
    n->flags = flags;
    n->mode = mode;
    if ((rc = mfi_job_call(&n->job, deadline)) < 0)
        return rc;
    fd = (int)n->job.result;
    if (fd >= 0) {
        mfi_wake_list_init(&woken);
        rc = mfi_fd_open(fd, n->kind, &woken);
        mfi_wake(&woken);
        if (rc < 0) {
            mfi_os_close(fd);
            fd = rc;
        }
    }
    mfi_job_free(&n->job);
    return fd;
}

/* ---- at a position ------------------------------------------------------ */

static int transfer(int fd, bool write, const struct iovec *iov, int n,
                    int64_t offset, mf_deadline deadline)
{
    long len = mfi_iov_len(iov, n);
    struct fileio io = {.fd = fd,
                        .write = write,
                        .iov = iov,
                        .n = n,
                        .len = (size_t)len,
                        .offset = offset};
    struct op op;
    int rc;

    if (len < 0 || offset < 0)
        return -EINVAL;
    if ((rc = mfi_op_begin(&op, fd, write ? FD_OUT : FD_IN, deadline)) < 0)
        return rc;
    return mfi_op_end(&op, len > 0 ? (int)mfi_fileio(&op, &io) : 0);
}

int mf_preadv(int fd, const struct iovec *iov, int n, int64_t offset,
              mf_deadline deadline)
{
    return transfer(fd, false, iov, n, offset, deadline);
}

int mf_pwritev(int fd, const struct iovec *iov, int n, int64_t offset,
               mf_deadline deadline)
{
    return transfer(fd, true, iov, n, offset, deadline);
}

int mf_pread(int fd, void *buf, size_t len, int64_t offset,
             mf_deadline deadline)
{
    struct iovec iov = {.iov_base = buf, .iov_len = len};

    return transfer(fd, false, &iov, 1, offset, deadline);
}

int mf_pwrite(int fd, const void *buf, size_t len, int64_t offset,
              mf_deadline deadline)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};

    return transfer(fd, true, &iov, 1, offset, deadline);
}

/* ---- calls on fds ------------------------------------------------------- */

struct fd_job {
    struct job job;
    long nr;
    int fd;
    int64_t len;
    struct fdrec *rec;
    struct stat st;
};

static long run_fd(struct job *job)
{
    struct fd_job *f = mfi_container_of(job, struct fd_job, job);
    long rc;

    do {
        if (f->nr == SYS_newfstatat)
            rc = mfi_sys4(f->nr, f->fd, "", &f->st, AT_EMPTY_PATH);
        else
            rc = mfi_sys2(f->nr, f->fd, f->len);
    } while (rc == -EINTR);
    return rc;
}

static void let_go(struct job *job)
{
    struct fd_job *f = mfi_container_of(job, struct fd_job, job);

    mfi_fd_put(f->rec, f->fd);
}

static int call_fd(long nr, int fd, int64_t len, struct stat *ret_st,
                   mf_deadline deadline)
{
    struct fd_job *f = mfi_job_new(sizeof *f, run_fd, let_go);
    int rc;

    if (f == NULL)
        return -ENOMEM;
    f->nr = nr;
    f->fd = fd;
    f->len = len;
    if ((rc = mfi_fd_get(fd, &f->rec)) < 0) {
        mfi_job_free(&f->job);
        return rc;
    }
    if ((rc = mfi_job_call(&f->job, deadline)) < 0)
        return rc;
    rc = (int)f->job.result;
    if (rc == 0 && ret_st != NULL)
        *ret_st = f->st;
    let_go(&f->job);
    mfi_job_free(&f->job);
    return rc;
}

int mf_fsync(int fd, int data_only, mf_deadline deadline)
{
    return call_fd(data_only != 0 ? SYS_fdatasync : SYS_fsync, fd, 0, NULL,
                   deadline);
}

int mf_truncate(int fd, int64_t len, mf_deadline deadline)
{
    if (len < 0)
        return -EINVAL;
    return call_fd(SYS_ftruncate, fd, len, NULL, deadline);
}

int mf_fstat(int fd, struct stat *ret_st, mf_deadline deadline)
{
    if (ret_st == NULL)
        return -EINVAL;
    return call_fd(SYS_newfstatat, fd, 0, ret_st, deadline);
}
