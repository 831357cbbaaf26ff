/* SPDX-License-Identifier: MIT */
/*
 * chars.h - the character classes of RFC 9110 and 9112, and scans over them.
 *
 * Values are scanned eight bytes at a time: a byte that may end one or must not
 * be in one is a control character, below 0x20 or 0x7f; of these only the tab
 * may stay, so the few words that hold one are looked at byte by byte.
 */
#ifndef MFI_HTTP_CHARS_H
#define MFI_HTTP_CHARS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    CHAR_TOKEN = 1,  /* tchar */
    CHAR_TARGET = 2, /* visible ASCII but '#' */
    CHAR_VALUE = 4,  /* VCHAR, obs-text, SP, HTAB */
    CHAR_HOST = 8,   /* of reg-name and IPv4: unreserved, sub-delims, '%' */
    CHAR_HEX = 16,
    CHAR_DIGIT = 32
};

extern const uint8_t mfi_http_chars[256];

static inline bool char_is(char c, int kind)
{
    return (mfi_http_chars[(uint8_t)c] & kind) != 0;
}

/* The first from p on that is not of that kind; end if there is none. */
static inline const char *chars_end(const char *p, const char *end, int kind)
{
    while (p < end && char_is(*p, kind))
        p++;
    return p;
}

/* Whether one of eight bytes is below 0x20 or is 0x7f (may say so wrongly). */
static inline bool has_control(uint64_t eight)
{
    const uint64_t ones = ~UINT64_C(0) / 255, tops = ones << 7;
    uint64_t del = eight ^ (ones * 0x7f);

    return (((eight - ones * 0x20) & ~eight) | ((del - ones) & ~del)) & tops;
}

/* Where the value ends that begins at p: at the first that is no CHAR_VALUE. */
static inline const char *value_end(const char *p, const char *end)
{
    uint64_t eight;

    for (;;) {
        while (end - p >= 8) {
            memcpy(&eight, p, 8);
            if (has_control(eight))
                break;
            p += 8;
        }
        for (int i = 0; i < 8; i++, p++)
            if (p == end || !char_is(*p, CHAR_VALUE))
                return p;
    }
}

static inline char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Is it the word, which is in small letters, in whatever letters it is? */
static inline bool text_is(const char *at, size_t len, const char *word,
                           size_t word_len)
{
    if (len != word_len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (lower(at[i]) != word[i])
            return false;
    return true;
}

#define TEXT_IS(text, word) \
 text_is((text).at, (text).len, (word), sizeof(word) - 1)

#endif
