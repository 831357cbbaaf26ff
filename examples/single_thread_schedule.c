/* SPDX-License-Identifier: MIT */
/*
 * single_thread_schedule.c - a server and its 100 clients on one worker.
 *
 * With .workers = 1 all tasks share one thread: no two of them run at the same
 * time, so the counter below needs neither lock nor atomic.
 *
 * Run: ./single_thread_schedule
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mayfly.h>

enum { CLIENTS = 100, ROUNDS = 10 };

static int echoes;

static int conn(int fd, void *arg)
{
    char buf[256];
    int n;

    (void)arg;
    while ((n = mf_read(fd, buf, sizeof buf, MF_NEVER)) > 0)
        if ((n = mf_write_all(fd, buf, (size_t)n, MF_NEVER)) < 0)
            break;
    mf_close(fd);
    return n;
}

struct server {
    int listener;
    mf_event stop;
};

static int serve(void *arg)
{
    struct server *s = arg;

    return mf_serve(s->listener, conn, NULL,
                    MF_SERVE_OPTIONS(.stop = &s->stop));
}

static int client(void *arg)
{
    char out[64], in[64];
    int rc = 0, fd = mf_tcp_connect(arg, NULL, mf_after(MF_SEC(10)));

    if (fd < 0)
        return fd;
    for (int i = 0; i < ROUNDS && rc >= 0; i++) {
        int len = snprintf(out, sizeof out, "fd %d, round %d", fd, i);

        if ((rc = mf_write_all(fd, out, (size_t)len, MF_NEVER)) < 0)
            break;
        rc = mf_read_full(fd, in, (size_t)len, MF_NEVER);
        if (rc == 0 || (rc > 0 && memcmp(in, out, (size_t)len) != 0))
            rc = -EIO;
        echoes += rc > 0;
    }
    mf_close(fd);
    return rc < 0 ? rc : 0;
}

static int program(void *arg)
{
    struct server server = {.listener = mf_tcp_listen("127.0.0.1:0", NULL)};
    char where[MF_ADDR_STR];
    mf_addr addr;
    int rc;

    (void)arg;
    if (server.listener < 0)
        return server.listener;
    if ((rc = mf_local_addr(server.listener, &addr)) < 0)
        return rc;
    mf_addr_str(&addr, where, sizeof where);
    MF_SCOPE(outer);
    if ((rc = mf_go(&outer, serve, &server)) < 0)
        return rc;
    MF_SCOPE(clients);
    for (int i = 0; i < CLIENTS; i++)
        mf_go(&clients, client, where);
    if ((rc = mf_scope_close(&clients)) < 0)
        return rc;
    mf_event_fire(&server.stop);
    printf("%d clients, %d echoes, 1 worker\n", CLIENTS, echoes);
    return mf_scope_close(&outer);
}

int main(void)
{
    int rc = mf_run(program, NULL, MF_OPTIONS(.workers = 1));

    if (rc < 0)
        fprintf(stderr, "single_thread_schedule: %s\n", mf_explain(rc));
    return rc < 0;
}
