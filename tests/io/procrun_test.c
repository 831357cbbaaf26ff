/* SPDX-License-Identifier: MIT */
/* procrun_test.c - programs that are fed and read at once, to their end. */
#include "io/child.h"

enum { MEGA = 1 << 20 };

static char *pattern(size_t len)
{
    char *text = malloc(len);

    EXPECT(text != NULL);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + i * 7 % 23);
    return text;
}

static int both_ways(void *arg)
{
    char *in = pattern(MEGA), *out = NULL;
    mf_exit_status st = {5, 5, 5};
    size_t len = 0;

    (void)arg;
    EXPECT_EQ(
        mf_proc_run(ARGV("cat"), NULL, in, MEGA, 0, &out, &len, &st, late()),
        0);
    EXPECT_EQ(len, MEGA); /* the very most there may be */
    EXPECT_EQ(memcmp(in, out, MEGA), 0);
    EXPECT_EQ(out[MEGA], 0);
    EXPECT_EQ(st.code, 0);
    free(in);
    free(out);
    no_child_left();
    return 0;
}

MFI_TEST(a_mebibyte_in_and_out_at_once)
{
    in_tasks(1, both_ways, NULL);
    in_both(both_ways, NULL);
}

static int sizes(void *arg)
{
    static const size_t lens[] = {0, 1, 4095, 4096, 4097, 100000};
    char *in = pattern(100000);

    (void)arg;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        size_t n = lens[i], len = 7;
        char *out = NULL;

        EXPECT_EQ(mf_proc_run(ARGV("cat"), NULL, in, n, n != 0 ? n : 1, &out,
                              &len, NULL, late()),
                  0);
        EXPECT_EQ(len, n);
        EXPECT_EQ(memcmp(in, out, n), 0);
        EXPECT_EQ(out[n], 0);
        free(out);
        if (n < 2)
            continue;
        out = NULL;
        EXPECT_EQ(mf_proc_run(ARGV("cat"), NULL, in, n, n - 1, &out, &len, NULL,
                              late()),
                  -EFBIG);
        EXPECT(out == NULL);
        no_child_left();
    }
    free(in);
    return 0;
}

MFI_TEST(output_up_to_max_and_no_more)
{
    in_both(sizes, NULL);
}

static int endings(void *arg)
{
    char *in = pattern(MEGA), *out = NULL;
    mf_exit_status st;

    (void)arg;
    /* It ends without reading what it is given. */
    EXPECT_EQ(mf_proc_run(SH("exec <&-; echo bye; exit 3"), NULL, in, MEGA, 0,
                          &out, NULL, &st, late()),
              0);
    EXPECT_STR_EQ(out, "bye\n");
    EXPECT_EQ(st.code, 3);
    free(out);
    /* It closes its output and goes on reading. */
    EXPECT_EQ(mf_proc_run(SH("exec >&-; cat > /dev/null; kill -TERM $$"), NULL,
                          in, MEGA, 0, &out, NULL, &st, late()),
              0);
    EXPECT_STR_EQ(out, "");
    EXPECT_EQ(st.signal, SIGTERM);
    free(out);
    /* Nothing is collected. */
    EXPECT_EQ(mf_proc_run(SH("cat > /dev/null; yes | head -n 100000; exit 4"),
                          MF_PROC_OPTIONS(.out = MF_STDIO_PIPE), in, MEGA, 0,
                          NULL, NULL, &st, late()),
              0);
    EXPECT_EQ(st.code, 4);
    /* A pipe nobody feeds is at its end. */
    EXPECT_EQ(mf_proc_run(SH("cat"), MF_PROC_OPTIONS(.in = MF_STDIO_PIPE), NULL,
                          0, 0, NULL, NULL, &st, late()),
              0);
    EXPECT_EQ(st.code, 0);
    free(in);
    no_child_left();
    return 0;
}

MFI_TEST(whatever_the_program_does_with_its_pipes)
{
    in_both(endings, NULL);
}

static int refused(void *arg)
{
    char *out = NULL;

    (void)arg;
    EXPECT_EQ(mf_proc_run(ARGV("/no/such"), NULL, NULL, 0, 0, &out, NULL, NULL,
                          late()),
              -ENOENT);
    EXPECT_EQ(mf_proc_run(ARGV("cat"), MF_PROC_OPTIONS(.err = MF_STDIO_PIPE),
                          NULL, 0, 0, &out, NULL, NULL, late()),
              -EINVAL);
    EXPECT_EQ(
        mf_proc_run(ARGV("cat"), NULL, NULL, 1, 0, &out, NULL, NULL, late()),
        -EINVAL);
    EXPECT_EQ(mf_proc_run(ARGV("cat"), NULL, NULL, 0, SIZE_MAX, &out, NULL,
                          NULL, late()),
              -EINVAL);
    EXPECT_EQ(mf_proc_run(NULL, NULL, NULL, 0, 0, &out, NULL, NULL, late()),
              -EINVAL);
    EXPECT(out == NULL);
    return 0;
}

MFI_TEST(a_run_that_cannot_be_is_refused)
{
    in_both(refused, NULL);
}

/* ---- an end before the end ---------------------------------------------- */

static int times_out(void *arg)
{
    static const char *const scripts[] = {
        "echo some; exec sleep 1000", /* says nothing more */
        "exec >&-; exec sleep 1000",  /* says nothing at all */
        "trap '' TERM; echo x; sleep 1000; sleep 1000", /* will not go */
    };
    char *in = pattern(MEGA), *out = NULL;
    mf_exit_status st = {5, 5, 5};

    (void)arg;
    for (int i = 0; i < 3; i++) {
        mf_ns begin = mf_now();

        EXPECT_EQ(mf_proc_run(SH(scripts[i]),
                              MF_PROC_OPTIONS(.grace = MF_MSEC(20), .group = 1),
                              i == 0 ? in : NULL, i == 0 ? MEGA : 0, 0, &out,
                              NULL, &st, soon()),
                  -ETIMEDOUT);
        EXPECT_GE(mf_now() - begin, MF_MSEC(20));
        EXPECT(out == NULL);
        EXPECT_EQ(st.code, 5);
        no_child_left();
    }
    free(in);
    return 0;
}

MFI_TEST(a_deadline_ends_the_program)
{
    in_both(times_out, NULL);
}

static int is_cancelled(void *arg)
{
    char *out = NULL;

    (void)arg;
    EXPECT_EQ(mf_proc_run(ARGV("sleep", "1000"), NULL, NULL, 0, 0, &out, NULL,
                          NULL, MF_NEVER),
              -ECANCELED);
    EXPECT(out == NULL);
    return 0;
}

static int cancels(void *arg)
{
    mf_scope s;
    mf_task *t;

    (void)arg;
    for (int i = 0; i < 2; i++) { /* at any point of it; then in its wait */
        EXPECT_EQ(mf_scope_open(&s, NULL), 0);
        EXPECT_EQ(mf_spawn(&s, is_cancelled, NULL, NULL, &t), 0);
        if (i == 1)
            await_parked(t);
        mf_scope_cancel(&s);
        EXPECT_EQ(mf_scope_close(&s), 0);
        no_child_left();
    }
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.deadline = soon())), 0);
    EXPECT_EQ(is_cancelled(NULL), 0);
    EXPECT_EQ(mf_scope_close(&s), -ETIMEDOUT);
    no_child_left();
    return 0;
}

MFI_TEST(a_cancel_ends_the_program)
{
    in_both(cancels, NULL);
}

static int runs_one(void *arg)
{
    char text[32], *out = NULL;
    int i = (int)(intptr_t)arg;
    size_t len;

    snprintf(text, sizeof text, "number %d", i);
    EXPECT_EQ(mf_proc_run(ARGV("cat"), NULL, text, strlen(text), 0, &out, &len,
                          NULL, late()),
              0);
    EXPECT_STR_EQ(out, text);
    free(out);
    return 0;
}

static int many(void *arg)
{
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < 50 / KIT_SLOW; i++)
        EXPECT_EQ(mf_go(&s, runs_one, (void *)(intptr_t)i), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    no_child_left();
    return 0;
}

MFI_TEST(many_run_at_once)
{
    in_tasks(1, many, NULL);
    in_both(many, NULL);
}
