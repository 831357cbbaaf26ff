/* SPDX-License-Identifier: MIT */
/*
 * stdio_test.c - standard input and output of every kind, in processes that
 * come and go, while their parent keeps the same descriptions.
 *
 * A user's program is a child of the test: its fds 0 and 1 are what the test
 * says, and what it returns from its first task is its exit code.
 */
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "io/kit.h"
#include "stream/stream.h"

/* in: its fd 0; out: its fd 1; -1: closed. */
static pid_t start(mf_fn *fn, int in, int out)
{
    pid_t pid;

    fflush(NULL);
    EXPECT_GE(pid = fork(), 0);
    if (pid == 0) {
        int rc;

        in = in < 0 ? in : fcntl(in, F_DUPFD, 10);
        out = out < 0 ? out : fcntl(out, F_DUPFD, 10);
        for (int i = 0; i < 2; i++) {
            int fd = i == 0 ? in : out;

            if (fd < 0)
                close(i);
            else if (dup2(fd, i) != i || close(fd) != 0)
                _exit(100);
        }
        for (int fd = 3; fd < 256; fd++)
            close(fd); /* the other ends are its parent's */
        rc = mf_run(fn, NULL, MF_OPTIONS(.workers = 1));
        exit(rc < 0 ? -rc : rc);
    }
    return pid;
}

static int status_of(pid_t pid)
{
    int status;

    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int flags_of(int fd)
{
    return fcntl(fd, F_GETFL);
}

/* cat, line by line, numbered. */
static int number(void *arg)
{
    char *line;
    int rc, i = 0;

    (void)arg;
    while ((rc = mf_stream_line(mf_stdin(), &line, MF_NEVER)) > 0)
        if ((rc = mf_printf(1, MF_NEVER, "%d %s\n", ++i, line)) < 0)
            break;
    return rc;
}

/* What comes out of fd by the end. */
static void expect_output(int fd, const char *text)
{
    size_t got = 0;
    char buf[256];
    long n;

    while ((n = read(fd, buf + got, sizeof buf - 1 - got)) > 0)
        got += (size_t)n;
    buf[got] = '\0';
    EXPECT_STR_EQ(buf, text);
}

MFI_TEST(pipes_are_left_as_they_were)
{
    int in[2], out[2], before[2];
    pid_t pid;
    char c;

    bare_pipe(in);
    bare_pipe(out);
    before[0] = flags_of(in[0]);
    before[1] = flags_of(out[1]);
    pid = start(number, in[0], out[1]);
    EXPECT_EQ(write(in[1], "a\nb", 3), 3);
    for (int i = 0; i < 4; i++) /* it is at work now */
        EXPECT_EQ(read(out[0], &c, 1), 1);
    EXPECT_EQ(flags_of(in[0]), before[0]);
    EXPECT_EQ(flags_of(out[1]), before[1]);
    EXPECT_EQ(close(in[1]), 0);
    EXPECT_EQ(status_of(pid), 0);
    EXPECT_EQ(flags_of(in[0]), before[0]);
    EXPECT_EQ(flags_of(out[1]), before[1]);
    EXPECT_EQ(close(out[1]), 0);
    expect_output(out[0], "2 b\n");
}

MFI_TEST(sockets_are_left_as_they_were)
{
    int s[2], before;
    pid_t pid;
    char buf[8];

    bare_pair(SOCK_STREAM, s);
    before = flags_of(s[0]);
    pid = start(number, s[0], s[0]);
    EXPECT_EQ(write(s[1], "x\n", 2), 2);
    EXPECT_EQ(read(s[1], buf, sizeof buf), 4);
    EXPECT_EQ(memcmp(buf, "1 x\n", 4), 0);
    EXPECT_EQ(flags_of(s[0]), before);
    EXPECT_EQ(shutdown(s[1], SHUT_WR), 0);
    EXPECT_EQ(status_of(pid), 0);
    EXPECT_EQ(flags_of(s[0]), before);
}

static int temporary(void)
{
    char name[] = "/tmp/mayfly-stdio-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);

    EXPECT_GE(fd, 0);
    EXPECT_EQ(unlink(name), 0);
    return fd;
}

MFI_TEST(files_and_dev_null)
{
    int in = temporary(), out = temporary(), null;

    EXPECT_EQ(write(in, "one\r\n\ntwo", 9), 9);
    EXPECT_EQ(lseek(in, 0, SEEK_SET), 0);
    EXPECT_EQ(status_of(start(number, in, out)), 0);
    EXPECT_EQ(lseek(out, 0, SEEK_SET), 0);
    expect_output(out, "1 one\n2 \n3 two\n");
    EXPECT_GE(null = open("/dev/null", O_RDWR | O_CLOEXEC), 0);
    EXPECT_EQ(status_of(start(number, null, out)), 0);
    EXPECT_EQ(lseek(in, 0, SEEK_SET), 0);
    EXPECT_EQ(status_of(start(number, in, null)), 0);
    EXPECT_EQ(flags_of(null) & O_NONBLOCK, 0);
    EXPECT_EQ(flags_of(in) & O_NONBLOCK, 0);
}

/* Not open: said so, and nobody else moves in there. */
static int without_stdio(void *arg)
{
    struct pair p = make_pair(PAIR_TCP4);
    char *line;

    (void)arg;
    EXPECT_GT(p.r, 2);
    EXPECT_GT(p.w, 2);
    EXPECT_EQ(mf_sleep(MF_MSEC(1)), 0);
    EXPECT_EQ(mf_stream_line(mf_stdin(), &line, MF_NEVER), -EBADF);
    EXPECT_EQ(mf_stream_read(mf_stdin(), &line, 1, MF_NEVER), -EBADF);
    EXPECT_EQ(mf_printf(1, MF_NEVER, "x"), -EBADF);
    EXPECT_EQ(mf_stream_write_all(mf_stdout(), "x", 1, MF_NEVER), -EBADF);
    EXPECT_EQ(fcntl(0, F_GETFD), -1);
    EXPECT_EQ(fcntl(1, F_GETFD), -1);
    close_pair(&p);
    return 0;
}

MFI_TEST(closed_stdio_is_ebadf_and_stays_free)
{
    EXPECT_EQ(status_of(start(without_stdio, -1, -1)), 0);
}

static int print_into_nothing(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_printf(1, MF_NEVER, "x"), -EPIPE);
    EXPECT_EQ(mf_stream_printf(mf_stdout(), MF_NEVER, "x"), -EPIPE);
    return 0;
}

MFI_TEST(a_reader_that_is_gone_is_epipe)
{
    int out[2];

    signal(SIGPIPE, SIG_DFL);
    bare_pipe(out);
    EXPECT_EQ(close(out[0]), 0);
    EXPECT_EQ(status_of(start(print_into_nothing, -1, out[1])), 0);
}

static int standard(void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_stdin()->fd, 0);
    EXPECT_EQ(mf_stdout()->fd, 1);
    EXPECT_EQ(mf_stderr()->fd, 2);
    EXPECT_EQ(mf_stream_close(mf_stdin(), MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_stream_close(mf_stdout(), MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_stream_close(mf_stderr(), MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_stream_limit(mf_stdin(), 100), 0);
    return 0;
}

MFI_TEST(standard_streams_stay_open)
{
    in_both(standard, NULL);
}

MFI_TEST(a_plain_thread_needs_no_runtime)
{
    int in[2], out[2];
    char buf[32] = "", *line;

    bare_pipe(in);
    bare_pipe(out);
    EXPECT_EQ(dup2(in[0], 0), 0);
    EXPECT_EQ(dup2(out[1], 1), 1);
    EXPECT_EQ(write(in[1], "line\nrest", 9), 9);
    EXPECT_EQ(mf_stream_line(mf_stdin(), &line, late()), 5);
    EXPECT_EQ(mf_stream_printf(mf_stdout(), late(), "(%s)", line), 6);
    EXPECT_EQ(mf_stream_line(mf_stdin(), &line, soon()), -ETIMEDOUT);
    EXPECT_EQ(read(out[0], buf, sizeof buf), 6);
    EXPECT_STR_EQ(buf, "(line)");
    EXPECT_EQ(flags_of(0) & O_NONBLOCK, 0);
}

/* ---- terminals ----------------------------------------------------------- */

static struct termios mode_of(int fd)
{
    struct termios t;

    memset(&t, 0, sizeof t);
    EXPECT_EQ(tcgetattr(fd, &t), 0);
    return t;
}

/* Until the text, echoes and all, has come out of the master. */
static void expect_said(int master, const char *text)
{
    char buf[4096] = "";
    size_t got = 0;
    long n;

    while (strstr(buf, text) == NULL) {
        n = read(master, buf + got, sizeof buf - 1 - got);
        EXPECT_GT(n, 0);
        got += (size_t)n;
        buf[got] = '\0';
    }
}

MFI_TEST(a_terminal_is_left_as_it_was)
{
    struct pair p = pty_pair(); /* r: the master */
    int before = flags_of(p.w);
    struct termios mode = mode_of(p.w), after;
    pid_t pid = start(number, p.w, p.w);

    EXPECT_EQ(write(p.r, "hello\n", 6), 6);
    expect_said(p.r, "1 hello\r\n");
    EXPECT_EQ(flags_of(p.w), before);
    EXPECT_EQ(write(p.r, "half\4way\n", 9), 9); /* Ctrl-D: what is there */
    expect_said(p.r, "2 halfway\r\n");
    EXPECT_EQ(write(p.r, "last\4\4", 6), 6); /* twice: that is the end */
    expect_said(p.r, "3 last\r\n");
    EXPECT_EQ(status_of(pid), 0);
    EXPECT_EQ(flags_of(p.w), before);
    after = mode_of(p.w);
    EXPECT_EQ(memcmp(&mode, &after, sizeof mode), 0);
}

static int line_after_line(void *arg)
{
    char *line;

    (void)arg;
    EXPECT_EQ(mf_stream_line(mf_stdin(), &line, MF_NEVER), 0);
    EXPECT_EQ(mf_printf(1, MF_NEVER, "again?\n"), 7);
    EXPECT_EQ(mf_stream_line(mf_stdin(), &line, MF_NEVER), 4);
    EXPECT_STR_EQ(line, "yes");
    return 0;
}

MFI_TEST(the_end_on_a_terminal_is_not_for_ever)
{
    struct pair p = pty_pair();
    pid_t pid = start(line_after_line, p.w, p.w);

    EXPECT_EQ(write(p.r, "\4", 1), 1);
    expect_said(p.r, "again?");
    EXPECT_EQ(write(p.r, "yes\n", 4), 4);
    EXPECT_EQ(status_of(pid), 0);
}

/* ---- job control --------------------------------------------------------- */

static int say_and_end(void *arg)
{
    (void)arg;
    return mf_printf(1, MF_NEVER, "said\n") == 5 ? 0 : 1;
}

/* A shell: starts a job in the background, sees it stop, brings it forth. */
static void shell(int slave, mf_fn *fn, int signo)
{
    sigset_t ttou;
    int status;
    pid_t pid;

    setsid();
    EXPECT_EQ(ioctl(slave, TIOCSCTTY, 0), 0);
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    EXPECT_EQ(sigprocmask(SIG_BLOCK, &ttou, NULL), 0); /* for tcsetpgrp */
    if ((pid = fork()) == 0) {
        setpgid(0, 0);
        sigprocmask(SIG_UNBLOCK, &ttou, NULL);
        dup2(slave, 0);
        dup2(slave, 1);
        status = mf_run(fn, NULL, MF_OPTIONS(.workers = 1));
        exit(status < 0 ? -status : status);
    }
    EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
    EXPECT(WIFSTOPPED(status));
    EXPECT_EQ(WSTOPSIG(status), signo);
    EXPECT_EQ(tcsetpgrp(slave, pid), 0);
    EXPECT_EQ(kill(-pid, SIGCONT), 0);
    EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
    EXPECT(WIFEXITED(status));
    EXPECT_EQ(tcsetpgrp(slave, getpid()), 0);
    exit(WEXITSTATUS(status));
}

static void background(mf_fn *fn, int signo, const char *typed,
                       const char *said)
{
    struct pair p = pty_pair();
    int before = flags_of(p.w);
    struct termios t = mode_of(p.w);
    pid_t pid;

    if (signo == SIGTTOU) {
        t.c_lflag |= TOSTOP;
        EXPECT_EQ(tcsetattr(p.w, TCSANOW, &t), 0);
    }
    fflush(NULL);
    EXPECT_GE(pid = fork(), 0);
    if (pid == 0)
        shell(p.w, fn, signo);
    EXPECT_EQ(write(p.r, typed, strlen(typed)), strlen(typed));
    expect_said(p.r, said);
    EXPECT_EQ(status_of(pid), 0);
    EXPECT_EQ(flags_of(p.w), before);
}

MFI_TEST(a_background_reader_stops_and_goes_on_in_front)
{
    background(number, SIGTTIN, "typed\n\4", "1 typed\r\n");
}

MFI_TEST(a_background_writer_stops_where_the_terminal_wants_it)
{
    background(say_and_end, SIGTTOU, "", "said\r\n");
}
