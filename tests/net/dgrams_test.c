/* SPDX-License-Identifier: MIT */
/* dgrams_test.c - many datagrams in one call. */
#include "datagrams.h"

enum { MANY = 100, LEN = 32, MESSAGES = 20000 / KIT_SLOW };

struct batch_of {
    mf_dgram msgs[MANY];
    mf_addr addrs[MANY];
    char bufs[MANY][LEN];
};

/* n messages with room for LEN bytes each. */
static void set_up(struct batch_of *b, int n)
{
    memset(b, 0x55, sizeof *b);
    for (int i = 0; i < n; i++)
        b->msgs[i] = (mf_dgram){
            .buf = b->bufs[i], .addr = &b->addrs[i], .size = LEN, .rc = 1};
}

/* The same to be sent: message i is i % LEN bytes of 'a' + i % 26. */
static void to_send(struct batch_of *b, int n, const mf_addr *to)
{
    set_up(b, n);
    for (int i = 0; i < n; i++) {
        memset(b->bufs[i], 'a' + i % 26, LEN);
        b->addrs[i] = *to;
        b->msgs[i].len = (uint32_t)(i % LEN);
    }
}

static void expect_message(const struct batch_of *b, int at, int i)
{
    const mf_dgram *m = &b->msgs[at];

    EXPECT_EQ(m->len, i % LEN);
    EXPECT_EQ(m->rc, 0);
    EXPECT_EQ(m->segment, 0);
    for (uint32_t k = 0; k < m->len; k++)
        EXPECT_EQ(b->bufs[at][k], 'a' + i % 26);
    EXPECT_EQ(b->bufs[at][m->len], 0x55);
}

static void send_all(int fd, const struct batch_of *b, int n)
{
    for (int sent = 0; sent < n;) {
        int rc = mf_sendmsgs(fd, b->msgs + sent, n - sent, late());

        EXPECT_GT(rc, 0);
        sent += rc;
    }
}

static int sizes(void *arg)
{
    static struct batch_of out, in;
    static const int counts[] = {1, 2, 15, 16, 17, 32, 33, MANY};
    mf_addr at;
    int s = bound("127.0.0.1:0", &at);

    (void)arg;
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        int n = counts[k], got = 0;

        to_send(&out, n, &at);
        send_all(s, &out, n);
        set_up(&in, MANY);
        /* They are all there: one call takes what it asks for. */
        EXPECT_EQ(mf_recvmsgs(s, in.msgs, n / 2 + 1, late()), n / 2 + 1);
        got = n / 2 + 1;
        if (got < n)
            EXPECT_EQ(mf_recvmsgs(s, in.msgs + got, MANY - got, late()),
                      n - got);
        for (int i = 0; i < n; i++) {
            expect_message(&in, i, i);
            expect_same_addr(&in.addrs[i], &at);
        }
        if (n < MANY) { /* not a byte of the next one is touched */
            EXPECT_EQ(in.msgs[n].rc, 1);
            EXPECT_EQ(in.addrs[n].len, 0x55555555);
        }
        EXPECT_EQ(mf_recvmsgs(s, in.msgs, MANY, MF_NOW), -ETIMEDOUT);
    }
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(batches_of_every_size_arrive_in_order)
{
    in_both(sizes, NULL);
}

/* What came goes back as it is. */
static int round_trip(void *arg)
{
    static struct batch_of out, in;
    mf_addr at, own;
    int s = bound(":0", &at), c;

    (void)arg;
    at = addr_of("127.0.0.1", port_of(&at));
    c = bound("127.0.0.1:0", &own);
    to_send(&out, 20, &at);
    send_all(c, &out, 20);
    set_up(&in, 20);
    EXPECT_EQ(mf_recvmsgs(s, in.msgs, 20, late()), 20);
    expect_same_addr(&in.addrs[19], &own);
    send_all(s, &in, 20);
    set_up(&in, 20);
    for (int got = 0; got < 20;) {
        int rc = mf_recvmsgs(c, in.msgs + got, 20 - got, late());

        EXPECT_GT(rc, 0);
        got += rc;
    }
    for (int i = 0; i < 20; i++)
        expect_message(&in, i, i);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(what_came_can_be_sent_back_as_it_is)
{
    in_both(round_trip, NULL);
}

static int cut(void *arg)
{
    static struct batch_of in;
    mf_addr at;
    int s = bound("127.0.0.1:0", &at), c = connected_to(&at);

    (void)arg;
    EXPECT_EQ(mf_sendto(c, "12345678", 8, NULL, late()), 8);
    EXPECT_EQ(mf_sendto(c, "123456789", 9, NULL, late()), 9);
    EXPECT_EQ(mf_sendto(c, "", 0, NULL, late()), 0);
    set_up(&in, 3);
    in.msgs[0].size = in.msgs[1].size = 8;
    in.msgs[2].size = 0;
    in.msgs[1].addr = NULL;
    EXPECT_EQ(mf_recvmsgs(s, in.msgs, 3, late()), 3);
    EXPECT_EQ(in.msgs[0].rc, 0);
    EXPECT_EQ(in.msgs[0].len, 8);
    EXPECT_EQ(in.msgs[1].rc, -EMSGSIZE);
    EXPECT_EQ(in.msgs[1].len, 8);
    EXPECT_EQ(memcmp(in.bufs[1], "12345678", 8), 0);
    EXPECT_EQ(in.bufs[1][8], 0x55);
    EXPECT_EQ(in.msgs[2].rc, 0);
    EXPECT_EQ(in.msgs[2].len, 0);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(a_longer_one_is_cut_and_says_so_the_others_are_whole)
{
    in_both(cut, NULL);
}

static int errors(void *arg)
{
    static struct batch_of b;
    mf_addr at;
    int s = bound("127.0.0.1:0", &at), c;

    (void)arg;
    set_up(&b, 4);
    EXPECT_EQ(mf_recvmsgs(s, NULL, 1, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_recvmsgs(s, b.msgs, 0, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_recvmsgs(s, b.msgs, -1, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_sendmsgs(s, NULL, 1, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_sendmsgs(s, b.msgs, 0, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_recvmsgs(-1, b.msgs, 1, MF_NOW), -EBADF);
    EXPECT_EQ(mf_sendmsgs(-1, b.msgs, 1, MF_NOW), -EBADF);
    EXPECT_EQ(mf_recvmsgs(s, b.msgs, 4, soon()), -ETIMEDOUT);

    /* The third cannot go: the two before it do, then it says why. */
    to_send(&b, 4, &at);
    b.msgs[2].addr = NULL;
    EXPECT_EQ(mf_sendmsgs(s, b.msgs, 4, late()), 2);
    EXPECT_EQ(mf_sendmsgs(s, b.msgs + 2, 2, late()), -EDESTADDRREQ);
    EXPECT_EQ(mf_sendmsgs(s, b.msgs + 3, 1, late()), 1);
    set_up(&b, 4);
    EXPECT_EQ(mf_recvmsgs(s, b.msgs, 4, late()), 3);
    expect_message(&b, 2, 3);

    /* An ICMP error is the next call's on a connected one. */
    EXPECT_EQ(mf_close(s), 0);
    s = deaf(&at);
    c = connected_to(&at);
    EXPECT_EQ(mf_sendto(c, "x", 1, NULL, late()), 1);
    set_up(&b, 4);
    EXPECT_EQ(mf_recvmsgs(c, b.msgs, 4, late()), -ECONNREFUSED);
    EXPECT_EQ(mf_close(c), 0);
    EXPECT_EQ(mf_close(s), 0);
    return 0;
}

MFI_TEST(what_cannot_go_is_told_when_it_is_first)
{
    in_both(errors, NULL);
}

/* ---- waiting ------------------------------------------------------------ */

struct waiting {
    int fd;
    int want;
};

static int receive_some(void *arg)
{
    static _Thread_local struct batch_of none; /* never written to */
    struct waiting *w = arg;
    mf_dgram m = {.buf = none.bufs[0], .size = LEN};

    EXPECT_EQ(mf_recvmsgs(w->fd, &m, 1, late()), w->want);
    return 0;
}

static int closed_and_cancelled(void *arg)
{
    struct waiting gone = {.want = -ECANCELED}, closed = {.want = -EBADF};
    struct helper a, b;
    mf_addr at;

    (void)arg;
    gone.fd = closed.fd = bound("127.0.0.1:0", &at);
    help(&b, receive_some, &closed);
    help(&a, receive_some, &gone);
    await_waiters(gone.fd, 2);
    mf_scope_cancel(&a.scope);
    EXPECT_EQ(helped(&a), 0);
    EXPECT_EQ(mf_close(gone.fd), 0);
    EXPECT_EQ(helped(&b), 0);
    return 0;
}

MFI_TEST(a_close_and_a_cancel_end_the_wait)
{
    in_both(closed_and_cancelled, NULL);
}

/* Sending waits for the first; with a unix socket's short queue it has to. */
static int full(void *arg)
{
    static struct batch_of b;
    int fds[2], rc, sent = 0, got = 0;

    (void)arg;
    bare_pair(SOCK_DGRAM, fds);
    set_up(&b, MANY);
    for (int i = 0; i < MANY; i++) {
        b.msgs[i].addr = NULL;
        b.msgs[i].len = LEN;
    }
    while ((rc = mf_sendmsgs(fds[0], b.msgs, MANY, MF_NOW)) > 0)
        sent += rc;
    EXPECT_EQ(rc, -ETIMEDOUT);
    EXPECT_GT(sent, 0);
    EXPECT_EQ(mf_sendmsgs(fds[0], b.msgs, MANY, soon()), -ETIMEDOUT);
    while ((rc = mf_recvmsgs(fds[1], b.msgs, MANY, MF_NOW)) > 0)
        got += rc;
    EXPECT_EQ(rc, -ETIMEDOUT);
    EXPECT_EQ(got, sent);
    EXPECT_GT(mf_sendmsgs(fds[0], b.msgs, MANY, late()), 0);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    return 0;
}

MFI_TEST(a_full_queue_makes_the_sender_wait)
{
    in_both(full, NULL);
}

/* ---- under load --------------------------------------------------------- */

struct load {
    int fd;
    mf_addr at;
    _Atomic int total;
    _Atomic int seen[MESSAGES];
};

static int take_batches(void *arg)
{
    struct load *l = arg;
    int vals[24], n;
    mf_dgram msgs[24];

    for (int i = 0; i < 24; i++)
        msgs[i] = (mf_dgram){.buf = &vals[i], .size = sizeof(int)};
    while ((n = mf_recvmsgs(l->fd, msgs, 24, late())) > 0) {
        for (int i = 0; i < n; i++) {
            EXPECT_EQ(msgs[i].len, sizeof(int));
            EXPECT_EQ(mfi_add_acqrel(&l->seen[vals[i]], 1), 0);
        }
        mfi_add_acqrel(&l->total, n);
    }
    EXPECT_EQ(n, -EBADF);
    return 0;
}

/*
 * Each goes to one of them and none is left lying: a short batch that cleared
 * the readiness under an edge would leave the rest there for good.
 */
static int many_takers(void *arg)
{
    static struct load l;
    struct helper h[3];
    int out;

    (void)arg;
    memset(&l, 0, sizeof l);
    l.fd = bound("127.0.0.1:0", &l.at);
    out = connected_to(&l.at);
    for (int i = 0; i < 3; i++)
        help(&h[i], take_batches, &l);
    for (int i = 0; i < MESSAGES; i++) {
        EXPECT_EQ(mf_sendto(out, &i, sizeof i, NULL, late()), sizeof i);
        if (i % 3 == 0) /* now and then all of it is taken */
            while (mfi_load_acq(&l.total) <= i)
                breathe();
        while (i - mfi_load_acq(&l.total) > 64)
            breathe();
    }
    while (mfi_load_acq(&l.total) < MESSAGES)
        breathe();
    EXPECT_EQ(mf_close(l.fd), 0);
    for (int i = 3; i-- > 0;)
        EXPECT_EQ(helped(&h[i]), 0);
    EXPECT_EQ(mf_close(out), 0);
    return 0;
}

MFI_TEST(batches_of_many_takers_are_each_datagram_once)
{
    in_tasks(1, many_takers, NULL);
    in_both(many_takers, NULL);
}
