/* SPDX-License-Identifier: MIT */
/* child.h - what the tests of child processes share. */
#ifndef MFI_TESTS_CHILD_H
#define MFI_TESTS_CHILD_H

#include <mayfly/proc.h>

#include <sys/wait.h>

#include "io/kit.h"

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SH(text)  ARGV("sh", "-c", text)

KIT mf_proc *start_with(const char *const *argv, const mf_proc_options *o)
{
    mf_proc *p = NULL;

    EXPECT_EQ(mf_proc_start(argv, o, &p), 0);
    EXPECT(p != NULL);
    return p;
}

KIT mf_proc *start_sh(const char *text)
{
    return start_with(SH(text), NULL);
}

KIT mf_exit_status end_of(mf_proc *p)
{
    mf_exit_status st = {-7, -7, -7};

    EXPECT_EQ(mf_proc_wait(p, &st, late()), 0);
    return st;
}

/* The code text exits with. */
KIT int code_of(const char *text, const mf_proc_options *o)
{
    mf_proc *p = start_with(SH(text), o);
    mf_exit_status st = end_of(p);

    EXPECT_EQ(mf_proc_close(p), 0);
    EXPECT_EQ(st.signal, 0);
    return st.code;
}

/* What the program says; static. */
KIT const char *said_with(const char *const *argv, const mf_proc_options *o)
{
    static char said[8192];
    mf_exit_status st;
    size_t len = 0;
    char *out = NULL;

    EXPECT_EQ(
        mf_proc_run(argv, o, NULL, 0, sizeof said - 1, &out, &len, &st, late()),
        0);
    EXPECT_EQ(strlen(out), len);
    memcpy(said, out, len + 1);
    free(out);
    return said;
}

/* No child is left, ended or not: all have been reaped. */
KIT void no_child_left(void)
{
    siginfo_t info;

    EXPECT(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0);
}

/* Is there a process of this number that is no zombie? */
KIT bool lives(pid_t pid)
{
    char path[64], line[512];
    const char *state;
    FILE *f;
    bool got;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    f = fopen(path, "re");
    if (f == NULL)
        return false;
    got = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    state = got ? strrchr(line, ')') : NULL;
    return state != NULL && state[2] != 'Z' && state[2] != 'X';
}

/* Wait until the child has said a line of n bytes: it is where it should be. */
KIT void await_line(mf_proc *p, char *line, size_t n)
{
    EXPECT_EQ(mf_read_full(mf_proc_fd(p, 1), line, n, late()), 1);
    EXPECT_EQ(line[n - 1], '\n');
}

#endif
