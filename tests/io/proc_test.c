/* SPDX-License-Identifier: MIT */
/*
 * proc_test.c - waiting for children, once or often, by one or many; signals;
 * closing; how they ended.
 */
#include "io/child.h"

enum { CHILDREN = MFI_TEST_TSAN || MFI_TEST_ASAN ? 60 : 200, WAITERS = 8 };

/* ---- how it ended ------------------------------------------------------- */

static int codes(void *arg)
{
    (void)arg;
    EXPECT_EQ(code_of("exit 0", NULL), 0);
    EXPECT_EQ(code_of("exit 7", NULL), 7);
    EXPECT_EQ(code_of("exit 255", NULL), 255);
    no_child_left();
    return 0;
}

MFI_TEST(the_code_of_the_exit_is_told)
{
    in_both(codes, NULL);
}

static int signals(void *arg)
{
    static const int signos[] = {SIGKILL, SIGTERM, SIGUSR1, SIGHUP};
    mf_exit_status st;
    mf_proc *p;

    (void)arg;
    for (size_t i = 0; i < sizeof signos / sizeof signos[0]; i++) {
        p = start_with(ARGV("sleep", "1000"), NULL);
        EXPECT_EQ(mf_proc_kill(p, signos[i]), 0);
        st = end_of(p);
        EXPECT_EQ(st.code, -1);
        EXPECT_EQ(st.signal, signos[i]);
        EXPECT_EQ(st.dumped, 0);
        EXPECT_EQ(mf_proc_kill(p, SIGKILL), -ESRCH);
        EXPECT_EQ(mf_proc_close(p), 0);
    }
    no_child_left();
    return 0;
}

MFI_TEST(the_signal_that_killed_it_is_told)
{
    in_both(signals, NULL);
}

/* The kernel's word for it, and ours, whether a core could be written or not.*/
static int dumps_core(void *arg)
{
    char dir[] = "/tmp/mayfly-core-XXXXXX", cmd[128];
    mf_exit_status st;
    mf_proc *p;
    int status = 0, pid;

    (void)arg;
    EXPECT(mkdtemp(dir) != NULL);
    pid = fork();
    if (pid == 0) {
        EXPECT_EQ(chdir(dir), 0);
        execl("/bin/sh", "sh", "-c", "ulimit -c unlimited; kill -QUIT $$",
              (char *)NULL);
        _exit(9);
    }
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    p = start_with(SH("ulimit -c unlimited; kill -QUIT $$"),
                   MF_PROC_OPTIONS(.dir = dir));
    st = end_of(p);
    EXPECT_EQ(st.signal, SIGQUIT);
    EXPECT_EQ(st.dumped, WCOREDUMP(status) != 0);
    EXPECT_EQ(mf_proc_close(p), 0);
    snprintf(cmd, sizeof cmd, "rm -r %s", dir);
    EXPECT_EQ(code_of(cmd, NULL), 0);
    return 0;
}

MFI_TEST(a_core_dump_is_told)
{
    in_thread(dumps_core, NULL);
}

/* ---- waiting ------------------------------------------------------------ */

static int deadlines(void *arg)
{
    mf_proc *p =
        start_with(SH("read x; exit 3"), MF_PROC_OPTIONS(.in = MF_STDIO_PIPE));
    mf_exit_status st = {5, 5, 5};
    mf_ns begin;

    (void)arg;
    EXPECT_EQ(mf_proc_wait(p, &st, MF_NOW), -ETIMEDOUT);
    begin = mf_now();
    EXPECT_EQ(mf_proc_wait(p, &st, mf_after(MF_MSEC(20))), -ETIMEDOUT);
    EXPECT_GE(mf_now() - begin, MF_MSEC(20));
    EXPECT_EQ(st.code, 5); /* written on success only */
    EXPECT(lives(mf_proc_pid(p)));
    EXPECT_EQ(mf_proc_hang_up(p, 0), 0);
    EXPECT_EQ(mf_proc_wait(p, NULL, late()), 0);
    for (int i = 0; i < 3; i++) { /* and again */
        EXPECT_EQ(mf_proc_wait(p, &st, i == 0 ? MF_NOW : late()), 0);
        EXPECT_EQ(st.code, 3);
    }
    EXPECT_EQ(mf_proc_close(p), 0);
    no_child_left();
    return 0;
}

MFI_TEST(a_wait_has_a_deadline_and_can_be_repeated)
{
    in_both(deadlines, NULL);
}

static int is_cancelled_waiting(void *arg)
{
    EXPECT_EQ(mf_proc_wait(arg, NULL, MF_NEVER), -ECANCELED);
    return 0;
}

static int cancels(void *arg)
{
    mf_proc *p = start_with(ARGV("sleep", "1000"), NULL);
    mf_task *t;
    MF_SCOPE(s);

    (void)arg;
    EXPECT_EQ(mf_spawn(&s, is_cancelled_waiting, p, NULL, &t), 0);
    await_parked(t);
    mf_scope_cancel(&s);
    EXPECT_EQ(mf_proc_wait(p, NULL, late()), -ECANCELED); /* on entry too */
    EXPECT_EQ(mf_proc_start(ARGV("true"), NULL, &p), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT(lives(mf_proc_pid(p)));
    EXPECT_EQ(mf_proc_close(p), 0);
    no_child_left();
    return 0;
}

MFI_TEST(a_cancel_ends_the_wait_and_not_the_child)
{
    in_both(cancels, NULL);
}

struct crowd {
    mf_proc *p;
    _Atomic int told;
};

static int is_told(void *arg)
{
    struct crowd *c = arg;
    mf_exit_status st = end_of(c->p);

    EXPECT_EQ(st.code, 9);
    mfi_add_acqrel(&c->told, 1);
    return 0;
}

static int selects(void *arg)
{
    struct crowd *c = arg;
    mf_exit_status st = {0};
    mf_case cs[2] = {mf_on_time(late()), mf_on_proc(c->p, &st)};

    EXPECT_EQ(mf_select(cs, 2, MF_NEVER), 1);
    EXPECT_EQ(cs[1].res, 0);
    EXPECT_EQ(st.code, 9);
    mfi_add_acqrel(&c->told, 1);
    return 0;
}

static void *thread_is_told(void *arg)
{
    is_told(arg);
    return NULL;
}

static void *thread_selects(void *arg)
{
    selects(arg);
    return NULL;
}

static int many_wait(void *arg)
{
    struct crowd c = {.p = start_with(SH("read x; exit 9"),
                                      MF_PROC_OPTIONS(.in = MF_STDIO_PIPE))};
    int fd = mf_proc_fd(c.p, 0), nthreads = 2;
    pthread_t threads[2];
    mf_task *tasks[WAITERS];
    MF_SCOPE(s);

    (void)arg;
    for (int i = 0; i < WAITERS; i++)
        EXPECT_EQ(mf_spawn(&s, i % 2 ? is_told : selects, &c, NULL, &tasks[i]),
                  0);
    for (int i = 0; i < nthreads; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL,
                                 i % 2 ? thread_is_told : thread_selects, &c),
                  0);
    for (int i = 0; i < WAITERS; i++)
        await_parked(tasks[i]);
    EXPECT_EQ(mf_write_all(fd, "\n", 1, late()), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    for (int i = 0; i < nthreads; i++)
        while (pthread_tryjoin_np(threads[i], NULL) == EBUSY)
            breathe();
    EXPECT_EQ(mfi_load_acq(&c.told), WAITERS + nthreads);
    EXPECT_EQ(mf_proc_close(c.p), 0);
    no_child_left();
    return 0;
}

MFI_TEST(all_who_wait_are_told)
{
    in_tasks(1, many_wait, NULL);
    in_both(many_wait, NULL);
}

static int many_children(void *arg)
{
    static mf_proc *p[CHILDREN];
    char text[32];

    (void)arg;
    for (int i = 0; i < CHILDREN; i++) {
        snprintf(text, sizeof text, "read x; exit %d", i % 100);
        p[i] = start_with(SH(text), MF_PROC_OPTIONS(.in = MF_STDIO_PIPE));
    }
    for (int i = 0; i < CHILDREN; i++) {
        EXPECT(lives(mf_proc_pid(p[i])));
        EXPECT_EQ(mf_proc_hang_up(p[i], 0), 0);
        EXPECT_EQ(mf_proc_hang_up(p[i], 0), -EBADF);
    }
    for (int i = CHILDREN; i-- > 0;) {
        EXPECT_EQ(end_of(p[i]).code, i % 100);
        EXPECT_EQ(mf_proc_close(p[i]), 0);
    }
    no_child_left();
    return 0;
}

MFI_TEST(hundreds_at_once)
{
    in_tasks(2, many_children, NULL);
}

/* ---- select ------------------------------------------------------------- */

static int in_a_select(void *arg)
{
    mf_proc *p =
        start_with(SH("read x; exit 4"), MF_PROC_OPTIONS(.in = MF_STDIO_PIPE));
    mf_exit_status st = {5, 5, 5};
    mf_case c[2] = {mf_on_proc(NULL, &st), mf_on_proc(p, &st)};
    int rc, rounds = 0;

    (void)arg;
    EXPECT_EQ(mf_select(c, 2, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_select(c, 2, soon()), -ETIMEDOUT);
    EXPECT_EQ(st.code, 5);
    EXPECT_EQ(mf_proc_hang_up(p, 0), 0);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(mf_select(c, 2, late()), 1);
        EXPECT_EQ(c[1].res, 0);
        EXPECT_EQ(st.code, 4);
        st.code = 5;
    }
    MF_LOOP_SELECT(rc, late())
    { /* it has said its last word */
        MF_CASE(mf_on_proc(p, NULL)) rounds++;
    }
    EXPECT_EQ(rc, 0);
    EXPECT_EQ(rounds, 1);
    EXPECT_EQ(mf_proc_close(p), 0);
    return 0;
}

MFI_TEST(a_select_waits_for_a_child)
{
    in_both(in_a_select, NULL);
}

/* ---- close and kill ----------------------------------------------------- */

static int misuse(void *arg)
{
    mf_proc *p = start_with(ARGV("sleep", "1000"), NULL);

    (void)arg;
    EXPECT_EQ(mf_proc_close(NULL), 0);
    EXPECT_EQ(mf_proc_wait(NULL, NULL, MF_NOW), -EINVAL);
    EXPECT_EQ(mf_proc_kill(NULL, SIGTERM), -EINVAL);
    EXPECT_EQ(mf_proc_kill(p, -1), -EINVAL);
    EXPECT_EQ(mf_proc_kill(p, 65), -EINVAL);
    EXPECT_EQ(mf_proc_kill(p, 0), 0);
    EXPECT_EQ(mf_proc_fd(p, 0), -EBADF);
    EXPECT_EQ(mf_proc_fd(p, 3), -EBADF);
    EXPECT_EQ(mf_proc_fd(p, -1), -EBADF);
    EXPECT_EQ(mf_proc_hang_up(p, 1), -EBADF);
    EXPECT_EQ(mf_proc_close(p), 0);
    no_child_left();
    return 0;
}

MFI_TEST(misuse_is_refused)
{
    in_both(misuse, NULL);
}

static int closes(void *arg)
{
    const mf_proc_options *out = MF_PROC_OPTIONS(.out = MF_STDIO_PIPE);
    pid_t pid;
    mf_proc *p;
    char line[3];

    (void)arg;
    p = start_with(ARGV("sleep", "1000"), NULL);
    pid = mf_proc_pid(p);
    EXPECT_EQ(mf_proc_close(p), 0); /* grace 0: SIGKILL at once */
    EXPECT(!lives(pid));
    p = start_with(SH("echo ok; trap '' TERM; exec sleep 1000"), out);
    await_line(p, line, 3);
    EXPECT_EQ(mf_proc_close(p), 0);
    no_child_left();
    return 0;
}

MFI_TEST(a_close_kills_and_reaps)
{
    in_both(closes, NULL);
}

/* One that ends when asked, one that does not. */
static int grace(void *arg)
{
    mf_proc *p;
    mf_ns begin;
    char line[3];
    int fds[2];

    (void)arg;
    bare_pipe(fds);
    p = start_with(SH("trap 'echo bye; exit 0' USR1; echo ok; "
                      "while :; do sleep 0.01; done"),
                   MF_PROC_OPTIONS(.out = fds[1], .kill_signal = SIGUSR1,
                                   .grace = MF_SEC(20)));
    EXPECT_EQ(mf_read_full(fds[0], line, 3, late()), 1);
    EXPECT_EQ(mf_proc_close(p), 0);
    EXPECT_EQ(mf_read_full(fds[0], line, 3, MF_NOW), 1);
    EXPECT_EQ(memcmp(line, "bye", 3), 0);
    close(fds[0]);
    close(fds[1]);
    p = start_with(SH("trap '' TERM; echo ok; while :; do sleep 1; done"),
                   MF_PROC_OPTIONS(.out = MF_STDIO_PIPE, .grace = MF_MSEC(30)));
    await_line(p, line, 3);
    begin = mf_now();
    EXPECT_EQ(mf_proc_close(p), 0);
    EXPECT_GE(mf_now() - begin, MF_MSEC(30));
    no_child_left();
    return 0;
}

MFI_TEST(a_close_asks_before_it_kills)
{
    in_both(grace, NULL);
}

static void await_death(pid_t pid)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();

    while (lives(pid)) { /* init, or who stands in for it, reaps it */
        EXPECT_LT(mf_now(), end);
        breathe();
    }
}

static int groups(void *arg)
{
    const mf_proc_options *o =
        MF_PROC_OPTIONS(.out = MF_STDIO_PIPE, .group = 1);
    pid_t grandchild;
    char line[9];
    mf_proc *p;

    (void)arg;
    for (int how = 0; how < 3; how++) {
        /* It says its own and its child's number, eight digits each. */
        p = start_with(SH("sleep 1000 & printf '%08d\\n' $!; read x < "
                          "/proc/self/stat; set -- $x; echo $5; wait"),
                       o);
        await_line(p, line, sizeof line);
        grandchild = atoi(line);
        EXPECT(lives(grandchild));
        EXPECT_EQ(getpgid(grandchild), mf_proc_pid(p));
        if (how == 0)
            EXPECT_EQ(mf_proc_kill(p, SIGTERM), 0);
        if (how == 1) { /* the leader is gone before */
            EXPECT_EQ(kill(mf_proc_pid(p), SIGKILL), 0);
            EXPECT_EQ(end_of(p).signal, SIGKILL);
        }
        EXPECT_EQ(mf_proc_close(p), 0);
        await_death(grandchild);
    }
    no_child_left();
    return 0;
}

MFI_TEST(a_group_is_killed_as_a_whole)
{
    in_both(groups, NULL);
}

/* ---- what the process does with SIGCHLD --------------------------------- */

static _Atomic int handled;

static void on_child(int signo)
{
    (void)signo;
    mfi_add_acqrel(&handled, 1);
}

static int with_handler(void *arg)
{
    struct sigaction sa = {.sa_handler = on_child}, now;
    mf_proc *p;

    (void)arg;
    EXPECT_EQ(sigaction(SIGCHLD, &sa, NULL), 0);
    EXPECT_EQ(code_of("exit 5", NULL), 5);
    EXPECT_EQ(mf_proc_start(ARGV("/no/such/program"), NULL, &p), -ENOENT);
    EXPECT_EQ(sigaction(SIGCHLD, NULL, &now), 0);
    EXPECT(now.sa_handler == on_child);
    EXPECT_EQ(signal(SIGCHLD, SIG_DFL) == SIG_ERR, 0);
    no_child_left();
    return 0;
}

MFI_TEST(a_handler_of_sigchld_is_left_alone)
{
    in_both(with_handler, NULL);
}

static int ignored(void *arg)
{
    mf_exit_status st = {5, 5, 5};
    mf_proc *p;
    mf_case c;

    (void)arg;
    EXPECT(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    p = start_with(SH("read x; exit 3"), MF_PROC_OPTIONS(.in = MF_STDIO_PIPE));
    EXPECT_EQ(mf_proc_wait(p, &st, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_proc_hang_up(p, 0), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(mf_proc_wait(p, &st, late()), -ECHILD);
    c = mf_on_proc(p, &st);
    EXPECT_EQ(mf_select(&c, 1, late()), 0);
    EXPECT_EQ(c.res, -ECHILD);
    EXPECT_EQ(st.code, 5);
    EXPECT_EQ(mf_proc_kill(p, SIGKILL), -ESRCH);
    EXPECT_EQ(mf_proc_close(p), 0);
    p = start_with(ARGV("sleep", "1000"), NULL);
    EXPECT_EQ(mf_proc_close(p), 0);
    EXPECT_EQ(mf_proc_start(ARGV("/no/such/program"), NULL, &p), -ENOENT);
    EXPECT(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
    return 0;
}

MFI_TEST(an_ignored_sigchld_costs_the_status_only)
{
    in_both(ignored, NULL);
}

/* Somebody reaps all there is. */
static int stolen(void *arg)
{
    mf_proc *p = start_sh("exit 3");

    (void)arg;
    EXPECT_EQ(waitpid(-1, NULL, 0), mf_proc_pid(p));
    EXPECT_EQ(mf_proc_wait(p, NULL, late()), -ECHILD);
    EXPECT_EQ(mf_proc_kill(p, SIGTERM), -ESRCH);
    EXPECT_EQ(mf_proc_close(p), 0);
    return 0;
}

MFI_TEST(a_child_that_others_have_reaped_is_known_to_have_ended)
{
    in_both(stolen, NULL);
}

/* ---- all of it at once -------------------------------------------------- */

struct race {
    mf_proc *p;
    _Atomic int told, killed;
};

static int waits_in_bits(void *arg)
{
    struct race *r = arg;
    mf_exit_status st = {0};
    int rc;

    while ((rc = mf_proc_wait(r->p, &st, mf_after(MF_USEC(200)))) < 0)
        EXPECT_EQ(rc, -ETIMEDOUT);
    EXPECT_EQ(st.signal, SIGKILL);
    mfi_add_acqrel(&r->told, 1);
    return 0;
}

static int kills_when_it_can(void *arg)
{
    struct race *r = arg;
    int rc = mf_proc_kill(r->p, SIGKILL);

    EXPECT(rc == 0 || rc == -ESRCH);
    mfi_add_acqrel(&r->killed, rc == 0);
    return 0;
}

static int races(void *arg)
{
    (void)arg;
    for (int i = 0; i < 60 / KIT_SLOW; i++) {
        struct race r = {.p = start_with(ARGV("sleep", "1000"), NULL)};
        MF_SCOPE(s);

        for (int k = 0; k < 4; k++)
            EXPECT_EQ(mf_go(&s, waits_in_bits, &r), 0);
        for (int k = 0; k < 3; k++)
            EXPECT_EQ(mf_go(&s, kills_when_it_can, &r), 0);
        EXPECT_EQ(mf_scope_close(&s), 0);
        EXPECT_EQ(mfi_load_acq(&r.told), 4);
        EXPECT_GE(mfi_load_acq(&r.killed), 1);
        EXPECT_EQ(mf_proc_close(r.p), 0);
    }
    no_child_left();
    return 0;
}

MFI_TEST(waits_and_kills_at_once_agree)
{
    in_both(races, NULL);
}

/* ---- without a runtime -------------------------------------------------- */

MFI_TEST(a_thread_needs_no_runtime)
{
    mf_proc *p = start_sh("exit 6");

    EXPECT_EQ(end_of(p).code, 6);
    EXPECT_EQ(mf_start(NULL), 0); /* the handle outlives it */
    EXPECT_EQ(end_of(p).code, 6);
    EXPECT_EQ(mf_stop(late()), 0);
    EXPECT_EQ(end_of(p).code, 6);
    EXPECT_EQ(mf_proc_close(p), 0);
    no_child_left();
}
