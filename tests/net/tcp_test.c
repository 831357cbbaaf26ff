/* SPDX-License-Identifier: MIT */
/* tcp_test.c - listen, accept, connect: addresses, errors, ends of streams. */
#include <mayfly/select.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "io/kit.h"

enum { ROUNDS = 300 / KIT_SLOW };

/* Take an address without listening, so that no other process does; or -1. */
static int hold(const char *where)
{
    mf_addr a;
    int fd;

    EXPECT_EQ(mf_addr_parse(where, &a), 0);
    EXPECT_GE(fd = socket(a.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), 0);
    if (bind(fd, (void *)&a.ss, a.len) == 0)
        return fd;
    EXPECT_EQ(mf_close(fd), 0);
    return -1;
}

/* A port nobody listens on, held so that nobody will. */
static int hold_port(char *where, size_t len)
{
    int fd = hold("127.0.0.1:0");

    EXPECT_GE(fd, 0);
    local_name(fd, where, len);
    return fd;
}

/* ---- listen and connect ------------------------------------------------- */

static void meets(const char *listen, const mf_listen_options *o,
                  const char *host, bool welcome)
{
    char where[MF_ADDR_STR + 16], name[MF_ADDR_STR];
    int l, c, s, held = -1;

    do {
        EXPECT_GE(l = mf_tcp_listen(listen, o), 0);
        local_name(l, name, sizeof name);
        snprintf(where, sizeof where, "%s%s", host, strrchr(name, ':'));
        if (!welcome && (held = hold(where)) < 0)
            EXPECT_EQ(mf_close(l), 0); /* another process is there: again */
    } while (!welcome && held < 0);
    c = mf_tcp_connect(where, NULL, late());
    if (welcome) {
        EXPECT_GE(c, 0);
        EXPECT_GE(s = mf_accept(l, NULL, late()), 0);
        EXPECT_EQ(mf_close(s), 0);
        EXPECT_EQ(mf_close(c), 0);
    } else {
        EXPECT_EQ(c, -ECONNREFUSED);
        EXPECT_EQ(mf_close(held), 0);
    }
    EXPECT_EQ(mf_close(l), 0);
}

static int families(void *arg)
{
    const mf_listen_options *v6 = MF_LISTEN_OPTIONS(.v6only = 1);

    (void)arg;
    meets("127.0.0.1:0", NULL, "127.0.0.1", true);
    meets("127.0.0.1:0", NULL, "localhost", true);
    meets("[::1]:0", NULL, "[::1]", true);
    meets("[::1]:0", NULL, "localhost", true);
    meets("localhost:0", NULL, "127.0.0.1", true);
    meets(":0", NULL, "127.0.0.1", true);
    meets(":0", NULL, "[::1]", true);
    meets("[::]:0", NULL, "127.0.0.1", true);
    meets(":0", v6, "[::1]", true);
    meets(":0", v6, "127.0.0.1", false);
    meets("0.0.0.0:0", NULL, "127.0.0.1", true);
    meets("0.0.0.0:0", NULL, "[::1]", false);
    return 0;
}

MFI_TEST(each_address_form_is_found_where_it_listens)
{
    in_both(families, NULL);
}

static int errors(void *arg)
{
    char where[MF_ADDR_STR];
    int l = mf_tcp_listen("127.0.0.1:0", NULL), fd, rc;

    (void)arg;
    EXPECT_GE(l, 0);
    local_name(l, where, sizeof where);
    EXPECT_EQ(rc = mf_tcp_listen(where, NULL), -EADDRINUSE);
    EXPECT_STR_HAS(mf_explain(rc), where);
    EXPECT_STR_HAS(mf_explain(rc), "in use");
    EXPECT_EQ(mf_close(l), 0);
    EXPECT_EQ(rc = mf_tcp_listen("nonsense", NULL), -EINVAL);
    EXPECT_STR_HAS(mf_explain(rc), "nonsense");
    EXPECT_EQ(mf_tcp_listen(NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_tcp_listen(":0", MF_LISTEN_OPTIONS(.backlog = -1)), -EINVAL);
    EXPECT_EQ(rc = mf_tcp_listen("192.0.2.1:0", NULL), -EADDRNOTAVAIL);
    EXPECT_STR_HAS(mf_explain(rc), "192.0.2.1:0");

    fd = hold_port(where, sizeof where);
    EXPECT_EQ(rc = mf_tcp_connect(where, NULL, late()), -ECONNREFUSED);
    EXPECT_STR_HAS(mf_explain(rc), where);
    EXPECT_STR_HAS(mf_explain(rc), "refused");
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_EQ(mf_tcp_connect(NULL, NULL, late()), -EINVAL);
    EXPECT_EQ(rc = mf_tcp_connect("no port", NULL, late()), -EINVAL);
    EXPECT_STR_HAS(mf_explain(rc), "no port");
    EXPECT_EQ(mf_tcp_connect(where, MF_CONNECT_OPTIONS(.bind = "?"), late()),
              -EINVAL);
    EXPECT_EQ(mf_tcp_connect(where, MF_CONNECT_OPTIONS(.bind = "192.0.2.1:0"),
                             late()),
              -EADDRNOTAVAIL);
    EXPECT_EQ(mf_accept(-1, NULL, MF_NOW), -EBADF);
    return 0;
}

MFI_TEST(errors_say_what_and_where)
{
    in_both(errors, NULL);
}

static int options(void *arg)
{
    char where[MF_ADDR_STR], text[MF_ADDR_STR], own[MF_ADDR_STR];
    int l = mf_tcp_listen("127.0.0.1:0", MF_LISTEN_OPTIONS(.reuse_port = 1));
    int l2, c, s, on = 0;
    mf_addr peer, local;

    (void)arg;
    EXPECT_GE(l, 0);
    local_name(l, where, sizeof where);
    EXPECT_GE(l2 = mf_tcp_listen(where, MF_LISTEN_OPTIONS(.reuse_port = 1)), 0);
    EXPECT_EQ(mf_close(l2), 0);
    c = mf_tcp_connect(
        where, MF_CONNECT_OPTIONS(.nodelay = 1, .bind = "127.0.0.7:0"), late());
    EXPECT_GE(c, 0);
    EXPECT_EQ(mf_sockopt_get(c, MF_SO_NODELAY, &on), 0);
    EXPECT_EQ(on, 1);
    EXPECT_GE(s = mf_accept(l, &peer, late()), 0);
    EXPECT_EQ(mf_local_addr(c, &local), 0);
    mf_addr_str(&peer, text, sizeof text);
    EXPECT_STR_EQ(text, mf_addr_str(&local, own, sizeof own));
    EXPECT_STR_HAS(text, "127.0.0.7:");
    EXPECT_EQ(mf_peer_addr(c, &peer), 0);
    EXPECT_STR_EQ(mf_addr_str(&peer, text, sizeof text), where);
    EXPECT_EQ(mf_close(s), 0);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_accept(l, NULL, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_accept(l, NULL, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_fd_timeouts(l, MF_MSEC(5), 0), 0);
    EXPECT_EQ(mf_accept(l, NULL, MF_NEVER), -ETIMEDOUT);
    EXPECT_EQ(mf_close(l), 0);
    return 0;
}

MFI_TEST(options_bind_share_and_name_the_ends)
{
    in_both(options, NULL);
}

/* Its queue is full: it drops who knocks. */
static int no_answer(void *arg)
{
    char where[MF_ADDR_STR];
    int fds[3] = {hold_port(where, sizeof where), -1, -1};
    mf_ns begin = mf_now();
    mf_addr a;

    (void)arg;
    EXPECT_EQ(listen(fds[0], 0), 0);
    EXPECT_EQ(mf_local_addr(fds[0], &a), 0);
    for (int i = 1; i < 3; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        EXPECT_GE(fds[i], 0);
        connect(fds[i], (void *)&a.ss, a.len);
    }
    EXPECT_EQ(mf_tcp_connect(where, NULL, soon()), -ETIMEDOUT);
    EXPECT_LT(mf_now() - begin, MF_SEC(10));
    EXPECT_EQ(mf_tcp_connect(where, NULL, MF_NOW), -ETIMEDOUT);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_close(fds[i]), 0);
    return 0;
}

MFI_TEST(a_connect_without_answer_ends_by_its_deadline)
{
    in_both(no_answer, NULL);
}

/* ---- several acceptors -------------------------------------------------- */

struct door {
    int l;
    _Atomic int got;
};

static int accept_some(void *arg)
{
    struct door *d = arg;
    int fd;

    for (int i = 0; i < 5; i++) {
        EXPECT_GE(fd = mf_accept(d->l, NULL, late()), 0);
        mfi_add_acqrel(&d->got, 1);
        EXPECT_EQ(mf_close(fd), 0);
    }
    return 0;
}

static int select_some(void *arg)
{
    struct door *d = arg;
    mf_addr peer;
    int rc;

    for (int i = 0; i < 5; i++) {
        MF_SELECT(rc, late())
        {
            MF_CASE(mf_on_accept(d->l, &peer))
            {
                EXPECT_GE(rc, 0);
                EXPECT_EQ(peer.ss.ss_family, AF_INET);
                mfi_add_acqrel(&d->got, 1);
                EXPECT_EQ(mf_close(rc), 0);
            }
            MF_CASE(mf_on_fd(d->l, POLLOUT)) /* never */
            {
                EXPECT(false);
            }
            MF_ELSE
            {
                EXPECT_EQ(rc, 0);
            }
        }
    }
    return 0;
}

static int many_acceptors(void *arg)
{
    struct door d = {.l = mf_tcp_listen("127.0.0.1:0", NULL)};
    char where[MF_ADDR_STR], c;
    mf_scope s;
    int fd;

    (void)arg;
    local_name(d.l, where, sizeof where);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < 6; i++)
        EXPECT_EQ(mf_go(&s, i % 2 == 0 ? accept_some : select_some, &d), 0);
    await_waiters(d.l, 9); /* a select waits for two things */
    for (int i = 0; i < 30; i++) {
        EXPECT_GE(fd = mf_tcp_connect(where, NULL, late()), 0);
        EXPECT_EQ(mf_read(fd, &c, 1, late()), 0);
        EXPECT_EQ(mf_close(fd), 0);
    }
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mfi_load_acq(&d.got), 30);
    EXPECT_EQ(mf_close(d.l), 0);
    return 0;
}

MFI_TEST(several_acceptors_share_one_listener)
{
    in_tasks(1, many_acceptors, NULL);
    in_tasks(4, many_acceptors, NULL);
    in_thread(many_acceptors, NULL);
}

/* ---- accept, by a call and by a select ---------------------------------- */

static int call_accept(int l, mf_addr *ret_peer, mf_deadline deadline)
{
    return mf_accept(l, ret_peer, deadline);
}

static int select_accept(int l, mf_addr *ret_peer, mf_deadline deadline)
{
    mf_case c = mf_on_accept(l, ret_peer);
    int rc = mf_select(&c, 1, deadline);

    return rc < 0 ? rc : c.res;
}

typedef int accept_fn(int l, mf_addr *ret_peer, mf_deadline deadline);

static int close_listener(void *arg)
{
    await_waiters(*(int *)arg, 1);
    EXPECT_EQ(mf_close(*(int *)arg), 0);
    return 0;
}

static void accept_answers(accept_fn *accept_by)
{
    char where[MF_ADDR_STR], name[MF_ADDR_STR], text[MF_ADDR_STR];
    mf_addr peer = {.len = 0};
    int l = mf_tcp_listen("127.0.0.1:0", NULL), c, fd, pipe_ends[2];
    struct rlimit was, tight;
    struct helper h;

    local_name(l, where, sizeof where);
    EXPECT_EQ(accept_by(l, &peer, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(accept_by(l, &peer, soon()), -ETIMEDOUT);
    EXPECT_EQ(peer.len, 0); /* written on success only */
    EXPECT_GE(c = mf_tcp_connect(where, NULL, late()), 0);
    /* No number for it: the caller hears it at once, every time. */
    settle();
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &was), 0);
    tight = was;
    tight.rlim_cur = 3;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(accept_by(l, &peer, late()), -EMFILE);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &was), 0);
    EXPECT_EQ(peer.len, 0);
    /* And the connection is still there. */
    EXPECT_GE(fd = accept_by(l, &peer, MF_NOW), 0);
    local_name(c, name, sizeof name);
    EXPECT_STR_EQ(mf_addr_str(&peer, text, sizeof text), name);
    EXPECT_EQ(mf_write(fd, "x", 1, late()), 1);
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_EQ(mf_close(c), 0);
    help(&h, close_listener, &l);
    EXPECT_EQ(accept_by(l, NULL, late()), -EBADF);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(accept_by(l, NULL, late()), -EBADF);
    bare_pipe(pipe_ends);
    EXPECT_EQ(accept_by(pipe_ends[0], NULL, late()), -ENOTSOCK);
    EXPECT_EQ(mf_close(pipe_ends[0]), 0);
    EXPECT_EQ(mf_close(pipe_ends[1]), 0);
}

static int both_accept(void *arg)
{
    mf_case never = mf_on_accept(-1, NULL);

    (void)arg;
    accept_answers(call_accept);
    accept_answers(select_accept);
    EXPECT_EQ(mf_select(&never, 1, soon()), -ETIMEDOUT);
    return 0;
}

MFI_TEST(a_selected_accept_says_what_the_call_says)
{
    in_both(both_accept, NULL);
}

/* ---- ends of streams ---------------------------------------------------- */

static int read_all(void *arg)
{
    int fd = *(int *)arg, n, total = 0;
    char buf[64];

    while ((n = mf_read(fd, buf, sizeof buf, late())) > 0)
        total += n;
    EXPECT_EQ(n, 0);
    return total;
}

/*
 * Data and FIN come in one edge; a short read must not take the end along. The
 * reader waits before, or comes after, or in between.
 */
static int fin_with_data(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct pair p = make_pair(i & 1 ? PAIR_TCP4 : PAIR_TCP6);
        int result = -1;
        struct helper h;
        char c;

        help(&h, read_all, &p.r);
        if (i % 3 == 0)
            await_waiters(p.r, 1);
        EXPECT_EQ(mf_write(p.w, "bye", 3, late()), 3);
        EXPECT_EQ(mf_shutdown(p.w, SHUT_WR), 0);
        EXPECT_EQ(mf_join(h.task, &result, late()), 0);
        EXPECT_EQ(result, 3);
        EXPECT_EQ(helped(&h), 0);
        /* The other direction is open still. */
        EXPECT_EQ(mf_write(p.r, "k", 1, late()), 1);
        EXPECT_EQ(mf_read(p.w, &c, 1, late()), 1);
        EXPECT_EQ(mf_write(p.w, "x", 1, late()), -EPIPE);
        EXPECT_EQ(mf_shutdown(p.r, SHUT_WR), 0);
        EXPECT_EQ(mf_read(p.w, &c, 1, late()), 0);
        close_pair(&p);
    }
    return 0;
}

MFI_TEST(an_end_that_comes_with_the_data_is_not_lost)
{
    in_tasks(1, fin_with_data, NULL);
    in_tasks(3, fin_with_data, NULL);
    in_thread(fin_with_data, NULL);
}

static int reset_read(void *arg)
{
    char c;

    EXPECT_EQ(mf_read(*(int *)arg, &c, 1, late()), -ECONNRESET);
    return 0;
}

static int resets(void *arg)
{
    struct pair p;
    struct helper h;
    int err = 1;

    (void)arg;
    for (int i = 0; i < 20; i++) {
        p = make_pair(PAIR_TCP4);
        help(&h, reset_read, &p.r);
        if (i % 2 == 0)
            await_waiters(p.r, 1);
        EXPECT_EQ(mf_sockopt_set(p.w, MF_SO_LINGER, 0), 0);
        EXPECT_EQ(mf_close(p.w), 0);
        p.w = -1;
        EXPECT_EQ(helped(&h), 0);
        EXPECT_EQ(mf_read(p.r, &err, 1, late()), 0);
        EXPECT_EQ(mf_write(p.r, "x", 1, late()), -EPIPE);
        close_pair(&p);
    }
    p = make_pair(PAIR_TCP4);
    EXPECT_EQ(mf_sockopt_set(p.w, MF_SO_LINGER, 0), 0);
    EXPECT_EQ(mf_close(p.w), 0);
    p.w = -1;
    EXPECT_GT(mf_wait_fd(p.r, POLLIN, late()), 0);
    EXPECT_EQ(mf_sockopt_get(p.r, MF_SO_ERROR, &err), 0);
    EXPECT_EQ(err, -ECONNRESET);
    close_pair(&p);
    return 0;
}

MFI_TEST(a_reset_is_econnreset_once)
{
    in_both(resets, NULL);
}
