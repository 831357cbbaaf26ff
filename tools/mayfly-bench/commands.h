/* SPDX-License-Identifier: MIT */
/*
 * commands.h - the sub-commands. Each runs with argv[0] = its name; `stop` is
 * fired when the user wants the end, and its memory outlives the call. Returns
 * the exit code of the process.
 */
#ifndef BENCH_COMMANDS_H
#define BENCH_COMMANDS_H

#include <mayfly.h>

int tcp_command(int argc, char **argv, mf_event *stop);
int udp_command(int argc, char **argv, mf_event *stop);
int unix_command(int argc, char **argv, mf_event *stop);

#endif
