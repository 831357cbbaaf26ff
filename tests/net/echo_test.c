/* SPDX-License-Identifier: MIT */
/* echo_test.c - an echo server and its clients in one process: every byte. */
#include "io/kit.h"

enum { CLIENTS = 16, ROUNDS = 40, LEN_MAX = 5000, BIG = 1 << 20 };

struct echo {
    int listener;
    char where[MF_ADDR_STR];
    mf_event stop;
    _Atomic int served;
};

static int serve_one(int fd, void *arg)
{
    struct echo *e = arg;
    char buf[4096];
    int n;

    EXPECT_EQ(mf_sockopt_set(fd, MF_SO_NODELAY, 1), 0);
    while ((n = mf_read(fd, buf, sizeof buf, MF_NEVER)) > 0)
        if ((n = mf_write_all(fd, buf, (size_t)n, MF_NEVER)) < 0)
            break;
    EXPECT_EQ(n, 0);
    mfi_add_acqrel(&e->served, 1);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

static void listen_for(struct echo *e)
{
    memset(e, 0, sizeof *e);
    EXPECT_GE(e->listener = mf_tcp_listen("127.0.0.1:0", NULL), 0);
    local_name(e->listener, e->where, sizeof e->where);
}

static int serve(void *arg)
{
    struct echo *e = arg;

    return mf_serve(e->listener, serve_one, e,
                    MF_SERVE_OPTIONS(.stop = &e->stop));
}

static char byte_of(unsigned seed, unsigned i)
{
    return (char)((seed * 2654435761u + i * 40503u) >> 7);
}

/* One message there and back. */
static void exchange(int fd, unsigned seed, size_t len)
{
    char sent[LEN_MAX], got[LEN_MAX];

    for (unsigned i = 0; i < len; i++)
        sent[i] = byte_of(seed, i);
    EXPECT_EQ(mf_write_all(fd, sent, len, late()), 0);
    EXPECT_EQ(mf_read_full(fd, got, len, late()), 1);
    EXPECT_EQ(memcmp(sent, got, len), 0);
}

static int client(void *arg)
{
    struct echo *e = arg;
    int fd = mf_tcp_connect(e->where, MF_CONNECT_OPTIONS(.nodelay = 1), late());
    char end;

    EXPECT_GE(fd, 0);
    for (unsigned i = 0; i < ROUNDS; i++)
        exchange(fd, (unsigned)fd * 1000 + i, 1 + (i * 7919u) % LEN_MAX);
    EXPECT_EQ(mf_shutdown(fd, SHUT_WR), 0);
    EXPECT_EQ(mf_read(fd, &end, 1, late()), 0);
    EXPECT_EQ(mf_close(fd), 0);
    return 0;
}

static int all_in_tasks(void *arg)
{
    struct echo e;
    struct helper server;
    mf_scope clients;

    (void)arg;
    listen_for(&e);
    help(&server, serve, &e);
    EXPECT_EQ(mf_scope_open(&clients, NULL), 0);
    for (int i = 0; i < CLIENTS; i++)
        EXPECT_EQ(mf_go(&clients, client, &e), 0);
    EXPECT_EQ(mf_scope_close(&clients), 0);
    mf_event_fire(&e.stop);
    EXPECT_EQ(helped(&server), 0);
    EXPECT_EQ(mfi_load_acq(&e.served), CLIENTS);
    EXPECT_EQ(mf_local_addr(e.listener, &(mf_addr){0}), -EBADF);
    return 0;
}

MFI_TEST(every_byte_comes_back_on_one_worker)
{
    in_tasks(1, all_in_tasks, NULL);
}

MFI_TEST(every_byte_comes_back_on_four_workers)
{
    in_tasks(4, all_in_tasks, NULL);
}

static void *client_thread(void *e)
{
    EXPECT_EQ(client(e), 0);
    return NULL;
}

static void *serve_thread(void *e)
{
    EXPECT_EQ(serve(e), 0);
    return NULL;
}

/* The server is a thread; half of the clients are threads too. */
MFI_TEST(every_byte_comes_back_to_plain_threads)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    struct echo e;
    mf_scope scope;
    pthread_t server;

    EXPECT_EQ(mf_start(MF_OPTIONS(.workers = 2)), 0);
    listen_for(&e);
    EXPECT_EQ(pthread_create(&server, NULL, serve_thread, &e), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, client_thread, &e), 0);
    EXPECT_EQ(mf_scope_open(&scope, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(mf_go(&scope, client, &e), 0);
    EXPECT_EQ(mf_scope_close(&scope), 0);
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    mf_event_fire(&e.stop);
    EXPECT_EQ(pthread_join(server, NULL), 0);
    EXPECT_EQ(mfi_load_acq(&e.served), 2 * THREADS);
    EXPECT_EQ(mf_stop(late()), 0);
}

static int write_big(void *arg)
{
    int fd = *(int *)arg;
    char *data = malloc(BIG);

    for (unsigned i = 0; i < BIG; i++)
        data[i] = byte_of(7, i);
    EXPECT_EQ(mf_write_all(fd, data, BIG, late()), 0);
    EXPECT_EQ(mf_shutdown(fd, SHUT_WR), 0);
    free(data);
    return 0;
}

/* More than all buffers hold: reader and writer use one fd at once. */
static int big_there_and_back(void *arg)
{
    struct helper server, writer;
    struct echo e;
    char buf[3001];
    unsigned at = 0;
    int fd, n;

    (void)arg;
    listen_for(&e);
    help(&server, serve, &e);
    EXPECT_GE(fd = mf_tcp_connect(e.where, NULL, late()), 0);
    help(&writer, write_big, &fd);
    while ((n = mf_read(fd, buf, sizeof buf, late())) > 0)
        for (int i = 0; i < n; i++, at++)
            EXPECT_EQ(buf[i], byte_of(7, at));
    EXPECT_EQ(n, 0);
    EXPECT_EQ(at, BIG);
    EXPECT_EQ(helped(&writer), 0);
    EXPECT_EQ(mf_close(fd), 0);
    mf_event_fire(&e.stop);
    EXPECT_EQ(helped(&server), 0);
    return 0;
}

MFI_TEST(a_megabyte_comes_back_while_it_is_still_being_sent)
{
    in_tasks(2, big_there_and_back, NULL);
}
