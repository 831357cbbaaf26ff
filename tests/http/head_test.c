/* SPDX-License-Identifier: MIT */
/* head_test.c - heads of requests and responses, right, wrong and hostile. */
#include "http/heads.h"

#include <stdio.h>

#define H    "Host: a\r\n"
#define G    "GET / HTTP/1.1\r\n" H
#define POST "POST / HTTP/1.1\r\n" H

MFI_TEST(a_request_is_taken_apart)
{
    struct parsed p;

    parse(&p,
          "POST /a/b?c=d&e HTTP/1.1\r\nHost: ex.org:80\r\nX-Y:  v \t w\t\r\n"
          "content-LENGTH: 12\r\nExpect: 100-Continue\r\nEmpty:\r\n\r\nrest",
          NULL);
    EXPECT_GT(p.rc, 0);
    EXPECT_EQ(p.head.n_fields, 5);
    EXPECT(same(p.head.method, "POST"));
    EXPECT(same(p.head.target, "/a/b?c=d&e"));
    EXPECT(same(p.head.path, "/a/b"));
    EXPECT(same(p.head.query, "c=d&e"));
    EXPECT(same(p.head.host, "ex.org:80"));
    EXPECT(same(mf_http_find(&p.head, "x-y"), "v \t w"));
    EXPECT(same(mf_http_find(&p.head, "empty"), ""));
    EXPECT(same(mf_http_find(&p.head, "none"), NULL));
    EXPECT_EQ(p.head.body, MF_HTTP_BODY_LENGTH);
    EXPECT_EQ(p.head.length, 12);
    EXPECT_EQ(p.head.minor, 1);
    EXPECT(p.head.keep_alive && p.head.expect_continue && p.head.has_host);
    EXPECT(!p.head.upgrade && !p.head.accepts_gzip);
}

struct request {
    const char *text;
    int status; /* 0: it is one; 1: it is, once there is more */
};

/* What is refused, with the exact answer, and what is next to it and is not. */
static const struct request requests[] = {
    {G "\r\n", 0},
    {"\r\n" G "\r\n", 0},
    {"\r\n\r\n" G "\r\n", 0},
    {"\r\n\r\n\r\n" G "\r\n", 400},
    {"\n" G "\r\n", 400},
    {"\r" G "\r\n", 400},
    {" " G "\r\n", 400},
    {"", 1},
    {"GET", 1},
    {G, 1},
    {G "\r", 1},
    /* the request line */
    {"GET / HTTP/1.1\n" H "\r\n", 400},
    {"GET / HTTP/1.1\r" H "\r\n", 400},
    {"GET  / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /  HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.1 \r\n" H "\r\n", 400},
    {"GET\t/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / a HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /\r\n", 400},
    {"GET / \r\n", 400},
    {"GET /\x01 HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /#a HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /?a[]={b}|c HTTP/1.1\r\n" H "\r\n", 0},
    {"G(T / HTTP/1.1\r\n" H "\r\n", 400},
    {"G\x80T / HTTP/1.1\r\n" H "\r\n", 400},
    {"get / HTTP/1.1\r\n" H "\r\n", 0},
    {"M-SEARCH / HTTP/1.1\r\n" H "\r\n", 0},
    {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" H "\r\n", 0},
    {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" H "\r\n", 501},
    {"GET / HTTP/1.0\r\n\r\n", 0},
    {"GET / HTTP/1.7\r\n" H "\r\n", 0},
    {"GET / HTTP/2.0\r\n" H "\r\n", 505},
    {"GET / HTTP/0.9\r\n" H "\r\n", 505},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"GET / HTTP/1.10\r\n" H "\r\n", 400},
    {"GET / HTTP/11\r\n" H "\r\n", 400},
    {"GET / HTTP/1.\r\n" H "\r\n", 400},
    {"GET / HTTP/1,1\r\n" H "\r\n", 400},
    {"GET / http/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP /1.1\r\n" H "\r\n", 400},
    {"GET / HTTPS/1.1\r\n" H "\r\n", 400},
    {"\x16\x03\x01\x02", 400}, /* TLS, where it was not expected */
    /* targets */
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", 0},
    {"GET * HTTP/1.1\r\n" H "\r\n", 400},
    {"GET *a HTTP/1.1\r\n" H "\r\n", 400},
    {"GET a HTTP/1.1\r\n" H "\r\n", 400},
    {"GET a:80 HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://b/c?d HTTP/1.1\r\n" H "\r\n", 0},
    {"GET HTTPS://b HTTP/1.1\r\n" H "\r\n", 0},
    {"GET http:///c HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http:// HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://u@b/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET ftp://b/ HTTP/1.1\r\n" H "\r\n", 400},
    {"CONNECT b:443 HTTP/1.1\r\n" H "\r\n", 0},
    {"CONNECT [::1]:443 HTTP/1.1\r\n" H "\r\n", 0},
    {"CONNECT b HTTP/1.1\r\n" H "\r\n", 400},
    {"CONNECT / HTTP/1.1\r\n" H "\r\n", 400},
    {"CONNECT b:443/ HTTP/1.1\r\n" H "\r\n", 400},
    /* Host */
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET http://b/ HTTP/1.1\r\n\r\n", 400},
    {G H "\r\n", 400},
    {G "HOST: b\r\n\r\n", 400},
    {"GET / HTTP/1.0\r\n" H H "\r\n", 400},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 0}, /* ',' is a sub-delim */
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: u@b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: a:65535\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: a:655350\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", 400},
    /* fields */
    {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
    {G "A: b\r\n c\r\n\r\n", 400},
    {G "A: b\r\n\tc\r\n\r\n", 400},
    {G " \r\n\r\n", 400},
    {G "A : b\r\n\r\n", 400},
    {G "A\t: b\r\n\r\n", 400},
    {G ": b\r\n\r\n", 400},
    {G "A\r\n\r\n", 400},
    {G "A b: c\r\n\r\n", 400},
    {G "A\x00: b\r\n\r\n", 1}, /* strlen ends at the NUL: see nuls */
    {G "A(: b\r\n\r\n", 400},
    {G "A: b\nC: d\r\n\r\n", 400},
    {G "A: b\rC: d\r\n\r\n", 400},
    {G "A: b\r\r\n\r\n", 400},
    {G "A: b\x01\r\n\r\n", 400},
    {G "A: 12345678\x7f\r\n\r\n", 400},
    {G "A: 1234567\x1f\r\n\r\n", 400},
    {G "A: 1\t234567890\r\n\r\n", 0},
    {G "A: \xc3\xa9\xff\x80 123456789\r\n\r\n", 0},
    {G "\n", 400},
    {G "\rX", 400},
    {G "A: b\r\n\rX", 400},
    /* lengths */
    {POST "Content-Length: 0\r\n\r\n", 0},
    {POST "Content-Length: 9223372036854775807\r\n\r\n", 0},
    {POST "Content-Length: 9223372036854775808\r\n\r\n", 400},
    {POST "Content-Length: 18446744073709551617\r\n\r\n", 400},
    {POST "Content-Length: 00000000000000000005\r\n\r\n", 400},
    {POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
    {POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
    {POST "Content-Length: 5, 5\r\n\r\n", 400},
    {POST "Content-Length: +5\r\n\r\n", 400},
    {POST "Content-Length: -5\r\n\r\n", 400},
    {POST "Content-Length: 0x5\r\n\r\n", 400},
    {POST "Content-Length: 5 5\r\n\r\n", 400},
    {POST "Content-Length: 5a\r\n\r\n", 400},
    {POST "Content-Length: 5;a\r\n\r\n", 400},
    {POST "Content-Length: \"5\"\r\n\r\n", 400},
    {POST "Content-Length:\r\n\r\n", 400},
    {POST "Content-Length: 1e1\r\n\r\n", 400},
    {POST "Content_Length: 5\r\n\r\n", 0}, /* another field */
    {POST "Content-Length : 5\r\n\r\n", 400},
    /* codings */
    {POST "Transfer-Encoding: chunked\r\n\r\n", 0},
    {POST "Transfer-Encoding: CHUNKED\r\n\r\n", 0},
    {POST "Transfer-Encoding: , chunked ,\r\n\r\n", 0},
    {POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
    {POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {POST "Content-Length: 5\r\nTransfer-Encoding: x\r\n\r\n", 400},
    {"POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: identity\r\n\r\n", 400},
    {POST "Transfer-Encoding: xchunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunkedx\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked, identity\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     400},
    {POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
    {POST "Transfer-Encoding: gzip\r\n\r\n", 400},
    {POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked;a=b\r\n\r\n", 400},
    {POST "Transfer-Encoding: chun\tked\r\n\r\n", 400},
    {POST "Transfer-Encoding: \x0b"
          "chunked\r\n\r\n",
     400},
    {POST "Transfer-Encoding:\r\n\r\n", 400},
    {POST "Transfer-Encoding:\r\n chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding : chunked\r\n\r\n", 400},
    {POST "\tTransfer-Encoding: chunked\r\n\r\n", 400},
    /* expectations */
    {G "Expect: 100-continue\r\n\r\n", 0},
    {G "Expect: 200-ok\r\n\r\n", 417},
    {G "Expect: 100-continue, x\r\n\r\n", 417},
};

MFI_TEST(each_request_has_its_answer)
{
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const struct request *r = &requests[i];
        struct parsed p;

        parse(&p, r->text, NULL);
        if ((r->status == 0 && p.rc <= 0) || (r->status == 1 && p.rc != 0) ||
            (r->status > 1 && (p.rc >= 0 || p.head.status != r->status)))
            mfi_test_fail(__FILE__, __LINE__, "%d (%d, %s): \"%s\"", r->status,
                          p.rc, p.head.why, r->text);
        if (p.rc > 0)
            EXPECT_EQ(p.rc, strlen(r->text));
    }
}

/* Every byte in every place of a head, alone against the rules. */
MFI_TEST(no_control_character_is_anywhere)
{
    static const char text[] = G "Field: a value of some words\r\n\r\n";
    char buf[sizeof text];
    struct parsed p;

    for (size_t at = 0; at < sizeof text - 1; at++)
        for (int c = 0; c < 256; c++) {
            memcpy(buf, text, sizeof text);
            buf[at] = (char)c;
            parse_len(&p, buf, sizeof text - 1, NULL);
            if (c == text[at] || p.rc <= 0)
                continue;
            EXPECT(c == '\t' || c >= 0x20); /* what passes shows no trick */
            EXPECT(c != 0x7f);
            EXPECT_EQ(p.rc, sizeof text - 1);
        }
}

MFI_TEST(a_head_may_have_so_many_fields)
{
    mf_http_field fields[3];
    mf_http_head head = {.fields = fields, .cap_fields = 3};
    static const char three[] = G "A: 1\r\nB: 2\r\n\r\n";
    static const char four[] = G "A: 1\r\nB: 2\r\nC: 3\r\n\r\n";

    EXPECT_EQ(mf_http_parse_request(three, strlen(three), &head),
              strlen(three));
    EXPECT_EQ(head.n_fields, 3);
    EXPECT_EQ(mf_http_parse_request(four, strlen(four), &head), -EPROTO);
    EXPECT_EQ(head.status, 431);
    head = (mf_http_head){.fields = NULL};
    EXPECT_EQ(mf_http_parse_request(three, strlen(three), &head), -EPROTO);
    EXPECT_EQ(head.status, 431);
    head.cap_fields = -1;
    EXPECT_EQ(mf_http_parse_request(three, strlen(three), &head), -EINVAL);
    head = (mf_http_head){.cap_fields = 1};
    EXPECT_EQ(mf_http_parse_request(three, strlen(three), &head), -EINVAL);
    EXPECT_EQ(mf_http_parse_request(three, strlen(three), NULL), -EINVAL);
    EXPECT_EQ(mf_http_parse_request(NULL, 1, &head), -EINVAL);
    EXPECT_EQ(mf_http_parse_response(three, 1, NULL, &head), -EINVAL);
}

struct life {
    const char *text;
    bool keep_alive, upgrade, gzip;
};

static const struct life lives[] = {
    {G "\r\n", true, false, false},
    {G "Connection: close\r\n\r\n", false, false, false},
    {G "Connection: x, CLOSE ,y\r\n\r\n", false, false, false},
    {G "Connection: x\r\nConnection: close\r\n\r\n", false, false, false},
    {G "Connection: closed\r\n\r\n", true, false, false},
    {"GET / HTTP/1.0\r\n\r\n", false, false, false},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, false, false},
    {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false, false,
     false},
    {G "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", true, true, false},
    {G "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n", true,
     true, false},
    {G "Upgrade: websocket\r\n\r\n", true, false, false},
    {G "Connection: Upgrade\r\n\r\n", true, false, false},
    {"GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", false,
     false, false},
    {G "Accept-Encoding: gzip\r\n\r\n", true, false, true},
    {G "Accept-Encoding: br, GZIP;q=0.5\r\n\r\n", true, false, true},
    {G "Accept-Encoding: gzip;q=0\r\n\r\n", true, false, false},
    {G "Accept-Encoding: gzip; q=0.000\r\n\r\n", true, false, false},
    {G "Accept-Encoding: gzip; q=0.001\r\n\r\n", true, false, true},
    {G "Accept-Encoding: *\r\n\r\n", true, false, true},
    {G "Accept-Encoding: *, gzip;q=0\r\n\r\n", true, false, false},
    {G "Accept-Encoding: identity, *;q=0\r\n\r\n", true, false, false},
    {G "Accept-Encoding: br\r\n\r\n", true, false, false},
    {G "Accept-Encoding:\r\n\r\n", true, false, false},
};

MFI_TEST(what_a_request_wants_of_its_connection)
{
    for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++) {
        const struct life *l = &lives[i];
        struct parsed p;

        parse(&p, l->text, NULL);
        if (p.rc <= 0 || p.head.keep_alive != l->keep_alive ||
            p.head.upgrade != l->upgrade || p.head.accepts_gzip != l->gzip)
            mfi_test_fail(__FILE__, __LINE__, "%d %d %d: \"%s\"",
                          p.head.keep_alive, p.head.upgrade,
                          p.head.accepts_gzip, l->text);
    }
}

struct aim {
    const char *line, *host, *path, *query;
};

static const struct aim aims[] = {
    {"GET / HTTP/1.1", "a", "/", ""},
    {"GET /? HTTP/1.1", "a", "/", ""},
    {"GET /x?y?z HTTP/1.1", "a", "/x", "y?z"},
    {"GET //b/c HTTP/1.1", "a", "//b/c", ""},
    {"GET http://b:1/c?d HTTP/1.1", "b:1", "/c", "d"},
    {"GET http://b HTTP/1.1", "b", "/", ""},
    {"GET http://b?d HTTP/1.1", "b", "/", "d"},
    {"OPTIONS http://b HTTP/1.1", "b", "*", ""},
    {"OPTIONS * HTTP/1.1", "a", "*", ""},
    {"CONNECT b:443 HTTP/1.1", "b:443", "", ""},
};

MFI_TEST(a_target_says_whom_it_is_for)
{
    char text[128];
    struct parsed p;

    for (size_t i = 0; i < sizeof aims / sizeof aims[0]; i++) {
        snprintf(text, sizeof text, "%s\r\n" H "\r\n", aims[i].line);
        parse(&p, text, NULL);
        EXPECT_GT(p.rc, 0);
        if (!same(p.head.host, aims[i].host) ||
            !same(p.head.path, aims[i].path) ||
            !same(p.head.query, aims[i].query))
            mfi_test_fail(__FILE__, __LINE__, "\"%s\"", aims[i].line);
    }
}

/* ---- responses ---------------------------------------------------------- */

struct response {
    const char *text, *method;
    int status; /* 0: refused; 1: more */
    enum mf_http_body_kind body;
    uint64_t length;
    bool keep_alive;
};

#define R "HTTP/1.1 200 OK\r\n"

static const struct response responses[] = {
    {R "Content-Length: 5\r\n\r\n", "GET", 200, MF_HTTP_BODY_LENGTH, 5, true},
    {R "Content-Length: 5\r\n\r\n", "HEAD", 200, MF_HTTP_BODY_NONE, 5, true},
    {R "Content-Length: 0\r\n\r\n", "GET", 200, MF_HTTP_BODY_NONE, 0, true},
    {R "\r\n", "GET", 200, MF_HTTP_BODY_CLOSE, 0, false},
    {R "\r\n", "CONNECT", 200, MF_HTTP_BODY_NONE, 0, true},
    {R "\r\n", "HEAD", 200, MF_HTTP_BODY_NONE, 0, true},
    {R "Connection: close\r\nContent-Length: 5\r\n\r\n", "GET", 200,
     MF_HTTP_BODY_LENGTH, 5, false},
    {R "Transfer-Encoding: chunked\r\n\r\n", "GET", 200, MF_HTTP_BODY_CHUNKED,
     0, true},
    {R "Transfer-Encoding: chunked\r\n\r\n", "HEAD", 200, MF_HTTP_BODY_NONE, 0,
     true},
    {R "Transfer-Encoding: gzip\r\n\r\n", "GET", 200, MF_HTTP_BODY_CLOSE, 0,
     false},
    {"HTTP/1.1 100 Continue\r\n\r\n", "POST", 100, MF_HTTP_BODY_NONE, 0, true},
    {"HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n", "GET", 204,
     MF_HTTP_BODY_NONE, 9, true},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "GET", 304,
     MF_HTTP_BODY_NONE, 9, true},
    {"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n", "GET", 200,
     MF_HTTP_BODY_LENGTH, 9, false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 9\r\n\r\n",
     "GET", 200, MF_HTTP_BODY_LENGTH, 9, true},
    {"HTTP/1.1 200 \r\nContent-Length: 9\r\n\r\n", "GET", 200,
     MF_HTTP_BODY_LENGTH, 9, true},
    {"HTTP/1.1 200\r\nContent-Length: 9\r\n\r\n", "GET", 200,
     MF_HTTP_BODY_LENGTH, 9, true},
    {"HTTP/1.1 404 Not \xc3\xa4 Found\r\nContent-Length: 9\r\n\r\n", "GET", 404,
     MF_HTTP_BODY_LENGTH, 9, true},
    {"HTTP/1.1 20", "GET", 1, 0, 0, false},
    {R, "GET", 1, 0, 0, false},
    {"HTTP/1.1 2000 OK\r\n\r\n", "GET", 0, 0, 0, false},
    {"HTTP/1.1 20 OK\r\n\r\n", "GET", 0, 0, 0, false},
    {"HTTP/1.1 099 OK\r\n\r\n", "GET", 0, 0, 0, false},
    {"HTTP/1.1  200 OK\r\n\r\n", "GET", 0, 0, 0, false},
    {"HTTP/1.1 200 O\x01K\r\n\r\n", "GET", 0, 0, 0, false},
    {"HTTP/1.1 200 OK\n\r\n", "GET", 0, 0, 0, false},
    {"HTTP/2 200 OK\r\n\r\n", "GET", 0, 0, 0, false},
    {"ICY 200 OK\r\n\r\n", "GET", 0, 0, 0, false},
    {R "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "GET", 0, 0, 0, false},
    {R "Content-Length: 5, 5\r\n\r\n", "GET", 0, 0, 0, false},
    {R "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", 0, 0,
     0, false},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", 0, 0, 0,
     false},
    {R "Transfer-Encoding: chunked, chunked\r\n\r\n", "GET", 0, 0, 0, false},
    {R "Transfer-Encoding: gzip, chunked\r\n\r\n", "GET", 0, 0, 0, false},
    {R "A : b\r\n\r\n", "GET", 0, 0, 0, false},
    {R "A: b\r\n c\r\n\r\n", "GET", 0, 0, 0, false},
};

MFI_TEST(each_response_ends_in_one_place)
{
    for (size_t i = 0; i < sizeof responses / sizeof responses[0]; i++) {
        const struct response *r = &responses[i];
        struct parsed p;

        parse(&p, r->text, r->method);
        if (r->status <= 1) {
            if (p.rc != (r->status == 1 ? 0 : -EPROTO))
                mfi_test_fail(__FILE__, __LINE__, "\"%s\"", r->text);
            continue;
        }
        if (p.rc != (int)strlen(r->text) || p.head.status != r->status ||
            p.head.body != r->body || p.head.length != r->length ||
            p.head.keep_alive != r->keep_alive)
            mfi_test_fail(__FILE__, __LINE__, "%d %d %d: \"%s\"", p.rc,
                          p.head.status, p.head.body, r->text);
    }
}
