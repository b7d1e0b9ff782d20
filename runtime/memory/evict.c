// SPDX-License-Identifier: Apache-2.0
// evict - makes room in one budget: chooses victims and moves their bytes to the next tier, on the
// thread that wants the room.
// Several threads may evict at once; the lock of a shard is held while blocks are looked at, never
// while bytes move.
//
// Blocks carry a stamp of their last use instead of lying in a list by recency, so that pinning
// takes no lock; the price is a walk over all blocks here. The first walk counts bytes by priority,
// the second takes what lies above the cut: no sorting, and any number of victims.
// Copies that exist elsewhere go first, then what was not used for longest; time counts less for
// blocks that cost more to make again. Blocks of a few KiB and less are packed, many to one write.
//
// Tiers: memory that the host cannot see goes to a host buffer if the host budget has room or can
// make some, else to disk; what the host can see goes to disk.
#include <string.h>

#include "base/alloc.h"
#include "memory/block.h"
#include "observe/trace.h"

enum {
    NAGE = 464,  // classes of age: sixteen per power of two
    PACK_BLOCKS = 1024,
    PACK_BYTES = 1 << 20,
    PACK_BELOW = 32 << 10,  // larger blocks get an extent of their own
    // When blocks are smaller than this, a lot larger than needed is evicted
    SMALL_AVERAGE = 65536,
    LOT_PARTS = 32,  // of the budget
    MAX_WEIGHT = 16,
};
#define DISK_SECONDS_PER_BYTE 1e-9f

typedef struct pack {
    int count;
    int64_t bytes;
    wf_block *block[PACK_BLOCKS];
    const void *data[PACK_BLOCKS];
    int device[PACK_BLOCKS];
} pack;

typedef struct eviction {
    wf_store *store;
    int target;  // a device or DEVICE_HOST
    bool may_write;
    int64_t bytes[2 * NAGE];  // by priority, highest goes first; the upper half exists elsewhere
    int64_t evictable, count, stuck;
    int cut;  // priorities above it go, and of this one BUDGET bytes
    int64_t budget;
    wf_evict_result result;
    weft_status status;
    pack pack;
} eviction;

// --- choosing ---

static int age_class(uint32_t age)
{
    if (age < 16) return (int)age;
    const int top = 31 - __builtin_clz(age);
    return (top - 3) * 16 + (int)(age >> (top - 4) & 15);
}

static int priority_of(const wf_block *block, uint32_t tick, bool elsewhere)
{
    const uint32_t age = tick - atomic_load_explicit(&block->stamp, memory_order_relaxed);
    float weight = 1 + block->cost / ((float)block->bytes * DISK_SECONDS_PER_BYTE);

    if (!(weight < MAX_WEIGHT)) weight = MAX_WEIGHT;
    // A stamp set a moment ago may be ahead of our tick.
    return (elsewhere ? NAGE : 0) +
           age_class(age > INT32_MAX ? 0 : (uint32_t)((float)age / weight));
}

static bool is_target(const eviction *e, int device)
{
    return e->target == device || (e->target == DEVICE_HOST && wf_is_visible(e->store, device));
}

// The device of the first copy of BLOCK that may be evicted for the target; -1: none.
static int find_victim_copy(const eviction *e, const wf_block *block)
{
    const uint64_t state = atomic_load(&block->state);

    if (!(state & BLOCK_SEALED) || block->bytes == 0) return -1;
    if ((state & BLOCK_RESIDENT) && !(state & (BLOCK_WRAPPED | BLOCK_EVICTING)) &&
        block_pins(state) == 0 && is_target(e, block_device(state)))
        return block_device(state);
    for (const wf_copy *copy = block->more ? block->more->copies : NULL; copy; copy = copy->next)
        if (copy->pins == 0 && !copy->dead && !copy->evicting && is_target(e, copy->device))
            return copy->device;
    return -1;
}

static bool can_move(const eviction *e, int device)
{
    return e->may_write && (e->store->spill || !wf_is_visible(e->store, device));
}

static void count_shard(eviction *e, wf_shard *shard, uint32_t tick)
{
    wf_header_chunk *chunk = NULL;
    int index = 0;

    wf_mutex_lock(&shard->lock);
    for (wf_block *block; (block = wf_header_next_locked(shard, &chunk, &index));) {
        const int device = find_victim_copy(e, block);
        if (device < 0) continue;
        const bool elsewhere = wf_block_is_elsewhere_locked(block, device);
        if (!elsewhere && !can_move(e, device)) {
            e->stuck += block->bytes;
            continue;
        }
        e->bytes[priority_of(block, tick, elsewhere)] += block->bytes;
        e->evictable += block->bytes;
        e->count++;
    }
    wf_mutex_unlock(&shard->lock);
}

static void choose_cut(eviction *e, int64_t want)
{
    e->cut = 2 * NAGE - 1;
    for (e->budget = want; e->cut > 0 && e->bytes[e->cut] < e->budget; e->cut--)
        e->budget -= e->bytes[e->cut];
}

// --- moving ---

// What moving made: one of the two.
typedef struct moved {
    wf_extent *extent;
    int64_t offset;
    void *buffer;  // in host memory, claimed
    wf_copy *node;
} moved;

typedef struct fetch_context {
    wf_store *store;
    int device;
    const char *data;
} fetch_context;

static weft_status fetch(void *context, int64_t offset, int64_t bytes, void *out)
{
    const fetch_context *c = context;
    return wf_copy_out(c->store, c->device, c->data + offset, out, bytes);
}

static weft_status move_to_disk(wf_store *store, int device, const void *data, int64_t bytes,
                                moved *out)
{
    fetch_context context = { store, device, data };
    const bool visible = wf_is_visible(store, device);
    const wf_spill_source source = { visible ? data : NULL, fetch, &context };
    const int64_t begin = wf_trace_begin();

    WF_TRY(wf_spill_write(store->spill, &source, bytes, WF_SPILL_CHUNK, &out->extent));
    wf_trace_end(begin, "spill", "spill", -1, bytes);
    wf_stats_add(store->stats, WF_STAT_BYTES_SPILLED, bytes);
    wf_stats_add(store->stats, WF_STAT_BYTES_SPILL_FILES, wf_extent_stored(out->extent));
    return WEFT_OK;
}

// Makes room in the host budget if it must. WEFT_BUSY when there is none to be had.
static weft_status claim_buffer(wf_store *store, int64_t bytes)
{
    while (wf_claim(store, DEVICE_HOST, bytes, false) != CLAIMED) {
        const int64_t need = atomic_load(&store->host.claimed) + bytes - store->host.limit;
        wf_evict_result got = { 0, 0 };
        if (bytes > store->host.limit)
            return wf_fail(WEFT_BUSY, "store: no room for a host buffer of %" PRId64 " bytes",
                           bytes);
        if (need <= 0) continue;
        WF_TRY(wf_evict(store, DEVICE_HOST, need, need, true, &got));
        if (got.freed == 0)
            return wf_fail(WEFT_BUSY, "store: no room for a host buffer of %" PRId64 " bytes",
                           bytes);
    }
    return WEFT_OK;
}

static weft_status move_to_buffer(wf_store *store, int device, const void *data, int64_t bytes,
                                  moved *out)
{
    void *buffer = NULL;
    wf_copy *node = wf_alloc(sizeof *node);

    if (!node) return WEFT_NO_MEMORY;
    weft_status st = claim_buffer(store, bytes);
    if (st != WEFT_OK) goto undo_node;
    if ((st = wf_memory_allocate(store, DEVICE_HOST, bytes, &buffer)) != WEFT_OK) goto undo_claim;
    if ((st = wf_copy_out(store, device, data, buffer, bytes)) != WEFT_OK) goto undo_buffer;
    out->buffer = buffer;
    out->node = node;
    return WEFT_OK;

undo_buffer:
    wf_memory_release(store, DEVICE_HOST, buffer, bytes);
undo_claim:
    wf_unclaim(store, DEVICE_HOST, bytes);
undo_node:
    wf_free(node);
    return st;
}

static void discard(wf_store *store, moved *moved, int64_t bytes)
{
    wf_extent_release(store->spill, moved->extent);
    if (moved->buffer)
        wf_remains_free(
            store, &(wf_remains){ .device = DEVICE_HOST, .data = moved->buffer, .bytes = bytes });
    wf_free(moved->node);
}

// --- one victim ---

// Marks BLOCK's copy on DEVICE, if it is still unpinned.
static bool mark_evicting_locked(wf_block *block, int device, const void **data)
{
    uint64_t state = atomic_load(&block->state);
    wf_copy *copy = block_device(state) == device ? NULL : wf_copy_find_locked(block, device);

    if (copy) {
        copy->evicting = true;
        *data = copy->data;
        return true;
    }
    do
        if (block_pins(state) > 0 || !(state & BLOCK_SEALED) || !(state & BLOCK_RESIDENT))
            return false;
    while (!atomic_compare_exchange_weak(&block->state, &state, state | BLOCK_EVICTING));
    *data = block->data;
    return true;
}

// Clears the mark. True when the copy's device was lost meanwhile: what was made of it does not
// count. Then, if nobody pins the copy, *REMAINS is its memory.
static bool unmark_locked(wf_block *block, int device, wf_remains *remains)
{
    const uint64_t state = atomic_load(&block->state);
    wf_copy *copy = block_device(state) == device ? NULL : wf_copy_find_locked(block, device);
    const bool dead = copy ? copy->dead : (state & BLOCK_DEAD) != 0;

    if (copy) copy->evicting = false;
    else atomic_fetch_and(&block->state, ~BLOCK_EVICTING);
    if (dead) wf_copy_bury_locked(block, device, remains);
    return dead;
}

// Records what MOVED made, and drops the copy unless somebody has pinned it meanwhile.
static void finish_victim(eviction *e, wf_block *block, int device, moved *moved, bool ok)
{
    wf_store *store = e->store;
    wf_shard *shard = block->shard;
    wf_remains remains = { 0 };

    wf_mutex_lock(&shard->lock);
    const bool dead = unmark_locked(block, device, &remains);
    if (ok && !dead) {
        if (moved->buffer)
            wf_copy_add_locked(block, DEVICE_HOST, moved->buffer, NULL, 0, moved->node);
        else wf_extent_add_locked(block, moved->extent, moved->offset);
        *moved = (struct moved){ 0 };
        wf_copy_drop_locked(block, device, &remains);
    }
    wf_mutex_unlock(&shard->lock);
    if (ok) discard(store, moved, block->bytes);
    e->result.freed += remains.bytes;
    wf_remains_free(store, &remains);
    wf_store_wake(store);
    wf_block_release(block);
}

// --- packs: many small blocks, one write. All of one shard ---

static int64_t packed(int64_t bytes) { return (bytes + 63) / 64 * 64; }

static weft_status write_pack(eviction *e, wf_extent **extent)
{
    const pack *p = &e->pack;
    int64_t offset = 0;
    weft_status st = WEFT_OK;
    char *buffer = wf_alloc((size_t)p->bytes);

    if (!buffer) return WEFT_NO_MEMORY;
    for (int i = 0; i < p->count && st == WEFT_OK; i++) {
        st = wf_copy_out(e->store, p->device[i], p->data[i], buffer + offset, p->block[i]->bytes);
        offset += packed(p->block[i]->bytes);
    }
    const wf_spill_source source = { .data = buffer };
    const int64_t begin = wf_trace_begin();
    if (st == WEFT_OK)
        st = wf_spill_write(e->store->spill, &source, p->bytes, WF_SPILL_SMALL_CHUNK, extent);
    if (st == WEFT_OK) {
        wf_trace_end(begin, "spill", "spill", -1, p->bytes);
        wf_stats_add(e->store->stats, WF_STAT_BYTES_SPILLED, p->bytes);
        wf_stats_add(e->store->stats, WF_STAT_BYTES_SPILL_FILES, wf_extent_stored(*extent));
    }
    wf_free(buffer);
    return st;
}

// Without the lock.
static void flush_pack(eviction *e)
{
    pack *p = &e->pack;
    wf_extent *extent = NULL;
    int64_t offset = 0;

    if (p->count == 0) return;
    const weft_status st = write_pack(e, &extent);
    if (st != WEFT_OK) e->status = st;
    for (int i = 0; i < p->count; i++) {
        moved moved = { .extent = extent, .offset = offset };
        offset += packed(p->block[i]->bytes);
        if (extent) wf_extent_retain(extent);
        finish_victim(e, p->block[i], p->device[i], &moved, st == WEFT_OK);
    }
    wf_extent_release(e->store->spill, extent);
    p->count = 0;
    p->bytes = 0;
}

// --- the second walk ---

static void add_to_pack(eviction *e, wf_block *block, int device, const void *data)
{
    pack *p = &e->pack;

    p->block[p->count] = block;
    p->device[p->count] = device;
    p->data[p->count++] = data;
    p->bytes += packed(block->bytes);
    if (p->count == PACK_BLOCKS || p->bytes >= PACK_BYTES - PACK_BELOW) flush_pack(e);
}

// BLOCK is marked. Takes the reference. Without the lock.
static void evict_marked(eviction *e, wf_block *block, int device, const void *data)
{
    wf_store *store = e->store;
    const bool visible = wf_is_visible(store, device);
    moved moved = { 0 };
    weft_status st =
        visible ? WEFT_BUSY : move_to_buffer(store, device, data, block->bytes, &moved);

    if (st != WEFT_OK && store->spill) {
        if (block->bytes <= PACK_BELOW) {
            add_to_pack(e, block, device, data);
            return;
        }
        st = move_to_disk(store, device, data, block->bytes, &moved);
    }
    if (st != WEFT_OK) e->status = st;
    finish_victim(e, block, device, &moved, st == WEFT_OK);
}

// A copy that was one of several is gone, if DROPPED. Takes the reference. Without the lock.
static void end_dropped(eviction *e, wf_block *block, bool dropped, const wf_remains *remains)
{
    e->result.freed += remains->bytes;
    if (dropped) wf_stats_add(e->store->stats, WF_STAT_BLOCKS_DROPPED, 1);
    wf_remains_free(e->store, remains);
    wf_block_release(block);
}

// The lock is held, and let go of while anything is given back or moved.
static void evict_block_locked(eviction *e, wf_block *block, int device)
{
    wf_shard *shard = block->shard;
    wf_remains remains = { 0 };
    const void *data = NULL;
    bool marked = false, dropped = false;

    if (!wf_block_retain_live_locked(block)) return;
    if (wf_block_is_elsewhere_locked(block, device)) {
        dropped = wf_copy_drop_locked(block, device, &remains);
    } else if (can_move(e, device)) {
        e->status = wf_more_make_locked(block);
        marked = e->status == WEFT_OK && mark_evicting_locked(block, device, &data);
    }
    wf_mutex_unlock(&shard->lock);
    if (marked) evict_marked(e, block, device, data);
    else end_dropped(e, block, dropped, &remains);
    wf_mutex_lock(&shard->lock);
}

static void evict_shard(eviction *e, wf_shard *shard, uint32_t tick, int64_t want)
{
    wf_header_chunk *chunk = NULL;
    int index = 0;

    wf_mutex_lock(&shard->lock);
    shard->scans++;
    while (e->status == WEFT_OK && e->result.freed < want) {
        wf_block *block = wf_header_next_locked(shard, &chunk, &index);
        if (!block) break;
        const int device = find_victim_copy(e, block);
        if (device < 0) continue;
        const int priority = priority_of(block, tick, wf_block_is_elsewhere_locked(block, device));
        if (priority < e->cut || (priority == e->cut && e->budget <= 0)) continue;
        if (priority == e->cut) e->budget -= block->bytes;
        evict_block_locked(e, block, device);
    }
    wf_mutex_unlock(&shard->lock);
    flush_pack(e);
    wf_mutex_lock(&shard->lock);
    shard->scans--;
    wf_mutex_unlock(&shard->lock);
}

static void run_eviction(eviction *e, int64_t need, int64_t want)
{
    wf_store *store = e->store;
    const wf_account *account =
        e->target == DEVICE_HOST ? &store->host : &store->place[e->target].account;
    const uint32_t tick = wf_store_tick(store);

    for (int i = 0; i < NSHARD; i++) count_shard(e, &store->shards[i], tick);
    if (e->evictable < need) {
        e->result.active = atomic_load(&account->claimed) - e->evictable - e->stuck;
        return;
    }
    if (e->evictable / SMALL_AVERAGE < e->count && want < account->limit / LOT_PARTS)
        want = account->limit / LOT_PARTS;
    choose_cut(e, want);
    for (int i = 0; i < NSHARD; i++) evict_shard(e, &store->shards[i], tick, want);
    // Victims that others pinned first
    if (e->result.freed < need) e->result.active = need - e->result.freed;
}

weft_status wf_evict(wf_store *store, int device, int64_t need, int64_t want, bool may_write,
                     wf_evict_result *out)
{
    eviction *e = wf_alloc(sizeof *e);

    if (!e) return WEFT_NO_MEMORY;
    e->store = store;
    e->target = device;
    e->may_write = may_write;
    run_eviction(e, need, want);
    const weft_status st = e->status;
    *out = e->result;
    wf_free(e);
    return st;
}
