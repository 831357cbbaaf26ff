/* SPDX-License-Identifier: MIT */
#include "http/text.h"

MFI_TEST(types_by_the_end_of_a_name)
{
    EXPECT_STR_EQ(mf_http_mime("index.html"), "text/html; charset=utf-8");
    EXPECT_STR_EQ(mf_http_mime("/a.b/c.JPG"), "image/jpeg");
    EXPECT_STR_EQ(mf_http_mime("a.tar.gz"), "application/gzip");
    EXPECT_STR_EQ(mf_http_mime("a.7z"), "application/x-7z-compressed");
    EXPECT_STR_EQ(mf_http_mime("a.zst"), "application/zstd");
    EXPECT_STR_EQ(mf_http_mime("a.webmanifest"), "application/manifest+json");
}

MFI_TEST(what_is_unknown_is_bytes)
{
    static const char *const names[] = {"",     "README",  "a.",
                                        ".",    "a.b/c",   "a.qqq",
                                        "x.ht", "x.htmlx", "x.averylongending"};
    size_t i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        EXPECT_STR_EQ(mf_http_mime(names[i]), "application/octet-stream");
}

/* A table out of order would lose some of them. */
MFI_TEST(every_ending_in_the_table_is_found)
{
    static const char *const some[] = {
        "7z",   "aac",   "apng",   "atom", "avi",  "avif", "bmp",  "bz2",
        "c",    "css",   "csv",    "doc",  "docx", "epub", "flac", "gif",
        "gz",   "h",     "htm",    "ico",  "ics",  "jar",  "jpeg", "jpg",
        "js",   "json",  "jsonld", "log",  "m3u8", "m4a",  "map",  "md",
        "mid",  "mjs",   "mkv",    "mov",  "mp3",  "mp4",  "mpeg", "oga",
        "ogg",  "ogv",   "opus",   "otf",  "pdf",  "png",  "ppt",  "ps",
        "rss",  "rtf",   "sh",     "svg",  "tar",  "tif",  "tiff", "ts",
        "ttf",  "txt",   "vtt",    "wasm", "wav",  "weba", "webm", "webp",
        "woff", "woff2", "xhtml",  "xls",  "xml",  "xz",   "yaml", "yml",
        "zip",  "zst"};
    char name[16];
    size_t i;

    for (i = 0; i < sizeof some / sizeof some[0]; i++) {
        snprintf(name, sizeof name, "a.%s", some[i]);
        EXPECT(strcmp(mf_http_mime(name), "application/octet-stream") != 0);
    }
}

MFI_TEST(what_gets_shorter)
{
    EXPECT(mf_http_mime_shrinks("text/html; charset=utf-8"));
    EXPECT(mf_http_mime_shrinks("application/json"));
    EXPECT(mf_http_mime_shrinks("image/svg+xml"));
    EXPECT(mf_http_mime_shrinks("application/manifest+json;x=1"));
    EXPECT(!mf_http_mime_shrinks("image/png"));
    EXPECT(!mf_http_mime_shrinks("application/zip"));
    EXPECT(!mf_http_mime_shrinks("application/octet-stream"));
    EXPECT(!mf_http_mime_shrinks("text/event-stream"));
    EXPECT(!mf_http_mime_shrinks(""));
}
