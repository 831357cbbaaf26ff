/* SPDX-License-Identifier: MIT */
/*
 * pattern.h - bytes that only one request of one connection has.
 *
 * Words of an arithmetic sequence: one add for eight bytes, and still no two
 * places, requests or connections look alike, unless the request is but a few
 * bytes long.
 */
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* The first word for request n of connection `rank`. */
uint64_t pattern_start(uint64_t seed, uint64_t rank, uint64_t n);

void pattern_fill(uint64_t start, char *buf, size_t len);

/* 1 if buf holds what pattern_fill would write. */
int pattern_is(uint64_t start, const char *buf, size_t len);

#endif
