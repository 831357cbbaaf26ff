/* SPDX-License-Identifier: MIT */
/* socket.h - sockets in the making, shared by listen, accept and connect. */
#ifndef MFI_NET_SOCKET_H
#define MFI_NET_SOCKET_H

#include <mayfly/net.h>

#include "poll/fdtab.h"

/*
 * Make fd, just given by the kernel, known. On failure it is closed. Returns fd
 * or -errno.
 */
int mfi_socket_known(int fd, enum fd_kind kind);

/* An error on the way to a socket, left in a sentence. Returns rc. */
int mfi_net_explain(int rc, const char *what, const char *where);

/* Parse `where`, leaving a sentence on failure. */
int mfi_net_parse(const char *what, const char *where, mf_addr *ret_addr);

#endif
