/* SPDX-License-Identifier: MIT */
/* sockfile_test.c - a stale socket file goes, whatever lives stays. */
#include "net/sockfile.h"

#include <mayfly/unix.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "io/kit.h"

static char folder[] = "/tmp/mayfly-sockfile-XXXXXX";

static char race_path[100];

/* Of the main thread only. */
static const char *path_in(const char *name)
{
    static char path[100];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void make_folder(void)
{
    EXPECT(mkdtemp(folder) != NULL);
    snprintf(race_path, sizeof race_path, "%s/race", folder);
}

static void remove_folder(void)
{
    EXPECT_EQ(rmdir(folder), 0); /* the test left nothing */
}

/* A socket of libc's, bound and then perhaps listening; not the library's. */
static int bound(const char *path, int type, int backlog)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    EXPECT_GE(fd, 0);
    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
    EXPECT_EQ(bind(fd, (const void *)&sun, sizeof sun), 0);
    if (backlog >= 0)
        EXPECT_EQ(listen(fd, backlog), 0);
    return fd;
}

static int there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

MFI_TEST(a_stale_file_of_any_type_is_removed)
{
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};

    make_folder();
    for (int i = 0; i < 3; i++) {
        const char *path = path_in("stale");

        EXPECT_EQ(close(bound(path, types[i], -1)), 0);
        EXPECT(there(path));
        EXPECT_EQ(mfi_sockfile_remove(path), 0);
        EXPECT(!there(path));
        EXPECT_EQ(mfi_sockfile_remove(path), 0); /* it is gone: fine */
    }
    remove_folder();
}

MFI_TEST(a_live_one_stays_and_hears_nothing)
{
    static const struct {
        int type, backlog;
    } lives[] = {{SOCK_STREAM, 5}, {SOCK_STREAM, -1}, /* not listening yet */
                 {SOCK_STREAM, 0}, {SOCK_SEQPACKET, 5}, {SOCK_SEQPACKET, -1},
                 {SOCK_DGRAM, -1}};

    make_folder();
    for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++) {
        const char *path = path_in("live");
        int fd = bound(path, lives[i].type, lives[i].backlog);
        struct pollfd pfd = {.fd = fd, .events = POLLIN};

        EXPECT_EQ(mfi_sockfile_remove(path), -EADDRINUSE);
        EXPECT(there(path));
        if (lives[i].backlog >= 0 || lives[i].type == SOCK_DGRAM)
            EXPECT_EQ(poll(&pfd, 1, 0), 0);
        EXPECT_EQ(close(fd), 0);
        EXPECT_EQ(unlink(path), 0);
    }
    remove_folder();
}

MFI_TEST(what_is_no_socket_stays)
{
    char target[100];
    int fd;

    make_folder();
    snprintf(target, sizeof target, "%s", path_in("target"));
    EXPECT_EQ(close(bound(target, SOCK_STREAM, -1)), 0);
    EXPECT_EQ(symlink(target, path_in("link")), 0);
    EXPECT_EQ(mfi_sockfile_remove(path_in("link")), -EADDRINUSE);
    EXPECT(there(path_in("link")) && there(target));
    EXPECT_EQ(unlink(path_in("link")), 0);
    EXPECT_EQ(unlink(target), 0);

    EXPECT_GE(fd = open(path_in("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600),
              0);
    EXPECT_EQ(close(fd), 0);
    EXPECT_EQ(mfi_sockfile_remove(path_in("file")), -EADDRINUSE);
    EXPECT(there(path_in("file")));
    EXPECT_EQ(mf_unix_listen(path_in("file"), MF_UNIX_OPTIONS(.unlink = 1)),
              -EADDRINUSE);
    EXPECT(there(path_in("file")));
    EXPECT_EQ(unlink(path_in("file")), 0);

    EXPECT_EQ(mkdir(path_in("folder"), 0700), 0);
    EXPECT_EQ(mfi_sockfile_remove(path_in("folder")), -EADDRINUSE);
    EXPECT_EQ(rmdir(path_in("folder")), 0);
    EXPECT_EQ(mfi_sockfile_remove(path_in("file/x")), 0); /* not there */
    remove_folder();
}

static int takes_turn(void *arg)
{
    int fd = mfi_sockfile_turn(arg);

    EXPECT_GE(fd, 0);
    EXPECT_EQ(close(fd), 0);
    return 0;
}

static int waits_for_turn(void *arg)
{
    int mine = mfi_sockfile_turn(race_path);
    struct helper h;

    (void)arg;
    EXPECT_GE(mine, 0);
    help(&h, takes_turn, race_path);
    await_parked(h.task);
    EXPECT_EQ(close(mine), 0);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mfi_sockfile_turn("/nonexistent-folder/x"), -ENOENT);
    EXPECT_GE(mine = mfi_sockfile_turn("relative"), 0);
    EXPECT_EQ(close(mine), 0);
    return 0;
}

MFI_TEST(turns_are_waited_for)
{
    make_folder();
    in_tasks(1, waits_for_turn, NULL);
    in_thread(waits_for_turn, NULL);
    remove_folder();
}

static int never_its_turn(void *arg)
{
    int rc = mf_unix_listen(arg, MF_UNIX_OPTIONS(.unlink = 1));

    EXPECT_EQ(rc, -ECANCELED);
    return 0;
}

static int turn_is_kept(void *arg)
{
    struct helper h;
    int other;

    (void)arg;
    EXPECT_GE(other = open(folder, O_RDONLY | O_CLOEXEC), 0);
    EXPECT_EQ(flock(other, LOCK_EX), 0);
    help(&h, never_its_turn, race_path);
    await_parked(h.task);
    mf_scope_cancel(&h.scope);
    helped(&h);
    EXPECT_EQ(mf_unix_listen(race_path, MF_UNIX_OPTIONS(.unlink = 1)),
              -EADDRINUSE);
    EXPECT(!there(race_path));
    EXPECT_EQ(close(other), 0);
    return 0;
}

MFI_TEST(who_keeps_its_turn_is_not_waited_for_for_ever)
{
    make_folder();
    in_tasks(1, turn_is_kept, NULL);
    remove_folder();
}

/* Many start at once where a stale file lies: one gets the name, for good. */
enum { STARTERS = 16 };

static int start_server(void *arg)
{
    int *ret_fd = arg;

    *ret_fd = mf_unix_listen(race_path, MF_UNIX_OPTIONS(.unlink = 1));
    EXPECT(*ret_fd >= 0 || *ret_fd == -EADDRINUSE);
    return 0;
}

static int race(void *arg)
{
    mf_scope s;
    int fds[STARTERS], winner = -1, fd, conn;

    (void)arg;
    EXPECT_EQ(close(bound(race_path, SOCK_STREAM, 1)), 0);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    for (int i = 0; i < STARTERS; i++)
        EXPECT_EQ(mf_go(&s, start_server, &fds[i]), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < STARTERS; i++) {
        EXPECT(fds[i] < 0 || winner < 0);
        winner = fds[i] >= 0 ? fds[i] : winner;
    }
    EXPECT_GE(winner, 0);
    EXPECT_GE(fd = mf_unix_connect(race_path, NULL, late()), 0);
    EXPECT_GE(conn = mf_accept(winner, NULL, late()), 0);
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_EQ(mf_close(conn), 0);
    EXPECT_EQ(mf_close(winner), 0);
    EXPECT_EQ(unlink(race_path), 0);
    return 0;
}

MFI_TEST(of_many_that_start_at_once_one_keeps_the_name)
{
    make_folder();
    for (int i = 0; i < 20; i++)
        in_tasks(2, race, NULL);
    remove_folder();
}
