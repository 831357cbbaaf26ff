/* SPDX-License-Identifier: MIT */
/*
 * unix.c - "mayfly-bench unix": requests and answers over unix sockets, which
 * are streams, packets in order or datagrams.
 */
#include <sys/socket.h>

#include "command.h"
#include "commands.h"

static const struct option_spec option_table[] = {
    {'l', "length", "BYTES", "of a request (64; at most 65536)", OPTION_COUNT,
     AT(len), 1, LEN_MAX},
    {0, "seqpacket", NULL, "packets in order, each request one", OPTION_FLAG,
     AT(seqpacket), 0, 0},
    {0, "dgram", NULL,
     "datagrams, each request one, of 16 bytes at least,\n"
     "with the numbers of connection and request in it",
     OPTION_FLAG, AT(dgram), 0, 0},
    {0, "timeout", "TIME",
     "for an answer (none; with --dgram 1, then it is lost,\n"
     "and the next request goes out)",
     OPTION_SPAN, AT(timeout), MF_MSEC(1), MF_SEC(86400)},
    CONNECT_TIMEOUT_OPTION,
    COMMAND_OPTIONS,
    {.name = NULL},
};

static const struct command_spec command = {
    .name = "mayfly-bench unix",
    .operands = "PATH",
    .nr_operands = 1,
    .about =
        "Send requests to an echo server on a unix socket and check every\n"
        "byte that comes back. PATH is that of its file, or @NAME. Exit code:\n"
        "0 fine, 1 no answer or any error, 2 bad usage. Ctrl-C ends it early,\n"
        "with the report; a second one at once.\n",
    .options = option_table,
};

/* A datagram socket is answered by its name: any will do. */
static int dial(const struct load_options *o, mf_deadline deadline)
{
    int type = o->dgram       ? SOCK_DGRAM
               : o->seqpacket ? SOCK_SEQPACKET
                              : SOCK_STREAM;

    return mf_unix_connect(
        o->where,
        MF_UNIX_CONNECT_OPTIONS(.type = type, .bind = o->dgram ? "@" : NULL),
        deadline);
}

static const struct transport streams = {
    .dial = dial, .prepare = stream_prepare, .ask = stream_ask};
static const struct transport datagrams = {
    .dial = dial, .prepare = dgram_prepare, .ask = dgram_ask, .is_dgram = 1};

int unix_command(int argc, char **argv, mf_event *stop)
{
    struct load_options o = {COMMAND_DEFAULTS};
    int rc = command_parse(&command, argc, argv, &o);

    if (rc >= 0)
        return rc;
    if (o.where[0] == '\0')
        return command_usage(&command, "PATH is empty");
    if (o.dgram && o.seqpacket)
        return command_usage(&command, "--dgram and --seqpacket: take one");
    if (o.dgram && o.len < DGRAM_HEAD)
        return command_usage(&command, "--length: at least 16 with --dgram");
    if (o.dgram && o.timeout == 0)
        o.timeout = MF_SEC(1);
    return command_run(&command, &o, o.dgram ? &datagrams : &streams, stop);
}
