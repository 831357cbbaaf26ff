/* SPDX-License-Identifier: MIT */
/* chunks_test.c - the chunked coding in pieces of every size. */
#include "http/heads.h"

/*
 * Decode text as it comes in pieces of `piece` bytes, of which `take` are taken
 * at once. Returns the length of the body in out, or < 0; *ret_used is where
 * the trailers begin, if *ret_ended.
 */
static int decode(const char *text, size_t len, size_t piece, size_t take,
                  char *out, size_t *ret_used, bool *ret_ended)
{
    mf_http_chunks c = {0};
    size_t at = 0, have = 0, n = 0, skip;

    while (!mf_http_chunks_ended(&c)) {
        int64_t run = mf_http_chunks_next(&c, text + at, have - at, 32, &skip);

        at += skip;
        EXPECT(at <= have);
        if (run < 0) {
            EXPECT_EQ(run, -EPROTO);
            return (int)run;
        }
        if (run == 0) {
            EXPECT(at == have || mf_http_chunks_ended(&c));
            if (have == len)
                break;
            have = have + piece < len ? have + piece : len;
            continue;
        }
        run = run < (int64_t)take ? run : (int64_t)take;
        memcpy(out + n, text + at, (size_t)run);
        mf_http_chunks_take(&c, (uint64_t)run);
        n += (size_t)run;
        at += (size_t)run;
    }
    *ret_used = at;
    *ret_ended = mf_http_chunks_ended(&c) != 0;
    return (int)n;
}

struct coded {
    const char *text, *body; /* NULL: refused */
    bool ended;
};

static const struct coded coded[] = {
    {"0\r\n", "", true},
    {"5\r\nhello\r\n0\r\n", "hello", true},
    {"5\r\nhello\r\n1\r\n \r\n0005\r\nworld\r\n000\r\n", "hello world", true},
    {"a;x=y;z=\"q\"\r\n0123456789\r\n0;e\r\n", "0123456789", true},
    {"A\r\n01234\r\n789\r\n0\r\n", "01234\r\n789", true},
    {"5\r\nhel", "hel", false},
    {"5\r\nhello\r", "hello", false},
    {"", "", false},
    {"5", "", false},
    {"\r\n", NULL, false},
    {"g\r\n", NULL, false},
    {"-1\r\n", NULL, false},
    {"+1\r\n", NULL, false},
    {"0x1\r\n", NULL, false},
    {" 1\r\n", NULL, false},
    {"1 \r\n", NULL, false},
    {"1 ;a\r\n", NULL, false},
    {"1\n", NULL, false},
    {"1\rx", NULL, false},
    {"1;a\nb\r\n", NULL, false},
    {"1;a\x01\r\n", NULL, false},
    {";a\r\n", NULL, false},
    {"1\r\nab", NULL, false},
    {"1\r\na\n", NULL, false},
    {"1\r\na\r\r", NULL, false},
    {"8000000000000000\r\n", NULL, false},
    {"00000000000000001\r\n", NULL, false}, /* 17 digits */
    {"fffffffffffffffff\r\n", NULL, false},
    {"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", NULL, false},
};

MFI_TEST(chunks_are_the_same_in_pieces_of_every_size)
{
    for (size_t i = 0; i < sizeof coded / sizeof coded[0]; i++) {
        const struct coded *c = &coded[i];
        size_t len = strlen(c->text), used = 0;

        for (size_t piece = 1; piece <= len + 1; piece++)
            for (size_t take = 1; take < 8; take++) {
                char out[64];
                bool ended = false;
                int n = decode(c->text, len, piece, take, out, &used, &ended);

                if (c->body == NULL
                        ? n >= 0
                        : n != (int)strlen(c->body) ||
                              memcmp(out, c->body, (size_t)n) != 0 ||
                              ended != c->ended)
                    mfi_test_fail(__FILE__, __LINE__, "%d in pieces of %zu: %s",
                                  n, piece, c->text);
                if (ended)
                    EXPECT_EQ(used, len);
            }
    }
}

MFI_TEST(the_largest_chunk_is_counted_right)
{
    static const char text[] = "7fffffffffffffff\r\nx";
    mf_http_chunks c = {0};
    size_t skip;

    EXPECT_EQ(mf_http_chunks_next(&c, text, sizeof text - 1, 64, &skip), 1);
    EXPECT_EQ(skip, 18);
    mf_http_chunks_take(&c, 1);
    EXPECT_EQ(c.left, INT64_MAX - 1);
    EXPECT_EQ(mf_http_chunks_next(&c, text, 0, 64, &skip), 0);
    EXPECT_EQ(mf_http_chunks_next(&c, text, 3, 64, &skip), 3);
    EXPECT_EQ(skip, 0);
}
