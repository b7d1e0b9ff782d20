// SPDX-License-Identifier: Apache-2.0
// block - what the files of this folder share: a block's header, its copies, the shards that blocks
// live in, and the budgets.
// Nothing outside this folder includes it.
//
// A block's bytes may lie in several places. The *primary* copy is described in the header, so that
// pinning it is one compare-and-swap of STATE; further copies (other devices, a host buffer) and
// the place on disk hang off MORE and are touched under the shard's lock only. Three rules keep
// this sound:
//  - RESIDENT in STATE says that the primary may be pinned by anybody, without the lock. It is set
//    and cleared under the lock, and cleared only by a compare-and-swap that saw no pins. While it
//    is clear, STATE changes under the lock only.
//  - A copy is dropped only under the lock and only while another whole copy exists, or with the
//    last reference.
//  - EVICTING means that somebody reads the primary to write it elsewhere. Pins may come and go;
//    the contents are sealed. When the bytes are safe the copy is dropped if nobody has pinned it
//    meanwhile, else it stays.
#ifndef WF_MEMORY_BLOCK_H
#define WF_MEMORY_BLOCK_H

#include <stdatomic.h>

#include "base/thread.h"
#include "memory/spill.h"
#include "memory/store.h"
#include "observe/stats.h"

// STATE: pins of the primary in the low bits, its device above, then flags.
#define BLOCK_PINS UINT64_C(0xffffff)
#define BLOCK_DEVICE_SHIFT 24
#define BLOCK_DEVICE (UINT64_C(0xff) << BLOCK_DEVICE_SHIFT)
// The primary is whole (or its writer's) and may be pinned
#define BLOCK_RESIDENT (UINT64_C(1) << 32)
#define BLOCK_SEALED (UINT64_C(1) << 33)  // contents are fixed
#define BLOCK_EVICTING (UINT64_C(1) << 34)
#define BLOCK_LOADING (UINT64_C(1) << 35)  // somebody makes another copy; others who want one wait
// The primary's device was lost under pins; its memory goes with the last one
#define BLOCK_DEAD (UINT64_C(1) << 36)
#define BLOCK_LOST (UINT64_C(1) << 37)     // no whole copy exists
#define BLOCK_WRAPPED (UINT64_C(1) << 38)  // the primary's memory is not ours

enum {
    DEVICE_NONE = 255,  // no primary
    // A host buffer behind devices whose memory the host cannot see; also: the host budget
    DEVICE_HOST = 254,
    MAX_DEVICES = 250,
    NSHARD = 8,
    NCLASS = 32,  // sizes of small blocks
};

typedef struct wf_slab wf_slab;
typedef struct wf_header_chunk wf_header_chunk;

// A copy that is not the primary.
typedef struct wf_copy {
    struct wf_copy *next;
    int device;
    int pins;
    bool evicting, dead;  // as in STATE
    void *data;
    wf_slab *slab;  // NULL: memory of its own
} wf_copy;

// What few blocks have.
typedef struct wf_more {
    wf_copy *copies;
    wf_extent *extent;  // on disk; NULL: not
    int64_t extent_offset;
    void (*release)(void *context);  // of wrapped memory
    void *context;
} wf_more;

typedef struct wf_shard wf_shard;

struct wf_block {
    wf_shard *shard;
    _Atomic uint64_t state;
    atomic_int refs;    // 0: the header is free
    atomic_uint stamp;  // the store's tick when last used
    int64_t bytes;
    void *data;      // of the primary; in free headers the next one
    wf_slab *slab;   // NULL: memory of its own
    wf_more *more;   // NULL: nothing there
    float cost;      // seconds to make it again
    uint32_t index;  // in its chunk
};
_Static_assert(sizeof(wf_block) == 64, "one cache line per block");

// Slabs of one size class and device.
typedef struct wf_slab_class {
    wf_slab *partial;  // with free places; the rest are reached from their blocks
} wf_slab_class;

// Headers, small memory and rare state of the blocks that some threads make; one lock over all.
struct wf_shard {
    _Alignas(64) wf_mutex lock;
    wf_cond loaded;  // some block of this shard is no longer LOADING
    wf_store *store;
    wf_header_chunk *chunks, *partial;
    wf_slab_class *classes;  // [device][class]
    int64_t live;            // blocks
    int scans;               // walks over CHUNKS that let go of the lock: chunks stay
    // Written under the lock, read by anybody: bytes of copies of this shard's blocks [device], in
    // host buffers [nplace]; and what slabs and whole pages [device] and headers [nplace] take
    // beyond that.
    atomic_int_fast64_t *used, *overhead;
};

typedef struct wf_account {
    _Alignas(64) atomic_int_fast64_t claimed;  // used + reserved; never above LIMIT
    atomic_int_fast64_t peak;                  // of claimed
    int64_t limit;
    atomic_int_fast64_t touched;  // highest CLAIMED since the device was trimmed
    // Of the host's: counts reservations, the clock of recency; here because they write this line
    // anyway
    atomic_uint tick;
} wf_account;

enum { MAX_IDLE_STREAMS = 8 };

typedef struct wf_place {  // a device, as the store sees it
    wf_account account;
    wf_device *device;
    bool visible;  // to the host
    wf_mutex lock;
    int nstreams;
    weft_stream *streams[MAX_IDLE_STREAMS];  // open, in use by nobody
} wf_place;

struct wf_store {
    int nplace;
    wf_place *place;
    wf_account host;  // all host-visible devices and host buffers together
    // The host-visible devices may use more than the host budget, each by itself
    bool overcommitted;
    struct wf_arena *buffers;  // host buffers; made when first wanted
    wf_mutex buffers_lock;
    wf_spill *spill;  // NULL: no spilling
    wf_stats *stats;  // never NULL
    wf_stats *own_stats;
    atomic_int_fast64_t spilled, spilled_peak;
    wf_shard *shards;                          // [NSHARD]
    void *heap, *shard_memory, *place_memory;  // as allocated, before alignment

    // Waiters. INTEREST is raised before looking for memory and read after giving some back, so
    // that one of both sides sees the other.
    _Alignas(64) atomic_bool interest;
    atomic_uint_fast64_t generation;
    wf_mutex wait_lock;
    wf_cond wait_cond;
};

// --- state ---

static inline int block_pins(uint64_t state) { return (int)(state & BLOCK_PINS); }
static inline int block_device(uint64_t state) { return (int)(state >> BLOCK_DEVICE_SHIFT & 0xff); }
static inline uint64_t block_on(int device) { return (uint64_t)device << BLOCK_DEVICE_SHIFT; }

// --- slab.c: headers and small memory. *_locked: the shard's lock is held ---

wf_shard *wf_shard_here(wf_store *store);  // the calling thread's
weft_status wf_shards_create(wf_store *store);
void wf_shards_destroy(wf_store *store);
void wf_shard_trim(wf_shard *shard);

// Gives a zeroed header with refs 0, its shard and index set, and the lock held on success.
weft_status wf_header_take(wf_shard *shard, wf_block **out) WEFT_WARN_UNUSED;
void wf_header_give_locked(wf_block *block);
bool wf_is_small(const wf_store *store, int device, int64_t bytes);
// Memory of a small block. May let go of the lock meanwhile; holds it on return in any case.
weft_status wf_small_take_locked(wf_shard *shard, int device, int64_t bytes, void **data,
                                 wf_slab **slab) WEFT_WARN_UNUSED;
// Gives a slab that is empty now, to destroy without the lock, or NULL.
wf_slab *wf_small_give_locked(wf_shard *shard, wf_slab *slab, void *data, int64_t bytes);
void wf_slab_destroy(wf_store *store, wf_slab *slab);  // accepts NULL
// Counts, or no longer counts, a copy of BYTES on DEVICE, and what it wastes of whole pages if it
// has memory of its own.
void wf_use_locked(wf_shard *shard, int device, int64_t bytes, bool own_memory, bool present);
int64_t wf_shard_used(const wf_shard *shard, int index);
int64_t wf_shard_overhead(const wf_shard *shard, int index);
// Walks all live headers of SHARD: NULL starts, NULL ends. The lock is held; VISIT may let go of it
// (SCANS says so).
wf_block *wf_header_next_locked(wf_shard *shard, wf_header_chunk **chunk, int *index);

// --- store.c: budgets ---

enum claim_result { CLAIMED, SHORT_OF_DEVICE, SHORT_OF_HOST };
// SOFT: leaves room for overhead as well. DEVICE may be DEVICE_HOST.
enum claim_result wf_claim(wf_store *store, int device, int64_t bytes, bool soft);
void wf_unclaim(wf_store *store, int device, int64_t bytes);
uint32_t wf_store_tick(const wf_store *store);
void wf_store_wake(wf_store *store);  // after memory was given back or unpinned
bool wf_is_visible(const wf_store *store, int device);
const char *wf_place_name(const wf_store *store, int device);

// --- copy.c: memory of its own, and bytes from place to place ---

weft_status wf_memory_allocate(wf_store *store, int device, int64_t bytes,
                               void **out) WEFT_WARN_UNUSED;
void wf_memory_release(wf_store *store, int device, void *data, int64_t bytes);
weft_status wf_copy_bytes(wf_store *store, int from, const void *src, int to, void *dst,
                          int64_t bytes) WEFT_WARN_UNUSED;
weft_status wf_copy_out(wf_store *store, int from, const void *src, void *host,
                        int64_t bytes) WEFT_WARN_UNUSED;
weft_status wf_copy_from_disk(wf_store *store, const wf_extent *extent, int64_t offset,
                              int64_t bytes, int to, void *dst) WEFT_WARN_UNUSED;
void wf_place_close_streams(wf_place *place);

// --- residence.c: copies come and go. The shard's lock is held ---

// Memory that a copy had, to be given back once the lock is let go.
typedef struct wf_remains {
    int device;
    int64_t bytes;  // of budget; 0: none
    void *data;     // NULL: it was small memory, and is back in its slab
    wf_slab *slab;  // empty now; may be NULL
} wf_remains;
// Without the lock; wakes who waits for memory
void wf_remains_free(wf_store *store, const wf_remains *remains);

weft_status wf_more_make_locked(wf_block *block) WEFT_WARN_UNUSED;
wf_copy *wf_copy_find_locked(const wf_block *block, int device);
// Whether bytes of BLOCK are whole anywhere but in its copy on DEVICE.
bool wf_block_is_elsewhere_locked(const wf_block *block, int device);
// Takes a reference unless BLOCK is on its way out. Whoever walks over headers and changes a
// block's copies holds one: the last user of a block looks at them without the lock.
bool wf_block_retain_live_locked(wf_block *block);
// Drops the copy on DEVICE if nobody pins it; the next copy becomes the primary. False: pinned, or
// not there.
bool wf_copy_drop_locked(wf_block *block, int device, wf_remains *remains);
// The copy on DEVICE is dead: gives its memory and forgets it, unless it is pinned or being read
// for eviction.
void wf_copy_bury_locked(wf_block *block, int device, wf_remains *remains);
// Adds a copy, as the primary if there is none; NODE (made before) is taken or freed. PINS: 0 or 1.
void wf_copy_add_locked(wf_block *block, int device, void *data, wf_slab *slab, int pins,
                        wf_copy *node);
void wf_extent_add_locked(wf_block *block, wf_extent *extent, int64_t offset);
// Forgets the place on disk and gives the extent to release once the lock is let go; may be NULL.
wf_extent *wf_extent_take_locked(wf_block *block);

// --- evict.c ---

typedef struct wf_evict_result {
    int64_t freed;  // bytes given back
    // Bytes of the budget that are pinned, being written, reserved or on their way out
    int64_t active;
} wf_evict_result;
// Makes at least NEED bytes of DEVICE's budget free (DEVICE_HOST: of the host budget), and about
// WANT if that is more; nothing when what can be evicted is less than NEED. A failure of the disk
// ends it with what was freed so far. MAY_WRITE false: only drops copies that exist elsewhere.
// *OUT is written whatever happens.
weft_status wf_evict(wf_store *store, int device, int64_t need, int64_t want, bool may_write,
                     wf_evict_result *out) WEFT_WARN_UNUSED;

#endif
