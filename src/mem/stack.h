/* SPDX-License-Identifier: MIT */
/*
 * stack.h - stacks with guards, by the million, reused hottest first.
 *
 *          low - MFI_GUARD_LEN         low              low + size (the top)
 *             | guard, not writable     | usable, lazily committed |
 *
 * What is known of a stack lives outside it, in a struct stack: giving the
 * memory of an unused stack back drops every page of it. So a stack from
 * mfi_stack_get holds zeros or remains of its last user, and nothing else.
 *
 * A cache belongs to one thread and has no lock. Of each size class it holds
 *
 *     hot: a list of up to 31      <- get and put work here, a few instructions
 *     batches: up to 8 lists of exactly 32, in a ring, the oldest leaves first
 *
 * and hands batches to, or takes them from, the depot, which all threads share
 * under a lock for each class. A thread without a cache (NULL) uses the depot
 * for every call.
 */
#ifndef MFI_MEM_STACK_H
#define MFI_MEM_STACK_H

#include "base/assert.h"
#include "mem/asan.h"
#include "mem/guard.h"
#include "os/syscall.h"

enum {
    MFI_STACK_CLASSES = 17, /* 16 KiB << 0 to 16 KiB << 16 */
    MFI_STACK_MIN_LOG2 = 14,
    MFI_STACK_BATCH = 32,
    MFI_STACK_BATCHES = 8, /* a power of two */
    MFI_STACKS_HOT = 64,   /* trim leaves a cache these of a class */
};
#define MFI_STACK_MIN ((size_t)1 << MFI_STACK_MIN_LOG2)
#define MFI_STACK_MAX (MFI_STACK_MIN << (MFI_STACK_CLASSES - 1))

struct stack {
    struct stack *next;  /* while free: in a list; while used: the user's */
    struct stack *batch; /* while free: the next list of 32; else undefined */
    char *low;           /* the lowest usable byte */
    void *owner;         /* the user's; NULL while free */
    uint32_t size;       /* usable bytes; low + size is a page boundary */
    uint8_t class;
};

struct stack_bin {
    struct stack *hot;
    uint32_t nr_hot;     /* < MFI_STACK_BATCH */
    uint32_t oldest;     /* in batch[], modulo MFI_STACK_BATCHES */
    uint32_t nr_batches; /* from oldest on */
    struct stack *batch[MFI_STACK_BATCHES];
};

struct stack_cache { /* zeroed is empty */
    struct stack_bin bin[MFI_STACK_CLASSES];
};

/*
 * Choose the guards; `guard` is NULL or a tier's name. Returns 0, or -EINVAL,
 * -ENOTSUP of mfi_guard_choose. Context: a plain thread, while nobody else is
 * here; done too, which gives all memory to the kernel: every cache has been
 * flushed and every stack put back (asserted).
 */
int mfi_stacks_init(const char *guard);
void mfi_stacks_done(void);

/*
 * Before done, while nobody else is here: each stack that was not put back is
 * shown to take, and put back for its user if that returns true.
 */
void mfi_stacks_take_back(bool (*take)(struct stack *s));

/* "region", "uffd", "mprotect": the chosen guards. */
const char *mfi_stacks_guard(void);

int mfi_stack_get_slow(struct stack_cache *c, unsigned class,
                       struct stack **ret_stack);
void mfi_stack_put_slow(struct stack_cache *c, struct stack *s);

/* The class whose stacks have `size` bytes or more; size is 1 to the max. */
static inline unsigned mfi_stack_class(size_t size)
{
    return size <= MFI_STACK_MIN
               ? 0
               : (unsigned)(64 - MFI_STACK_MIN_LOG2 -
                            __builtin_clzll((unsigned long long)size - 1));
}

/*
 * Get a stack of at least `size` usable bytes, rounded up to a power of two.
 *
 *   c  the calling thread's, or NULL
 *
 * Returns 0 and a stack, given (mfi_stack_put); -EINVAL: size is 0 or above
 * 1 GiB; -ENOMEM: no address space, no memory, or no guard (mprotect's limit).
 * A failure changes nothing; later calls may succeed. Never blocks.
 */
static inline int mfi_stack_get(struct stack_cache *c, size_t size,
                                struct stack **ret_stack)
{
    struct stack_bin *b;
    struct stack *s;
    unsigned class;

    if (mfi_unlikely(size - 1 >= MFI_STACK_MAX))
        return -EINVAL;
    class = mfi_stack_class(size);
    if (mfi_unlikely(c == NULL))
        return mfi_stack_get_slow(NULL, class, ret_stack);
    b = &c->bin[class];
    s = b->hot;
    if (mfi_unlikely(s == NULL))
        return mfi_stack_get_slow(c, class, ret_stack);
    b->hot = s->next;
    b->nr_hot--;
    mfi_asan_unpoison(s->low, s->size); /* frames its last user left */
    *ret_stack = s;
    return 0;
}

/* Take a stack back; nobody runs on it. c is the caller's cache or NULL. */
static inline void mfi_stack_put(struct stack_cache *c, struct stack *s)
{
    struct stack_bin *b;

    s->owner = NULL;
    if (mfi_unlikely(c == NULL)) {
        mfi_stack_put_slow(NULL, s);
        return;
    }
    b = &c->bin[s->class];
    if (mfi_unlikely(b->nr_hot == MFI_STACK_BATCH - 1)) {
        mfi_stack_put_slow(c, s);
        return;
    }
    s->next = b->hot;
    b->hot = s;
    b->nr_hot++;
}

/*
 * Give the kernel the memory of up to 32 unused stacks: the coldest of this
 * cache, but for the MFI_STACKS_HOT hottest (up to 31 more stay, as batches
 * are whole), then those of the depot. Takes 50 to 100 us. Returns true if more
 * could be given: a worker calls it before it sleeps, looking for work between.
 * The stacks stay usable by all.
 */
bool mfi_stack_trim(struct stack_cache *c);

/* Move all of the cache to the depot, for example when its thread ends. */
void mfi_stack_cache_flush(struct stack_cache *c);

/*
 * The stack that holds `addr`, or whose guard does; NULL: none. Lock-free and
 * async-signal-safe. Looks through all slabs: for reports, not for hot paths.
 */
struct stack *mfi_stack_find(const void *addr, bool *ret_in_guard);

/*
 * The bytes from the lowest page that was ever touched (since the last trim) up
 * to the top: what the users of this stack needed at most. For reports.
 */
size_t mfi_stack_used(const struct stack *s);

#endif
