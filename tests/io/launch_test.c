/* SPDX-License-Identifier: MIT */
/*
 * launch_test.c - what a child is started with: its program, fds, environment,
 * folder, signals; and what is said when it cannot be.
 */
#include "io/child.h"

#include <sys/resource.h>
#include <sys/stat.h>

/* ---- a folder of programs ----------------------------------------------- */

struct folder {
    char path[64];
};

static void put_file(const struct folder *f, const char *name, const char *text,
                     mode_t mode)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", f->path, name);
    file = fopen(path, "we");
    EXPECT(file != NULL);
    EXPECT_EQ(fwrite(text, 1, strlen(text), file), strlen(text));
    EXPECT_EQ(fclose(file), 0);
    EXPECT_EQ(chmod(path, mode), 0);
}

static void make_folder(struct folder *f)
{
    strcpy(f->path, "/tmp/mayfly-launch-XXXXXX");
    EXPECT(mkdtemp(f->path) != NULL);
    put_file(f, "hello", "#!/bin/sh\necho hello from $0\n", 0755);
    put_file(f, "text", "echo no shell is tried\n", 0755);
    put_file(f, "denied", "#!/bin/sh\n", 0644);
    put_file(f, "orphan", "#!/no/such/interpreter\n", 0755);
}

static void drop_folder(struct folder *f)
{
    char cmd[128];

    snprintf(cmd, sizeof cmd, "rm -r %s", f->path);
    EXPECT_EQ(code_of(cmd, NULL), 0);
}

/* What starting it says. */
static int fails(const char *name, const mf_proc_options *o)
{
    mf_proc *p = NULL;
    int rc = mf_proc_start(ARGV(name), o, &p);

    EXPECT(p == NULL);
    no_child_left();
    return rc;
}

static int refused(void *arg)
{
    char path[128], said[256];
    struct folder f;

    (void)arg;
    make_folder(&f);
    EXPECT_EQ(fails("/no/such/program", NULL), -ENOENT);
    EXPECT_STR_EQ(mf_explain(-ENOENT), "start '/no/such/program': "
                                       "No such file or directory");
    EXPECT_EQ(fails("no-such-program", NULL), -ENOENT);
    EXPECT_EQ(fails("", NULL), -ENOENT);
    EXPECT_EQ(fails("/dev/null/x", NULL), -ENOTDIR);
    EXPECT_EQ(fails("/tmp", NULL), -EACCES);
    snprintf(path, sizeof path, "%s/denied", f.path);
    EXPECT_EQ(fails(path, NULL), -EACCES);
    snprintf(path, sizeof path, "%s/text", f.path);
    EXPECT_EQ(fails(path, NULL), -ENOEXEC);
    snprintf(path, sizeof path, "%s/orphan", f.path);
    EXPECT_EQ(fails(path, NULL), -ENOENT);
    snprintf(path, sizeof path, "%s/none", f.path);
    EXPECT_EQ(fails("true", MF_PROC_OPTIONS(.dir = path)), -ENOENT);
    snprintf(said, sizeof said, "start 'true' in '%s'", path);
    EXPECT_STR_HAS(mf_explain(-ENOENT), said);
    EXPECT_EQ(fails("true", MF_PROC_OPTIONS(.out = 1000)), -EBADF);
    drop_folder(&f);
    no_child_left();
    return 0;
}

MFI_TEST(why_it_cannot_be_started)
{
    in_both(refused, NULL);
}

static int misuse(void *arg)
{
    mf_proc_options grown = {.size = sizeof grown - 1};
    mf_proc *p = NULL;
    mf_scope closed;

    (void)arg;
    EXPECT_EQ(mf_scope_open(&closed, NULL), 0);
    EXPECT_EQ(mf_scope_close(&closed), 0);
    EXPECT_EQ(mf_proc_start(NULL, NULL, &p), -EINVAL);
    EXPECT_EQ(mf_proc_start((const char *const[]){NULL}, NULL, &p), -EINVAL);
    EXPECT_EQ(mf_proc_start(ARGV("true"), NULL, NULL), -EINVAL);
    grown.size = 3;
    EXPECT_EQ(fails("true", &grown), -EINVAL);
    EXPECT_EQ(fails("true", MF_PROC_OPTIONS(.in = 1)), -EINVAL);
    EXPECT_EQ(fails("true", MF_PROC_OPTIONS(.in = MF_STDIO_OUT)), -EINVAL);
    EXPECT_EQ(fails("true", MF_PROC_OPTIONS(.out = MF_STDIO_OUT)), -EINVAL);
    EXPECT_EQ(fails("true", MF_PROC_OPTIONS(.err = -4)), -EINVAL);
    EXPECT_EQ(fails("true", MF_PROC_OPTIONS(.in = MF_STDIO_PIPE, .err = 2)),
              -EINVAL);
    EXPECT_EQ(fails("true", MF_PROC_OPTIONS(.grace = -1)), -EINVAL);
    EXPECT_EQ(fails("true", MF_PROC_OPTIONS(.kill_signal = 65)), -EINVAL);
    EXPECT_EQ(fails("true", MF_PROC_OPTIONS(.group = 2)), -EINVAL);
    EXPECT_EQ(fails("true", MF_PROC_OPTIONS(.scope = &closed)), -EINVAL);
    return 0;
}

MFI_TEST(bad_options_are_refused)
{
    in_both(misuse, NULL);
}

/* ---- PATH, environment, folder ------------------------------------------ */

static int searched(void *arg)
{
    char path[256], said[256];
    struct folder f, g;

    (void)arg;
    make_folder(&f);
    make_folder(&g);
    put_file(&f, "hello", "", 0644); /* passed over */
    snprintf(path, sizeof path, "/no/such:/dev/null:%s:%s:/bin", f.path,
             g.path);
    EXPECT_EQ(setenv("PATH", path, 1), 0);
    snprintf(said, sizeof said, "hello from %s/hello\n", g.path);
    EXPECT_STR_EQ(said_with(ARGV("hello"), NULL), said);
    EXPECT_EQ(fails("denied", NULL), -EACCES);
    EXPECT_EQ(fails("none", NULL), -ENOENT);
    EXPECT_EQ(fails("text", NULL), -ENOEXEC);
    /* An empty one, first, last, or between, is where the child starts. */
    for (int i = 0; i < 4; i++) {
        static const char *const paths[] = {":/bin", "/bin:", "/bin::/no", ""};

        EXPECT_EQ(setenv("PATH", paths[i], 1), 0);
        EXPECT_STR_EQ(said_with(ARGV("hello"), MF_PROC_OPTIONS(.dir = g.path)),
                      "hello from hello\n");
    }
    /* So is a relative name. */
    EXPECT_STR_EQ(said_with(ARGV("./hello"), MF_PROC_OPTIONS(.dir = g.path)),
                  "hello from ./hello\n");
    EXPECT_EQ(unsetenv("PATH"), 0);
    EXPECT_EQ(code_of("exit 4", NULL), 4);
    EXPECT_EQ(setenv("PATH", "/usr/bin:/bin", 1), 0);
    drop_folder(&f);
    drop_folder(&g);
    return 0;
}

MFI_TEST(the_program_is_searched_in_path)
{
    in_both(searched, NULL);
}

static int environment(void *arg)
{
    static const char *const env[] = {"A=1", "B=two words", NULL};
    static const char *const none[] = {NULL};

    (void)arg;
    EXPECT_STR_EQ(said_with(ARGV("env"), MF_PROC_OPTIONS(.env = env)),
                  "A=1\nB=two words\n");
    EXPECT_STR_EQ(said_with(ARGV("env"), MF_PROC_OPTIONS(.env = none)), "");
    EXPECT_EQ(setenv("MAYFLY_PROC", "ours", 1), 0);
    EXPECT_STR_HAS(said_with(ARGV("env"), NULL), "MAYFLY_PROC=ours\n");
    EXPECT_STR_EQ(said_with(ARGV("pwd"), MF_PROC_OPTIONS(.dir = "/")), "/\n");
    EXPECT_STR_EQ(said_with(ARGV("printf", "%s|", "a b", "", "c"), NULL),
                  "a b||c|");
    return 0;
}

MFI_TEST(environment_folder_and_arguments)
{
    in_both(environment, NULL);
}

/* ---- fds ---------------------------------------------------------------- */

static int kinds(void *arg)
{
    int fds[2];
    char text[16];
    mf_proc *p;

    (void)arg;
    EXPECT_STR_EQ(said_with(SH("cat"), MF_PROC_OPTIONS(.in = MF_STDIO_NULL)),
                  "");
    EXPECT_STR_EQ(said_with(SH("echo out; echo err >&2"),
                            MF_PROC_OPTIONS(.err = MF_STDIO_OUT)),
                  "out\nerr\n");
    EXPECT_STR_EQ(said_with(SH("echo out; echo err >&2"),
                            MF_PROC_OPTIONS(.err = MF_STDIO_NULL)),
                  "out\n");
    p = start_with(SH("echo out; echo err >&2; exec >&-; cat >&2"),
                   MF_PROC_OPTIONS(.in = MF_STDIO_PIPE, .out = MF_STDIO_PIPE,
                                   .err = MF_STDIO_PIPE));
    EXPECT_EQ(mf_read_full(mf_proc_fd(p, 1), text, 4, late()), 1);
    EXPECT_EQ(memcmp(text, "out\n", 4), 0);
    EXPECT_EQ(mf_read(mf_proc_fd(p, 1), text, 1, late()), 0);
    EXPECT_EQ(mf_write_all(mf_proc_fd(p, 0), "more", 4, late()), 0);
    EXPECT_EQ(mf_proc_hang_up(p, 0), 0);
    EXPECT_EQ(mf_read_full(mf_proc_fd(p, 2), text, 8, late()), 1);
    EXPECT_EQ(memcmp(text, "err\nmore", 8), 0);
    EXPECT_EQ(end_of(p).code, 0);
    EXPECT_EQ(mf_proc_close(p), 0);
    /* Somebody else's fd, and the same for two. */
    bare_pipe(fds);
    p = start_with(SH("echo a; echo b >&2"),
                   MF_PROC_OPTIONS(.out = fds[1], .err = fds[1]));
    EXPECT_EQ(end_of(p).code, 0);
    EXPECT_EQ(mf_proc_close(p), 0);
    EXPECT_EQ(mf_read_full(fds[0], text, 4, late()), 1);
    EXPECT_EQ(memcmp(text, "a\nb\n", 4), 0);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0); /* borrowed: still ours */
    return 0;
}

MFI_TEST(each_kind_of_stdio)
{
    in_both(kinds, NULL);
}

/* The shell looks for each: opening a folder would be an fd more. */
static const char list_fds[] =
    "i=0; while [ $i -lt 256 ]; do [ -e /proc/self/fd/$i ] && echo $i; "
    "i=$((i + 1)); done; true";

static int leaks(void *arg)
{
    int many[40], inherited[2];

    (void)arg;
    for (int i = 0; i < 40; i++) /* without FD_CLOEXEC */
        EXPECT_GE(many[i] = bare_dup(0), 0);
    EXPECT_EQ(syscall(SYS_pipe2, inherited, 0), 0);
    EXPECT_STR_EQ(said_with(SH(list_fds), NULL), "0\n1\n2\n");
    EXPECT_STR_EQ(said_with(SH(list_fds), MF_PROC_OPTIONS(.in = inherited[0],
                                                          .err = MF_STDIO_OUT)),
                  "0\n1\n2\n");
    for (int i = 0; i < 40; i++)
        EXPECT_EQ(close(many[i]), 0);
    close(inherited[0]);
    close(inherited[1]);
    return 0;
}

MFI_TEST(the_child_has_no_fd_but_its_three)
{
    in_both(leaks, NULL);
}

/* Where the process has closed its own, pipes must not land there. */
static int without_stdio(void *arg)
{
    static const mf_proc_options o = {.size = sizeof o,
                                      .in = MF_STDIO_PIPE,
                                      .out = MF_STDIO_PIPE,
                                      .err = MF_STDIO_NULL};
    int copies[2];
    char text[4];
    mf_proc *p;

    (void)arg;
    for (int i = 0; i < 2; i++) {
        copies[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
        EXPECT_EQ(syscall(SYS_close, i), 0);
    }
    p = start_with(SH("read x; echo got; echo lost >&2"), &o);
    EXPECT_GT(mf_proc_fd(p, 0), 2);
    EXPECT_GT(mf_proc_fd(p, 1), 2);
    EXPECT_EQ(mf_write_all(mf_proc_fd(p, 0), "\n", 1, late()), 0);
    EXPECT_EQ(mf_read_full(mf_proc_fd(p, 1), text, 4, late()), 1);
    EXPECT_EQ(memcmp(text, "got\n", 4), 0);
    EXPECT_EQ(mf_proc_close(p), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(syscall(SYS_dup3, copies[i], i, 0), i);
    return 0;
}

MFI_TEST(a_process_without_stdio_has_pipes_above_it)
{
    in_thread(without_stdio, NULL);
}

static int nr_fds(void)
{
    int n = 0;

    for (int i = 0; i < 256; i++)
        n += fcntl(i, F_GETFD) >= 0;
    return n;
}

static int exhausted(void *arg)
{
    static const mf_proc_options o = {.size = sizeof o,
                                      .in = MF_STDIO_PIPE,
                                      .out = MF_STDIO_PIPE,
                                      .err = MF_STDIO_NULL};
    struct rlimit old, tight;
    int before, fails = 0;
    mf_proc *p = NULL;

    (void)arg;
    /* What is made once, is made: a thread's bell, the offload pool's. */
    p = start_with(ARGV("sleep", "1000"), NULL);
    EXPECT_EQ(mf_proc_wait(p, NULL, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_proc_close(p), 0);
    settle();
    before = nr_fds();
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    for (rlim_t room = 0; room < 12; room++) {
        int rc;

        tight.rlim_cur = (rlim_t)before + room;
        EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
        rc = mf_proc_start(ARGV("true"), &o, &p);
        EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
        if (rc == 0) {
            EXPECT_EQ(end_of(p).code, 0);
            EXPECT_EQ(mf_proc_close(p), 0);
        } else {
            EXPECT_EQ(rc, -EMFILE);
            fails++;
        }
        EXPECT_EQ(nr_fds(), before);
        no_child_left();
    }
    EXPECT_GE(fails, 5); /* two pipes and /dev/null at least */
    EXPECT_LT(fails, 12);
    return 0;
}

MFI_TEST(without_fds_it_fails_and_leaves_nothing)
{
    in_both(exhausted, NULL);
}

/* ---- signals ------------------------------------------------------------ */

static void ignore_it(int signo)
{
    (void)signo;
}

static int actions(void *arg)
{
    struct sigaction sa = {.sa_handler = ignore_it};
    sigset_t set, old;
    const char *said;

    (void)arg;
    EXPECT(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    EXPECT(signal(SIGINT, SIG_IGN) != SIG_ERR);
    EXPECT_EQ(sigaction(SIGUSR2, &sa, NULL), 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
    said = said_with(ARGV("cat", "/proc/self/status"), NULL);
    EXPECT_STR_HAS(said, "SigBlk:\t0000000000000000");
    EXPECT_STR_HAS(said, "SigIgn:\t0000000000000000");
    EXPECT_STR_HAS(said, "SigCgt:\t0000000000000000");
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
    EXPECT(signal(SIGPIPE, SIG_DFL) == SIG_IGN);
    EXPECT(signal(SIGINT, SIG_DFL) == SIG_IGN);
    return 0;
}

MFI_TEST(the_child_has_default_actions_and_no_mask)
{
    in_both(actions, NULL);
}

/* The mask of who starts it is what it was, whatever happened. */
static int same_mask(void *arg)
{
    sigset_t before, after;
    mf_proc *p = NULL;

    (void)arg;
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    EXPECT_EQ(code_of("true", NULL), 0);
    EXPECT_EQ(mf_proc_start(ARGV("/no/such/program"), NULL, &p), -ENOENT);
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    EXPECT_EQ(memcmp(&before, &after, 8), 0); /* the kernel's part */
    return 0;
}

MFI_TEST(the_caller_keeps_its_mask)
{
    in_thread(same_mask, NULL);
}

/* ---- CPUs --------------------------------------------------------------- */

static int cpus(void *arg)
{
    static const char *const grep[] = {
        "grep", "Cpus_allowed:", "/proc/self/status", NULL};

    EXPECT_STR_EQ(said_with(grep, NULL), arg);
    return 0;
}

MFI_TEST(a_pinned_worker_has_children_that_are_not)
{
    char all[256] = {0};
    FILE *f = fopen("/proc/self/status", "re");

    EXPECT(f != NULL);
    while (strncmp(all, "Cpus_allowed:", 13) != 0)
        EXPECT(fgets(all, sizeof all, f) != NULL);
    fclose(f);
    EXPECT_EQ(mf_run(cpus, all, MF_OPTIONS(.workers = 2, .pin_workers = 1)), 0);
}
