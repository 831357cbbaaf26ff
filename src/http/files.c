/* SPDX-License-Identifier: MIT */
/*
 * files.c - static files: the directory they are under, and sending them.
 *
 * The body goes from the file to the socket without passing through us, where
 * the stream can (sendfile). The length was said before: a file that is cut
 * meanwhile ends the connection, as the server counts what it sends.
 *
 * A directory without its slash is sent there, with a path that cannot be taken
 * for a host: "//host" and "/\\host" are other sites to a browser.
 */
#include "http/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mayfly/file.h>

#include "base/atomic.h"

/* Puts a copy at *at, which moves behind it; NULL stays NULL. */
static const char *keep(char **at, const char *text)
{
    size_t size = text != NULL ? strlen(text) + 1 : 0;
    char *copy = *at;

    if (text == NULL)
        return NULL;
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text >= 0x7f)
            return false;
    return true;
}

int mf_http_files_open(const char *root, const mf_http_files_options *opts,
                       mf_http_files **ret_files)
{
    mf_http_files_options o = {.size = sizeof o};
    struct mf_http_files *f;
    size_t extra;
    char *at;
    int fd;

    if (opts != NULL)
        memcpy(&o, opts, opts->size < sizeof o ? opts->size : sizeof o);
    if (o.index == NULL)
        o.index = "index.html";
    if (root == NULL || strlen(o.index) > NAME_MAX ||
        strchr(o.index, '/') != NULL ||
        (o.cache_control != NULL && !is_printable(o.cache_control)))
        return -EINVAL;
    extra = strlen(o.index) + 2 +
            (o.cache_control != NULL ? strlen(o.cache_control) : 0);
    if ((fd = mf_open(root, O_RDONLY | O_DIRECTORY, 0, MF_NEVER)) < 0)
        return fd;
    /* tidy: allow malloc, because a server has a few */
    if ((f = malloc(sizeof *f + extra)) == NULL) {
        mf_close(fd);
        return -ENOMEM;
    }
    at = f->text;
    f->root = fd;
    f->precompressed = o.precompressed != 0;
    f->hidden = o.hidden != 0;
    f->index = o.index[0] != '\0' ? keep(&at, o.index) : NULL;
    f->cache_control = keep(&at, o.cache_control);
    *ret_files = f;
    return 0;
}

void mf_http_files_close(mf_http_files *files)
{
    if (files == NULL)
        return;
    mf_close(files->root);
    free(files); /* tidy: allow malloc, because a server has a few */
}

/* ---- sending ------------------------------------------------------------ */

struct answer {
    const struct mf_http_files *files;
    const mf_http_head *head;
    const struct file_out *out;
    void *self;
    mf_deadline deadline;
};

static int set(const struct answer *a, const char *name, const char *value)
{
    return a->out->set(a->self, name, value);
}

/* A status with a line of text. */
static int short_answer(const struct answer *a, int status, const char *text)
{
    size_t len = strlen(text);
    int rc = a->out->begin(a->self, status, "text/plain; charset=utf-8",
                           (int64_t)len, a->deadline);

    if (rc >= 0 && len > 0 && !mf_text_is(a->head->method, "HEAD"))
        rc = a->out->write(a->self, text, len, a->deadline);
    return rc < 0 ? rc : a->out->end(a->self, a->deadline);
}

static int not_found(const struct answer *a, int status)
{
    return short_answer(a, status,
                        status == 404   ? "Not found.\n"
                        : status == 403 ? "Not allowed.\n"
                        : status == 503 ? "Too busy.\n"
                                        : "It cannot be read.\n");
}

/* To the same path with a slash behind it. */
static int redirect(const struct answer *a)
{
    mf_text path = a->head->path, query = a->head->query;
    char location[1200];
    int rc;

    while (path.len > 1 && path.at[1] == '/')
        path = (mf_text){path.at + 1, path.len - 1};
    if (path.len == 0 || path.len + query.len + 3 > sizeof location ||
        memchr(path.at, '\\', path.len) != NULL)
        return not_found(a, 404);
    snprintf(location, sizeof location, "%.*s/%s%.*s", (int)path.len, path.at,
             query.len > 0 ? "?" : "", (int)query.len,
             query.len > 0 ? query.at : "");
    if ((rc = set(a, "Location", location)) < 0)
        return rc;
    return short_answer(a, 308, "It is a directory.\n");
}

static int set_fields(const struct answer *a, const struct file_found *found,
                      const struct file_plan *p)
{
    char range[80];
    int rc = set(a, "ETag", p->etag);

    if (rc >= 0 && p->modified[0] != '\0')
        rc = set(a, "Last-Modified", p->modified);
    if (rc >= 0 && a->files->cache_control != NULL)
        rc = set(a, "Cache-Control", a->files->cache_control);
    if (rc >= 0 && a->files->precompressed)
        rc = set(a, "Vary", "Accept-Encoding");
    if (rc < 0 || p->status == 304 || p->status == 412)
        return rc;
    rc = set(a, "Accept-Ranges", "bytes");
    if (rc >= 0)
        rc = set(a, "X-Content-Type-Options", "nosniff");
    if (rc >= 0 && found->gzipped && p->status != 416)
        rc = set(a, "Content-Encoding", "gzip");
    if (rc < 0 || (p->status != 416 && p->n_ranges != 1))
        return rc;
    if (p->status == 416) {
        snprintf(range, sizeof range, "bytes */%llu",
                 (unsigned long long)p->size);
    } else {
        snprintf(range, sizeof range, "bytes %llu-%llu/%llu",
                 (unsigned long long)p->ranges[0].from,
                 (unsigned long long)(p->ranges[0].from + p->ranges[0].len - 1),
                 (unsigned long long)p->size);
    }
    return set(a, "Content-Range", range);
}

static int send_parts(const struct answer *a, const struct file_found *found,
                      const struct file_plan *p)
{
    char part[FILE_PART];
    int i, len, rc;

    for (i = 0; i <= p->n_ranges; i++) {
        len = mfi_file_part(p, i, found->type, part);
        rc = a->out->write(a->self, part, (size_t)len, a->deadline);
        if (rc >= 0 && i < p->n_ranges)
            rc = a->out->send_file(a->self, found->fd,
                                   (int64_t)p->ranges[i].from, p->ranges[i].len,
                                   a->deadline);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int send_found(const struct answer *a, const struct file_found *found,
                      const struct file_plan *p)
{
    const mf_http_range all = {0, p->size};
    const mf_http_range *r = p->n_ranges == 1 ? p->ranges : &all;
    char type[64];
    int rc = set_fields(a, found, p);

    if (rc < 0)
        return rc;
    snprintf(type, sizeof type, "multipart/byteranges; boundary=%s",
             p->boundary);
    rc = a->out->begin(a->self, p->status,
                       p->status >= 300  ? NULL
                       : p->n_ranges > 1 ? type
                                         : found->type,
                       (int64_t)p->length, a->deadline);
    if (rc >= 0 && p->length > 0 && !mf_text_is(a->head->method, "HEAD")) {
        if (p->n_ranges > 1)
            rc = send_parts(a, found, p);
        else
            rc = a->out->send_file(a->self, found->fd, (int64_t)r->from, r->len,
                                   a->deadline);
    }
    return rc < 0 ? rc : a->out->end(a->self, a->deadline);
}

static bool accepts_gzip(const mf_http_head *head)
{
    return mf_http_quality(mf_http_find(head, "Accept-Encoding"), "gzip") > 0;
}

/* Not to be guessed by who wrote a file: where the stack is, and the time. */
static uint64_t unique(const struct answer *a)
{
    static _Atomic uint64_t turn;

    return (uint64_t)mf_now() ^ (uint64_t)(uintptr_t)a << 20 ^
           mfi_add_rlx(&turn, UINT64_C(0x9e3779b97f4a7c15));
}

int mfi_file_answer(const struct mf_http_files *f, const mf_http_head *head,
                    const char *path, const struct file_out *out, void *self,
                    mf_deadline deadline)
{
    const struct answer a = {f, head, out, self, deadline};
    struct file_found found;
    struct file_plan plan;
    int rc;

    if (!mf_text_is(head->method, "GET") && !mf_text_is(head->method, "HEAD")) {
        if ((rc = set(&a, "Allow", "GET, HEAD")) < 0)
            return rc;
        return short_answer(&a, 405, "Only to be read.\n");
    }
    rc = mfi_file_find(f, path, f->precompressed && accepts_gzip(head), &found,
                       deadline);
    if (rc == -ECANCELED)
        return rc;
    if (rc == FILE_IS_DIRECTORY)
        return redirect(&a);
    if (rc < 0)
        return not_found(&a, mfi_file_status(rc));
    mfi_file_plan(head, &found, (int64_t)time(NULL), unique(&a), &plan);
    rc = send_found(&a, &found, &plan);
    mf_close(found.fd);
    return rc;
}
