/* SPDX-License-Identifier: MIT */
/* text.h - what tests of texts share. */
#ifndef MFI_TEST_HTTP_TEXT_H
#define MFI_TEST_HTTP_TEXT_H

#include <mayfly/http_text.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#define T(string) mf_text_of(string)

#define EXPECT_TEXT(text, want)                         \
 do {                                                   \
  mf_text text_ = (text);                               \
  char copy_[512];                                      \
                                                        \
  snprintf(copy_, sizeof copy_, "%.*s", (int)text_.len, \
           text_.at ? text_.at : "NULL");               \
  EXPECT_STR_EQ(copy_, want);                           \
 } while (0)

/* A copy without anything behind it: reading on is an error ASan sees. */
static inline mf_text exact(const char *string, size_t len)
{
    char *at = malloc(len > 0 ? len : 1);

    EXPECT(at != NULL);
    memcpy(at, string, len);
    return (mf_text){at, len};
}

static inline void exact_free(mf_text text)
{
    free((void *)(uintptr_t)text.at);
}

#endif
