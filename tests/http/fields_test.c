/* SPDX-License-Identifier: MIT */
/* fields_test.c - finding fields, lists of tokens, trailers. */
#include "http/heads.h"

static int has(const char *list, const char *token)
{
    return mf_http_list_has((mf_text){list, strlen(list)}, token);
}

MFI_TEST(a_list_has_its_tokens)
{
    EXPECT(has("a", "a"));
    EXPECT(has("x, A ,y", "a"));
    EXPECT(has(",,a", "a"));
    EXPECT(has("b\t,\ta", "a"));
    EXPECT(!has("", "a"));
    EXPECT(!has("ab", "a"));
    EXPECT(!has("a b", "a"));
    EXPECT(!has("a", ""));
    EXPECT(!mf_http_list_has((mf_text){NULL, 0}, "a"));
}

MFI_TEST(the_first_field_of_a_name_is_found)
{
    struct parsed p;

    parse(&p, "GET / HTTP/1.0\r\nB: 1\r\na: 2\r\nA: 3\r\n\r\n", NULL);
    EXPECT_EQ(p.rc, 36);
    EXPECT(same(mf_http_find(&p.head, "A"), "2"));
    EXPECT(same(mf_http_find(&p.head, "b"), "1"));
    EXPECT(same(mf_http_find(&p.head, ""), NULL));
    EXPECT(same(mf_http_find(&p.head, NULL), NULL));
    EXPECT(same(mf_http_find(NULL, "A"), NULL));
}

MFI_TEST(trailers_frame_nothing)
{
    static const char *const wrong[] = {
        "Content-Length: 5\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n",
        "Host: a\r\n\r\n",
        "Connection: close\r\n\r\n",
        "Upgrade: x\r\n\r\n",
        " A: b\r\n\r\n",
        "A: b\n\r\n",
        "\n",
    };
    struct parsed p;

    parse(&p, "\r\n", "");
    EXPECT_EQ(p.rc, 2);
    EXPECT_EQ(p.head.n_fields, 0);
    parse(&p, "A: b\r\nC: d\r\n\r\nGET", "");
    EXPECT_EQ(p.rc, 14);
    EXPECT(same(mf_http_find(&p.head, "c"), "d"));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        parse(&p, wrong[i], "");
        EXPECT_EQ(p.rc, -EPROTO);
        EXPECT_EQ(p.head.status, 400);
    }
    EXPECT_EQ(mf_http_parse_trailers(NULL, 0, &p.head), -EINVAL);
}
