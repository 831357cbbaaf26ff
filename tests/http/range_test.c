/* SPDX-License-Identifier: MIT */
#include "http/text.h"

#include <errno.h>

enum { CAP = 8 };

/* "from+len from+len" or the negative or zero result. */
static const char *ranges(const char *value, uint64_t size)
{
    static char out[256];
    mf_http_range r[CAP];
    int i, n = mf_http_ranges(T(value), size, r, CAP);
    size_t len = 0;

    if (n <= 0)
        return n == 0 ? "all" : n == -ERANGE ? "none" : "?";
    for (i = 0; i < n; i++) {
        EXPECT(r[i].len > 0 && r[i].from + r[i].len <= size);
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%llu+%llu",
                                i > 0 ? " " : "", (unsigned long long)r[i].from,
                                (unsigned long long)r[i].len);
    }
    return out;
}

MFI_TEST(one_range)
{
    EXPECT_STR_EQ(ranges("bytes=0-0", 10), "0+1");
    EXPECT_STR_EQ(ranges("bytes=2-5", 10), "2+4");
    EXPECT_STR_EQ(ranges("bytes=2-", 10), "2+8");
    EXPECT_STR_EQ(ranges("bytes=-3", 10), "7+3");
    EXPECT_STR_EQ(ranges("bytes=-30", 10), "0+10");
    EXPECT_STR_EQ(ranges("bytes=5-99999999999999999999999", 10), "5+5");
    EXPECT_STR_EQ(ranges("bytes= 1-2 ", 10), "1+2");
    EXPECT_STR_EQ(ranges("bytes=0-9", 10), "0+10");
    EXPECT_STR_EQ(ranges("bytes=0-18446744073709551614", UINT64_MAX),
                  "0+18446744073709551615");
}

MFI_TEST(what_cannot_be_satisfied)
{
    EXPECT_STR_EQ(ranges("bytes=10-", 10), "none");
    EXPECT_STR_EQ(ranges("bytes=10-11,20-", 10), "none");
    EXPECT_STR_EQ(ranges("bytes=-0", 10), "none");
    EXPECT_STR_EQ(ranges("bytes=0-", 0), "none");
    EXPECT_STR_EQ(ranges("bytes=-5", 0), "none");
    EXPECT_STR_EQ(ranges("bytes=99999999999999999999999-", 10), "none");
    EXPECT_STR_EQ(ranges("bytes=10-,1-1", 10), "1+1");
}

MFI_TEST(what_is_as_if_not_asked)
{
    static const char *const bad[] = {
        "",          "bytes",      "bytes=",     "bytes=a-b",   "bytes=-",
        "bytes=1",   "bytes=3-2",  "bytes=1--2", "bytes=+1-2",  "bytes=1-2x",
        "items=0-1", "Bytes=0-1",  "bytes=,",    "bytes=1-2;3", "bytes=0x1-2",
        "bytes 0-1", "bytes=0-1,x"};
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_STR_EQ(ranges(bad[i], 10), "all");
}

MFI_TEST(several_keep_their_order_and_join_where_they_meet)
{
    EXPECT_STR_EQ(ranges("bytes=8-9, 0-1,4-5", 10), "8+2 0+2 4+2");
    EXPECT_STR_EQ(ranges("bytes=0-4,3-6", 10), "0+7");
    EXPECT_STR_EQ(ranges("bytes=0-1,2-3", 10), "0+4");
    EXPECT_STR_EQ(ranges("bytes=8-9,0-1,4-5,1-8", 10), "0+10");
    EXPECT_STR_EQ(ranges("bytes=0-,0-,0-,0-", 10), "0+10");
    EXPECT_STR_EQ(ranges("bytes=0-1,8-9,1-2", 10), "0+3 8+2");
}

MFI_TEST(more_than_there_is_room_for_is_all)
{
    EXPECT_STR_EQ(ranges("bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14", 99),
                  "0+1 2+1 4+1 6+1 8+1 10+1 12+1 14+1");
    EXPECT_STR_EQ(
        ranges("bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16", 99), "all");
    EXPECT_STR_EQ(ranges("bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-", 99), "all");
}

/* Against a set of bits, over all small cases there are by chance. */
MFI_TEST(random_ranges_cover_what_was_asked)
{
    unsigned seed = 1;
    int round;

    for (round = 0; round < 50000; round++) {
        char text[128] = "bytes=";
        uint64_t want = 0, got = 0;
        mf_http_range r[CAP];
        int i, n, count = rand_r(&seed) % CAP + 1;

        for (i = 0; i < count; i++) {
            int from = rand_r(&seed) % 48, to = from + rand_r(&seed) % 8;

            sprintf(text + strlen(text), "%s%d-%d", i > 0 ? "," : "", from, to);
            for (; from <= to; from++)
                want |= UINT64_C(1) << from;
        }
        n = mf_http_ranges(T(text), 64, r, CAP);
        EXPECT(n > 0 && n <= count);
        for (i = 0; i < n; i++) {
            uint64_t bits =
                r[i].len < 64 ? (UINT64_C(1) << r[i].len) - 1 : UINT64_MAX;

            EXPECT_EQ(got & bits << r[i].from, 0); /* no byte twice */
            got |= bits << r[i].from;
        }
        EXPECT(got == want);
    }
}
