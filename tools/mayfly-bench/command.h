/* SPDX-License-Identifier: MIT */
/* command.h - what the sub-commands share: options, usage, the run. */
#ifndef BENCH_COMMAND_H
#define BENCH_COMMAND_H

#include <mayfly.h>

#include "load.h"
#include "options.h"

enum { CONNS_MAX = 10000, LEN_MAX = 65536 };

#define COMMAND_DEFAULTS                                                  \
 .conns = 50, .len = 64, .duration = MF_SEC(10), .workers = 1, .seed = 1, \
 .connect_timeout = MF_SEC(5)

#define AT(member) offsetof(struct load_options, member)

/* The options that all commands have, with the same words. */
#define COMMAND_OPTIONS                                                        \
 {'c',          "connections", "N", "connections (50; at most 10000)",         \
  OPTION_COUNT, AT(conns),     1,   CONNS_MAX},                                \
     {'d',         "duration",                                                 \
      "TIME",      "how long: 10, 0.5, 250ms, 5m (10)",                        \
      OPTION_SPAN, AT(duration),                                               \
      MF_MSEC(1),  MF_SEC(86400)},                                             \
     {'t',          "threads",   "N", "workers (1); 0: one for each CPU",      \
      OPTION_COUNT, AT(workers), 0,   1024},                                   \
     {'r',                                                                     \
      "rate",                                                                  \
      "N",                                                                     \
      "requests per second over all connections, evenly\n"                     \
      "spaced; the default is as fast as answers come.\n"                      \
      "Latency then counts from the time a request was\n"                      \
      "due, not from when it was sent, so that a stalled\n"                    \
      "server is charged for every request it held up\n"                       \
      "(coordinated omission); how late requests left is\n"                    \
      "shown as the send lag",                                                 \
      OPTION_COUNT,                                                            \
      AT(rate),                                                                \
      1,                                                                       \
      INT64_C(1000000000)},                                                    \
     {0,                                                                       \
      "seed",                                                                  \
      "N",                                                                     \
      "of the bytes that are sent (1)",                                        \
      OPTION_COUNT,                                                            \
      AT(seed),                                                                \
      0,                                                                       \
      INT64_MAX},                                                              \
     {'j',         "json",                                                     \
      NULL,        "print one JSON object in place of the table",              \
      OPTION_FLAG, AT(json),                                                   \
      0,           0},                                                         \
 {                                                                             \
  'q', "quiet", NULL, "no line each second on stderr", OPTION_FLAG, AT(quiet), \
      0, 0                                                                     \
 }

/* Of sockets that connect. */
#define CONNECT_TIMEOUT_OPTION                                       \
 {                                                                   \
  0, "connect-timeout", "TIME", "for a connection (5)", OPTION_SPAN, \
      AT(connect_timeout), MF_MSEC(1), MF_SEC(86400)                 \
 }

/*
 * Fill o from the command line. -1: go on; else the exit code: help was asked
 * for, or the usage is wrong, which was said.
 */
int command_parse(const struct command_spec *cmd, int argc, char **argv,
                  struct load_options *o);

/* Say what is wrong with the usage. Returns the exit code. */
int command_usage(const struct command_spec *cmd, const char *why);

/* Is `where` a HOST:PORT? -1: yes; else the exit code, and it was said. */
int command_check_addr(const struct command_spec *cmd, const char *where,
                       mf_addr *ret_addr);

/* Run the load and report. Returns the exit code. */
int command_run(const struct command_spec *cmd, const struct load_options *o,
                const struct transport *transport, mf_event *stop);

#endif
