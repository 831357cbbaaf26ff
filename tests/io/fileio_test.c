/* SPDX-License-Identifier: MIT */
/*
 * fileio_test.c - reading and writing files: in pieces, cold and warm, at a
 * position and at their own, by several at once, and left early.
 */
#include "io/fileio.h"
#include "io/files.h"

enum { BIG = 3 * (1 << 20) + 17 };
static char buf[BIG + 100];

static void read_all_ways(int fd)
{
    struct iovec iov[5] = {{buf, 3},
                           {buf, 0},
                           {buf + 3, (1 << 20) + 1},
                           {buf + (1 << 20) + 4, 4093},
                           {buf + (1 << 20) + 4097, BIG}};

    memset(buf, -1, sizeof buf);
    EXPECT_EQ(mf_pread(fd, buf, sizeof buf, 0, late()), BIG);
    expect_bytes(buf, BIG, 0);
    chill(fd);
    memset(buf, -1, sizeof buf);
    EXPECT_EQ(mf_preadv(fd, iov, 5, 5, late()), BIG - 5);
    expect_bytes(buf, BIG - 5, 5);
    EXPECT_EQ(mf_pread(fd, buf, 100, BIG - 1, late()), 1);
    EXPECT_EQ(mf_pread(fd, buf, 100, BIG, late()), 0);
    EXPECT_EQ(mf_pread(fd, buf, 100, INT64_MAX - 200, late()), 0);
    EXPECT_EQ(mf_pread(fd, buf, 0, 7, late()), 0);
    EXPECT_EQ(mf_preadv(fd, iov, 0, 7, late()), 0);
    EXPECT_EQ(mf_pread(fd, buf, 1, -1, late()), -EINVAL);
    EXPECT_EQ(mf_preadv(fd, NULL, 1, 0, late()), -EINVAL);
}

static void read_on(int fd)
{
    int64_t at = 0;
    int n;

    EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
    while ((n = mf_read(fd, buf, 70000, late())) > 0) {
        expect_bytes(buf, (size_t)n, at);
        at += n;
        EXPECT_EQ(lseek(fd, 0, SEEK_CUR), at);
    }
    EXPECT_EQ(n, 0);
    EXPECT_EQ(at, BIG);
}

static int reads(void *arg)
{
    int fd = make_file(arg, BIG);

    for (int warm = 0; warm < 2; warm++) {
        if (!warm)
            chill(fd);
        read_all_ways(fd);
        if (!warm)
            chill(fd);
        read_on(fd);
    }
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(what_is_read_is_what_is_there_cold_or_warm)
{
    char name[128];

    snprintf(name, sizeof name, "%s", tmp_name("reads"));
    in_both(reads, name);
    EXPECT_EQ(reads(name), 0); /* without a runtime */
}

/* tmpfs knows no RWF_NOWAIT: all of it goes to the pool. */
MFI_TEST(on_tmpfs_too)
{
    char name[] = "/dev/shm/mayfly-test-XXXXXX";
    int fd = mkstemp(name);

    if (fd < 0)
        MFI_SKIP("no /dev/shm");
    close(fd);
    in_both(reads, name);
    unlink(name);
}

static int writes(void *arg)
{
    int fd = make_file(tmp_name("writes"), 0);
    struct iovec iov[3] = {
        {buf, 1}, {buf + 1, BIG / 2}, {buf + 1 + BIG / 2, 9}};
    int64_t far = INT64_C(5) << 30;

    (void)arg;
    fill_bytes(buf, BIG, 0);
    EXPECT_EQ(mf_pwrite(fd, buf, BIG, 0, late()), BIG);
    EXPECT_EQ(mf_pwritev(fd, iov, 3, far, late()), BIG / 2 + 10);
    EXPECT_EQ(mf_pwrite(fd, buf, 0, 0, late()), 0);
    memset(buf, 0, sizeof buf);
    EXPECT_EQ(mf_pread(fd, buf, BIG / 2 + 11, far, late()), BIG / 2 + 10);
    expect_bytes(buf, BIG / 2 + 10, 0);
    EXPECT_EQ(mf_pread(fd, buf, BIG, 0, late()), BIG);
    expect_bytes(buf, BIG, 0);
    EXPECT_EQ(mf_pread(fd, buf, 10, far - 5, late()), 10); /* the hole */
    EXPECT_EQ(buf[4], 0);
    EXPECT_EQ(buf[5], byte_at(0));
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(what_is_written_is_there_also_beyond_4_gib)
{
    in_both(writes, NULL);
}

/* ---- one position, several who use it ----------------------------------- */

enum { PAGE = 4096, PAGES = 1000 / KIT_SLOW, TASKS = 4 };

struct share {
    int fd;
    bool append;
    _Atomic uint32_t taken[1000];
    _Atomic uint32_t ended;
};

static int take_pages(void *arg)
{
    struct share *s = arg;
    uint32_t page[PAGE / 4];
    int n;

    while ((n = mf_read(s->fd, page, sizeof page, late())) > 0) {
        EXPECT_EQ(n, PAGE);
        EXPECT_LT(page[0], PAGES);
        mfi_add_acqrel(&s->taken[page[0]], 1u);
    }
    EXPECT_EQ(n, 0);
    mfi_add_acqrel(&s->ended, 1u);
    return 0;
}

static int share_reads(void *arg)
{
    struct share s = {.fd = make_file(tmp_name("shared"), 0)};
    uint32_t page[PAGE / 4] = {0};
    mf_scope scope;

    (void)arg;
    for (page[0] = 0; page[0] < PAGES; page[0]++)
        EXPECT_EQ(pwrite(s.fd, page, PAGE, (off_t)page[0] * PAGE), PAGE);
    EXPECT_EQ(lseek(s.fd, 0, SEEK_SET), 0);
    chill(s.fd);
    EXPECT_EQ(mf_scope_open(&scope, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_go(&scope, take_pages, &s), 0);
    while (mfi_load_acq(&s.ended) < TASKS) { /* cold again and again */
        posix_fadvise(s.fd, 0, 0, POSIX_FADV_DONTNEED);
        breathe();
    }
    EXPECT_EQ(mf_scope_close(&scope), 0);
    for (int i = 0; i < PAGES; i++)
        EXPECT_EQ(s.taken[i], 1);
    EXPECT_EQ(mf_close(s.fd), 0);
    return 0;
}

MFI_TEST(readers_that_share_a_position_get_each_page_once)
{
    in_both(share_reads, NULL);
}

static int put_lines(void *arg)
{
    struct share *s = arg;
    uint32_t line[16];

    for (int i = 0; i < 100 / KIT_SLOW; i++) {
        for (int k = 0; k < 16; k++)
            line[k] = (uint32_t)i;
        EXPECT_EQ(mf_write(s->fd, line, sizeof line, late()), sizeof line);
    }
    return 0;
}

static int share_writes(void *arg)
{
    struct share s = {.fd = make_file(tmp_name("lines"), 0)};
    uint32_t line[16], sum = 0, n = 0, each = 100 / KIT_SLOW;
    mf_scope scope;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&scope, NULL), 0);
    for (int i = 0; i < TASKS; i++)
        EXPECT_EQ(mf_go(&scope, put_lines, &s), 0);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    EXPECT_EQ(lseek(s.fd, 0, SEEK_SET), 0);
    while (read(s.fd, line, sizeof line) == sizeof line) {
        for (int k = 1; k < 16; k++)
            EXPECT_EQ(line[k], line[0]);
        sum += line[0];
        n++;
    }
    EXPECT_EQ(n, TASKS * each);
    EXPECT_EQ(sum, TASKS * each * (each - 1) / 2);
    EXPECT_EQ(mf_close(s.fd), 0);
    return 0;
}

MFI_TEST(writers_that_share_a_position_overwrite_nothing)
{
    in_both(share_writes, NULL);
}

/* ---- left early --------------------------------------------------------- */

static int read_first(void *arg)
{
    return mf_read(*(int *)arg, buf, 20, MF_NEVER);
}

static int pread_first(void *arg)
{
    return mf_pread(*(int *)arg, buf, 20, 0, MF_NEVER);
}

/* /proc knows no RWF_NOWAIT either: reading it needs the pool. */
static int leave_reads(void *arg)
{
    int fd = open("/proc/version", O_RDONLY | O_CLOEXEC);
    struct plug p;

    (void)arg;
    EXPECT_GE(fd, 0);
    memset(buf, 'u', 100);
    plug(&p);
    EXPECT_EQ(mf_read(fd, buf, 20, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_read(fd, buf, 20, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_pread(fd, buf, 20, 0, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_fd_timeouts(fd, MF_MSEC(2), 0), 0);
    EXPECT_EQ(mf_pread(fd, buf, 20, 0, MF_NEVER), -ETIMEDOUT);
    EXPECT_EQ(mf_fd_timeouts(fd, 0, 0), 0);
    EXPECT_EQ(cancelled_call(read_first, &fd), -ECANCELED);
    EXPECT_EQ(cancelled_call(pread_first, &fd), -ECANCELED);
    unplug(&p);
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(buf[i], 'u');
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
    EXPECT_EQ(mf_read(fd, buf, 6, late()), 6);
    EXPECT_EQ(mf_read(fd, buf + 6, 7, late()), 7);
    buf[13] = '\0';
    EXPECT_STR_EQ(buf, "Linux version");
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(a_read_that_is_left_touches_no_buffer_and_moves_no_position)
{
    in_both_one_thread(leave_reads);
}

/* Whether a write needs the pool is the file system's to say. */
static bool writes_wait(int fd)
{
    struct iovec iov = {buf, 1};
    long n = syscall(SYS_pwritev2, fd, &iov, 1, 0, 0, 8);

    return n < 0;
}

static int leave_writes(void *arg)
{
    int fd = make_file(tmp_name("left"), 0);
    struct plug p;

    (void)arg;
    if (!writes_wait(fd))
        MFI_SKIP("writes are done on the spot here");
    plug(&p);
    memset(buf, 'a', 50);
    EXPECT_EQ(mf_write(fd, buf, 50, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_pwrite(fd, buf, 50, 100, soon()), -ETIMEDOUT);
    memset(buf, 'b', 50); /* ours again */
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_GE(fcntl(fd, F_GETFD), 0); /* the jobs still have it */
    unplug(&p);
    EXPECT_LT(fcntl(fd, F_GETFD), 0);
    EXPECT_GE(fd = open(tmp_name("left"), O_RDONLY | O_CLOEXEC), 0);
    EXPECT_EQ(mf_pread(fd, buf, 300, 0, late()), 150);
    for (int i = 0; i < 50; i++) {
        EXPECT_EQ(buf[i], 'a');
        EXPECT_EQ(buf[100 + i], 'a');
    }
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(a_write_that_is_left_writes_what_was_given_to_the_right_file)
{
    in_both_one_thread(leave_writes);
}

/* ---- signals ------------------------------------------------------------ */

static _Atomic uint32_t strikes;

struct striker {
    pthread_t to;
    _Atomic uint32_t over;
};

static void on_usr2(int signo)
{
    (void)signo;
    mfi_add_acqrel(&strikes, 1u);
}

static void *strike_it(void *arg)
{
    struct striker *s = arg;

    while (mfi_load_acq(&s->over) == 0) {
        pthread_kill(s->to, SIGUSR2);
        sched_yield();
    }
    return NULL;
}

MFI_TEST(signals_break_nothing_off)
{
    struct striker s = {.to = pthread_self()};
    struct sigaction sa = {.sa_handler = on_usr2}; /* no SA_RESTART */
    pthread_t other;
    int fd;

    EXPECT_EQ(sigaction(SIGUSR2, &sa, NULL), 0);
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 1)), 0);
    EXPECT_EQ(pthread_create(&other, NULL, strike_it, &s), 0);
    for (int i = 0; i < 20; i++) {
        fill_bytes(buf, BIG, 0);
        EXPECT_GE(
            fd = mf_open(tmp_name("struck"), O_RDWR | O_CREAT, 0600, late()),
            0);
        EXPECT_EQ(mf_pwrite(fd, buf, 100000, 0, i % 2 ? late() : MF_NEVER),
                  100000);
        EXPECT_EQ(mf_pread(fd, buf, 200000, 0, i % 2 ? late() : MF_NEVER),
                  100000);
        expect_bytes(buf, 100000, 0);
        EXPECT_EQ(mf_close(fd), 0);
    }
    while (mfi_load_acq(&strikes) == 0)
        sched_yield();
    mfi_store_rel(&s.over, 1u);
    pthread_join(other, NULL);
    EXPECT_EQ(mf_stop(late()), 0);
}
