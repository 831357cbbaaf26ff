/* SPDX-License-Identifier: MIT */
/*
 * files.h - what the tests of files share: a directory of their own, a pool
 * that does nothing until it is told, counting fds.
 *
 * No file is slow when one wants it to be. So "while it is under way" is made
 * by a pool of one thread which waits in a pipe: all that needs it is queued
 * behind that, for as long as the test likes.
 */
#ifndef MFI_TESTS_FILES_H
#define MFI_TESTS_FILES_H

#include <mayfly/block.h>
#include <mayfly/file.h>
#include <mayfly/scope.h>

#include <dirent.h>
#include <sys/stat.h>

#include "io/kit.h"
#include "sched/park.h"

static char tmp_dir[64];

__attribute__((__destructor__, __unused__)) static void remove_tmp(void)
{
    struct dirent *e;
    DIR *d = tmp_dir[0] != '\0' ? opendir(tmp_dir) : NULL;

    if (d == NULL)
        return;
    while ((e = readdir(d)) != NULL)
        unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(tmp_dir);
}

/* A name in a new directory that goes with this process. One at a time. */
KIT const char *tmp_name(const char *name)
{
    static char path[2][128];
    static int turn;

    if (tmp_dir[0] == '\0') {
        snprintf(tmp_dir, sizeof tmp_dir, "/tmp/mayfly-test-XXXXXX");
        EXPECT(mkdtemp(tmp_dir) != NULL);
    }
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", tmp_dir, name);
    return path[turn];
}

/* How many files are in there, "." and ".." not. */
KIT int tmp_count(void)
{
    DIR *d = opendir(tmp_dir);
    int n = -2;

    EXPECT(d != NULL);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

KIT int count_fds(void)
{
    int n = 0;

    for (int fd = 0; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* The same once the runtime, and this thread, have what they need. */
KIT int steady_fds(void)
{
    struct agent *a = mfi_agent();

    EXPECT(a != NULL);
    if (a->parker.kind == AGENT_THREAD)
        EXPECT_GE(mfi_agent_bell(a), 0);
    if (mfi_load_acq(&mfi_sched.up) != 0)
        settle();
    return count_fds();
}

/* Until there are n again: the last job may be on its way out. */
KIT void await_fds(int n)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();

    while (count_fds() != n) {
        EXPECT_LT(mf_now(), end);
        breathe();
    }
}

/* What is at i of every test file. */
KIT char byte_at(int64_t i)
{
    return (char)((i * 7 + (i >> 8) * 13 + (i >> 16)) & 127);
}

KIT void fill_bytes(char *buf, size_t len, int64_t from)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = byte_at(from + (int64_t)i);
}

KIT void expect_bytes(const char *buf, size_t len, int64_t from)
{
    for (size_t i = 0; i < len; i++)
        EXPECT_EQ(buf[i], byte_at(from + (int64_t)i));
}

/* A file of len bytes by plain calls; its fd, read and write. */
KIT int make_file(const char *path, size_t len)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    char *buf = malloc(len + 1);

    EXPECT_GE(fd, 0);
    EXPECT(buf != NULL);
    fill_bytes(buf, len, 0);
    EXPECT_EQ(pwrite(fd, buf, len, 0), (ssize_t)len);
    free(buf);
    return fd;
}

/* The kernel may forget what is in it: the next read is from the disk. */
KIT void chill(int fd)
{
    EXPECT_EQ(fdatasync(fd), 0);
    EXPECT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
}

/* ---- a pool that stands still ------------------------------------------- */

struct plug {
    struct helper helper;
    int pipe[2];
    _Atomic uint32_t in;
};

KIT int wait_in_pool(void *arg)
{
    struct plug *p = *(struct plug **)arg;
    char c;

    mfi_store_rel(&p->in, 1u);
    return read(p->pipe[0], &c, 1) == 1 ? 0 : -EIO;
}

KIT int plug_task(void *arg)
{
    return mf_block(wait_in_pool, &arg, sizeof arg, NULL, MF_NEVER);
}

/* The only thread of the pool is busy from here on. */
KIT void plug(struct plug *p)
{
    mfi_store_rel(&p->in, 0u);
    bare_pipe(p->pipe);
    help(&p->helper, plug_task, p);
    while (mfi_load_acq(&p->in) == 0)
        breathe();
}

KIT int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* Let it go on, and wait until all that was queued is done. */
KIT void unplug(struct plug *p)
{
    EXPECT_EQ(write(p->pipe[1], "", 1), 1);
    EXPECT_EQ(helped(&p->helper), 0);
    MF_SHIELD(MF_NEVER)
    {
        EXPECT_EQ(mf_block(nothing, NULL, 0, NULL, late()), 0);
    }
    close(p->pipe[0]);
    close(p->pipe[1]);
}

/* in_both with a pool of one thread. */
KIT void in_both_one_thread(mf_fn *fn)
{
    EXPECT_EQ(setenv("MF_OFFLOAD_THREADS", "1", 1), 0);
    in_both(fn, NULL);
}

struct canceller {
    mf_scope scope;
    struct agent *of;
};

KIT int cancel_when_parked(void *arg)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();
    struct canceller *c = arg;

    while ((mfi_load_acq(&c->of->parker.word) & PARK_STATE) != PARK_PARKED) {
        EXPECT_LT(mf_now(), end);
        breathe();
    }
    mf_scope_cancel(&c->scope);
    return 0;
}

/* fn(arg) in a scope that is cancelled once it waits. */

KIT int cancelled_call(mf_fn *fn, void *arg)
{
    struct canceller c = {.of = mfi_agent()};
    int rc;

    EXPECT_EQ(mf_scope_open(&c.scope, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)),
              0);
    EXPECT_EQ(mf_go(&c.scope, cancel_when_parked, &c), 0);
    rc = fn(arg);
    EXPECT_EQ(mf_scope_close(&c.scope), 0);
    return rc;
}

#endif
