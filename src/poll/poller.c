/* SPDX-License-Identifier: MIT */
/* poller.c - the epoll half of waiting: the design is in poller.h. */
#include "poll/poller.h"

#include "os/io.h"
#include "os/map.h"
#include "poll/cold.h"

/* data of the fds that are no user's; no fd number is that large. */
#define DATA_BELL  (UINT64_MAX)
#define DATA_ALARM (UINT64_MAX - 1)
#define DATA_RING  (UINT64_MAX - 2)

enum { EVENTS_LEN = POLL_BATCH * sizeof(struct epoll_event) };

static const uint32_t ALL_EDGES =
    EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;

/* By home - 1: whose set a registration is in. Written while none is used. */
static struct poller *pollers[POLLERS_MAX];

int mfi_poller_init(struct poller *p, int index)
{
    void *events;
    int rc;

    *p = (struct poller){.epfd = -1,
                         .bell = -1,
                         .alarm = -1,
                         .home = (uint16_t)(index + 1),
                         .alarm_at = MFI_FAR};
    if ((rc = mfi_map_pages(EVENTS_LEN, &events)) < 0)
        return rc;
    p->events = events;
    if ((rc = p->epfd = mfi_epoll_create()) >= 0 &&
        (rc = p->bell = mfi_eventfd()) >= 0 &&
        (rc = p->alarm = mfi_timerfd()) >= 0 &&
        (rc = mfi_epoll_ctl(p->epfd, EPOLL_CTL_ADD, p->bell, EPOLLIN | EPOLLET,
                            DATA_BELL)) >= 0)
        rc = mfi_epoll_ctl(p->epfd, EPOLL_CTL_ADD, p->alarm, EPOLLIN | EPOLLET,
                           DATA_ALARM);
    if (rc < 0) {
        mfi_poller_done(p);
        return rc;
    }
    mfi_assert(index >= 0 && index < POLLERS_MAX);
    pollers[index] = p;
    return 0;
}

void mfi_poller_done(struct poller *p)
{
    if (p->alarm >= 0)
        mfi_os_close(p->alarm);
    if (p->bell >= 0)
        mfi_os_close(p->bell);
    if (p->epfd >= 0)
        mfi_os_close(p->epfd);
    if (p->events != NULL)
        mfi_unmap(p->events, EVENTS_LEN);
    *p = (struct poller){.epfd = -1, .bell = -1, .alarm = -1};
}

/*
 * An adopted fd may have been closed and reused where we could not see it.
 * Others do the same at this moment, and who took `home` may not have come to
 * its own ADD yet: between our MOD and our ADD the registration can appear.
 */
static int rearm(struct poller *p, int fd, struct fdrec *rec)
{
    uint64_t data = mfi_fd_data(fd, rec);
    int rc;

    while ((rc = mfi_epoll_ctl(p->epfd, EPOLL_CTL_MOD, fd, ALL_EDGES, data)) ==
               -ENOENT &&
           (rc = mfi_epoll_ctl(p->epfd, EPOLL_CTL_ADD, fd, ALL_EDGES, data)) ==
               -EEXIST)
        ;
    return rc;
}

int mfi_poller_watch(struct poller *p, int fd, struct fdrec *rec)
{
    uint16_t none = 0;
    int rc;

    if (rec->kind == FD_FILE)
        return -EPERM;
    if (mfi_load_acq(&rec->home) == 0 &&
        mfi_cas_acqrel(&rec->home, &none, p->home)) {
        mfi_add_acqrel(&p->nfds, 1u);
        rc = mfi_epoll_ctl(p->epfd, EPOLL_CTL_ADD, fd, ALL_EDGES,
                           mfi_fd_data(fd, rec));
        if (rc == -EEXIST) /* left behind by a file closed elsewhere */
            rc = rearm(p, fd, rec);
        if (rc < 0)
            mfi_store_rel(&rec->home, (uint16_t)0);
        return rc;
    }
    if (mfi_unlikely((mfi_load_rlx(&rec->bits) & FD_ADOPTED) != 0)) {
        uint16_t home = mfi_load_acq(&rec->home);

        return home == 0 ? 0 : rearm(pollers[home - 1], fd, rec);
    }
    return 0;
}

/*
 * Whoever took `home` has been out of its calls since the last reference was
 * dropped, so the registration is there, unless the file was closed elsewhere:
 * then the kernel has dropped it, or says ENOENT for another file's number.
 */
void mfi_poller_forget(struct fdrec *rec, int fd)
{
    uint16_t home = mfi_load_acq(&rec->home);

    if (home != 0)
        (void)mfi_epoll_ctl(pollers[home - 1]->epfd, EPOLL_CTL_DEL, fd, 0, 0);
}

int mfi_poller_poll(struct poller *p, struct epoll_event *buf, int n,
                    int timeout_ms, struct wake_list *woken,
                    struct batch *batch)
{
    int got = mfi_epoll_wait(p->epfd, buf, n, timeout_ms);
    bool owners = false;

    for (int i = 0; i < got; i++) {
        if (buf[i].data.u64 < DATA_RING) {
            mfi_fd_edge(buf[i].data.u64, buf[i].events, woken, batch);
            continue;
        }
        if (buf[i].data.u64 == DATA_RING) {
            mfi_cold_reap(woken);
            continue;
        }
        owners = true;
        if (buf[i].data.u64 == DATA_ALARM)
            mfi_store_rel(&p->alarm_at, MFI_FAR);
    }
    if (owners && buf != p->events)
        mfi_poller_ring(p); /* a helper took an edge that was for the owner */
    return got < 0 ? 0 : got;
}

int mfi_poller_add_ring(struct poller *p, int fd)
{
    int rc =
        mfi_epoll_ctl(p->epfd, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, DATA_RING);

    if (rc == 0)
        mfi_add_acqrel(&p->nfds, 1u);
    return rc;
}

void mfi_poller_ring(struct poller *p)
{
    uint64_t one = 1;

    mfi_os_write(p->bell, &one, sizeof one);
}

void mfi_poller_alarm(struct poller *p, mf_ns at)
{
    if (at != mfi_load_acq(&p->alarm_at)) {
        mfi_store_rel(&p->alarm_at, at);
        mfi_timerfd_set(p->alarm, at);
    }
}
