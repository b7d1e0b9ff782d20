// SPDX-License-Identifier: Apache-2.0
// store - budgets: who may have how much of which memory, and what happens when there is not
// enough.
// Any thread may call. Claiming is two compare-and-swaps; only a claim that does not fit walks the
// blocks (evict.c).
//
// A budget counts claims, in bytes that callers asked for: reservations and, made from them,
// blocks. Headers, and what rounding small blocks to size classes costs, is *overhead*: known only
// afterwards, so it cannot be promised beforehand. Claims leave room for it while blocks can be
// evicted, and go into that room only when nothing else is left.
#include "memory/store.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "device/arena.h"
#include "memory/block.h"
#include "observe/log.h"

// --- accounts ---

static wf_account *account_of(wf_store *store, int device)
{
    return device == DEVICE_HOST ? &store->host : &store->place[device].account;
}

bool wf_is_visible(const wf_store *store, int device)
{
    return device == DEVICE_HOST || store->place[device].visible;
}

const char *wf_place_name(const wf_store *store, int device)
{
    return device == DEVICE_HOST ? "host memory" : store->place[device].device->info.name;
}

static void raise_to(atomic_int_fast64_t *mark, int64_t value)
{
    int_fast64_t seen = atomic_load_explicit(mark, memory_order_relaxed);

    while (seen < value && !atomic_compare_exchange_weak_explicit(
                               mark, &seen, value, memory_order_relaxed, memory_order_relaxed)) {}
}

// Claims BYTES if ROOM more would be left. STATS: where a new peak is told; may be NULL.
static bool try_add(wf_account *account, int64_t bytes, int64_t room, wf_stats *stats)
{
    int_fast64_t now = atomic_load(&account->claimed);

    do
        if (now > account->limit - bytes - room) return false;
    while (!atomic_compare_exchange_weak(&account->claimed, &now, now + bytes));
    if (now + bytes > atomic_load_explicit(&account->peak, memory_order_relaxed)) {
        raise_to(&account->peak, now + bytes);
        if (stats) wf_stats_peak(stats, WF_STAT_PEAK_BYTES, now + bytes);
    }
    return true;
}

// Whether figures with index K of a shard belong to DEVICE's budget; the host's has all that the
// host sees.
static bool counts_for(const wf_store *store, int device, int k)
{
    return device == k ||
           (device == DEVICE_HOST && (k == store->nplace || store->place[k].visible));
}

static int64_t overhead(const wf_store *store, int device)
{
    int64_t sum = 0;

    for (int i = 0; i < NSHARD; i++)
        for (int k = 0; k <= store->nplace; k++)
            if (counts_for(store, device, k)) sum += wf_shard_overhead(&store->shards[i], k);
    return sum;
}

// Overhead matters, and is worth adding up, only when memory gets short.
static int64_t overhead_if_short(wf_store *store, int device)
{
    const wf_account *account = account_of(store, device);
    const int64_t claimed = atomic_load_explicit(&account->claimed, memory_order_relaxed);

    return claimed > account->limit / 4 ? overhead(store, device) : 0;
}

// The devices may cache as much as each has ever used; together that can be more than the host
// budget.
static void trim_overcommitted(wf_store *store)
{
    int64_t sum = 0;

    for (int i = 0; i < NSHARD; i++) sum += wf_shard_used(&store->shards[i], store->nplace);
    for (int i = 0; i < store->nplace; i++) {
        wf_account *account = &store->place[i].account;
        if (!store->place[i].visible) continue;
        raise_to(&account->touched, atomic_load_explicit(&account->claimed, memory_order_relaxed));
        sum += atomic_load_explicit(&account->touched, memory_order_relaxed);
    }
    if (sum <= store->host.limit) return;
    for (int i = 0; i < store->nplace; i++) {
        wf_place *place = &store->place[i];
        const int64_t claimed = atomic_load_explicit(&place->account.claimed, memory_order_relaxed);
        if (!place->visible ||
            atomic_load_explicit(&place->account.touched, memory_order_relaxed) <= claimed)
            continue;
        if (place->device->ops->trim) place->device->ops->trim(place->device->handle);
        atomic_store_explicit(&place->account.touched, claimed, memory_order_relaxed);
    }
}

enum claim_result wf_claim(wf_store *store, int device, int64_t bytes, bool soft)
{
    const bool own = device != DEVICE_HOST;

    if (own && !try_add(&store->place[device].account, bytes,
                        soft ? overhead_if_short(store, device) : 0, NULL))
        return SHORT_OF_DEVICE;
    if (!wf_is_visible(store, device)) return CLAIMED;
    if (!try_add(&store->host, bytes, soft ? overhead_if_short(store, DEVICE_HOST) : 0,
                 store->stats)) {
        if (own) atomic_fetch_sub(&store->place[device].account.claimed, bytes);
        wf_store_wake(store);  // somebody may have found the device full for that moment
        return SHORT_OF_HOST;
    }
    if (store->overcommitted) trim_overcommitted(store);
    return CLAIMED;
}

void wf_unclaim(wf_store *store, int device, int64_t bytes)
{
    if (bytes == 0) return;
    if (device != DEVICE_HOST) atomic_fetch_sub(&store->place[device].account.claimed, bytes);
    if (wf_is_visible(store, device)) atomic_fetch_sub(&store->host.claimed, bytes);
    wf_store_wake(store);
}

uint32_t wf_store_tick(const wf_store *store)
{
    return atomic_load_explicit(&store->host.tick, memory_order_relaxed);
}

// --- reserving ---

static weft_status check_limits(wf_store *store, int device, int64_t bytes)
{
    const wf_account *own = account_of(store, device);
    const bool too_big_here = bytes > own->limit;
    const bool too_big_host = wf_is_visible(store, device) && bytes > store->host.limit;

    if (!too_big_here && !too_big_host) return WEFT_OK;
    return wf_fail(WEFT_NO_MEMORY, "store: wanted %" PRId64 " bytes on %s, its limit is %" PRId64,
                   bytes,
                   too_big_here ? wf_place_name(store, device) : wf_place_name(store, DEVICE_HOST),
                   too_big_here ? own->limit : store->host.limit);
}

// Nothing can be evicted. If others use or hold some of the budget, that may change; if not, it
// will not.
static weft_status refuse(wf_store *store, int scarce, int64_t bytes, int64_t active,
                          const wf_error *disk)
{
    const wf_account *account = account_of(store, scarce);
    const int64_t claimed = atomic_load(&account->claimed);

    if (active > 0 || claimed <= account->limit - bytes)
        return wf_fail(WEFT_BUSY,
                       "store: wanted %" PRId64 " bytes of %s, %" PRId64 " of %" PRId64
                       " are taken",
                       bytes, wf_place_name(store, scarce), claimed, account->limit);
    if (disk->status != WEFT_OK) return wf_error_raise(disk);
    return wf_fail(WEFT_NO_MEMORY,
                   "store: wanted %" PRId64 " bytes of %s, %" PRId64 " of %" PRId64
                   " hold blocks that are still needed%s",
                   bytes, wf_place_name(store, scarce), claimed, account->limit,
                   store->spill ? "" : " and no spill folder is set");
}

static int64_t missing(wf_store *store, int scarce, int64_t bytes)
{
    const wf_account *account = account_of(store, scarce);
    return atomic_load(&account->claimed) + bytes - account->limit;
}

// Evicts until the claim succeeds. Each turn frees something, for this thread or for one that was
// quicker, or gives up a wish: first to write to a disk that fails, then to leave room for
// overhead. "Never" is said only of a store where nothing happened meanwhile.
static weft_status reserve_under_pressure(wf_store *store, int device, int64_t bytes)
{
    wf_error disk = { .status = WEFT_OK };
    bool soft = true;

    for (int doubts = 0;;) {
        const uint32_t tick = wf_store_tick(store);
        const enum claim_result result = wf_claim(store, device, bytes, soft);
        if (result == CLAIMED) return WEFT_OK;
        const int scarce = result == SHORT_OF_HOST ? DEVICE_HOST : device;
        const bool may_write = disk.status == WEFT_OK;
        const int64_t need = missing(store, scarce, bytes);
        const int64_t want = need + (soft ? overhead_if_short(store, scarce) : 0);
        wf_evict_result got = { 0, 0 };
        if (want <= 0) continue;
        if (wf_evict(store, scarce, need > 0 ? need : 1, want, may_write, &got) != WEFT_OK)
            wf_error_take(&disk);
        if (got.freed > 0 || may_write != (disk.status == WEFT_OK)) continue;
        if (soft) {
            soft = false;
        } else {
            const bool quiet = tick == wf_store_tick(store);
            if (got.active > 0 || quiet || ++doubts == 8)
                return refuse(store, scarce, bytes, got.active + !quiet, &disk);
        }
    }
}

weft_status wf_store_reserve(wf_store *store, int device, int64_t bytes, wf_reservation *out)
{
    if (device < 0 || device >= store->nplace || bytes < 0)
        return wf_fail(
            WEFT_INVALID,
            "store: expected one of %d devices and bytes >= 0, got device %d and %" PRId64,
            store->nplace, device, bytes);
    atomic_fetch_add_explicit(&store->host.tick, 1, memory_order_relaxed);
    if (bytes > 0 && wf_claim(store, device, bytes, true) != CLAIMED) {
        WF_TRY(check_limits(store, device, bytes));
        WF_TRY(reserve_under_pressure(store, device, bytes));
    }
    *out = (wf_reservation){ .device = device, .bytes = bytes };
    return WEFT_OK;
}

void wf_store_unreserve(wf_store *store, wf_reservation *reservation)
{
    wf_unclaim(store, reservation->device, reservation->bytes);
    reservation->bytes = 0;
}

// --- waiting ---

void wf_store_wake(wf_store *store)
{
    if (!atomic_load(&store->interest)) return;
    wf_mutex_lock(&store->wait_lock);
    atomic_store(&store->interest, false);
    atomic_fetch_add(&store->generation, 1);
    wf_cond_broadcast(&store->wait_cond);
    wf_mutex_unlock(&store->wait_lock);
}

uint64_t wf_store_turn(wf_store *store)
{
    // Raised before the caller looks for memory: whoever frees some later sees it (both sides are
    // sequentially consistent).
    atomic_store(&store->interest, true);
    return atomic_load(&store->generation);
}

void wf_store_wait(wf_store *store, uint64_t seen, double seconds)
{
    const double most = 1e9;  // seconds
    const int64_t ns = (int64_t)((seconds < 0 ? 0 : seconds < most ? seconds : most) * 1e9);
    const int64_t deadline = wf_clock_ns() + ns;

    wf_mutex_lock(&store->wait_lock);
    while (atomic_load(&store->generation) == seen)
        if (!wf_cond_wait_until(&store->wait_cond, &store->wait_lock, deadline)) break;
    wf_mutex_unlock(&store->wait_lock);
}

// --- figures ---

static int64_t live_blocks(wf_store *store)
{
    int64_t sum = 0;

    for (int i = 0; i < NSHARD; i++) {
        wf_mutex_lock(&store->shards[i].lock);
        sum += store->shards[i].live;
        wf_mutex_unlock(&store->shards[i].lock);
    }
    return sum;
}

static int64_t used_of(const wf_store *store, int device)
{
    int64_t sum = 0;

    for (int i = 0; i < NSHARD; i++)
        for (int k = 0; k <= store->nplace; k++)
            if (counts_for(store, device, k)) sum += wf_shard_used(&store->shards[i], k);
    return sum;
}

void wf_store_get_usage(wf_store *store, int device, wf_store_usage *out)
{
    wf_account *account = account_of(store, device < 0 ? DEVICE_HOST : device);
    const int64_t claimed = atomic_load(&account->claimed);
    int64_t used = used_of(store, device < 0 ? DEVICE_HOST : device);
    wf_spill_usage spill = { 0 };

    if (used > claimed) used = claimed;  // read at different moments
    if (store->spill) wf_spill_get_usage(store->spill, &spill);
    *out = (wf_store_usage){
        .used = used,
        .reserved = claimed - used,
        .peak = atomic_load(&account->peak),
        .limit = account->limit,
        .spilled = atomic_load(&store->spilled),
        .spilled_peak = atomic_load(&store->spilled_peak),
        .blocks = live_blocks(store),
        .overhead = overhead(store, device < 0 ? DEVICE_HOST : device),
        .spill_file = spill.file_bytes,
        .spill_is_memory = store->spill && wf_spill_is_memory(store->spill),
    };
}

void wf_store_trim(wf_store *store)
{
    for (int i = 0; i < NSHARD; i++) wf_shard_trim(&store->shards[i]);
    for (int i = 0; i < store->nplace; i++) {
        wf_device *device = store->place[i].device;
        if (device->ops->trim) device->ops->trim(device->handle);
    }
    wf_mutex_lock(&store->buffers_lock);
    if (store->buffers) wf_arena_trim(store->buffers);
    wf_mutex_unlock(&store->buffers_lock);
    if (store->spill) wf_spill_trim(store->spill);
}

// --- life ---

static void *align_up(void *p, size_t align)
{
    return (void *)(((uintptr_t)p + align - 1) / align * align);
}

static weft_status init_places(wf_store *store, const wf_store_options *opts)
{
    int64_t visible = 0;

    store->place_memory = wf_calloc((size_t)opts->ndevice + 1, sizeof(wf_place));
    if (!store->place_memory) return WEFT_NO_MEMORY;
    store->place = align_up(store->place_memory, _Alignof(wf_place));
    store->nplace = opts->ndevice;
    for (int i = 0; i < store->nplace; i++) {
        wf_place *place = &store->place[i];
        int64_t limit =
            opts->device_limit ? opts->device_limit[i] : opts->device[i]->info.memory_bytes;
        if (limit <= 0) limit = INT64_MAX;
        place->device = opts->device[i];
        place->visible = place->device->info.host_visible;
        place->account.limit = limit;
        wf_mutex_init(&place->lock);
        if (place->visible) visible = limit < INT64_MAX - visible ? visible + limit : INT64_MAX;
    }
    store->host.limit = opts->host_limit > 0 ? opts->host_limit : INT64_MAX;
    store->overcommitted = visible > store->host.limit && store->nplace > 1;
    return WEFT_OK;
}

static weft_status init_store(wf_store *store, const wf_store_options *opts)
{
    WF_TRY(init_places(store, opts));
    WF_TRY(wf_shards_create(store));
    store->stats = opts->stats;
    if (!store->stats) {
        store->stats = store->own_stats = wf_alloc(sizeof *store->own_stats);
        if (!store->stats) return WEFT_NO_MEMORY;
    }
    if (!opts->spill_dir || !opts->spill_dir[0]) return WEFT_OK;
    WF_TRY(wf_spill_create(opts->spill_dir, &store->spill));
    if (wf_spill_is_memory(store->spill))
        wf_log_once("spill:memory", WF_LOG_WARN,
                    "the spill folder '%s' is itself in memory: spilling to it saves none",
                    opts->spill_dir);
    return WEFT_OK;
}

weft_status wf_store_create(const wf_store_options *opts, wf_store **out)
{
    if (opts->ndevice < 1 || opts->ndevice > MAX_DEVICES)
        return wf_fail(WEFT_INVALID, "store: expected 1 to %d devices, got %d", MAX_DEVICES,
                       opts->ndevice);
    void *heap = wf_alloc(sizeof(wf_store) + _Alignof(wf_store));
    if (!heap) return WEFT_NO_MEMORY;
    wf_store *store = align_up(heap, _Alignof(wf_store));
    store->heap = heap;
    wf_mutex_init(&store->buffers_lock);
    wf_mutex_init(&store->wait_lock);
    wf_cond_init(&store->wait_cond);
    const weft_status st = init_store(store, opts);
    if (st != WEFT_OK) {
        wf_store_destroy(store);
        return st;
    }
    *out = store;
    return WEFT_OK;
}

void wf_store_destroy(wf_store *store)
{
    if (!store) return;
    wf_shards_destroy(store);
    for (int i = 0; i < store->nplace; i++) {
        wf_place_close_streams(&store->place[i]);
        wf_mutex_fini(&store->place[i].lock);
    }
    wf_spill_destroy(store->spill);
    wf_arena_destroy(store->buffers);
    wf_cond_fini(&store->wait_cond);
    wf_mutex_fini(&store->wait_lock);
    wf_mutex_fini(&store->buffers_lock);
    wf_free(store->place_memory);
    wf_free(store->own_stats);
    wf_free(store->heap);
}
