/* SPDX-License-Identifier: MIT */
/*
 * file_test.c - open, sync, stat, names; what the kernel refuses; leaving
 * early; nothing left open.
 */
#include "io/files.h"

#include <sys/mount.h>
#include <sys/resource.h>

static int opens(void *arg)
{
    char name[128];
    int fd, fds = steady_fds();

    (void)arg;
    snprintf(name, sizeof name, "%s", tmp_name("opened"));
    unlink(name);
    EXPECT_EQ(mf_open(name, O_RDONLY, 0, late()), -ENOENT);
    EXPECT_EQ(mf_open(NULL, O_RDONLY, 0, late()), -EINVAL);
    EXPECT_GE(fd = mf_open(name, O_RDWR | O_CREAT | O_EXCL, 0640, late()), 0);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(mf_open(name, O_RDWR | O_CREAT | O_EXCL, 0640, late()), -EEXIST);
    EXPECT_EQ(mf_write(fd, "hello", 5, late()), 5);
    EXPECT_EQ(mf_fsync(fd, 0, late()), 0);
    EXPECT_EQ(mf_fsync(fd, 1, late()), 0);
    EXPECT_EQ(mf_truncate(fd, 3, late()), 0);
    EXPECT_EQ(mf_truncate(fd, -1, late()), -EINVAL);
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_GE(fd = mf_open(name, O_WRONLY | O_APPEND, 0, late()), 0);
    EXPECT_EQ(mf_write(fd, "p", 1, late()), 1);
    EXPECT_EQ(mf_pread(fd, name, 1, 0, late()), -EBADF);
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_EQ(mf_fsync(fd, 0, late()), -EBADF);
    EXPECT_EQ(mf_pread(fd, name, 1, 0, late()), -EBADF);
    EXPECT_EQ(mf_pwrite(-1, name, 1, 0, late()), -EBADF);
    EXPECT_GE(fd = mf_open(name, O_RDONLY | O_NOFOLLOW, 0, late()), 0);
    EXPECT_EQ(mf_pread(fd, name, 10, 0, late()), 4);
    EXPECT_EQ(memcmp(name, "help", 4), 0);
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_GE(fd = mf_open(tmp_dir, O_RDONLY | O_DIRECTORY, 0, late()), 0);
    EXPECT_EQ(mf_read(fd, name, 1, late()), -EISDIR);
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_EQ(count_fds(), fds);
    return 0;
}

MFI_TEST(files_are_opened_written_cut_and_synced)
{
    in_both(opens, NULL);
    EXPECT_EQ(opens(NULL), 0); /* without a runtime */
}

static int stats(void *arg)
{
    char file[128], link[128];
    struct stat a, b;
    int fd;

    (void)arg;
    snprintf(file, sizeof file, "%s", tmp_name("stat"));
    snprintf(link, sizeof link, "%s", tmp_name("link"));
    fd = make_file(file, 12345);
    unlink(link);
    EXPECT_EQ(symlink("stat", link), 0);
    EXPECT_EQ(mf_stat(link, &a, late()), 0);
    EXPECT_EQ(a.st_size, 12345);
    EXPECT(S_ISREG(a.st_mode));
    EXPECT_EQ(mf_fstat(fd, &b, late()), 0);
    EXPECT_EQ(memcmp(&a.st_mtim, &b.st_mtim, sizeof a.st_mtim), 0);
    EXPECT_EQ(a.st_ino, b.st_ino);
    EXPECT_EQ(mf_lstat(link, &b, late()), 0);
    EXPECT(S_ISLNK(b.st_mode));
    EXPECT_EQ(mf_stat("/nowhere/at/all", &b, late()), -ENOENT);
    EXPECT(S_ISLNK(b.st_mode)); /* untouched */
    EXPECT_EQ(mf_stat(file, NULL, late()), -EINVAL);
    EXPECT_EQ(mf_fstat(-1, &b, late()), -EBADF);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(stat_says_what_stat_says)
{
    in_both(stats, NULL);
}

static int names(void *arg)
{
    char dir[128], inner[160], moved[160];

    (void)arg;
    snprintf(dir, sizeof dir, "%s", tmp_name("dir"));
    snprintf(inner, sizeof inner, "%s/inner", dir);
    snprintf(moved, sizeof moved, "%s/moved", dir);
    EXPECT_EQ(mf_mkdir(dir, 0700, late()), 0);
    EXPECT_EQ(mf_mkdir(dir, 0700, late()), -EEXIST);
    close(make_file(inner, 1));
    EXPECT_EQ(mf_rmdir(dir, late()), -ENOTEMPTY);
    EXPECT_EQ(mf_rename(inner, moved, late()), 0);
    EXPECT_EQ(mf_rename(inner, moved, late()), -ENOENT);
    EXPECT_EQ(mf_unlink(inner, late()), -ENOENT);
    EXPECT_EQ(mf_unlink(dir, late()), -EISDIR);
    EXPECT_EQ(mf_rmdir(moved, late()), -ENOTDIR);
    EXPECT_EQ(mf_unlink(moved, late()), 0);
    EXPECT_EQ(mf_rmdir(dir, late()), 0);
    EXPECT_EQ(mf_rename(NULL, dir, late()), -EINVAL);
    EXPECT_EQ(mf_unlink(NULL, late()), -EINVAL);
    return 0;
}

MFI_TEST(names_are_made_moved_and_removed)
{
    in_both(names, NULL);
}

/* Neither end waits for the other. */
static int fifos(void *arg)
{
    char name[128], c;
    int r, w;

    (void)arg;
    snprintf(name, sizeof name, "%s", tmp_name("fifo"));
    unlink(name);
    EXPECT_EQ(mkfifo(name, 0600), 0);
    EXPECT_EQ(mf_open(name, O_WRONLY, 0, MF_NEVER), -ENXIO);
    EXPECT_GE(r = mf_open(name, O_RDONLY, 0, MF_NEVER), 0);
    EXPECT_GE(w = mf_open(name, O_WRONLY, 0, MF_NEVER), 0);
    EXPECT_EQ(mf_read(r, &c, 1, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_write(w, "x", 1, late()), 1);
    EXPECT_EQ(mf_read(r, &c, 1, late()), 1);
    EXPECT_EQ(mf_pread(r, &c, 1, 0, late()), -ESPIPE);
    EXPECT_EQ(mf_close(r), 0);
    EXPECT_EQ(mf_close(w), 0);
    return 0;
}

MFI_TEST(a_fifo_is_opened_at_once)
{
    in_both(fifos, NULL);
}

/* ---- what the kernel refuses -------------------------------------------- */

static int full_device(void *arg)
{
    int fd = mf_open("/dev/full", O_WRONLY, 0, late());

    (void)arg;
    EXPECT_GE(fd, 0);
    EXPECT_EQ(mf_write(fd, "x", 1, late()), -ENOSPC);
    EXPECT_EQ(mf_pwrite(fd, "x", 1, 0, late()), -ENOSPC);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(a_full_device_is_enospc)
{
    in_both(full_device, NULL);
}

static int too_big(void *arg)
{
    static char data[20000];
    int fd =
        mf_open(tmp_name("limited"), O_RDWR | O_CREAT | O_TRUNC, 0600, late());

    (void)arg;
    EXPECT_GE(fd, 0);
    EXPECT_EQ(mf_pwrite(fd, data, sizeof data, 0, late()), 10000);
    EXPECT_EQ(mf_pwrite(fd, data, 1, 10000, late()), -EFBIG);
    EXPECT_EQ(mf_pwrite(fd, data, 1, INT64_MAX - 1, late()), -EFBIG);
    EXPECT_EQ(mf_truncate(fd, 10001, late()), -EFBIG);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(a_file_over_the_limit_is_cut_short_then_efbig)
{
    struct rlimit limit = {10000, 10000};

    signal(SIGXFSZ, SIG_IGN);
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    in_both(too_big, NULL);
}

/* A file system of 64 KiB, in a mount namespace of this process. */
static bool small_tmpfs(const char *where)
{
    if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) < 0)
        return false;
    mkdir(where, 0700);
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("small", where, "tmpfs", 0, "size=64k") == 0;
}

static int fill_up(void *arg)
{
    static char data[100000];
    char name[160];
    struct stat st;
    int fd;

    snprintf(name, sizeof name, "%s/a", (char *)arg);
    EXPECT_EQ(mf_file_write(name, "old", 3, 0600, late()), 0);
    EXPECT_EQ(mf_file_write(name, data, sizeof data, 0600, late()), -ENOSPC);
    EXPECT_EQ(mf_stat(name, &st, late()), 0);
    EXPECT_EQ(st.st_size, 3);
    snprintf(name, sizeof name, "%s/b", (char *)arg);
    EXPECT_GE(fd = mf_open(name, O_RDWR | O_CREAT, 0600, late()), 0);
    EXPECT_EQ(mf_pwrite(fd, data, sizeof data, 0, late()), 61440);
    EXPECT_EQ(mf_pwrite(fd, data, 1, 61440, late()), -ENOSPC);
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_EQ(mf_unlink(name, late()), 0);
    return 0;
}

MFI_TEST(a_device_that_fills_up_takes_a_part_then_is_enospc)
{
    char where[128];

    snprintf(where, sizeof where, "%s", tmp_name("small"));
    if (!small_tmpfs(where))
        MFI_SKIP("no mount namespace to be had");
    in_both(fill_up, where);
    umount(where);
    rmdir(where);
}

/* ---- left early --------------------------------------------------------- */

static int open_it(void *arg)
{
    return mf_open(arg, O_RDONLY, 0, MF_NEVER);
}

static int leave_opens(void *arg)
{
    struct stat st = {.st_size = -7};
    char name[128];
    struct plug p;
    int fds;

    (void)arg;
    snprintf(name, sizeof name, "%s", tmp_name("late"));
    close(make_file(name, 1));
    plug(&p);
    fds = steady_fds();
    EXPECT_EQ(mf_open(name, O_RDONLY, 0, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_open(name, O_RDONLY, 0, soon()), -ETIMEDOUT);
    EXPECT_EQ(cancelled_call(open_it, name), -ECANCELED);
    EXPECT_EQ(mf_stat(name, &st, soon()), -ETIMEDOUT);
    EXPECT_EQ(st.st_size, -7);
    EXPECT_EQ(mf_unlink(name, MF_NOW), -ETIMEDOUT); /* never begins */
    EXPECT_EQ(mf_mkdir(name, 0700, soon()), -ETIMEDOUT);
    EXPECT_EQ(count_fds(), fds);
    unplug(&p);
    EXPECT_EQ(st.st_size, -7);
    EXPECT_EQ(access(name, F_OK), 0);
    await_fds(fds - 2); /* the plug's */
    return 0;
}

MFI_TEST(an_open_that_is_left_leaves_nothing_open)
{
    in_both_one_thread(leave_opens);
}

static int cancelled_before(void *arg)
{
    struct stat st;
    mf_scope s;
    char c;
    int fd = make_file(tmp_name("before"), 5);

    (void)arg;
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_pread(fd, &c, 1, 0, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_read(fd, &c, 1, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_pwrite(fd, "x", 1, 100, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_fsync(fd, 0, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_fstat(fd, &st, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_open("/", O_RDONLY, 0, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_unlink(tmp_name("before"), MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(mf_fstat(fd, &st, MF_NEVER), 0);
    EXPECT_EQ(st.st_size, 5);
    EXPECT_EQ(st.st_nlink, 1);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(who_is_cancelled_before_does_nothing)
{
    in_both(cancelled_before, NULL);
}

/* Many at once, on more files than the pool has threads. */
static int open_and_read(void *arg)
{
    char c;
    int fd;

    for (int i = 0; i < 20; i++) {
        EXPECT_GE(fd = mf_open(arg, O_RDONLY, 0, late()), 0);
        EXPECT_EQ(mf_pread(fd, &c, 1, i, late()), 1);
        EXPECT_EQ(c, byte_at(i));
        EXPECT_EQ(mf_close(fd), 0);
    }
    return 0;
}

static int crowd(void *arg)
{
    char name[128];
    mf_scope s;
    int fds;

    (void)arg;
    snprintf(name, sizeof name, "%s", tmp_name("crowd"));
    close(make_file(name, 100));
    fds = steady_fds();
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < 100 / KIT_SLOW; i++)
        EXPECT_EQ(mf_go(&s, open_and_read, name), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(count_fds(), fds);
    return 0;
}

MFI_TEST(a_crowd_opens_reads_and_closes_and_nothing_leaks)
{
    in_both(crowd, NULL);
}
