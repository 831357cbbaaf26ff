/* SPDX-License-Identifier: MIT */
/*
 * udp.c - "mayfly-bench udp": requests and answers by UDP datagrams. What may
 * happen to these on the way is in dgram.c.
 *
 * Each connection is a connected socket of its own: the kernel then gives it
 * only what its server sends, and tells it when nobody listens.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "command.h"
#include "commands.h"

enum { UDP_MAX = 65507 };

static const struct option_spec option_table[] = {
    {'l', "length", "BYTES",
     "of a request, the number of its connection and its\n"
     "own in it (64; 16 to 65507)",
     OPTION_COUNT, AT(len), DGRAM_HEAD, UDP_MAX},
    {0, "timeout", "TIME",
     "for an answer (1); then it is lost, and the next\n"
     "request goes out",
     OPTION_SPAN, AT(timeout), MF_MSEC(1), MF_SEC(86400)},
    COMMAND_OPTIONS,
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "mayfly-bench udp",
    .operands = "HOST:PORT",
    .nr_operands = 1,
    .about =
        "Send datagrams to an echo server, one at a time from each of the\n"
        "connections (sockets), and check every byte that comes back. Those\n"
        "lost, late, reordered and duplicated are counted, which is no error.\n"
        "HOST is an address or localhost. Exit code: 0 fine, 1 no answer or\n"
        "any error, 2 bad usage. Ctrl-C ends it early, with the report; a\n"
        "second one at once.\n",
    .options = option_table,
};

static int dial(const struct load_options *o, mf_deadline deadline)
{
    mf_addr to;
    int rc = mf_addr_parse(o->where, &to), fd;

    (void)deadline; /* nothing to wait for */
    if (rc < 0)
        return rc;
    fd = socket(to.ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&to.ss, to.len) < 0)
        rc = -errno;
    if (rc == 0)
        rc = mf_adopt(fd);
    if (rc < 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

static const struct transport transport = {
    .dial = dial, .prepare = dgram_prepare, .ask = dgram_ask, .is_dgram = 1};

int udp_command(int argc, char **argv, mf_event *stop)
{
    struct load_options o = {COMMAND_DEFAULTS, .timeout = MF_SEC(1)};
    mf_addr addr;
    int rc = command_parse(&command, argc, argv, &o);

    if (rc < 0)
        rc = command_check_addr(&command, o.where, &addr);
    return rc < 0 ? command_run(&command, &o, &transport, stop) : rc;
}
