/* SPDX-License-Identifier: MIT */
/*
 * memory_test.c - no memory: told, with nothing lost; and none used unasked.
 */
#include <malloc.h>
#include <sys/resource.h>

#include "stream/streams.h"

static void limit_memory(rlim_t n)
{
    struct rlimit lim = {n, RLIM_INFINITY};

    EXPECT_EQ(setrlimit(RLIMIT_AS, &lim), 0);
}

static rlim_t memory_used(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    EXPECT(f != NULL);
    EXPECT_EQ(fscanf(f, "%lu", &pages), 1);
    fclose(f);
    return (rlim_t)pages * 4096;
}

enum { CHUNK = 1 << 16, WANT = 8 << 20 };

static char chunk[CHUNK];

/* From here on nothing is got that is not in the heap already. */
static void exhaust(void)
{
    limit_memory(memory_used() + (1 << 19));
}

static int told(void *arg)
{
    struct two t = make_two(OVER_UNIX);
    mf_stream *e[2] = {NULL, NULL};
    size_t have;
    char *data;
    int n = 0;

    (void)arg;
    EXPECT_EQ(mf_stream_limit(t.a, WANT), 0);
    EXPECT_EQ(mf_stream_hold(t.b, 16 << 20), 0);
    settle();
    exhaust();
    EXPECT_EQ(mf_stream_pair(WANT, e), -ENOMEM);
    EXPECT(e[0] == NULL);
    say(t.b, "not held");
    hear(t.a, "not held"); /* there was no memory to hold it */
    while (n != -ENOMEM) {
        EXPECT_EQ(mf_stream_write_all(t.b, chunk, CHUNK, late()), 0);
        have = mf_stream_buffered(t.a);
        n = mf_stream_peek(t.a, &data, have + CHUNK, late());
        EXPECT(n > 0 || n == -ENOMEM);
        EXPECT_LE(n, WANT);
    }
    have = mf_stream_buffered(t.a);
    EXPECT_GE(have, CHUNK);
    EXPECT_EQ(mf_stream_peek(t.a, &data, 1, late()), have); /* it is there */
    EXPECT_EQ(mf_stream_skip(t.a, have), 0);
    limit_memory(RLIM_INFINITY);
    EXPECT_GT(n = mf_stream_peek(t.a, &data, 1, late()), 0);
    EXPECT_EQ(mf_stream_skip(t.a, (size_t)n), 0);
    end_two(&t);
    return 0;
}

MFI_TEST(no_memory_is_told_and_loses_nothing)
{
    if (MFI_TEST_ASAN || MFI_TEST_TSAN || mfi_test_under_valgrind())
        MFI_SKIP("they need address space");
    mallopt(M_ARENA_MAX, 1); /* others have address space to spare */
    mallopt(M_MMAP_THRESHOLD, 1 << 16);
    in_tasks(1, told, NULL);
}

/* Neither plain reads nor writes make a buffer. */
static int frugal(void *arg)
{
    struct two t = make_two(OVER_UNIX);

    (void)arg;
    for (int i = 0; i < 100; i++) {
        say(t.b, "plain");
        hear(t.a, "plain");
        EXPECT_EQ(mf_stream_flush(t.b, late()), 0);
    }
    EXPECT(t.a->buf == NULL && t.b->held == NULL);
    EXPECT_EQ(mf_stream_hold(t.b, 1000), 0);
    EXPECT(t.b->held == NULL);
    EXPECT_LE(malloc_usable_size(t.a), 256);
    end_two(&t);
    return 0;
}

MFI_TEST(what_is_not_buffered_needs_no_buffer)
{
    in_both(frugal, NULL);
}
