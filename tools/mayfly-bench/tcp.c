/* SPDX-License-Identifier: MIT */
/* tcp.c - "mayfly-bench tcp": requests and answers over TCP connections. */
#include "command.h"
#include "commands.h"

static const struct option_spec option_table[] = {
    {'l', "length", "BYTES",
     "of a request (64; at most 65536, so that it fits\n"
     "into socket buffers while nobody reads)",
     OPTION_COUNT, AT(len), 1, LEN_MAX},
    {0, "timeout", "TIME", "for an answer (none)", OPTION_SPAN, AT(timeout),
     MF_MSEC(1), MF_SEC(86400)},
    CONNECT_TIMEOUT_OPTION,
    COMMAND_OPTIONS,
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "mayfly-bench tcp",
    .operands = "HOST:PORT",
    .nr_operands = 1,
    .about =
        "Send requests to an echo server and check every byte that comes\n"
        "back. HOST is an address or localhost. Exit code: 0 fine, 1 no\n"
        "answer or any error, 2 bad usage. Ctrl-C ends it early, with the\n"
        "report; a second one at once.\n",
    .options = option_table,
};

static int dial(const struct load_options *o, mf_deadline deadline)
{
    return mf_tcp_connect(o->where, MF_CONNECT_OPTIONS(.nodelay = 1), deadline);
}

static const struct transport transport = {
    .dial = dial, .prepare = stream_prepare, .ask = stream_ask};

int tcp_command(int argc, char **argv, mf_event *stop)
{
    struct load_options o = {COMMAND_DEFAULTS};
    mf_addr addr;
    int rc = command_parse(&command, argc, argv, &o);

    if (rc < 0)
        rc = command_check_addr(&command, o.where, &addr);
    return rc < 0 ? command_run(&command, &o, &transport, stop) : rc;
}
