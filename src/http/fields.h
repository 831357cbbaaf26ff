/* SPDX-License-Identifier: MIT */
/* fields.h - the field section of a head, and the fields that frame. */
#ifndef MFI_HTTP_FIELDS_H
#define MFI_HTTP_FIELDS_H

#include <stdbool.h>

#include <mayfly/http_head.h>

/* What the fields that frame, route or promise said, all of them together. */
struct framing {
    uint64_t length;
    mf_text host;
    uint8_t hosts;   /* how many; 2: or more */
    uint8_t lengths; /* likewise */
    bool coded;      /* there is a Transfer-Encoding, */
    bool chunked;    /* its last coding is chunked, */
    bool other;      /* it names another coding, */
    bool twice;      /* it names chunked where it is not the last */
    bool close;      /* Connection: */
    bool keep_alive;
    bool upgrade;
    bool upgrades;  /* there is an Upgrade field */
    bool continues; /* Expect: 100-continue */
    bool expects;   /* Expect: something else */
    bool gzip;
};

/*
 * The fields from p on, and the empty line behind them. Returns where the body
 * begins; NULL and head->status 0: more is needed; NULL and a status: refused.
 */
const char *mfi_http_fields(const char *p, const char *end, mf_http_head *head,
                            struct framing *f);

/* Refuse: NULL, with the status and a sentence. */
static inline const char *refuse(mf_http_head *head, int status,
                                 const char *why)
{
    head->status = status;
    head->why = why;
    return NULL;
}

#endif
