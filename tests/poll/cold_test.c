/* SPDX-License-Identifier: MIT */
/* cold_test.c - reads that are in the ring until there is something. */
#include "poll/cold.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "poll/poller.h"
#include "poll/uring.h"
#include "test.h"

struct one {
    struct cold_read read;
    char data[8];
    int calls;
    int result;
};

static void on_done(struct cold_read *r, int result, struct wake_list *woken)
{
    struct one *o = mfi_container_of(r, struct one, read);

    (void)woken;
    o->calls++;
    o->result = result;
}

static struct one *one(struct one *o, int fd, int64_t offset)
{
    *o = (struct one){.read = {.fd = fd,
                               .len = sizeof o->data,
                               .offset = offset,
                               .done = on_done}};
    o->read.buf = o->data;
    return o;
}

static void need_ring(struct poller *p)
{
    struct uring r;

    if (mfi_uring_open(&r) < 0)
        MFI_SKIP("io_uring cannot be had here");
    mfi_uring_done(&r);
    EXPECT_EQ(mfi_poller_init(p, 0), 0);
}

static void poll_until(struct poller *p, const struct one *o)
{
    struct wake_list woken;

    mfi_wake_list_init(&woken);
    while (o->calls == 0)
        mfi_poller_poll(p, p->events, POLL_BATCH, -1, &woken, NULL);
    EXPECT(woken.head == NULL);
}

MFI_TEST(a_read_ends_in_the_poll)
{
    struct poller p;
    struct one o;
    int ends[2], rc;

    need_ring(&p);
    EXPECT_EQ(pipe(ends), 0);
    for (int i = 0; i < 1000; i++) {
        rc = mfi_cold_start(&one(&o, ends[0], -1)->read, &p);
        EXPECT_EQ(rc, 0);
        EXPECT_EQ(o.calls, 0);
        EXPECT_EQ(write(ends[1], "hello", 5), 5);
        poll_until(&p, &o);
        EXPECT_EQ(o.calls, 1);
        EXPECT_EQ(o.result, 5);
        EXPECT_EQ(memcmp(o.data, "hello", 5), 0);
    }
    EXPECT_EQ(mfi_cold_start(&one(&o, 999, 0)->read, &p), 0);
    poll_until(&p, &o);
    EXPECT_EQ(o.result, -EBADF);
    mfi_poller_done(&p);
    mfi_cold_done();
}

MFI_TEST(a_full_ring_says_so_and_empties)
{
    static struct one many[URING_ENTRIES + 1];
    struct poller p;
    int ends[2];

    need_ring(&p);
    for (int round = 0; round < 3; round++) {
        EXPECT_EQ(pipe(ends), 0);
        for (int i = 0; i < URING_ENTRIES; i++)
            EXPECT_EQ(mfi_cold_start(&one(&many[i], ends[0], -1)->read, &p), 0);
        EXPECT_EQ(
            mfi_cold_start(&one(&many[URING_ENTRIES], ends[0], -1)->read, &p),
            -EBUSY);
        EXPECT_EQ(close(ends[1]), 0); /* the end, for all of them */
        for (int i = 0; i < URING_ENTRIES; i++) {
            poll_until(&p, &many[i]);
            EXPECT_EQ(many[i].calls, 1);
            EXPECT_EQ(many[i].result, 0);
        }
        EXPECT_EQ(many[URING_ENTRIES].calls, 0);
        close(ends[0]);
    }
    mfi_poller_done(&p);
    mfi_cold_done();
}
