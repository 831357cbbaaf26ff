/* SPDX-License-Identifier: MIT */
/*
 * files.h - static files in three steps: which file a path means (filefind.c),
 * what to answer with it (fileplan.c), and sending that (files.c). The first
 * two know no server.
 */
#ifndef MFI_HTTP_FILES_H
#define MFI_HTTP_FILES_H

#include <mayfly/file.h>
#include <mayfly/http_files.h>

#include <limits.h>
#include <stdbool.h>

struct mf_http_files {
    int root; /* an fd */
    bool precompressed, hidden;
    const char *index; /* in text; NULL: none */
    const char *cache_control;
    char text[];
};

/* ---- which file --------------------------------------------------------- */

struct file_found {
    int fd; /* given */
    bool gzipped;
    struct stat st;
    const char *type; /* of what is in it once expanded; static */
};

enum { FILE_FOUND = 0, FILE_IS_DIRECTORY = 1 };

/*
 * path: relative to the root, decoded. FILE_FOUND; FILE_IS_DIRECTORY: the path
 * with a slash at its end has an index (nothing is open); < 0 as
 * mf_open_beneath, -ENOENT for what is not to be seen or no regular file.
 */
int mfi_file_find(const struct mf_http_files *f, const char *path,
                  bool accepts_gzip, struct file_found *ret,
                  mf_deadline deadline);

/* The answer's status for a path that was not found for this reason. */
int mfi_file_status(int rc);

/* ---- what to answer ----------------------------------------------------- */

enum {
    FILE_RANGES = 16,
    FILE_ETAG = 64,
    FILE_BOUNDARY = 17,
    FILE_PART = 256 /* the longest head of a part */
};

struct file_plan {
    int status;            /* 200, 206, 304, 412, 416 */
    int n_ranges;          /* 206: one, or several as multipart/byteranges */
    uint64_t size, length; /* of the file; of the body */
    char etag[FILE_ETAG];
    char modified[MF_HTTP_DATE]; /* "": it is beyond all dates */
    char boundary[FILE_BOUNDARY];
    mf_http_range ranges[FILE_RANGES];
};

/* now: seconds since 1970; unique: no two plans at a time have the same. */
void mfi_file_plan(const mf_http_head *head, const struct file_found *found,
                   int64_t now, uint64_t unique, struct file_plan *ret);

/* The head of part i, or, for i = n_ranges, the end. Its length. */
int mfi_file_part(const struct file_plan *p, int i, const char *type,
                  char buf[FILE_PART]);

/* ---- sending it --------------------------------------------------------- */

/*
 * Where an answer goes: a server's request, or a test. Calls in this order: any
 * number of set; begin; any number of write and send_file, length bytes in all;
 * end. Each returns 0 or < 0, after which nothing else is called. The one who
 * answers HEAD leaves out the body: for it begin is followed by end.
 */
struct file_out {
    int (*set)(void *self, const char *name, const char *value);
    int (*begin)(void *self, int status, const char *type, int64_t length,
                 mf_deadline deadline);
    int (*write)(void *self, const void *data, size_t len,
                 mf_deadline deadline);
    int (*send_file)(void *self, int fd, int64_t from, uint64_t len,
                     mf_deadline deadline);
    int (*end)(void *self, mf_deadline deadline);
};

/*
 * The answer to a request for path (decoded, relative to the root). 0: it was
 * answered, with whatever status; < 0 what out said.
 */
int mfi_file_answer(const struct mf_http_files *f, const mf_http_head *head,
                    const char *path, const struct file_out *out, void *self,
                    mf_deadline deadline);

#endif
