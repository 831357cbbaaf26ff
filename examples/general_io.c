/* SPDX-License-Identifier: MIT */
/*
 * general_io.c - one worker reads lines from standard input while it prints the
 * time: waiting for either does not hold up the other.
 *
 * Type something: it is said back, in capitals, between the ticks. The end of
 * the input (Ctrl-D) ends the program, and so does Ctrl-C. Its standard input
 * and output may be anything, a terminal, a pipe, a file, and are left as they
 * were: no flag of theirs is changed.
 *
 * Run: ./general_io            a tick every second
 *      ./general_io 0.1        a tick every tenth of a second
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <mayfly.h>

static int ticker(void *arg)
{
    mf_ns step = *(mf_ns *)arg, start = mf_now(), next = start;
    int rc;

    while ((rc = mf_sleep_until(mf_at(next += step))) == 0)
        if ((rc = mf_printf(STDOUT_FILENO, MF_NEVER, "%.1f s\n",
                            (double)(next - start) / 1e9)) < 0)
            break;
    return rc;
}

static void to_upper(char *line, int len)
{
    for (int i = 0; i < len; i++)
        line[i] = (char)toupper((unsigned char)line[i]);
}

static int echo(int *ret_lines)
{
    char *line;
    int rc;

    while ((rc = mf_stream_line(mf_stdin(), &line, MF_NEVER)) > 0) {
        to_upper(line, rc - 1);
        if ((rc = mf_printf(STDOUT_FILENO, MF_NEVER, "%s\n", line)) < 0)
            break;
        ++*ret_lines;
    }
    return rc;
}

static int both(void *step)
{
    int lines = 0, rc, failed;

    MF_SCOPE(s); /* if the ticker fails the reader is cancelled, too */
    mf_go(&s, ticker, step);
    rc = echo(&lines);
    mf_scope_cancel(&s);
    failed = mf_scope_close(&s);
    if (failed < 0 || rc < 0)
        return failed < 0 ? failed : rc;
    return mf_printf(STDOUT_FILENO, MF_NEVER, "%d lines\n", lines);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    mf_ns step = (mf_ns)(seconds * 1e9);
    int rc;

    if (step < MF_MSEC(1)) {
        fprintf(stderr, "usage: general_io [seconds]\n");
        return 2;
    }
    rc = mf_run(both, &step, MF_OPTIONS(.workers = 1));
    if (rc < 0)
        fprintf(stderr, "general_io: %s\n", mf_explain(rc));
    return rc < 0;
}
