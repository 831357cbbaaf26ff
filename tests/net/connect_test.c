/* SPDX-License-Identifier: MIT */
/*
 * connect_test.c - the first address that answers wins, losers are closed.
 *
 * In a world of names.h. A full listener drops who knocks: that is how an
 * address is a black hole here, and its connect would take minutes.
 */
#include <mayfly/dns.h>

#include <dirent.h>

#include "net/names.h"
#include "sched/park.h"

enum { HOLES = 8, FILLERS = 4 };

struct hole {
    int fds[1 + FILLERS]; /* the listener, and who fills it */
};

/* How many are open, but for what a plain thread makes for its first wait. */
static int nr_fds(void)
{
    DIR *d;
    int n = 0;

    settle();
    if (mfi_worker() == NULL)
        EXPECT_GE(mfi_agent_bell(mfi_agent()), 0);
    d = opendir("/proc/self/fd");
    EXPECT(d != NULL);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

/* Until there are n: an fd is closed by whoever is at it last. */
static void await_fds(int n)
{
    mf_deadline end = late();

    while (nr_fds() != n) {
        EXPECT_LT(mf_now(), end.at);
        breathe();
    }
}

static void enter(void)
{
    EXPECT_EQ(setenv("MF_RESOLVER", "getaddrinfo", 1), 0);
    new_world_with_server();
}

static int listener_at(const mf_addr *a, int backlog)
{
    int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    0),
        on = 1;

    EXPECT_GE(fd, 0);
    EXPECT_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    EXPECT_EQ(bind(fd, (const void *)&a->ss, a->len), 0);
    EXPECT_EQ(listen(fd, backlog), 0);
    return fd;
}

static struct hole make_hole(const mf_addr *a)
{
    struct hole h = {.fds = {listener_at(a, 0)}};

    for (int i = 1; i <= FILLERS; i++) {
        h.fds[i] = socket(a->ss.ss_family,
                          SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        EXPECT_GE(h.fds[i], 0);
        connect(h.fds[i], (const void *)&a->ss, a->len);
    }
    return h;
}

static void fill_hole(struct hole *h)
{
    for (int i = 0; i <= FILLERS; i++)
        EXPECT_EQ(close(h->fds[i]), 0);
}

/* The name's addresses in the order in which they will be tried. */
static int order_of(const char *where, mf_addr *a, int max)
{
    int n = mf_resolve(where, NULL, a, max, late());

    EXPECT_GT(n, 0);
    return n;
}

/* Connects to where and ends at `to`. How long it took. */
static mf_ns goes_to(const char *where, const mf_addr *to)
{
    char is[MF_ADDR_STR], should[MF_ADDR_STR];
    mf_ns begin = mf_now();
    int fd = mf_tcp_connect(where, NULL, late());
    mf_ns took = mf_now() - begin;
    mf_addr peer;

    EXPECT_GE(fd, 0);
    EXPECT_EQ(mf_peer_addr(fd, &peer), 0);
    EXPECT_STR_EQ(mf_addr_str(&peer, is, sizeof is),
                  mf_addr_str(to, should, sizeof should));
    EXPECT_EQ(mf_write(fd, "x", 1, late()), 1);
    EXPECT_EQ(mf_close(fd), 0);
    return took;
}

/* ---- the first that answers --------------------------------------------- */

static int refused_first(void *arg)
{
    mf_addr a[2];
    mf_ns took;
    int l;

    (void)arg;
    EXPECT_EQ(order_of("pair.test:700", a, 2), 2);
    l = listener_at(&a[1], 5);
    took = goes_to("pair.test:700", &a[1]);
    EXPECT_LT(took, MF_MSEC(200) * mfi_test_scale()); /* it did not wait */
    EXPECT_EQ(close(l), 0);
    return 0;
}

MFI_TEST(a_refusal_begins_the_next_at_once)
{
    enter();
    in_both(refused_first, NULL);
    EXPECT_EQ(refused_first(NULL), 0); /* without a runtime */
}

static int black_hole_first(void *arg)
{
    struct hole h;
    mf_addr a[2];
    mf_ns took;
    int l, fds;

    (void)arg;
    EXPECT_EQ(order_of("pair.test:701", a, 2), 2);
    h = make_hole(&a[0]);
    l = listener_at(&a[1], 5);
    fds = nr_fds();
    took = goes_to("pair.test:701", &a[1]);
    EXPECT_GE(took, MF_MSEC(250));
    EXPECT_LT(took, MF_MSEC(900) * mfi_test_scale());
    await_fds(fds);
    EXPECT_EQ(close(l), 0);
    fill_hole(&h);
    return 0;
}

MFI_TEST(a_black_hole_costs_the_attempt_delay)
{
    enter();
    in_both(black_hole_first, NULL);
}

/* IPv6 first, by the order of RFC 6724, and it is the one that is broken. */
static int v6_broken(void *arg)
{
    struct hole h;
    mf_addr a[3];
    int l;

    (void)arg;
    EXPECT_EQ(order_of("dual.test:702", a, 3), 3);
    EXPECT_EQ(a[0].ss.ss_family, AF_INET6);
    EXPECT_EQ(a[1].ss.ss_family, AF_INET);
    h = make_hole(&a[0]);
    l = listener_at(&a[1], 5);
    EXPECT_GE(goes_to("dual.test:702", &a[1]), MF_MSEC(250));
    EXPECT_EQ(close(l), 0);
    fill_hole(&h);
    l = listener_at(&a[0], 5);
    EXPECT_LT(goes_to("dual.test:702", &a[0]), MF_MSEC(200) * mfi_test_scale());
    EXPECT_EQ(close(l), 0);
    return 0;
}

static bool has_v6(void)
{
    mf_addr a;
    int l;

    EXPECT_EQ(mf_addr_parse("[::1]:0", &a), 0);
    l = mf_tcp_listen("[::1]:0", NULL);
    return l >= 0 && mf_close(l) == 0;
}

MFI_TEST(a_broken_ipv6_is_passed_by)
{
    enter();
    if (!has_v6())
        MFI_SKIP("no IPv6 here");
    in_both(v6_broken, NULL);
}

/* The slow one answers after others were begun: it still wins. */
struct slow {
    struct hole h;
    _Atomic int over;
};

static int drain_hole(void *arg)
{
    struct slow *s = arg;
    int fd;

    EXPECT_EQ(mf_sleep(MF_MSEC(350)), 0);
    while (mfi_load_acq(&s->over) == 0) { /* those who filled it knock too */
        while ((fd = accept(s->h.fds[0], NULL, NULL)) >= 0)
            EXPECT_EQ(close(fd), 0);
        EXPECT_EQ(mf_sleep(MF_MSEC(10)), 0);
    }
    return 0;
}

static int late_answer(void *arg)
{
    struct hole second;
    mf_addr a[2];
    struct slow s;
    mf_scope scope;
    int fds;

    (void)arg;
    EXPECT_EQ(order_of("pair.test:703", a, 2), 2);
    s.h = make_hole(&a[0]);
    second = make_hole(&a[1]);
    mfi_store_rel(&s.over, 0);
    fds = nr_fds();
    EXPECT_EQ(mf_scope_open(&scope, NULL), 0);
    EXPECT_EQ(mf_go(&scope, drain_hole, &s), 0);
    goes_to("pair.test:703", &a[0]); /* its SYN is sent again after 1 s */
    mfi_store_rel(&s.over, 1);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    await_fds(fds);
    fill_hole(&s.h);
    fill_hole(&second);
    return 0;
}

MFI_TEST(who_was_begun_first_may_still_win)
{
    enter();
    in_tasks(2, late_answer, NULL);
}

/* ---- nobody ------------------------------------------------------------- */

static int nobody(void *arg)
{
    mf_addr a[4];
    int fds, rc;

    (void)arg;
    (void)order_of("quad.test:704", a, 4);
    fds = nr_fds();
    EXPECT_EQ(rc = mf_tcp_connect("quad.test:704", NULL, late()),
              -ECONNREFUSED);
    EXPECT_STR_HAS(mf_explain(rc), "quad.test:704");
    EXPECT_STR_HAS(mf_explain(rc), "4 of 4");
    /* An address without a route, and one of the family we have: */
    rc = mf_tcp_connect("ok.test:704", NULL, late());
    EXPECT(rc == -ENETUNREACH || rc == -EHOSTUNREACH || rc == -EADDRNOTAVAIL);
    EXPECT_EQ(rc = mf_tcp_connect("nx.test:704", NULL, late()), -ENOENT);
    EXPECT_STR_HAS(mf_explain(rc), "connect to 'nx.test:704'");
    EXPECT_EQ(mf_tcp_connect("pair.test:704", NULL, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_tcp_connect("pair..test:704", NULL, late()), -EINVAL);
    EXPECT_EQ(mf_tcp_connect("pair.test:704",
                             MF_CONNECT_OPTIONS(.bind = "[::1]:0"), late()),
              -EADDRNOTAVAIL);
    await_fds(fds);
    return 0;
}

MFI_TEST(when_nobody_answers_the_error_says_most)
{
    enter();
    in_both(nobody, NULL);
}

static int too_late(void *arg)
{
    struct hole holes[4];
    mf_ns begin, took;
    mf_addr a[4];
    int fds;

    (void)arg;
    EXPECT_EQ(order_of("quad.test:705", a, 4), 4);
    for (int i = 0; i < 4; i++)
        holes[i] = make_hole(&a[i]);
    fds = nr_fds();
    begin = mf_now();
    EXPECT_EQ(mf_tcp_connect("quad.test:705", NULL, mf_after(MF_MSEC(300))),
              -ETIMEDOUT);
    took = mf_now() - begin;
    EXPECT_GE(took, MF_MSEC(300));
    EXPECT_LT(took, MF_MSEC(900) * mfi_test_scale());
    EXPECT_EQ(mf_tcp_connect("quad.test:705", NULL, MF_NOW), -ETIMEDOUT);
    await_fds(fds);
    for (int i = 0; i < 4; i++)
        fill_hole(&holes[i]);
    return 0;
}

MFI_TEST(one_deadline_holds_for_all_attempts)
{
    enter();
    in_both(too_late, NULL);
}

static int connect_for_ever(void *arg)
{
    EXPECT_EQ(mf_tcp_connect(arg, NULL, MF_NEVER), -ECANCELED);
    return 0;
}

static char quad[] = "quad.test:706";

static int cancelled(void *arg)
{
    struct hole holes[4];
    mf_addr a[4];
    mf_task *t;
    mf_scope s;
    int fds;

    (void)arg;
    EXPECT_EQ(order_of(quad, a, 4), 4);
    for (int i = 0; i < 4; i++)
        holes[i] = make_hole(&a[i]);
    fds = nr_fds();
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_spawn(&s, connect_for_ever, quad, NULL, &t), 0);
    while (nr_fds() < fds + 2) /* two under way */
        EXPECT_EQ(mf_sleep(MF_MSEC(5)), 0);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_scope_close(&s), 0);
    await_fds(fds);
    for (int i = 0; i < 4; i++)
        fill_hole(&holes[i]);
    return 0;
}

MFI_TEST(a_cancel_closes_all_attempts)
{
    enter();
    in_both(cancelled, NULL);
}

/* ---- names to listen on ------------------------------------------------- */

static int listens(void *arg)
{
    char where[MF_ADDR_STR];
    int l, c, rc;

    (void)arg;
    EXPECT_GE(l = mf_tcp_listen("nine:0", NULL), 0);
    local_name(l, where, sizeof where);
    EXPECT_STR_HAS(where, "127.0.0.9:");
    snprintf(where, sizeof where, "nine:%s", strrchr(where, ':') + 1);
    EXPECT_GE(c = mf_tcp_connect(
                  where,
                  MF_CONNECT_OPTIONS(.nodelay = 1, .bind = "127.0.0.7:0"),
                  late()),
              0);
    EXPECT_EQ(mf_sockopt_get(c, MF_SO_NODELAY, &rc), 0);
    EXPECT_EQ(rc, 1);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_GE(
        c = mf_tcp_connect(where, MF_CONNECT_OPTIONS(.bind = ":0"), late()), 0);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(l), 0);
    EXPECT_EQ(rc = mf_tcp_listen("v4.test:0", NULL), -EADDRNOTAVAIL);
    EXPECT_STR_HAS(mf_explain(rc), "v4.test:0");
    EXPECT_EQ(rc = mf_tcp_listen("nx.test:0", NULL), -ENOENT);
    EXPECT_STR_HAS(mf_explain(rc), "listen on");
    return 0;
}

MFI_TEST(a_name_of_ours_can_be_listened_on)
{
    enter();
    in_both(listens, NULL);
}
