/* SPDX-License-Identifier: MIT */
/*
 * main.c - badnet: a relay that worsens a network on purpose.
 *
 * The kernel can do some of this (tc netem), where it has been built with it
 * and the user is root. This needs neither; what it does to each connection
 * or datagram is drawn from --seed.
 *
 * One worker unless MF_WORKERS says more: what happens is bounded by the
 * delays, not by a CPU.
 */
#include "badnet.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "mayfly-bench/options.h"

enum { EXIT_USAGE = 2, MS_MAX = 3600 * 1000 };

#define AT(member) offsetof(struct badnet, member)

static const struct option_spec option_table[] = {
    {'p', "port", "PORT", "where to listen, on any address (0: a free port)",
     OPTION_COUNT, AT(port), 0, 65535},
    {'u', "udp", NULL, "relay datagrams, not TCP connections", OPTION_FLAG,
     AT(udp), 0, 0},
    {0, "delay", "MS", "hold back all that passes, each way", OPTION_COUNT,
     AT(delay), 0, MS_MAX},
    {0, "jitter", "MS",
     "and up to so much more, by chance; TCP stays in\n"
     "order, datagrams may overtake each other",
     OPTION_COUNT, AT(jitter), 0, MS_MAX},
    {0, "rate", "BYTES",
     "per second, each way of each connection or flow;\n"
     "datagrams that would wait over a second are lost",
     OPTION_COUNT, AT(rate), 1, INT64_C(1000000000000)},
    {0, "reset-after", "BYTES",
     "TCP: reset both connections when so much has\n"
     "passed, both ways together",
     OPTION_COUNT, AT(reset_after), 1, INT64_MAX},
    {0, "half-close", NULL,
     "TCP: after --reset-after bytes to the target end\n"
     "that way only, without a reset; the rest of it is\n"
     "read and dropped, the way back goes on",
     OPTION_FLAG, AT(half_close), 0, 0},
    {0, "byte-at-a-time", NULL, "TCP: each byte in a segment of its own",
     OPTION_FLAG, AT(single), 0, 0},
    {0, "reorder", "PERCENT",
     "UDP: hold a datagram back until the next one of\n"
     "its way has passed, but for 100 ms at most",
     OPTION_COUNT, AT(reorder), 0, 100},
    {0, "loss", "PERCENT", "UDP: drop datagrams", OPTION_COUNT, AT(loss), 0,
     100},
    {0, "duplicate", "PERCENT", "UDP: send datagrams twice", OPTION_COUNT,
     AT(duplicate), 0, 100},
    {0, "seed", "N", "of what is left to chance (the time's)", OPTION_COUNT,
     AT(seed), 1, INT64_MAX},
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "badnet",
    .operands = "HOST:PORT",
    .nr_operands = 1,
    .about = "Relay TCP connections or, with --udp, datagrams to HOST:PORT, an "
             "address or\nlocalhost, and make the network between worse than "
             "it is. Prints where it\nlistens; Ctrl-C ends it. Exit code: 0 "
             "fine, 1 cannot listen, 2 bad usage.\n",
    .options = option_table,
};

static struct badnet net;

void pace_init(struct pace *p, const struct badnet *of_net, uint64_t way)
{
    *p = (struct pace){.net = of_net, .dice = (uint64_t)of_net->seed};
    p->dice = (p->dice + way + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    for (int i = 0; i < 8; i++)
        pace_dice(p, 1);
}

uint64_t pace_dice(struct pace *p, uint64_t n)
{
    p->dice ^= p->dice << 13;
    p->dice ^= p->dice >> 7;
    p->dice ^= p->dice << 17;
    return (p->dice >> 11) % n;
}

mf_ns pace_due(struct pace *p)
{
    uint64_t more = (uint64_t)MF_MSEC(p->net->jitter);

    return mf_now() + MF_MSEC(p->net->delay) + (mf_ns)pace_dice(p, more + 1);
}

mf_ns pace_line(struct pace *p, mf_ns at, size_t len)
{
    if (p->net->rate == 0)
        return at;
    if (p->free < at)
        p->free = at;
    p->free += (mf_ns)((double)len * 1e9 / (double)p->net->rate);
    return p->free;
}

static int relay(void *arg)
{
    char where[32], text[MF_ADDR_STR];
    mf_addr at;
    int rc, fd;

    (void)arg;
    snprintf(where, sizeof where, "%s:%d",
             net.to.ss.ss_family == AF_INET6 ? "[::]" : "0.0.0.0",
             (int)net.port);
    fd = net.udp ? udp_bound(&net) : mf_tcp_listen(where, NULL);
    if (fd < 0)
        return fd;
    if ((rc = mf_local_addr(fd, &at)) < 0)
        return rc;
    printf("listening on %s\n", mf_addr_str(&at, text, sizeof text));
    fflush(stdout);
    return net.udp ? relay_udp(&net, fd) : relay_tcp(&net, fd);
}

/* What goes with what. */
static const char *contradiction(void)
{
    if (net.udp && (net.reset_after || net.half_close || net.single))
        return "--reset-after, --half-close and --byte-at-a-time are of TCP";
    if (!net.udp && (net.reorder || net.loss || net.duplicate))
        return "--reorder, --loss and --duplicate need --udp";
    if (net.half_close && !net.reset_after)
        return "--half-close needs --reset-after, which says when";
    return NULL;
}

static void *watch_signals(void *arg)
{
    int nr;

    if (sigwait(arg, &nr) == 0)
        mf_event_fire(&net.stop);
    return NULL;
}

static int block_signals(void)
{
    static sigset_t set;
    pthread_t watcher;
    int err;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if ((err = pthread_sigmask(SIG_BLOCK, &set, NULL)) == 0 &&
        (err = pthread_create(&watcher, NULL, watch_signals, &set)) == 0)
        err = pthread_detach(watcher);
    return -err;
}

static void raise_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

int main(int argc, char **argv)
{
    const char *why;
    char text[200];
    int rc;

    rc = options_parse(&command, argc, argv, &net, &net.target, text,
                       sizeof text);
    if (rc == OPTIONS_HELP) {
        options_help(&command, stdout);
        return 0;
    }
    if (rc == 0 && (rc = mf_addr_parse(net.target, &net.to)) < 0)
        snprintf(text, sizeof text, "%s: %s", net.target, mf_explain(rc));
    if (rc == 0 && (why = contradiction()) != NULL) {
        snprintf(text, sizeof text, "%s", why);
        rc = -EINVAL;
    }
    if (rc < 0) {
        fprintf(stderr, "badnet: %s; try badnet --help\n", text);
        return EXIT_USAGE;
    }
    if (net.seed == 0)
        net.seed = mf_now();
    raise_files();
    if ((rc = block_signals()) == 0)
        rc = mf_run(relay, NULL, MF_OPTIONS(.workers = 1));
    if (rc < 0)
        fprintf(stderr, "badnet: %s\n", mf_explain(rc));
    return rc < 0;
}
