/* SPDX-License-Identifier: MIT */
/* chars_test.c - the table against the RFCs' words, and the scan of values. */
#include "http/chars.h"

#include "test.h"

MFI_TEST(the_table_says_what_the_grammar_says)
{
    for (int c = 0; c < 256; c++) {
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                     (c >= 'A' && c <= 'Z');
        bool token = alnum || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
        bool host = alnum || (c != 0 && strchr("-._~!$&'()*+,;=%", c) != NULL);
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
                   (c >= 'A' && c <= 'F');

        EXPECT_EQ(char_is((char)c, CHAR_TOKEN), token);
        EXPECT_EQ(char_is((char)c, CHAR_HOST), host);
        EXPECT_EQ(char_is((char)c, CHAR_HEX), hex);
        EXPECT_EQ(char_is((char)c, CHAR_DIGIT), c >= '0' && c <= '9');
        EXPECT_EQ(char_is((char)c, CHAR_TARGET),
                  c > 0x20 && c < 0x7f && c != '#');
        EXPECT_EQ(char_is((char)c, CHAR_VALUE),
                  c == '\t' || (c >= 0x20 && c != 0x7f));
    }
}

/* Every byte at every place of a value of every length. */
MFI_TEST(a_value_ends_at_the_first_control_character)
{
    char buf[40];

    for (size_t len = 0; len <= 32; len++)
        for (size_t at = 0; at < len; at++)
            for (int c = 0; c < 256; c++) {
                size_t want = char_is((char)c, CHAR_VALUE) ? len : at;

                memset(buf, 'b', sizeof buf);
                buf[len] = '\r';
                buf[at] = (char)c;
                EXPECT_EQ(value_end(buf, buf + len) - buf, want);
                EXPECT_EQ(value_end(buf, buf + sizeof buf) - buf, want);
            }
}
