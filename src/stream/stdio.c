/* SPDX-License-Identifier: MIT */
/*
 * stdio.c - the standard streams: static, so they are there without memory.
 *
 * Only reading standard input needs any, and says -ENOMEM itself. It is given
 * back when the process ends, unless somebody still reads then; what is held
 * back then goes out, as C's own streams do it, unless somebody still writes.
 */
#include "stream/stream.h"

static mf_stream standard[3] = {
    {.fd = 0, .standard = true, .limit = STREAM_LIMIT},
    {.fd = 1, .standard = true, .limit = STREAM_LIMIT},
    {.fd = 2, .standard = true, .limit = STREAM_LIMIT},
};

mf_stream *mf_stdin(void)
{
    return &standard[0];
}

mf_stream *mf_stdout(void)
{
    return &standard[1];
}

mf_stream *mf_stderr(void)
{
    return &standard[2];
}

__attribute__((__destructor__)) static void end(void)
{
    for (int i = 0; i < 3; i++)
        mfi_stream_forget(&standard[i]);
}
