/* SPDX-License-Identifier: MIT */
/* pattern.c - see pattern.h. */
#include "pattern.h"

#include <string.h>

static const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);

/* A 64-bit mix in which each bit of x moves all bits of the result. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ (x >> 32);
}

uint64_t pattern_start(uint64_t seed, uint64_t rank, uint64_t n)
{
    return mix(seed + mix((rank << 40) + n + 1));
}

void pattern_fill(uint64_t start, char *buf, size_t len)
{
    uint64_t word = start;
    size_t i = 0;

    for (; i + sizeof word <= len; i += sizeof word, word += step)
        memcpy(buf + i, &word, sizeof word);
    memcpy(buf + i, &word, len - i);
}

int pattern_is(uint64_t start, const char *buf, size_t len)
{
    uint64_t word = start, is;
    size_t i = 0;

    for (; i + sizeof word <= len; i += sizeof word, word += step) {
        memcpy(&is, buf + i, sizeof is);
        if (is != word)
            return 0;
    }
    return memcmp(buf + i, &word, len - i) == 0;
}
