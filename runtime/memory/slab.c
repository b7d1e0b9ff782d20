// SPDX-License-Identifier: Apache-2.0
// slab - headers of blocks and the memory of small ones, in shards: each thread makes blocks in one
// shard, so that threads seldom meet; a block is freed into the shard it came from, whoever frees
// it.
// A shard's lock guards all of it; the device is asked for memory with the lock let go.
//
// Headers come from the C heap in chunks that double as the list of all blocks, which is what
// eviction walks. Small memory comes from the device in slabs of 64 KiB, each of one size class;
// places never used go out in address order, freed ones latest first.
// An empty slab goes back to the device unless it is the only one of its class with free places.
#include <string.h>

#include "base/alloc.h"
#include "memory/block.h"

enum { CHUNK_BLOCKS = 1000, SLAB_BYTES = 65536, LINE = 64, PAGE = 4096 };

struct wf_header_chunk {
    _Alignas(LINE) void *heap;                     // what to free
    wf_header_chunk *next;                         // all of the shard
    wf_header_chunk *partial_next, *partial_prev;  // those with free headers
    wf_block *free;                                // linked through DATA
    int live;
    _Alignas(LINE) wf_block block[];
};

struct wf_slab {
    wf_slab *next, *prev;  // partial list of its class
    char *memory;
    void *free;  // freed places, each holding the address of the next
    int device, class;
    int fresh;  // places from here on were never handed out
    int live, capacity;
};

// --- size classes: steps of 64 bytes up to 1 KiB, of 128 up to 2 KiB, of 256 up to 4 KiB, nearly
// ---

static int class_of(int64_t bytes)
{
    if (bytes <= 1024) return bytes <= 64 ? 0 : (int)((bytes - 1) / 64);
    if (bytes <= 2048) return 16 + (int)((bytes - 1025) / 128);
    return 24 + (int)((bytes - 2049) / 256);
}

static int64_t class_bytes(int class)
{
    if (class < 16) return (class + 1) * 64;
    if (class < 24) return 1024 + (class - 15) * 128;
    return 2048 + (class - 23) * 256;
}

static void add_locked(atomic_int_fast64_t *sum, int64_t n)
{
    atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static void add_overhead(wf_shard *shard, int index, int64_t bytes)
{
    add_locked(&shard->overhead[index], bytes);
}

int64_t wf_shard_used(const wf_shard *shard, int index)
{
    return atomic_load_explicit(&shard->used[index], memory_order_relaxed);
}

int64_t wf_shard_overhead(const wf_shard *shard, int index)
{
    return atomic_load_explicit(&shard->overhead[index], memory_order_relaxed);
}

void wf_use_locked(wf_shard *shard, int device, int64_t bytes, bool own_memory, bool present)
{
    const int64_t waste = own_memory && device != DEVICE_HOST ? (PAGE - bytes % PAGE) % PAGE : 0;

    add_locked(&shard->used[device == DEVICE_HOST ? shard->store->nplace : device],
               present ? bytes : -bytes);
    if (waste > 0) add_overhead(shard, device, present ? waste : -waste);
}

// --- headers ---

static void link_partial_chunk(wf_shard *shard, wf_header_chunk *chunk)
{
    chunk->partial_prev = NULL;
    chunk->partial_next = shard->partial;
    if (shard->partial) shard->partial->partial_prev = chunk;
    shard->partial = chunk;
}

static void unlink_partial_chunk(wf_shard *shard, wf_header_chunk *chunk)
{
    if (chunk->partial_next) chunk->partial_next->partial_prev = chunk->partial_prev;
    if (chunk->partial_prev) chunk->partial_prev->partial_next = chunk->partial_next;
    else shard->partial = chunk->partial_next;
}

static wf_header_chunk *make_chunk(wf_shard *shard)
{
    void *heap = wf_alloc(LINE + sizeof(wf_header_chunk) + CHUNK_BLOCKS * sizeof(wf_block));
    if (!heap) return NULL;
    wf_header_chunk *chunk = (wf_header_chunk *)(((uintptr_t)heap + LINE - 1) / LINE * LINE);
    chunk->heap = heap;
    for (int i = CHUNK_BLOCKS - 1; i >= 0; i--) {
        chunk->block[i].shard = shard;
        chunk->block[i].index = (uint32_t)i;
        chunk->block[i].data = chunk->free;
        chunk->free = &chunk->block[i];
    }
    return chunk;
}

static wf_header_chunk *chunk_of(const wf_block *block)
{
    return (wf_header_chunk *)((char *)(uintptr_t)(block - block->index) -
                               offsetof(wf_header_chunk, block));
}

weft_status wf_header_take(wf_shard *shard, wf_block **out)
{
    wf_mutex_lock(&shard->lock);
    while (!shard->partial) {
        wf_mutex_unlock(&shard->lock);
        wf_header_chunk *chunk = make_chunk(shard);
        if (!chunk) return WEFT_NO_MEMORY;
        wf_mutex_lock(&shard->lock);
        chunk->next = shard->chunks;
        shard->chunks = chunk;
        link_partial_chunk(shard, chunk);
        add_overhead(shard, shard->store->nplace, (int64_t)(CHUNK_BLOCKS * sizeof(wf_block)));
    }
    wf_header_chunk *chunk = shard->partial;
    wf_block *block = chunk->free;
    chunk->free = block->data;
    chunk->live++;
    shard->live++;
    if (!chunk->free) unlink_partial_chunk(shard, chunk);
    block->data = NULL;
    *out = block;
    return WEFT_OK;
}

void wf_header_give_locked(wf_block *block)
{
    wf_shard *shard = block->shard;
    wf_header_chunk *chunk = chunk_of(block);

    atomic_store_explicit(&block->state, 0, memory_order_relaxed);
    block->bytes = 0;
    block->slab = NULL;
    block->more = NULL;
    block->data = chunk->free;
    if (!chunk->free) link_partial_chunk(shard, chunk);
    chunk->free = block;
    chunk->live--;
    shard->live--;
}

wf_block *wf_header_next_locked(wf_shard *shard, wf_header_chunk **chunk, int *index)
{
    if (!*chunk) {
        *chunk = shard->chunks;
        *index = 0;
    }
    for (; *chunk; *chunk = (*chunk)->next, *index = 0)
        for (; (*chunk)->live > 0 && *index < CHUNK_BLOCKS; (*index)++) {
            wf_block *block = &(*chunk)->block[*index];
            if (atomic_load_explicit(&block->refs, memory_order_relaxed) == 0) continue;
            (*index)++;
            return block;
        }
    return NULL;
}

// --- small memory ---

bool wf_is_small(const wf_store *store, int device, int64_t bytes)
{
    return bytes <= WF_BLOCK_SMALL && device != DEVICE_HOST && store->place[device].visible;
}

static wf_slab_class *slab_list(wf_shard *shard, int device, int class)
{
    return &shard->classes[device * NCLASS + class];
}

static void link_slab(wf_slab_class *list, wf_slab *slab)
{
    slab->prev = NULL;
    slab->next = list->partial;
    if (list->partial) list->partial->prev = slab;
    list->partial = slab;
}

static void unlink_slab(wf_slab_class *list, wf_slab *slab)
{
    if (slab->next) slab->next->prev = slab->prev;
    if (slab->prev) slab->prev->next = slab->next;
    else list->partial = slab->next;
}

static weft_status make_slab(wf_store *store, int device, int class, wf_slab **out)
{
    wf_slab *slab = wf_alloc(sizeof *slab);
    void *memory = NULL;

    if (!slab) return WEFT_NO_MEMORY;
    const weft_status st = wf_memory_allocate(store, device, SLAB_BYTES, &memory);
    if (st != WEFT_OK) {
        wf_free(slab);
        return st;
    }
    slab->memory = memory;
    slab->device = device;
    slab->class = class;
    slab->capacity = (int)(SLAB_BYTES / class_bytes(class));
    *out = slab;
    return WEFT_OK;
}

void wf_slab_destroy(wf_store *store, wf_slab *slab)
{
    if (!slab) return;
    wf_memory_release(store, slab->device, slab->memory, SLAB_BYTES);
    wf_free(slab);
}

weft_status wf_small_take_locked(wf_shard *shard, int device, int64_t bytes, void **data,
                                 wf_slab **out)
{
    const int class = class_of(bytes);
    wf_slab_class *list = slab_list(shard, device, class);

    while (!list->partial) {
        wf_slab *slab = NULL;
        wf_mutex_unlock(&shard->lock);
        const weft_status st = make_slab(shard->store, device, class, &slab);
        wf_mutex_lock(&shard->lock);
        if (st != WEFT_OK) return st;
        link_slab(list, slab);
        add_overhead(shard, device, SLAB_BYTES);
    }
    wf_slab *slab = list->partial;
    if (slab->free) {
        *data = slab->free;
        memcpy(&slab->free, *data, sizeof slab->free);
    } else {
        *data = slab->memory + slab->fresh++ * class_bytes(class);
    }
    slab->live++;
    if (slab->live == slab->capacity) unlink_slab(list, slab);
    add_overhead(shard, device, -bytes);
    *out = slab;
    return WEFT_OK;
}

// The last empty slab of a class is kept: a block made and freed over and over must not ask the
// device each time.
wf_slab *wf_small_give_locked(wf_shard *shard, wf_slab *slab, void *data, int64_t bytes)
{
    wf_slab_class *list = slab_list(shard, slab->device, slab->class);

    memcpy(data, &slab->free, sizeof slab->free);
    slab->free = data;
    add_overhead(shard, slab->device, bytes);
    if (slab->live-- == slab->capacity) link_slab(list, slab);
    if (slab->live > 0 || (list->partial == slab && !slab->next)) return NULL;
    unlink_slab(list, slab);
    add_overhead(shard, slab->device, -SLAB_BYTES);
    return slab;
}

// --- shards ---

// Threads take shards in turn, as they first come by.
wf_shard *wf_shard_here(wf_store *store)
{
    static atomic_uint threads;
    static _Thread_local unsigned mine;

    if (mine == 0) mine = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % NSHARD;
    return &store->shards[mine - 1];
}

weft_status wf_shards_create(wf_store *store)
{
    store->shard_memory = wf_calloc(NSHARD + 1, sizeof(wf_shard));
    if (!store->shard_memory) return WEFT_NO_MEMORY;
    const uintptr_t align = _Alignof(wf_shard);
    store->shards = (wf_shard *)(((uintptr_t)store->shard_memory + align - 1) / align * align);
    for (int i = 0; i < NSHARD; i++) {
        wf_shard *shard = &store->shards[i];
        wf_mutex_init(&shard->lock);
        wf_cond_init(&shard->loaded);
        shard->store = store;
    }
    for (int i = 0; i < NSHARD; i++) {
        store->shards[i].classes = wf_calloc((size_t)store->nplace * NCLASS, sizeof(wf_slab_class));
        store->shards[i].used =
            wf_calloc(2 * ((size_t)store->nplace + 1), sizeof *store->shards[i].used);
        store->shards[i].overhead =
            store->shards[i].used ? store->shards[i].used + store->nplace + 1 : NULL;
        if (!store->shards[i].classes || !store->shards[i].overhead) return WEFT_NO_MEMORY;
    }
    return WEFT_OK;
}

// Unlinks every empty slab into *GONE; they are destroyed without the lock.
static void collect_empty_slabs(wf_shard *shard, wf_slab **gone)
{
    for (int i = 0; i < shard->store->nplace * NCLASS; i++)
        for (wf_slab *slab = shard->classes[i].partial, *next; slab; slab = next) {
            next = slab->next;
            if (slab->live > 0) continue;
            unlink_slab(&shard->classes[i], slab);
            add_overhead(shard, slab->device, -SLAB_BYTES);
            slab->next = *gone;
            *gone = slab;
        }
}

static void collect_empty_chunks(wf_shard *shard, wf_header_chunk **gone)
{
    if (shard->scans > 0) return;
    for (wf_header_chunk **link = &shard->chunks; *link;) {
        wf_header_chunk *chunk = *link;
        if (chunk->live > 0) {
            link = &chunk->next;
            continue;
        }
        *link = chunk->next;
        unlink_partial_chunk(shard, chunk);
        add_overhead(shard, shard->store->nplace, -(int64_t)(CHUNK_BLOCKS * sizeof(wf_block)));
        chunk->next = *gone;
        *gone = chunk;
    }
}

void wf_shard_trim(wf_shard *shard)
{
    wf_slab *slabs = NULL;
    wf_header_chunk *chunks = NULL;

    wf_mutex_lock(&shard->lock);
    collect_empty_slabs(shard, &slabs);
    collect_empty_chunks(shard, &chunks);
    wf_mutex_unlock(&shard->lock);
    while (slabs) {
        wf_slab *next = slabs->next;
        wf_slab_destroy(shard->store, slabs);
        slabs = next;
    }
    while (chunks) {
        wf_header_chunk *next = chunks->next;
        wf_free(chunks->heap);
        chunks = next;
    }
}

void wf_shards_destroy(wf_store *store)
{
    for (int i = 0; store->shards && i < NSHARD; i++) {
        wf_shard *shard = &store->shards[i];
        if (shard->classes && shard->overhead) wf_shard_trim(shard);
        WF_ASSERT(!shard->chunks);  // every block must be gone
        wf_free(shard->classes);
        wf_free(shard->used);
        wf_cond_fini(&shard->loaded);
        wf_mutex_fini(&shard->lock);
    }
    wf_free(store->shard_memory);
}
