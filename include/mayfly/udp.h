/* SPDX-License-Identifier: MIT */
/*
 * udp.h - UDP: single datagrams, many in one call, segmented ones, multicast.
 *
 * Any number of tasks and threads may receive from one socket and send on it;
 * a datagram goes to one of them, whole. With several sockets on one port
 * (reuse_port) the kernel spreads peers over them: one socket for each worker
 * is how a server grows beyond what one socket's queue allows.
 *
 * mf_close, mf_fd_timeouts, mf_wait_fd, mf_local_addr, mf_sockopt_set and, on a
 * connected socket, mf_write work here too. mf_read does, but cannot tell an
 * empty datagram from nothing and cuts long ones silently.
 *
 * An ICMP error ("nobody listens there") is the result of the next call on a
 * connected socket, once: -ECONNREFUSED, -EHOSTUNREACH, ... A socket that is
 * not connected does not hear of them, as the kernel has it.
 *
 * Errors beside each call's own are those of fd.h.
 */
#ifndef MF_UDP_H
#define MF_UDP_H

#include <mayfly/net.h>

MF_DECLS_BEGIN_

/*
 * A UDP socket at an address. ":53" is every address of both families, as with
 * mf_tcp_listen; port 0 is any free one (mf_local_addr tells). Of the options
 * reuse_port and v6only count; reuse_port is also how several sockets hear the
 * same multicast group. SO_REUSEADDR is not set: with UDP it lets strangers
 * take over a port in use. A backlog is -EINVAL.
 *
 * Returns the fd, given (mf_close); -EINVAL, -EADDRINUSE, -EACCES, -EMFILE, ...
 * Context: any. Suspends: no. Cancel point: no.
 */
int mf_udp_bind(const char *where, const mf_listen_options *opts);

/*
 * A UDP socket that sends to and hears from one peer only: mf_sendto to NULL.
 * No packet goes out, so it succeeds whether or not anybody is there.
 * "localhost" is 127.0.0.1. Of the options `bind` counts; nodelay is -EINVAL.
 *
 * Returns the fd, given (mf_close); -EINVAL, -EADDRNOTAVAIL, -ENETUNREACH, ...
 * Context: any. Suspends: no. Cancel point: no.
 */
int mf_udp_connect(const char *where, const mf_connect_options *opts);

/*
 * Receive one datagram.
 *
 *   buf       borrowed, len bytes
 *   ret_from  who sent it; NULL: not wanted
 *
 * Returns its length; 0 is an empty datagram, no end. -EMSGSIZE: it was longer
 * than len, and is gone (a len of 0 drops whatever comes next).
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_recvfrom(int fd, void *buf, size_t len, mf_addr *ret_from,
                mf_deadline deadline) MF_MUST_CHECK;

/*
 * Send one datagram, waiting while the socket has no room for it.
 *
 *   buf  borrowed, len bytes; len 0 sends an empty one
 *   to   borrowed; NULL: the peer of a connected socket
 *
 * Returns len. -EMSGSIZE: longer than a datagram may be; -EDESTADDRREQ;
 * -EACCES: broadcast without MF_SO_BROADCAST; -ENOBUFS, -ENETUNREACH, ... A
 * success says that it left, not that it arrived.
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_sendto(int fd, const void *buf, size_t len, const mf_addr *to,
              mf_deadline deadline);

/* ---- many at a time ----------------------------------------------------- */

/*
 * A message. What mf_recvmsgs filled in can be sent as it is: back to where it
 * came from, cut as it came.
 */
typedef struct mf_dgram {
    void *buf;        /* the caller's */
    mf_addr *addr;    /* receive: filled in, NULL: not wanted;
                         send: where to, NULL: a connected socket's peer */
    uint32_t size;    /* receive: room in buf; send: not looked at */
    uint32_t len;     /* receive: filled in; send: bytes of buf */
    uint32_t segment; /* > 0 and < len: not one datagram, but one for each
                         `segment` bytes, the last one shorter; filled in by
                         receive: 0, or > 0 where mf_udp_gro is on */
    int rc;           /* receive: 0; -EMSGSIZE: it was longer than size, and buf
                         has the beginning; send: not looked at */
} mf_dgram;

/*
 * Receive up to n messages with few system calls, waiting for the first only.
 *
 *   msgs  buf, addr and size set by the caller; len, segment, rc (and *addr)
 *         are written in as many as came
 *
 * Returns how many came, 1 to n; perhaps fewer than there are. -EINVAL: n < 1,
 * msgs is NULL. Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_recvmsgs(int fd, mf_dgram *msgs, int n,
                mf_deadline deadline) MF_MUST_CHECK;

/*
 * Send up to n messages with few system calls, waiting until the first can be
 * sent only. A message with segments goes out as one system call's work where
 * the kernel can cut it up (UDP_SEGMENT, Linux 4.18), else as many datagrams;
 * its len is not bound by the size of a datagram, segment is.
 *
 * Returns how many went, 1 to n. If fewer than n: the next could not be sent,
 * and a call that begins with it waits, or says why. < 0: the first could not
 * be sent; of one with segments some may have gone. -EINVAL: n < 1, msgs is
 * NULL. Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_sendmsgs(int fd, const mf_dgram *msgs, int n,
                mf_deadline deadline) MF_MUST_CHECK;

/*
 * May the kernel join datagrams of one sender, of one length, into one message
 * (UDP_GRO)? 1: they come by mf_recvmsgs with `segment` set, in buffers that
 * should have 65535 bytes; mf_recvfrom then gets several as if they were one.
 *
 * Returns 1 it is on, 0 it is off: asked for, or this kernel has none (before
 * Linux 5.0), and all come one by one. -EBADF, -ENOTSOCK; -EOPNOTSUPP (no UDP
 * socket). Context: any. Suspends: no. Cancel point: no.
 */
int mf_udp_gro(int fd, int on);

/* ---- multicast ---------------------------------------------------------- */

/*
 * Hear, or no longer hear, what is sent to a multicast group at the port the
 * socket is bound to. Sending to a group needs no joining; MF_SO_MCAST_TTL and
 * MF_SO_MCAST_LOOP say how far it goes and whether this machine hears it too.
 *
 *   group      borrowed; IPv4 or IPv6, its port does not matter. A socket of
 *              both families may join groups of both
 *   interface  its name ("eth0"); NULL: the zone of group, else the system's
 *              choice
 *
 * Returns 0; -EINVAL (no multicast address), -ENODEV (no such interface),
 * -EADDRINUSE (joined already), -EADDRNOTAVAIL (not joined), -ENOBUFS (too many
 * groups), -ENOPROTOOPT (not this family's socket), -EBADF, -ENOTSOCK.
 * Context: any. Suspends: no. Cancel point: no.
 */
int mf_udp_join(int fd, const mf_addr *group, const char *interface);
int mf_udp_leave(int fd, const mf_addr *group, const char *interface);

/*
 * The interface that what this socket sends to multicast groups leaves by;
 * NULL: the system's choice. Returns 0; -ENODEV, -EBADF, -ENOTSOCK.
 * Context: any. Suspends: no. Cancel point: no.
 */
int mf_udp_outgoing(int fd, const char *interface);

MF_DECLS_END_
#endif
