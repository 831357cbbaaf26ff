/* SPDX-License-Identifier: MIT */
/*
 * sockfile.c - socket files that nobody has bound any more.
 *
 * A process that dies leaves its socket file behind, and the next bind to the
 * path fails. Removing what is there, as many do, takes the name away from a
 * server that lives. So:
 *
 *   - No socket (a file, a folder, a link, even one to a socket): it stays.
 *   - Is it bound? Asked by connecting a *datagram* socket to it. The kernel
 *     looks up who has the file bound before it looks at the type: nobody is
 *     -ECONNREFUSED; a stream or packet server is -EPROTOTYPE, whether it
 *     listens yet or not, and hears nothing of it; a datagram server takes the
 *     connect as it costs it nothing. A probe of the server's own type would
 *     put a connection into its queue, and could not tell a dead socket from
 *     one that is bound and will listen in a moment. Any other answer is "not
 *     known": it stays.
 *   - Between this look and the unlink, another starting server may remove the
 *     same file and bind its own, which would then be removed. So starters take
 *     turns: a lock on the folder, which needs no file of its own and ends with
 *     its process, held from the look until the own socket is bound. Programs
 *     that unlink without it are beyond our reach.
 *
 * The lock is tried, not waited for: its owner may be any program that locks a
 * folder, and a worker must not block.
 *
 * Rejected: binding to another name and renaming it over the old one. It is
 * atomic, but two starters both succeed, and one is left without a name.
 */
#include "net/sockfile.h"

#include <mayfly/task.h>
#include <string.h>
#include <sys/un.h> /* tidy: allow kernel-header, because of sockaddr_un */

#include "os/io.h"

enum {
    PATH_LEN = sizeof((struct sockaddr_un *)0)->sun_path,
    LOCK_EXCLUSIVE = 2, /* flock(2): LOCK_EX */
    LOCK_TRY = 4,       /* LOCK_NB */
    NO_FOLLOW = 0x100,  /* AT_SYMLINK_NOFOLLOW */
};

static int open_folder(const char *path)
{
    char folder[PATH_LEN + 1];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);

    if (len > PATH_LEN)
        return -EINVAL;
    memcpy(folder, path, len);
    if (len == 0)
        folder[len++] = slash == NULL ? '.' : '/';
    folder[len] = '\0';
    return mfi_os_open(folder, O_RDONLY | O_DIRECTORY);
}

int mfi_sockfile_turn(const char *path)
{
    mf_deadline end = mf_after(MF_SEC(2));
    int fd = open_folder(path), rc;

    if (fd < 0)
        return fd;
    for (;;) {
        rc = (int)mfi_sys2(SYS_flock, fd, LOCK_EXCLUSIVE | LOCK_TRY);
        if (rc == 0)
            return fd;
        if (rc == -EAGAIN && mf_now() >= end.at)
            rc = -EADDRINUSE;
        else if (rc == -EAGAIN)
            rc = mf_sleep(MF_MSEC(1));
        if (rc < 0 && rc != -EINTR) {
            mfi_os_close(fd);
            return rc;
        }
    }
}

/* 1: nobody has it bound; 0: somebody has, or it cannot be told. */
static int is_stale(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd, rc;

    memcpy(sun.sun_path, path, strnlen(path, sizeof sun.sun_path));
    fd = mfi_os_socket(AF_UNIX, SOCK_DGRAM);
    if (fd < 0)
        return fd;
    rc = mfi_os_connect(fd, &sun, sizeof sun);
    mfi_os_close(fd);
    return rc == -ECONNREFUSED;
}

int mfi_sockfile_remove(const char *path)
{
    struct stat st;
    int rc =
        (int)mfi_sys4(SYS_newfstatat, AT_FDCWD, path, MFI_L(&st), NO_FOLLOW);

    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    if (!S_ISSOCK(st.st_mode))
        return -EADDRINUSE;
    rc = is_stale(path);
    if (rc <= 0)
        return rc < 0 ? rc : -EADDRINUSE;
    rc = (int)mfi_sys3(SYS_unlinkat, AT_FDCWD, path, 0);
    return rc == -ENOENT ? 0 : rc;
}
