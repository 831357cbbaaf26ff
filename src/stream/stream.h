/* SPDX-License-Identifier: MIT */
/* stream.h - what a stream is made of, and writing in one piece. */
#ifndef MFI_STREAM_STREAM_H
#define MFI_STREAM_STREAM_H

#include <stdbool.h>

#include <mayfly/stream.h>

#include "base/atomic.h"

enum { STREAM_LIMIT = 1 << 20, STREAM_BUF = 4096 };

struct mf_stream {
    int fd;
    bool standard;        /* static, stays open */
    _Atomic size_t limit; /* longest line, its end included */
    /* The rest belongs to who has the turn at reading. */
    bool ended; /* the end was seen behind a line: to be told yet */
    char *buf;  /* [head, end) was read and not handed out; */
    size_t cap; /* one byte behind end is always there */
    size_t head;
    size_t end;
    size_t looked; /* bytes behind head that hold no newline */
};

/* As mf_write_all, but that it is not mixed with another piece to the fd. */
int mfi_piece(int fd, const void *buf, size_t len, mf_deadline deadline);

/* At the library's end: the buffer of a standard stream nobody is reading. */
void mfi_stream_forget(mf_stream *s);

#endif
