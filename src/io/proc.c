/* SPDX-License-Identifier: MIT */
/*
 * proc.c - child processes: waiting for one, ending it, belonging to a scope.
 *
 * A child is its pidfd: readable once the child has ended, and for good. So a
 * wait is an fd operation (op.h) whose system call is waitid(P_PIDFD, WNOHANG):
 * any number may wait, the baton of the fd's record wakes one after the other,
 * and there is no thread, no handler, no table of pids.
 *
 * Reaping is done once, under p->lock, and what it said is kept in p. Until
 * then the child's pid cannot be given to another process; afterwards nobody
 * uses it: signals go through the pidfd, which names the process, not the
 * number. Of a group, too (Linux 6.9); before that kill(2) is asked while the
 * leader is not reaped, which keeps the number of the group.
 *
 * If the process ignores SIGCHLD, or calls waitpid(-1) somewhere, the child is
 * gone when we ask: -ECHILD, and that is kept as well.
 *
 *     RUNS --waitid--> ENDED (status)
 *       |------------> LOST  (-ECHILD)
 *
 * Scopes. A child with a scope is in a table by its scope, which is SCOPE_PART
 * and so tells of its end (scope.h): when its tasks are gone, who closes it
 * takes all of its children out, asks them to end, all at once, and waits for
 * each. Not before the tasks are gone: they use what they have started, and a
 * scope that is to end at once is cancelled, as ever. Handle and scope hold a
 * reference each, so either may go first.
 *
 * Rejected: a task per child that waits and kills. It would have to know of a
 * close without a cancel, and be there for the whole life of the child.
 *
 * Rank: a bucket's lock and p->lock are taken alone. System calls under p->lock
 * do not block.
 */
#include "io/proc.h"

#include <signal.h>
#include <stdlib.h>

#include "io/op.h"
#include "os/child.h"
#include "os/event.h"
#include "sched/options.h"
#include "sync/select.h"

enum { BUCKETS = 64, SIGNAL_MAX = 64 };

struct bucket {
    _Alignas(MFI_CACHE_LINE) struct spin lock;
    struct list procs; /* zeroed: empty */
};

static struct bucket buckets[BUCKETS];

/* ---- the end ------------------------------------------------------------ */

static int reap_locked(mf_proc *p)
{
    struct child_end end;
    int rc;

    if (p->state == PROC_RUNS) {
        if ((rc = mfi_child_reap(p->pidfd, &end)) == -EAGAIN)
            return rc;
        p->state = rc == 0 ? PROC_ENDED : PROC_LOST;
        if (rc == 0)
            p->status = (mf_exit_status){end.code, end.signal, end.dumped};
    }
    return p->state == PROC_ENDED ? 0 : -ECHILD;
}

/* 0, -ECHILD; -EAGAIN: it runs. */
static int reap(mf_proc *p, mf_exit_status *ret_status)
{
    int rc;

    mfi_spin_lock(&p->lock);
    rc = reap_locked(p);
    mfi_spin_unlock(&p->lock);
    if (rc == 0 && ret_status != NULL)
        *ret_status = p->status; /* written once, before */
    return rc;
}

int mf_proc_wait(mf_proc *p, mf_exit_status *ret_status, mf_deadline deadline)
{
    struct op op;
    int rc;

    if (p == NULL)
        return -EINVAL;
    if ((rc = mfi_op_begin(&op, p->pidfd, FD_IN, deadline)) < 0)
        return rc;
    op.what = "a child process";
    do
        rc = mfi_op_due(&op) ? reap(p, ret_status) : -EAGAIN;
    while ((rc = mfi_op_again(&op, rc, false)) == MFI_OP_AGAIN);
    return mfi_op_end(&op, rc);
}

static int case_attempt(mf_case *c)
{
    return reap(c->obj, c->val);
}

mf_case mf_on_proc(mf_proc *p, mf_exit_status *ret_status)
{
    mf_case c = mfi_case_fd(MF_OP_PROC, p != NULL ? p->pidfd : -1, POLLIN,
                            case_attempt);

    c.obj = p;
    c.val = ret_status;
    return c;
}

/* ---- signals ------------------------------------------------------------ */

/* The group outlives its leader: so that may have ended. */
static int signal_group_locked(mf_proc *p, int signo)
{
    int rc = mfi_child_signal(p->pidfd, signo, true);

    if (rc != -EINVAL)
        return rc;
    /* Linux before 6.9. Not reaped by us, and there: its number is its own. */
    if (p->state != PROC_RUNS || mfi_child_signal(p->pidfd, 0, false) < 0)
        return -ESRCH;
    return (int)mfi_sys2(SYS_kill, -p->pid, signo);
}

int mf_proc_kill(mf_proc *p, int signo)
{
    int rc;

    if (p == NULL || signo < 0 || signo > SIGNAL_MAX)
        return -EINVAL;
    mfi_spin_lock(&p->lock);
    if (p->group)
        rc = signal_group_locked(p, signo);
    else if (reap_locked(p) != -EAGAIN)
        rc = -ESRCH;
    else
        rc = mfi_child_signal(p->pidfd, signo, false);
    mfi_spin_unlock(&p->lock);
    return rc;
}

/* In a shield. Until it has ended, or `at`. */
static void await_end(mf_proc *p, mf_ns at)
{
    struct pollfd pfd = {.fd = p->pidfd, .events = POLLIN};

    for (;;) {
        int rc = mf_proc_wait(p, NULL, mf_at(at));

        if (rc == 0 || rc == -ECHILD || rc == -ETIMEDOUT)
            return;
        /* No memory to wait as one should. */
        (void)mfi_ppoll(&pfd, 1, MF_MSEC(1));
        if (mf_now() >= at)
            return;
    }
}

/* Ask it to end, or make it end; and when its grace is over. */
static void begin_end(mf_proc *p)
{
    bool ask = p->grace > 0 && reap(p, NULL) == -EAGAIN;

    p->kill_at = ask ? mfi_time_add(mf_now(), p->grace) : 0;
    (void)mf_proc_kill(p, ask ? p->kill_signal : SIGKILL);
}

/*
 * What is left of a group after its leader is killed as well. No grandchild of
 * a child without a group is ours to end.
 */
static void finish_end(mf_proc *p)
{
    if (p->kill_at != 0) {
        await_end(p, p->kill_at);
        (void)mf_proc_kill(p, SIGKILL);
    }
    await_end(p, MFI_FAR);
}

static void put(mf_proc *p, unsigned refs)
{
    if (mfi_sub_acqrel(&p->refs, refs) != refs)
        return;
    mf_close(p->pidfd);
    /* tidy: allow malloc, because a handle may outlive the runtime */
    free(p);
}

/* ---- scopes ------------------------------------------------------------- */

static struct bucket *bucket_of(const struct scope *s)
{
    uint64_t hash = (uint64_t)(uintptr_t)s * UINT64_C(0x9e3779b97f4a7c15);

    return &buckets[hash >> 58];
}
_Static_assert(BUCKETS == 1 << (64 - 58), "the hash's highest bits");

static void attach(mf_proc *p, struct scope *s)
{
    struct bucket *b = p->bucket = bucket_of(s);

    mfi_add_acqrel(&p->refs, 1u);
    mfi_spin_lock(&b->lock);
    if (b->procs.next == NULL)
        mfi_list_init(&b->procs);
    p->scope = s;
    mfi_list_add_tail(&b->procs, &p->link);
    mfi_spin_unlock(&b->lock);
}

/* True: the scope's reference is the caller's now. */
static bool detach(mf_proc *p)
{
    bool mine;

    if (p->bucket == NULL)
        return false;
    mfi_spin_lock(&p->bucket->lock);
    mine = p->scope != NULL;
    if (mine)
        mfi_list_del_init(&p->link);
    p->scope = NULL;
    mfi_spin_unlock(&p->bucket->lock);
    return mine;
}

/* All of s, to a list of the caller's. */
static void take_all(struct scope *s, struct list *taken)
{
    struct bucket *b = bucket_of(s);
    struct list *link, *next;

    mfi_list_init(taken);
    mfi_spin_lock(&b->lock);
    link = b->procs.next != NULL ? b->procs.next : &b->procs;
    for (; link != &b->procs; link = next) {
        mf_proc *p = mfi_container_of(link, mf_proc, link);

        next = link->next;
        if (p->scope != s)
            continue;
        mfi_list_del_init(link);
        p->scope = NULL;
        mfi_list_add_tail(taken, link);
    }
    mfi_spin_unlock(&b->lock);
}

static void scope_ends(struct scope *s, bool over)
{
    struct list taken;

    if (!over)
        return;
    take_all(s, &taken);
    mfi_list_for_each (link, &taken)
        begin_end(mfi_container_of(link, mf_proc, link));
    MF_SHIELD(MF_NEVER)
    while (!mfi_list_empty(&taken)) {
        mf_proc *p = mfi_container_of(taken.next, mf_proc, link);

        mfi_list_del_init(&p->link);
        finish_end(p);
        put(p, 1);
    }
}

__attribute__((__constructor__)) static void hook(void)
{
    mfi_scope_ending[SCOPE_OF_PROCS] = scope_ends;
}

/* ---- start and close ---------------------------------------------------- */

static bool valid(const mf_proc_options *o)
{
    return o->kill_signal >= 0 && o->kill_signal <= SIGNAL_MAX &&
           o->grace >= 0 && (o->group == 0 || o->group == 1) &&
           (o->scope == NULL || mfi_scope_is_open(mfi_scope(o->scope)));
}

int mf_proc_start(const char *const *argv, const mf_proc_options *opts,
                  mf_proc **ret_proc)
{
    mf_proc_options o = {.size = sizeof o};
    struct agent *a;
    mf_proc *p;
    int rc;

    if (argv == NULL || argv[0] == NULL || ret_proc == NULL ||
        mfi_options_copy(&o, sizeof o, opts) < 0 || !valid(&o))
        return -EINVAL;
    if ((a = mfi_agent()) == NULL)
        return -ENOMEM;
    if ((rc = mfi_cancel_point(a)) < 0 ||
        (o.scope != NULL && (rc = mfi_scope_join(mfi_scope(o.scope))) < 0))
        return rc;
    /* tidy: allow malloc, because a handle may outlive the runtime */
    p = malloc(sizeof *p);
    if (p == NULL)
        return -ENOMEM;
    *p = (mf_proc){.kill_signal = o.kill_signal != 0 ? o.kill_signal : SIGTERM,
                   .grace = o.grace,
                   .group = o.group != 0};
    mfi_store_rlx(&p->refs, 1u);
    if ((rc = mfi_proc_launch(p, argv, &o)) < 0) {
        free(p); /* tidy: allow malloc, because it was made above */
        return rc;
    }
    if (o.scope != NULL)
        attach(p, mfi_scope(o.scope));
    *ret_proc = p;
    return 0;
}

pid_t mf_proc_pid(mf_proc *p)
{
    return p != NULL ? p->pid : -EINVAL;
}

int mf_proc_fd(mf_proc *p, int which)
{
    int fd = p != NULL && which >= 0 && which <= 2
                 ? mfi_load_acq(&p->ends[which])
                 : -1;

    return fd >= 0 ? fd : -EBADF;
}

int mf_proc_hang_up(mf_proc *p, int which)
{
    int fd = mf_proc_fd(p, which);

    /* Of several at once, one closes it. */
    if (fd < 0 || !mfi_cas_acqrel(&p->ends[which], &fd, -1))
        return -EBADF;
    return mf_close(fd);
}

int mf_proc_close(mf_proc *p)
{
    unsigned refs; /* the handle's, and the scope's if that is ours */

    if (p == NULL)
        return 0;
    refs = detach(p) ? 2 : 1;
    MF_SHIELD(MF_NEVER)
    {
        if (mfi_load_acq(&p->refs) == refs) {
            begin_end(p);
            finish_end(p);
        } else { /* its scope's closer is at it */
            await_end(p, MFI_FAR);
        }
    }
    for (int i = 0; i < 3; i++)
        (void)mf_proc_hang_up(p, i);
    put(p, refs);
    return 0;
}
