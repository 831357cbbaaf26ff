/* SPDX-License-Identifier: MIT */
/*
 * filefind.c - which file a path means.
 *
 * mf_open_beneath keeps us inside of the root whatever the path says. What is
 * looked at here is what else a stranger has no business with: names that begin
 * with a dot (.git, .htpasswd; but not .well-known, RFC 8615), and what is no
 * regular file: opening is without waiting, so a FIFO stops nobody.
 *
 * "." and ".." are refused too, although they may stay inside: clients resolve
 * them, so they only come from who tries something.
 *
 * A file's name.gz stands for it if the client takes gzip, and if it is no
 * older than the file: a forgotten one would else be served for ever.
 */
#include "http/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <mayfly/file.h>

/* All names of the path may be seen. */
static bool may_see(const struct mf_http_files *f, const char *path)
{
    while (*path != '\0') {
        size_t len;

        path += strspn(path, "/");
        len = strcspn(path, "/");
        if (path[0] == '.') {
            bool steps = len == 1 || (len == 2 && path[1] == '.');
            bool known = len == 11 && memcmp(path, ".well-known", 11) == 0;

            if (steps || !(f->hidden || known))
                return false;
        }
        path += len;
    }
    return true;
}

/* path + more opened: a regular file, or what else it is closed. */
static int open_file(const struct mf_http_files *f, const char *path,
                     const char *more, struct stat *ret_st,
                     mf_deadline deadline)
{
    size_t len = strlen(path), more_len = strlen(more);
    char name[1024];
    int fd;

    if (len + more_len >= sizeof name)
        return -ENAMETOOLONG;
    memcpy(name, path, len);
    memcpy(name + len, more, more_len);
    name[len + more_len] = '\0';
    fd = mf_open_beneath(f->root, len + more_len > 0 ? name : ".", O_RDONLY,
                         ret_st, deadline);
    if (fd >= 0 && !S_ISREG(ret_st->st_mode)) {
        mf_close(fd);
        return S_ISDIR(ret_st->st_mode) ? -EISDIR : -ENOENT;
    }
    return fd;
}

static bool is_newer(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec != b->st_mtim.tv_sec
               ? a->st_mtim.tv_sec > b->st_mtim.tv_sec
               : a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

/* name.gz in its place, if there is one that is as new. */
static void prefer_gzip(const struct mf_http_files *f, const char *path,
                        const char *more, struct file_found *found,
                        mf_deadline deadline)
{
    size_t len = strlen(more);
    char end[NAME_MAX + 4];
    struct stat st;
    int fd;

    if (len > NAME_MAX)
        return;
    memcpy(end, more, len);
    memcpy(end + len, ".gz", 4);
    if ((fd = open_file(f, path, end, &st, deadline)) < 0)
        return;
    if (is_newer(&found->st, &st)) {
        mf_close(fd);
        return;
    }
    mf_close(found->fd);
    found->fd = fd;
    found->st = st;
    found->gzipped = true;
}

int mfi_file_find(const struct mf_http_files *f, const char *path,
                  bool accepts_gzip, struct file_found *ret,
                  mf_deadline deadline)
{
    struct file_found found = {.fd = -1};
    const char *more = "";
    size_t len;

    path += strspn(path, "/");
    len = strlen(path);
    if (!may_see(f, path))
        return -ENOENT;
    if (len == 0 || path[len - 1] == '/') {
        if ((more = f->index) == NULL)
            return -ENOENT;
    }
    found.fd = open_file(f, path, more, &found.st, deadline);
    if (found.fd == -EISDIR && more[0] == '\0' && f->index != NULL)
        return FILE_IS_DIRECTORY;
    if (found.fd < 0)
        return found.fd == -EISDIR ? -ENOENT : found.fd;
    found.type = mf_http_mime(more[0] != '\0' ? more : path);
    if (accepts_gzip && f->precompressed)
        prefer_gzip(f, path, more, &found, deadline);
    *ret = found;
    return FILE_FOUND;
}

int mfi_file_status(int rc)
{
    switch (rc) {
    case -ENOENT:
    case -ENOTDIR:
    case -EXDEV:
    case -ELOOP:
    case -EISDIR:
    case -ENAMETOOLONG:
    case -EINVAL:
    case -ENXIO: /* a socket */
        return 404;
    case -EACCES:
    case -EPERM:
        return 403;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -EAGAIN:
    case -ETIMEDOUT:
        return 503;
    default:
        return 500;
    }
}
