/* SPDX-License-Identifier: MIT */
/*
 * whole.c - a file read, or replaced, as one job (job.h).
 *
 * A caller that leaves sets `left`, at which the job ends early: a read goes on
 * for a MiB at most, and a file that was being replaced stays as it was unless
 * the rename had begun.
 */
#include <mayfly/file.h>

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "io/job.h"
#include "os/event.h"
#include "os/io.h"

enum { FIRST = 4096, PIECE = 1 << 20, POLL_NS = 50000000 };

/* ---- read --------------------------------------------------------------- */

struct read_job {
    struct job job;
    char *data;
    size_t len;
    size_t cap; /* of data, and one byte for the NUL beside it */
    size_t max;
    char path[];
};

/* Room for one byte more than max at most: that one says "too long". */
static int grow(struct read_job *r, size_t cap)
{
    char *data;

    if (cap > r->max)
        cap = r->max + 1;
    /* tidy: allow malloc, because the user frees it with free(3) */
    data = realloc(r->data, cap + 1);
    if (data == NULL)
        return -ENOMEM;
    r->data = data;
    r->cap = cap;
    return 0;
}

/* A FIFO or a terminal has nothing yet. False: nobody waits any more. */
static bool wait_for_more(struct read_job *r, int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    while (mfi_ppoll(&pfd, 1, POLL_NS) == 0)
        if (mfi_job_left(&r->job))
            return false;
    return true;
}

static long read_all(struct read_job *r, int fd)
{
    struct stat st;
    size_t guess = FIRST;
    long n = mfi_sys4(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH);

    if (n < 0)
        return n;
    if (st.st_size > 0)
        guess = (uint64_t)st.st_size > r->max ? r->max : (size_t)st.st_size;
    n = grow(r, guess + 1); /* the byte more finds the end */
    while (n >= 0) {
        size_t room = r->cap - r->len;

        if (mfi_job_left(&r->job))
            return -ECANCELED;
        n = mfi_os_read(fd, r->data + r->len, room < PIECE ? room : PIECE);
        if (n == -EINTR || (n == -EAGAIN && wait_for_more(r, fd))) {
            n = 0;
            continue;
        }
        if (n <= 0)
            return n;
        r->len += (size_t)n;
        if (r->len > r->max)
            return -EFBIG;
        if (r->len == r->cap)
            n = grow(r, r->cap * 2);
    }
    return n;
}

static long run_read(struct job *job)
{
    struct read_job *r = mfi_container_of(job, struct read_job, job);
    long rc;
    int fd;

    do
        fd = mfi_os_open(r->path, O_RDONLY | O_NONBLOCK);
    while (fd == -EINTR);
    if (fd < 0)
        return fd;
    rc = read_all(r, fd);
    mfi_os_close(fd);
    if (rc == 0)
        r->data[r->len] = '\0';
    return rc;
}

static void free_read(struct job *job)
{
    /* tidy: allow malloc, because the user frees it with free(3) */
    free(mfi_container_of(job, struct read_job, job)->data);
}

int mf_file_read(const char *path, size_t max, void **ret_data, size_t *ret_len,
                 mf_deadline deadline)
{
    struct read_job *r;
    size_t len;
    int rc;

    if (path == NULL || ret_data == NULL || ret_len == NULL)
        return -EINVAL;
    len = strlen(path) + 1;
    r = mfi_job_new(sizeof *r + len, run_read, free_read);
    if (r == NULL)
        return -ENOMEM;
    r->data = NULL;
    r->len = r->cap = 0;
    r->max = max == 0 ? (size_t)1 << 30 : max;
    if (r->max > (size_t)INT64_MAX)
        r->max = (size_t)INT64_MAX;
    memcpy(r->path, path, len);
    if ((rc = mfi_job_call(&r->job, deadline)) < 0)
        return rc;
    rc = (int)r->job.result;
    if (rc == 0) {
        *ret_data = r->data;
        *ret_len = r->len;
    } else {
        free_read(&r->job);
    }
    mfi_job_free(&r->job);
    return rc;
}

/* ---- replace ------------------------------------------------------------ */

enum { TRIES = 100, SUFFIX = 40, BASE_MAX = 200 };

struct write_job {
    struct job job;
    const char *data;
    size_t len;
    mode_t mode;
    size_t path_len; /* with its NUL; a place for the other name is behind */
    char text[];     /* the path, the other name, the data */
};

/* ".NAME.NUMBER", in the same directory. */
static void other_name(const struct write_job *w, char *to, uint32_t number)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    const char *slash = strrchr(w->text, '/');
    size_t dir = slash != NULL ? (size_t)(slash - w->text) + 1 : 0;
    size_t base = w->path_len - 1 - dir;

    if (base > BASE_MAX)
        base = BASE_MAX;
    memcpy(to, w->text, dir);
    to += dir;
    *to++ = '.';
    memcpy(to, w->text + dir, base);
    to += base;
    *to++ = '.';
    for (int i = 0; i < 7; i++, number >>= 5)
        *to++ = digits[number & 31];
    *to = '\0';
}

static long open_other(const struct write_job *w, char *name, mode_t mode)
{
    uint32_t number = 0;
    long fd = -EEXIST;

    for (int i = 0; i < TRIES && (fd == -EEXIST || fd == -EINTR); i++) {
        mfi_sys3(SYS_getrandom, &number, sizeof number, 1 /* do not wait */);
        number += (uint32_t)(mf_now() + i);
        other_name(w, name, number);
        fd = mfi_sys4(SYS_openat, AT_FDCWD, name,
                      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    }
    return fd;
}

static long write_all(struct write_job *w, int fd)
{
    size_t done = 0;

    while (done < w->len) {
        size_t left = w->len - done;
        long n;

        if (mfi_job_left(&w->job))
            return -ECANCELED;
        n = mfi_os_write(fd, w->data + done, left < PIECE ? left : PIECE);
        if (n < 0 && n != -EINTR)
            return n;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static long fill(struct write_job *w, int fd, bool keep_mode, mode_t mode)
{
    long rc = write_all(w, fd);

    if (rc == 0 && keep_mode)
        rc = mfi_sys2(SYS_fchmod, fd, mode);
    while (rc == 0 && (rc = mfi_sys1(SYS_fsync, fd)) == -EINTR)
        rc = 0;
    return rc;
}

static long run_write(struct job *job)
{
    struct write_job *w = mfi_container_of(job, struct write_job, job);
    char *other = w->text + w->path_len;
    mode_t mode = w->mode;
    struct stat st;
    bool old;
    long fd, rc;

    old = mfi_sys4(SYS_newfstatat, AT_FDCWD, w->text, &st, 0) == 0;
    if (old)
        mode = st.st_mode & 07777;
    fd = open_other(w, other, mode & 0777);
    if (fd < 0)
        return fd;
    rc = fill(w, (int)fd, old, mode);
    mfi_os_close((int)fd);
    if (rc == 0 && mfi_job_left(job))
        rc = -ECANCELED;
    if (rc == 0)
        rc = mfi_sys5(SYS_renameat2, AT_FDCWD, other, AT_FDCWD, w->text, 0);
    if (rc < 0)
        mfi_sys3(SYS_unlinkat, AT_FDCWD, other, 0);
    return rc;
}

int mf_file_write(const char *path, const void *data, size_t len, mode_t mode,
                  mf_deadline deadline)
{
    struct write_job *w;
    size_t names;
    int rc;

    if (path == NULL || (data == NULL && len > 0))
        return -EINVAL;
    names = 2 * (strlen(path) + 1) + SUFFIX;
    if (len > SIZE_MAX - sizeof *w - names)
        return -ENOMEM;
    w = mfi_job_new(sizeof *w + names + len, run_write, NULL);
    if (w == NULL)
        return -ENOMEM;
    w->len = len;
    w->mode = mode;
    w->path_len = strlen(path) + 1;
    w->data = w->text + names;
    memcpy(w->text, path, w->path_len);
    if (len > 0)
        memcpy(w->text + names, data, len);
    if ((rc = mfi_job_call(&w->job, deadline)) < 0)
        return rc;
    rc = (int)w->job.result;
    mfi_job_free(&w->job);
    return rc;
}
