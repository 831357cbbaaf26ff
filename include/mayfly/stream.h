/* SPDX-License-Identifier: MIT */
/*
 * stream.h - a buffered stream of bytes over an fd, memory, TLS or what you
 * make: lines, looking ahead, and standard I/O.
 *
 *   while ((n = mf_stream_line(mf_stdin(), &line, MF_NEVER)) > 0)
 *       mf_printf(STDOUT_FILENO, MF_NEVER, "you said: %s\n", line);
 *
 * Reading and writing are two halves: one task may read while another writes.
 * Several readers (or writers) of one stream take turns, one call at a time.
 * What is read ahead waits in the stream's buffer, made by the first call that
 * needs it; mf_stream_read into a buffer of its own size passes it by.
 *
 * Errors beside those named: as fd.h says.
 * Context: any. Suspends: maybe. Cancel point: yes; but for mf_stream_fd,
 * mf_stdin, mf_stdout and mf_stderr, which neither suspend nor are one.
 */
#ifndef MF_STREAM_H
#define MF_STREAM_H

#include <stdarg.h>

#include <mayfly/fd.h>

MF_DECLS_BEGIN_

typedef struct mf_stream mf_stream;

/*
 * A stream over fd. Takes fd, on failure too: mf_stream_close closes it.
 * Returns 0, -EBADF, -ENOMEM, -EINVAL.
 */
int mf_stream_fd(int fd, mf_stream **ret_stream);

/* As mf_read: what is buffered first, then at most one read of the fd. */
int mf_stream_read(mf_stream *s, void *buf, size_t len,
                   mf_deadline deadline) MF_MUST_CHECK;

/* As mf_write: at least a byte. Nothing is kept back unless asked (flush). */
int mf_stream_write(mf_stream *s, const void *buf, size_t len,
                    mf_deadline deadline) MF_MUST_CHECK;

/* 0 all of it went out (or to what mf_stream_hold holds); or as fd.h says. */
int mf_stream_write_all(mf_stream *s, const void *buf, size_t len,
                        mf_deadline deadline) MF_MUST_CHECK;

/* As mf_writev_all: iov is advanced past what went out, on error too. */
int mf_stream_writev_all(mf_stream *s, struct iovec *iov, int n,
                         mf_deadline deadline) MF_MUST_CHECK;

/*
 * From now on hold back what mf_stream_write... is given, up to size bytes (0:
 * no longer; > 16 MiB: -EINVAL), until it is full or flushed. Memory is got
 * when something is to be held; if there is none it goes out. Returns 0,
 * -EINVAL, -EBUSY (something is held, or somebody writes). Never suspends.
 */
int mf_stream_hold(mf_stream *s, size_t size);

/* 0 all that was held is out; < 0 the rest is still held. */
int mf_stream_flush(mf_stream *s, mf_deadline deadline) MF_MUST_CHECK;

/*
 * Look ahead: wait until min bytes (> 0) are in the buffer, then lend all that
 * is in it. *ret_data is borrowed until the next reading call on s; nothing is
 * consumed. Returns their number (>= min); less than min, 0 too: the input ends
 * there; -EMSGSIZE min over the limit of mf_stream_limit; -ENOMEM. On any error
 * what came so far stays.
 */
int mf_stream_peek(mf_stream *s, char **ret_data, size_t min,
                   mf_deadline deadline) MF_MUST_CHECK;

/* Consume n bytes of what peek lent. 0, -EINVAL (more than is there). Any time
 * after the peek, by who peeked, with nobody else reading; neither suspends nor
 * is a cancel point. */
int mf_stream_skip(mf_stream *s, size_t n);

/*
 * Up to and with delim (any len > 0 bytes). Returns the length, delim included
 * (> 0), *ret_data borrowed until the next read; 0 the end, nothing before it;
 * -EPIPE the end came before delim (what is there stays: peek it); -EMSGSIZE,
 * -ENOMEM as mf_stream_line, which this is but for the delimiter and the NUL.
 */
int mf_stream_until(mf_stream *s, const void *delim, size_t len,
                    char **ret_data, mf_deadline deadline) MF_MUST_CHECK;

/*
 * Wait until a read would not wait (POLLIN: also buffered bytes, the end, an
 * error), or a write (POLLOUT). Returns the events (> 0), or < 0. It has the
 * reader's turn, or the writer's, or both, as long as it waits.
 */
int mf_stream_wait(mf_stream *s, short poll_events,
                   mf_deadline deadline) MF_MUST_CHECK;

/* Flush and end our side of it: the peer reads the end. Reading goes on. 0;
 * -ENOTSUP what is below cannot (a pipe's end: close it). */
int mf_stream_shutdown(mf_stream *s, mf_deadline deadline) MF_MUST_CHECK;

/*
 * The next line. *ret_line is borrowed until the next read on s, by whomever;
 * it ends with a NUL instead of its "\n" or "\r\n", and may be written to; it
 * may hold NULs of its own. The last line of the input needs no newline.
 *
 * Returns > 0: one more than its length without its end (so an empty line is 1,
 * and strlen(line) is the result - 1 unless it holds NULs); 0 the end of input;
 * -EMSGSIZE longer than the limit of mf_stream_limit (nothing is consumed);
 * -ENOMEM. On -ETIMEDOUT and -ECANCELED what came so far stays for the next
 * call.
 */
int mf_stream_line(mf_stream *s, char **ret_line,
                   mf_deadline deadline) MF_MUST_CHECK;

/* The longest line in bytes, end included; 1 MiB until set. 0, -EINVAL. */
int mf_stream_limit(mf_stream *s, size_t max_line);

/* As mf_printf: in one piece, not mixed with what other calls write to s. */
int mf_stream_printf(mf_stream *s, mf_deadline deadline, const char *fmt, ...)
    MF_PRINTF(3, 4);

/*
 * Flush until the deadline, then free s and close what it is made over (its fd,
 * the lower stream). Nobody may use it any more. NULL is fine. Standard streams
 * stay open: -EINVAL. Returns 0 or what went wrong first; what is made by
 * mf_stream_make is aborted if the flush failed, so that its peer does not take
 * what is cut off for all. Not a cancel point: a cancelled task flushes too,
 * until the deadline.
 */
int mf_stream_close(mf_stream *s, mf_deadline deadline);

/* As close, without a farewell: nothing flushed, no close_notify, a reset of
 * TCP. Not a cancel point. */
void mf_stream_abort(mf_stream *s);

/* The fd under s, through all layers; borrowed. -ENOTSUP if there is none. */
int mf_stream_get_fd(mf_stream *s);

/* Bytes read ahead: a read of so many would not wait. While others read, a
 * hint. Never suspends. */
size_t mf_stream_buffered(mf_stream *s);

/* Give back the memory of what is empty: what is read ahead, what is held. As a
 * read, it ends what was lent. 0, -EBUSY (not all: not empty, or in use). Never
 * suspends. */
int mf_stream_trim(mf_stream *s);

/*
 * Take the fd out of s and free s. Returns the fd; -EBUSY bytes are buffered in
 * s (nothing is freed); -ENOTSUP s is not directly over an fd.
 */
int mf_stream_detach(mf_stream *s);

/*
 * Two ends of a pipe in memory, each with capacity bytes (> 0) on its way to
 * the other; what one writes the other reads. No fd. Closing one: the other
 * reads what is there, then the end; its writes answer -EPIPE. Aborting one:
 * -ECONNRESET. 0, -EINVAL, -ENOMEM.
 */
int mf_stream_pair(size_t capacity, mf_stream *ret_ends[2]);

/* The next len bytes of lower as a stream of their own; reading only: writes
 * answer -EBADF. -EPIPE: lower ended before. lower is borrowed until the close,
 * which leaves it behind what was read (peeked at is not read); 0, -ENOMEM. */
int mf_stream_limited(mf_stream *lower, uint64_t len, mf_stream **ret_stream);

/* What is read through it is also written to copy, in order, before the reader
 * has it; writing passes to lower. lower is taken (not on failure), copy
 * borrowed. A read that copy's error or the deadline ended has lost nothing. */
int mf_stream_tee(mf_stream *lower, mf_stream *copy, mf_stream **ret_stream);

/*
 * A stream of your own making. Each call gets self and keeps the rules of fd.h:
 * one reader and one writer at a time (a wait is the one, the other, or both,
 * by its events; a shutdown is a writer), either may be cancelled, a deadline
 * past tries once. len > 0, and there is a byte in iov. NULL members: writev
 * -EBADF; shutdown, wait, fd -ENOTSUP. close frees self; it must not suspend
 * beyond its deadline, and is called once, with no other call in progress, and
 * shielded from cancel. orderly is 0 for an abort.
 */
typedef struct mf_stream_ops {
    MF_SIZE_(mf_stream_ops);
    const char *name MF_0_; /* "tls": for dumps */
    int (*read)(void *self, void *buf, size_t len, mf_deadline deadline) MF_0_;
    int (*writev)(void *self, const struct iovec *iov, int n,
                  mf_deadline deadline) MF_0_;
    int (*shutdown)(void *self, mf_deadline deadline) MF_0_;
    int (*wait)(void *self, short poll_events, mf_deadline deadline) MF_0_;
    int (*fd)(void *self) MF_0_;
    int (*close)(void *self, int orderly, mf_deadline deadline) MF_0_;
} mf_stream_ops;

/* ops is borrowed for ever (static); self is taken on success. 0, -EINVAL
 * (size, read or close missing), -ENOMEM. */
int mf_stream_make(const mf_stream_ops *ops, void *self,
                   mf_stream **ret_stream);
/* self, if s was made with ops; else NULL. */
void *mf_stream_self(mf_stream *s, const mf_stream_ops *ops);

/*
 * Standard input, output and error, made when first asked for; borrowed, and
 * freed by the library's end. Never NULL: without memory calls on it answer
 * -ENOMEM. The fds' flags are never changed (other processes share them).
 */
mf_stream *mf_stdin(void);
mf_stream *mf_stdout(void);
mf_stream *mf_stderr(void);

/*
 * Formatted text to fd, in one piece: not mixed with what other calls of
 * mf_printf write to the same fd, however long. Returns its length, -EMSGSIZE
 * (longer than INT_MAX), -ENOMEM (longer than 1 KiB, and no memory), or as
 * mf_write_all: on < 0 it may be that a part went out; never on a pipe, where
 * it was short (PIPE_BUF). The deadline stands before the varargs.
 */
int mf_printf(int fd, mf_deadline deadline, const char *fmt, ...)
    MF_PRINTF(3, 4);
int mf_vprintf(int fd, mf_deadline deadline, const char *fmt, va_list ap)
    MF_PRINTF(3, 0);

MF_DECLS_END_
#endif
