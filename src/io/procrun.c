/* SPDX-License-Identifier: MIT */
/*
 * procrun.c - run a program to its end: feed it, collect what it says.
 *
 * One loop, a select over both pipes: so input and output move at once, however
 * the program orders them, and neither pipe can fill up and stop the other. The
 * output ends with the pipe, that is when the program and whoever inherited its
 * end have closed it; only then its end is waited for.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <mayfly/fd.h>

#include "io/proc.h"
#include "os/event.h"
#include "sched/options.h"

enum { FIRST_ROOM = 4096, MAX_DEFAULT = 1 << 20 };

struct pump {
    mf_proc *p;
    const char *in; /* what is left of the input */
    size_t in_len;
    char *out;
    size_t out_len, room; /* room: a byte more is there for the NUL */
    size_t max;
    mf_deadline deadline;
};

/* Room for some more output. -EFBIG: there must not be more. */
static int make_room(struct pump *u)
{
    size_t room = u->room == 0 ? FIRST_ROOM : u->room * 2;
    char *out;

    if (u->out_len < u->room)
        return 0;
    if (room > u->max)
        room = u->max;
    /* tidy: allow malloc, because the user is given it, to free(3) */
    out = realloc(u->out, room + 1);
    if (out == NULL)
        return -ENOMEM;
    u->out = out;
    u->room = room;
    return 0;
}

/* Full: is there anything more? One byte tells. */
static int probe_end(int fd)
{
    char byte;
    int n = mf_read(fd, &byte, 1, MF_NOW);

    return n > 0 ? -EFBIG : n;
}

/* Something can be read, or it is the end. */
static int pump_out(struct pump *u)
{
    int fd = mf_proc_fd(u->p, 1), n;

    if (u->out_len == u->max) {
        n = probe_end(fd);
    } else {
        if ((n = make_room(u)) < 0)
            return n;
        n = mf_read(fd, u->out + u->out_len, u->room - u->out_len, MF_NOW);
    }
    if (n > 0)
        u->out_len += (size_t)n;
    if (n == 0)
        return mf_proc_hang_up(u->p, 1);
    return n == -ETIMEDOUT || n > 0 ? 0 : n;
}

/* Something can be written. A program need not read what it is given. */
static int pump_in(struct pump *u)
{
    int fd = mf_proc_fd(u->p, 0);
    int n = mf_write(fd, u->in, u->in_len, MF_NOW);

    if (n > 0) {
        u->in += n;
        u->in_len -= (size_t)n;
    }
    if (n == -EPIPE || u->in_len == 0)
        return mf_proc_hang_up(u->p, 0);
    return n == -ETIMEDOUT || n > 0 ? 0 : n;
}

static int pump(struct pump *u)
{
    int rc = 0;

    if (u->in_len == 0)
        (void)mf_proc_hang_up(u->p, 0); /* at its end at once, if it is ours */
    while (rc == 0) {
        int in = mf_proc_fd(u->p, 0), out = mf_proc_fd(u->p, 1);
        mf_case cases[2] = {mf_on_fd(in, POLLOUT), mf_on_fd(out, POLLIN)};

        if (in < 0 && out < 0)
            return 0;
        rc = mf_select(cases, 2, u->deadline);
        if (rc >= 0)
            rc = cases[rc].res < 0 ? cases[rc].res
                 : rc == 0         ? pump_in(u)
                                   : pump_out(u);
    }
    return rc;
}

/* What the program's fds are to be, given what is fed and collected. */
static int plan(mf_proc_options *o, const void *input, size_t len, bool collect)
{
    if ((input == NULL && len != 0) || o->err == MF_STDIO_PIPE)
        return -EINVAL; /* nobody would read it */
    if (input != NULL)
        o->in = MF_STDIO_PIPE;
    if (collect)
        o->out = MF_STDIO_PIPE;
    else if (o->out == MF_STDIO_PIPE)
        o->out = MF_STDIO_NULL;
    return 0;
}

static int run(struct pump *u, const char *const *argv,
               const mf_proc_options *o, mf_exit_status *ret_status)
{
    int rc = mf_proc_start(argv, o, &u->p);

    if (rc == 0)
        rc = pump(u);
    if (rc == 0)
        rc = mf_proc_wait(u->p, ret_status, u->deadline);
    (void)mf_proc_close(u->p);
    return rc;
}

/* NOLINTNEXTLINE(readability-function-size): as many as there are ends */
int mf_proc_run(const char *const *argv, const mf_proc_options *opts,
                const void *input, size_t len, size_t max, char **ret_out,
                size_t *ret_len, mf_exit_status *ret_status,
                mf_deadline deadline)
{
    mf_proc_options o = {.size = sizeof o};
    struct pump u = {.in = input,
                     .in_len = len,
                     .max = max != 0 ? max : MAX_DEFAULT,
                     .deadline = deadline};
    int rc;

    if (mfi_options_copy(&o, sizeof o, opts) < 0 || u.max > SSIZE_MAX / 2 ||
        plan(&o, input, len, ret_out != NULL) < 0)
        return -EINVAL;
    if (ret_out != NULL && (rc = make_room(&u)) < 0)
        return rc;
    rc = run(&u, argv, &o, ret_status);
    if (rc < 0 || ret_out == NULL) {
        /* tidy: allow malloc, because it was made above */
        free(u.out);
        return rc;
    }
    u.out[u.out_len] = '\0';
    *ret_out = u.out;
    if (ret_len != NULL)
        *ret_len = u.out_len;
    return 0;
}
