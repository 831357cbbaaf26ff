/* SPDX-License-Identifier: MIT */
/*
 * cancel_test.c - a cancel ends every blocking call there is, before it waits
 * and while it waits, whoever says so: a table of calls times ways.
 */
#include <mayfly/block.h>

#include "io/kit.h"
#include "sched/worker.h"

/* What the calls block on; each stays blocked until cancelled. */
struct stage {
    struct pair empty, full, tcp;
    int listener;
    char blackhole[MF_ADDR_STR]; /* connects to it get no answer */
    int hole[3];
    int gate[2]; /* a pipe that holds offloaded functions */
    mf_event never;
    mf_task *other; /* a task that does not end */
    mf_scope with_child;
};

static struct stage st;
static char sink[8];

static int try_read(void)
{
    return mf_read(st.empty.r, sink, 1, MF_NEVER);
}

static int try_read_tcp(void)
{
    return mf_read(st.tcp.r, sink, 1, late());
}

static int try_readv(void)
{
    struct iovec iov[2] = {{&sink[0], 1}, {&sink[1], 1}};

    return mf_readv(st.empty.r, iov, 2, MF_NEVER);
}

static int try_read_full(void)
{
    return mf_read_full(st.empty.r, sink, 8, late());
}

static int try_peek(void)
{
    return mf_peek(st.empty.r, sink, 1, MF_NEVER);
}

static int try_write(void)
{
    return mf_write(st.full.w, "x", 1, MF_NEVER);
}

static int try_write_all(void)
{
    return mf_write_all(st.full.w, "xyz", 3, late());
}

static int try_writev(void)
{
    struct iovec iov[2] = {{&sink[0], 1}, {&sink[1], 1}};

    return mf_writev(st.full.w, iov, 2, MF_NEVER);
}

static int try_writev_all(void)
{
    struct iovec iov[2] = {{&sink[0], 1}, {&sink[1], 1}};

    return mf_writev_all(st.full.w, iov, 2, MF_NEVER);
}

static int try_wait_in(void)
{
    return mf_wait_fd(st.empty.r, POLLIN, MF_NEVER);
}

static int try_wait_out(void)
{
    return mf_wait_fd(st.full.w, POLLOUT | POLLPRI, late());
}

static int try_accept(void)
{
    return mf_accept(st.listener, NULL, MF_NEVER);
}

static int try_connect(void)
{
    return mf_tcp_connect(st.blackhole, NULL, MF_NEVER);
}

static int try_event(void)
{
    return mf_event_wait(&st.never, MF_NEVER);
}

static int try_join(void)
{
    return mf_join(st.other, NULL, MF_NEVER);
}

static int try_sleep(void)
{
    return mf_sleep(MF_SEC(30));
}

static int try_sleep_for_ever(void)
{
    return mf_sleep_until(MF_NEVER);
}

static int try_park(void)
{
    return mf_park(MF_NEVER);
}

static int try_scope_wait(void)
{
    return mf_scope_wait(&st.with_child, MF_NEVER);
}

static int try_wait_slot(void)
{
    return mf_scope_wait_slot(&st.with_child, MF_NEVER);
}

/* Until somebody writes to the gate. */
static int hold(void *arg)
{
    char c;

    (void)arg;
    return (int)read(st.gate[0], &c, 1);
}

static int try_block(void)
{
    int copy = 1, rc = mf_block(hold, &copy, sizeof copy, NULL, MF_NEVER);

    return rc;
}

static int no_conn(int fd, void *arg)
{
    (void)arg;
    return mf_close(fd);
}

static int try_serve(void)
{
    int l = mf_tcp_listen("127.0.0.1:0", NULL), rc;

    EXPECT_GE(l, 0);
    rc = mf_serve(l, no_conn, NULL, NULL);
    return rc;
}

static int try_yield(void)
{
    int rc;

    while ((rc = mf_yield()) == 0)
        ;
    return rc;
}

enum { NOT_THREAD = 1, NEVER_PARKS = 2 };

static const struct row {
    const char *name;
    int (*fn)(void);
    int flags;
} rows[] = {
    {"read", try_read, 0},
    {"read tcp", try_read_tcp, 0},
    {"readv", try_readv, 0},
    {"read_full", try_read_full, 0},
    {"peek", try_peek, 0},
    {"write", try_write, 0},
    {"write_all", try_write_all, 0},
    {"writev", try_writev, 0},
    {"writev_all", try_writev_all, 0},
    {"wait_fd in", try_wait_in, 0},
    {"wait_fd out", try_wait_out, 0},
    {"accept", try_accept, 0},
    {"connect", try_connect, 0},
    {"event_wait", try_event, 0},
    {"join", try_join, 0},
    {"sleep", try_sleep, 0},
    {"sleep_until never", try_sleep_for_ever, 0},
    {"park", try_park, NOT_THREAD},
    {"scope_wait", try_scope_wait, 0},
    {"wait_slot", try_wait_slot, 0},
    {"block", try_block, 0},
    {"serve", try_serve, 0},
    {"yield", try_yield, NEVER_PARKS},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* One row in one way. */
struct trial {
    const struct row *row;
    bool before;                 /* cancelled before the call */
    _Atomic uint32_t said;       /* the cancel has been made */
    struct agent *_Atomic agent; /* the victim's, once it runs */
    mf_task *victim;             /* a task; NULL: a thread inside scope */
    mf_scope scope;
};

static int undergo(void *arg)
{
    struct trial *t = arg;
    int rc;

    mfi_store_rel(&t->agent, mfi_agent());
    while (t->before && mfi_load_acq(&t->said) == 0)
        breathe();
    rc = t->row->fn();
    if (rc != -ECANCELED)
        mfi_test_fail(__FILE__, __LINE__, "-ECANCELED of %s, not %d",
                      t->row->name, rc);
    return 0;
}

static bool blocked(struct trial *t)
{
    struct agent *a = mfi_load_acq(&t->agent);

    return a != NULL &&
           (t->before || (t->row->flags & NEVER_PARKS) != 0 ||
            (mfi_load_acq(&a->parker.word) & PARK_STATE) == PARK_PARKED);
}

static int say_it(void *arg)
{
    struct trial *t = arg;
    mf_ns end = mf_now() + MF_SEC(20) * mfi_test_scale();

    while (!blocked(t)) {
        if (mf_now() > end)
            mfi_test_fail(__FILE__, __LINE__, "%s to block", t->row->name);
        breathe();
    }
    if (t->victim != NULL)
        mf_task_cancel(t->victim);
    else
        mf_scope_cancel(&t->scope);
    mfi_store_rel(&t->said, 1u);
    return 0;
}

static void *say_it_thread(void *arg)
{
    say_it(arg);
    return NULL;
}

static int wait_for_ever(void *arg)
{
    (void)arg;
    return mf_sleep_until(MF_NEVER);
}

/* A listener whose queue is full drops who knocks. */
static void dig_hole(void)
{
    mf_addr a;

    EXPECT_EQ(mf_addr_parse("127.0.0.1:0", &a), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_GE(st.hole[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
                  0);
    EXPECT_EQ(bind(st.hole[0], (void *)&a.ss, a.len), 0);
    EXPECT_EQ(listen(st.hole[0], 0), 0);
    local_name(st.hole[0], st.blackhole, sizeof st.blackhole);
    EXPECT_EQ(mf_local_addr(st.hole[0], &a), 0);
    for (int i = 1; i < 3; i++)
        connect(st.hole[i], (void *)&a.ss, a.len);
}

static void set_stage(void)
{
    char junk[4096] = {0};

    memset(&st, 0, sizeof st);
    st.empty = make_pair(PAIR_UNIX);
    st.full = make_pair(PAIR_UNIX);
    st.tcp = make_pair(PAIR_TCP4);
    while (mf_write(st.full.w, junk, sizeof junk, MF_NOW) > 0)
        ;
    EXPECT_GE(st.listener = mf_tcp_listen("127.0.0.1:0", NULL), 0);
    dig_hole();
    EXPECT_EQ(pipe(st.gate), 0);
    EXPECT_EQ(mf_scope_open(&st.with_child, MF_SCOPE_OPTIONS(.limit = 1)), 0);
    EXPECT_EQ(mf_spawn(&st.with_child, wait_for_ever, NULL, NULL, &st.other),
              0);
}

static void clear_stage(void)
{
    mf_scope_drop(&st.with_child);
    EXPECT_EQ(close(st.gate[1]), 0);
    close_pair(&st.empty);
    close_pair(&st.full);
    close_pair(&st.tcp);
    EXPECT_EQ(mf_close(st.listener), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_close(st.hole[i]), 0);
}

enum { HERE, OTHER_WORKER, FROM_THREAD };

static void try_task(const struct row *row, bool before, int who)
{
    struct trial t = {.row = row, .before = before};
    int other = 1 + (mfi_worker()->index + 1) % mfi_sched.nr_workers;
    mf_task_options how = {.size = sizeof how};
    int result = 1;
    pthread_t thread;
    mf_scope s;

    if (who == OTHER_WORKER) {
        how.worker = other;
        how.flags = MF_TASK_PINNED;
    }
    EXPECT_EQ(mf_scope_open(&s, NULL), 0);
    EXPECT_EQ(mf_spawn(&s, undergo, &t, &how, &t.victim), 0);
    if (who == FROM_THREAD)
        EXPECT_EQ(pthread_create(&thread, NULL, say_it_thread, &t), 0);
    else
        say_it(&t);
    EXPECT_EQ(mf_join(t.victim, &result, late()), 0);
    EXPECT_EQ(result, 0);
    if (who == FROM_THREAD)
        EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
}

static int try_tasks(void *arg)
{
    int who = *(int *)arg;

    EXPECT_EQ(mf_pin(), 0);
    set_stage();
    for (int i = 0; i < ROWS; i++) {
        try_task(&rows[i], true, who);
        for (int again = 0; again < 3; again++)
            try_task(&rows[i], false, who);
    }
    clear_stage();
    return mf_unpin();
}

MFI_TEST(every_call_of_a_task_is_cancelled_from_its_own_worker)
{
    int who = HERE;

    in_tasks(1, try_tasks, &who);
}

MFI_TEST(every_call_of_a_task_is_cancelled_from_another_worker)
{
    int who = OTHER_WORKER;

    in_tasks(2, try_tasks, &who);
}

MFI_TEST(every_call_of_a_task_is_cancelled_from_a_thread)
{
    int who = FROM_THREAD;

    in_tasks(1, try_tasks, &who);
}

/* The victim is this thread, by a scope it is inside of. */
static void try_thread(const struct row *row, bool before, bool by_task)
{
    struct trial t = {.row = row, .before = before};
    pthread_t thread;

    EXPECT_EQ(mf_scope_open(&t.scope, NULL), 0);
    if (by_task)
        EXPECT_EQ(mf_go(mf_root(), say_it, &t), 0);
    else
        EXPECT_EQ(pthread_create(&thread, NULL, say_it_thread, &t), 0);
    undergo(&t);
    while (mfi_load_acq(&t.said) == 0)
        sched_yield();
    if (!by_task)
        EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(mf_scope_close(&t.scope), 0);
}

MFI_TEST(every_call_of_a_thread_is_cancelled_through_its_scope)
{
    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    set_stage();
    for (int i = 0; i < ROWS; i++)
        if ((rows[i].flags & NOT_THREAD) == 0)
            for (int way = 0; way < 4; way++)
                try_thread(&rows[i], (way & 1) != 0, (way & 2) != 0);
    clear_stage();
    EXPECT_EQ(mf_stop(late()), 0);
}
