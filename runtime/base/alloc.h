// SPDX-License-Identifier: Apache-2.0
// alloc - the one door to the C heap: every small object of Weft's own comes through here, so that
// a test can fail the n-th allocation. Array data does not: it lives in the store's arena
// (memory/).
// Any thread may call.
#ifndef WF_BASE_ALLOC_H
#define WF_BASE_ALLOC_H

#include "base/error.h"

// Gives zeroed memory, or NULL after recording WEFT_NO_MEMORY ("out of host memory: wanted N
// bytes"). SIZE 0 gives a valid pointer.
void *wf_alloc(size_t size) __attribute__((malloc, warn_unused_result));
// The same for COUNT elements; the product is checked.
void *wf_calloc(size_t count, size_t size) __attribute__((malloc, warn_unused_result));
// Resizes; on failure returns NULL and leaves OLD alone. New bytes are not zeroed.
void *wf_realloc(void *old, size_t size) __attribute__((warn_unused_result));
// Gives a copy of TEXT, or NULL.
char *wf_strdup(const char *text) __attribute__((malloc, warn_unused_result));
char *wf_format(const char *fmt, ...) WEFT_PRINTF(1, 2) __attribute__((malloc, warn_unused_result));
void wf_free(void *p);  // accepts NULL

// Test hook: the N-th allocation from now (1 is the next) on any thread fails, once; 0 turns it
// off. Returns how many allocations were made since the last call.
int64_t wf_alloc_fail_at(int64_t n);
int64_t wf_alloc_live(void);  // objects not yet freed, for leak checks

// Grows the array *ITEMS of ITEM-byte elements so that it holds at least WANT; *CAPACITY counts
// elements.
weft_status wf_grow(void *items_ptr, int64_t *capacity, int64_t want, size_t item) WEFT_WARN_UNUSED;

#endif
