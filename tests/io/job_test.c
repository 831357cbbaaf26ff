/* SPDX-License-Identifier: MIT */
/* job_test.c - a job that is waited for, and one that is left. */
#include "io/job.h"

#include "io/files.h"
#include "os/io.h"
#include "poll/cold.h"
#include "sched/offload.h"

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

/* A read that is as slow as one likes: of a pipe. On the ring, or the pool. */
struct piped {
    struct job job;
    int fd;
    _Atomic uint32_t *undone;
    char data[4];
};

static long run_piped(struct job *job)
{
    struct piped *p = mfi_container_of(job, struct piped, job);

    return mfi_os_read(p->fd, p->data, sizeof p->data);
}

static void undo_piped(struct job *job)
{
    struct piped *p = mfi_container_of(job, struct piped, job);

    if (job->result > 0)
        EXPECT_EQ(p->data[0], 'x'); /* it was the job's to the end */
    mfi_add_acqrel(p->undone, 1u);
}

static int read_piped(int fd, mf_deadline deadline, _Atomic uint32_t *undone)
{
    struct piped *p = mfi_job_new(sizeof *p, run_piped, undo_piped);
    struct cold_read r = {.fd = fd, .len = 4};
    int rc;

    EXPECT(p != NULL);
    p->fd = fd;
    p->undone = undone;
    r.buf = p->data;
    r.offset = -1;
    if ((rc = mfi_job_read(&p->job, &r, deadline)) < 0)
        return rc;
    rc = (int)p->job.result;
    if (rc > 0)
        EXPECT_EQ(p->data[0], 'x');
    mfi_job_free(&p->job);
    return rc;
}

struct pipes {
    int ends[2];
    _Atomic uint32_t undone;
};

static int read_for_ever(void *arg)
{
    struct pipes *p = arg;

    return read_piped(p->ends[0], MF_NEVER, &p->undone);
}

static int write_later(void *arg)
{
    struct pipes *p = arg;

    for (int i = 0; i < 30; i++)
        breathe();
    EXPECT_EQ(write(p->ends[1], "x", 1), 1);
    return 0;
}

static int slow_reads(void *arg)
{
    struct pipes p = {.undone = 0};
    struct helper h;

    (void)arg;
    bare_pipe(p.ends);
    for (int i = 0; i < 20; i++) {
        help(&h, write_later, &p);
        EXPECT_EQ(read_piped(p.ends[0], late(), &p.undone), 1);
        EXPECT_EQ(helped(&h), 0);
    }
    EXPECT_EQ(read_piped(p.ends[0], soon(), &p.undone), -ETIMEDOUT);
    EXPECT_EQ(p.undone, 0);
    EXPECT_EQ(write(p.ends[1], "x", 1), 1);
    await_count(&p.undone, 1);
    EXPECT_EQ(cancelled_call(read_for_ever, &p), -ECANCELED);
    EXPECT_EQ(p.undone, 1);
    EXPECT_EQ(write(p.ends[1], "x", 1), 1);
    await_count(&p.undone, 2);
    EXPECT_EQ(read_piped(p.ends[0], MF_NOW, &p.undone), -ETIMEDOUT);
    await_count(&p.undone, 3);
    EXPECT_EQ(read_piped(-1, late(), &p.undone), -EBADF);
    close(p.ends[0]);
    close(p.ends[1]);
    return 0;
}

MFI_TEST(a_slow_read_ends_or_is_left)
{
    in_both(slow_reads, NULL);
}

/* More than the ring holds: the rest goes to the pool. */
enum { CROWD = 180 };

static int crowd(void *arg)
{
    struct pipes p = {.undone = 0};
    char xs[CROWD];
    mf_scope s;

    (void)arg;
    bare_pipe(p.ends);
    memset(xs, 'x', sizeof xs);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    for (int i = 0; i < CROWD; i++)
        EXPECT_EQ(mf_go(&s, read_for_ever, &p), 0);
    for (int i = 0; i < 50; i++)
        breathe();
    for (int i = 0; i < CROWD; i += 4)
        EXPECT_EQ(write(p.ends[1], xs, 4), 4);
    EXPECT_EQ(close(p.ends[1]), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    close(p.ends[0]);
    return 0;
}

MFI_TEST(a_crowd_of_slow_reads_all_end)
{
    in_both(crowd, NULL);
}

/* The stop waits for a read that nobody waits for any more. */
MFI_TEST(a_stop_waits_for_the_ring)
{
    struct pipes p = {.undone = 0};
    int threads;

    bare_pipe(p.ends);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    EXPECT_EQ(mf_go(mf_root(), read_for_ever, &p), 0);
    while (!mfi_offload_busy(&threads))
        sched_yield();
    EXPECT_EQ(mf_stop(soon()), -ETIMEDOUT);
    EXPECT_EQ(write(p.ends[1], "x", 1), 1);
    EXPECT_EQ(mf_stop(late()), 0);
    EXPECT_EQ(p.undone, 1);
    close(p.ends[0]);
    close(p.ends[1]);
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
