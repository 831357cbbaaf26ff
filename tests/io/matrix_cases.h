/* SPDX-License-Identifier: MIT */
/*
 * matrix_cases.h - the columns of the matrix: run() where the case applies to
 * the kind, probe() where it does not, which then returns what is said instead.
 * A case ends with nothing lost, doubled or left over in the pair.
 */
#ifndef MFI_TESTS_MATRIX_CASES_H
#define MFI_TESTS_MATRIX_CASES_H

#include "io/matrix_help.h"

/* ---- read, write, short, vectored, peek --------------------------------- */

/* In pieces of all sizes, while they come. */
static void run_read(struct cell *c)
{
    struct helper h;
    char buf[PIECE_MAX];
    uint64_t reads = 0;
    bool bytes = c->kind->flow == FLOW_BYTES;
    struct cell all = *c; /* how much will come */

    c->pieces = 150;
    for (uint64_t i = 0; i < c->pieces; i++)
        flow_make(&all, buf);
    help(&h, write_pieces, c);
    while (mfi_load_rlx(&c->got) < all.sent) {
        size_t len = bytes ? 1 + (size_t)(reads++ * 89 % 500) : sizeof buf;
        uint64_t left = all.sent - mfi_load_rlx(&c->got);

        if (bytes && reads % 5 == 0 && len <= left) {
            CELL_EQ(c, mf_read_full(c->e.r, buf, len, late()), 1);
            flow_take(c, buf, (int)len);
        } else {
            flow_take(c, buf, mf_read(c->e.r, buf, len, late()));
        }
    }
    CELL_EQ(c, helped(&h), 0);
    sound(c);
}

/* More than the buffers hold, so that the writer waits for the reader. */
static void run_write(struct cell *c)
{
    struct helper h;
    char buf[PIECE_MAX];
    struct cell all = *c;
    uint64_t pieces = c->kind->flow == FLOW_BYTES ? 700 : 300;

    if (is(c, LOSSY))
        pieces = 40;
    for (uint64_t i = 0; i < pieces; i++)
        flow_make(&all, buf);
    c->pieces = all.sent;
    help(&h, read_slowly, c);
    while (c->made < pieces) {
        size_t len = flow_make(c, buf), at = 0;

        while (is(c, LOSSY) && c->sent > mfi_load_acq(&c->got) + 8)
            breathe();
        if (c->made % 2 == 0) {
            CELL_EQ(c, mf_write_all(c->e.w, buf, len, late()), 0);
            continue;
        }
        while (at < len) {
            int n = mf_write(c->e.w, buf + at, len - at, late());

            CELL(c, n, >, 0);
            at += (size_t)n;
        }
    }
    CELL_EQ(c, helped(&h), 0);
    sound(c);
}

/* Less is asked for than is there. */
static void run_short(struct cell *c)
{
    char buf[8] = {0};

    CELL_EQ(c, mf_write(c->e.w, "hello", 5, late()), 5);
    CELL_EQ(c, mf_wait_fd(c->e.r, POLLIN, late()), POLLIN);
    CELL_EQ(c, mf_read(c->e.r, buf, 2, late()), 2);
    CELL_EQ(c, memcmp(buf, "he", 2), 0);
    if (c->kind->flow == FLOW_BYTES) { /* the rest stays */
        CELL_EQ(c, mf_read(c->e.r, buf, 8, late()), 3);
        CELL_EQ(c, memcmp(buf, "llo", 3), 0);
    }
    sound(c);
}

static int probe_short(struct cell *c)
{
    char buf[8] = {0};
    int rc;

    CELL_EQ(c, mf_write(c->e.w, buf, 7, MF_NOW), -EINVAL);
    put(c);
    rc = mf_read(c->e.r, buf, 4, late());
    sound(c);
    return rc;
}

static void run_vectored(struct cell *c)
{
    char out[PIECE_MAX], in[PIECE_MAX], none[1];
    size_t len = 0;
    int n;

    for (int round = 0; round < 20; round++) {
        struct iovec o[4], i[4];
        size_t cut;

        len = flow_make(c, out);
        cut = len / 3;
        o[0] = (struct iovec){out, cut};
        o[1] = (struct iovec){none, 0};
        o[2] = (struct iovec){out + cut, 1};
        o[3] = (struct iovec){out + cut + 1, len - cut - 1};
        if (round % 2 == 0)
            CELL_EQ(c, mf_writev(c->e.w, o, 4, late()), len);
        else
            CELL_EQ(c, mf_writev_all(c->e.w, o, 4, late()), 0);
        i[0] = (struct iovec){in, 3};
        i[1] = (struct iovec){none, 0};
        i[2] = (struct iovec){in + 3, 4};
        i[3] = (struct iovec){in + 7, sizeof in - 7};
        do {
            n = mf_readv(c->e.r, i, 4, late());
            flow_take(c, in, n);
        } while (mfi_load_rlx(&c->got) != c->sent);
    }
    sound(c);
}

/* An eventfd takes each part by itself, and gives itself in parts. */
static int probe_vectored(struct cell *c)
{
    char a[8], b[8];
    uint64_t one = 1;
    struct iovec whole[2] = {{&one, 8}, {&one, 8}}, in[2] = {{a, 4}, {b, 4}};
    struct iovec parts[2] = {{a, 4}, {b, 4}};
    int rc = mf_writev(c->e.w, parts, 2, late());

    CELL_EQ(c, mf_writev(c->e.w, whole, 2, late()), 16);
    CELL_EQ(c, mf_readv(c->e.r, in, 2, late()), 8);
    memcpy(a + 4, b, 4);
    memcpy(&one, a, 8);
    CELL_EQ(c, one, 2);
    sound(c);
    return rc;
}

static void run_peek(struct cell *c)
{
    char a[PIECE_MAX], b[PIECE_MAX];
    struct helper h;
    int n;

    CELL_EQ(c, mf_peek(c->e.r, a, sizeof a, MF_NOW), -ETIMEDOUT);
    help(&h, put_when_awaited, c);
    n = mf_peek(c->e.r, a, sizeof a, MF_NEVER);
    CELL(c, n, >, 0);
    CELL_EQ(c, helped(&h), 0);
    CELL_EQ(c, mf_peek(c->e.r, b, sizeof b, MF_NOW), n);
    CELL_EQ(c, memcmp(a, b, (size_t)n), 0);
    CELL_EQ(c, mf_peek(c->e.r, b, 1, MF_NOW), 1);
    sound(c);
    CELL_EQ(c, mf_peek(c->e.r, a, sizeof a, little()), -ETIMEDOUT);
    sound(c);
}

static int probe_peek(struct cell *c)
{
    char a[8];
    int rc;

    CELL_EQ(c, mf_peek(c->e.r, a, sizeof a, MF_NOW), -ENOTSOCK);
    put(c);
    rc = mf_peek(c->e.r, a, sizeof a, late());
    sound(c);
    return rc;
}

/* ---- deadlines ---------------------------------------------------------- */

static void run_past(struct cell *c)
{
    char buf[PIECE_MAX];
    struct iovec iov[1] = {{buf, sizeof buf}};
    int rc;

    CELL_EQ(c, read_one(c, MF_NOW), -ETIMEDOUT);
    CELL_EQ(c, read_one(c, mf_at(mf_now() - 1)), -ETIMEDOUT);
    CELL_EQ(c, mf_readv(c->e.r, iov, 1, MF_NOW), -ETIMEDOUT);
    CELL_EQ(c, mf_read_full(c->e.r, buf, 8, MF_NOW), -ETIMEDOUT);
    CELL_EQ(c, mf_wait_fd(c->e.r, POLLIN, MF_NOW), -ETIMEDOUT);
    for (int i = 0; i < 5; i++) { /* what is there is there */
        CELL(c, write_one(c, MF_NOW), >, 0);
        CELL_EQ(c, mf_wait_fd(c->e.r, POLLIN, late()), POLLIN);
        CELL(c, read_one(c, MF_NOW), >, 0);
        take_all(c);
    }
    if (is(c, FILLS)) {
        fill(c);
        do {
            CELL_EQ(c, write_more(c, MF_NOW), -ETIMEDOUT);
            CELL_EQ(c, write_more(c, mf_at(mf_now() - 1)), -ETIMEDOUT);
            rc = mf_wait_fd(c->e.w, POLLOUT, MF_NOW);
        } while (rc == POLLOUT);
        CELL_EQ(c, rc, -ETIMEDOUT);
    }
    sound(c);
}

static void run_soon(struct cell *c)
{
    mf_ns begin = mf_now();

    CELL_EQ(c, read_one(c, mf_at(begin + MF_MSEC(3))), -ETIMEDOUT);
    CELL(c, mf_now() - begin, >=, MF_MSEC(3));
    CELL_EQ(c, mf_wait_fd(c->e.r, POLLIN, little()), -ETIMEDOUT);
    sound(c);
    if (is(c, FILLS)) {
        fill(c);
        begin = mf_now();
        CELL_EQ(c, write_more(c, mf_at(begin + MF_MSEC(3))), -ETIMEDOUT);
        CELL(c, mf_now() - begin, >=, MF_MSEC(3));
    }
    sound(c);
}

static void run_never(struct cell *c)
{
    struct helper h;

    for (int i = 0; i < 3; i++) {
        help(&h, put_when_awaited, c);
        if (i == 2)
            CELL_EQ(c, mf_wait_fd(c->e.r, POLLIN, MF_NEVER), POLLIN);
        CELL(c, read_one(c, MF_NEVER), >, 0);
        CELL_EQ(c, helped(&h), 0);
        take_all(c);
    }
    if (is(c, FILLS)) {
        fill(c);
        c->pieces = c->sent;
        help(&h, take_when_awaited, c);
        do
            CELL(c, write_one(c, MF_NEVER), >, 0);
        while (mfi_load_acq(&c->helped) == 0);
        CELL_EQ(c, helped(&h), 0);
    }
    sound(c);
}

/* ---- cancel and close --------------------------------------------------- */

static void open_scope(struct cell *c)
{
    CELL_EQ(c, mf_scope_open(&c->scope, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)),
            0);
}

static void run_cancel_before(struct cell *c)
{
    char buf[PIECE_MAX];
    struct iovec iov[1] = {{buf, 8}};

    put(c);
    CELL_EQ(c, mf_wait_fd(c->e.r, POLLIN, late()), POLLIN);
    open_scope(c);
    mf_scope_cancel(&c->scope);
    CELL_EQ(c, read_one(c, MF_NEVER), -ECANCELED);
    CELL_EQ(c, mf_readv(c->e.r, iov, 1, MF_NOW), -ECANCELED);
    CELL_EQ(c, mf_read_full(c->e.r, buf, 8, late()), -ECANCELED);
    CELL_EQ(c, mf_peek(c->e.r, buf, 8, late()), -ECANCELED);
    CELL_EQ(c, mf_wait_fd(c->e.r, POLLIN, late()), -ECANCELED);
    CELL_EQ(c, write_one(c, late()), -ECANCELED);
    CELL_EQ(c, mf_writev_all(c->e.w, iov, 1, MF_NEVER), -ECANCELED);
    (void)mf_scope_close(&c->scope);
    sound(c); /* the piece is there, and nothing else */
}

static void run_cancel_while(struct cell *c)
{
    struct helper h;

    for (int i = 0; i < 2; i++) { /* a read, a wait */
        c->end = c->e.r;
        help(&h, cancel_when_awaited, c);
        open_scope(c);
        CELL_EQ(c,
                i == 0 ? read_one(c, MF_NEVER)
                       : mf_wait_fd(c->e.r, POLLIN, MF_NEVER),
                -ECANCELED);
        (void)mf_scope_close(&c->scope);
        CELL_EQ(c, helped(&h), 0);
        sound(c);
    }
    if (is(c, FILLS)) {
        fill(c);
        c->end = c->e.w;
        help(&h, cancel_when_awaited, c);
        open_scope(c);
        CELL_EQ(c, write_more(c, MF_NEVER), -ECANCELED);
        (void)mf_scope_close(&c->scope);
        CELL_EQ(c, helped(&h), 0);
        sound(c);
    }
}

/* The reader's fd goes away under it; then, of another pair, the writer's. */
static void run_close(struct cell *c)
{
    struct helper h;

    c->end = c->e.r;
    help(&h, close_when_awaited, c);
    CELL_EQ(c, read_one(c, MF_NEVER), -EBADF);
    CELL_EQ(c, helped(&h), 0);
    CELL_EQ(c, read_one(c, MF_NEVER), -EBADF);
    c->e.r = -1;
    if (!is(c, ITSELF))
        close_end(c, &c->e.w);
    CELL_EQ(c, renew(c), true);
    if (!is(c, FILLS))
        return;
    fill(c);
    c->end = c->e.w;
    help(&h, close_when_awaited, c);
    CELL_EQ(c, write_more(c, MF_NEVER), -EBADF);
    CELL_EQ(c, helped(&h), 0);
    CELL_EQ(c, mf_close(c->e.w), -EBADF);
    if (is(c, ITSELF))
        c->e.r = -1;
    c->e.w = -1;
}

/* ---- how the other side ends -------------------------------------------- */

static void run_half(struct cell *c)
{
    char buf[8];

    put(c);
    CELL_EQ(c, mf_shutdown(c->e.w, SHUT_WR), 0);
    while (mfi_load_rlx(&c->got) != c->sent)
        CELL(c, read_one(c, late()), >, 0);
    CELL_EQ(c, read_one(c, MF_NEVER), 0);
    CELL_EQ(c, mf_peek(c->e.r, buf, 8, MF_NEVER), 0);
    CELL_EQ(c, mf_write(c->e.w, "x", 1, late()), -EPIPE);
    CELL_EQ(c, mf_read(c->e.w, buf, 8, MF_NOW), -ETIMEDOUT);
    CELL_EQ(c, mf_write(c->e.r, "back", 4, late()), 4); /* the other half */
    CELL_EQ(c, mf_read(c->e.w, buf, 8, late()), 4);
    CELL_EQ(c, memcmp(buf, "back", 4), 0);
}

static int probe_half(struct cell *c)
{
    int rc = mf_shutdown(c->e.w, SHUT_WR);

    if (rc < 0)
        return rc;
    CELL_EQ(c, mf_write(c->e.w, "x", 1, late()), -EPIPE);
    return read_one(c, little());
}

/* The reader waits when it comes. */
static int reset_when_awaited(void *arg)
{
    struct cell *c = arg;

    await_waiters(c->e.r, 1);
    if (c->kind->make == make_tcp4 || c->kind->make == make_tcp6)
        CELL_EQ(c, mf_sockopt_set(c->e.w, MF_SO_LINGER, 0), 0);
    else /* what nobody will read */
        CELL_EQ(c, mf_write(c->e.r, "lost", 4, late()), 4);
    close_end(c, &c->e.w);
    return 0;
}

static void run_rst(struct cell *c)
{
    struct helper h;
    int rc;

    help(&h, reset_when_awaited, c);
    CELL_EQ(c, read_one(c, MF_NEVER), -ECONNRESET);
    CELL_EQ(c, helped(&h), 0);
    CELL_EQ(c, read_one(c, MF_NEVER), 0); /* said once */
    while ((rc = mf_write(c->e.r, "x", 1, late())) > 0)
        breathe();
    CELL_EQ(c, rc, -EPIPE);
}

/* Nobody will read it: what is the writer told? */
static int probe_rst(struct cell *c)
{
    int rc = 0;

    if (is(c, ITSELF))
        return mf_shutdown(c->e.w, SHUT_RDWR);
    close_end(c, &c->e.r);
    for (int i = 0; i < 10000 && rc >= 0; i++)
        rc = mf_write(c->e.w, "x", 1, late());
    return rc;
}

static void run_eof(struct cell *c)
{
    struct helper h;
    char buf[PIECE_MAX];

    put(c);
    take_all(c);
    help(&h, close_w_when_awaited, c);
    CELL_EQ(c, read_one(c, MF_NEVER), 0);
    CELL_EQ(c, helped(&h), 0);
    CELL_EQ(c, read_one(c, MF_NEVER), 0);
    CELL(c, mf_wait_fd(c->e.r, POLLIN, MF_NEVER) & (POLLIN | POLLHUP), !=, 0);
    close_end(c, &c->e.r);
    CELL_EQ(c, renew(c), true);
    for (int i = 0; i < 5; i++)
        put(c);
    close_end(c, &c->e.w); /* what was sent before comes first */
    while (mfi_load_rlx(&c->got) != c->sent)
        CELL(c, read_one(c, late()), >, 0);
    CELL_EQ(c, mf_read_full(c->e.r, buf, 8, MF_NEVER), 0);
    CELL_EQ(c, read_one(c, MF_NEVER), 0);
}

static int probe_eof(struct cell *c)
{
    put(c);
    if (!is(c, ITSELF))
        close_end(c, &c->e.w);
    while (mfi_load_rlx(&c->got) != c->sent)
        CELL(c, read_one(c, late()), >, 0);
    return read_one(c, little());
}

static void run_zero(struct cell *c)
{
    struct iovec iov[2] = {{NULL, 0}, {NULL, 0}};
    char buf[1];

    for (int i = 0; i < 2; i++) { /* empty, then with something there */
        CELL_EQ(c, mf_read(c->e.r, buf, 0, MF_NEVER), 0);
        CELL_EQ(c, mf_readv(c->e.r, iov, 2, MF_NEVER), 0);
        CELL_EQ(c, mf_readv(c->e.r, NULL, 0, MF_NEVER), 0);
        CELL_EQ(c, mf_read_full(c->e.r, buf, 0, MF_NEVER), 1);
        CELL_EQ(c, mf_peek(c->e.r, buf, 0, MF_NEVER), 0);
        CELL_EQ(c, mf_write(c->e.w, buf, 0, MF_NEVER), 0);
        CELL_EQ(c, mf_writev(c->e.w, iov, 2, MF_NEVER), 0);
        CELL_EQ(c, mf_write_all(c->e.w, buf, 0, MF_NEVER), 0);
        CELL_EQ(c, mf_writev_all(c->e.w, iov, 2, MF_NEVER), 0);
        if (i == 0)
            put(c);
    }
    sound(c);                         /* the one piece */
    if (c->kind->flow == FLOW_MSGS) { /* a message may be empty */
        CELL_EQ(c, send(c->e.w, "", 0, 0), 0);
        CELL_EQ(c, mf_wait_fd(c->e.r, POLLIN, late()), POLLIN);
        CELL_EQ(c, read_one(c, MF_NEVER), 0);
        sound(c);
    }
}

#endif
