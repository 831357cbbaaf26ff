/* SPDX-License-Identifier: MIT */
/*
 * multipart.c - bodies of multipart/form-data (RFC 7578, RFC 2046, 5.1.1) that
 * are in memory as a whole.
 *
 *   preamble CRLF --boundary CRLF fields CRLF CRLF data CRLF --boundary-- ...
 *
 * A delimiter is CRLF, two dashes, the boundary; the first may stand at the
 * start. Behind it comes CRLF, or two dashes at the end (white space between is
 * passed over); anything else means that it only looked like one.
 */
#include <mayfly/http_text.h>

#include <errno.h>
#include <string.h>

enum { MAX_BOUNDARY = 70 };

int mf_http_boundary(mf_text type, mf_text *ret_boundary)
{
    mf_text boundary;

    if (type.len < 10 ||
        !mf_text_is_nocase((mf_text){type.at, 10}, "multipart/"))
        return 0;
    boundary = mf_http_argument(type, "boundary");
    if (boundary.len == 0 || boundary.len > MAX_BOUNDARY)
        return 0;
    *ret_boundary = boundary;
    return 1;
}

struct delimiter {
    const char *at;   /* where the data before it ends */
    const char *next; /* behind its line */
    int last;
};

/* Behind "--boundary": how its line goes on. 1 it is a delimiter, 0 not. */
static int line_end(const char *at, const char *end, struct delimiter *ret)
{
    ret->last = end - at >= 2 && at[0] == '-' && at[1] == '-';
    if (ret->last)
        at += 2;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (end - at >= 2 && at[0] == '\r' && at[1] == '\n')
        ret->next = at + 2;
    else if (ret->last && at == end)
        ret->next = at;
    else
        return 0;
    return 1;
}

/* The next delimiter from `from` on; start: it may stand there without CRLF. */
static int find(mf_text in, mf_text boundary, int start, struct delimiter *ret)
{
    char line[4 + MAX_BOUNDARY] = "\r\n--";
    const char *at = in.at, *end = in.at + in.len;
    size_t len = 4 + boundary.len;

    if (boundary.len > MAX_BOUNDARY)
        return 0;
    memcpy(line + 4, boundary.at, boundary.len);
    if (start && in.len >= len - 2 && memcmp(at, line + 2, len - 2) == 0) {
        ret->at = at;
        if (line_end(at + len - 2, end, ret))
            return 1;
    }
    while ((at = memmem(at, (size_t)(end - at), line, len)) != NULL) {
        ret->at = at;
        if (line_end(at + len, end, ret))
            return 1;
        at += 2;
    }
    return 0;
}

static void field(mf_text line, mf_http_part *part)
{
    const char *colon = memchr(line.at, ':', line.len);
    mf_text name, value;

    if (colon == NULL)
        return;
    name = (mf_text){line.at, (size_t)(colon - line.at)};
    value = (mf_text){colon + 1, line.len - name.len - 1};
    while (value.len > 0 && (value.at[0] == ' ' || value.at[0] == '\t'))
        value = (mf_text){value.at + 1, value.len - 1};
    if (mf_text_is_nocase(name, "Content-Type")) {
        part->type = value;
    } else if (mf_text_is_nocase(name, "Content-Disposition")) {
        part->name = mf_http_argument(value, "name");
        part->filename = mf_http_argument(value, "filename");
    }
}

/* The fields at the start of a part; its data is what is behind them. */
static int fields(mf_text in, mf_http_part *part)
{
    const char *end = in.at + in.len, *at = in.at, *stop;

    while ((stop = memmem(at, (size_t)(end - at), "\r\n", 2)) != NULL) {
        if (stop == at) {
            part->data = (mf_text){at + 2, (size_t)(end - at) - 2};
            return 1;
        }
        field((mf_text){at, (size_t)(stop - at)}, part);
        at = stop + 2;
    }
    return 0;
}

int mf_http_part_next(mf_text *rest, mf_text boundary, mf_http_part *ret_part)
{
    mf_http_part part = {.type = mf_text_of("text/plain")};
    struct delimiter begin, end;
    mf_text in;

    if (!find(*rest, boundary, 1, &begin))
        return -EINVAL;
    if (begin.last)
        return 0;
    in = (mf_text){begin.next, (size_t)(rest->at + rest->len - begin.next)};
    if (!find(in, boundary, 0, &end))
        return -EINVAL;
    /* An empty body's CRLF may be the delimiter's: it belongs to both. */
    if (!fields((mf_text){in.at, (size_t)(end.at - in.at)}, &part)) {
        if (!fields((mf_text){in.at, (size_t)(end.at - in.at) + 2}, &part))
            return -EINVAL;
        part.data.len = 0;
    }
    rest->len = (size_t)(rest->at + rest->len - end.at);
    rest->at = end.at;
    *ret_part = part;
    return 1;
}
