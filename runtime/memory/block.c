// SPDX-License-Identifier: Apache-2.0
// block - the life of a block: made from a reservation or over memory of somebody else, sealed,
// shared, taken over, lost, freed.
// Any thread may call. Pinning and reading are in pin.c.
#include <string.h>

#include "base/alloc.h"
#include "memory/block.h"

// --- making ---

static weft_status check_reservation(const wf_store *store, const wf_reservation *reservation,
                                     int64_t bytes)
{
    if (bytes >= 0 && reservation->device >= 0 && reservation->device < store->nplace &&
        reservation->bytes >= bytes)
        return WEFT_OK;
    return wf_fail(WEFT_NO_MEMORY,
                   "store: a block of %" PRId64 " bytes does not fit a reservation of %" PRId64,
                   bytes, reservation->bytes);
}

// The lock is held; publishes the header.
static void start_block(wf_block *block, int device, int64_t bytes, void *data, wf_slab *slab,
                        uint64_t flags)
{
    block->bytes = bytes;
    block->data = data;
    block->slab = slab;
    block->cost = 0;
    atomic_store_explicit(&block->stamp, wf_store_tick(block->shard->store), memory_order_relaxed);
    atomic_store_explicit(&block->state, flags | BLOCK_RESIDENT | block_on(device),
                          memory_order_relaxed);
    atomic_store_explicit(&block->refs, 1, memory_order_release);
}

static weft_status create_small(wf_shard *shard, int device, int64_t bytes, wf_block **out)
{
    wf_block *block = NULL;
    wf_slab *slab = NULL;
    void *data = NULL;

    WF_TRY(wf_header_take(shard, &block));
    const weft_status st = wf_small_take_locked(shard, device, bytes, &data, &slab);
    if (st == WEFT_OK) {
        wf_use_locked(shard, device, bytes, false, true);
        start_block(block, device, bytes, data, slab, 1);
        *out = block;
    } else {
        wf_header_give_locked(block);
    }
    wf_mutex_unlock(&shard->lock);
    return st;
}

static weft_status create_large(wf_shard *shard, int device, int64_t bytes, wf_block **out)
{
    wf_block *block = NULL;
    void *data = NULL;

    WF_TRY(wf_memory_allocate(shard->store, device, bytes, &data));
    const weft_status st = wf_header_take(shard, &block);
    if (st != WEFT_OK) {
        wf_memory_release(shard->store, device, data, bytes);
        return st;
    }
    wf_use_locked(shard, device, bytes, true, true);
    start_block(block, device, bytes, data, NULL, 1);
    wf_mutex_unlock(&shard->lock);
    *out = block;
    return WEFT_OK;
}

weft_status wf_block_create(wf_store *store, wf_reservation *reservation, int64_t bytes,
                            wf_block **out)
{
    const int device = reservation->device;
    wf_shard *shard = wf_shard_here(store);

    WF_TRY(check_reservation(store, reservation, bytes));
    WF_TRY(wf_is_small(store, device, bytes) ? create_small(shard, device, bytes, out)
                                             : create_large(shard, device, bytes, out));
    reservation->bytes -= bytes;
    wf_stats_add(store->stats, WF_STAT_BLOCKS_MADE, 1);
    return WEFT_OK;
}

weft_status wf_block_wrap(wf_store *store, int device, void *data, int64_t bytes,
                          void (*release)(void *context), void *context, wf_block **out)
{
    wf_shard *shard = wf_shard_here(store);
    wf_block *block = NULL;
    wf_more *more = NULL;

    if (device < 0 || device >= store->nplace || bytes < 0)
        return wf_fail(
            WEFT_INVALID,
            "store: expected one of %d devices and bytes >= 0, got device %d and %" PRId64,
            store->nplace, device, bytes);
    if (release) {
        more = wf_alloc(sizeof *more);
        if (!more) return WEFT_NO_MEMORY;
        more->release = release;
        more->context = context;
    }
    const weft_status st = wf_header_take(shard, &block);
    if (st != WEFT_OK) {
        wf_free(more);
        return st;
    }
    block->more = more;
    start_block(block, device, bytes, data, NULL, BLOCK_SEALED | BLOCK_WRAPPED);
    wf_mutex_unlock(&shard->lock);
    *out = block;
    return WEFT_OK;
}

void wf_block_seal(wf_block *block, double cost)
{
    uint64_t state = atomic_load(&block->state);

    WF_ASSERT(!(state & BLOCK_SEALED) && block_pins(state) == 1);
    block->cost = (float)cost;  // read only behind SEALED
    atomic_store_explicit(&block->stamp, wf_store_tick(block->shard->store), memory_order_relaxed);
    // While its device is there, sealing and dropping the pin are one step.
    while (state & BLOCK_RESIDENT)
        if (atomic_compare_exchange_weak(&block->state, &state, (state | BLOCK_SEALED) - 1)) {
            wf_store_wake(block->shard->store);
            return;
        }
    atomic_fetch_or(&block->state, BLOCK_SEALED);
    wf_block_unpin(block, block_device(state));
}

// --- sharing and freeing ---

void wf_block_retain(wf_block *block)
{
    atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
}

// Gives back what the copies but the primary had, under the lock but for memory of its own. Rare.
static void free_copies(wf_block *block)
{
    wf_store *store = block->shard->store;

    while (block->more && block->more->copies) {
        wf_remains remains = { 0 };
        wf_mutex_lock(&block->shard->lock);
        WF_ASSERT(wf_copy_drop_locked(block, block->more->copies->device, &remains));
        wf_mutex_unlock(&block->shard->lock);
        wf_remains_free(store, &remains);
    }
}

static void free_more(wf_block *block)
{
    wf_more *more = block->more;

    if (!more) return;
    free_copies(block);
    wf_mutex_lock(&block->shard->lock);
    wf_extent *extent = wf_extent_take_locked(block);
    block->more = NULL;
    wf_mutex_unlock(&block->shard->lock);
    wf_extent_release(block->shard->store->spill, extent);
    if (more->release) more->release(more->context);
    wf_free(more);
}

// Nobody else knows the block but walks over the headers, which skip it: it has no references.
static void free_block(wf_block *block)
{
    wf_shard *shard = block->shard;
    wf_store *store = shard->store;
    const uint64_t state = atomic_load(&block->state);
    const int64_t bytes = block->bytes;
    const bool owned = block_device(state) != DEVICE_NONE && !(state & BLOCK_WRAPPED);
    wf_remains remains = { 0 };

    WF_ASSERT(block_pins(state) == 0 || !(state & BLOCK_SEALED));
    if (owned)
        remains = (wf_remains){ .device = block_device(state),
                                .bytes = bytes,
                                .data = block->slab ? NULL : block->data };
    if (block->more) free_more(block);
    wf_mutex_lock(&shard->lock);
    if (owned) wf_use_locked(shard, block_device(state), bytes, !block->slab, false);
    if (owned && block->slab)
        remains.slab = wf_small_give_locked(shard, block->slab, block->data, bytes);
    wf_header_give_locked(block);
    wf_mutex_unlock(&shard->lock);
    wf_remains_free(store, &remains);
    wf_stats_add(store->stats, WF_STAT_BLOCKS_FREED, 1);
}

void wf_block_release(wf_block *block)
{
    if (block && atomic_fetch_sub(&block->refs, 1) == 1) free_block(block);
}

// --- taking over ---

bool wf_block_reuse(wf_block *block, int device)
{
    wf_store *store = block->shard->store;
    uint64_t state = atomic_load(&block->state);
    wf_extent *extent = NULL;
    const uint64_t barred =
        BLOCK_EVICTING | BLOCK_LOADING | BLOCK_DEAD | BLOCK_WRAPPED | BLOCK_LOST;

    if (atomic_load(&block->refs) != 1 || (state & barred)) return false;
    wf_mutex_lock(&block->shard->lock);
    bool taken = atomic_load(&block->refs) == 1 && !(block->more && block->more->copies);
    state = atomic_load(&block->state);
    do
        if (!(state & BLOCK_RESIDENT) || !(state & BLOCK_SEALED) || (state & barred) ||
            block_device(state) != device || block_pins(state) != 1)
            taken = false;
    while (taken && !atomic_compare_exchange_weak(&block->state, &state, state & ~BLOCK_SEALED));
    if (taken) extent = wf_extent_take_locked(block);
    wf_mutex_unlock(&block->shard->lock);
    wf_extent_release(store->spill, extent);
    if (taken) wf_stats_add(store->stats, WF_STAT_BLOCKS_REUSED, 1);
    return taken;
}

void wf_block_spoil(wf_block *block)
{
    atomic_fetch_or(&block->state, BLOCK_LOST);
    wf_block_seal(block, 0);
}

// --- losing ---

static void lose_copy_locked(wf_block *block, int device, wf_remains *remains)
{
    uint64_t state = atomic_load(&block->state);
    wf_copy *copy = wf_copy_find_locked(block, device);

    if (copy) copy->dead = true;
    if (block_device(state) == device && (state & BLOCK_RESIDENT))
        while (!atomic_compare_exchange_weak(&block->state, &state,
                                             (state & ~BLOCK_RESIDENT) | BLOCK_DEAD)) {}
    wf_copy_bury_locked(block, device, remains);
    if (!wf_block_is_elsewhere_locked(block, device)) atomic_fetch_or(&block->state, BLOCK_LOST);
}

static bool is_on(const wf_block *block, int device)
{
    const uint64_t state = atomic_load(&block->state);
    return (block_device(state) == device && (state & BLOCK_RESIDENT)) ||
           wf_copy_find_locked(block, device);
}

static void lose_in_shard(wf_shard *shard, int device)
{
    wf_header_chunk *chunk = NULL;
    int index = 0;
    const bool visible = shard->store->place[device].visible;

    wf_mutex_lock(&shard->lock);
    shard->scans++;
    for (wf_block *block; (block = wf_header_next_locked(shard, &chunk, &index));) {
        wf_remains remains = { 0 };
        const bool borrowed = visible && (atomic_load(&block->state) & BLOCK_WRAPPED);
        // The caller's memory is not the device's
        if (borrowed && !wf_copy_find_locked(block, device)) continue;
        if (!is_on(block, device) || !wf_block_retain_live_locked(block)) continue;
        lose_copy_locked(block, device, &remains);
        wf_mutex_unlock(&shard->lock);
        wf_remains_free(shard->store, &remains);
        wf_block_release(block);
        wf_mutex_lock(&shard->lock);
    }
    shard->scans--;
    wf_mutex_unlock(&shard->lock);
}

void wf_store_lose_device(wf_store *store, int device)
{
    WF_ASSERT(device >= 0 && device < store->nplace);
    for (int i = 0; i < NSHARD; i++) lose_in_shard(&store->shards[i], device);
    wf_stats_add(store->stats, WF_STAT_DEVICES_LOST, 1);
    wf_store_wake(store);
}

// --- asking ---

int64_t wf_block_bytes(const wf_block *block) { return block->bytes; }

bool wf_block_is_resident(const wf_block *block, int device)
{
    const uint64_t state = atomic_load(&block->state);

    if (block_device(state) == device) return (state & BLOCK_RESIDENT) != 0;
    wf_mutex_lock(&block->shard->lock);
    const wf_copy *copy = wf_copy_find_locked(block, device);
    const bool resident =
        (copy && !copy->dead) || (block_device(atomic_load(&block->state)) == device &&
                                  (atomic_load(&block->state) & BLOCK_RESIDENT));
    wf_mutex_unlock(&block->shard->lock);
    return resident;
}

int wf_block_device(const wf_block *block)
{
    const uint64_t state = atomic_load(&block->state);
    return state & BLOCK_RESIDENT ? block_device(state) : -1;
}

bool wf_block_is_lost(const wf_block *block)
{
    return (atomic_load(&block->state) & BLOCK_LOST) != 0;
}

int64_t wf_block_pin_bytes(const wf_block *block, int device)
{
    return wf_block_is_resident(block, device) ? 0 : block->bytes;
}
