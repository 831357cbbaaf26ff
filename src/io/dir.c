/* SPDX-License-Identifier: MIT */
/*
 * dir.c - listing a directory, some hundred entries at a time.
 *
 * A chunk of entries is the memory of the job (job.h) that read it. A reader
 * that leaves early leaves a job behind that may still read; so each job names
 * the position it reads at, under the core's lock, and nothing is lost: the
 * next one names the same. The core is freed by the last of its users.
 */
#include <mayfly/file.h>
#include <mayfly/sync.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "io/job.h"
#include "os/io.h"

enum { CHUNK = 32768 };

struct core {
    _Atomic uint32_t refs;
    mf_mutex lock; /* fd's position and at; threads of the pool only */
    int fd;        /* never known to the table: nobody waits on it */
    int64_t at;
};

struct chunk {
    struct job job;
    struct core *core;
    int64_t from; /* the position of its first entry */
    size_t len;
    _Alignas(8) char data[CHUNK];
};

struct mf_dir {
    struct core *core;
    struct chunk *chunk; /* or NULL */
    size_t next;         /* in chunk->data */
    int64_t at;          /* the position behind the entry given last */
    bool ended;
};

struct entry { /* getdents64(2) */
    uint64_t ino;
    int64_t next;
    uint16_t len;
    uint8_t type;
    char name[];
};

static void core_put(struct core *c)
{
    if (mfi_sub_acqrel(&c->refs, 1u) != 1)
        return;
    mfi_os_close(c->fd);
    free(c); /* tidy: allow malloc, because directories are few */
}

/* ---- open and close ----------------------------------------------------- */

struct open_job {
    struct job job;
    char path[];
};

static long run_open(struct job *job)
{
    struct open_job *o = mfi_container_of(job, struct open_job, job);
    long fd;

    do
        fd = mfi_os_open(o->path, O_RDONLY | O_DIRECTORY);
    while (fd == -EINTR);
    return fd;
}

static void close_opened(struct job *job)
{
    if (job->result >= 0)
        mfi_os_close((int)job->result);
}

static int make_dir(int fd, mf_dir **ret_dir)
{
    /* tidy: allow malloc, because directories are few */
    mf_dir *d = calloc(1, sizeof *d);
    /* tidy: allow malloc, because directories are few */
    struct core *c = calloc(1, sizeof *c);

    if (d == NULL || c == NULL) {
        free(d); /* tidy: allow malloc, because directories are few */
        free(c); /* tidy: allow malloc, because directories are few */
        return -ENOMEM;
    }
    mfi_store_rlx(&c->refs, 1u);
    c->fd = fd;
    d->core = c;
    *ret_dir = d;
    return 0;
}

int mf_dir_open(const char *path, mf_dir **ret_dir, mf_deadline deadline)
{
    struct open_job *o;
    size_t len;
    int rc;

    if (path == NULL || ret_dir == NULL)
        return -EINVAL;
    len = strlen(path) + 1;
    o = mfi_job_new(sizeof *o + len, run_open, close_opened);
    if (o == NULL)
        return -ENOMEM;
    memcpy(o->path, path, len);
    if ((rc = mfi_job_call(&o->job, deadline)) < 0)
        return rc;
    rc = (int)o->job.result;
    if (rc >= 0 && (rc = make_dir(rc, ret_dir)) < 0)
        close_opened(&o->job);
    mfi_job_free(&o->job);
    return rc;
}

int mf_dir_close(mf_dir *d)
{
    if (d == NULL)
        return 0;
    if (d->chunk != NULL)
        mfi_job_free(&d->chunk->job);
    core_put(d->core);
    free(d); /* tidy: allow malloc, because directories are few */
    return 0;
}

/* ---- next --------------------------------------------------------------- */

static long read_at(struct core *c, struct chunk *k)
{
    long n;

    if (c->at != k->from) {
        n = mfi_sys3(SYS_lseek, c->fd, k->from, SEEK_SET);
        if (n < 0)
            return n;
        c->at = k->from;
    }
    n = mfi_sys3(SYS_getdents64, c->fd, k->data, CHUNK);
    if (n <= 0)
        return n;
    for (long at = 0; at < n;) {
        struct entry *e = (void *)(k->data + at);

        c->at = e->next;
        at += e->len;
    }
    return n;
}

static long run_chunk(struct job *job)
{
    struct chunk *k = mfi_container_of(job, struct chunk, job);
    long n;

    mf_mutex_hold(&k->core->lock);
    do
        n = read_at(k->core, k);
    while (n == -EINTR);
    mf_mutex_unlock(&k->core->lock);
    return n;
}

static void let_go(struct job *job)
{
    core_put(mfi_container_of(job, struct chunk, job)->core);
}

/* 1: there is one, with entries; 0: the end. */
static int next_chunk(mf_dir *d, mf_deadline deadline)
{
    struct chunk *k = mfi_job_new(sizeof *k, run_chunk, let_go);
    int rc;

    if (k == NULL)
        return -ENOMEM;
    mfi_add_acqrel(&d->core->refs, 1u);
    k->core = d->core;
    k->from = d->at;
    if ((rc = mfi_job_call(&k->job, deadline)) < 0)
        return rc;
    let_go(&k->job);
    rc = (int)k->job.result;
    if (rc <= 0) {
        mfi_job_free(&k->job);
        return rc;
    }
    if (d->chunk != NULL)
        mfi_job_free(&d->chunk->job);
    k->len = (size_t)rc;
    d->chunk = k;
    d->next = 0;
    return 1;
}

static bool is_dots(const char *name)
{
    return name[0] == '.' &&
           (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

int mf_dir_next(mf_dir *d, mf_dirent *ret_entry, mf_deadline deadline)
{
    struct entry *e;
    int rc;

    if (d == NULL || ret_entry == NULL)
        return -EINVAL;
    do {
        if (d->ended)
            return 0;
        if (d->chunk == NULL || d->next == d->chunk->len) {
            if ((rc = next_chunk(d, deadline)) < 0)
                return rc;
            if (rc == 0) {
                d->ended = true;
                return 0;
            }
        }
        e = (void *)(d->chunk->data + d->next);
        d->next += e->len;
        d->at = e->next;
    } while (is_dots(e->name));
    *ret_entry = (mf_dirent){.name = e->name, .ino = e->ino, .type = e->type};
    return 1;
}
