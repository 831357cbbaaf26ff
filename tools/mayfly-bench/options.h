/* SPDX-License-Identifier: MIT */
/*
 * options.h - a command's options as a table, which is parsed and printed.
 *
 * One table says what an option is called, what it takes, where the value goes
 * and what --help says of it, so that the four cannot drift apart. Values go
 * into a struct of the command's own, at the offsets the table gives; what the
 * command line does not set keeps the value the struct had before.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
    OPTION_FLAG,  /* no value; sets an int64_t to 1 */
    OPTION_COUNT, /* decimal digits; an int64_t */
    OPTION_SPAN,  /* "2", "0.5", "250ms", "10s", "5m"; an int64_t of ns */
};

struct option_spec {
    int letter;       /* 0: it has a long name only */
    const char *name; /* NULL ends the table */
    const char *arg;  /* what --help calls the value; NULL for a flag */
    const char *help; /* may have several lines */
    enum option_kind kind;
    size_t offset;    /* of the int64_t in the command's struct */
    int64_t min, max; /* of a value, both allowed */
};

struct command_spec {
    const char *name;     /* "mayfly-bench tcp" */
    const char *operands; /* "HOST:PORT" */
    int nr_operands;
    const char *about; /* for --help, lines */
    const struct option_spec *options;
};

/* What options_parse answers beside 0 and -EINVAL. */
enum { OPTIONS_HELP = 1 };

/*
 * Parse argv[1..argc-1]; argv[0] is the command. Options may come before,
 * between and behind the operands; "--" ends them.
 *
 *   values    the command's struct, with the defaults in it
 *   operands  gets cmd->nr_operands pointers into argv
 *   why       on -EINVAL gets one line for the user
 *
 * Returns 0, OPTIONS_HELP (-h or --help was there), -EINVAL.
 */
int options_parse(const struct command_spec *cmd, int argc, char **argv,
                  void *values, const char **operands, char *why, size_t len);

/* Print what --help shows. */
void options_help(const struct command_spec *cmd, FILE *out);

#endif
