/* SPDX-License-Identifier: MIT */
/*
 * connect.c - mf_tcp_connect: to one address, or to the first of a name's that
 * answers.
 *
 * An address: connect, and if it is under way wait until the socket can be
 * written. A name: RFC 8305 ("happy eyeballs") section 5, without its DNS half,
 * as the resolver answers both families at once. The addresses come in the
 * order to try them in; each gets ATTEMPT_DELAY before the next is begun beside
 * it, and a failure begins the next at once. All sockets under way are the
 * cases of one select, whose deadline is the next attempt's begin, so no task
 * is needed for any of them:
 *
 *     begin one -> select (deadline: next begin) --writable--> made: it has won
 *         ^               | timeout                | failed: remember why
 *         +---------------+------------------------+
 *
 * However it ends, every socket but the winner's is closed before the return.
 * Of several failures the one that says most about the other end is returned:
 * somebody who refuses was there, an address without a route was not.
 *
 * What a name's attempt needs is allocated, together, as it is too much for a
 * stack; an address needs none of it.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "base/time.h"
#include "io/op.h"
#include "net/addr.h"
#include "net/lookup.h"
#include "net/socket.h"
#include "os/event.h"
#include "sched/explain.h"
#include "sched/options.h"
#include "sync/select.h"

enum {
    ATTEMPTS = MF_SELECT_MAX, /* at once; a name's further addresses wait */
    ADDRS = 32,
};
#define ATTEMPT_DELAY MF_MSEC(250) /* RFC 8305, 5 and 8 */

/* ---- one socket --------------------------------------------------------- */

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

/* A socket on its way to `to`. *ret_rc: 0 made already, or -EINPROGRESS. */
static int begin_connect(const mf_addr *to, const mf_addr *from, bool nodelay,
                         int *ret_rc)
{
    int fd = mfi_os_socket(to->ss.ss_family, SOCK_STREAM), rc, on = 1;

    if (fd < 0)
        return fd;
    if ((nodelay && (rc = mfi_os_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
                                            sizeof on)) < 0) ||
        (from != NULL && (rc = mfi_os_bind(fd, &from->ss, from->len)) < 0)) {
        mfi_os_close(fd);
        return rc;
    }
    if ((rc = mfi_socket_known(fd, FD_TCP)) < 0)
        return rc;
    rc = mfi_os_connect(fd, &to->ss, to->len);
    for (int i = 0; rc == -EINTR && i < A_MOMENT; i++)
        rc = mfi_os_connect(fd, &to->ss, to->len);
    if (rc < 0 && rc != -EINPROGRESS) {
        mf_close(fd);
        return rc;
    }
    *ret_rc = rc;
    return fd;
}

static int connect_to(const mf_addr *to, const mf_addr *from, bool nodelay,
                      mf_deadline deadline)
{
    int rc = 0, fd = begin_connect(to, from, nodelay, &rc);

    if (fd >= 0 && rc == -EINPROGRESS &&
        (rc = finish_connect(fd, deadline)) < 0) {
        mf_close(fd);
        return rc;
    }
    return fd;
}

/* ---- several ------------------------------------------------------------ */

struct race {
    const mf_addr *from; /* NULL: any */
    bool nodelay;
    int n;          /* addresses */
    int next;       /* the first not begun */
    int n_on;       /* under way */
    int rc;         /* the most telling failure so far; 0: none */
    mf_ns begin_at; /* when the next is due */
    mf_case on[ATTEMPTS];
    mf_addr addrs[ADDRS];
};

/* How much a failure says about the other end. */
static int telling(int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case -EAFNOSUPPORT: /* it is about us */
    case -EADDRNOTAVAIL:
    case -EINVAL:
        return 1;
    case -ENETUNREACH:
    case -EHOSTUNREACH:
    case -ENETDOWN:
        return 2;
    case -ETIMEDOUT: /* the kernel's, after minutes */
        return 3;
    case -EACCES:
    case -EPERM:
        return 4;
    case -ECONNREFUSED:
    case -ECONNRESET:
        return 5;
    default: /* no fd, no memory: no address can change it */
        return 6;
    }
}

static void failed(struct race *r, int rc)
{
    if (telling(rc) > telling(r->rc))
        r->rc = rc;
    r->begin_at = 0; /* RFC 8305 5: no need to wait then */
}

/* The local address for one of `family`; false: bind has none. */
static bool local_for(const struct race *r, int family, mf_addr *ret)
{
    *ret = *r->from;
    return ret->ss.ss_family == family ||
           (family == AF_INET && mfi_addr_any4(ret));
}

/* Begin the next one. Its fd if it is made already, else < 0. */
static int begin_next(struct race *r, mf_ns now)
{
    const mf_addr *to = &r->addrs[r->next++];
    int rc = 0, fd = -EADDRNOTAVAIL;
    mf_addr from;

    r->begin_at = mfi_time_add(now, ATTEMPT_DELAY);
    if (r->from == NULL || local_for(r, to->ss.ss_family, &from))
        fd = begin_connect(to, r->from != NULL ? &from : NULL, r->nodelay, &rc);
    if (fd < 0) {
        failed(r, fd);
        return fd;
    }
    if (rc == 0)
        return fd;
    r->on[r->n_on++] = mf_on_fd(fd, POLLOUT);
    return -EINPROGRESS;
}

/* Something happened to one under way. Its fd if it is made, else < 0. */
static int look_at(struct race *r, int i)
{
    int fd = r->on[i].fd, rc = r->on[i].res;

    if (rc >= 0)
        rc = connected(fd);
    if (rc == -EAGAIN)
        return rc;
    r->on[i] = r->on[--r->n_on];
    if (rc == 0)
        return fd;
    mf_close(fd);
    failed(r, rc);
    return rc;
}

static bool may_begin(const struct race *r)
{
    return r->next < r->n && r->n_on < ATTEMPTS;
}

/* The winner's fd, or why there is none. */
static int run(struct race *r, mf_deadline deadline)
{
    mf_ns at = mfi_time_of(deadline), now;
    int rc;

    for (;;) {
        now = mf_now();
        while (may_begin(r) && now >= r->begin_at)
            if ((rc = begin_next(r, now)) >= 0)
                return rc;
        if (r->n_on == 0)
            return r->rc;
        rc =
            mf_select(r->on, r->n_on,
                      mfi_deadline_of(
                          may_begin(r) && r->begin_at < at ? r->begin_at : at));
        if (rc >= 0) {
            if ((rc = look_at(r, rc)) >= 0)
                return rc;
        } else if (rc != -ETIMEDOUT || at <= mf_now()) {
            return rc;
        }
    }
}

static int connect_name(const char *where, const mf_addr *from, bool nodelay,
                        mf_deadline deadline)
{
    struct race *r = malloc(sizeof *r); /* tidy: allow malloc, because it is
                                           too much for a stack */
    int rc;

    if (r == NULL)
        return -ENOMEM;
    r->from = from;
    r->nodelay = nodelay;
    r->next = r->n_on = r->rc = 0;
    r->begin_at = 0;
    rc = r->n =
        mfi_resolve("connect to", where, AF_UNSPEC, r->addrs, ADDRS, deadline);
    if (rc > 0) {
        rc = run(r, deadline);
        for (int i = 0; i < r->n_on; i++)
            mf_close(r->on[i].fd);
        if (rc < 0)
            rc = mfi_explain(rc, "connect to %.60s: %s (%d of %d addresses)",
                             where, mf_strerror(rc), r->next, r->n);
    }
    free(r); /* tidy: allow malloc, because it was made above */
    return rc;
}

/* ---- the call ----------------------------------------------------------- */

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
    const char *why;
    mf_addr to, from;
    bool numeric;
    int rc;

    if (mfi_options_copy(&o, sizeof o, opts) < 0)
        return mfi_explain(-EINVAL, "connect to '%s': bad options",
                           where != NULL ? where : "");
    if (o.bind != NULL &&
        (rc = mfi_net_parse("connect from", o.bind, &from)) < 0)
        return rc;
    numeric = where != NULL && mfi_addr_parse(where, &to, &why) == 0;
    /* Nobody shall see a connection that was cancelled before it began. */
    if ((rc = a != NULL ? mfi_cancel_point(a) : -ENOMEM) < 0)
        return rc;
    if (!numeric)
        return connect_name(where, o.bind != NULL ? &from : NULL,
                            o.nodelay != 0, deadline);
    rc = connect_to(&to, o.bind != NULL ? &from : NULL, o.nodelay != 0,
                    deadline);
    if (rc == -ECONNREFUSED && o.bind == NULL && other_loopback(where, &to))
        rc = connect_to(&to, NULL, o.nodelay != 0, deadline);
    return rc < 0 ? mfi_net_explain(rc, "connect to", where) : rc;
}
