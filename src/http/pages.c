/* SPDX-License-Identifier: MIT */
/*
 * pages.c - files and the log, for requests of the server: what they need of a
 * request is a struct of calls (files.h) and texts, which is put together here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/files.h"

/* ---- files -------------------------------------------------------------- */

static int file_set(void *req, const char *name, const char *value)
{
    return mf_http_set(req, name, value);
}

static int file_begin(void *req, int status, const char *type, int64_t length,
                      mf_deadline deadline)
{
    return mf_http_begin(req, status, type, length, deadline);
}

static int file_write(void *req, const void *data, size_t len,
                      mf_deadline deadline)
{
    return mf_http_write(req, data, len, deadline);
}

static int file_send(void *req, int fd, int64_t from, uint64_t len,
                     mf_deadline deadline)
{
    return mf_http_send_file(req, fd, from, len, deadline);
}

static int file_end(void *req, mf_deadline deadline)
{
    return mf_http_end(req, deadline);
}

static const struct file_out to_request = {file_set, file_begin, file_write,
                                           file_send, file_end};

/* The whole path, decoded, into buf; "" is what is never found but as root. */
static int decode_path(mf_http_req *req, char *buf, size_t cap)
{
    mf_text path = mf_http_path(req);
    int n = path.len < cap ? mf_http_unescape(path, buf, 0) : -ENAMETOOLONG;

    if (n < 0 || memchr(buf, '\0', (size_t)n) != NULL)
        return -ENOENT;
    buf[n] = '\0';
    return 0;
}

int mf_http_serve_files(mf_http_req *req, void *files)
{
    const char *path = mf_http_param(req, "path");
    char whole[1024];

    if (path == NULL) {
        if (decode_path(req, whole, sizeof whole) < 0)
            return mf_http_reply(req, 404, "text/plain", "Not found.\n", 11,
                                 MF_NEVER);
        path = whole;
    }
    return mfi_file_answer(files, mf_http_head_of(req), path, &to_request, req,
                           MF_NEVER);
}

/* ---- log ---------------------------------------------------------------- */

/* "10.0.0.1:80" and "[::1]:80" without what is not the host. */
static mf_text host_of(mf_http_req *req, char text[MF_ADDR_STR])
{
    int fd = mf_stream_get_fd(mf_http_stream(req));
    mf_text host;
    mf_addr peer;
    char *colon;

    if (fd < 0 || mf_peer_addr(fd, &peer) < 0)
        return (mf_text){NULL, 0};
    mf_addr_str(&peer, text, MF_ADDR_STR);
    if (text[0] == '[' && (colon = strchr(text, ']')) != NULL)
        return (mf_text){text + 1, (size_t)(colon - text) - 1};
    host = mf_text_of(text);
    colon = strrchr(text, ':');
    if (colon != NULL && strncmp(text, "unix:", 5) != 0)
        host.len = (size_t)(colon - text);
    return host;
}

void mf_http_log_request(mf_http_req *req, void *log)
{
    const mf_http_head *head = mf_http_head_of(req);
    char text[MF_ADDR_STR];
    mf_http_log_entry e = {
        .peer = host_of(req, text),
        .method = head->method,
        .target = head->target,
        .minor = head->minor,
        .status = mf_http_status(req),
        .bytes = mf_http_sent(req),
        .referer = mf_http_find(head, "Referer"),
        .agent = mf_http_find(head, "User-Agent"),
    };

    /* A line that is lost is counted in the log. */
    (void)!mf_http_log_add(log, &e);
}
