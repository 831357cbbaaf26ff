/* SPDX-License-Identifier: MIT */
/* heads.h - what the tests of heads share: parsing a copy, at every length. */
#ifndef MFI_TESTS_HEADS_H
#define MFI_TESTS_HEADS_H

#include <mayfly/http_head.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "test.h"

#define HEADS __attribute__((__unused__)) static inline

enum { MOST_FIELDS = 16 };

struct parsed {
    mf_http_head head;
    mf_http_field fields[MOST_FIELDS];
    int rc;
};

/* method NULL: a request; "": trailers; else the response to it. */
HEADS void parse_len(struct parsed *p, const char *text, size_t len,
                     const char *method)
{
    p->head = (mf_http_head){.fields = p->fields, .cap_fields = MOST_FIELDS};
    p->rc = method == NULL ? mf_http_parse_request(text, len, &p->head)
            : method[0] != 0
                ? mf_http_parse_response(text, len, method, &p->head)
                : mf_http_parse_trailers(text, len, &p->head);
}

/*
 * Parse text, whose end is at the end of what may be read, and check that each
 * beginning of it gives "more" or, once refused, the same refusal for good.
 * What comes behind a head changes nothing.
 */
HEADS void parse(struct parsed *p, const char *text, const char *method)
{
    size_t len = strlen(text);
    int refused_at = -1, status = 0, whole = -1;
    struct parsed part;

    parse_len(p, text, len, method);
    for (size_t n = 0; n <= len; n++) {
        char *copy = malloc(n + 1); /* exactly n of it are there, for ASan */

        EXPECT(copy != NULL);
        memcpy(copy + 1, text, n);
        parse_len(&part, copy + 1, n, method);
        if (refused_at >= 0) {
            EXPECT_EQ(part.rc, -EPROTO);
            EXPECT_EQ(part.head.status, status);
        } else if (part.rc < 0) {
            EXPECT_EQ(part.rc, -EPROTO);
            EXPECT(part.head.why != NULL);
            refused_at = (int)n;
            status = part.head.status;
        } else if (part.rc > 0) {
            EXPECT((size_t)part.rc <= n);
            EXPECT(whole < 0 || whole == part.rc);
            whole = part.rc;
        } else {
            EXPECT(whole < 0); /* once whole it is for ever */
        }
        free(copy);
    }
    EXPECT_EQ(p->rc, refused_at >= 0 ? -EPROTO : whole >= 0 ? whole : 0);
}

HEADS bool same(mf_text text, const char *string)
{
    return text.at == NULL ? string == NULL
                           : string != NULL && text.len == strlen(string) &&
                                 memcmp(text.at, string, text.len) == 0;
}

#endif
