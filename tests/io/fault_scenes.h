/* SPDX-License-Identifier: MIT */
/*
 * fault_scenes.h - what is done while system calls fail.
 *
 * Each scene ends by its deadline, closes what it opened, and returns 0 or the
 * first error that anybody in it was told. Every byte that arrives is looked
 * at; if nobody was told of an error, all of them have arrived.
 */
#ifndef MFI_TESTS_FAULT_SCENES_H
#define MFI_TESTS_FAULT_SCENES_H

#include <mayfly/select.h>
#include <mayfly/signal.h>

#include "io/fault.h"

enum { LEN = 3000, PART = 700 };

/* What the test is about to be told if it fails here. */
static const struct fault *doing;
static uint32_t doing_nth, doing_times;

#define SCENE(cond)                                                            \
 do {                                                                          \
  if (!(cond))                                                                 \
   mfi_test_fail(__FILE__, __LINE__, "[%s %s, call %u, %u times] %s",          \
                 doing->name, doing->err_name, doing_nth, doing_times, #cond); \
 } while (0)

struct scene {
    mf_deadline deadline;
    int listener;
    char where[MF_ADDR_STR];
    int fds[2];
    size_t got;
    mf_scope scope;
};

static char pattern_at(size_t o)
{
    return (char)((o * 2654435761u) >> 11);
}

static void make_pattern(char *buf, size_t from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = pattern_at(from + i);
}

static void check_pattern(const char *buf, size_t from, size_t len)
{
    SCENE(from + len <= LEN);
    for (size_t i = 0; i < len; i++)
        SCENE(buf[i] == pattern_at(from + i));
}

/* The first error counts. */
static int worse(int rc, int other)
{
    return rc < 0 ? rc : other < 0 ? other : 0;
}

/* All of it until the end; how much that was in *ret_got. */
static int read_pattern(int fd, mf_deadline deadline, size_t *ret_got)
{
    char buf[PART];
    int n;

    *ret_got = 0;
    while ((n = mf_read(fd, buf, sizeof buf, deadline)) > 0) {
        check_pattern(buf, *ret_got, (size_t)n);
        *ret_got += (size_t)n;
    }
    return n;
}

static int readv_pattern(int fd, mf_deadline deadline, size_t *ret_got)
{
    char buf[PART];
    struct iovec iov[3] = {{buf, 0}, {buf, 100}, {buf + 100, PART - 100}};
    int n;

    *ret_got = 0;
    while ((n = mf_readv(fd, iov, 3, deadline)) > 0) {
        check_pattern(buf, *ret_got, (size_t)n);
        *ret_got += (size_t)n;
    }
    return n;
}

static int writev_pattern(int fd, mf_deadline deadline)
{
    char buf[LEN];
    struct iovec iov[3] = {{buf, 1000}, {buf, 0}, {buf + 1000, LEN - 1000}};

    make_pattern(buf, 0, LEN);
    return mf_writev_all(fd, iov, 3, deadline);
}

/* ---- an echo over TCP --------------------------------------------------- */

static int echo(void *arg)
{
    struct scene *s = arg;
    char buf[PART];
    int fd = mf_accept(s->listener, NULL, s->deadline), n;

    if (fd < 0)
        return fd;
    while ((n = mf_read(fd, buf, sizeof buf, s->deadline)) > 0)
        if ((n = mf_write_all(fd, buf, (size_t)n, s->deadline)) < 0)
            break;
    return worse(n, mf_close(fd));
}

static int send_pattern(void *arg)
{
    struct scene *s = arg;
    char buf[LEN];
    int rc = 0;

    make_pattern(buf, 0, LEN);
    for (size_t at = 0; at < LEN && rc == 0; at += PART) {
        size_t left = LEN - at;

        rc = mf_write_all(s->fds[0], buf + at, left < PART ? left : PART,
                          s->deadline);
    }
    return worse(rc, mf_shutdown(s->fds[0], SHUT_WR));
}

static int talk(struct scene *s)
{
    mf_scope own;
    int rc = s->fds[0] =
        mf_tcp_connect(s->where, MF_CONNECT_OPTIONS(.nodelay = 1), s->deadline);

    if (rc < 0)
        return rc;
    SCENE(mf_scope_open(&own, NULL) == 0);
    if ((rc = mf_go(&own, send_pattern, s)) >= 0)
        rc = read_pattern(s->fds[0], s->deadline, &s->got);
    if (rc < 0)
        mf_scope_cancel(&own);
    rc = worse(rc, mf_scope_close(&own));
    return worse(rc, mf_close(s->fds[0]));
}

/* A listener and its name; < 0: there is none. */
static int open_listener(struct scene *s)
{
    mf_addr a;
    int rc = s->listener = mf_tcp_listen("127.0.0.1:0", NULL);

    if (rc < 0)
        return rc;
    if ((rc = mf_local_addr(s->listener, &a)) < 0) {
        mf_close(s->listener);
        return rc;
    }
    mf_addr_str(&a, s->where, sizeof s->where);
    return 0;
}

static int tcp_scene(mf_deadline deadline)
{
    struct scene s = {.deadline = deadline};
    int rc = open_listener(&s);

    if (rc < 0)
        return rc;
    if ((rc = mf_scope_open(&s.scope, NULL)) == 0) {
        rc = mf_go(&s.scope, echo, &s);
        if (rc >= 0)
            rc = talk(&s);
        if (rc < 0)
            mf_scope_cancel(&s.scope);
        rc = worse(rc, mf_scope_close(&s.scope));
        SCENE(rc < 0 || s.got == LEN);
    }
    return worse(rc, mf_close(s.listener));
}

/* ---- accept and a pipe in a select -------------------------------------- */

static int knock(void *arg)
{
    struct scene *s = arg;
    int fd = mf_tcp_connect(s->where, NULL, s->deadline);

    return fd < 0 ? fd : mf_close(fd);
}

static int select_scene(mf_deadline deadline)
{
    struct scene s = {.deadline = deadline};
    int rc = open_listener(&s);

    if (rc < 0)
        return rc;
    bare_pipe(s.fds);
    SCENE(mf_scope_open(&s.scope, NULL) == 0);
    if ((rc = mf_go(&s.scope, knock, &s)) >= 0) {
        mf_case cases[2] = {mf_on_accept(s.listener, NULL),
                            mf_on_fd(s.fds[0], POLLIN)};

        rc = mf_select(cases, 2, deadline);
        SCENE(rc < 2);
        if (rc == 0 && cases[0].res >= 0)
            rc = mf_close((int)cases[0].res);
        else if (rc >= 0) /* a case may win with its failure */
            rc = (int)cases[rc].res;
        SCENE(rc <= 0);
    }
    if (rc < 0)
        mf_scope_cancel(&s.scope);
    rc = worse(rc, mf_scope_close(&s.scope));
    rc = worse(rc, mf_close(s.fds[0]));
    rc = worse(rc, mf_close(s.fds[1]));
    return worse(rc, mf_close(s.listener));
}

/* ---- a socket pair, a pipe, a file -------------------------------------- */

/* Close an end, unless somebody did: a task without a stack never runs. */
static int close_one(int *fd)
{
    int rc = *fd >= 0 ? mf_close(*fd) : 0;

    *fd = -1;
    return rc;
}

static int feed_pair(void *arg)
{
    struct scene *s = arg;
    int rc = writev_pattern(s->fds[1], s->deadline);

    return worse(rc, close_one(&s->fds[1]));
}

/* What feed_pair writes, read by fn. The reader looks before it takes. */
static int fed(struct scene *s, bool socket,
               int (*fn)(int fd, mf_deadline deadline, size_t *ret_got))
{
    size_t got = 0;
    char c;
    int rc;

    SCENE(mf_scope_open(&s->scope, NULL) == 0);
    rc = mf_go(&s->scope, feed_pair, s);
    if (rc >= 0)
        rc = mf_wait_fd(s->fds[0], POLLIN, s->deadline);
    if (rc >= 0 && socket && (rc = mf_peek(s->fds[0], &c, 1, s->deadline)) > 0)
        check_pattern(&c, 0, 1);
    if (rc >= 0)
        rc = fn(s->fds[0], s->deadline, &got);
    if (rc < 0)
        mf_scope_cancel(&s->scope);
    rc = worse(rc, mf_scope_close(&s->scope));
    SCENE(rc < 0 || got == LEN);
    rc = worse(rc, close_one(&s->fds[1]));
    return worse(rc, close_one(&s->fds[0]));
}

static int file_part(mf_deadline deadline)
{
    int fd = (int)syscall(SYS_memfd_create, "fault", 0), rc;
    size_t got = 0;

    SCENE(fd >= 0);
    rc = writev_pattern(fd, deadline);
    SCENE(syscall(SYS_lseek, fd, 0, SEEK_SET) == 0);
    if (rc == 0)
        rc = read_pattern(fd, deadline, &got);
    SCENE(rc < 0 || got == LEN);
    return worse(rc, mf_close(fd));
}

static int local_scene(mf_deadline deadline)
{
    struct scene s = {.deadline = deadline};
    int rc;

    bare_pair(SOCK_STREAM, s.fds);
    if ((rc = fed(&s, true, readv_pattern)) < 0)
        return rc;
    bare_pipe(s.fds);
    if ((rc = fed(&s, false, read_pattern)) < 0)
        return rc;
    bare_pipe(s.fds);
    if ((rc = fed(&s, false, readv_pattern)) < 0)
        return rc;
    return file_part(deadline);
}

/* ---- many at once: batches where there is a ring ------------------------ */

enum { CROWD = 6 };

static int one_of_crowd(void *arg)
{
    struct scene *s = arg;
    char buf[LEN];
    size_t got = 0;
    int rc = 0;

    make_pattern(buf, 0, LEN);
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = mf_write_all(s->fds[1], buf + i * (LEN / 2), LEN / 2, s->deadline);
    rc = worse(rc, close_one(&s->fds[1]));
    if (rc == 0)
        rc = read_pattern(s->fds[0], s->deadline, &got);
    SCENE(rc < 0 || got == LEN);
    return worse(rc, close_one(&s->fds[0]));
}

static int crowd_scene(mf_deadline deadline)
{
    struct scene s[CROWD];
    mf_scope scope;
    int rc = 0;

    SCENE(mf_scope_open(&scope, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)) == 0);
    for (int i = 0; i < CROWD; i++) {
        s[i] = (struct scene){.deadline = deadline};
        bare_pair(SOCK_STREAM, s[i].fds);
        rc = worse(rc, mf_go(&scope, one_of_crowd, &s[i]));
    }
    rc = worse(rc, mf_scope_close(&scope));
    for (int i = 0; i < CROWD; i++)
        for (int j = 0; j < 2; j++)
            (void)close_one(&s[i].fds[j]);
    return rc;
}

#endif
