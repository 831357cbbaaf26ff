/* SPDX-License-Identifier: MIT */
/* whole_test.c - whole files: read, replaced in one step, left alone. */
#include "io/files.h"

static void expect_file(const char *path, size_t len)
{
    void *data = NULL;
    size_t got = 0;

    EXPECT_EQ(mf_file_read(path, 0, &data, &got, late()), 0);
    EXPECT_EQ(got, len);
    expect_bytes(data, len, 0);
    EXPECT_EQ(((char *)data)[len], 0);
    free(data);
}

static int reads(void *arg)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 3000000};
    int fds = steady_fds();
    void *data = NULL;
    size_t len = 99;

    (void)arg;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const char *name = tmp_name("whole");

        close(make_file(name, sizes[i]));
        expect_file(name, sizes[i]);
        if (sizes[i] < 2)
            continue;
        EXPECT_EQ(mf_file_read(name, sizes[i] - 1, &data, &len, late()),
                  -EFBIG);
        EXPECT(data == NULL);
        EXPECT_EQ(mf_file_read(name, sizes[i], &data, &len, late()), 0);
        EXPECT_EQ(len, sizes[i]);
        free(data);
        data = NULL;
    }
    EXPECT_EQ(mf_file_read("/nowhere", 0, &data, &len, late()), -ENOENT);
    EXPECT_EQ(mf_file_read("/", 0, &data, &len, late()), -EISDIR);
    EXPECT_EQ(mf_file_read("/dev/zero", 100000, &data, &len, late()), -EFBIG);
    EXPECT_EQ(mf_file_read("/", 0, NULL, &len, late()), -EINVAL);
    EXPECT(data == NULL);
    EXPECT_EQ(mf_file_read("/proc/self/maps", 0, &data, &len, late()), 0);
    EXPECT_GT(len, 100);
    EXPECT_STR_HAS(data, "[stack]");
    EXPECT_EQ(strlen(data), len);
    free(data);
    EXPECT_EQ(count_fds(), fds);
    return 0;
}

MFI_TEST(a_file_is_read_whole_whatever_its_size)
{
    in_both(reads, NULL);
    EXPECT_EQ(reads(NULL), 0);
}

static int write_fifo(void *arg)
{
    int fd = *(int *)arg;

    EXPECT_EQ(mf_write_all(fd, "ab", 2, late()), 0);
    for (int i = 0; i < 100; i++)
        breathe();
    EXPECT_EQ(mf_write_all(fd, "cd", 2, late()), 0);
    return mf_close(fd);
}

/* A FIFO that says nothing: waited for, and left. */
static int fifo(void *arg)
{
    char name[128];
    struct helper h;
    void *data = NULL;
    size_t len;
    int r, w, fds = steady_fds();

    (void)arg;
    snprintf(name, sizeof name, "%s", tmp_name("f"));
    unlink(name);
    EXPECT_EQ(mkfifo(name, 0600), 0);
    EXPECT_GE(r = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC), 0);
    EXPECT_GE(w = open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC), 0);
    EXPECT_EQ(mf_file_read(name, 0, &data, &len, soon()), -ETIMEDOUT);
    EXPECT(data == NULL);
    await_fds(fds + 2);
    help(&h, write_fifo, &w);
    EXPECT_EQ(mf_file_read(name, 0, &data, &len, late()), 0);
    EXPECT_EQ(len, 4);
    EXPECT_STR_EQ(data, "abcd");
    free(data);
    EXPECT_EQ(helped(&h), 0);
    close(r); /* so that the writer had a reader from the start */
    EXPECT_EQ(count_fds(), fds);
    return 0;
}

MFI_TEST(a_fifo_that_says_nothing_is_left_in_time)
{
    in_both(fifo, NULL);
}

static int replaces(void *arg)
{
    static char data[100000];
    int fds = steady_fds();
    char name[128], longest[400];
    struct stat st;

    (void)arg;
    fill_bytes(data, sizeof data, 0);
    snprintf(name, sizeof name, "%s", tmp_name("replaced"));
    unlink(name);
    umask(022);
    EXPECT_EQ(mf_file_write(name, data, 10, 0666, late()), 0);
    expect_file(name, 10);
    EXPECT_EQ(stat(name, &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0644);
    EXPECT_EQ(chmod(name, 0751), 0);
    EXPECT_EQ(mf_file_write(name, data, sizeof data, 0600, late()), 0);
    expect_file(name, sizeof data);
    EXPECT_EQ(stat(name, &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0751);
    EXPECT_EQ(mf_file_write(name, NULL, 0, 0600, late()), 0);
    expect_file(name, 0);
    EXPECT_EQ(tmp_count(), 1);
    EXPECT_EQ(mf_file_write(tmp_dir, data, 5, 0600, late()), -EISDIR);
    EXPECT_EQ(mf_file_write("/nowhere/x", data, 5, 0600, late()), -ENOENT);
    EXPECT_EQ(mf_file_write(name, NULL, 5, 0600, late()), -EINVAL);
    snprintf(longest, sizeof longest, "%s/%0255d", tmp_dir, 1);
    EXPECT_EQ(mf_file_write(longest, data, 5, 0600, late()), 0);
    expect_file(longest, 5);
    EXPECT_EQ(unlink(longest), 0);
    EXPECT_EQ(tmp_count(), 1);
    EXPECT_EQ(count_fds(), fds);
    return 0;
}

MFI_TEST(a_file_is_replaced_and_nothing_stays_beside_it)
{
    in_both(replaces, NULL);
}

/* ---- readers meanwhile -------------------------------------------------- */

struct race {
    const char *name;
    _Atomic uint32_t over;
    _Atomic uint32_t reads;
};

/* Each version is one letter over and over, and its length says which. */
static int read_versions(void *arg)
{
    struct race *r = arg;

    while (mfi_load_acq(&r->over) == 0) {
        size_t len;
        char *data;

        EXPECT_EQ(mf_file_read(r->name, 0, (void **)&data, &len, late()), 0);
        EXPECT_GE(len, 10000);
        for (size_t i = 0; i < len; i++)
            EXPECT_EQ(data[i], (char)('a' + len % 26));
        free(data);
        mfi_add_acqrel(&r->reads, 1u);
    }
    return 0;
}

static int race(void *arg)
{
    struct race r = {.name = arg};
    static char data[20000];
    mf_scope s;

    memset(data, 'a' + 10000 % 26, sizeof data);
    EXPECT_EQ(mf_file_write(r.name, data, 10000, 0600, late()), 0);
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_go(&s, read_versions, &r), 0);
    for (size_t i = 0; i < 60 / KIT_SLOW || r.reads < 20; i++) {
        size_t len = 10000 + i % 5000;

        memset(data, (char)('a' + len % 26), len);
        EXPECT_EQ(mf_file_write(r.name, data, len, 0600, late()), 0);
    }
    mfi_store_rel(&r.over, 1u);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(tmp_count(), 1);
    return 0;
}

MFI_TEST(a_reader_finds_the_old_or_the_new_never_a_part)
{
    char name[128];

    snprintf(name, sizeof name, "%s", tmp_name("versions"));
    in_both(race, name);
}

/* ---- left early --------------------------------------------------------- */

static int write_new(void *name)
{
    return mf_file_write(name, "new", 3, 0600, MF_NEVER);
}

static int leave(void *arg)
{
    void *data = NULL;
    size_t len;
    struct plug p;
    char name[128];

    (void)arg;
    snprintf(name, sizeof name, "%s", tmp_name("kept"));
    close(make_file(name, 100));
    plug(&p);
    EXPECT_EQ(mf_file_write(name, "new", 3, 0600, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_file_write(name, "new", 3, 0600, soon()), -ETIMEDOUT);
    EXPECT_EQ(cancelled_call(write_new, name), -ECANCELED);
    EXPECT_EQ(mf_file_read(name, 0, &data, &len, soon()), -ETIMEDOUT);
    EXPECT(data == NULL);
    unplug(&p);
    expect_file(name, 100); /* they had not begun: it stays */
    EXPECT_EQ(tmp_count(), 1);
    return 0;
}

MFI_TEST(a_replacement_that_is_left_before_it_begins_does_not_happen)
{
    in_both_one_thread(leave);
}
