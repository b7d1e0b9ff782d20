// SPDX-License-Identifier: Apache-2.0
// residence - the copies of one block: where its bytes are whole, and how a copy comes and goes.
// All of it under the lock of the block's shard; no I/O, and no memory is given back here (remains
// say what to give back once the lock is let go).
#include "base/alloc.h"
#include "memory/block.h"

void wf_remains_free(wf_store *store, const wf_remains *remains)
{
    if (remains->data) wf_memory_release(store, remains->device, remains->data, remains->bytes);
    wf_slab_destroy(store, remains->slab);
    if (remains->bytes == 0) return;
    wf_unclaim(store, remains->device, remains->bytes);
}

weft_status wf_more_make_locked(wf_block *block)
{
    if (block->more) return WEFT_OK;
    block->more = wf_alloc(sizeof *block->more);
    return block->more ? WEFT_OK : WEFT_NO_MEMORY;
}

wf_copy *wf_copy_find_locked(const wf_block *block, int device)
{
    for (wf_copy *copy = block->more ? block->more->copies : NULL; copy; copy = copy->next)
        if (copy->device == device) return copy;
    return NULL;
}

bool wf_block_is_elsewhere_locked(const wf_block *block, int device)
{
    const uint64_t state = atomic_load(&block->state);

    if (block->more && block->more->extent) return true;
    if (state & BLOCK_RESIDENT && block_device(state) != device) return true;
    for (const wf_copy *copy = block->more ? block->more->copies : NULL; copy; copy = copy->next)
        if (copy->device != device && !copy->dead) return true;
    return false;
}

bool wf_block_retain_live_locked(wf_block *block)
{
    int refs = atomic_load(&block->refs);

    do
        if (refs == 0) return false;
    while (!atomic_compare_exchange_weak(&block->refs, &refs, refs + 1));
    return true;
}

// What is left of memory that a copy had.
static wf_remains remains_of(wf_block *block, int device, void *data, wf_slab *slab)
{
    wf_remains remains = { .device = device, .bytes = block->bytes, .data = data };

    if (slab) {
        remains.slab = wf_small_give_locked(block->shard, slab, data, block->bytes);
        remains.data = NULL;
    }
    wf_use_locked(block->shard, device, block->bytes, !slab, false);
    return remains;
}

// The primary is gone and STATE has no RESIDENT: only the lock's holder changes it.
static void promote_next_copy(wf_block *block)
{
    wf_copy **link = block->more ? &block->more->copies : NULL;

    while (link && *link && ((*link)->dead || (*link)->device == DEVICE_HOST))
        link = &(*link)->next;
    if (!link || !*link) return;
    wf_copy *copy = *link;
    *link = copy->next;
    block->data = copy->data;
    block->slab = copy->slab;
    const uint64_t flags =
        atomic_load(&block->state) & ~(BLOCK_PINS | BLOCK_DEVICE | BLOCK_EVICTING);
    atomic_store(&block->state, flags | BLOCK_RESIDENT | block_on(copy->device) |
                                    (uint64_t)copy->pins | (copy->evicting ? BLOCK_EVICTING : 0));
    wf_free(copy);
}

static bool drop_primary(wf_block *block, wf_remains *remains)
{
    uint64_t state = atomic_load(&block->state);
    uint64_t gone = 0;

    do {
        if (block_pins(state) > 0 || !(state & BLOCK_RESIDENT)) return false;
        gone = (state & ~(BLOCK_DEVICE | BLOCK_RESIDENT | BLOCK_EVICTING)) | block_on(DEVICE_NONE);
    } while (!atomic_compare_exchange_weak(&block->state, &state, gone));
    *remains = remains_of(block, block_device(state), block->data, block->slab);
    block->data = NULL;
    block->slab = NULL;
    promote_next_copy(block);
    return true;
}

bool wf_copy_drop_locked(wf_block *block, int device, wf_remains *remains)
{
    const uint64_t state = atomic_load(&block->state);

    if (block_device(state) == device && !(state & BLOCK_DEAD)) return drop_primary(block, remains);
    for (wf_copy **link = block->more ? &block->more->copies : NULL; link && *link;
         link = &(*link)->next) {
        wf_copy *copy = *link;
        if (copy->device != device) continue;
        if (copy->pins > 0) return false;
        *link = copy->next;
        *remains = remains_of(block, device, copy->data, copy->slab);
        wf_free(copy);
        return true;
    }
    return false;
}

void wf_copy_bury_locked(wf_block *block, int device, wf_remains *remains)
{
    const uint64_t state = atomic_load(&block->state);

    if (block_device(state) == device && (state & BLOCK_DEAD)) {
        if (block_pins(state) > 0 || (state & BLOCK_EVICTING)) return;
        if (!(state & BLOCK_WRAPPED))
            *remains = remains_of(block, device, block->data, block->slab);
        block->data = NULL;
        block->slab = NULL;
        atomic_store(&block->state, (state & ~(BLOCK_DEVICE | BLOCK_DEAD)) | block_on(DEVICE_NONE));
        promote_next_copy(block);
        return;
    }
    wf_copy *copy = wf_copy_find_locked(block, device);
    if (!copy || !copy->dead || copy->evicting) return;
    (void)wf_copy_drop_locked(block, device, remains);  // not if pinned
}

void wf_copy_add_locked(wf_block *block, int device, void *data, wf_slab *slab, int pins,
                        wf_copy *node)
{
    const uint64_t state = atomic_load(&block->state);

    wf_use_locked(block->shard, device, block->bytes, !slab, true);
    if (block_device(state) == DEVICE_NONE && device != DEVICE_HOST) {
        block->data = data;
        block->slab = slab;
        atomic_store(&block->state, (state & ~(BLOCK_PINS | BLOCK_DEVICE)) | BLOCK_RESIDENT |
                                        block_on(device) | (uint64_t)pins);
        wf_free(node);
        return;
    }
    *node = (wf_copy){
        .next = block->more->copies, .device = device, .pins = pins, .data = data, .slab = slab
    };
    block->more->copies = node;
}

void wf_extent_add_locked(wf_block *block, wf_extent *extent, int64_t offset)
{
    wf_store *store = block->shard->store;

    block->more->extent = extent;
    block->more->extent_offset = offset;
    const int64_t now = atomic_fetch_add(&store->spilled, block->bytes) + block->bytes;
    int_fast64_t peak = atomic_load(&store->spilled_peak);
    while (peak < now && !atomic_compare_exchange_weak(&store->spilled_peak, &peak, now)) {}
    wf_stats_peak(store->stats, WF_STAT_PEAK_SPILLED, now);
}

wf_extent *wf_extent_take_locked(wf_block *block)
{
    wf_extent *extent = block->more ? block->more->extent : NULL;

    if (!extent) return NULL;
    block->more->extent = NULL;
    atomic_fetch_sub(&block->shard->store->spilled, block->bytes);
    return extent;
}
