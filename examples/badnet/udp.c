/* SPDX-License-Identifier: MIT */
/*
 * udp.c - datagrams: a flow for each client, with a socket of its own to the
 * target, so that the target sees as many peers as there are clients.
 *
 * What is not due yet is a task of its own that sleeps and sends: so jitter
 * makes datagrams overtake each other, as it does in a network. One chosen by
 * --reorder is held in its way until the next has been sent, or 100 ms.
 *
 * A flow ends when nothing came for a minute. Its task says so in `ended`, and
 * the receiving task, the only one that looks into the table, then gives its
 * place away. The socket lives until the last datagram for it is gone.
 */
#include "badnet.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { DATAGRAM = 65536, FLOWS = 1024, HOLD_MS = 100, IDLE_S = 60, TURN = 32 };

struct dgram;

struct way {
    struct flow *flow; /* whose it is */
    struct pace pace;
    _Atomic(struct dgram *) held;
};

struct flow {
    struct relay *relay;
    mf_addr client;
    int fd; /* connected to the target */
    _Atomic int refs;
    _Atomic int ended;
    _Atomic int64_t last; /* when anything came */
    unsigned nr;          /* came back */
    struct way up, down;
};

struct relay {
    struct badnet *net;
    mf_scope *scope;
    int sock;
    unsigned nr; /* came from clients */
    uint64_t nr_ways;
    struct flow *flows[FLOWS];
};

struct dgram {
    struct way *way; /* its flow is kept */
    mf_ns due;
    size_t len;
    char data[];
};

static void flow_unref(struct flow *f)
{
    if (atomic_fetch_sub(&f->refs, 1) == 1) {
        mf_close(f->fd);
        free(f);
    }
}

static void dgram_free(struct dgram *d)
{
    flow_unref(d->way->flow);
    free(d);
}

/* Send one, and end it. What the kernel does not take is lost. */
static void dgram_send(struct dgram *d)
{
    struct flow *f = d->way->flow;
    int up = d->way == &f->up;
    int fd = up ? f->fd : f->relay->sock;
    const struct sockaddr *to = up ? NULL : (void *)&f->client.ss;
    ssize_t n;

    do
        n = sendto(fd, d->data, d->len, MSG_DONTWAIT | MSG_NOSIGNAL, to,
                   up ? 0 : f->client.len);
    while (n < 0 && (errno == EAGAIN || errno == EINTR) &&
           mf_wait_fd(fd, POLLOUT, mf_after(MF_SEC(1))) > 0);
    dgram_free(d);
}

static void send_held(struct way *w)
{
    struct dgram *d = atomic_exchange(&w->held, NULL);

    if (d != NULL)
        dgram_send(d);
}

static int send_due(void *arg)
{
    struct dgram *d = arg;
    struct way *w = d->way;

    atomic_fetch_add(&w->flow->refs, 1); /* for what comes behind d */
    if (mf_sleep_until(mf_at(d->due)) < 0) {
        dgram_free(d);
    } else {
        dgram_send(d);
        send_held(w);
    }
    flow_unref(w->flow); /* NOLINT(clang-analyzer-unix.Malloc): counted */
    return 0;
}

/* No datagram has followed in time: send what is held all the same. */
static int end_hold(void *arg)
{
    struct way *w = arg; /* its flow is kept for this task */
    mf_ns span = MF_MSEC(HOLD_MS + w->pace.net->delay + w->pace.net->jitter);
    struct dgram *d;

    if (mf_sleep(span) == 0)
        send_held(w);
    else if ((d = atomic_exchange(&w->held, NULL)) != NULL)
        dgram_free(d);
    flow_unref(w->flow);
    return 0;
}

/* Hold this one; what was held until now goes out. */
static void hold(struct dgram *d)
{
    struct way *w = d->way;

    if ((d = atomic_exchange(&w->held, d)) != NULL)
        dgram_send(d);
    atomic_fetch_add(&w->flow->refs, 1);
    if (mf_go(w->flow->relay->scope, end_hold, w) < 0) {
        send_held(w);
        flow_unref(w->flow);
    }
}

static struct dgram *dgram_make(struct way *w, const char *data, size_t len)
{
    struct dgram *d = malloc(sizeof *d + len);

    if (d == NULL)
        return NULL;
    *d = (struct dgram){.way = w, .len = len};
    memcpy(d->data, data, len);
    atomic_fetch_add(&w->flow->refs, 1);
    return d;
}

/* One datagram into its way: now, when it is due, or behind the next. */
static void pass(struct way *w, const char *data, size_t len)
{
    const struct badnet *net = w->pace.net;
    mf_ns due = pace_due(&w->pace);
    struct dgram *d;

    if (net->rate > 0 && w->pace.free > due + MF_SEC(1))
        return; /* the line's queue is full */
    due = pace_line(&w->pace, due, len);
    if ((d = dgram_make(w, data, len)) == NULL)
        return;
    d->due = due;
    if (pace_dice(&w->pace, 100) < (uint64_t)net->reorder) {
        hold(d);
    } else if (due > mf_now()) {
        if (mf_go(w->flow->relay->scope, send_due, d) < 0)
            dgram_free(d);
    } else {
        dgram_send(d);
        send_held(w);
    }
}

static void pass_by_chance(struct way *w, const char *data, size_t len)
{
    const struct badnet *net = w->pace.net;
    int lost = pace_dice(&w->pace, 100) < (uint64_t)net->loss;
    int twice = pace_dice(&w->pace, 100) < (uint64_t)net->duplicate;

    atomic_store(&w->flow->last, mf_now());
    for (int i = 0; i <= twice && !lost; i++)
        pass(w, data, len);
}

/* Receive one: its length, which may be 0. */
static int receive(int fd, char *buf, mf_addr *from, mf_deadline deadline)
{
    socklen_t *len = from != NULL ? &from->len : NULL;
    ssize_t n;
    int rc;

    for (;;) {
        if (from != NULL)
            from->len = sizeof from->ss;
        n = recvfrom(fd, buf, DATAGRAM, MSG_DONTWAIT,
                     from != NULL ? (void *)&from->ss : NULL, len);
        if (n >= 0)
            return (int)n;
        /* Not EAGAIN: news of a datagram sent before, nobody listens there. */
        if ((rc = mf_wait_fd(fd, POLLIN, deadline)) < 0)
            return rc;
    }
}

/* A flow's task: the way back. */
static int flow_run(void *arg)
{
    struct flow *f = arg;
    char buf[DATAGRAM];
    mf_ns end;
    int n;

    for (;;) {
        end = atomic_load(&f->last) + MF_SEC(IDLE_S);
        n = receive(f->fd, buf, NULL, mf_at(end));
        if (n >= 0)
            pass_by_chance(&f->down, buf, (size_t)n);
        if (n >= 0 && ++f->nr % TURN == 0)
            n = mf_yield();
        if (n >= 0)
            continue;
        if (n != -ETIMEDOUT || atomic_load(&f->last) + MF_SEC(IDLE_S) <= end)
            break;
    }
    atomic_store(&f->ended, 1);
    flow_unref(f);
    return 0;
}

static struct flow *flow_make(struct relay *r, const mf_addr *client)
{
    struct flow *f = calloc(1, sizeof *f);
    const mf_addr *to = &r->net->to;

    if (f == NULL)
        return NULL;
    f->relay = r;
    f->client = *client;
    f->refs = 2; /* the table's and its task's */
    f->last = mf_now();
    f->up.flow = f->down.flow = f;
    pace_init(&f->up.pace, r->net, r->nr_ways++);
    pace_init(&f->down.pace, r->net, r->nr_ways++);
    f->fd = socket(to->ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (f->fd >= 0 && connect(f->fd, (const void *)&to->ss, to->len) == 0 &&
        mf_go(r->scope, flow_run, f) == 0)
        return f;
    if (f->fd >= 0)
        mf_close(f->fd);
    free(f);
    return NULL;
}

/* The client's flow, a new one if need be; NULL: no place, no memory. */
static struct flow *flow_of(struct relay *r, const mf_addr *client)
{
    struct flow **place = NULL;

    for (int i = 0; i < FLOWS; i++) {
        struct flow *f = r->flows[i];

        if (f != NULL && atomic_load(&f->ended)) {
            flow_unref(f);
            r->flows[i] = f = NULL;
        }
        if (f == NULL)
            place = place == NULL ? &r->flows[i] : place;
        else if (f->client.len == client->len &&
                 memcmp(&f->client.ss, &client->ss, client->len) == 0)
            return f;
    }
    return place == NULL ? NULL : (*place = flow_make(r, client));
}

static int receive_all(void *arg)
{
    struct relay *r = arg;
    char buf[DATAGRAM];
    mf_addr from;
    struct flow *f;
    int n;

    while ((n = receive(r->sock, buf, &from, MF_NEVER)) >= 0) {
        if ((f = flow_of(r, &from)) != NULL)
            pass_by_chance(&f->up, buf, (size_t)n);
        if (++r->nr % TURN == 0 && (n = mf_yield()) < 0)
            break;
    }
    for (int i = 0; i < FLOWS; i++)
        if (r->flows[i] != NULL)
            flow_unref(r->flows[i]);
    return n;
}

int relay_udp(struct badnet *net, int sock)
{
    static struct relay relay;
    mf_scope scope;
    int rc;

    if ((rc = mf_scope_open(&scope, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL))) < 0)
        return rc;
    relay = (struct relay){.net = net, .sock = sock, .scope = &scope};
    if ((rc = mf_go(&scope, receive_all, &relay)) == 0)
        rc = mf_event_wait(&net->stop, MF_NEVER);
    mf_scope_cancel(&scope);
    mf_scope_close(&scope);
    mf_close(sock);
    return rc;
}

int udp_bound(struct badnet *net)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)net->port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)net->port)};
    int family = net->to.ss.ss_family;
    int rc, fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    rc = family == AF_INET6 ? bind(fd, (const void *)&v6, sizeof v6)
                            : bind(fd, (const void *)&v4, sizeof v4);
    if (rc < 0) {
        rc = -errno;
        mf_close(fd);
        return rc;
    }
    return fd;
}
