/* SPDX-License-Identifier: MIT */
/*
 * gai.c - questions answered by getaddrinfo(3), on threads of its own.
 *
 * A thread is made when a question finds none idle, up to GAI_THREADS; more
 * questions queue. They are few, since each may be stuck for as long as
 * resolv.conf allows (30 s, say), and not the offload pool's, so that a dead
 * name server leaves that alone. Nothing interrupts a getaddrinfo: who waits
 * leaves (resolve.c), and a question nobody waits for is not begun.
 *
 * Threads live until the runtime stops (or the process ends, if it never ran).
 * A stop treats a lookup as it does an offloaded function: waits for it, and
 * answers -ETIMEDOUT if it takes too long. `nr_asked` counts from the question
 * to after its waiters were woken, so a runtime that has drained is touched no
 * more. Plain threads may ask without a runtime, also while one stops: what
 * they ask when no thread may start any more is queued, and done() begins it
 * after the old threads are gone.
 *
 * Locks: the table's, in resolve.c, then the pool's.
 */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "net/lookup.h"
#include "os/futex.h"
#include "os/thread.h"
#include "sched/deadlock.h"
#include "sched/offload.h"

enum { GAI_THREADS = 16, SERVICE_BUF = 1024 };

static struct {
    struct spin lock; /* all but bell */
    struct list queue;
    int nr_threads;
    int nr_idle;
    int nr_queued;
    int nr_asked;
    bool stopping;
    struct os_thread threads[GAI_THREADS];
    _Atomic uint32_t bell;    /* one up for each question; idle threads watch */
    _Atomic uint32_t drained; /* one up when nr_asked reaches 0 */
} gai = {.queue = {&gai.queue, &gai.queue}};

/* ---- asking the system -------------------------------------------------- */

/* EAI_SYSTEM's error. Ours to pass on if it is of this process's making. */
static int map_errno(int rc)
{
    switch (rc) {
    case -EMFILE:
    case -ENFILE:
        return -EMFILE;
    case -ENOMEM:
        return rc;
    default:
        return -EAGAIN;
    }
}

static int map_error(int gai_rc, int errno_rc, const char **ret_why)
{
    switch (gai_rc) {
    case EAI_NONAME:
        *ret_why = "no such name";
        return -ENOENT;
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
    case EAI_FAMILY:
        *ret_why = "the name has no address of this family";
        return -ENOENT;
    case EAI_AGAIN:
        *ret_why = "name servers failed or did not answer";
        return -EAGAIN;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SYSTEM:
        return map_errno(errno_rc);
    case EAI_FAIL:
        *ret_why = "a name server refused, or its answer makes no sense";
        return -EIO;
    default:
        *ret_why = gai_strerror(gai_rc); /* static */
        return -EIO;
    }
}

static void ask_host(struct lookup *l)
{
    struct addrinfo hints = {.ai_family = l->family,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    struct found f = {.addrs = NULL};
    const char *why = NULL;
    int rc, errno_rc;

    /* tidy: allow resolver, because this is the thread for it */
    rc = getaddrinfo(l->name, NULL, &hints, &list);
    /* tidy: allow errno, because EAI_SYSTEM leaves its error there */
    errno_rc = -errno;
    if (rc != 0) {
        rc = map_error(rc, errno_rc, &why);
    } else {
        for (struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next)
            mfi_found_add(&f, ai->ai_addr);
        freeaddrinfo(list);
        if ((rc = f.n) == 0)
            rc = f.rc < 0 ? f.rc : -ENOENT;
    }
    mfi_lookup_done(l, rc, why, f.addrs);
}

static void ask_service(struct lookup *l)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp", "dccp"};
    struct servent one, *got = NULL;
    char buf[SERVICE_BUF];
    int rc = 0;

    for (size_t i = 0; i < 4 && got == NULL && rc == 0; i++)
        rc =
            getservbyname_r(l->name, protocols[i], &one, buf, sizeof buf, &got);
    if (got != NULL)
        mfi_lookup_done(l, ntohs((uint16_t)got->s_port), NULL, NULL);
    else if (rc == ENOMEM)
        mfi_lookup_done(l, -ENOMEM, NULL, NULL);
    else
        mfi_lookup_done(l, -ENOENT, "no such service", NULL);
}

/* ---- the threads -------------------------------------------------------- */

/* One is answered, or taken back. */
static void count_down_locked(void)
{
    if (--gai.nr_asked == 0) {
        mfi_add_sc(&gai.drained, 1u);
        mfi_futex_wake(&gai.drained, INT32_MAX);
    }
}

static void answer(struct lookup *l)
{
    if (!mfi_lookup_wanted(l))
        mfi_lookup_done(l, -ECANCELED, NULL, NULL);
    else if (l->kind == LOOKUP_SERVICE)
        ask_service(l);
    else
        ask_host(l);
    mfi_spin_lock(&gai.lock);
    count_down_locked();
    mfi_spin_unlock(&gai.lock);
    /* A stop joins this thread before it frees what there is to look at. */
    if (mfi_load_acq(&mfi_sched.up) != 0)
        mfi_deadlock_again();
}

static struct lookup *take_locked(void)
{
    struct lookup *l;

    if (mfi_list_empty(&gai.queue))
        return NULL;
    l = mfi_container_of(gai.queue.next, struct lookup, queued);
    mfi_list_del_init(&l->queued);
    gai.nr_queued--;
    return l;
}

static void thread_main(void *arg)
{
    (void)arg;
    mfi_spin_lock(&gai.lock);
    for (;;) {
        struct lookup *l = take_locked();
        uint32_t bell;

        if (l != NULL) {
            mfi_spin_unlock(&gai.lock);
            answer(l);
            mfi_spin_lock(&gai.lock);
            continue;
        }
        if (gai.stopping)
            break;
        gai.nr_idle++;
        bell = mfi_load_acq(&gai.bell);
        mfi_spin_unlock(&gai.lock);
        mfi_futex_wait(&gai.bell, bell, MFI_FAR);
        mfi_spin_lock(&gai.lock);
        gai.nr_idle--;
    }
    mfi_spin_unlock(&gai.lock);
}

/* 0, or why nobody will ever take what is queued. */
static int more_threads_locked(void)
{
    int rc;

    if (gai.stopping || gai.nr_idle > gai.nr_queued ||
        gai.nr_threads == GAI_THREADS)
        return 0;
    rc = mfi_thread_start(&gai.threads[gai.nr_threads], "mf-resolve",
                          thread_main, NULL, 0);
    if (rc == 0)
        gai.nr_threads++;
    return gai.nr_threads > 0 ? 0 : rc;
}

void mfi_gai_ask(struct lookup *l)
{
    int rc;

    mfi_spin_lock(&gai.lock);
    rc = more_threads_locked();
    if (rc == 0) {
        mfi_list_add_tail(&gai.queue, &l->queued);
        gai.nr_asked++;
        gai.nr_queued++;
        mfi_add_sc(&gai.bell, 1u);
    }
    mfi_spin_unlock(&gai.lock);
    if (rc == 0)
        mfi_futex_wake(&gai.bell, 1);
    else
        mfi_lookup_done(l, rc, "no thread to look it up", NULL);
}

bool mfi_gai_take_back(struct lookup *l)
{
    bool queued;

    mfi_spin_lock(&gai.lock);
    queued = mfi_list_linked(&l->queued);
    if (queued) {
        mfi_list_del_init(&l->queued);
        gai.nr_queued--;
        count_down_locked();
    }
    mfi_spin_unlock(&gai.lock);
    return queued;
}

/* ---- beside the offload pool -------------------------------------------- */

static bool busy(int *ret_threads)
{
    bool is;

    mfi_spin_lock(&gai.lock);
    is = gai.nr_asked != 0;
    *ret_threads = gai.nr_threads;
    mfi_spin_unlock(&gai.lock);
    return is;
}

static int drain(mf_deadline deadline)
{
    for (;;) {
        uint32_t drained = mfi_load_acq(&gai.drained);
        int threads;

        if (!busy(&threads))
            return 0;
        if (mfi_is_try(deadline) ||
            mfi_futex_wait(&gai.drained, drained, mfi_time_of(deadline)) ==
                -ETIMEDOUT)
            return -ETIMEDOUT;
    }
}

static void done(void)
{
    struct lookup *l;
    int threads;

    mfi_spin_lock(&gai.lock);
    gai.stopping = true;
    mfi_add_sc(&gai.bell, 1u);
    mfi_spin_unlock(&gai.lock);
    mfi_futex_wake(&gai.bell, INT32_MAX);
    for (int i = 0; i < gai.nr_threads; i++)
        mfi_thread_join(&gai.threads[i]);
    mfi_spin_lock(&gai.lock);
    gai.nr_threads = 0;
    gai.stopping = false;
    do
        threads = gai.nr_threads;
    while (threads < gai.nr_queued && more_threads_locked() == 0 &&
           gai.nr_threads > threads);
    while (gai.nr_threads == 0 && (l = take_locked()) != NULL) {
        mfi_spin_unlock(&gai.lock);
        mfi_lookup_done(l, -EAGAIN, "no thread to look it up", NULL);
        mfi_spin_lock(&gai.lock);
        count_down_locked();
    }
    mfi_spin_unlock(&gai.lock);
}

__attribute__((__constructor__)) static void register_threads(void)
{
    static const struct beside threads = {busy, drain, done};

    mfi_beside = &threads;
}
