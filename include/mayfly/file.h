/* SPDX-License-Identifier: MIT */
/*
 * file.h - regular files and directories, without blocking a worker.
 *
 * The kernel has no readiness for files. What can be read or written without
 * waiting is, on the spot; reads of what is not cached run on io_uring where
 * there is one, all else on the offload pool. mf_read and mf_write work on
 * files too, at the file's own position and at most a MiB a call; the calls
 * here name the position.
 *
 * A deadline or a cancel ends the wait, not the kernel's work: buffers are the
 * caller's again at once (the library works on a copy where it has to), but a
 * write that was under way may still happen. With -ETIMEDOUT or -ECANCELED of
 * an open nothing is left open, and a read has not moved the file's position.
 * MF_NOW: what needs the pool is -ETIMEDOUT.
 *
 * Errors beside those named: -EINVAL, -EBADF, -ENOMEM, -EAGAIN (no thread of
 * the pool could be made), -ETIMEDOUT, -ECANCELED, and what the kernel says.
 * Context: any. Suspends: yes. Cancel point: yes.
 */
#ifndef MF_FILE_H
#define MF_FILE_H

#include <sys/stat.h>

#include <mayfly/fd.h>

MF_DECLS_BEGIN_

/*
 * open(2), with O_CLOEXEC. mode counts with O_CREAT. A FIFO is opened
 * non-blocking. Returns the fd, given (mf_close).
 */
int mf_open(const char *path, int flags, mode_t mode,
            mf_deadline deadline) MF_MUST_CHECK;

/*
 * Open path, which a stranger may have chosen, for reading, and never outside
 * of the directory dir (an fd, borrowed): what would leave it, at whatever time
 * links and directories are moved, is -EXDEV (openat2's RESOLVE_BENEATH; before
 * Linux 5.6 no links are followed at all: -ELOOP, -ENOTDIR). flags: O_RDONLY,
 * O_DIRECTORY, O_NOFOLLOW. Cached names are opened on the spot. ret_st may be
 * NULL: what it is. Returns the fd, given.
 */
int mf_open_beneath(int dir, const char *path, int flags, struct stat *ret_st,
                    mf_deadline deadline) MF_MUST_CHECK;

/*
 * pread(2), pwrite(2) and vectored: the count, at most 0x7ffff000. Less than
 * asked for only at the end of the file (0: nothing was left), on a full
 * device, or when the deadline or a cancel came in between.
 */
int mf_pread(int fd, void *buf, size_t len, int64_t offset,
             mf_deadline deadline) MF_MUST_CHECK;
int mf_pwrite(int fd, const void *buf, size_t len, int64_t offset,
              mf_deadline deadline) MF_MUST_CHECK;
int mf_preadv(int fd, const struct iovec *iov, int n, int64_t offset,
              mf_deadline deadline) MF_MUST_CHECK;
int mf_pwritev(int fd, const struct iovec *iov, int n, int64_t offset,
               mf_deadline deadline) MF_MUST_CHECK;

/* fsync(2); data_only: fdatasync(2). 0. */
int mf_fsync(int fd, int data_only, mf_deadline deadline) MF_MUST_CHECK;
int mf_truncate(int fd, int64_t len, mf_deadline deadline) MF_MUST_CHECK;

/* stat(2), lstat(2), fstat(2). 0. */
int mf_stat(const char *path, struct stat *ret_st,
            mf_deadline deadline) MF_MUST_CHECK;
int mf_lstat(const char *path, struct stat *ret_st,
             mf_deadline deadline) MF_MUST_CHECK;
int mf_fstat(int fd, struct stat *ret_st, mf_deadline deadline) MF_MUST_CHECK;

/* rename(2), unlink(2), mkdir(2), rmdir(2). 0. */
int mf_rename(const char *from, const char *to,
              mf_deadline deadline) MF_MUST_CHECK;
int mf_unlink(const char *path, mf_deadline deadline) MF_MUST_CHECK;
int mf_mkdir(const char *path, mode_t mode, mf_deadline deadline) MF_MUST_CHECK;
int mf_rmdir(const char *path, mf_deadline deadline) MF_MUST_CHECK;

/* ---- directories --------------------------------------------------------- */

typedef struct mf_dir mf_dir;
typedef struct mf_dirent {
    const char *name; /* borrowed until the next call on this directory */
    uint64_t ino;
    int type; /* DT_REG, DT_DIR, ... of dirent.h; DT_UNKNOWN: use mf_lstat */
} mf_dirent;

/* 0; -ENOTDIR, -ENOENT, ... */
int mf_dir_open(const char *path, mf_dir **ret_dir,
                mf_deadline deadline) MF_MUST_CHECK;
/* 1 an entry ("." and ".." are left out), 0 the end. One task at a time. */
int mf_dir_next(mf_dir *d, mf_dirent *ret_entry,
                mf_deadline deadline) MF_MUST_CHECK;
/* Free it. NULL is fine. Neither suspends nor is a cancel point. */
int mf_dir_close(mf_dir *d);

/* ---- whole files --------------------------------------------------------- */

/*
 * The whole file, with a NUL after it that does not count. *ret_data is given
 * (free(3)). Works on files that do not know their size (/proc). Returns 0;
 * -EFBIG longer than max bytes (0: 1 GiB).
 */
int mf_file_read(const char *path, size_t max, void **ret_data, size_t *ret_len,
                 mf_deadline deadline) MF_MUST_CHECK;

/*
 * Replace the file in one step: written beside it, synced, renamed over it, so
 * a reader finds the old or the new, never a part. On failure the old one stays
 * and nothing is left beside it. mode: of a new file; an old one's is kept. A
 * symbolic link is replaced, not what it points to. 0.
 */
int mf_file_write(const char *path, const void *data, size_t len, mode_t mode,
                  mf_deadline deadline) MF_MUST_CHECK;

/* ---- from one fd to another ---------------------------------------------- */

/*
 * Move up to len bytes from one fd to another inside the kernel where it can
 * (copy_file_range, sendfile, splice), else through a buffer. Any kinds of fds.
 * *in_offset: where to read a file, advanced; NULL: at its own position.
 * Returns 0 at the end of the input or when len bytes went out. *ret_sent, that
 * may be NULL, is how many went out, on error too (an exception to R6): what
 * was taken from a socket or pipe and could not be written is lost.
 */
int mf_sendfile(int out, int in, int64_t *in_offset, uint64_t len,
                uint64_t *ret_sent, mf_deadline deadline) MF_MUST_CHECK;

MF_DECLS_END_
#endif
