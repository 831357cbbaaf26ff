/* SPDX-License-Identifier: MIT */
/*
 * launch.c - from the options of a child process to the process.
 *
 * Everything that can fail or allocate is done here, before the child exists:
 * the fds that become its 0, 1 and 2 (all above 2, so that placing one does not
 * overwrite another), and the paths its name may stand for. The clone itself
 * stops the thread until the kernel has read the program from wherever it is,
 * so a task has it done on the offload pool; if no thread can be had there, the
 * worker does it, as a start that fails for that would be worse.
 *
 * A worker may be pinned to a CPU, and a thread of the pool is what the worker
 * that made it was; the child gets the CPUs of the process instead.
 *
 * A pipe's two ends are two open file descriptions: ours is non-blocking, the
 * child's is not.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "io/op.h"
#include "io/proc.h"
#include "os/child.h"
#include "sched/explain.h"
#include "sched/offload.h"

enum { CPU_WORDS = 64 }; /* 4096 CPUs; with more, the child has the caller's */

struct launch {
    mf_proc *p;
    struct child_how how;
    const char **paths; /* how.paths, if malloc'ed */
    const char *only[2];
    bool opened[3]; /* how.fds[i] is ours to close */
    enum child_stage stage;
    int rc;
    bool done;
    unsigned long cpus[CPU_WORDS];
};

/* ---- fds ---------------------------------------------------------------- */

/* fd, or its equal above 2. On failure fd is closed. */
static int lift(int fd)
{
    int high;

    if (fd < 0 || fd > 2)
        return fd;
    high = mfi_os_fcntl(fd, F_DUPFD_CLOEXEC, 3);
    mfi_os_close(fd);
    return high;
}

/* Our end: known, and non-blocking. */
static int know(int fd)
{
    struct wake_list woken;
    int rc = mfi_os_fcntl(fd, F_SETFL, O_NONBLOCK);

    if (rc < 0)
        return rc;
    mfi_wake_list_init(&woken);
    rc = mfi_fd_open(fd, FD_PIPE, &woken);
    mfi_wake(&woken);
    return rc;
}

static int open_pipe(struct launch *l, int which)
{
    int fds[2], mine = which == 0, rc;

    if ((rc = (int)mfi_sys2(SYS_pipe2, fds, O_CLOEXEC)) < 0)
        return rc;
    fds[0] = lift(fds[0]);
    fds[1] = lift(fds[1]);
    rc = fds[0] < 0 ? fds[0] : fds[1] < 0 ? fds[1] : know(fds[mine]);
    if (rc < 0) {
        for (int i = 0; i < 2; i++)
            if (fds[i] >= 0)
                mfi_os_close(fds[i]);
        return rc;
    }
    mfi_store_rlx(&l->p->ends[which], fds[mine]);
    l->how.fds[which] = fds[!mine];
    l->opened[which] = true;
    return 0;
}

static int open_fd(struct launch *l, int which, int want)
{
    int fd;

    switch (want) {
    case MF_STDIO_INHERIT:
        l->how.fds[which] = CHILD_KEEPS;
        return 0;
    case MF_STDIO_OUT:
        l->how.fds[which] = CHILD_AS_OUT;
        return which == 2 ? 0 : -EINVAL;
    case MF_STDIO_PIPE:
        return open_pipe(l, which);
    case MF_STDIO_NULL:
        fd = lift(mfi_os_open("/dev/null", which == 0 ? O_RDONLY : O_WRONLY));
        l->how.fds[which] = fd;
        l->opened[which] = fd >= 0;
        return fd < 0 ? fd : 0;
    default:
        l->how.fds[which] = want;
        return want > 2 ? 0 : -EINVAL;
    }
}

static int open_fds(struct launch *l, const mf_proc_options *o)
{
    const int want[3] = {o->in, o->out, o->err};
    int rc = 0;

    for (int i = 0; i < 3 && rc == 0; i++)
        rc = open_fd(l, i, want[i]);
    return rc;
}

/* The child has them; ours are closed too if it has not come to be. */
static void close_fds(struct launch *l, int rc)
{
    for (int i = 0; i < 3; i++) {
        int end = mfi_load_rlx(&l->p->ends[i]);

        if (l->opened[i])
            mfi_os_close(l->how.fds[i]);
        if (rc < 0 && end >= 0)
            mf_close(end);
    }
}

/* ---- the program -------------------------------------------------------- */

/* Each folder of PATH with name in it. 0, -ENOMEM. */
static int search(struct launch *l, const char *name)
{
    const char *path = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe) */
    const char *end;
    size_t n = 1, len = strlen(name) + 2, used = 0;
    char *text;

    if (path == NULL)
        path = "/usr/bin:/bin"; /* confstr(_CS_PATH) */
    for (const char *c = path; *c != '\0'; c++)
        n += *c == ':';
    used = (n + 1) * sizeof *l->paths;
    /* tidy: allow malloc, because PATH has any length */
    l->paths = malloc(used + strlen(path) + n * len);
    if (l->paths == NULL)
        return -ENOMEM;
    text = (char *)l->paths + used;
    for (size_t i = 0; i < n; i++, path = end + 1) {
        end = strchrnul(path, ':');
        l->paths[i] = text;
        memcpy(text, path, (size_t)(end - path));
        text += end - path;
        if (end != path) /* an empty one is where the child starts */
            *text++ = '/';
        memcpy(text, name, len - 1);
        text += len - 1;
    }
    l->paths[n] = NULL;
    l->how.paths = l->paths;
    return 0;
}

static int find(struct launch *l, const char *name)
{
    if (name[0] != '\0' && strchr(name, '/') == NULL)
        return search(l, name);
    l->only[0] = name;
    l->how.paths = l->only;
    return 0;
}

/* ---- start -------------------------------------------------------------- */

static int start_child(void *arg)
{
    struct launch *l = arg;

    l->rc = mfi_child_start(&l->how, &l->p->pid, &l->p->pidfd, &l->stage);
    l->done = true;
    return 0;
}

/* What cannot be waited for must not live. */
static void undo_start(mf_proc *p)
{
    struct child_end end;

    mfi_child_signal(p->pidfd, SIGKILL, false);
    mfi_child_await(p->pidfd, &end);
    mfi_os_close(p->pidfd);
}

static int start(struct launch *l)
{
    struct wake_list woken;
    int rc;

    if (mfi_worker() != NULL) {
        rc = mfi_child_cpus(l->cpus, sizeof l->cpus);
        if (rc > 0) {
            l->how.cpus = l->cpus;
            l->how.cpus_len = (size_t)rc;
        }
        (void)mfi_offload_call(start_child, l);
    }
    if (!l->done)
        start_child(l);
    if (l->rc < 0)
        return l->rc;
    mfi_wake_list_init(&woken);
    rc = mfi_fd_open(l->p->pidfd, FD_PIPE, &woken);
    mfi_wake(&woken);
    if (rc < 0)
        undo_start(l->p);
    return rc;
}

static int explain(const struct launch *l, int rc)
{
    const char *name = l->how.argv[0], *dir = l->how.dir;

    if (l->done && l->stage == CHILD_DIR)
        return mfi_explain(rc, "start '%s' in '%s': %s", name, dir,
                           mf_strerror(rc));
    return mfi_explain(rc, "start '%s': %s", name, mf_strerror(rc));
}

int mfi_proc_launch(mf_proc *p, const char *const *argv,
                    const mf_proc_options *o)
{
    struct launch l = {.p = p,
                       .how = {.argv = argv,
                               .env = o->env,
                               .dir = o->dir,
                               .group = o->group != 0}};
    int rc;

    if (o->env == NULL)
        l.how.env = (const char *const *)(void *)environ;
    for (int i = 0; i < 3; i++)
        mfi_store_rlx(&p->ends[i], -1);
    if ((rc = open_fds(&l, o)) == 0 && (rc = find(&l, argv[0])) == 0)
        rc = start(&l);
    close_fds(&l, rc);
    /* tidy: allow malloc, because PATH has any length */
    free(l.paths);
    return rc < 0 ? explain(&l, rc) : 0;
}
