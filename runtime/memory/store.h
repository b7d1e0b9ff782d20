// SPDX-License-Identifier: Apache-2.0
// store - where every block of this worker lives: in a device's memory, or on disk; and how much of
// each budget is spoken for.
// It decides residency under pressure; copying bytes is the device's job. It knows no graph: blocks
// are handles with a reference count. Any thread may call anything; no I/O and no copy is done
// while a lock is held.
//
// The rule that keeps it free of deadlock: whoever needs memory reserves all of it first, in one
// step or not at all (wf_store_reserve), and waits while holding nothing. Blocks are made from, and
// brought back into, a reservation.
#ifndef WF_MEMORY_STORE_H
#define WF_MEMORY_STORE_H

#include "device/device.h"

typedef struct wf_store wf_store;
typedef struct wf_block wf_block;

typedef struct wf_store_options {
    int ndevice;
    wf_device *const *device;     // borrowed until destroy
    const int64_t *device_limit;  // bytes of block memory per device; NULL: each device's own
    // One budget over all host-visible devices and host buffers together; 0: none
    int64_t host_limit;
    const char *spill_dir;  // folder for spill files; NULL: no spilling
    struct wf_stats *stats;
} wf_store_options;

weft_status wf_store_create(const wf_store_options *opts, wf_store **out) WEFT_WARN_UNUSED;
void wf_store_destroy(wf_store *store);  // every block must be gone; accepts NULL

// A claim on BYTES of one device's budget, not yet memory.
typedef struct wf_reservation {
    int device;
    int64_t bytes;  // what is left of it
} wf_reservation;

// Claims BYTES on DEVICE, all or nothing, evicting cold unpinned blocks to disk as needed (in the
// calling thread). Errors:
// WEFT_BUSY when others hold what is missing (wait until something is released: wf_store_wait),
// WEFT_NO_MEMORY when BYTES exceed the limit for ever (names bytes wanted and there), or when the
// budget is full of blocks in use by nobody that cannot be spilled; WEFT_NO_SPACE/IO and others of
// the disk when spilling failed and nothing else helps. 0 bytes always succeed.
weft_status wf_store_reserve(wf_store *store, int device, int64_t bytes,
                             wf_reservation *out) WEFT_WARN_UNUSED;
// Gives back what is left; accepts an empty one
void wf_store_unreserve(wf_store *store, wf_reservation *reservation);
// A number that changes whenever memory is released or unpinned, and a wait until it is no longer
// SEEN (or SECONDS pass).
uint64_t wf_store_turn(wf_store *store);
void wf_store_wait(wf_store *store, uint64_t seen, double seconds);

// Makes a block of BYTES from RESERVATION, pinned for writing by the caller, one reference,
// contents undefined. 64-byte aligned. Blocks under WF_BLOCK_SMALL bytes cost no more than their
// rounded size plus 64 bytes and about 100 ns.
weft_status wf_block_create(wf_store *store, wf_reservation *reservation, int64_t bytes,
                            wf_block **out) WEFT_WARN_UNUSED;
// A block over memory that Weft does not own or account (borrowed caller memory, mapped files):
// never evicted. RELEASE(context) is called when the last reference goes; may be NULL.
weft_status wf_block_wrap(wf_store *store, int device, void *data, int64_t bytes,
                          void (*release)(void *context), void *context,
                          wf_block **out) WEFT_WARN_UNUSED;
// The writer is done: contents are fixed and the block may be evicted once unpinned. Drops the
// writer's pin. COST is seconds to remake it (lower goes first). A writer that fails releases the
// block instead, unsealed.
void wf_block_seal(wf_block *block, double cost);
#define WF_BLOCK_SMALL 4096

void wf_block_retain(wf_block *block);
// Drops a reference; the last frees memory and spill space. Accepts NULL. May be called while
// pinned by nobody only.
void wf_block_release(wf_block *block);

// Bytes of budget that wf_block_pin on DEVICE would take from a reservation now (0 when it is
// resident there).
int64_t wf_block_pin_bytes(const wf_block *block, int device);
// Makes BLOCK readable on DEVICE and keeps it there until unpin: reads it back from disk or copies
// it from another device, with memory from RESERVATION. Borrows: *data stays valid until
// wf_block_unpin. Errors: WEFT_LOST (its only copy was on a lost device or its spill file is
// damaged: checksum), WEFT_NO_MEMORY when the reservation is too small (a race with eviction:
// reserve more and retry), IO, the device's own; WEFT_DEVICE while others still pin what they had
// there when DEVICE was lost; WEFT_BUSY on another device than its writer's before it is sealed.
weft_status wf_block_pin(wf_block *block, int device, wf_reservation *reservation,
                         void **data) WEFT_WARN_UNUSED;
void wf_block_unpin(wf_block *block, int device);
// Copies BYTES at OFFSET into host memory OUT from wherever the block is, without making it
// resident (a piece of a spilled block is one read).
weft_status wf_block_read(wf_block *block, int64_t offset, int64_t bytes,
                          void *out) WEFT_WARN_UNUSED;
// Copies all of it into memory OUT of DEVICE, likewise.
weft_status wf_block_fetch(wf_block *block, int device, void *out) WEFT_WARN_UNUSED;
int64_t wf_block_bytes(const wf_block *block);
bool wf_block_is_resident(const wf_block *block, int device);
// A device that holds it, or -1 (in a host buffer, on disk, or lost)
int wf_block_device(const wf_block *block);
bool wf_block_is_lost(const wf_block *block);
// The pending owner: whoever is the last reader may take the memory for its own output instead of
// allocating: gives true and turns BLOCK (sealed, one reference, one pin by the caller, resident on
// DEVICE alone) into a writable unsealed block.
bool wf_block_reuse(wf_block *block, int device);
// The writer of a block that was taken over failed: what the block held is gone, and it counts as
// lost. Drops the writer's pin.
void wf_block_spoil(wf_block *block);

// DEVICE's memory is gone, whatever the cause: blocks whose only copy was there become lost (pins
// fail with WEFT_LOST), running users notice by their device's errors. Also used by tests.
void wf_store_lose_device(wf_store *store, int device);

typedef struct wf_store_usage {
    // Bytes of block memory on a device (or of host budget), claims not yet used, highest used +
    // reserved
    int64_t used, reserved, peak;
    int64_t limit;
    int64_t spilled, spilled_peak;  // bytes now on disk (store wide)
    int64_t blocks;
    // Bytes beside USED that rounding takes (host budget: and headers)
    int64_t overhead;
    int64_t spill_file;  // length of the spill file
    // The spill folder lies in memory (tmpfs): spilling to it saves none
    bool spill_is_memory;
} wf_store_usage;
void wf_store_get_usage(wf_store *store, int device /* -1: host budget */, wf_store_usage *out);
// Gives cached free memory back to the machine (idle session).
void wf_store_trim(wf_store *store);

#endif
