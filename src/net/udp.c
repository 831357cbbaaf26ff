/* SPDX-License-Identifier: MIT */
/*
 * udp.c - a UDP socket, and datagrams one by one.
 *
 * MSG_TRUNC makes recvfrom(2) answer the datagram's true length, so one system
 * call tells a cut datagram from a whole one. A stream would throw data away
 * for it: there it is left out.
 *
 * A datagram that came says nothing about the next one, so readiness stays set
 * until -EAGAIN: under load the next call finds another; an idle server makes
 * one call in vain before it waits. mf_recvmsgs (dgrams.c) need not.
 */
#include <netinet/in.h>
#include <string.h>

#include <mayfly/udp.h>

#include "io/op.h"
#include "net/addr.h"
#include "net/socket.h"
#include "sched/explain.h"
#include "sched/options.h"

static int set(int fd, int level, int name, int value)
{
    return mfi_os_setsockopt(fd, level, name, &value, sizeof value);
}

/* ---- sockets ------------------------------------------------------------ */

static int bind_to(const mf_addr *a, const mf_listen_options *o)
{
    int fd = mfi_os_socket(a->ss.ss_family, SOCK_DGRAM), rc;

    if (fd < 0)
        return fd;
    if ((o->reuse_port != 0 &&
         (rc = set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) < 0) ||
        (a->ss.ss_family == AF_INET6 &&
         (rc = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, o->v6only != 0)) < 0) ||
        (rc = mfi_os_bind(fd, &a->ss, a->len)) < 0) {
        mfi_os_close(fd);
        return rc;
    }
    return mfi_socket_known(fd, FD_UDP);
}

int mf_udp_bind(const char *where, const mf_listen_options *opts)
{
    mf_listen_options o = {.size = sizeof o};
    mf_addr a;
    int rc;

    if (mfi_options_copy(&o, sizeof o, opts) < 0 || o.backlog != 0)
        return mfi_explain(-EINVAL, "bind to '%s': bad options",
                           where != NULL ? where : "");
    if ((rc = mfi_net_parse("bind to", where, &a)) < 0)
        return rc;
    rc = bind_to(&a, &o);
    /* ":53" on a host without IPv6. */
    if ((rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL) && mfi_addr_any4(&a))
        rc = bind_to(&a, &o);
    return rc < 0 ? mfi_net_explain(rc, "bind to", where) : rc;
}

static int connect_to(const mf_addr *to, const mf_addr *from)
{
    int fd = mfi_os_socket(to->ss.ss_family, SOCK_DGRAM), rc;

    if (fd < 0)
        return fd;
    if ((from != NULL && (rc = mfi_os_bind(fd, &from->ss, from->len)) < 0) ||
        (rc = mfi_os_connect(fd, &to->ss, to->len)) < 0) {
        mfi_os_close(fd);
        return rc;
    }
    return mfi_socket_known(fd, FD_SOCK);
}

int mf_udp_connect(const char *where, const mf_connect_options *opts)
{
    mf_connect_options o = {.size = sizeof o};
    mf_addr to, from;
    int rc;

    if (mfi_options_copy(&o, sizeof o, opts) < 0 || o.nodelay != 0)
        return mfi_explain(-EINVAL, "connect to '%s': bad options",
                           where != NULL ? where : "");
    if ((rc = mfi_net_parse("connect to", where, &to)) < 0 ||
        (o.bind != NULL &&
         (rc = mfi_net_parse("connect from", o.bind, &from)) < 0))
        return rc;
    rc = connect_to(&to, o.bind != NULL ? &from : NULL);
    return rc < 0 ? mfi_net_explain(rc, "connect to", where) : rc;
}

/* ---- datagrams ---------------------------------------------------------- */

static void give_addr(mf_addr *ret_from, const mf_addr *from)
{
    if (ret_from == NULL)
        return;
    ret_from->len = from->len;
    ret_from->ss.ss_family = AF_UNSPEC; /* of no length: a stream's */
    memcpy(&ret_from->ss, &from->ss, from->len);
}

int mf_recvfrom(int fd, void *buf, size_t len, mf_addr *ret_from,
                mf_deadline deadline)
{
    mf_addr from; /* as long as the kernel says, and no byte more */
    struct op op;
    int rc, flags;
    long n;

    if (len > MFI_IO_MAX)
        len = MFI_IO_MAX;
    if ((rc = mfi_op_begin(&op, fd, FD_IN, deadline)) < 0)
        return rc;
    flags = MSG_DONTWAIT | (op.rec->kind == FD_TCP ? 0 : MSG_TRUNC);
    do {
        from.len = sizeof from.ss;
        n = -EAGAIN;
        if (mfi_op_due(&op))
            n = ret_from == NULL
                    ? mfi_os_recv(fd, buf, len, flags)
                    : mfi_os_recvfrom(fd, buf, len, flags, &from.ss, &from.len);
    } while ((rc = mfi_op_again(&op, n, false)) == MFI_OP_AGAIN);
    if (rc >= 0 && (size_t)rc > len)
        rc = -EMSGSIZE;
    if (rc >= 0)
        give_addr(ret_from, &from);
    return mfi_op_end(&op, rc);
}

int mf_sendto(int fd, const void *buf, size_t len, const mf_addr *to,
              mf_deadline deadline)
{
    const void *sa = to != NULL ? &to->ss : NULL;
    socklen_t sa_len = to != NULL ? to->len : 0;
    struct op op;
    int rc;

    if (len > MFI_IO_MAX) /* cut, it would be another one */
        return -EMSGSIZE;
    if ((rc = mfi_op_begin(&op, fd, FD_OUT, deadline)) < 0)
        return rc;
    do {
        long n = -EAGAIN;

        if (mfi_op_due(&op))
            n = mfi_os_sendto(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL, sa,
                              sa_len);
        rc = mfi_op_again(&op, n, false);
    } while (rc == MFI_OP_AGAIN);
    return mfi_op_end(&op, rc);
}
