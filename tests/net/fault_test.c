/* SPDX-License-Identifier: MIT */
/*
 * fault_test.c - a network that loses, parts, resets and changes its MTU: what
 * arrives is what was sent, what waits ends when it was told to.
 */
#include "net/transfer.h"

enum { PHASE = 256 * 1024, CALLS = 6 };

/* ---- a transfer in both directions at once ------------------------------ */

static int through_a_partition(void *arg)
{
    const struct net *net = arg;
    struct transfer t;
    int64_t before[2];

    transfer_begin(&t, net);
    transfer_more(&t, PHASE);
    net_part(net);
    EXPECT_EQ(mf_sleep(MF_MSEC(200)), 0); /* what had arrived is read */
    for (int i = 0; i < 2; i++)
        before[i] = mfi_load_acq(&t.ways[i].got);
    EXPECT_EQ(mf_sleep(MF_SEC(1)), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(mfi_load_acq(&t.ways[i].got), before[i]);
    net_heal(net);
    transfer_more(&t, PHASE);
    transfer_end(&t);
    return 0;
}

MFI_TEST(both_ways_go_on_after_a_partition)
{
    in_net(through_a_partition);
}

static int through_loss(void *arg)
{
    struct transfer t;

    net_fault(arg, "nft add rule ip bad f numgen random mod 100 \\< 2"
                   " counter drop");
    transfer_begin(&t, arg);
    transfer_more(&t, 2 * PHASE);
    net_fault(arg, "nft list chain ip bad f | grep -q \"packets [1-9]\"");
    net_heal(arg);
    transfer_end(&t);
    return 0;
}

MFI_TEST(lost_packets_lose_no_byte)
{
    in_net(through_loss);
}

/* The links of R change their MTU; A and B hear of it by ICMP only. */
static int through_mtu_changes(void *arg)
{
    static const char *const changes[] = {
        "ip link set r1 mtu 900",
        "ip link set r0 mtu 700",
        "ip link set r0 mtu 9000 && ip link set r1 mtu 9000",
        "ip link set r1 mtu 576",
        "ip link set r0 mtu 1500 && ip link set r1 mtu 1500",
    };
    struct transfer t;

    transfer_begin(&t, arg);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        transfer_more(&t, PHASE / 2);
        net_fault(arg, changes[i]);
    }
    transfer_more(&t, PHASE);
    transfer_end(&t);
    /* FragFails: R did refuse packets. */
    net_fault(arg, "awk \"/^Ip: [0-9]/ { bad = \\$19 > 0 }"
                   " END { exit !bad }\" /proc/net/snmp");
    return 0;
}

MFI_TEST(the_mtu_changes_during_a_transfer)
{
    in_net(through_mtu_changes);
}

/* ---- a partition: deadlines and cancel ---------------------------------- */

struct stuck {
    const struct net *net;
    struct pair pairs[CALLS];
    mf_deadline deadline;
    mf_task *tasks[CALLS];
    int results[CALLS];
    mf_ns ended[CALLS];
};

struct call {
    struct stuck *s;
    int kind;
};

static int write_till_full(int fd, mf_deadline deadline)
{
    static const char zeros[65536];
    int rc;

    while ((rc = mf_write_all(fd, zeros, sizeof zeros, deadline)) == 0)
        ;
    return rc;
}

static int call_of(struct stuck *s, int kind)
{
    int fd = s->pairs[kind].w;
    char buf[64];

    switch (kind) {
    case 0:
        return mf_read(fd, buf, sizeof buf, s->deadline);
    case 1:
        return mf_read_full(fd, buf, sizeof buf, s->deadline);
    case 2:
        return write_till_full(fd, s->deadline);
    case 3:
        return mf_wait_fd(fd, POLLIN, s->deadline);
    case 4:
        return mf_tcp_connect(s->net->where, NULL, s->deadline);
    default:
        return mf_accept(s->net->listener, NULL, s->deadline);
    }
}

static int make_call(void *arg)
{
    const struct call *c = arg;

    c->s->results[c->kind] = call_of(c->s, c->kind);
    c->s->ended[c->kind] = mf_now();
    return 0;
}

/* All calls under way in a partition, in scope. */
static void get_stuck(struct stuck *s, const struct net *net, mf_scope *scope)
{
    s->net = net;
    for (int i = 0; i < CALLS; i++)
        net_pair(net, &s->pairs[i]);
    net_part(net);
    EXPECT_EQ(mf_scope_open(scope, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
}

static void start_calls(struct stuck *s, mf_scope *scope)
{
    for (int i = 0; i < CALLS; i++) {
        struct call c = {s, i};

        EXPECT_EQ(mf_spawn(scope, make_call, &c,
                           MF_TASK_OPTIONS(.copy_len = sizeof c), &s->tasks[i]),
                  0);
    }
}

static void end_stuck(struct stuck *s, int want, mf_ns at, mf_ns slack)
{
    for (int i = 0; i < CALLS; i++) {
        EXPECT_EQ(s->results[i], want);
        EXPECT_GE(s->ended[i], at);
        EXPECT_LT(s->ended[i], at + slack);
        close_pair(&s->pairs[i]);
    }
    net_heal(s->net);
}

static int deadlines_in_a_partition(void *arg)
{
    struct stuck s;
    mf_scope scope;

    get_stuck(&s, arg, &scope);
    s.deadline = mf_after(MF_MSEC(300));
    start_calls(&s, &scope);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    end_stuck(&s, -ETIMEDOUT, s.deadline.at, MF_MSEC(200) * mfi_test_scale());
    return 0;
}

MFI_TEST(each_call_answers_at_its_deadline_in_a_partition)
{
    in_net(deadlines_in_a_partition);
}

static int cancel_in_a_partition(void *arg)
{
    struct stuck s;
    mf_scope scope;
    mf_ns at;

    get_stuck(&s, arg, &scope);
    s.deadline = MF_NEVER;
    start_calls(&s, &scope);
    for (int i = 0; i < CALLS; i++)
        await_parked(s.tasks[i]);
    EXPECT_EQ(mf_sleep(MF_MSEC(50)), 0); /* they stay there */
    at = mf_now();
    mf_scope_cancel(&scope);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    end_stuck(&s, -ECANCELED, at, MF_MSEC(200) * mfi_test_scale());
    return 0;
}

MFI_TEST(a_cancel_in_a_partition_is_immediate)
{
    in_net(cancel_in_a_partition);
}

/* ---- resets and half-closes --------------------------------------------- */

static int read_one(void *arg)
{
    char c;

    return mf_read(*(int *)arg, &c, 1, late());
}

static int reset_by_peer(void *arg)
{
    struct helper reader;
    struct pair p;
    int rc;

    net_pair(arg, &p);
    help(&reader, read_one, &p.w);
    await_waiters(p.w, 1);
    EXPECT_EQ(mf_sockopt_set(p.r, MF_SO_LINGER, 0), 0);
    EXPECT_EQ(mf_close(p.r), 0);
    EXPECT_EQ(helped(&reader), -ECONNRESET);
    rc = mf_write(p.w, "x", 1, late());
    EXPECT_EQ(rc, -EPIPE);
    EXPECT_EQ(mf_close(p.w), 0);
    return 0;
}

MFI_TEST(a_reset_wakes_a_reader_with_ECONNRESET)
{
    in_net(reset_by_peer);
}

/* R answers in the other's name. */
static int reset_on_the_way(void *arg)
{
    struct helper reader;
    struct pair p;

    net_pair(arg, &p);
    help(&reader, read_one, &p.w);
    await_waiters(p.w, 1);
    net_fault(arg, "nft add rule ip bad f meta l4proto tcp reject with"
                   " tcp reset");
    EXPECT_EQ(mf_write(p.w, "x", 1, late()), 1);
    EXPECT_EQ(helped(&reader), -ECONNRESET);
    close_pair(&p);
    return 0;
}

MFI_TEST(a_reset_made_on_the_way_is_ECONNRESET_too)
{
    in_net(reset_on_the_way);
}

static int half_closed(void *arg)
{
    _Atomic int done = 0;
    struct stream down = {.seed = 5, .done = &done};
    struct helper sender, checker;
    struct pair p;
    char c;

    net_pair(arg, &p);
    EXPECT_EQ(mf_write_all(p.w, "ab", 2, late()), 0);
    EXPECT_EQ(mf_shutdown(p.w, SHUT_WR), 0);
    EXPECT_EQ(mf_read(p.r, &c, 1, late()), 1);
    EXPECT_EQ(mf_read(p.r, &c, 1, late()), 1);
    EXPECT_EQ(mf_read(p.r, &c, 1, late()), 0);
    EXPECT_EQ(mf_write(p.w, "c", 1, late()), -EPIPE);
    down.from = p.w;
    down.to = p.r;
    help(&sender, send_stream, &down);
    help(&checker, check_stream, &down);
    while (mfi_load_acq(&down.got) < PHASE)
        EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    mfi_store_rel(&done, 1);
    EXPECT_EQ(helped(&checker), 0);
    EXPECT_EQ(helped(&sender), 0);
    EXPECT_EQ(down.got, down.sent);
    close_pair(&p);
    return 0;
}

MFI_TEST(the_other_way_goes_on_after_a_half_close)
{
    in_net(half_closed);
}

/* ---- datagrams that may not be cut -------------------------------------- */

struct datagrams {
    struct net net;
    int a, b;
};

static int too_long_for_the_path(void *arg)
{
    struct datagrams *d = arg;
    char buf[1400] = "long", got[1500];
    mf_deadline end = late();
    int rc, icmp;

    EXPECT_EQ(mf_write(d->a, buf, 1200, late()), 1200);
    EXPECT_EQ(mf_read(d->b, got, sizeof got, late()), 1200);
    /* The far link: A learns of it by ICMP, after the first. */
    net_fault(&d->net, "ip link set r1 mtu 1000");
    EXPECT_EQ(mf_write(d->a, buf, 1200, late()), 1200);
    icmp = mf_read(d->a, got, sizeof got, late());
    EXPECT_EQ(icmp, -EMSGSIZE);
    while ((rc = mf_write(d->a, buf, 1200, late())) == 1200)
        EXPECT_LT(mf_now(), end.at);
    EXPECT_EQ(rc, -EMSGSIZE);
    EXPECT_EQ(mf_write(d->a, buf, 900, late()), 900);
    EXPECT_EQ(mf_read(d->b, got, sizeof got, late()), 900);
    EXPECT_EQ(mf_close(d->a), 0);
    EXPECT_EQ(mf_close(d->b), 0);
    return 0;
}

MFI_TEST(a_datagram_too_long_for_the_path_is_EMSGSIZE)
{
    struct datagrams d;
    struct sockaddr_in to;
    socklen_t len = sizeof to;
    int how = IP_PMTUDISC_DO;

    net_up(&d.net);
    d.b = net_socket(&d.net, NET_B, SOCK_DGRAM, "10.77.2.2");
    d.a = net_socket(&d.net, NET_A, SOCK_DGRAM, "10.77.1.2");
    EXPECT_EQ(getsockname(d.b, (struct sockaddr *)&to, &len), 0);
    EXPECT_EQ(connect(d.a, (struct sockaddr *)&to, len), 0);
    EXPECT_EQ(setsockopt(d.a, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof how),
              0);
    in_tasks(2, too_long_for_the_path, &d);
}
