/* SPDX-License-Identifier: MIT */
#include "http/text.h"

#include <errno.h>

static int unescape(const char *in, char *out, int plus)
{
    int n = mf_http_unescape(T(in), out, plus);

    if (n >= 0)
        out[n] = '\0';
    return n;
}

MFI_TEST(escapes_are_undone)
{
    char out[64];

    EXPECT_EQ(unescape("a%20b%2fC%2F%zz", out, 0), -EINVAL);
    EXPECT_EQ(unescape("a%20b%2fC%2F", out, 0), 6);
    EXPECT_STR_EQ(out, "a b/C/");
    EXPECT_EQ(unescape("a+b%2B", out, 0), 4);
    EXPECT_STR_EQ(out, "a+b+");
    EXPECT_EQ(unescape("a+b%2B", out, 1), 4);
    EXPECT_STR_EQ(out, "a b+");
    EXPECT_EQ(unescape("", out, 0), 0);
    EXPECT_EQ(unescape("%00", out, 0), 1);
    EXPECT_EQ(out[0], 0);
    EXPECT_EQ(unescape("%c3%A4", out, 0), 2);
    EXPECT_STR_EQ(out, "\xc3\xa4");
}

MFI_TEST(what_only_looks_like_an_escape_is_refused)
{
    static const char *const bad[] = {"%",   "%2",   "a%",  "%g0", "%0g",
                                      "%-1", "%+1",  "% 1", "%%",  "%u0041",
                                      "%2%", "%0x1", "%:0", "%@1", "%1`"};
    char out[64];
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_EQ(unescape(bad[i], out, 1), -EINVAL);
}

MFI_TEST(unescaping_in_place_and_never_twice)
{
    char text[] = "%2541%2e%2E/";

    EXPECT_EQ(mf_http_unescape(T(text), text, 0), 6);
    EXPECT_EQ(strncmp(text, "%41../", 6), 0);
}

MFI_TEST(nothing_is_read_behind_the_end)
{
    static const char whole[] = "a%41%4";
    char out[8];
    size_t len;

    for (len = 0; len < sizeof whole; len++) {
        mf_text in = exact(whole, len);

        mf_http_unescape(in, out, 1);
        exact_free(in);
    }
}

MFI_TEST(every_byte_comes_back_from_its_escape)
{
    char all[256], escaped[800], back[800];
    int i, n;

    for (i = 0; i < 256; i++)
        all[i] = (char)i;
    n = mf_http_escape((mf_text){all, 256}, NULL, escaped, sizeof escaped);
    EXPECT_EQ(n, 66 + 3 * 190);
    EXPECT_EQ(strlen(escaped), n);
    EXPECT_EQ(mf_http_unescape((mf_text){escaped, (size_t)n}, back, 1), 256);
    EXPECT_EQ(memcmp(all, back, 256), 0);
}

MFI_TEST(an_escape_needs_room_for_its_nul)
{
    char out[8];

    EXPECT_EQ(mf_http_escape(T("a b"), NULL, out, 5), -EMSGSIZE);
    EXPECT_EQ(mf_http_escape(T("a b"), NULL, out, 6), 5);
    EXPECT_STR_EQ(out, "a%20b");
    EXPECT_EQ(mf_http_escape(T(""), NULL, out, 0), -EMSGSIZE);
    EXPECT_EQ(mf_http_escape(T("/a /"), "/", out, 8), 6);
    EXPECT_STR_EQ(out, "/a%20/");
}

MFI_TEST(pairs_with_and_without_values)
{
    mf_text rest = T("a=1&&b&=x&c==&d=%26"), name, value;

    EXPECT_EQ(mf_http_pair_next(&rest, &name, &value), 1);
    EXPECT_TEXT(name, "a");
    EXPECT_TEXT(value, "1");
    EXPECT_EQ(mf_http_pair_next(&rest, &name, &value), 1);
    EXPECT_TEXT(name, "b");
    EXPECT_TEXT(value, "");
    EXPECT_EQ(mf_http_pair_next(&rest, &name, &value), 1);
    EXPECT_TEXT(name, "");
    EXPECT_TEXT(value, "x");
    EXPECT_EQ(mf_http_pair_next(&rest, &name, &value), 1);
    EXPECT_TEXT(name, "c");
    EXPECT_TEXT(value, "=");
    EXPECT_EQ(mf_http_pair_next(&rest, &name, &value), 1);
    EXPECT_TEXT(value, "%26");
    EXPECT_EQ(mf_http_pair_next(&rest, &name, &value), 0);
    EXPECT_EQ(rest.len, 0);
    rest = (mf_text){NULL, 0};
    EXPECT_EQ(mf_http_pair_next(&rest, &name, &value), 0);
}

MFI_TEST(a_form_is_decoded_pair_by_pair)
{
    mf_text rest = T("a+b=c%20d&bad=%z&e=12345678901234567890&f=g"), name,
            value;
    char buf[12];

    EXPECT_EQ(mf_http_form_next(&rest, buf, sizeof buf, &name, &value), 1);
    EXPECT_STR_EQ(name.at, "a b");
    EXPECT_STR_EQ(value.at, "c d");
    EXPECT_EQ(value.len, 3);
    EXPECT_EQ(mf_http_form_next(&rest, buf, sizeof buf, &name, &value),
              -EINVAL);
    EXPECT_EQ(mf_http_form_next(&rest, buf, sizeof buf, &name, &value),
              -EMSGSIZE);
    EXPECT_EQ(mf_http_form_next(&rest, buf, sizeof buf, &name, &value), 1);
    EXPECT_STR_EQ(name.at, "f");
    EXPECT_EQ(mf_http_form_next(&rest, buf, sizeof buf, &name, &value), 0);
}

MFI_TEST(one_value_is_found_by_its_decoded_name)
{
    mf_text form = T("ab=1&a%62c=2&%=3&a+b=4&abcd=5&e=");
    char buf[8];

    EXPECT_EQ(mf_http_form_find(form, "abc", buf, sizeof buf), 1);
    EXPECT_STR_EQ(buf, "2");
    EXPECT_EQ(mf_http_form_find(form, "a b", buf, sizeof buf), 1);
    EXPECT_STR_EQ(buf, "4");
    EXPECT_EQ(mf_http_form_find(form, "e", buf, sizeof buf), 0);
    EXPECT_STR_EQ(buf, "");
    EXPECT_EQ(mf_http_form_find(form, "a", buf, sizeof buf), -ENOENT);
    EXPECT_EQ(mf_http_form_find(form, "%", buf, sizeof buf), -ENOENT);
    EXPECT_EQ(mf_http_form_find(form, "abc", buf, 1), -EMSGSIZE);
    EXPECT_EQ(mf_http_form_find(T("x=%4"), "x", buf, sizeof buf), -EINVAL);
    EXPECT_EQ(mf_http_form_find(T("x%00y=1"), "x", buf, sizeof buf), -ENOENT);
}
