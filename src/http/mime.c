/* SPDX-License-Identifier: MIT */
/*
 * mime.c - media types by the ends of names: those that browsers care for, in a
 * table that is searched by halving. Text is said to be UTF-8, as a browser
 * would else guess.
 */
#include <mayfly/http_text.h>

#include <stdlib.h>
#include <string.h>

struct type {
    const char *end, *type;
};

/* Sorted by end. */
static const struct type types[] = {
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"apng", "image/apng"},
    {"atom", "application/atom+xml"},
    {"avi", "video/x-msvideo"},
    {"avif", "image/avif"},
    {"bin", "application/octet-stream"},
    {"bmp", "image/bmp"},
    {"bz2", "application/x-bzip2"},
    {"c", "text/plain; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"doc", "application/msword"},
    {"docx", "application/"
             "vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"epub", "application/epub+zip"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"h", "text/plain; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jar", "application/java-archive"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"log", "text/plain; charset=utf-8"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"m4a", "audio/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mid", "audio/midi"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mkv", "video/matroska"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpeg", "video/mpeg"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"ps", "application/postscript"},
    {"rss", "application/rss+xml"},
    {"rtf", "application/rtf"},
    {"sh", "text/plain; charset=utf-8"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"ts", "video/mp2t"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"vtt", "text/vtt; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xls", "application/vnd.ms-excel"},
    {"xml", "application/xml"},
    {"xz", "application/x-xz"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};

static int compare(const void *key, const void *entry)
{
    return strcmp(key, ((const struct type *)entry)->end);
}

const char *mf_http_mime(const char *name)
{
    const char *slash = strrchr(name, '/'), *dot = strrchr(name, '.');
    char end[12]; /* the longest in the table, and a NUL */
    const struct type *found;
    size_t i, len;

    if (dot == NULL || (slash != NULL && dot < slash))
        return "application/octet-stream";
    len = strlen(++dot);
    if (len >= sizeof end)
        return "application/octet-stream";
    for (i = 0; i <= len; i++)
        end[i] =
            (char)(dot[i] >= 'A' && dot[i] <= 'Z' ? dot[i] | 0x20 : dot[i]);
    found = bsearch(end, types, sizeof types / sizeof types[0], sizeof types[0],
                    compare);
    return found != NULL ? found->type : "application/octet-stream";
}

static int ends_with(mf_text text, const char *end)
{
    size_t len = strlen(end);

    return text.len >= len && memcmp(text.at + text.len - len, end, len) == 0;
}

int mf_http_mime_shrinks(const char *type)
{
    static const char *const also[] = {
        "application/json",
        "application/javascript",
        "application/xml",
        "application/wasm",
        "application/yaml",
        "application/rtf",
        "application/x-tar",
        "application/postscript",
        "application/x-ndjson",
        "image/bmp",
        "font/ttf",
        "font/otf",
    };
    mf_text main_type = {type, strcspn(type, "; ")};
    size_t i;

    if (strncmp(type, "text/", 5) == 0)
        return !mf_text_is(main_type, "text/event-stream");
    for (i = 0; i < sizeof also / sizeof also[0]; i++)
        if (mf_text_is(main_type, also[i]))
            return 1;
    return ends_with(main_type, "+xml") || ends_with(main_type, "+json");
}
