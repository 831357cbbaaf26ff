/* SPDX-License-Identifier: MIT */
/*
 * timeouts_test.c - the deadline of a call, the timeout of an fd, the deadline
 * of a scope: the earliest counts, and its code says which it was. Half-closed
 * fds, and a reader and a writer on one fd, each with its own.
 *
 * What is near passes, what is far does not, however slow the machine: no test
 * depends on two points close to each other.
 */
#include "io/kit.h"

#include <termios.h>

enum { BIG = 4 << 20, PTY_BIG = 256 << 10 };

static char big[BIG];

static mf_ns near_span(void)
{
    return MF_MSEC(2);
}

static mf_ns far_span(void)
{
    return MF_SEC(30) * mfi_test_scale();
}

/* ---- two ways, over one fd or two --------------------------------------- */

struct duplex {
    enum pair_kind kind;
    int r, w;           /* ours; the same but for pipes */
    int peer_r, peer_w; /* likewise */
    size_t big;         /* more than fits */
};

static const enum pair_kind kinds[] = {PAIR_TCP4, PAIR_UNIX, PAIR_PIPE,
                                       PAIR_PTY};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void make_raw(int fd)
{
    struct termios t;

    EXPECT_EQ(tcgetattr(fd, &t), 0);
    cfmakeraw(&t);
    EXPECT_EQ(tcsetattr(fd, TCSANOW, &t), 0);
}

static struct duplex make_duplex(enum pair_kind kind)
{
    struct pair p = make_pair(kind), q = {kind, -1, -1};
    struct duplex d = {kind, p.w, p.w, p.r, p.r, BIG};
    int few = 64 << 10;

    if (kind == PAIR_PIPE) {
        q = make_pair(kind);
        d.r = q.r;
        d.peer_w = q.w;
    }
    if (kind == PAIR_PTY) {
        d.big = PTY_BIG;
        make_raw(p.w);
    }
    if (kind == PAIR_TCP4) { /* or they grow with what is read */
        EXPECT_EQ(setsockopt(p.w, SOL_SOCKET, SO_SNDBUF, &few, sizeof few), 0);
        EXPECT_EQ(setsockopt(p.r, SOL_SOCKET, SO_RCVBUF, &few, sizeof few), 0);
    }
    return d;
}

static void close_duplex(struct duplex *d)
{
    EXPECT_EQ(mf_close(d->w), 0);
    EXPECT_EQ(mf_close(d->peer_r), 0);
    if (d->r != d->w) {
        EXPECT_EQ(mf_close(d->r), 0);
        EXPECT_EQ(mf_close(d->peer_w), 0);
    }
}

/* Until no byte more goes out: what was on its way has arrived. */
static void fill(int fd)
{
    while (mf_write(fd, big, sizeof big, mf_after(MF_MSEC(10))) > 0)
        ;
}

/* fn over each kind, all at once in tasks, one by one in a thread. */
typedef void duplex_fn(struct duplex *d);

struct over {
    duplex_fn *fn;
    enum pair_kind kind;
};

static int over_one(void *arg)
{
    struct over *o = arg;
    struct duplex d = make_duplex(o->kind);

    o->fn(&d);
    close_duplex(&d);
    return 0;
}

static int over_all(void *arg)
{
    struct over *o = arg;
    MF_SCOPE(s);

    for (int i = 0; i < KINDS; i++) {
        struct over one = {o->fn, kinds[i]};

        if (mf_self() != NULL)
            EXPECT_EQ(mf_go_copy(&s, over_one, &one, sizeof one), 0);
        else
            over_one(&one);
    }
    return mf_scope_close(&s);
}

static void over(duplex_fn *fn)
{
    struct over o = {fn, PAIR_UNIX};

    in_tasks(1, over_all, &o);
    in_tasks(2, over_all, &o);
    in_thread(over_all, &o);
}

/* ---- who is first ------------------------------------------------------- */

typedef int op_fn(struct duplex *d, mf_deadline deadline);

static int reads(struct duplex *d, mf_deadline deadline)
{
    char c;

    return mf_read(d->r, &c, 1, deadline);
}

static int reads_full(struct duplex *d, mf_deadline deadline)
{
    char c[2];

    return mf_read_full(d->r, c, 2, deadline);
}

static int waits_in(struct duplex *d, mf_deadline deadline)
{
    return mf_wait_fd(d->r, POLLIN, deadline);
}

static int writes(struct duplex *d, mf_deadline deadline)
{
    int n;

    do /* the peer's side may have moved on and made some room */
        n = mf_write(d->w, big, sizeof big, deadline);
    while (n > 0);
    return n;
}

static int writes_all(struct duplex *d, mf_deadline deadline)
{
    return mf_write_all(d->w, big, sizeof big, deadline);
}

static op_fn *const ops[] = {reads, reads_full, waits_in, writes, writes_all};
enum { OPS = sizeof ops / sizeof ops[0] };

enum who { CALL, OWN, SCOPE, OUTER, NOBODY, WHOS = NOBODY };

static mf_ns span_of(enum who w, enum who first, enum who later)
{
    return w == first ? near_span() : w == later ? far_span() : 0;
}

static mf_deadline deadline_of(enum who w, enum who first, enum who later)
{
    mf_ns span = span_of(w, first, later);

    return span != 0 ? mf_after(span) : MF_NEVER;
}

static void one_pairing(struct duplex *d, op_fn *op, enum who first,
                        enum who later)
{
    static const int codes[] = {-ETIMEDOUT, -ETIMEDOUT, -ECANCELED, -ECANCELED};
    static const int inner_codes[] = {0, 0, -ETIMEDOUT, -ECANCELED};
    static const int outer_codes[] = {0, 0, 0, -ETIMEDOUT};
    mf_ns own = span_of(OWN, first, later), begin = mf_now();
    mf_deadline outer_at = deadline_of(OUTER, first, later);
    mf_deadline inner_at = deadline_of(SCOPE, first, later);
    mf_scope outer, inner;

    EXPECT_EQ(mf_fd_timeouts(d->r, own, own), 0);
    EXPECT_EQ(mf_fd_timeouts(d->w, own, own), 0);
    EXPECT_EQ(mf_scope_open(&outer, MF_SCOPE_OPTIONS(.deadline = outer_at)), 0);
    EXPECT_EQ(mf_scope_open(&inner, MF_SCOPE_OPTIONS(.deadline = inner_at)), 0);
    EXPECT_EQ(op(d, deadline_of(CALL, first, later)), codes[first]);
    EXPECT_GE(mf_now() - begin, near_span());
    EXPECT_EQ(mf_scope_close(&inner), inner_codes[first]);
    EXPECT_EQ(mf_scope_close(&outer), outer_codes[first]);
}

static void pairings(struct duplex *d)
{
    fill(d->w);
    for (int i = 0; i < OPS; i++)
        for (int first = 0; first < WHOS; first++)
            for (int later = 0; later <= WHOS; later++)
                if (first != later)
                    one_pairing(d, ops[i], (enum who)first, (enum who)later);
}

MFI_TEST(the_earliest_counts_and_says_which_it_was)
{
    over(pairings);
}

/* ---- late already ------------------------------------------------------- */

static void too_late(struct duplex *d)
{
    mf_scope s;
    char c;

    /* What is there is had, for a call; in a scope that is over, nothing. */
    EXPECT_EQ(mf_write_all(d->peer_w, "abc", 3, late()), 0);
    EXPECT_GT(mf_wait_fd(d->r, POLLIN, late()), 0);
    EXPECT_EQ(mf_fd_timeouts(d->r, 1, 1), 0);
    EXPECT_EQ(mf_read(d->r, &c, 1, MF_NOW), 1);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.deadline = MF_NOW)), 0);
    EXPECT_EQ(mf_read(d->r, &c, 1, late()), -ECANCELED);
    EXPECT_EQ(mf_read(d->r, &c, 1, MF_NOW), -ECANCELED);
    EXPECT_EQ(mf_scope_close(&s), -ETIMEDOUT);
    EXPECT_EQ(mf_read(d->r, &c, 1, MF_NOW), 1); /* it is still there */
    EXPECT_EQ(c, 'b');
    EXPECT_EQ(mf_read(d->r, &c, 1, MF_NEVER), 1);
    EXPECT_EQ(mf_read(d->r, &c, 1, MF_NEVER), -ETIMEDOUT); /* the fd's */
    EXPECT_EQ(mf_fd_timeouts(d->r, 0, 0), 0);
    EXPECT_EQ(mf_read(d->r, &c, 1, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.deadline = soon())), 0);
    EXPECT_EQ(mf_scope_close(&s), 0); /* in time: nobody was cut short */
}

MFI_TEST(what_is_there_is_had_but_in_a_scope_that_is_over)
{
    over(too_late);
}

static int reads_for_ever(void *arg)
{
    return reads(arg, MF_NEVER);
}

static int reads_a_while(void *arg)
{
    return reads(arg, soon());
}

static void within(struct duplex *d)
{
    EXPECT_EQ(mf_call_within(reads_for_ever, d, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_call_within(reads_a_while, d, mf_after(far_span())),
              -ETIMEDOUT);
    EXPECT_EQ(mf_write_all(d->peer_w, "x", 1, late()), 0);
    EXPECT_EQ(mf_call_within(reads_for_ever, d, late()), 1);
}

MFI_TEST(a_call_within_a_deadline)
{
    over(within);
}

/* A loop's deadline is one for all of it; an fd's timeout is for each move. */
static int drips(void *arg)
{
    struct duplex *d = arg;

    for (int i = 0; i < 5; i++) {
        EXPECT_EQ(mf_sleep(MF_MSEC(10)), 0);
        EXPECT_EQ(mf_write_all(d->peer_w, "x", 1, late()), 0);
    }
    return 0;
}

static void drop_by_drop(struct duplex *d)
{
    struct helper h;
    mf_ns begin = mf_now();
    char buf[6];

    EXPECT_EQ(mf_fd_timeouts(d->r, far_span(), 0), 0);
    help(&h, drips, d);
    EXPECT_EQ(mf_read_full(d->r, buf, 6, mf_after(MF_MSEC(25))), -ETIMEDOUT);
    EXPECT_GE(mf_now() - begin, MF_MSEC(25));
    EXPECT_EQ(helped(&h), 0);
}

MFI_TEST(a_loop_has_one_deadline)
{
    over(drop_by_drop);
}

/* ---- a reader and a writer on one fd ------------------------------------ */

struct side {
    struct duplex *d;
    mf_deadline at;
    int want;
};

static int reader(void *arg)
{
    struct side *s = arg;

    EXPECT_EQ(reads(s->d, s->at), s->want);
    return 0;
}

static int writer(void *arg)
{
    struct side *s = arg;

    EXPECT_EQ(mf_write_all(s->d->w, big, s->d->big, s->at), s->want);
    return 0;
}

static void drain(struct duplex *d)
{
    static char sink[65536]; /* nobody looks */
    size_t left = d->big;

    while (left > 0) {
        int n = mf_read(d->peer_r, sink,
                        left < sizeof sink ? left : sizeof sink, late());

        EXPECT_GT(n, 0);
        left -= (size_t)n;
    }
}

/* One of them times out; the other goes on waiting, and gets what it wants. */
static void split(struct duplex *d, bool reader_first, bool own)
{
    mf_deadline at = own ? MF_NEVER : soon();
    struct side r = {d, reader_first ? at : MF_NEVER, 1};
    struct side w = {d, reader_first ? MF_NEVER : at, 0};
    struct side *first = reader_first ? &r : &w;
    mf_task *tasks[2];
    MF_SCOPE(s);

    first->want = -ETIMEDOUT;
    EXPECT_EQ(mf_fd_timeouts(d->r, own && reader_first ? MF_MSEC(20) : 0,
                             own && !reader_first ? MF_MSEC(20) : 0),
              0);
    if (d->w != d->r)
        EXPECT_EQ(
            mf_fd_timeouts(d->w, 0, own && !reader_first ? MF_MSEC(20) : 0), 0);
    EXPECT_EQ(mf_spawn(&s, reader, &r, NULL, &tasks[0]), 0);
    EXPECT_EQ(mf_spawn(&s, writer, &w, NULL, &tasks[1]), 0);
    EXPECT_EQ(mf_join(tasks[!reader_first], NULL, late()), 0);
    await_parked(tasks[reader_first]);
    if (reader_first)
        drain(d);
    else
        EXPECT_EQ(mf_write_all(d->peer_w, "x", 1, late()), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
}

static void splits(struct duplex *d)
{
    split(d, true, false);
    split(d, true, true);
    split(d, false, false); /* from here on it is full */
    split(d, false, true);
}

MFI_TEST(a_reader_and_a_writer_of_one_fd_time_out_by_themselves)
{
    over(splits);
}

/* Each in a scope of its own with a deadline of its own. */
static int reads_within(void *arg)
{
    EXPECT_EQ(mf_call_within(reads_for_ever, arg, soon()), -ETIMEDOUT);
    return 0;
}

static void split_scopes(struct duplex *d)
{
    struct side w = {d, MF_NEVER, 0};
    mf_task *tasks[2];
    MF_SCOPE(s);

    EXPECT_EQ(mf_spawn(&s, reads_within, d, NULL, &tasks[0]), 0);
    EXPECT_EQ(mf_spawn(&s, writer, &w, NULL, &tasks[1]), 0);
    EXPECT_EQ(mf_join(tasks[0], NULL, late()), 0);
    await_parked(tasks[1]);
    drain(d);
    EXPECT_EQ(mf_scope_close(&s), 0);
}

MFI_TEST(the_deadline_of_ones_scope_is_not_the_others)
{
    over(split_scopes);
}

/* ---- half-closed -------------------------------------------------------- */

/* We say no more: the peer hears the end, and goes on talking. */
static void half_close(struct duplex *d)
{
    char c;

    if (d->kind == PAIR_PTY || d->kind == PAIR_PIPE)
        return; /* a terminal cannot; of a pipe, half is all */
    EXPECT_EQ(mf_shutdown(d->w, SHUT_WR), 0);
    EXPECT_EQ(mf_read(d->peer_r, &c, 1, late()), 0);
    EXPECT_EQ(mf_read(d->peer_r, &c, 1, MF_NOW), 0); /* for good */
    EXPECT_EQ(mf_write(d->w, "x", 1, MF_NEVER), -EPIPE);
    EXPECT_EQ(mf_fd_timeouts(d->r, near_span(), 0), 0);
    EXPECT_EQ(mf_read(d->r, &c, 1, MF_NEVER), -ETIMEDOUT);
    EXPECT_EQ(mf_read(d->r, &c, 1, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_fd_timeouts(d->r, far_span(), 0), 0);
    EXPECT_EQ(mf_write_all(d->peer_w, "y", 1, late()), 0);
    EXPECT_EQ(mf_read(d->r, &c, 1, MF_NEVER), 1);
    EXPECT_EQ(c, 'y');
    /* The peer has a timeout for writing, once we read no more. */
    EXPECT_EQ(mf_fd_timeouts(d->peer_w, 0, near_span()), 0);
    fill(d->peer_w);
    EXPECT_EQ(mf_write(d->peer_w, big, sizeof big, MF_NEVER), -ETIMEDOUT);
    EXPECT_EQ(mf_read(d->peer_r, &c, 1, MF_NEVER), 0);
}

MFI_TEST(a_half_closed_fd_keeps_its_timeouts)
{
    over(half_close);
}

static int shuts_down(void *arg)
{
    struct duplex *d = arg;

    EXPECT_EQ(mf_shutdown(d->peer_w, SHUT_WR), 0);
    return 0;
}

/* A half-close ends the read that waits, and not the write. */
static void half_close_while_waiting(struct duplex *d)
{
    struct side r = {d, MF_NEVER, 0}, w = {d, mf_after(far_span()), 0};
    mf_task *tasks[2];
    MF_SCOPE(s);

    if (d->kind == PAIR_PTY || d->kind == PAIR_PIPE)
        return;
    EXPECT_EQ(mf_spawn(&s, reader, &r, NULL, &tasks[0]), 0);
    EXPECT_EQ(mf_spawn(&s, writer, &w, NULL, &tasks[1]), 0);
    await_parked(tasks[0]);
    await_parked(tasks[1]);
    EXPECT_EQ(mf_go(&s, shuts_down, d), 0);
    EXPECT_EQ(mf_join(tasks[0], NULL, late()), 0);
    await_parked(tasks[1]);
    drain(d);
    EXPECT_EQ(mf_scope_close(&s), 0);
}

MFI_TEST(a_half_close_ends_the_read_only)
{
    over(half_close_while_waiting);
}
