/* SPDX-License-Identifier: MIT */
/*
 * unix_test.c - listen, bind, connect, accept, pair, peers, datagrams: what is
 * named is found, what waits waits and can be told to stop.
 */
#include <mayfly/select.h>
#include <mayfly/unix.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "io/kit.h"

static char folder[] = "/tmp/mayfly-unix-XXXXXX";
static char path[100];

/* Abstract names belong to all processes: these to this one. */
static char prefixed_name[40], prefixed_caller[40];
static const char *const name = prefixed_name + 5;
static const char *const caller = prefixed_caller + 5;

__attribute__((__constructor__)) static void make_names(void)
{
    snprintf(prefixed_name, sizeof prefixed_name, "unix:@mayfly-unix-%d",
             (int)getpid());
    snprintf(prefixed_caller, sizeof prefixed_caller, "unix:@mayfly-caller-%d",
             (int)getpid());
}

static void make_folder(void)
{
    EXPECT(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/x.sock", folder);
}

static void remove_folder(void)
{
    EXPECT_EQ(rmdir(folder), 0);
}

static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};

static int type_of(int fd)
{
    int type = -1;
    socklen_t len = sizeof type;

    EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len), 0);
    return type;
}

/* What every fd of the library is: close-on-exec and non-blocking. */
static void is_ours(int fd, int type)
{
    EXPECT_GE(fd, 0);
    EXPECT_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    EXPECT_EQ(type_of(fd), type);
}

static void moves(int from, int to, const char *text)
{
    char buf[64] = "";
    int n = (int)strlen(text);

    EXPECT_EQ(mf_write(from, text, (size_t)n, late()), n);
    EXPECT_EQ(mf_read(to, buf, sizeof buf, late()), n);
    EXPECT_STR_EQ(buf, text);
}

static void named(int fd, const char *want)
{
    char text[MF_ADDR_STR];
    mf_addr a;

    EXPECT_EQ(mf_local_addr(fd, &a), 0);
    EXPECT_STR_EQ(mf_addr_str(&a, text, sizeof text), want);
}

/* Listen, connect, accept, talk. */
static void meet(const char *where, int type)
{
    int l = mf_unix_listen(where, MF_UNIX_OPTIONS(.type = type));
    int c, s;
    char text[MF_ADDR_STR];
    mf_addr peer;

    is_ours(l, type);
    local_name(l, text, sizeof text);
    c = mf_unix_connect(text, MF_UNIX_CONNECT_OPTIONS(.type = type), late());
    is_ours(c, type);
    s = mf_accept(l, &peer, late());
    is_ours(s, type);
    EXPECT_STR_EQ(mf_addr_str(&peer, text, sizeof text), "unnamed");
    moves(c, s, "there");
    moves(s, c, "and back");
    named(c, "unnamed");
    EXPECT_EQ(mf_peer_addr(c, &peer), 0);
    local_name(l, text, sizeof text);
    EXPECT_EQ(mf_close(l), 0);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_read(s, text, sizeof text, late()), 0);
    EXPECT_EQ(mf_close(s), 0);
}

static int meets(void *arg)
{
    char prefixed[120];

    (void)arg;
    snprintf(prefixed, sizeof prefixed, "unix:%s", path);
    for (int i = 0; i < 2; i++) {
        meet(path, types[i]);
        EXPECT_EQ(unlink(path), 0); /* the file is the user's to remove */
        meet(prefixed, types[i]);
        EXPECT_EQ(unlink(path), 0);
        meet(name, types[i]);
        meet(prefixed_name, types[i]);
        meet("@", types[i]);
    }
    return 0;
}

MFI_TEST(who_listens_is_found_by_any_kind_of_name)
{
    make_folder();
    in_both(meets, NULL);
    remove_folder();
}

static int own_names(void *arg)
{
    int l = mf_unix_listen(name, NULL), c, s;
    char text[MF_ADDR_STR];
    mf_addr peer;

    (void)arg;
    EXPECT_GE(c = mf_unix_connect(name, MF_UNIX_CONNECT_OPTIONS(.bind = path),
                                  late()),
              0);
    EXPECT_GE(s = mf_accept(l, &peer, late()), 0);
    EXPECT_STR_EQ(mf_addr_str(&peer, text, sizeof text) + 5, path);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(s), 0);
    /* The old file is in the way: a connect removes none. */
    EXPECT_EQ(
        mf_unix_connect(name, MF_UNIX_CONNECT_OPTIONS(.bind = path), late()),
        -EADDRINUSE);
    EXPECT_EQ(unlink(path), 0);
    EXPECT_GE(
        c = mf_unix_connect(name, MF_UNIX_CONNECT_OPTIONS(.bind = "@"), late()),
        0);
    local_name(c, text, sizeof text);
    EXPECT_EQ(strncmp(text, "unix:@", 6), 0);
    EXPECT_GT(strlen(text), 6);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(l), 0);
    return 0;
}

MFI_TEST(a_client_may_have_a_name_too)
{
    make_folder();
    in_both(own_names, NULL);
    remove_folder();
}

static int pairs(void *arg)
{
    int fds[2] = {-7, -7};

    (void)arg;
    for (int i = 0; i < 3; i++) {
        char buf[64];

        EXPECT_EQ(mf_unix_pair(types[i], fds), 0);
        is_ours(fds[0], types[i]);
        is_ours(fds[1], types[i]);
        moves(fds[0], fds[1], "one");
        moves(fds[1], fds[0], "two");
        /* Two messages are two reads, but of a stream. */
        EXPECT_EQ(mf_write(fds[0], "ab", 2, late()), 2);
        EXPECT_EQ(mf_write(fds[0], "cd", 2, late()), 2);
        EXPECT_EQ(mf_read(fds[1], buf, sizeof buf, late()),
                  types[i] == SOCK_STREAM ? 4 : 2);
        EXPECT_EQ(mf_read(fds[1], buf, sizeof buf, soon()),
                  types[i] == SOCK_STREAM ? -ETIMEDOUT : 2);
        EXPECT_EQ(mf_close(fds[0]), 0);
        EXPECT_EQ(mf_close(fds[1]), 0);
    }
    fds[0] = fds[1] = -7;
    EXPECT_EQ(mf_unix_pair(0, fds), -EINVAL);
    EXPECT_EQ(mf_unix_pair(SOCK_RAW, fds), -EINVAL);
    EXPECT_EQ(mf_unix_pair(SOCK_STREAM | SOCK_CLOEXEC, fds), -EINVAL);
    EXPECT_EQ(mf_unix_pair(SOCK_STREAM, NULL), -EINVAL);
    EXPECT_EQ(fds[0], -7);
    return 0;
}

MFI_TEST(pairs_of_all_types_are_connected)
{
    in_both(pairs, NULL);
}

static int connect_type(const char *where, int type)
{
    return mf_unix_connect(where, MF_UNIX_CONNECT_OPTIONS(.type = type),
                           late());
}

static int refusals(void *arg)
{
    int l = mf_unix_listen(path, NULL), d;

    (void)arg;
    EXPECT_GE(l, 0);
    EXPECT_EQ(mf_unix_listen(path, NULL), -EADDRINUSE);
    EXPECT_STR_HAS(mf_explain(-EADDRINUSE), path);
    EXPECT_EQ(connect_type(path, SOCK_DGRAM), -EPROTOTYPE);
    EXPECT_EQ(connect_type(path, SOCK_SEQPACKET), -EPROTOTYPE);
    EXPECT_EQ(connect_type(path, SOCK_RAW), -EINVAL);
    EXPECT_EQ(mf_close(l), 0);
    EXPECT_EQ(connect_type(path, 0), -ECONNREFUSED); /* stale */
    EXPECT_STR_HAS(mf_explain(-ECONNREFUSED), path);
    EXPECT_EQ(unlink(path), 0);
    EXPECT_EQ(connect_type(path, 0), -ENOENT);
    EXPECT_EQ(connect_type(name, 0), -ECONNREFUSED);
    EXPECT_EQ(connect_type("@", 0), -EINVAL);
    EXPECT_EQ(connect_type(NULL, 0), -EINVAL);
    EXPECT_EQ(connect_type("", 0), -EINVAL);
    EXPECT_STR_HAS(mf_explain(-EINVAL), "no path");
    EXPECT_EQ(mf_unix_listen(NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_unix_listen("/nonexistent/x", NULL), -ENOENT);
    EXPECT_EQ(mf_unix_listen("/nonexistent/x", MF_UNIX_OPTIONS(.unlink = 1)),
              -ENOENT);
    EXPECT_EQ(mf_unix_listen(path, MF_UNIX_OPTIONS(.type = SOCK_DGRAM)),
              -EINVAL);
    EXPECT_EQ(mf_unix_listen(path, MF_UNIX_OPTIONS(.backlog = -1)), -EINVAL);
    EXPECT_EQ(mf_unix_bind(path, MF_UNIX_OPTIONS(.type = SOCK_STREAM)),
              -EINVAL);
    EXPECT_EQ(mf_unix_bind(path, MF_UNIX_OPTIONS(.backlog = 1)), -EINVAL);
    EXPECT_GE(d = mf_unix_bind(path, NULL), 0);
    EXPECT_EQ(mf_unix_bind(path, NULL), -EADDRINUSE);
    EXPECT_EQ(connect_type(path, SOCK_STREAM), -EPROTOTYPE);
    EXPECT_EQ(mf_close(d), 0);
    EXPECT_EQ(unlink(path), 0);
    return 0;
}

MFI_TEST(what_cannot_be_is_refused_and_explained)
{
    make_folder();
    in_both(refusals, NULL);
    remove_folder();
}

static int stale_files(void *arg)
{
    int l, m, d;

    (void)arg;
    EXPECT_GE(l = mf_unix_listen(path, NULL), 0);
    EXPECT_EQ(mf_unix_listen(path, MF_UNIX_OPTIONS(.unlink = 1)), -EADDRINUSE);
    EXPECT_EQ(mf_unix_bind(path, MF_UNIX_OPTIONS(.unlink = 1)), -EADDRINUSE);
    EXPECT_EQ(mf_accept(l, NULL, MF_NOW), -ETIMEDOUT); /* it heard nothing */
    EXPECT_EQ(mf_close(l), 0);
    EXPECT_EQ(mf_unix_listen(path, NULL), -EADDRINUSE);
    EXPECT_GE(m = mf_unix_listen(path, MF_UNIX_OPTIONS(.unlink = 1)), 0);
    EXPECT_GE(l = connect_type(path, SOCK_STREAM), 0);
    EXPECT_EQ(mf_close(l), 0);
    EXPECT_EQ(mf_close(m), 0);
    EXPECT_GE(d = mf_unix_bind(path, MF_UNIX_OPTIONS(.unlink = 1)), 0);
    EXPECT_GE(m = connect_type(path, SOCK_DGRAM), 0);
    moves(m, d, "datagram");
    EXPECT_EQ(mf_close(m), 0);
    EXPECT_EQ(mf_close(d), 0);
    EXPECT_EQ(unlink(path), 0);
    /* An abstract name has no file; nothing of this is about it. */
    EXPECT_GE(l = mf_unix_listen(name, MF_UNIX_OPTIONS(.unlink = 1)), 0);
    EXPECT_EQ(mf_unix_listen(name, MF_UNIX_OPTIONS(.unlink = 1)), -EADDRINUSE);
    EXPECT_EQ(mf_close(l), 0);
    return 0;
}

MFI_TEST(only_a_stale_file_makes_room_for_a_listener)
{
    make_folder();
    in_both(stale_files, NULL);
    remove_folder();
}

/* ---- a full queue ------------------------------------------------------- */

enum { QUEUED_MAX = 64 };

struct full { /* a listener whose queue is full */
    int l, n;
    int conns[QUEUED_MAX];
};

static void fill_up(struct full *f)
{
    int rc = 0;

    EXPECT_GE(f->l = mf_unix_listen(name, MF_UNIX_OPTIONS(.backlog = 1)), 0);
    for (f->n = 0; f->n < QUEUED_MAX; f->n++) {
        rc = mf_unix_connect(name, NULL, MF_NOW);
        if (rc < 0)
            break;
        f->conns[f->n] = rc;
    }
    EXPECT_EQ(rc, -ETIMEDOUT);
    EXPECT_GT(f->n, 0);
}

static void empty(struct full *f)
{
    for (int i = 0; i < f->n; i++)
        EXPECT_EQ(mf_close(f->conns[i]), 0);
    if (f->l >= 0)
        EXPECT_EQ(mf_close(f->l), 0);
}

static int connect_late(void *arg)
{
    int *ret = arg;

    *ret = mf_unix_connect(name, NULL, late());
    return 0;
}

static int full_queue(void *arg)
{
    struct full f;
    struct helper h;
    mf_ns from;
    int fd, got = -1;

    (void)arg;
    fill_up(&f);
    from = mf_now();
    EXPECT_EQ(mf_unix_connect(name, NULL, soon()), -ETIMEDOUT);
    EXPECT_GE(mf_now() - from, MF_MSEC(20));
    help(&h, connect_late, &got);
    await_parked(h.task);
    EXPECT_GE(fd = mf_accept(f.l, NULL, late()), 0);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_GE(got, 0);
    EXPECT_EQ(mf_close(got), 0);
    EXPECT_EQ(mf_close(fd), 0);

    EXPECT_GE(fd = mf_unix_connect(name, NULL, MF_NOW),
              -ETIMEDOUT); /* perhaps full again, perhaps not */
    if (fd >= 0)
        EXPECT_EQ(mf_close(fd), 0);
    empty(&f);
    return 0;
}

MFI_TEST(a_connect_waits_while_the_queue_is_full)
{
    in_both(full_queue, NULL);
}

static int full_then_gone(void *arg)
{
    struct full f;
    struct helper h;
    int got = -1;

    (void)arg;
    fill_up(&f);
    help(&h, connect_late, &got);
    await_parked(h.task);
    mf_task_cancel(h.task);
    helped(&h);
    EXPECT_EQ(got, -ECANCELED);
    help(&h, connect_late, &got);
    await_parked(h.task);
    EXPECT_EQ(mf_close(f.l), 0);
    f.l = -1;
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(got, -ECONNREFUSED);
    empty(&f);
    return 0;
}

MFI_TEST(a_waiting_connect_is_cancelled_or_refused)
{
    in_both(full_then_gone, NULL);
}

/* ---- accept ------------------------------------------------------------- */

static int accept_late(void *arg)
{
    int *fds = arg; /* the listener, then the result */

    fds[1] = mf_accept(fds[0], NULL, late());
    if (fds[1] >= 0)
        EXPECT_EQ(mf_close(fds[1]), 0);
    return 0;
}

static int accepts(void *arg)
{
    int fds[2] = {-1, -1}, c;
    struct helper h;

    (void)arg;
    EXPECT_GE(fds[0] = mf_unix_listen(name, NULL), 0);
    EXPECT_EQ(mf_accept(fds[0], NULL, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_accept(fds[0], NULL, soon()), -ETIMEDOUT);
    help(&h, accept_late, fds);
    await_waiters(fds[0], 1);
    mf_task_cancel(h.task);
    helped(&h);
    EXPECT_EQ(fds[1], -ECANCELED);
    help(&h, accept_late, fds);
    await_waiters(fds[0], 1);
    EXPECT_GE(c = connect_type(name, 0), 0);
    helped(&h);
    EXPECT_GE(fds[1], 0);
    EXPECT_EQ(mf_close(c), 0);
    help(&h, accept_late, fds);
    await_waiters(fds[0], 1);
    EXPECT_EQ(mf_close(fds[0]), 0);
    helped(&h);
    EXPECT_EQ(fds[1], -EBADF);
    return 0;
}

MFI_TEST(an_accept_is_cancelled_closed_and_answered)
{
    in_both(accepts, NULL);
}

static int selects(void *arg)
{
    int l = mf_unix_listen(name, NULL), c;
    mf_case cases[2];
    char text[MF_ADDR_STR];
    mf_addr peer;

    (void)arg;
    cases[0] = mf_on_accept(l, &peer);
    cases[1] = mf_on_time(soon());
    EXPECT_EQ(mf_select(cases, 2, late()), 1);
    EXPECT_GE(c = mf_unix_connect(name, MF_UNIX_CONNECT_OPTIONS(.bind = caller),
                                  late()),
              0);
    cases[0] = mf_on_accept(l, &peer);
    cases[1] = mf_on_time(late());
    EXPECT_EQ(mf_select(cases, 2, late()), 0);
    EXPECT_STR_EQ(mf_addr_str(&peer, text, sizeof text), prefixed_caller);
    moves(c, cases[0].res, "chosen");
    EXPECT_EQ(mf_close(cases[0].res), 0);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(l), 0);
    return 0;
}

MFI_TEST(an_accept_may_be_one_of_many_cases)
{
    in_both(selects, NULL);
}

static mf_event stop;

static int echo(int fd, void *arg)
{
    char buf[256];
    int n;

    (void)arg;
    while ((n = mf_read(fd, buf, sizeof buf, late())) > 0)
        if (mf_write_all(fd, buf, (size_t)n, late()) < 0)
            break;
    return mf_close(fd);
}

static int serve(void *arg)
{
    return mf_serve(*(int *)arg, echo, NULL, MF_SERVE_OPTIONS(.stop = &stop));
}

enum { CLIENTS = 64, ROUNDS = 8 };

static int client(void *arg)
{
    int fd = mf_unix_connect(name, NULL, late());

    (void)arg;
    EXPECT_GE(fd, 0);
    for (int i = 0; i < ROUNDS; i++) {
        char buf[64] = "";

        EXPECT_EQ(mf_write_all(fd, "round and round", 15, late()), 0);
        EXPECT_EQ(mf_read_full(fd, buf, 15, late()), 1);
        EXPECT_STR_EQ(buf, "round and round");
    }
    return mf_close(fd);
}

static void *client_thread(void *arg)
{
    client(arg);
    return NULL;
}

/* Tasks and plain threads; the queue holds two, so most of them wait for it. */
static int crowd(void *arg)
{
    int l = mf_unix_listen(name, MF_UNIX_OPTIONS(.backlog = 1));
    pthread_t threads[2];
    struct helper h;
    mf_scope s;

    (void)arg;
    EXPECT_GE(l, 0);
    stop = (mf_event){0};
    help(&h, serve, &l);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, client_thread, NULL), 0);
    for (int i = 0; i < CLIENTS; i++)
        EXPECT_EQ(mf_go(&s, client, NULL), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    mf_event_fire(&stop);
    EXPECT_EQ(helped(&h), 0);
    return 0;
}

MFI_TEST(a_crowd_is_served_through_a_short_queue)
{
    in_thread(crowd, NULL);
}

/* ---- who is there ------------------------------------------------------- */

static void is_me(int fd)
{
    mf_unix_cred cred = {.pid = -7};

    EXPECT_EQ(mf_unix_peer(fd, &cred), 0);
    EXPECT_EQ(cred.pid, getpid());
    EXPECT_EQ(cred.uid, getuid());
    EXPECT_EQ(cred.gid, getgid());
}

static int peers(void *arg)
{
    struct pair tcp = make_pair(PAIR_TCP4), pipe = make_pair(PAIR_PIPE);
    mf_unix_cred cred = {.pid = -7};
    int fds[2], d;

    (void)arg;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(mf_unix_pair(types[i], fds), 0);
        is_me(fds[0]);
        is_me(fds[1]);
        EXPECT_EQ(mf_unix_peer(fds[0], NULL), -EINVAL);
        EXPECT_EQ(mf_close(fds[0]), 0);
        EXPECT_EQ(mf_close(fds[1]), 0);
    }
    EXPECT_GE(d = mf_unix_bind(NULL, NULL), 0);
    EXPECT_EQ(mf_unix_peer(d, &cred), -ENOTCONN);
    EXPECT_EQ(mf_unix_peer(tcp.r, &cred), -EAFNOSUPPORT);
    EXPECT_EQ(mf_unix_peer(pipe.r, &cred), -ENOTSOCK);
    EXPECT_EQ(mf_unix_peer(-1, &cred), -EBADF);
    EXPECT_EQ(cred.pid, -7);
    EXPECT_EQ(mf_close(d), 0);
    close_pair(&tcp);
    close_pair(&pipe);
    return 0;
}

MFI_TEST(a_peer_is_known_by_its_process)
{
    in_both(peers, NULL);
}

/* Another process connects by libc; the test's own child, waited for. */
MFI_TEST(a_peer_in_another_process_is_told_from_us)
{
    int l = mf_unix_listen(name, NULL), fd, status;
    mf_unix_cred cred = {.pid = -7};
    mf_addr a;
    pid_t child;

    EXPECT_GE(l, 0);
    EXPECT_EQ(mf_local_addr(l, &a), 0);
    child = fork();
    EXPECT_GE(child, 0);
    if (child == 0) {
        char c;

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (const void *)&a.ss, a.len) < 0)
            _exit(1);
        _exit(read(fd, &c, 1) == 0 ? 0 : 2); /* stay until it is closed */
    }
    EXPECT_GE(fd = mf_accept(l, NULL, late()), 0);
    EXPECT_EQ(mf_unix_peer(fd, &cred), 0);
    EXPECT_EQ(cred.pid, child);
    EXPECT_EQ(cred.uid, getuid());
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(mf_close(l), 0);
}

/* ---- datagrams with addresses ------------------------------------------- */

static int datagrams(void *arg)
{
    int a, b, fds[2];
    char buf[64] = "", text[MF_ADDR_STR];
    mf_addr to, from;

    (void)arg;
    EXPECT_GE(a = mf_unix_bind(path, NULL), 0);
    EXPECT_GE(b = mf_unix_bind("@", NULL), 0);
    EXPECT_EQ(mf_local_addr(a, &to), 0);
    EXPECT_EQ(mf_unix_send_to(b, "ping", 4, &to, late()), 4);
    EXPECT_EQ(mf_unix_recv_from(a, buf, sizeof buf, &from, late()), 4);
    EXPECT_STR_EQ(buf, "ping");
    named(b, mf_addr_str(&from, text, sizeof text));
    EXPECT_EQ(mf_unix_send_to(a, "pong", 4, &from, late()), 4);
    EXPECT_EQ(mf_unix_recv_from(b, buf, sizeof buf, &from, late()), 4);
    EXPECT_STR_EQ(buf, "pong");
    EXPECT_STR_EQ(mf_addr_str(&from, text, sizeof text) + 5, path);
    EXPECT_EQ(mf_close(b), 0);

    EXPECT_GE(b = mf_unix_bind(NULL, NULL), 0); /* no name, no answer */
    EXPECT_EQ(mf_unix_send_to(b, "", 0, &to, late()), 0);
    EXPECT_EQ(mf_unix_recv_from(a, buf, sizeof buf, &from, late()), 0);
    EXPECT_STR_EQ(mf_addr_str(&from, text, sizeof text), "unnamed");
    EXPECT_EQ(mf_unix_send_to(b, "too long", 8, &to, late()), 8);
    EXPECT_EQ(mf_unix_send_to(b, "next", 4, &to, late()), 4);
    from.len = 77;
    EXPECT_EQ(mf_unix_recv_from(a, buf, 4, &from, late()), -EMSGSIZE);
    EXPECT_EQ(from.len, 77);
    EXPECT_EQ(mf_unix_recv_from(a, buf, 4, NULL, late()), 4);
    EXPECT_EQ(memcmp(buf, "next", 4), 0);

    EXPECT_EQ(mf_unix_recv_from(a, buf, 4, &from, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_unix_recv_from(a, buf, 4, &from, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_unix_send_to(b, "x", 1, NULL, late()), -EINVAL);
    EXPECT_EQ(mf_close(a), 0);
    EXPECT_EQ(mf_unix_send_to(b, "x", 1, &to, late()), -ECONNREFUSED);
    EXPECT_EQ(unlink(path), 0);
    EXPECT_EQ(mf_unix_send_to(b, "x", 1, &to, late()), -ENOENT);
    EXPECT_EQ(mf_addr_parse("127.0.0.1:1", &to), 0);
    EXPECT_EQ(mf_unix_send_to(b, "x", 1, &to, late()), -EINVAL);
    EXPECT_EQ(mf_close(b), 0);
    EXPECT_EQ(mf_unix_pair(SOCK_STREAM, fds), 0);
    EXPECT_EQ(mf_addr_parse("unix:@x", &to), 0);
    EXPECT_EQ(mf_unix_send_to(fds[0], "x", 1, &to, late()), -EISCONN);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    return 0;
}

MFI_TEST(datagrams_go_to_addresses_and_say_where_from)
{
    make_folder();
    in_both(datagrams, NULL);
    remove_folder();
}

struct flood {
    int from, sent, rc;
    mf_addr to;
};

static int send_late(void *arg)
{
    struct flood *f = arg;

    f->rc = mf_unix_send_to(f->from, "last", 4, &f->to, late());
    return 0;
}

static int full_receiver(void *arg)
{
    struct flood f = {.sent = 0, .rc = -77};
    int to = mf_unix_bind("@", NULL);
    char buf[8] = "";
    struct helper h;

    (void)arg;
    EXPECT_EQ(mf_local_addr(to, &f.to), 0);
    EXPECT_GE(f.from = mf_unix_bind(NULL, NULL), 0);
    while (mf_unix_send_to(f.from, "many", 4, &f.to, MF_NOW) == 4)
        EXPECT_LT(f.sent++, 100000);
    EXPECT_EQ(mf_unix_send_to(f.from, "many", 4, &f.to, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_unix_send_to(f.from, "many", 4, &f.to, soon()), -ETIMEDOUT);
    help(&h, send_late, &f);
    await_parked(h.task);
    mf_task_cancel(h.task);
    helped(&h);
    EXPECT_EQ(f.rc, -ECANCELED);

    help(&h, send_late, &f);
    await_parked(h.task);
    for (int i = 0; i < f.sent; i++)
        EXPECT_EQ(mf_unix_recv_from(to, buf, sizeof buf, NULL, late()), 4);
    EXPECT_STR_EQ(buf, "many"); /* no more than were sent */
    helped(&h);
    EXPECT_EQ(f.rc, 4);
    EXPECT_EQ(mf_unix_recv_from(to, buf, sizeof buf, NULL, late()), 4);
    EXPECT_STR_EQ(buf, "last");
    EXPECT_EQ(mf_unix_recv_from(to, buf, sizeof buf, NULL, MF_NOW), -ETIMEDOUT);

    while (mf_unix_send_to(f.from, "many", 4, &f.to, MF_NOW) == 4)
        ;
    help(&h, send_late, &f);
    await_parked(h.task);
    EXPECT_EQ(mf_close(f.from), 0);
    helped(&h);
    EXPECT_EQ(f.rc, -EBADF);
    EXPECT_EQ(mf_close(to), 0);
    return 0;
}

MFI_TEST(a_datagram_waits_while_its_receiver_is_full)
{
    in_both(full_receiver, NULL);
}
