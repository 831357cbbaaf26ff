/* SPDX-License-Identifier: MIT */
/*
 * op_test.c - what holds for every operation: errno is the caller's, nobody
 * spins, inherited stdio keeps its flags.
 */
#include <sys/wait.h>

#include "io/kit.h"

enum { SENTINEL = 4711 };

/* errno after the call is what it was before: evaluated once. */
#define KEEPS_ERRNO(call)                                        \
 do {                                                            \
  errno = SENTINEL;                                              \
  (void)!(call);                                                 \
  if (errno != SENTINEL)                                         \
   mfi_test_fail(__FILE__, __LINE__, "%s to keep errno", #call); \
 } while (0)

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void keeps_in_io(struct pair *p)
{
    char c[4] = {0};
    struct iovec v = {c, 1};

    KEEPS_ERRNO(mf_write(p->w, c, 3, late()));
    KEEPS_ERRNO(mf_wait_fd(p->r, POLLIN, late()));
    KEEPS_ERRNO(mf_peek(p->r, c, 1, MF_NOW));
    KEEPS_ERRNO(mf_read(p->r, c, 4, late()));
    KEEPS_ERRNO(mf_read(p->r, c, 4, MF_NOW));
    KEEPS_ERRNO(mf_readv(p->r, &v, 1, mf_after(MF_USEC(100))));
    KEEPS_ERRNO(mf_read_full(p->r, c, 4, MF_NOW));
    KEEPS_ERRNO(mf_writev(p->w, &v, 1, late()));
    KEEPS_ERRNO(mf_writev_all(p->w, &v, 1, late()));
    KEEPS_ERRNO(mf_write_all(p->w, c, 1, late()));
    KEEPS_ERRNO(mf_read(-1, c, 1, MF_NOW));
    KEEPS_ERRNO(mf_write(1000000, c, 1, MF_NOW));
    KEEPS_ERRNO(mf_adopt(-1));
    KEEPS_ERRNO(mf_adopt(p->r));
    KEEPS_ERRNO(mf_fd_timeouts(p->r, 0, 0));
    KEEPS_ERRNO(mf_release(p->r));
    KEEPS_ERRNO(mf_release(-1));
    KEEPS_ERRNO(mf_close(-1));
}

static void keeps_in_net(void)
{
    char where[MF_ADDR_STR];
    mf_addr a;
    int l, c, s, v;

    KEEPS_ERRNO(mf_addr_parse("x", &a));
    KEEPS_ERRNO(mf_addr_parse("[::1]:1", &a));
    KEEPS_ERRNO(l = mf_tcp_listen("127.0.0.1:0", NULL));
    KEEPS_ERRNO(mf_tcp_listen("192.0.2.1:1", NULL));
    KEEPS_ERRNO(mf_local_addr(l, &a));
    KEEPS_ERRNO(mf_peer_addr(l, &a));
    KEEPS_ERRNO(mf_addr_str(&a, where, sizeof where));
    local_name(l, where, sizeof where);
    KEEPS_ERRNO(mf_accept(l, NULL, MF_NOW));
    KEEPS_ERRNO(c = mf_tcp_connect(where, NULL, late()));
    KEEPS_ERRNO(s = mf_accept(l, NULL, late()));
    KEEPS_ERRNO(mf_sockopt_set(c, MF_SO_TTL, 1000));
    KEEPS_ERRNO(mf_sockopt_get(c, MF_SO_TTL, &v));
    KEEPS_ERRNO(mf_shutdown(c, SHUT_WR));
    KEEPS_ERRNO(mf_shutdown(l, 9));
    KEEPS_ERRNO(mf_close(c));
    KEEPS_ERRNO(mf_close(s));
    KEEPS_ERRNO(mf_close(l));
    KEEPS_ERRNO(mf_tcp_connect(where, NULL, late()));
    KEEPS_ERRNO(mf_explain(-ECONNREFUSED) != NULL);
    KEEPS_ERRNO(mf_strerror(-12345) != NULL);
    KEEPS_ERRNO(mf_serve(-1, NULL, NULL, NULL));
}

static int keeps(void *arg)
{
    struct pair p = make_pair(PAIR_TCP4), q = make_pair(PAIR_PIPE);
    mf_event e = {{0, 0}};
    mf_scope s;

    (void)arg;
    keeps_in_io(&p);
    keeps_in_io(&q);
    keeps_in_net();
    KEEPS_ERRNO(mf_scope_open(&s, NULL));
    KEEPS_ERRNO(mf_go(&s, nothing, NULL));
    KEEPS_ERRNO(mf_scope_wait(&s, late()));
    KEEPS_ERRNO(mf_scope_close(&s));
    KEEPS_ERRNO(mf_event_wait(&e, mf_after(MF_USEC(100))));
    KEEPS_ERRNO(mf_sleep(MF_USEC(100)));
    KEEPS_ERRNO(mf_yield());
    KEEPS_ERRNO(mf_park(MF_NOW));
    close_pair(&p);
    close_pair(&q);
    return 0;
}

/* One worker: errno is the thread's, and a task may change threads. */
MFI_TEST(no_call_touches_errno)
{
    in_tasks(1, keeps, NULL);
    errno = SENTINEL;
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), 0);
    EXPECT_EQ(errno, SENTINEL);
    EXPECT_EQ(keeps(NULL), 0);
    errno = SENTINEL;
    EXPECT_EQ(mf_stop(late()), 0);
    EXPECT_EQ(errno, SENTINEL);
}

/* ---- waiting costs nothing ---------------------------------------------- */

static int idle_wait(void *arg)
{
    struct pair p = make_pair(PAIR_TCP4);
    mf_ns begin = cpu_time();
    char c;

    (void)arg;
    EXPECT_EQ(mf_read(p.r, &c, 1, mf_after(MF_MSEC(150))), -ETIMEDOUT);
    EXPECT_LT(cpu_time() - begin, MF_MSEC(50));
    MF_SHIELD(mf_after(MF_MSEC(5)))
    { /* over long before the wait is */
        begin = cpu_time();
        EXPECT_EQ(mf_read(p.r, &c, 1, mf_after(MF_MSEC(150))), -ETIMEDOUT);
        EXPECT_LT(cpu_time() - begin, MF_MSEC(50));
    }
    close_pair(&p);
    return 0;
}

MFI_TEST(a_wait_does_not_spin_in_a_shield_that_is_over_either)
{
    in_both(idle_wait, NULL);
}

/* A shield over a scope of its own: its end lets the cancel in. */
static int shielded_read(void *arg)
{
    struct pair *p = arg;
    char c;

    MF_SHIELD(mf_after(MF_MSEC(30)))
    {
        MF_SCOPE(inner, .mode = MF_WAIT_ALL);
        EXPECT_EQ(mf_read(p->r, &c, 1, late()), -ECANCELED);
    }
    return 0;
}

static int shields(void *arg)
{
    struct pair p = make_pair(PAIR_TCP4);
    mf_ns begin = mf_now();
    mf_scope s;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    mf_scope_cancel(&s);
    EXPECT_EQ(shielded_read(&p), 0);
    EXPECT_GE(mf_now() - begin, MF_MSEC(30));
    EXPECT_EQ(mf_scope_close(&s), 0);
    close_pair(&p);
    return 0;
}

MFI_TEST(a_cancel_comes_in_when_the_shield_is_over)
{
    in_both(shields, NULL);
}

/* ---- stdio -------------------------------------------------------------- */

/* Fds 0 to 2 of this child are given; their flags must stay as they are. */
static int uses_stdio(void *arg)
{
    char c[3] = {0};
    struct iovec v[2] = {{c, 0}, {c, 2}};

    (void)arg;
    EXPECT_EQ(mf_read(0, c, 1, mf_after(MF_MSEC(10))), 1);
    EXPECT_EQ(mf_read(0, c, 1, mf_after(MF_MSEC(10))), -ETIMEDOUT);
    EXPECT_EQ(mf_writev(1, v, 2, late()), 2);
    EXPECT_EQ(mf_write_all(2, "err", 3, late()), 0);
    for (int fd = 0; fd < 3; fd++)
        EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(mf_release(0), 0);
    EXPECT_EQ(mf_close(1), 0);
    return 0;
}

static void with_stdio(bool sockets)
{
    int in[2], out[2], status = -1;
    char got[8] = {0};
    pid_t pid;

    if (sockets) {
        bare_pair(SOCK_STREAM, in);
        bare_pair(SOCK_STREAM, out);
    } else {
        bare_pipe(in);
        bare_pipe(out);
    }
    EXPECT_EQ(write(in[1], "x", 1), 1);
    EXPECT_GE(pid = fork(), 0);
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(out[1], 2);
        in_tasks(2, uses_stdio, NULL);
        _exit(0);
    }
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(read(out[0], got, sizeof got), 5);
    EXPECT_EQ(memcmp(got, "x\0err", 5), 0);
    EXPECT_EQ(fcntl(in[0], F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(status, 0);
}

MFI_TEST(inherited_stdio_is_never_made_non_blocking)
{
    with_stdio(false);
    with_stdio(true);
}
