/* SPDX-License-Identifier: MIT */
/*
 * matrix_test.c - every kind of fd in every case, from every context: a table
 * that is run, and printed as a grid.
 *
 *   rows      matrix.h: kinds of fds, each a pair made by plain system calls
 *   columns   matrix_cases.h: what is done to it
 *   marks     one per context: c a coroutine of two workers, t a plain thread,
 *             b a coroutine among others that are always ready, on one worker
 *             (with io_uring its calls go into batches)
 *
 * A cell is '+': it went as the column says; or '-': the case does not apply,
 * and what is said instead is what the list of exceptions says. Anything else
 * fails the test, and the failure names the cell. Each cell leaves as many fds
 * open as it found; one that takes too long is named by a watch.
 */
#include "io/matrix_cases.h"

enum column {
    READ,
    WRITE,
    SHORT,
    VECTORED,
    PEEK,
    PAST,
    SOON,
    NEVER,
    CANCEL_BEFORE,
    CANCEL_WHILE,
    CLOSE,
    HALF,
    RST,
    END,
    ZERO,
    COLUMNS
};

static const struct {
    const char *name;
    const char *expect;
    void (*run)(struct cell *c);
    int (*probe)(struct cell *c);
} columns[COLUMNS] = {
    [READ] = {"read", "all that was written, in order, once", run_read, NULL},
    [WRITE] = {"write", "waits for room, loses nothing", run_write, NULL},
    [SHORT] = {"short", "a part is read; of bytes the rest stays", run_short,
               probe_short},
    [VECTORED] = {"vectored", "gathered and scattered, whole", run_vectored,
                  probe_vectored},
    [PEEK] = {"peek", "seen and not taken", run_peek, probe_peek},
    [PAST] = {"past", "a past deadline: tried once", run_past, NULL},
    [SOON] = {"soon", "-ETIMEDOUT at the deadline, nothing taken", run_soon,
              NULL},
    [NEVER] = {"never", "waits until it can", run_never, NULL},
    [CANCEL_BEFORE] = {"cancel before", "-ECANCELED, nothing moved",
                       run_cancel_before, NULL},
    [CANCEL_WHILE] = {"cancel while", "-ECANCELED, nothing moved",
                      run_cancel_while, NULL},
    [CLOSE] = {"close", "by another: -EBADF for who waits", run_close, NULL},
    [HALF] = {"half-close", "0 after the data; the other half works", run_half,
              probe_half},
    [RST] = {"reset", "-ECONNRESET for who waits, once", run_rst, probe_rst},
    [END] = {"end", "0 after the data, for who waits too", run_eof, probe_eof},
    [ZERO] = {"zero", "length 0: 0 at once, nothing moved", run_zero, NULL},
};

static const struct exception {
    const char *kind;
    enum column column;
    int rc;
    const char *rc_name;
    const char *because;
} exceptions[] = {
#define BUT(kind, column, e, because) \
 {                                    \
  kind, column, -(e), "-" #e, because \
 }
    BUT("eventfd", SHORT, EINVAL, "a count is 8 bytes, never less"),
    BUT("eventfd", VECTORED, EINVAL, "each part written is a count of its own"),
    BUT("pipe", PEEK, ENOTSOCK, "it is no socket"),
    BUT("tty", PEEK, ENOTSOCK, "it is no socket"),
    BUT("eventfd", PEEK, ENOTSOCK, "it is no socket"),
    BUT("unix dgram", HALF, ETIMEDOUT, "the reader of datagrams is not told"),
    BUT("dgram, named", HALF, ETIMEDOUT, "the reader of datagrams is not told"),
    BUT("udp", HALF, ETIMEDOUT, "the reader of datagrams is not told"),
    BUT("pipe", HALF, ENOTSOCK, "it is no socket"),
    BUT("tty", HALF, ENOTSOCK, "it is no socket"),
    BUT("eventfd", HALF, ENOTSOCK, "it is no socket"),
    BUT("unix dgram", RST, ECONNREFUSED, "no connection: a send is refused"),
    BUT("dgram, named", RST, ECONNREFUSED, "no connection: a send is refused"),
    BUT("udp", RST, ECONNREFUSED, "no connection: a send is refused"),
    BUT("pipe", RST, EPIPE, "it breaks for the writer"),
    BUT("tty", RST, EIO, "it hangs up"),
    BUT("eventfd", RST, ENOTSOCK, "there is no other side"),
    BUT("unix dgram", END, ETIMEDOUT, "datagrams have no end"),
    BUT("dgram, named", END, ETIMEDOUT, "datagrams have no end"),
    BUT("udp", END, ETIMEDOUT, "datagrams have no end"),
    BUT("tty", END, EIO, "it hangs up"),
    BUT("eventfd", END, ETIMEDOUT, "a count has no end"),
#undef BUT
};
enum { EXCEPTIONS = sizeof exceptions / sizeof exceptions[0] };

enum context { COROUTINE, THREAD, BUSY, CONTEXTS };
static const char *const contexts[CONTEXTS] = {"coroutine", "thread", "busy"};

static char grid[KINDS][COLUMNS][CONTEXTS + 1];

static const struct exception *exception(const struct kind *k, int column)
{
    for (int i = 0; i < EXCEPTIONS; i++)
        if (strcmp(exceptions[i].kind, k->name) == 0 &&
            (int)exceptions[i].column == column)
            return &exceptions[i];
    return NULL;
}

/* ---- one cell, watched -------------------------------------------------- */

static struct cell *_Atomic watched; /* and since when */
static _Atomic mf_ns since;
static _Atomic uint32_t over;

static void *watch(void *arg)
{
    mf_ns limit = MF_SEC(10) * mfi_test_scale();

    (void)arg;
    while (mfi_load_acq(&over) == 0) {
        struct cell *c = mfi_load_acq(&watched);

        if (c != NULL && mf_now() - mfi_load_acq(&since) > limit)
            mfi_test_fail(__FILE__, __LINE__, "[%s, %s, %s] to end",
                          c->kind->name, c->name, c->context);
        poll(NULL, 0, 20);
    }
    return NULL;
}

static int open_fds(void)
{
    int n = 0;

    for (int fd = 0; fd < 128; fd++)
        n += syscall(SYS_fcntl, fd, F_GETFD) >= 0;
    return n;
}

static void run_cell(const struct kind *k, int column, enum context context)
{
    const struct exception *x = exception(k, column);
    static struct cell cells[2]; /* the watch may still look at the last */
    static int turn;
    struct cell *c = &cells[turn++ % 2];
    char *mark = &grid[k - kinds][column][context];
    int before = open_fds();

    memset(c, 0, sizeof *c);
    c->kind = k;
    c->name = columns[column].name;
    c->context = contexts[context];
    if (!renew(c)) {
        *mark = '?';
        return;
    }
    mfi_store_rel(&since, mf_now());
    mfi_store_rel(&watched, c);
    if (x == NULL)
        columns[column].run(c);
    else
        CELL_EQ(c, columns[column].probe(c), x->rc);
    close_end(c, &c->e.r);
    close_end(c, &c->e.w);
    mfi_store_rel(&watched, NULL);
    CELL_EQ(c, open_fds(), before);
    *mark = x == NULL ? '+' : '-';
}

/* A thread gets its bell at its first wait, and keeps it. */
static void warm_up(void)
{
    int fds[2];
    char c;

    bare_pipe(fds);
    EXPECT_EQ(mf_read(fds[0], &c, 1, mf_after(MF_MSEC(1))), -ETIMEDOUT);
    EXPECT_EQ(mf_close(fds[0]), 0);
    EXPECT_EQ(mf_close(fds[1]), 0);
    settle();
}

static void run_all(enum context context)
{
    for (int k = 0; k < KINDS; k++)
        for (int column = 0; column < COLUMNS; column++)
            run_cell(&kinds[k], column, context);
}

static int coroutine(void *arg)
{
    (void)arg;
    warm_up();
    run_all(COROUTINE);
    return 0;
}

static int thread(void *arg)
{
    (void)arg;
    warm_up();
    run_all(THREAD);
    return 0;
}

/* ---- among others that are always ready --------------------------------- */

static _Atomic uint32_t busy_over;

static int be_busy(void *arg)
{
    (void)arg;
    while (mfi_load_acq(&busy_over) == 0)
        EXPECT_EQ(mf_yield(), 0);
    return 0;
}

static int busy(void *arg)
{
    mf_scope s;

    (void)arg;
    warm_up();
    EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(mf_go(&s, be_busy, NULL), 0);
    run_all(BUSY);
    mfi_store_rel(&busy_over, 1u);
    EXPECT_EQ(mf_scope_close(&s), 0);
    return 0;
}

/* ---- what was covered --------------------------------------------------- */

static void print_columns(void)
{
    printf("#\n# backend %s; each cell: c coroutine, t thread, b busy worker\n"
           "#\n# %-13s",
           getenv("MF_BACKEND") != NULL ? getenv("MF_BACKEND") : "default", "");
    for (int i = 0; i < COLUMNS; i++)
        printf(" %3d", i + 1);
    printf("\n# %-13s", "");
    for (int i = 0; i < COLUMNS; i++)
        printf(" ctb");
    printf("\n");
}

static void print_grid(void)
{
    int nr[2] = {0, 0};

    print_columns();
    for (int k = 0; k < KINDS; k++) {
        printf("# %-13s", kinds[k].name);
        for (int i = 0; i < COLUMNS; i++) {
            printf(" %s", grid[k][i]);
            for (const char *mark = grid[k][i]; *mark != '\0'; mark++)
                nr[*mark == '-'] += *mark != '?';
        }
        printf("\n");
    }
    printf("#\n# + as expected:\n");
    for (int i = 0; i < COLUMNS; i++)
        printf("# %3d %-14s %s\n", i + 1, columns[i].name, columns[i].expect);
    printf("# - does not apply, and says so:\n");
    for (int i = 0; i < EXCEPTIONS; i++)
        printf("# %3d %-14s %-13s %s, because %s\n",
               (int)exceptions[i].column + 1,
               columns[exceptions[i].column].name, exceptions[i].kind,
               exceptions[i].rc_name, exceptions[i].because);
    printf("# %d cells as expected, %d do not apply\n", nr[0], nr[1]);
}

MFI_TEST(every_kind_of_fd_in_every_case_from_every_context)
{
    pthread_t watcher;

    EXPECT_EQ(pthread_create(&watcher, NULL, watch, NULL), 0);
    in_tasks(2, coroutine, NULL);
    in_thread(thread, NULL);
    in_tasks(1, busy, NULL);
    mfi_store_rel(&over, 1u);
    EXPECT_EQ(pthread_join(watcher, NULL), 0);
    print_grid();
}
