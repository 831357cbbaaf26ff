/* SPDX-License-Identifier: MIT */
/* sockfile.h - the files of unix sockets: which are stale, and whose turn. */
#ifndef MFI_NET_SOCKFILE_H
#define MFI_NET_SOCKFILE_H

/*
 * Wait for the turn to look at the socket file at path and to bind there: a
 * lock on its folder. Returns an fd, for mfi_os_close, which ends the turn; or
 * -EADDRINUSE (others keep the turn), -ECANCELED, what open(2) said.
 */
int mfi_sockfile_turn(const char *path);

/*
 * Remove path if it is a socket file that nobody has bound. In one's turn only.
 * Returns 0 (it is gone), -EADDRINUSE (it is no socket, or not stale), or why
 * it cannot be removed.
 */
int mfi_sockfile_remove(const char *path);

#endif
