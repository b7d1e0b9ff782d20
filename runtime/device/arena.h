// SPDX-License-Identifier: Apache-2.0
// arena - the host memory of a CPU device: one reservation of address space, cut into runs of
// pages. Freed runs stay touched and are given out again first, because the first touch of a page
// costs more than computing on it. Touched memory, used or cached, stays within LIMIT as long as
// what is used does; trimming gives all that is unused back.
// It is not for small objects: every run is rounded to pages (the store carves small blocks out of
// larger runs).
// Any thread may call anything; the lock is short and no system call is made under it.
#ifndef WF_DEVICE_ARENA_H
#define WF_DEVICE_ARENA_H

#include "base/error.h"

typedef struct wf_arena wf_arena;

// Reserves address space (several times LIMIT, so that holes do not matter; no memory yet). LIMIT:
// the bytes that used and cached memory together should stay under; it bounds the cache and does
// not refuse an allocation. 0 is WEFT_INVALID.
weft_status wf_arena_create(int64_t limit, wf_arena **out) WEFT_WARN_UNUSED;
void wf_arena_destroy(wf_arena *arena);  // everything allocated from it is gone; accepts NULL

// Gives BYTES (0: one page), aligned to 4096 and contents undefined. WEFT_NO_MEMORY when the
// address space is used up.
weft_status wf_arena_alloc(wf_arena *arena, int64_t bytes, void **out) WEFT_WARN_UNUSED;
// Takes MEMORY back; BYTES as it was asked for. Accepts NULL memory.
void wf_arena_free(wf_arena *arena, void *memory, int64_t bytes);
// Gives every page that is not in use back to the machine.
void wf_arena_trim(wf_arena *arena);

// Bytes in use (rounded to pages), and bytes in use or cached: what the arena may keep resident.
int64_t wf_arena_used(wf_arena *arena);
int64_t wf_arena_touched(wf_arena *arena);

#endif
