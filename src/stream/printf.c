/* SPDX-License-Identifier: MIT */
/*
 * printf.c - formatted text, in one piece.
 *
 * Most text is short: it is formatted on the stack and goes out in one write,
 * which a pipe takes whole or not at all. What is longer than 1 KiB is
 * formatted again, in memory of its own. A write may take a part only, and its
 * caller then waits for room; so that no other's text gets in between, each
 * piece has the fd's turn (turn.h) from its first byte to its last, or its
 * stream's gate. Two locked instructions and their like, beside a system call.
 *
 * Cancelled in the middle. Before the first byte nothing went out. Later the
 * piece goes on while there is room: a cancel, like the deadline, is asked for
 * where the call would have to wait (rw.c). There it ends, and the fd has got
 * the beginning of a text. Rejected: to wait for room until the piece is whole.
 * Who does not read would hold up the cancel of whoever writes, for ever.
 */
#include <stdlib.h>

#include "io/rw.h"
#include "io/turn.h"
#include "os/text.h"
#include "stream/stream.h"

enum { SHORT = 1024 };

int mfi_piece(int fd, const void *buf, size_t len, mf_deadline deadline)
{
    struct agent *a = mfi_agent();
    struct turn turn;
    int rc;

    if (a == NULL)
        return -ENOMEM;
    rc = mfi_turn_take(&turn, mfi_turn_fd(fd), a, mfi_time_of(deadline),
                       "its turn to write a text");
    if (rc < 0)
        return rc;
    rc = mfi_write_piece(fd, buf, len, deadline);
    mfi_turn_pass(&turn);
    return rc;
}

struct sink { /* where it goes; s == NULL: to fd */
    mf_stream *s;
    int fd;
    mf_deadline deadline;
};

static int print(const struct sink *to, const char *text, int len)
{
    int rc = to->s != NULL
                 ? mf_stream_write_all(to->s, text, (size_t)len, to->deadline)
                 : mfi_piece(to->fd, text, (size_t)len, to->deadline);

    return rc < 0 ? rc : len;
}

/* It did not fit: so long is it. */
MF_PRINTF(3, 0)
static int print_long(const struct sink *to, int len, const char *fmt,
                      va_list ap)
{
    /* tidy: allow malloc, because it is more than a stack is for */
    char *text = malloc((size_t)len + 1);
    int rc;

    if (text == NULL)
        return -ENOMEM;
    rc = mfi_os_format(text, (size_t)len + 1, fmt, ap);
    if (rc > len) /* somebody changes its arguments meanwhile */
        rc = len;
    if (rc >= 0)
        rc = print(to, text, rc);
    free(text); /* tidy: allow malloc, because it was made above */
    return rc;
}

MF_PRINTF(2, 0)
static int format(const struct sink *to, const char *fmt, va_list ap)
{
    char text[SHORT];
    va_list again;
    int len;

    if (fmt == NULL)
        return -EINVAL;
    va_copy(again, ap);
    len = mfi_os_format(text, sizeof text, fmt, ap);
    if (len >= SHORT)
        len = print_long(to, len, fmt, again);
    else if (len >= 0)
        len = print(to, text, len);
    else if (len == -EOVERFLOW)
        len = -EMSGSIZE;
    va_end(again);
    return len;
}

int mf_vprintf(int fd, mf_deadline deadline, const char *fmt, va_list ap)
{
    struct sink to = {.fd = fd, .deadline = deadline};

    return format(&to, fmt, ap);
}

int mf_printf(int fd, mf_deadline deadline, const char *fmt, ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = mf_vprintf(fd, deadline, fmt, ap);
    va_end(ap);
    return rc;
}

int mf_stream_printf(mf_stream *s, mf_deadline deadline, const char *fmt, ...)
{
    struct sink to = {.s = s, .deadline = deadline};
    va_list ap;
    int rc;

    if (s == NULL)
        return -EINVAL;
    va_start(ap, fmt);
    rc = format(&to, fmt, ap);
    va_end(ap);
    return rc;
}
