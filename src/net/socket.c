/* SPDX-License-Identifier: MIT */
/* socket.c - options, names, shutdown, peek: what any socket can do. */
#include "net/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "io/op.h"
#include "net/addr.h"
#include "sched/explain.h"

int mfi_socket_known(int fd, enum fd_kind kind)
{
    struct wake_list woken;
    int rc;

    mfi_wake_list_init(&woken);
    rc = mfi_fd_open(fd, kind, &woken);
    mfi_wake(&woken);
    if (rc < 0)
        mfi_os_close(fd);
    return rc < 0 ? rc : fd;
}

int mfi_net_explain(int rc, const char *what, const char *where)
{
    return mfi_explain(rc, "%s %s: %s", what, where, mf_strerror(rc));
}

int mfi_net_parse(const char *what, const char *where, mf_addr *ret_addr)
{
    const char *why = "no address";
    int rc;

    rc = where == NULL ? -EINVAL : mfi_addr_parse(where, ret_addr, &why);
    return rc < 0 ? mfi_explain(rc, "%s '%s': %s", what,
                                where != NULL ? where : "", why)
                  : 0;
}

int mf_addr_parse(const char *where, mf_addr *ret_addr)
{
    const char *why = "";
    int rc;

    if (ret_addr == NULL)
        return -EINVAL;
    if (where == NULL || !mfi_addr_is_unix(where))
        return mfi_net_parse("address", where, ret_addr);
    rc = mfi_addr_parse_unix(where, ret_addr, &why);
    return rc < 0 ? mfi_explain(rc, "address '%s': %s", where, why) : 0;
}

int mf_local_addr(int fd, mf_addr *ret_addr)
{
    mf_addr a = {.len = sizeof a.ss};
    int rc;

    if (ret_addr == NULL)
        return -EINVAL;
    if ((rc = mfi_os_sockname(fd, &a.ss, &a.len)) < 0)
        return rc;
    *ret_addr = a;
    return 0;
}

int mf_peer_addr(int fd, mf_addr *ret_addr)
{
    mf_addr a = {.len = sizeof a.ss};
    int rc;

    if (ret_addr == NULL)
        return -EINVAL;
    if ((rc = mfi_os_peername(fd, &a.ss, &a.len)) < 0)
        return rc;
    *ret_addr = a;
    return 0;
}

int mf_shutdown(int fd, int how)
{
    return mfi_os_shutdown(fd, how);
}

int mf_peek(int fd, void *buf, size_t len, mf_deadline deadline)
{
    struct op op;
    long n;
    int rc;

    if (len > MFI_IO_MAX)
        len = MFI_IO_MAX;
    if ((rc = mfi_op_begin(&op, fd, FD_IN, deadline)) < 0)
        return rc;
    if (len == 0)
        return mfi_op_end(&op, 0);
    do
        n = mfi_op_due(&op) ? mfi_os_recv(fd, buf, len, MSG_DONTWAIT | MSG_PEEK)
                            : -EAGAIN;
    while ((rc = mfi_op_again(&op, n, false)) == MFI_OP_AGAIN);
    return mfi_op_end(&op, rc);
}

/* ---- options ------------------------------------------------------------ */

/* What a family without any options of this level says. */
static int no_option(int rc)
{
    return rc == -EOPNOTSUPP ? -ENOPROTOOPT : rc;
}

static int set_int(int fd, int level, int name, int value)
{
    return no_option(mfi_os_setsockopt(fd, level, name, &value, sizeof value));
}

static int get_int(int fd, int level, int name, int *ret_value)
{
    socklen_t len = sizeof *ret_value;

    return no_option(mfi_os_getsockopt(fd, level, name, ret_value, &len));
}

/* An option that is one int to the kernel too; false: it is not. */
static bool simple_option(enum mf_sockopt opt, int *ret_level, int *ret_name)
{
    static const struct {
        int level, name;
    } table[] = {
        [MF_SO_NODELAY] = {IPPROTO_TCP, TCP_NODELAY},
        [MF_SO_SNDBUF] = {SOL_SOCKET, SO_SNDBUF},
        [MF_SO_RCVBUF] = {SOL_SOCKET, SO_RCVBUF},
        [MF_SO_REUSEADDR] = {SOL_SOCKET, SO_REUSEADDR},
        [MF_SO_REUSEPORT] = {SOL_SOCKET, SO_REUSEPORT},
        [MF_SO_V6ONLY] = {IPPROTO_IPV6, IPV6_V6ONLY},
        [MF_SO_ERROR] = {SOL_SOCKET, SO_ERROR},
        [MF_SO_BROADCAST] = {SOL_SOCKET, SO_BROADCAST},
        [MF_SO_KEEPINTVL] = {IPPROTO_TCP, TCP_KEEPINTVL},
        [MF_SO_KEEPCNT] = {IPPROTO_TCP, TCP_KEEPCNT},
        [MF_SO_FASTOPEN] = {IPPROTO_TCP, TCP_FASTOPEN},
    };

    if ((size_t)opt >= sizeof table / sizeof table[0] || table[opt].name == 0)
        return false;
    *ret_level = table[opt].level;
    *ret_name = table[opt].name;
    return true;
}

static int domain_of(int fd)
{
    int domain, rc = get_int(fd, SOL_SOCKET, SO_DOMAIN, &domain);

    return rc < 0 ? rc : domain;
}

static int set_keepalive(int fd, int seconds)
{
    int rc;

    if (seconds < 0)
        return -EINVAL;
    rc = set_int(fd, SOL_SOCKET, SO_KEEPALIVE, seconds > 0);
    if (rc == 0 && seconds > 0)
        rc = set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
    return rc;
}

static int set_linger(int fd, int seconds)
{
    struct linger l = {.l_onoff = seconds >= 0,
                       .l_linger = seconds >= 0 ? seconds : 0};

    if (seconds < -1)
        return -EINVAL;
    return mfi_os_setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
}

static int set_ttl(int fd, int hops)
{
    int domain = domain_of(fd), rc;

    if (domain < 0)
        return domain;
    if (hops < 1 || hops > 255)
        return -EINVAL;
    /* An IPv6 socket may speak to IPv4 peers: that goes by the other option. */
    if (domain == AF_INET6 &&
        (rc = set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hops)) < 0)
        return rc;
    return set_int(fd, IPPROTO_IP, IP_TTL, hops);
}

/*
 * An IPv6 socket that takes IPv4 too has these twice: what holds for one family
 * shall hold for the other.
 */
static int set_mcast(int fd, enum mf_sockopt opt, int value)
{
    bool ttl = opt == MF_SO_MCAST_TTL;
    int domain = domain_of(fd), rc;

    if (domain < 0)
        return domain;
    if (value < 0 || value > (ttl ? 255 : 1))
        return -EINVAL;
    rc = set_int(fd, IPPROTO_IP, ttl ? IP_MULTICAST_TTL : IP_MULTICAST_LOOP,
                 value);
    if (domain == AF_INET6)
        rc = set_int(fd, IPPROTO_IPV6,
                     ttl ? IPV6_MULTICAST_HOPS : IPV6_MULTICAST_LOOP, value);
    return rc;
}

static int get_mcast(int fd, enum mf_sockopt opt, int *value)
{
    bool ttl = opt == MF_SO_MCAST_TTL;
    int domain = domain_of(fd);

    if (domain < 0)
        return domain;
    if (domain == AF_INET6)
        return get_int(fd, IPPROTO_IPV6,
                       ttl ? IPV6_MULTICAST_HOPS : IPV6_MULTICAST_LOOP, value);
    return get_int(fd, IPPROTO_IP, ttl ? IP_MULTICAST_TTL : IP_MULTICAST_LOOP,
                   value);
}

int mf_sockopt_set(int fd, enum mf_sockopt opt, int value)
{
    int level, name;

    switch (opt) {
    case MF_SO_KEEPALIVE:
        return set_keepalive(fd, value);
    case MF_SO_LINGER:
        return set_linger(fd, value);
    case MF_SO_TTL:
        return set_ttl(fd, value);
    case MF_SO_MCAST_TTL:
    case MF_SO_MCAST_LOOP:
        return set_mcast(fd, opt, value);
    case MF_SO_ERROR:
        return -EINVAL;
    case MF_SO_NODELAY:
    case MF_SO_REUSEADDR:
    case MF_SO_REUSEPORT:
    case MF_SO_V6ONLY:
    case MF_SO_BROADCAST:
        if (value != 0 && value != 1)
            return -EINVAL;
        break;
    case MF_SO_KEEPINTVL: /* the kernel refuses what is out of range */
    case MF_SO_KEEPCNT:
        break;
    case MF_SO_SNDBUF:
    case MF_SO_RCVBUF:
    case MF_SO_FASTOPEN:
        if (value < 0)
            return -EINVAL;
        break;
    }
    return simple_option(opt, &level, &name) ? set_int(fd, level, name, value)
                                             : -EINVAL;
}

static int get_special(int fd, enum mf_sockopt opt, int *value)
{
    struct linger l;
    socklen_t len = sizeof l;
    int rc, domain;

    if (opt == MF_SO_KEEPALIVE) {
        rc = get_int(fd, SOL_SOCKET, SO_KEEPALIVE, value);
        return rc < 0 || *value == 0
                   ? rc
                   : get_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, value);
    }
    if (opt == MF_SO_LINGER) {
        rc = mfi_os_getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len);
        if (rc >= 0)
            *value = l.l_onoff != 0 ? l.l_linger : -1;
        return rc;
    }
    if (opt == MF_SO_MCAST_TTL || opt == MF_SO_MCAST_LOOP)
        return get_mcast(fd, opt, value);
    if (opt != MF_SO_TTL)
        return -EINVAL;
    if ((domain = domain_of(fd)) < 0)
        return domain;
    return domain == AF_INET6
               ? get_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, value)
               : get_int(fd, IPPROTO_IP, IP_TTL, value);
}

int mf_sockopt_get(int fd, enum mf_sockopt opt, int *ret_value)
{
    int level, name, value = 0, rc;

    if (ret_value == NULL)
        return -EINVAL;
    rc = simple_option(opt, &level, &name) ? get_int(fd, level, name, &value)
                                           : get_special(fd, opt, &value);
    if (rc < 0)
        return rc;
    *ret_value = opt == MF_SO_ERROR ? -value : value;
    return 0;
}
