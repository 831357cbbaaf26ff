/* SPDX-License-Identifier: MIT */
/* text_test.c - lengths, errors, and errno. */
#include "os/text.h"

#include <errno.h>
#include <string.h>

#include "test.h"

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

MF_PRINTF(3, 4)
static int format(char *buf, size_t len, const char *fmt, ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = mfi_os_format(buf, len, fmt, ap);
    va_end(ap);
    return rc;
}

MFI_TEST(the_length_is_that_of_all_of_it)
{
    char buf[8];

    EXPECT_EQ(format(buf, sizeof buf, "%d-%s", 12, "ab"), 5);
    EXPECT_STR_EQ(buf, "12-ab");
    EXPECT_EQ(format(buf, sizeof buf, "%020d", 7), 20);
    EXPECT_EQ(strlen(buf), 7);
    EXPECT_EQ(format(NULL, 0, "%s", "four"), 4);
}

MFI_TEST(errors_are_returned_and_errno_is_left_alone)
{
    const char *volatile wide = "%2147483648d"; /* more than INT_MAX */
    char buf[64];

    errno = ENOENT;
    EXPECT_EQ(format(buf, sizeof buf, wide, 1), -EOVERFLOW);
    EXPECT_EQ(errno, ENOENT);
    EXPECT_EQ(format(buf, sizeof buf, "%m"), strlen(strerror(ENOENT)));
    EXPECT_STR_EQ(buf, strerror(ENOENT));
    EXPECT_EQ(errno, ENOENT);
}
