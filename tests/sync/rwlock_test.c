/* SPDX-License-Identifier: MIT */
/*
 * rwlock_test.c - many readers or one writer, and everybody in the end. Who is
 * let in when is in rwlock_order_test.c.
 */
#include "sync/member.h"

enum {
    FROBS = 4000 / KIT_SLOW,
    FROBBERS = 6,
    TURNS = 300 / KIT_SLOW,
    ROUNDS = 2000 / KIT_SLOW,
};

/* ---- alone --------------------------------------------------------------- */

static int misuse_and_tries(void *arg)
{
    mf_rwlock l = {{0}};

    (void)arg;
    EXPECT_EQ(mf_rwlock_read(NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_rwlock_write(NULL, MF_NEVER), -EINVAL);
    EXPECT_EQ(mf_rwlock_unlock(NULL), -EINVAL);
    EXPECT_EQ(mf_rwlock_unlock(&l), -EPERM);
    EXPECT_EQ(mf_rwlock_read(&l, MF_NEVER), 0);
    EXPECT_EQ(mf_rwlock_read(&l, MF_NOW), 0); /* nobody waits: fine */
    EXPECT_EQ(mf_rwlock_write(&l, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_rwlock_write(&l, soon()), -ETIMEDOUT);
    EXPECT_EQ(mf_rwlock_unlock(&l), 0);
    EXPECT_EQ(mf_rwlock_write(&l, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_rwlock_unlock(&l), 0);
    EXPECT_EQ(mf_rwlock_unlock(&l), -EPERM);
    EXPECT_EQ(mf_rwlock_write(&l, MF_NOW), 0);
    EXPECT_EQ(mf_rwlock_write(&l, MF_NEVER), -EDEADLK);
    EXPECT_EQ(mf_rwlock_write(&l, MF_NOW), -EDEADLK);
    EXPECT_EQ(mf_rwlock_read(&l, MF_NEVER), -EDEADLK);
    EXPECT_EQ(mf_rwlock_unlock(&l), 0);
    EXPECT_EQ(mf_rwlock_unlock(&l), -EPERM);
    EXPECT_EQ(mf_rwlock_write(&l, MF_NEVER), 0);
    EXPECT_EQ(mf_rwlock_unlock(&l), 0);
    EXPECT_EQ(l.mfi_[0], 0);
    return 0;
}

MFI_TEST(alone_it_locks_and_unlocks_and_knows_its_writer)
{
    in_both(misuse_and_tries, NULL);
}

static int is_kept_out(void *arg)
{
    EXPECT_EQ(mf_rwlock_unlock(arg), -EPERM);
    EXPECT_EQ(mf_rwlock_read(arg, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_rwlock_write(arg, MF_NOW), -ETIMEDOUT);
    EXPECT_EQ(mf_rwlock_read(arg, mf_after(MF_MSEC(2))), -ETIMEDOUT);
    EXPECT_EQ(mf_rwlock_write(arg, mf_after(MF_MSEC(2))), -ETIMEDOUT);
    return 0;
}

static int reads_too(void *arg)
{
    EXPECT_EQ(mf_rwlock_read(arg, MF_NOW), 0);
    EXPECT_EQ(mf_rwlock_write(arg, MF_NOW), -ETIMEDOUT);
    return mf_rwlock_unlock(arg);
}

static int others(void *arg)
{
    mf_rwlock l = {{0}};

    (void)arg;
    EXPECT_EQ(mf_rwlock_write(&l, MF_NOW), 0);
    crew_run(2, 2, is_kept_out, &l);
    EXPECT_EQ(mf_rwlock_unlock(&l), 0);
    EXPECT_EQ(mf_rwlock_read(&l, MF_NOW), 0);
    crew_run(2, 2, reads_too, &l);
    EXPECT_EQ(mf_rwlock_unlock(&l), 0);
    EXPECT_EQ(l.mfi_[0], 0);
    return 0;
}

MFI_TEST(a_writer_keeps_all_out_a_reader_only_writers)
{
    everywhere(others, NULL);
}

/* ---- frobbing ------------------------------------------------------------ */

struct frobbed {
    mf_rwlock l;
    _Atomic uint32_t seeds;
    _Atomic int readers, writers; /* inside */
    int a, b;                     /* equal, but for a writer */
};

static void frob(struct frobbed *f, bool writes, bool slowly)
{
    if (writes) {
        EXPECT_EQ(mfi_add_rlx(&f->writers, 1), 0);
        EXPECT_EQ(mfi_load_rlx(&f->readers), 0);
        f->a++;
        if (slowly)
            breathe();
        f->b++;
        mfi_add_rlx(&f->writers, -1);
    } else {
        mfi_add_rlx(&f->readers, 1);
        EXPECT_EQ(mfi_load_rlx(&f->writers), 0);
        if (slowly)
            breathe();
        EXPECT_EQ(f->a, f->b);
        mfi_add_rlx(&f->readers, -1);
    }
    EXPECT_EQ(mf_rwlock_unlock(&f->l), 0);
}

static int frobs(void *arg)
{
    struct frobbed *f = arg;
    uint32_t seed = 2463534242u + mfi_add_rlx(&f->seeds, 77777u);
    int wrote = 0;

    for (int i = 0; i < FROBS; i++) {
        bool writes = chance(&seed, 8) == 0;
        uint32_t how = chance(&seed, 16);
        mf_deadline at = how == 0  ? MF_NOW
                         : how < 4 ? mf_after((mf_ns)chance(&seed, 20000))
                                   : late();
        int rc =
            writes ? mf_rwlock_write(&f->l, at) : mf_rwlock_read(&f->l, at);

        EXPECT(rc == 0 || (how < 4 && rc == -ETIMEDOUT));
        if (rc < 0)
            continue;
        wrote += writes;
        frob(f, writes, chance(&seed, 16) == 0);
    }
    EXPECT_BY_CHANCE(wrote > 0);
    return 0;
}

static int frob_all(void *arg)
{
    int threads = *(int *)arg;
    struct frobbed f = {.seeds = 0};

    crew_run(FROBBERS - threads, threads, frobs, &f);
    EXPECT_EQ(f.l.mfi_[0], 0); /* nothing is left in its state */
    EXPECT_EQ(f.a, f.b);
    return 0;
}

MFI_TEST(no_reader_sees_a_writer_at_work)
{
    everywhere(frob_all, &(int){0});
    everywhere(frob_all, &(int){2});
    in_thread(frob_all, &(int){FROBBERS});
}

/* ---- nobody starves ------------------------------------------------------ */

struct crowd {
    mf_rwlock l;
    _Atomic int stop;
    _Atomic int inside; /* readers that overlap keep it taken */
};

static int reads_on_and_on(void *arg)
{
    struct crowd *c = arg;

    while (mfi_load_rlx(&c->stop) == 0) {
        EXPECT_EQ(mf_rwlock_read(&c->l, late()), 0);
        mfi_add_rlx(&c->inside, 1);
        breathe();
        mfi_add_rlx(&c->inside, -1);
        EXPECT_EQ(mf_rwlock_unlock(&c->l), 0);
    }
    return 0;
}

static int writes_on_and_on(void *arg)
{
    struct crowd *c = arg;

    while (mfi_load_rlx(&c->stop) == 0) {
        EXPECT_EQ(mf_rwlock_write(&c->l, late()), 0);
        breathe();
        EXPECT_EQ(mf_rwlock_unlock(&c->l), 0);
    }
    return 0;
}

static int wants_in(void *arg)
{
    bool write = *(bool *)arg;
    struct crowd l = {.stop = 0};
    struct crew c;

    crew_open(&c);
    for (int i = 0; i < 4; i++)
        crew_add(&c, i % 2, write ? reads_on_and_on : writes_on_and_on, &l);
    for (int i = 0; i < TURNS; i++) {
        while (mf_rwlock_write(&l.l, MF_NOW) == 0) { /* until they are at it */
            EXPECT_EQ(mf_rwlock_unlock(&l.l), 0);
            breathe();
        }
        EXPECT_EQ(write ? mf_rwlock_write(&l.l, late())
                        : mf_rwlock_read(&l.l, late()),
                  0);
        if (write)
            EXPECT_EQ(mfi_load_rlx(&l.inside), 0);
        EXPECT_EQ(mf_rwlock_unlock(&l.l), 0);
    }
    mfi_store_rlx(&l.stop, 1);
    crew_close(&c);
    EXPECT_EQ(l.l.mfi_[0], 0);
    return 0;
}

MFI_TEST(readers_that_come_without_end_do_not_starve_a_writer)
{
    everywhere(wants_in, &(bool){true});
}

MFI_TEST(writers_that_come_without_end_do_not_starve_a_reader)
{
    everywhere(wants_in, &(bool){false});
}

/* ---- who gives up -------------------------------------------------------- */

static int hopeless(void *arg)
{
    mf_rwlock mine = {{0}};

    EXPECT_EQ(mf_rwlock_read(arg, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_rwlock_write(arg, MF_NEVER), -ECANCELED);
    EXPECT_EQ(mf_rwlock_write(&mine, MF_NOW), -ECANCELED); /* free or not */
    EXPECT_EQ(mf_rwlock_unlock(&mine), -EPERM);
    MF_SHIELD(MF_NEVER)
    EXPECT_EQ(mf_rwlock_read(&mine, MF_NOW), 0);
    return mf_rwlock_unlock(&mine);
}

static int cancelled(void *arg)
{
    mf_rwlock l = {{0}};
    struct member m;
    struct crew c;

    (void)arg;
    EXPECT_EQ(mf_rwlock_write(&l, MF_NEVER), 0);
    crew_open(&c);
    start_asleep(&c, &m, false, hopeless, &l);
    mf_task_cancel(m.task);
    crew_close(&c);
    EXPECT_EQ(mf_rwlock_unlock(&l), 0);
    EXPECT_EQ(l.mfi_[0], 0);
    return 0;
}

MFI_TEST(a_cancel_ends_the_wait)
{
    everywhere(cancelled, NULL);
}

/* ---- races --------------------------------------------------------------- */

struct race {
    mf_rwlock l;
    _Atomic uint32_t seeds;
    bool cancel;
    _Atomic int inside; /* 1 a reader, 100 a writer */
};

static int in_a_hurry(void *arg)
{
    struct race *r = arg;
    uint32_t seed = mfi_add_rlx(&r->seeds, 77777u);
    mf_deadline at =
        r->cancel ? MF_NEVER : mf_after(1 + (mf_ns)chance(&seed, 16384));
    bool write = chance(&seed, 2) == 0;
    int rc = write ? mf_rwlock_write(&r->l, at) : mf_rwlock_read(&r->l, at);
    int was;

    if (rc < 0)
        return rc;
    was = mfi_add_rlx(&r->inside, write ? 100 : 1);
    EXPECT(write ? was == 0 : was < 100);
    mfi_add_rlx(&r->inside, write ? -100 : -1);
    return mf_rwlock_unlock(&r->l);
}

/* The unlock meets deadlines or cancels: nothing of them is left behind. */
static int race(void *arg)
{
    struct race r = {.seeds = 2463534242u, .cancel = *(bool *)arg};
    int got = 0;

    for (int i = 0; i < ROUNDS; i++) {
        struct member m[4];
        struct crew c;

        EXPECT_EQ(i % 2 ? mf_rwlock_read(&r.l, MF_NOW)
                        : mf_rwlock_write(&r.l, MF_NOW),
                  0);
        crew_open(&c);
        for (int k = 0; k < 4; k++)
            start(&c, &m[k], !r.cancel && k == 3 && i % 8 == 0, in_a_hurry, &r);
        for (int k = i % 4; k > 0; k--)
            breathe();
        if (r.cancel)
            mf_task_cancel(m[i % 3].task);
        EXPECT_EQ(mf_rwlock_unlock(&r.l), 0);
        if (r.cancel)
            mf_task_cancel(m[3].task);
        crew_close(&c);
        EXPECT_EQ(r.l.mfi_[0], 0);
        for (int k = 0; k < 4; k++) {
            EXPECT(m[k].rc == 0 ||
                   m[k].rc == (r.cancel ? -ECANCELED : -ETIMEDOUT));
            got += m[k].rc == 0;
        }
    }
    EXPECT_BY_CHANCE(got > 0);
    return 0;
}

MFI_TEST(an_unlock_that_meets_a_deadline_leaves_nobody_behind)
{
    everywhere(race, &(bool){false});
}

MFI_TEST(an_unlock_that_meets_a_cancel_leaves_nobody_behind)
{
    everywhere(race, &(bool){true});
}

/* Whoever has it last, and knows that nobody else waits, frees it. */
struct owned {
    mf_rwlock l;
    _Atomic int left; /* who will still come */
};

static int uses_and_may_free(void *arg)
{
    struct owned *o = arg;
    int left;

    EXPECT_EQ(mf_rwlock_write(&o->l, late()), 0);
    left = mfi_sub_acqrel(&o->left, 1) - 1;
    EXPECT_EQ(mf_rwlock_unlock(&o->l), 0);
    if (left == 0) {
        memset(o, 0xff, sizeof *o);
        free(o);
    }
    return 0;
}

static int freed_at_once(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS / 2; i++) {
        struct owned *o = calloc(1, sizeof *o);
        struct crew c;

        EXPECT(o != NULL);
        mfi_store_rlx(&o->left, 4);
        crew_open(&c);
        EXPECT_EQ(mf_rwlock_read(&o->l, MF_NOW), 0);
        for (int k = 0; k < 4; k++)
            crew_add(&c, k == 0 && i % 8 == 0, uses_and_may_free, o);
        if (i % 2)
            breathe();
        EXPECT_EQ(mf_rwlock_unlock(&o->l), 0);
        crew_close(&c);
    }
    return 0;
}

struct lent {
    mf_rwlock l;
    _Atomic uint32_t held;
    bool writes;
};

static int has_it_first(void *arg)
{
    struct lent *o = arg;

    EXPECT_EQ(o->writes ? mf_rwlock_write(&o->l, MF_NOW)
                        : mf_rwlock_read(&o->l, MF_NOW),
              0);
    mfi_store_rel(&o->held, 1u);
    spin(500);
    return mf_rwlock_unlock(&o->l);
}

static int freed_by_second(void *arg)
{
    uint32_t seed = 2463534242u;
    struct partner p;

    (void)arg;
    partner_open(&p, has_it_first);
    for (int i = 0; i < ROUNDS; i++) {
        struct lent *o = calloc(1, sizeof *o);

        EXPECT(o != NULL);
        o->writes = i % 2;
        partner_go(&p, o, &seed);
        spin_until(&o->held, 1);
        spin(chance(&seed, 1024));
        if (i % 8 < 4)
            EXPECT_EQ(mf_rwlock_write(&o->l, late()), 0);
        else
            while (mf_rwlock_write(&o->l, mf_after(MF_USEC(i % 50))) < 0)
                ;
        EXPECT_EQ(mf_rwlock_unlock(&o->l), 0);
        memset(o, 0xff, sizeof *o);
        free(o);
        partner_done(&p);
    }
    partner_close(&p);
    return 0;
}

MFI_TEST(who_has_it_last_may_free_it)
{
    everywhere(freed_at_once, NULL);
    everywhere(freed_by_second, NULL);
}

/* ---- the writer ends ----------------------------------------------------- */

static int dies_writing(void *arg)
{
    EXPECT_GE(mf_rwlock_write(arg, late()), 0);
    return 0;
}

static int dies_panicking(void *arg)
{
    EXPECT_GE(mf_rwlock_write(arg, late()), 0);
    mf_panic("with a rwlock");
}

static void kill_writer(mf_rwlock *l, int how)
{
    struct crew c;
    mf_scope s;

    if (how == 2) {
        EXPECT_EQ(mf_scope_open(&s, MF_SCOPE_OPTIONS(.mode = MF_WAIT_ALL)), 0);
        EXPECT_EQ(mf_go(&s, dies_panicking, l), 0);
        EXPECT_EQ(mf_scope_close(&s), -ENOTRECOVERABLE);
        return;
    }
    crew_open(&c);
    crew_add(&c, how == 1, dies_writing, l);
    crew_close(&c);
}

static int told(void *arg)
{
    mf_rwlock l = {{0}};

    (void)arg;
    for (int how = 0; how < 3; how++) {
        kill_writer(&l, how);
        for (int i = 0; i < 3; i++) { /* every reader */
            EXPECT_EQ(mf_rwlock_read(&l, MF_NOW), MF_OWNER_DIED);
            EXPECT_EQ(mf_rwlock_read(&l, MF_NEVER), MF_OWNER_DIED);
            EXPECT_EQ(mf_rwlock_write(&l, MF_NOW), -ETIMEDOUT);
            EXPECT_EQ(mf_rwlock_unlock(&l), 0);
            EXPECT_EQ(mf_rwlock_unlock(&l), 0);
        }
        EXPECT_EQ(mf_rwlock_unlock(&l), -EPERM);
        EXPECT_EQ(mf_rwlock_write(&l, MF_NOW), MF_OWNER_DIED);
        EXPECT_EQ(mf_rwlock_write(&l, MF_NOW), -EDEADLK);
        EXPECT_EQ(mf_rwlock_unlock(&l), 0);
        EXPECT_EQ(mf_rwlock_read(&l, MF_NOW), 0); /* it has been seen to */
        EXPECT_EQ(mf_rwlock_unlock(&l), 0);
        EXPECT_EQ(mf_rwlock_write(&l, MF_NOW), 0);
        EXPECT_EQ(mf_rwlock_unlock(&l), 0);
    }
    kill_writer(&l, 0);
    kill_writer(&l, 1); /* was told, and left it like that */
    EXPECT_EQ(mf_rwlock_write(&l, MF_NOW), MF_OWNER_DIED);
    EXPECT_EQ(mf_rwlock_unlock(&l), 0);
    EXPECT_EQ(l.mfi_[0], 0);
    return 0;
}

/* Given back, it is not in the way of what else its writer held. */
struct both {
    mf_mutex m;
    mf_rwlock l;
};

static int dies_with_one(void *arg)
{
    struct both *b = arg;

    mf_mutex_hold(&b->m);
    EXPECT_EQ(mf_rwlock_write(&b->l, late()), 0);
    return mf_rwlock_unlock(&b->l);
}

static int told_of_the_other(void *arg)
{
    struct both b = {.m = {{0, 0}}};

    (void)arg;
    for (int i = 0; i < 2; i++) {
        struct crew c;

        crew_open(&c);
        crew_add(&c, i, dies_with_one, &b);
        crew_close(&c);
        EXPECT_EQ(mf_rwlock_write(&b.l, MF_NOW), 0);
        EXPECT_EQ(mf_mutex_lock(&b.m, MF_NOW), MF_OWNER_DIED);
        EXPECT_EQ(mf_rwlock_unlock(&b.l), 0); /* not the latest first */
        EXPECT_EQ(mf_mutex_unlock(&b.m), 0);
    }
    return 0;
}

MFI_TEST(a_writer_that_gave_it_back_may_end_with_others)
{
    in_both(told_of_the_other, NULL);
}

MFI_TEST(a_writer_that_ends_with_it_is_told_of_until_the_next_writer)
{
    in_both(told, NULL);
}
