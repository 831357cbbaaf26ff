/* SPDX-License-Identifier: MIT */
/*
 * test_main.c - runs the tests of one executable.
 *
 *   NAME_test [--list] [--no-fork] [TEXT]
 *
 * TEXT picks the test of that name, or else those whose name contains it.
 * Prints TAP, then a line "N passed, N failed" (", N skipped" when there are
 * some); exits 1 if a test failed. --no-fork runs them in this process, for gdb
 * and valgrind: the first failure then aborts. Simulated builds run each test
 * under many seeds: tests/sim/seeds.c.
 *
 *   parent                          child (a process group of its own)
 *   fork ------------------------->  the test
 *   sigtimedwait(SIGCHLD) <--------  exit(0) | _exit(1) | _exit(77) | signal
 *   kill(-child): whatever it left behind goes too
 */
#include "test.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if MFI_SIM
# include "sim/seeds.h"
#endif

enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_SKIP = 77 };

/* Written by the child that skips, read by the parent after its end. */
struct shared {
    char reason[240];
};

static struct mfi_test *tests; /* in order of registration */
static struct mfi_test **tests_end = &tests;
static struct shared *shared;
static bool forking = true;

void mfi_test_add(struct mfi_test *test)
{
    *tests_end = test;
    tests_end = &test->next;
}

#if !MFI_SIM
uint32_t mfi_test_seed(void)
{
    return 0;
}
#endif

/* Without its headers: it preloads itself. */
int mfi_test_under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload != NULL && strstr(preload, "valgrind") != NULL;
}

int mfi_test_scale(void)
{
    const char *text = getenv("MF_TEST_TIMEOUT_SCALE");
    long scale = text ? strtol(text, NULL, 10) : 1;

    return scale < 1 ? 1 : scale > 1000 ? 1000 : (int)scale;
}

/* One write(2), so that lines of several threads do not mix. */
static void say(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, text, len);

        if (n < 0 && errno != EINTR)
            return;
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
}

void mfi_test_fail(const char *file, int line, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    int n = snprintf(text, sizeof text, "# %s:%d: expected ", file, line);
    size_t len = n < 0 ? 0 : (size_t)n;

    va_start(args, fmt);
    if (len < sizeof text)
        n = vsnprintf(text + len, sizeof text - len, fmt, args);
    va_end(args);
    len += n < 0 ? 0 : (size_t)n;
    if (len > sizeof text - 2)
        len = sizeof text - 2;
    text[len++] = '\n';
    say(text, len);
    if (!forking)
        abort();
    _exit(EXIT_FAIL);
}

void mfi_test_skip(const char *reason)
{
    if (shared)
        snprintf(shared->reason, sizeof shared->reason, "%s", reason);
    _exit(EXIT_SKIP);
}

void mfi_test_str_eq(const char *file, int line, const char *what,
                     const char *a, const char *b)
{
    if (!a || !b || strcmp(a, b) != 0)
        mfi_test_fail(file, line, "%s: \"%s\" and \"%s\"", what,
                      a ? a : "(null)", b ? b : "(null)");
}

void mfi_test_str_has(const char *file, int line, const char *what,
                      const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        mfi_test_fail(file, line, "%s: \"%s\" in \"%s\"", what, part,
                      text ? text : "(null)");
}

static void die_in_child(void (*fn)(void), int err_fd)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    dup2(err_fd, STDERR_FILENO);
    close(err_fd);
    fn();
    _exit(EXIT_PASS);
}

int mfi_test_dies(void (*fn)(void), char *out, size_t len)
{
    char chunk[512];
    size_t used = 0;
    int ends[2], status = 0;
    ssize_t n;
    pid_t pid;

    EXPECT_EQ(pipe(ends), 0);
    fflush(NULL);
    pid = fork();
    EXPECT_GE(pid, 0);
    if (pid == 0) {
        close(ends[0]);
        die_in_child(fn, ends[1]);
    }
    close(ends[1]);
    while ((n = read(ends[0], chunk, sizeof chunk)) != 0) {
        size_t take = n < 0 ? 0 : (size_t)n;

        if (n < 0 && errno != EINTR)
            break;
        if (take > len - 1 - used)
            take = len - 1 - used;
        memcpy(out + used, chunk, take);
        used += take;
    }
    out[used] = '\0';
    close(ends[0]);
    while (waitpid(pid, &status, 0) < 0)
        EXPECT_EQ(errno, EINTR);
    return status;
}

void mfi_test_expect_dies(const char *file, int line, const char *what,
                          void (*fn)(void), int sig, const char *text)
{
    static char out[65536];
    int status = mfi_test_dies(fn, out, sizeof out);
    bool sanitized = MFI_TEST_ASAN || MFI_TEST_TSAN;
    bool by_signal = WIFSIGNALED(status) && WTERMSIG(status) == sig;
    bool by_exit = sanitized && status != 0;

    if (!by_signal && !by_exit)
        mfi_test_fail(file, line,
                      "%s to die by signal %d, wait status 0x%x, stderr:\n%s",
                      what, sig, (unsigned)status, out);
    if (text)
        mfi_test_str_has(file, line, what, out, text);
}

/* Wait for pid until the time is up. Returns whether it ended by itself. */
static bool wait_child(pid_t pid, int seconds, int *ret_status)
{
    struct timespec now, end, left;
    sigset_t chld;

    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += seconds;
    while (waitpid(pid, ret_status, WNOHANG) == 0) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        left.tv_sec = end.tv_sec - now.tv_sec;
        left.tv_nsec = end.tv_nsec - now.tv_nsec;
        if (left.tv_nsec < 0) {
            left.tv_sec--;
            left.tv_nsec += 1000000000;
        }
        if (left.tv_sec < 0)
            return false;
        sigtimedwait(&chld, NULL, &left); /* early ends: waitpid decides */
    }
    return true;
}

static void run_body(const struct mfi_test *test)
{
#if MFI_SIM
    mfi_sim_child_begins();
#endif
    test->fn();
#if MFI_SIM
    mfi_sim_child_ends();
#endif
}

static int run_child(const struct mfi_test *test, const sigset_t *mask)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    run_body(test);
    exit(EXIT_PASS);
}

/* Where it hangs, if there is a debugger to ask. */
static void show_stacks(pid_t pid)
{
    char command[160], line[256];
    FILE *f;

    snprintf(command, sizeof command,
             "timeout 30 gdb -p %d -batch -ex 'thread apply all bt 16' "
             "2>/dev/null </dev/null",
             (int)pid);
    f = popen(command, "re"); /* NOLINT(cert-env33-c): the text is ours */
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (line[0] == '#' || strncmp(line, "Thread", 6) == 0)
            fprintf(stderr, "# %s", line);
    if (f != NULL)
        pclose(f);
}

/* Returns EXIT_PASS, EXIT_FAIL (*why says it), EXIT_SKIP. */
static int run_forked(const struct mfi_test *test, char *why, size_t len)
{
    int seconds = test->seconds * mfi_test_scale(), status = 0;
    sigset_t chld, before;
    bool ended;
    pid_t pid;

    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, &before);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        run_child(test, &before);
    if (pid < 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        snprintf(why, len, "fork: %s", strerror(errno));
        return EXIT_FAIL;
    }
    setpgid(pid, pid); /* whichever of the two comes first */
    ended = wait_child(pid, seconds, &status);
    if (!ended)
        show_stacks(pid);
    kill(-pid, SIGKILL);
    if (!ended)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    sigprocmask(SIG_SETMASK, &before, NULL);

    if (!ended)
        snprintf(why, len, "timeout after %d s", seconds);
    else if (WIFSIGNALED(status))
        snprintf(why, len, "killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == EXIT_SKIP)
        return EXIT_SKIP;
    else if (WEXITSTATUS(status) != EXIT_PASS)
        snprintf(why, len, "exit %d", WEXITSTATUS(status));
    else
        return EXIT_PASS;
    return EXIT_FAIL;
}

static int run_once(const struct mfi_test *test, char *why, size_t len)
{
    if (forking)
        return run_forked(test, why, len);
    run_body(test);
    return EXIT_PASS;
}

/* As run_forked. Of a simulated test that passed, *why says how often. */
static int run_test(const struct mfi_test *test, char *why, size_t len)
{
    why[0] = '\0';
    shared->reason[0] = '\0';
#if MFI_SIM
    return mfi_sim_seeds(test, run_once, forking, why, len);
#else
    return run_once(test, why, len);
#endif
}

static bool is_name(const char *text)
{
    for (const struct mfi_test *t = tests; t; t = t->next)
        if (strcmp(t->name, text) == 0)
            return true;
    return false;
}

static bool wanted(const struct mfi_test *t, const char *filter, bool exact)
{
    return exact ? strcmp(t->name, filter) == 0
                 : strstr(t->name, filter) != NULL;
}

static int run_tests(const char *filter)
{
    bool exact = is_name(filter);
    int nr_by_result[3] = {0}, n = 0;
    char why[256];

    for (const struct mfi_test *t = tests; t; t = t->next)
        n += wanted(t, filter, exact);
    printf("1..%d\n", n);
    n = 0;
    for (const struct mfi_test *t = tests; t; t = t->next) {
        if (!wanted(t, filter, exact))
            continue;
        switch (run_test(t, why, sizeof why)) {
        case EXIT_PASS:
            nr_by_result[0]++;
            printf("ok %d - %s%s%s\n", ++n, t->name, why[0] ? " # " : "", why);
            break;
        case EXIT_SKIP:
            nr_by_result[2]++;
            printf("ok %d - %s # SKIP %s\n", ++n, t->name, shared->reason);
            break;
        default:
            nr_by_result[1]++;
            printf("not ok %d - %s # %s\n", ++n, t->name, why);
            break;
        }
        fflush(stdout);
    }
    printf("%d passed, %d failed", nr_by_result[0], nr_by_result[1]);
    if (nr_by_result[2] > 0)
        printf(", %d skipped", nr_by_result[2]);
    printf("\n");
    if (n == 0)
        fprintf(stderr, "no test matches \"%s\"\n", filter);
    return nr_by_result[1] > 0 || n == 0 ? EXIT_FAIL : EXIT_PASS;
}

/*
 * The backend the environment insists on is denied here (containers do): then
 * there is nothing to test with it. Any other refusal is a failure to be seen.
 */
static bool backend_is_denied(void)
{
    const char *backend = getenv("MF_BACKEND");
    long fd;

    if (backend == NULL || strcmp(backend, "uring") != 0)
        return false;
    fd = syscall(SYS_io_uring_setup, 0, NULL); /* EINVAL or EFAULT: allowed */
    if (fd >= 0)
        close((int)fd);
    return fd < 0 && (errno == ENOSYS || errno == EPERM);
}

int main(int argc, char **argv)
{
    const char *filter = "";

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            for (const struct mfi_test *t = tests; t; t = t->next)
                printf("%s\n", t->name);
            return EXIT_PASS;
        }
        if (strcmp(argv[i], "--no-fork") == 0) {
            forking = false;
        } else if (argv[i][0] == '-') {
            fprintf(stderr, "usage: %s [--list] [--no-fork] [TEXT]\n", argv[0]);
            return EXIT_FAIL;
        } else {
            filter = argv[i];
        }
    }
    if (backend_is_denied()) {
        printf("1..0 # SKIP io_uring is denied here\n0 passed, 0 failed\n");
        return EXIT_PASS;
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return EXIT_FAIL;
    }
    return run_tests(filter);
}
