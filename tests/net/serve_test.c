/* SPDX-License-Identifier: MIT */
/* serve_test.c - an accept loop that keeps serving, and ends in order. */
#include <sys/resource.h>

#include "io/kit.h"

enum { CLIENTS = 12 };

struct site {
    int listener;
    char where[MF_ADDR_STR];
    mf_event stop;
    mf_event finish; /* connections end */
    mf_serve_options opts;
    mf_conn_fn *fn;
    _Atomic int live, most, all;
    int want; /* what serve is to return */
};

static void open_site(struct site *s, mf_conn_fn *fn)
{
    memset(s, 0, sizeof *s);
    s->fn = fn;
    s->opts.size = sizeof s->opts;
    s->opts.stop = &s->stop;
    EXPECT_GE(s->listener = mf_tcp_listen("127.0.0.1:0", NULL), 0);
    local_name(s->listener, s->where, sizeof s->where);
}

/*
 * Not by knocking: the port may be another process's by now, nor by the number
 * alone, which may be another file's.
 */
static bool is_closed(const struct site *s)
{
    char text[MF_ADDR_STR];
    mf_addr a;

    return mf_local_addr(s->listener, &a) < 0 ||
           strcmp(mf_addr_str(&a, text, sizeof text), s->where) != 0;
}

static int run_site(void *arg)
{
    struct site *s = arg;

    EXPECT_EQ(mf_serve(s->listener, s->fn, s, &s->opts), s->want);
    EXPECT(is_closed(s));
    return 0;
}

static void come(struct site *s)
{
    int live = mfi_add_acqrel(&s->live, 1) + 1, most = mfi_load_acq(&s->most);

    while (live > most && !mfi_cas_acqrel(&s->most, &most, live))
        ;
    mfi_add_acqrel(&s->all, 1);
}

static int go(struct site *s, int fd)
{
    mfi_sub_acqrel(&s->live, 1);
    return mf_close(fd);
}

static void until(_Atomic int *what, int n)
{
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();

    while (mfi_load_acq(what) != n) {
        EXPECT_LT(mf_now(), end);
        breathe();
    }
}

/* Says "!" and stays until told. */
static int stay(int fd, void *arg)
{
    struct site *s = arg;

    come(s);
    EXPECT_EQ(mf_write(fd, "!", 1, late()), 1);
    if (mf_event_wait(&s->finish, MF_NEVER) < 0)
        EXPECT_NE(mf_cancelled(), 0);
    return go(s, fd);
}

static int knock(struct site *s)
{
    int fd = mf_tcp_connect(s->where, NULL, late());

    EXPECT_GE(fd, 0);
    return fd;
}

static int greeted(struct site *s)
{
    int fd = knock(s);
    char c;

    EXPECT_EQ(mf_read(fd, &c, 1, late()), 1);
    return fd;
}

static int at_most_three(void *arg)
{
    int fds[CLIENTS];
    struct site s;
    struct helper h;
    char c;

    (void)arg;
    open_site(&s, stay);
    s.opts.max_conns = 3;
    help(&h, run_site, &s);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = knock(&s);
    until(&s.live, 3);
    EXPECT_EQ(mf_read(fds[CLIENTS - 1], &c, 1, soon()), -ETIMEDOUT);
    mf_event_fire(&s.finish);
    for (int i = 0; i < CLIENTS; i++) {
        EXPECT_EQ(mf_read(fds[i], &c, 1, late()), 1);
        EXPECT_EQ(mf_close(fds[i]), 0);
    }
    EXPECT_EQ(mfi_load_acq(&s.most), 3);
    EXPECT_EQ(mfi_load_acq(&s.all), CLIENTS);
    mf_event_fire(&s.stop);
    EXPECT_EQ(helped(&h), 0);
    return 0;
}

MFI_TEST(no_more_connections_than_allowed_live_at_once)
{
    in_tasks(1, at_most_three, NULL);
    in_tasks(4, at_most_three, NULL);
    in_thread(at_most_three, NULL);
}

/* Stop: nobody new; those who are there may end in their time. */
static int drained(void *arg)
{
    struct site s;
    struct helper h;
    int fd;

    (void)arg;
    open_site(&s, stay);
    s.opts.drain = MF_SEC(20) * mfi_test_scale();
    help(&h, run_site, &s);
    fd = greeted(&s);
    mf_event_fire(&s.stop);
    while (!is_closed(&s))
        breathe();
    EXPECT_EQ(mfi_load_acq(&s.live), 1);
    mf_event_fire(&s.finish);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mfi_load_acq(&s.live), 0);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(a_stop_lets_those_who_are_there_end)
{
    in_both(drained, NULL);
}

static int cut_short(void *arg)
{
    struct site s;
    struct helper h;
    int fd;

    (void)arg;
    open_site(&s, stay);
    s.opts.drain = MF_MSEC(20);
    s.want = -ETIMEDOUT;
    help(&h, run_site, &s);
    fd = greeted(&s);
    mf_event_fire(&s.stop);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mfi_load_acq(&s.live), 0); /* cancelled and awaited */
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(a_drain_that_takes_too_long_is_cut_short)
{
    in_both(cut_short, NULL);
}

static int stopped_before(void *arg)
{
    struct site s;

    (void)arg;
    open_site(&s, stay);
    mf_event_fire(&s.stop);
    return run_site(&s);
}

MFI_TEST(a_stop_that_came_first_counts)
{
    in_both(stopped_before, NULL);
}

static int from_outside(void *arg)
{
    struct site s;
    struct helper h;
    int fd;

    (void)arg;
    open_site(&s, stay);
    s.want = -ECANCELED;
    help(&h, run_site, &s);
    fd = greeted(&s);
    mf_task_cancel(h.task);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mfi_load_acq(&s.live), 0);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(a_cancel_from_outside_ends_server_and_connections)
{
    in_both(from_outside, NULL);
}

static int bad_listeners(void *arg)
{
    struct site s;
    struct helper h;
    int fds[2], fd;

    (void)arg;
    open_site(&s, NULL);
    s.want = -EINVAL;
    run_site(&s);
    open_site(&s, stay);
    s.want = -EINVAL;
    s.opts.drain = -1;
    run_site(&s);
    EXPECT_EQ(mf_serve(-1, stay, NULL, NULL), -EBADF);
    bare_pipe(fds);
    EXPECT_EQ(mf_serve(fds[0], stay, NULL, NULL), -ENOTSOCK);
    EXPECT_EQ(fcntl(fds[0], F_GETFD), -1);
    EXPECT_EQ(mf_close(fds[1]), 0);
    bare_pair(SOCK_STREAM, fds);
    EXPECT_EQ(mf_serve(fds[0], stay, NULL, NULL), -EINVAL);
    EXPECT_EQ(mf_close(fds[1]), 0);
    /* Closed while it serves: the connections end with it. */
    open_site(&s, stay);
    s.want = -EBADF;
    help(&h, run_site, &s);
    fd = greeted(&s);
    await_waiters(s.listener, 1);
    EXPECT_EQ(mf_close(s.listener), 0);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(mfi_load_acq(&s.live), 0);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

MFI_TEST(an_error_of_the_listener_ends_it_all)
{
    in_both(bad_listeners, NULL);
}

/* ---- bad days ----------------------------------------------------------- */

static int one_of_three_panics(int fd, void *arg)
{
    struct site *s = arg;
    int i = mfi_add_acqrel(&s->all, 1), rc;

    if (i % 3 != 2) {
        rc = mf_write(fd, "!", 1, late());
        EXPECT_EQ(rc, 1);
    }
    rc = mf_close(fd);
    if (i % 3 == 2)
        mf_panic("the third one");
    return i % 3 == 1 ? -EIO : rc;
}

static int others_go_on(void *arg)
{
    struct site s;
    struct helper h;
    int got = 0;
    char c;

    (void)arg;
    open_site(&s, one_of_three_panics);
    help(&h, run_site, &s);
    for (int i = 0; i < CLIENTS; i++) {
        int fd = knock(&s), n = mf_read(fd, &c, 1, late());

        EXPECT_GE(n, 0);
        got += n;
        EXPECT_EQ(mf_close(fd), 0);
    }
    EXPECT_EQ(got, CLIENTS - CLIENTS / 3);
    mf_event_fire(&s.stop);
    EXPECT_EQ(helped(&h), 0);
    return 0;
}

MFI_TEST(a_connection_that_panics_or_fails_ends_alone)
{
    in_both(others_go_on, NULL);
}

static int exit_cancelled(int fd, void *arg)
{
    (void)arg;
    EXPECT_EQ(mf_close(fd), 0);
    mf_exit(-ECANCELED);
}

static int not_a_cancel(void *arg)
{
    struct site s;
    struct helper h;
    char c;
    int fd;

    (void)arg;
    open_site(&s, exit_cancelled);
    help(&h, run_site, &s);
    fd = knock(&s);
    EXPECT_EQ(mf_read(fd, &c, 1, late()), 0);
    mf_event_fire(&s.stop);
    EXPECT_EQ(helped(&h), 0);
    return mf_close(fd);
}

MFI_TEST(a_connection_that_ends_as_cancelled_does_not_cancel_the_server)
{
    in_both(not_a_cancel, NULL);
}

static int hang_up(int fd, void *arg)
{
    struct site *s = arg;

    mfi_add_acqrel(&s->all, 1);
    return mf_close(fd);
}

static void limit_files(rlim_t n)
{
    struct rlimit lim;

    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &lim), 0);
    lim.rlim_cur = n;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &lim), 0);
}

/*
 * The limit is below what is open: every accept says -EMFILE. It must cost next
 * to nothing, and be over when there is room again.
 */
static int no_files(void *arg)
{
    struct rlimit was;
    struct site s;
    struct helper h;
    int fds[CLIENTS];
    mf_ns cpu;
    char c;

    (void)arg;
    settle();
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &was), 0);
    open_site(&s, hang_up);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = knock(&s);
    limit_files(3);
    cpu = cpu_time();
    help(&h, run_site, &s);
    EXPECT_EQ(mf_sleep(MF_MSEC(300)), 0); /* the thing measured is time */
    EXPECT_LT(cpu_time() - cpu, MF_MSEC(60) * KIT_SLOW);
    EXPECT_EQ(mfi_load_acq(&s.all), 0);
    limit_files(was.rlim_cur);
    for (int i = 0; i < CLIENTS; i++) {
        EXPECT_EQ(mf_read(fds[i], &c, 1, late()), 0);
        EXPECT_EQ(mf_close(fds[i]), 0);
    }
    EXPECT_EQ(mfi_load_acq(&s.all), CLIENTS);
    mf_event_fire(&s.stop);
    EXPECT_EQ(helped(&h), 0);
    return 0;
}

MFI_TEST(without_file_numbers_it_waits_and_then_goes_on)
{
    in_tasks(1, no_files, NULL);
    in_tasks(2, no_files, NULL);
}

static void limit_memory(rlim_t n)
{
    struct rlimit lim = {n, RLIM_INFINITY};

    EXPECT_EQ(setrlimit(RLIMIT_AS, &lim), 0);
}

static rlim_t memory_used(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    EXPECT(f != NULL);
    EXPECT_EQ(fscanf(f, "%lu", &pages), 1);
    fclose(f);
    return (rlim_t)pages * 4096;
}

/* No stack for it: the connection is closed, the next one served. */
static int no_memory(void *arg)
{
    struct site s;
    struct helper h;
    int fd, rc;
    char c;

    (void)arg;
    open_site(&s, hang_up);
    s.opts.stack_size = (size_t)64 << 20;
    help(&h, run_site, &s);
    limit_memory(memory_used() + (1 << 20));
    fd = knock(&s);
    rc = mf_read(fd, &c, 1, late());
    EXPECT(rc == 0 || rc == -ECONNRESET);
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_EQ(mfi_load_acq(&s.all), 0);
    limit_memory(RLIM_INFINITY);
    fd = knock(&s);
    EXPECT_EQ(mf_read(fd, &c, 1, late()), 0);
    EXPECT_EQ(mf_close(fd), 0);
    EXPECT_EQ(mfi_load_acq(&s.all), 1);
    mf_event_fire(&s.stop);
    EXPECT_EQ(helped(&h), 0);
    return 0;
}

MFI_TEST(a_connection_without_a_stack_is_closed)
{
    if (MFI_TEST_ASAN || MFI_TEST_TSAN)
        MFI_SKIP("sanitizers need the address space");
    in_tasks(1, no_memory, NULL);
}
