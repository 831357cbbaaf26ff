/* SPDX-License-Identifier: MIT */
/*
 * file.c - reading a cached file of -n MiB, by a plain read loop and by mf_read
 * in turns, both into the same 64 KiB: the loop that one writes first.
 */
#define _GNU_SOURCE
#include "micro.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mayfly/fd.h>
#include <mayfly/file.h>

enum { BUFFER = 65536, ROUNDS = 5 };

static char buffer[BUFFER];

static int make(long mib)
{
    char name[] = "/tmp/mayfly-bench-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);

    MICRO_CHECK(fd >= 0);
    unlink(name);
    memset(buffer, 'x', sizeof(buffer));
    for (long i = 0; i < mib * (1 << 20) / BUFFER; i++)
        MICRO_CHECK(write(fd, buffer, BUFFER) == BUFFER);
    return fd;
}

/* MB/s. */
static double read_all(int fd, long mib, int plain)
{
    int64_t begin = mf_now(), bytes = 0;
    long n;

    MICRO_CHECK(lseek(fd, 0, SEEK_SET) == 0);
    while ((n = plain ? read(fd, buffer, BUFFER)
                      : mf_read(fd, buffer, BUFFER, MF_NEVER)) > 0)
        bytes += n;
    MICRO_CHECK(n == 0 && bytes == (int64_t)mib << 20);
    return (double)bytes * 1e3 / (double)(mf_now() - begin);
}

static int upwards(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int micro_file(void *arg)
{
    const struct micro_args *args = arg;
    double plain[ROUNDS], mine[ROUNDS], ratio[ROUNDS];
    int fd = make(args->count);

    read_all(fd, args->count, 1);
    for (int i = 0; i < ROUNDS; i++) {
        plain[i] = read_all(fd, args->count, 1);
        mine[i] = read_all(fd, args->count, 0);
        ratio[i] = mine[i] / plain[i];
    }
    qsort(plain, ROUNDS, sizeof(plain[0]), upwards);
    qsort(mine, ROUNDS, sizeof(mine[0]), upwards);
    qsort(ratio, ROUNDS, sizeof(ratio[0]), upwards);
    micro_report("file_plain", plain[ROUNDS / 2], "MB/s");
    micro_report("file_read", mine[ROUNDS / 2], "MB/s");
    micro_report("file_per_plain", ratio[ROUNDS / 2], "x");
    MICRO_CHECK(mf_close(fd) == 0);
    return 0;
}
