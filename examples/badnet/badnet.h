/* SPDX-License-Identifier: MIT */
/* badnet.h - what the relay is to do, and chance that can be repeated. */
#ifndef BADNET_H
#define BADNET_H

#include <mayfly.h>

struct badnet {
    const char *target;
    mf_addr to; /* the target's address */
    mf_event stop;
    /* As the command line gives them. */
    int64_t port;
    int64_t udp;
    int64_t delay;       /* ms */
    int64_t jitter;      /* ms */
    int64_t rate;        /* bytes per second, each way; 0: no limit */
    int64_t reset_after; /* bytes of a connection; 0: never */
    int64_t half_close;  /* then end one way only */
    int64_t single;      /* --byte-at-a-time */
    int64_t reorder;     /* per cent of the datagrams */
    int64_t loss;
    int64_t duplicate;
    int64_t seed; /* 0: the time's */
};

/* One way of a connection or flow: its pace and its dice. */
struct pace {
    const struct badnet *net;
    uint64_t dice;
    mf_ns last; /* when what came before is due */
    mf_ns free; /* when the line has sent what came before */
};

/* way: a number no other way of this run has. */
void pace_init(struct pace *p, const struct badnet *of_net, uint64_t way);

/* A number below n (1 or more). Marsaglia 2003, "Xorshift RNGs". */
uint64_t pace_dice(struct pace *p, uint64_t n);

/* When what has come now is due: after the delay and the jitter. */
mf_ns pace_due(struct pace *p);

/*
 * When the line, which is not faster than the rate, is through with len bytes
 * that it gets at `at`.
 */
mf_ns pace_line(struct pace *p, mf_ns at, size_t len);

/* Tasks: relay between the socket and the target until net->stop fires. */
int relay_tcp(struct badnet *net, int listener);
int relay_udp(struct badnet *net, int sock);

/* A bound UDP socket on port, or -errno. */
int udp_bound(struct badnet *net);

#endif
