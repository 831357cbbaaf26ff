/* SPDX-License-Identifier: MIT */
/*
 * stream.h - a buffered stream of bytes over an fd: lines, and standard I/O.
 *
 *   while ((n = mf_stream_line(mf_stdin(), &line, MF_NEVER)) > 0)
 *       mf_printf(STDOUT_FILENO, MF_NEVER, "you said: %s\n", line);
 *
 * Reading and writing are two halves: one task may read while another writes.
 * Several readers (or writers) of one stream take turns, one call at a time.
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

/* 0 all of it went to the fd (a stream buffers no writes), or as fd.h says. */
int mf_stream_write_all(mf_stream *s, const void *buf, size_t len,
                        mf_deadline deadline) MF_MUST_CHECK;

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

/* As mf_printf to its fd: not mixed with what other calls write to s. */
int mf_stream_printf(mf_stream *s, mf_deadline deadline, const char *fmt, ...)
    MF_PRINTF(3, 4);

/*
 * Free s and close its fd. Nobody may use it any more. NULL is fine. Standard
 * streams stay open: -EINVAL. Returns as mf_close. Not a cancel point.
 */
int mf_stream_close(mf_stream *s, mf_deadline deadline);

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
