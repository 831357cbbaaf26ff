/* SPDX-License-Identifier: MIT */
#include "http/text.h"

#include <errno.h>

static const char body[] =
    "preamble\r\n--XX\r\n"
    "Content-Disposition: form-data; name=\"a\"\r\n\r\n"
    "one\r\n--XX  \r\n"
    "content-disposition: form-data; name=f; filename=\"x;y.txt\"\r\n"
    "Content-Type: text/html\r\n\r\n"
    "two\r\n--XXX\r\nstill two\r\n\r\n--XX\r\n"
    "Content-Disposition: form-data; name=\"empty\"\r\n\r\n"
    "\r\n--XX--\r\nepilogue --XX\r\n";

MFI_TEST(a_boundary_is_in_the_type)
{
    mf_text b;

    EXPECT_EQ(mf_http_boundary(T("multipart/form-data; boundary=XX"), &b), 1);
    EXPECT_TEXT(b, "XX");
    EXPECT_EQ(mf_http_boundary(T("Multipart/mixed;a=1; boundary=\"a b\""), &b),
              1);
    EXPECT_TEXT(b, "a b");
    EXPECT_EQ(mf_http_boundary(T("multipart/form-data"), &b), 0);
    EXPECT_EQ(mf_http_boundary(T("multipart/form-data; boundary="), &b), 0);
    EXPECT_EQ(mf_http_boundary(T("text/plain; boundary=XX"), &b), 0);
    EXPECT_EQ(mf_http_boundary(
                  T("multipart/x; boundary=00000000000000000000000000000000000"
                    "000000000000000000000000000000000000"),
                  &b),
              0);
}

MFI_TEST(parts_of_a_form)
{
    mf_text rest = T(body);
    mf_http_part p;

    EXPECT_EQ(mf_http_part_next(&rest, T("XX"), &p), 1);
    EXPECT_TEXT(p.name, "a");
    EXPECT(p.filename.at == NULL);
    EXPECT_TEXT(p.type, "text/plain");
    EXPECT_TEXT(p.data, "one");
    EXPECT_EQ(mf_http_part_next(&rest, T("XX"), &p), 1);
    EXPECT_TEXT(p.name, "f");
    EXPECT_TEXT(p.filename, "x;y.txt");
    EXPECT_TEXT(p.type, "text/html");
    EXPECT_TEXT(p.data, "two\r\n--XXX\r\nstill two\r\n");
    EXPECT_EQ(mf_http_part_next(&rest, T("XX"), &p), 1);
    EXPECT_TEXT(p.name, "empty");
    EXPECT_EQ(p.data.len, 0);
    EXPECT_EQ(mf_http_part_next(&rest, T("XX"), &p), 0);
    EXPECT_EQ(mf_http_part_next(&rest, T("XX"), &p), 0);
}

MFI_TEST(short_forms)
{
    mf_text rest = T("--b\r\n\r\nx\r\n--b--");
    mf_http_part p;

    EXPECT_EQ(mf_http_part_next(&rest, T("b"), &p), 1);
    EXPECT_TEXT(p.data, "x");
    EXPECT(p.name.at == NULL);
    EXPECT_EQ(mf_http_part_next(&rest, T("b"), &p), 0);
    rest = T("--b--");
    EXPECT_EQ(mf_http_part_next(&rest, T("b"), &p), 0);
    rest = T("--b\r\nA: b\r\n\r\n--b--\r\n");
    EXPECT_EQ(mf_http_part_next(&rest, T("b"), &p), 1);
    EXPECT_EQ(p.data.len, 0);
}

/* A cut body is refused, at the latest where it is cut, and not read over. */
MFI_TEST(a_cut_body_is_refused)
{
    size_t len, end = (size_t)(strstr(body, "--XX--") - body) + 6;

    for (len = 0; len < sizeof body; len++) {
        mf_text all = exact(body, len), rest = all;
        mf_http_part p;
        int rc;

        while ((rc = mf_http_part_next(&rest, T("XX"), &p)) > 0)
            EXPECT(p.data.at >= all.at &&
                   p.data.at + p.data.len <= all.at + all.len);
        EXPECT_EQ(rc, len < end || len == end + 1 ? -EINVAL : 0);
        exact_free(all);
    }
}
