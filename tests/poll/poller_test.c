/* SPDX-License-Identifier: MIT */
/* poller_test.c - edges reach whoever waits; bell and alarm reach the owner. */
#include "poll/poller.h"

#include "poll/batch.h"

#include "io/kit.h"

static struct epoll_event guest_events[POLL_BATCH];

static int look(struct poller *p, bool guest, int timeout_ms,
                struct wake_list *woken)
{
    struct batch batch;

    mfi_batch_init(&batch);
    mfi_wake_list_init(woken);
    return mfi_poller_poll(p, guest ? guest_events : p->events, POLL_BATCH,
                           timeout_ms, woken, &batch);
}

/* The owner sleeps without a limit; the framework ends it if nobody rings. */
static void owner_wakes(struct poller *p)
{
    struct wake_list woken;

    EXPECT_GT(look(p, false, -1, &woken), 0);
    EXPECT(woken.head == NULL);
}

static void *ring_it(void *p)
{
    mfi_poller_ring(p);
    return NULL;
}

MFI_TEST_T(each_ring_wakes_the_sleeper_once, 10)
{
    struct wake_list woken;
    struct poller p;
    pthread_t thread;

    EXPECT_EQ(mfi_poller_init(&p, 0), 0);
    for (int i = 0; i < 100; i++) {
        EXPECT_EQ(pthread_create(&thread, NULL, ring_it, &p), 0);
        owner_wakes(&p);
        EXPECT_EQ(pthread_join(thread, NULL), 0);
        EXPECT_EQ(look(&p, false, 0, &woken), 0);
    }
    mfi_poller_done(&p);
}

/* A guest that polls for a hog takes the edge; it was the owner's. */
MFI_TEST_T(a_ring_that_a_guest_took_still_wakes_the_owner, 10)
{
    struct wake_list woken;
    struct poller p;

    EXPECT_EQ(mfi_poller_init(&p, 0), 0);
    mfi_poller_ring(&p);
    EXPECT_EQ(look(&p, true, 0, &woken), 1);
    owner_wakes(&p);
    mfi_poller_done(&p);
}

MFI_TEST_T(an_alarm_that_a_guest_took_still_wakes_the_owner, 10)
{
    struct wake_list woken;
    struct poller p;
    mf_ns at = mf_now() + MF_MSEC(5);

    EXPECT_EQ(mfi_poller_init(&p, 0), 0);
    mfi_poller_alarm(&p, at);
    while (look(&p, true, 0, &woken) == 0)
        sched_yield();
    EXPECT_GE(mf_now(), at);
    owner_wakes(&p);
    mfi_poller_alarm(&p, mf_now() + MF_MSEC(5));
    owner_wakes(&p);
    /* The same point twice: the second has to be set again. */
    mfi_poller_alarm(&p, MF_MSEC(1));
    owner_wakes(&p);
    mfi_poller_alarm(&p, MFI_FAR);
    EXPECT_EQ(look(&p, false, 20, &woken), 0);
    mfi_poller_done(&p);
}

MFI_TEST_T(an_alarm_wakes_on_time_and_can_be_taken_back, 10)
{
    struct wake_list woken;
    struct poller p;
    mf_ns at = mf_now() + MF_MSEC(20);

    EXPECT_EQ(mfi_poller_init(&p, 0), 0);
    mfi_poller_alarm(&p, at);
    owner_wakes(&p);
    EXPECT_GE(mf_now(), at);
    mfi_poller_alarm(&p, mf_now() + MF_MSEC(10));
    mfi_poller_alarm(&p, MFI_FAR);
    EXPECT_EQ(look(&p, false, 30, &woken), 0);
    mfi_poller_done(&p);
}

/* A socket, its record, and one who waits. */
struct seat {
    int ends[2];
    struct fdrec *rec;
    struct parker parker;
    struct fd_waiter fw;
};

static void sit_down(struct seat *s, struct poller *p, uint32_t flags)
{
    memset(s, 0, sizeof *s);
    bare_pair(SOCK_STREAM, s->ends);
    EXPECT_EQ(mfi_fd_get(s->ends[0], &s->rec), 0);
    EXPECT_EQ(mfi_poller_watch(p, s->ends[0], s->rec), 0);
    s->fw = (struct fd_waiter){.flags = flags, .fd = s->ends[0]};
    s->fw.w.parker = &s->parker;
    mfi_store_rel(&s->parker.word, (uint32_t)PARK_PARKED);
    mfi_store_rel(&s->rec->ready, (uint32_t)FD_OUT);
    EXPECT(mfi_fd_wait(s->rec, &s->fw));
}

static void get_up(struct seat *s)
{
    mfi_fd_unwait(s->rec, &s->fw);
    mfi_fd_put(s->rec, s->ends[0]);
    EXPECT_EQ(mf_close(s->ends[0]), 0);
    EXPECT_EQ(close(s->ends[1]), 0);
}

MFI_TEST_T(an_edge_wakes_the_waiter_and_marks_the_record, 10)
{
    struct wake_list woken;
    struct poller p;
    struct seat s;

    EXPECT_EQ(mfi_poller_init(&p, 3), 0);
    EXPECT_EQ(p.home, 4);
    sit_down(&s, &p, FD_IN);
    look(&p, false, 0, &woken); /* writable: nobody asked for it */
    EXPECT(woken.head == NULL);
    EXPECT_EQ(write(s.ends[1], "x", 1), 1);
    EXPECT_EQ(look(&p, true, -1, &woken), 1);
    EXPECT(woken.head == &s.parker && woken.head->next == NULL);
    EXPECT_EQ(mfi_parker_reason(&s.parker), WOKEN_READY);
    EXPECT_EQ(mfi_fd_ready(s.rec) & FD_FLAGS, FD_IN | FD_OUT);
    EXPECT_EQ(look(&p, false, 0, &woken), 0); /* an edge, not a level */
    EXPECT_EQ(shutdown(s.ends[1], SHUT_WR), 0);
    EXPECT_EQ(look(&p, false, -1, &woken), 1);
    EXPECT((mfi_fd_ready(s.rec) & FD_HUP) != 0);
    get_up(&s);
    mfi_poller_done(&p);
}

MFI_TEST(what_epoll_refuses_is_eperm_or_rearmed)
{
    char name[] = "/tmp/mayfly_poller_test_XXXXXX";
    struct wake_list woken;
    struct fdrec *rec;
    struct poller p;
    struct seat s;
    int fd;

    EXPECT_EQ(mfi_poller_init(&p, 0), 0);
    EXPECT_GE(fd = mkstemp(name), 0);
    EXPECT_EQ(unlink(name), 0);
    EXPECT_EQ(mfi_fd_get(fd, &rec), 0);
    EXPECT_EQ(rec->kind, FD_FILE);
    EXPECT_EQ(mfi_poller_watch(&p, fd, rec), -EPERM);
    mfi_fd_put(rec, fd);
    EXPECT_EQ(mf_close(fd), 0);
    /* Taken out of the set behind our back: the next watch puts it in again. */
    sit_down(&s, &p, FD_IN);
    look(&p, false, 0, &woken);
    EXPECT_EQ(epoll_ctl(p.epfd, EPOLL_CTL_DEL, s.ends[0], NULL), 0);
    EXPECT_EQ(write(s.ends[1], "x", 1), 1);
    EXPECT_EQ(look(&p, false, 0, &woken), 0);
    EXPECT_EQ(mfi_poller_watch(&p, s.ends[0], s.rec), 0);
    EXPECT_EQ(look(&p, false, -1, &woken), 1);
    EXPECT(woken.head == &s.parker);
    get_up(&s);
    mfi_poller_done(&p);
}

enum { WATCHERS = 2, FIRSTS = 15000 / KIT_SLOW };

/* One adopted fd after another, each first watched by all at once. */
struct firsts {
    struct poller *p;
    struct fdrec *_Atomic rec; /* of the round */
    _Atomic uint32_t arrived;
    int fd;
};

static void *watch_each(void *arg)
{
    struct firsts *f = arg;

    for (uint32_t round = 0; round < FIRSTS; round++) {
        /* The main thread is the first to arrive in each. */
        uint32_t turn = round * (WATCHERS + 1) + 1;

        for (int i = 0; mfi_load_acq(&f->arrived) < turn; i++)
            if (i % 1000 == 999)
                sched_yield();
            else
                mfi_cpu_relax(); /* both get there at once, on two CPUs */
        EXPECT_EQ(mfi_poller_watch(f->p, f->fd, mfi_load_acq(&f->rec)), 0);
        mfi_add_acqrel(&f->arrived, 1u);
    }
    return NULL;
}

MFI_TEST_T(an_adopted_fd_may_be_watched_first_by_many_at_once, 30)
{
    pthread_t threads[WATCHERS];
    struct fdrec *rec = NULL;
    struct poller p;
    struct firsts f = {.p = &p};
    int ends[2];

    EXPECT_EQ(mfi_poller_init(&p, 0), 0);
    for (int i = 0; i < WATCHERS; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, watch_each, &f), 0);
    for (uint32_t round = 1; round <= FIRSTS; round++) {
        EXPECT_EQ(pipe(ends), 0);
        f.fd = ends[0];
        EXPECT_EQ(mfi_fd_get(ends[0], &rec), 0);
        mfi_store_rel(&f.rec, rec);
        mfi_add_acqrel(&f.arrived, 1u);
        while (mfi_load_acq(&f.arrived) < round * (WATCHERS + 1))
            sched_yield();
        mfi_fd_put(rec, ends[0]);
        EXPECT_EQ(mf_close(ends[0]), 0);
        EXPECT_EQ(close(ends[1]), 0);
    }
    for (int i = 0; i < WATCHERS; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    mfi_poller_done(&p);
}
