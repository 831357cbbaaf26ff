/* SPDX-License-Identifier: MIT */
/*
 * fileplan.c - what to answer to a GET or HEAD of a file: its tag, conditions,
 * ranges (RFC 9110, 13.2.2 has the order), and how long the body is.
 *
 * The tag is made of size and time of change in ns. A file that was changed
 * within the last second may change again without a new time, as the clock of
 * a file system ticks in ms: its tag is weak until then, so it serves for
 * If-None-Match, and ranges are not put together from two of its versions.
 */
#include "http/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void make_tag(const struct file_found *found, int64_t now, char *etag)
{
    int64_t changed = found->st.st_mtim.tv_sec;

    snprintf(etag, FILE_ETAG, "%s\"%llx-%llx%s\"",
             now - changed > 1 ? "" : "W/",
             (unsigned long long)found->st.st_size,
             (unsigned long long)changed * 1000000000 +
                 (unsigned long long)found->st.st_mtim.tv_nsec,
             found->gzipped ? "-gz" : "");
}

/* splitmix64: 64 bits which tell nothing of the number that they are made of
 * to whoever wrote the file. */
static void make_boundary(uint64_t x, char *boundary)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    snprintf(boundary, FILE_BOUNDARY, "%016llx",
             (unsigned long long)(x ^ x >> 31));
}

int mfi_file_part(const struct file_plan *p, int i, const char *type,
                  char buf[FILE_PART])
{
    const mf_http_range *r = &p->ranges[i];

    if (i == p->n_ranges)
        return snprintf(buf, FILE_PART, "\r\n--%s--\r\n", p->boundary);
    return snprintf(buf, FILE_PART,
                    "%s--%s\r\nContent-Type: %.100s\r\n"
                    "Content-Range: bytes %llu-%llu/%llu\r\n\r\n",
                    i > 0 ? "\r\n" : "", p->boundary, type,
                    (unsigned long long)r->from,
                    (unsigned long long)(r->from + r->len - 1),
                    (unsigned long long)p->size);
}

static uint64_t body_length(const struct file_plan *p, const char *type)
{
    char part[FILE_PART];
    uint64_t sum = 0;
    int i;

    if (p->n_ranges == 1)
        return p->ranges[0].len;
    for (i = 0; i < p->n_ranges; i++)
        sum += (uint64_t)mfi_file_part(p, i, type, part) + p->ranges[i].len;
    return sum + (uint64_t)mfi_file_part(p, i, type, part);
}

void mfi_file_plan(const mf_http_head *head, const struct file_found *found,
                   int64_t now, uint64_t unique, struct file_plan *ret)
{
    int64_t modified = found->st.st_mtim.tv_sec;
    mf_text range;
    int n = 0;

    ret->size = (uint64_t)found->st.st_size;
    ret->length = ret->size;
    ret->status = 200;
    ret->n_ranges = 0;
    make_tag(found, now, ret->etag);
    /* A time to come is no time of change: RFC 9110, 8.8.2.1. */
    modified = modified > now ? now : modified;
    if (mf_http_date_print(modified, ret->modified) < 0)
        ret->modified[0] = '\0';
    if ((ret->status = mf_http_check(head, ret->etag, modified, 1)) != 0) {
        ret->length = 0;
        return;
    }
    ret->status = 200;
    range = mf_http_find(head, "Range");
    if (range.at == NULL || !mf_text_is(head->method, "GET") ||
        !mf_http_check_range(head, ret->etag, modified))
        return;
    n = mf_http_ranges(range, ret->size, ret->ranges, FILE_RANGES);
    if (n == 0)
        return;
    ret->status = n > 0 ? 206 : 416;
    ret->n_ranges = n > 0 ? n : 0;
    make_boundary(unique, ret->boundary);
    ret->length = n > 0 ? body_length(ret, found->type) : 0;
}
