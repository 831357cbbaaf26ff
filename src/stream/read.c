/* SPDX-License-Identifier: MIT */
/*
 * read.c - the reader's half: a buffer before what is below, and looking in it.
 *
 *     buf   | handed out | line\n line\n beginn |  | 0
 *                        head   looked        end   cap
 *
 * A line is handed out where it stands, its end replaced by a NUL; it is the
 * caller's until somebody reads again, as only reading moves bytes. What a read
 * from below brought stays in the buffer whatever becomes of the call, so a
 * deadline or a cancel loses nothing. The buffer is made by the first call that
 * needs it, and holds a line of the limit and one byte more: so it is seen that
 * a line is too long, and that the input ends with one that is not.
 *
 * Readers take turns (gate.h): one is in the buffer or in the fd's queue, the
 * others wait for it and not for the fd, so no two can hold parts of one line.
 * mf_stream_skip takes none: it is a part of its peek.
 *
 * A terminal's end (Ctrl-D) is not for ever: the next read asks again. If it
 * came behind a line without newline the call after that line says 0, once.
 */
#include <stdlib.h>
#include <string.h>

#include "stream/stream.h"

int mf_stream_limit(mf_stream *s, size_t max_line)
{
    if (s == NULL || max_line == 0 || max_line > INT32_MAX - 1)
        return -EINVAL;
    mfi_store_rel(&s->limit, max_line);
    return 0;
}

/* ---- the buffer ---------------------------------------------------------- */

static size_t head_of(mf_stream *s)
{
    return mfi_load_rlx(&s->head);
}

static size_t end_of(mf_stream *s)
{
    return mfi_load_rlx(&s->end);
}

static char *first(mf_stream *s)
{
    return s->buf == NULL ? NULL : s->buf + head_of(s);
}

static void place(mf_stream *s, size_t head, size_t end)
{
    mfi_store_rlx(&s->head, head);
    mfi_store_rlx(&s->end, end);
}

/* n bytes are handed out. */
static void consume(mf_stream *s, size_t n)
{
    mfi_store_rlx(&s->head, head_of(s) + n);
    s->looked = s->looked > n ? s->looked - n : 0;
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
    size_t head = head_of(s), have = mfi_stream_have(s), cap;

    if (head != 0 && have <= s->cap / 2) {
        memmove(s->buf, s->buf + head, have);
        place(s, 0, have);
        return 0;
    }
    cap = s->cap == 0 ? STREAM_BUF : s->cap * 2;
    if (cap > head + limit + 2)
        cap = head + limit + 2;
    return cap > head + have + 1 ? resize(s, cap) : -EMSGSIZE;
}

/* One read from below: > 0 more is there, 0 the end. */
static int fill(mf_stream *s, size_t limit, mf_deadline deadline)
{
    size_t end;
    int n;

    if (mfi_stream_have(s) == 0)
        place(s, 0, 0);
    if (s->cap <= end_of(s) + 1 && (n = make_room(s, limit)) < 0)
        return n;
    end = end_of(s);
    n = mfi_below_read(s, s->buf + end, s->cap - end - 1, deadline);
    if (n > 0)
        mfi_store_rlx(&s->end, end + (size_t)n);
    return n;
}

int mfi_stream_unread(mf_stream *s, const void *data, size_t len)
{
    size_t head = head_of(s), have = mfi_stream_have(s);

    if (head < len) {
        if (s->cap < len + have + 1) {
            int rc = resize(s, len + have + 1);

            if (rc < 0)
                return rc;
        }
        memmove(s->buf + len, s->buf + head, have);
        place(s, len, len + have);
        head = len;
    }
    memcpy(s->buf + head - len, data, len);
    mfi_store_rlx(&s->head, head - len);
    s->looked = 0;
    return 0;
}

size_t mf_stream_buffered(mf_stream *s)
{
    size_t head, end;

    if (s == NULL)
        return 0;
    head = head_of(s);
    end = end_of(s);
    return end > head ? end - head : 0; /* somebody reads meanwhile */
}

/* ---- plain reading ------------------------------------------------------- */

/* What is buffered, or told of the end already; -EAGAIN: ask below. */
static int take(mf_stream *s, void *buf, size_t len)
{
    size_t have = mfi_stream_have(s);

    if (have == 0 && !s->ended)
        return -EAGAIN;
    if (have == 0) {
        s->ended = false;
        return 0;
    }
    if (len > have)
        len = have;
    memcpy(buf, s->buf + head_of(s), len);
    consume(s, len);
    return (int)len;
}

int mf_stream_read(mf_stream *s, void *buf, size_t len, mf_deadline deadline)
{
    MFI_IN_HALF half = {0};
    int rc;

    if (s == NULL || (buf == NULL && len != 0))
        return -EINVAL;
    if ((rc = mfi_reader_enter(&half, s, deadline)) < 0)
        return rc;
    if (len != 0 && (rc = take(s, buf, len)) == -EAGAIN)
        return mfi_below_read(s, buf, len, deadline);
    mfi_budget(half.agent);
    return rc;
}

/* ---- looking ahead ------------------------------------------------------- */

static int look(mf_stream *s, size_t min, mf_deadline deadline)
{
    size_t limit = mfi_load_acq(&s->limit);

    if (min > limit)
        return -EMSGSIZE;
    while (mfi_stream_have(s) < min) {
        int n = s->ended ? 0 : fill(s, limit, deadline);

        if (n < 0)
            return n;
        if (n == 0) {
            s->ended = false;
            break;
        }
    }
    return (int)mfi_stream_have(s);
}

int mf_stream_peek(mf_stream *s, char **ret_data, size_t min,
                   mf_deadline deadline)
{
    MFI_IN_HALF half = {0};
    int rc;

    if (s == NULL || ret_data == NULL || min == 0)
        return -EINVAL;
    if ((rc = mfi_reader_enter(&half, s, deadline)) < 0)
        return rc;
    if ((rc = look(s, min, deadline)) >= 0)
        *ret_data = first(s);
    mfi_budget(half.agent);
    return rc;
}

int mf_stream_skip(mf_stream *s, size_t n)
{
    if (s == NULL || n > mfi_stream_have(s))
        return -EINVAL;
    consume(s, n);
    return 0;
}

static int find(mf_stream *s, const void *delim, size_t len, char **ret_data,
                mf_deadline deadline)
{
    size_t limit = mfi_load_acq(&s->limit), looked = 0;

    for (;;) {
        size_t have = mfi_stream_have(s);
        char *from = first(s), *at = NULL;
        int n;

        if (have - looked >= len)
            at = memmem(from + looked, have - looked, delim, len);
        if (at != NULL && (size_t)(at - from) + len <= limit) {
            n = (int)(at - from + (ptrdiff_t)len);
            *ret_data = from;
            consume(s, (size_t)n);
            return n;
        }
        if (at != NULL || have > limit)
            return -EMSGSIZE;
        if (have >= len)
            looked = have - len + 1;
        n = s->ended ? 0 : fill(s, limit, deadline);
        if (n < 0)
            return n;
        if (n == 0) {
            s->ended = false;
            return have > 0 ? -EPIPE : 0;
        }
    }
}

int mf_stream_until(mf_stream *s, const void *delim, size_t len,
                    char **ret_data, mf_deadline deadline)
{
    MFI_IN_HALF half = {0};
    int rc;

    if (s == NULL || delim == NULL || len == 0 || ret_data == NULL)
        return -EINVAL;
    if ((rc = mfi_reader_enter(&half, s, deadline)) < 0)
        return rc;
    rc = find(s, delim, len, ret_data, deadline);
    mfi_budget(half.agent);
    return rc;
}

/* ---- lines --------------------------------------------------------------- */

/* Hand out len bytes, behind which `end` bytes are dropped. */
static int cut(mf_stream *s, size_t len, size_t end, char **ret_line)
{
    char *line = s->buf + head_of(s);

    mfi_store_rlx(&s->head, head_of(s) + len + end);
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
        size_t have = mfi_stream_have(s), head = head_of(s);
        const char *nl = NULL;
        int n;

        if (have > s->looked)
            nl = memchr(s->buf + head + s->looked, '\n', have - s->looked);
        if (nl != NULL && (size_t)(nl - s->buf) - head < limit)
            return cut(s, (size_t)(nl - s->buf) - head, 1, ret_line);
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
    MFI_IN_HALF half = {0};
    int rc;

    if (s == NULL || ret_line == NULL)
        return -EINVAL;
    if ((rc = mfi_reader_enter(&half, s, deadline)) < 0)
        return rc;
    rc = next_line(s, ret_line, deadline);
    mfi_budget(half.agent);
    return rc;
}
