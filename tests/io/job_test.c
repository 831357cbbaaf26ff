/* SPDX-License-Identifier: MIT */
/* job_test.c - a job that is waited for, and one that is left. */
#include "io/job.h"

#include "io/files.h"

struct counted {
    struct job job;
    int pipe; /* < 0: does not wait */
    _Atomic uint32_t *undone;
    _Atomic uint32_t *seen_left;
};

static long run_counted(struct job *job)
{
    struct counted *c = mfi_container_of(job, struct counted, job);
    char byte;

    if (c->pipe >= 0)
        EXPECT_EQ(read(c->pipe, &byte, 1), 1);
    if (mfi_job_left(job))
        mfi_add_acqrel(c->seen_left, 1u);
    return 42;
}

static void undo_counted(struct job *job)
{
    mfi_add_acqrel(mfi_container_of(job, struct counted, job)->undone, 1u);
}

static struct counted *counted(int pipe, _Atomic uint32_t *undone,
                               _Atomic uint32_t *seen_left)
{
    struct counted *c = mfi_job_new(sizeof *c, run_counted, undo_counted);

    EXPECT(c != NULL);
    c->pipe = pipe;
    c->undone = undone;
    c->seen_left = seen_left;
    return c;
}

static int in_time(void *arg)
{
    _Atomic uint32_t undone = 0, left = 0;

    (void)arg;
    for (int i = 0; i < 100; i++) {
        struct counted *c = counted(-1, &undone, &left);

        EXPECT_EQ(mfi_job_call(&c->job, i % 2 != 0 ? late() : MF_NEVER), 0);
        EXPECT_EQ(c->job.result, 42);
        mfi_job_free(&c->job);
    }
    EXPECT_EQ(undone, 0);
    EXPECT_EQ(left, 0);
    return 0;
}

MFI_TEST(a_job_in_time_is_its_callers_again)
{
    in_both(in_time, NULL);
    EXPECT_EQ(in_time(NULL), 0); /* without a runtime */
}

static int call_it(void *arg)
{
    return mfi_job_call(arg, MF_NEVER);
}

static void await_count(_Atomic uint32_t *count, uint32_t n)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();

    while (mfi_load_acq(count) != n) {
        EXPECT_LT(mf_now(), end);
        breathe();
    }
}

static int leave(void *arg)
{
    _Atomic uint32_t undone = 0, left = 0;
    int ends[2];

    (void)arg;
    bare_pipe(ends);
    /* Too late from the start: it never runs. */
    EXPECT_EQ(mfi_job_call(&counted(ends[0], &undone, &left)->job, MF_NOW),
              -ETIMEDOUT);
    await_count(&undone, 1);
    EXPECT_EQ(left, 0);
    /* While it runs. */
    EXPECT_EQ(mfi_job_call(&counted(ends[0], &undone, &left)->job, soon()),
              -ETIMEDOUT);
    EXPECT_EQ(undone, 1);
    EXPECT_EQ(write(ends[1], "", 1), 1);
    await_count(&undone, 2);
    EXPECT_EQ(left, 1);
    EXPECT_EQ(cancelled_call(call_it, &counted(ends[0], &undone, &left)->job),
              -ECANCELED);
    EXPECT_EQ(undone, 2);
    EXPECT_EQ(write(ends[1], "", 1), 1);
    await_count(&undone, 3);
    EXPECT_EQ(left, 2);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

MFI_TEST(a_job_that_is_left_ends_by_itself_and_is_undone)
{
    in_both(leave, NULL);
}

/* A pool of one thread, and in it a function that reads a file. */
static int nested(void *arg)
{
    char c = 0;

    EXPECT_EQ(mf_pread(*(int *)arg, &c, 1, 0, MF_NEVER), 1);
    return c == byte_at(0) ? 0 : -EIO;
}

static int nested_call(void *arg)
{
    int fd = make_file(tmp_name("nested"), 10);

    (void)arg;
    chill(fd);
    EXPECT_EQ(mf_block(nested, &fd, sizeof fd, NULL, late()), 0);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(the_pool_does_not_wait_for_itself)
{
    in_both_one_thread(nested_call);
}
