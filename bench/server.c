/* SPDX-License-Identifier: MIT */
/* server.c - fork first, start the runtime after: it would not survive it. */
#define _GNU_SOURCE
#include "server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mayfly/net.h>
#include <mayfly/task.h>

#include "client.h"

enum { BUFFER = 16384 };

int server_must(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", what, mf_explain(rc));
        exit(1);
    }
    return rc;
}

int link_fork(struct link *l)
{
    int up[2];
    int down[2];
    pid_t parent = getpid();

    if (pipe2(up, O_CLOEXEC) != 0 || pipe2(down, O_CLOEXEC) != 0)
        client_die("pipe");
    l->from_client = up[0];
    l->to_server = up[1];
    l->from_server = down[0];
    l->to_client = down[1];
    l->client = fork();
    if (l->client < 0)
        client_die("fork");
    if (l->client == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        close(l->from_client);
        close(l->to_client);
        return 1;
    }
    close(l->from_server);
    close(l->to_server);
    return 0;
}

static void read_or_end(int fd, void *buffer, size_t len)
{
    if (read(fd, buffer, len) != (ssize_t)len) {
        fprintf(stderr, "client: the server has ended\n");
        _exit(1);
    }
}

uint16_t link_port(const struct link *l)
{
    uint16_t port;

    read_or_end(l->from_server, &port, sizeof(port));
    return port;
}

char link_wait(const struct link *l)
{
    char what;

    read_or_end(l->from_server, &what, 1);
    return what;
}

void link_tell_server(const struct link *l, char what)
{
    if (write(l->to_server, &what, 1) != 1)
        client_die("client: write");
}

void link_tell_client(const struct link *l, char what)
{
    server_must(mf_write_all(l->to_client, &what, 1, MF_NEVER),
                "tell the client");
}

char server_wait(const struct link *l)
{
    char what = 0;
    int rc = mf_read(l->from_client, &what, 1, MF_NEVER);

    if (server_must(rc, "wait for the client") == 0) {
        fprintf(stderr, "the client has ended\n");
        exit(1);
    }
    return what;
}

static int conn(int fd, void *arg)
{
    char buffer[BUFFER];
    int rc;

    (void)arg;
    while ((rc = mf_read(fd, buffer, sizeof(buffer), MF_NEVER)) > 0) {
        rc = mf_write_all(fd, buffer, (size_t)rc, MF_NEVER);
        if (rc < 0)
            break;
    }
    mf_close(fd);
    return rc;
}

static int serve(void *arg)
{
    return mf_serve((int)(intptr_t)arg, conn, NULL, NULL);
}

void server_echo(const struct link *l)
{
    int fd = server_must(mf_tcp_listen("127.0.0.1:0", NULL), "listen");
    mf_addr at;
    uint16_t port;

    server_must(mf_local_addr(fd, &at), "local address");
    port = ntohs(((struct sockaddr_in *)(void *)&at.ss)->sin_port);
    server_must(mf_go(mf_root(), serve, (void *)(intptr_t)fd), "go");
    server_must(mf_write_all(l->to_client, &port, sizeof(port), MF_NEVER),
                "tell the client the port");
}

void server_done(const struct link *l)
{
    mf_close(l->from_client);
    mf_close(l->to_client);
}

int link_join(const struct link *l)
{
    int status;

    if (waitpid(l->client, &status, 0) < 0)
        client_die("waitpid");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}
