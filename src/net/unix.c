/* SPDX-License-Identifier: MIT */
/*
 * unix.c - unix sockets: listen, bind, connect, pair, peers, messages.
 *
 * Most of a unix socket is a socket: rw.c reads and writes it, tcp.c accepts.
 * Here is what is different.
 *
 *   Two waits have no edge. A connect to a listener whose queue is full fails
 *   with -EAGAIN, and so does a datagram to an *address* whose receiver is
 *   full; the kernel lets nobody wait for either (a *connected* datagram socket
 *   is told, by EPOLLOUT). Both are tried again after a pause, which doubles
 *   from 0.1 to 10 ms. Rejected: connecting on the offload pool, whose thread
 *   would hang there past any cancel; connecting the sender for the time of the
 *   wait, which others see.
 *
 *   fds. The kernel takes as many of a message's fds as the control buffer has
 *   room for and drops the rest, telling only by MSG_CTRUNC. The buffer has
 *   room for the most there can be, so a message with too many is known for
 *   certain; MSG_CTRUNC is left for "no free fd". In both cases what came is
 *   closed, and the call fails: an fd nobody knows of is a leak for ever. All
 *   come with close-on-exec set. They are not made known to the table: what
 *   they are and how they are used is the receiver's, and the first call adopts
 *   them.
 *
 *   A receiver takes a message by one system call or not at all; the wait
 *   before it is that of io/op.h. So who is cancelled has taken nothing.
 *
 * Sources: unix(7), cmsg(3), recv(2).
 */
#include <mayfly/task.h>
#include <mayfly/unix.h>
#include <string.h>

#include "io/op.h"
#include "net/addr.h"
#include "net/socket.h"
#include "net/sockfile.h"
#include "sched/explain.h"
#include "sched/options.h"

/* ---- names -------------------------------------------------------------- */

/* name is "@": the kernel chooses when it is bound to no name at all. */
static bool is_autobind(const char *name)
{
    return strcmp(name, "@") == 0 || strcmp(name, "unix:@") == 0;
}

static int parse_name(const char *what, const char *name, mf_addr *ret_addr)
{
    const char *why = "no name";
    int rc = mfi_addr_parse_unix(name, ret_addr, &why);

    return rc < 0 ? mfi_explain(rc, "%s '%s': %s", what,
                                name != NULL ? name : "", why)
                  : 0;
}

/* What a socket is bound to: an address, or, for "@", none but the family. */
static int parse_own(const char *what, const char *name, mf_addr *ret_addr)
{
    if (name == NULL || !is_autobind(name))
        return parse_name(what, name, ret_addr);
    *ret_addr = (mf_addr){.len = sizeof(sa_family_t)};
    ret_addr->ss.ss_family = AF_UNIX;
    return 0;
}

/* The path of an address, in a text of its own; NULL: it has none. */
static const char *path_of(const mf_addr *a, char *buf, size_t len)
{
    const size_t start = offsetof(struct sockaddr, sa_data);
    const char *path = (const char *)&a->ss + start;
    size_t n = a->len > start ? a->len - start : 0;

    if (n == 0 || *path == '\0' || n >= len)
        return NULL;
    memcpy(buf, path, n);
    buf[n] = '\0';
    return buf;
}

/* ---- listen, bind ------------------------------------------------------- */

static int bind_fresh(int fd, const mf_addr *a, const char *path)
{
    int rc = mfi_os_bind(fd, &a->ss, a->len);

    if (rc != -EADDRINUSE || (rc = mfi_sockfile_remove(path)) < 0)
        return rc;
    return mfi_os_bind(fd, &a->ss, a->len);
}

/* Bind, in one's turn if a stale file is to be removed. */
static int bind_to(int fd, const mf_addr *a, bool unlink)
{
    char buf[sizeof a->ss];
    const char *path = unlink ? path_of(a, buf, sizeof buf) : NULL;
    int turn, rc;

    if (path == NULL)
        return mfi_os_bind(fd, &a->ss, a->len);
    if ((turn = mfi_sockfile_turn(path)) < 0)
        return turn;
    rc = bind_fresh(fd, a, path);
    mfi_os_close(turn);
    return rc;
}

/* A socket of this type; own: its name, or NULL. Not known yet. */
static int make_socket(int type, const mf_addr *own, bool unlink)
{
    int fd = mfi_os_socket(AF_UNIX, type), rc;

    if (fd < 0 || own == NULL)
        return fd;
    if ((rc = bind_to(fd, own, unlink)) < 0) {
        mfi_os_close(fd);
        return rc;
    }
    return fd;
}

int mf_unix_listen(const char *name, const mf_unix_options *opts)
{
    mf_unix_options o = {.size = sizeof o};
    mf_addr own;
    int fd, rc;

    if (mfi_options_copy(&o, sizeof o, opts) < 0 || o.backlog < 0 ||
        (o.type != 0 && o.type != SOCK_STREAM && o.type != SOCK_SEQPACKET))
        return mfi_explain(-EINVAL, "listen on '%s': bad options",
                           name != NULL ? name : "");
    if ((rc = parse_own("listen on", name, &own)) < 0)
        return rc;
    fd = make_socket(o.type != 0 ? o.type : SOCK_STREAM, &own, o.unlink != 0);
    if (fd < 0)
        return mfi_net_explain(fd, "listen on", name);
    rc = mfi_os_listen(fd, o.backlog > 0 ? o.backlog : SOMAXCONN);
    if (rc < 0) {
        mfi_os_close(fd);
        return mfi_net_explain(rc, "listen on", name);
    }
    return mfi_socket_known(fd, FD_SOCK);
}

int mf_unix_bind(const char *name, const mf_unix_options *opts)
{
    mf_unix_options o = {.size = sizeof o};
    mf_addr own;
    int fd, rc;

    if (mfi_options_copy(&o, sizeof o, opts) < 0 || o.backlog != 0 ||
        (o.type != 0 && o.type != SOCK_DGRAM))
        return mfi_explain(-EINVAL, "bind to '%s': bad options",
                           name != NULL ? name : "");
    if (name != NULL && (rc = parse_own("bind to", name, &own)) < 0)
        return rc;
    fd = make_socket(SOCK_DGRAM, name != NULL ? &own : NULL, o.unlink != 0);
    if (fd < 0)
        return mfi_net_explain(fd, "bind to", name != NULL ? name : "nothing");
    return mfi_socket_known(fd, FD_SOCK);
}

/* ---- connect ------------------------------------------------------------ */

/* Nothing tells when to try again: 0, -ETIMEDOUT, -ECANCELED. */
static int take_a_break(mf_ns *pause, mf_ns at)
{
    mf_ns now = mf_now(), until;

    if (now >= at)
        return -ETIMEDOUT;
    *pause = *pause == 0 ? MF_USEC(100) : *pause * 2;
    if (*pause > MF_MSEC(10))
        *pause = MF_MSEC(10);
    until = mfi_time_add(now, *pause);
    return mf_sleep_until(mf_at(until < at ? until : at));
}

static int connect_retry(int fd, const mf_addr *to, mf_ns at)
{
    mf_ns pause = 0;
    int rc;

    for (;;) {
        rc = mfi_os_connect(fd, &to->ss, to->len);
        if (rc == -EAGAIN)
            rc = take_a_break(&pause, at);
        else if (rc != -EINTR)
            return rc;
        if (rc < 0 && rc != -EINTR)
            return rc;
    }
}

static bool is_type(int type)
{
    return type == SOCK_STREAM || type == SOCK_SEQPACKET || type == SOCK_DGRAM;
}

int mf_unix_connect(const char *name, const mf_unix_connect_options *opts,
                    mf_deadline deadline)
{
    mf_unix_connect_options o = {.size = sizeof o};
    struct agent *a = mfi_agent();
    mf_addr to, own;
    int fd, rc;

    if (mfi_options_copy(&o, sizeof o, opts) < 0 ||
        (o.type != 0 && !is_type(o.type)))
        return mfi_explain(-EINVAL, "connect to '%s': bad options",
                           name != NULL ? name : "");
    if ((rc = parse_name("connect to", name, &to)) < 0 ||
        (o.bind != NULL && (rc = parse_own("connect from", o.bind, &own)) < 0))
        return rc;
    if ((rc = a != NULL ? mfi_cancel_point(a) : -ENOMEM) < 0)
        return rc;
    fd = make_socket(o.type != 0 ? o.type : SOCK_STREAM,
                     o.bind != NULL ? &own : NULL, false);
    if (fd < 0)
        return mfi_net_explain(fd, "connect from",
                               o.bind != NULL ? o.bind : "nothing");
    if ((rc = connect_retry(fd, &to, mfi_time_of(deadline))) < 0) {
        mfi_os_close(fd);
        return mfi_net_explain(rc, "connect to", name);
    }
    return mfi_socket_known(fd, FD_SOCK);
}

int mf_unix_pair(int type, int ret_fds[2])
{
    int fds[2], rc;

    if (ret_fds == NULL || !is_type(type))
        return -EINVAL;
    rc = (int)mfi_sys4(SYS_socketpair, AF_UNIX,
                       type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
    if (rc < 0)
        return rc;
    if ((rc = mfi_socket_known(fds[0], FD_SOCK)) < 0) {
        mfi_os_close(fds[1]);
        return rc;
    }
    if ((rc = mfi_socket_known(fds[1], FD_SOCK)) < 0) {
        mf_close(fds[0]);
        return rc;
    }
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

/* ---- who is there ------------------------------------------------------- */

int mf_unix_peer(int fd, mf_unix_cred *ret_cred)
{
    struct ucred cred = {.pid = 0};
    socklen_t len = sizeof cred;
    int domain = 0, rc;

    if (ret_cred == NULL)
        return -EINVAL;
    if ((rc = mfi_os_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)) < 0)
        return rc;
    if (cred.uid == (uid_t)-1) { /* nobody, or not that kind of socket */
        len = sizeof domain;
        rc = mfi_os_getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
        return rc < 0 ? rc : domain == AF_UNIX ? -ENOTCONN : -EAFNOSUPPORT;
    }
    *ret_cred =
        (mf_unix_cred){.pid = cred.pid, .uid = cred.uid, .gid = cred.gid};
    return 0;
}

/* ---- messages with fds -------------------------------------------------- */

/* Beside the fds: credentials and the like, if the user asked for them. */
enum { FDS_LEN = MF_UNIX_FDS * sizeof(int), OTHERS_LEN = 256 };

union freight {
    struct cmsghdr align;
    char room[CMSG_SPACE(FDS_LEN) + OTHERS_LEN];
};

static void load(struct msghdr *msg, union freight *f, const int *fds, int n)
{
    size_t len = (size_t)n * sizeof *fds;
    struct cmsghdr *c;

    if (n == 0)
        return;
    memset(f, 0, CMSG_SPACE(len));
    msg->msg_control = f;
    msg->msg_controllen = CMSG_SPACE(len);
    c = CMSG_FIRSTHDR(msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), fds, len);
}

static bool is_stream(int fd)
{
    int type = SOCK_STREAM;
    socklen_t len = sizeof type;

    (void)mfi_os_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
    return type == SOCK_STREAM;
}

int mf_unix_send(int fd, const void *buf, size_t len, const int *fds,
                 int nr_fds, mf_deadline deadline)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    union freight f;
    struct op op;
    long n;
    int rc;

    if (nr_fds < 0 || nr_fds > MF_UNIX_FDS || (fds == NULL && nr_fds > 0))
        return -EINVAL;
    if (nr_fds > 0 && len == 0 && is_stream(fd))
        return -EINVAL; /* the kernel would drop them */
    if (len > MFI_IO_MAX)
        iov.iov_len = MFI_IO_MAX;
    if ((rc = mfi_op_begin(&op, fd, FD_OUT, deadline)) < 0)
        return rc;
    load(&msg, &f, fds, nr_fds);
    do {
        n = mfi_op_due(&op)
                ? mfi_os_sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL)
                : -EAGAIN;
    } while ((rc = mfi_op_again(&op, n, false)) == MFI_OP_AGAIN);
    return mfi_op_end(&op, rc);
}

/* The fds that came, one after the other; the kernel packs them together. */
static int fds_of(struct msghdr *msg, char **ret_bytes)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);

    for (; c != NULL; c = CMSG_NXTHDR(msg, c)) {
        /* NOLINTNEXTLINE(clang-analyzer-core*): the kernel wrote it */
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        *ret_bytes = (char *)CMSG_DATA(c);
        return (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    }
    return 0;
}

/* The message is there: hand its fds over, or close them and say why. */
static int take(struct msghdr *msg, int *fds, int max, int n)
{
    const char *why = NULL;
    char *bytes = NULL;
    int nr = fds_of(msg, &bytes), fd;

    if ((msg->msg_flags & MSG_TRUNC) != 0)
        why = "it is longer than the buffer";
    else if (nr > max)
        why = "it has more fds than there is room for";
    else if ((msg->msg_flags & MSG_CTRUNC) != 0)
        why = "no free fd for one that came with it";
    for (int i = 0; why != NULL && i < nr; i++) {
        memcpy(&fd, bytes + (size_t)i * sizeof fd, sizeof fd);
        mf_close(fd);
    }
    if (why != NULL)
        return mfi_explain(-EMSGSIZE, "a message is lost: %s", why);
    for (int i = 0; i < max; i++)
        fds[i] = -1;
    if (nr > 0)
        memcpy(fds, bytes, (size_t)nr * sizeof *fds);
    return n;
}

int mf_unix_recv(int fd, void *buf, size_t len, int *ret_fds, int max_fds,
                 mf_deadline deadline)
{
    struct iovec iov = {.iov_base = buf, .iov_len = len};
    struct msghdr msg;
    union freight f;
    struct op op;
    long n;
    int rc;

    if (max_fds < 0 || (ret_fds == NULL && max_fds > 0))
        return -EINVAL;
    if (len > MFI_IO_MAX)
        iov.iov_len = MFI_IO_MAX;
    if ((rc = mfi_op_begin(&op, fd, FD_IN, deadline)) < 0)
        return rc;
    do {
        msg = (struct msghdr){.msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_control = &f,
                              .msg_controllen = sizeof f};
        n = mfi_op_due(&op)
                ? mfi_os_recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)
                : -EAGAIN;
    } while ((rc = mfi_op_again(&op, n, false)) == MFI_OP_AGAIN);
    if (rc >= 0)
        rc = take(&msg, ret_fds, max_fds, rc);
    return mfi_op_end(&op, rc);
}

/* ---- datagrams with addresses ------------------------------------------- */

int mf_unix_send_to(int fd, const void *buf, size_t len, const mf_addr *to,
                    mf_deadline deadline)
{
    mf_ns pause = 0;
    struct op op;
    long n;
    int rc;

    if (to == NULL || to->ss.ss_family != AF_UNIX)
        return -EINVAL;
    if ((rc = mfi_op_begin(&op, fd, FD_OUT, deadline)) < 0)
        return rc;
    for (;;) {
        n = mfi_sys6(SYS_sendto, fd, MFI_L(buf), MFI_L(len),
                     MSG_DONTWAIT | MSG_NOSIGNAL, MFI_L(&to->ss), to->len);
        if (n == -EAGAIN) {
            op.waited = true;
            n = take_a_break(&pause, op.at);
            if (mfi_fd_closing(op.rec))
                n = -EBADF;
        } else if (n != -EINTR) {
            break;
        }
        if (n < 0 && n != -EINTR)
            break;
    }
    return mfi_op_end(&op, (int)n);
}

int mf_unix_recv_from(int fd, void *buf, size_t len, mf_addr *ret_from,
                      mf_deadline deadline)
{
    struct iovec iov = {.iov_base = buf, .iov_len = len};
    mf_addr from;
    struct msghdr msg;
    struct op op;
    long n;
    int rc;

    if (len > MFI_IO_MAX)
        iov.iov_len = MFI_IO_MAX;
    if ((rc = mfi_op_begin(&op, fd, FD_IN, deadline)) < 0)
        return rc;
    do {
        from.ss.ss_family = AF_UNIX;
        msg = (struct msghdr){.msg_iov = &iov,
                              .msg_iovlen = 1,
                              .msg_name = &from.ss,
                              .msg_namelen = sizeof from.ss};
        n = mfi_op_due(&op) ? mfi_os_recvmsg(fd, &msg, MSG_DONTWAIT) : -EAGAIN;
    } while ((rc = mfi_op_again(&op, n, false)) == MFI_OP_AGAIN);
    if (rc >= 0 && (msg.msg_flags & MSG_TRUNC) != 0)
        rc = mfi_explain(-EMSGSIZE,
                         "a message is lost: it is longer than the buffer");
    if (rc >= 0 && ret_from != NULL) {
        from.len = msg.msg_namelen;
        *ret_from = from;
    }
    return mfi_op_end(&op, rc);
}
