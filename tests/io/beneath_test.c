/* SPDX-License-Identifier: MIT */
/* beneath_test.c - names that stay inside of a directory, and all others. */
#include "io/beneath.h"

#include "io/files.h"

static int root;

static void put(const char *name, const char *text)
{
    int fd = openat(root, name, O_WRONLY | O_CREAT, 0644);

    EXPECT(fd >= 0);
    EXPECT_EQ(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* root/{file, dir/{in, up -> ../file, out -> ../../secret}, abs -> /etc/passwd,
 * here -> dir, fifo} and secret beside it. */
static void tree(void)
{
    char path[128];

    snprintf(path, sizeof path, "%s", tmp_name("root"));
    EXPECT_EQ(mkdir(path, 0755), 0);
    root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    EXPECT(root >= 0);
    EXPECT_EQ(mkdirat(root, "dir", 0755), 0);
    put("file", "file");
    put("dir/in", "in");
    put("../secret", "secret");
    EXPECT_EQ(symlinkat("../file", root, "dir/up"), 0);
    EXPECT_EQ(symlinkat("../../secret", root, "dir/out"), 0);
    EXPECT_EQ(symlinkat("/etc/passwd", root, "abs"), 0);
    EXPECT_EQ(symlinkat("dir", root, "here"), 0);
    EXPECT_EQ(mkfifoat(root, "fifo", 0644), 0);
}

static void fell(void)
{
    static const char *const names[] = {"dir/in", "dir/up", "dir/out", "abs",
                                        "here",   "fifo",   "file",    "gone"};
    size_t i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        unlinkat(root, names[i], 0);
    unlinkat(root, "dir", AT_REMOVEDIR);
    unlinkat(root, "../root", AT_REMOVEDIR);
    close(root);
}

static bool has_openat2(void)
{
    return syscall(SYS_openat2, -1, NULL, NULL, 0) == -1 && errno != ENOSYS &&
           errno != EPERM;
}

static int opens(const char *name, int flags)
{
    struct stat st = {.st_size = 77};
    int fd = mf_open_beneath(root, name, flags, &st, late());

    if (fd < 0) {
        EXPECT_EQ(st.st_size, 77); /* untouched */
        return fd;
    }
    EXPECT_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    EXPECT_EQ(mf_close(fd), 0);
    return S_ISREG(st.st_mode) ? (int)st.st_size : S_ISDIR(st.st_mode) ? 0 : 1;
}

static int names(void *arg)
{
    bool links = has_openat2();

    (void)arg;
    EXPECT_EQ(opens("file", O_RDONLY), 4);
    EXPECT_EQ(opens("dir/in", O_RDONLY), 2);
    EXPECT_EQ(opens("./dir//in", O_RDONLY), 2);
    EXPECT_EQ(opens("dir", O_RDONLY), 0);
    EXPECT_EQ(opens("dir/", O_RDONLY | O_DIRECTORY), 0);
    EXPECT_EQ(opens(".", O_RDONLY), 0);
    EXPECT_EQ(opens("fifo", O_RDONLY), 1);
    EXPECT_EQ(opens("file/", O_RDONLY), -ENOTDIR);
    EXPECT_EQ(opens("file/x", O_RDONLY), -ENOTDIR);
    EXPECT_EQ(opens("none", O_RDONLY), -ENOENT);
    EXPECT_EQ(opens("", O_RDONLY), -ENOENT);
    EXPECT_EQ(opens("dir/up", O_RDONLY), links ? 4 : -ELOOP);
    EXPECT_EQ(opens("here/in", O_RDONLY), links ? 2 : -ENOTDIR);
    EXPECT_EQ(opens("here", O_RDONLY | O_NOFOLLOW), -ELOOP);
    EXPECT_EQ(opens("/etc/passwd", O_RDONLY), -EXDEV);
    EXPECT_EQ(opens("..", O_RDONLY), -EXDEV);
    EXPECT_EQ(opens("../secret", O_RDONLY), -EXDEV);
    EXPECT_EQ(opens("dir/../../secret", O_RDONLY), -EXDEV);
    EXPECT_EQ(opens("dir/out", O_RDONLY), links ? -EXDEV : -ELOOP);
    EXPECT_EQ(opens("abs", O_RDONLY), links ? -EXDEV : -ELOOP);
    return 0;
}

MFI_TEST(only_what_is_inside_is_opened)
{
    MFI_SIM_SKIP("files are not simulated");
    tree();
    in_tasks(1, names, NULL);
    in_thread(names, NULL);
    fell();
}

static int misuse(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_open_beneath(root, NULL, O_RDONLY, NULL, late()), -EINVAL);
    EXPECT_EQ(mf_open_beneath(root, "file", O_RDWR, NULL, late()), -EINVAL);
    EXPECT_EQ(mf_open_beneath(root, "gone", O_CREAT, NULL, late()), -EINVAL);
    EXPECT_EQ(mf_open_beneath(root, ".", O_TMPFILE | O_RDWR, NULL, late()),
              -EINVAL);
    EXPECT_EQ(mf_open_beneath(-1, "file", O_RDONLY, NULL, late()), -EBADF);
    EXPECT_EQ(opens("file", O_RDONLY), 4);
    return 0;
}

MFI_TEST(nothing_is_made_and_nothing_written)
{
    MFI_SIM_SKIP("files are not simulated");
    tree();
    in_tasks(1, misuse, NULL);
    fell();
}

static long walks(const char *name, int flags)
{
    struct stat st;
    long fd = mfi_beneath_walk(root, name, flags | O_NONBLOCK);

    if (fd < 0)
        return fd;
    EXPECT_EQ(fstat((int)fd, &st), 0);
    close((int)fd);
    return S_ISREG(st.st_mode) ? st.st_size : S_ISDIR(st.st_mode) ? 0 : 1;
}

MFI_TEST(the_walk_without_openat2_follows_no_links)
{
    char longest[400] = "dir/";
    int before;

    MFI_SIM_SKIP("files are not simulated");
    tree();
    before = dup(0);
    EXPECT_EQ(walks("file", O_RDONLY), 4);
    EXPECT_EQ(walks("./dir//in", O_RDONLY), 2);
    EXPECT_EQ(walks("dir/", O_RDONLY), 0);
    EXPECT_EQ(walks("dir/.", O_RDONLY), 0);
    EXPECT_EQ(walks("fifo", O_RDONLY), 1);
    EXPECT_EQ(walks("file/", O_RDONLY), -ENOTDIR);
    EXPECT_EQ(walks("file/x", O_RDONLY), -ENOTDIR);
    EXPECT_EQ(walks("dir/none/x", O_RDONLY), -ENOENT);
    EXPECT_EQ(walks("", O_RDONLY), -ENOENT);
    EXPECT_EQ(walks("/", O_RDONLY), -EXDEV);
    EXPECT_EQ(walks("/etc/passwd", O_RDONLY), -EXDEV);
    EXPECT_EQ(walks("..", O_RDONLY), -EXDEV);
    EXPECT_EQ(walks("dir/../file", O_RDONLY), -EXDEV);
    EXPECT_EQ(walks("dir/up", O_RDONLY), -ELOOP);
    EXPECT_EQ(walks("abs", O_RDONLY), -ELOOP);
    EXPECT_EQ(walks("here/in", O_RDONLY), -ENOTDIR);
    memset(longest + 4, 'x', 300);
    EXPECT_EQ(walks(longest, O_RDONLY), -ENAMETOOLONG);
    close(before);
    EXPECT_EQ(dup(0), before); /* no fd was left */
    close(before);
    fell();
}

/* A directory on the way becomes a link out of the root, and back. */
static _Atomic int enough;

static void *swaps(void *arg)
{
    (void)arg;
    while (!enough) {
        EXPECT_EQ(renameat(root, "dir", root, "gone"), 0);
        EXPECT_EQ(symlinkat("..", root, "dir"), 0);
        EXPECT_EQ(unlinkat(root, "dir", 0), 0);
        EXPECT_EQ(renameat(root, "gone", root, "dir"), 0);
        sched_yield(); /* so that the others meet it in place as well */
    }
    return NULL;
}

static int races(void *arg)
{
    mf_deadline end = late();
    int inside = 0;

    (void)arg;
    for (int i = 0; i < 20000 / KIT_SLOW || inside == 0; i++) {
        /* Outside it would be the file of 6 bytes. */
        EXPECT(opens("dir/secret", O_RDONLY) < 0);
        EXPECT(walks("dir/secret", O_RDONLY) < 0);
        inside += opens("dir/in", O_RDONLY) == 2;
        EXPECT_LT(mf_now(), end.at);
    }
    return 0;
}

MFI_TEST(who_moves_directories_does_not_get_us_out)
{
    pthread_t thread;

    MFI_SIM_SKIP("files are not simulated");
    tree();
    EXPECT_EQ(pthread_create(&thread, NULL, swaps, NULL), 0);
    in_tasks(2, races, NULL);
    enough = 1;
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    fell();
}
