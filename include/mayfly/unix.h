/* SPDX-License-Identifier: MIT */
/*
 * unix.h - unix sockets: streams, datagrams, packets in order; fds as freight.
 *
 *   int l = mf_unix_listen("/run/x.sock", MF_UNIX_OPTIONS(.unlink = 1));
 *   int fd = mf_accept(l, NULL, MF_NEVER);
 *
 * A name is a path ("/run/x.sock"), "@name" (abstract: no file, and gone with
 * its last socket) or one of them behind "unix:", as mf_addr_str prints it; at
 * most 108 bytes. A file whose name begins with an @ is "./@x". A socket's file
 * stays when it is closed: to remove it is the user's.
 *
 * The fds made here are accepted on, read, written, waited for and closed by
 * mf_accept, mf_serve, mf_read, ... mf_close. A read of a datagram or packet
 * takes one, cut to the buffer.
 *
 * Errors that every call here may return beside its own: -EINVAL, -ENOMEM,
 * -EMFILE, -ENFILE; those with a deadline also as fd.h says.
 */
#ifndef MF_UNIX_H
#define MF_UNIX_H

#include <sys/types.h>

#include <mayfly/net.h>

MF_DECLS_BEGIN_

typedef struct mf_unix_options {
    MF_SIZE_(mf_unix_options);
    int type MF_0_;    /* mf_unix_listen: SOCK_STREAM (0 too), SOCK_SEQPACKET */
    int backlog MF_0_; /* mf_unix_listen: 0: the system's largest */
    int unlink MF_0_;  /* 1: a stale socket file in the way is removed first */
} mf_unix_options;
#define MF_UNIX_OPTIONS(...) MF_OPTIONS_(mf_unix_options, __VA_ARGS__)

/*
 * Listen on name; "@" is an abstract name that the kernel chooses (see
 * mf_local_addr).
 *
 * unlink: a file at the path is removed if it is a socket that no process has
 * bound; one in use, of any type, and whatever is no socket stays: -EADDRINUSE.
 * Programs that start at the same time with this option take turns (a lock on
 * the folder), so that none removes another's new file.
 *
 * Returns the fd, given (mf_close); -EADDRINUSE, -ENOENT, -EACCES, -EROFS, ...
 * Context: any. Suspends: with unlink, while others take their turns (at most
 * two seconds, then -EADDRINUSE). Cancel point: then.
 */
int mf_unix_listen(const char *name, const mf_unix_options *opts) MF_MUST_CHECK;

/*
 * A datagram socket with this name; "@": chosen by the kernel, enough to get
 * answers; NULL: none. Returns, suspends and removes as mf_unix_listen.
 */
int mf_unix_bind(const char *name, const mf_unix_options *opts) MF_MUST_CHECK;

typedef struct mf_unix_connect_options {
    MF_SIZE_(mf_unix_connect_options);
    int type MF_0_; /* SOCK_STREAM (0 too), SOCK_SEQPACKET, SOCK_DGRAM */
    const char *bind MF_0_; /* the socket's own name, "@": any; NULL: none */
} mf_unix_connect_options;
#define MF_UNIX_CONNECT_OPTIONS(...) \
    MF_OPTIONS_(mf_unix_connect_options, __VA_ARGS__)

/*
 * Connect to name; waits while the listener's queue is full. A datagram socket
 * is answered only if it has a name too (bind).
 *
 * Returns the fd, given (mf_close); -ENOENT, -ECONNREFUSED (nobody there),
 * -EPROTOTYPE (the path is of a socket of another type), -EACCES, ...
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_unix_connect(const char *name, const mf_unix_connect_options *opts,
                    mf_deadline deadline) MF_MUST_CHECK;

/*
 * Two connected sockets: SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM. Both are
 * given (mf_close). Returns 0.
 * Context: any. Suspends: no. Cancel point: no.
 */
int mf_unix_pair(int type, int ret_fds[2]);

enum { MF_UNIX_FDS = 253 }; /* in one message, at most: the kernel's limit */

/*
 * Send up to len bytes with nr_fds fds, to the peer. The fds stay the caller's
 * and open; the receiver gets its own, to the same files. Of a stream the fds
 * travel with the first byte, so len > 0 there; a packet goes whole.
 *
 * Returns the count of bytes; the fds went with them. -EPIPE, -EBADF (fd, or
 * one of fds), -EMSGSIZE (a packet too long), -ETOOMANYREFS (too many fds on
 * their way), -EINVAL (nr_fds beyond MF_UNIX_FDS; fds without a byte).
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_unix_send(int fd, const void *buf, size_t len, const int *fds,
                 int nr_fds, mf_deadline deadline) MF_MUST_CHECK;

/*
 * Receive up to len bytes and up to max_fds fds: ret_fds gets them in order,
 * given (mf_close, or close(2) while nothing here was called with them), all of
 * them close-on-exec, and -1 in its other places. Their flags are the file's,
 * which the sender shares: the first mf_read or the like on a pipe makes it
 * non-blocking for both.
 *
 * Returns the count of bytes; 0: the end, or an empty datagram. -EMSGSIZE: it
 * did not fit (longer than len, more than max_fds fds, or no free fd for one of
 * them; mf_explain says which): the packet, or of a stream what was read, is
 * lost, and every fd that came with it is closed. After any other failure
 * nothing was taken.
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_unix_recv(int fd, void *buf, size_t len, int *ret_fds, int max_fds,
                 mf_deadline deadline) MF_MUST_CHECK;

/*
 * Send a datagram to an address (mf_addr_parse, mf_unix_recv_from); waits while
 * the receiver's queue is full. Returns len; -ECONNREFUSED, -ENOENT,
 * -EPROTOTYPE, -EMSGSIZE, -EISCONN (a stream), ...
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_unix_send_to(int fd, const void *buf, size_t len, const mf_addr *to,
                    mf_deadline deadline) MF_MUST_CHECK;

/*
 * Receive a datagram and who sent it ("unnamed" where the sender has no name).
 * Fds in it are dropped. Returns its length; -EMSGSIZE (longer than len; gone).
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_unix_recv_from(int fd, void *buf, size_t len, mf_addr *ret_from,
                      mf_deadline deadline) MF_MUST_CHECK;

typedef struct mf_unix_cred {
    pid_t pid; /* 0: a process of a namespace that is not seen from here */
    uid_t uid;
    gid_t gid;
} mf_unix_cred;

/*
 * Who is at the other end: the process that called connect, listen or made the
 * pair, as it was then. Datagram sockets know it in a pair only.
 *
 * Returns 0; -EBADF, -ENOTSOCK, -EAFNOSUPPORT (no unix socket), -ENOTCONN.
 * Context: any. Suspends: no. Cancel point: no.
 */
int mf_unix_peer(int fd, mf_unix_cred *ret_cred);

MF_DECLS_END_
#endif
