/* SPDX-License-Identifier: MIT */
/*
 * shared_test.c - descriptions that block, and workers that do not, each way
 * there is.
 *
 * Each test is a process of its own, so its fds 0 and 1 may become anything.
 * One worker, and whoever brings the input or makes room is a task of that
 * worker: if a call blocked it, the test would hang.
 */
#include "io/rw.h"

#include <signal.h>

#include "io/kit.h"

enum way { WAY_OWN, WAY_NOWAIT, WAY_SPLICE, WAY_OFFLOAD, WAYS };

/* fd under this number, one of stdio's, whatever was there. */
static void on(int fd, int number)
{
    if (mfi_load_acq(&mfi_sched.up) != 0)
        settle(); /* what workers make at their start may pass by here */
    if (fd == number)
        return;
    EXPECT_EQ(syscall(SYS_dup3, fd, number, 0), number);
    EXPECT_EQ(syscall(SYS_close, fd), 0);
}

/* Bare, as the kit's: TSan counts closes by number. */
static int bare_open(const char *path, int flags)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags);
}

/* The ends are not where stdio is to be, should that be closed now. */
static void high_pipe(int fds[2])
{
    int low[2];

    bare_pipe(low);
    for (int i = 0; i < 2; i++) {
        fds[i] = (int)syscall(SYS_fcntl, low[i], F_DUPFD_CLOEXEC, 10);
        EXPECT_GE(fds[i], 10);
        EXPECT_EQ(syscall(SYS_close, low[i]), 0);
    }
}

/* fd, a pipe, is to be read and written this way. */
static void choose(int fd, enum way way)
{
    struct fdrec *rec;

    EXPECT_EQ(mf_adopt(fd), 0);
    rec = mfi_fd_peek(fd);
    EXPECT_EQ(rec->kind, FD_SHARED);
    EXPECT_GE(rec->own, 3);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    if (way == WAY_OWN)
        return;
    EXPECT_EQ(mfi_os_close(rec->own), 0);
    rec->own = -1;
    if (way != WAY_NOWAIT)
        mfi_or_acqrel(&rec->bits, (uint8_t)FD_NO_NOWAIT);
    if (way == WAY_OFFLOAD)
        mfi_and_acqrel(&rec->bits, (uint8_t)~FD_FIFO);
}

/* ---- reading ------------------------------------------------------------- */

enum { BYTES = 1500 / KIT_SLOW, READERS = 3 };

static struct {
    int w; /* the pipe to fd 0 */
    _Atomic int got;
    _Atomic int stolen;
} in;

static int read_some(void *arg)
{
    char buf[2];
    int n;

    (void)arg;
    while ((n = mf_read(0, buf, sizeof buf, late())) > 0)
        in.got += n;
    return n;
}

/* Another process, as far as the kernel is concerned: its own description. */
static void *thief(void *arg)
{
    struct pollfd pfd = {.fd = *(int *)arg, .events = POLLIN};
    char c;
    long n = -1;

    while (n != 0) {
        poll(&pfd, 1, 1000);
        n = syscall(SYS_read, pfd.fd, &c, 1);
        in.stolen += n > 0;
    }
    syscall(SYS_close, pfd.fd);
    return NULL;
}

static int bring(void *arg)
{
    (void)arg;
    for (int i = 0; i < BYTES; i++) {
        EXPECT_EQ(mf_write(in.w, "x", 1, late()), 1);
        if (i % 3 != 0)
            breathe();
    }
    EXPECT_EQ(mf_close(in.w), 0);
    return 0;
}

static int reading(void *arg)
{
    enum way way = *(enum way *)arg;
    pthread_t thread;
    int p[2], own;

    high_pipe(p);
    in.w = p[1];
    in.got = in.stolen = 0;
    on(p[0], 0);
    EXPECT_GE(own = bare_open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK), 0);
    choose(0, way);
    EXPECT_EQ(pthread_create(&thread, NULL, thief, &own), 0);
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    for (int i = 0; i < READERS; i++)
        mf_go(&s, read_some, NULL);
    mf_go(&s, bring, NULL);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(in.got + in.stolen, BYTES);
    EXPECT_EQ(fcntl(0, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(mf_close(0), 0);
    return 0;
}

MFI_TEST(readers_and_a_thief_share_an_input)
{
    for (enum way way = WAY_OWN; way < WAYS; way++)
        in_tasks(1, reading, &way);
}

/* ---- writing ------------------------------------------------------------- */

enum { MUCH = 300000 };
static char much[MUCH];

static struct {
    int r; /* the pipe from fd 1 */
    size_t got;
} out;

static int drain(void *arg)
{
    static char buf[7000];
    int n;

    (void)arg;
    while ((n = mf_read(out.r, buf, sizeof buf, late())) > 0) {
        out.got += (size_t)n;
        breathe();
    }
    return n;
}

static int write_much(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_write_all(1, much, MUCH, late()), 0);
    return 0;
}

/* Takes away the room that poll has seen. */
static void *filler(void *arg)
{
    struct pollfd pfd = {.fd = *(int *)arg, .events = POLLOUT};
    size_t left = MUCH;

    while (left > 0) {
        long n;

        poll(&pfd, 1, 1000);
        n = syscall(SYS_write, pfd.fd, much, left < 5000 ? left : 5000);
        left -= n > 0 ? (size_t)n : 0;
    }
    syscall(SYS_close, pfd.fd);
    return NULL;
}

static int writing(void *arg)
{
    enum way way = *(enum way *)arg;
    mf_task *writers[2], *reader;
    pthread_t thread;
    int p[2], own, rc;

    high_pipe(p);
    out.r = p[0];
    out.got = 0;
    on(p[1], 1);
    EXPECT_GE(own = bare_open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK), 0);
    choose(1, way);
    while ((rc = mf_write(1, much, 4096, MF_NOW)) > 0)
        out.got -= (size_t)rc; /* those are extra */
    EXPECT_EQ(rc, -ETIMEDOUT);
    EXPECT_EQ(mf_write(1, much, 1, soon()), -ETIMEDOUT);
    EXPECT_EQ(pthread_create(&thread, NULL, filler, &own), 0);
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(mf_spawn(&s, write_much, NULL, NULL, &writers[i]), 0);
    await_parked(writers[1]);
    EXPECT_EQ(mf_spawn(&s, drain, NULL, NULL, &reader), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(mf_join(writers[i], NULL, late()), 0);
    EXPECT_EQ(fcntl(1, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(mf_close(1), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(out.got, (size_t)3 * MUCH);
    EXPECT_EQ(mf_close(out.r), 0);
    return 0;
}

MFI_TEST(writers_and_a_filler_share_an_output)
{
    for (enum way way = WAY_OWN; way < WAYS; way++)
        in_tasks(1, writing, &way);
}

/* ---- ends ---------------------------------------------------------------- */

static int ends(void *arg)
{
    enum way way = *(enum way *)arg;
    struct iovec v[3] = {{much, 0}, {much, 2}, {much + 2, 1}};
    char buf[8];
    int p[2], q[2];

    high_pipe(p);
    high_pipe(q);
    on(p[0], 0);
    on(q[1], 1);
    choose(0, way);
    choose(1, way);
    EXPECT_EQ(mf_read(0, buf, 1, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_read(0, buf, 1, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_write(p[1], "abc", 3, MF_NOW), 3);
    v[1].iov_base = buf;
    v[2].iov_base = buf + 2;
    EXPECT_GE(mf_readv(0, v, 3, late()), 2);
    EXPECT_EQ(memcmp(buf, "ab", 2), 0);
    EXPECT_EQ(mf_close(p[1]), 0);
    while (mf_read(0, buf, sizeof buf, late()) > 0)
        ;
    EXPECT_EQ(mf_read(0, buf, sizeof buf, MF_NOW), 0);
    EXPECT_GE(mf_writev(1, v, 3, late()), 2);
    EXPECT_EQ(mf_close(q[0]), 0);
    EXPECT_EQ(mf_write(1, "x", 1, late()), -EPIPE); /* and no signal */
    EXPECT_EQ(mf_close(0), 0);
    EXPECT_EQ(mf_close(1), 0);
    return 0;
}

MFI_TEST(the_end_and_a_broken_pipe_each_way)
{
    signal(SIGPIPE, SIG_DFL);
    for (enum way way = WAY_OWN; way < WAYS; way++)
        in_both(ends, &way);
}

static int never(void *arg)
{
    char c;

    (void)arg;
    return mf_read(0, &c, 1, MF_NEVER);
}

static int cancelled(void *arg)
{
    mf_task *t;
    int p[2], rc;

    high_pipe(p);
    on(p[0], 0);
    choose(0, *(enum way *)arg);
    MF_SCOPE(s, .mode = MF_WAIT_ALL);
    EXPECT_EQ(mf_spawn(&s, never, NULL, NULL, &t), 0);
    await_waiters(0, 1);
    mf_task_cancel(t);
    EXPECT_EQ(mf_join(t, &rc, late()), 0);
    EXPECT_EQ(rc, -ECANCELED);
    (void)mf_scope_close(&s);
    EXPECT_EQ(mf_close(0), 0);
    EXPECT_EQ(mf_close(p[1]), 0);
    return 0;
}

MFI_TEST(a_cancel_ends_a_wait_each_way)
{
    for (enum way way = WAY_OWN; way < WAYS; way++)
        in_both(cancelled, &way);
}

/* ---- which way ----------------------------------------------------------- */

static int copies(void *arg)
{
    struct fdrec *rec;
    int p[2], copy, own;

    (void)arg;
    high_pipe(p);
    on(p[0], 0);
    copy = bare_dup(0); /* the same description under another number */
    EXPECT_EQ(mf_adopt(copy), 0);
    rec = mfi_fd_peek(copy);
    EXPECT_EQ(rec->kind, FD_SHARED);
    EXPECT_EQ(fcntl(0, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_GE(own = rec->own, 3);
    EXPECT_EQ(mf_release(copy), 0); /* takes its description along */
    EXPECT_EQ(fcntl(own, F_GETFD), -1);
    EXPECT_EQ(fcntl(copy, F_GETFD), 0);
    EXPECT_EQ(mf_adopt(0), 0);
    EXPECT_EQ(mf_close(0), 0);
    EXPECT_EQ(fcntl(own, F_GETFD), -1);
    EXPECT_EQ(mf_close(copy), 0);
    EXPECT_EQ(mf_write(p[1], "x", 1, MF_NOW), -EPIPE); /* none is left */
    EXPECT_EQ(mf_close(p[1]), 0);
    return 0;
}

MFI_TEST(a_copy_of_stdio_is_as_shared_as_stdio)
{
    signal(SIGPIPE, SIG_IGN);
    in_both(copies, NULL);
}

static int adopt_stdin(void *arg)
{
    EXPECT_EQ(mf_adopt(0), 0);
    *(int *)arg = mfi_fd_peek(0)->own;
    return 0;
}

MFI_TEST(the_stop_closes_what_was_opened)
{
    int p[2], own = -1;

    high_pipe(p);
    on(p[0], 0);
    in_tasks(2, adopt_stdin, &own);
    EXPECT_GE(own, 3);
    EXPECT_EQ(fcntl(own, F_GETFD), -1);
    EXPECT_EQ(fcntl(0, F_GETFL) & O_NONBLOCK, 0);
}

static int strange(void *arg)
{
    uint64_t n = 3;
    int fd = (int)syscall(SYS_eventfd2, 0, EFD_CLOEXEC), master;
    char buf[16];

    (void)arg;
    on(fd, 0); /* a counter for an input, why not */
    EXPECT_EQ(mf_read(0, &n, sizeof n, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_write(0, &n, sizeof n, late()), sizeof n);
    n = 0;
    EXPECT_EQ(mf_read(0, &n, sizeof n, late()), sizeof n);
    EXPECT_EQ(n, 3);
    EXPECT_EQ(mf_close(0), 0);
    EXPECT_GE(master = bare_open("/dev/ptmx", O_RDWR | O_NOCTTY), 0);
    EXPECT_EQ(unlockpt(master), 0);
    on(master, 0); /* a pty's master */
    EXPECT_GE(fd = bare_open(ptsname(0), O_RDWR | O_NOCTTY | O_CLOEXEC), 0);
    EXPECT_EQ(mf_read(0, buf, sizeof buf, soon()), -ETIMEDOUT);
    EXPECT_EQ(mfi_fd_peek(0)->own, -1);
    EXPECT_EQ(mf_write(fd, "hi", 2, late()), 2);
    EXPECT_EQ(mf_read(0, buf, sizeof buf, late()), 2);
    EXPECT_EQ(mf_write_all(0, much, 3000, late()), 0);
    EXPECT_EQ(fcntl(0, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(mf_close(0), 0);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(what_cannot_be_opened_again_works_too)
{
    in_both(strange, NULL);
}
