/* SPDX-License-Identifier: MIT */
/*
 * gzip.c - compression by zlib.
 *
 * deflate's state is 260 KiB, which malloc would map and unmap for each answer:
 * up to SPARES of them are kept, each in a slot that is taken and given back by
 * an exchange. Acquire and release: who takes it sees what the last one wrote.
 * A state is reset when it is taken.
 *
 * A worker compresses some 50 MB a second, so 32 KiB hold it up for 0.6 ms;
 * after that others get their turn.
 *
 * Expanding stops at max bytes: a kilobyte can stand for a megabyte, and a
 * megabyte for a gigabyte.
 */
#include <mayfly/http_files.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <mayfly/task.h>

#include "base/atomic.h"

enum {
    SPARES = 4,
    DEFAULT_LEVEL = 4,
    PIECE = 32 << 10,
    OUT = 16 << 10,
    GZIP_FORMAT = 15 + 16 /* windowBits for a gzip header around 32 KiB */
};

struct mf_gzip {
    z_stream z;
    int level;
    int ended;
    unsigned char out[OUT];
};

static _Atomic(struct mf_gzip *) spares[SPARES];

static struct mf_gzip *take_spare(void)
{
    struct mf_gzip *z;
    int i;

    for (i = 0; i < SPARES; i++)
        if (mfi_load_rlx(&spares[i]) != NULL &&
            (z = mfi_xchg_acqrel(&spares[i], NULL)) != NULL)
            return z;
    return NULL;
}

static void free_gzip(struct mf_gzip *z)
{
    if (z != NULL)
        deflateEnd(&z->z);
    free(z); /* tidy: allow malloc, because few live at a time */
}

/* At the library's end: leak checkers look after that. */
__attribute__((__destructor__)) static void free_spares(void)
{
    struct mf_gzip *z;

    while ((z = take_spare()) != NULL)
        free_gzip(z);
}

int mf_gzip_open(int level, mf_gzip **ret_gzip)
{
    struct mf_gzip *z;

    level = level == 0 ? DEFAULT_LEVEL : level;
    if (level < 1 || level > 9)
        return -EINVAL;
    if ((z = take_spare()) != NULL) {
        if (z->level == level && deflateReset(&z->z) == Z_OK) {
            z->ended = 0;
            *ret_gzip = z;
            return 0;
        }
        free_gzip(z);
    }
    /* tidy: allow malloc, because few live at a time */
    if ((z = calloc(1, sizeof *z)) == NULL)
        return -ENOMEM;
    if (deflateInit2(&z->z, level, Z_DEFLATED, GZIP_FORMAT, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(z); /* tidy: allow malloc, because few live at a time */
        return -ENOMEM;
    }
    z->level = level;
    *ret_gzip = z;
    return 0;
}

void mf_gzip_close(mf_gzip *z)
{
    int i;

    for (i = 0; i < SPARES && z != NULL; i++)
        if (mfi_load_rlx(&spares[i]) == NULL)
            z = mfi_xchg_acqrel(&spares[i], z);
    free_gzip(z); /* the one that was there after all, or ours */
}

/* One piece through deflate. */
static int push_piece(mf_gzip *z, int how, mf_gzip_sink *sink, void *arg)
{
    int rc, state;

    do {
        z->z.next_out = z->out;
        z->z.avail_out = OUT;
        state = deflate(&z->z, how);
        if (state == Z_STREAM_ERROR)
            return -EINVAL;
        if (z->z.avail_out < OUT &&
            (rc = sink(z->out, OUT - z->z.avail_out, arg)) < 0)
            return rc;
    } while (z->z.avail_out == 0);
    return 0;
}

int mf_gzip_push(mf_gzip *z, const void *data, size_t len,
                 enum mf_gzip_flush flush, mf_gzip_sink *sink, void *arg)
{
    static const int hows[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
    int rc = 0, last;

    if (z->ended || (unsigned)flush > MF_GZIP_END)
        return -EINVAL;
    z->z.next_in = (unsigned char *)(uintptr_t)data;
    do {
        size_t piece = len < PIECE ? len : PIECE;

        len -= piece;
        last = len == 0;
        z->z.avail_in = (unsigned)piece;
        rc = push_piece(z, last ? hows[flush] : Z_NO_FLUSH, sink, arg);
        if (!last)
            mf_yield(); /* a cancel is the sink's to see */
    } while (rc >= 0 && !last);
    z->ended = flush == MF_GZIP_END || rc < 0;
    return rc < 0 ? rc : 0;
}

/* ---- all at once -------------------------------------------------------- */

struct growing {
    char *at;
    size_t len, cap, max;
};

static int grow(struct growing *g, size_t more)
{
    size_t cap = g->cap > 0 ? g->cap : 1024;
    char *at;

    if (more > g->max - g->len)
        return -EFBIG;
    while (cap < g->len + more)
        cap *= 2;
    if (cap == g->cap)
        return 0;
    /* tidy: allow malloc, because it is handed to the caller */
    if ((at = realloc(g->at, cap)) == NULL)
        return -ENOMEM;
    g->at = at;
    g->cap = cap;
    return 0;
}

static int append(const void *data, size_t len, void *arg)
{
    struct growing *g = arg;
    int rc = grow(g, len);

    if (rc < 0)
        return rc;
    memcpy(g->at + g->len, data, len);
    g->len += len;
    return 0;
}

/* Hand it out, or free it. */
static int give(struct growing *g, int rc, void **ret, size_t *ret_len)
{
    if (rc < 0) {
        free(g->at); /* tidy: allow malloc, because nobody gets it */
        return rc;
    }
    *ret = g->at;
    *ret_len = g->len;
    return 0;
}

int mf_gzip_all(const void *data, size_t len, int level, void **ret,
                size_t *ret_len)
{
    struct growing g = {.max = SIZE_MAX / 4};
    mf_gzip *z;
    int rc = mf_gzip_open(level, &z);

    if (rc < 0)
        return rc;
    rc = mf_gzip_push(z, data, len, MF_GZIP_END, append, &g);
    mf_gzip_close(z);
    return give(&g, rc, ret, ret_len);
}

/* What inflate makes of the piece it has. 0, Z_STREAM_END: of a member. */
static int expand_piece(z_stream *z, struct growing *g, unsigned char *out)
{
    int state, rc;

    do {
        z->next_out = out;
        z->avail_out = OUT;
        state = inflate(z, Z_NO_FLUSH);
        if (state == Z_MEM_ERROR)
            return -ENOMEM;
        if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR)
            return -EPROTO;
        if ((rc = append(out, OUT - z->avail_out, g)) < 0)
            return rc;
    } while (state != Z_STREAM_END && z->avail_out == 0);
    return state == Z_STREAM_END ? Z_STREAM_END : 0;
}

/* All members. 0, or why not. */
static int expand(z_stream *z, size_t len, struct growing *g,
                  unsigned char *out)
{
    int rc = 0;

    while (len > 0 || z->avail_in > 0) {
        if (z->avail_in == 0) {
            z->avail_in = (unsigned)(len < PIECE ? len : PIECE);
            len -= z->avail_in;
        }
        if (rc == Z_STREAM_END && inflateReset(z) != Z_OK)
            return -EPROTO;
        if ((rc = expand_piece(z, g, out)) < 0)
            return rc;
        mf_yield();
    }
    return rc == Z_STREAM_END ? 0 : -EPROTO;
}

int mf_gunzip_all(const void *data, size_t len, size_t max, void **ret,
                  size_t *ret_len)
{
    struct growing g = {.max = max < SIZE_MAX / 4 ? max : SIZE_MAX / 4};
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)data};
    unsigned char *out;
    int rc;

    if (inflateInit2(&z, GZIP_FORMAT) != Z_OK)
        return -ENOMEM;
    out = malloc(OUT); /* tidy: allow malloc, because a stack is small */
    rc = out != NULL ? expand(&z, len, &g, out) : -ENOMEM;
    free(out); /* tidy: allow malloc, because a stack is small */
    inflateEnd(&z);
    return give(&g, rc, ret, ret_len);
}
