/* SPDX-License-Identifier: MIT */
/*
 * pipes.h - empty pipes, kept for the next who moves bytes from one fd to
 * another through one. Making and closing a pipe costs more than most moves.
 */
#ifndef MFI_POLL_PIPES_H
#define MFI_POLL_PIPES_H

#include <stdbool.h>

/* A pipe, empty and non-blocking: [0] reads, [1] writes. 0, -EMFILE, -ENFILE.
 */
int mfi_pipe_get(int ret_fds[2]);

/* Give it back. empty: nothing is in it; else it is closed. */
void mfi_pipe_put(const int fds[2], bool empty);

/* Close those kept. Nobody has one. */
void mfi_pipes_done(void);

#endif
