/* SPDX-License-Identifier: MIT */
/*
 * slab.c - chunks of records, and the depot between threads.
 *
 * Memory comes from the kernel in chunks, 64 KiB at first, then twice the last
 * up to 1 MiB, smaller ones where none that big can be had:
 *
 *     | struct chunk (one record's place) | record | record | ...
 *                                          carved .. | not yet ...
 *
 * Touching a page for the first time costs more than all else here (2 us and
 * more, for 32 records). So a fresh record is never threaded through a list,
 * which would touch it early: ranges of 64 are cut off a chunk and used front
 * to back, and nothing is fresh while there is something used.
 *
 * Invariants
 *   1. nr_out = records in use + in caches, the unused part of fresh ranges
 *      included. A record in the depot is not out.
 *   2. A batch is exactly MFI_SLAB_BATCH records linked by next.
 *   3. A record that was put is poisoned (ASan) but for its struct slab_record.
 *
 * Locking: depot.lock guards the depot; the mapping of a chunk, once for
 * thousands of records, is made under it.
 *
 * Sources: Bonwick 1994, "The Slab Allocator"; Bonwick and Adams 2001.
 */
#include "mem/slab.h"

#include "base/assert.h"
#include "os/map.h"
#include "os/spin.h"

enum { CHUNK_MIN = 64 * 1024, CHUNK_MAX = 1024 * 1024 };

struct chunk {
    struct chunk *next;
    size_t len; /* bytes, this struct included */
};

_Static_assert(sizeof(struct chunk) <= MFI_SLAB_RECORD, "its place");

static struct {
    struct spin lock;
    uint32_t nr_loose;
    struct slab_record *loose;   /* < MFI_SLAB_BATCH */
    struct slab_record *batches; /* lists of exactly that */
    char *fresh;                 /* the newest chunk, from the first record */
    char *fresh_end;             /* that was never out, to its end */
    struct chunk *chunks;
    size_t nr_out;
} depot;

/* fresh memory; all under depot.lock */

static bool map_chunk(void)
{
    size_t len = depot.chunks == NULL ? CHUNK_MIN : depot.chunks->len * 2;
    struct chunk *chunk;
    void *base = NULL;

    if (len > CHUNK_MAX)
        len = CHUNK_MAX;
    while (mfi_map_pages(len, &base) < 0) {
        if (len == CHUNK_MIN)
            return false;
        len /= 2;
    }
    chunk = base;
    chunk->next = depot.chunks;
    chunk->len = len;
    depot.chunks = chunk;
    depot.fresh = (char *)base + MFI_SLAB_RECORD;
    depot.fresh_end = (char *)base + len;
    return true;
}

/* Cut off up to n records; NULL: out of memory. */
static char *carve(size_t n, size_t *ret_n)
{
    char *range;
    size_t left;

    if (depot.fresh == depot.fresh_end && !map_chunk())
        return NULL;
    range = depot.fresh;
    left = (size_t)(depot.fresh_end - range) / MFI_SLAB_RECORD;
    *ret_n = n < left ? n : left;
    depot.fresh += *ret_n * MFI_SLAB_RECORD;
    return range;
}

/* the depot; all under its lock */

static void put_batch(struct slab_record *r)
{
    r->batch = depot.batches;
    depot.batches = r;
}

static struct slab_record *take_batch(void)
{
    struct slab_record *r = depot.batches;

    if (r != NULL)
        depot.batches = r->batch;
    return r;
}

static void put_loose(struct slab_record *r)
{
    r->next = depot.loose;
    depot.loose = r;
    if (++depot.nr_loose == MFI_SLAB_BATCH) {
        put_batch(r);
        depot.loose = NULL;
        depot.nr_loose = 0;
    }
}

static struct slab_record *take_loose(void)
{
    struct slab_record *r = depot.loose;

    if (r == NULL) {
        r = take_batch();
        depot.nr_loose = r == NULL ? 0 : MFI_SLAB_BATCH;
    }
    if (r != NULL) {
        depot.loose = r->next;
        depot.nr_loose--;
    }
    return r;
}

/* the slow halves of get and put */

static void *get_one(void)
{
    size_t n = 1;
    void *record;

    mfi_spin_lock(&depot.lock);
    record = take_loose();
    if (record == NULL)
        record = carve(1, &n);
    if (record != NULL)
        depot.nr_out++;
    mfi_spin_unlock(&depot.lock);
    if (record != NULL)
        mfi_asan_unpoison(record, MFI_SLAB_RECORD);
    return record;
}

/* Returns whether the cache is not empty any more. */
static bool refill(struct slab_cache *c)
{
    size_t n = MFI_SLAB_BATCH;

    if (c->spare != NULL) {
        c->free = c->spare;
        c->nr_free = MFI_SLAB_BATCH;
        c->spare = NULL;
        return true;
    }
    mfi_spin_lock(&depot.lock);
    c->free = take_batch();
    if (c->free != NULL) {
        c->nr_free = MFI_SLAB_BATCH;
    } else if (depot.loose != NULL) {
        c->free = depot.loose;
        c->nr_free = depot.nr_loose;
        n = depot.nr_loose;
        depot.loose = NULL;
        depot.nr_loose = 0;
    } else {
        c->fresh = carve(MFI_SLAB_BATCH, &n);
        n = c->fresh == NULL ? 0 : n;
        c->fresh_end = c->fresh + n * MFI_SLAB_RECORD;
    }
    depot.nr_out += n;
    mfi_spin_unlock(&depot.lock);
    return n > 0;
}

void *mfi_slab_get_slow(struct slab_cache *c)
{
    if (c == NULL)
        return get_one();
    mfi_assert_debug(c->free == NULL && c->nr_free == 0);
    return refill(c) ? mfi_slab_get(c) : NULL;
}

void mfi_slab_put_slow(struct slab_cache *c, void *record)
{
    struct slab_record *r = record;

    if (c == NULL) {
        mfi_spin_lock(&depot.lock);
        mfi_assert(depot.nr_out > 0);
        depot.nr_out--;
        put_loose(r);
        mfi_spin_unlock(&depot.lock);
        return;
    }
    if (c->spare != NULL) {
        mfi_spin_lock(&depot.lock);
        mfi_assert(depot.nr_out >= MFI_SLAB_BATCH);
        depot.nr_out -= MFI_SLAB_BATCH;
        put_batch(c->spare);
        mfi_spin_unlock(&depot.lock);
    }
    c->spare = c->free;
    r->next = NULL;
    c->free = r;
    c->nr_free = 1;
}

/* life cycle */

void mfi_slab_cache_flush(struct slab_cache *c)
{
    mfi_spin_lock(&depot.lock);
    if (c->spare != NULL) {
        put_batch(c->spare);
        depot.nr_out -= MFI_SLAB_BATCH;
    }
    while (c->free != NULL) {
        struct slab_record *r = c->free;

        c->free = r->next;
        put_loose(r);
        depot.nr_out--;
    }
    for (; c->fresh != c->fresh_end; c->fresh += MFI_SLAB_RECORD) {
        put_loose((struct slab_record *)(void *)c->fresh);
        depot.nr_out--;
    }
    mfi_spin_unlock(&depot.lock);
    *c = (struct slab_cache){.free = NULL};
}

size_t mfi_slabs_live(void)
{
    size_t n;

    mfi_spin_lock(&depot.lock);
    n = depot.nr_out;
    mfi_spin_unlock(&depot.lock);
    return n;
}

size_t mfi_slabs_done(void)
{
    size_t lost = depot.nr_out;

    mfi_assert(!mfi_spin_held(&depot.lock));
    while (depot.chunks != NULL) {
        struct chunk *chunk = depot.chunks;
        size_t len = chunk->len;

        depot.chunks = chunk->next;
        mfi_asan_unpoison(chunk, len);
        mfi_unmap(chunk, len);
    }
    depot.nr_loose = 0;
    depot.loose = NULL;
    depot.batches = NULL;
    depot.fresh = NULL;
    depot.fresh_end = NULL;
    depot.nr_out = 0;
    return lost;
}
