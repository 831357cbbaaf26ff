/* SPDX-License-Identifier: MIT */
/* sendfile_test.c - from each kind of fd to each other, by every way. */
#include "io/files.h"

enum { LEN = 900001 };
static char data[LEN + 1];

struct to {
    int fd;
    size_t len;
    int64_t from; /* the bytes of which file offset */
};

/* Read it all from a stream and compare. */
static int collect(void *arg)
{
    struct to *t = arg;
    char *buf = malloc(t->len + 1);
    size_t got = 0;

    EXPECT(buf != NULL);
    while (got < t->len) {
        int n = mf_read(t->fd, buf + got, t->len + 1 - got, late());

        EXPECT_GT(n, 0);
        got += (size_t)n;
    }
    EXPECT_EQ(got, t->len);
    expect_bytes(buf, got, t->from);
    free(buf);
    return 0;
}

static void file_to_stream(int file, enum pair_kind kind, bool own)
{
    struct pair p = make_pair(kind);
    struct to t = {.fd = p.r, .len = LEN - 100 - 7, .from = 100};
    int64_t at = 100;
    uint64_t sent = 0;
    struct helper h;

    chill(file);
    help(&h, collect, &t);
    EXPECT_EQ(lseek(file, 100, SEEK_SET), 100);
    EXPECT_EQ(
        mf_sendfile(p.w, file, own ? NULL : &at, LEN - 107, &sent, late()), 0);
    EXPECT_EQ(sent, LEN - 107);
    EXPECT_EQ(helped(&h), 0);
    EXPECT_EQ(at, own ? 100 : LEN - 7);
    EXPECT_EQ(lseek(file, 0, SEEK_CUR), own ? LEN - 7 : 100);
    t = (struct to){.fd = p.r, .len = 7, .from = LEN - 7};
    help(&h, collect, &t);
    EXPECT_EQ(
        mf_sendfile(p.w, file, own ? NULL : &at, UINT64_MAX, &sent, late()), 0);
    EXPECT_EQ(sent, 7);
    EXPECT_EQ(mf_sendfile(p.w, file, own ? NULL : &at, 10, NULL, late()), 0);
    EXPECT_EQ(helped(&h), 0);
    close_pair(&p);
}

static int from_a_file(void *arg)
{
    int file = make_file(arg, LEN);

    for (int own = 0; own < 2; own++) {
        file_to_stream(file, PAIR_TCP4, own);
        file_to_stream(file, PAIR_UNIX, own);
        file_to_stream(file, PAIR_PIPE, own);
    }
    EXPECT_EQ(mf_close(file), 0);
    return 0;
}

MFI_TEST(a_file_goes_to_sockets_and_pipes)
{
    char name[128];

    snprintf(name, sizeof name, "%s", tmp_name("from"));
    in_both(from_a_file, name);
}

MFI_TEST(a_file_of_tmpfs_too)
{
    char name[] = "/dev/shm/mayfly-test-XXXXXX";
    int fd = mkstemp(name);

    if (fd < 0)
        MFI_SKIP("no /dev/shm");
    close(fd);
    in_both(from_a_file, name);
    unlink(name);
}

static int files(void *arg)
{
    int in = make_file(tmp_name("one"), LEN), out, fds = steady_fds();
    int64_t at = 5;
    uint64_t sent;

    (void)arg;
    EXPECT_GE(out = mf_open(tmp_name("two"), O_RDWR | O_CREAT | O_TRUNC, 0600,
                            late()),
              0);
    EXPECT_EQ(mf_sendfile(out, in, &at, UINT64_MAX, &sent, late()), 0);
    EXPECT_EQ(sent, LEN - 5);
    EXPECT_EQ(at, LEN);
    EXPECT_EQ(mf_pread(out, data, sizeof data, 0, late()), LEN - 5);
    expect_bytes(data, LEN - 5, 5);
    EXPECT_EQ(lseek(in, LEN - 3, SEEK_SET), LEN - 3);
    EXPECT_EQ(mf_sendfile(out, in, NULL, 2, &sent, late()), 0);
    EXPECT_EQ(sent, 2);
    EXPECT_EQ(lseek(in, 0, SEEK_CUR), LEN - 1);
    EXPECT_EQ(mf_pread(out, data, sizeof data, LEN - 5, late()), 2);
    expect_bytes(data, 2, LEN - 3);
    EXPECT_EQ(mf_close(out), 0);
    /* Appending refuses copy_file_range; /proc lies about its size. */
    EXPECT_GE(out = mf_open(tmp_name("two"), O_WRONLY | O_APPEND, 0, late()),
              0);
    at = 0;
    EXPECT_EQ(mf_sendfile(out, in, &at, 300000, &sent, late()), 0);
    EXPECT_EQ(sent, 300000);
    EXPECT_EQ(mf_close(in), 0);
    EXPECT_GE(in = mf_open("/proc/version", O_RDONLY, 0, late()), 0);
    EXPECT_EQ(mf_sendfile(out, in, NULL, UINT64_MAX, &sent, late()), 0);
    EXPECT_GT(sent, 13);
    EXPECT_EQ(mf_close(out), 0);
    EXPECT_EQ(mf_close(in), 0);
    EXPECT_EQ(count_fds(), fds - 1);
    return 0;
}

MFI_TEST(a_file_goes_to_a_file)
{
    in_both(files, NULL);
}

static int into_a_file(void *arg)
{
    int out = make_file(tmp_name("sink"), 0);
    struct pair p;
    uint64_t sent;

    (void)arg;
    for (int k = 0; k < 3; k++) {
        p = make_pair(k == 0 ? PAIR_TCP4 : k == 1 ? PAIR_UNIX : PAIR_PIPE);
        fill_bytes(data, 50000, k * 50000);
        EXPECT_EQ(mf_write_all(p.w, data, 50000, late()), 0);
        EXPECT_EQ(mf_close(p.w), 0);
        p.w = -1;
        EXPECT_EQ(mf_sendfile(out, p.r, NULL, UINT64_MAX, &sent, late()), 0);
        EXPECT_EQ(sent, 50000);
        close_pair(&p);
    }
    EXPECT_EQ(mf_pread(out, data, sizeof data, 0, late()), 150000);
    expect_bytes(data, 150000, 0);
    EXPECT_EQ(mf_close(out), 0);
    return 0;
}

MFI_TEST(a_stream_goes_into_a_file)
{
    in_both(into_a_file, NULL);
}

/* /proc takes no sendfile; a terminal neither. */
static int odd(void *arg)
{
    int proc = open("/proc/version", O_RDONLY | O_CLOEXEC);
    struct pair p = make_pair(PAIR_UNIX), tty = make_pair(PAIR_PTY);
    uint64_t sent = 0;
    int64_t at = 6;
    char buf[400];

    (void)arg;
    EXPECT_GE(proc, 0);
    EXPECT_EQ(mf_sendfile(p.w, proc, &at, 7, &sent, late()), 0);
    EXPECT_EQ(sent, 7);
    EXPECT_EQ(at, 13);
    EXPECT_EQ(mf_read(p.r, buf, 7, late()), 7);
    EXPECT_EQ(memcmp(buf, "version", 7), 0);
    EXPECT_EQ(mf_sendfile(tty.w, proc, NULL, 5, &sent, late()), 0);
    EXPECT_EQ(sent, 5);
    EXPECT_EQ(mf_read_full(tty.r, buf, 5, late()), 1);
    EXPECT_EQ(memcmp(buf, "Linux", 5), 0);
    EXPECT_EQ(mf_sendfile(p.w, p.r, &at, 7, &sent, late()), -ESPIPE);
    EXPECT_EQ(sent, 0);
    at = -1;
    EXPECT_EQ(mf_sendfile(p.w, proc, &at, 7, NULL, late()), -EINVAL);
    EXPECT_EQ(mf_sendfile(-1, proc, NULL, 7, NULL, late()), -EBADF);
    EXPECT_EQ(mf_sendfile(p.w, -1, NULL, 7, NULL, late()), -EBADF);
    EXPECT_EQ(mf_sendfile(p.w, proc, NULL, 0, &sent, late()), 0);
    EXPECT_EQ(mf_close(proc), 0);
    close_pair(&p);
    close_pair(&tty);
    return 0;
}

MFI_TEST(what_has_no_sendfile_goes_through_a_buffer)
{
    in_both(odd, NULL);
}

/* ---- stopped on the way ------------------------------------------------- */

struct send {
    int out;
    int in;
    int64_t at;
    uint64_t sent;
};

static int send_all(void *arg)
{
    struct send *s = arg;

    return mf_sendfile(s->out, s->in, &s->at, UINT64_MAX, &s->sent, MF_NEVER);
}

static void expect_sent(struct pair *p, uint64_t sent)
{
    struct to t = {.fd = p->r, .len = sent};
    char c;

    EXPECT_EQ(collect(&t), 0);
    EXPECT_EQ(mf_read(p->r, &c, 1, MF_NOW), -ETIMEDOUT);
}

static int stopped(void *arg)
{
    int file = make_file(tmp_name("stopped"), LEN);
    struct pair p = make_pair(PAIR_UNIX);
    struct send s = {.out = p.w, .in = file};

    (void)arg;
    EXPECT_EQ(mf_sendfile(p.w, file, &s.at, UINT64_MAX, &s.sent, soon()),
              -ETIMEDOUT);
    EXPECT_GT(s.sent, 0);
    EXPECT_LT(s.sent, LEN);
    EXPECT_EQ(s.at, s.sent);
    expect_sent(&p, s.sent);
    s.at = 0;
    EXPECT_EQ(cancelled_call(send_all, &s), -ECANCELED);
    EXPECT_EQ(s.at, s.sent);
    expect_sent(&p, s.sent);
    EXPECT_EQ(mf_close(p.r), 0);
    p.r = -1;
    s.at = 0;
    EXPECT_EQ(send_all(&s), -EPIPE); /* and no SIGPIPE */
    EXPECT_EQ(s.sent, 0);
    close_pair(&p);
    EXPECT_EQ(mf_close(file), 0);
    return 0;
}

MFI_TEST(what_went_out_is_known_to_the_byte)
{
    signal(SIGPIPE, SIG_DFL);
    in_both(stopped, NULL);
}

static int plugged(void *arg)
{
    int file = open("/proc/version", O_RDONLY | O_CLOEXEC);
    int in = make_file(tmp_name("in"), 10), out = make_file(tmp_name("out"), 0);
    struct pair pair = make_pair(PAIR_TCP4);
    uint64_t sent = 9;
    struct stat st;
    struct plug p;

    (void)arg;
    plug(&p);
    EXPECT_EQ(mf_sendfile(pair.w, file, NULL, 9, &sent, soon()), -ETIMEDOUT);
    EXPECT_EQ(sent, 0);
    EXPECT_EQ(mf_sendfile(out, in, NULL, 9, &sent, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(sent, 0);
    unplug(&p);
    EXPECT_EQ(lseek(file, 0, SEEK_CUR), 0);
    EXPECT_EQ(fstat(out, &st), 0);
    EXPECT_EQ(st.st_size, 0);
    EXPECT_EQ(mf_close(file), 0);
    EXPECT_EQ(mf_close(in), 0);
    EXPECT_EQ(mf_close(out), 0);
    close_pair(&pair);
    return 0;
}

MFI_TEST(a_cold_file_is_left_in_time)
{
    in_both_one_thread(plugged);
}
