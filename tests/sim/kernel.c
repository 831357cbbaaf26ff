/* SPDX-License-Identifier: MIT */
/*
 * kernel.c - the system calls that wait or tell the time; others are real.
 *
 * A futex is a key that simulated threads wait for. Epoll sets and eventfds are
 * real, and so are sockets: whoever would sleep on them is blocked here, and
 * its set is looked at without a timeout when an eventfd was written, when
 * nobody is ready, and now and then. A timerfd is an eventfd that is written
 * when the simulated clock says so.
 */
#include "sim.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>

#include "os/syscall.h"

enum { FDS = 4096, EVENT_FD = 1, TIMER_FD = 2 };

static struct {
    uint8_t kind[FDS]; /* of our own making */
    mf_ns at[FDS];
    int nr_armed;
    int top; /* one above the highest timerfd */
} fds;

static long raw4(long nr, long a, long b, long c, long d)
{
    return mfi_raw6(nr, a, b, c, d, 0, 8);
}

static mf_ns ns_of(const struct timespec *ts)
{
    return (mf_ns)ts->tv_sec * 1000000000 + ts->tv_nsec;
}

/* ---- futexes ------------------------------------------------------------ */

static long futex(uint32_t *word, long op, long val, const struct timespec *ts)
{
    mf_ns at = ts == NULL ? MFI_FAR : ns_of(ts);

    switch (op & ~(long)FUTEX_PRIVATE_FLAG) {
    case FUTEX_WAIT_BITSET:
        if (*word != (uint32_t)val)
            return -EAGAIN;
        if (at <= sim_now())
            return -ETIMEDOUT;
        if (sim_spurious_due())
            return sim_random(2) == 0 ? 0 : -EINTR;
        return sim_block(SIM_KEY, word, at);
    case FUTEX_WAKE:
        return sim_wake(word, (int)val);
    default:
        return -ENOSYS;
    }
}

/* ---- epoll, ppoll ------------------------------------------------------- */

static long look(const struct sim_thread *t)
{
    struct timespec none = {0, 0};

    if (t->wait == SIM_EPOLL)
        return raw4(SYS_epoll_pwait, t->fd, MFI_L(t->evs), t->n, 0);
    return raw4(SYS_ppoll, MFI_L(t->evs), t->n, MFI_L(&none), 0);
}

void sim_look_at_fds(void)
{
    for (int i = 0; i < sim.nr_threads; i++) {
        struct sim_thread *t = &sim.threads[i];
        long n;

        if (t->state != SIM_BLOCKED ||
            (t->wait != SIM_EPOLL && t->wait != SIM_POLL))
            continue;
        if ((n = look(t)) != 0)
            sim_ready(t, (int)n);
    }
}

static long wait_for_fds(enum sim_wait wait, int fd, long evs, long n, mf_ns at)
{
    struct sim_thread *t = sim.current;
    long got;

    t->fd = fd;
    t->evs = (void *)evs; /* NOLINT(performance-no-int-to-ptr) */
    t->n = (unsigned)n;
    t->wait = wait;
    if ((got = look(t)) != 0 || at <= sim_now())
        return got;
    got = sim_block(wait, NULL, at);
    return got == -ETIMEDOUT ? 0 : got;
}

static long epoll_wait_ms(int epfd, long evs, long n, long ms)
{
    return wait_for_fds(SIM_EPOLL, epfd, evs, n,
                        ms < 0 ? MFI_FAR : sim_now() + MF_MSEC(ms));
}

static long ppoll_span(long evs, long n, const struct timespec *span)
{
    return wait_for_fds(SIM_POLL, -1, evs, n,
                        span == NULL ? MFI_FAR
                                     : mfi_time_add(sim_now(), ns_of(span)));
}

static long epoll_add(long epfd, long op, long fd, long ev)
{
    if (op == EPOLL_CTL_ADD && (fd < 0 || fd >= FDS || fds.kind[fd] == 0))
        sim.real_fds = true;
    return raw4(SYS_epoll_ctl, epfd, op, fd, ev);
}

/* ---- eventfds and timerfds ---------------------------------------------- */

static long new_eventfd(int kind)
{
    long fd = raw4(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0, 0);

    if (fd >= 0 && fd < FDS) {
        fds.kind[fd] = (uint8_t)kind;
        fds.at[fd] = MFI_FAR;
        if (kind == TIMER_FD && fd >= fds.top)
            fds.top = (int)fd + 1;
    }
    return fd;
}

static long timerfd_set(long fd, const struct itimerspec *its)
{
    mf_ns at = ns_of(&its->it_value);

    if (fd < 0 || fd >= FDS || fds.kind[fd] != TIMER_FD)
        return -EINVAL;
    fds.nr_armed += (at != 0) - (fds.at[fd] != MFI_FAR);
    fds.at[fd] = at == 0 ? MFI_FAR : at;
    return 0;
}

mf_ns sim_timers_next(void)
{
    mf_ns at = MFI_FAR;

    for (int fd = 0; fds.nr_armed > 0 && fd < fds.top; fd++)
        if (fds.kind[fd] == TIMER_FD && fds.at[fd] < at)
            at = fds.at[fd];
    return at;
}

void sim_timers_fire(mf_ns now)
{
    uint64_t one = 1;

    for (int fd = 0; fd < fds.top; fd++) {
        if (fds.kind[fd] != TIMER_FD || fds.at[fd] > now)
            continue;
        fds.at[fd] = MFI_FAR;
        fds.nr_armed--;
        raw4(SYS_write, fd, MFI_L(&one), sizeof one, 0);
    }
    sim_look_at_fds();
}

static long close_fd(long fd)
{
    if (fd >= 0 && fd < FDS && fds.kind[fd] != 0) {
        fds.nr_armed -= fds.kind[fd] == TIMER_FD && fds.at[fd] != MFI_FAR;
        fds.kind[fd] = 0;
    }
    return raw4(SYS_close, fd, 0, 0, 0);
}

static long write_fd(long fd, long buf, long len)
{
    long rc = raw4(SYS_write, fd, buf, len, 0);

    if (fd >= 0 && fd < FDS && fds.kind[fd] != 0)
        sim_look_at_fds();
    return rc;
}

/* ---- all of them -------------------------------------------------------- */

/* How many threads there are is how many folders: os/thread.c. */
static long stat_file(long dir, long path, struct stat *st, long flags)
{
    static const char tasks[] = "/proc/self/task";

    if (strcmp((const char *)path, tasks) != 0) /* NOLINT(*-int-to-ptr) */
        return raw4(SYS_newfstatat, dir, path, MFI_L(st), flags);
    *st = (struct stat){.st_nlink = (nlink_t)sim.nr_alive + 2};
    return 0;
}

/* NOLINTBEGIN(performance-no-int-to-ptr) */
long mfi_sim_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    if (!sim.on)
        return mfi_raw6(nr, a, b, c, d, e, f);
    mfi_sim_point(SIM_WRITE);
    switch (nr) {
    case SYS_futex:
        return futex((uint32_t *)a, b, c, (const struct timespec *)d);
    case SYS_epoll_pwait:
        return epoll_wait_ms((int)a, b, c, d);
    case SYS_epoll_ctl:
        return epoll_add(a, b, c, d);
    case SYS_ppoll:
        return ppoll_span(a, b, (const struct timespec *)c);
    case SYS_eventfd2:
        return new_eventfd(EVENT_FD);
    case SYS_timerfd_create:
        return new_eventfd(TIMER_FD);
    case SYS_timerfd_settime:
        return timerfd_set(a, (const struct itimerspec *)c);
    case SYS_write:
        return write_fd(a, b, c);
    case SYS_close:
        return close_fd(a);
    case SYS_sched_yield:
        mfi_sim_relax();
        return 0;
    case SYS_newfstatat:
        return stat_file(a, b, (struct stat *)c, d);
    case SYS_io_uring_setup: /* plain system calls do the same */
    case SYS_timer_create:   /* CPU time is not simulated */
        return -ENOSYS;
    case SYS_sigaltstack:       /* of the one real thread: left alone */
    case SYS_sched_setaffinity: /* likewise */
        return 0;
    default:
        return mfi_raw6(nr, a, b, c, d, e, f);
    }
}
/* NOLINTEND(performance-no-int-to-ptr) */
