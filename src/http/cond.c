/* SPDX-License-Identifier: MIT */
/*
 * cond.c - entity tags and conditional requests (RFC 9110, 8.8.3 and 13).
 *
 * Fields of one name may come in several lines: a condition holds if any of
 * them says so. A date that is none is as if it were not there (13.1.3), and
 * dates are only looked at where there is no tag to compare (13.2.2).
 */
#include <mayfly/http_text.h>

#include <time.h>

/* The next entity tag: without W/ in *ret, quotes included. 1, 0, -1 bad. */
static int tag_next(mf_text *rest, mf_text *ret, int *ret_weak)
{
    const char *at = rest->at, *end = at + rest->len, *start;

    while (at < end && (*at == ',' || *at == ' ' || *at == '\t'))
        at++;
    if (at == end)
        return 0;
    *ret_weak = end - at > 2 && at[0] == 'W' && at[1] == '/';
    if (*ret_weak)
        at += 2;
    start = at;
    if (*at++ != '"')
        return -1;
    while (at < end && *at != '"')
        at++;
    if (at == end)
        return -1;
    at++;
    *ret = (mf_text){start, (size_t)(at - start)};
    *rest = (mf_text){at, (size_t)(end - at)};
    return 1;
}

int mf_http_etag_in(mf_text list, const char *etag, int strong)
{
    int weak, own_weak = etag != NULL && etag[0] == 'W';
    mf_text rest = list, tag;

    if (mf_text_is(list, "*"))
        return etag != NULL;
    if (etag == NULL || (strong && own_weak))
        return 0;
    while (tag_next(&rest, &tag, &weak) > 0)
        if (!(strong && weak) && mf_text_is(tag, etag + (own_weak ? 2 : 0)))
            return 1;
    return 0;
}

/* Over all fields of that name: -1 there is none, 1 one has it, 0 none has. */
static int any_tag(const mf_http_head *head, const char *name, const char *etag,
                   int exists, int strong)
{
    int i, found = -1;

    for (i = 0; i < head->n_fields; i++) {
        const mf_http_field *f = &head->fields[i];

        if (!mf_text_is_nocase(f->name, name))
            continue;
        if (mf_text_is(f->value, "*") ? exists
                                      : mf_http_etag_in(f->value, etag, strong))
            return 1;
        found = 0;
    }
    return found;
}

/* 1 the field is a date, in *ret. */
static int date_in(const mf_http_head *head, const char *name, int64_t *ret)
{
    mf_text value = mf_http_find(head, name);

    return value.at != NULL && mf_http_date_parse(value, time(NULL), ret) == 0;
}

int mf_http_check(const mf_http_head *head, const char *etag, int64_t modified,
                  int exists)
{
    int get =
        mf_text_is(head->method, "GET") || mf_text_is(head->method, "HEAD");
    const char *tag = exists ? etag : NULL;
    int64_t date;
    int any;

    if ((any = any_tag(head, "If-Match", tag, exists, 1)) == 0)
        return 412;
    if (any < 0 && exists && modified >= 0 &&
        date_in(head, "If-Unmodified-Since", &date) && modified > date)
        return 412;
    if ((any = any_tag(head, "If-None-Match", tag, exists, 0)) > 0)
        return get ? 304 : 412;
    if (any < 0 && get && exists && modified >= 0 &&
        date_in(head, "If-Modified-Since", &date) && modified <= date)
        return 304;
    return 0;
}

int mf_http_check_range(const mf_http_head *head, const char *etag,
                        int64_t modified)
{
    mf_text value = mf_http_find(head, "If-Range");
    int64_t date;

    if (value.at == NULL)
        return 1;
    if (value.len > 0 && (value.at[0] == '"' || value.at[0] == 'W'))
        return mf_http_etag_in(value, etag, 1);
    /* A date counts only if it is the very one (13.1.5). */
    return modified >= 0 && date_in(head, "If-Range", &date) &&
           date == modified;
}
