/* SPDX-License-Identifier: MIT */
/*
 * gzreply.c - answers that are compressed for who takes it.
 *
 * Below LEAST bytes a packet is a packet. A body which would not get shorter
 * goes out as it is; Vary is said in any case where the type could have been
 * compressed, as a cache in between must know.
 */
#include <mayfly/http_files.h>

#include <stdlib.h>

enum { LEAST = 256 };

static int wants_gzip(mf_http_req *req)
{
    return mf_http_quality(
               mf_http_find(mf_http_head_of(req), "Accept-Encoding"), "gzip") >
           0;
}

int mf_http_reply_gzip(mf_http_req *req, int status, const char *type,
                       const void *body, size_t len, mf_deadline deadline)
{
    size_t z_len;
    void *z;
    int rc;

    if (type == NULL || len < LEAST || !mf_http_mime_shrinks(type))
        return mf_http_reply(req, status, type, body, len, deadline);
    if ((rc = mf_http_set(req, "Vary", "Accept-Encoding")) < 0)
        return rc;
    if (!wants_gzip(req) || mf_gzip_all(body, len, 0, &z, &z_len) < 0)
        return mf_http_reply(req, status, type, body, len, deadline);
    if (z_len >= len) {
        rc = mf_http_reply(req, status, type, body, len, deadline);
    } else {
        rc = mf_http_set(req, "Content-Encoding", "gzip");
        if (rc >= 0)
            rc = mf_http_reply(req, status, type, z, z_len, deadline);
    }
    free(z); /* tidy: allow malloc, because mf_gzip_all gave it */
    return rc;
}
