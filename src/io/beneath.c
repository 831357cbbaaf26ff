/* SPDX-License-Identifier: MIT */
/*
 * beneath.c - open what a stranger named, and never outside of a directory.
 *
 * Checking a path and then opening it is a race with whoever moves links and
 * directories. openat2 with RESOLVE_BENEATH has none: the kernel refuses, while
 * it walks, whatever would leave dir: "..", absolute paths and links, links of
 * /proc. Links that stay inside are followed. Where there is no openat2 (older
 * than 5.6, or a seccomp filter answers EPERM) the names are walked one by one,
 * each with O_NOFOLLOW: no race either, but no link is followed at all.
 *
 * On the spot first: RESOLVE_CACHED (5.12) answers EAGAIN as soon as the walk
 * would have to wait for a disk, which is what io_uring does before it uses a
 * thread. A cached name costs 1 us so, and the pool 10. The open itself and the
 * fstat wait for nothing on local file systems.
 *
 * Which way works is remembered in a word; a race on it makes one call more.
 */
#include "io/beneath.h"

#include <mayfly/file.h>

#include <limits.h>
#include <linux/openat2.h>
#include <string.h>

#include "io/job.h"
#include "os/io.h"
#include "poll/fdtab.h"
#include "sched/park.h"

#ifndef RESOLVE_CACHED
# define RESOLVE_CACHED 0x20
#endif

enum { OLD_WALK = 1, NO_CACHED = 2 };
static _Atomic uint32_t lacks; /* OLD_WALK, NO_CACHED */

static long open_step(int dir, const char *name, int flags)
{
    return mfi_sys4(SYS_openat, dir, name, flags | O_CLOEXEC | O_NOFOLLOW, 0);
}

/* The next name of *path into name: its length, 0 the end, < 0 too long. */
static long step_name(const char **path, char name[NAME_MAX + 1])
{
    size_t len;

    while (**path == '/')
        (*path)++;
    len = strcspn(*path, "/");
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, *path, len);
    name[len] = '\0';
    *path += len;
    return (long)len;
}

static bool is_last(const char *path)
{
    return path[strspn(path, "/")] == '\0';
}

long mfi_beneath_walk(int dir, const char *path, int flags)
{
    char name[NAME_MAX + 1];
    int at = dir;
    long rc, next;

    if (path[0] == '/')
        return -EXDEV;
    if (path[0] == '\0')
        return -ENOENT;
    while ((rc = step_name(&path, name)) > 0) {
        bool last = is_last(path);
        int how = last ? flags : O_PATH | O_DIRECTORY;

        if (strcmp(name, "..") == 0) {
            rc = -EXDEV;
            break;
        }
        if (last && *path == '/')
            how |= O_DIRECTORY;
        do
            next = open_step(at, name, how);
        while (next == -EINTR);
        if (at != dir)
            mfi_os_close(at);
        /* A link that stands for a directory is "not a directory" here. */
        if (next < 0 || last)
            return next;
        at = (int)next;
    }
    if (at != dir)
        mfi_os_close(at);
    return rc;
}

static long open_at(int dir, const char *path, int flags, bool cached)
{
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC | O_NONBLOCK),
                           .resolve =
                               RESOLVE_BENEATH | (cached ? RESOLVE_CACHED : 0)};
    long fd;

    do
        fd = mfi_sys4(SYS_openat2, dir, path, &how, sizeof how);
    while (fd == -EINTR);
    return fd;
}

struct beneath_job {
    struct job job;
    struct fdrec *rec;
    int dir, flags;
    char path[];
};

/* A rename under way elsewhere makes it EAGAIN: few such races are lost. */
static long run_open(struct job *job)
{
    struct beneath_job *b = mfi_container_of(job, struct beneath_job, job);
    long fd = -ENOSYS;
    int tries;

    if ((mfi_load_rlx(&lacks) & OLD_WALK) == 0) {
        for (tries = 0; tries < 16; tries++) {
            fd = open_at(b->dir, b->path, b->flags, false);
            if (fd != -EAGAIN)
                break;
        }
    }
    if (fd != -ENOSYS && fd != -EPERM)
        return fd;
    if (fd == -ENOSYS)
        mfi_or_acqrel(&lacks, OLD_WALK);
    return mfi_beneath_walk(b->dir, b->path, b->flags | O_NONBLOCK);
}

/* Nobody waits for it any more. */
static void undo_open(struct job *job)
{
    struct beneath_job *b = mfi_container_of(job, struct beneath_job, job);

    if (job->result >= 0)
        mfi_os_close((int)job->result);
    mfi_fd_put(b->rec, b->dir);
}

static long open_later(int dir, struct fdrec *rec, const char *path, int flags,
                       mf_deadline deadline)
{
    size_t len = strlen(path) + 1;
    struct beneath_job *b = mfi_job_new(sizeof *b + len, run_open, undo_open);
    long fd;
    int rc;

    if (b == NULL) {
        mfi_fd_put(rec, dir);
        return -ENOMEM;
    }
    b->rec = rec;
    b->dir = dir;
    b->flags = flags;
    memcpy(b->path, path, len);
    if ((rc = mfi_job_call(&b->job, deadline)) < 0)
        return rc;
    fd = b->job.result;
    mfi_fd_put(rec, dir);
    mfi_job_free(&b->job);
    return fd;
}

static long open_any(int dir, const char *path, int flags, mf_deadline deadline)
{
    struct fdrec *rec;
    long fd = -EAGAIN;
    int rc;

    if ((rc = mfi_fd_get(dir, &rec)) < 0)
        return rc;
    if (mfi_load_rlx(&lacks) == 0)
        fd = open_at(dir, path, flags, true);
    if (fd == -EINVAL || fd == -ENOSYS)
        mfi_or_acqrel(&lacks, fd == -ENOSYS ? OLD_WALK : NO_CACHED);
    if (fd != -EAGAIN && fd != -EINVAL && fd != -ENOSYS && fd != -EPERM) {
        mfi_fd_put(rec, dir);
        return fd;
    }
    return open_later(dir, rec, path, flags, deadline);
}

int mf_open_beneath(int dir, const char *path, int flags, struct stat *ret_st,
                    mf_deadline deadline)
{
    struct wake_list woken;
    struct stat st;
    int fd, rc;

    if (path == NULL ||
        (flags & (O_CREAT | O_TRUNC | O_APPEND | O_ACCMODE)) != O_RDONLY ||
        (flags & O_TMPFILE) == O_TMPFILE)
        return -EINVAL;
    if ((fd = (int)open_any(dir, path, flags, deadline)) < 0)
        return fd;
    rc = (int)mfi_sys4(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH);
    if (rc >= 0) {
        mfi_wake_list_init(&woken);
        rc = mfi_fd_open(fd,
                         S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ||
                                 S_ISBLK(st.st_mode)
                             ? FD_FILE
                             : FD_PIPE,
                         &woken);
        mfi_wake(&woken);
    }
    if (rc < 0) {
        mfi_os_close(fd);
        return rc;
    }
    if (ret_st != NULL)
        *ret_st = st;
    return fd;
}
