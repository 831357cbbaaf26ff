/* SPDX-License-Identifier: MIT */
/*
 * unix_fds_test.c - fds as freight: they arrive once, in order, close-on-exec,
 * and none is left behind, whatever goes wrong on the way.
 *
 * Whether a copy of an fd lives on anywhere, in a queue or unseen in this
 * process, a pipe tells: its reader gets the end when the last writer is gone.
 */
#include <mayfly/unix.h>
#include <sys/resource.h>

#include "io/kit.h"

static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};

static void open_pair(int type, int fds[2])
{
    EXPECT_EQ(mf_unix_pair(type, fds), 0);
}

static void close_both(const int fds[2])
{
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
}

/* Nobody has the write end of the pipe that r reads: its end is there now. */
static void no_writer(int r)
{
    char c;

    EXPECT_EQ(mf_read(r, &c, 1, MF_NOW), 0);
}

static int one_each(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        int s[2], p[2], came[3] = {-7, -7, -7};
        char buf[8] = "", c = 0;

        open_pair(types[i], s);
        bare_pipe(p);
        EXPECT_EQ(mf_unix_send(s[0], "fd", 2, &p[1], 1, late()), 2);
        EXPECT_EQ(mf_close(p[1]), 0); /* ours; that on its way lives on */
        EXPECT_EQ(mf_read(p[0], &c, 1, MF_NOW), -ETIMEDOUT);
        EXPECT_EQ(mf_unix_recv(s[1], buf, sizeof buf, came, 3, late()), 2);
        EXPECT_STR_EQ(buf, "fd");
        EXPECT_GE(came[0], 0);
        EXPECT_EQ(came[1], -1);
        EXPECT_EQ(came[2], -1);
        EXPECT_EQ(fcntl(came[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        EXPECT_EQ(mf_write(came[0], "x", 1, late()), 1);
        EXPECT_EQ(mf_read(p[0], &c, 1, late()), 1);
        EXPECT_EQ(c, 'x');
        EXPECT_EQ(mf_close(came[0]), 0);
        no_writer(p[0]);
        /* Without fds it is a read. */
        came[0] = -7;
        EXPECT_EQ(mf_unix_send(s[1], "plain", 5, NULL, 0, late()), 5);
        EXPECT_EQ(mf_unix_recv(s[0], buf, sizeof buf, came, 1, late()), 5);
        EXPECT_EQ(came[0], -1);
        EXPECT_EQ(mf_unix_recv(s[0], buf, sizeof buf, came, 1, MF_NOW),
                  -ETIMEDOUT);
        EXPECT_EQ(mf_close(s[1]), 0);
        if (types[i] != SOCK_DGRAM)
            EXPECT_EQ(mf_unix_recv(s[0], buf, sizeof buf, came, 1, late()), 0);
        EXPECT_EQ(mf_close(s[0]), 0);
        EXPECT_EQ(mf_close(p[0]), 0);
    }
    return 0;
}

MFI_TEST(an_fd_arrives_and_works)
{
    in_both(one_each, NULL);
}

static int no_bytes(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        int s[2], came = -7;
        char c;

        open_pair(types[i], s);
        if (types[i] == SOCK_STREAM) { /* would be lost without a word */
            EXPECT_EQ(mf_unix_send(s[0], "", 0, &s[0], 1, late()), -EINVAL);
            EXPECT_EQ(mf_unix_send(s[0], "", 0, NULL, 0, late()), 0);
        } else {
            EXPECT_EQ(mf_unix_send(s[0], NULL, 0, &s[0], 1, late()), 0);
            EXPECT_EQ(mf_unix_recv(s[1], &c, 1, &came, 1, late()), 0);
            EXPECT_GE(came, 0);
            EXPECT_EQ(mf_close(came), 0);
        }
        close_both(s);
    }
    return 0;
}

MFI_TEST(fds_travel_without_bytes_where_there_are_messages)
{
    in_both(no_bytes, NULL);
}

static int misuse(void *arg)
{
    int s[2], p[2], fds[2], came = -7;
    char c;

    (void)arg;
    open_pair(SOCK_STREAM, s);
    bare_pipe(p);
    fds[0] = p[1];
    fds[1] = -1;
    EXPECT_EQ(mf_unix_send(s[0], "x", 1, fds, 2, late()), -EBADF);
    EXPECT_EQ(mf_unix_send(s[0], "x", 1, fds, -1, late()), -EINVAL);
    EXPECT_EQ(mf_unix_send(s[0], "x", 1, fds, MF_UNIX_FDS + 1, late()),
              -EINVAL);
    EXPECT_EQ(mf_unix_send(s[0], "x", 1, NULL, 1, late()), -EINVAL);
    EXPECT_EQ(mf_unix_send(-1, "x", 1, fds, 1, late()), -EBADF);
    EXPECT_EQ(mf_unix_send(p[1], "x", 1, fds, 1, late()), -ENOTSOCK);
    EXPECT_EQ(mf_unix_recv(s[1], &c, 1, &came, -1, late()), -EINVAL);
    EXPECT_EQ(mf_unix_recv(s[1], &c, 1, NULL, 1, late()), -EINVAL);
    EXPECT_EQ(mf_unix_recv(-1, &c, 1, &came, 1, late()), -EBADF);
    EXPECT_EQ(mf_unix_recv(p[0], &c, 1, &came, 1, late()), -ENOTSOCK);
    EXPECT_EQ(mf_unix_recv(s[1], &c, 1, &came, 1, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(came, -7);
    EXPECT_EQ(mf_close(s[1]), 0);
    EXPECT_EQ(mf_unix_send(s[0], "x", 1, fds, 1, late()), -EPIPE);
    EXPECT_EQ(mf_close(p[1]), 0);
    no_writer(p[0]);
    EXPECT_EQ(mf_close(p[0]), 0);
    EXPECT_EQ(mf_close(s[0]), 0);
    return 0;
}

MFI_TEST(what_cannot_be_sent_or_received_is_refused)
{
    in_both(misuse, NULL);
}

/* The most there can be, each to a pipe of its own as far as pipes go. */
static int most(void *arg)
{
    int s[2], p[2], fds[MF_UNIX_FDS], came[MF_UNIX_FDS + 1];

    (void)arg;
    for (int i = 0; i < 3; i++) {
        char c;

        open_pair(types[i], s);
        bare_pipe(p);
        for (int k = 0; k < MF_UNIX_FDS; k++)
            fds[k] = k % 2 == 0 ? p[1] : p[0];
        EXPECT_EQ(mf_unix_send(s[0], "!", 1, fds, MF_UNIX_FDS, late()), 1);
        EXPECT_EQ(mf_close(p[1]), 0);
        EXPECT_EQ(mf_unix_recv(s[1], &c, 1, came, MF_UNIX_FDS + 1, late()), 1);
        for (int k = 0; k < MF_UNIX_FDS; k++) { /* in the order they left */
            int flags = fcntl(came[k], F_GETFL);

            EXPECT_GE(flags, 0);
            EXPECT_EQ(flags & O_ACCMODE, k % 2 == 0 ? O_WRONLY : O_RDONLY);
            EXPECT_EQ(fcntl(came[k], F_GETFD), FD_CLOEXEC);
            EXPECT_EQ(mf_close(came[k]), 0);
        }
        EXPECT_EQ(came[MF_UNIX_FDS], -1);
        no_writer(p[0]);
        EXPECT_EQ(mf_close(p[0]), 0);
        close_both(s);
    }
    return 0;
}

MFI_TEST(as_many_as_the_kernel_takes_arrive_in_order)
{
    in_both(most, NULL);
}

static int too_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        int s[2], p[2], fds[5], came[4] = {-7, -7, -7, -7};
        char buf[8] = "";

        open_pair(types[i], s);
        bare_pipe(p);
        for (int k = 0; k < 5; k++)
            fds[k] = p[1];
        for (int max = 0; max < 5; max++) {
            EXPECT_EQ(mf_unix_send(s[0], "lost", 4, fds, 5, late()), 4);
            EXPECT_EQ(mf_unix_recv(s[1], buf, sizeof buf, came, max, late()),
                      -EMSGSIZE);
            EXPECT_STR_HAS(mf_explain(-EMSGSIZE), "more fds");
            EXPECT_EQ(came[0], -7);
        }
        if (types[i] != SOCK_STREAM) { /* its bytes are cut, so all is lost */
            EXPECT_EQ(mf_unix_send(s[0], "lost too", 8, fds, 2, late()), 8);
            EXPECT_EQ(mf_unix_recv(s[1], buf, 4, came, 4, late()), -EMSGSIZE);
            EXPECT_STR_HAS(mf_explain(-EMSGSIZE), "buffer");
            EXPECT_EQ(came[0], -7);
        }
        /* A plain read leaves the fds to the kernel, which closes them. */
        EXPECT_EQ(mf_unix_send(s[0], "read", 4, fds, 5, late()), 4);
        EXPECT_EQ(mf_read(s[1], buf, sizeof buf, late()), 4);
        EXPECT_EQ(mf_unix_send(s[0], "next", 4, NULL, 0, late()), 4);
        EXPECT_EQ(mf_unix_recv(s[1], buf, sizeof buf, came, 4, late()), 4);
        EXPECT_EQ(memcmp(buf, "next", 4), 0);
        EXPECT_EQ(came[0], -1);
        EXPECT_EQ(mf_close(p[1]), 0);
        no_writer(p[0]); /* of all that came none is left */
        EXPECT_EQ(mf_close(p[0]), 0);
        close_both(s);
    }
    return 0;
}

MFI_TEST(too_many_fds_are_closed_and_it_is_said)
{
    in_both(too_many, NULL);
}

static int no_free_fd(void *arg)
{
    struct rlimit old, tight;
    int s[2], p[2], fds[4], came[4] = {-7, -7, -7, -7}, top;
    char c;

    (void)arg;
    open_pair(SOCK_STREAM, s);
    bare_pipe(p);
    for (int k = 0; k < 4; k++)
        fds[k] = p[1];
    EXPECT_EQ(mf_unix_send(s[0], "x", 1, fds, 4, late()), 1);
    EXPECT_EQ(mf_unix_send(s[0], "y", 1, fds, 1, late()), 1);
    settle();
    top = bare_dup(p[0]); /* the lowest free number: two more are allowed */
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    tight.rlim_cur = (rlim_t)top + 2;
    EXPECT_EQ(mf_close(top), 0);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    EXPECT_EQ(mf_unix_recv(s[1], &c, 1, came, 4, late()), -EMSGSIZE);
    EXPECT_STR_HAS(mf_explain(-EMSGSIZE), "no free fd");
    EXPECT_EQ(came[0], -7);
    EXPECT_EQ(mf_unix_recv(s[1], &c, 1, came, 4, late()), 1); /* it fits */
    EXPECT_EQ(c, 'y');
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
    EXPECT_EQ(mf_close(came[0]), 0);
    EXPECT_EQ(mf_close(p[1]), 0);
    no_writer(p[0]);
    EXPECT_EQ(mf_close(p[0]), 0);
    close_both(s);
    return 0;
}

MFI_TEST(without_free_fds_none_is_half_there)
{
    in_tasks(1, no_free_fd, NULL);
    in_thread(no_free_fd, NULL);
}

/* ---- who waits takes all or nothing ------------------------------------- */

struct receiver {
    int from, fd, rc;
    mf_deadline deadline;
};

static int receive(void *arg)
{
    struct receiver *r = arg;
    char c;

    r->fd = -7;
    r->rc = mf_unix_recv(r->from, &c, 1, &r->fd, 1, r->deadline);
    return 0;
}

static int waits(void *arg)
{
    struct receiver r = {.deadline = late()};
    struct helper h;
    int s[2], p[2];

    (void)arg;
    for (int i = 0; i < 3; i++) {
        open_pair(types[i], s);
        bare_pipe(p);
        r = (struct receiver){.from = s[1], .deadline = soon()};
        receive(&r);
        EXPECT_EQ(r.rc, -ETIMEDOUT);
        r.deadline = late();
        help(&h, receive, &r);
        await_waiters(s[1], 1);
        mf_task_cancel(h.task);
        helped(&h);
        EXPECT_EQ(r.rc, -ECANCELED);
        EXPECT_EQ(r.fd, -7);
        help(&h, receive, &r);
        await_waiters(s[1], 1);
        EXPECT_EQ(mf_unix_send(s[0], "x", 1, &p[1], 1, late()), 1);
        EXPECT_EQ(helped(&h), 0);
        EXPECT_EQ(r.rc, 1);
        EXPECT_EQ(mf_close(r.fd), 0);
        EXPECT_EQ(mf_close(p[1]), 0);
        no_writer(p[0]);
        help(&h, receive, &r);
        await_waiters(s[1], 1);
        EXPECT_EQ(mf_close(s[1]), 0);
        EXPECT_EQ(helped(&h), 0);
        EXPECT_EQ(r.rc, -EBADF);
        EXPECT_EQ(mf_close(s[0]), 0);
        EXPECT_EQ(mf_close(p[0]), 0);
    }
    return 0;
}

MFI_TEST(a_receiver_is_answered_cancelled_and_closed)
{
    in_both(waits, NULL);
}

static void *receive_there(void *arg)
{
    receive(arg);
    return NULL;
}

/* The same for a plain thread, which has no cancel but a closer. */
static int thread_waits(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        struct receiver r = {.deadline = late()};
        pthread_t thread;
        int s[2], p[2];

        open_pair(types[i], s);
        bare_pipe(p);
        r.from = s[1];
        EXPECT_EQ(pthread_create(&thread, NULL, receive_there, &r), 0);
        await_waiters(s[1], 1);
        EXPECT_EQ(mf_unix_send(s[0], "x", 1, &p[1], 1, late()), 1);
        EXPECT_EQ(pthread_join(thread, NULL), 0);
        EXPECT_EQ(r.rc, 1);
        EXPECT_EQ(mf_close(r.fd), 0);
        EXPECT_EQ(mf_close(p[1]), 0);
        no_writer(p[0]);
        EXPECT_EQ(pthread_create(&thread, NULL, receive_there, &r), 0);
        await_waiters(s[1], 1);
        EXPECT_EQ(mf_close(s[1]), 0);
        EXPECT_EQ(pthread_join(thread, NULL), 0);
        EXPECT_EQ(r.rc, -EBADF);
        EXPECT_EQ(r.fd, -7);
        EXPECT_EQ(mf_close(s[0]), 0);
        EXPECT_EQ(mf_close(p[0]), 0);
    }
    return 0;
}

MFI_TEST(a_thread_that_receives_is_answered_and_closed)
{
    in_thread(thread_waits, NULL);
}

/* A cancel and a message meet: it was taken whole, or it is still there. */
static int cancel_meets_message(void *arg)
{
    int s[2], p[2];

    (void)arg;
    open_pair(SOCK_SEQPACKET, s);
    for (int i = 0; i < 2000 / KIT_SLOW; i++) {
        struct receiver r = {.from = s[1], .deadline = late()};
        struct helper h;

        bare_pipe(p);
        help(&h, receive, &r);
        if (i % 3 != 0)
            await_waiters(s[1], 1);
        if (i % 2 == 0)
            mf_task_cancel(h.task);
        EXPECT_EQ(mf_unix_send(s[0], "x", 1, &p[1], 1, late()), 1);
        if (i % 2 != 0)
            mf_task_cancel(h.task);
        helped(&h);
        if (r.rc < 0) {
            EXPECT_EQ(r.rc, -ECANCELED);
            EXPECT_EQ(r.fd, -7);
            r.deadline = MF_NOW;
            receive(&r);
        }
        EXPECT_EQ(r.rc, 1);
        EXPECT_EQ(mf_close(r.fd), 0);
        EXPECT_EQ(mf_close(p[1]), 0);
        no_writer(p[0]);
        EXPECT_EQ(mf_close(p[0]), 0);
    }
    close_both(s);
    return 0;
}

MFI_TEST(who_is_cancelled_has_taken_nothing)
{
    in_both(cancel_meets_message, NULL);
}

/* ---- a sender that waits ------------------------------------------------ */

struct sender {
    int to, fd, rc;
};

static int send_one(void *arg)
{
    struct sender *s = arg;

    s->rc = mf_unix_send(s->to, "waits", 5, &s->fd, 1, late());
    return 0;
}

static int full(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        struct sender w = {.rc = -77};
        static char big[2048];
        int s[2], p[2], came, rc, n = 0;
        struct helper h;

        open_pair(types[i], s);
        bare_pipe(p);
        while (mf_write(s[0], big, sizeof big, MF_NOW) > 0)
            n++;
        EXPECT_EQ(mf_unix_send(s[0], big, sizeof big, p, 2, MF_NOW),
                  -ETIMEDOUT);
        EXPECT_EQ(mf_unix_send(s[0], big, sizeof big, p, 2, soon()),
                  -ETIMEDOUT);
        w.to = s[0];
        w.fd = p[1];
        help(&h, send_one, &w);
        await_waiters(s[0], 1);
        mf_task_cancel(h.task);
        helped(&h);
        EXPECT_EQ(w.rc, -ECANCELED);
        help(&h, send_one, &w);
        await_waiters(s[0], 1);
        do {
            rc = mf_unix_recv(s[1], big, sizeof big, &came, 1, late());
            EXPECT_GT(rc, 0);
        } while (came < 0); /* none of the others sent their fds */
        EXPECT_EQ(rc, 5);
        EXPECT_EQ(helped(&h), 0);
        EXPECT_EQ(w.rc, 5);
        EXPECT_EQ(mf_close(came), 0);
        EXPECT_EQ(mf_close(p[1]), 0);
        no_writer(p[0]);
        EXPECT_EQ(mf_close(p[0]), 0);
        close_both(s);
        EXPECT_GT(n, 0);
    }
    return 0;
}

MFI_TEST(a_sender_waits_for_room_and_sends_once)
{
    in_both(full, NULL);
}

/* ---- many at once ------------------------------------------------------- */

enum { MESSAGES = 1200 / KIT_SLOW, RECEIVERS = 4, SENDERS = 3 };

struct market {
    int s[2], pipe[2];
    _Atomic int got;
};

/* Each fd says its number, by what is to be read of it. */
static int sells(void *arg)
{
    struct market *m = arg;

    for (int i = 0; i < MESSAGES / SENDERS; i++) {
        int p[2];

        bare_pipe(p);
        EXPECT_EQ(mf_write(p[1], &i, sizeof i, late()), (int)sizeof i);
        EXPECT_EQ(mf_unix_send(m->s[0], &i, sizeof i, p, 1, late()),
                  (int)sizeof i);
        EXPECT_EQ(mf_close(p[0]), 0);
        EXPECT_EQ(mf_close(p[1]), 0);
    }
    return 0;
}

static int buys(void *arg)
{
    struct market *m = arg;
    int text = -1, in = -2, fd, rc;

    while ((rc = mf_unix_recv(m->s[1], &text, sizeof text, &fd, 1, late())) >
           0) {
        EXPECT_EQ(rc, (int)sizeof text);
        EXPECT_GE(fd, 0);
        EXPECT_EQ(mf_read_full(fd, &in, sizeof in, late()), 1);
        EXPECT_EQ(in, text); /* the fd of this message and no other's */
        EXPECT_EQ(mf_close(fd), 0);
        if (++m->got == MESSAGES) /* that was the last: the others end too */
            EXPECT_EQ(mf_shutdown(m->s[0], SHUT_WR), 0);
    }
    EXPECT_EQ(rc, 0);
    return 0;
}

static void *buys_too(void *arg)
{
    buys(arg);
    return NULL;
}

static int fair(void *arg)
{
    struct market m = {.got = 0};
    pthread_t thread;
    mf_scope s;

    (void)arg;
    open_pair(SOCK_SEQPACKET, m.s);
    EXPECT_EQ(pthread_create(&thread, NULL, buys_too, &m), 0);
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    for (int i = 0; i < RECEIVERS; i++)
        EXPECT_EQ(mf_go(&s, buys, &m), 0);
    for (int i = 0; i < SENDERS; i++)
        EXPECT_EQ(mf_go(&s, sells, &m), 0);
    EXPECT_EQ(mf_scope_close(&s), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(m.got, MESSAGES);
    close_both(m.s);
    return 0;
}

MFI_TEST(many_senders_and_receivers_mix_nothing_up)
{
    in_thread(fair, NULL);
}
