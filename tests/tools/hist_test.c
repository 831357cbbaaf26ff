/* SPDX-License-Identifier: MIT */
/*
 * hist_test.c - mayfly-bench: the histogram against a sorted array, and the
 * option table.
 *
 * They are parts of a program, not of a library: their sources are included.
 * The oracle for a percentile is the value of that rank in the sorted array;
 * the histogram may answer up to 1/128 more, never less.
 */
#include "../../tools/mayfly-bench/hist.c"
#include "../../tools/mayfly-bench/options.c"

#include <pthread.h>

#include "test.h"

enum { NR = 20000, NR_QS = 12 };

static const uint32_t qs[NR_QS] = {0,     1,     1000,  10000, 25000, 50000,
                                   75000, 90000, 99000, 99900, 99999, 100000};

static struct hist a, b;
static int64_t values[NR];

/* splitmix64: the same values in each run. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* One value of a distribution: 0 flat, 1 all magnitudes alike, 2 a narrow
 * bulk with a long tail, 3 few different values, 4 small and exact. */
static int64_t draw(int distribution, uint64_t *state)
{
    uint64_t x = next_random(state);

    switch (distribution) {
    case 0:
        return (int64_t)(x % 1000000000);
    case 1:
        return (int64_t)(next_random(state) >> (22 + x % 42));
    case 2:
        return (int64_t)(20000 + x % 3000 + (x >> 57 == 0 ? x >> 30 : 0));
    case 3:
        return (int64_t)(1000 << x % 4);
    default:
        return (int64_t)(x % 256);
    }
}

static int compare(const void *x, const void *y)
{
    int64_t l = *(const int64_t *)x, r = *(const int64_t *)y;

    return l < r ? -1 : l > r;
}

static int64_t oracle(int64_t nr, uint32_t q)
{
    int64_t rank = (nr * (int64_t)q + 99999) / 100000; /* ceil */

    return values[rank > 0 ? rank - 1 : 0];
}

static void check_against_sorted(const struct hist *h, size_t nr)
{
    double sum = 0;

    qsort(values, nr, sizeof values[0], compare);
    for (size_t i = 0; i < nr; i++)
        sum += (double)values[i];
    EXPECT_EQ(hist_count(h), nr);
    EXPECT_EQ(hist_min(h), values[0]);
    EXPECT_EQ(hist_max(h), values[nr - 1]);
    EXPECT(hist_mean(h) * (double)nr - sum < 1e-9 * sum + 1e-9);
    EXPECT(sum - hist_mean(h) * (double)nr < 1e-9 * sum + 1e-9);
    for (int i = 0; i < NR_QS; i++) {
        int64_t want = oracle((int64_t)nr, qs[i]);
        int64_t got = hist_percentile(h, qs[i]);

        EXPECT_GE(got, want);
        EXPECT_LE(got, want + want / 128);
    }
}

MFI_TEST(percentiles_match_a_sorted_array)
{
    uint64_t state = 1;

    for (int distribution = 0; distribution < 5; distribution++)
        for (size_t nr = 1; nr <= NR; nr = nr * 3 + 1) {
            memset(&a, 0, sizeof a);
            for (size_t i = 0; i < nr; i++) {
                values[i] = draw(distribution, &state);
                hist_record(&a, values[i]);
            }
            check_against_sorted(&a, nr);
        }
}

MFI_TEST(a_merge_is_as_if_all_was_recorded_in_one)
{
    uint64_t state = 2;

    for (int distribution = 0; distribution < 5; distribution++) {
        memset(&a, 0, sizeof a);
        memset(&b, 0, sizeof b);
        for (size_t i = 0; i < NR; i++) {
            values[i] = draw((distribution + (int)(i % 2)) % 5, &state);
            hist_record(i % 2 ? &a : &b, values[i]);
        }
        hist_merge(&a, &b);
        check_against_sorted(&a, NR);
    }
}

MFI_TEST(merging_an_empty_one_changes_nothing)
{
    hist_record(&a, 700);
    hist_merge(&a, &b);
    EXPECT_EQ(hist_count(&a), 1);
    EXPECT_EQ(hist_min(&a), 700);
    EXPECT_EQ(hist_max(&a), 700);
    hist_merge(&b, &a);
    EXPECT_EQ(hist_min(&b), 700);
    EXPECT_EQ(hist_percentile(&b, 50000), 700);
}

MFI_TEST(an_empty_histogram_answers_zero)
{
    EXPECT_EQ(hist_count(&a), 0);
    EXPECT_EQ(hist_min(&a), 0);
    EXPECT_EQ(hist_max(&a), 0);
    EXPECT(hist_mean(&a) < 1e-9);
    for (int i = 0; i < NR_QS; i++)
        EXPECT_EQ(hist_percentile(&a, qs[i]), 0);
}

/* Around each power of two: the bucket holds the value and is narrow. */
MFI_TEST(every_value_is_in_its_bucket)
{
    for (unsigned bit = 0; bit < HIST_TOP_BIT; bit++)
        for (int64_t off = -3; off <= 3; off++) {
            int64_t v = (INT64_C(1) << bit) + off;
            size_t i;

            if (v < 0 || v > HIST_MAX)
                continue;
            i = index_of(v);
            EXPECT_LT(i, HIST_BUCKETS);
            EXPECT_LE(v, upper_end(i));
            EXPECT_LE(upper_end(i) - v, v / 128);
            EXPECT(i == 0 || upper_end(i - 1) < v);
        }
    for (size_t i = 0; i < HIST_BUCKETS; i++)
        EXPECT_EQ(index_of(upper_end(i)), i);
    EXPECT_EQ(upper_end(HIST_BUCKETS - 1), HIST_MAX);
}

MFI_TEST(values_out_of_range_saturate_and_are_counted)
{
    hist_record(&a, -5);
    hist_record(&a, 0);
    hist_record(&a, HIST_MAX);
    EXPECT_EQ(hist_clipped(&a), 1);
    hist_record(&a, HIST_MAX + 1);
    hist_record(&a, INT64_MAX);
    EXPECT_EQ(hist_clipped(&a), 3);
    EXPECT_EQ(hist_count(&a), 5);
    EXPECT_EQ(hist_min(&a), 0);
    EXPECT_EQ(hist_max(&a), HIST_MAX);
    EXPECT_EQ(hist_percentile(&a, 40000), 0);
    EXPECT_EQ(hist_percentile(&a, 60000), HIST_MAX);
    hist_merge(&b, &a);
    EXPECT_EQ(hist_clipped(&b), 3);
}

static void *record_many(void *arg)
{
    for (int64_t i = 1; i <= NR; i++)
        hist_record(arg, i);
    return NULL;
}

MFI_TEST(threads_may_record_at_once)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, record_many, &a), 0);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    EXPECT_EQ(hist_count(&a), 4 * NR);
    EXPECT_EQ(hist_min(&a), 1);
    EXPECT_EQ(hist_max(&a), NR);
    EXPECT(hist_mean(&a) > (NR + 1) / 2.0 - 0.001);
    EXPECT(hist_mean(&a) < (NR + 1) / 2.0 + 0.001);
}

struct values {
    int64_t count, span, flag, bare;
};

static const struct option_spec table[] = {
    {'c', "count", "N", "how many\nin two lines", OPTION_COUNT,
     offsetof(struct values, count), 1, 1000},
    {'s', "span", "TIME", "how long", OPTION_SPAN,
     offsetof(struct values, span), 1, INT64_C(60000000000)},
    {'f', "flag", NULL, "or not", OPTION_FLAG, offsetof(struct values, flag), 0,
     0},
    {0, "bare", "N", "has no letter", OPTION_COUNT,
     offsetof(struct values, bare), 0, INT64_MAX},
    {.name = NULL},
};

static const struct command_spec cmd = {.name = "prog",
                                        .operands = "HOST:PORT",
                                        .nr_operands = 1,
                                        .about = "About it.\n",
                                        .options = table};

static struct values got;
static const char *operand;
static char why[256];

/* Parse a line of words between single blanks; the defaults are all 7. */
static int parse(const char *line)
{
    static char words[256];
    char *argv[32] = {NULL}, *word = words;
    int argc = 0;

    snprintf(words, sizeof words, "%s", line);
    while (word != NULL && argc < 31) {
        argv[argc++] = word;
        word = strchr(word, ' ');
        if (word != NULL)
            *word++ = '\0';
    }
    got = (struct values){7, 7, 7, 7};
    operand = NULL;
    why[0] = '\0';
    return options_parse(&cmd, argc, argv, &got, &operand, why, sizeof why);
}

MFI_TEST(options_are_taken_and_defaults_kept)
{
    EXPECT_EQ(parse("prog here:1"), 0);
    EXPECT_STR_EQ(operand, "here:1");
    EXPECT(got.count == 7 && got.span == 7 && got.flag == 7 && got.bare == 7);
    EXPECT_EQ(parse("prog -c 12 here:1 --span=2 -f --bare 0"), 0);
    EXPECT_STR_EQ(operand, "here:1");
    EXPECT_EQ(got.count, 12);
    EXPECT_EQ(got.span, 2000000000);
    EXPECT_EQ(got.flag, 1);
    EXPECT_EQ(got.bare, 0);
    EXPECT_EQ(parse("prog -fc1000 -- -x"), 0);
    EXPECT_STR_EQ(operand, "-x");
    EXPECT_EQ(got.count, 1000);
}

MFI_TEST(spans_have_units)
{
    EXPECT_EQ(parse("prog x -s 0.5"), 0);
    EXPECT_EQ(got.span, 500000000);
    EXPECT_EQ(parse("prog x -s 250ms"), 0);
    EXPECT_EQ(got.span, 250000000);
    EXPECT_EQ(parse("prog x -s 3us"), 0);
    EXPECT_EQ(got.span, 3000);
    EXPECT_EQ(parse("prog x -s 1m"), 0);
    EXPECT_EQ(got.span, INT64_C(60000000000));
    EXPECT_EQ(parse("prog x -s 10s"), 0);
    EXPECT_EQ(got.span, INT64_C(10000000000));
}

MFI_TEST(bad_values_are_named)
{
    static const char *const bad[] = {
        "-c ten",
        "-c -1",
        "-c 1.5",
        "-c 0x10",
        "-c 0",
        "-c 1001",
        "-c 99999999999999999999",
        "-s 1h",
        "-s nan",
        "-s 1e3",
        "-s 1.2.3",
        "-s -1",
        "-s 0",
        "-s 61",
        "-s 99999999999999m",
        "-s ms",
        "--bare 9223372036854775808",
    };
    char line[128];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(line, sizeof line, "prog x %s", bad[i]);
        EXPECT_EQ(parse(line), -EINVAL);
        EXPECT(strstr(why, "count") || strstr(why, "span") ||
               strstr(why, "bare"));
        EXPECT(got.count == 7 && got.span == 7 && got.bare == 7);
    }
    EXPECT_EQ(parse("prog x --bare 9223372036854775807"), 0);
    EXPECT_EQ(got.bare, INT64_MAX);
}

MFI_TEST(wrong_usage_is_named)
{
    EXPECT_EQ(parse("prog"), -EINVAL);
    EXPECT_STR_HAS(why, "HOST:PORT is missing");
    EXPECT_EQ(parse("prog one two"), -EINVAL);
    EXPECT_STR_HAS(why, "'two'");
    EXPECT_EQ(parse("prog x -z"), -EINVAL);
    EXPECT_STR_HAS(why, "-z");
    EXPECT_EQ(parse("prog x -fzc 3"), -EINVAL);
    EXPECT_STR_HAS(why, "-z");
    EXPECT_EQ(parse("prog x --zoo"), -EINVAL);
    EXPECT_STR_HAS(why, "--zoo");
    EXPECT_EQ(parse("prog x --flag=1"), -EINVAL);
    EXPECT_STR_HAS(why, "--flag=1");
    EXPECT_EQ(parse("prog x -c"), -EINVAL);
    EXPECT_STR_HAS(why, "-c needs a value");
    EXPECT_EQ(parse("prog x --span"), -EINVAL);
    EXPECT_STR_HAS(why, "--span needs a value");
}

MFI_TEST(help_shows_the_table)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    EXPECT_EQ(parse("prog -h"), OPTIONS_HELP);
    EXPECT_EQ(parse("prog x y z --help"), OPTIONS_HELP);
    EXPECT(out != NULL);
    options_help(&cmd, out);
    fclose(out);
    EXPECT_STR_HAS(text, "usage: prog HOST:PORT [options]\n\nAbout it.\n");
    EXPECT_STR_HAS(text, "  -c, --count N               how many\n"
                         "                              in two lines\n");
    EXPECT_STR_HAS(text, "      --bare N                has no letter\n");
    EXPECT_STR_HAS(text, "  -h, --help                  print this\n");
    free(text);
}
