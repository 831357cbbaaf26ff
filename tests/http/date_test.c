/* SPDX-License-Identifier: MIT */
#include "http/text.h"

#include <errno.h>
#include <time.h>

static const int64_t first = -INT64_C(62135596800);
static const int64_t last = INT64_C(253402300799);

MFI_TEST(the_three_forms_of_the_rfc_are_one_moment)
{
    static const char *const forms[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    char text[MF_HTTP_DATE];
    int64_t seconds;
    int i;

    for (i = 0; i < 3; i++) {
        EXPECT_EQ(mf_http_date_parse(T(forms[i]), 1700000000, &seconds), 0);
        EXPECT_EQ(seconds, 784111777);
    }
    EXPECT_EQ(mf_http_date_print(784111777, text), 29);
    EXPECT_STR_EQ(text, forms[0]);
    EXPECT_EQ(mf_http_date_parse(T("Wed Nov 16 08:49:37 1994"), 0, &seconds),
              0);
    EXPECT_EQ(seconds, 784111777 + 864000);
}

/* Against the C library, which is right where it works. */
static void same_as_libc(int64_t seconds)
{
    char text[MF_HTTP_DATE], want[64];
    int64_t back;
    time_t t = (time_t)seconds;
    struct tm tm;

    EXPECT(gmtime_r(&t, &tm) != NULL);
    strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    EXPECT_EQ(mf_http_date_print(seconds, text), 29);
    if (tm.tm_year + 1900 >= 1000)
        EXPECT_STR_EQ(text, want);
    EXPECT_EQ(mf_http_date_parse(T(text), 0, &back), 0);
    EXPECT_EQ(back, seconds);
}

MFI_TEST(every_day_of_eight_centuries_is_what_libc_says)
{
    int64_t day;

    for (day = -146097; day <= 146097; day++)
        same_as_libc(day * 86400 + (day * 7919 % 86400 + 86400) % 86400);
}

MFI_TEST(the_ends_of_time)
{
    char text[MF_HTTP_DATE];

    same_as_libc(first);
    same_as_libc(last);
    EXPECT_EQ(mf_http_date_print(first, text), 29);
    EXPECT_STR_EQ(text, "Mon, 01 Jan 0001 00:00:00 GMT");
    EXPECT_EQ(mf_http_date_print(last, text), 29);
    EXPECT_STR_EQ(text, "Fri, 31 Dec 9999 23:59:59 GMT");
    EXPECT_EQ(mf_http_date_print(first - 1, text), -ERANGE);
    EXPECT_EQ(mf_http_date_print(last + 1, text), -ERANGE);
    EXPECT_EQ(mf_http_date_print(INT64_MAX, text), -ERANGE);
    EXPECT_EQ(mf_http_date_print(INT64_MIN, text), -ERANGE);
}

MFI_TEST(two_digits_are_at_most_fifty_years_ahead)
{
    int64_t now, then;
    int i;

    for (i = 0; i < 300; i++) {
        char text[64], two[MF_HTTP_DATE];
        time_t t;
        struct tm tm;

        now = (int64_t)i * 31556952;
        t = (time_t)now;
        EXPECT(gmtime_r(&t, &tm) != NULL);
        snprintf(text, sizeof text, "Sunday, 06-Nov-%02d 08:49:37 GMT",
                 (tm.tm_year + 1900 + 50) % 100);
        EXPECT_EQ(mf_http_date_parse(T(text), now, &then), 0);
        EXPECT_EQ(mf_http_date_print(then, two), 29);
        EXPECT_EQ(atoi(two + 12), tm.tm_year + 1950);
        snprintf(text, sizeof text, "Sunday, 06-Nov-%02d 08:49:37 GMT",
                 (tm.tm_year + 1900 + 51) % 100);
        EXPECT_EQ(mf_http_date_parse(T(text), now, &then), 0);
        EXPECT_EQ(mf_http_date_print(then, two), 29);
        EXPECT_EQ(atoi(two + 12), tm.tm_year + 1851);
    }
}

MFI_TEST(what_is_no_date)
{
    static const char *const bad[] = {
        "",
        "0",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 1900 08:49:37 GMT",
        "Wed, 29 Feb 2023 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 -8:49:37 GMT",
        "Sun, 06 Nov +994 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "1994-11-06T08:49:37Z",
    };
    int64_t seconds = 7;
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_EQ(mf_http_date_parse(T(bad[i]), 0, &seconds), -EINVAL);
    EXPECT_EQ(seconds, 7);
    EXPECT_EQ(
        mf_http_date_parse(T("Tue, 29 Feb 2000 23:59:60 GMT"), 0, &seconds), 0);
    EXPECT_EQ(seconds, 951868800);
}

MFI_TEST(nothing_is_read_behind_the_end)
{
    static const char whole[] = "Wednesday, 06-Nov-94 08:49:37 GMT";
    int64_t seconds;
    size_t len;

    for (len = 0; len < sizeof whole; len++) {
        mf_text in = exact(whole, len);

        EXPECT_EQ(mf_http_date_parse(in, 0, &seconds),
                  len == sizeof whole - 1 ? 0 : -EINVAL);
        exact_free(in);
    }
}
