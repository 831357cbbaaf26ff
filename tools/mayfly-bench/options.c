/* SPDX-License-Identifier: MIT */
/* options.c - getopt_long, driven by the table of options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTIONS_MAX = 32,
    LONG_ONLY = 256, /* added to the index where there is no letter */
    HELP_COLUMN = 30,
};

/* Digits only; -ERANGE where they do not fit. */
static int parse_count(const char *text, int64_t *ret_count)
{
    int64_t n = 0;

    if (*text == '\0')
        return -EINVAL;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, *text - '0', &n))
            return -ERANGE;
    }
    *ret_count = n;
    return 0;
}

/* A decimal number and a unit; without one it is seconds. */
static int parse_span(const char *text, int64_t *ret_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {
        {"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"m", 60e9},
    };
    size_t digits = strspn(text, "0123456789.");
    char *end;
    double n;

    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    n = strtod(text, &end);
    if (end != text + digits) /* "1.2.3", "1e9", "0x10" */
        return -EINVAL;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        n *= units[i].ns;
        if (n > 1e18)
            return -ERANGE;
        *ret_ns = (int64_t)(n + 0.5);
        return 0;
    }
    return -EINVAL;
}

static const struct option_spec *find(const struct command_spec *cmd, int c)
{
    const struct option_spec *o = cmd->options;

    if (c >= LONG_ONLY)
        return o + (c - LONG_ONLY);
    while (o->name != NULL && o->letter != c)
        o++;
    return o->name != NULL ? o : NULL;
}

static int store(const struct option_spec *o, const char *text, void *values,
                 char *why, size_t len)
{
    int64_t value = 1;
    int rc = 0;

    switch (o->kind) {
    case OPTION_FLAG:
        break;
    case OPTION_COUNT:
        rc = parse_count(text, &value);
        break;
    case OPTION_SPAN:
        rc = parse_span(text, &value);
        break;
    }
    if (rc == -EINVAL) {
        snprintf(why, len, "--%s: '%s' is not a %s", o->name, text,
                 o->kind == OPTION_COUNT ? "number"
                                         : "time (as 2, 0.5, 250ms, 5m)");
        return -EINVAL;
    }
    if (o->kind != OPTION_FLAG &&
        (rc == -ERANGE || value < o->min || value > o->max)) {
        int64_t unit = o->kind == OPTION_SPAN ? 1000000000 : 1;

        snprintf(why, len, "--%s: %s is out of range, %g to %g%s", o->name,
                 text, (double)o->min / (double)unit,
                 (double)o->max / (double)unit, unit > 1 ? " s" : "");
        return -EINVAL;
    }
    memcpy((char *)values + o->offset, &value, sizeof value);
    return 0;
}

/* What getopt_long wants, made from the table; returns how many options. */
static int make_getopt(const struct command_spec *cmd, struct option *longs,
                       char *shorts)
{
    int n = 0;

    *shorts++ = ':'; /* a missing value is ':', not '?' */
    *shorts++ = 'h';
    for (const struct option_spec *o = cmd->options; o->name != NULL; o++) {
        if (n >= OPTIONS_MAX)
            abort();
        longs[n] = (struct option){
            .name = o->name,
            .has_arg = o->arg != NULL ? required_argument : no_argument,
            .val = o->letter != 0 ? o->letter : LONG_ONLY + n,
        };
        if (o->letter != 0) {
            *shorts++ = (char)o->letter;
            if (o->arg != NULL)
                *shorts++ = ':';
        }
        n++;
    }
    longs[n++] = (struct option){.name = "help", .val = 'h'};
    longs[n] = (struct option){.name = NULL};
    *shorts = '\0';
    return n;
}

static int take_operands(const struct command_spec *cmd, int argc, char **argv,
                         const char **operands, char *why, size_t len)
{
    int n = argc - optind;

    if (n < cmd->nr_operands) {
        snprintf(why, len, "%s is missing", cmd->operands);
        return -EINVAL;
    }
    if (n > cmd->nr_operands) {
        snprintf(why, len, "unexpected argument '%s'",
                 argv[optind + cmd->nr_operands]);
        return -EINVAL;
    }
    for (int i = 0; i < n; i++)
        operands[i] = argv[optind + i];
    return 0;
}

/* c is ':' for a missing value, else '?'; word is the last one read. */
static void complain(const struct command_spec *cmd, int c, const char *word,
                     char *why, size_t len)
{
    if (c == ':')
        snprintf(why, len, "%s needs a value", word);
    else if (optopt > 0 && optopt < LONG_ONLY && optopt != 'h' &&
             find(cmd, optopt) == NULL) /* may be the x of "-abxc" */
        snprintf(why, len, "no such option: -%c", optopt);
    else
        snprintf(why, len, "no such option, or a value too many: %s", word);
}

int options_parse(const struct command_spec *cmd, int argc, char **argv,
                  void *values, const char **operands, char *why, size_t len)
{
    struct option longs[OPTIONS_MAX + 2];
    char shorts[2 * OPTIONS_MAX + 3];
    int c, rc = 0;

    make_getopt(cmd, longs, shorts);
    opterr = 0;
    optind = 0; /* start over, also for the second command line of a process */
    while (rc == 0 &&
           (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (c == 'h')
            return OPTIONS_HELP;
        if (c == ':' || c == '?') {
            complain(cmd, c, argv[optind - 1], why, len);
            return -EINVAL;
        }
        rc = store(find(cmd, c), optarg, values, why, len);
    }
    return rc < 0 ? rc : take_operands(cmd, argc, argv, operands, why, len);
}

/* The text of one option; its later lines stand in the column too. */
static void help_text(const char *text, int used, FILE *out)
{
    int gap = HELP_COLUMN - used;

    while (*text != '\0') {
        int line = (int)strcspn(text, "\n");

        fprintf(out, "%*s%.*s\n", gap > 1 ? gap : 1, "", line, text);
        text += line + (text[line] == '\n');
        gap = HELP_COLUMN;
    }
}

void options_help(const struct command_spec *cmd, FILE *out)
{
    int used;

    fprintf(out, "usage: %s %s [options]\n\n%s\n", cmd->name, cmd->operands,
            cmd->about);
    for (const struct option_spec *o = cmd->options; o->name != NULL; o++) {
        if (o->letter != 0)
            used = fprintf(out, "  -%c, --%s", o->letter, o->name);
        else
            used = fprintf(out, "      --%s", o->name);
        if (o->arg != NULL)
            used += fprintf(out, " %s", o->arg);
        help_text(o->help, used, out);
    }
    used = fprintf(out, "  -h, --help");
    help_text("print this", used, out);
}
