/* SPDX-License-Identifier: MIT */
/*
 * storm_test.c - fd numbers are reused as fast as they can be; no connection
 * sees a byte, a wake-up or an end that was another's.
 *
 * Each connection has a number, and its stream is that number over and over.
 */
#include "io/kit.h"

#include <mayfly/block.h>

enum { STORMERS = 6, STORM_MS = 900, CHUNK_MAX = 96 };

struct storm {
    char where[MF_ADDR_STR];
    mf_ns end;
    mf_event stop;
    int listener;
    _Atomic uint64_t next_id;
    _Atomic uint32_t seed;
    _Atomic uint32_t done[4]; /* rounds of each kind */
};

static struct storm storm;

struct stream {
    int fd;
    uint64_t id;
    uint64_t at; /* bytes so far */
    _Atomic uint64_t seen;
};

static unsigned dice(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static char byte_of(uint64_t id, uint64_t at)
{
    return (char)(id >> (at % 8 * 8));
}

static void send_some(struct stream *s, size_t len)
{
    char buf[CHUNK_MAX];

    for (size_t i = 0; i < len; i++)
        buf[i] = byte_of(s->id, s->at++);
    EXPECT_EQ(mf_write_all(s->fd, buf, len, late()), 0);
}

/* Read until there is nothing more; why. */
static int check_stream(struct stream *s)
{
    char buf[CHUNK_MAX];
    int n;

    while ((n = mf_read(s->fd, buf, sizeof buf, late())) > 0) {
        for (int i = 0; i < n; i++)
            EXPECT_EQ(buf[i], byte_of(s->id, s->at++));
        mfi_store_rel(&s->seen, s->at);
    }
    return n;
}

static int read_to_end(void *arg)
{
    struct stream *s = arg;

    EXPECT_EQ(check_stream(s), 0);
    EXPECT_EQ(mf_close(s->fd), 0);
    return 0;
}

static int read_till_closed(void *arg)
{
    EXPECT_EQ(check_stream(arg), -EBADF);
    return 0;
}

/* One who reads and one who writes; the reader's fd is closed under it. */
static void pair_round(unsigned *seed, bool close_under_it)
{
    uint64_t id = mfi_add_acqrel(&storm.next_id, UINT64_C(1));
    struct stream out = {.id = id}, in = {.id = id};
    struct helper reader;
    unsigned chunks = dice(seed) % 4;
    int fds[2];

    bare_pair(SOCK_STREAM, fds);
    out.fd = fds[0];
    in.fd = fds[1];
    help(&reader, close_under_it ? read_till_closed : read_to_end, &in);
    for (unsigned i = 0; i < chunks; i++)
        send_some(&out, 1 + dice(seed) % CHUNK_MAX);
    if (close_under_it) {
        while (mfi_load_acq(&in.seen) != out.at)
            breathe();
        await_waiters(in.fd, 1);
        EXPECT_EQ(mf_close(in.fd), 0);
    }
    EXPECT_EQ(mf_close(out.fd), 0);
    EXPECT_EQ(helped(&reader), 0);
    EXPECT_EQ(in.at, out.at);
}

/* The server sends the number it was told, as often as it was told. */
static int serve_one(int fd, void *arg)
{
    uint64_t ask[2];
    struct stream s = {.fd = fd};

    (void)arg;
    EXPECT_EQ(mf_read_full(fd, ask, sizeof ask, late()), 1);
    s.id = ask[0];
    for (; ask[1] > 0; ask[1]--)
        send_some(&s, CHUNK_MAX);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

static void connect_round(unsigned *seed)
{
    uint64_t id = mfi_add_acqrel(&storm.next_id, UINT64_C(1));
    uint64_t ask[2] = {id, dice(seed) % 4};
    struct stream in = {.id = id};

    EXPECT_GE(in.fd = mf_tcp_connect(storm.where, NULL, late()), 0);
    EXPECT_EQ(mf_sockopt_set(in.fd, MF_SO_LINGER, 0), 0); /* no TIME_WAIT */
    EXPECT_EQ(mf_write_all(in.fd, ask, sizeof ask, late()), 0);
    EXPECT_EQ(check_stream(&in), 0);
    EXPECT_EQ(in.at, ask[1] * CHUNK_MAX);
    EXPECT_EQ(mf_close(in.fd), 0);
}

/*
 * The old file lives on in a dup that nobody reads, and goes on making edges
 * with the number of the new one.
 */
static void ghost_round(unsigned *seed)
{
    char byte = 'x';
    int fds[2], ghost;

    bare_pair(SOCK_STREAM, fds);
    EXPECT_EQ(mf_wait_fd(fds[1], POLLIN, mf_after(MF_USEC(10))), -ETIMEDOUT);
    ghost = bare_dup(fds[1]);
    EXPECT_EQ(mf_close(fds[1]), 0);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(mf_write(fds[0], &byte, 1, late()), 1);
        pair_round(seed, (i & 1) != 0);
    }
    EXPECT_EQ(mf_close(ghost), 0);
    EXPECT_EQ(mf_close(fds[0]), 0);
}

static int stormer(void *arg)
{
    unsigned seed = mfi_add_acqrel(&storm.seed, 7919u);

    (void)arg;
    while (mf_now() < storm.end) {
        unsigned kind = dice(&seed) % 4;

        if (kind == 0)
            connect_round(&seed);
        else if (kind == 1)
            ghost_round(&seed);
        else
            pair_round(&seed, kind == 2);
        mfi_add_acqrel(&storm.done[kind], 1u);
    }
    return 0;
}

static void *stormer_thread(void *arg)
{
    EXPECT_EQ(stormer(arg), 0);
    return NULL;
}

static int serve(void *arg)
{
    (void)arg;
    return mf_serve(storm.listener, serve_one, NULL,
                    MF_SERVE_OPTIONS(.stop = &storm.stop));
}

static int join_thread(void *thread)
{
    return -pthread_join(*(pthread_t *)thread, NULL);
}

static void rage(int tasks, int threads)
{
    pthread_t thread[STORMERS];
    struct helper server;
    mf_scope scope;

    EXPECT_GE(storm.listener = mf_tcp_listen("127.0.0.1:0", NULL), 0);
    local_name(storm.listener, storm.where, sizeof storm.where);
    storm.end = mf_now() + MF_MSEC(STORM_MS);
    help(&server, serve, NULL);
    for (int i = 0; i < threads; i++)
        EXPECT_EQ(pthread_create(&thread[i], NULL, stormer_thread, NULL), 0);
    EXPECT_EQ(mf_scope_open(&scope, NULL), 0);
    for (int i = 0; i < tasks; i++)
        EXPECT_EQ(mf_go(&scope, stormer, NULL), 0);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    /* A join here would block a worker, and with it what its poller owns. */
    for (int i = 0; i < threads; i++)
        EXPECT_EQ(
            mf_block(join_thread, &thread[i], sizeof thread[i], NULL, MF_NEVER),
            0);
    mf_event_fire(&storm.stop);
    EXPECT_EQ(helped(&server), 0);
    for (int i = 0; i < 4; i++)
        EXPECT_GT(mfi_load_acq(&storm.done[i]), 0);
}

static int rage_in_tasks(void *arg)
{
    (void)arg;
    rage(STORMERS, 0);
    return 0;
}

static int rage_in_all(void *arg)
{
    (void)arg;
    rage(STORMERS / 2, STORMERS / 2);
    return 0;
}

MFI_TEST(numbers_reused_by_tasks_on_four_workers_never_mix_streams)
{
    in_tasks(4, rage_in_tasks, NULL);
}

MFI_TEST(numbers_reused_on_one_worker_never_mix_streams)
{
    in_tasks(1, rage_in_tasks, NULL);
}

MFI_TEST(numbers_reused_by_tasks_and_threads_never_mix_streams)
{
    in_tasks(4, rage_in_all, NULL);
}
