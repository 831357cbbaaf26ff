/* SPDX-License-Identifier: MIT */
/* fdtab_test.c - records: generations, flags, waiters, closing, reuse. */
#include "poll/fdtab.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>

#include "io/kit.h"

struct seat {
    struct parker parker;
    struct fd_waiter fw;
};

static struct fdrec *record_of(int fd)
{
    struct fdrec *rec = NULL;

    EXPECT_EQ(mfi_fd_get(fd, &rec), 0);
    return rec;
}

static bool sit(struct seat *s, struct fdrec *rec, uint32_t flags)
{
    memset(s, 0, sizeof *s);
    s->fw.flags = flags;
    s->fw.w.parker = &s->parker;
    mfi_store_rel(&s->parker.word, (uint32_t)PARK_PARKED);
    return mfi_fd_wait(rec, &s->fw);
}

static bool woken(const struct seat *s, enum park_reason why)
{
    return (mfi_load_acq(&s->parker.word) & PARK_STATE) == PARK_CLAIMED &&
           mfi_parker_reason(&s->parker) == why;
}

static void edge(uint64_t data, uint32_t events)
{
    struct wake_list l;

    mfi_wake_list_init(&l);
    mfi_fd_edge(data, events, &l, NULL);
}

static void clear(struct fdrec *rec, uint32_t flags)
{
    mfi_fd_drained(rec, mfi_fd_ready(rec), flags);
    EXPECT_EQ(mfi_fd_ready(rec) & flags, 0);
}

MFI_TEST(numbers_that_are_not_open_have_no_record)
{
    struct fdrec *rec;

    EXPECT_EQ(mfi_fd_get(-1, &rec), -EBADF);
    EXPECT_EQ(mfi_fd_get(INT32_MIN, &rec), -EBADF);
    EXPECT_EQ(mfi_fd_get(900, &rec), -EBADF);
    EXPECT(mfi_fd_peek(5000) == NULL); /* no chunk for a bad one */
    EXPECT_EQ(mfi_fd_get(5000, &rec), -EBADF);
    EXPECT(mfi_fd_peek(5000) == NULL);
    EXPECT(mfi_fd_peek(-1) == NULL);
    mfi_fdtab_done();
}

MFI_TEST(kinds_are_told_apart_and_flags_set_where_needed)
{
    int fds[2], fd;

    bare_pair(SOCK_STREAM, fds);
    EXPECT_EQ(record_of(fds[0])->kind, FD_SOCK);
    EXPECT_GE(fd = socket(AF_INET, SOCK_STREAM, 0), 0);
    EXPECT_EQ(record_of(fd)->kind, FD_TCP);
    EXPECT_GE(fd = socket(AF_INET6, SOCK_STREAM, 0), 0);
    EXPECT_EQ(record_of(fd)->kind, FD_TCP);
    EXPECT_GE(fd = socket(AF_INET, SOCK_DGRAM, 0), 0);
    EXPECT_EQ(record_of(fd)->kind, FD_SOCK);
    bare_pipe(fds);
    EXPECT_EQ(record_of(fds[0])->kind, FD_PIPE);
    EXPECT((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
    EXPECT_GE(fd = open("/", O_RDONLY), 0);
    EXPECT_EQ(record_of(fd)->kind, FD_FILE);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

MFI_TEST(an_edge_between_look_and_clear_is_kept)
{
    struct fdrec *rec;
    uint32_t seen;
    int fds[2];

    bare_pipe(fds);
    rec = record_of(fds[0]);
    EXPECT_EQ(mfi_fd_ready(rec) & FD_FLAGS, FD_IN | FD_OUT); /* perhaps */
    seen = mfi_fd_ready(rec);
    mfi_fd_drained(rec, seen, FD_IN);
    EXPECT_EQ(mfi_fd_ready(rec) & FD_FLAGS, FD_OUT);
    edge(mfi_fd_data(fds[0], rec), EPOLLIN);
    seen = mfi_fd_ready(rec);
    edge(mfi_fd_data(fds[0], rec), EPOLLIN);
    mfi_fd_drained(rec, seen, FD_IN); /* too late */
    EXPECT((mfi_fd_ready(rec) & FD_IN) != 0);
}

MFI_TEST(nobody_waits_for_what_is_there)
{
    struct fdrec *rec;
    struct seat s;
    int fds[2];

    bare_pipe(fds);
    rec = record_of(fds[0]);
    EXPECT(!sit(&s, rec, FD_IN));
    clear(rec, FD_IN);
    EXPECT(sit(&s, rec, FD_IN));
    EXPECT_EQ(mfi_load_acq(&rec->nwait), 1);
    mfi_fd_unwait(rec, &s.fw);
    mfi_fd_unwait(rec, &s.fw); /* again is fine */
    EXPECT_EQ(mfi_load_acq(&rec->nwait), 0);
}

MFI_TEST(one_edge_wakes_the_first_of_each_direction)
{
    struct seat in1, in2, out, both, pri;
    struct wake_list l;
    struct fdrec *rec;
    int fds[2];

    bare_pair(SOCK_STREAM, fds);
    rec = record_of(fds[0]);
    clear(rec, FD_IN | FD_OUT);
    EXPECT(sit(&in1, rec, FD_IN));
    EXPECT(sit(&in2, rec, FD_IN));
    EXPECT(sit(&out, rec, FD_OUT));
    EXPECT(sit(&pri, rec, FD_PRI));
    EXPECT(sit(&both, rec, FD_IN | FD_OUT));
    edge(mfi_fd_data(fds[0], rec), EPOLLIN);
    EXPECT(woken(&in1, WOKEN_READY));
    EXPECT(!woken(&in2, WOKEN_READY) && !woken(&out, WOKEN_READY));
    /* Baton: the next for what is set, and only for that. */
    EXPECT(mfi_fd_baton_due(rec, FD_IN));
    EXPECT(!mfi_fd_baton_due(rec, FD_OUT));
    mfi_wake_list_init(&l);
    mfi_fd_baton_slow(rec, FD_OUT | FD_IN, &l);
    EXPECT(woken(&in2, WOKEN_READY) && l.head == &in2.parker);
    EXPECT(!woken(&out, WOKEN_READY));
    /* Who lost its wait otherwise is passed over. */
    EXPECT_EQ(mfi_parker_claim(&out.parker, WOKEN_TIMEOUT), CLAIM_PARKED);
    edge(mfi_fd_data(fds[0], rec), EPOLLOUT);
    EXPECT(woken(&both, WOKEN_READY));
    EXPECT(!woken(&pri, WOKEN_READY));
    edge(mfi_fd_data(fds[0], rec), EPOLLHUP);
    EXPECT(woken(&pri, WOKEN_READY));
    EXPECT_EQ(mfi_load_acq(&rec->nwait), 0);
    EXPECT((mfi_fd_ready(rec) & FD_HUP) != 0);
}

MFI_TEST(an_edge_of_another_generation_is_dropped)
{
    struct wake_list l;
    struct fdrec *rec;
    uint64_t old;
    struct seat s;
    int fds[2];

    bare_pair(SOCK_STREAM, fds);
    rec = record_of(fds[0]);
    old = mfi_fd_data(fds[0], rec);
    mfi_wake_list_init(&l);
    EXPECT_EQ(mfi_fd_close(rec, fds[0], false, &l), 0);
    EXPECT_EQ(dup2(fds[1], fds[0]), fds[0]);
    EXPECT(record_of(fds[0]) == rec);
    EXPECT_NE(mfi_fd_data(fds[0], rec), old);
    clear(rec, FD_IN);
    EXPECT(sit(&s, rec, FD_IN));
    edge(old, EPOLLIN | EPOLLHUP);
    EXPECT_EQ(mfi_fd_ready(rec) & (FD_IN | FD_HUP), 0);
    EXPECT(!woken(&s, WOKEN_READY));
    edge((uint64_t)1 << 62 | 0x3fffffff, EPOLLIN); /* no such chunk */
    mfi_fd_unwait(rec, &s.fw);
}

MFI_TEST(the_last_one_out_closes)
{
    struct wake_list l;
    struct fdrec *rec, *again;
    struct seat s;
    int fds[2];

    bare_pair(SOCK_STREAM, fds);
    rec = record_of(fds[0]); /* an operation in progress */
    clear(rec, FD_IN);
    EXPECT(sit(&s, rec, FD_IN));
    again = record_of(fds[0]);
    mfi_wake_list_init(&l);
    EXPECT_EQ(mfi_fd_close(again, fds[0], false, &l), 0);
    EXPECT(woken(&s, WOKEN_CLOSED));
    EXPECT(mfi_fd_closing(rec));
    EXPECT_EQ(mfi_fd_get(fds[0], &again), -EBADF);
    EXPECT_GE(fcntl(fds[0], F_GETFD), 0); /* the number is still taken */
    EXPECT(!sit(&s, rec, FD_IN));
    /* Two who close at once: one of them did it. */
    EXPECT_EQ(mfi_fd_close(rec, fds[0], false, &l), -EBADF);
    EXPECT_EQ(fcntl(fds[0], F_GETFD), -1);
    EXPECT_EQ(mfi_fd_get(fds[0], &again), -EBADF);
    EXPECT_EQ(mfi_fd_close_unknown(fds[1]), 0);
    EXPECT_EQ(mfi_fd_close_unknown(fds[1]), -EBADF);
}

/* Many open, use and close one number at a time; a double close would show. */
struct ring_road {
    _Atomic uint32_t closed;
    _Atomic uint32_t opened;
    mf_ns end;
};

static void *open_use_close(void *arg)
{
    struct ring_road *r = arg;

    while (mf_now() < r->end) {
        struct wake_list l;
        struct fdrec *rec;
        int fd = (int)syscall(SYS_eventfd2, 0, EFD_NONBLOCK);

        mfi_wake_list_init(&l);
        EXPECT_GE(fd, 0);
        mfi_add_acqrel(&r->opened, 1u);
        EXPECT_EQ(mfi_fd_open(fd, FD_PIPE, &l), 0);
        for (int i = 0; i < 3; i++) {
            EXPECT_EQ(mfi_fd_get(fd, &rec), 0);
            EXPECT_EQ(mfi_fd_put(rec, fd), 0);
        }
        EXPECT_EQ(mfi_fd_get(fd, &rec), 0);
        EXPECT_EQ(mfi_fd_close(rec, fd, false, &l), 0);
        mfi_add_acqrel(&r->closed, 1u);
    }
    return NULL;
}

/* One who looks at numbers that are none of its business. */
static void *stumble(void *arg)
{
    struct ring_road *r = arg;
    struct fdrec *rec;

    while (mf_now() < r->end)
        for (int fd = 3; fd < 12; fd++) {
            rec = mfi_fd_peek(fd);
            edge(rec != NULL ? mfi_fd_data(fd, rec) : 0, EPOLLIN | EPOLLOUT);
        }
    return NULL;
}

MFI_TEST(numbers_go_round_and_round)
{
    struct ring_road r = {.end = mf_now() + MF_MSEC(400)};
    pthread_t thread[4];

    for (int i = 0; i < 3; i++)
        EXPECT_EQ(pthread_create(&thread[i], NULL, open_use_close, &r), 0);
    EXPECT_EQ(pthread_create(&thread[3], NULL, stumble, &r), 0);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
    EXPECT_GT(mfi_load_acq(&r.opened), 100);
    EXPECT_EQ(mfi_load_acq(&r.opened), mfi_load_acq(&r.closed));
}

/* ---- the first fds of a table, at once ---------------------------------- */

enum { FIRST_SKEWS = 5000 };

static struct {
    int fds[2];
    _Atomic uint32_t here; /* both add one at each gate */
    _Atomic uint32_t over;
} first;

static void gate(uint32_t nr)
{
    mfi_add_acqrel(&first.here, 1u);
    while (mfi_load_acq(&first.here) < 2 * nr)
        sched_yield();
}

/* In each round a little later than in the one before. */
static void *second_one(void *arg)
{
    struct fdrec *rec;

    (void)arg;
    for (uint32_t i = 0;; i++) {
        gate(2 * i + 1);
        if (mfi_load_acq(&first.over) != 0)
            return NULL;
        for (volatile uint32_t skew = 0; skew < i % FIRST_SKEWS; skew++)
            ;
        if (mfi_fd_get(first.fds[1], &rec) == 0)
            mfi_fd_put(rec, first.fds[1]);
        gate(2 * i + 2);
    }
}

/* Whoever maps the chunk: each holds one count of its record, and no more. */
MFI_TEST(two_first_fds_at_once_are_counted_rightly)
{
    mf_ns end = mf_now() + MF_MSEC(500);
    uint32_t nr_wrong = 0;
    pthread_t thread;

    bare_pipe(first.fds);
    EXPECT_EQ(pthread_create(&thread, NULL, second_one, NULL), 0);
    for (uint32_t i = 0; mfi_load_acq(&first.over) == 0; i++) {
        mfi_fdtab_done();
        mfi_store_rel(&first.over, (uint32_t)(mf_now() >= end));
        gate(2 * i + 1);
        if (mfi_load_acq(&first.over) != 0)
            break;
        mfi_fd_put(record_of(first.fds[0]), first.fds[0]);
        gate(2 * i + 2);
        for (int k = 0; k < 2; k++)
            nr_wrong += mfi_load_acq(&mfi_fd_peek(first.fds[k])->ref) !=
                        (uint32_t)FD_REF_OPEN;
    }
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(nr_wrong, 0);
}
