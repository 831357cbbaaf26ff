/* SPDX-License-Identifier: MIT */
/*
 * fd.h - read, write, wait and close on file descriptors.
 *
 * Any fd will do: one this library made, or one made elsewhere, adopted by its
 * first call. Any number of tasks and threads may wait on one fd. An adopted
 * fd is given back with mf_release or closed with mf_close; closing it with
 * close(2) while the library knows it is misuse.
 *
 * Errors that every call here may return beside its own: -EBADF (not open, or
 * closed while waiting), -EINVAL, -ENOMEM, -EMFILE, -ETIMEDOUT (its deadline,
 * or the fd's own timeout), -ECANCELED, and what the kernel says of the fd.
 * A broken pipe is -EPIPE, never a signal; a reset -ECONNRESET.
 * Context: any. Suspends: maybe. Cancel point: yes; but for mf_close,
 * mf_adopt, mf_release and mf_fd_timeouts, which neither suspend nor are one.
 */
#ifndef MF_FD_H
#define MF_FD_H

#include <sys/uio.h>

#include <mayfly/base.h>

MF_DECLS_BEGIN_

/*
 * Read or write up to len bytes, waiting until at least one can be moved.
 * Returns the count, 0 at the end (read) or for len 0. One call moves at most
 * 0x7ffff000 bytes (the kernel's limit): an int holds it. buf is borrowed and
 * never touched after the return.
 */
int mf_read(int fd, void *buf, size_t len, mf_deadline deadline) MF_MUST_CHECK;
int mf_write(int fd, const void *buf, size_t len,
             mf_deadline deadline) MF_MUST_CHECK;
int mf_readv(int fd, const struct iovec *iov, int n,
             mf_deadline deadline) MF_MUST_CHECK;
int mf_writev(int fd, const struct iovec *iov, int n,
              mf_deadline deadline) MF_MUST_CHECK;

/* 1 all of it; 0 end before the first byte; -EPIPE end in between. */
int mf_read_full(int fd, void *buf, size_t len,
                 mf_deadline deadline) MF_MUST_CHECK;

/* 0 all of it; < 0 an unknown part went out: give up, or use mf_writev_all. */
int mf_write_all(int fd, const void *buf, size_t len,
                 mf_deadline deadline) MF_MUST_CHECK;

/* 0; iov is advanced past what went out, on error too: retry the rest. */
int mf_writev_all(int fd, struct iovec *iov, int n,
                  mf_deadline deadline) MF_MUST_CHECK;

/*
 * Wait until fd is ready for poll_events (POLLIN, POLLOUT, POLLPRI). Returns
 * the events that are there (> 0), POLLERR and POLLHUP among them unasked. Of
 * the fd's own timeouts that for reading counts if POLLIN alone is asked for.
 */
int mf_wait_fd(int fd, short poll_events, mf_deadline deadline) MF_MUST_CHECK;

/*
 * Close. Whoever waits on fd gets -EBADF; the number is free for reuse once
 * the last call on it is out. Returns 0, -EBADF, or what close(2) said (the fd
 * is gone all the same).
 */
int mf_close(int fd);

/* Make fd known now; also done by the first call on it. Returns 0, -EBADF. */
int mf_adopt(int fd);

/*
 * Forget it and give its flags back, once the calls in progress on it have
 * ended; fd stays open. Whoever waits on it gets -EBADF. Returns 0, -EBADF.
 */
int mf_release(int fd);

/*
 * Default spans for calls on fd, in ns; 0: none. The nearer of this and the
 * call's own deadline counts; in the _all and _full loops the span begins anew
 * with each move. Returns 0, -EBADF, -EINVAL (negative).
 */
int mf_fd_timeouts(int fd, mf_ns read, mf_ns write);

MF_DECLS_END_
#endif
