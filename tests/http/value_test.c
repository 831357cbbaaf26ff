/* SPDX-License-Identifier: MIT */
#include "http/text.h"

#include <errno.h>

MFI_TEST(texts_compare_with_strings)
{
    EXPECT(mf_text_is(T("ab"), "ab") && !mf_text_is(T("ab"), "a"));
    EXPECT(!mf_text_is(T("a"), "ab") && !mf_text_is(T("aB"), "ab"));
    EXPECT(mf_text_is_nocase(T("aB"), "Ab") && !mf_text_is_nocase(T("@"), "`"));
    EXPECT(!mf_text_is(T(NULL), "") && mf_text_is(T(""), ""));
}

MFI_TEST(numbers_are_digits_only)
{
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "0x1", "1,1", "99999999999999999999999x"};
    uint64_t n = 7;
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_EQ(mf_http_number(T(bad[i]), UINT64_MAX, &n), -EINVAL);
    EXPECT_EQ(mf_http_number(T("18446744073709551616"), UINT64_MAX, &n),
              -ERANGE);
    EXPECT_EQ(mf_http_number(T("18446744073709551620"), UINT64_MAX, &n),
              -ERANGE);
    EXPECT_EQ(mf_http_number(T("101"), 100, &n), -ERANGE);
    EXPECT_EQ(n, 7);
    EXPECT_EQ(mf_http_number(T("18446744073709551615"), UINT64_MAX, &n), 0);
    EXPECT(n == UINT64_MAX);
    EXPECT_EQ(mf_http_number(T("0000000000000000000000100"), 100, &n), 0);
    EXPECT_EQ(n, 100);
}

MFI_TEST(a_list_splits_at_commas_outside_of_quotes)
{
    mf_text rest = T(" a ,,\t, b;x=\"1,2\\\",3\" ,c"), e;

    EXPECT_EQ(mf_http_list_next(&rest, &e), 1);
    EXPECT_TEXT(e, "a");
    EXPECT_EQ(mf_http_list_next(&rest, &e), 1);
    EXPECT_TEXT(e, "b;x=\"1,2\\\",3\"");
    EXPECT_EQ(mf_http_list_next(&rest, &e), 1);
    EXPECT_TEXT(e, "c");
    EXPECT_EQ(mf_http_list_next(&rest, &e), 0);
    rest = T("\"never, closed");
    EXPECT_EQ(mf_http_list_next(&rest, &e), 1);
    EXPECT_TEXT(e, "\"never, closed");
    EXPECT_EQ(mf_http_list_next(&rest, &e), 0);
    rest = exact("a,\"\\", 4);
    e = rest;
    EXPECT_EQ(mf_http_list_next(&rest, &(mf_text){0}), 1);
    EXPECT_EQ(mf_http_list_next(&rest, &(mf_text){0}), 1);
    exact_free(e);
}

MFI_TEST(parameters_of_a_value)
{
    mf_text v = T("text/html; charset=utf-8;a=\"x;b=1\"; B = 2 ;c");

    EXPECT_TEXT(mf_http_argument(v, "CHARSET"), "utf-8");
    EXPECT_TEXT(mf_http_argument(v, "a"), "x;b=1");
    EXPECT_TEXT(mf_http_argument(v, "b"), "2");
    EXPECT(mf_http_argument(v, "c").at == NULL);
    EXPECT(mf_http_argument(v, "text/html").at == NULL);
    EXPECT(mf_http_argument(T("a=1"), "a").at == NULL);
    EXPECT(mf_http_argument(T(NULL), "a").at == NULL);
}

MFI_TEST(qualities_in_thousandths)
{
    EXPECT_EQ(mf_http_q(T("a")), 1000);
    EXPECT_EQ(mf_http_q(T("a;q=0")), 0);
    EXPECT_EQ(mf_http_q(T("a;q=0.5")), 500);
    EXPECT_EQ(mf_http_q(T("a; Q=0.123")), 123);
    EXPECT_EQ(mf_http_q(T("a;q=1.000")), 1000);
    EXPECT_EQ(mf_http_q(T("a;q=1.")), 1000);
    EXPECT_EQ(mf_http_q(T("a;q=1.001")), 0);
    EXPECT_EQ(mf_http_q(T("a;q=0.1234")), 0);
    EXPECT_EQ(mf_http_q(T("a;q=2")), 0);
    EXPECT_EQ(mf_http_q(T("a;q=.5")), 0);
    EXPECT_EQ(mf_http_q(T("a;q=0x5")), 0);
    EXPECT_EQ(mf_http_q(T("a;q=")), 0);
    EXPECT_EQ(mf_http_q(T("a;q=-1")), 0);
}

MFI_TEST(how_much_a_coding_is_wanted)
{
    mf_text list = T("deflate, GZIP;q=0.8, *;q=0.1, br;q=0");

    EXPECT_EQ(mf_http_quality(list, "gzip"), 800);
    EXPECT_EQ(mf_http_quality(list, "br"), 0);
    EXPECT_EQ(mf_http_quality(list, "zstd"), 100);
    EXPECT_EQ(mf_http_quality(T("gzipped, x-gzip"), "gzip"), -ENOENT);
    EXPECT_EQ(mf_http_quality(T(""), "gzip"), -ENOENT);
    EXPECT_EQ(mf_http_quality(T(NULL), "gzip"), -ENOENT);
}

MFI_TEST(the_nearest_media_range_decides)
{
    mf_text accept = T("text/*;q=0.3, text/html;q=0.7, */*;q=0.5, a/b;q=0");

    EXPECT_EQ(mf_http_accepts(accept, "text/html; charset=utf-8"), 700);
    EXPECT_EQ(mf_http_accepts(accept, "text/plain"), 300);
    EXPECT_EQ(mf_http_accepts(accept, "TEXT/Plain"), 300);
    EXPECT_EQ(mf_http_accepts(accept, "image/png"), 500);
    EXPECT_EQ(mf_http_accepts(accept, "a/b"), 0);
    EXPECT_EQ(mf_http_accepts(T("image/*"), "text/html"), 0);
    EXPECT_EQ(mf_http_accepts(T("im/*"), "image/png"), 0);
    EXPECT_EQ(mf_http_accepts(T(NULL), "text/html"), 1000);
}
