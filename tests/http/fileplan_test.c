/* SPDX-License-Identifier: MIT */
#include "http/files.h"

#include "http/text.h"

enum { NOW = 784111777, THEN = NOW - 100 };

static struct file_plan plan(const char *method, const char *name,
                             const char *value, off_t size)
{
    struct file_found found = {.fd = -1, .type = "text/plain"};
    mf_http_field f = {T(name), T(value)};
    mf_http_head head = {
        .method = T(method), .fields = &f, .n_fields = name != NULL};
    struct file_plan p;

    found.st.st_size = size;
    found.st.st_mtim = (struct timespec){.tv_sec = THEN, .tv_nsec = 5};
    mfi_file_plan(&head, &found, NOW, 1, &p);
    return p;
}

static const char *tag(time_t changed, bool gzipped, char buf[FILE_ETAG])
{
    struct file_found found = {.type = "", .gzipped = gzipped};
    mf_http_head head = {.method = T("GET")};
    struct file_plan p;

    found.st.st_size = 255;
    found.st.st_mtim = (struct timespec){.tv_sec = changed, .tv_nsec = 5};
    mfi_file_plan(&head, &found, NOW, 1, &p);
    strcpy(buf, p.etag);
    return buf;
}

MFI_TEST(all_of_it)
{
    struct file_plan p = plan("GET", NULL, NULL, 10);

    EXPECT_EQ(p.status, 200);
    EXPECT_EQ(p.length, 10);
    EXPECT_STR_EQ(p.modified, "Sun, 06 Nov 1994 08:47:57 GMT");
    p = plan("HEAD", "Range", "bytes=0-0", 10);
    EXPECT_EQ(p.status, 200);
    p = plan("GET", NULL, NULL, 0);
    EXPECT_EQ(p.status, 200);
    EXPECT_EQ(p.length, 0);
}

MFI_TEST(tags_change_with_the_file)
{
    char a[FILE_ETAG], b[FILE_ETAG];

    EXPECT_STR_EQ(tag(THEN, false, a), "\"ff-ae1b96a73d22205\"");
    EXPECT_STR_EQ(tag(THEN, true, b), "\"ff-ae1b96a73d22205-gz\"");
    EXPECT(strcmp(tag(THEN + 1, false, b), a) != 0);
    /* It may change again in this very second. */
    EXPECT(strncmp(tag(NOW, false, b), "W/\"", 3) == 0);
    EXPECT(strncmp(tag(NOW - 1, false, b), "W/\"", 3) == 0);
    EXPECT(strncmp(tag(NOW + 50, false, b), "W/\"", 3) == 0);
    EXPECT(tag(NOW - 2, false, b)[0] == '"');
}

MFI_TEST(conditions_come_first)
{
    char etag[FILE_ETAG];
    struct file_plan p = plan("GET", "If-None-Match", "*", 255);

    EXPECT_EQ(p.status, 304);
    EXPECT_EQ(p.length, 0);
    EXPECT_STR_EQ(p.etag, tag(THEN, false, etag));
    EXPECT_EQ(plan("GET", "If-None-Match", etag, 255).status, 304);
    EXPECT_EQ(plan("GET", "If-None-Match", etag, 256).status, 200);
    EXPECT_EQ(plan("GET", "If-Match", "\"x\"", 255).status, 412);
    EXPECT_EQ(plan("GET", "If-Modified-Since", p.modified, 1).status, 304);
}

MFI_TEST(one_range_or_none)
{
    struct file_plan p = plan("GET", "Range", "bytes=-4", 10);

    EXPECT_EQ(p.status, 206);
    EXPECT_EQ(p.n_ranges, 1);
    EXPECT_EQ(p.ranges[0].from, 6);
    EXPECT_EQ(p.length, 4);
    p = plan("GET", "Range", "bytes=10-", 10);
    EXPECT_EQ(p.status, 416);
    EXPECT_EQ(p.length, 0);
    EXPECT_EQ(p.size, 10);
    EXPECT_EQ(plan("GET", "Range", "lines=1-2", 10).status, 200);
}

MFI_TEST(parts_are_as_long_as_was_said)
{
    struct file_plan p = plan("GET", "Range", "bytes=0-0,2-3,9-", 10);
    char part[FILE_PART], all[1024] = "";
    int i;

    EXPECT_EQ(p.status, 206);
    EXPECT_EQ(p.n_ranges, 3);
    EXPECT_EQ(strlen(p.boundary), 16);
    for (i = 0; i <= p.n_ranges; i++) {
        EXPECT_EQ(mfi_file_part(&p, i, "text/plain", part), strlen(part));
        strcat(all, part);
        if (i < p.n_ranges)
            strncat(all, &"0123456789"[p.ranges[i].from], p.ranges[i].len);
    }
    EXPECT_EQ(strlen(all), p.length);
    EXPECT_STR_HAS(all, "\r\nContent-Type: text/plain\r\n"
                        "Content-Range: bytes 2-3/10\r\n\r\n23\r\n--");
    EXPECT_STR_HAS(all, "bytes 9-9/10\r\n\r\n9\r\n--");
}

MFI_TEST(if_range_decides_whether_ranges_count)
{
    struct file_found found = {.type = "text/plain"};
    mf_http_field f[2] = {{T("Range"), T("bytes=1-2")}, {T("If-Range"), T("")}};
    mf_http_head head = {.method = T("GET"), .fields = f, .n_fields = 2};
    struct file_plan p;

    found.st.st_size = 10;
    found.st.st_mtim.tv_sec = THEN;
    f[1].value = T("Sun, 06 Nov 1994 08:47:57 GMT");
    mfi_file_plan(&head, &found, NOW, 1, &p);
    EXPECT_EQ(p.status, 206);
    f[1].value = T("Sun, 06 Nov 1994 08:47:58 GMT");
    mfi_file_plan(&head, &found, NOW, 1, &p);
    EXPECT_EQ(p.status, 200);
    EXPECT_EQ(p.length, 10);
    f[1].value = T(p.etag);
    mfi_file_plan(&head, &found, NOW, 1, &p);
    EXPECT_EQ(p.status, 206);
    f[1].value = T("\"other\"");
    mfi_file_plan(&head, &found, NOW, 1, &p);
    EXPECT_EQ(p.status, 200);
}
