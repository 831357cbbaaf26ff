/* SPDX-License-Identifier: MIT */
/*
 * shared.h - reading and writing where O_NONBLOCK may not be set, since other
 * processes have the same open file description: inherited stdio. Results are
 * >= 0 or -errno; -EAGAIN: not now.
 */
#ifndef MFI_OS_SHARED_H
#define MFI_OS_SHARED_H

#include <stdbool.h>

#include "os/io.h"

bool mfi_os_tty(int fd);

/* Are these two the same pipe, the same device? */
bool mfi_os_same(int a, int b);

/*
 * A second description of the pipe or terminal fd, with O_NONBLOCK, close on
 * exec, no number below 3. mode: its st_mode. Or why there can be none.
 */
int mfi_os_private(int fd, int mode);

/* One read or write that does not wait; -EOPNOTSUPP: not with this file. */
long mfi_os_readv_nowait(int fd, const struct iovec *iov, int n);
long mfi_os_writev_nowait(int fd, const struct iovec *iov, int n);

/* The same for pipes only, on any kernel, at the price of a pipe for a while.
 */
long mfi_os_read_pipe(int fd, void *buf, size_t len);
long mfi_os_write_pipe(int fd, const void *buf, size_t len);

/* Is this process in the background of the terminal fd, which controls it? */
bool mfi_os_background(int fd);

/*
 * Around a call on a terminal by a thread that has all signals blocked: so that
 * a background job is stopped by it as any other (SIGTTIN, SIGTTOU), unless
 * somebody catches or ignores the signal.
 */
struct os_job {
    uint64_t old;
};
void mfi_os_job_begin(struct os_job *j);
void mfi_os_job_end(const struct os_job *j);

#endif
