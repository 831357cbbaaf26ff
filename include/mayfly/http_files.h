/* SPDX-License-Identifier: MIT */
/*
 * http_files.h - what an HTTP server offers beside its handlers: static
 * files, an access log, compression.
 */
#ifndef MF_HTTP_FILES_H
#define MF_HTTP_FILES_H

#include <mayfly/http.h>
#include <mayfly/http_text.h>
#include <mayfly/scope.h>

MF_DECLS_BEGIN_

/* ---- static files -------------------------------------------------------- */

typedef struct mf_http_files mf_http_files;

typedef struct mf_http_files_options {
    MF_SIZE_(mf_http_files_options);
    const char *index MF_0_;         /* of a directory; NULL: "index.html";
                                        "": directories are not found */
    const char *cache_control MF_0_; /* "max-age=3600"; NULL: no such field */
    int precompressed MF_0_; /* name.gz for name, to who accepts gzip, if it is
                                no older */
    int hidden MF_0_; /* names that begin with a dot, too; but for .well-known
                         they are not found */
} mf_http_files_options;
#define MF_HTTP_FILES_OPTIONS(...)                                             \
    MF_OPTIONS_(mf_http_files_options, __VA_ARGS__)

/*
 * The files under the directory root. Returns 0, -EINVAL, -ENOMEM, or as
 * mf_open. Context: any. Suspends: yes. Cancel point: yes.
 */
int mf_http_files_open(const char *root, const mf_http_files_options *opts,
                       mf_http_files **ret_files);

/* Nobody may use it any more. NULL is fine. Suspends: no. */
void mf_http_files_close(mf_http_files *files);

/*
 * A handler, with the files as its arg: answers GET and HEAD for what the route
 * calls *path, or else for the whole path. Conditions, ranges (up to 16, as
 * multipart/byteranges), sendfile; 304, 308 (a directory without its slash),
 * 403, 404, 405, 412, 416. Returns 0 or as mf_http_end.
 */
int mf_http_serve_files(mf_http_req *req, void *files);

/* ---- access log ---------------------------------------------------------- */

typedef struct mf_http_log mf_http_log;

typedef struct mf_http_log_options {
    MF_SIZE_(mf_http_log_options);
    size_t buffer MF_0_;     /* bytes; 0: 256 KiB; 64 KiB or more */
    mf_ns flush_every MF_0_; /* the longest a line waits; 0: 1 s */
} mf_http_log_options;
#define MF_HTTP_LOG_OPTIONS(...) MF_OPTIONS_(mf_http_log_options, __VA_ARGS__)

/*
 * A log whose lines a task in scope s writes to fd. Close it before s. fd is
 * borrowed until then; a file has O_APPEND (dup2 over it to rotate).
 * Returns 0, -EINVAL, -ENOMEM, or as mf_spawn. Context: any. Suspends: no.
 */
int mf_http_log_open(mf_scope *s, int fd, const mf_http_log_options *opts,
                     mf_http_log **ret_log);

/* Texts without an address are "-" in the log. */
typedef struct mf_http_log_entry {
    mf_text peer, user;
    mf_text method, target; /* of the request; no method: "-" */
    int minor;              /* HTTP/1.minor */
    int status;
    uint64_t bytes; /* of the body that went out */
    mf_text referer, agent;
} mf_http_log_entry;

/*
 * Add a line in the combined format, in UTC; control bytes, quotes, backslashes
 * and what is not ASCII are written as \xHH; texts are cut at 1 KiB each. Waits
 * for nothing and allocates nothing. 0; -ENOBUFS the buffer is full, as the
 * writer is too slow: the line is lost, and counted.
 * Context: any. Suspends: no. Cancel point: no.
 */
int mf_http_log_add(mf_http_log *log, const mf_http_log_entry *e);

/* For mf_http_options.log, with the log as log_arg: a line for each request. */
void mf_http_log_request(mf_http_req *req, void *log);

/* How many lines were lost, to a full buffer or a failing write. */
uint64_t mf_http_log_lost(mf_http_log *log);

/*
 * Write what is there until the deadline, and free. No one may add any more.
 * NULL is fine. 0, or why lines were lost last. Suspends: maybe. Cancel point:
 * no.
 */
int mf_http_log_close(mf_http_log *log, mf_deadline deadline);

/* ---- compression (where zlib was there when the library was built) ------- */

typedef struct mf_gzip mf_gzip;
/* Takes what came out. < 0 ends the call that made it, with that result. */
typedef int mf_gzip_sink(const void *data, size_t len, void *arg);

enum mf_gzip_flush {
    MF_GZIP_MORE,  /* keep what helps to compress what follows */
    MF_GZIP_FLUSH, /* the reader can have all so far */
    MF_GZIP_END    /* and that was all; no push after it */
};

/*
 * A compressor to the gzip format; level 1 (fast) to 9 (small), 0: 4. One task
 * at a time. It is 260 KiB; a few are kept for the next. Returns 0, -EINVAL,
 * -ENOMEM. Context: any. Suspends: no.
 */
int mf_gzip_open(int level, mf_gzip **ret_gzip);

/* Compress, giving what comes out to sink; lets others run after each 32 KiB.
 * Returns 0, -EINVAL (after the end), what sink says; after < 0 only the close
 * makes sense. Suspends: maybe. Cancel point: no. */
int mf_gzip_push(mf_gzip *z, const void *data, size_t len,
                 enum mf_gzip_flush flush, mf_gzip_sink *sink, void *arg);

void mf_gzip_close(mf_gzip *z); /* NULL is fine */

/* All at once. *ret is given (free(3)). 0, -EINVAL, -ENOMEM. Suspends: maybe */
int mf_gzip_all(const void *data, size_t len, int level, void **ret,
                size_t *ret_len);

/* As mf_http_reply, compressed if the client takes it and the type gets shorter
 * by it (mf_http_mime_shrinks); with Vary. */
int mf_http_reply_gzip(mf_http_req *req, int status, const char *type,
                       const void *body, size_t len, mf_deadline deadline);

/*
 * Undo it, of several members too. *ret as above. 0; -EPROTO it is no gzip, or
 * cut, or a sum is wrong; -EFBIG more than max bytes: a bomb; -ENOMEM.
 */
int mf_gunzip_all(const void *data, size_t len, size_t max, void **ret,
                  size_t *ret_len);

MF_DECLS_END_
#endif
