/* SPDX-License-Identifier: MIT */
#include "http/text.h"

static int64_t then = 784111777;
#define THEN   "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

static mf_http_head head_of(const char *method, mf_http_field *fields, int n)
{
    return (mf_http_head){.method = T(method), .fields = fields, .n_fields = n};
}

static int check1(const char *method, const char *name, const char *value,
                  const char *etag, int exists)
{
    mf_http_field f = {T(name), T(value)};
    mf_http_head head = head_of(method, &f, 1);

    return mf_http_check(&head, etag, then, exists);
}

MFI_TEST(tags_are_compared_weakly_or_strongly)
{
    EXPECT(mf_http_etag_in(T("\"a\", \"b\""), "\"b\"", 1));
    EXPECT(mf_http_etag_in(T(",, \"a\",W/\"b\""), "\"b\"", 0));
    EXPECT(!mf_http_etag_in(T("W/\"b\""), "\"b\"", 1));
    EXPECT(!mf_http_etag_in(T("\"b\""), "W/\"b\"", 1));
    EXPECT(mf_http_etag_in(T("\"b\""), "W/\"b\"", 0));
    EXPECT(mf_http_etag_in(T("\"a,b\""), "\"a,b\"", 1));
    EXPECT(!mf_http_etag_in(T("\"a,b\""), "\"b\"", 0));
    EXPECT(!mf_http_etag_in(T("b"), "\"b\"", 0));
    EXPECT(!mf_http_etag_in(T("\"b"), "\"b\"", 0));
    EXPECT(!mf_http_etag_in(T("W/"), "\"b\"", 0));
    EXPECT(mf_http_etag_in(T("*"), "\"b\"", 1));
    EXPECT(!mf_http_etag_in(T("*"), NULL, 1));
    EXPECT(!mf_http_etag_in(T(""), "\"b\"", 0));
}

MFI_TEST(if_match)
{
    EXPECT_EQ(check1("PUT", "If-Match", "\"a\"", "\"a\"", 1), 0);
    EXPECT_EQ(check1("PUT", "if-match", "\"b\"", "\"a\"", 1), 412);
    EXPECT_EQ(check1("PUT", "If-Match", "*", "\"a\"", 1), 0);
    EXPECT_EQ(check1("PUT", "If-Match", "*", NULL, 1), 0);
    EXPECT_EQ(check1("PUT", "If-Match", "*", "\"a\"", 0), 412);
    EXPECT_EQ(check1("GET", "If-Match", "W/\"a\"", "W/\"a\"", 1), 412);
}

MFI_TEST(if_none_match)
{
    EXPECT_EQ(check1("GET", "If-None-Match", "\"x\", W/\"a\"", "\"a\"", 1),
              304);
    EXPECT_EQ(check1("HEAD", "If-None-Match", "*", "\"a\"", 1), 304);
    EXPECT_EQ(check1("PUT", "If-None-Match", "*", "\"a\"", 1), 412);
    EXPECT_EQ(check1("PUT", "If-None-Match", "*", NULL, 0), 0);
    EXPECT_EQ(check1("GET", "If-None-Match", "\"b\"", "\"a\"", 1), 0);
}

MFI_TEST(dates)
{
    EXPECT_EQ(check1("GET", "If-Modified-Since", THEN, NULL, 1), 304);
    EXPECT_EQ(check1("GET", "If-Modified-Since", AFTER, NULL, 1), 304);
    EXPECT_EQ(check1("GET", "If-Modified-Since", BEFORE, NULL, 1), 0);
    EXPECT_EQ(check1("POST", "If-Modified-Since", AFTER, NULL, 1), 0);
    EXPECT_EQ(check1("GET", "If-Modified-Since", "yesterday", NULL, 1), 0);
    EXPECT_EQ(check1("PUT", "If-Unmodified-Since", THEN, NULL, 1), 0);
    EXPECT_EQ(check1("PUT", "If-Unmodified-Since", BEFORE, NULL, 1), 412);
    EXPECT_EQ(check1("PUT", "If-Unmodified-Since", "never", NULL, 1), 0);
}

MFI_TEST(tags_come_before_dates)
{
    mf_http_field f[2] = {{T("If-None-Match"), T("\"b\"")},
                          {T("If-Modified-Since"), T(AFTER)}};
    mf_http_head head = head_of("GET", f, 2);

    EXPECT_EQ(mf_http_check(&head, "\"a\"", then, 1), 0);
    EXPECT_EQ(mf_http_check(&head, "\"b\"", then, 1), 304);
    f[0] = (mf_http_field){T("If-Match"), T("\"a\"")};
    f[1] = (mf_http_field){T("If-Unmodified-Since"), T(BEFORE)};
    EXPECT_EQ(mf_http_check(&head, "\"a\"", then, 1), 0);
}

MFI_TEST(a_list_in_several_fields_is_one)
{
    mf_http_field f[2] = {{T("If-None-Match"), T("\"a\"")},
                          {T("If-None-Match"), T("\"b\"")}};
    mf_http_head head = head_of("GET", f, 2);

    EXPECT_EQ(mf_http_check(&head, "\"a\"", then, 1), 304);
    EXPECT_EQ(mf_http_check(&head, "\"b\"", then, 1), 304);
    EXPECT_EQ(mf_http_check(&head, "\"c\"", then, 1), 0);
}

static int range1(const char *value, const char *etag)
{
    mf_http_field f = {T("If-Range"), T(value)};
    mf_http_head head = head_of("GET", &f, 1);

    return mf_http_check_range(&head, etag, then);
}

MFI_TEST(if_range_wants_the_very_same)
{
    mf_http_head none = head_of("GET", NULL, 0);

    EXPECT_EQ(mf_http_check_range(&none, NULL, -1), 1);
    EXPECT_EQ(range1("\"a\"", "\"a\""), 1);
    EXPECT_EQ(range1("\"b\"", "\"a\""), 0);
    EXPECT_EQ(range1("W/\"a\"", "\"a\""), 0);
    EXPECT_EQ(range1("W/\"a\"", "W/\"a\""), 0);
    EXPECT_EQ(range1(THEN, "\"a\""), 1);
    EXPECT_EQ(range1(AFTER, "\"a\""), 0);
    EXPECT_EQ(range1("Wed, 16 Nov 1994 08:49:37 GMT", "\"a\""), 0);
    EXPECT_EQ(range1("", "\"a\""), 0);
}
