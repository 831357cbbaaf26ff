/* SPDX-License-Identifier: MIT */
/* status_test.c - reasons: of each status, of its class, of none. */
#include <mayfly/http.h>

#include <string.h>

#include "test.h"

MFI_TEST(a_status_has_its_reason)
{
    EXPECT_STR_EQ(mf_http_reason(100), "Continue");
    EXPECT_STR_EQ(mf_http_reason(200), "OK");
    EXPECT_STR_EQ(mf_http_reason(404), "Not Found");
    EXPECT_STR_EQ(mf_http_reason(413), "Content Too Large");
    EXPECT_STR_EQ(mf_http_reason(511), "Network Authentication Required");
}

MFI_TEST(one_without_is_called_by_its_class)
{
    EXPECT_STR_EQ(mf_http_reason(199), "Informational");
    EXPECT_STR_EQ(mf_http_reason(299), "Success");
    EXPECT_STR_EQ(mf_http_reason(399), "Redirection");
    EXPECT_STR_EQ(mf_http_reason(418), "Client Error");
    EXPECT_STR_EQ(mf_http_reason(599), "Server Error");
}

/* It goes into the status line: printable, and not too long for it. */
MFI_TEST(every_reason_can_be_sent)
{
    for (int status = -1; status < 1000; status++) {
        const char *reason = mf_http_reason(status);
        size_t len = strlen(reason);

        EXPECT(len > 0 && len < 60);
        for (size_t i = 0; i < len; i++)
            EXPECT(reason[i] >= ' ' && reason[i] <= '~');
        if (status < 100 || status > 599)
            EXPECT_STR_EQ(reason, "Unknown");
    }
}
