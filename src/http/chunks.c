/* SPDX-License-Identifier: MIT */
/*
 * chunks.c - the chunked coding (RFC 9112, 7.1), byte by byte but for the data.
 *
 *   SIZE ---> EXT ---> SIZE_LF ---> DATA ---> DATA_CR ---> DATA_LF ---> SIZE
 *                         | size 0
 *                         +-----> TRAILERS: mf_http_parse_trailers
 *
 * A size is 1 to 16 hexadecimal digits, at once followed by CR or by the ';' of
 * an extension. Extensions mean nothing to us and are passed over, but they may
 * hold no control character: a bare LF there is what smugglers of chunks use
 * (one server ends the line at it, the next does not).
 */
#include <mayfly/http_head.h>

#include <errno.h>

#include "http/chars.h"

enum { SIZE, EXT, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILERS };
enum { DIGITS_MOST = 16 };

static int digit(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* One byte of a size line. */
static int size_byte(mf_http_chunks *c, char byte, size_t max_line)
{
    if (++c->line > max_line)
        return -EPROTO;
    if (c->state == SIZE && char_is(byte, CHAR_HEX)) {
        if (c->digits++ == DIGITS_MOST || c->left >> 59 != 0)
            return -EPROTO;
        c->left = c->left << 4 | (uint64_t)digit(byte);
        return 0;
    }
    if (c->digits == 0)
        return -EPROTO;
    if (byte == '\r')
        c->state = SIZE_LF;
    else if (c->state == SIZE && byte == ';')
        c->state = EXT;
    else if (c->state == SIZE || !char_is(byte, CHAR_VALUE))
        return -EPROTO;
    return 0;
}

static int frame_byte(mf_http_chunks *c, char byte, size_t max_line)
{
    switch (c->state) {
    case SIZE:
    case EXT:
        return size_byte(c, byte, max_line);
    case SIZE_LF:
        c->state = c->left > 0 ? DATA : TRAILERS;
        c->line = 0;
        c->digits = 0;
        return byte == '\n' ? 0 : -EPROTO;
    case DATA_CR:
        c->state = DATA_LF;
        return byte == '\r' ? 0 : -EPROTO;
    case DATA_LF:
        c->state = SIZE;
        return byte == '\n' ? 0 : -EPROTO;
    }
    return -EPROTO;
}

int64_t mf_http_chunks_next(mf_http_chunks *c, const char *in, size_t len,
                            size_t max_line, size_t *ret_skip)
{
    size_t i = 0;
    int rc = 0;

    *ret_skip = 0;
    if (c->state == DATA && c->left == 0)
        c->state = DATA_CR;
    while (i < len && c->state != DATA && c->state != TRAILERS && rc == 0)
        rc = frame_byte(c, in[i++], max_line);
    *ret_skip = i;
    if (rc < 0)
        return rc;
    if (c->state != DATA)
        return 0;
    return (int64_t)(c->left < len - i ? c->left : len - i);
}

void mf_http_chunks_take(mf_http_chunks *c, uint64_t n)
{
    c->left -= n < c->left ? n : c->left;
}

int mf_http_chunks_ended(const mf_http_chunks *c)
{
    return c->state == TRAILERS;
}
