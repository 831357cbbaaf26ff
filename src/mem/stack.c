/* SPDX-License-Identifier: MIT */
/*
 * stack.c - slabs of stacks, the depot, and giving memory back.
 *
 * A slab is one mapping of equal stacks, each with its guard below:
 *
 *     base                                                base + n * stride
 *     | guard | stack 0 | guard | stack 1 | ... |  not yet carved  ...  |
 *
 * It is never accounted (NORESERVE), never gets huge pages, and costs nothing
 * until it is touched. A guard is installed when its stack is handed out for
 * the first time, so a program that needs ten stacks pays for ten. The first
 * slab of a class is small (tiny programs, address-space limits), each further
 * one twice the last up to 512 MiB; where one cannot be mapped, smaller ones
 * are tried down to a single stack.
 *
 * Free stacks wander
 *
 *     slab -> thread cache <-> depot: loose (< 32, from threads with no cache)
 *                                     warm     batches with memory
 *                                     trimmed  batches without
 *                                     raw      carved, but the guard failed
 *
 * and a get takes what is warmest: cache, warm, loose, trimmed, raw, slab.
 *
 * Invariants
 *   1. carved = in use + in caches + in the depot. Nothing is freed before
 *      mfi_stacks_done, which checks this sum.
 *   2. A batch is exactly MFI_STACK_BATCH stacks linked by next; the batches of
 *      a depot list are linked by the batch field of their first.
 *   3. Only stacks with a working guard leave carve().
 *   4. The list of slabs only grows, at its head, until mfi_stacks_done, so
 *      find needs no lock.
 *
 * Trimming is MADV_DONTNEED over the stack alone (1.5 to 3.5 us, most of it for
 * freeing the pages): over a guard of the uffd tier it would remove the guard.
 * One system call a stack is the price of that.
 *
 * Locking: depot[].lock guards the depot's lists, a class's newest slab and
 * `carved`; grow_lock is held over the mapping of a slab, and is taken first.
 * No system call is made under depot[].lock.
 *
 * Sources: Bonwick and Adams 2001, "Magazines and Vmem" (batches between
 * thread caches and a depot); mmap(2), madvise(2), mincore(2).
 */
#include "mem/stack.h"

#include "os/map.h"
#include "os/spin.h"

enum {
    SLAB_FIRST = 16,         /* stacks, if they fit into SLAB_FIRST_LEN */
    SLAB_FIRST_LEN = 8 << 20 /* bytes */
};
#define SLAB_MAX_LEN ((size_t)512 << 20)

_Static_assert(sizeof(struct stack) <= 40, "a million descriptors are 40 MB");

struct stack_slab {
    struct stack_slab *next; /* older; written before it is published */
    char *base;              /* constant, as all but carved */
    size_t stride;           /* guard and stack */
    uint32_t n;              /* stacks it has room for */
    _Atomic uint32_t carved; /* written under the class's lock */
    size_t self_len;         /* bytes mapped for this struct */
    struct stack stacks[];   /* n */
};

struct depot {
    struct spin lock;
    uint32_t nr_loose;
    struct stack *loose;
    struct stack *warm;      /* batches */
    struct stack *trimmed;   /* batches */
    struct stack *raw;       /* low is NULL */
    struct stack_slab *slab; /* the one to carve from */
    uint32_t slab_n;         /* stacks of the next slab; under grow_lock */
} __attribute__((__aligned__(MFI_CACHE_LINE)));

static struct depot depots[MFI_STACK_CLASSES];
static _Atomic uint32_t nr_warm; /* batches of all classes; a hint for trim */
static struct spin grow_lock;
static _Atomic(struct stack_slab *) slabs; /* written under grow_lock */
static enum guard_tier tier;

/* life cycle */

int mfi_stacks_init(const char *guard)
{
    mfi_assert(mfi_load_rlx(&slabs) == NULL);
    return mfi_guard_choose(guard, &tier);
}

const char *mfi_stacks_guard(void)
{
    return mfi_guard_name(tier);
}

static size_t count(const struct stack *list)
{
    size_t n = 0;

    for (; list != NULL; list = list->next)
        n++;
    return n;
}

static size_t count_batches(const struct stack *batch)
{
    size_t n = 0;

    for (; batch != NULL; batch = batch->batch)
        n += count(batch);
    return n;
}

void mfi_stacks_take_back(bool (*take)(struct stack *s))
{
    for (struct stack_slab *slab = mfi_load_acq(&slabs); slab != NULL;
         slab = slab->next)
        for (uint32_t i = 0; i < mfi_load_acq(&slab->carved); i++)
            if (slab->stacks[i].owner != NULL && take(&slab->stacks[i]))
                mfi_stack_put(NULL, &slab->stacks[i]);
}

void mfi_stacks_done(void)
{
    struct stack_slab *slab = mfi_load_acq(&slabs);
    size_t nr_free = 0;
    size_t carved = 0;

    for (struct stack_slab *s = slab; s != NULL; s = s->next)
        carved += mfi_load_rlx(&s->carved);
    for (unsigned i = 0; i < MFI_STACK_CLASSES; i++) {
        struct depot *d = &depots[i];

        nr_free += count(d->loose) + count(d->raw) + count_batches(d->warm) +
                   count_batches(d->trimmed);
        *d = (struct depot){.nr_loose = 0};
    }
    mfi_assert(nr_free == carved); /* every stack was put, caches flushed */
    mfi_store_rlx(&nr_warm, 0u);
    mfi_store_rel(&slabs, (struct stack_slab *)NULL);
    while (slab != NULL) {
        struct stack_slab *next = slab->next;

        mfi_asan_unpoison(slab->base, slab->n * slab->stride);
        mfi_unmap(slab->base, slab->n * slab->stride);
        mfi_unmap(slab, slab->self_len);
        slab = next;
    }
    mfi_guard_done();
}

/* carving */

static size_t class_size(unsigned class)
{
    size_t size = MFI_STACK_MIN << class;
    size_t page = mfi_page_size();

    return size < page ? page : size;
}

/*
 * Map len bytes that mlockall(MCL_FUTURE) does not fill: it fills what is
 * accessible, so it becomes accessible after the lock is off again.
 */
static int map_unlocked(size_t len, char **ret_base)
{
    long base = mfi_sys6(SYS_mmap, 0, MFI_L(len), PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int rc;

    if (base < 0 && base > -4096)
        return (int)base;
    mfi_munlock((void *)base, len);
    rc = mfi_protect((void *)base, len, PROT_READ | PROT_WRITE);
    if (rc == 0)
        rc = mfi_guard_slab(tier, (void *)base, len);
    if (rc < 0) {
        mfi_unmap((void *)base, len);
        return rc;
    }
    *ret_base = (char *)base;
    return 0;
}

static int map_slab(unsigned class, uint32_t n, struct stack_slab **ret_slab)
{
    size_t stride = MFI_GUARD_LEN + class_size(class);
    size_t self_len = sizeof(struct stack_slab) + n * sizeof(struct stack);
    struct stack_slab *slab;
    void *self;
    char *base;
    int rc = map_unlocked(n * stride, &base);

    if (rc < 0)
        return rc;
    rc = mfi_map_pages(self_len, &self);
    if (rc < 0) {
        mfi_unmap(base, n * stride);
        return rc;
    }
    slab = self;
    slab->base = base;
    slab->stride = stride;
    slab->n = n;
    slab->self_len = self_len;
    *ret_slab = slab;
    return 0;
}

/* How many stacks the next slab shall hold, after one of n (0: the first). */
static uint32_t next_n(unsigned class, uint32_t n)
{
    size_t stride = MFI_GUARD_LEN + class_size(class);
    size_t most = n == 0 ? SLAB_FIRST_LEN / stride : SLAB_MAX_LEN / stride;
    size_t want = n == 0 ? SLAB_FIRST : (size_t)n * 2;

    if (want > most)
        want = most;
    return want == 0 ? 1 : (uint32_t)want;
}

static bool has_room(struct depot *d)
{
    return d->raw != NULL ||
           (d->slab != NULL && mfi_load_rlx(&d->slab->carved) < d->slab->n);
}

/* Give the class a slab with room, unless somebody just did. */
static int grow(unsigned class)
{
    struct depot *d = &depots[class];
    struct stack_slab *slab = NULL;
    int rc = 0;
    bool room;

    mfi_spin_lock(&grow_lock);
    mfi_spin_lock(&d->lock);
    room = has_room(d);
    mfi_spin_unlock(&d->lock);
    if (!room) {
        uint32_t n = next_n(class, d->slab_n);

        while ((rc = map_slab(class, n, &slab)) < 0 && n > 1)
            n /= 2;
        if (rc == 0) {
            d->slab_n = n;
            slab->next = mfi_load_rlx(&slabs);
            mfi_store_rel(&slabs, slab);
            mfi_spin_lock(&d->lock);
            d->slab = slab;
            mfi_spin_unlock(&d->lock);
        }
    }
    mfi_spin_unlock(&grow_lock);
    return rc < 0 ? -ENOMEM : 0;
}

static struct stack_slab *slab_of(const void *addr)
{
    struct stack_slab *slab = mfi_load_acq(&slabs);

    for (; slab != NULL; slab = slab->next)
        if ((uintptr_t)addr - (uintptr_t)slab->base < slab->n * slab->stride)
            break;
    return slab;
}

/* An mlockall since the slab was mapped locked it: undo that. */
static void unlock_slab_of(const void *addr)
{
    struct stack_slab *slab = slab_of(addr);

    if (slab != NULL)
        mfi_munlock(slab->base, slab->n * slab->stride);
}

/* A raw stack's place is its index: low is set only above a working guard. */
static struct stack *claim_raw(struct depot *d, char **ret_base)
{
    struct stack *s = d->raw;
    struct stack_slab *slab = d->slab;
    uint32_t i;

    if (s != NULL) {
        d->raw = s->next;
        *ret_base = s->owner;
        s->owner = NULL;
        return s;
    }
    i = slab == NULL ? 0 : mfi_load_rlx(&slab->carved);
    if (slab == NULL || i == slab->n)
        return NULL;
    *ret_base = slab->base + i * slab->stride;
    mfi_store_rel(&slab->carved, i + 1);
    return &slab->stacks[i];
}

/* Make a stack that was never used. Guards are installed without the lock. */
static int carve(unsigned class, struct stack **ret_stack)
{
    struct depot *d = &depots[class];
    struct stack *s = NULL;
    char *base = NULL;
    int rc = 0;

    while (s == NULL && rc == 0) {
        mfi_spin_lock(&d->lock);
        s = claim_raw(d, &base);
        mfi_spin_unlock(&d->lock);
        if (s == NULL)
            rc = grow(class);
    }
    if (rc < 0)
        return rc;
    rc = mfi_guard_install(tier, base, MFI_GUARD_LEN);
    if (rc == -EINVAL) {
        unlock_slab_of(base);
        rc = mfi_guard_install(tier, base, MFI_GUARD_LEN);
    }
    if (rc < 0) {
        s->owner = base;
        mfi_spin_lock(&d->lock);
        s->next = d->raw;
        d->raw = s;
        mfi_spin_unlock(&d->lock);
        return -ENOMEM;
    }
    s->class = (uint8_t) class;
    s->size = (uint32_t)class_size(class);
    s->low = base + MFI_GUARD_LEN;
    *ret_stack = s;
    return 0;
}

/* the depot */

static void push_batch(struct stack **list, struct stack *batch)
{
    batch->batch = *list;
    *list = batch;
}

static struct stack *pop_batch(struct stack **list)
{
    struct stack *batch = *list;

    if (batch != NULL)
        *list = batch->batch;
    return batch;
}

static void push_warm(struct depot *d, struct stack *batch)
{
    push_batch(&d->warm, batch);
    mfi_add_rlx(&nr_warm, 1u);
}

static struct stack *pop_warm(struct depot *d)
{
    struct stack *batch = pop_batch(&d->warm);

    if (batch != NULL)
        mfi_add_rlx(&nr_warm, UINT32_MAX); /* one less */
    return batch;
}

static void put_loose(struct depot *d, struct stack *s)
{
    s->next = d->loose;
    d->loose = s;
    if (++d->nr_loose == MFI_STACK_BATCH) {
        push_warm(d, d->loose);
        d->loose = NULL;
        d->nr_loose = 0;
    }
}

/* The warmest list of the depot, and its length; NULL: nothing is free. */
static struct stack *take_list(struct depot *d, uint32_t *ret_n)
{
    struct stack *list = pop_warm(d);

    *ret_n = MFI_STACK_BATCH;
    if (list == NULL && d->loose != NULL) {
        list = d->loose;
        *ret_n = d->nr_loose;
        d->loose = NULL;
        d->nr_loose = 0;
    }
    return list != NULL ? list : pop_batch(&d->trimmed);
}

/* For a thread without a cache: the rest of the list becomes loose. */
static struct stack *take_one(struct depot *d)
{
    struct stack *s = d->loose;
    uint32_t n = d->nr_loose;

    if (s == NULL)
        s = take_list(d, &n);
    if (s != NULL) {
        d->loose = s->next;
        d->nr_loose = n - 1;
    }
    return s;
}

/* the slow halves of get and put */

static struct stack *take(struct stack_cache *c, unsigned class)
{
    struct depot *d = &depots[class];
    struct stack_bin *b = c == NULL ? NULL : &c->bin[class];
    struct stack *s;

    if (b != NULL && b->nr_batches > 0) {
        b->nr_batches--;
        s = b->batch[(b->oldest + b->nr_batches) % MFI_STACK_BATCHES];
        b->nr_hot = MFI_STACK_BATCH;
    } else {
        mfi_spin_lock(&d->lock);
        s = b == NULL ? take_one(d) : take_list(d, &b->nr_hot);
        mfi_spin_unlock(&d->lock);
    }
    if (b != NULL) {
        b->hot = s == NULL ? NULL : s->next;
        b->nr_hot = s == NULL ? 0 : b->nr_hot - 1;
    }
    return s;
}

int mfi_stack_get_slow(struct stack_cache *c, unsigned class,
                       struct stack **ret_stack)
{
    struct stack *s = take(c, class);

    if (s == NULL)
        return carve(class, ret_stack);
    mfi_asan_unpoison(s->low, s->size);
    *ret_stack = s;
    return 0;
}

/* Put the oldest batch of the bin elsewhere. */
static struct stack *drop_oldest(struct stack_bin *b)
{
    struct stack *batch = b->batch[b->oldest % MFI_STACK_BATCHES];

    b->oldest++;
    b->nr_batches--;
    return batch;
}

void mfi_stack_put_slow(struct stack_cache *c, struct stack *s)
{
    struct depot *d = &depots[s->class];
    struct stack_bin *b;

    if (c == NULL) {
        mfi_spin_lock(&d->lock);
        put_loose(d, s);
        mfi_spin_unlock(&d->lock);
        return;
    }
    b = &c->bin[s->class];
    mfi_assert_debug(b->nr_hot == MFI_STACK_BATCH - 1);
    if (b->nr_batches == MFI_STACK_BATCHES) {
        struct stack *batch = drop_oldest(b);

        mfi_spin_lock(&d->lock);
        push_warm(d, batch);
        mfi_spin_unlock(&d->lock);
    }
    s->next = b->hot;
    b->batch[(b->oldest + b->nr_batches) % MFI_STACK_BATCHES] = s;
    b->nr_batches++;
    b->hot = NULL;
    b->nr_hot = 0;
}

void mfi_stack_cache_flush(struct stack_cache *c)
{
    for (unsigned i = 0; i < MFI_STACK_CLASSES; i++) {
        struct stack_bin *b = &c->bin[i];
        struct depot *d = &depots[i];

        if (b->nr_batches == 0 && b->hot == NULL)
            continue;
        mfi_spin_lock(&d->lock);
        while (b->nr_batches > 0)
            push_warm(d, drop_oldest(b));
        while (b->hot != NULL) {
            struct stack *s = b->hot;

            b->hot = s->next;
            put_loose(d, s);
        }
        b->nr_hot = 0;
        mfi_spin_unlock(&d->lock);
    }
}

/* giving memory back */

static void drop_pages(struct stack *s)
{
    if (mfi_advise(s->low, s->size, MADV_DONTNEED) == -EINVAL) {
        unlock_slab_of(s->low);
        mfi_advise(s->low, s->size, MADV_DONTNEED);
    }
}

static void trim_batch(struct depot *d, struct stack *batch)
{
    for (struct stack *s = batch; s != NULL; s = s->next)
        drop_pages(s);
    mfi_spin_lock(&d->lock);
    push_batch(&d->trimmed, batch);
    mfi_spin_unlock(&d->lock);
}

static bool bin_has_cold(const struct stack_bin *b)
{
    uint32_t n = b->nr_batches * MFI_STACK_BATCH + b->nr_hot;

    return b->nr_batches > 0 && n >= MFI_STACKS_HOT + MFI_STACK_BATCH;
}

static struct stack *take_cold(struct stack_bin *b, struct depot *d)
{
    struct stack *batch;

    if (bin_has_cold(b))
        return drop_oldest(b);
    if (mfi_load_rlx(&nr_warm) == 0)
        return NULL;
    mfi_spin_lock(&d->lock);
    batch = pop_warm(d);
    mfi_spin_unlock(&d->lock);
    return batch;
}

bool mfi_stack_trim(struct stack_cache *c)
{
    bool trimmed = false;

    for (unsigned i = 0; i < MFI_STACK_CLASSES; i++) {
        struct depot *d = &depots[i];
        struct stack *batch = take_cold(&c->bin[i], d);

        if (batch == NULL)
            continue;
        if (trimmed) { /* enough for one call: say that there is more */
            mfi_spin_lock(&d->lock);
            push_warm(d, batch);
            mfi_spin_unlock(&d->lock);
            return true;
        }
        trim_batch(d, batch);
        trimmed = true;
        i--; /* the same class again, for the answer */
    }
    return false;
}

/* reports */

struct stack *mfi_stack_find(const void *addr, bool *ret_in_guard)
{
    struct stack_slab *slab = slab_of(addr);
    struct stack *s;
    size_t i;

    if (slab == NULL)
        return NULL;
    i = ((uintptr_t)addr - (uintptr_t)slab->base) / slab->stride;
    if (i >= mfi_load_acq(&slab->carved))
        return NULL;
    s = &slab->stacks[i];
    if (s->low == NULL)
        return NULL;
    *ret_in_guard = (uintptr_t)addr < (uintptr_t)s->low;
    return s;
}

size_t mfi_stack_used(const struct stack *s)
{
    enum { PAGES = 256 };
    unsigned char resident[PAGES];
    size_t page = mfi_page_size();

    for (size_t at = 0; at < s->size; at += PAGES * page) {
        size_t len = s->size - at < PAGES * page ? s->size - at : PAGES * page;

        if (mfi_sys3(SYS_mincore, s->low + at, len, resident) < 0)
            return 0;
        for (size_t i = 0; i < len / page; i++)
            if (resident[i] & 1)
                return s->size - at - i * page;
    }
    return 0;
}
