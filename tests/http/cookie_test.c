/* SPDX-License-Identifier: MIT */
#include "http/text.h"

#include <errno.h>

MFI_TEST(cookies_are_read_in_order)
{
    mf_text rest = T("a=1; b=\"two\";;=x; c; d = e=f ; g="), name, value;

    EXPECT_EQ(mf_http_cookie_next(&rest, &name, &value), 1);
    EXPECT_TEXT(name, "a");
    EXPECT_TEXT(value, "1");
    EXPECT_EQ(mf_http_cookie_next(&rest, &name, &value), 1);
    EXPECT_TEXT(name, "b");
    EXPECT_TEXT(value, "two");
    EXPECT_EQ(mf_http_cookie_next(&rest, &name, &value), 1);
    EXPECT_TEXT(name, "d");
    EXPECT_TEXT(value, "e=f");
    EXPECT_EQ(mf_http_cookie_next(&rest, &name, &value), 1);
    EXPECT_TEXT(name, "g");
    EXPECT_TEXT(value, "");
    EXPECT_EQ(mf_http_cookie_next(&rest, &name, &value), 0);
}

MFI_TEST(the_first_of_a_name_is_found_and_case_counts)
{
    mf_text field = T("sid=1; SID=2; sid=3");

    EXPECT_TEXT(mf_http_cookie_find(field, "sid"), "1");
    EXPECT_TEXT(mf_http_cookie_find(field, "SID"), "2");
    EXPECT(mf_http_cookie_find(field, "si").at == NULL);
    EXPECT(mf_http_cookie_find(T(NULL), "si").at == NULL);
}

MFI_TEST(a_cookie_is_written_with_its_attributes)
{
    char buf[128];
    int n = mf_http_cookie_print(buf, sizeof buf, "sid", "abc", NULL);

    EXPECT_EQ(n, 7);
    EXPECT_STR_EQ(buf, "sid=abc");
    n = mf_http_cookie_print(
        buf, sizeof buf, "sid", "abc",
        MF_HTTP_COOKIE(.path = "/a", .domain = "x.example", .max_age = 60,
                       .secure = 1, .http_only = 1, .same_site = "None"));
    EXPECT_STR_EQ(buf, "sid=abc; Path=/a; Domain=x.example; Max-Age=60; "
                       "Secure; HttpOnly; SameSite=None");
    EXPECT_EQ(n, strlen(buf));
    EXPECT_EQ(mf_http_cookie_print(buf, sizeof buf, "sid", "",
                                   MF_HTTP_COOKIE(.max_age = -5)),
              15);
    EXPECT_STR_EQ(buf, "sid=; Max-Age=0");
}

MFI_TEST(what_would_break_out_of_a_cookie_is_refused)
{
    static const char *const bad[] = {"a;b",      "a,b",  "a b",       "a\"b",
                                      "a\\b",     "a\rb", "a\r\nX: y", "\x7f",
                                      "\xc3\xa4", "a\tb"};
    char buf[64];
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT_EQ(mf_http_cookie_print(buf, sizeof buf, "a", bad[i], NULL),
                  -EINVAL);
        EXPECT_EQ(mf_http_cookie_print(buf, sizeof buf, bad[i], "a", NULL),
                  -EINVAL);
    }
    EXPECT_EQ(mf_http_cookie_print(buf, sizeof buf, "", "a", NULL), -EINVAL);
    EXPECT_EQ(mf_http_cookie_print(buf, sizeof buf, "a=b", "a", NULL), -EINVAL);
    EXPECT_EQ(mf_http_cookie_print(buf, sizeof buf, "a", "b",
                                   MF_HTTP_COOKIE(.path = "/;Secure")),
              -EINVAL);
    EXPECT_EQ(mf_http_cookie_print(buf, sizeof buf, "a", "b",
                                   MF_HTTP_COOKIE(.domain = "x\r\ny")),
              -EINVAL);
    EXPECT_EQ(mf_http_cookie_print(buf, sizeof buf, "a", "b",
                                   MF_HTTP_COOKIE(.same_site = "None")),
              -EINVAL);
    EXPECT_EQ(mf_http_cookie_print(buf, sizeof buf, "a", "b",
                                   MF_HTTP_COOKIE(.same_site = "lax")),
              -EINVAL);
}

MFI_TEST(room_is_never_overrun)
{
    char buf[32];
    size_t cap;

    for (cap = 0; cap <= 20; cap++) {
        memset(buf, 'x', sizeof buf);
        EXPECT_EQ(mf_http_cookie_print(buf, cap, "sid", "abc",
                                       MF_HTTP_COOKIE(.path = "/abc")),
                  cap > 18 ? 18 : -EMSGSIZE);
        EXPECT_EQ(buf[cap], 'x');
    }
}
