/* SPDX-License-Identifier: MIT */
/*
 * udp_load.c - a UDP client: on each of its sockets one datagram is under way,
 * the next goes when its echo is there. Closed loop, one thread, one epoll set.
 *
 *     udp_load -p port [-c sockets] [-l bytes] [-d seconds]
 *
 * Prints one JSON object with the keys of mayfly-bench that bench/run reads. An
 * echo that has not come after 200 ms counts as an error and is asked for
 * again; a wrong one ends the program.
 */
#define _GNU_SOURCE
#include "client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, LEN_MAX = 65507, LOST_NS = 200 * 1000 * 1000 };
enum { TRIPS = 1 << 22 }; /* round trips remembered, for the percentiles */

struct line {
    int fd;
    uint64_t count; /* what this datagram carries */
    int64_t sent_at;
};

struct load {
    struct line *lines;
    int n;
    size_t len;
    int ep;
    uint64_t answered, lost;
    uint32_t *trips;
    uint32_t nr_trips;
};

static void ask(const struct load *l, struct line *line)
{
    static char message[LEN_MAX];

    line->count++;
    memcpy(message, &line->count, sizeof line->count);
    line->sent_at = client_now();
    if (send(line->fd, message, l->len, 0) != (ssize_t)l->len)
        client_die("udp_load: send");
}

/* 1: the echo of what was last sent is there; a late one is passed over. */
static int take(const struct load *l, struct line *line)
{
    static char message[LEN_MAX];
    uint64_t count;
    ssize_t got = recv(line->fd, message, sizeof message, MSG_DONTWAIT);

    if (got < 0)
        return 0;
    memcpy(&count, message, sizeof count);
    if (got != (ssize_t)l->len || count > line->count || count == 0) {
        fprintf(stderr, "udp_load: the echo is not what was sent\n");
        exit(1);
    }
    return count == line->count;
}

static void find_lost(struct load *l, int64_t now)
{
    for (int i = 0; i < l->n; i++) {
        if (now - l->lines[i].sent_at <= LOST_NS)
            continue;
        l->lost++;
        ask(l, &l->lines[i]);
    }
}

static void run(struct load *l, int64_t end)
{
    struct epoll_event events[EVENTS];
    int64_t now = client_now(), look = now + LOST_NS;

    for (int i = 0; i < l->n; i++)
        ask(l, &l->lines[i]);
    while (now < end) {
        int n = epoll_wait(l->ep, events, EVENTS, 50);

        for (int i = 0; i < n; i++) {
            struct line *line = events[i].data.ptr;

            if (!take(l, line))
                continue;
            now = client_now();
            if (l->nr_trips < TRIPS)
                l->trips[l->nr_trips++] = (uint32_t)(now - line->sent_at);
            l->answered++;
            ask(l, line);
        }
        if (n <= 0)
            now = client_now();
        if (now >= look) {
            find_lost(l, now);
            look = now + LOST_NS;
        }
    }
}

static void set_up(struct load *l, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    l->lines = calloc((size_t)l->n, sizeof *l->lines);
    l->trips = malloc(sizeof *l->trips * TRIPS);
    l->ep = epoll_create1(EPOLL_CLOEXEC);
    if (!l->lines || !l->trips || l->ep < 0)
        client_die("udp_load");
    for (int i = 0; i < l->n; i++) {
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &l->lines[i]};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
            epoll_ctl(l->ep, EPOLL_CTL_ADD, fd, &ev) != 0)
            client_die("udp_load: connect");
        l->lines[i].fd = fd;
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static uint32_t percentile(const struct load *l, uint32_t percent)
{
    uint64_t i = (uint64_t)l->nr_trips * percent / 100;

    return l->nr_trips == 0 ? 0 : l->trips[i < l->nr_trips ? i : i - 1];
}

int main(int argc, char **argv)
{
    struct load l = {.n = 50, .len = 64};
    int64_t start, span;
    double seconds = 2;
    int c, port = 0;

    while ((c = getopt(argc, argv, "p:c:l:d:")) != -1) {
        port = c == 'p' ? (int)strtol(optarg, NULL, 10) : port;
        l.n = c == 'c' ? (int)strtol(optarg, NULL, 10) : l.n;
        l.len = c == 'l' ? strtoul(optarg, NULL, 10) : l.len;
        seconds = c == 'd' ? strtod(optarg, NULL) : seconds;
    }
    if (port < 1 || port > 65535 || l.n < 1 || l.len < sizeof(uint64_t) ||
        l.len > LEN_MAX || seconds <= 0) {
        fprintf(stderr, "usage: udp_load -p port [-c sockets] [-l bytes, 8 or "
                        "more] [-d seconds]\n");
        return 2;
    }
    client_raise_files();
    set_up(&l, (uint16_t)port);
    start = client_now();
    run(&l, start + (int64_t)(seconds * 1e9));
    span = client_now() - start;
    qsort(l.trips, l.nr_trips, sizeof *l.trips, by_value);
    printf("{\"requests\": %llu, \"requests_per_s\": %.1f, \"duration_s\": "
           "%.6f, \"connections\": {\"connected\": %d}, \"latency_ns\": "
           "{\"p50\": %u, \"p99\": %u}, \"errors\": {\"total\": %llu}}\n",
           (unsigned long long)l.answered,
           (double)l.answered * 1e9 / (double)span, (double)span / 1e9, l.n,
           percentile(&l, 50), percentile(&l, 99), (unsigned long long)l.lost);
    return 0;
}
