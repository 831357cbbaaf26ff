/* SPDX-License-Identifier: MIT */
/*
 * slab.h - records of 128 bytes, for what exists once per coroutine.
 *
 * A cache belongs to one thread and has no lock:
 *
 *     free: a list of up to 64       <- get and put work here
 *     spare: one more list of 64, or none
 *     fresh .. fresh_end: memory never used before, handed out in order
 *
 * and exchanges lists of 64 with the depot, which all threads share. A thread
 * without a cache (NULL) uses the depot, under its lock, for every call.
 */
#ifndef MFI_MEM_SLAB_H
#define MFI_MEM_SLAB_H

#include "base/atomic.h"
#include "mem/asan.h"

enum { MFI_SLAB_RECORD = 128, MFI_SLAB_BATCH = 64 };

/* What the first bytes of a free record are. */
struct slab_record {
    struct slab_record *next;
    struct slab_record *batch; /* of the first of a list of 64: the next list */
};

struct slab_cache { /* zeroed is empty */
    struct slab_record *free;
    uint32_t nr_free;
    struct slab_record *spare;
    char *fresh;
    char *fresh_end;
};

void *mfi_slab_get_slow(struct slab_cache *c);
void mfi_slab_put_slow(struct slab_cache *c, void *record);

/*
 * Get a record of MFI_SLAB_RECORD bytes at a multiple of that, contents
 * undefined; NULL: out of memory. Given (mfi_slab_put, from any thread).
 */
static inline void *mfi_slab_get(struct slab_cache *c)
{
    void *record;

    if (mfi_unlikely(c == NULL))
        return mfi_slab_get_slow(NULL);
    if (mfi_likely(c->free != NULL)) {
        record = c->free;
        c->free = c->free->next;
        c->nr_free--;
    } else if (c->spare == NULL && c->fresh != c->fresh_end) {
        record = c->fresh;
        c->fresh += MFI_SLAB_RECORD;
    } else {
        return mfi_slab_get_slow(c);
    }
    mfi_asan_unpoison(record, MFI_SLAB_RECORD);
    return record;
}

/* Take a record back. Never fails. c is the caller's cache or NULL. */
static inline void mfi_slab_put(struct slab_cache *c, void *record)
{
    struct slab_record *r = record;

    mfi_asan_poison(r + 1, MFI_SLAB_RECORD - sizeof *r);
    if (mfi_unlikely(c == NULL || c->nr_free == MFI_SLAB_BATCH)) {
        mfi_slab_put_slow(c, record);
        return;
    }
    r->next = c->free;
    c->free = r;
    c->nr_free++;
}

/* Move all of the cache to the depot, for example when its thread ends. */
void mfi_slab_cache_flush(struct slab_cache *c);

/* How many records are out: in use, or in a cache. */
size_t mfi_slabs_live(void);

/*
 * Give all memory to the kernel; every cache was flushed. Returns how many
 * records were not put back. Context: while nobody else is here.
 */
size_t mfi_slabs_done(void);

#endif
