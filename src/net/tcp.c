/* SPDX-License-Identifier: MIT */
/* tcp.c - listen and accept. */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "io/op.h"
#include "net/addr.h"
#include "net/lookup.h"
#include "net/socket.h"
#include "os/event.h"
#include "sched/explain.h"
#include "sched/options.h"
#include "sync/select.h"

enum { NAME_ADDRS = 8 }; /* of a name to listen on */

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

/* On the first of its addresses that is one of ours. */
static int listen_on_name(const char *where, const mf_listen_options *o)
{
    mf_addr a[NAME_ADDRS];
    int n, rc;

    rc = n =
        mfi_resolve("listen on", where, AF_UNSPEC, a, NAME_ADDRS, MF_NEVER);
    if (n < 0)
        return n;
    for (int i = 0; i < n; i++)
        if ((rc = listen_on(&a[i], o)) != -EADDRNOTAVAIL && rc != -EAFNOSUPPORT)
            break;
    return rc < 0 ? mfi_net_explain(rc, "listen on", where) : rc;
}

int mf_tcp_listen(const char *where, const mf_listen_options *opts)
{
    mf_listen_options o = {.size = sizeof o};
    const char *why;
    mf_addr a;
    int rc;

    if (mfi_options_copy(&o, sizeof o, opts) < 0 || o.backlog < 0)
        return mfi_explain(-EINVAL, "listen on '%s': bad options",
                           where != NULL ? where : "");
    if (where == NULL || mfi_addr_parse(where, &a, &why) < 0)
        return listen_on_name(where, &o);
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
