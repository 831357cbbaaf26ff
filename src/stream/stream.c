/* SPDX-License-Identifier: MIT */
/*
 * stream.c - a buffer before an fd, and lines in it.
 *
 *     buf   | handed out | line\n line\n beginn |  | 0
 *                        head   looked        end   cap
 *
 * A line is handed out where it stands, its end replaced by a NUL; it is the
 * caller's until somebody reads again, as only reading moves bytes. What a read
 * of the fd brought stays in the buffer whatever becomes of the call, so a
 * deadline or a cancel loses nothing. The buffer is made by the first read that
 * needs it, and holds a line of the limit and one byte more: so it is seen that
 * a line is too long, and that the input ends with one that is not.
 *
 * Readers take turns (turn.h): one is in the buffer or in the fd's queue, the
 * others wait for it and not for the fd, so no two can hold parts of one line.
 * Writing touches the fd alone and asks for the fd's turn at pieces (printf.c).
 *
 * A terminal's end (Ctrl-D) is not for ever: the next read asks again. If it
 * came behind a line without newline the call after that line says 0, once.
 */
#include "stream/stream.h"

#include <stdlib.h>
#include <string.h>

#include "io/turn.h"

int mf_stream_fd(int fd, mf_stream **ret_stream)
{
    mf_stream *s = NULL;
    int rc = ret_stream == NULL ? -EINVAL : mf_adopt(fd);

    /* tidy: allow malloc, because a stream lives as long as its user wants */
    if (rc == 0 && (s = malloc(sizeof *s)) == NULL)
        rc = -ENOMEM;
    if (rc < 0) {
        mf_close(fd);
        return rc;
    }
    *s = (mf_stream){.fd = fd, .limit = STREAM_LIMIT};
    *ret_stream = s;
    return 0;
}

int mf_stream_close(mf_stream *s, mf_deadline deadline)
{
    int rc;

    (void)deadline; /* nothing is left to be written */
    if (s == NULL)
        return 0;
    if (s->standard)
        return -EINVAL;
    rc = mf_close(s->fd);
    free(s->buf); /* tidy: allow malloc, because it was made here */
    free(s);      /* tidy: allow malloc, because it was made here */
    return rc;
}

void mfi_stream_forget(mf_stream *s)
{
    static struct turn last[3]; /* never passed on: nobody reads from now on */

    if (mfi_turn_try(&last[s->fd], mfi_turn_at(s)) < 0)
        return;
    free(s->buf); /* tidy: allow malloc, because it was made here */
    s->buf = NULL;
    s->cap = s->head = s->end = 0;
}

int mf_stream_limit(mf_stream *s, size_t max_line)
{
    if (s == NULL || max_line == 0 || max_line > INT32_MAX - 1)
        return -EINVAL;
    mfi_store_rel(&s->limit, max_line);
    return 0;
}

/* ---- reading ------------------------------------------------------------- */

static int begin(mf_stream *s, struct turn *turn, struct agent **ret_agent,
                 mf_deadline deadline)
{
    struct agent *a = mfi_agent();

    if (a == NULL)
        return -ENOMEM;
    *ret_agent = a;
    return mfi_turn_take(turn, mfi_turn_at(s), a, mfi_time_of(deadline),
                         "its turn to read a stream");
}

static int resize(mf_stream *s, size_t cap)
{
    /* tidy: allow malloc, because a line has any length */
    char *buf = realloc(s->buf, cap);

    if (buf == NULL)
        return -ENOMEM;
    s->buf = buf;
    s->cap = cap;
    return 0;
}

/* Room for a byte or more behind end, and for a NUL behind that. */
static int make_room(mf_stream *s, size_t limit)
{
    size_t have = s->end - s->head, cap;

    if (have == 0)
        s->head = s->end = 0;
    if (s->cap - s->end > 1) /* not with cap 0 */
        return 0;
    if (s->head != 0 && have <= s->cap / 2) {
        memmove(s->buf, s->buf + s->head, have);
        s->head = 0;
        s->end = have;
        return 0;
    }
    cap = s->cap == 0 ? STREAM_BUF : s->cap * 2;
    if (cap > s->head + limit + 2)
        cap = s->head + limit + 2;
    return cap > s->end + 1 ? resize(s, cap) : -EMSGSIZE;
}

/* One read of the fd: > 0 more is there, 0 the end. */
static int fill(mf_stream *s, size_t limit, mf_deadline deadline)
{
    int n = s->cap > s->end + 1 ? 0 : make_room(s, limit);

    if (n < 0)
        return n;
    n = mf_read(s->fd, s->buf + s->end, s->cap - s->end - 1, deadline);
    if (n > 0)
        s->end += (size_t)n;
    return n;
}

/* Hand out len bytes, behind which `end` bytes are dropped. */
static int cut(mf_stream *s, size_t len, size_t end, char **ret_line)
{
    char *line = s->buf + s->head;

    s->head += len + end;
    s->looked = 0;
    if (end == 1 && len > 0 && line[len - 1] == '\r')
        len--;
    line[len] = '\0';
    *ret_line = line;
    return (int)len + 1;
}

static int next_line(mf_stream *s, char **ret_line, mf_deadline deadline)
{
    size_t limit = mfi_load_acq(&s->limit);

    for (;;) {
        size_t have = s->end - s->head;
        const char *nl = NULL;
        int n;

        if (have > s->looked)
            nl = memchr(s->buf + s->head + s->looked, '\n', have - s->looked);
        if (nl != NULL && (size_t)(nl - s->buf) - s->head < limit)
            return cut(s, (size_t)(nl - s->buf) - s->head, 1, ret_line);
        if (nl != NULL || have > limit)
            return -EMSGSIZE;
        s->looked = have;
        n = s->ended ? 0 : fill(s, limit, deadline);
        if (n < 0)
            return n;
        if (n == 0) {
            s->ended = have > 0;
            return have > 0 ? cut(s, have, 0, ret_line) : 0;
        }
    }
}

int mf_stream_line(mf_stream *s, char **ret_line, mf_deadline deadline)
{
    struct agent *a;
    struct turn turn;
    int rc;

    if (s == NULL || ret_line == NULL)
        return -EINVAL;
    if ((rc = begin(s, &turn, &a, deadline)) < 0)
        return rc;
    rc = next_line(s, ret_line, deadline);
    mfi_turn_pass(&turn);
    mfi_budget(a);
    return rc;
}

/* What is buffered, or told of the end already; -EAGAIN: ask the fd. */
static int take(mf_stream *s, void *buf, size_t len)
{
    size_t have = s->end - s->head;

    if (have == 0 && !s->ended)
        return -EAGAIN;
    if (have == 0) {
        s->ended = false;
        return 0;
    }
    if (len > have)
        len = have;
    memcpy(buf, s->buf + s->head, len);
    s->head += len;
    s->looked = 0;
    return (int)len;
}

int mf_stream_read(mf_stream *s, void *buf, size_t len, mf_deadline deadline)
{
    struct agent *a;
    struct turn turn;
    int rc;

    if (s == NULL || (buf == NULL && len != 0))
        return -EINVAL;
    if ((rc = begin(s, &turn, &a, deadline)) < 0)
        return rc;
    if (len == 0 || (rc = take(s, buf, len)) != -EAGAIN)
        mfi_budget(a);
    else
        rc = mf_read(s->fd, buf, len, deadline);
    mfi_turn_pass(&turn);
    return rc;
}

/* ---- writing ------------------------------------------------------------- */

int mf_stream_write_all(mf_stream *s, const void *buf, size_t len,
                        mf_deadline deadline)
{
    if (s == NULL || (buf == NULL && len != 0))
        return -EINVAL;
    return mfi_piece(s->fd, buf, len, deadline);
}
