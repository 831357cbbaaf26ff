/* SPDX-License-Identifier: MIT */
/* net.h - addresses, TCP, accept, serve, options, network interfaces. */
#ifndef MF_NET_H
#define MF_NET_H

#include <sys/socket.h>

#include <mayfly/fd.h>
#include <mayfly/sync.h>

MF_DECLS_BEGIN_

typedef struct mf_addr {
    socklen_t len;
    struct sockaddr_storage ss;
} mf_addr;
enum { MF_ADDR_STR = 160 };

/*
 * Parse "host:port": ":8080" (any address), "127.0.0.1:80", "[::1]:80",
 * "[fe80::1%eth0]:80", "localhost:80" (127.0.0.1). The port is a number. Or
 * "unix:/path", "unix:@name" (abstract), which the calls of unix.h take and
 * those of TCP do not.
 * Names are for mf_resolve: this never blocks.
 *
 * Returns 0, -EINVAL (not of this form; mf_explain says what is wrong).
 * Context: any. Suspends: no. Cancel point: no.
 */
int mf_addr_parse(const char *where, mf_addr *ret_addr);

/*
 * Write a as mf_addr_parse would read it, cut to len (MF_ADDR_STR always
 * suffices). Returns buf. Context: any. Suspends: no.
 */
const char *mf_addr_str(const mf_addr *a, char *buf, size_t len);

/* The socket's own or its peer's address. 0, -EBADF, -ENOTCONN, -ENOTSOCK. */
int mf_local_addr(int fd, mf_addr *ret_addr);
int mf_peer_addr(int fd, mf_addr *ret_addr);

typedef struct mf_listen_options {
    MF_SIZE_(mf_listen_options);
    int backlog MF_0_;    /* 0: the system's largest */
    int reuse_port MF_0_; /* 1: several listeners share the port */
    int v6only MF_0_;     /* 1: an IPv6 listener takes no IPv4 */
} mf_listen_options;
#define MF_LISTEN_OPTIONS(...) MF_OPTIONS_(mf_listen_options, __VA_ARGS__)

typedef struct mf_connect_options {
    MF_SIZE_(mf_connect_options);
    int nodelay MF_0_;      /* 1: TCP_NODELAY */
    const char *bind MF_0_; /* the local address, as mf_addr_parse reads it */
} mf_connect_options;
#define MF_CONNECT_OPTIONS(...) MF_OPTIONS_(mf_connect_options, __VA_ARGS__)

/*
 * Listen. ":8080" is every address of both families (an IPv6 socket that takes
 * IPv4 too, unless v6only; IPv4 alone where IPv6 is off). SO_REUSEADDR is set.
 * A name (as mf_resolve's) means the first of its addresses that is this
 * host's; it is looked up without a deadline: put a scope's around it.
 *
 * Returns the fd, given (mf_close); -EINVAL, -EADDRINUSE, -EACCES, -EMFILE, ...
 * and of names what mf_resolve returns, or -EADDRNOTAVAIL: none is this host's.
 * Context: any. Suspends, cancel point: while it looks up a name.
 */
int mf_tcp_listen(const char *where, const mf_listen_options *opts);

/*
 * Accept one connection. Returns its fd, given (mf_close); ret_peer may be
 * NULL. -EMFILE, -ENFILE, -ENOMEM are the caller's to back off from (mf_serve
 * does). A connection that died in the queue is passed over.
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_accept(int listener, mf_addr *ret_peer,
              mf_deadline deadline) MF_MUST_CHECK;

/*
 * Connect to an address as mf_addr_parse reads it ("localhost" tries 127.0.0.1
 * and, refused, ::1), or to a name or service as mf_resolve does: its addresses
 * are tried in that order, the next one beside the others whenever one fails or
 * has not answered within 250 ms (RFC 8305). The first that answers wins, all
 * others are closed. The deadline is for all of it, the lookup too.
 *
 * Returns the fd, given (mf_close); what mf_resolve returns; -ECONNREFUSED,
 * -EHOSTUNREACH, ...: of several failures the one that says most about the
 * other end (that it refused, rather than that there is no route to it).
 * Context: any. Suspends: maybe. Cancel point: yes.
 */
int mf_tcp_connect(const char *where, const mf_connect_options *opts,
                   mf_deadline deadline) MF_MUST_CHECK;

/* shutdown(2): SHUT_RD, SHUT_WR, SHUT_RDWR. 0, -EBADF, -ENOTCONN, -EINVAL. */
int mf_shutdown(int fd, int how);

/*
 * As mf_read, but what was read stays in the socket. Context: any.
 * Suspends: maybe. Cancel point: yes.
 */
int mf_peek(int fd, void *buf, size_t len, mf_deadline deadline) MF_MUST_CHECK;

enum mf_sockopt {
    MF_SO_NODELAY = 1, /* 0, 1 */
    MF_SO_KEEPALIVE,   /* seconds idle before the first probe; 0: off */
    MF_SO_LINGER,      /* seconds close waits for; 0: reset; -1: off */
    MF_SO_SNDBUF,      /* bytes */
    MF_SO_RCVBUF,      /* bytes */
    MF_SO_TTL,         /* hops, 1-255 */
    MF_SO_REUSEADDR,   /* 0, 1 */
    MF_SO_REUSEPORT,   /* 0, 1 */
    MF_SO_V6ONLY,      /* 0, 1 */
    MF_SO_ERROR,       /* read only: the pending error, a negative errno or 0 */
    MF_SO_BROADCAST,   /* 0, 1: may send to broadcast addresses */
    MF_SO_MCAST_TTL,   /* hops of what is sent to multicast groups, 0-255 */
    MF_SO_MCAST_LOOP,  /* 0, 1: this machine hears it too (the default) */
    MF_SO_KEEPINTVL,   /* seconds from one probe to the next */
    MF_SO_KEEPCNT,     /* probes without an answer before -ETIMEDOUT; 1-127 */
    MF_SO_FASTOPEN,    /* of a listener: connections waiting whose SYN carried
                          data, at most; 0: data comes after the handshake */
};

/*
 * Set or get an option. Returns 0, -EINVAL (no such option or value), -EBADF,
 * -ENOTSOCK, -ENOPROTOOPT. Context: any. Suspends: no. Cancel point: no.
 */
int mf_sockopt_set(int fd, enum mf_sockopt opt, int value);
int mf_sockopt_get(int fd, enum mf_sockopt opt, int *ret_value);

typedef int mf_conn_fn(int fd, void *arg); /* fd is the function's to close */
typedef struct mf_serve_options {
    MF_SIZE_(mf_serve_options);
    uint32_t max_conns MF_0_; /* accept waits for a free place; 0: any number */
    mf_event *stop MF_0_;     /* fired: accept no more, then drain */
    mf_ns drain MF_0_; /* span the connections get after stop, then cancel;
                          0: as long as they take */
    size_t stack_size MF_0_; /* bytes; 0: the runtime's */
} mf_serve_options;
#define MF_SERVE_OPTIONS(...) MF_OPTIONS_(mf_serve_options, __VA_ARGS__)

/*
 * Accept and run fn(fd, arg) for each connection in a MF_WAIT_ALL scope of its
 * own; what fn returns ends that connection only. Backs off on -EMFILE and the
 * like. Takes the listener: closes it on return.
 *
 * Returns 0 drained after stop; -ETIMEDOUT drain cut short; -ECANCELED;
 * -EINVAL (fn is NULL); or the listener's error.
 * Context: any. Suspends: yes. Cancel point: yes.
 */
int mf_serve(int listener, mf_conn_fn *fn, void *arg,
             const mf_serve_options *opts);

typedef struct mf_copied {
    uint64_t a_to_b; /* bytes */
    uint64_t b_to_a;
} mf_copied;
typedef struct mf_copy_options {
    MF_SIZE_(mf_copy_options);
    mf_ns idle MF_0_; /* span without a byte either way; 0: any */
} mf_copy_options;
#define MF_COPY_OPTIONS(...) MF_OPTIONS_(mf_copy_options, __VA_ARGS__)

/*
 * Copy what comes from a to b, and what comes from b to a, until both have
 * ended: what a proxy does. The end of one side is passed on to the other
 * (SHUT_WR, on sockets), which may go on sending. Sockets, pipes, any fds;
 * inside the kernel where it can. Both stay open, and are the caller's.
 *
 * Returns 0 both sides ended; -ETIMEDOUT (deadline or idle), -ECANCELED, or the
 * first error of either side, which ends both. *ret_copied, which may be NULL,
 * is how much went out, on error too; what was taken from one side and not
 * written to the other is lost then.
 * Context: any. Suspends: yes. Cancel point: yes.
 */
int mf_copy(int a, int b, mf_copied *ret_copied, const mf_copy_options *opts,
            mf_deadline deadline) MF_MUST_CHECK;

typedef struct mf_interface_addr {
    mf_addr addr; /* port 0 */
    int prefix;   /* bits of the network: 24 in 10.0.0.7/24 */
} mf_interface_addr;

typedef struct mf_interface {
    char name[16];
    int index;      /* the zone of a link-local address; > 0 */
    uint32_t flags; /* IFF_UP, IFF_LOOPBACK, ... of <net/if.h> */
    int mtu;        /* bytes */
    int nr_addrs;   /* IPv4 and IPv6 */
    const mf_interface_addr *addrs;
} mf_interface;

/*
 * All network interfaces, in the order of their index, with their addresses:
 * one picture, made now. *ret_list is the caller's, one allocation; give it to
 * mf_interfaces_free. It is NULL where there are none.
 *
 * Returns how many; -ENOMEM, -EMFILE, -ENFILE, -EACCES and the like where the
 * kernel does not tell, -EAGAIN (they changed again and again while asked).
 * Context: any. Suspends: no. Cancel point: no.
 */
int mf_interfaces(mf_interface **ret_list);

/* NULL is fine. Context: any. Suspends: no. */
void mf_interfaces_free(mf_interface *list);

MF_DECLS_END_

#include <mayfly/udp.h>

#endif
