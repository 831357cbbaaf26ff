/* SPDX-License-Identifier: MIT */
/* tcp.c - listen, accept, connect. */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "io/op.h"
#include "net/addr.h"
#include "net/socket.h"
#include "os/event.h"
#include "sched/explain.h"
#include "sched/options.h"
#include "sync/select.h"

/* ---- listen ------------------------------------------------------------- */

static int set(int fd, int level, int name, int value)
{
    return mfi_os_setsockopt(fd, level, name, &value, sizeof value);
}

static int listen_on(const mf_addr *a, const mf_listen_options *o)
{
    int fd = mfi_os_socket(a->ss.ss_family, SOCK_STREAM), rc;
    int backlog = o->backlog > 0 ? o->backlog : SOMAXCONN;

    if (fd < 0)
        return fd;
    if ((rc = set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) < 0 ||
        (o->reuse_port != 0 &&
         (rc = set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) < 0) ||
        (a->ss.ss_family == AF_INET6 &&
         (rc = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, o->v6only != 0)) < 0) ||
        (rc = mfi_os_bind(fd, &a->ss, a->len)) < 0 ||
        (rc = mfi_os_listen(fd, backlog)) < 0) {
        mfi_os_close(fd);
        return rc;
    }
    return mfi_socket_known(fd, FD_SOCK);
}

int mf_tcp_listen(const char *where, const mf_listen_options *opts)
{
    mf_listen_options o = {.size = sizeof o};
    mf_addr a;
    int rc;

    if (mfi_options_copy(&o, sizeof o, opts) < 0 || o.backlog < 0)
        return mfi_explain(-EINVAL, "listen on '%s': bad options",
                           where != NULL ? where : "");
    if ((rc = mfi_net_parse("listen on", where, &a)) < 0)
        return rc;
    rc = listen_on(&a, &o);
    /* ":80" on a host without IPv6. */
    if ((rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL) && mfi_addr_any4(&a))
        rc = listen_on(&a, &o);
    return rc < 0 ? mfi_net_explain(rc, "listen on", where) : rc;
}

/* ---- accept ------------------------------------------------------------- */

/* Errors of a connection that died in the queue (accept(2)), not of ours. */
static bool died_in_queue(int rc)
{
    switch (rc) {
    case -ECONNABORTED:
    case -EPROTO:
    case -ENETDOWN:
    case -ENOPROTOOPT:
    case -EHOSTDOWN:
    case -ENONET:
    case -EHOSTUNREACH:
    case -ENETUNREACH:
    case -EPERM: /* a firewall rule */
        return true;
    default:
        return false;
    }
}

/* One try: the fd, -EAGAIN, or why not; -EINTR for a dead one. */
static long accept_next(int listener, mf_addr *ret_peer)
{
    long n;

    ret_peer->len = sizeof ret_peer->ss;
    ret_peer->ss.ss_family = AF_UNSPEC;
    n = mfi_os_accept(listener, &ret_peer->ss, &ret_peer->len);
    return died_in_queue((int)n) ? -EINTR : n;
}

static int accepted(int fd, const mf_addr *peer, mf_addr *ret_peer)
{
    fd = mfi_socket_known(fd, peer->ss.ss_family == AF_UNIX ? FD_SOCK : FD_TCP);
    if (fd >= 0 && ret_peer != NULL)
        *ret_peer = *peer;
    return fd;
}

int mf_accept(int listener, mf_addr *ret_peer, mf_deadline deadline)
{
    mf_addr peer = {.len = 0};
    struct op op;
    long n;
    int rc;

    if ((rc = mfi_op_begin(&op, listener, FD_IN, deadline)) < 0)
        return rc;
    do
        n = mfi_op_due(&op) ? accept_next(listener, &peer) : -EAGAIN;
    while ((rc = mfi_op_again(&op, n, false)) == MFI_OP_AGAIN);
    if (rc >= 0)
        rc = accepted(rc, &peer, ret_peer);
    return mfi_op_end(&op, rc);
}

static int accept_attempt(mf_case *c)
{
    mf_addr peer = {.len = 0};
    int rc = (int)accept_next(c->fd, &peer);

    return rc >= 0 ? accepted(rc, &peer, c->val) : rc;
}

mf_case mf_on_accept(int listener, mf_addr *ret_peer)
{
    mf_case c = mfi_case_fd(MF_OP_ACCEPT, listener, POLLIN, accept_attempt);

    c.val = ret_peer;
    return c;
}

/* ---- connect ------------------------------------------------------------ */

/* The state of a connection under way: 0 made, -EAGAIN not yet, or why not. */
static int connected(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLOUT};
    int rc = mfi_ppoll(&pfd, 1, 0), err = 0;

    if (rc <= 0)
        return rc == 0 ? -EAGAIN : rc;
    if ((rc = mf_sockopt_get(fd, MF_SO_ERROR, &err)) < 0)
        return rc;
    return err;
}

static int finish_connect(int fd, mf_deadline deadline)
{
    struct op op;
    int rc;

    if ((rc = mfi_op_begin(&op, fd, FD_OUT, deadline)) < 0)
        return rc;
    do {
        (void)mfi_op_due(&op);
        rc = mfi_op_again(&op, connected(fd), false);
    } while (rc == MFI_OP_AGAIN);
    return mfi_op_end(&op, rc);
}

/* Non-blocking, it is not interrupted; who says so all the same is a filter. */
enum { A_MOMENT = 32 };

static int connect_to(const mf_addr *to, const mf_addr *from, bool nodelay,
                      mf_deadline deadline)
{
    int fd = mfi_os_socket(to->ss.ss_family, SOCK_STREAM), rc;

    if (fd < 0)
        return fd;
    if ((nodelay && (rc = set(fd, IPPROTO_TCP, TCP_NODELAY, 1)) < 0) ||
        (from != NULL && (rc = mfi_os_bind(fd, &from->ss, from->len)) < 0)) {
        mfi_os_close(fd);
        return rc;
    }
    if ((rc = mfi_socket_known(fd, FD_TCP)) < 0)
        return rc;
    rc = mfi_os_connect(fd, &to->ss, to->len);
    for (int i = 0; rc == -EINTR && i < A_MOMENT; i++)
        rc = mfi_os_connect(fd, &to->ss, to->len);
    if (rc == -EINPROGRESS)
        rc = finish_connect(fd, deadline);
    if (rc < 0) {
        mf_close(fd);
        return rc;
    }
    return fd;
}

/* "localhost" may listen on either loopback: the other one to try. */
static bool other_loopback(const char *where, mf_addr *a)
{
    struct sockaddr_in *in4 = (void *)&a->ss;
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_port = in4->sin_port,
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    if (__builtin_strncmp(where, "localhost:", 10) != 0)
        return false;
    __builtin_memcpy(&a->ss, &in6, sizeof in6);
    a->len = sizeof in6;
    return true;
}

int mf_tcp_connect(const char *where, const mf_connect_options *opts,
                   mf_deadline deadline)
{
    mf_connect_options o = {.size = sizeof o};
    struct agent *a = mfi_agent();
    mf_addr to, from;
    int rc;

    if (mfi_options_copy(&o, sizeof o, opts) < 0)
        return mfi_explain(-EINVAL, "connect to '%s': bad options",
                           where != NULL ? where : "");
    if ((rc = mfi_net_parse("connect to", where, &to)) < 0 ||
        (o.bind != NULL &&
         (rc = mfi_net_parse("connect from", o.bind, &from)) < 0))
        return rc;
    /* Nobody shall see a connection that was cancelled before it began. */
    if ((rc = a != NULL ? mfi_cancel_point(a) : -ENOMEM) < 0)
        return rc;
    rc = connect_to(&to, o.bind != NULL ? &from : NULL, o.nodelay != 0,
                    deadline);
    if (rc == -ECONNREFUSED && o.bind == NULL && other_loopback(where, &to))
        rc = connect_to(&to, NULL, o.nodelay != 0, deadline);
    return rc < 0 ? mfi_net_explain(rc, "connect to", where) : rc;
}
