/* SPDX-License-Identifier: MIT */
/*
 * cares.c - questions answered by c-ares, driven by a task parked on its
 * sockets.
 *
 * One channel, and one task of the root scope that has it, as long as there are
 * questions: it starts with the first and ends with the last, so resolv.conf
 * is read afresh then and no socket is left open. Who asks puts the question
 * into the queue and posts the bell; only the driver ever calls c-ares, so
 * nothing of it runs inside another's call, and no lock is held over it:
 *
 *     take the queue -> ares_getaddrinfo each -> select (its sockets, the bell,
 *          ^                                       its next timeout)
 *          +---- ares_process_fd what is ready <-----+
 *
 * The driver's end and a question that comes meanwhile are told apart under the
 * lock: it ends only while the queue is empty, and then `running` is false.
 *
 * The root scope is cancelled by a stop. Then c-ares is told to give up, and
 * what is wanted still (by plain threads; all tasks are cancelled as well) goes
 * to getaddrinfo: so no question is lost and a stop does not wait for servers.
 *
 * Its sockets are made and closed by our functions, so the fd table knows of
 * them. Reading /etc/hosts and resolv.conf is plain file I/O in the driver.
 */
#include <ares.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "net/lookup.h"
#include "net/socket.h"
#include "os/io.h"
#include "sync/select.h"

const char mfi_cares_version[] = "c-ares " ARES_VERSION_STR;

static struct {
    struct spin lock;
    struct lookup *head;
    struct lookup *tail;
    bool running;
    mf_sem bell; /* one permit for each question */
} cares;

struct driver {
    ares_channel channel;
    int nr_asked; /* not answered yet */
    bool given_up;
};

struct asked {
    struct driver *driver;
    struct lookup *lookup;
};

bool mfi_cares_wanted(void)
{
    static _Atomic uint32_t known; /* 1 no, 2 yes */
    uint32_t is = mfi_load_rlx(&known);

    if (is == 0) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
        const char *text = getenv("MF_RESOLVER");

        is = text != NULL && strcmp(text, "getaddrinfo") == 0 ? 1 : 2;
        mfi_store_rlx(&known, is);
    }
    return is == 2;
}

/* ---- its sockets -------------------------------------------------------- */

static ares_socket_t make_socket(int domain, int type, int protocol, void *arg)
{
    int fd = mfi_os_socket(domain, type);

    (void)protocol;
    (void)arg;
    if (fd >= 0)
        fd = mfi_socket_known(fd, FD_SOCK);
    return (ares_socket_t)mfi_os_as_libc(fd);
}

static int close_socket(ares_socket_t fd, void *arg)
{
    (void)arg;
    return (int)mfi_os_as_libc(mf_close(fd));
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *sa,
                          ares_socklen_t len, void *arg)
{
    (void)arg;
    return (int)mfi_os_as_libc(mfi_os_connect(fd, sa, len));
}

static ares_ssize_t receive(ares_socket_t fd, void *buf, size_t len, int flags,
                            struct sockaddr *from, ares_socklen_t *from_len,
                            void *arg)
{
    (void)arg;
    return mfi_os_as_libc(mfi_sys6(SYS_recvfrom, fd, MFI_L(buf), MFI_L(len),
                                   flags, MFI_L(from), MFI_L(from_len)));
}

static ares_ssize_t send_all(ares_socket_t fd, const struct iovec *iov, int n,
                             void *arg)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                         .msg_iovlen = (size_t)n};

    (void)arg;
    return mfi_os_as_libc(mfi_os_sendmsg(fd, &msg, MSG_NOSIGNAL));
}

static const struct ares_socket_functions socket_functions = {
    make_socket, close_socket, connect_socket, receive, send_all};

/* ---- answers ------------------------------------------------------------ */

static int map_error(int status, const char **ret_why)
{
    switch (status) {
    case ARES_ENOTFOUND:
        *ret_why = "no such name";
        return -ENOENT;
    case ARES_ENODATA:
        *ret_why = "the name has no address of this family";
        return -ENOENT;
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ECONNREFUSED:
    case ARES_ETIMEOUT:
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        *ret_why = "name servers failed or did not answer";
        return -EAGAIN;
    case ARES_ENOMEM:
        return -ENOMEM;
    case ARES_EBADNAME:
        *ret_why = "not a name that can be asked for";
        return -EINVAL;
    default: /* ARES_EFORMERR, ARES_EBADRESP, ARES_ENOTIMP, ... */
        *ret_why = "a name server refused, or its answer makes no sense";
        return -EIO;
    }
}

static void take_answer(struct lookup *l, int status,
                        const struct ares_addrinfo *list)
{
    struct found f = {.addrs = NULL};
    const char *why = NULL;
    int rc;

    if (status != ARES_SUCCESS || list == NULL) {
        rc = map_error(status, &why);
    } else {
        for (struct ares_addrinfo_node *n = list->nodes; n != NULL;
             n = n->ai_next)
            mfi_found_add(&f, n->ai_addr);
        if ((rc = f.n) == 0)
            rc = f.rc < 0 ? f.rc : -ENOENT;
    }
    mfi_lookup_done(l, rc, why, f.addrs);
}

static void answered(void *arg, int status, int timeouts,
                     struct ares_addrinfo *list)
{
    struct asked *asked = arg;
    struct driver *d = asked->driver;
    struct lookup *l = asked->lookup;

    (void)timeouts;
    d->nr_asked--;
    free(asked); /* tidy: allow malloc, because ask() made it */
    if (d->given_up && mfi_lookup_wanted(l))
        mfi_gai_ask(l);
    else
        take_answer(l, status, list);
    if (list != NULL)
        ares_freeaddrinfo(list);
}

/* ---- the driver --------------------------------------------------------- */

/* The next question; NULL: none. last: and then there is no driver any more. */
static struct lookup *next_question(bool last)
{
    struct lookup *l;

    mfi_spin_lock(&cares.lock);
    l = cares.head;
    if (l != NULL)
        cares.head = l->next;
    else if (last)
        cares.running = false;
    mfi_spin_unlock(&cares.lock);
    return l;
}

static void ask(struct driver *d, struct lookup *l)
{
    struct ares_addrinfo_hints hints = {.ai_family = l->family,
                                        .ai_socktype = SOCK_STREAM};
    struct asked *asked;

    if (!mfi_lookup_wanted(l)) {
        mfi_lookup_done(l, -ECANCELED, NULL, NULL);
        return;
    }
    asked = malloc(sizeof *asked); /* tidy: allow malloc, because c-ares does */
    if (asked == NULL) {
        mfi_lookup_done(l, -ENOMEM, NULL, NULL);
        return;
    }
    *asked = (struct asked){d, l};
    d->nr_asked++;
    ares_getaddrinfo(d->channel, l->name, NULL, &hints, answered, asked);
}

/* Its sockets, and the bell. How many cases. */
static int gather(struct driver *d, mf_case *cases)
{
    ares_socket_t fds[ARES_GETSOCK_MAXNUM];
    unsigned bits =
        (unsigned)ares_getsock(d->channel, fds, ARES_GETSOCK_MAXNUM);
    int n = 0;

    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        /* As ARES_GETSOCK_READABLE and _WRITABLE, but they shift ints. */
        short events = (short)((bits >> i & 1 ? POLLIN : 0) |
                               (bits >> (i + 16) & 1 ? POLLOUT : 0));

        if (events != 0)
            cases[n++] = mf_on_fd(fds[i], events);
    }
    cases[n++] = mf_on_sem(&cares.bell);
    return n;
}

static mf_deadline next_timeout(struct driver *d)
{
    struct timeval tv, *t = ares_timeout(d->channel, NULL, &tv);

    return t == NULL ? MF_NEVER
                     : mf_after(MF_SEC(t->tv_sec) + MF_USEC(t->tv_usec) + 1);
}

static void process(struct driver *d, const mf_case *c)
{
    bool in = (c->res & ~POLLOUT) != 0, out = (c->res & ~POLLIN) != 0;

    ares_process_fd(d->channel, in ? c->fd : ARES_SOCKET_BAD,
                    out ? c->fd : ARES_SOCKET_BAD);
}

/* Until nothing is left to be answered, or a cancel. */
static void drive(struct driver *d)
{
    mf_case cases[ARES_GETSOCK_MAXNUM + 1];
    struct lookup *l;
    int n, rc;

    for (;;) {
        while ((l = next_question(false)) != NULL)
            ask(d, l);
        if (d->nr_asked == 0)
            return;
        n = gather(d, cases);
        rc = mf_select(cases, n, next_timeout(d));
        if (rc == -ETIMEDOUT)
            ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        else if (rc < 0)
            break;
        else if (rc < n - 1)
            process(d, &cases[rc]);
    }
    d->given_up = true;
    ares_cancel(d->channel);
}

static int run_channel(struct driver *d)
{
    int rc = ares_library_init(ARES_LIB_INIT_ALL);

    if (rc != ARES_SUCCESS)
        return rc;
    rc = ares_init(&d->channel);
    if (rc == ARES_SUCCESS) {
        ares_set_socket_functions(d->channel, &socket_functions, NULL);
        drive(d);
        ares_destroy(d->channel);
    }
    ares_library_cleanup();
    return rc;
}

static int driver_main(void *arg)
{
    struct driver d = {.nr_asked = 0};
    struct lookup *l;

    (void)arg;
    (void)run_channel(&d);
    /* What came just now, or all of it, if there was no channel. */
    while ((l = next_question(true)) != NULL)
        mfi_gai_ask(l);
    return 0;
}

bool mfi_cares_ask(struct lookup *l)
{
    bool start;
    int rc;

    if (!mfi_cares_wanted() || mfi_load_acq(&mfi_sched.up) == 0)
        return false;
    l->next = NULL;
    mfi_spin_lock(&cares.lock);
    if (cares.head == NULL)
        cares.head = l;
    else
        cares.tail->next = l;
    cares.tail = l;
    start = !cares.running;
    cares.running = true;
    mfi_spin_unlock(&cares.lock);
    if (!start) {
        mf_sem_post(&cares.bell, 1);
        return true;
    }
    rc = mf_spawn(mf_root(), driver_main, NULL,
                  MF_TASK_OPTIONS(.name = "mf-resolve"), NULL);
    if (rc < 0)
        while ((l = next_question(true)) != NULL)
            mfi_gai_ask(l);
    return true;
}
