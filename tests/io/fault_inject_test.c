/* SPDX-License-Identifier: MIT */
/*
 * fault_inject_test.c - every system call fails, each time it is made.
 *
 * For each fault of a table and each scene: the first call it is about fails,
 * then the second, and so on until the scene is over before the n-th is made;
 * then a hundred from the first on; then all of them, for ever. Each time the
 * scene must end, in time, with an error or a success: no crash, no fd left
 * open, no byte lost without anybody being told. What was covered is printed.
 */
#include <sys/resource.h>

#include "io/fault_scenes.h"

#define F(nr, e, mode)            \
 {                                \
  SYS_##nr, #nr, e, #e, mode, ANY \
 }
#define F_OP(nr, op, e)                  \
 {                                       \
  SYS_##nr, #nr " " #op, e, #e, FAIL, op \
 }

static const struct fault faults[] = {
    F(recvfrom, EINTR, FAIL),
    F(recvfrom, EAGAIN, FAIL),
    F(recvfrom, ECONNRESET, FAIL),
    F(recvfrom, ENOMEM, FAIL),
    F(recvfrom, 0, SHORT),
    F(sendto, EINTR, FAIL),
    F(sendto, EAGAIN, FAIL),
    F(sendto, ENOBUFS, FAIL),
    F(sendto, ENOMEM, FAIL),
    F(sendto, EPIPE, FAIL),
    F(sendto, 0, SHORT),
    F(recvmsg, EINTR, FAIL),
    F(recvmsg, EAGAIN, FAIL),
    F(recvmsg, ENOMEM, FAIL),
    F(recvmsg, 0, SHORT),
    F(sendmsg, EINTR, FAIL),
    F(sendmsg, EAGAIN, FAIL),
    F(sendmsg, ENOBUFS, FAIL),
    F(sendmsg, ENOMEM, FAIL),
    F(sendmsg, 0, SHORT),
    F(read, EINTR, FAIL),
    F(read, EAGAIN, FAIL),
    F(read, EIO, FAIL),
    F(read, 0, SHORT),
    F(readv, EINTR, FAIL),
    F(readv, EAGAIN, FAIL),
    F(readv, ENOMEM, FAIL),
    F(readv, 0, SHORT),
    F(preadv2, EINTR, FAIL),
    F(preadv2, EAGAIN, FAIL),
    F(preadv2, EIO, FAIL),
    F(preadv2, EOPNOTSUPP, FAIL),
    F(pread64, EINTR, FAIL),
    F(pread64, EIO, FAIL),
    F(pwritev2, EINTR, FAIL),
    F(pwritev2, EAGAIN, FAIL),
    F(pwritev2, ENOSPC, FAIL),
    F(lseek, ESPIPE, FAIL),
    F(write, EINTR, FAIL),
    F(write, EAGAIN, FAIL),
    F(write, ENOSPC, FAIL),
    F(write, 0, SHORT),
    F(writev, EINTR, FAIL),
    F(writev, EAGAIN, FAIL),
    F(writev, ENOMEM, FAIL),
    F(writev, 0, SHORT),
    F(accept4, EINTR, FAIL),
    F(accept4, EAGAIN, FAIL),
    F(accept4, ECONNABORTED, FAIL),
    F(accept4, EPROTO, FAIL),
    F(accept4, EPERM, FAIL),
    F(accept4, EMFILE, FAIL),
    F(accept4, ENFILE, FAIL),
    F(accept4, ENOBUFS, FAIL),
    F(accept4, ENOMEM, FAIL),
    F(connect, EINTR, FAIL),
    F(connect, EAGAIN, FAIL),
    F(connect, ECONNREFUSED, FAIL),
    F(connect, ENOBUFS, FAIL),
    F(connect, EADDRNOTAVAIL, FAIL),
    F(socket, EMFILE, FAIL),
    F(socket, ENFILE, FAIL),
    F(socket, ENOBUFS, FAIL),
    F(socket, ENOMEM, FAIL),
    F(bind, EADDRINUSE, FAIL),
    F(listen, EADDRINUSE, FAIL),
    F(setsockopt, ENOMEM, FAIL),
    F(getsockopt, ENOBUFS, FAIL),
    F(getsockname, ENOBUFS, FAIL),
    F(shutdown, ENOTCONN, FAIL),
    F(close, EINTR, FAIL_AFTER),
    F(close, EIO, FAIL_AFTER),
    F(statx, ENOMEM, FAIL),
    F_OP(fcntl, F_SETFL, ENOMEM),
    F(epoll_create1, EMFILE, FAIL),
    F(epoll_create1, ENFILE, FAIL),
    F(epoll_create1, ENOMEM, FAIL),
    F_OP(epoll_ctl, EPOLL_CTL_ADD, ENOSPC),
    F_OP(epoll_ctl, EPOLL_CTL_ADD, ENOMEM),
    F_OP(epoll_ctl, EPOLL_CTL_MOD, ENOMEM),
    F(epoll_pwait, EINTR, FAIL),
    F(ppoll, EINTR, FAIL),
    F(ppoll, ENOMEM, FAIL),
    F(eventfd2, EMFILE, FAIL),
    F(eventfd2, ENFILE, FAIL),
    F(eventfd2, ENOMEM, FAIL),
    F(timerfd_create, EMFILE, FAIL),
    F(timerfd_create, ENFILE, FAIL),
    F(timerfd_create, ENOMEM, FAIL),
    F(timer_create, EAGAIN, FAIL),
    F(timer_settime, EINVAL, FAIL),
    F(mmap, ENOMEM, FAIL),
    F(mprotect, ENOMEM, FAIL),
    F(madvise, EINVAL, FAIL),
    F(madvise, ENOMEM, FAIL),
    F(userfaultfd, EPERM, FAIL),
    F(ioctl, EINVAL, FAIL),
    F(sigaltstack, ENOMEM, FAIL),
    F(futex, EINTR, FAIL),
    F(socketpair, EMFILE, FAIL),
    F(io_uring_setup, EMFILE, FAIL),
    F(io_uring_setup, ENOMEM, FAIL),
    F(io_uring_setup, ENOSYS, FAIL),
    F(io_uring_setup, EPERM, FAIL),
    F(io_uring_setup, 0, SMALL_RING),
    F(io_uring_register, EBUSY, FAIL),
    F(io_uring_enter, EINTR, FAIL),
    F(io_uring_enter, EAGAIN, FAIL),
    F(io_uring_enter, EBUSY, FAIL),
    F(io_uring_enter, ENOMEM, FAIL),
    F(io_uring_enter, EBUSY, HALF),
    F(io_uring_enter, EAGAIN, HALF),
    F(io_uring_enter, 0, SHORT),
    F(io_uring_enter, 0, SHORT_OPS),
};
enum { FAULTS = sizeof faults / sizeof faults[0] };

/* What is called and cannot fail, or whose failure is nobody's to hear of. */
static const long unfailing[] = {
    SYS_sched_yield,  SYS_gettid,  SYS_timerfd_settime, SYS_munmap,
    SYS_timer_delete, SYS_tgkill,  SYS_rt_sigprocmask,  SYS_rt_sigpending,
    SYS_mincore,      SYS_openat,  SYS_clock_gettime,   SYS_rt_sigtimedwait,
    SYS_newfstatat,   SYS_munlock, SYS_getpeername,     SYS_sched_getaffinity,
};

/* ---- watched ------------------------------------------------------------ */

static _Atomic mf_ns since; /* 0: nothing is tried */
static _Atomic uint32_t over;

static void *watch(void *arg)
{
    mf_ns limit = MF_SEC(10) * mfi_test_scale();

    (void)arg;
    while (mfi_load_acq(&over) == 0) {
        mf_ns begin = mfi_load_acq(&since);

        if (begin != 0 && mf_now() - begin > limit)
            SCENE(false && "it ends");
        poll(NULL, 0, 20);
    }
    return NULL;
}

static int open_fds(void)
{
    int n = 0;

    for (int fd = 0; fd < 200; fd++)
        n += syscall(SYS_fcntl, fd, F_GETFD) >= 0;
    return n;
}

/* ---- one fault in one scene --------------------------------------------- */

struct count {
    uint32_t calls;
    uint32_t errors;
    uint32_t successes;
};

typedef int scene_fn(mf_deadline deadline);

static bool unhurried;

/* A kernel that says EAGAIN sends an edge later; this one does not. */
static mf_deadline patience(const struct fault *f, uint32_t times)
{
    if (unhurried)
        return late();
    if (times == EVER)
        return mf_after(MF_MSEC(5));
    return f->err == EAGAIN ? mf_after(MF_MSEC(4)) : late();
}

/* A call in the pool that its caller left holds its fd until it is over. */
static void fds_flat(int before)
{
    int after = open_fds();

    for (int i = 0; i < 2000 * mfi_test_scale() && after != before; i++) {
        if (mf_sleep(MF_MSEC(1)) < 0)
            break;
        after = open_fds();
    }
    if (after != before)
        fprintf(stderr, "# %d fds, then %d\n", before, after);
    SCENE(after == before);
}

/* True: it was struck. */
static bool try(const struct fault *f, scene_fn *scene, uint32_t nth,
                uint32_t times, struct count *count)
{
    int before = open_fds(), rc;
    uint32_t fired;

    doing = f;
    doing_nth = nth;
    doing_times = times;
    if (getenv("FAULT_VERBOSE") != NULL)
        fprintf(stderr, "# %s %s, call %u, %u times\n", f->name, f->err_name,
                nth, times);
    mfi_store_rel(&since, mf_now());
    arm(f, nth, times);
    rc = scene(patience(f, times));
    fired = disarm();
    mfi_store_rel(&since, 0);
    SCENE(rc <= 0);
    fds_flat(before);
    if (fired == 0) {
        if (rc < 0 && (f->err == EAGAIN ||
                       times == EVER)) /* it had little time: once more */
            rc = scene(late());
        SCENE(rc == 0);
        return false;
    }
    *(rc < 0 ? &count->errors : &count->successes) += 1;
    return true;
}

static struct count run_fault(const struct fault *f, scene_fn *scene)
{
    struct count count = {0, 0, 0};

    for (uint32_t n = 1; try(f, scene, n, f->mode == HALF ? 2 : 1, &count); n++)
        count.calls = n;
    if (count.calls > 0) {
        try(f, scene, 1, 100, &count);
        try(f, scene, 1, EVER, &count);
    }
    return count;
}

static void print_count(const struct fault *f, const struct count *c)
{
    printf("# %-24s %-13s %5u %5u %5u\n", f->name,
           f->mode == SHORT        ? "short"
           : f->mode == HALF       ? "half of it"
           : f->mode == SHORT_OPS  ? "short results"
           : f->mode == SMALL_RING ? "small ring"
                                   : f->err_name,
           c->calls, c->errors, c->successes);
}

static void run_faults(const char *name, scene_fn *scene)
{
    uint32_t calls = 0;

    printf("#\n# %s, backend %s\n# %-24s %-13s %5s %5s %5s\n", name,
           getenv("MF_BACKEND") != NULL ? getenv("MF_BACKEND") : "auto",
           "system call", "fails with", "calls", "error", "fine");
    for (int i = 0; i < FAULTS; i++) {
        struct count c = run_fault(&faults[i], scene);

        if (c.calls > 0)
            print_count(&faults[i], &c);
        calls += c.calls;
    }
    printf("# %u calls failed, each by itself\n", calls);
    EXPECT_GT(calls, 0);
}

/* Everything that was called is in the table, or known not to fail. */
static void check_complete(void)
{
    for (long nr = 0; nr < NR_MAX; nr++) {
        bool known = mfi_load_rlx(&calls_seen[nr]) == 0;

        for (int i = 0; i < FAULTS; i++)
            known |= faults[i].nr == nr;
        for (size_t i = 0; i < sizeof unfailing / sizeof unfailing[0]; i++)
            known |= unfailing[i] == nr;
        if (!known)
            mfi_test_fail(__FILE__, __LINE__, "system call %ld to be tried",
                          nr);
    }
}

/* ---- the tests ---------------------------------------------------------- */

static void watched(void (*fn)(scene_fn *scene, const char *name),
                    scene_fn *scene, const char *name)
{
    pthread_t watcher;

    EXPECT_EQ(pthread_create(&watcher, NULL, watch, NULL), 0);
    fn(scene, name);
    mfi_store_rel(&over, 1u);
    EXPECT_EQ(pthread_join(watcher, NULL), 0);
    check_complete();
}

struct job {
    scene_fn *scene;
    const char *name;
};

static int run_job(void *arg)
{
    struct job *job = arg;
    int fds[2];
    char c;

    static const struct fault cold = F(preadv2, EAGAIN, FAIL);

    doing = &faults[0];
    EXPECT_EQ(job->scene(late()), 0); /* what is made once is made */
    arm(&cold, 1, 1);                 /* the ring for files not cached, */
    EXPECT_EQ(job->scene(late()), 0);
    (void)disarm();
    bare_pipe(fds); /* a thread's bell too */
    EXPECT_EQ(mf_read(fds[0], &c, 1, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    settle();
    run_faults(job->name, job->scene);
    EXPECT_EQ(job->scene(late()), 0); /* and all is well after */
    return 0;
}

static void in_a_task(scene_fn *scene, const char *name)
{
    struct job job = {scene, name};

    in_tasks(2, run_job, &job);
}

static void in_a_thread(scene_fn *scene, const char *name)
{
    struct job job = {scene, name};

    in_thread(run_job, &job);
}

MFI_TEST(an_echo_over_tcp)
{
    watched(in_a_task, tcp_scene, "an echo over TCP, tasks");
}

MFI_TEST(an_echo_over_tcp_from_a_thread)
{
    watched(in_a_thread, tcp_scene, "an echo over TCP, thread and task");
}

MFI_TEST(pairs_pipes_and_files)
{
    watched(in_a_task, local_scene, "pairs, pipes, files, tasks");
}

MFI_TEST(pairs_pipes_and_files_from_a_thread)
{
    watched(in_a_thread, local_scene, "pairs, pipes, files, thread and task");
}

MFI_TEST(many_pairs_at_once)
{
    watched(in_a_task, crowd_scene, "six pairs at once, tasks");
}

MFI_TEST(a_select_that_accepts)
{
    watched(in_a_task, select_scene, "select: accept and a pipe, task");
}

MFI_TEST(a_select_that_accepts_in_a_thread)
{
    watched(in_a_thread, select_scene, "select: accept and a pipe, thread");
}

/*
 * Somebody else's stdin, which is never made non-blocking: a poll that was
 * interrupted has not said that a read will not block.
 */
static int read_stdin(mf_deadline deadline)
{
    char c;
    int rc = mf_read(0, &c, 1, deadline);

    SCENE(rc < 0);
    return rc == -ETIMEDOUT ? 0 : rc;
}

static int shared(void *arg)
{
    static const struct fault f = F(ppoll, EINTR, FAIL);
    struct count c = {0, 0, 0};

    for (uint32_t n = 1; n < 10; n++) {
        doing = &f;
        arm(&f, n, n);
        SCENE(read_stdin(MF_NOW) == 0);
        SCENE(read_stdin(soon()) == 0);
        c.calls += disarm();
    }
    EXPECT_GT(c.calls, 0);
    (void)arg;
    return 0;
}

MFI_TEST_T(an_interrupted_poll_says_nothing_of_stdin, 15)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY); /* has no better way */

    EXPECT_GE(master, 0);
    EXPECT_EQ(grantpt(master), 0);
    EXPECT_EQ(unlockpt(master), 0);
    EXPECT_EQ(dup2(master, 0), 0);
    in_both(shared, NULL);
}

/* A number of a chunk that is not there, and cannot be mapped. */
static int far_fd(void *arg)
{
    static const struct fault f = F(mmap, ENOMEM, FAIL);
    int fd = (int)syscall(SYS_fcntl, 2, F_DUPFD, 5000);

    EXPECT_GE(fd, 5000);
    arm(&f, 1, EVER);
    EXPECT_EQ(mf_adopt(fd), -ENOMEM);
    EXPECT_EQ(mf_write(fd, "x", 1, MF_NOW), -ENOMEM);
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_GE(disarm(), 3); /* a worker that starts maps too */
    EXPECT_EQ(syscall(SYS_fcntl, fd, F_GETFD), -1);
    EXPECT_EQ(mf_close(fd), -EBADF);
    (void)arg;
    return 0;
}

MFI_TEST(an_fd_is_closed_without_memory)
{
    struct rlimit limit = {6000, 6000};

    if (MFI_OS_TSAN)
        MFI_SKIP("the sanitizer maps, not we");
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 6000)
        MFI_SKIP("no such numbers here");
    in_both(far_fd, NULL);
}

/* ---- start and stop ----------------------------------------------------- */

static mf_deadline life_deadline;

static int short_life(void *arg)
{
    int rc = local_scene(life_deadline);

    (void)arg;
    return rc < 0 ? rc : mf_sleep(1000);
}

static int life_scene(mf_deadline deadline)
{
    life_deadline = deadline;
    return mf_run(short_life, NULL, MF_OPTIONS(.workers = 2));
}

static void outside(scene_fn *scene, const char *name)
{
    doing = &faults[0];
    EXPECT_EQ(scene(late()), 0);
    run_faults(name, scene);
    EXPECT_EQ(scene(late()), 0);
}

MFI_TEST(start_and_stop)
{
    watched(outside, life_scene, "start, a little, stop");
}

/* Where nobody insists on a ring, none is needed. */
MFI_TEST(no_ring_no_harm)
{
    unsetenv("MF_BACKEND");
    unhurried = true;
    doing = &faults[0];
    for (int i = 0; i < FAULTS; i++)
        if (strncmp(faults[i].name, "io_uring", 8) == 0) {
            struct count c = {0, 0, 0};

            for (uint32_t n = 1; try(&faults[i], life_scene, n, 1, &c); n++)
                ;
            EXPECT_EQ(c.errors, 0);
        }
}
