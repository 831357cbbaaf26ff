/* SPDX-License-Identifier: MIT */
/*
 * http_text_fuzz.c - everything of http_text.h that reads what others sent.
 * Byte 0 chooses; the rest is the input, in an allocation of its own length.
 * Beside not reading over its end, what comes out keeps its promises.
 */
#include <mayfly/http_text.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void must(int holds)
{
    if (!holds)
        abort();
}

static int inside(mf_text part, mf_text in)
{
    return part.at >= in.at && part.at + part.len <= in.at + in.len;
}

static void escapes(mf_text in)
{
    char *out = malloc(in.len + 1), *again = malloc(3 * in.len + 1);
    mf_text name, value, rest = in;
    char buf[64];
    int n = mf_http_unescape(in, out, 0), m;

    must(n <= (int)in.len);
    if (n >= 0) {
        m = mf_http_escape((mf_text){out, (size_t)n}, NULL, again,
                           3 * in.len + 1);
        must(m >= n);
        must(mf_http_unescape((mf_text){again, (size_t)m}, again, 1) == n);
        must(n == 0 || memcmp(out, again, (size_t)n) == 0);
    }
    while (mf_http_pair_next(&rest, &name, &value) > 0)
        must(inside(name, in) && inside(value, in));
    rest = in;
    while ((n = mf_http_form_next(&rest, buf, sizeof buf, &name, &value)) != 0)
        if (n > 0)
            must(name.at == buf && value.at + value.len < buf + sizeof buf);
    mf_http_form_find(in, "name", buf, sizeof buf);
    free(out);
    free(again);
}

static void lists(mf_text in)
{
    mf_text rest = in, e, v, a;
    int q;

    while (mf_http_list_next(&rest, &e) > 0) {
        must(inside(e, in) && e.len > 0);
        q = mf_http_q(e);
        must(q >= 0 && q <= 1000);
        a = mf_http_argument(e, "a");
        must(a.at == NULL || inside(a, in));
    }
    q = mf_http_quality(in, "gzip");
    must(q <= 1000);
    q = mf_http_accepts(in, "text/html");
    must(q >= 0 && q <= 1000);
    rest = in;
    while (mf_http_cookie_next(&rest, &e, &v) > 0)
        must(inside(e, in) && inside(v, in) && e.len > 0);
    mf_http_etag_in(in, "\"a\"", 1);
    mf_http_etag_in(in, "W/\"a\"", 0);
}

static void parts(mf_text in)
{
    mf_text rest = in, boundary = {"b", 1};
    mf_http_part p;

    mf_http_boundary(in, &boundary);
    while (mf_http_part_next(&rest, (mf_text){"b", 1}, &p) > 0)
        must(inside(p.data, in) && inside(rest, in) &&
             (p.name.at == NULL || inside(p.name, in)));
}

static void numbers(mf_text in)
{
    mf_http_range r[16];
    char date[MF_HTTP_DATE];
    int64_t seconds, again;
    uint64_t number;
    int i, k, n = mf_http_ranges(in, 1000, r, 16);

    for (i = 0; i < n; i++) {
        must(r[i].len > 0 && r[i].from + r[i].len <= 1000);
        for (k = 0; k < i; k++)
            must(r[i].from > r[k].from + r[k].len ||
                 r[k].from > r[i].from + r[i].len);
    }
    mf_http_ranges(in, UINT64_MAX, r, 16);
    mf_http_number(in, UINT64_MAX, &number);
    if (mf_http_date_parse(in, 1700000000, &seconds) < 0)
        return;
    if (mf_http_date_print(seconds, date) < 0)
        return;
    must(mf_http_date_parse(mf_text_of(date), 0, &again) == 0);
    must(again == seconds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy;

    if (size == 0)
        return 0;
    copy = malloc(size > 1 ? size - 1 : 1);
    must(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    switch (data[0] & 3) {
    case 0:
        escapes((mf_text){copy, size - 1});
        break;
    case 1:
        lists((mf_text){copy, size - 1});
        break;
    case 2:
        parts((mf_text){copy, size - 1});
        break;
    default:
        numbers((mf_text){copy, size - 1});
    }
    free(copy);
    return 0;
}
