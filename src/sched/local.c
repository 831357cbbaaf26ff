/* SPDX-License-Identifier: MIT */
/*
 * local.c - coroutine-local values.
 *
 * A key gets its place, 0 to 1023, the first time a value is set; an agent's
 * values stand in a table of its own, by place. So a get is a load of the key,
 * one of the agent and one of the table, and nothing here is shared but the
 * list of keys, which only grows (`keys`, under keys_lock; a place is published
 * with release after its entry).
 *
 *   struct locals   next, cap, ...                a slab record has room for 8,
 *   value[cap]      by place; NULL: none          more is malloc's, doubled
 *   link[cap + 2]   LIVE, DUE, place 0, place 1 ...
 *
 * The links put the values in order of their setting, for they are dropped
 * latest first: a ring through LIVE. A round of drops moves that ring to DUE
 * and works it off; what a drop sets goes to LIVE, for the next round. Links
 * are indices, so a table may grow in between. A value is out of the table
 * before its drop is called, and the rounds are counted in the table, so a
 * drop that panics or sets itself again ends the task all the same: the
 * unwinding comes back to mfi_locals_end, which goes on with the rest.
 *
 * Inheritance. The copies are made at the spawn, in the parent, and wait in the
 * task's record (TASK_HEIR), in the last bytes of what is else for arguments:
 * a spawn without heirs costs a look at the parent's table, and one with them
 * no stack. From then on somebody owes each copy a drop:
 *   - the spawn fails: the parent, at once
 *   - the task runs: the task, at its end
 *   - it is to be skipped: the same, as it runs an empty function (entry.c);
 *     nobody else has a stack on which a drop could wait
 *   - no stack can be had for it: who closes its scope (`orphans`)
 * mf_go_when inherits at the call, like any other spawn. Functions given to
 * mf_block run on a thread of the pool, inherit nothing, and what they set is
 * dropped before their result is seen: the next job is somebody else's.
 *
 * Rejected: taking the stack at the spawn already and keeping the copies on it.
 * Then the spawn could fail for want of one, which is simpler, but a thousand
 * pending children would touch a thousand stacks instead of one. A hash of the
 * keys a task uses: smaller tables for programs with hundreds of keys, and a
 * slower get for all.
 */
#include "sched/local.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sched/entry.h"

enum { KEYS = 1024, FEW = 8, ROUNDS = 4 };
enum { LIVE, DUE, FIRST }; /* links: two heads, then place 0 */

struct key { /* mf_local, seen from inside */
    void *(*make)(void);
    void (*drop)(void *value);
    void *(*copy)(void *parents);
    _Atomic uint64_t place; /* 1 + its place; 0: none yet */
    uint64_t unused;
};
_Static_assert(sizeof(struct key) == sizeof(mf_local) &&
                   offsetof(struct key, place) == offsetof(mf_local, mfi_),
               "the same layout");

struct link {
    uint16_t newer, older; /* of a head: the oldest, the newest */
};
_Static_assert(sizeof(struct locals) + FEW * sizeof(void *) +
                       (FEW + FIRST) * sizeof(struct link) <=
                   MFI_SLAB_RECORD,
               "a slab record");

static struct spin keys_lock;
static struct key *keys[KEYS];
static uint32_t nr_keys; /* under keys_lock */

/* ---- keys --------------------------------------------------------------- */

/* k's place, from now on. -EAGAIN: there are too many. */
static int place_of(struct key *k)
{
    uint64_t place = mfi_load_acq(&k->place);

    if (mfi_likely(place != 0))
        return (int)place - 1;
    mfi_spin_lock(&keys_lock);
    place = mfi_load_rlx(&k->place);
    if (place == 0 && nr_keys < KEYS) {
        keys[nr_keys] = k;
        place = ++nr_keys;
        mfi_store_rel(&k->place, place);
    }
    mfi_spin_unlock(&keys_lock);
    return place != 0 ? (int)place - 1 : -EAGAIN;
}

static void drop(unsigned place, void *value)
{
    if (keys[place]->drop != NULL)
        keys[place]->drop(value);
}

/* ---- tables ------------------------------------------------------------- */

static struct link *links(struct locals *t)
{
    return (struct link *)(void *)&t->value[t->cap];
}

static size_t table_len(size_t cap)
{
    return sizeof(struct locals) + cap * sizeof(void *) +
           (cap + FIRST) * sizeof(struct link);
}

/* One with room for `place`, empty. A thread's outlives the runtime's slabs. */
static struct locals *make_table(unsigned place, bool of_task)
{
    struct worker *w = mfi_worker();
    bool record = of_task && place < FEW;
    size_t cap = FEW;
    struct locals *t;

    while (cap <= place)
        cap *= 2;
    if (record)
        t = mfi_slab_get(w != NULL ? &w->records : NULL);
    else
        /* tidy: allow malloc, because a table has any size */
        t = malloc(table_len(cap));
    if (t == NULL)
        return NULL;
    memset(t, 0, table_len(cap));
    t->cap = (uint16_t)cap;
    t->record = record;
    links(t)[LIVE] = (struct link){LIVE, LIVE};
    links(t)[DUE] = (struct link){DUE, DUE};
    return t;
}

static void free_table(struct locals *t)
{
    struct worker *w = mfi_worker();

    if (t->record)
        mfi_slab_put(w != NULL ? &w->records : NULL, t);
    else
        /* tidy: allow malloc, because a table has any size */
        free(t);
}

/* See that a has a table with room for `place`. */
static int reserve(struct agent *a, unsigned place)
{
    struct locals *t = a->locals, *more;

    if (mfi_likely(t != NULL && place < t->cap))
        return 0;
    more = make_table(place, a->parker.kind == AGENT_TASK);
    if (more == NULL)
        return -ENOMEM;
    if (t != NULL) {
        more->rounds = t->rounds;
        more->heirs = t->heirs;
        memcpy(more->value, t->value, t->cap * sizeof(void *));
        memcpy(links(more), links(t), (t->cap + FIRST) * sizeof(struct link));
        free_table(t);
    }
    a->locals = more;
    return 0;
}

static void link_newest(struct locals *t, unsigned place)
{
    struct link *l = links(t);
    uint16_t me = (uint16_t)(place + FIRST);

    l[me] = (struct link){.newer = LIVE, .older = l[LIVE].older};
    l[l[me].older].newer = me;
    l[LIVE].older = me;
}

/* Out of whichever ring it is in. */
static void unlink_one(struct locals *t, unsigned place)
{
    struct link *l = links(t), me = l[place + FIRST];

    l[me.newer].older = me.older;
    l[me.older].newer = me.newer;
}

static void put(struct locals *t, unsigned place, void *value)
{
    t->value[place] = value;
    link_newest(t, place);
    if (keys[place]->copy != NULL)
        t->heirs = true;
}

static void *take(struct locals *t, unsigned place)
{
    void *value = t->value[place];

    t->value[place] = NULL;
    unlink_one(t, place);
    return value;
}

/* The newest of a ring; false: it is empty. */
static bool newest(struct locals *t, unsigned ring, unsigned *ret_place)
{
    unsigned i = links(t)[ring].older;

    *ret_place = i - FIRST;
    return i != ring;
}

/* ---- get and set -------------------------------------------------------- */

static int replace(struct agent *a, unsigned place, void *value)
{
    void *old;

    if (a == NULL || reserve(a, place) < 0)
        return -ENOMEM;
    old = a->locals->value[place];
    if (old == value)
        return 0;
    if (old != NULL)
        take(a->locals, place);
    if (value != NULL)
        put(a->locals, place, value);
    if (old != NULL)
        drop(place, old);
    return 0;
}

static int make_value(struct key *k, void **ret_value)
{
    int place = place_of(k), rc;
    void *value;

    if (place < 0)
        return place;
    value = k->make();
    if (value == NULL)
        return 0;
    rc = replace(mfi_agent(), (unsigned)place, value);
    if (rc < 0) {
        drop((unsigned)place, value);
        return rc;
    }
    *ret_value = value;
    return 1;
}

int mf_local_get(mf_local *key, void **ret_value)
{
    struct key *k = (struct key *)(void *)key;
    struct agent *a;
    uint64_t at;
    void *value;

    if (k == NULL || ret_value == NULL)
        return -EINVAL;
    if (mfi_unlikely((a = mfi_agent()) == NULL))
        return -ENOMEM;
    at = mfi_load_acq(&k->place) - 1; /* huge if it has none */
    if (mfi_likely(a->locals != NULL && at < a->locals->cap) &&
        (value = a->locals->value[at]) != NULL) {
        *ret_value = value;
        return 1;
    }
    return k->make != NULL ? make_value(k, ret_value) : 0;
}

int mf_local_set(mf_local *key, void *value)
{
    struct key *k = (struct key *)(void *)key;
    struct agent *a;
    int place;

    if (k == NULL)
        return -EINVAL;
    if ((a = mfi_agent()) == NULL)
        return -ENOMEM;
    if (value == NULL &&
        (a->locals == NULL || mfi_load_acq(&k->place) - 1 >= a->locals->cap))
        return 0;
    if ((place = place_of(k)) < 0)
        return place;
    return replace(a, (unsigned)place, value);
}

/* ---- the end ------------------------------------------------------------ */

/* Begin a round: what is LIVE is DUE. False: nothing is. */
static bool begin_round(struct locals *t)
{
    struct link *l = links(t), ring = l[LIVE];

    if (ring.older == LIVE)
        return false;
    l[DUE] = ring;
    l[ring.older].newer = DUE;
    l[ring.newer].older = DUE;
    l[LIVE] = (struct link){LIVE, LIVE};
    return true;
}

static void drop_in_rounds(struct agent *a)
{
    for (;;) {
        struct locals *t = a->locals; /* each drop may make it grow */
        unsigned place;

        if (newest(t, DUE, &place))
            drop(place, take(t, place));
        else if (t->rounds == ROUNDS || !begin_round(t))
            return;
        else
            t->rounds++;
    }
}

void mfi_locals_end(struct agent *a)
{
    mf_ns limit = a->shield_limit;

    a->shields++;
    a->shield_limit = MFI_FAR;
    drop_in_rounds(a);
    if (a->parker.kind == AGENT_TASK) { /* what the drops left behind */
        while (a->inner != NULL)
            mf_scope_drop((mf_scope *)(void *)a->inner);
        mfi_defers_run(mfi_running_of(a));
    }
    a->shields--;
    a->shield_limit = limit;
    free_table(a->locals);
    a->locals = NULL;
}

/* ---- tables of nobody --------------------------------------------------- */

static void drop_newest_first(struct locals *t)
{
    unsigned place;

    while (newest(t, LIVE, &place)) {
        void *value = take(t, place);

        if (value != NULL)
            drop(place, value);
    }
}

/* Also when a drop or a copy panics: then what is left is dropped, too. */
static void finish(struct locals **t)
{
    if (*t == NULL)
        return;
    MF_SHIELD(MF_NEVER)
    drop_newest_first(*t);
    free_table(*t);
}

void mfi_locals_discard(struct locals *t)
{
    struct locals *rest __attribute__((__cleanup__(finish))) = t;

    if (rest == NULL)
        return;
    MF_SHIELD(MF_NEVER)
    drop_newest_first(rest);
}

void mfi_locals_orphan(struct scope *s, struct locals *t)
{
    mfi_spin_lock(&s->lock);
    t->next = s->orphans;
    s->orphans = t;
    mfi_spin_unlock(&s->lock);
}

void mfi_locals_discard_orphans(struct scope *s)
{
    struct locals *t;

    while ((t = s->orphans) != NULL) {
        s->orphans = t->next;
        mfi_locals_discard(t);
    }
}

/* ---- inheritance -------------------------------------------------------- */

/* An empty table with what of t is inherited, in the same order. */
static int shape(struct locals *t, struct locals **ret_child)
{
    struct link *l = links(t);
    unsigned most = 0;
    bool any = false;

    for (unsigned i = l[LIVE].newer; i != LIVE; i = l[i].newer)
        if (keys[i - FIRST]->copy != NULL) {
            any = true;
            most = i - FIRST > most ? i - FIRST : most;
        }
    if (!any)
        return 0;
    *ret_child = make_table(most, true);
    if (*ret_child == NULL)
        return -ENOMEM;
    for (unsigned i = l[LIVE].newer; i != LIVE; i = l[i].newer)
        if (keys[i - FIRST]->copy != NULL)
            link_newest(*ret_child, i - FIRST);
    (*ret_child)->heirs = true;
    return 0;
}

/* A copy may change the parent's values: each is looked up when it is due. */
static void copy_one(struct locals *child, unsigned place)
{
    struct agent *a = mfi_agent();
    struct locals *t = a != NULL ? a->locals : NULL;
    void *value = t != NULL && place < t->cap ? t->value[place] : NULL;

    if (value != NULL)
        value = keys[place]->copy(value);
    child->value[place] = value;
    if (value == NULL)
        unlink_one(child, place);
}

int mfi_locals_inherit(struct locals **ret_table)
{
    struct locals *child __attribute__((__cleanup__(finish))) = NULL;
    unsigned next;
    int rc = shape(mfi_agent_known()->locals, &child);

    *ret_table = NULL;
    if (rc < 0 || child == NULL)
        return rc;
    for (unsigned i = links(child)[LIVE].newer; i != LIVE; i = next) {
        next = links(child)[i].newer;
        copy_one(child, i - FIRST);
    }
    if (links(child)[LIVE].newer == LIVE)
        return 0; /* nothing after all */
    *ret_table = child;
    child = NULL;
    return 0;
}
