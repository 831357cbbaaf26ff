/* SPDX-License-Identifier: MIT */
/*
 * range.c - the Range field (RFC 9110, 14.1.2 and 14.2).
 *
 * A range bomb asks for many ranges, or for the same bytes over and over, so
 * that a small request makes a huge answer. Here: ranges that overlap or touch
 * become one, so no byte goes out twice; more than the caller's room is as if
 * nothing was asked: who does gets all of it once, which is always right.
 */
#include <mayfly/http_text.h>

#include <errno.h>
#include <string.h>

/* first-last, first-, -suffix. 1 a range in *ret, 0 beyond the end, -1 bad. */
static int parse(mf_text spec, uint64_t size, mf_http_range *ret)
{
    const char *dash = memchr(spec.at, '-', spec.len);
    uint64_t from = 0, to = UINT64_MAX;
    mf_text left, right;

    if (dash == NULL)
        return -1;
    left = (mf_text){spec.at, (size_t)(dash - spec.at)};
    right = (mf_text){dash + 1, spec.len - left.len - 1};
    if (left.len == 0 && right.len == 0)
        return -1;
    /* What does not fit 64 bits is far behind the end. */
    if (left.len > 0 && mf_http_number(left, UINT64_MAX, &from) == -EINVAL)
        return -1;
    if (left.len > 0 && mf_http_number(left, UINT64_MAX, &from) == -ERANGE)
        from = UINT64_MAX;
    if (right.len > 0 && mf_http_number(right, UINT64_MAX, &to) == -EINVAL)
        return -1;
    if (left.len == 0) {
        from = to >= size ? 0 : size - to;
        to = to > 0 && size > 0 ? size - 1 : 0;
        if (from >= size)
            return 0;
    }
    if (to < from)
        return -1;
    if (from >= size)
        return 0;
    to = to >= size ? size - 1 : to;
    *ret = (mf_http_range){from, to - from + 1};
    return 1;
}

/* Make a and b one, if they overlap or touch. */
static int join(mf_http_range *a, const mf_http_range *b)
{
    uint64_t a_end = a->from + a->len, b_end = b->from + b->len;

    if (b->from > a_end || a->from > b_end)
        return 0;
    a->from = a->from < b->from ? a->from : b->from;
    a->len = (a_end > b_end ? a_end : b_end) - a->from;
    return 1;
}

/*
 * Put r at the end, or into the first it meets; what else it meets joins that
 * one. Those before, which meet none of these, cannot meet the sum either.
 */
static int insert(mf_http_range *all, int n, mf_http_range r)
{
    int i, at = -1;

    for (i = 0; i < n; i++) {
        if (!join(&all[i], &r))
            continue;
        r = all[i];
        if (at < 0) {
            at = i;
            continue;
        }
        all[at] = r;
        memmove(&all[i], &all[i + 1], (size_t)(n - i - 1) * sizeof all[0]);
        n--;
        i--;
    }
    if (at < 0)
        all[n++] = r;
    return n;
}

int mf_http_ranges(mf_text value, uint64_t size, mf_http_range *ret, int cap)
{
    mf_text rest, spec;
    int n = 0, asked = 0, rc;
    mf_http_range r;

    if (value.len < 6 || memcmp(value.at, "bytes=", 6) != 0)
        return 0;
    rest = (mf_text){value.at + 6, value.len - 6};
    while (mf_http_list_next(&rest, &spec) > 0) {
        if (++asked > cap || (rc = parse(spec, size, &r)) < 0)
            return 0;
        if (rc > 0)
            n = insert(ret, n, r);
    }
    if (asked == 0)
        return 0;
    return n > 0 ? n : -ERANGE;
}
