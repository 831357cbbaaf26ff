/* SPDX-License-Identifier: MIT */
/* gzip_test.c - there and back, with gzip(1) in between, and bombs. */
#include <mayfly/http_files.h>

#include <sys/wait.h>

#include "http/text.h"
#include "io/kit.h"

static char *sample(size_t len)
{
    unsigned seed = (unsigned)len;
    char *at = calloc(1, len + 1);
    size_t i;

    EXPECT(at != NULL);
    for (i = 0; i < len; i++)
        at[i] = (char)("etaoin shrdlu\n"[rand_r(&seed) % 14]);
    return at;
}

static void there_and_back(size_t len, int level)
{
    char *in = sample(len);
    void *z, *out;
    size_t z_len, out_len;

    EXPECT_EQ(mf_gzip_all(in, len, level, &z, &z_len), 0);
    EXPECT(len < 1000 || z_len < len * 3 / 4);
    EXPECT_EQ(mf_gunzip_all(z, z_len, len, &out, &out_len), 0);
    EXPECT_EQ(out_len, len);
    EXPECT(len == 0 || memcmp(in, out, len) == 0);
    free(out);
    if (len > 0)
        EXPECT_EQ(mf_gunzip_all(z, z_len, len - 1, &out, &out_len), -EFBIG);
    EXPECT_EQ(mf_gunzip_all(z, z_len - 1, len, &out, &out_len), -EPROTO);
    free(z);
    free(in);
}

static int sizes(void *arg)
{
    static const size_t lens[] = {0,     1,     100,   16383, 16384,
                                  32768, 32769, 65536, 200001};
    size_t i;

    (void)arg;
    for (i = 0; i < sizeof lens / sizeof lens[0]; i++)
        there_and_back(lens[i], (int)i % 10);
    return 0;
}

MFI_TEST(there_and_back_in_all_sizes_and_levels)
{
    in_tasks(1, sizes, NULL);
    in_thread(sizes, NULL);
}

static int to_fd(const void *data, size_t len, void *arg)
{
    return mf_write_all(*(int *)arg, data, len, late());
}

/* Flushed pieces come out at once, and the whole is what gzip(1) reads. */
static int pieces(void *arg)
{
    char path[] = "/tmp/mayfly-test-XXXXXX", cmd[128], out[64];
    int fd = mkostemp(path, O_CLOEXEC);
    mf_gzip *z;
    FILE *f;

    (void)arg;
    EXPECT(fd >= 0);
    EXPECT_EQ(mf_gzip_open(0, &z), 0);
    EXPECT_EQ(mf_gzip_push(z, "one ", 4, MF_GZIP_FLUSH, to_fd, &fd), 0);
    EXPECT_LT(10, lseek(fd, 0, SEEK_CUR));
    EXPECT_EQ(mf_gzip_push(z, "two ", 4, MF_GZIP_MORE, to_fd, &fd), 0);
    EXPECT_EQ(mf_gzip_push(z, "three\n", 6, MF_GZIP_END, to_fd, &fd), 0);
    EXPECT_EQ(mf_gzip_push(z, "four", 4, MF_GZIP_END, to_fd, &fd), -EINVAL);
    mf_gzip_close(z);
    snprintf(cmd, sizeof cmd, "gzip -dc < %s", path);
    f = popen(cmd, "r");
    EXPECT(f != NULL && fgets(out, sizeof out, f) != NULL);
    EXPECT_STR_EQ(out, "one two three\n");
    EXPECT_EQ(pclose(f), 0);
    unlink(path);
    mf_close(fd);
    return 0;
}

MFI_TEST(pieces_are_what_gzip_reads)
{
    in_thread(pieces, NULL);
}

static int no_room(const void *data, size_t len, void *arg)
{
    (void)data;
    (void)len;
    (void)arg;
    return -ENOSPC;
}

/* A state left in the middle is as new for the next one. */
static int reused(void *arg)
{
    mf_gzip *many[8];
    int i, round;

    (void)arg;
    EXPECT_EQ(mf_gzip_open(10, &many[0]), -EINVAL);
    EXPECT_EQ(mf_gzip_open(-1, &many[0]), -EINVAL);
    mf_gzip_close(NULL);
    for (round = 0; round < 3; round++) {
        for (i = 0; i < 8; i++) {
            EXPECT_EQ(mf_gzip_open(1 + round % 2, &many[i]), 0);
            EXPECT_EQ(
                mf_gzip_push(many[i], "abc", 3, MF_GZIP_FLUSH, no_room, NULL),
                -ENOSPC);
        }
        for (i = 0; i < 8; i++)
            mf_gzip_close(many[i]);
        there_and_back(1000, 1 + round % 2);
    }
    return 0;
}

MFI_TEST(a_state_is_reset_for_the_next)
{
    in_tasks(1, reused, NULL);
}

static int many(void *arg)
{
    int i;

    for (i = 0; i < 200 / KIT_SLOW; i++)
        there_and_back(500 + (size_t)i * 100, 0);
    return arg == NULL ? 0 : 1;
}

static int at_once(void *arg)
{
    return arg == NULL ? mf_run_all((mf_call[]){MF_CALL(many, NULL),
                                                MF_CALL(many, NULL),
                                                MF_CALL(many, NULL)},
                                    3, NULL)
                       : 0;
}

MFI_TEST(several_at_once_share_the_spares)
{
    in_tasks(2, at_once, NULL);
}

static int hostile(void *arg)
{
    enum { BIG = 8 << 20 };
    char *zeros = calloc(1, BIG);
    void *z, *out;
    size_t len, out_len, i;
    unsigned char *bad;

    (void)arg;
    EXPECT(zeros != NULL);
    EXPECT_EQ(mf_gzip_all(zeros, BIG, 9, &z, &len), 0);
    EXPECT_LT(len, 20000);
    EXPECT_EQ(mf_gunzip_all(z, len, 1 << 20, &out, &out_len), -EFBIG);
    free(z);
    free(zeros);
    EXPECT_EQ(mf_gunzip_all("", 0, 10, &out, &out_len), -EPROTO);
    EXPECT_EQ(mf_gunzip_all("not gzip", 8, 10, &out, &out_len), -EPROTO);
    /* Two members are one text; garbage behind one is none. */
    EXPECT_EQ(mf_gzip_all("ab", 2, 0, &z, &len), 0);
    bad = malloc(2 * len);
    EXPECT(bad != NULL);
    memcpy(bad, z, len);
    memcpy(bad + len, z, len);
    EXPECT_EQ(mf_gunzip_all(bad, 2 * len, 4, &out, &out_len), 0);
    EXPECT_EQ(out_len, 4);
    EXPECT_EQ(memcmp(out, "abab", 4), 0);
    free(out);
    EXPECT_EQ(mf_gunzip_all(bad, len + 3, 4, &out, &out_len), -EPROTO);
    /* A changed bit breaks it, but for what fills the last byte. */
    for (i = 10; i < len; i++) {
        bad[i] ^= 4;
        if (mf_gunzip_all(bad, len, 9, &out, &out_len) == 0) {
            EXPECT(i == len - 9 && out_len == 2 && memcmp(out, "ab", 2) == 0);
            free(out);
        }
        bad[i] ^= 4;
    }
    free(bad);
    free(z);
    return 0;
}

MFI_TEST(bombs_and_broken_bytes)
{
    in_tasks(1, hostile, NULL);
}
