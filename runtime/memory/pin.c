// SPDX-License-Identifier: Apache-2.0
// pin - borrowing a block's bytes: where they are, or brought there first; or a piece of them
// copied out.
// Any thread may call. Pinning what is already there is one compare-and-swap; everything else takes
// the shard's lock, and lets it go while bytes move. One thread at a time brings copies of one
// block; others wait for it and find its copy.
#include <string.h>

#include "base/alloc.h"
#include "memory/block.h"
#include "observe/trace.h"

// --- pins ---

static void touch(wf_block *block)
{
    const unsigned tick = wf_store_tick(block->shard->store);

    // Most pins find their own stamp: then the line is not made dirty for it.
    if (atomic_load_explicit(&block->stamp, memory_order_relaxed) != tick)
        atomic_store_explicit(&block->stamp, tick, memory_order_relaxed);
}

static bool pin_primary(wf_block *block, int device, void **data)
{
    uint64_t state = atomic_load(&block->state);

    do
        if (!(state & BLOCK_RESIDENT) || block_device(state) != device) return false;
    while (!atomic_compare_exchange_weak(&block->state, &state, state + 1));
    *data = block->data;  // fixed while pinned
    return true;
}

static bool unpin_primary(wf_block *block, int device, bool *last)
{
    uint64_t state = atomic_load(&block->state);

    do {
        if (!(state & BLOCK_RESIDENT) || block_device(state) != device) return false;
        WF_ASSERT(block_pins(state) > 0);
    } while (!atomic_compare_exchange_weak(&block->state, &state, state - 1));
    *last = block_pins(state) == 1;
    return true;
}

static bool unpin_locked(wf_block *block, int device, wf_remains *remains)
{
    const uint64_t state = atomic_load(&block->state);
    wf_copy *copy = wf_copy_find_locked(block, device);
    bool last = false;

    if (unpin_primary(block, device, &last)) return last;
    if ((state & BLOCK_DEAD) && block_device(state) == device) {
        WF_ASSERT(block_pins(state) > 0);
        atomic_store(&block->state, state - 1);
        last = block_pins(state) == 1;
    } else {
        WF_ASSERT(copy && copy->pins > 0);
        last = --copy->pins == 0;
    }
    wf_copy_bury_locked(block, device, remains);
    return last;
}

void wf_block_unpin(wf_block *block, int device)
{
    wf_store *store = block->shard->store;
    bool last = false;

    touch(block);
    if (!unpin_primary(block, device, &last)) {
        wf_remains remains = { 0 };
        wf_mutex_lock(&block->shard->lock);
        last = unpin_locked(block, device, &remains);
        wf_mutex_unlock(&block->shard->lock);
        wf_remains_free(store, &remains);
    }
    if (last) wf_store_wake(store);  // it may be evicted now
}

// --- bringing a copy ---

// Where the bytes of a new copy come from, kept from going away: a pinned copy, or an extent with a
// reference.
typedef struct origin {
    int device;  // DEVICE_NONE: disk
    const void *data;
    wf_extent *extent;
    int64_t offset;
} origin;

// Host-visible copies first, then any device's, then disk. False: there is none.
static bool choose_origin_locked(wf_block *block, origin *out)
{
    wf_store *store = block->shard->store;
    const uint64_t state = atomic_load(&block->state);
    void *data = NULL;
    wf_copy *best = NULL;

    for (wf_copy *copy = block->more ? block->more->copies : NULL; copy; copy = copy->next)
        if (!copy->dead &&
            (!best || (!wf_is_visible(store, best->device) && wf_is_visible(store, copy->device))))
            best = copy;
    const bool primary = state & BLOCK_RESIDENT;
    if (primary &&
        (!best || wf_is_visible(store, block_device(state)) || !wf_is_visible(store, best->device)))
        if (pin_primary(block, block_device(state), &data)) {
            *out = (origin){ .device = block_device(state), .data = data };
            return true;
        }
    if (best) {
        best->pins++;
        *out = (origin){ .device = best->device, .data = best->data };
        return true;
    }
    if (!block->more || !block->more->extent) return false;
    wf_extent_retain(block->more->extent);
    *out = (origin){ .device = DEVICE_NONE,
                     .extent = block->more->extent,
                     .offset = block->more->extent_offset };
    return true;
}

static void release_origin(wf_block *block, const origin *from)
{
    if (from->device != DEVICE_NONE) wf_block_unpin(block, from->device);
    else wf_extent_release(block->shard->store->spill, from->extent);
}

static weft_status fetch_origin(wf_block *block, const origin *from, int device, void *data)
{
    wf_store *store = block->shard->store;
    const int64_t begin = wf_trace_begin();

    if (from->device != DEVICE_NONE)
        return wf_copy_bytes(store, from->device, from->data, device, data, block->bytes);
    WF_TRY(wf_copy_from_disk(store, from->extent, from->offset, block->bytes, device, data));
    wf_trace_end(begin, "spill", "unspill", -1, block->bytes);
    return WEFT_OK;
}

static weft_status fail_lost(const wf_block *block)
{
    return wf_fail(WEFT_LOST,
                   "store: a block of %" PRId64 " bytes was lost with the only copy of it",
                   block->bytes);
}

// Damage on disk that leaves no other copy loses the block, once and for all.
static void forget_damaged(wf_block *block, const origin *from)
{
    wf_extent *extent = NULL;

    if (from->device != DEVICE_NONE) return;
    wf_mutex_lock(&block->shard->lock);
    if (block->more->extent == from->extent) extent = wf_extent_take_locked(block);
    if (!wf_block_is_elsewhere_locked(block, DEVICE_NONE))
        atomic_fetch_or(&block->state, BLOCK_LOST);
    wf_mutex_unlock(&block->shard->lock);
    wf_extent_release(block->shard->store->spill, extent);
}

// Memory for a copy of BLOCK on DEVICE.
static weft_status take_memory(wf_block *block, int device, void **data, wf_slab **slab)
{
    wf_shard *shard = block->shard;

    if (!wf_is_small(shard->store, device, block->bytes))
        return wf_memory_allocate(shard->store, device, block->bytes, data);
    wf_mutex_lock(&shard->lock);
    const weft_status st = wf_small_take_locked(shard, device, block->bytes, data, slab);
    wf_mutex_unlock(&shard->lock);
    return st;
}

static void give_memory(wf_block *block, int device, void *data, wf_slab *slab)
{
    wf_shard *shard = block->shard;

    if (!slab) {
        wf_memory_release(shard->store, device, data, block->bytes);
        return;
    }
    wf_mutex_lock(&shard->lock);
    slab = wf_small_give_locked(shard, slab, data, block->bytes);
    wf_mutex_unlock(&shard->lock);
    wf_slab_destroy(shard->store, slab);
}

// Makes the copy, pinned once. LOADING is ours.
static weft_status load_copy(wf_block *block, int device, const origin *from, void **out)
{
    wf_slab *slab = NULL;
    void *data = NULL;
    wf_copy *node = wf_alloc(sizeof *node);
    weft_status st = node ? take_memory(block, device, &data, &slab) : WEFT_NO_MEMORY;

    if (st != WEFT_OK) goto undo_node;
    if ((st = fetch_origin(block, from, device, data)) != WEFT_OK) goto undo_memory;
    wf_mutex_lock(&block->shard->lock);
    const bool lost = wf_block_is_lost(block);
    if (!lost) st = wf_more_make_locked(block);
    if (!lost && st == WEFT_OK) wf_copy_add_locked(block, device, data, slab, 1, node);
    wf_mutex_unlock(&block->shard->lock);
    if (lost) st = fail_lost(block);
    if (st != WEFT_OK) goto undo_memory;
    *out = data;
    return WEFT_OK;

undo_memory:
    give_memory(block, device, data, slab);
undo_node:
    wf_free(node);
    return st;
}

// What pinning on DEVICE takes next, with the lock held.
enum next_step { PINNED, WAIT, LOAD, FAIL };

static enum next_step next_step_locked(wf_block *block, int device, void **data, weft_status *st)
{
    const uint64_t state = atomic_load(&block->state);

    if (pin_primary(block, device, data)) return PINNED;
    wf_copy *copy = wf_copy_find_locked(block, device);
    if (copy && !copy->dead) {
        copy->pins++;
        *data = copy->data;
        return PINNED;
    }
    if (state & BLOCK_LOST) {
        *st = fail_lost(block);
        return FAIL;
    }
    if (copy || ((state & BLOCK_DEAD) && block_device(state) == device)) {
        *st = wf_fail(WEFT_DEVICE, "store: %s was lost, and what ran there has not ended yet",
                      wf_place_name(block->shard->store, device));
        return FAIL;
    }
    if (!(state & BLOCK_SEALED)) {
        *st = wf_fail(WEFT_BUSY, "store: a block of %" PRId64 " bytes is still being written",
                      block->bytes);
        return FAIL;
    }
    return state & BLOCK_LOADING ? WAIT : LOAD;
}

static weft_status check_room(const wf_block *block, int device, const wf_reservation *reservation)
{
    const int64_t have = reservation && reservation->device == device ? reservation->bytes : 0;

    if (have >= block->bytes) return WEFT_OK;
    return wf_fail(WEFT_NO_MEMORY,
                   "store: pinning a block of %" PRId64 " bytes on %s needs them reserved, %" PRId64
                   " are",
                   block->bytes, wf_place_name(block->shard->store, device), have);
}

weft_status wf_block_pin(wf_block *block, int device, wf_reservation *reservation, void **data)
{
    wf_shard *shard = block->shard;
    enum next_step step = WAIT;
    weft_status st = WEFT_OK;
    origin from = { 0 };

    touch(block);
    if (pin_primary(block, device, data)) return WEFT_OK;
    wf_mutex_lock(&shard->lock);
    while ((step = next_step_locked(block, device, data, &st)) == WAIT)
        wf_cond_wait(&shard->loaded, &shard->lock);
    if (step == LOAD && (st = check_room(block, device, reservation)) == WEFT_OK) {
        if (choose_origin_locked(block, &from)) atomic_fetch_or(&block->state, BLOCK_LOADING);
        else
            st =
                wf_fail(WEFT_LOST, "store: a block of %" PRId64 " bytes has no copy", block->bytes);
    }
    wf_mutex_unlock(&shard->lock);
    if (step != LOAD || st != WEFT_OK) return st;

    st = load_copy(block, device, &from, data);
    if (st == WEFT_LOST) forget_damaged(block, &from);
    release_origin(block, &from);
    wf_mutex_lock(&shard->lock);
    atomic_fetch_and(&block->state, ~BLOCK_LOADING);
    wf_cond_broadcast(&shard->loaded);
    wf_mutex_unlock(&shard->lock);
    if (st != WEFT_OK) return st;
    reservation->bytes -= block->bytes;
    return WEFT_OK;
}

// --- reading without a copy that stays ---

weft_status wf_block_fetch(wf_block *block, int device, void *out)
{
    origin from = { 0 };

    if (wf_is_visible(block->shard->store, device))
        return wf_block_read(block, 0, block->bytes, out);
    if (block->bytes == 0) return WEFT_OK;
    wf_mutex_lock(&block->shard->lock);
    const bool found = choose_origin_locked(block, &from);
    wf_mutex_unlock(&block->shard->lock);
    if (!found) return fail_lost(block);
    const weft_status st = fetch_origin(block, &from, device, out);
    if (st == WEFT_LOST) forget_damaged(block, &from);
    release_origin(block, &from);
    return st;
}

weft_status wf_block_read(wf_block *block, int64_t offset, int64_t bytes, void *out)
{
    wf_store *store = block->shard->store;
    origin from = { 0 };
    weft_status st = WEFT_OK;

    if (offset < 0 || bytes < 0 || bytes > block->bytes || offset > block->bytes - bytes)
        return wf_fail(WEFT_INVALID,
                       "store: wanted bytes %" PRId64 " to %" PRId64 " of a block of %" PRId64,
                       offset, offset + bytes, block->bytes);
    if (bytes == 0) return WEFT_OK;
    wf_mutex_lock(&block->shard->lock);
    const bool found = choose_origin_locked(block, &from);
    wf_mutex_unlock(&block->shard->lock);
    if (!found) return fail_lost(block);
    if (from.device != DEVICE_NONE)
        st = wf_copy_out(store, from.device, (const char *)from.data + offset, out, bytes);
    else st = wf_spill_read(store->spill, from.extent, from.offset + offset, bytes, out);
    if (from.device == DEVICE_NONE && st == WEFT_OK)
        wf_stats_add(store->stats, WF_STAT_BYTES_UNSPILLED, bytes);
    if (st == WEFT_LOST) forget_damaged(block, &from);
    release_origin(block, &from);
    return st;
}
