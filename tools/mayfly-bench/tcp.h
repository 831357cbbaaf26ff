/* SPDX-License-Identifier: MIT */
/* tcp.h - the sub-command "tcp"; each further load has a header like this. */
#ifndef BENCH_TCP_H
#define BENCH_TCP_H

#include <mayfly.h>

/*
 * Run with argv[0] = "tcp". `stop` is fired when the user wants the end. Its
 * memory outlives the call. Returns the exit code of the process.
 */
int tcp_command(int argc, char **argv, mf_event *stop);

#endif
