/* SPDX-License-Identifier: MIT */
/* dir_test.c - each entry once, also when a reader leaves and comes back. */
#include "io/files.h"

enum { MANY = 10000 / KIT_SLOW, SOME = 3000 / KIT_SLOW };

static char dir_name[128];
static unsigned char seen[MANY];

static int nr;

/* On a disk each costs the test 0.4 ms. */
static void make_entries(const char *where, int n)
{
    int d;

    nr = n;
    snprintf(dir_name, sizeof dir_name, "%s", where);
    EXPECT(mkdtemp(dir_name) != NULL);
    EXPECT_GE(d = open(dir_name, O_RDONLY | O_DIRECTORY), 0);
    for (int i = 0; i < n; i++) {
        char name[32];

        snprintf(name, sizeof name, "entry-%d", i);
        EXPECT_EQ(mknodat(d, name, S_IFREG | 0600, 0), 0);
    }
    close(d);
}

static void remove_entries(void)
{
    int d = open(dir_name, O_RDONLY | O_DIRECTORY);

    for (int i = 0; i < nr; i++) {
        char name[32];

        snprintf(name, sizeof name, "entry-%d", i);
        EXPECT_EQ(unlinkat(d, name, 0), 0);
    }
    close(d);
    EXPECT_EQ(rmdir(dir_name), 0);
}

static void tick_off(const mf_dirent *e)
{
    int i = -1;

    EXPECT_EQ(sscanf(e->name, "entry-%d", &i), 1);
    EXPECT(i >= 0 && i < MANY);
    EXPECT_EQ(seen[i], 0);
    seen[i] = 1;
    EXPECT_NE(e->ino, 0);
    EXPECT(e->type == DT_REG || e->type == DT_UNKNOWN);
}

static int list_all(void *arg)
{
    int fds = steady_fds(), n = 0, rc;
    mf_dirent e;
    mf_dir *d;

    (void)arg;
    memset(seen, 0, sizeof seen);
    EXPECT_EQ(mf_dir_open(dir_name, &d, late()), 0);
    while ((rc = mf_dir_next(d, &e, late())) > 0) {
        tick_off(&e);
        n++;
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(n, nr);
    EXPECT_EQ(mf_dir_next(d, &e, late()), 0);
    EXPECT_EQ(mf_dir_close(d), 0);
    EXPECT_EQ(count_fds(), fds);
    return 0;
}

MFI_TEST(ten_thousand_entries_each_once)
{
    make_entries(access("/dev/shm", W_OK) == 0 ? "/dev/shm/mayfly-test-XXXXXX"
                                               : "/tmp/mayfly-test-XXXXXX",
                 MANY);
    in_both(list_all, NULL);
    EXPECT_EQ(list_all(NULL), 0); /* without a runtime */
    remove_entries();
}

static int refusals(void *arg)
{
    mf_dirent e;
    mf_dir *d = NULL;

    (void)arg;
    EXPECT_EQ(mf_dir_open("/nowhere", &d, late()), -ENOENT);
    EXPECT_EQ(mf_dir_open("/proc/version", &d, late()), -ENOTDIR);
    EXPECT_EQ(mf_dir_open(NULL, &d, late()), -EINVAL);
    EXPECT_EQ(mf_dir_open("/", NULL, late()), -EINVAL);
    EXPECT_EQ(mf_dir_open("/", &d, MF_NOW), -ETIMEDOUT);
    EXPECT(d == NULL);
    EXPECT_EQ(mf_dir_next(NULL, &e, late()), -EINVAL);
    EXPECT_EQ(mf_dir_close(NULL), 0);
    return 0;
}

MFI_TEST(what_is_no_directory_is_not_opened)
{
    in_both(refusals, NULL);
}

static int next_of(void *d)
{
    mf_dirent e;

    return mf_dir_next(d, &e, MF_NEVER);
}

/* Leave and come back at each chunk: nothing is lost, nothing comes twice. */
static int leave_and_return(void *arg)
{
    int n = 0, rc, left = 0, fds;
    struct plug p;
    mf_dirent e;
    mf_dir *d;

    (void)arg;
    memset(seen, 0, sizeof seen);
    EXPECT_EQ(mf_dir_open(dir_name, &d, late()), 0);
    for (;;) {
        rc = mf_dir_next(d, &e, MF_NOW); /* what needs no kernel */
        if (rc == -ETIMEDOUT) {
            left++;
            plug(&p);
            EXPECT_EQ(mf_dir_next(d, &e, mf_after(MF_MSEC(2))), -ETIMEDOUT);
            EXPECT_EQ(cancelled_call(next_of, d), -ECANCELED);
            unplug(&p);
            rc = mf_dir_next(d, &e, late());
        }
        if (rc <= 0)
            break;
        tick_off(&e);
        n++;
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(n, nr);
    EXPECT_GE(left, 2);
    EXPECT_EQ(mf_dir_close(d), 0);
    /* Closed while a job still reads: the last one out closes the fd. */
    fds = steady_fds();
    EXPECT_EQ(mf_dir_open(dir_name, &d, late()), 0);
    plug(&p);
    EXPECT_EQ(mf_dir_next(d, &e, mf_after(MF_MSEC(2))), -ETIMEDOUT);
    EXPECT_EQ(mf_dir_close(d), 0);
    EXPECT_EQ(count_fds(), fds + 3);
    unplug(&p);
    await_fds(fds);
    return 0;
}

MFI_TEST(who_leaves_and_comes_back_misses_nothing)
{
    make_entries("/tmp/mayfly-test-XXXXXX", SOME);
    in_both_one_thread(leave_and_return);
    remove_entries();
}
